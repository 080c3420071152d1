"""skorch: its LRScheduler callback, stepped once per batch, that knows how many batches a net has trained before."""

from __future__ import annotations

from typing import Any

from . import missing

try:
    from skorch.callbacks import LRScheduler
except ImportError as error:
    raise missing("skorch", "skorch") from error

from ..torch.scheduler import Scheduler


class ScheduleLR(LRScheduler):  # type: ignore[misc]
    """`ScheduleLR(lr=cosine(0.1, 0, 1000))` among the callbacks of a net; the arguments are those of a Scheduler.

    It is skorch's LRScheduler with two other defaults: one step per batch and not per epoch, and after `partial_fit`
    or a loaded history the position is the number of batches trained, where skorch counts epochs.
    """

    def __init__(self, policy: Any = Scheduler, step_every: str = "batch", **schedules: Any) -> None:
        super().__init__(policy=policy, step_every=step_every, **schedules)

    def _get_scheduler(self, net: Any, policy: Any, **schedules: Any) -> Any:
        if self.step_every == "batch":
            schedules.setdefault("last_epoch", self.batch_idx_ - 1)
        return super()._get_scheduler(net, policy, **schedules)
