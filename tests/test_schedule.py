"""Runs, restarts, snapshots, policies, result types, and bad input that fails when a schedule is made."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from annealing import (
    Join,
    Repeat,
    Run,
    Schedule,
    ScheduleError,
    cosine,
    linear,
    minimum,
    multistep,
    runs,
    shapes,
    step,
    warm_restarts,
)

# The ends of the runs within 200 epochs, as the SGDR paper has them.
PAPER = {
    (1, 2): [1, 3, 7, 15, 31, 63, 127],
    (10, 2): [10, 30, 70, 150],
    (50, 1): [50, 100, 150, 200],
    (100, 1): [100, 200],
    (200, 1): [200],
}


@pytest.mark.parametrize(("T_0", "T_mult"), PAPER)
def test_the_snapshots_of_the_paper(T_0: int, T_mult: int) -> None:
    schedule = warm_restarts(eta_max=0.05, T_0=T_0, T_mult=T_mult)
    assert schedule.snapshots(until=200) == PAPER[T_0, T_mult]
    assert schedule.restarts(until=200) == [T for T in PAPER[T_0, T_mult] if T < 200]
    assert [span.end for span in schedule.runs(until=200)][: len(PAPER[T_0, T_mult])] == PAPER[T_0, T_mult]


@pytest.mark.parametrize(
    ("schedule", "restarts", "snapshots"),
    [
        (cosine(1, 0, 10), [], [10]),
        (linear(0, 1, 5), [], [5]),
        (step(1, 10), [], []),
        (multistep(1, [10, 20]), [], []),
        (linear(0, 1, 5) >> cosine(1, 0, 10), [], [15]),
        (linear(0, 1, 5) >> warm_restarts(eta_max=1, T_0=10, T_mult=2), [15, 35, 75], [15, 35, 75]),
        (runs([(10, 1, 0.5), (5, 0.5, 0.1), (20, 0.4, 0)]), [10, 15], [15, 35]),
        (warm_restarts(eta_max=1, T_0=10, runs=2), [10], [10, 20]),
        (cosine(1, 0, 10) >> Run(shapes.flat, 0, 0, 5) >> cosine(1, 0, 10), [15], [15, 25]),
        (Repeat(linear(0, 1, 10) >> linear(1, 0, 10)), [20, 40, 60, 80], [20, 40, 60, 80]),
        (cosine(1, 0, 10).beyond("mirror"), [], [10, 30, 50, 70, 90]),
        (0.5 * warm_restarts(eta_max=1, T_0=25) + 0.1, [25, 50, 75], [25, 50, 75]),
        (warm_restarts(eta_max=1, T_0=25).stretched(2), [50], [50]),
        (warm_restarts(eta_max=1, T_0=25).shifted(3), [28, 53, 78], [28, 53, 78]),
        # what a cut leaves of a copy or of a run does not begin anything
        (linear(0, 1, 5) >> warm_restarts(eta_max=1, T_0=10, T_mult=2).shifted(-15), [20, 60], [20, 60]),
        (linear(0, 1, 5) >> warm_restarts(eta_max=1, T_0=25).shifted(-30), [25, 50, 75], [25, 50, 75]),
        (linear(0, 1, 5) >> warm_restarts(eta_max=1, T_0=25).shifted(-25), [30, 55, 80], [30, 55, 80]),
        (
            linear(0, 1, 5) >> warm_restarts(eta_max=1, T_0=25, eta_max_factor=0.5).shifted(-25),
            [30, 55, 80],
            [30, 55, 80],
        ),
        (cosine(1, 0, 20).until(9) >> cosine(1, 0, 20).shifted(-9) >> cosine(1, 0, 20), [20], [20, 40]),
        (warm_restarts(eta_max=1, T_0=22.5), [22.5, 45, 67.5, 90], [22.5, 45, 67.5, 90]),
        (warm_restarts(eta_max=1, eta_min=0.5, T_0=30, eta_max_factor=0.5), [30, 60, 90], []),
    ],
    ids=str,
)
def test_restarts_and_snapshots(schedule: Schedule, restarts: list[float], snapshots: list[float]) -> None:
    assert schedule.restarts(until=95) == restarts
    assert schedule.snapshots(until=95) == snapshots


def test_a_cycle_that_is_cut_is_not_a_snapshot() -> None:
    schedule = warm_restarts(eta_max=1, T_0=10, T_mult=2)
    assert schedule.snapshots(until=29.5) == [10]
    assert schedule.snapshots(until=30) == [10, 30]
    assert [span.end for span in schedule.runs(until=30.5)] == [10, 30, 70]


def test_the_last_cycle_is_whole_or_endless() -> None:
    assert cosine(0.1, 0, 200).runs(until=50) == [(0, 200, 0.1, 0)]
    assert multistep(1, [60], gamma=0.5).runs(until=1e6) == [(0, 60, 1, 1), (60, math.inf, 0.5, 0.5)]
    assert [run[:2] for run in (linear(1, 0, 20) + cosine(1, 0, 30)).runs()] == [(0, 20), (20, 30)]
    assert len(warm_restarts(1, T_0=1).runs(60_000)) == 60_000
    with pytest.raises(ScheduleError, match="more than 100,000 cycles before 100001"):
        warm_restarts(1, T_0=1).runs(100_001)


def test_what_never_ends_needs_until() -> None:
    schedule = step(1, 10)
    for question in (schedule.runs, schedule.restarts, schedule.snapshots):
        with pytest.raises(ScheduleError, match=r"until must be given.*step\(1, 10\)"):
            question()
    assert schedule.duration is None
    assert (linear(0, 1, 5) >> cosine(1, 0, 2.5)).duration == 7.5


def test_an_exact_time_that_is_no_float_is_rounded_up() -> None:
    (restart,) = warm_restarts(eta_max=1, T_0=Fraction(10, 3), runs=2).restarts()
    assert Fraction(restart) > Fraction(10, 3) > Fraction(math.nextafter(restart, 0))


def test_beyond_the_end() -> None:
    schedule = cosine(1, 0, 10)
    assert [schedule.beyond("hold")(t) for t in (10, 15, 20)] == [0, 0, 0]
    assert [schedule.beyond("repeat")(t) for t in (10, 15, 20)] == [1, 0.5, 1]
    assert [schedule.beyond("mirror")(t) for t in (10, 15, 20)] == [0, 0.5, 1]
    strict = schedule.beyond("raise")
    assert strict(10) == 0
    for late in (10.5, np.array([3, 11]), torch.tensor([11.0])):
        with pytest.raises(ScheduleError, match="t must be at most 10, the end"):
            strict(late)
    assert np.isnan(jax.jit(strict)(jnp.array([11.0]))).all()
    assert (strict >> linear(0, 1, 5))(15) == 1
    assert 0.5 * strict != 0.5 * schedule
    with pytest.raises(ScheduleError, match="at most 10"):
        (0.5 * strict)(11)


def test_a_time_is_the_float_itself_and_a_length_its_shortest_decimal() -> None:
    schedule = warm_restarts(eta_max=1, T_0=0.1).stretched(50)
    assert schedule.restarts(16) == [5, 10, 15]
    assert schedule == warm_restarts(eta_max=1, T_0=Fraction(1, 10)).stretched(50)
    assert warm_restarts(eta_max=1, T_0=np.float32(0.1)) == warm_restarts(eta_max=1, T_0=0.1)
    assert cosine(np.float64(0.1), np.float32(0), np.int64(5)) == cosine(0.1, 0, 5)


def test_result_types() -> None:
    schedule = linear(0, 0.1, 5) >> warm_restarts(eta_max=0.1, T_0=10)
    assert type(schedule(3)) is type(schedule(3.0)) is type(schedule(Fraction(3))) is float
    for t in (np.int8(3), np.float16(3), np.uint64(3), np.array(3)):
        assert type(schedule(t)) is np.float64
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        assert schedule(torch.tensor([3, 7], dtype=dtype)).dtype == dtype
    for dtype in (torch.uint8, torch.int32, torch.int64):
        assert schedule(torch.tensor([3, 7], dtype=dtype)).dtype == torch.float64
    assert schedule(torch.tensor(3)).shape == ()
    assert schedule(np.zeros((2, 0))).shape == (2, 0)
    assert schedule(jnp.array([3, 7], jnp.bfloat16)).dtype == jnp.float32
    for dtype in (jnp.int8, jnp.uint32, jnp.int32):
        assert schedule(jnp.array([3, 7], dtype)).dtype == jnp.float32
    assert np.isnan(schedule(np.array([math.nan, 1]))).tolist() == [True, False]


def test_a_sum_is_rounded_once_to_the_type_of_the_tensor() -> None:
    schedule, t = linear(0, 1 / 3, 7) + cosine(1 / 7, 0, 9), torch.arange(7, dtype=torch.float32)
    assert schedule(t).tolist() == schedule(t.double()).float().tolist()


def test_jax_counts_exactly_in_32_bits() -> None:
    schedule = linear(0, 0.1, 1000) >> warm_restarts(eta_max=0.1, T_0=1001)
    restarts = 1000 + 1001 * np.array([1, 1000, 16_761, 1_000_000, 2_000_000], np.int32)
    assert jax.jit(schedule)(restarts).tolist() == [np.float32(0.1)] * 5
    assert np.asarray(jax.jit(schedule)(restarts - 1)).max() < 3e-7
    growing = warm_restarts(eta_max=0.1, T_0=1, T_mult=3)
    begins = np.array([(3**i - 1) // 2 for i in range(2, 20)], np.int32)
    assert jax.jit(growing)(begins).tolist() == [np.float32(0.1)] * 18
    assert np.asarray(jax.jit(growing)(begins - 1)).max() < 0.08
    grad = jax.grad(lambda t: cosine(1.0, 0.0, 10)(t))(jnp.float32(4))
    assert grad == pytest.approx(-math.pi / 20 * math.sin(math.pi * 0.4), rel=1e-6)


def test_periods_too_fine_for_32_bits_are_refused_only_there() -> None:
    schedule = warm_restarts(eta_max=1, T_0=0.123456789)
    assert schedule(np.array([0.123456789 * 5]))[0] == schedule(0.123456789 * 5)
    assert schedule(torch.tensor([0.3], dtype=torch.float64)).item() == schedule(0.3)
    with pytest.raises(ScheduleError, match="too fine a fraction"):
        jax.jit(schedule)(jnp.arange(3))


BAD: list[tuple[Any, str]] = [
    (lambda: cosine("a", 0, 5), "eta_max must be a real number, got 'a'"),  # type: ignore[arg-type]
    (lambda: cosine(math.nan, 0, 5), "eta_max must be finite, got nan"),
    (lambda: cosine(math.inf, 0, 5), "eta_max must be finite, got inf"),
    (lambda: cosine(True, 0, 5), "eta_max must be a real number, got True"),
    (lambda: cosine(0.1, 0.2, 5), "eta_min must be at most eta_max = 0.1, got 0.2; in cosine"),
    (lambda: warm_restarts(0.1, T_0=-1), "T_0 must be above 0 and at most 2^53, got -1"),
    (lambda: cosine(0.1, 0, -1.5), "T_max must be at least 0 and at most 2^53, got -1.5"),
    (lambda: cosine(0.1, 0, 2**53 + 1), "T_max must be above 0 and at most 2^53"),
    (lambda: cosine(0.1, 0, math.nan), "T_max must be finite, got nan"),
    (lambda: cosine(0.1, 0, "10epp"), "T_max must be a number"),  # type: ignore[arg-type]
    (lambda: cosine(0.1, 0, None), "T_max must be a number"),  # type: ignore[arg-type]
    (lambda: linear(0, 10**400, 5), "end must be finite"),
    (lambda: linear(0, 1, 1j), "length must be a number"),  # type: ignore[arg-type]
    (lambda: warm_restarts(0.1, T_0=0), "T_0 must be above 0"),
    (lambda: warm_restarts(0.1, T_0=10, T_mult=0.5), "T_mult must be at least 1, got 0.5"),
    (lambda: warm_restarts(0.1, T_0=10, T_mult=math.inf), "T_mult must be finite"),
    (lambda: warm_restarts(0.1, T_0=10, T_mult=1.0001), "needs more than 100,000 cycles before 2^53"),
    (lambda: warm_restarts(0.1, T_0=10, eta_max_factor=2), "eta_max_factor must be between 0 and 1 where runs"),
    (lambda: warm_restarts(0.1, T_0=10, eta_min_factor=-1), "eta_min_factor must be between 0 and 1"),
    (lambda: warm_restarts(0.1, T_0=10, runs=0), "runs must be a whole number of at least 1, got 0"),
    (lambda: warm_restarts(0.1, T_0=10, runs=2.5), "runs must be a whole number"),  # type: ignore[arg-type]
    (lambda: warm_restarts(1, T_0=10, eta_max_factor=1e200, runs=5), "beyond the range of floats"),
    (lambda: warm_restarts(0.1, 0.2, T_0=10), "eta_min must be at most eta_max = 0.1, got 0.2"),
    (lambda: warm_restarts(0.1, T_0=1, T_mult=1 + Fraction(1, 10**17)), "needs more than 100,000 cycles"),
    (lambda: cosine(1, 0, Fraction(1, 10**400)), "T_max must be above 0"),
    (lambda: runs([]), "listed must be a list of"),
    (lambda: runs([(1, 2)]), r"listed must hold \(T_i, eta_max_i, eta_min_i\) for each cycle, got \(1, 2\)"),  # type: ignore[list-item]
    (lambda: runs([(-1, 1, 0)]), "T_0 of listed must be at least 0"),
    (lambda: step(1, 256).held(1), "every must be at least 2 where copies change, got 1"),
    (lambda: step(0.1, 0), "step_size must be above 0"),
    (lambda: step(0.1, 10, gamma=1.5), "gamma must be between 0 and 1, got 1.5"),
    (lambda: multistep(0.1, [10, 9]), r"milestones must be at least 0 and not decrease, got \[10, 9\]"),
    (lambda: multistep(0.1, [-1, 10]), "milestones must be at least 0"),
    (lambda: multistep(0.1, 10), "milestones must be a list of times"),  # type: ignore[arg-type]
    (lambda: Run(math.cos, 1, 0, 5), "shape must be one of annealing.shapes"),  # type: ignore[arg-type]
    (lambda: Join(()), "parts of a Join must be schedules, at least one"),
    (lambda: Join((1,)), "parts of a Join must be schedules"),  # type: ignore[arg-type]
    (lambda: step(0.1, 5) >> cosine(0.1, 0, 5), r"only the last part of a Join may go on forever.*step\(0.1, 5\)"),
    (lambda: Repeat(step(0.1, 5)), "the part of a Repeat must end"),
    (lambda: Repeat(cosine(1, 0, 5), times=True), "times must be a whole number"),
    (lambda: Repeat(cosine(1, 0, 5), growth=0), "growth must be above 0"),
    (lambda: Repeat(cosine(1, 0, 5), times=2**60), "must end by 2^53"),
    (lambda: Repeat(cosine(1, 0, 5) + 1, peak_factor=0.5), "need a part made of pieces"),
    (lambda: cosine(1, 0, 5).until(6), "time must be at most the duration 5, got 6"),
    (lambda: step(1, 5).until(-1), "time must be at least 0"),
    (lambda: cosine(1, 0, 5).clip(2, 1), "least must be at most 1, got 2"),
    (lambda: minimum(1, 2), "needs at least one schedule"),
    (lambda: cosine(1, 0, 5).shifted(-5), "by must leave a part of a schedule of length 5, got -5"),
    (lambda: cosine(1, 0, 5).shifted("1"), "by must be a number"),
    (lambda: cosine(1, 0, 5).stretched(0), "by must be above 0"),
    (lambda: cosine(1, 0, 5).stretched(2**53), "by must keep the length 5 at most 2^53"),
    (
        lambda: cosine(1, 0, 5).beyond("bounce"),
        "policy must be one of 'hold', 'raise', 'repeat', 'mirror', got 'bounce'",
    ),
    (lambda: cosine(1, 0, 5) + "1", "a number beside a schedule must be a real number"),
    (lambda: cosine(1, 0, 5) * math.inf, "a number beside a schedule must be finite"),
    (lambda: step(1, 5).runs(-math.inf), "until must be finite"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_bad_values_fail_when_the_schedule_is_made(make: Any, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        make()
    if message.startswith(("listed must hold", "only the last", "milestones must be at least 0 and")):
        assert caught.match(message)
    else:
        assert message in str(caught.value)


@pytest.mark.parametrize(
    "t", [True, None, "1", [1], 1j, Decimal(1), np.array(["a"]), np.array([True]), torch.tensor([1j])]
)
def test_objects_that_are_not_times_are_refused(t: Any) -> None:
    with pytest.raises(ScheduleError, match="t must be an int, a float, or an array"):
        cosine(1, 0, 5)(t)


def test_traced_booleans_are_refused() -> None:
    with pytest.raises(ScheduleError, match="t must be"):
        jax.jit(cosine(1, 0, 5))(jnp.array([True]))


def test_a_thousand_joined_parts() -> None:
    schedule: Schedule = linear(0, 1, 1)
    for i in range(999):
        schedule = schedule >> cosine(1, i / 1000, 1)
    assert schedule.left(1000) == 0.998
    assert schedule(np.arange(1000) + 0.5)[500] == pytest.approx((1 + 0.499) / 2, rel=1e-15)
    assert schedule.duration == 1000
