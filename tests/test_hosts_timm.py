"""timm's training script, abridged, follows a schedule through the adapter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from host_runs import SCHEDULE, Used, need, wanted

from annealing import ScheduleError, cosine, linear, parse, step

need("timm.scheduler")
from timm.scheduler.scheduler import Scheduler as TimmScheduler  # noqa: E402

from annealing.hosts.timm import ScheduleForTimm  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def train(optimizer: Any, scheduler: TimmScheduler, epochs: range, per_epoch: int = 4) -> list[float]:
    """The loop of timm's train.py, which is not in the package, with everything that moves a scheduler."""
    used = Used(optimizer)
    if epochs.start > 0:  # "--resume"
        scheduler.step(epochs.start)
        scheduler.step_update(epochs.start * per_epoch)
    for epoch in epochs:
        num_updates = epoch * per_epoch
        for _ in range(per_epoch):
            optimizer.step()
            num_updates += 1
            scheduler.step_update(num_updates=num_updates, metric=0.5)
        scheduler.step(epoch + 1, 0.5)
    return used.rates


def sgd(*scales: float) -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1)], "lr_scale": scale} for scale in scales] or [torch.zeros(1)]
    return torch.optim.SGD(groups, lr=0.05)


def test_a_schedule_in_updates() -> None:
    optimizer = sgd()
    assert train(optimizer, ScheduleForTimm(optimizer, SCHEDULE), range(4)) == wanted(parse(SCHEDULE), 16)


def test_a_schedule_in_epochs() -> None:
    optimizer, schedule = sgd(), linear(0, 0.1, 1) >> step(0.1, 1, gamma=0.5)
    scheduler = ScheduleForTimm(optimizer, schedule, in_epochs=True)
    assert train(optimizer, scheduler, range(4)) == [schedule(n // 4) for n in range(16)]


@pytest.mark.parametrize("in_epochs", [False, True])
def test_resumed(in_epochs: bool) -> None:
    optimizer, schedule = sgd(), cosine(0.1, 0, 4 if in_epochs else 16)
    scheduler = ScheduleForTimm(optimizer, schedule, in_epochs=in_epochs)
    wanted_rates = [schedule(n // 4 if in_epochs else n) for n in range(8, 16)]
    assert train(optimizer, scheduler, range(2, 4)) == wanted_rates


def test_layer_decay_multiplies() -> None:
    optimizer = sgd(1.0, 0.25)
    second = Used(optimizer, group=1)
    first = train(optimizer, ScheduleForTimm(optimizer, SCHEDULE), range(4))
    assert first == wanted(parse(SCHEDULE), 16)
    assert second.rates == [rate * 0.25 for rate in first]


def test_a_schedule_as_a_factor_of_each_groups_rate() -> None:
    optimizer = sgd(1.0, 1.0)
    optimizer.param_groups[1]["lr"] = 0.5
    second = Used(optimizer, group=1)
    train(optimizer, ScheduleForTimm(optimizer, cosine(1, 0, 16), scale="base"), range(4))
    assert second.rates == [cosine(1, 0, 16)(n) * 0.5 for n in range(16)]


def test_its_state_is_the_schedule_and_another_is_refused() -> None:
    optimizer = sgd()
    state = ScheduleForTimm(optimizer, SCHEDULE).state_dict()
    ScheduleForTimm(optimizer, SCHEDULE).load_state_dict(state)
    with pytest.raises(ScheduleError, match="the state belongs to another schedule"):
        ScheduleForTimm(optimizer, cosine(0.1, 0, 16)).load_state_dict(state)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (3, {}, "schedule must be a schedule or its notation, got 3"),
        ("cosin(0.1, 0, 16)", {}, "cosine"),
        ('cosine(0.1, 0, "90ep")', {}, "resolve"),
        (SCHEDULE, {"scale": "lr_scale"}, "scale must be None or 'base', got 'lr_scale'"),
    ],
)
def test_what_cannot_be_used_leaves_the_optimizer_as_it_was(given: Any, options: Any, message: str) -> None:
    optimizer = sgd()
    with pytest.raises(ScheduleError, match=message):
        ScheduleForTimm(optimizer, given, **options)
    assert optimizer.param_groups[0]["lr"] == 0.05
    assert "initial_lr" not in optimizer.param_groups[0]
