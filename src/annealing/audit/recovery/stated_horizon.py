"""Updates that were skipped from the first row on: the log states its horizon, and so where each rate belongs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ... import shapes
from ...schedule.nodes import Join, Run
from ..intervals import digits_of
from .fitting import LogRows
from .stated import stated_between
from .work_budget import spend

MOST_LATE = 64
CLEAR = 0.2  # of a step, by which a row may be off a whole step
ABOVE = 1.1  # the peak is at most that many times the greatest rate
GRID = 20001


def late_by_horizon(rows: LogRows, horizon: float) -> NDArray[np.int64] | None:
    """By how many steps each row is late, always more, on a warm-up from 0 and a decay that reaches 0 at the horizon.

    Peaks and warm-ups are tried, the plainest first: with a wrong one rows are late by parts of a step.
    """
    top, n = int(rows.y.argmax()), len(rows.u)
    lengths = np.array([0])
    if top:
        first = max(math.floor(rows.u[top - 1]) - MOST_LATE, 0)
        lengths = np.arange(first, math.ceil(rows.u[min(top + 1, n - 1)]) + 1)
    if known := stated_between(float(lengths[0]), float(lengths[-1])):  # a stated warm-up leaves nothing to try
        lengths = np.array([round(known)])
    rising = np.arange(n) < top
    begin = np.where(rising, 0, lengths[:, None])
    long = np.where(rising, lengths[:, None], horizon - lengths[:, None])
    # Where on its way a decay has each share of the peak: the shape has no inverse of its own
    done = np.linspace(0, 1, GRID)
    for shape in (shapes.linear, shapes.cosine):
        weights = np.asarray(shape.fall(done, done[::-1], np))
        for peak in dict.fromkeys(_peaks(float(rows.y[top]))):
            spend(0.1 + 1e-6 * n * len(lengths))
            share = np.where(rising, rows.y / peak, np.interp(-rows.y / peak, -weights, done))
            late = rows.u - begin - share * long
            whole = np.round(late)
            good = ((np.abs(late - whole) > CLEAR).mean(1) <= CLEAR) & (np.diff(whole, axis=1) >= 0).all(1)
            good &= (whole[:, 0] >= 0) & (whole[:, 0] <= MOST_LATE) & (whole[:, -1] > 0)
            for one in sorted(np.flatnonzero(good), key=lambda one: (digits_of(int(lengths[one])), lengths[one])):
                length = int(lengths[one])
                decay = Run(shape, peak, 0.0, int(horizon) - length)
                schedule = Join((Run(shapes.linear, 0.0, peak, length), decay)) if length else decay
                if (np.abs(np.asarray(schedule(rows.u - whole[one])) - rows.y) <= rows.tolerance).all():
                    return np.asarray(-whole[one], np.int64)
    return None


def _peaks(rate: float) -> Iterator[float]:
    """The numbers of one, two and three digits just above a rate, and before them one that the log states."""
    if (known := stated_between(rate, ABOVE * rate)) is not None:
        yield known
    power = math.floor(math.log10(rate)) if rate > 0 else 0
    for digits in (1, 2, 3):
        unit = power - digits + 1
        for number in range(math.ceil(rate / 10.0**unit - 1e-9), math.floor(ABOVE * rate / 10.0**unit) + 1):
            yield float(f"{number}e{unit}")
