"""Resuming with the native Scheduler: every point, every way, and states of other schedules."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch_dropins_cases import through_a_file

from annealing import (
    Schedule,
    ScheduleError,
    constant,
    cosine,
    diff,
    linear,
    one_cycle,
    step,
    warm_restarts,
    wsd,
)
from annealing import torch as ours


def Scheduler(*args: Any, **given: Any) -> ours.Scheduler:
    """One schedule that is intended for all of the different groups that most of these tests have."""
    return ours.Scheduler(*args, **{"scale": None, **given})


POINTS = 200
AFTER = 12  # updates that are compared after each point

SCHEDULES: dict[str, Any] = {
    "cosine": cosine(0.1, 0.001, 150),
    "restarts, growing": warm_restarts(0.1, T_0=5, T_mult=2, eta_max_factor=0.9),
    "restarts of 2.5": warm_restarts(0.1, T_0=2.5),
    "step": step(0.1, 7, 0.5),
    "one cycle": one_cycle(0.1, 190),
    "wsd": wsd(0.1, T_warmup=10, T_stable=120, T_cooldown=50),
    "sum": warm_restarts(0.1, T_0=9) + 0.5 * cosine(0.1, 0, 70),
    "one for each": [warm_restarts(0.1, T_0=11), constant(0.2)],
}
Rates = list[tuple[list[float], bool]]


def optimizer(kind: str, lrs: tuple[float, ...] = (0.5, 0.25)) -> torch.optim.Optimizer:
    rate = torch.tensor if kind == "tensor" else float
    return torch.optim.SGD([{"params": [torch.zeros(1)], "lr": rate(lr)} for lr in lrs])


def built(o: torch.optim.Optimizer, schedule: Any, kind: str, **more: Any) -> Scheduler:
    return Scheduler(o, lr=schedule, scale="base" if kind == "scaled" else None, **more)


def rates(o: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in o.param_groups]


def seen(scheduler: Scheduler, steps: int) -> Rates:
    """The rates and whether a snapshot is due, now and after each step."""
    found = [(rates(scheduler.optimizer), scheduler.snapshot_due)]
    for _ in range(steps):
        scheduler.step()
        found.append((rates(scheduler.optimizer), scheduler.snapshot_due))
    return found


def build_load_optimizer_and_scheduler(o: Any, build: Any, saved: Any, k: int) -> Scheduler:
    scheduler = build(o)
    o.load_state_dict(saved[0])
    scheduler.load_state_dict(saved[1])
    return scheduler


def build_load_scheduler_and_optimizer(o: Any, build: Any, saved: Any, k: int) -> Scheduler:
    scheduler = build(o)
    scheduler.load_state_dict(saved[1])
    o.load_state_dict(saved[0])
    return scheduler


def load_optimizer_build_load_scheduler(o: Any, build: Any, saved: Any, k: int) -> Scheduler:
    o.load_state_dict(saved[0])
    scheduler = build(o)
    scheduler.load_state_dict(saved[1])
    return scheduler


def scheduler_alone(o: Any, build: Any, saved: Any, k: int) -> Scheduler:
    scheduler = build(o)
    scheduler.load_state_dict(saved[1])
    return scheduler


def twice(o: Any, build: Any, saved: Any, k: int) -> Scheduler:
    scheduler = build_load_optimizer_and_scheduler(o, build, saved, k)
    return build_load_optimizer_and_scheduler(o, lambda _: scheduler, saved, k)


def load_optimizer_and_step_to(o: Any, build: Any, saved: Any, k: int) -> Scheduler:
    o.load_state_dict(saved[0])
    scheduler = build(o)
    scheduler.step_to(k)
    return scheduler


def step_to_alone(o: Any, build: Any, saved: Any, k: int) -> Scheduler:
    scheduler = build(o)
    scheduler.step_to(k)
    return scheduler


def load_optimizer_and_last_epoch(o: Any, build: Any, saved: Any, k: int) -> Scheduler:
    o.load_state_dict(saved[0])
    return build(o, last_epoch=k - 1)


WAYS = [
    build_load_optimizer_and_scheduler,
    build_load_scheduler_and_optimizer,
    load_optimizer_build_load_scheduler,
    scheduler_alone,
    twice,
    load_optimizer_and_step_to,
    step_to_alone,
    load_optimizer_and_last_epoch,
]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ["float", "scaled", "tensor"])
def test_every_way_of_resuming_at_every_point_continues_as_the_uninterrupted_run(name: str, kind: str) -> None:
    schedule = SCHEDULES[name]
    run = built(optimizer(kind), schedule, kind)
    saved = []
    for _ in range(POINTS + 1):
        saved.append((copy.deepcopy(run.optimizer.state_dict()), run.state_dict()))
        run.step()
    wanted = seen(built(optimizer(kind), schedule, kind), POINTS + AFTER)
    one = schedule if isinstance(schedule, Schedule) else schedule[0]
    assert [due for _, due in wanted].count(True) == len(one.snapshots(POINTS + AFTER))
    first = 0.5 if kind == "scaled" else 1
    digits = 1e-7 if kind == "tensor" else 1e-15  # float32
    assert [values[0] for values, _ in wanted] == pytest.approx(
        [first * one(t) for t in range(POINTS + AFTER + 1)], rel=digits
    )
    points = range(1, POINTS + 1) if kind == "float" else range(1, POINTS + 1, 7)
    wrong = [
        (k, way.__name__)
        for k, way in itertools.product(points, WAYS)
        if seen(way(optimizer(kind), lambda o, **more: built(o, schedule, kind, **more), saved[k], k), AFTER)
        != wanted[k : k + AFTER + 1]
    ]
    assert wrong == []


def test_the_state_is_numbers_and_text_and_loading_it_twice_changes_nothing() -> None:
    schedule = warm_restarts(0.1, T_0=5)
    scheduler = Scheduler(optimizer("float"), lr=schedule, weight_decay=0.1)
    scheduler.step_to(7.5)
    state = through_a_file(scheduler.state_dict())
    assert state == scheduler.state_dict()
    assert (state["position"], state["fingerprints"]["lr"]) == (7.5, schedule.fingerprint)
    other = Scheduler(optimizer("float"), lr=schedule, weight_decay=0.1)
    for _ in range(2):
        other.load_state_dict(state)
        assert other.state_dict() == state
        assert rates(other.optimizer) == [schedule(7.5)] * 2
        assert other.get_last_lr() == [schedule(7.5)] * 2


def test_an_optimizer_loaded_afterwards_has_its_values_until_the_next_step() -> None:
    scheduler = Scheduler(optimizer("float"), lr=linear(1, 0, 10))
    scheduler.load_state_dict({**scheduler.state_dict(), "position": 4, "before": 3})
    scheduler.optimizer.load_state_dict(optimizer("float", (7.0, 8.0)).state_dict())
    assert rates(scheduler.optimizer) == [7.0, 8.0]
    scheduler.step()
    assert rates(scheduler.optimizer) == [0.5, 0.5]


def test_a_skipped_update_gives_no_snapshot_even_after_resuming() -> None:
    scheduler = Scheduler(optimizer("float"), lr=warm_restarts(0.1, T_0=5), last_epoch=4)
    assert scheduler.snapshot_due
    scheduler.step(updated=False)
    other = Scheduler(optimizer("float"), lr=warm_restarts(0.1, T_0=5))
    other.load_state_dict(scheduler.state_dict())
    assert (other.position, other.snapshot_due) == (5, False)


# Another schedule than the saved one

SAVED, NEW = linear(1, 0, 10), linear(1, 0, 20)


def state_at(position: int, **schedules: Any) -> dict[str, Any]:
    return through_a_file(Scheduler(optimizer("float"), **schedules, last_epoch=position - 1).state_dict())


def snapshot_of_all(scheduler: ours.Scheduler) -> Any:
    return copy.deepcopy(
        (scheduler.state_dict(), scheduler.optimizer.state_dict(), scheduler.get_last_lr(), repr(scheduler))
    )


def test_another_schedule_is_refused_with_the_difference() -> None:
    scheduler = Scheduler(optimizer("float"), lr=NEW, weight_decay=0.1)
    before = snapshot_of_all(scheduler)
    with pytest.raises(ScheduleError, match="state belongs to other schedules") as refusal:
        scheduler.load_state_dict(state_at(5, lr=SAVED, weight_decay=0.1))
    lines = str(refusal.value).splitlines()
    assert lines[1:3] == ["lr in the state:  Run(shapes.linear, 1, 0, 10)", "lr in this scheduler:  linear(1, 0, 20)"]
    assert [line.strip() for line in lines[3:-1]] == diff(SAVED, NEW).splitlines()
    assert lines[-1] == "to continue, name a policy: one of 'saved', 'new', 'new-from-0', 'keep-epoch', 'restretch'"
    assert snapshot_of_all(scheduler) == before


@pytest.mark.parametrize(
    ("policy", "position", "then"),
    [
        ("saved", 5, [0.5, 0.4, 0.3, 0.2, 0.1, 0]),
        ("new", 5, [0.75, 0.7, 0.65, 0.6, 0.55, 0.5]),
        ("new-from-0", 0, [1, 0.95, 0.9, 0.85, 0.8, 0.75]),
        ("restretch", 5, [0.5, 0.5 - 0.5 / 15, 0.5 - 1 / 15, 0.4, 0.5 - 2 / 15, 0.5 - 2.5 / 15]),  # 0 at 20
    ],
)
@pytest.mark.parametrize("where", ["load", "build"])
def test_a_policy_says_how_to_continue(policy: str, position: int, then: list[float], where: str) -> None:
    build, load = ({}, {"policy": policy}) if where == "load" else ({"policy": policy}, {})
    scheduler = Scheduler(optimizer("float"), lr=NEW, weight_decay=0.1, **build)
    for _ in range(2):  # loading twice changes nothing
        scheduler.load_state_dict(state_at(5, lr=SAVED, weight_decay=0.1), **load)
    assert scheduler.position == position
    assert [values[0] for values, _ in seen(scheduler, 5)] == pytest.approx(then, abs=1e-15)
    # its own state is resumed with the same policy as if nothing had happened
    state = through_a_file(scheduler.state_dict())
    wanted = seen(scheduler, 6)
    again = Scheduler(optimizer("float"), lr=NEW, weight_decay=0.1, **build)
    again.load_state_dict(state, **load)
    assert seen(again, 6) == wanted


def test_restretched_it_ends_where_the_new_schedule_does() -> None:
    scheduler = Scheduler(optimizer("float"), lr=[NEW, 0.1], policy="restretch")
    scheduler.load_state_dict(state_at(0, lr=[SAVED, 0.1]))
    scheduler.step_to(10)
    assert rates(scheduler.optimizer) == [0.5, 0.1]
    scheduler = Scheduler(optimizer("float"), lr=NEW, policy="restretch")
    scheduler.load_state_dict(state_at(5, lr=SAVED))
    ends = [n for n, (_, due) in enumerate(seen(scheduler, 20), 5) if due]
    assert ends == [20]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (state_at(5, lr=constant(1)), "needs schedules that end"),
        (state_at(10, lr=SAVED), "at must be above 0"),
        (
            state_at(5, lr=[SAVED, SAVED]),
            "lr must have one schedule for all groups, or one for each, as the state does",
        ),
        (state_at(5, lr=SAVED, weight_decay=0.1), "weight_decay has a schedule only in the state"),
        (state_at(5, weight_decay=0.1), "lr has a schedule only in this scheduler"),
    ],
)
def test_states_that_cannot_be_restretched(state: dict[str, Any], message: str) -> None:
    scheduler = Scheduler(optimizer("float"), lr=linear(1, 0, 9), policy="restretch")
    before = snapshot_of_all(scheduler)
    with pytest.raises(ScheduleError, match=message):
        scheduler.load_state_dict(state)
    assert snapshot_of_all(scheduler) == before


def test_hyperparameters_may_come_and_go_with_the_new_schedules() -> None:
    scheduler = Scheduler(optimizer("float"), lr=SAVED, weight_decay=linear(0.1, 0, 10))
    with pytest.raises(ScheduleError, match="weight_decay has a schedule only in this scheduler"):
        scheduler.load_state_dict(state_at(5, lr=SAVED))
    scheduler.load_state_dict(state_at(5, lr=SAVED), policy="new")
    assert [scheduler.optimizer.param_groups[0][name] for name in ("lr", "weight_decay")] == [0.5, 0.05]


def test_another_scale_is_another_schedule() -> None:
    state = through_a_file(Scheduler(optimizer("float"), lr=SAVED, scale="base").state_dict())
    scheduler = Scheduler(optimizer("float"), lr=SAVED)
    with pytest.raises(ScheduleError, match="lr is scaled by 'base' in the state, here by None"):
        scheduler.load_state_dict(state)
    scheduler.load_state_dict(state, policy="saved")
    assert rates(scheduler.optimizer) == [0.5, 0.25]  # the saved bases
    assert "scale={'lr': 'base'}" in repr(scheduler)


def test_schedules_without_an_end_are_compared_too() -> None:
    scheduler = Scheduler(optimizer("float"), lr=warm_restarts(0.1, T_0=10))
    with pytest.raises(ScheduleError, match=r"restarts: 49 and 99") as refusal:
        scheduler.load_state_dict(state_at(5, lr=warm_restarts(0.1, T_0=20)))
    assert "from 0 to 1000" in str(refusal.value)


# Foreign and damaged states


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda state: {key: value for key, value in state.items() if key != name}


def having(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda state: {**state, name: value}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda state: pytorch.CosineAnnealingLR(optimizer("float"), 10).state_dict(),
            "not the state of an annealing.torch",
        ),
        (lambda state: {}, "it lacks position, before, schedules, fingerprints, scales"),
        (lambda state: None, "got NoneType"),
        (lambda state: [state], "got list"),
        *(
            (without(name), f"it lacks {name}")
            for name in ("position", "before", "schedules", "fingerprints", "scales")
        ),
        *((having("position", value), "its position cannot be") for value in (-2, math.nan, math.inf, "5", True, None)),
        (having("before", 6), "its before cannot be 6"),
        (having("position", -1), "its before cannot be 4"),
        (having("schedules", ["linear(1, 0, 10)"]), "its schedules cannot be"),
        (having("schedules", {"lr": 0.1}), "its schedules cannot be 0.1"),
        (having("schedules", {"lr": NEW.to_json()}), "its fingerprints of lr cannot be"),
        (having("schedules", {"lr": SAVED.to_json()[:-1]}), "."),
        (having("schedules", {"lr": "linear(1, 0, 10)"}), "."),
        (having("fingerprints", {}), "its fingerprints of lr cannot be None"),
        (having("scales", {}), "its scales of lr cannot be None"),
        (having("scales", {"lr": "double"}), "its scales of lr cannot be 'double'"),
    ],
)
@pytest.mark.parametrize("policy", [None, "saved", "new"])
def test_foreign_and_damaged_states(damage: Any, message: str, policy: str | None) -> None:
    scheduler = Scheduler(optimizer("float"), lr=SAVED)
    scheduler.step()
    before = snapshot_of_all(scheduler)
    with pytest.raises(ScheduleError, match=message):
        scheduler.load_state_dict(damage(state_at(5, lr=SAVED)), policy=policy)
    with pytest.raises(ScheduleError, match="policy must be None or one of"):
        scheduler.load_state_dict(state_at(5, lr=SAVED), policy="keep")
    assert snapshot_of_all(scheduler) == before
