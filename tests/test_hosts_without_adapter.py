"""Ignite, Composer, torchtitan and fastai take a schedule or a Scheduler as they are."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from host_runs import SCHEDULE, Used, need, wanted

from annealing import cosine, parse
from annealing.torch import Scheduler

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def sgd(model: torch.nn.Module) -> tuple[torch.optim.SGD, Used]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    return optimizer, Used(optimizer)


def batches(count: int = 4) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(torch.ones(4, 4), torch.zeros(4, 1))] * count


def ignite_trainer(model: torch.nn.Module, optimizer: Any, accumulated: int = 1) -> Any:
    from ignite.engine import create_supervised_trainer

    loss = torch.nn.functional.mse_loss
    return create_supervised_trainer(model, optimizer, loss, gradient_accumulation_steps=accumulated)


@pytest.mark.parametrize("accumulated", [1, 4])
def test_ignite_by_an_event(accumulated: int) -> None:
    need("ignite.engine", "ignite.handlers")
    from ignite.engine import Events

    model = torch.nn.Linear(4, 1)
    optimizer, used = sgd(model)
    scheduler, trainer = Scheduler(optimizer, lr=parse(SCHEDULE)), ignite_trainer(model, optimizer, accumulated)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=accumulated), lambda: scheduler.step())
    trainer.run(batches(), max_epochs=4)
    assert used.rates == wanted(parse(SCHEDULE), 16 // accumulated)


def test_ignite_by_its_own_scheduler() -> None:
    need("ignite.engine", "ignite.handlers")
    from ignite.engine import Events
    from ignite.handlers import LRScheduler

    model = torch.nn.Linear(4, 1)
    optimizer, used = sgd(model)
    trainer = ignite_trainer(model, optimizer)
    trainer.add_event_handler(Events.ITERATION_STARTED, LRScheduler(Scheduler(optimizer, lr=parse(SCHEDULE))))
    trainer.run(batches(), max_epochs=4)
    assert used.rates == wanted(parse(SCHEDULE), 16)


def test_ignite_resumed_from_its_checkpoint(tmp_path: Path) -> None:
    need("ignite.engine", "ignite.handlers")
    from ignite.engine import Events
    from ignite.handlers import Checkpoint, DiskSaver

    def train(epochs: int, checkpoint: Path | None) -> tuple[list[float], Path]:
        model = torch.nn.Linear(4, 1)
        optimizer, used = sgd(model)
        trainer, scheduler = ignite_trainer(model, optimizer), Scheduler(optimizer, lr=parse(SCHEDULE))
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: scheduler.step())
        kept = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "trainer": trainer}
        handler = Checkpoint(kept, DiskSaver(str(tmp_path), require_empty=False), n_saved=None)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, handler)
        if checkpoint is not None:
            Checkpoint.load_objects(kept, checkpoint=str(checkpoint))
        trainer.run(batches(), max_epochs=epochs)
        return used.rates, tmp_path / str(handler.last_checkpoint)

    first, saved = train(2, None)
    second, _ = train(4, saved)
    assert first == wanted(parse(SCHEDULE), 8)
    assert second == wanted(parse(SCHEDULE), 8, 8)


def composer(monkeypatch: pytest.MonkeyPatch) -> Any:
    if "mcli" not in sys.modules:  # the client of a service, which Composer imports, is of no use to a test
        monkeypatch.setitem(sys.modules, "mcli", ModuleType("mcli"))
    need("composer")
    import composer

    class Model(composer.models.ComposerModel):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, batch: Any) -> Any:
            return self.layer(batch[0])

        def loss(self, outputs: Any, batch: Any, *_: Any, **__: Any) -> Any:
            return (outputs - batch[1]).square().mean()

    def train(schedulers: Any, **more: Any) -> list[float]:
        model = Model()
        optimizer, used = sgd(model)
        data = torch.utils.data.DataLoader(list(zip(torch.ones(16, 4), torch.zeros(16, 1), strict=True)), batch_size=4)
        options = {"max_duration": "4ep", "device": "cpu", "progress_bar": False, "device_train_microbatch_size": 4}
        made = schedulers(optimizer)
        composer.Trainer(
            model=model, train_dataloader=data, optimizers=optimizer, schedulers=made, **{**options, **more}
        ).fit()
        return used.rates

    return train


@pytest.mark.parametrize("accumulated", [1, 2])
def test_composer(accumulated: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = composer(monkeypatch)(
        lambda optimizer: Scheduler(optimizer, lr=parse(SCHEDULE)),
        step_schedulers_every_batch=True,
        device_train_microbatch_size=4 // accumulated,
    )
    assert rates == wanted(parse(SCHEDULE), 16)


def test_composers_own_schedulers_are_one_batch_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why the page uses a Scheduler: Composer steps its own before it counts the batch, using the first rate twice."""
    schedule = cosine(1, 0, 16)
    rates = composer(monkeypatch)(lambda _: lambda state, ssr=1.0: schedule(state.timestamp.batch.value))
    assert rates == [0.05 * schedule(max(n - 1, 0)) for n in range(16)]


