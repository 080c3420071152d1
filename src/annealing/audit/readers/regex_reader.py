"""Logs as text: a rate and its update or epoch are found by patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..log import LogError
from .formats import TEXTS, Format, TextFormat
from .precision import Booleans, Floats, Texts, bytes_of
from .rows import Rows, floats
from .text_file import TextFile

PAIRED = ("update", "iter", "per", "epoch")
MANY = ("stepvalue",)
LIST = re.compile(r"[\[(]([0-9., ]*)[\])]")
LONGEST = 4096  # characters of a line in which a user's pattern is looked for
USER = "patterns"


class Match(NamedTuple):
    """What patterns matched in a piece of a log, in order: the line of each match, and for each name of a group where
    it took part, and what it held there."""

    line: NDArray[np.intp]
    columns: dict[str, tuple[Booleans, Texts]]


def recognise(sample: str) -> TextFormat | None:
    """The first known format that a text has a line of."""
    return next((form for form in TEXTS if shows(form, sample)), None)


def shows(form: TextFormat, sample: str) -> bool:
    signs = (form.sign,) if form.sign else [pattern for pattern in form.patterns if "(?P<rate>" in pattern]
    return any(re.search(sign, sample, re.MULTILINE) for sign in signs)


def user_format(patterns: Sequence[str]) -> TextFormat:
    """A format of the user's patterns; what they do not find is looked for as in any text."""
    names: set[str] = set()
    for number, pattern in enumerate(patterns):
        try:
            names |= set(re.compile(pattern).groupindex)
            combined((pattern, ""))
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            raise LogError(f"patterns[{number}] must be a regular expression, got {pattern!r}: {error}") from None
        if re.search(r"(?<!\\)(?:\\\\)*(?:\\[1-9]|\(\?\()", pattern):
            raise LogError(f"patterns[{number}] must refer to groups as (?P=NAME), not by number, got {pattern!r}")
    known = {name for name in names if name in PAIRED or name == "rate" or name.startswith("rate_")}
    if names - known or not names:
        raise LogError(
            "patterns must have groups named update, epoch, iter, per, rate or rate_NAME, as in "
            f"(?P<rate>[0-9.e-]+); got {sorted(names)}"
        )
    update, epoch, rate = TEXTS[-1].patterns
    added = [] if names & {"update", "iter", "epoch"} else [update, epoch]
    if not any(name.startswith("rate") for name in names):
        added.append(rate)
    return TextFormat(Format(USER, "text by your patterns"), (*patterns, *added))


def read(source: TextFile, rows: Rows, form: TextFormat) -> None:
    """Add the rows of one text file."""
    finder = Finder(form)
    rates = [name for name in finder.places if name.startswith("rate")]
    rows.inner, rows.first = form.first is not None and "iter" in finder.places, form.first
    carried: dict[str, float] = {}
    for piece in source.pieces():
        if form.form.name == USER:
            piece, cut = re.subn(rf"[^\n]{{{LONGEST + 1},}}", "", piece)
            if cut:
                source.repair(f"lines of more than {LONGEST:,} characters left out: they are too long for patterns")
        found = finder.find(piece)
        if found is None:
            continue
        at = np.flatnonzero(np.any([found.columns[name][0] for name in rates], axis=0))
        if "line" in finder.places:
            told = {name: _told(name, found, at, carried) for name in PAIRED if name in found.columns}
        else:
            told = {name: floats(found.columns[name][1][at]) for name in PAIRED if name in found.columns}
        if not at.size:
            continue
        update = told.get("update", told.get("iter"))
        if update is not None and "iter" in told:
            update = np.where(np.isnan(update), told["iter"], update)
        columns = {name: found.columns[name][1][at] for name in rates}
        rows.add({_group(name): column for name, column in columns.items()}, update, told.get("epoch"), told.get("per"))
        rows.torn = source.open_end and any(_ends(piece, column) for column in columns.values())
    rows.settings |= stated(source.sample(), form)


