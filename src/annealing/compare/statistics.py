"""Pure functions of records: medians with intervals, and epochs to a level.

Errors are counted in images, so that comparisons with a level are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

Array = NDArray[np.float64]
RESAMPLES = 9999
CONFIDENCE = 0.95
WINDOW = 5  # epochs over which the error of step decay is averaged


class Interval(NamedTuple):
    """An estimate, and the ends of its interval; None where one seed gives none."""

    middle: float
    low: float | None
    high: float | None

    def beside(self, value: float) -> bool:
        """Whether the whole interval is on one side of a value."""
        return self.low is not None and self.high is not None and (self.low > value or self.high < value)


def median_interval(values: Sequence[float] | Array) -> Interval:
    """The median, and its percentile bootstrap interval of 95 %.

    values: one for each seed.

    >>> median_interval([3, 1, 2, 5, 4])
    Interval(middle=3.0, low=1.0, high=5.0)

    With five values the interval is their range, since 5.8 % of the resamples have the least value as their median and
    as many the greatest; the range holds the true median of a continuous distribution with a chance of 93.8 %.
    """
    data = np.asarray(values, float)
    return _interval(data, lambda index, axis=-1: np.median(data[index], axis=axis))


@dataclass(frozen=True)
class Curve:
    """The errors of one arm: times of evaluation in epochs, and an error for each seed (row) and time (column)."""

    times: Array
    errors: Array

    def at(self, times: Sequence[float] | Array) -> Curve:
        """The curve at some of its times."""
        columns = [int(np.flatnonzero(self.times == time)[0]) for time in times]
        return Curve(self.times[columns], self.errors[:, columns])

    def whole_epochs(self) -> Curve:
        """The curve at the ends of epochs; at its end if that comes before."""
        whole = self.times[self.times % 1 == 0]
        return self.at(whole if len(whole) else self.times[-1:])

    def trailing(self, window: int = WINDOW) -> Curve:
        """The mean of each error and those before it, `window` in all, from the first time that has so many."""
        window = min(window, len(self.times))
        sums = np.cumsum(np.pad(self.errors, ((0, 0), (1, 0))), axis=1)
        return Curve(self.times[window - 1 :], (sums[:, window:] - sums[:, :-window]) / window)


def first_reached(curve: Curve, level: float) -> float | None:
    """The first time at which the median over the seeds is at most the level; None if that never happens.

    >>> first_reached(Curve(np.array([10.0, 30.0]), np.array([[9.0, 5.0], [7.0, 3.0], [2.0, 2.0]])), level=3)
    30.0
    """
    time = float(_first(curve, np.arange(len(curve.errors)), level))
    return None if time == np.inf else time


def speed_up(reference: Curve, curve: Curve, final: Array) -> Interval:
    """How many times earlier a curve reaches the level than a reference does, resampling all of them by seeds.

    final: the baseline's final error for each seed. 0 stands for: the curve never reaches the level.
    """

    def ratio(index: Any, axis: int = -1) -> Any:
        level = np.median(final[index], axis=axis)
        return _first(reference, index, level) / _first(curve, index, level)

    return _interval(final, ratio)


def _first(curve: Curve, index: NDArray[np.intp], level: Any) -> Any:
    """As `first_reached`, for the seeds of each resample; never is infinity."""
    reached = np.median(curve.errors[index], axis=-2) <= np.asarray(level)[..., None]
    return np.where(reached.any(axis=-1), curve.times[reached.argmax(axis=-1)], np.inf)


def _interval(data: Array, statistic: Any) -> Interval:
    """A statistic of the seeds' numbers, and its percentile bootstrap interval over the seeds."""
    seeds = np.arange(len(data))
    middle = float(statistic(seeds))
    if len(seeds) < 2:
        return Interval(middle, None, None)
    ends = bootstrap(
        (seeds,),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(middle, float(ends.low), float(ends.high))
