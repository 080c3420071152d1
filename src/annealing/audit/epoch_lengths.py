"""Logs that count the iterations of an epoch and do not say how many it has: every number of them is tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..errors import ScheduleError
from ..schedule.base import Schedule
from .evidence import evidence, shifts
from .faults import course
from .log import Log

MOST = 1000  # lengths to try
UNTOLD = "the log does not say how many updates an epoch has"


def with_every_length(log: Log) -> Iterator[tuple[int, Log]]:
    """The log with each number of updates that an epoch may have, what it was taken to have first."""
    taken, least, most = log.length or (0, 0, 0)
    assert log.epochs is not None
    before = log.epochs - np.nanmin(log.epochs)
    for updates in dict.fromkeys((taken, *range(least, min(most, least + MOST) + 1))):
        yield updates, replace(log, clock=log.clock + (updates - taken) * before)


def of_followed_length(log: Log, expect: Schedule, group: int, peak: float) -> Log:
    """The log with the first number of updates in an epoch with which its rates are the schedule's, if there is one."""
    if not log.length_matters:
        return log
    for updates, one in with_every_length(log):
        if is_followed(one, expect, group, peak):
            note = f"the rates are the schedule's if an epoch has {updates:,} updates, which the log does not say"
            return replace(one, length=None, repairs=(*log.repairs, note))
    return log


def in_unit(log: Log, unit: str | None) -> Log:
    """The log with its epochs or its updates as its clock, where that is the unit of the schedule."""
    clock = log.clock if unit in (None, log.unit) else log.epochs if unit == "epoch" else log.updates
    if clock is None:
        raise ScheduleError(f"unit must be {log.unit!r}, since the log has no other clock; got {unit!r}")
    if clock is log.clock:
        return log
    return replace(log, clock=clock, unit=str(unit), shift=None, slack=0, skipped=None, updates=None)


def may_be_in_updates(log: Log, expect: Schedule, group: int, peak: float) -> bool:
    """Whether a log whose clock was taken to be in epochs follows a schedule in updates."""
    if log.updates is None:
        return False
    return any(is_followed(one, expect, group, peak) for _, one in with_every_length(in_unit(log, "update")))


def is_followed(log: Log, expect: Schedule, group: int, peak: float) -> bool:
    """Whether the rates of a log are a schedule's, whatever the habit of its clock is."""
    rows, intended = evidence(log, group, peak), course(expect)
    return any(rows.later(shift).first_wrong(intended) is None for shift in shifts(log))


def is_told(log: Log, schedule: Schedule | None, shift: int, group: int) -> bool:
    """Whether a schedule gives the rates of a log however many updates an epoch has."""
    if not log.length_matters or schedule is None:
        return True
    used, peak = course(schedule), float(np.nanmax(np.abs(log.rates[:, group])))
    every = (evidence(one, group, peak).later(shift) for _, one in with_every_length(log))
    return all(rows.first_wrong(used) is None for rows in every)
