"""The values of schedules at whole steps, computed one block at a time."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ScheduleError
from ..exact import END_OF_TIME
from ..schedule.base import Schedule

BLOCK = 4096  # steps: an array saves a few microseconds per value over single calls, and 32 kB fit in any cache


class Block(NamedTuple):
    """The values of a schedule in a block of steps, and the range that they lie in."""

    values: NDArray[np.float64]
    least: float
    most: float


@lru_cache(maxsize=512)
def _block(schedule: Schedule, number: int) -> Block | None:
    try:
        values = schedule(np.arange(number * BLOCK, (number + 1) * BLOCK))
    except ScheduleError:  # the schedule refuses times after its end: evaluate each step of this block by itself
        return None
    return Block(values, float(values.min()), float(values.max()))


class Ahead:
    """The values for all param groups at a time, looked up in a block of steps.

    schedules: one for each group, or a single one for any number of groups.
    """

    __slots__ = ("begin", "columns", "schedules", "which")

    def __init__(self, schedules: list[Schedule]) -> None:
        self.schedules = list(dict.fromkeys(schedules))
        same = len(self.schedules) == 1
        self.which = None if same else [self.schedules.index(schedule) for schedule in schedules]
        self.begin = END_OF_TIME  # the start of the current block: none yet
        self.columns: list[list[float]] = []

    def values(self, time: float, groups: int) -> list[float]:
        """The value of every group."""
        place = time - self.begin
        if type(place) is not int or not 0 <= place < BLOCK:
            blocks = self._blocks(time)
            if blocks is None:
                found = [float(schedule(time)) for schedule in self.schedules]
                return found * groups if self.which is None else [found[i] for i in self.which]
            place = int(time) % BLOCK
            # Lists of new floats: the drop-ins recognize what they wrote by the identity of the float in the group.
            columns: list[list[float]] = [block.values.tolist() for block in blocks]
            self.columns = columns if self.which is None else [columns[i] for i in self.which]
            self.begin = int(time) - place
        if self.which is None:
            return [self.columns[0][place]] * groups
        return [column[place] for column in self.columns]

    def within(self, time: float, least: float, most: float, factors: list[float]) -> bool:
        """Whether the whole block around a time is known to stay in a range, multiplied by any of the factors."""
        ends = [end for block in self._blocks(time) or () for end in (block.least, block.most)]
        return bool(ends) and all(least <= end * factor <= most for end in ends for factor in factors)

    def _blocks(self, time: float) -> list[Block] | None:
        """The block of each schedule around a time; None if one of them cannot be computed."""
        if type(time) is not int or time < 0:
            return None
        found = [_block(schedule, time // BLOCK) for schedule in self.schedules]
        return None if None in found else found  # type: ignore[return-value]
