"""The drop-ins against PyTorch's own classes, and against 50-digit values where PyTorch is wrong."""

from __future__ import annotations

import copy
import gc
import inspect
import math
import pickle
import warnings
import weakref
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch.utils._python_dispatch import TorchDispatchMode
from torch_dropins_cases import change, kinds, near, optimizer, rates, saved, walk

import annealing
from annealing import Schedule, ScheduleError
from annealing import torch as ours
from annealing.torch.exact import Exact

mpmath.mp.dps = 50

CASES = [
    ("StepLR", {"step_size": 7, "gamma": 0.3}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 12}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.02}),
    ("CosineAnnealingLR", {"T_max": 40, "eta_min": 0.3}),  # above both rates: PyTorch accepts it
    ("CosineAnnealingWarmRestarts", {"T_0": 9}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.001}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 3}),
]
cases = pytest.mark.parametrize(("name", "arguments"), CASES)
NAMES = ["StepLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


def build(library: Any, name: str, arguments: dict[str, Any], o: torch.optim.Optimizer, **more: Any) -> Any:
    return getattr(library, name)(o, **arguments, **more)


def reference(name: str, arguments: dict[str, Any], base: float, t: float) -> Any:
    """The 50-digit value at time t, by the formulas in PyTorch's documentation."""
    base, t = mpmath.mpf(base), mpmath.mpf(t)
    if name == "StepLR":
        return base * mpmath.mpf(arguments["gamma"]) ** int(mpmath.floor(t / arguments["step_size"]))
    eta_min = mpmath.mpf(arguments.get("eta_min", 0))
    if name == "CosineAnnealingLR":
        length = arguments["T_max"]
    else:
        length = arguments["T_0"]
        while t >= length:
            t -= length
            length *= arguments.get("T_mult", 1)
    return eta_min + (base - eta_min) * (1 + mpmath.cospi(t / length)) / 2


def rounding_of_pytorch(tensor: bool) -> float:
    """What PyTorch's recursions gather in some hundred steps with rates of 0.3 and less, in the type of the rates."""
    return 1000 * 0.3 * (2**-24 if tensor else 2**-53)


# The same curves as PyTorch's, step by step


@cases
@kinds
def test_same_as_pytorch(name: str, arguments: dict[str, Any], tensor: bool) -> None:
    theirs = build(pytorch, name, arguments, optimizer(tensor=tensor))
    mine = build(ours, name, arguments, optimizer(tensor=tensor))
    assert isinstance(mine, getattr(pytorch, name))
    rounding = rounding_of_pytorch(tensor)
    for _ in range(150):
        assert rates(mine) == pytest.approx(rates(theirs), rel=0, abs=rounding)
        assert [float(rate) for rate in mine.get_last_lr()] == rates(mine)
        mine_state, their_state = mine.state_dict(), theirs.state_dict()
        assert mine_state.keys() == their_state.keys()
        their_state.pop("_last_lr")
        assert {key: mine_state[key] for key in their_state} == their_state
        walk(mine, 1)
        walk(theirs, 1)


@cases
def test_exact(name: str, arguments: dict[str, Any]) -> None:
    mine = build(ours, name, arguments, optimizer())
    for t in range(150):
        assert all(
            near(rate, reference(name, arguments, base, t))
            for rate, base in zip(rates(mine), mine.base_lrs, strict=True)
        )
        walk(mine, 1)


@cases
def test_float32_tensors_are_the_exact_values_rounded(name: str, arguments: dict[str, Any]) -> None:
    mine = build(ours, name, arguments, optimizer(tensor=True))
    tensors = [group["lr"] for group in mine.optimizer.param_groups]
    for t in range(150):
        for rate, base in zip(rates(mine), mine.base_lrs, strict=True):
            assert near(rate, reference(name, arguments, float(base), t), ulps=0.5001, digits=24)
        walk(mine, 1)
    assert all(a is group["lr"] for a, group in zip(tensors, mine.optimizer.param_groups, strict=True))
    assert {rate.dtype for rate in (*tensors, *mine.get_last_lr())} == {torch.float32}
    assert not any(a is b for a, b in zip(tensors, mine.get_last_lr(), strict=True))


def test_a_tensor_shared_by_the_groups() -> None:
    shared = torch.tensor(0.1)
    o = torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(3)], lr=shared)
    mine = ours.CosineAnnealingLR(o, 10)
    walk(mine, 4)
    assert near(float(shared), reference("CosineAnnealingLR", {"T_max": 10}, 0.1, 4), ulps=1, digits=24)


