"""A table as arrays of one library, and its values at arrays of times, by the same steps in every library."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from ..shapes import Shape
from .backends import NumpyTime
from .pieces import Ends, Piece
from .scalars import ROWS, LoopTable

Weight = Callable[[Any, Any, Any], Any]


# For every time its entry, the time since its origin and until its stop, and its copy where these differ, else None:
# a plain tuple, as every NamedTuple adds to the time that importing annealing takes.
Located = tuple[Any, Any, Any, Any]


class Columns:
    """The pieces of a table (None stands for its loop), then those of the loop, as arrays of one library.

    They are made as NumPy arrays, in the number types of one kind of time; `placed` copies them to a library.
    """

    ARRAYS = ("bound", "origin", "stop", "ends", "length", "kind", "offset", "loop_origin", "loop_stop", "rows")

    def __init__(
        self, given: list[Piece | None], begins: list[Fraction], loop: LoopTable | None, kind: type[NumpyTime]
    ) -> None:
        self.loop = loop
        outside = [piece for piece in given if piece]
        self.outside, self.loop_place = len(outside), given.index(None) if loop else None
        entries = [*outside, *(loop.loop.pieces if loop else ())]
        # One piece, and what is held after it: the most common schedule needs no search.
        flat_then = len(outside) == 2 and outside[1].start == outside[1].end
        self.single = loop is None and flat_then and not kind.merges_constants

        def column(values: Iterable[Any], dtype: Any = kind.dtype) -> Any:
            return np.array(list(values), dtype)

        def pairs(times: list[Fraction]) -> tuple[Any, Any]:
            high = [float(kind.dtype(float(exact))) for exact in times]
            low = column(float(exact - Fraction(h)) for exact, h in zip(times, high, strict=True))
            return column(high), low if low.any() else None

        self.bound = kind.bounds(begins)
        self.origin = pairs([piece.origin for piece in outside])
        self.stop = pairs([piece.stop for piece in outside])
        self.ends = Ends(*map(column, zip(*(entry.ends[:3] for entry in entries), strict=True)))
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
            rows = np.array(loop.rows, kind.dtype)  # copies, pieces, ends
            self.rows = Ends(*(rows[..., i] for i in range(3)))

    def placed(self, time: NumpyTime) -> Columns:
        """The same on the device of a time, in its library; the arrays are copied always in the same order."""
        found = Columns.__new__(Columns)
        found.__dict__.update(self.__dict__)
        for name in self.ARRAYS:
            value = getattr(self, name)
            change = time.boundaries if name in ("bound", "offset") else time.table
            if isinstance(value, tuple):
                parts = [part if part is None else change(part) for part in value]
                setattr(found, name, Ends(*parts) if isinstance(value, Ends) else tuple(parts))
            elif value is not None:
                setattr(found, name, change(value))
        return found

    def values(self, time: NumpyTime) -> Any:
        xp = time.xp
        entry, since, until, copy = self._in_loop(time) if self.outside == 0 else self._among_all(time)
        entry = 0 if len(self.length) == 1 else entry
        part = _of_entry(self.ends, entry)
        if copy is not None:
            part = self._in_copy(time, entry, copy, part)
        length = self.length[entry]
        done, left = since / length, until / length
        weights = self.weights[:1] if self.single else self.weights
        weight = time.weight(weights[0], done, left, self.kind[entry] == 0 if len(weights) > 1 else None)
        for number, other in enumerate(weights[1:], start=1):
            mine = self.kind[entry] == number
            weight = xp.where(mine, time.weight(other, done, left, mine), weight)
        # The sum may round above the higher end, and base + width * 1 need not be the start: both are corrected.
        value = time.at_most(part.top, part.base + (part.top - part.base) * weight)
        # Nearly every block of a long NumPy array lies inside the one piece, and needs no look at its ends.
        if self.single and time.between(0.0, self.bound[1]):
            return value
        value = time.put_right(since == 0, part.first, value)
        return xp.where(time.key < self.bound[1], value, self.ends.first[1]) if self.single else value

    def _among_all(self, time: NumpyTime) -> Located:
        if self.single:
            return 0, *self._around(time, 0), None
        xp = time.xp
        place = xp.searchsorted(self.bound, time.key, side="right") - 1
        entry = place if self.loop_place is None else xp.where(place > self.loop_place, place - 1, place)
        entry = xp.where(entry < self.outside, entry, self.outside - 1)
        since, until = self._around(time, entry)
        if self.loop is None:
            return entry, since, until, None
        inside = place == self.loop_place
        *found, copy = self._in_loop(time)
        entry, since, until = (xp.where(inside, a, b) for a, b in zip(found, (entry, since, until), strict=True))
        return entry, since, until, None if copy is None else xp.where(inside, copy, 0)

    def _around(self, time: NumpyTime, entry: Any) -> tuple[Any, Any]:
        """The time since the origin and until the stop of an entry outside the loop."""
        now = (time.high, time.low)
        origin, stop = _of_entry(self.origin, entry), _of_entry(self.stop, entry)
        return _difference(now, origin), _difference(stop, now)

    def _in_loop(self, time: NumpyTime) -> Located:
        assert self.loop
        unit, period = self.loop.unit, self.loop.period
        quotient, rest, fraction = time.divided(period)
        before, begin = divmod(self.loop.origin, period)
        place, fractions = (rest, [fraction]) if unit == 1 else _units(rest, fraction, unit, time)
        turns = None
        # Otherwise the rest of the division is the place, which saves a second one.
        if begin or unit != 1:
            turns = (place - begin) // period
            place = place - begin - turns * period
        single = len(self.loop.offsets) == 1
        j = 0 if single else time.xp.searchsorted(self.offset, place, side="right") - 1
        # Whole numbers are subtracted before they become floats, so that a restart is exact however late it comes.
        since, until = time.real(place - self.loop_origin[j]), time.real(self.loop_stop[j] - place)
        for part in fractions:
            if part is not None:
                since, until = since + part, until - part
        if self.rows is None:
            return self.outside + j, since, until, None
        copy = time.real(quotient) * unit - before
        return self.outside + j, since, until, copy if turns is None else copy + time.real(turns)

    def _in_copy(self, time: NumpyTime, entry: Any, copy: Any, part: Ends) -> Ends:
        """The ends of the pieces in this copy of the loop; entries outside the loop keep theirs."""
        assert self.loop
        assert self.rows
        xp, last = time.xp, len(self.loop.rows) - 1
        row = time.whole(xp.clip(copy, 0, last))
        inside = entry >= self.outside
        j = xp.where(inside, entry - self.outside, 0) if self.outside else entry
        found = _of_entry(self.rows, (row, j))
        if not self.loop.settled:
            # The time NaN counts as copies far below 0, whose powers would be beyond the range of floats.
            late = self.loop.loop.copies.later(xp.clip(copy, last, math.inf), part, xp)
            found = _chosen(copy > last, late, found, xp)
        return _chosen(inside, found, part, xp) if self.outside else found


def _of_entry(columns: Any, entry: Any) -> Any:
    """The values of an entry in each column (None: no column), in a tuple of the same kind."""
    found = (column if column is None else column[entry] for column in columns)
    return Ends(*found) if isinstance(columns, Ends) else tuple(found)


def _chosen(condition: Any, yes: Ends, no: Ends, xp: Any) -> Ends:
    return Ends(*(x if y is None else xp.where(condition, x, y) for x, y in zip(yes, no, strict=True)))


def _difference(one: tuple[Any, Any], two: tuple[Any, Any]) -> Any:
    """The difference of two times, each given by a high and a low part (None: 0)."""
    (high, low), (other_high, other_low) = one, two
    # Most times are one number, and each pass over an array that is left out saves a tenth of the whole evaluation.
    if low is None and other_low is None:
        return high - other_high
    return (high - other_high) + ((0 if low is None else low) - (0 if other_low is None else other_low))


def _within_reach(shape: Shape, weight: Weight) -> Weight:
    """The weight of a shape, clipped to where it can be computed: it is also evaluated at the times of other pieces."""
    if (reach := shape.reach) is None:
        return weight
    return lambda done, left, xp: weight(xp.clip(done, 0.0, reach), xp.clip(left, 0.0, reach), xp)


def _units(rest: Any, fraction: Any, unit: int, time: NumpyTime) -> tuple[Any, list[Any]]:
    """(rest + fraction) * unit as a whole number and what is left, in parts: halves whose products do not round."""
    if fraction is None:
        return rest * unit, []
    xp, scale = time.xp, float(2**time.half)
    half = xp.floor(fraction * scale) / scale
    fine = (fraction - half) * unit
    product = half * unit
    whole = xp.floor(product)
    coarse = product - whole
    carry = fine >= 1 - coarse
    return rest * unit + (time.whole(whole) + time.whole(carry * 1)), [coarse - carry * 1, fine]
