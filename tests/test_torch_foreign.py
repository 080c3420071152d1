"""Rates and arguments that something else has changed: the drop-ins step as PyTorch's classes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch_dropins_cases import (
    NAMES,
    build,
    cases,
    change,
    each,
    kinds,
    near,
    optimizer,
    rates,
    reference,
    walk,
)

from annealing import torch as ours


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
        assert walked[0] == [pytest.approx(row, rel=1e-15, abs=1e-17) for row in walked[1]]
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
    assert walked[0] == [pytest.approx(row, rel=0, abs=1e-15) for row in walked[1]]


def test_changed_before_the_first_step_is_exact() -> None:
    mine = ours.CosineAnnealingLR(optimizer(), 10)
    mine.T_max = 10**9
    mine.eta_min = 0.01
    walk(mine, 50)
    for rate, base in zip(rates(mine), (0.1, 0.05), strict=True):
        assert near(rate, reference("CosineAnnealingLR", {"T_max": 10**9, "eta_min": 0.01}, base, 50))
