"""The drop-ins against PyTorch's own classes, and against 50-digit values."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch_dropins_cases import (
    build,
    cases,
    kinds,
    near,
    optimizer,
    rates,
    reference,
    rounding_of_pytorch,
    walk,
)

import annealing
from annealing import Schedule
from annealing import torch as ours
from annealing.torch.dropin import Exact


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


def test_whole_and_fractional_steps_mixed() -> None:
    """A plain step advances by 1 from the current position, as in PyTorch."""
    mine = ours.CosineAnnealingWarmRestarts(optimizer(), 5, 2)
    theirs = pytorch.CosineAnnealingWarmRestarts(optimizer(), 5, 2)
    for epoch in (3.5, None, None, 0.25, None, 17, None, 14.75, None, None):
        for scheduler in (mine, theirs):
            scheduler.step(epoch)
        assert (mine.T_cur, mine.T_i, mine.last_epoch) == (theirs.T_cur, theirs.T_i, theirs.last_epoch)
        assert rates(mine) == pytest.approx(rates(theirs), rel=1e-14)


def test_everything_is_there() -> None:
    for name in [*pytorch.__all__, "SWALR"]:
        theirs = torch.optim.swa_utils.SWALR if name == "SWALR" else getattr(pytorch, name)
        assert issubclass(getattr(ours, name), theirs)
        assert inspect.signature(getattr(ours, name)) == inspect.signature(theirs)


class LinearLR(pytorch.LinearLR, Exact):
    _arguments = ("start_factor", "end_factor", "total_iters")

    def _curve(self, base: float) -> Schedule:
        return annealing.linear(base * self.start_factor, base * self.end_factor, self.total_iters)


@pytest.mark.skipif(not hasattr(pytorch.LRScheduler, "_is_initial"), reason="PyTorch before 2.7 has other steps")
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


def test_a_cycle_longer_than_time_steps_as_pytorch_does() -> None:
    pair = [library.CosineAnnealingWarmRestarts(optimizer(), 3, 10**17) for library in (ours, pytorch)]
    assert walk(pair[0], 20) == [pytest.approx(row, rel=1e-15) for row in walk(pair[1], 20)]
