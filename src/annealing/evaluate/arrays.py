"""A table as arrays of one library, and its evaluation for arrays of times: the same steps in all libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy as shallow_copy
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
    """The runs of a table (with None at the place of its loop), then those of the loop, as arrays of one library.

    Made with NumPy arrays in the number types of one kind of time; `placed` gives them to a library.
    """

    ARRAYS = ("bound", "origin", "stop", "ends", "length", "kind", "offset", "loop_origin", "loop_stop", "rows")

    def __init__(
        self, given: list[Piece | None], begins: list[Fraction], loop: LoopTable | None, kind: type[NumpyTime]
    ) -> None:
        self.loop = loop
        outside = [piece for piece in given if piece]
        self.outside, self.loop_place = len(outside), given.index(None) if loop else None
        entries = [*outside, *(loop.loop.pieces if loop else ())]
        # One run, and what is held after it.
        flat_then = len(outside) == 2 and outside[1].start == outside[1].end
        self.single = loop is None and flat_then and not kind.merges_constants

        def column(values: Iterable[Any], dtype: Any = kind.dtype) -> Any:
            return np.array(list(values), dtype)

        def pairs(times: list[Fraction]) -> tuple[Any, Any]:
            high = [float(kind.dtype(float(exact))) for exact in times]
            return column(high), column(float(exact - Fraction(h)) for exact, h in zip(times, high, strict=True))

        self.bound = kind.bounds(begins)
        self.origin = pairs([piece.origin for piece in outside])
        self.stop = pairs([piece.stop for piece in outside])
        self.ends = Ends(*map(column, zip(*map(ends, entries), strict=True)))
        kinds = [(entry.shape, entry.start < entry.end) for entry in entries]
        different = list(dict.fromkeys(kinds))
        self.kind = column((different.index(kind) for kind in kinds), kind.integer)
        self.weights = [_within_reach(shape, shape.rise if rising else shape.fall) for shape, rising in different]
        numbers = loop.numbers if loop else []
        self.length = column([float(piece.length) for piece in outside] + [float(number.length) for number in numbers])
        self.offset = column(loop.offsets if loop else (), kind.integer)
        self.loop_origin = column((number.origin for number in numbers), kind.integer)
        self.loop_stop = column((number.origin + number.length for number in numbers), kind.integer)
        self.rows: Ends | None = None
        if loop and (not loop.tabulated(ROWS) or len(loop.rows) > 1):
            rows = np.array(loop.rows, kind.dtype)  # copies, runs, ends
            self.rows = Ends(*(rows[..., i] for i in range(rows.shape[-1])))

    def placed(self, time: NumpyTime) -> Columns:
        """The same in the library of a time and where that is; it is given the arrays always in the same order."""
        found = shallow_copy(self)
        for name in self.ARRAYS:
            value = getattr(self, name)
            change = time.boundaries if name in ("bound", "offset") else time.table
            if isinstance(value, Ends):
                setattr(found, name, Ends(*map(change, value)))
            elif isinstance(value, tuple):
                setattr(found, name, tuple(map(change, value)))
            elif value is not None:
                setattr(found, name, change(value))
        return found

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
        # The sum may round above the higher end, and base + width * 1 need not be the start: both are put right.
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
        # Whole numbers are subtracted before they become floats, so that a restart is exact however late it comes.
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
