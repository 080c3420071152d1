"""A log of stairs: the rate changes only every so many updates, as where a scheduler is stepped once an epoch."""

from __future__ import annotations

import numpy as np

from .curves import Array
from .numbers import roundest

LEAST_STAIRS = 5


def stairs(clock: Array, rate: Array, slack: Array, shift: int) -> tuple[int, Array, Array, Array] | None:
    """How many steps a stair is long, and for each its time, level and slack; None where the rows are no stairs."""
    change = np.flatnonzero(np.abs(np.diff(rate)) > np.maximum(slack[1:], slack[:-1])) + 1
    if len(change) < LEAST_STAIRS or change[-1] - change[0] < 2 * (len(change) - 1):
        return None
    low, high = clock[change - 1] + shift, clock[change] + shift
    first = round(float(low[0]) / max(float(np.median(np.diff(high))), 1e-9)) or 1
    count = first + np.arange(len(change))
    least, most = float((low / count).max()), float((high / count).min())
    if least >= most:
        return None
    every = roundest(np.nextafter(least, np.inf), most)
    if not isinstance(every, int) or every < 2:
        return None
    begins = np.concatenate([[0.0], (count * every).astype(float)])
    rows = np.concatenate([[0], change])
    return every, begins, rate[rows], slack[rows]
