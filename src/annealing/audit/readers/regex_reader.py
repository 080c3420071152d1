"""Text logs: patterns find each rate and its place in the run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

from ..log import LogError
from .log_formats import LESSER, TEXTS, Format, is_rate
from .precision import number_in
from .row_clock import PLACES
from .rows import Rows
from .text_file import TextFile

TOLD = (*PLACES, "skipped", "missed")
STEPS = {"update", "iter", "samples"}
PUBLIC = ("update", "iter", "per", "epoch")
MANY = ("stepvalue",)
LIST = re.compile(r"[\[(]([0-9., ]*)[\])]")
LONGEST = 4096  # characters of a line in which a user's pattern is looked for
USER = "patterns"
CHANGING = re.compile(r"[-+]?[0-9][0-9.,:]*(?:[eE][-+]?[0-9]+)?|\bnan\b|\binf\b|[^\x21-\x7e]+")
MOST = 64  # rates in one list
SEEN, SHAPE = 100, 24  # characters before a rate that are looked at, and compared once their numbers are gone
Match = dict[str, str]  # what each named group of a pattern matched


def user_format(patterns: Sequence[str]) -> Format:
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
    return Format(USER, "text by your patterns", (*patterns, *added))


class Finder:
    """The patterns of a format as one.

    told: the groups that tell of the place in the run. rates: those that are rates. has_lines: whether there are
    several patterns, so that a line may have several matches; else each match is a line of its own.
    """

    def __init__(self, form: Format) -> None:
        self.pattern = combined(form.patterns)
        self.groups = [(name.rpartition("__")[0], place) for name, place in self.pattern.groupindex.items()]
        names = dict(self.groups)
        self.told = [name for name in TOLD if name in names]
        self.rates = [name for name in names if name.startswith("rate")]
        self.has_lines, self.has_lists, self.general = "line" in names, "more" in names, form is TEXTS[-1]

    def lines(self, text: str) -> Iterator[list[tuple[Match, Match]]]:
        """The matches in each line of a text: all that each holds, and the rates among it."""
        line, rate = list[tuple[Match, Match]](), dict(self.groups).get("rate", 0)
        for match in self.pattern.finditer(text):
            found = {name: group for name, place in self.groups if (group := match[place])}
            rates = {name: found[name] for name in self.rates if name in found}
            if self.general and rates:
                if not _is_row(found["key"]):
                    continue
                found["shape"] = _shape(text, match.start(rate))
            if "line" not in found:
                found |= {name: found[name].replace(",", "") for name in self.told if name in found}  # as in 5,000
                line.append((found, rates))
            if "line" in found or not self.has_lines:
                yield line
                line = []
        if line:
            yield line

    def count(self, text: str) -> int:
        """How many lines of a text have rates."""
        return sum(any(rates for _, rates in line) for line in self.lines(text))


@lru_cache
def _is_row(key: str) -> bool:
    """Whether a word names a rate, and not a setting such as min_lr or lr_decay."""
    return key.isascii() and is_rate(key) and not LESSER.fullmatch(key)


def _shape(text: str, begin: int) -> str:
    """A number for how the text before a rate is written, whatever numbers are in it."""
    before = text[max(0, begin - SEEN) : begin].rpartition("\n")[2]
    return str(crc32(CHANGING.sub("#", before)[-SHAPE:].encode()))


def read(source: TextFile, rows: Rows, form: Format) -> None:
    """Add the rows of one text file."""
    finder, said = Finder(form), Match()
    told = [*finder.told, *(("own", "shape") if finder.general else ())]
    for piece in source.pieces():
        if form.name == USER:
            piece, cut = re.subn(rf"[^\n]{{{LONGEST + 1},}}", "", piece)
            if cut:
                source.repair(f"lines longer than {LONGEST:,} characters were left out: they are too long for patterns")
        for line in finder.lines(piece):
            for rates, place in _rows_of(line, said, finder):
                rows.add(rates, {name: place.get(name) for name in told})
            if source.open_end:
                last = [rates for _, rates in line if rates][-1:]
                rows.torn = any(piece.endswith(rate) for rates in last for rate in rates.values())
            if not finder.has_lines:
                said.clear()
    if finder.general and "epoch" in said:
        rows.last_epoch = number_in(said["epoch"])
    rows.settings |= settings_of(source.sample, form)


def _rows_of(line: list[tuple[Match, Match]], said: Match, finder: Finder) -> list[tuple[Match, Match]]:
    """The rows of a line: their rates by group, and what the log says of their place in the run.

    A rate is told what its line says before it, else after it, else what lines above said last, which is in `said`. The
    rates of a list are groups of one row, and so are those with different names in one line.
    """
    here = Match()
    for match, _ in reversed(line):
        here |= match
    # own: 2 where the line itself says a step, 1 where it says an epoch alone
    said |= here | {"own": "2" if here.keys() & STEPS else "1" if "epoch" in here else "0"}
    if "iter" in here:
        said["epoch of iter"] = said.get("epoch", "")
    rows, keys = list[tuple[Match, Match]](), set[str]()
    last = next((match for match, rates in reversed(line) if rates), None)
    for match, rates in line:
        said |= match
        if "iter" in match:
            said["epoch of iter"] = said.get("epoch", "")
        if not rates:
            continue
        key = match.get("key", "")
        if not finder.has_lists or not rows or key in keys:
            rows.append((Match(), _place(said)))
            keys.clear()
        keys.add(key)
        if finder.has_lists:
            listed = [rate for rate in [match["rate"], *re.split(r"[, \])]+", match.get("more", ""))] if rate][:MOST]
            name = "lr" if len(keys) == 1 and match is last else key
            rates = {f"{name}/{place}": rate for place, rate in enumerate(listed)} if listed[1:] else {name: listed[0]}
        rows[-1][0].update({"lr" if name == "rate" else name.removeprefix("rate_"): rates[name] for name in rates})
    return rows


def _place(said: Match) -> Match:
    place = said.copy()
    if "iter" in said:
        # The last iteration of an epoch is not one of the next, whose number is printed in between.
        then, now = (number_in(said.get(name, "")) for name in ("epoch of iter", "epoch"))
        if abs(then - now) > 0:
            del place["iter"]
    return place


def combined(patterns: Sequence[str]) -> re.Pattern[str]:
    """All patterns as one, with line ends if there are several."""
    parts = [*patterns, r"(?P<line>\n)"] if len(patterns) > 1 else patterns
    return re.compile("|".join(f"(?:{_numbered(part, number)})" for number, part in enumerate(parts)), re.MULTILINE)


def _numbered(pattern: str, number: int) -> str:
    """A pattern with renamed groups and flags of its own, so that several can be combined."""
    if flags := re.match(r"\(\?([aimsux]+)\)", pattern):
        end = "\n" if "x" in flags[1] else ""  # of a comment
        pattern = f"(?{flags[1]}:{pattern[flags.end() :]}{end})"
    return re.sub(r"\(\?P([<=])([A-Za-z_]\w*)([>)])", rf"(?P\g<1>\g<2>__{number}\g<3>", pattern)


def settings_of(sample: str, form: Format) -> dict[str, Any]:
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
