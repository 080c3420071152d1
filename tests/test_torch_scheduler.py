"""The native Scheduler: what it writes into the groups of an optimizer, against PyTorch's classes and by hand."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as pytorch

from annealing import (
    Schedule,
    ScheduleError,
    constant,
    cosine,
    linear,
    one_cycle,
    one_cycle_momentum,
    parse,
    step,
    warm_restarts,
    wsd,
)
from annealing import torch as ours


def Scheduler(*args: Any, **given: Any) -> ours.Scheduler:
    """One schedule that is intended for all of the different groups that most of these tests have."""
    return ours.Scheduler(*args, **{"scale": None, **given})


def sgd(*lrs: float, **more: Any) -> torch.optim.SGD:
    return torch.optim.SGD([{"params": [torch.zeros(1)], "lr": lr} for lr in lrs or (0.1,)], **more)


def adamw(groups: int = 1, **more: Any) -> torch.optim.AdamW:
    return torch.optim.AdamW([{"params": [torch.zeros(1)]} for _ in range(groups)], lr=0.1, **more)


def held(scheduler: Scheduler, name: str = "lr") -> list[Any]:
    return [group[name] for group in scheduler.optimizer.param_groups]


def walk(scheduler: Any, steps: int, name: str = "lr") -> list[Any]:
    """What the first group holds for each of the first `steps` updates."""
    walked = []
    for _ in range(steps):
        walked.append(scheduler.optimizer.param_groups[0][name])
        scheduler.optimizer.step()
        scheduler.step()
    return walked


# The values and the clock


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        (cosine(0.1, 0.01, 30).beyond("mirror"), lambda o: pytorch.CosineAnnealingLR(o, 30, 0.01)),
        (warm_restarts(0.1, T_0=5, T_mult=2), lambda o: pytorch.CosineAnnealingWarmRestarts(o, 5, 2)),
        (step(0.1, 7, 0.5), lambda o: pytorch.StepLR(o, 7, 0.5)),
    ],
)
def test_update_n_uses_the_schedule_at_n_minus_1_as_in_pytorch(
    schedule: Schedule, theirs: Callable[[Any], Any]
) -> None:
    assert walk(Scheduler(sgd(), lr=schedule), 100) == pytest.approx(
        walk(theirs(sgd()), 100),
        rel=0,
        abs=2e-15,  # PyTorch's recursion is 1.7e-15 off after 100 steps
    )  # what PyTorch's recursion gathers


@pytest.mark.parametrize("scale", [None, "base"])
def test_steps_over_the_end_of_a_block_of_values(scale: Any) -> None:
    schedule = cosine(1, 0, 10_000)
    scheduler = Scheduler(sgd(0.5), lr=schedule, scale=scale, last_epoch=4088)
    assert walk(scheduler, 20) == [schedule(t) * (0.5 if scale else 1) for t in range(4089, 4109)]


def one_cycle_of_pytorch(optimizer: Any, total_steps: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytorch.OneCycleLR(optimizer, 0.5, total_steps, pct_start=0.3, base_momentum=0.8, max_momentum=0.9)


@pytest.mark.parametrize(("make", "name"), [(lambda: sgd(momentum=0.9), "momentum"), (adamw, "betas")])
def test_one_cycle_of_rate_and_momentum_is_pytorch_s(make: Callable[[], Any], name: str) -> None:
    N, p = 100, Fraction(3, 10)
    share = {"T_max": N - 1, "pct_start": (p * N - 1) / (N - 1)}
    mine = Scheduler(make(), lr=one_cycle(0.5, **share), **{name: one_cycle_momentum(0.8, 0.9, **share)})
    theirs = one_cycle_of_pytorch(make(), N)
    for _ in range(N - 1):
        got, wanted = mine.optimizer.param_groups[0], theirs.optimizer.param_groups[0]
        assert got["lr"] == pytest.approx(wanted["lr"], rel=1e-11)
        assert got[name] == pytest.approx(wanted[name], rel=1e-14)
        for scheduler in (mine, theirs):
            scheduler.optimizer.step()
            scheduler.step()


def test_hosts_find_a_pytorch_scheduler_and_an_unpatched_optimizer() -> None:
    optimizer = sgd(0.1, 0.2)
    scheduler = Scheduler(optimizer, lr=cosine(0.1, 0, 10))
    assert isinstance(scheduler, pytorch.LRScheduler)
    assert not hasattr(scheduler, "total_steps")  # Accelerate would stop there
    assert "step" not in vars(optimizer)
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    assert (scheduler.optimizer, scheduler.last_epoch, scheduler.base_lrs) == (optimizer, 0, [0.1, 0.2])
    assert scheduler.get_last_lr() == scheduler._last_lr == [0.1, 0.1]
    assert held(scheduler) == [0.1, 0.1]
    assert isinstance(scheduler._step_count, int)


def test_training_with_it_equals_training_by_hand() -> None:
    def trained(native: bool) -> list[float]:
        torch.manual_seed(0)
        model, x = torch.nn.Linear(5, 1), torch.randn(20, 5)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=1.0)
        lr, decay = warm_restarts(0.1, T_0=4), linear(0.1, 0, 12)
        scheduler = (
            Scheduler(optimizer, lr=lr, weight_decay=decay, betas=(linear(0.8, 0.9, 12), 0.99)) if native else None
        )
        losses = []
        for n in range(1, 13):
            if not native:
                optimizer.param_groups[0].update(
                    lr=lr(n - 1), weight_decay=decay(n - 1), betas=(linear(0.8, 0.9, 12)(n - 1), 0.99)
                )
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
            losses.append(loss.item())
        return losses

    assert trained(native=True) == trained(native=False)


# Groups and hyperparameters


def test_one_schedule_for_every_group_or_one_for_each() -> None:
    shared = Scheduler(sgd(0.1, 0.2, weight_decay=5), lr=cosine(0.1, 0, 10), weight_decay=0.01)
    each = Scheduler(sgd(0.1, 0.2), lr=[cosine(0.1, 0, 10), linear(0.3, 0, 10)])
    shared.step_to(5)
    each.step_to(5)
    assert (held(shared), held(shared, "weight_decay")) == ([0.05, 0.05], [0.01, 0.01])
    assert held(each) == [0.05, 0.15]


def test_one_or_all_betas_follow_schedules() -> None:
    first = Scheduler(adamw(2), betas=linear(0.8, 0.9, 10))
    both = Scheduler(adamw(2), betas=[(0.5, linear(0.8, 0.9, 10)), (linear(0.8, 0.9, 10), 0.25)])
    first.step_to(5)
    both.step_to(5)
    middle = pytest.approx(0.85)
    assert held(first, "betas") == [(middle, 0.999)] * 2
    assert held(both, "betas") == [(0.5, middle), (middle, 0.25)]
    assert type(held(both, "betas")[0]) is tuple


def test_values_are_scaled_only_as_the_caller_says() -> None:
    def optimizer() -> torch.optim.Optimizer:
        groups = [{"lr": 0.4, "weight_decay": 2.0, "lr_scale": 0.5}, {"lr": 0.2, "weight_decay": 4.0}]
        return torch.optim.SGD([{"params": [torch.zeros(1)], **group} for group in groups], lr=0.1)

    def after_5(**arguments: Any) -> tuple[list[float], list[float]]:
        scheduler = Scheduler(optimizer(), lr=linear(1, 0, 10), weight_decay=linear(1, 0, 10), **arguments)
        scheduler.step_to(5)
        return held(scheduler), held(scheduler, "weight_decay")

    assert after_5() == ([0.5, 0.5], [0.5, 0.5])
    assert after_5(scale="base") == ([0.2, 0.1], [0.5, 0.5])
    assert after_5(scale="lr_scale") == ([0.25, 0.5], [0.5, 0.5])
    assert after_5(scale={"lr": "lr_scale", "weight_decay": "base"}) == ([0.25, 0.5], [1.0, 2.0])


def test_the_base_is_the_rate_before_any_scheduler() -> None:
    optimizer = sgd(0.4)
    pytorch.StepLR(optimizer, 1)
    optimizer.param_groups[0]["lr"] = 0.1  # what was left by a training before
    assert held(Scheduler(optimizer, lr=linear(1, 0, 10), scale="base")) == [0.4]
    fresh = sgd(0.4)
    Scheduler(fresh, lr=linear(0.5, 0, 10), scale="base")
    assert (fresh.param_groups[0]["lr"], fresh.param_groups[0]["initial_lr"]) == (0.2, 0.4)
    assert held(Scheduler(fresh, lr=linear(1, 0, 10), scale="base")) == [0.4]


def test_a_group_s_scale_is_read_at_every_step() -> None:
    scheduler = Scheduler(sgd(0.1), lr=constant(1), scale="lr_scale")
    scheduler.optimizer.param_groups[0]["lr_scale"] = 0.5
    scheduler.step()
    assert held(scheduler) == [0.5]


def test_groups_added_later_follow_the_shared_schedule() -> None:
    scheduler = Scheduler(sgd(0.1), lr=linear(1, 0, 10), scale="base")
    scheduler.step()
    scheduler.optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.2})
    scheduler.write()
    assert held(scheduler) == [pytest.approx(0.09), pytest.approx(0.2)]  # what it came with at 1
    scheduler.optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.3})
    scheduler.step()
    assert held(scheduler) == pytest.approx([0.08, 0.2 * 8 / 9, 0.3 * 8 / 9])
    assert scheduler.get_last_lr() == held(scheduler)


def test_groups_added_later_need_a_schedule_where_each_has_its_own() -> None:
    scheduler = Scheduler(adamw(1), lr=[linear(1, 0, 10)], betas=[(0.5, 0.6)], weight_decay=0.1)
    scheduler.optimizer.add_param_group({"params": [torch.zeros(1)]})
    before = copy.deepcopy(scheduler.optimizer.state_dict())
    with pytest.raises(ScheduleError, match=r"lr must have one schedule for each of the 2 .*add_group\(lr="):
        scheduler.step()
    with pytest.raises(ScheduleError, match="for each of lr, betas, got lr"):
        scheduler.add_group(lr=linear(2, 0, 10))
    with pytest.raises(ScheduleError, match="same form"):
        scheduler.add_group(lr=linear(2, 0, 10), betas=0.5)
    assert (scheduler.position, scheduler.optimizer.state_dict()) == (0, before)
    scheduler.add_group(lr=linear(2, 0, 10), betas=(0.7, 0.8))
    scheduler.step()
    assert (held(scheduler), held(scheduler, "betas")) == ([0.9, 1.8], [(0.5, 0.6), (0.7, 0.8)])
    assert held(scheduler, "weight_decay") == [0.1, 0.1]


def test_several_schedulers_on_one_optimizer() -> None:
    optimizer = sgd(0.1, momentum=0.9)
    lr, momentum = Scheduler(optimizer, lr=linear(1, 0, 10)), Scheduler(optimizer, momentum=linear(0.5, 0.6, 10))
    for _ in range(5):
        lr.step()
        momentum.step()
    group = optimizer.param_groups[0]
    assert (group["lr"], group["momentum"]) == (0.5, pytest.approx(0.55))
    assert momentum.get_last_lr() == [0.5]


# Time


def test_any_time_can_be_reached() -> None:
    schedule = warm_restarts(0.1, T_0=1, T_mult=3)
    scheduler = Scheduler(sgd(), lr=schedule)
    for t in (121, 0, 2.5, 10**12, 7):
        scheduler.step_to(t)
        assert (scheduler.position, held(scheduler)) == (t, [schedule(t)])
    scheduler.step(3.5)
    scheduler.step()
    assert (scheduler.position, held(scheduler)) == (4.5, [schedule(4.5)])
    assert Scheduler(sgd(), lr=schedule, last_epoch=6).position == 7


def test_updates_that_were_skipped_do_not_count() -> None:
    scheduler = Scheduler(sgd(), lr=linear(1, 0, 10))
    for batch in range(1, 13):  # 4 batches an update
        scheduler.step(updated=batch % 4 == 0)
        assert held(scheduler) == [linear(1, 0, 10)(batch // 4)]


def test_a_grad_scaler_s_skipped_updates_do_not_count() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer, scaler = torch.optim.SGD([parameter], lr=1.0), torch.amp.GradScaler("cpu", init_scale=4.0)
    scheduler = Scheduler(optimizer, lr=linear(1, 0, 10))
    for factor, position in ((1.0, 1), (math.inf, 1), (1.0, 2), (math.nan, 2), (1.0, 3)):
        optimizer.zero_grad()
        scaler.scale((parameter * factor).sum()).backward()
        scaler.step(optimizer)
        scale = scaler.get_scale()
        scaler.update()
        scheduler.step(updated=scaler.get_scale() >= scale)
        assert scheduler.position == position


@pytest.mark.parametrize(
    "schedule",
    [
        warm_restarts(0.1, T_0=5, T_mult=2),
        warm_restarts(0.1, T_0=2.5),
        warm_restarts(0.1, T_0=Fraction(10, 3), eta_max_factor=0.9) + 0.01,
        linear(0, 0.1, 5) >> warm_restarts(0.1, 0.01, T_0=10, runs=3),
        warm_restarts(0.1, T_0=30).held(4),
        cosine(0.1, 0, 40),
        wsd(0.1, T_warmup=5, T_stable=35, T_cooldown=20),
        step(0.1, 10),
        constant(0.1),
    ],
    ids=str,
)
def test_a_snapshot_is_due_after_the_update_that_ends_a_cycle(schedule: Schedule) -> None:
    scheduler = Scheduler(sgd(), lr=schedule)
    due = []
    for n in range(1, 101):
        scheduler.step()
        if scheduler.snapshot_due:
            due.append(n)
    assert due == [math.ceil(time) for time in schedule.snapshots(until=100)]
    scheduler.step_to(due[0] if due else 1)  # back again
    assert scheduler.snapshot_due is bool(due)
    scheduler.step(updated=False)
    assert not scheduler.snapshot_due


def test_snapshots_in_a_schedule_of_epochs() -> None:
    scheduler = Scheduler(sgd(), lr=warm_restarts(0.1, T_0=1.5, T_mult=2))
    due = []
    for n in range(1, 7 * 10 + 1):
        scheduler.step_to(n / 7)
        due += [n] if scheduler.snapshot_due else []
    assert due == [11, 32]  # 1.5 * 7 = 10.5 and 4.5 * 7 = 31.5
    assert not Scheduler(sgd(momentum=0.9), momentum=cosine(0.9, 0, 10), last_epoch=9).snapshot_due  # not of lr


def test_snapshots_of_groups_with_their_own_schedules() -> None:
    scheduler = Scheduler(sgd(0.1, 0.1), lr=[constant(0.1), warm_restarts(0.1, T_0=3)], last_epoch=2)
    assert scheduler.snapshot_due


# Errors, which leave everything as it was


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "at least one of lr, momentum, dampening, weight_decay$"),
        (
            {"rate": 0.1},
            "'rate' is not a hyperparameter of every group; these are: lr, momentum, dampening, weight_decay$",
        ),
        ({"nesterov": 0.1}, "'nesterov' is not a hyperparameter"),
        ({"lr": "cosin(0.1, 0, 10)"}, "lr: .*cosine"),
        ({"lr": lambda t: 0.1}, "lr must be a schedule, its notation, a number"),
        ({"lr": (0.1, 0.1)}, "lr must be a schedule, its notation, a number"),
        ({"lr": True}, "lr must be a schedule, its notation, a number"),
        ({"lr": math.nan}, "lr must be finite"),
        ({"lr": []}, "lr must have one schedule for each"),
        ({"lr": [0.1]}, "lr must have one schedule for each of the 2 parameter groups, got 1"),
        ({"lr": [0.1, 0.1, 0.1]}, "got 3"),
        ({"lr": linear(0.1, -0.1, 10)}, r"lr must be a finite number of at least 0, got -0.1 at 10 from linear\("),
        ({"lr": 0.1, "weight_decay": -1}, "weight_decay must be a finite number of at least 0, got -1.0 at 0"),
        ({"lr": parse("linear(1e200, 1, 10) * linear(1e200, 1, 10)")}, "lr must be a finite number.* got inf at 0"),
        ({"lr": 0.1, "scale": "bases"}, "scale must be None, 'base' or 'lr_scale', got 'bases' for lr"),
        ({"lr": 0.1, "scale": 2}, "scale must be None"),
        ({"momentum": 0.1, "scale": "base"}, "scale names 'lr', which has no schedule"),
        ({"lr": 0.1, "policy": "keep"}, "policy must be None or one of 'saved', 'new'"),
        ({"lr": 0.1, "last_epoch": -2}, "last_epoch must be a number of at least -1, got -2"),
        ({"lr": cosine(1, 0, 5).beyond("raise"), "last_epoch": 9}, "t must be at most 5"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any], message: str) -> None:
    optimizer = sgd(0.1, 0.2, momentum=0.9)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ScheduleError, match=message):
        Scheduler(optimizer, **arguments)
    assert optimizer.state_dict() == before


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        (1.0, r"betas\[0\] must be at least 0 and below 1, got 1.0"),
        ((0.9, 0.9, 0.9), "at most 2 schedules"),
        ((), "at most 2 schedules"),
        ((0.9, None), r"betas\[1\] must be a schedule, its notation, a number"),
        ([(0.9, 0.9), 0.9], "same form"),
    ],
)
def test_betas_that_cannot_be_used(betas: Any, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        Scheduler(adamw(2), betas=betas)


def test_optimizers_that_cannot_be_used() -> None:
    empty = sgd()
    empty.param_groups.clear()
    with pytest.raises(ScheduleError, match="at least one parameter group"):
        Scheduler(empty, lr=0.1)
    with pytest.raises(ScheduleError, match=r"must be a torch\.optim\.Optimizer, got Linear"):
        Scheduler(torch.nn.Linear(1, 1), lr=0.1)  # type: ignore[arg-type]
    scaled = sgd()
    scaled.param_groups[0]["lr_scale"] = "0.5"
    with pytest.raises(ScheduleError, match="lr_scale must be a real number"):
        Scheduler(scaled, lr=0.1, scale="lr_scale")


def test_a_step_that_fails_changes_nothing() -> None:
    optimizer = sgd(momentum=0.9)
    scheduler = Scheduler(optimizer, momentum=linear(0, 1, 10), lr=cosine(1, 0, 3).beyond("raise"))
    for _ in range(3):
        scheduler.step()
    state, groups = scheduler.state_dict(), copy.deepcopy(optimizer.state_dict())
    for attempt in (scheduler.step, lambda: scheduler.step_to(3.5), lambda: scheduler.step_to(-1)):
        with pytest.raises(ScheduleError):
            attempt()
    for t in (math.nan, math.inf, "1", True, torch.tensor(1.0)):
        with pytest.raises(ScheduleError, match="t must be a number of at least 0"):
            scheduler.step_to(t)  # type: ignore[arg-type]
    assert (scheduler.state_dict(), optimizer.state_dict(), scheduler.get_last_lr()) == (state, groups, [0.0])


def test_a_value_out_of_range_between_the_ends_is_refused_when_reached() -> None:
    dip = linear(-1, 1, 10) * linear(-1, 1, 10) + -0.5  # 0.5 at both ends, below 0 between them
    scheduler = Scheduler(sgd(), lr=dip)
    scheduler.step()
    with pytest.raises(ScheduleError, match=r"lr must be a finite number of at least 0, got -0\.14"):
        scheduler.step()
    assert (scheduler.position, held(scheduler)) == (1, [dip(1)])


# Copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_continue_with_their_own_optimizer(copied: Callable[[Any], Any]) -> None:
    scheduler = Scheduler(sgd(0.1, 0.2), lr=warm_restarts(1, T_0=4), scale="base")
    scheduler.step_to(3)
    other = copied(scheduler)
    other.step()
    assert (other.snapshot_due, held(other), held(scheduler)) == (
        True,
        [0.1, 0.2],
        pytest.approx([0.0146, 0.0293], abs=1e-4),
    )
    scheduler.step()
    assert held(scheduler) == held(other)


def test_it_prints_its_schedules_and_where_it_is() -> None:
    scheduler = Scheduler(sgd(0.1, 0.2, momentum=0.9), lr=[cosine(0.1, 0, 9), constant(0.1)], momentum=0.5)
    assert repr(scheduler) == "Scheduler(lr=[cosine(0.1, 0, 9), constant(0.1)], momentum=constant(0.5), position=0)"
    scaled = Scheduler(sgd(), lr=constant(1), scale="base", last_epoch=3)
    assert repr(scaled) == "Scheduler(lr=constant(1), scale={'lr': 'base'}, position=4)"
