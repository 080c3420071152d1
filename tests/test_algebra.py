"""Differences, quotients and parts of length 0: what they are worth, how they print and read back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from annealing import (
    Join,
    Repeat,
    Schedule,
    ScheduleError,
    constant,
    cosine,
    exponential,
    from_json,
    inverse_sqrt,
    linear,
    parse,
    step,
    warm_restarts,
)
from annealing.testing import check_schedule

C = cosine(1, 0, 100)
TIMES = [0, 1, 12.5, 50, 99, 100, 150]

# Each written with Python's operators, for schedules on the left and for their values on the right.
OPERATIONS: dict[str, Callable[[float | Schedule], float | Schedule]] = {
    "s - 0.01": lambda s: s - 0.01,
    "1 - s": lambda s: 1 - s,
    "-s": lambda s: -s,
    "s / 3": lambda s: s / 3,
    "0.001 / (s + 1)": lambda s: 0.001 / (s + 1),
    "-(s - 1) * 2": lambda s: -(s - 1) * 2,
    "s - (s - 1)": lambda s: s - (s - 1),
    "1 - s / 2": lambda s: 1 - s / 2,
    "s - 2 * s": lambda s: s - 2 * s,
    "-s * s": lambda s: -s * s,
    "-(1 / (s + 2))": lambda s: -(1 / (s + 2)),
    "s / (s + 1) / -2": lambda s: s / (s + 1) / -2,
    "3 - -2 / (s + 1)": lambda s: 3 - -2 / (s + 1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operators_act_on_schedules_as_on_numbers(name: str) -> None:
    operation = OPERATIONS[name]
    schedule = operation(C)
    assert isinstance(schedule, Schedule)
    for t in TIMES:
        assert schedule(t) == pytest.approx(operation(C(t)), rel=1e-15)
    assert schedule.duration == 100
    again = parse(str(schedule))
    assert (again, str(again)) == (schedule, str(schedule))
    assert from_json(schedule.to_json()) == schedule
    assert parse(name.replace("s", "cosine(1, 0, 100)")) == schedule


@pytest.mark.parametrize(
    "schedule",
    [
        1 - cosine(1, 0.1, 20),
        1e-4 / warm_restarts(eta_max=0.1, eta_min=0.01, T_0=10, T_mult=2),
        cosine(1, 0.1, 20) / linear(2, 1, 30) - 0.01,
        (linear(0, 1, 4) / 3 >> 1 / linear(1, 4, 10)).stretched(1.5),
        Repeat((-cosine(1, 0.5, 4)) / 2, growth=2),
        linear(0, 1, 0) >> cosine(1, 0, 20),
        cosine(1, 0.5, 20) >> linear(0.2, 0.1, 0),
        cosine(1, 0.5, 20) >> linear(0.2, 0.1, 0) >> linear(0.5, 0, 10),
        linear(0, 1, 0) * cosine(1, 0.2, 7) >> constant(0.3),
    ],
    ids=str,
)
def test_the_laws_hold(schedule: Schedule) -> None:
    check_schedule(schedule)


def test_parse_returns_a_schedule_as_it_is() -> None:
    assert parse(C) is C


@pytest.mark.parametrize(
    ("divide", "message"),
    [
        (lambda: 1 / C, "at 100: cosine(1, 0, 100)"),
        (lambda: 1 / linear(0, 1, 5), "at 0: linear(0, 1, 5)"),
        (lambda: 1 / linear(-1, 1, 10), "at 5: linear(-1, 1, 10)"),
        (lambda: 1 / (C - 0.5), "at 50: cosine(1, 0, 100) - 0.5"),
        (lambda: 1 / (C - C), "at 0: "),
        (lambda: 1 / warm_restarts(1, T_0=10), "at 10: "),
        (lambda: 1 / (linear(1, 0, 10) >> constant(1)), "at 10: "),
        (lambda: 1 / step(1, 10), "at 3240: step(1, 10)"),  # 0.1^324 is the first power below the least float
        (lambda: 1 / inverse_sqrt(1, 10), "at 0: "),
        (lambda: C / 0, "at 0: 0"),
        (lambda: parse("1 / exponential(1, 0.9)"), "at 7072."),
    ],
)
def test_what_reaches_0_divides_nothing(divide: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(ScheduleError, match="a divisor must not reach 0") as caught:
        divide()
    assert message in str(caught.value)


def test_a_sum_that_only_seems_to_reach_0_divides() -> None:
    assert (1 / (linear(1, 0, 10) + linear(0, 1, 10)))(5) == 1
    assert (1 / (exponential(1, 0.9) + 1e-6))(10**6) == pytest.approx(1e6)


def test_the_decay_of_weights_apart_from_the_rate() -> None:
    rate = linear(1e-3, 0.1, 5) >> cosine(0.1, 1e-3, 95)
    decay = 1e-4 / rate
    assert decay(5) == 1e-4 / 0.1
    steps = np.arange(100)
    np.testing.assert_array_equal(decay(steps), 1e-4 / rate(steps))


def test_a_part_of_length_0_is_left_out() -> None:
    assert linear(0, 1, 0) >> C == C == Join((linear(0, 1, 0), linear(0, 5, 0), C))
    assert (C >> linear(0.5, 0.5, 0)) >> linear(0, 1, 5) == C >> linear(0, 1, 5)
    assert Join((Join((C, linear(0.5, 0.5, 0))), linear(0, 1, 5))) == C >> linear(0, 1, 5)
    assert (linear(0, 1, 0) >> C).fingerprint == C.fingerprint
    assert str(linear(0, 1, 0) >> C) == "linear(0, 1, 0) >> cosine(1, 0, 100)"
    assert C.until(0) >> linear(0, 1, 5) == linear(0, 1, 5) == linear(0, 9, 0).stretched(3) >> linear(0, 1, 5)


def test_a_last_part_of_length_0_determines_what_is_held() -> None:
    schedule = C >> linear(0.5, 0.25, 0)
    assert (schedule(99), schedule.left(100), schedule(100), schedule.duration) == (C(99), 0, 0.25, 100)
    assert schedule.runs() == C.runs()
    alone = linear(0, 1, 0)
    assert (alone(0), alone(7), alone.duration, alone.shifted(5).duration) == (1, 1, 0, 5)


def test_nothing_can_be_repeated_of_length_0() -> None:
    with pytest.raises(ScheduleError, match="must have a length above 0"):
        Repeat(linear(0, 1, 0))