@pytest.mark.parametrize("gamma", [1.5, -0.5])
def test_growing_steps_are_pytorch_s(gamma: float) -> None:
    theirs = pytorch.StepLR(optimizer(), 3, gamma)
    mine = ours.StepLR(optimizer(), 3, gamma)
    assert walk(mine, 20) == walk(theirs, 20)
    with pytest.warns(UserWarning, match="epoch parameter"):
        theirs.step(7)
    with pytest.warns(UserWarning, match="epoch parameter"):
        mine.step(7)
    assert walk(mine, 20) == walk(theirs, 20)


# Exact where PyTorch is wrong


@pytest.mark.parametrize(
    ("T_0", "T_mult", "epoch"),
    [(1, 3, 121), (5, 3, 605), (1000, 3, 121000), (10, 10, 1110), (1, 11, 1464), (2, 9, 14762)],
)
def test_restarts_at_an_epoch(T_0: int, T_mult: int, epoch: int) -> None:
    mine = ours.CosineAnnealingWarmRestarts(optimizer(), T_0, T_mult)
    theirs = pytorch.CosineAnnealingWarmRestarts(optimizer(), T_0, T_mult)
    mine.step(epoch)
    assert (rates(mine), mine.T_cur) == ([0.1, 0.05], 0)
    assert epoch == T_0 * sum(T_mult**i for i in range(round(math.log(mine.T_i / T_0, T_mult))))
    theirs.step(epoch + 0.5)
    mine.step(epoch + 0.5)
    assert (mine.T_cur, mine.T_i, mine.last_epoch) == (theirs.T_cur, theirs.T_i, theirs.last_epoch)


@pytest.mark.parametrize(("T_0", "T_mult"), [(1, 1), (10, 1), (1, 3), (7, 2)])
def test_fractional_epochs(T_0: int, T_mult: int) -> None:
    arguments = {"T_0": T_0, "T_mult": T_mult}
    mine = ours.CosineAnnealingWarmRestarts(optimizer((0.1,)), **arguments)
    for i in range(200):
        epoch = i // 7 + i % 7 / 7
        mine.step(epoch)
        assert near(rates(mine)[0], reference("CosineAnnealingWarmRestarts", arguments, 0.1, epoch))
        assert mine.last_epoch == i // 7


def test_epochs_of_any_kind_and_size() -> None:
    mine = ours.CosineAnnealingWarmRestarts(optimizer((0.1,)), 1)
    mine.step(10**12 + 0.25)
    assert near(rates(mine)[0], reference("CosineAnnealingLR", {"T_max": 1}, 0.1, 0.25))
    mine.step(np.float64(2.5))
    assert mine.get_last_lr() == [0.05]
    assert type(mine.optimizer.param_groups[0]["lr"]) is float
    for epoch in (math.nan, math.inf):
        with pytest.raises((ValueError, OverflowError)):
            mine.step(epoch)
    assert (mine.T_cur, mine.last_epoch) == (0.5, 2)


