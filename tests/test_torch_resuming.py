"""Every drop-in resumed after every number of steps, in every way, against the uninterrupted run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch_dropins_cases import CLASSES, classes, kinds, momenta, optimizer, ours, rates, saved, walk

POINTS = 200
AHEAD = 3
ORDERS = ("scheduler first", "optimizer first")
MEANS = ("both states", "the scheduler's state", "last_epoch")


def seen(scheduler: Any) -> list[float]:
    """The rates and momenta now, and after some more steps."""
    found = rates(scheduler) + momenta(scheduler)
    for row in walk(scheduler, AHEAD):
        found += row
    return found + momenta(scheduler)


WAYS = tuple((order, means) for order in ORDERS for means in MEANS)


def resumed(
    library: Any, name: str, states: list[Any], n: int, tensor: bool, ways: tuple[tuple[str, str], ...] = WAYS
) -> Iterator[tuple[str, str, Any]]:
    """The scheduler after n steps in each of the six ways."""
    start, (optimizer_state, state) = states[0][0], states[n]
    for order, means in ways:
        o = optimizer(tensor=tensor)
        loaded = start if means == "the scheduler's state" else optimizer_state
        if order == "optimizer first":
            o.load_state_dict(loaded)
        elif means == "last_epoch":  # which PyTorch wants to find
            for group in o.param_groups:
                group["initial_lr"] = group["lr"].clone() if tensor else group["lr"]
        scheduler = CLASSES[name](library, o, **({"last_epoch": n - 1} if means == "last_epoch" else {}))
        if order == "scheduler first":
            o.load_state_dict(loaded)
        if means != "last_epoch":
            scheduler.load_state_dict(dict(state))
        yield order, means, scheduler


@classes
@kinds
@pytest.mark.parametrize("every", [23, pytest.param(1, marks=pytest.mark.thorough)])
@pytest.mark.filterwarnings("ignore:Detected call of")  # a scheduler that is built anew waits for its optimizer
def test_resumed_anywhere_in_any_way(name: str, tensor: bool, every: int) -> None:
    running = CLASSES[name](ours, optimizer(tensor=tensor))
    states, whole = [saved(running)], [rates(running) + momenta(running)]
    for _ in range(POINTS + AHEAD):
        walk(running, 1)
        states.append(saved(running))
        whole.append(rates(running) + momenta(running))
    groups = len(whole[0]) // 2
    for n in range(1, POINTS + 1, 7 * every if tensor else every):
        ahead = [rate for row in whole[n + 1 : n + 1 + AHEAD] for rate in row[:groups]]
        expected = [*whole[n], *ahead, *whole[n + AHEAD][groups:]]
        for order, means, scheduler in resumed(ours, name, states, n, tensor):
            # A chain's rates come from PyTorch's recursions, which round anew from where they are resumed.
            assert seen(scheduler) == pytest.approx(expected, rel=1e-6 if tensor else 1e-13), (n, order, means)


def test_a_waiting_scheduler_keeps_the_rates_of_the_one_in_charge() -> None:
    """The usual averaging of weights: SWALR is built at the start, and takes over late."""
    o = optimizer()
    main, averaging = ours.ExponentialLR(o, 0.9), ours.SWALR(o, 0.02)
    walk(main, 5)
    states = [o.state_dict(), main.state_dict(), averaging.state_dict()]
    o = optimizer()
    again, waiting = ours.ExponentialLR(o, 0.9), ours.SWALR(o, 0.02)
    for part, state in zip((o, again, waiting), states, strict=True):
        part.load_state_dict(state)
    assert rates(again) == rates(main)


def test_loading_writes_the_rates_and_an_optimizer_loaded_later_wins() -> None:
    running = ours.CosineAnnealingLR(optimizer(), 10)
    walk(running, 4)
    other = ours.CosineAnnealingLR(optimizer(), 10)
    other.load_state_dict(running.state_dict())
    assert rates(other) == rates(running)
    changed = optimizer((0.7, 0.6)).state_dict()
    other.optimizer.load_state_dict(changed)
    assert rates(other) == [0.7, 0.6]


def test_last_epoch_means_one_position_later() -> None:
    for library in (ours, torch.optim.lr_scheduler):
        o = optimizer()
        for group in o.param_groups:
            group["initial_lr"] = group["lr"]
        assert library.LinearLR(o, last_epoch=6).last_epoch == 7


def test_a_sequence_can_be_placed_anywhere_however_its_parts_were_built() -> None:
    with warnings.catch_warnings(action="ignore"):
        whole = walk(CLASSES["SequentialLR"](ours, optimizer()), 40)
        for n in (1, 8, 9, 30):
            o = optimizer()
            for group in o.param_groups:
                group["initial_lr"] = group["lr"]
            parts = [ours.LinearLR(o, 0.1, total_iters=8, last_epoch=n - 1)]
            parts += [ours.CosineAnnealingLR(o, 60, 0.001, last_epoch=n - 1), ours.StepLR(o, 7, 0.7, last_epoch=n - 1)]
            assert walk(ours.SequentialLR(o, parts, [8, 68], last_epoch=n - 1), 10) == whole[n : n + 10]
