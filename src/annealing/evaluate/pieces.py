"""Flat pieces: a schedule without its tree.

`Pieces` are pieces one after another, then perhaps a loop of pieces that repeats, with exact times. Operations on
schedules stay an `Operation` over leaves that each cover the whole time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from .. import shapes
from ..errors import ScheduleError
from ..exact import SHORTEST, powers

Name = Literal["+", "*", "/", "minimum", "maximum"]


def _same(value: float) -> float:
    return value


class Ends(NamedTuple):
    """The values that a piece goes between: the first, the lower and the higher one, and the last."""

    first: Any
    base: Any
    top: Any
    last: Any = None


class Piece(NamedTuple):
    """A piece that starts at `begin`; its shape counts time from `origin`, which is earlier if the piece was cut."""

    begin: Fraction
    origin: Fraction
    length: Fraction
    shape: shapes.Shape
    start: float
    end: float
    again: bool = False  # whether copy 1, 2, ... of a repeated part starts here
    stair: bool = False  # whether it is a stair of a held schedule, so that a jump up is not a restart

    @property
    def stop(self) -> Fraction:
        return self.origin + self.length

    @property
    def ends(self) -> Ends:
        """The value at its origin, the lower and the higher of start and end, and the limit at its stop."""
        first, last = self._between(self.shape(0.0, 1.0)), self._between(self.shape(1.0, 0.0))
        return Ends(first, min(self.start, self.end), max(self.start, self.end), last)

    def _between(self, weight: float) -> float:
        """The start or the end; for a piece that never ends, the value between them."""
        if self.shape.endless and weight != 1:
            return self.end + (self.start - self.end) * weight
        return self.start if weight > 0.5 else self.end

    @property
    def falling_cosine(self) -> bool:
        return self.shape == shapes.cosine and self.start > self.end

    def moved(self, by: Fraction) -> Piece:
        return self.copied(by, _same)

    def copied(self, by: Fraction, change: Callable[[float], float], again: bool = False) -> Piece:
        """The piece in a copy that starts `by` later, its values changed; `again` if it is the first of that copy."""
        start, end = change(self.start), change(self.end)
        begin, origin, again = self.begin + by, self.origin + by, self.again or again
        # Not through _replace: a schedule may have a hundred thousand of them.
        return Piece(begin, origin, self.length, self.shape, start, end, again, self.stair)

    def stretched(self, by: Fraction) -> Piece:
        begin, origin, length = self.begin * by, self.origin * by, self.length * by
        if length < SHORTEST:
            raise ScheduleError(f"a piece must be at least 1e-100 long, but this one would become {float(length)!r}")
        return self._replace(begin=begin, origin=origin, length=length)


class Copies(NamedTuple):
    """How values change from copy to copy: by the line that takes (floor, peak) to both, scaled."""

    floor: float
    peak: float
    peak_factor: float = 1.0
    floor_factor: float = 1.0

    @property
    def equal(self) -> bool:
        return self.peak_factor == self.floor_factor == 1

    def changes(self) -> Iterator[Callable[[float], float]]:
        """For copy 0, 1, ...: the function that changes a value, exact up to one rounding."""
        if self.equal:
            yield from itertools.repeat(_same)
        floor, peak = Fraction(self.floor), Fraction(self.peak)
        # The way of each value from floor to peak as a fraction: the same in all copies, so it is computed once.
        shares: dict[float, tuple[int, int]] = {}
        for down, up in zip(powers(Fraction(self.floor_factor)), powers(Fraction(self.peak_factor)), strict=True):
            low = floor * down
            high = max(low, peak * up)
            # low + share * width, with the least work for many values: one division of whole numbers rounds it once,
            # while sums and products of fractions would look for common divisors at every step.
            width = high - low
            over, under = width.numerator * low.denominator, width.denominator * low.denominator
            base = low.numerator * width.denominator

            def change(
                value: float,
                low: Fraction = low,
                high: Fraction = high,
                line: tuple[int, int, int] = (base, over, under),
            ) -> float:
                if value == self.peak:
                    return float(high)
                if value == self.floor:
                    return float(low)
                if value not in shares:
                    shares[value] = ((Fraction(value) - floor) / (peak - floor)).as_integer_ratio()
                (top, bottom), (base, over, under) = shares[value], line
                return (base * bottom + over * top) / (under * bottom)

            yield change

    def later(self, copy: Any, part: Ends, xp: Any) -> Ends:
        """The ends of a part of copy 0 in a later copy, in float arithmetic: for copies beyond those of a table."""
        down = self.floor * self.floor_factor**copy
        up = self.peak * self.peak_factor**copy
        up = xp.where(up < down, down, up)
        if self.floor == self.peak:
            return Ends(*[up] * 4)
        width = self.peak - self.floor
        return Ends(*(v if v is None else down + (v - self.floor) / width * (up - down) for v in part))

    def settled(self, change: Callable[[float], float]) -> bool:
        """Whether all later copies are the same as one with this change."""
        flat = change(self.floor) == change(self.peak)
        return self.equal or (flat and (self.floor_factor == 1 or change(self.peak) == 0))


class Loop(NamedTuple):
    """Pieces (in their own time, from 0) repeated from `origin`, every `period`; they count from `begin`."""

    begin: Fraction
    origin: Fraction
    period: Fraction
    pieces: tuple[Piece, ...]
    copies: Copies
    restarts: bool = True  # whether the start of a copy is a restart

    def moved(self, by: Fraction) -> Loop:
        return self._replace(begin=self.begin + by, origin=self.origin + by)

    def cut(self) -> Loop:
        """The loop from time 0 on: equal copies that are over by then are dropped."""
        begin = max(self.begin, Fraction(0))
        over = (begin - self.origin) // self.period if self.copies.equal else 0
        return self._replace(begin=begin, origin=self.origin + over * self.period)

    def stretched(self, by: Fraction) -> Loop:
        return self._replace(
            begin=self.begin * by,
            origin=self.origin * by,
            period=self.period * by,
            pieces=tuple(piece.stretched(by) for piece in self.pieces),
        )

    def written_out(self) -> Iterator[Piece]:
        """Its pieces one by one, without end; a loop of one value is one piece."""
        flat = self.copies.floor == self.copies.peak
        if flat and self.copies.equal:
            yield self.pieces[0]._replace(begin=self.begin, origin=self.begin, shape=shapes.flat)
            return
        for i, change in enumerate(self.copies.changes()):
            begin = self.origin + i * self.period
            if flat and begin >= self.begin and self.copies.settled(change):  # one value from here on
                yield self.pieces[0].copied(begin, change)._replace(begin=begin, origin=begin, shape=shapes.flat)
                return
            for j, piece in enumerate(self.pieces):
                yield piece.copied(begin, change, again=self.restarts and i > 0 and j == 0 and not flat)


class Pieces(NamedTuple):
    """Pieces, then perhaps a loop, up to `end` (None: forever); at the end and after it the value is `final`."""

    head: tuple[Piece, ...]
    loop: Loop | None
    end: Fraction | None
    final: float
    strict: bool = False  # whether a time after the end is refused

    @property
    def leaves(self) -> tuple[Pieces, ...]:
        return (self,)

    def each(self, change: Callable[[Pieces], Pieces]) -> Pieces:
        return change(self)

    def written_out(self) -> Iterator[Piece]:
        """All its pieces in order; without end if it has none."""
        yield from self.head
        if self.loop:
            for piece in in_force(self.loop.written_out(), self.loop.begin):
                if self.end is not None and piece.begin >= self.end:
                    return
                yield piece


def in_force(pieces: Iterable[Piece], begin: Fraction) -> Iterator[Piece]:
    """Drop the pieces that are over at `begin`; the one still active is cut to start there."""
    for piece, after in itertools.pairwise(itertools.chain(pieces, (None,))):
        assert piece is not None
        if piece.begin > begin:
            yield piece
        elif after is None or after.begin > begin:
            yield piece._replace(begin=begin, again=False)


class Operation(NamedTuple):
    """A sum, product, quotient, minimum or maximum of schedules that each cover the whole time."""

    name: Name
    parts: tuple[Lowered, ...]

    @property
    def leaves(self) -> tuple[Pieces, ...]:
        return tuple(leaf for part in self.parts for leaf in part.leaves)

    @property
    def end(self) -> Fraction | None:
        ends = [leaf.end for leaf in self.leaves if leaf.end != 0]
        return None if None in ends else max((end for end in ends if end is not None), default=Fraction(0))

    def each(self, change: Callable[[Pieces], Pieces]) -> Operation:
        return Operation(self.name, tuple(part.each(change) for part in self.parts))


Lowered = Pieces | Operation
