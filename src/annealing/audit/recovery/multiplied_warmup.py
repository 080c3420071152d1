"""A warm-up that multiplies the decay under it, or leads to it from another rate: what YOLO's trainers do.

The rate is b + x (D - b), where D is the decay, x a line from 0 to 1, and b the rate at the beginning (0 where it is
a plain product). The decay may stand back by one step once the warm-up is over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ... import recipes
from ...schedule.base import Schedule
from ..intervals import digits_of, roundest, shortest
from .best_first import search
from .candidate import Candidate, digits_of_time
from .curve_families import FAMILIES, Array
from .least_squares import nearest
from .segmentation import longest
from .templates import recipes_of
from .to_schedule import Time, written

MOST_WARM = 0.9  # of the rows
LEAST_WARM = 100  # updates
MOST_UPDATES = 1e9  # in an epoch
MOST_STEPS = 40  # of least squares
NEEDED = 3  # rows below the decay


class WarmedUp(NamedTuple):
    """A decay with a warm-up that multiplies it; cost: how long the description of both is."""

    schedule: Schedule
    decay: Candidate
    lags: tuple[tuple[float, int], ...]
    cost: float


def product(clock: Array, rate: Array, slack: Array, preferred: int | None) -> WarmedUp | None:
    """The shortest description of a log that begins with such a warm-up, or None."""
    first = _suffix(clock, rate, slack)
    if not 2 <= first <= MOST_WARM * len(clock) or len(clock) - first < 4:
        return None
    found = []
    for late in (1, 0):
        rows = clock[first:] - late, rate[first:], slack[first:], preferred
        lags = ((float(clock[first]), 1),) if late else ()
        for decay in (recipes_of(*rows) or search(*rows))[:3]:
            schedule = written(decay.model)
            u = clock[:first] + decay.shift
            factor = _factor(u, rate[:first], slack[:first], np.asarray(schedule(u)))
            if factor is not None:
                cost = decay.cost + 2.0 + len(lags) + digits_of(factor[2]) + sum(map(digits_of_time, factor[:2]))
                found.append(WarmedUp(_written(schedule, *factor), decay, lags, cost))
    return min(found, key=lambda one: one.cost, default=None)


def _suffix(clock: Array, rate: Array, slack: Array) -> int:
    """The first row of the longest end that is one line or one cosine."""
    backwards = -clock[::-1], rate[::-1], slack[::-1]
    phases = [longest(family, *backwards) for family in FAMILIES if family.name in ("line", "wave")]
    return len(clock) - max(phase.stop if phase else 0 for phase in phases)


def _factor(u: Array, rate: Array, slack: Array, decay: Array) -> tuple[Time, Time, float] | None:
    """Where the line x begins, how long it is, and the rate b at its beginning."""
    warm = np.abs(rate - decay) > slack
    rows = int(np.flatnonzero(warm).max(initial=-1)) + 1
    if rows < NEEDED or not warm[:rows].all():
        return None
    u, rate, slack, decay = u[:rows], rate[:rows], slack[:rows], decay[:rows]
    for base in (True, False):
        fit = _fitted(u, rate, slack, decay, free=not base)
        if fit is not None:
            return fit
    return None


def _fitted(u: Array, rate: Array, slack: Array, decay: Array, free: bool) -> tuple[Time, Time, float] | None:
    """The zero and the length of the line, and b, by least squares: rate = b + (u - zero) / length * (decay - b)."""
    begin = float(rate[0]) if free else 0.0
    share = (rate - begin) / (decay - begin)
    slope, level = np.polyfit(u, share, 1)
    if free:  # the first row is near b, so start from the last one that is near the decay
        slope = 1 / max(float(u[-1] - u[0] + 1), 1.0)
        level = -slope * float(u[0] - 1)
        begin = float((rate[0] - (level + slope * u[0]) * decay[0]) / (1 - level - slope * u[0]))
    if not slope > 0:
        return None

    def off(numbers: Array) -> Array:
        zero, slope, begin = (*numbers, 0.0)[:3]
        return np.asarray((rate - begin - (u - zero) * slope * (decay - begin)) / slack)

    start = np.array([-level / slope, slope, begin][: 2 + free])
    numbers = nearest(off, start, MOST_STEPS, None)
    if not (np.isfinite(numbers).all() and numbers[1] > 0 and np.abs(off(numbers)).max() <= 1.5):
        return None
    zero, slope, begin = (*numbers.tolist(), 0.0)[:3]
    length, x = 1 / slope, (u - zero) * slope
    columns = [-(decay - begin) * slope / slack, -x * (decay - begin) * slope / slack, (1 - x) / slack]
    reach = np.linalg.pinv(np.stack(columns[: 2 + free], 1), rcond=1e-13)
    wide = np.abs(reach).sum(1)
    plain = shortest(begin - wide[2], begin + wide[2]) if free else 0.0
    for some in _lengths((zero - wide[0], zero + wide[0]), (length - wide[1], length + wide[1])):
        zeros, reached = u - float(some) * (rate - plain) / (decay - plain), float(some) * slack / np.abs(decay - plain)
        least, most = float((zeros - reached).max()), float((zeros + reached).min())
        if least <= most and (not free or len(u) > len(wide) or isinstance(some, int)):
            return _begin(least, most), some, plain
    return None


def _lengths(zeros: tuple[float, float], lengths: tuple[float, float]) -> Iterator[Time]:
    """The lengths to try: a whole number; a hundred updates, the least that YOLO's trainers take; any other."""
    first = roundest(*lengths)
    if isinstance(first, int):
        yield first
    starts = (abs(zero - round(sum(zeros) / 2)) for zero in zeros)
    most, least = (1 / start if start > 0 else MOST_UPDATES for start in sorted(starts))
    for updates in range(max(math.ceil(least), 2), min(math.floor(most), LEAST_WARM) + 1):
        if lengths[0] <= LEAST_WARM / updates <= lengths[1]:
            yield Fraction(LEAST_WARM, updates)
    if first is not None and not isinstance(first, int):
        yield first
    yield Fraction(repr(float(f"{sum(lengths) / 2:.9g}")))


def _begin(least: float, most: float) -> Time:
    """A time that is a whole number, or one update before or after it: n +- 1 / updates per epoch."""
    near = round((least + most) / 2)
    if least <= near <= most:
        return near
    sign = 1 if least > near else -1
    ends = sorted((1 / abs(least - near), 1 / abs(most - near)))
    updates = roundest(*ends)
    return near + sign / Fraction(updates) if updates else Fraction((least + most) / 2).limit_denominator(10**9)


def _written(decay: Schedule, zero: Time, length: Time, begin: float) -> Schedule:
    up = recipes.linear(0, 1, length)
    up = up.shifted(zero) if zero else up
    if begin == 0:
        return up * decay
    down = recipes.linear(begin, 0, length)
    return (down.shifted(zero) if zero else down) + up * decay
