"""The values of schedules at whole steps, of which a block is computed at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ScheduleError
from ..schedule.base import Schedule

BLOCK = 4096  # steps: an array costs a few microseconds a value less than single calls, and so many fit in any cache


@lru_cache(maxsize=512)
def _block(schedule: Schedule, number: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = schedule(np.arange(number * BLOCK, (number + 1) * BLOCK))
    return values


@lru_cache(maxsize=512)
def _extremes(schedule: Schedule, number: int) -> tuple[float, float] | None:
    try:
        values = _block(schedule, number)
    except ScheduleError:  # a schedule that refuses times beyond its end: each step of the block is asked for alone
        return None
    return float(values.min()), float(values.max())


def value(schedule: Schedule, time: float) -> float:
    """The value at any time; at a whole one it is that of its block."""
    if type(time) is int and time >= 0:
        return float(_block(schedule, time // BLOCK)[time % BLOCK])
    return float(schedule(float(time)))


class Ahead:
    """What param groups are to hold at a time, looked up in a block of steps.

    schedules: the distinct ones. which: for every group the place of its schedule there; None where one is for all.
    """

    __slots__ = ("begin", "columns", "schedules", "which")

    def __init__(self, schedules: list[Schedule], which: list[int] | None) -> None:
        self.schedules, self.which = schedules, which
        self.begin = -BLOCK  # of the block in use: none yet
        self.columns: list[list[float]] = []

    def values(self, time: float, groups: int) -> list[float]:
        """The value of every group."""
        place = time - self.begin
        if type(place) is not int or not 0 <= place < BLOCK:
            if not self.known(time):
                found = [float(schedule(time)) for schedule in self.schedules]
                return found * groups if self.which is None else [found[i] for i in self.which]
            place = self._turn(time)
        if self.which is None:
            return [self.columns[0][place]] * groups
        return [column[place] for column in self.columns]

    def known(self, time: float) -> bool:
        """Whether there is a block with this time."""
        if type(time) is not int or time < 0:
            return False
        return None not in [_extremes(schedule, time // BLOCK) for schedule in self.schedules]

    def within(self, time: float, least: float, most: float, factors: list[float]) -> bool:
        """Whether every step of the block of a time is known to be in a range, also times each of the factors."""
        if not self.known(time):
            return False
        ends = [end for schedule in self.schedules for end in _extremes(schedule, int(time) // BLOCK) or ()]
        return all(least <= end * factor <= most for end in ends for factor in factors)

    def _turn(self, time: Any) -> int:
        number, place = divmod(time, BLOCK)
        # Lists of new floats: which object a group holds tells the drop-ins who wrote it.
        columns: list[list[float]] = [_block(schedule, number).tolist() for schedule in self.schedules]
        self.columns = columns if self.which is None else [columns[i] for i in self.which]
        self.begin = time - place
        return int(place)
