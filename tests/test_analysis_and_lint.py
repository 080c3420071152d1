"""Jumps, budget, differences and findings: against hand computation, 50-digit sums and laws over the catalogue."""

from __future__ import annotations

import inspect
import json
import math
import re
from fractions import Fraction
from itertools import pairwise
from typing import Any

import catalogue
import mpmath
import pytest
from catalogue import every
from click.testing import CliRunner
from reference import number

from annealing import (
    Repeat,
    Run,
    Schedule,
    ScheduleError,
    budget,
    cosine,
    diff,
    jumps,
    linear,
    lint,
    maximum,
    minimum,
    runs,
    shapes,
    step,
    warm_restarts,
)
from annealing.cli import main
from annealing.linting import RULES

endless = [name for name, schedule in every.items() if schedule.duration is None]


def names(schedule: Schedule, **options: Any) -> dict[str, float]:
    return {finding.name: finding.time for finding in lint(schedule, **options)}


def horizon(schedule: Schedule) -> Any:
    return 40 if schedule.duration is None else schedule.duration


def test_jumps_of_listed_cycles() -> None:
    schedule = runs([(10, 0.1, 0.01), (30, 0.01, 0), (5, 0.02, 0.02)])
    assert jumps(schedule) == [(40, 0.0, 0.02)]
    assert jumps(schedule, until=39) == []
    assert jumps(schedule, until=40) == [(40, 0.0, 0.02)]


def test_a_jump_at_the_end() -> None:
    schedule = Run(shapes.flat, 0.1, 0.01, 10)
    assert jumps(schedule) == jumps(schedule, until=50) == jumps(schedule.beyond("raise")) == [(10, 0.1, 0.01)]
    assert jumps(schedule, until=9.99) == []


def test_rounding_is_no_jump() -> None:
    """0.1 + 0.2 and 0.3 are not the same float; a continuous hand-over at a third is none at the float above it."""
    assert jumps((linear(0, 0.1, 5) + 0.2) >> linear(0.3, 0, 5)) == []
    assert linear(0, 0.1, Fraction(1, 3)).shifted(10**6)(10**6 + 1) == 0.1
    third = Fraction(10**6) + Fraction(1, 3)
    assert jumps(linear(0, 0.1, third) >> linear(0.1, 0, Fraction(1, 3))) == []
    assert jumps(linear(0, 0.1, 5) >> linear(0.1 * (1 + 1e-14), 0, 5)) == [(5, 0.1, 0.1 * (1 + 1e-14))]


@pytest.mark.parametrize("name", every)
def test_jumps_follow_the_algebra(name: str) -> None:
    schedule = every[name]
    until = Fraction(horizon(schedule))
    found = jumps(schedule, until)
    assert [(2 * time, *values) for time, *values in found] == jumps(schedule.stretched(2), 2 * until)
    assert [(time, 4 * before, 4 * after) for time, before, after in found] == jumps(4 * schedule, until)
    spans = schedule.runs(until)
    height = 1e-6 * max(abs(span.first) for span in spans)
    seen = [two.begin for one, two in pairwise(spans) if abs(one.last - two.first) > height]
    assert [jump.time for jump in found if jump.time < until] == seen
    stairs = {run.begin for run in schedule.cycles(until) if run.stair}  # on which a warm-up may climb
    ups = {time for time, before, after in found if before < after and time < until}
    assert ups - {float(time) for time in stairs} <= set(schedule.restarts(until))


def test_sums_by_hand() -> None:
    assert budget(linear(0.1, 0, 10)) == (0.55, 0.55 / 10, 0.2)  # 0.1 + 0.09 + ... + 0.01; 0.1 and 0.09 are near
    assert budget(linear(0, 0.1, 10), until=12) == (0.65, 0.65 / 12, 0.25)  # ... + 0.09, 0.1, 0.1
    steps = budget(step(1, step_size=30, gamma=0.5), until=75)
    assert steps == (30 + 15 + 0.25 * 15, 48.75 / 75, 30 / 75)
    assert budget(linear(1, 0, 2.5)) == (1 + 0.6 + 0.2, 1.8 / 3, 1 / 3)
    assert budget(cosine(0, 0, 5)) == (0, 0, 1)
    tenth_less = Run(shapes.flat, 0.1, 0.1, 1) >> Run(shapes.flat, 0.09, 0.09, 1)  # 0.9 * 0.1 > 0.09 in floats
    assert budget(tenth_less).share_near_peak == 1


