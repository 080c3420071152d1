"""After foreign changes of rates and arguments the drop-ins step as PyTorch's classes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_dropins_cases import (
    NAMES,
    VERSION,
    build,
    cases,
    change,
    each,
    kinds,
    near,
    optimizer,
    pytorch,
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


def test_a_tensor_replaced_by_another() -> None:
    pair = [library.CosineAnnealingLR(optimizer((0.1,), tensor=True), 10) for library in (ours, pytorch)]
    for scheduler in pair:
        walk(scheduler, 3)
        scheduler.optimizer.param_groups[0]["lr"] = torch.tensor(0.04)
    assert walk(pair[0], 30) == walk(pair[1], 30)


def test_an_absolute_epoch_returns_to_the_curve() -> None:
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
    """As in PyTorch, a change acts from the current rate on, not as if it had applied from the start."""
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


def warmed_up(library: Any, o: torch.optim.Optimizer, warm_up: str, main: str) -> list[Any]:
    first = {
        "LinearLR": lambda: library.LinearLR(o, 0.01, total_iters=5),  # its first rate is eta_min of the cosine
        "ConstantLR": lambda: library.ConstantLR(o, 0.01, total_iters=5),
        "LambdaLR from 0": lambda: library.LambdaLR(o, lambda epoch: min(1, epoch / 5)),
        "a hand": lambda: change(o, (0.001, 0.001)),
    }[warm_up]()
    second = {
        "CosineAnnealingLR": lambda: library.CosineAnnealingLR(o, 100, eta_min=0.001),
        "CosineAnnealingLR to 0": lambda: library.CosineAnnealingLR(o, 100),
        "PolynomialLR": lambda: library.PolynomialLR(o, 100),
        "StepLR": lambda: library.StepLR(o, 30),
        "SWALR": lambda: library.SWALR(o, 0.001, anneal_epochs=100),
    }[main]()
    return [scheduler for scheduler in (first, second) if scheduler is not None]


@pytest.mark.parametrize("main", ["CosineAnnealingLR", "CosineAnnealingLR to 0", "PolynomialLR", "StepLR", "SWALR"])
@pytest.mark.parametrize("warm_up", ["LinearLR", "ConstantLR", "LambdaLR from 0", "a hand"])
@pytest.mark.parametrize("chained", [False, True], ids=["by hand", "chained"])
def test_beside_a_warm_up(warm_up: str, main: str, chained: bool) -> None:
    """A rate equal to eta_min, or 0, does not mean that the schedule is finished."""
    walked = []
    for library in (ours, pytorch):
        o = optimizer((0.1, 0.1))
        schedulers = warmed_up(library, o, warm_up, main)
        if chained:
            schedulers = [library.ChainedScheduler(schedulers)]
        walked.append([[group["lr"] for group in o.param_groups]])
        for _ in range(150):
            o.step()
            for scheduler in schedulers:
                scheduler.step()
            walked[-1].append([group["lr"] for group in o.param_groups])
    assert walked[0] == [pytest.approx(row, rel=1e-12, abs=1e-17) for row in walked[1]]


def test_an_ordinary_warm_up_stays_below_its_peak() -> None:
    o = optimizer((0.1,))
    chain = ours.ChainedScheduler([ours.LinearLR(o, 0.01, total_iters=5), ours.CosineAnnealingLR(o, 100, 0.001)])
    walked = [rates(chain)[0], *(rate for (rate,) in walk(chain, 100))]
    assert walked[0] == 0.001
    assert max(walked) == walked[5] == pytest.approx(0.0994, abs=5e-5)


RESUMED = [
    ("StepLR", {"step_size": 30}),
    ("StepLR", {"step_size": 10}),
    ("MultiStepLR", {"milestones": [10, 20, 60]}),
    ("ConstantLR", {"total_iters": 20}),
    ("LinearLR", {"total_iters": 20}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 100, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 100, "eta_min": 0.02}),
    ("SWALR", {"swa_lr": 0.02, "anneal_epochs": 10}),
]


@pytest.mark.skipif(VERSION < (2, 7), reason="PyTorch before 2.7 decays a resumed rate a second time")
@pytest.mark.parametrize(("name", "arguments"), RESUMED)
@pytest.mark.parametrize("found", [(0.02, 0.02), (0.0, 0.0), (0.05, 0.1)], ids=["a minimum", "zero", "swapped"])
def test_resumed_at_rates_off_its_curve(name: str, arguments: dict[str, Any], found: tuple[float, float]) -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer(found)
        for group, base in zip(o.param_groups, (0.1, 0.05), strict=True):
            group["initial_lr"] = base
        scheduler = build(library, name, arguments, o, last_epoch=31)
        walked.append([rates(scheduler), *walk(scheduler, 60)])
    assert walked[0] == [pytest.approx(row, rel=1e-12, abs=1e-17) for row in walked[1]]


def test_averaging_that_starts_late() -> None:
    """Built by Lightning with the run's last epoch, it anneals from the current rate, even the initial one."""
    walked = []
    for library in (ours, pytorch):
        o = optimizer()
        for group in o.param_groups:
            group["initial_lr"] = group["lr"]
        scheduler = library.SWALR(o, swa_lr=0.02, anneal_epochs=10, last_epoch=30)
        walked.append([rates(scheduler), *walk(scheduler, 15)])
        assert (scheduler._step_count, scheduler.last_epoch) == (16, 46)
    assert walked[0][0] == [0.1, 0.05]
    assert walked[0] == [pytest.approx(row, rel=1e-13) for row in walked[1]]


def test_rates_of_the_last_epoch_still_decay() -> None:
    """Saved before the scheduler's step, they belong to epoch 6; the drop is at 7, as in PyTorch."""
    for library in (ours, pytorch):
        o = optimizer((0.1,))
        o.param_groups[0]["initial_lr"] = 0.2
        assert library.StepLR(o, 7, gamma=0.5, last_epoch=13).get_last_lr() == [0.05]
