"""The values of a schedule at whole steps, of which a block is computed at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import ScheduleError
from ..schedule.base import Schedule

BLOCK = 4096  # steps


@lru_cache(maxsize=512)
def _block(schedule: Schedule, number: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = schedule(np.arange(number * BLOCK, (number + 1) * BLOCK))
    return values


def block(schedule: Schedule, number: int) -> list[float]:
    """The values of the steps from number * BLOCK on: new objects, since these tell who wrote a rate."""
    values: list[float] = _block(schedule, number).tolist()
    return values


def columns(schedules: list[Schedule], number: int) -> list[list[float]]:
    """The block of each schedule; that of equal ones is one object."""
    different = {schedule: block(schedule, number) for schedule in set(schedules)}
    return [different[schedule] for schedule in schedules]


@lru_cache(maxsize=512)
def ends(schedule: Schedule, number: int) -> tuple[float, float] | None:
    """The least and the greatest value of a block; None where the schedule refuses one of its steps."""
    try:
        values = _block(schedule, number)
    except ScheduleError:
        return None
    return float(values.min()), float(values.max())


def value(schedule: Schedule, time: float) -> float:
    """The value at any time; at a whole one it is that of its block."""
    if type(time) is int and time >= 0:
        return float(_block(schedule, time // BLOCK)[time % BLOCK])
    return float(schedule(float(time)))
