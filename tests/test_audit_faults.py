"""Faults are named with their parameters: the oracle is what a training loop did, in plain Python or in PyTorch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faulty_logs import Case, Plan, composed, doubles, named, singles, thinned, write

from annealing import ScheduleError, constant, cosine, linear, multistep, parse, warm_restarts
from annealing.audit import Log, Verdict, audit, read

WARM = Plan("cosine", warmup=50, floor=0.001)
LOGS = [
    ("Transformers' trainer_state.json", 17, 1),
    ("CSV", 17, 10),
    ("JSON lines", 6, 1),
    ("a console", 7, 5),
    ("TensorBoard", 17, 1),
]
REAL = Path(__file__).parents[2] / "shared" / "data" / "logs"


def by_hand(rates: Any, clock: Any = None, half: float = 0.0, shift: int | None = -1) -> Log:
    rates = np.asarray(rates, np.float64)[:, None]
    clock = np.arange(1.0, len(rates) + 1) if clock is None else np.asarray(clock, np.float64)
    process = np.zeros(len(rates), np.int64)
    return Log("by hand", clock, rates, np.full(rates.shape, half), process, ("0",), shift=shift)


def first(verdict: Verdict) -> tuple[str, dict[str, Any]]:
    return verdict.faults[0].name, verdict.faults[0].parameters


def check(case: Case, verdict: Verdict) -> None:
    found = [verdict.faults, *verdict.alternatives]
    assert any(named(case, faults) for faults in found), [(one.name, one.parameters) for one in verdict.faults]
    assert not verdict.follows
    assert verdict.faults[-1].residual_after < 1e-5 < verdict.residual


@pytest.mark.parametrize(
    ("number", "case"),
    list(enumerate(singles(WARM))),
    ids=lambda value: value.truth[0][0] if isinstance(value, Case) else "",
)
def test_single_faults_are_named(number: int, case: Case, tmp_path: Path) -> None:
    form, digits, every = LOGS[number % len(LOGS)]
    case = thinned(case, every)
    log = replace(read(write(case, tmp_path / "log", form, digits)), shift=-1)
    check(case, audit(log, parse(case.plan.notation)))


@pytest.mark.parametrize("case", list(composed())[::3], ids=lambda case: " and ".join(n for n, _ in case.truth))
def test_what_frameworks_and_configurations_do_is_named(case: Case) -> None:
    verdict = audit(by_hand(case.rates), case.plan.schedule)
    check(case, verdict)


ADDED = [case for plan in (Plan(), Plan("multistep"), Plan("restarts")) for case in singles(plan)]
ADDED = [case for case in ADDED if case.truth[0][0] == "warm-up-added"]


@pytest.mark.parametrize(
    ("number", "case"), list(enumerate(ADDED)), ids=lambda value: value.plan.kind if isinstance(value, Case) else ""
)
def test_a_warm_up_that_was_added_is_named(number: int, case: Case, tmp_path: Path) -> None:
    form, digits, every = LOGS[number % len(LOGS)]
    case = thinned(case, every)
    log = replace(read(write(case, tmp_path / "log", form, digits)), shift=-1)
    check(case, audit(log, parse(case.plan.notation)))


@pytest.mark.parametrize("case", list(doubles(Plan()))[::3], ids=lambda case: " and ".join(n for n, _ in case.truth))
def test_double_faults_are_named(case: Case, tmp_path: Path) -> None:
    log = replace(read(write(case, tmp_path / "log.json", "Transformers' trainer_state.json")), shift=-1)
    check(case, audit(log, parse(case.plan.notation)))


def stepped(make: Callable[[Any], Any], updates: int, times: int = 1) -> list[float]:
    """The rates of PyTorch's own scheduler, stepped so often after each update."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler, rates = make(optimizer), []
    for _ in range(updates):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for _ in range(times):
            scheduler.step()
    return rates


def test_pytorch_stepped_once_for_each_of_four_processes() -> None:
    """PyTorch's cosine rises again after T_max, so that the schedule must be told so; T_max is 100, 90 updates."""
    rates = stepped(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 100), 90, times=4)
    verdict = audit(by_hand(rates), cosine(0.1, 0, 100).beyond("mirror"))
    assert first(verdict) == ("stepped-too-often", {"k": 4})
    assert verdict.first is not None
    assert verdict.first.update == 2
    assert verdict.first.logged == pytest.approx(0.05 * (1 + np.cos(np.pi * 0.04)))