def test_whole_and_fractional_steps_mixed() -> None:
    """A plain step goes on by 1 from wherever the scheduler is, as PyTorch's does."""
    mine = ours.CosineAnnealingWarmRestarts(optimizer(), 5, 2)
    theirs = pytorch.CosineAnnealingWarmRestarts(optimizer(), 5, 2)
    for epoch in (3.5, None, None, 0.25, None, 17, None, 14.75, None, None):
        for scheduler in (mine, theirs):
            scheduler.step(epoch)
        assert (mine.T_cur, mine.T_i, mine.last_epoch) == (theirs.T_cur, theirs.T_i, theirs.last_epoch)
        assert rates(mine) == pytest.approx(rates(theirs), rel=1e-14)


def test_very_long_cosine() -> None:
    """PyTorch divides by zero here."""
    T_max = 10**9
    o = optimizer((0.1,))
    o.param_groups[0]["initial_lr"] = 0.1
    mine = ours.CosineAnnealingLR(o, T_max, last_epoch=T_max - 6)
    for t in range(T_max - 5, T_max + 6):
        assert near(rates(mine)[0], reference("CosineAnnealingLR", {"T_max": T_max}, 0.1, t))
        walk(mine, 1)


def test_float32_rates_do_not_drift() -> None:
    """After 3,000 float32 steps PyTorch is off by more than 1e-6 of its rate somewhere, and the drop-in nowhere."""
    worst = {}
    for library in (ours, pytorch):
        scheduler = library.CosineAnnealingLR(optimizer((0.1,), tensor=True), 1000)
        exact = [reference("CosineAnnealingLR", {"T_max": 1000}, scheduler.base_lrs[0].item(), t) for t in range(3001)]
        off = [abs(got - want) / want for (got,), want in zip(walk(scheduler, 3000), exact[1:], strict=True) if want]
        worst[library] = max(off)
    assert worst[ours] <= 2**-24
    assert worst[pytorch] > 1e-6


# Resuming


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


def test_a_last_epoch_before_the_beginning() -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer()
        pytorch.StepLR(o, 5)
        scheduler = library.CosineAnnealingWarmRestarts(o, 5, 2, last_epoch=-3)
        walked.append([[scheduler.last_epoch, scheduler.T_cur, *row] for row in walk(scheduler, 20)])
    assert walked[0] == [pytest.approx(row, rel=1e-14) for row in walked[1]]


@pytest.mark.parametrize("n", [10, 20])
def test_no_second_decay_of_rates_from_elsewhere(n: int) -> None:
    """Rates that are not on the curve are kept, and from there on the steps are PyTorch's."""
    o = optimizer()
    pytorch.StepLR(o, 10)
    for group, rate in zip(o.param_groups, (0.003, 0.002), strict=True):
        group["lr"] = rate
    resumed = ours.StepLR(o, 10, last_epoch=n - 1)
    assert rates(resumed) == resumed.get_last_lr() == [0.003, 0.002]
    assert walk(resumed, 10)[8:] == [[0.003, 0.002], [0.003 * 0.1, 0.002 * 0.1]]


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


def test_rolled_back_to_a_state() -> None:
    """A loaded state is judged by its rates, also where foreign ones were found at the same epoch before."""
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


def test_a_state_with_rounded_rates_goes_on_as_pytorch() -> None:
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


# Foreign rates: PyTorch's numbers, bit for bit


@cases
@kinds
def test_rates_changed_by_hand(name: str, arguments: dict[str, Any], tensor: bool) -> None:
    pair = [build(library, name, arguments, optimizer(tensor=tensor)) for library in (ours, pytorch)]
    for scheduler in pair:
        walk(scheduler, 11)
        change(scheduler.optimizer, (0.07, 0.03))
    assert walk(pair[0], 60) == walk(pair[1], 60)


def test_one_foreign_rate_is_enough() -> None:
    pair = [library.CosineAnnealingLR(optimizer(), 10) for library in (ours, pytorch)]
    for scheduler in pair:
        walk(scheduler, 3)
        change(scheduler.optimizer, (0.07, scheduler.optimizer.param_groups[1]["lr"]))
    mine, theirs = (walk(scheduler, 30) for scheduler in pair)
    assert [rate for rate, _ in mine] == [rate for rate, _ in theirs]


