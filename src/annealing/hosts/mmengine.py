"""MMEngine: a schedule as a parameter scheduler, named in a config as `dict(type="ScheduleParam", ...)`."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

from . import importing

with importing("mmengine"):
    from mmengine.optim import _ParamScheduler
    from mmengine.optim.scheduler.param_scheduler import INF
    from mmengine.registry import PARAM_SCHEDULERS

from ..notation import parse
from ..schedule.base import Schedule
from ..torch.called_by import HELP, per_epoch
from .adapting import one_schedule, require_same


@PARAM_SCHEDULERS.register_module()
class ScheduleParam(_ParamScheduler):  # type: ignore[misc]
    """A schedule for one number of every param group, `lr` unless `param_name` names another.

    by_epoch: True (as everywhere in MMEngine) if the schedule is in epochs; `convert_to_iter_based` then converts it to
    updates. False if it is in updates, which are fewer than the iterations if an OptimWrapper accumulates.
    """

    def __init__(
        self,
        optimizer: Any,
        schedule: Schedule | str,
        param_name: str = "lr",
        begin: int = 0,
        end: int = INF,
        by_epoch: bool = True,
        **more: Any,
    ) -> None:
        self.schedule = one_schedule(schedule)
        if by_epoch and end < INF:  # the Runner passes its number of epochs as the end
            message = per_epoch([self.schedule], "MMEngine", end - begin, "write by_epoch=False")
            if message:
                warnings.warn(f"{message} {HELP}", RuntimeWarning, stacklevel=2)
        super().__init__(optimizer, param_name, begin=begin, end=end, by_epoch=by_epoch, **more)

    @classmethod
    def build_iter_from_epoch(cls, *args: Any, schedule: Schedule | str, epoch_length: int, **more: Any) -> Any:
        """Called by MMEngine for `convert_to_iter_based=True`: the schedule, begin and end converted to updates."""
        optimizer = args[0] if args else more["optimizer"]
        updates = Fraction(epoch_length, getattr(optimizer, "_accumulative_counts", 1))
        more |= {name: int(more[name] * updates) for name in ("begin", "end") if name in more}
        read = parse(schedule) if isinstance(schedule, str) else schedule
        return cls(*args, **{**more, "schedule": read.stretched(updates), "by_epoch": False})

    def step(self) -> None:
        # MMEngine's hook steps after every iteration, even if the gradients were only accumulated.
        should_update = getattr(self.optimizer, "should_update", None)
        if self.by_epoch or should_update is None or should_update():
            super().step()

    def _get_value(self) -> list[float]:
        return [self.schedule(self.last_step)] * len(self.optimizer.param_groups)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "schedule": self.schedule.to_json()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        require_same(state_dict, self.schedule)
        # The state has the end of the first training; if this one is longer, the rate would stop changing there.
        own = {"schedule": self.schedule, "begin": self.begin, "end": self.end}
        super().load_state_dict({**state_dict, **own})
        self.last_step = min(self._global_step, self.end - 1) - self.begin
        if self.last_step >= 0:
            for group, value in zip(self.optimizer.param_groups, self._get_value(), strict=True):
                group[self.param_name] = value
        self.last_step = max(self.last_step, -1)