def test_pytorch_that_rises_again_after_the_end() -> None:
    rates = stepped(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 60), 90)
    verdict = audit(by_hand(rates), cosine(0.1, 0, 60))
    assert first(verdict) == ("rebound-after-the-end", {"end": 60, "policy": "mirror"})
    assert verdict.first is not None
    assert verdict.first.update == 62  # update 61 uses the rate at 60, the floor


def test_pytorch_resumed_without_the_state_of_its_scheduler() -> None:
    make: Any = lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.2, 80)  # noqa: E731
    verdict = audit(by_hand(stepped(make, 37) + stepped(make, 43)), linear(0.1, 0.02, 80))
    assert first(verdict) == ("restart-after-resume", {"at": 37})
    assert verdict.faults[0].from_update == 38


def test_the_first_departure_by_hand() -> None:
    """0.1, 0.075, 0.05, 0.025 were meant; update 3 used 0.06."""
    verdict = audit(by_hand([0.1, 0.075, 0.06, 0.025]), linear(0.1, 0, 4))
    assert verdict.first is not None
    assert (verdict.first.update, verdict.first.logged, verdict.first.intended) == (3, 0.06, 0.05)
    assert verdict.residual == pytest.approx(0.1)


def test_digits_decide_what_can_be_told() -> None:
    printed = np.round(cosine(0.1, 0, 100)(np.arange(100)), 3)
    assert audit(by_hand(printed, half=0.0005), cosine(0.1, 0, 100)).follows
    assert not audit(by_hand(printed, half=0.0001), cosine(0.1, 0, 100)).follows
    assert not audit(by_hand(printed, half=0.0005), cosine(0.105, 0, 100)).follows


def test_a_doubled_clock_and_a_halved_horizon_are_both_listed() -> None:
    verdict = audit(by_hand(cosine(0.1, 0, 100)(2.0 * np.arange(100))), cosine(0.1, 0, 100))
    assert first(verdict) == ("stepped-too-often", {"k": 2})
    others = [(faults[0].name, faults[0].parameters["horizon"]) for faults in verdict.alternatives]
    assert others == [("schedule-shorter-than-the-run", 50)]


@pytest.mark.parametrize(
    "schedule",
    [cosine(0.1, 0, 200), linear(0, 0.1, 20) >> cosine(0.1, 0.01, 180), warm_restarts(0.1, T_0=30), constant(0.1)],
    ids=str,
)
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_clean_logs_follow_whatever_the_habit(schedule: Any, shift: int) -> None:
    clock = np.arange(1.0, 201)
    rates = schedule(clock + shift)
    assert audit(by_hand(rates, clock, shift=None), schedule).follows
    assert audit(by_hand(rates, clock, shift=shift), schedule).shift == shift


def test_a_habit_that_is_not_kept_is_a_fault() -> None:
    clock = np.arange(1.0, 101)
    verdict = audit(by_hand(cosine(0.1, 0, 100)(clock), clock, shift=-1), cosine(0.1, 0, 100))
    assert first(verdict) == ("logged-one-early", {"shift": 0, "habit": -1})


def test_steps_that_may_be_one_off() -> None:
    schedule = linear(0.1, 0, 1000)
    chance = np.random.default_rng(3)
    clock = np.arange(10.0, 1000, 10)
    used = clock - 1 + chance.integers(-1, 2, len(clock))
    log = replace(by_hand(schedule(used), clock), slack=1)
    verdict = audit(log, schedule)
    assert verdict.follows
    beside = int(np.sum(used != clock - 1))
    assert f"{beside} of 99 rates are the schedule's up to 1 update earlier or later." in verdict.notes
    assert not audit(replace(log, slack=0), schedule).follows
    verdict = audit(replace(by_hand(schedule(4 * used), clock), slack=1), schedule)
    assert first(verdict)[0] == "stepped-too-often"


def test_chance_is_unknown() -> None:
    verdict = audit(by_hand(np.random.default_rng(0).random(200)), cosine(1, 0, 200))
    assert first(verdict) == ("unknown", {})
    assert json.loads(verdict.to_json())["faults"][0]["name"] == "unknown"


@pytest.mark.parametrize("rate", [0.07, 0.1])
def test_one_rate_is_no_evidence(rate: float) -> None:
    verdict = audit(by_hand([rate]), cosine(0.1, 0, 100))
    assert (verdict.status, verdict.follows) == ("no verdict", False)
    assert "fewer than 3 rows have a rate" in str(verdict)


