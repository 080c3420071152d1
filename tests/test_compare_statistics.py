"""Statistics of a comparison against numbers worked out by hand, and against SciPy called directly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, bootstrap, t, ttest_rel

from annealing.compare.statistics import (
    SIGNIFICANT,
    ErrorCurve,
    Interval,
    corrected,
    first_reached,
    median_interval,
    p_value,
    speed_up,
)


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


def test_a_p_value_is_that_of_scipys_paired_t_test():
    one, two = np.array([30.1, 29.4, 31.2, 30.0, 28.8]), np.array([30.9, 30.1, 31.0, 31.4, 29.9])
    assert p_value(two - one) == pytest.approx(ttest_rel(two, one).pvalue, rel=5e-3)  # three digits are kept
    assert p_value([1.0]) is None
    assert p_value([0.0, 0.0, 0.0]) == 1
    assert p_value([0.5, 0.5, 0.5]) == 0


def test_counts_that_are_equal_by_chance_are_no_certainty():
    # one image more for both of two seeds: t = 1 / sqrt(1/6 / 2) with one degree of freedom
    assert p_value([1.0, 1.0], grid=1.0) == pytest.approx(2 * t.sf(math.sqrt(12), 1), rel=5e-3)


def test_p_values_are_corrected_as_statsmodels_and_r_do():
    # p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") in R
    assert corrected([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert corrected([0.5, 0.9]) == [1, 1]
    assert corrected([]) == []


EXPERIMENTS = 2000  # the share of one in twenty then has a standard error of 0.5 %


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("arms", [1, 4, 8])
@pytest.mark.parametrize("noise", ["normal", "heavy", "skewed", "counts"])
def test_where_nothing_differs_one_table_in_twenty_reports_a_difference(seeds, arms, noise):
    """Errors of a baseline and of `arms` others that are all alike: the share of tables with any verdict."""
    random = np.random.default_rng(20)
    size = (EXPERIMENTS, arms + 1, seeds)
    drawn = {
        "normal": lambda: random.normal(30, 1, size),
        "heavy": lambda: random.standard_t(3, size),
        "skewed": lambda: random.lognormal(0, 0.5, size),
        "counts": lambda: random.binomial(597, 0.025, size).astype(float),
    }[noise]()
    drawn += random.normal(0, 1, (EXPERIMENTS, 1, seeds)).round() * 3  # what all schedules owe to a seed cancels
    found = 0
    for table in drawn:
        chances = corrected([p_value(arm - table[0], grid=float(noise == "counts")) for arm in table[1:]])
        found += min(chances) < SIGNIFICANT
    assert found / EXPERIMENTS < SIGNIFICANT + 3 * 0.005


@pytest.mark.parametrize(("seeds", "arms", "difference"), [(5, 1, 1.68), (5, 8, 3.01), (10, 8, 1.42)])
def test_the_power_is_what_the_docs_say(seeds, arms, difference):
    """A schedule that is better by so many standard deviations of the paired differences is found in 4 of 5 cases."""
    random = np.random.default_rng(8)
    found = 0
    for _ in range(EXPERIMENTS):
        others = [p_value(random.normal(0, 1, seeds)) for _ in range(arms - 1)]
        found += corrected([p_value(random.normal(difference, 1, seeds)), *others])[0] < SIGNIFICANT
    assert found / EXPERIMENTS == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("seeds", "coverage"), [(2, 0.5), (3, 0.75), (4, 0.875), (5, 0.9375)])
@pytest.mark.parametrize("noise", ["normal", "lognormal"])
def test_a_range_contains_the_true_median_as_often_as_is_said(seeds, coverage, noise):
    random = np.random.default_rng(4)
    median = {"normal": 0, "lognormal": 1}[noise]
    inside = 0
    for _ in range(400):
        low, high = median_interval(getattr(random, noise)(size=seeds))[1:]
        inside += low <= median <= high
    # 400 cases have a standard error of at most 2.5 %
    assert inside / 400 == pytest.approx(coverage, abs=0.06)


@pytest.mark.parametrize("seeds", [8, 20])
def test_the_bootstrap_interval_contains_the_true_median_nearly_as_often_as_it_says(seeds):
    random = np.random.default_rng(4)
    inside = 0
    for _ in range(300):
        low, high = median_interval(random.normal(size=seeds))[1:]
        inside += low <= 0 <= high
    assert 0.91 <= inside / 300 <= 0.985
