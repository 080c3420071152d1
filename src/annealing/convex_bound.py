"""What convex theory says of a schedule before anything is trained: a bound on the loss at the last update."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from .calls import checked
from .errors import ScheduleError, finite, whole
from .recipes.registry import a_schedule
from .schedule.base import Schedule

MOST_STEPS = 10**7  # of which every rate is held in memory


class Bound(NamedTuple):
    """The bound of a schedule, and the peak with which the whole schedule, scaled, has the least bound, `best`."""

    value: float
    peak: float
    best: float


@checked
def bound(
    schedule: Schedule, steps: int | None = None, *, distance: float = 1.0, gradient: float | Schedule = 1.0
) -> Bound:
    """The bound of convex theory on how far the loss is above its minimum at the last of so many updates.

    With D the distance from the start to a minimum, G_t the norm of the (sub)gradient of update t and eta_t its rate,
    SGD on a convex function comes within

        1 / (2 S_1) * (D^2 + Q_1) + 1/2 * sum over k < T of eta_k / S_{k+1} * Q_k / S_k

    of the minimum on average, where S_k is the sum of eta_t and Q_k that of (eta_t G_t)^2 over t = k to T. It holds for
    the last iterate, not for a mean of them. The part with D falls and the rest rises with the peak, so that the best
    peak, `peak`, and its bound, `best`, have a closed form. Only ratios of bounds say something of a real training.

    steps: how many updates; needed where the schedule never ends. distance: D. gradient: G, a number or a schedule of
    it over the updates. Rates that are 0 at the end change nothing and are left out; a rate below 0 is refused.

    >>> from annealing import constant, linear
    >>> round(bound(linear(1, 0, 1000)).best, 4), round(bound(constant(1), steps=1000).best, 4)
    (0.0634, 0.0921)

    Source: Defazio et al. 2023, arXiv 2310.07831, theorem 10; Schaipp et al. 2025, arXiv 2501.18965, who find that it
    predicts the losses of language models under cosine and WSD schedules.
    """
    a_schedule(schedule, "schedule")
    if steps is None and schedule.duration is None:
        raise ScheduleError(f"steps must be given, since this schedule never ends: {schedule}")
    count = whole(math.ceil(schedule.horizon(None)) if steps is None else steps, "steps")
    if count > MOST_STEPS:
        raise ScheduleError(f"steps must be at most {MOST_STEPS:,} for a bound, got {count:,}")
    times = np.arange(count, dtype=np.float64)
    rates = schedule(times)
    if (lowest := float(rates.min())) < 0:
        raise ScheduleError(f"rates must be at least 0 for a bound, but {schedule} goes down to {lowest!r}")
    if not rates.any():
        raise ScheduleError(f"a bound needs a rate above 0, but {schedule} is 0 for all {count:,} updates")
    norms = gradient(times) if isinstance(gradient, Schedule) else finite(gradient, "gradient")
    # What comes after the last rate above 0 moves nothing; its sums would be 0, and stand below a fraction line.
    last = int(rates.nonzero()[0][-1]) + 1
    rates, squares = rates[:last], np.square(rates * norms)[:last]
    # Sums from the end: each is as exact as its own terms, while a difference of sums from the start would cancel.
    sums, spent = np.cumsum(rates[::-1])[::-1], np.cumsum(squares[::-1])[::-1]
    far = finite(distance, "distance") ** 2 / (2 * sums[0])
    noisy = spent[0] / (2 * sums[0]) + np.sum(rates[:-1] / sums[1:] * (spent[:-1] / sums[:-1])) / 2
    # Scaled by c the bound is far / c + noisy * c.
    factor = math.sqrt(far / noisy) if noisy > 0 else math.inf
    return Bound(float(far + noisy), factor * float(rates.max()), 2 * math.sqrt(far * noisy))


def pairs_in_order(predicted: Sequence[float], measured: Sequence[float]) -> tuple[int, int]:
    """Of how many pairs, whose two values differ in both lists, a prediction has the order that was measured."""
    rows = list(zip(predicted, measured, strict=True))
    pairs = [(a, b) for (p, a), (q, b) in ((x, y) if x <= y else (y, x) for x, y in combinations(rows, 2)) if p != q]
    return sum(a < b for a, b in pairs), sum(a != b for a, b in pairs)
