"""The values of a schedule at whole steps, of which a block is computed at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..errors import ScheduleError
from ..schedule import Schedule

BLOCK = 4096  # steps


@lru_cache(maxsize=512)
def block(schedule: Schedule, number: int) -> list[float]:
    """The values of the steps from number * BLOCK on."""
    values: list[float] = schedule(np.arange(number * BLOCK, (number + 1) * BLOCK)).tolist()
    return values


@lru_cache(maxsize=512)
def ends(schedule: Schedule, number: int) -> tuple[float, float] | None:
    """The least and the greatest value of a block; None where the schedule refuses one of its steps."""
    try:
        values = np.array(block(schedule, number))
    except ScheduleError:
        return None
    return float(values.min()), float(values.max())


def value(schedule: Schedule, time: float) -> float:
    """The value at any time; at a whole one it is that of its block."""
    if type(time) is int and time >= 0:
        return block(schedule, time // BLOCK)[time % BLOCK]
    return float(schedule(float(time)))