def test_the_object_for_machines() -> None:
    record = json.loads(audit(by_hand(np.full(50, 0.1)), linear(0.1, 0, 50)).to_json())
    assert {"format", "points", "schedule", "shift", "lag", "residual", "follows", "faults", "alternatives"} <= set(
        record
    )
    keys = {"name", "from_update", "parameters", "residual_before", "residual_after", "advice"}
    assert set(record["faults"][0]) == keys
    assert parse(record["schedule"]) == linear(0.1, 0, 50)
    assert (record["points"], record["follows"], record["faults"][0]["name"]) == (50, False, "constant")


def test_bad_input_is_one_clear_error() -> None:
    schedule = cosine(0.1, 0, 3)
    with pytest.raises(ScheduleError, match="group must be one of 0"):
        audit(by_hand([0.1]), schedule, group=1)
    with pytest.raises(ScheduleError, match="none of its rows has one"):
        audit(by_hand([np.nan, np.nan]), schedule)
    with pytest.raises(ScheduleError, match="none of its rows has one"):
        audit(by_hand([]), schedule)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert audit(by_hand([0.1, np.nan, 0.025, 0.0]), schedule).follows


@pytest.mark.skipif(not REAL.is_dir(), reason="no real logs at ../shared/data/logs")
@pytest.mark.parametrize(
    ("begin", "notation", "fault", "parameters"),
    [
        ("003", "cosine(5e-5, 0, 3618)", None, {}),
        ("004", "linear(0, 5e-4, 90) >> linear(5e-4, 0, 9321)", None, {}),
        ("009", "linear(0, 5e-5, 866) >> cosine(5e-5, 0, 7794)", None, {}),
        ("010", "linear(0, 5e-5, 866) >> cosine(5e-5, 0, 7794)", None, {}),
        ("011", "cosine(1e-4, 0, 11900)", "skipped-scheduler-steps", {"lag": 4, "times": 4}),
        ("024", "cosine(1e-4, 0, 11900)", "skipped-scheduler-steps", {"lag": 4, "times": 4}),
        ("025", "cosine(1e-4, 0, 23800)", "skipped-scheduler-steps", {"lag": 8}),
        ("005", "linear(0.02, 0, 3000)", None, {}),
        ("032", "linear(0, 2e-4, 5) >> linear(2e-4, 0, 3395)", None, {}),
        ("058", "linear(0.01, 1e-4, 300)", "warm-up-added", {"then": "on time"}),
        ("005", "linear(0.02, 0, 6000)", "stepped-too-often", {"k": 2}),
        ("109", "multistep(0.1, [60, 120, 160], gamma=0.2)", None, {}),
        ("109", "multistep(0.1, [60, 120, 180], gamma=0.2)", "milestones-edited", {"milestones": [60, 120, 160]}),
    ],
)
def test_real_logs(begin: str, notation: str, fault: str | None, parameters: dict[str, Any]) -> None:
    """The expectations are those of index.csv."""
    (file,) = REAL.glob(f"{begin}_*")
    verdict = audit(read(file), parse(notation))
    assert verdict.follows == (fault is None)
    if fault is not None:
        found = [(one.name, one.parameters) for faults in (verdict.faults, *verdict.alternatives) for one in faults]
        assert any(name == fault and parameters.items() <= given.items() for name, given in found)


@pytest.mark.skipif(not REAL.is_dir(), reason="no real logs at ../shared/data/logs")
def test_a_real_file_of_several_runs() -> None:
    (file,) = REAL.glob("076_*")
    verdict = audit(read(file), linear(2.5e-7, 0.00025, 1000) >> constant(0.00025))
    assert [fault.name for fault in verdict.faults] == ["several-runs-in-one-file", "unknown"]


def test_a_staircase_with_edited_milestones() -> None:
    rates = multistep(0.1, [30, 60])(np.arange(90)).copy()
    rates[60:75] = 0.01
    verdict = audit(by_hand(rates), multistep(0.1, [30, 60]))
    assert first(verdict) == (
        "milestones-edited",
        {"milestones": [30, 75], "intended": [30.0, 60.0], "rates": [0.01, 0.001]},
    ) or any(faults[0].name == "milestones-edited" for faults in verdict.alternatives)
