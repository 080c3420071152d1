"""Runs in whole numbers, and cycles of them, for Python numbers: every division of times rounds once."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .ends import ROWS, Ends, ends, later
from .libraries import NumpyTime, Scalars
from .pieces import Cycle, Piece


class Numbers(NamedTuple):
    """A run in whole numbers: its origin and length in units of 1 / `unit`."""

    origin: int
    length: int
    unit: int
    ends: Ends
    weight: Callable[[Any, Any, Any], Any]

    @classmethod
    def of(cls, piece: Piece, unit: int | None = None) -> Numbers:
        unit = unit or math.lcm(piece.origin.denominator, piece.length.denominator)
        weight = piece.shape.rise if piece.start < piece.end else piece.shape.fall
        return cls(int(piece.origin * unit), int(piece.length * unit), unit, ends(piece), weight)

    def value(self, ends: Ends, elapsed: int, length: int) -> float:
        """The value `elapsed` of `length` after the origin; both divisions round once."""
        if elapsed == 0:
            first: float = ends.first
            return first
        weight = self.weight(elapsed / length, (length - elapsed) / length, Scalars)
        value: float = ends.base + (ends.top - ends.base) * weight
        top: float = ends.top
        return value if value < top else top

    def left(self, ends: Ends, elapsed: int, length: int) -> float:
        """The limit as the time since the origin goes up to `elapsed`."""
        return float(ends.last) if elapsed == length else self.value(ends, elapsed, length)


class CycleTable:
    """A cycle in whole numbers: time is counted in units of 1 / `unit`, in which its period is a whole number."""

    def __init__(self, cycle: Cycle) -> None:
        self.cycle = cycle
        times = [cycle.origin, cycle.period]
        times += [time for piece in cycle.pieces for time in (piece.begin, piece.origin, piece.length)]
        self.unit = math.lcm(*(time.denominator for time in times))
        self.origin, self.period = int(cycle.origin * self.unit), int(cycle.period * self.unit)
        self.offsets = [int(piece.begin * self.unit) for piece in cycle.pieces]
        self.numbers = [Numbers.of(piece, self.unit) for piece in cycle.pieces]
        self.rows: list[list[Ends]] = []
        self.settled = False  # whether every later copy is as the last row
        self._changes = cycle.copies.changes()

    def tabulated(self, copy: int) -> bool:
        """Whether the rows, written as far as this copy, hold it."""
        while len(self.rows) <= copy and len(self.rows) < ROWS and not self.settled:
            change = next(self._changes)
            self.rows.append([ends(piece.valued(change)) for piece in self.cycle.pieces])
            self.settled = self.cycle.copies.settled(change)
        return copy < len(self.rows) or self.settled

    def fits(self, time: NumpyTime | type[NumpyTime]) -> bool:
        """Whether array arithmetic meets only numbers that it holds exactly."""
        small = self.unit < 2**time.half and self.period < 4**time.half
        return small and self.period * (self.unit + 1) < np.iinfo(time.integer).max

    def ends(self, copy: int, j: int) -> Ends:
        if self.tabulated(copy):
            return self.rows[min(copy, len(self.rows) - 1)][j]
        return later(self.cycle.copies, copy, ends(self.cycle.pieces[j]), Scalars)

    def value(self, top: int, bottom: int) -> float:
        copy, rest = divmod(top * self.unit - self.origin * bottom, self.period * bottom)
        j = bisect_right(self.offsets, rest // bottom) - 1
        numbers = self.numbers[j]
        return numbers.value(self.ends(copy, j), rest - numbers.origin * bottom, numbers.length * bottom)

    def left(self, top: int, bottom: int) -> float:
        copy, rest = divmod(top * self.unit - self.origin * bottom, self.period * bottom)
        if rest == 0:
            copy, rest = copy - 1, self.period * bottom
        j = bisect_left(self.offsets, -(-rest // bottom)) - 1
        numbers = self.numbers[j]
        return numbers.left(self.ends(copy, j), rest - numbers.origin * bottom, numbers.length * bottom)
