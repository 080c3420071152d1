"""The drop-ins resumed, loaded and copied; foreign states."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch_dropins_cases import (
    build,
    cases,
    change,
    kinds,
    near,
    optimizer,
    rates,
    reference,
    rounding_of_pytorch,
    saved,
    through_a_file,
    walk,
)

from annealing import ScheduleError
from annealing import torch as ours


@cases
@kinds
def test_resumed_by_last_epoch(name: str, arguments: dict[str, Any], tensor: bool) -> None:
    whole = walk(build(ours, name, arguments, optimizer(tensor=tensor)), 60)
    running = build(ours, name, arguments, optimizer(tensor=tensor))
    for n in range(1, 38):
        walk(running, 1)
        o = optimizer(tensor=tensor)
        o.load_state_dict(saved(running)[0])
        resumed = build(ours, name, arguments, o, last_epoch=n - 1)
        assert rates(resumed) == whole[n - 1]
        assert walk(resumed, 12) == whole[n : n + 12]
        if name == "CosineAnnealingWarmRestarts" and n == 37:
            walk(running, 12)
            assert (resumed.T_cur, resumed.T_i) == (running.T_cur, running.T_i)


@cases
def test_resumed_by_last_epoch_without_loaded_rates(name: str, arguments: dict[str, Any]) -> None:
    whole = walk(build(ours, name, arguments, optimizer()), 60)
    for n in (1, 7, 14, 37):
        o = optimizer()
        for group in o.param_groups:
            group["initial_lr"] = group["lr"]
        resumed = build(ours, name, arguments, o, last_epoch=n - 1)
        assert [rates(resumed), *walk(resumed, 12)] == whole[n - 1 : n + 12]


def test_a_last_epoch_before_the_start() -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer()
        pytorch.StepLR(o, 5)
        scheduler = library.CosineAnnealingWarmRestarts(o, 5, 2, last_epoch=-3)
        walked.append([[scheduler.last_epoch, scheduler.T_cur, *row] for row in walk(scheduler, 20)])
    assert walked[0] == [pytest.approx(row, rel=1e-14) for row in walked[1]]


@cases
@kinds
@pytest.mark.parametrize("first", ["built", "optimizer loaded"])
def test_resumed_by_state(name: str, arguments: dict[str, Any], tensor: bool, first: str) -> None:
    for n in (0, 3, 9, 14):
        running = build(ours, name, arguments, optimizer(tensor=tensor))
        walk(running, n)
        optimizer_state, state = saved(running)
        o = optimizer((0.7, 0.9), tensor=tensor)
        if first == "optimizer loaded":
            o.load_state_dict(optimizer_state)
        other = {key: 2 if key in ("step_size", "T_max", "T_0") else 0 for key in arguments if key != "T_mult"}
        resumed = build(ours, name, other, o)
        resumed.load_state_dict(state)
        o.load_state_dict(optimizer_state)
        assert walk(resumed, 20) == walk(running, 20)


@cases
@kinds
def test_states_go_both_ways(name: str, arguments: dict[str, Any], tensor: bool) -> None:
    rounding = rounding_of_pytorch(tensor)
    for source, target in [(pytorch, ours), (ours, pytorch)]:
        running = build(source, name, arguments, optimizer(tensor=tensor))
        walk(running, 16)
        moved = build(target, name, arguments, optimizer(tensor=tensor))
        optimizer_state, state = saved(running)
        moved.optimizer.load_state_dict(optimizer_state)
        moved.load_state_dict(state)
        for expected, got in zip(walk(running, 40), walk(moved, 40), strict=True):
            assert got == pytest.approx(expected, rel=0, abs=rounding)


def test_rolled_back_to_an_earlier_state() -> None:
    """A loaded state is judged by its rates, even if foreign rates were found at the same epoch before."""
    mine = ours.CosineAnnealingLR(optimizer(), 10)
    walk(mine, 7)
    at_7 = copy.deepcopy((mine.optimizer.state_dict(), mine.state_dict()))
    whole = walk(mine, 20)
    foreign = ours.CosineAnnealingLR(mine.optimizer, 10)
    walk(foreign, 6)
    change(mine.optimizer, (0.07, 0.03))
    walk(foreign, 1)
    foreign.optimizer.load_state_dict(at_7[0])
    foreign.load_state_dict({**at_7[1], "base_lrs": foreign.base_lrs})
    assert walk(foreign, 20) == whole


def test_a_state_with_rounded_rates_continues_as_pytorch() -> None:
    running = pytorch.CosineAnnealingLR(optimizer(), 30)
    walk(running, 29)
    moved = ours.CosineAnnealingLR(optimizer(), 30)
    assert walk(moved, 29)[-1] != rates(running)
    moved.optimizer.load_state_dict(running.optimizer.state_dict())
    moved.load_state_dict(running.state_dict())
    assert walk(moved, 50) == walk(running, 50)


@cases
@kinds
def test_copies(name: str, arguments: dict[str, Any], tensor: bool) -> None:
    running = build(ours, name, arguments, optimizer(tensor=tensor))
    walk(running, 8)
    for copied in (copy.deepcopy(running), pickle.loads(pickle.dumps(running))):
        assert copied.optimizer is not running.optimizer
        assert copied.state_dict().keys() == running.state_dict().keys()
        with warnings.catch_warnings(action="ignore"):  # the copy of an optimizer has lost PyTorch's wrapper
            walked = walk(copied, 30)
        assert walked == walk(copy.deepcopy(running), 30)
        assert all(
            near(rate, reference(name, arguments, float(base), 38), *((0.5001, 24) if tensor else (8, 53)))
            for rate, base in zip(walked[-1], copied.base_lrs, strict=True)
        )


def test_a_later_group_in_a_loaded_state() -> None:
    walked = []
    for library in (ours, pytorch):
        scheduler = library.CosineAnnealingLR(optimizer(), 10)
        walk(scheduler, 3)
        scheduler.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.2})
        scheduler.load_state_dict(scheduler.state_dict())
        walked.append(walk(scheduler, 5))
    assert walked[0] == [pytest.approx(row, rel=1e-14) for row in walked[1]]


STATES = [
    "StepLR",
    "ExponentialLR",
    "CosineAnnealingLR",
    "LinearLR",
    "CosineAnnealingWarmRestarts",
    "ReduceLROnPlateau",
]


@pytest.mark.parametrize("target", STATES)
@pytest.mark.parametrize("source", STATES)
def test_foreign_and_truncated_states_change_nothing(source: str, target: str) -> None:
    arguments = {
        "StepLR": (3,),
        "ExponentialLR": (0.9,),
        "CosineAnnealingLR": (9,),
        "CosineAnnealingWarmRestarts": (9,),
    }
    one, other = (getattr(ours, name)(optimizer(), *arguments.get(name, ())) for name in (source, target))
    state = one.state_dict()
    if source == target:
        state.pop("last_epoch")
    before = (dict(other.state_dict()), rates(other))
    for bad in (state, None, {}):
        with pytest.raises(ScheduleError, match=f"state of a {target}"):
            other.load_state_dict(bad)
    assert (other.state_dict(), rates(other)) == before


def test_a_state_with_bad_arguments_changes_nothing() -> None:
    mine = ours.CosineAnnealingLR(optimizer(), 9)
    with pytest.raises(ScheduleError, match="T_max"):
        mine.load_state_dict({**mine.state_dict(), "T_max": 0})
    assert mine.T_max == 9


def test_the_strategy_of_averaging_is_in_its_state() -> None:
    """Into a scheduler that was built with the other state, twice, and continued from foreign rates too."""
    for strategy, other in (("linear", "cos"), ("cos", "linear")):
        running = ours.SWALR(optimizer(), 0.02, 10, strategy)
        walk(running, 3)
        expected = ours.SWALR(optimizer(), 0.02, 10, strategy)
        walk(expected, 3)
        for _ in range(2):
            moved = ours.SWALR(optimizer(), 0.02, 10, other)
            moved.optimizer.load_state_dict(running.optimizer.state_dict())
            moved.load_state_dict(through_a_file(running.state_dict()))
            running = moved
        assert walk(running, 3) == walk(expected, 3)
        for one in (running, expected):
            one.optimizer.param_groups[0]["lr"] = 0.05
        assert walk(running, 3) == walk(expected, 3)
