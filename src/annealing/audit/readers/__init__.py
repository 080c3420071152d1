"""Readers: a log of any known format as one table of learning rates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from ..log import Log, LogError
from . import csv_reader, json_reader, regex_reader, tensorboard, transformers_console
from .column_names import Roles
from .log_formats import TABLES, TEXTS, Format, TextFormat
from .recognition import format_of
from .rows import Rows
from .text_file import Progress, TextFile

Paths = str | PathLike[str] | Sequence[str | PathLike[str]]
CSV = {"csv", "lightning", "keras", "ultralytics", "yolov5"}


def formats() -> dict[str, str]:
    """The names of the formats, each with what it is in words."""
    return {form.name: form.words for form in (*TABLES.values(), *(row.form for row in TEXTS))}


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
    form: Format | TextFormat | None = None
    if patterns is not None:
        form = regex_reader.user_format([patterns] if isinstance(patterns, str) else list(patterns))
    elif format is not None and format not in formats():
        raise LogError(f"format must be one of {', '.join(formats())}; got {format!r}")
    rows: Rows | None = None
    for number, file in enumerate(files):
        source = TextFile(file, sum(sizes[:number]), sum(sizes), progress)
        this = form or format_of(source, format, named)
        if rows is None:
            rows = Rows(this if isinstance(this, Format) else this.form, str(file))
        if (name := this.name if isinstance(this, Format) else this.form.name) != rows.form.name:
            raise LogError(
                f"{file}: its format is {name}, and that of the file before is {rows.form.name}; give one run"
            )
        before = rows.count
        rows.start(file.name)
        _read(source, rows, this, named)
        rows.end()
        for sentence in source.repairs:
            rows.note(sentence)
        if len(files) > 1 and rows.count == before:
            rows.note("it holds no rates")
    assert rows
    expected = f"columns or tags {', '.join(named.rates)}" if named else rows.form.words
    return rows.log(" ".join(map(str, files[:3])), expected, unit)


def _read(source: TextFile, rows: Rows, form: Format | TextFormat, columns: Roles | None) -> None:
    if isinstance(form, TextFormat):
        (transformers_console if form.form.name == "transformers" else regex_reader).read(source, rows, form)
    elif form.name == "tensorboard":
        tensorboard.read(source, rows, columns)
    elif form.name in CSV or (form.name == "wandb" and not source.sample().lstrip().startswith(("{", "["))):
        csv_reader.read(source, rows, columns)
    else:
        json_reader.read(source, rows, columns)


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
