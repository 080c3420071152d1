"""Text logs: patterns find each rate and its place in the run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ..log import LogError
from .column_names import LESSER, is_rate
from .log_formats import TEXTS, Format, TextFormat
from .precision import Booleans, Floats, Texts, bytes_of
from .rows import Rows, floats
from .text_file import TextFile

PLACES = ("update", "iter", "samples", "epoch")  # each is a place in the run
TOLD = (*PLACES, "per", "of", "begin", "skipped", "missed", "place", "total")
PUBLIC = ("update", "iter", "per", "epoch")
MANY = ("stepvalue",)
LIST = re.compile(r"[\[(]([0-9., ]*)[\])]")
LONGEST = 4096  # characters of a line in which a user's pattern is looked for
USER = "patterns"
CHANGING = re.compile(r"[-+]?[0-9][0-9.,:]*(?:[eE][-+]?[0-9]+)?|\bnan\b|\binf\b|[^\x21-\x7e]+")
MOST = 64  # rates in one list
SEEN, SHAPE = 100, 24  # characters before a rate that are looked at, and compared once their numbers are gone
Places = NDArray[np.intp]


class Match(NamedTuple):
    """What patterns matched in a piece of a log, in order.

    line: the line of each match. columns: for each name of a group, where it took part, and what it held there.
    shape: a number for how the text before each rate is written, where that matters.
    """

    line: Places
    columns: dict[str, tuple[Booleans, Texts]]
    shape: Floats | None


def user_format(patterns: Sequence[str]) -> TextFormat:
    """A format made of the user's patterns; what they do not name is looked for as in any text."""
    names: set[str] = set()
    for number, pattern in enumerate(patterns):
        try:
            names |= set(re.compile(pattern).groupindex)
            combined((pattern, ""))
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            raise LogError(f"patterns[{number}] must be a regular expression, got {pattern!r}: {error}") from None
        if re.search(r"(?<!\\)(?:\\\\)*(?:\\[1-9]|\(\?\()", pattern):
            raise LogError(f"patterns[{number}] must refer to groups as (?P=NAME), not by number, got {pattern!r}")
    known = {name for name in names if name in PUBLIC or name == "rate" or name.startswith("rate_")}
    if names - known or not names:
        raise LogError(
            "patterns must have groups named update, epoch, iter, per, rate or rate_NAME, as in "
            f"(?P<rate>[0-9.e-]+); got {sorted(names)}"
        )
    *places, rate = TEXTS[-1].patterns
    added = [] if names & {"update", "iter", "epoch"} else places
    if not any(name.startswith("rate") for name in names):
        added.append(rate)
    return TextFormat(Format(USER, "text by your patterns"), (*patterns, *added))


def read(source: TextFile, rows: Rows, form: TextFormat) -> None:
    """Add the rows of one text file."""
    finder = Finder(form)
    rows.restarts, rows.first = form.first is not None and "iter" in finder.places, form.first
    carried: dict[str, float] = {}
    for piece in source.pieces():
        if form.form.name == USER:
            piece, cut = re.subn(rf"[^\n]{{{LONGEST + 1},}}", "", piece)
            if cut:
                source.repair(f"lines longer than {LONGEST:,} characters were left out: they are too long for patterns")
        if (found := finder.find(piece)) is None:
            continue
        at = finder.rows(found)
        told = _all_told(found, at, carried, "line" in finder.places)
        if not at.size:
            continue
        columns, first = _groups(found, at, finder.rates)
        if found.shape is None:
            told.pop("own", None)  # a user's patterns may well say one thing in each line
        else:
            told["shape"] = found.shape[at]
        rows.add(columns, {name: column[first] for name, column in told.items()})
        rows.torn = source.open_end and any(_ends(piece, found.columns[name][1][at]) for name in finder.rates)
    if finder.general and "epoch" in carried:
        rows.last_epoch = carried["epoch"]
    rows.settings |= settings_of(source.sample(), form)