class Finder:
    """The patterns of a format as one, and where each name's groups stand in a match."""

    def __init__(self, form: TextFormat) -> None:
        self.pattern, self.places = combined(form.patterns)

    def find(self, piece: str) -> Match | None:
        """What matches in a piece of whole lines; None if nothing does."""
        found = self.pattern.findall(piece)
        if not found:
            return None
        columns = list(zip(*found, strict=True)) if isinstance(found[0], tuple) else [found]
        texts = {name: _merged([columns[place] for place in where]) for name, where in self.places.items()}
        there = {name: column != b"" for name, column in texts.items()}
        line = np.cumsum(there["line"]) if "line" in there else np.arange(len(found))
        return Match(line, {name: (there[name], texts[name]) for name in texts if name != "line"})


def combined(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, list[int]]]:
    """The patterns as one, which also finds line ends if they are several, and where each name's groups stand."""
    parts = [*patterns, r"(?P<line>\n)"] if len(patterns) > 1 else patterns
    joined = "|".join(f"(?:{_numbered(part, number)})" for number, part in enumerate(parts))
    pattern = re.compile(joined, re.MULTILINE)
    places: dict[str, list[int]] = {}
    for name, place in pattern.groupindex.items():
        places.setdefault(name.rpartition("__")[0], []).append(place - 1)
    return pattern, places


def _numbered(pattern: str, number: int) -> str:
    """A pattern with its groups renamed and its flags its own, so that several can stand in one."""
    if flags := re.match(r"\(\?([aimsux]+)\)", pattern):
        pattern = (
            f"(?{flags[1]}:{pattern[flags.end() :]}\n)"
            if "x" in flags[1]
            else f"(?{flags[1]}:{pattern[flags.end() :]})"
        )
    named = re.sub(r"\(\?P<([A-Za-z_]\w*)>", lambda found: f"(?P<{found[1]}__{number}>", pattern)
    return re.sub(r"\(\?P=([A-Za-z_]\w*)\)", lambda found: f"(?P={found[1]}__{number})", named)


def _group(name: str) -> str:
    return "lr" if name == "rate" else name.removeprefix("rate_")


def _ends(piece: str, column: Texts) -> bool:
    """Whether a piece ends with the last text of a column."""
    return bool(last := bytes(column[-1]).decode()) and piece.endswith(last)


def _merged(columns: list[Sequence[str]]) -> Texts:
    """The groups of one name, of which at most one matched, as one column."""
    merged = bytes_of(columns[0])
    for column in columns[1:]:
        other = bytes_of(column)
        merged = np.where(merged == b"", other, merged)
    return merged


def _told(name: str, found: Match, at: NDArray[np.intp], carried: dict[str, float]) -> Floats:
    """For each rate what its line says before it, else after it, else what was said last in a line above."""
    there, column = found.columns[name]
    line, here, before = found.line, np.flatnonzero(there), carried.get(name, np.nan)
    if not here.size:
        return np.full(at.size, before)
    values = floats(column[here])
    carried[name] = float(values[-1])
    place = np.searchsorted(here, at, side="right")
    above, below = np.maximum(place - 1, 0), np.minimum(place, here.size - 1)
    in_line_above, in_line_below = (line[here[near]] == line[at] for near in (above, below))
    has_above = place > 0
    after = (place < here.size) & in_line_below & ~(has_above & in_line_above)
    return np.where(after, values[below], np.where(has_above, values[above], before))


def stated(sample: str, form: TextFormat) -> dict[str, Any]:
    """What the log says of its own settings; of a setting that comes again, the last."""
    found: dict[str, Any] = {}
    for key, text in re.findall(form.stated, sample, re.MULTILINE) if form.stated else ():
        value = _value(text.strip())
        found[key] = [*found.get(key, ()), value] if key in MANY else value
    return found


def _value(text: str) -> Any:
    if listed := LIST.fullmatch(text[:1000]):
        return [_value(part.strip()) for part in listed[1].split(",") if part.strip()]
    for kind in (int, float):
        try:
            return kind(text[:64])
        except ValueError:
            continue
    return text[:200].strip("\"'")