def test_a_tensor_in_the_place_of_another() -> None:
    pair = [library.CosineAnnealingLR(optimizer((0.1,), tensor=True), 10) for library in (ours, pytorch)]
    for scheduler in pair:
        walk(scheduler, 3)
        scheduler.optimizer.param_groups[0]["lr"] = torch.tensor(0.04)
    assert walk(pair[0], 30) == walk(pair[1], 30)


def test_an_absolute_epoch_is_on_the_curve_again() -> None:
    mine = ours.CosineAnnealingLR(optimizer(), 10)
    change(mine.optimizer, (0.07, 0.03))
    walk(mine, 3)
    with pytest.warns(UserWarning, match="epoch parameter"):
        mine.step(4)
    assert rates(mine) == [float(reference("CosineAnnealingLR", {"T_max": 10}, base, 4)) for base in (0.1, 0.05)]
    assert walk(mine, 16)[-1] == [0.1, 0.05]


def each(library: Any, o: torch.optim.Optimizer, names: list[str]) -> list[Any]:
    arguments = {"StepLR": (4, 0.3), "CosineAnnealingLR": (10, 0.01), "CosineAnnealingWarmRestarts": (3, 2)}
    return [getattr(library, name)(o, *arguments[name]) for name in names]


@kinds
@pytest.mark.parametrize("names", [[a, b] for a in NAMES for b in NAMES] + [NAMES])
def test_several_on_one_optimizer(names: list[str], tensor: bool) -> None:
    """Each writes the rates when it is built, so that those built before find foreign ones from the first step on.

    The last one built finds its own floats until another changes them; StepLR does so at its first drop.
    """
    walked = []
    for library in (ours, pytorch):
        o = optimizer(tensor=tensor)
        schedulers = each(library, o, names)
        walked.append([rates(schedulers[0])])
        for _ in range(40):
            o.step()
            for scheduler in schedulers:
                scheduler.step()
                walked[-1].append(rates(scheduler))
    if names[0] == "StepLR" and not tensor:
        assert walked[0] == [pytest.approx(row, rel=1e-14, abs=1e-16) for row in walked[1]]
    else:
        assert walked[0] == walked[1]


@pytest.mark.parametrize("name", NAMES)
@kinds
def test_built_on_a_used_optimizer(name: str, tensor: bool) -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer(tensor=tensor)
        pytorch.StepLR(o, 100)
        change(o, (0.02, 0.01))
        (scheduler,) = each(library, o, [name])
        walked.append([rates(scheduler), *walk(scheduler, 40)])
    assert walked[0] == [pytest.approx(row, rel=0, abs=1e-8 if tensor else 1e-16) for row in walked[1]]
    if name != "CosineAnnealingWarmRestarts":  # which writes its peak, and so its curve
        assert walked[0] == walked[1]


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR"])
def test_a_later_group_follows_as_in_pytorch(name: str) -> None:
    walked = []
    for library in (ours, pytorch):
        (scheduler,) = each(library, optimizer(), [name])
        scheduler.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.2})
        walked.append(walk(scheduler, 10))
    assert walked[0] == walked[1]


def test_a_later_group_in_a_loaded_state() -> None:
    walked = []
    for library in (ours, pytorch):
        scheduler = library.CosineAnnealingLR(optimizer(), 10)
        walk(scheduler, 3)
        scheduler.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.2})
        scheduler.load_state_dict(scheduler.state_dict())
        walked.append(walk(scheduler, 5))
    assert walked[0] == [pytest.approx(row, rel=1e-14) for row in walked[1]]


