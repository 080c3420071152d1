"""Detects which training framework steps a Scheduler, and warns unless it does so once per update.

A framework that steps at the wrong frequency fails silently: the rates stay far too high, or fall far too early. So a
Scheduler looks at its callers once, at its first `step()`. This imports no framework; one that renames its functions is
no longer recognized, and nothing else breaks.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from ..schedule.base import Schedule
from .hyperparameters import lr_schedules

DEEPEST = 16  # frames; Lightning's loop is 4 to 8 above the step, profilers and overridden hooks included
HELP = "See docs/hosts.md."

# A warning; or what one about schedules that are stepped per epoch says: the host, its number of epochs, the remedy.
Found = str | tuple[str, Any, str] | None


def look_at_caller(scheduler: Any) -> None:
    """Warn if the framework that is stepping this scheduler does so once per epoch, or once per process."""
    frame: FrameType | None = sys._getframe(2)
    for _ in range(DEEPEST):
        if frame is None:
            return
        judge = HOSTS.get((frame.f_globals.get("__name__", ""), frame.f_code.co_name))
        if judge is not None:
            found = judge(frame.f_locals, frame.f_globals)
            if isinstance(found, tuple):
                found = per_epoch(lr_schedules(scheduler._hyperparameters), *found)
            if found:
                warnings.warn(f"{found} {HELP}", RuntimeWarning, stacklevel=4)
            return
        frame = frame.f_back


def per_epoch(schedules: Iterable[Schedule], host: str, epochs: Any, remedy: str) -> str | None:
    """The warning about schedules that are stepped per epoch; None if they fit into the epochs of the training."""
    if not isinstance(epochs, int) or epochs < 0:
        return None
    for schedule in schedules:
        # An endless schedule fits if its first cycle does; a formula without cycles could be in either unit.
        length = schedule.duration or next((one.end for one in schedule.cycles()), None)
        if length is not None and length > epochs:
            return (
                f"{host} steps once per epoch, and a training of {epochs} epochs does not reach the end of {schedule}, "
                f"which is {length} long: for a schedule in updates {remedy}."
            )
    return None


def _lightning(found: dict[str, Any], _: dict[str, Any]) -> Found:
    if found.get("interval") == "epoch":
        remedy = 'return {"scheduler": scheduler, "interval": "step"} as lr_scheduler from configure_optimizers'
        return "Lightning", getattr(found.get("trainer"), "max_epochs", None), remedy
    frequency = getattr(found.get("config"), "frequency", 1)
    if frequency == 1:
        return None
    return (
        f"Lightning steps this Scheduler once every {frequency} batches, not after every update: "
        'remove "frequency" from the lr_scheduler dict.'
    )


def _accelerate(found: dict[str, Any], module: dict[str, Any]) -> Found:
    wrapper, processes = found["self"], module["AcceleratorState"]().num_processes
    if processes == 1 or wrapper.split_batches or not wrapper.step_with_optimizer:
        return None
    return (
        f"Accelerate steps a prepared scheduler once per process, {processes} times per update: do not give this "
        "Scheduler to accelerator.prepare; build annealing.hosts.accelerate.AccelerateScheduler on the prepared "
        "optimizer."
    )


def _skorch(found: dict[str, Any], _: dict[str, Any]) -> Found:
    return "skorch", getattr(found.get("net"), "max_epochs", None), 'write LRScheduler(..., step_every="batch")'


def _composer(found: dict[str, Any], _: dict[str, Any]) -> Found:
    trainer = found["self"]
    frequency, longest = trainer._scheduler_step_frequency, trainer.state.max_duration
    if frequency.name != "EPOCH" or longest.unit.name != "EPOCH":
        return None
    return "Composer", longest.value, "write Trainer(..., step_schedulers_every_batch=True)"


# The function in each host that decides when to step its schedulers, by module and name.
HOSTS: dict[tuple[str, str], Callable[[dict[str, Any], dict[str, Any]], Found]] = {
    ("lightning.pytorch.loops.training_epoch_loop", "_update_learning_rates"): _lightning,
    ("pytorch_lightning.loops.training_epoch_loop", "_update_learning_rates"): _lightning,
    ("accelerate.scheduler", "step"): _accelerate,
    ("skorch.callbacks.lr_scheduler", "on_epoch_end"): _skorch,
    ("composer.trainer.trainer", "_train_loop"): _composer,
}
