"""Readers: a log of any known format as one table of learning rates.

A file has the format in which it holds the most rates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from os import PathLike
from pathlib import Path

from ..log import Log, LogError
from . import csv_reader, json_reader, regex_reader, tensorboard, transformers_console
from .log_formats import FORMATS, TEXTS, Format, Roles, is_rate
from .regex_reader import Finder
from .rows import Rows
from .text_file import Progress, TextFile

Paths = str | PathLike[str] | Sequence[str | PathLike[str]]
CSV = {"csv", "lightning", "keras", "ultralytics", "yolov5"}
HEAD, TAIL = 1 << 15, 1 << 17  # characters of the beginning that are looked at, and of what comes later
WORDS = ("lr", "l.r.", "rate")  # each pattern of a rate has one of them


def formats() -> dict[str, str]:
    """The names of the formats, each with what it is in words."""
    return {name: form.words for name, form in FORMATS.items()}


def read(
    path: Paths,
    format: str | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    patterns: str | Sequence[str] | None = None,
    progress: Progress | None = None,
    unit: str | None = None,
) -> Log:
    r"""Read the learning rates that a run logged.

    path: a file; several files of one resumed run, in order; or a directory of event files or of Lightning's versions.
    format: one of `formats()`; by default it is found from what the files hold, not from their names.
    columns: names of columns (or TensorBoard tags): {"update": name, "epoch": name, "rate": name or names}.
    patterns: regular expressions with groups named update, epoch, rate (or rate_NAME for each of several groups); a
        rate belongs to the update in its line, else to the last one before.
    progress: called with the bytes read so far and in all.
    unit: "update" or "epoch", where the log has both and the other is wanted.
    Errors: `LogError`, which names the file and what was expected.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "log.txt")
    >>> _ = file.write_text("Epoch: 1\nLearning rate: 0.0050\nEpoch: 2\nLearning rate: 0.0140\n")
    >>> log = read(file)
    >>> log.format, log.unit, log.clock.tolist(), log.rates[:, 0].tolist(), log.half[:, 0].round(7).tolist()
    ('text', 'epoch', [1.0, 2.0], [0.005, 0.014], [5e-05, 5e-05])
    """
    if unit not in (None, "update", "epoch"):
        raise LogError(f"unit must be 'update' or 'epoch', got {unit!r}")
    files = _files(path)
    named = _columns(columns)
    sizes = [_size(file) for file in files]
    given: Format | None = None
    if patterns is not None:
        given = regex_reader.user_format([patterns] if isinstance(patterns, str) else list(patterns))
    elif format not in {None, *FORMATS}:
        raise LogError(f"format must be one of {', '.join(FORMATS)}; got {format!r}")
    rows: Rows | None = None
    for number, file in enumerate(files):
        source = TextFile(file, sum(sizes[:number]), sum(sizes), progress)
        form = given or _format_of(source, format, named)
        rows = rows or Rows(form, str(file))
        if form.name != rows.form.name:
            raise LogError(
                f"{file}: its format is {form.name}, and that of the file before is {rows.form.name}; give one run"
            )
        before = rows.count
        rows.start(file.name)
        if form.patterns:
            (transformers_console if form.name == "transformers" else regex_reader).read(source, rows, form)
        elif form.name == "tensorboard":
            tensorboard.read(source, rows, named)
        elif form.name in CSV or (form.name == "wandb" and not source.is_json()):
            csv_reader.read(source, rows, named)
        else:
            json_reader.read(source, rows, named)
        rows.end()
        for sentence in source.repairs:
            rows.note(sentence)
        if len(files) > 1 and rows.count == before:
            rows.note("it holds no rates")
    assert rows
    expected = f"columns or tags {', '.join(named.rates)}" if named else rows.form.words
    return rows.log(" ".join(map(str, files[:3])), expected, unit)


def _format_of(source: TextFile, name: str | None, columns: Roles | None) -> Format:
    """The format that is named, else the one that the content shows."""
    if name == "tensorboard" or (name is None and tensorboard.recognise(source.head)):
        if not tensorboard.recognise(source.head):
            raise LogError(f"{source.path}: not a TensorBoard event file: it does not begin with a TFRecord")
        return FORMATS["tensorboard"]
    source.check_text()
    if name is not None:
        return FORMATS[name]
    sample = source.sample
    tables = (json_reader.recognise(sample) if source.is_json() else {}) | csv_reader.recognise(sample)
    if columns:
        return next(iter(tables), FORMATS["json" if source.is_json() else "csv"])
    # The beginning may hold a configuration with rates of its own, so later lines are counted with it.
    start = sample[:HEAD] + sample[HEAD:][-TAIL:]
    for text in chain([start], TextFile(source.path).pieces()):
        if found := _most(tables, source, text):
            return found
    if tables:
        return next(iter(tables))
    raise LogError(f"{source.path}: no learning rate found; name the format, the columns or patterns to look for")


def _most(tables: Mapping[Format, int], source: TextFile, sample: str) -> Format | None:
    """The first format that has at least half as many rates as the one with the most; None if none has any."""
    counts, lines, named = dict(tables), sample.lower().split("\n"), is_rate(source.path.name)
    # Patterns are slow and words are fast. Each line with a rate has one of these words, or the file's name has, so no
    # pattern finds more, and most files are known before all patterns have been tried.
    limit = len(lines) if named else sum(any(word in line for word in WORDS) for line in lines)
    for form in TEXTS:
        if (found := _first(counts)) and 2 * counts[found] >= limit:
            return found
        if (named or not form.named) and (not form.sign or re.search(form.sign, sample, re.MULTILINE)):
            counts[form] = Finder(form).count(sample)
    return _first(counts)


def _first(counts: Mapping[Format, int]) -> Format | None:
    # A known format comes before any text, which may count a few rates in settings too.
    most = max(counts.values(), default=0)
    return next((form for form, count in counts.items() if most and 2 * count >= most), None)


def _columns(columns: Mapping[str, str | Sequence[str]] | None) -> Roles | None:
    if columns is None:
        return None
    if not isinstance(columns, Mapping) or not {"rate"} <= set(columns) <= {"rate", "update", "epoch"}:
        raise LogError(f'columns must be {{"update": name, "epoch": name, "rate": name or names}}, got {columns!r}')
    rate, update, epoch = (columns.get(name) for name in ("rate", "update", "epoch"))
    rates = tuple(rate) if isinstance(rate, list | tuple) else (rate,)
    if not rates or not all(isinstance(name, str) for name in (*rates, update or "", epoch or "")):
        raise LogError(f"columns must hold names, got {columns!r}")
    return Roles(rates, update, epoch)  # type: ignore[arg-type]


def _files(path: Paths) -> list[Path]:
    """The files of the run, in order."""
    given = [path] if isinstance(path, str | PathLike) else list(path)
    if not given:
        raise LogError("path must name at least one file")
    return [file for each in given for file in _inside(Path(each))]


def _inside(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    for pattern in ("*tfevents*", "trainer_state.json", "metrics.csv", "version_*/metrics.csv", "version_*/*tfevents*"):
        if found := [file for file in path.glob(pattern) if file.is_file()]:
            return sorted(found, key=_natural)
    if len(found := [file for file in path.iterdir() if file.is_file() and file.name[0] != "."]) == 1:
        return found
    raise LogError(f"{path}: a directory without event files, metrics.csv or trainer_state.json; name the files")


def _natural(path: Path) -> list[tuple[int, str]]:
    """A sort key that puts version_10 after version_9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", str(path))]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except (OSError, ValueError) as error:
        raise LogError(f"{file}: {getattr(error, 'strerror', None) or error}") from None


__all__ = ["formats", "read"]