@pytest.mark.parametrize("name", ["LinearLR", "CosineAnnealingWarmRestarts"])
def test_a_later_group_follows_the_curve_where_pytorch_s_fails(name: str) -> None:
    """PyTorch's LinearLR takes such a group above its own rate, and its warm restarts fail."""
    arguments = {"LinearLR": (0.1, 1.0, 10), "CosineAnnealingWarmRestarts": (10,)}[name]
    mine = getattr(ours, name)(optimizer(), *arguments)
    walk(mine, 3)
    mine.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.2})
    assert all(row[2] == pytest.approx(2 * row[0], rel=1e-15) for row in walk(mine, 9))


def test_a_tensor_shared_by_the_groups_is_not_shared_any_more() -> None:
    o = torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(2)], lr=torch.tensor(0.1))
    mine = ours.LambdaLR(o, [lambda epoch: 0.5**epoch, lambda epoch: 0.9**epoch])
    walk(mine, 3)
    assert rates(mine) == pytest.approx([0.0125, 0.0729], rel=1e-6)


def test_one_cycle_at_its_end() -> None:
    """PyTorch's has a negative rate there; a loop that steps after each of its updates takes this step."""
    mine = ours.OneCycleLR(optimizer(), 0.1, total_steps=10, anneal_strategy="linear")
    assert walk(mine, 10)[-2:] == [pytest.approx([4e-7, 4e-7], rel=1e-12)] * 2
    with pytest.raises(ScheduleError, match="total_steps = 10"):
        mine.step()
    assert mine.last_epoch == 10


@pytest.mark.parametrize(("total", "share"), [(10, 0.1), (100, 0.01), (5, 0.2), (2, 0.5), (1, 1.0)])
def test_one_cycle_without_a_way_up(total: int, share: float) -> None:
    """PyTorch divides by zero; the rate begins at its peak."""
    mine = ours.OneCycleLR(optimizer(), 0.1, total_steps=total, pct_start=share)
    assert rates(mine)[0] == (0.1 if total > 1 else mine.optimizer.param_groups[0]["min_lr"])


def test_a_cosine_built_where_another_has_ended() -> None:
    mine = ours.CosineAnnealingLR(optimizer(), 10)
    walk(mine, 10)
    again = ours.CosineAnnealingLR(mine.optimizer, 10)
    assert rates(again) == [0.1, 0.05]


def test_a_sequence_as_a_part() -> None:
    def inner(o: torch.optim.Optimizer) -> Any:
        return ours.SequentialLR(o, [ours.ConstantLR(o, 0.1, 2), ours.ExponentialLR(o, 0.9)], [2])

    o = optimizer((0.1,))
    first = ours.SequentialLR(o, [inner(o), ours.CosineAnnealingLR(o, 10)], [4])
    walked = [rates(first), *walk(first, 3)]
    assert [rate for (rate,) in walked] == pytest.approx([0.01, 0.01, 0.1, 0.09], rel=1e-15)
    o = optimizer((0.1,))
    second = ours.SequentialLR(o, [ours.ConstantLR(o, 0.5, 9), inner(o)], [2])
    walked = [rates(second), *walk(second, 5)]
    assert [rate for (rate,) in walked] == pytest.approx([0.05, 0.05, 0.01, 0.01, 0.1, 0.09], rel=1e-15)


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


def test_an_optimizer_without_groups() -> None:
    o = optimizer()
    o.param_groups.clear()
    with pytest.raises(ScheduleError, match="at least one parameter group"):
        ours.StepLR(o, 3)


def test_everything_is_there() -> None:
    for name in [*pytorch.__all__, "SWALR"]:
        theirs = torch.optim.swa_utils.SWALR if name == "SWALR" else getattr(pytorch, name)
        assert issubclass(getattr(ours, name), theirs)
        assert inspect.signature(getattr(ours, name)) == inspect.signature(theirs)


# Arguments changed on the object


