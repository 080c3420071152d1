"""Flat pieces as tables, and their values: a Python number costs one search, an array one pass per kind of shape."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from ..errors import ScheduleError
from ..exact import END_OF_TIME, ceiling, plain
from ..shapes import flat
from .arrays import Columns
from .backends import Jax32Time, NumpyTime, array_time, library
from .pieces import Lowered, Operation, Piece, Pieces
from .scalars import LoopTable, Numbers

BLOCK = 12_288  # NumPy computes so many times at once: enough to make calls cheap, few enough for the cache


def program(lowered: Lowered) -> Program:
    """A lowered schedule, ready to be called."""
    return PieceTable(lowered) if isinstance(lowered, Pieces) else Combination(lowered)


def many(called: Program, t: Any) -> Any:
    """The values of a program at an array of times, in its own library."""
    if isinstance(t, np.ndarray) and t.size > BLOCK:
        times, found = t.reshape(-1), np.empty(t.size)
        for i in range(0, t.size, BLOCK):
            found[i : i + BLOCK] = many(called, times[i : i + BLOCK])
        return found.reshape(t.shape)
    time = array_time(t)
    return time.result(called.values(time))


class Combination:
    """An operation on the values of several programs."""

    def __init__(self, operation: Operation) -> None:
        self.name = operation.name
        self.packed: dict[str, Any] = {}  # its tables for graphs of torch.compile
        self.parts = [program(part) for part in operation.parts]
        self.fits_float32: bool = all(part.fits_float32 for part in self.parts)

    def at(self, t: Any) -> float:
        return float(self.combined([part.at(t) for part in self.parts]))

    def left(self, t: Any) -> float:
        return float(self.combined([part.left(t) for part in self.parts]))

    def values(self, time: NumpyTime) -> Any:
        return self.combined([part.values(time) for part in self.parts])

    def combined(self, values: Sequence[Any]) -> Any:
        """The operation on one value of each part."""
        operations = {"+": operator.add, "*": operator.mul, "/": operator.truediv}
        return reduce(operations.get(self.name) or getattr(library(values[0]), self.name), values)


class PieceTable:
    """Pieces in the order of time, with None in the place of the loop; the last one is what is held after the end."""

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces
        self.packed: dict[str, Any] = {}
        self.entries: list[Piece | None] = [*pieces.head]
        begins = [piece.begin for piece in pieces.head]
        self.loop: LoopTable | None = None
        if pieces.loop:
            self.entries.append(None)
            begins.append(pieces.loop.begin)
            self.loop = LoopTable(pieces.loop)
        if pieces.end is not None:
            held = Piece(pieces.end, pieces.end, Fraction(1), flat, pieces.final, pieces.final)
            self.entries.append(held)
            begins.append(pieces.end)
        self.begins = begins
        self.bounds = [ceiling(begin) for begin in begins]
        self.numbers = [Numbers(entry) if entry else self.loop for entry in self.entries]
        self.evaluators = [numbers.evaluator() for numbers in self.numbers if numbers]
        self.last = pieces.end if pieces.strict and pieces.end is not None else END_OF_TIME
        # Whether JAX without 64 bits can tell its pieces apart.
        self.fits_float32 = self.loop is None or self.loop.fits(Jax32Time)
        self._columns: dict[Any, Columns] = {}  # by the form of the numbers in them, or by where they are

    def at(self, t: Any) -> float:
        """The value at a Python number."""
        if not 0 < t <= self.last:
            t = self._within(t)
        place = bisect_right(self.bounds, t) - 1 if type(t) is not Fraction else self._place(t)
        return self.evaluators[place](*t.as_integer_ratio())

    def left(self, t: Any) -> float:
        """The limit of the value from the left; at 0 the value itself."""
        t = self._within(t)
        place = self._place(t)
        top, bottom = t.as_integer_ratio()
        if not top:
            return self.evaluators[place](top, bottom)
        if Fraction(top, bottom) == self.begins[place]:
            place -= 1
        numbers = self.numbers[place]
        assert numbers
        return numbers.left(top, bottom)

    def _within(self, t: Any) -> Any:
        if t > 0:
            if t > self.last < END_OF_TIME:
                raise self._beyond(t)
            return min(t, END_OF_TIME)
        if t <= 0:
            return 0
        raise ScheduleError(f"t must not be NaN, got {t!r}")

    def _beyond(self, t: Any) -> ScheduleError:
        assert self.pieces.end is not None
        return ScheduleError(f"t must be at most {plain(self.pieces.end)!r}, the end of this schedule, got {t!r}")

    def _place(self, t: Any) -> int:
        if not isinstance(t, Fraction):
            return bisect_right(self.bounds, t) - 1
        place = bisect_right(self.bounds, ceiling(t)) - 1
        while self.begins[place] > t:
            place -= 1
        return place

    def values(self, time: NumpyTime) -> Any:
        """The values at many times, in their library and not yet in the type of the result."""
        exact = self.loop is None or self.loop.fits(time)
        # Whole numbers too large for the array's integers still divide exactly as Python's.
        value = self._placed(time).values(time) if exact else self._one_by_one(time)
        return self._checked(time, value) if self.pieces.strict else value

    def columns(self, kind: type[NumpyTime]) -> Columns:
        """Its tables as NumPy arrays, in the number types of a kind of time."""
        if kind.form not in self._columns:
            self._columns[kind.form] = Columns(self.entries, self.begins, self.loop, kind)
        return self._columns[kind.form]

    def _placed(self, time: NumpyTime) -> Columns:
        """Its tables on the device of the times, kept there if possible."""
        columns = None if time.place is None else self._columns.get(time.place)
        if columns is None:
            columns = self.columns(type(time)).placed(time)
            if time.place is not None:
                self._columns[time.place] = columns
        return columns

    def _checked(self, time: NumpyTime, value: Any) -> Any:
        after = time.key > self.bounds[-1]
        # A trace cannot raise, as its values are not known; NaN at least is noticed.
        if time.traced:
            return time.xp.where(after, math.nan, value)
        if after.any():
            raise self._beyond(time.key[after].reshape(-1)[0].item())
        return value

    def _one_by_one(self, time: NumpyTime) -> Any:
        if time.traced:
            assert self.loop
            raise ScheduleError(
                f"the period {self.loop.loop.period} of this schedule is too fine a fraction for traced arithmetic: "
                "stretch it to steps, or round its lengths"
            )
        times = time.key.reshape(-1).tolist()
        values = [math.nan if math.isnan(t) else self.at(t) for t in times]
        return time.table(np.array(values).reshape(time.key.shape))


Program = PieceTable | Combination
