"""What the adapters share: schedules resolved with a host's number of updates, and a Watch that begins late."""

from __future__ import annotations

import math
from typing import Any, Literal

from ..errors import ScheduleError
from ..notation import from_json, parse
from ..plan import Plan
from ..schedule.base import Schedule
from ..torch.scheduler import Scheduler
from ..torch.watch import Watch

Reaction = Literal["warn", "raise"]
OPTIONS = ("scale", "policy", "last_epoch", "snapshots")  # of a Scheduler; all else that it takes are schedules
REACTIONS = (None, "warn", "raise")


def resolved(given: Any, updates: float) -> Any:
    """A value for `Scheduler`: text is parsed, and durations like "5%" become updates out of the host's `updates`."""
    if isinstance(given, list | tuple):
        return type(given)(resolved(one, updates) for one in given)
    schedule = parse(given) if isinstance(given, str) else given
    if not (isinstance(schedule, Schedule) and schedule.pending):
        return schedule  # in updates already: it may end early and hold, which a plan would refuse
    if not 0 < updates < math.inf:
        raise ScheduleError(f"{schedule} has shares of a training whose number of updates this host does not know")
    return Plan(steps=int(updates)).resolve(schedule)


def one_schedule(given: Any) -> Schedule:
    """The schedule of an adapter that takes one, from notation too."""
    schedule = parse(given) if isinstance(given, str) else given
    if not isinstance(schedule, Schedule):
        raise ScheduleError(f"schedule must be a schedule or its notation, got {given!r}")
    # One that waits for a plan cannot be called: found out here, before the host's class writes to the groups.
    schedule(0)
    return schedule


def require_same(state: dict[str, Any], schedule: Schedule) -> None:
    """Refuse the state of another schedule: the host's own classes would take up whatever it holds."""
    found = from_json(state.get("schedule", ""))
    if found != schedule:
        raise ScheduleError(f"the state is of another schedule: {found}; this scheduler has {schedule}")


def scheduler_for(kind: type[Scheduler], optimizer: Any, updates: float, given: dict[str, Any]) -> Scheduler:
    """A Scheduler from the arguments of an adapter, once the host knows how many updates it will make."""
    return kind(optimizer, **{name: one if name in OPTIONS else resolved(one, updates) for name, one in given.items()})


def reaction(on_departure: Any) -> Reaction | None:
    if on_departure not in REACTIONS:
        raise ScheduleError(f"on_departure must be None, 'warn' or 'raise', got {on_departure!r}")
    return on_departure  # type: ignore[no-any-return]


def watch(scheduler: Scheduler, on_departure: Reaction | None) -> list[Watch]:
    """A Watch on a scheduler's rates, or none: it was not asked for, or the scheduler steers something else."""
    if on_departure is None or "lr" not in scheduler.schedules:
        return []
    return [Watch(scheduler.optimizer, scheduler, on_departure=on_departure)]


class Snapshot:
    """Whether a cycle has ended since it was asked last: true once, however often a host asks after one update."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler, self.asked = scheduler, scheduler.position

    @property
    def due(self) -> bool:
        moved, self.asked = self.scheduler.position != self.asked, self.scheduler.position
        return moved and self.scheduler.snapshot_due
