"""Logs as text: a rate and its update or epoch are found by patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..log import LogError
from .alike import Alike, Piece, form_of, sorted_out
from .formats import Format
from .precision import Cells, Floats, Texts, bytes_of
from .rows import Rows, floats
from .text_file import Source
from .text_formats import GROUP, TEXTS, TextFormat, combined

PAIRED = ("update", "iter", "per", "epoch")
MANY = ("stepvalue",)
LIST = re.compile(r"[\[(]([0-9., ]*)[\])]")
LONGEST = 4096  # characters of a line in which a user's pattern is looked for
USER = "patterns"
Column = Texts | Cells


class Found(NamedTuple):
    """What patterns matched in a piece of a log, in order: the line of each match, and for each name of a group where
    it took part, and what it held there."""

    line: NDArray[np.intp]
    columns: dict[str, tuple[NDArray[np.bool_], Column]]


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


def read(source: Source, rows: Rows, form: TextFormat) -> None:
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
            told = {name: floats(taken(found.columns[name][1], at)) for name in PAIRED if name in found.columns}
        if not at.size:
            continue
        update = told.get("update", told.get("iter"))
        if update is not None and "iter" in told:
            update = np.where(np.isnan(update), told["iter"], update)
        columns = {name: taken(found.columns[name][1], at) for name in rates}
        rows.add({_group(name): column for name, column in columns.items()}, update, told.get("epoch"), told.get("per"))
        rows.torn = source.open_end and any(_ends(piece, column) for column in columns.values())
    rows.settings |= stated(source.sample(), form)


class Finder:
    """The patterns of a format as one, and where each name's groups stand in a match."""

    def __init__(self, form: TextFormat) -> None:
        self.pattern, self.places = combined(form.patterns)
        self.by_kind = form.form.name != USER  # a user's pattern may ask for one digit and not another

    def find(self, piece: str) -> Found | None:
        """What matches in a piece of whole lines; None if nothing does."""
        if self.by_kind and GROUP not in piece and (sorted_piece := sorted_out(piece)):
            try:
                return self._by_kind(sorted_piece)
            except _Unlike:
                pass
        found = self.pattern.findall(piece)
        if not found:
            return None
        columns = list(zip(*found, strict=True)) if isinstance(found[0], tuple) else [found]
        texts = {name: _merged([columns[place] for place in where]) for name, where in self.places.items()}
        there = {name: column != b"" for name, column in texts.items()}
        line = np.cumsum(there["line"]) if "line" in there else np.arange(len(found))
        return Found(line, {name: (there[name], texts[name]) for name in texts if name != "line"})

    def _by_kind(self, piece: Piece) -> Found | None:
        matches = [(kind, told) for kind in piece.kinds if (told := self._matches(piece, kind))]
        if not matches:
            return None
        many = np.zeros(piece.count, np.intp)
        for kind, told in matches:
            many[kind.lines] = len(told)
        begin = np.cumsum(many) - many
        count = int(many.sum())
        there = {name: np.zeros(count, bool) for name in self.places if name != "line"}
        cells = {name: Cells.none(count) for name in there}
        for kind, told in matches:
            for number, texts in enumerate(told):
                where = begin[kind.lines] + number
                for name, text in texts.items():
                    there[name][where] = True
                    if form := form_of(text):
                        cells[name].put(where, piece.cells(kind, form))
                    elif re.search("[0-9]", text):
                        raise _Unlike
        return Found(np.repeat(np.arange(piece.count), many), {name: (there[name], cells[name]) for name in there})

    def _matches(self, piece: Piece, kind: Alike) -> list[dict[str, str]]:
        """The groups of every match in the marked line, if they are the same in the shortest and the longest."""
        found = [self._groups(text) for text in (kind.marked, kind.short, piece.longest(kind))]
        plain = [
            [{name: re.sub("[0-9]+", "0", text) for name, text in match.items()} for match in told] for told in found
        ]
        if plain[0] != plain[1] or plain[0] != plain[2]:
            raise _Unlike
        return found[0]

    def _groups(self, line: str) -> list[dict[str, str]]:
        return [
            {name: match[place + 1] for name, where in self.places.items() for place in where if match[place + 1]}
            for match in self.pattern.finditer(line)
        ]


class _Unlike(Exception):
    """Lines whose digits decide what matches."""


def _group(name: str) -> str:
    return "lr" if name == "rate" else name.removeprefix("rate_")


def _ends(piece: str, column: Column) -> bool:
    """Whether a piece ends with the last text of a column."""
    return isinstance(column, np.ndarray) and bool(last := bytes(column[-1]).decode()) and piece.endswith(last)


def _merged(columns: list[Sequence[str]]) -> Texts:
    """The groups of one name, of which at most one matched, as one column."""
    merged = bytes_of(columns[0])
    for column in columns[1:]:
        other = bytes_of(column)
        merged = np.where(merged == b"", other, merged)
    return merged


def taken(column: Column, where: NDArray[np.intp]) -> Column:
    return column.at(where) if isinstance(column, Cells) else column[where]


def _told(name: str, found: Found, at: NDArray[np.intp], carried: dict[str, float]) -> Floats:
    """For each rate what its line says before it, else after it, else what was said last in a line above."""
    there, column = found.columns[name]
    line, here, before = found.line, np.flatnonzero(there), carried.get(name, np.nan)
    if not here.size:
        return np.full(at.size, before)
    values = floats(taken(column, here))
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
