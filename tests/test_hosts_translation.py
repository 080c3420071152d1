"""Live schedulers of Transformers, timm and torchtitan are read, and give the rates that these use."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from frameworks_run import stepped
from host_runs import need

from annealing import from_framework

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

STEPS = {"num_warmup_steps": 10, "num_training_steps": 100}
SCHEDULERS = {
    "constant": {},
    "constant_with_warmup": {"num_warmup_steps": 10},
    "linear": STEPS,
    "cosine": STEPS,
    "cosine_with_restarts": {**STEPS, "scheduler_specific_kwargs": {"num_cycles": 3}},
    "polynomial": {**STEPS, "scheduler_specific_kwargs": {"lr_end": 0.001, "power": 2.0}},
    "inverse_sqrt": {"num_warmup_steps": 10},
    "cosine_with_min_lr": {**STEPS, "scheduler_specific_kwargs": {"min_lr": 0.01}},
    "cosine_warmup_with_min_lr": {**STEPS, "scheduler_specific_kwargs": {"min_lr_rate": 0.1}},
    "warmup_stable_decay": {**STEPS, "scheduler_specific_kwargs": {"num_decay_steps": 20, "min_lr_ratio": 0.1}},
}


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_get_scheduler_returns_is_read(name: str) -> None:
    need("transformers")
    from transformers import get_scheduler

    optimizer = sgd()
    scheduler = get_scheduler(name, optimizer, **SCHEDULERS[name])
    schedule = from_framework(scheduler)
    assert np.allclose(
        stepped(optimizer, lambda n: scheduler.step(), 120), schedule(np.arange(120)), rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("warmup", [0, 7, 0.07])
def test_training_arguments_are_read_as_the_trainer_reads_them(warmup: float, tmp_path: Any) -> None:
    need("transformers", "accelerate")
    from transformers import TrainingArguments, get_scheduler

    args = TrainingArguments(
        output_dir=str(tmp_path),
        learning_rate=0.1,
        lr_scheduler_type="cosine",
        max_steps=100,
        warmup_steps=warmup,
        use_cpu=True,
    )
    optimizer = sgd()
    scheduler = get_scheduler(args.lr_scheduler_type, optimizer, args.get_warmup_steps(100), 100)
    wanted = stepped(optimizer, lambda n: scheduler.step(), 120)
    assert np.allclose(from_framework(args)(np.arange(120)), wanted, rtol=1e-12, atol=1e-15)


def test_live_schedulers_of_timm_are_read() -> None:
    need("timm.scheduler")
    from timm import scheduler as made

    for build in (
        lambda o: made.CosineLRScheduler(
            o, t_initial=30, lr_min=0.01, cycle_mul=2.0, cycle_decay=0.5, cycle_limit=2, warmup_t=5, t_in_epochs=False
        ),
        lambda o: made.TanhLRScheduler(o, t_initial=90, warmup_t=5, warmup_prefix=True, t_in_epochs=False),
        lambda o: made.TanhLRScheduler(o, t_initial=90, warmup_t=5, t_in_epochs=False),
        lambda o: made.PolyLRScheduler(o, t_initial=90, power=2.0, k_decay=1.5, t_in_epochs=False),
        lambda o: made.MultiStepLRScheduler(o, decay_t=[30, 60], decay_rate=0.1, warmup_t=5, t_in_epochs=False),
        lambda o: made.StepLRScheduler(o, decay_t=30, decay_rate=0.5, t_in_epochs=False),
    ):
        optimizer = sgd()
        scheduler = build(optimizer)
        schedule = from_framework(scheduler)
        assert np.allclose(
            stepped(optimizer, scheduler.step_update, 120), schedule(np.arange(120)), rtol=1e-12, atol=1e-15
        )


def test_a_live_scheduler_of_torchtitan_is_read() -> None:
    need("torchtitan.components.optimizer.lr_scheduler")
    from torchtitan.components.optimizer.lr_scheduler import LRSchedulersContainer

    optimizer = sgd()
    settings = SimpleNamespace(warmup_steps=10, decay_ratio=0.5, decay_type="sqrt", min_lr_factor=0.1)
    config = LRSchedulersContainer.Config(**vars(settings))
    scheduler = config.build(optimizers=[optimizer], training_steps=100)
    schedule = from_framework(scheduler.schedulers[0])
    assert np.allclose(
        stepped(optimizer, lambda n: scheduler.step(), 100), schedule(np.arange(100)), rtol=1e-12, atol=1e-15
    )
