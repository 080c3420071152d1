"""A warm-up that multiplies the decay under it, or leads to it from another rate: what YOLO's trainers do.

The rate is b + x (D - b), where D is the decay, x a line from 0 to 1, and b the rate at the beginning (0 where it is
a plain product). The decay may stand back by one step once the warm-up is over.
"""

from __future__ import annotations

import contextlib
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from ... import recipes
from ...schedule.base import Schedule
from ..intervals import digits_of, roundest
from .candidate import Candidate, configured, digits_of_time
from .fitting import Exhausted, LogRows
from .model import Array
from .outline import COSINE, LINE, CurveFamily, fitted
from .round_numbers import one_update_off
from .templates import recipes_of
from .to_schedule import Time, written

MOST_WARM = 0.9  # of the rows
LEAST_WARM = 100  # updates
MOST_UPDATES = 1e9  # in an epoch
LEAST_SLOPE = 1e-9  # per step: a flat log has none
BIAS = 0.1  # where YOLO's trainers start the rate of biases
NEEDED = 2  # rows below the decay: as many as numbers, which are then taken only if they are round


def product(rows: LogRows, preferred: int | None) -> list[tuple[Schedule, Candidate]]:
    """The schedules of a log that starts with such a warm-up, and the decays in them, the shortest first."""
    found: list[tuple[Schedule, Candidate]] = []
    n = len(rows.u)
    with contextlib.suppress(Exhausted):  # what was found before is kept
        for family in (LINE, COSINE):  # the decays that YOLO's trainers have
            first = bisect_left(range(n - 4), True, key=partial(_smooth, family, rows))
            for late in (0, 1) if 2 <= first <= MOST_WARM * n else ():
                lags = ((float(rows.u[first]), 1),) if late else ()
                warm, after = rows.only(np.arange(first)), rows.only(np.arange(first, n)).later(-late)
                for decay in recipes_of(after, preferred, [family])[:3]:
                    if not configured(decay, bool(rows.y.min() >= 0)):
                        continue
                    schedule = written(decay.model)
                    if (factor := _factor(warm.later(decay.shift), schedule)) is not None:
                        zero, length, begin = factor
                        told = 5.0 + digits_of(begin) + digits_of_time(length) + digits_of(Fraction(zero).denominator)
                        whole = replace(decay, lags=lags, habit=decay.habit + told)
                        found.append((_written(schedule, *factor), whole))
            if found:  # a slow cosine is nearly a line too, with more numbers
                break
    return sorted(found, key=lambda one: one[1].cost)


def _smooth(family: CurveFamily, rows: LogRows, first: int) -> bool:
    """Whether the rows from one on lie on one curve of a family."""
    return fitted(family, rows.only(np.arange(first, len(rows.u))), 0.0) is not None


def _factor(rows: LogRows, schedule: Schedule) -> tuple[Time, Time, float] | None:
    """Where the line x starts, how long it is, and the rate b at its beginning."""
    decay = np.asarray(schedule(rows.u))
    warm = np.abs(rows.y - decay) > rows.tolerance
    count = int(np.flatnonzero(warm).max(initial=-1)) + 1
    if count < NEEDED or not warm[:count].all():
        return None
    # The base rate is 0, or that of YOLO's biases: with few rows a free one would fit anything
    lines = (_line(rows.only(np.arange(count)), decay[:count], base) for base in (0.0, BIAS))
    return next((line for line in lines if line is not None), None)


def _line(rows: LogRows, decay: Array, base: float) -> tuple[Time, Time, float] | None:
    """Where the line x starts and how long it is, for a rate b at its beginning; None where x is no line."""
    u, share, doubt = rows.u, (rows.y - base) / (decay - base), rows.tolerance / np.abs(decay - base)
    columns = np.stack([np.ones_like(u), u], 1) / doubt[:, None]
    level, slope = np.linalg.lstsq(columns, share / doubt, rcond=None)[0]
    if not (slope > LEAST_SLOPE and (np.abs(share - level - slope * u) <= 1.5 * doubt).all()):
        return None
    wide = np.abs(np.linalg.pinv(columns)).sum(1)
    zeros = -(level + wide[0]) / slope, -(level - wide[0]) / slope
    lengths = 1 / (slope + wide[1]), 1 / max(slope - wide[1], slope / 10)
    for length in _lengths(zeros, lengths):
        ends = u - float(length) * share, float(length) * doubt
        least, most = float((ends[0] - ends[1]).max()), float((ends[0] + ends[1]).min())
        if least <= most and (len(u) > NEEDED or length.denominator == 1 or length.numerator == LEAST_WARM):
            return one_update_off(least, most), length, base
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


def _written(decay: Schedule, zero: Time, length: Time, begin: float) -> Schedule:
    up, down = recipes.linear(0, 1, length), recipes.linear(begin, 0, length)
    if zero:
        up, down = up.shifted(zero), down.shifted(zero)
    return down + up * decay if begin else up * decay
