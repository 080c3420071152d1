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
BIAS = 0.1  # where YOLO's trainers begin the rate of biases
MOST_STEPS = 40  # of least squares
NEEDED = 2  # rows below the decay: as many as numbers, which are then taken only if they are round


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
    bases = [0.0, BIAS]
    if rows > NEEDED:
        bases.append(_base(u, rate, slack, decay))
    return next((line for base in bases if (line := _line(u, rate, slack, decay, base)) is not None), None)


def _base(u: Array, rate: Array, slack: Array, decay: Array) -> float:
    """The simplest b for which x = (rate - b) / (decay - b) is a line, by least squares."""

    def off(numbers: Array) -> Array:
        level, slope, base = numbers
        return np.asarray((rate - base - (level + slope * u) * (decay - base)) / slack)

    slope = 1 / float(u[-1] - u[0] + 1)  # the first row is near b, the last one near the decay
    base = (rate[0] - slope * decay[0]) / (1 - slope)
    level, slope, base = nearest(off, np.array([slope * (1 - u[0]), slope, base]), MOST_STEPS, None)
    columns = np.stack([decay - base, u * (decay - base), 1 - level - slope * u], 1) / slack[:, None]
    wide = float(np.abs(np.linalg.pinv(columns, rcond=1e-13)).sum(1)[2]) if np.isfinite(columns).all() else 0.0
    return shortest(base - wide, base + wide)


def _line(u: Array, rate: Array, slack: Array, decay: Array, base: float) -> tuple[Time, Time, float] | None:
    """Where the line x begins and how long it is, for a rate b at its beginning; None where x is no line."""
    share, doubt = (rate - base) / (decay - base), slack / np.abs(decay - base)
    columns = np.stack([np.ones_like(u), u], 1) / doubt[:, None]
    level, slope = np.linalg.lstsq(columns, share / doubt, rcond=None)[0]
    if not (slope > 0 and (np.abs(share - level - slope * u) <= 1.5 * doubt).all()):
        return None
    wide = np.abs(np.linalg.pinv(columns)).sum(1)
    zeros = -(level + wide[0]) / slope, -(level - wide[0]) / slope
    lengths = 1 / (slope + wide[1]), 1 / max(slope - wide[1], slope / 10)
    for length in _lengths(zeros, lengths):
        ends = u - float(length) * share, float(length) * doubt
        least, most = float((ends[0] - ends[1]).max()), float((ends[0] + ends[1]).min())
        if least <= most and (len(u) > NEEDED or length.denominator == 1 or length.numerator == LEAST_WARM):
            return _begin(least, most), length, base
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