@pytest.mark.parametrize("T", [7, 200, 70_001, 200_000])
def test_the_sum_of_a_cosine(T: int) -> None:
    """Against 50 digits; the cosines of n pi / T, n = 0..T-1, add up to 1, so the sum is known in closed form too."""
    eta_max, eta_min = number(0.1), number(0.003)
    wanted = T * (eta_max + eta_min) / 2 + (eta_max - eta_min) / 2
    if T < 1000:
        cosines = [mpmath.cos(mpmath.pi * n / T) for n in range(T)]
        assert mpmath.almosteq(wanted, sum(eta_min + (eta_max - eta_min) / 2 * (1 + c) for c in cosines), 1e-40)
    assert abs(number(budget(cosine(0.1, 0.003, T)).sum) / wanted - 1) < 2e-16


@pytest.mark.parametrize("name", every)
def test_budgets_follow_the_algebra(name: str) -> None:
    schedule = every[name]
    until = horizon(schedule)
    once, twice = budget(schedule, until), budget(2 * schedule, until)
    assert twice == (2 * once.sum, 2 * once.mean, once.share_near_peak)
    rates = [schedule(n) for n in range(min(1000, -(-Fraction(until) // 1)))]
    if len(rates) < 1000:
        assert once.sum == pytest.approx(float(sum(map(Fraction, rates))), rel=1e-15)
        assert once.share_near_peak == sum(r >= 0.9 * max(rates) - 1e-12 for r in rates) / len(rates)


@pytest.mark.parametrize("question", [jumps, budget, lint, lambda s: diff(s, cosine(0.1, 0, 5))])
@pytest.mark.parametrize("name", endless[:2])
def test_endless_schedules_need_a_time(question: Any, name: str) -> None:
    with pytest.raises(ScheduleError, match="until must be given"):
        question(every[name])


@pytest.mark.parametrize("until", [0, -1, 10**8 + 1, "10", float("nan")])
def test_wrong_times_of_a_budget(until: Any) -> None:
    with pytest.raises(ScheduleError, match="until"):
        budget(linear(0.1, 0, 10), until)


def test_a_difference_in_words() -> None:
    """The gap grows to 0.05 as time goes to 10, where it falls to 0.025; 9.99 is the last time looked at before."""
    lines = diff(cosine(0.1, 0, 10), step(0.1, 5, gamma=0.5), until=10).splitlines()
    most = 0.05 * math.cos(0.001 * math.pi)
    assert [line.partition(":")[0] for line in lines[:5]] == [
        "duration",
        "floor",
        "sum of the rates of 10 updates",
        "first difference",
        "largest difference",
    ]
    assert lines[:3] == [
        "duration: 10 and inf",
        "floor: 0 and 0.025",
        "sum of the rates of 10 updates: 0.55 and 0.75, ratio 0.733333",
    ]
    assert lines[3].startswith("first difference: at 0.01, 0.09999")
    assert lines[3].endswith("and 0.1 (the same at 0)")
    assert lines[4].startswith(f"largest difference: {most:.12g} at 9.99, ")
    looked = "compared at 1001 times from 0 to 10: starts of cycles, 1001 equally spaced times, whole times up to 10"
    assert lines[5:] == [looked]


def test_differences_by_hand() -> None:
    assert diff(cosine(0.1, 0, 10), cosine(0.1, 0.0, 10.0)) == "equal"
    text = diff(step(0.1, 30), step(0.1, 31), until=60.5)
    assert "first difference: at 30, 0.01 and 0.1 (the same at 29.9" in text
    assert "largest difference: 0.09 at 30, 0.01 and 0.1" in text
    assert "sum of the rates of 61 updates: 3.301 and 3.4, ratio 0.970882" in text
    assert "restarts" not in text
    text = diff(warm_restarts(eta_max=1, T_0=10), warm_restarts(eta_max=0.5, T_0=20), until=40)
    assert "peak: 1 and 0.5, ratio 2" in text
    assert "floor" not in text
    assert "restarts: 3 and 1, ratio 3" in text
    assert "first difference: at 0, 1 and 0.5\n" in text


def test_a_difference_that_is_not_found_is_not_denied() -> None:
    """Two ways to write one line; and a needle 1e-7 wide, which is seen since its begin is looked at."""
    one, two = linear(0.1, 0, 10), linear(0.1, 0.05, 5) >> linear(0.05, 0, 5)
    lines = diff(one, two).splitlines()
    assert lines[0] == "not equal as values, but no difference found"
    assert lines[1].startswith("compared at 1001 times from 0 to 10")
    needle = linear(0.1, 0.1, 5.0000001) >> linear(0.2, 0.2, 0.0000001) >> linear(0.1, 0.1, 10)
    text = diff(needle, linear(0.1, 0.1, 10), until=12)
    assert "first difference: at 5.0000001, 0.2 and 0.1" in text


def test_what_a_difference_looks_at() -> None:
    """Whole times between those that are equally far apart, here by 5; the limit at an end that is the last time."""
    assert "first difference: at 1, " in diff(cosine(0.1, 0, 5000), linear(0.1, 0, 5000))
    assert "floor" not in diff(warm_restarts(eta_max=1, T_0=10), linear(1, 0, 10), until=10)
    with pytest.raises(ScheduleError, match="until"):
        diff(cosine(0.1, 0, 10), linear(0.1, 0, 10), until=0)


def test_the_largest_sums_are_left_out() -> None:
    text = diff(cosine(0.1, 0, 1e9), cosine(0.1, 0, 2e9))
    assert "sum" not in text
    assert "whole times up to 100000" in text


def test_refused_times_of_a_difference() -> None:
    with pytest.raises(ScheduleError, match=r"20|end"):
        diff(cosine(0.1, 0, 10).beyond("raise"), cosine(0.1, 0, 20))


warm = linear(0.01, 0.1, 5)

FOUND: list[tuple[Schedule, dict[str, Any], dict[str, float]]] = [
    (linear(0, 0.1, 5) >> cosine(0.1, 0, 95), {}, {"zero-first-update": 0}),
    (warm >> cosine(0.1, 0, 95), {"updates": 100}, {}),
    (warm >> cosine(0.1, 0, 95), {"updates": 99}, {"longer-than-the-plan": 99}),  # one more update: a habit
    (warm >> cosine(0.1, 0, 95), {"updates": 98}, {"never-reaches-floor": 97, "longer-than-the-plan": 98}),
    (warm >> cosine(0.1, 0, 95), {"updates": 101}, {"shorter-than-the-plan": 100}),
    ((warm >> cosine(0.1, 0, 1)).beyond("raise"), {"updates": 9}, {"shorter-than-the-plan": 6}),
    (linear(0.1, -0.1, 5) >> cosine(0.1, 0, 5), {}, {"below-the-floor": 5}),
    (Run(shapes.flat, -0.1, 0, 5) >> cosine(0.1, 0, 5), {}, {"below-the-floor": 0}),
    (cosine(0.1, 0.001, 50) >> cosine(0.1, 0.01, 50), {}, {"below-the-floor": 50}),
    (cosine(0.1, 0.001, 50) >> cosine(0.1, 0.01, 50), {"until": 49}, {}),  # it is not used
    (cosine(0.1, 0.01, 50) >> cosine(0.1, 0.001, 50), {}, {}),  # the floor is lowered
    (cosine(0.1, 0.01, 50) >> linear(0.01, 0, 50), {}, {}),
    (warm_restarts(0.1, 0.01, T_0=10, eta_min_factor=0.5, runs=4), {}, {}),
    (warm_restarts(0.1, 0.01, T_0=10, eta_min_factor=2, runs=3), {}, {"below-the-floor": 10}),  # 0.01, 0.02, 0.04
    (linear(0.1, 0.05, 5) >> linear(0.05, 0.01, 5), {}, {}),  # one fall in two runs
    # a warm-up that multiplies brings the rate below the floor of the first run, 0.01 * 0.7
    (linear(0.1, 1, 15) * warm_restarts(eta_max=0.1, eta_min=0.01, T_0=10), {"updates": 40}, {"below-the-floor": 10}),
    (maximum(linear(0.1, 1, 15) * warm_restarts(0.1, 0.01, T_0=10), 0.01), {"updates": 40}, {}),
    (warm >> cosine(0.2, 0, 95), {}, {"jump-at-hand-over": 5}),
    (warm >> cosine(0.05, 0, 95), {}, {"jump-at-hand-over": 5}),
    (warm >> cosine(0.05, 0, 95), {"until": 5}, {"warm-up-as-long-as-the-run": 0}),
    (Repeat(linear(0.01, 0.1, 5)), {"updates": 50}, {}),  # a sawtooth is meant
    (Repeat(warm >> cosine(0.2, 0.01, 5)), {"updates": 50}, {"jump-at-hand-over": 5}),
    # (t + 1) / W over 5 updates: the 5th and the 6th both use the peak
    (linear(0.02, 0.1, 4) >> Run(shapes.flat, 0.1, 0.1, 1) >> cosine(0.1, 0, 95), {}, {"peak-twice": 4}),
    (minimum(linear(0.02, 0.12, 5), 0.1) >> cosine(0.1, 0, 95), {}, {"peak-twice": 4}),
    (minimum(linear(0.02, 0.2, 9), 0.1) >> cosine(0.1, 0, 95), {}, {}),
    (linear(0.02, 0.1, 4) >> Run(shapes.flat, 0.1, 0.1, 2) >> cosine(0.1, 0, 95), {}, {}),  # a plateau
    (cosine(0.1, 0, 10).beyond("mirror"), {"updates": 11}, {}),
    (cosine(0.1, 0, 10).beyond("mirror"), {"updates": 12}, {"rises-after-the-end": 10}),
    ((3 * cosine(0.1, 0, 10).beyond("mirror")).stretched(2), {"until": 60}, {"rises-after-the-end": 20}),
    (cosine(0.1, 0, 10).beyond("repeat"), {"updates": 10}, {}),
    (cosine(0.1, 0, 10).beyond("repeat"), {"until": 10}, {}),
    (cosine(0.1, 0, 10).beyond("repeat"), {"updates": 11}, {"rises-after-the-end": 10, "never-reaches-floor": 10}),
    (cosine(0.1, 0, 10).beyond("repeat"), {"updates": 20}, {"rises-after-the-end": 10}),
    (linear(0.01, 0.1, 10).beyond("repeat"), {"updates": 20}, {"rises-after-the-end": 10}),  # after a jump down
    (Run(shapes.flat, 0.1, 0.1, 10).beyond("repeat"), {"updates": 20}, {}),
    (cosine(0.1, 0, 10).beyond("repeat").shifted(3), {"updates": 23}, {"rises-after-the-end": 13}),
    (cosine(0.1, 0, 10).beyond("repeat").held(3).stretched(2), {"updates": 36}, {"rises-after-the-end": 24}),
    (warm >> cosine(0.1, 0, 10).beyond("mirror"), {"updates": 25}, {"rises-after-the-end": 15}),
    (minimum(cosine(0.1, 0, 10).beyond("mirror"), 0.05), {"updates": 20}, {"rises-after-the-end": 10}),
    (Repeat(cosine(0.1, 0, 10).beyond("mirror").until(20)), {"updates": 40}, {}),  # it is meant
    (Repeat(cosine(0.1, 0.01, 5) >> linear(0.01, 0.1, 5)), {"updates": 40}, {}),  # it rises because it says so
    (warm_restarts(eta_max=0.1, T_0=10), {"updates": 40}, {}),
    (warm_restarts(eta_max=0.1, T_0=10), {"updates": 45}, {"never-reaches-floor": 44}),
    (step(0.1, 30), {"updates": 40}, {}),
    (linear(0.1, 0, 100).clip(0.05, 1), {"updates": 60}, {"longer-than-the-plan": 60}),  # at the floor since 50
    (cosine(30, 0, 100), {}, {"large-peak": 0}),
    (cosine(10, 0, 100), {}, {}),
    (
        linear(0.01, 0.1, 100) >> cosine(0.1, 0, 100),
        {"updates": 80},
        {"warm-up-as-long-as-the-run": 0, "longer-than-the-plan": 80},
    ),
]


@pytest.mark.parametrize(("schedule", "options", "wanted"), FOUND, ids=str)
def test_findings(schedule: Schedule, options: dict[str, Any], wanted: dict[str, float]) -> None:
    assert names(schedule, **options) == wanted


def test_every_finding_is_found_and_reported() -> None:
    """Each name of the docstring is found somewhere above and missed elsewhere; it comes with numbers and a remedy."""
    page = inspect.getdoc(lint) or ""
    listed = {name for line in re.findall(r"^- ([a-z, -]+):", page, re.MULTILINE) for name in line.split(", ")}
    found = [finding for schedule, options, _ in FOUND for finding in lint(schedule, **options)]
    assert {finding.name for finding in found} == listed
    assert len(listed) == 10
    assert set(RULES) == listed
    assert {finding.severity for finding in found} == {"error", "warning", "note"}
    for finding in found:
        assert re.search(r"\d", finding.message), finding
        assert finding.remedy, finding


ALL_UP = {"linear up", "geometric, recipe", "untuned warm-up", *(name for name in catalogue.recipes if "ramp" in name)}


@pytest.mark.parametrize("name", catalogue.recipes)
def test_a_good_schedule_has_no_findings(name: str) -> None:
    schedule = catalogue.recipes[name]
    planned = isinstance(schedule.duration, int)
    found = set(names(schedule, updates=schedule.duration) if planned else names(schedule, until=100))
    wanted = {"zero-first-update"} if schedule(0) == 0 else set()
    assert found == wanted | ({"warm-up-as-long-as-the-run"} if name in ALL_UP else set())


@pytest.mark.parametrize("name", every)
def test_findings_follow_the_algebra(name: str) -> None:
    """Twice the rate has the same findings at the same times; they are in order, of each name one."""
    schedule = every[name]
    options = {"updates": 40} if schedule.duration is None or schedule.duration >= 40 else {}
    found = lint(schedule, **options)
    assert [(a.name, a.time) for a in lint(2 * schedule, **options)] == [(a.name, a.time) for a in found]
    assert [a.time for a in found] == sorted(a.time for a in found)
    assert len({a.name for a in found}) == len(found)


@pytest.mark.parametrize("updates", [0, -1, 1.5, True, "10"])
def test_wrong_plans(updates: Any) -> None:
    with pytest.raises(ScheduleError, match="updates"):
        lint(linear(0.1, 0, 10), updates=updates)


@pytest.mark.parametrize("wrong", [None, "cosine(0.1, 0, 10)", 0.1, [cosine(0.1, 0, 10)]])
def test_a_question_about_no_schedule(wrong: Any) -> None:
    for question in (jumps, budget, lint, lambda s: diff(s, cosine(0.1, 0, 5)), lambda s: diff(cosine(0.1, 0, 5), s)):
        with pytest.raises(ScheduleError, match="must be a schedule, got"):
            question(wrong)


def test_the_command() -> None:
    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["lint", *words])
        return result.exit_code, result.output

    bad, good = "linear(0, 0.1, 5) >> cosine(0.2, 0, 95)", "cosine(0.1, 0, 100)"
    assert run(good) == run(good, good, "--updates", "100") == (0, "nothing found\n")
    assert run(good, "--json") == (0, "")
    status, output = run(bad)
    assert status == 1
    assert [line.partition(":")[0] for line in output.splitlines()] == [
        "zero-first-update at 0 (note)",
        "jump-at-hand-over at 5 (error)",
    ]
    status, output = run(good, bad, "--json")
    rows = [json.loads(line) for line in output.splitlines()]
    assert [(row["schedule"], row["name"], row["time"]) for row in rows] == [
        (bad, "zero-first-update", 0),
        (bad, "jump-at-hand-over", 5),
    ]
    assert run(good, bad)[1].startswith(f"{bad}: zero-first-update at 0 (note): ")
    assert run(bad, "--ignore", "jump-at-hand-over", "--ignore", "zero-first-update") == (0, "nothing found\n")
    assert run(bad, "--ignore", "jump-at-handover")[0] == 2
    assert "did you mean jump-at-hand-over?" in run("--explain", "jump-at-handover")[1]
    status, output = run("--explain", "peak-twice")
    assert (status, output.partition(":")[0]) == (0, "peak-twice")
    for usual in ("linear(0, 0.05, 5) >> warm_restarts(0.05, T_0=10)", "inverse_sqrt(0.1, 10)", "cosine(30, 0, 100)"):
        assert run(usual, "--updates", "100")[0] in (0, int("warm_restarts" in usual)), usual
    assert run("linear(0, 0.05, 5) >> warm_restarts(0.05, T_0=10, T_mult=2)", "--updates", "75")[0] == 0
    for words in ((), ("nonsense(",), ("step(0.1, 30)",), (good, "--updates", "0")):
        assert run(*words)[0] == 2, words
    assert "this schedule never ends: give --updates N" in run("step(0.1, 30)")[1]
