"""Accelerate: a Scheduler that steps once per update, for any number of processes and accumulated batches."""

from __future__ import annotations

from typing import Any

from . import importing

with importing("accelerate"):
    from accelerate import Accelerator
    from accelerate.optimizer import AcceleratedOptimizer

from ..errors import ScheduleError
from ..torch.scheduler import Scheduler


class AccelerateScheduler(Scheduler):
    """A Scheduler for a prepared optimizer; call `step()` after each `optimizer.step()`, even inside `accumulate`.

    It advances only if the optimizer made an update: not while gradients are accumulated, and not if a GradScaler
    skipped. `accelerator.save_state` and `load_state` save and load it. `accelerator.prepare` returns it unchanged,
    because Accelerate would step a wrapped scheduler once per process.
    """

    optimizer: Any
    _is_accelerate_prepared = True  # so `Accelerator.prepare` does not wrap it

    def __init__(self, accelerator: Accelerator, optimizer: AcceleratedOptimizer, **schedules: Any) -> None:
        if not isinstance(optimizer, AcceleratedOptimizer):
            raise ScheduleError(
                "optimizer must be the one that accelerator.prepare returns: model, optimizer, loader = "
                f"accelerator.prepare(model, optimizer, loader); got {type(optimizer).__name__}"
            )
        super().__init__(optimizer, **schedules)
        self.gradient_state = accelerator.gradient_state
        accelerator.register_for_checkpointing(self)

    def step(self, epoch: float | None = None, *, updated: bool = True) -> None:
        made = self.gradient_state.sync_gradients and not self.optimizer.step_was_skipped
        super().step(epoch, updated=updated and made)
