"""timm: a schedule as one of its schedulers, for training scripts that call `step(epoch)` and `step_update(n)`."""

from __future__ import annotations

from typing import Any

from . import importing

with importing("timm"):
    from timm.scheduler.scheduler import Scheduler as TimmScheduler

from ..errors import ScheduleError
from ..schedule.base import Schedule
from .adapting import one_schedule, require_same


class ScheduleForTimm(TimmScheduler):  # type: ignore[misc]
    """Rates from a schedule; timm multiplies them by a group's `lr_scale` (layer decay), if it has one.

    in_epochs: whether the schedule counts epochs (it follows timm's `step(epoch)` and ignores `step_update`) or updates
    (the reverse). scale: None, or "base" to multiply by the rate that each group had before.
    """

    def __init__(
        self, optimizer: Any, schedule: Schedule | str, *, in_epochs: bool = False, scale: str | None = None
    ) -> None:
        self.schedule = one_schedule(schedule)
        if scale not in (None, "base"):
            raise ScheduleError(f"scale must be None or 'base', got {scale!r}")
        self.scale = scale
        super().__init__(optimizer, "lr", t_in_epochs=in_epochs)
        self.update_groups(self._get_lr(0))

    def _get_lr(self, t: float) -> list[float]:
        rate = self.schedule(t)
        return [rate * (base if self.scale else 1) for base in self.base_values]

    def state_dict(self) -> dict[str, Any]:
        """The schedule as text; timm gives the time with every call, so there is no position to save."""
        return {"schedule": self.schedule.to_json()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        require_same(state_dict, self.schedule)
