"""Where PyTorch is wrong and the drop-ins are right, against 50-digit values and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch_dropins_cases import (
    CLASSES,
    near,
    optimizer,
    rates,
    reference,
    walk,
)

from annealing import ScheduleError
from annealing import torch as ours


def test_a_tensor_shared_by_groups() -> None:
    shared = torch.tensor(0.1)
    o = torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(3)], lr=shared)
    mine = ours.CosineAnnealingLR(o, 10)
    walk(mine, 4)
    assert near(float(shared), reference("CosineAnnealingLR", {"T_max": 10}, 0.1, 4), ulps=1, digits=24)


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
    """After 3,000 float32 steps PyTorch is off by more than 1e-6 of its rate somewhere, the drop-in nowhere."""
    worst = {}
    for library in (ours, pytorch):
        scheduler = library.CosineAnnealingLR(optimizer((0.1,), tensor=True), 1000)
        exact = [reference("CosineAnnealingLR", {"T_max": 1000}, scheduler.base_lrs[0].item(), t) for t in range(3001)]
        off = [abs(got - want) / want for (got,), want in zip(walk(scheduler, 3000), exact[1:], strict=True) if want]
        worst[library] = max(off)
    assert worst[ours] <= 2**-24
    assert worst[pytorch] > 1e-6


@pytest.mark.parametrize("n", [10, 20])
def test_no_second_decay_of_rates_from_elsewhere(n: int) -> None:
    """Rates off the curve are kept, and PyTorch's steps follow from there."""
    o = optimizer()
    pytorch.StepLR(o, 10)
    for group, rate in zip(o.param_groups, (0.003, 0.002), strict=True):
        group["lr"] = rate
    resumed = ours.StepLR(o, 10, last_epoch=n - 1)
    assert rates(resumed) == resumed.get_last_lr() == [0.003, 0.002]
    assert walk(resumed, 10)[8:] == [[0.003, 0.002], [0.003 * 0.1, 0.002 * 0.1]]


@pytest.mark.parametrize("name", ["LinearLR", "CosineAnnealingWarmRestarts"])
def test_a_later_group_follows_the_curve_where_pytorch_s_fails(name: str) -> None:
    """PyTorch's LinearLR raises such a group above its own rate, and its warm restarts fail."""
    arguments = {"LinearLR": (0.1, 1.0, 10), "CosineAnnealingWarmRestarts": (10,)}[name]
    mine = getattr(ours, name)(optimizer(), *arguments)
    walk(mine, 3)
    mine.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.2})
    assert all(row[2] == pytest.approx(2 * row[0], rel=1e-15) for row in walk(mine, 9))


def test_a_tensor_shared_by_groups_is_no_longer_shared() -> None:
    o = torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(2)], lr=torch.tensor(0.1))
    mine = ours.LambdaLR(o, [lambda epoch: 0.5**epoch, lambda epoch: 0.9**epoch])
    walk(mine, 3)
    assert rates(mine) == pytest.approx([0.0125, 0.0729], rel=1e-6)


def test_one_cycle_at_its_end() -> None:
    """PyTorch's rate is negative there; a loop that steps after every update reaches this step."""
    mine = ours.OneCycleLR(optimizer(), 0.1, total_steps=10, anneal_strategy="linear")
    assert walk(mine, 10)[-2:] == [pytest.approx([4e-7, 4e-7], rel=1e-12)] * 2
    with pytest.raises(ScheduleError, match="total_steps = 10"):
        mine.step()
    assert mine.last_epoch == 10


@pytest.mark.parametrize(("total", "share"), [(10, 0.1), (100, 0.01), (5, 0.2), (2, 0.5), (1, 1.0)])
def test_one_cycle_without_a_rise(total: int, share: float) -> None:
    """PyTorch divides by zero; the rate should start at its peak."""
    mine = ours.OneCycleLR(optimizer(), 0.1, total_steps=total, pct_start=share)
    assert rates(mine)[0] == (0.1 if total > 1 else mine.optimizer.param_groups[0]["min_lr"])


def test_a_cyclic_scheduler_after_another_starts_from_its_own_base() -> None:
    """PyTorch's starts from the initial rate of the other scheduler."""
    o = optimizer()
    ours.StepLR(o, 30)
    mine = ours.CyclicLR(o, 0.01, 0.2, step_size_up=10)
    assert rates(mine) == [0.01, 0.01]
    assert walk(mine, 10)[-1] == [0.2, 0.2]


def test_a_sequence_in_a_sequence_gives_no_warning() -> None:
    """PyTorch's warns in its constructor that the optimizer was not stepped."""
    mine = CLASSES["nested SequentialLR"](ours, optimizer())
    assert rates(mine) == pytest.approx([0.01, 0.005])