CHANGES = [
    ("StepLR", {"step_size": 4}, {"gamma": 0.5}),
    ("StepLR", {"step_size": 4}, {"step_size": 3}),
    ("CosineAnnealingLR", {"T_max": 10}, {"T_max": 20}),
    ("CosineAnnealingLR", {"T_max": 10}, {"eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 10}, {"last_epoch": 3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}, {"T_mult": 3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}, {"T_i": 20}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}, {"T_0": 5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}, {"T_cur": 1}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}, {"eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}, {"base_lrs": [0.2, 0.3]}),
]


@pytest.mark.parametrize(("name", "arguments", "changed"), CHANGES)
@pytest.mark.parametrize("at", [0, 1, 4, 5])
def test_changed_on_the_object(name: str, arguments: dict[str, Any], changed: dict[str, Any], at: int) -> None:
    """A change acts as on PyTorch's object: from the rate that is there, not as if it had held from the beginning."""
    walked = []
    for library in (ours, pytorch):
        scheduler = build(library, name, arguments, optimizer())
        walk(scheduler, at)
        for key, value in changed.items():
            setattr(scheduler, key, value)
        walked.append(walk(scheduler, 30))
    assert walked[0] == [pytest.approx(row, rel=0, abs=1e-14) for row in walked[1]]


def test_changed_before_the_first_step_is_exact() -> None:
    mine = ours.CosineAnnealingLR(optimizer(), 10)
    mine.T_max = 10**9
    mine.eta_min = 0.01
    walk(mine, 50)
    for rate, base in zip(rates(mine), (0.1, 0.05), strict=True):
        assert near(rate, reference("CosineAnnealingLR", {"T_max": 10**9, "eta_min": 0.01}, base, 50))


# As parts of PyTorch's own composites


SEQUENCES = [
    lambda library, o: [pytorch.LinearLR(o, 0.1, total_iters=5), library.CosineAnnealingLR(o, 20, 0.001)],
    lambda library, o: [library.CosineAnnealingLR(o, 10), library.StepLR(o, 3, 0.5)],
    lambda library, o: [library.StepLR(o, 3, 0.5), library.CosineAnnealingWarmRestarts(o, 3, 2)],
    lambda library, o: [library.CosineAnnealingWarmRestarts(o, 3, 2), library.CosineAnnealingLR(o, 10)],
]


@kinds
@pytest.mark.parametrize("parts", SEQUENCES)
@pytest.mark.parametrize("milestone", [0, 5])
def test_in_a_sequence(parts: Any, milestone: int, tensor: bool) -> None:
    pair = []
    for library in (ours, pytorch):
        o = optimizer(tensor=tensor)
        pair.append(pytorch.SequentialLR(o, parts(library, o), [milestone]))
    rounding = rounding_of_pytorch(tensor)
    for _ in range(40):
        assert rates(pair[0]) == pytest.approx(rates(pair[1]), rel=0, abs=rounding)
        assert [float(rate) for rate in pair[0].get_last_lr()] == rates(pair[0])
        for sequence in pair:
            walk(sequence, 1)


@pytest.mark.parametrize("first", [pytorch.LinearLR, ours.CosineAnnealingLR])
def test_a_later_part_is_exact(first: Any) -> None:
    o = optimizer((0.1,), tensor=True)
    parts = [first(o, 1), ours.CosineAnnealingLR(o, 1000)]
    sequence = pytorch.SequentialLR(o, parts, [5])
    walk(sequence, 4)
    for t, (rate,) in enumerate(walk(sequence, 1001)):
        exact = reference("CosineAnnealingLR", {"T_max": 1000}, parts[1].base_lrs[0].item(), t)
        assert near(rate, exact, ulps=0.5001, digits=24)


@kinds
def test_in_a_nested_sequence(tensor: bool) -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer(tensor=tensor)
        inner = pytorch.SequentialLR(o, SEQUENCES[3](library, o), [5])
        walked.append(walk(pytorch.SequentialLR(o, [inner, library.StepLR(o, 2)], [9]), 20))
    assert walked[0] == [pytest.approx(row, rel=0, abs=rounding_of_pytorch(tensor)) for row in walked[1]]


