"""Cooldowns and changed horizons, against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest

from annealing import (
    Schedule,
    ScheduleError,
    branch_cooldown,
    change_horizon,
    cooldown,
    cosine,
    half_life,
    linear,
    parse,
    warm_restarts,
)

ULP = 2**-52


@pytest.mark.parametrize(
    ("curve", "weight"),
    [
        ("linear", lambda v: 1 - v),
        ("cosine", lambda v: (1 + math.cos(math.pi * v)) / 2),
        ("1-sqrt", lambda v: 1 - math.sqrt(v)),
        ("1-square", lambda v: 1 - v * v),
        ("mirror-cosine", lambda v: 2 * (1 - v) - (1 + math.cos(math.pi * v)) / 2),
        ("halving", lambda v: 2 * 0.5**v - 1),
        ("geometric", lambda v: (0.1**v - 0.1) / 0.9),
    ],
)
def test_each_curve_is_its_formula(curve: str, weight: Callable[[float], float]) -> None:
    schedule = cooldown(1, 0.1, 20, curve)
    for t in (0, 0.5, 3, 10, 17, 19.5):
        assert schedule(t) == pytest.approx(0.1 + 0.9 * weight(t / 20), rel=8 * ULP)
    assert schedule(20) == 0.1


def test_the_three_exponential_cooldowns_differ_as_in_their_frameworks() -> None:
    middle = [cooldown(1, 0.1, 20, "geometric")(10), cooldown(1, 0, 20, "halving")(10), half_life(1, 5, 20)(10)]
    assert middle == pytest.approx([math.sqrt(0.1), math.sqrt(2) - 1, 0.25], rel=8 * ULP)


def test_a_cooldown_begins_with_the_rate_of_the_next_update() -> None:
    restarts = warm_restarts(eta_max=0.1, T_0=10)
    assert restarts.branch_cooldown(15, 5)(15) == restarts(15)
    assert restarts.branch_cooldown(10, 5)(10) == 0.1
    assert restarts.branch_cooldown(15, 5).left(15) == restarts(15)
    assert restarts.branch_cooldown(15, 4, "cosine", 0.01)(17) == pytest.approx((restarts(15) + 0.01) / 2, rel=4 * ULP)


def test_restretching_keeps_the_rate_and_what_follows() -> None:
    schedule = linear(0, 1, 10) >> linear(1, 0, 90)
    changed = change_horizon(schedule, 55, 145, policy="restretch")  # 45 that were left become 90
    assert [changed(t) for t in (10, 55, 100, 145)] == pytest.approx([1, 0.5, 0.25, 0], rel=4 * ULP)
    assert changed.duration == 145


def test_the_continuous_policy_leads_the_new_curve_through_the_rate() -> None:
    changed = change_horizon(linear(1, 0.2, 8), 4, 16, policy="continuous")
    # stretched to 16 it has 0.8 at 4, where the rate is 0.6: the line through (0.8, 0.6) and (0.2, 0.2) has slope 2/3
    for t in (4, 7, 10, 16):
        assert changed(t) == pytest.approx(0.2 + 2 / 3 * (1 - 0.8 * t / 16 - 0.2), rel=8 * ULP)
    assert changed(16) == 0.2


@pytest.mark.parametrize("end", [0, 0.013])
def test_the_continuous_policy_meets_the_rate_bit_for_bit(end: float) -> None:
    schedule = cosine(0.1, end, 997)
    for at in range(1, 900, 7):
        changed = change_horizon(schedule, at, 1500, policy="continuous")
        assert changed(at) == changed.left(at) == schedule(at)
        assert changed(1500) == changed.left(1500) == end


def test_holding_and_warming_up_again() -> None:
    held = change_horizon(linear(1, 0, 10), 5, 25, policy="hold", length=4, curve="1-square")
    assert [held(t) for t in (5, 20.9, 21, 23, 25)] == [0.5, 0.5, 0.5, 0.375, 0.0]
    warmed = change_horizon(linear(1, 0.1, 9), 9, 25, policy="rewarm", length=4, eta_max=0.9, curve="linear")
    assert [warmed(t) for t in (9, 11, 13, 19, 25)] == pytest.approx([0.1, 0.5, 0.9, 0.5, 0.1], rel=4 * ULP)


def test_they_print_as_the_call_and_read_back() -> None:
    for made in (
        branch_cooldown(warm_restarts(0.1, T_0=10), at=15, length=5, curve="1-sqrt"),
        change_horizon(cosine(0.1, 0, 20), 15, Fraction(100, 3), policy="hold", length=5),
    ):
        assert parse(str(made)) == made
        assert str(parse(str(made))) == str(made)
        assert made.fingerprint == parse(str(made)).fingerprint


def wrong(**options: object) -> Callable[[], Schedule]:
    given = {"at": 5, "T_new": 20, "policy": "restretch"} | options
    return lambda: change_horizon(linear(1, 0, 10), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (wrong(policy="stretch"), "policy must be one of restretch, continuous, hold, rewarm, got 'stretch'"),
        (wrong(at=0), "at must be above 0, at most 10, and below T_new = 20, got 0"),
        (wrong(at=11), "at must be above 0, at most 10"),
        (wrong(T_new=5), "below T_new = 5, got 5"),
        (wrong(at=10), "at must be below the length 10 for policy 'restretch', got 10"),
        (wrong(length=3), "length has no meaning for policy 'restretch', got 3"),
        (wrong(policy="hold"), "length must be given for policy 'hold'"),
        (wrong(policy="hold", length=15), "length must be less than T_new - at = 15, got 15"),
        (wrong(policy="hold", length=3, eta_max=1), "eta_max has no meaning for policy 'hold', got 1"),
        (wrong(policy="rewarm", length=3), "eta_max must be given for policy 'rewarm'"),
        (wrong(policy="rewarm", length=3, eta_max=0.4), "eta_max must be at least the rate 0.5 at 5, got 0.4"),
        (lambda: change_horizon(warm_restarts(1, T_0=10), 5, 20, policy="restretch"), "schedule must end"),
        (lambda: change_horizon(0.1, 5, 20, policy="restretch"), "schedule must be a schedule, got 0.1"),  # type: ignore[arg-type]
        (lambda: linear(1, 0, 10).branch_cooldown(12, 5), "at must be at most the duration 10, got 12"),
        (lambda: linear(1, 0, 10).branch_cooldown(5, 5, "sqrt"), "curve must be one of linear, cosine, 1-sqrt"),
        (lambda: cooldown(1, 0, 5, "geometric"), 'end must be above 0 for curve "geometric", got 0'),
        (lambda: half_life(1, T_half=1, length=1000), "length must be at most 900 T_half, got 1000"),
    ],
)
def test_what_is_refused(make: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(ScheduleError, match=message.replace("(", r"\(")):
        make()
