"""Statistics of a comparison against numbers worked out by hand, and against SciPy called directly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, bootstrap

from annealing.compare.statistics import ErrorCurve, Interval, first_reached, median_interval, speed_up


def curve(times: list[float], *seeds: list[float]) -> ErrorCurve:
    return ErrorCurve(np.array(times, float), np.array(seeds, float))


def test_median_interval_is_scipys_percentile_bootstrap():
    values = np.array([4.0, 9.5, 2.25, 7.0, 7.5, 1.0, 3.0, 8.0])
    direct = bootstrap(
        (values,), np.median, n_resamples=9999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert median_interval(values) == (5.5, direct.low, direct.high)
    assert direct.low < 4 < 7 < direct.high


@pytest.mark.parametrize("values", [[3.0, 1, 2, 5, 4], [1.0, 1, 1, 1, 9], [7.0, 8.0]])
def test_up_to_five_seeds_give_their_range(values):
    # the least value is the median of a resample if at least half of its members are that value
    chance = 1 - binom.cdf(len(values) // 2, len(values), 1 / len(values))
    assert chance > 0.025
    assert median_interval(values) == (np.median(values), min(values), max(values))


def test_equal_values_have_an_interval_of_no_width():
    assert median_interval([2.5] * 5) == (2.5, 2.5, 2.5)


def test_one_seed_has_no_interval():
    assert median_interval([2.5]) == (2.5, None, None)
    assert not Interval(2.5, None, None).beside(0)


@pytest.mark.parametrize(
    ("low", "high", "beside"), [(0.1, 2, True), (-2, -0.1, True), (-1, 1, False), (0, 1, False), (-1, 0, False)]
)
def test_an_interval_that_touches_zero_carries_no_verdict(low, high, beside):
    assert Interval((low + high) / 2, low, high).beside(0) is beside


def test_trailing_means_begin_where_there_are_enough():
    mean = curve([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 10, 5]).trailing(5)
    assert mean.times.tolist() == [5, 6]
    assert mean.errors.tolist() == [[3, 4], [2, 3]]


def test_trailing_means_of_few_epochs_use_them_all():
    mean = curve([1, 2], [1, 2]).trailing(5)
    assert (mean.times.tolist(), mean.errors.tolist()) == ([2], [[1.5]])


def test_whole_epochs_leave_the_ends_of_runs_out():
    assert curve([0.2, 1, 1.4, 2], [4, 3, 2, 1]).whole_epochs().errors.tolist() == [[3, 1]]
    assert curve([0.2, 0.5], [4, 3]).whole_epochs().errors.tolist() == [[3]]


def test_a_level_that_equals_the_error_counts_as_reached():
    # as shares of 597 images, the mean of five times 11 / 597 is not 11 / 597: errors are counts
    errors = curve([1, 2, 3, 4, 5, 6], [12, 11, 11, 11, 11, 11])
    assert first_reached(errors, errors.trailing().errors[:, -1]).middle == 2


def test_epochs_to_the_level_and_their_interval():
    # at 10 the median of a resample is at the level if two of its three members are the first seed: chance 7/27;
    # at 20 all seeds are at it
    errors = curve([10, 20], [1, 0], [5, 0], [5, 0])
    assert first_reached(errors, np.full(3, 2.0)) == (20, 10, 20)
    assert speed_up(curve([40], [0], [0], [0]), errors, np.full(3, 2.0)) == (2, 2, 4)


def test_a_level_that_is_never_reached_is_censored():
    errors = curve([10, 20], [9, 8], [9, 8], [9, 1])
    assert first_reached(errors, np.full(3, 2.0)) == (math.inf, 20, math.inf)
    assert speed_up(curve([40], [0], [0], [0]), errors, np.full(3, 2.0)) == (0, 0, 2)
    assert first_reached(errors, np.zeros(3)) == (math.inf, math.inf, math.inf)


def test_the_level_is_resampled_with_its_seeds():
    # the level of a resample is the median of [1, 2, 9] drawn with replacement: 1 with chance 7/27
    errors = curve([10, 20], [2, 1], [2, 1], [2, 1])
    assert first_reached(errors, np.array([1.0, 2.0, 9.0])) == (10, 10, 20)


def test_one_seed_gives_a_time_and_no_interval():
    assert first_reached(curve([10, 20], [3, 1]), np.array([2.0])) == (20, None, None)
    assert first_reached(curve([10, 20], [3, 3]), np.array([2.0])) == (math.inf, None, None)
