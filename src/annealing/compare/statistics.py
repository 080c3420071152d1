"""Pure functions of records: medians with intervals, tests of differences, and epochs to a level.

Errors are counted in images, so that comparisons with a level are exact. Sums are exact and then rounded once, and no
value depends on the order in which a processor adds: every machine computes the same digits from the same records.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr
from scipy.stats import bootstrap

Array = NDArray[np.float64]
RESAMPLES = 9999
CONFIDENCE = 0.95
SIGNIFICANT = 0.05  # differences with a corrected p value below this are called significant
RANGE = 5  # up to so many seeds, the bootstrap interval of a median is the range of the seeds
WINDOW = 5  # epochs over which the error of step decay is averaged
EASED = 0.25  # percentage points by which the second level is easier than the first


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
    as many the greatest; the range of n values holds the true median of a continuous distribution with a chance of
    1 - 2^(1 - n): 94 % for five seeds, 75 % for three.
    """
    data = np.asarray(values, float)
    return _interval(data, lambda index, axis=-1: np.median(data[index], axis=axis))


def p_value(differences: Sequence[float] | Array, grid: float = 0.0) -> float | None:
    """The two-sided p value of a paired t-test: the chance of such a mean where the seeds differ by chance alone.

    differences: one for each seed; None for fewer than two. grid: the distance between possible differences, such as
    that of one test image.

    >>> p_value([1.0, 2.0, 3.0])  # t = 2 / (1 / sqrt(3)) with 2 degrees of freedom
    0.0742
    """
    values = [float(value) for value in differences]
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    # a few counts are often equal by chance, which would make t infinite: each of the two has at least the variance of
    # rounding, 1/12 of the grid squared
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1) + grid**2 / 6
    if not variance:
        return 0.0 if mean else 1.0
    chance = 2 * float(stdtr(len(values) - 1, -abs(mean) / math.sqrt(variance / len(values))))
    # the last digits of the special function depend on the library, and mean nothing
    return float(f"{chance:.3g}")


def corrected(values: Sequence[float | None]) -> list[float | None]:
    """P values, where there are any, corrected for their number by Holm's step-down method.

    At most 5 % of tables in which nothing differs then have any difference that is called significant.

    >>> corrected([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found, least = [*values], 0.0
    known = sorted((value, index) for index, value in enumerate(values) if value is not None)
    for rank, (value, index) in enumerate(known):
        least = max(least, min(1.0, value * (len(known) - rank)))
        found[index] = least
    return found


@dataclass(frozen=True)
class ErrorCurve:
    """The errors of one arm: times of evaluation in epochs, and an error for each seed (row) and time (column)."""

    times: Array
    errors: Array

    def at(self, times: Sequence[float] | Array) -> ErrorCurve:
        """The curve at some of its times."""
        columns = np.searchsorted(self.times, times)
        return ErrorCurve(self.times[columns], self.errors[:, columns])

    def whole_epochs(self) -> ErrorCurve:
        """The curve at the ends of epochs; at its end if that comes before."""
        whole = self.times[self.times % 1 == 0]
        return self.at(whole if len(whole) else self.times[-1:])

    def trailing(self, window: int = WINDOW) -> ErrorCurve:
        """The mean of each error and those before it, `window` in all, from the first time that has so many."""
        # a training shorter than the window is averaged over all of it
        window = min(window, len(self.times))
        ends = range(window, len(self.times) + 1)
        means = [[math.fsum(seed[end - window : end]) / window for end in ends] for seed in self.errors.tolist()]
        return ErrorCurve(self.times[window - 1 :], np.array(means))

    def anytime(self, begin: float, end: float) -> Array:
        """The error of the latest model at hand, for each seed: its mean over log2 of the epochs from begin to end.

        begin: not before the first of the times.

        >>> curve = ErrorCurve(np.array([1.0, 2.0, 8.0]), np.array([[50.0, 20.0, 10.0]]))
        >>> curve.anytime(1, 16)  # 50, 20 and 10 for 1, 2 and 1 octaves
        array([25.])
        """
        edges = np.array([begin, *self.times[(self.times > begin) & (self.times < end)], end])
        held = self.errors[:, np.searchsorted(self.times, edges[:-1], "right") - 1]
        octaves = [octaves_between(*pair) for pair in pairwise(edges.tolist())]
        # a matrix product adds in an order that depends on the processor
        sums = [math.fsum(map(operator.mul, seed, octaves)) for seed in held.tolist()]
        return np.array(sums) / math.fsum(octaves)


def octaves_between(begin: float, end: float) -> float:
    """log2(end / begin), the same on every processor.

    >>> octaves_between(1, 8)
    3.0
    """
    # libm and NumPy have several log2, chosen by the processor, that differ in the last bit; decimal's ln is exact
    precise = Context(prec=30)
    quotient = precise.divide(Decimal(end), Decimal(begin))
    return float(precise.divide(precise.ln(quotient), precise.ln(Decimal(2))))


def first_reached(curve: ErrorCurve, final: Array) -> Interval:
    """The first time at which the median over the seeds is at the level; infinity stands for never.

    final: the baseline's final error for each seed; the level is their median, and is resampled with them.

    >>> curve = ErrorCurve(np.array([10.0, 30.0]), np.array([[9.0, 5.0], [7.0, 3.0], [2.0, 2.0]]))
    >>> first_reached(curve, final=np.array([3.0, 3.0, 3.0]))
    Interval(middle=30.0, low=10.0, high=inf)
    """
    # level and curve are resampled together, since both belong to the same seeds
    found = _interval(final, lambda index, axis=-1: np.minimum(_first(curve, index, final), NEVER))
    last = curve.times[-1]
    return Interval(*(end if end is None or end <= last else math.inf for end in found))  # type: ignore[arg-type]


def speed_up(reference: ErrorCurve, curve: ErrorCurve, final: Array) -> Interval:
    """How many times earlier a curve is at the level than a reference, which reaches it; 0 stands for never.

    final: as for `first_reached`; all three are resampled by seeds together.
    """
    return _interval(final, lambda index, axis=-1: _first(reference, index, final) / _first(curve, index, final))


NEVER = 1e12  # epochs, since percentiles of infinities are no numbers


def _first(curve: ErrorCurve, index: NDArray[np.intp], final: Array) -> Any:
    """The first time at the level for the seeds of each resample; never is infinity."""
    level = np.median(final[index], axis=-1)
    reached = np.median(curve.errors[index], axis=-2) <= level[..., None]
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
        # the same records give the same interval each time
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(middle, float(ends.low), float(ends.high))