def test_composer_stepping_per_epoch_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    train = composer(monkeypatch)
    with pytest.warns(RuntimeWarning, match=r"Composer steps once per epoch.*step_schedulers_every_batch=True"):
        train(lambda optimizer: Scheduler(optimizer, lr=parse(SCHEDULE)))


def torchtitan_optimizers(model: torch.nn.Module) -> Any:
    need("torchtitan.components.optimizer")
    from torchtitan.components.optimizer import OptimizersContainer, default_adamw

    config = default_adamw(lr=0.05)
    config.implementation = "for-loop"
    return OptimizersContainer(config, model_parts=[model])


def torchtitan_loop(model: torch.nn.Module, optimizers: Any, schedulers: Any, updates: int) -> list[float]:
    """The part of torchtitan's train_step that touches them, which needs no GPU: backward, step, step."""
    used = Used(optimizers.optimizers[0])
    for _ in range(updates):
        optimizers.zero_grad()
        model(torch.ones(2, 4)).square().mean().backward()
        optimizers.step()
        schedulers.step()
    return used.rates


def test_torchtitan_takes_a_schedule_as_its_lambda() -> None:
    model = torch.nn.Linear(4, 1)
    optimizers = torchtitan_optimizers(model)
    from torchtitan.components.optimizer.lr_scheduler import LRSchedulersContainer

    schedule = cosine(1, 0.1, 16)
    schedulers = LRSchedulersContainer(optimizers, schedule)
    assert torchtitan_loop(model, optimizers, schedulers, 6) == [0.05 * schedule(n) for n in range(6)]
    resumed = LRSchedulersContainer(again := torchtitan_optimizers(model), schedule)
    again.load_state_dict(optimizers.state_dict())
    resumed.load_state_dict(schedulers.state_dict())
    assert torchtitan_loop(model, again, resumed, 10) == [0.05 * schedule(n) for n in range(6, 16)]


def test_torchtitan_with_schedulers_of_ours() -> None:
    model = torch.nn.Linear(4, 1)
    optimizers = torchtitan_optimizers(model)
    from torchtitan.components.optimizer.lr_scheduler import LRSchedulersContainer

    class Schedules(LRSchedulersContainer):
        def __init__(self, optimizers: Any) -> None:
            self.schedulers = [Scheduler(optimizer, lr=parse(SCHEDULE)) for optimizer in optimizers]

    schedulers = Schedules(optimizers)
    assert torchtitan_loop(model, optimizers, schedulers, 6) == wanted(parse(SCHEDULE), 6)
    resumed = Schedules(again := torchtitan_optimizers(model))
    again.load_state_dict(optimizers.state_dict())
    resumed.load_state_dict(schedulers.state_dict())
    assert torchtitan_loop(model, again, resumed, 10) == wanted(parse(SCHEDULE), 10, 6)


def test_fastai_calls_a_schedule_with_the_fraction_of_the_training() -> None:
    need("fastai.learner", "fastai.callback.schedule", "fastai.data.core")
    from fastai.callback.core import Callback
    from fastai.callback.schedule import ParamScheduler
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import SGD

    class Recorder(Callback):
        def before_step(self) -> None:
            rates.append(self.opt.hypers[-1]["lr"])

    rates: list[float] = []
    data = DataLoaders(batches(), batches(1))
    learner = Learner(data, torch.nn.Linear(4, 1), loss_func=torch.nn.MSELoss(), opt_func=SGD, train_bn=False)
    updates, schedule = 16, parse(SCHEDULE)
    callbacks = [ParamScheduler({"lr": lambda share: schedule(round(share * updates))}), Recorder()]
    with learner.no_bar(), learner.no_logging():
        learner.fit(4, cbs=callbacks)
    assert rates == wanted(schedule, 16)
