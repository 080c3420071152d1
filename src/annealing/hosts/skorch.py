"""skorch: its LRScheduler callback, stepped once per batch, resuming at the number of batches trained."""

from __future__ import annotations

from typing import Any

from . import importing

with importing("skorch"):
    from skorch.callbacks import LRScheduler

from ..torch.scheduler import Scheduler


class ScheduleLR(LRScheduler):  # type: ignore[misc]
    """A callback for a net: `ScheduleLR(lr=cosine(0.1, 0, 1000))`, with the arguments of a Scheduler.

    It differs from skorch's LRScheduler in two ways: it steps once per batch, not per epoch, and after `partial_fit` or
    a loaded history it starts at the number of batches trained, where skorch counts epochs.
    """

    def __init__(self, policy: Any = Scheduler, step_every: str = "batch", **schedules: Any) -> None:
        super().__init__(policy=policy, step_every=step_every, **schedules)

    def _get_scheduler(self, net: Any, policy: Any, **schedules: Any) -> Any:
        if self.step_every == "batch":
            schedules.setdefault("last_epoch", self.batch_idx_ - 1)
        return super()._get_scheduler(net, policy, **schedules)