def test_a_sequence_resumed_by_state() -> None:
    def build(tensor: bool) -> Any:
        o = optimizer(tensor=tensor)
        return pytorch.SequentialLR(o, SEQUENCES[1](ours, o), [5])

    for tensor in (False, True):
        for n in (0, 3, 5, 8):
            running, resumed = build(tensor), build(tensor)
            walk(running, n)
            optimizer_state, state = saved(running)
            resumed.optimizer.load_state_dict(optimizer_state)
            resumed.load_state_dict(state)
            assert walk(resumed, 20) == walk(running, 20)


def test_in_a_chain() -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer()
        chain = pytorch.ChainedScheduler([pytorch.LinearLR(o, 0.5), *each(library, o, NAMES[:2])])
        walked.append(walk(chain, 40))
    assert walked[0] == walked[1]


# Another scheduler in the same way


class LinearLR(pytorch.LinearLR, Exact):
    _arguments = ("start_factor", "end_factor", "total_iters")

    def _curve(self, base: float) -> Schedule:
        return annealing.linear(base * self.start_factor, base * self.end_factor, self.total_iters)


@kinds
def test_a_scheduler_that_does_not_start_at_its_base_rate(tensor: bool) -> None:
    """A second one scales the rates of the first again, as PyTorch's does; a resumed one keeps them."""
    walked = []
    for make in (LinearLR, pytorch.LinearLR):
        scheduler = make(optimizer(tensor=tensor), 0.5, total_iters=6)
        walked.append([rates(scheduler), *walk(scheduler, 4)])
        resumed = make(scheduler.optimizer, 0.5, total_iters=6, last_epoch=3)
        walked[-1] += [rates(resumed), *walk(resumed, 4)]
        scheduler = make(optimizer(tensor=tensor), 0.5, total_iters=6)
        second = make(scheduler.optimizer, 0.5, total_iters=6)
        walked[-1] += [rates(second), *walk(second, 4)]
    assert walked[0] == [pytest.approx(row, rel=0, abs=rounding_of_pytorch(tensor)) for row in walked[1]]


# Errors and warnings


BAD = [
    ("StepLR", {"step_size": 0}, "step_size"),
    ("StepLR", {"step_size": -3}, "step_size"),
    ("StepLR", {"step_size": "30"}, "step_size"),
    ("StepLR", {"step_size": 3, "gamma": math.nan}, "gamma"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max"),
    ("CosineAnnealingLR", {"T_max": None}, "T_max"),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": "1e-5"}, "eta_min"),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "eta_min": math.inf}, "eta_min"),
    ("LinearLR", {"total_iters": 0}, "total_iters"),
    ("PolynomialLR", {"total_iters": 0}, "total_iters"),
    ("ConstantLR", {"total_iters": 0}, "total_iters"),
    ("ConstantLR", {"factor": 0}, "factor"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 0, "cycle_momentum": False}, "step_size_up"),
]


@pytest.mark.parametrize(("name", "arguments", "named"), BAD)
def test_bad_arguments_fail_at_construction(name: str, arguments: dict[str, Any], named: str) -> None:
    o, untouched = optimizer(), optimizer()
    with pytest.raises(ScheduleError, match=f"^{named} must"):
        build(ours, name, arguments, o)
    assert [group.keys() for group in o.param_groups] == [group.keys() for group in untouched.param_groups]
    assert [group["lr"] for group in o.param_groups] == [0.1, 0.05]
    assert "step" not in vars(o)


@pytest.mark.parametrize("arguments", [{"T_0": 0}, {"T_0": 10.0}, {"T_0": 5, "T_mult": 0}, {"T_0": 5, "eta_min": None}])
def test_pytorch_s_own_checks_stay(arguments: dict[str, Any]) -> None:
    messages = []
    for library in (ours, pytorch):
        with pytest.raises(ValueError, match="Expected") as caught:
            library.CosineAnnealingWarmRestarts(optimizer(), **arguments)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@cases