class Finder:
    """The patterns of a format as one, and where each name's groups stand in a match."""

    def __init__(self, form: TextFormat) -> None:
        self.pattern, self.places = combined(form.patterns)
        self.rates = [name for name in self.places if name.startswith("rate")]
        self.general = form is TEXTS[-1]

    def count(self, text: str) -> int:
        """How many lines of a text have rates."""
        found = self.find(text)
        return 0 if found is None else len(np.unique(found.line[self.rows(found)]))

    def rows(self, found: Match) -> Places:
        """The matches that are rates, and not settings such as min_lr and lr_decay."""
        at = np.flatnonzero(np.any([found.columns[name][0] for name in self.rates], axis=0))
        if not self.general:
            return at
        names, which = np.unique(found.columns["key"][1][at], return_inverse=True)
        keys = [key.decode("latin-1") for key in names.tolist()]
        good = np.array([is_rate(key) and not LESSER.fullmatch(key) for key in keys], bool)
        return np.asarray(at[good[which]])

    def find(self, piece: str) -> Match | None:
        """What matches in a piece of whole lines; None if nothing does."""
        found, shape = list[Any](), None
        if self.general:
            (rate,), shapes = self.places["rate"], list[float]()
            for match in self.pattern.finditer(piece):
                found.append(match.groups(""))
                begin = match.start(rate + 1)
                shapes.append(np.nan if begin < 0 else _shape(piece, begin))
            shape = np.array(shapes, np.float64)
        else:
            found = self.pattern.findall(piece)
        if not found:
            return None
        columns = list(zip(*found, strict=True)) if isinstance(found[0], tuple) else [found]
        texts = {name: _merged([columns[place] for place in where]) for name, where in self.places.items()}
        there = {name: column != b"" for name, column in texts.items()}
        line = np.cumsum(there["line"]) if "line" in there else np.arange(len(found))
        return Match(line, {name: (there[name], texts[name]) for name in texts if name != "line"}, shape)


def _shape(piece: str, begin: int) -> float:
    """A number for how the text before a rate is written, whatever numbers are in it."""
    before = piece[max(0, begin - SEEN) : begin].rpartition("\n")[2]
    return float(crc32(CHANGING.sub("#", before)[-SHAPE:].encode()))


def combined(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, list[int]]]:
    """All patterns as one, with line ends if there are several, and the numbers of the groups of each name."""
    parts = [*patterns, r"(?P<line>\n)"] if len(patterns) > 1 else patterns
    joined = "|".join(f"(?:{_numbered(part, number)})" for number, part in enumerate(parts))
    pattern = re.compile(joined, re.MULTILINE)
    places: dict[str, list[int]] = {}
    for name, place in pattern.groupindex.items():
        places.setdefault(name.rpartition("__")[0], []).append(place - 1)
    return pattern, places


def _numbered(pattern: str, number: int) -> str:
    """A pattern with renamed groups and flags of its own, so that several can be combined."""
    if flags := re.match(r"\(\?([aimsux]+)\)", pattern):
        pattern = (
            f"(?{flags[1]}:{pattern[flags.end() :]}\n)"
            if "x" in flags[1]
            else f"(?{flags[1]}:{pattern[flags.end() :]})"
        )
    named = re.sub(r"\(\?P<([A-Za-z_]\w*)>", lambda found: f"(?P<{found[1]}__{number}>", pattern)
    return re.sub(r"\(\?P=([A-Za-z_]\w*)\)", lambda found: f"(?P={found[1]}__{number})", named)


def _all_told(found: Match, at: Places, carried: dict[str, float], lines: bool) -> dict[str, Floats]:
    """What the lines of rates say of their place in the run, or else the lines above.

    own: 2 where the line itself says a step, 1 where it says an epoch alone.
    """
    names = [name for name in TOLD if name in found.columns]
    if not lines:
        return {name: numbers(found.columns[name][1][at]) for name in names}
    told, own, before = dict[str, Floats](), np.zeros(at.size), dict(carried)
    for name in names:
        told[name], inside, seen = _told(name, found, at, carried)
        if name in PLACES:
            own = np.maximum(own, inside * (1.0 if name == "epoch" else 2.0))
        if name == "iter":
            here, used = np.flatnonzero(found.columns[name][0]), seen
    if "iter" in told and "epoch" in told:
        # The last iteration of an epoch is not one of the next, whose number is printed in between.
        then = np.append(carried.get("epoch of iter", np.nan), _told("epoch", found, here, before)[0])
        epoch = then[np.where(used < 0, 0, np.searchsorted(here, used) + 1)]
        told["iter"] = np.where(np.isnan(epoch) | (epoch == told["epoch"]), told["iter"], np.nan)
        carried["epoch of iter"] = float(then[-1])
    return told | {"own": own}


