"""Pieces and loops in whole numbers, for Python numbers: every division of times rounds once."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable

import numpy as np

from .backends import NumpyTime, PythonNumbers
from .pieces import Ends, Loop, Piece

ROWS = 1024  # copies of a loop whose ends are tabulated; later ones follow the same rule in float arithmetic

Evaluator = Callable[[int, int], float]


class Numbers:
    """A piece in whole numbers: its origin and length in units of 1 / `unit`."""

    def __init__(self, piece: Piece, unit: int | None = None) -> None:
        self.unit = unit = unit or math.lcm(piece.origin.denominator, piece.length.denominator)
        self.origin, self.length = int(piece.origin * unit), int(piece.length * unit)
        self.ends = piece.ends
        self.weight = piece.shape.rise if piece.start < piece.end else piece.shape.fall

    def evaluator(self, ends: Ends | None = None, unit: int | None = None) -> Evaluator:
        """The value at time top / bottom; both divisions round once.

        A loop gives the ends in one of its copies, and times that are in the piece's own units already (`unit` 1).
        """
        ends, unit = ends or self.ends, unit or self.unit
        # Times are whole numbers here, so that `elapsed` and its rest are exact and each quotient is rounded once;
        # 1 - done would lose all digits close to the end.
        origin, length, weight = self.origin, self.length, self.weight
        first, base, most = float(ends.first), float(ends.base), float(ends.top)
        width = most - base
        if width == 0:
            return lambda top, bottom: most

        def value(top: int, bottom: int) -> float:
            elapsed, whole = top * unit - origin * bottom, length * bottom
            if elapsed == 0:
                return first
            # base + width may be an ulp above the higher end.
            found: float = base + width * weight(elapsed / whole, (whole - elapsed) / whole, PythonNumbers)
            return found if found < most else most

        return value

    def left(self, top: int, bottom: int, ends: Ends | None = None, unit: int | None = None) -> float:
        """The limit from the left at time top / bottom."""
        if top * (unit or self.unit) - self.origin * bottom == self.length * bottom:
            return float((ends or self.ends).last)
        return self.evaluator(ends, unit)(top, bottom)


class LoopTable:
    """A loop in whole numbers: time counts in units of 1 / `unit`, in which the period is a whole number."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        times = [loop.origin, loop.period]
        times += [time for piece in loop.pieces for time in (piece.begin, piece.origin, piece.length)]
        self.unit = math.lcm(*(time.denominator for time in times))
        self.origin, self.period = int(loop.origin * self.unit), int(loop.period * self.unit)
        self.offsets = [int(piece.begin * self.unit) for piece in loop.pieces]
        self.numbers = [Numbers(piece, self.unit) for piece in loop.pieces]
        self.rows: list[list[Ends]] = []
        self.evaluators: list[list[Evaluator]] = []  # one for each of the rows
        self.settled = False  # whether every later copy is the same as the last row
        self._changes = loop.copies.changes()

    def tabulated(self, copy: int) -> bool:
        """Whether this copy is among the rows, which are written up to it."""
        while len(self.rows) <= copy and len(self.rows) < ROWS and not self.settled:
            change = next(self._changes)
            row = [p._replace(start=change(p.start), end=change(p.end)).ends for p in self.loop.pieces]
            self.rows.append(row)
            self.evaluators.append(
                [numbers.evaluator(ends, 1) for numbers, ends in zip(self.numbers, row, strict=True)]
            )
            self.settled = self.loop.copies.settled(change)
        return copy < len(self.rows) or self.settled

    def fits(self, time: NumpyTime | type[NumpyTime]) -> bool:
        """Whether all numbers that array arithmetic meets are exact."""
        small = self.unit < 2**time.half and self.period < 4**time.half
        return small and self.period * (self.unit + 1) < np.iinfo(time.integer).max

    def ends(self, copy: int, j: int) -> Ends:
        if self.tabulated(copy):
            return self.rows[min(copy, len(self.rows) - 1)][j]
        return self.loop.copies.later(copy, self.loop.pieces[j].ends, PythonNumbers)

    def evaluator(self) -> Evaluator:
        """The value at time top / bottom."""
        unit, origin, period, offsets = self.unit, self.origin, self.period, self.offsets
        # One piece in equal copies, as in plain warm restarts: a remainder, and no table at all.
        if self.tabulated(0) and self.settled and len(offsets) == 1:
            ((only,),) = self.evaluators
            return lambda top, bottom: only((top * unit - origin * bottom) % (period * bottom), bottom)
        evaluators = self.evaluators

        def value(top: int, bottom: int) -> float:
            copy, rest = divmod(top * unit - origin * bottom, period * bottom)
            j = bisect_right(offsets, rest // bottom) - 1
            if copy >= len(evaluators) and not self.tabulated(copy):
                return self.numbers[j].evaluator(self.ends(copy, j), 1)(rest, bottom)
            return evaluators[copy if copy < len(evaluators) else -1][j](rest, bottom)

        return value

    def left(self, top: int, bottom: int) -> float:
        copy, rest = divmod(top * self.unit - self.origin * bottom, self.period * bottom)
        # From the left a boundary belongs to the copy that ends there.
        if rest == 0:
            copy, rest = copy - 1, self.period * bottom
        j = bisect_left(self.offsets, -(-rest // bottom)) - 1
        return self.numbers[j].left(rest, bottom, self.ends(copy, j), 1)
