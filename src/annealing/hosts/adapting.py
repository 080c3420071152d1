"""Shared by the adapters: schedules resolved with the host's number of updates, a Watch, and finished cycles."""

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
OPTIONS = ("scale", "policy", "last_epoch", "snapshots")  # a Scheduler's arguments that are not schedules
REACTIONS = (None, "warn", "raise")


def resolved(given: Any, updates: float) -> Any:
    """A value for `Scheduler`: text is parsed, and durations such as "5%" become shares of the host's `updates`."""
    if isinstance(given, list | tuple):
        return type(given)(resolved(one, updates) for one in given)
    schedule = parse(given) if isinstance(given, str) else given
    if not (isinstance(schedule, Schedule) and schedule.pending):
        return schedule  # already in updates: it may end early and hold, which a plan would refuse
    if not 0 < updates < math.inf:
        raise ScheduleError(f"{schedule} has shares of the training, but this host does not know its number of updates")
    return Plan(steps=int(updates)).resolve(schedule)


def one_schedule(given: Any) -> Schedule:
    """The schedule of an adapter that takes a single one, which may be given as notation."""
    schedule = parse(given) if isinstance(given, str) else given
    if not isinstance(schedule, Schedule):
        raise ScheduleError(f"schedule must be a schedule or its notation, got {given!r}")
    # A schedule that needs a plan cannot be called: fail here, before the host's class writes to the groups.
    schedule(0)
    return schedule


def require_same(state: dict[str, Any], schedule: Schedule) -> None:
    """Refuse the state of another schedule, because the host's own class would load whatever it holds."""
    found = from_json(state.get("schedule", ""))
    if found != schedule:
        raise ScheduleError(f"the state belongs to another schedule: {found}; this scheduler has {schedule}")


def scheduler_for(kind: type[Scheduler], optimizer: Any, updates: float, given: dict[str, Any]) -> Scheduler:
    """A Scheduler from the arguments of an adapter, built once the host knows its number of updates."""
    return kind(optimizer, **{name: one if name in OPTIONS else resolved(one, updates) for name, one in given.items()})


def reaction(on_departure: Any) -> Reaction | None:
    if on_departure not in REACTIONS:
        raise ScheduleError(f"on_departure must be None, 'warn' or 'raise', got {on_departure!r}")
    return on_departure  # type: ignore[no-any-return]


def watch(scheduler: Scheduler, on_departure: Reaction | None) -> list[Watch]:
    """A Watch on a scheduler's rates, unless none was asked for or the scheduler does not set the rate."""
    if on_departure is None or "lr" not in scheduler.schedules:
        return []
    return [Watch(scheduler.optimizer, scheduler, on_departure=on_departure)]


class Snapshot:
    """Whether a cycle has just ended: true only once, however often a host asks after the same update."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler, self.asked = scheduler, scheduler.position

    @property
    def due(self) -> bool:
        moved, self.asked = self.scheduler.position != self.asked, self.scheduler.position
        return moved and self.scheduler.snapshot_due
