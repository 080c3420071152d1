"""A table as arrays of one library, and its evaluation for arrays of times: the same steps in all libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..shapes import Shape
from .backends import NumpyTime
from .ends import ROWS, Ends, ends, later
from .pieces import Piece
from .scalars import LoopTable

Weight = Callable[[Any, Any, Any], Any]


class Located(NamedTuple):
    """For every time its entry, the time since its origin and until its stop, and its copy where these differ."""

    entry: Any
    since: Any
    until: Any
    copy: Any = None


class Columns:
    """The runs of a table (with None at the place of its loop), then those of the loop, as arrays of one library."""

    def __init__(
        self, given: list[Piece | None], begins: list[Fraction], loop: LoopTable | None, time: NumpyTime
    ) -> None:
        self.loop = loop
        outside = [piece for piece in given if piece]
        self.outside, self.loop_place = len(outside), given.index(None) if loop else None
        entries = [*outside, *(loop.loop.pieces if loop else ())]
        # One run, and what is held after it; not traced by JAX, which would add up the two halves of a constant.
        flat_then = len(outside) == 2 and outside[1].start == outside[1].end
        self.single = loop is None and flat_then and time.place is not None

        def column(values: Iterable[Any], kind: Any = time.dtype) -> Any:
            return time.table(np.array(list(values), kind))

        def pairs(times: list[Fraction]) -> tuple[Any, Any]:
            high = [float(time.dtype(float(exact))) for exact in times]
            return column(high), column(float(exact - Fraction(h)) for exact, h in zip(times, high, strict=True))

        self.bound = time.table(time.bounds(begins))
        self.origin = pairs([piece.origin for piece in outside])
        self.stop = pairs([piece.stop for piece in outside])
        self.length = [float(piece.length) for piece in outside]
        self.ends = Ends(*map(column, zip(*map(ends, entries), strict=True)))
        kinds = [(entry.shape, entry.start < entry.end) for entry in entries]
        different = list(dict.fromkeys(kinds))
        self.kind = time.table(np.array([different.index(kind) for kind in kinds]))
        self.weights = [_within_reach(shape, shape.rise if rising else shape.fall) for shape, rising in different]
        self.rows = None
        if self.loop:
            numbers = self.loop.numbers
            self.length += [float(number.length) for number in numbers]
            self.offset = column(self.loop.offsets, time.integer)
            self.loop_origin = column((number.origin for number in numbers), time.integer)
            self.loop_stop = column((number.origin + number.length for number in numbers), time.integer)
            if not self.loop.tabulated(ROWS) or len(self.loop.rows) > 1:
                rows = np.array(self.loop.rows, time.dtype)  # copies, runs, ends
                self.rows = Ends(*(time.table(rows[..., i]) for i in range(rows.shape[-1])))
        self.length = column(self.length)

    def values(self, time: NumpyTime) -> Any:
        xp = time.xp
        place = self._in_loop(time) if self.outside == 0 else self._among_all(time)
        entry = 0 if len(self.length) == 1 or self.single else place.entry
        part = Ends(*(column[entry] for column in self.ends))
        if place.copy is not None:
            part = self._in_copy(time, entry, place.copy, part)
        length = self.length[entry]
        done, left = place.since / length, place.until / length
        weight = self.weights[0](done, left, xp)
        for number, other in enumerate([] if self.single else self.weights[1:], start=1):
            weight = xp.where(self.kind[entry] == number, other(done, left, xp), weight)
        value = xp.minimum(part.base + (part.top - part.base) * weight, part.top)
        value = xp.where(place.since == 0, part.first, value)
        return xp.where(time.key < self.bound[1], value, self.ends.first[1]) if self.single else value

    def _among_all(self, time: NumpyTime) -> Located:
        xp = time.xp
        if self.single:
            since = (time.high - self.origin[0][0]) + (time.low - self.origin[1][0])
            return Located(0, since, (self.stop[0][0] - time.high) + (self.stop[1][0] - time.low))
        place = xp.searchsorted(self.bound, time.key, side="right") - 1
        entry = place if self.loop_place is None else xp.where(place > self.loop_place, place - 1, place)
        entry = xp.where(entry < self.outside, entry, self.outside - 1)
        since = (time.high - self.origin[0][entry]) + (time.low - self.origin[1][entry])
        until = (self.stop[0][entry] - time.high) + (self.stop[1][entry] - time.low)
        if self.loop is None:
            return Located(entry, since, until)
        inside = place == self.loop_place
        found = self._in_loop(time)
        copy = None if found.copy is None else xp.where(inside, found.copy, 0)
        chosen = [xp.where(inside, a, b) for a, b in zip(found[:3], (entry, since, until), strict=True)]
        return Located(chosen[0], chosen[1], chosen[2], copy)

    def _in_loop(self, time: NumpyTime) -> Located:
        assert self.loop
        xp, unit, period = time.xp, self.loop.unit, self.loop.period
        quotient, rest, fraction = time.divided(period)
        before, begin = divmod(self.loop.origin, period)
        carried, coarse, fine = _units(fraction, unit, time)
        units = rest * unit - begin + carried
        place = units % period
        single = len(self.loop.offsets) == 1
        j = 0 if single else xp.searchsorted(self.offset, place, side="right") - 1
        since = time.real(place - self.loop_origin[j]) + coarse + fine
        until = time.real(self.loop_stop[j] - place) - coarse - fine
        copy = None if self.rows is None else quotient * unit - before + time.real(units // period)
        return Located(self.outside + j, since, until, copy)

    def _in_copy(self, time: NumpyTime, entry: Any, copy: Any, part: Ends) -> Ends:
        """The ends of the runs in their copy of the cycle; entries outside the cycle keep theirs."""
        assert self.loop
        assert self.rows
        xp, last = time.xp, len(self.loop.rows) - 1
        row = time.whole(xp.clip(copy, 0, last))
        inside = entry >= self.outside
        j = xp.where(inside, entry - self.outside, 0) if self.outside else entry
        found = Ends(*(column[row, j] for column in self.rows))
        if not self.loop.settled:
            late = later(self.loop.loop.copies, copy, part, xp)
            found = Ends(*(xp.where(copy > last, x, y) for x, y in zip(late, found, strict=True)))
        return Ends(*(xp.where(inside, x, y) for x, y in zip(found, part, strict=True))) if self.outside else found


def _within_reach(shape: Shape, weight: Weight) -> Weight:
    """The weight of a shape that cannot be computed everywhere, ready for times of other runs than its own."""
    if (reach := shape.reach) is None:
        return weight
    return lambda done, left, xp: weight(xp.clip(done, 0.0, reach), xp.clip(left, 0.0, reach), xp)


def _units(fraction: Any, unit: int, time: NumpyTime) -> tuple[Any, Any, Any]:
    """fraction * unit as a whole number and what is left (coarse + fine), in halves whose products do not round."""
    if unit == 1:
        return 0, fraction, 0.0
    xp, scale = time.xp, float(2**time.half)
    half = xp.floor(fraction * scale) / scale
    fine = (fraction - half) * unit
    product = half * unit
    whole = xp.floor(product)
    coarse = product - whole
    carry = fine >= 1 - coarse
    return time.whole(whole) + time.whole(carry * 1), coarse - carry * 1, fine