def test_the_optimizer_is_checked_as_in_pytorch(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="is not an Optimizer"):
        build(ours, name, arguments, [])  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="initial_lr"):
        build(ours, name, arguments, optimizer(), last_epoch=3)


def test_arguments_made_bad_later() -> None:
    mine = ours.CosineAnnealingLR(optimizer(), 10)
    mine.T_max = 0
    mine.optimizer.step()
    with pytest.raises(ScheduleError, match="T_max"):
        mine.step()
    assert (mine.last_epoch, rates(mine)) == (0, [0.1, 0.05])
    mine = ours.CosineAnnealingWarmRestarts(optimizer(), 10, 2)
    mine.T_0 = 0
    with pytest.raises(ScheduleError, match="T_0"):
        mine.step(5)
    with pytest.raises(ValueError, match="epoch must be at least 0"):
        mine.step(-1)


def test_a_run_longer_than_time_is_pytorch_s() -> None:
    pair = [library.CosineAnnealingWarmRestarts(optimizer(), 3, 10**17) for library in (ours, pytorch)]
    assert walk(pair[0], 20) == [pytest.approx(row, rel=1e-15) for row in walk(pair[1], 20)]


@cases
def test_same_warnings(name: str, arguments: dict[str, Any]) -> None:
    """The step before the optimizer's, an epoch where it is deprecated, and get_lr from outside; all point here."""
    seen, outside = [], []
    for library in (ours, pytorch):
        scheduler = build(library, name, arguments, optimizer())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler.step()
            scheduler.optimizer.step()
            scheduler.step()
            scheduler.step(3)
            outside.append(scheduler.get_lr())
        seen.append([(str(w.message), w.category, w.filename) for w in caught])
    assert seen[0] == seen[1]
    assert len(seen[0]) == (1 if name == "CosineAnnealingWarmRestarts" else 3)
    assert outside[0] == pytest.approx(outside[1])


@cases
def test_no_reference_cycle(name: str, arguments: dict[str, Any]) -> None:
    scheduler = build(ours, name, arguments, optimizer())
    walk(scheduler, 3)
    alive = weakref.ref(scheduler)
    gc.disable()
    del scheduler
    gone = alive() is None
    gc.enable()
    assert gone


# No reading of tensors, no compiling of the rule


class Reads(TorchDispatchMode):
    """Counts the reads of a tensor's value, each of which waits for the device."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)
        return function(*args, **(kwargs or {}))


@cases
def test_steps_read_no_tensor(name: str, arguments: dict[str, Any]) -> None:
    scheduler = build(ours, name, arguments, optimizer(tensor=True))
    with Reads() as reads:
        float(scheduler.optimizer.param_groups[0]["lr"])
        assert reads.count == 1
        for _ in range(40):
            scheduler.optimizer.step()
            scheduler.step()
    assert reads.count == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile imports what is deprecated
@pytest.mark.parametrize("name", NAMES)
def test_compiled_together_with_the_optimizer(name: str) -> None:
    walked = []
    for library in (ours, pytorch):
        parameter = torch.zeros(1, requires_grad=True)
        parameter.grad = torch.ones(1)
        o = torch.optim.SGD([parameter], lr=torch.tensor(0.1))
        (scheduler,) = each(library, o, [name])
        graphs: list[Any] = []

        def update(o: Any = o, scheduler: Any = scheduler) -> None:
            o.step()
            scheduler.step()

        def keep(graph: Any, inputs: Any, graphs: list[Any] = graphs) -> Any:
            graphs.append(graph)
            return graph.forward

        torch.compiler.reset()
        compiled = torch.compile(update, backend=keep)
        for _ in range(6):
            compiled()
        walked.append((rates(scheduler), len(graphs)))
    assert walked[0][0] == pytest.approx(walked[1][0], rel=3e-7)
    assert walked[0][1] == walked[1][1]
