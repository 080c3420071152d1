"""Logs as text: a rate and its update or epoch are found by patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..log import LogError
from .kinds import Format
from .numbers import Floats, Texts, bytes_of, values_of
from .rows import Rows
from .source import Source
from .texts import TEXTS, TextFormat, combined

PAIRED = ("update", "iter", "per", "epoch")
MANY = ("stepvalue",)
LIST = re.compile(r"[\[(]([0-9., ]*)[\])]")


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
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            raise LogError(f"patterns[{number}] must be a regular expression, got {pattern!r}: {error}") from None
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
    return TextFormat(Format("patterns", "text by your patterns"), (*patterns, *added))


def read(source: Source, rows: Rows, form: TextFormat) -> None:
    """Add the rows of one text file."""
    pattern, places = combined(form.patterns)
    rates = [name for name in places if name.startswith("rate")]
    rows.inner, rows.first = form.first is not None and "iter" in places, form.first
    carried: dict[str, bytes] = {}
    for piece in source.pieces():
        found = pattern.findall(piece)
        if not found:
            continue
        columns = list(zip(*found, strict=True)) if isinstance(found[0], tuple) else [found]
        texts = {name: _merged([columns[place] for place in where]) for name, where in places.items()}
        at = np.flatnonzero(np.any([texts[name] != b"" for name in rates], axis=0))
        paired = {name: texts[name] for name in PAIRED if name in texts}
        if "line" in texts:
            paired = {name: _paired(column, at, texts["line"] != b"", carried, name) for name, column in paired.items()}
        else:
            paired = {name: column[at] for name, column in paired.items()}
        if not at.size:
            continue
        update = _either(paired.get("update"), paired.get("iter"))
        rows.add({_group(name): texts[name][at] for name in rates}, update, paired.get("epoch"), paired.get("per"))
        last = [bytes(texts[name][at[-1]]).decode() for name in rates]
        rows.torn = source.open_end and any(text and piece.endswith(text) for text in last)
    rows.stated |= stated(source.sample(), form)


def _group(name: str) -> str:
    return "lr" if name == "rate" else name.removeprefix("rate_")


def _merged(columns: list[Sequence[str]]) -> Texts:
    """The groups of one name, of which at most one matched, as one column."""
    merged = bytes_of(columns[0])
    for column in columns[1:]:
        other = bytes_of(column)
        merged = np.where(merged == b"", other, merged)
    return merged


def _either(first: Texts | None, second: Texts | None) -> Floats | None:
    if first is None or second is None:
        column = second if first is None else first
        return None if column is None else values_of(column)
    return values_of(np.where(first == b"", second, first))


def _paired(
    column: Texts, at: NDArray[np.intp], ends: NDArray[np.bool_], carried: dict[str, bytes], name: str
) -> Texts:
    """For each rate what its line says before it, else after it, else what was said last in a line above."""
    if not len(column):
        return column
    here = np.flatnonzero(column != b"")
    before = carried.get(name, b"")
    if here.size:
        carried[name] = bytes(column[here[-1]])
    if not here.size:
        return np.full(at.size, before, np.bytes_) if before else np.full(at.size, b"", "S1")
    line = np.cumsum(ends)
    place = np.searchsorted(here, at, side="right")
    above = here[np.maximum(place - 1, 0)]
    below = here[np.minimum(place, here.size - 1)]
    has_above, has_below = place > 0, place < here.size
    after = has_below & (line[below] == line[at]) & ~(has_above & (line[above] == line[at]))
    told = np.where(has_above, column[above], before)
    return np.where(after, column[below], told).astype(np.bytes_)


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
