"""A log of stairs: the rate changes only every so many updates, as where a scheduler is stepped once an epoch."""

from __future__ import annotations

import numpy as np

from ... import recipes, shapes
from ...schedule.base import Schedule
from ..intervals import roundest, shortest
from .candidate import Candidate
from .curve_families import Array

LEAST_STAIRS = 5
ROUNDED = 1e-12


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


def held(found: Candidate, schedule: Schedule, every: int) -> list[Schedule]:
    """A model as stairs: a step schedule where it falls by a factor, and the schedule held for each stair.

    One without an end is cut after what was seen.
    """
    model = found.model
    part, n = model.parts[0], model.numbers
    stepped = []
    if len(model.parts) == 1 and part.shape is shapes.exponential and part.extra is not None and n[part.last] == 0:
        low, high = found.bounds.get(part.extra, (n[part.extra], n[part.extra]))
        if 0 < low <= high < 1:
            gamma = shortest(low**every * (1 - ROUNDED), high**every * (1 + ROUNDED))
            stepped = [recipes.step(n[part.first], every, gamma)]
    endless = schedule.duration is None
    return [*stepped, (schedule.until(int(model.seen) + every) if endless else schedule).held(every)]