def _told(name: str, found: Match, at: Places, carried: dict[str, float]) -> tuple[Floats, Booleans, Places]:
    """For each rate what its line says before it, else after it, else what was said last in a line above.

    Also whether its own line says it, and in which match; -1 for a piece before.
    """
    there, column = found.columns[name]
    line, here, before = found.line, np.flatnonzero(there), carried.get(name, np.nan)
    if not here.size:
        return np.full(at.size, before), np.zeros(at.size, bool), np.full(at.size, -1)
    values = numbers(column[here])
    carried[name] = float(values[-1])
    place = np.searchsorted(here, at, side="right")
    above, below = np.maximum(place - 1, 0), np.minimum(place, here.size - 1)
    has_above = place > 0
    in_line_above = has_above & (line[here[above]] == line[at])
    after = (place < here.size) & (line[here[below]] == line[at]) & ~in_line_above
    value = np.where(after, values[below], np.where(has_above, values[above], before))
    return value, in_line_above | after, np.where(after, here[below], np.where(has_above, here[above], -1))


def _groups(found: Match, at: Places, names: list[str]) -> tuple[dict[str, Texts], Places]:
    """The rates of each row by group, and which of the matches with a rate begins each row.

    The rates of a list are groups of one row, and so are those with different names in one line.
    """
    columns = {_group(name): found.columns[name][1][at] for name in names}
    if "more" not in found.columns:
        return columns, np.arange(at.size)
    line, (listed, more) = found.line[at], found.columns["more"]
    if not listed[at].any() and (np.diff(line) > 0).all():
        return columns, np.arange(at.size)
    keys = found.columns["key"][1][at] if "key" in found.columns else np.zeros(at.size, np.bytes_)
    rows, begins, used = list[dict[str, bytes]](), list[int](), set[bytes]()
    for i, (key, rate, rest) in enumerate(zip(keys.tolist(), columns["lr"].tolist(), more[at].tolist(), strict=True)):
        if not rows or line[i] != line[i - 1] or key in used:
            rows.append({})
            begins.append(i)
            used = set()
        used.add(key)
        alone = len(used) == 1 and not (line[i + 1 : i + 2] == line[i]).any()
        name = "lr" if alone else key.decode("latin-1")
        several = [rate, *re.split(rb"[, \])]+", rest)] if rest else [rate]
        several = [one for one in several if one][:MOST]
        rows[-1] |= {name if len(several) == 1 else f"{name}/{place}": one for place, one in enumerate(several)}
    groups = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, b"") for row in rows], np.bytes_) for name in groups}, np.array(begins)


def numbers(column: Texts) -> Floats:
    """Counts, in which thousands may be set apart by commas."""
    return floats(np.char.replace(column, b",", b"") if b"," in column.tobytes() else column)


def _group(name: str) -> str:
    return "lr" if name == "rate" else name.removeprefix("rate_")


def _ends(piece: str, column: Texts) -> bool:
    """Whether a piece ends with the last text of a column."""
    return bool(last := bytes(column[-1]).decode()) and piece.endswith(last)


def _merged(columns: list[Sequence[str]]) -> Texts:
    """Merge the groups of one name, at most one of which matched, into a column."""
    merged = bytes_of(columns[0])
    for column in columns[1:]:
        other = bytes_of(column)
        merged = np.where(merged == b"", other, merged)
    return merged


def settings_of(sample: str, form: TextFormat) -> dict[str, Any]:
    """The settings that a log prints; the last one where a setting is repeated."""
    found: dict[str, Any] = {}
    for key, text in re.findall(form.settings, sample, re.MULTILINE) if form.settings else ():
        value = _value(text.strip())
        found[key] = [*found.get(key, ()), value] if key in MANY else value
    return found


def _value(text: str) -> Any:
    if listed := LIST.fullmatch(text[:1000]):
        return [_value(part.strip()) for part in listed[1].split(",") if part.strip()]
    for kind in (int, float):
        try:
            return kind(text[:64].replace(",", ""))
        except ValueError:
            continue
    return text[:200].strip("\"'")
