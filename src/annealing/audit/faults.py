"""The faults: each turns the intended schedule into the one that the run did follow, and says what to check.

Stepped four times too often is `s.stretched(1/4)`, a restart on resume is `s.until(at) >> s`. Everything else that the
audit says of a fault (rates, pictures, differences) is asked of that schedule.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact import exact
from ..recipes import constant, linear
from ..schedule.base import Schedule
from .evidence import Array, RowTimes

Change = Callable[[Schedule], Schedule]
Numbers = NDArray[np.int64]
MOST_STAIRS = 20_000  # longer schedules are cut to what the log shows before they are made a staircase


def unchanged(s: Schedule) -> Schedule:
    return s


@dataclass(frozen=True)
class Fault:
    """A fault: its name, its parameters, and what it makes of a schedule.

    cost: what it takes to believe it; of explanations that fit, the cheapest is named first.
    at: the time from which it acts (update number less 1); None: from the beginning.
    row: the first row of the log that it touches, where the clock of the log goes back and time alone cannot tell.
    lags: rows, and how many skipped steps the scheduler is behind from each on.
    own: rows that have rates of their own, and these rates.
    """

    name: str
    parameters: dict[str, Any]
    change: Change = field(default=unchanged, repr=False, compare=False)
    cost: float = 1.0
    at: float | None = None
    row: int = 0
    lags: tuple[Numbers, Array] | None = field(default=None, repr=False, compare=False)
    own: tuple[Numbers, Array] | None = field(default=None, repr=False, compare=False)

    @property
    def of_rows(self) -> bool:
        """Whether it is a fault of single rows and not of the schedule."""
        return self.lags is not None or self.own is not None


Faults = tuple[Fault, ...]


@dataclass(frozen=True, eq=False)
class FollowedRates:
    """What the rows of a log follow: schedules, each from a row on; by how many steps late; and rates of their own."""

    schedules: tuple[tuple[int, Schedule], ...]
    lags: tuple[Numbers, Array] | None = None
    own: tuple[Numbers, Array] | None = None

    @property
    def schedule(self) -> Schedule:
        """The schedule of the last row."""
        return self.schedules[-1][1]

    def __call__(self, rows: RowTimes) -> Array:
        if self.lags is not None:
            place = np.searchsorted(self.lags[0], rows.row, side="right") - 1
            rows = rows.at(rows.t - np.where(place >= 0, self.lags[1][np.maximum(place, 0)], 0))
        rates: Array = self.schedules[0][1](rows.t)
        for begin, schedule in self.schedules[1:]:
            rates = np.where(rows.row < begin, rates, schedule(rows.t))
        if self.own is not None:
            place = np.minimum(np.searchsorted(self.own[0], rows.row), len(self.own[0]) - 1)
            rates = np.where(self.own[0][place] == rows.row, self.own[1][place], rates)
        return rates

    def after(self, fault: Fault) -> FollowedRates:
        """These rates with one fault more."""
        if fault.of_rows:
            return replace(self, own=fault.own or self.own, lags=fault.lags or self.lags)
        begin = fault.row or self.schedules[-1][0]
        kept = self.schedules if fault.row else self.schedules[:-1]
        return replace(self, schedules=(*kept, (begin, fault.change(self.schedule))))


def course(schedule: Schedule, faults: Faults = ()) -> FollowedRates:
    """What rows follow after one fault after another; a schedule that refuses what is after its end holds."""
    return reduce(FollowedRates.after, faults, FollowedRates(((0, schedule.beyond("hold")),)))


# The algebra that the faults share.


def until(s: Schedule, time: Any) -> Schedule:
    """A schedule up to a time, its last value held if it ends before."""
    end = s.duration
    return (
        s.until(time) if end is None or end >= time else s >> constant(s(end), exact(time, "time") - exact(end, "end"))
    )


def since(s: Schedule, time: Any) -> Schedule:
    """A schedule from a time on; before 0 its first value, after its end the last."""
    if time == 0:
        return s
    end = s.duration
    return s.shifted(-exact(time, "time")) if end is None or end > time else constant(s(end))


def then(s: Schedule, time: Any, rest: Schedule) -> Schedule:
    """A schedule up to a time, then another."""
    return until(s, time) >> rest if time > 0 else rest


def ends_at(s: Schedule, kept: Any, length: Any, new: Any) -> Schedule:
    """A schedule whose part after `kept`, of some length, gets a new one."""
    return then(s, kept, since(s, kept).stretched(exact(new, "new") / exact(length, "length")))


# Faults of the clock.


def stepped_per_epoch(s: Schedule, updates: Any, last: float) -> Schedule:
    """One step of the schedule for each epoch of so many updates, as far as the last time."""
    return _stairs(s, 1, last // updates + 2).stretched(updates)


def held_for_an_epoch(s: Schedule, updates: Any, last: float) -> Schedule:
    return _stairs(s, updates, last + updates)


def _stairs(s: Schedule, every: Any, last: float) -> Schedule:
    """A schedule as a staircase; one that has very many stairs only as far as a log shows it."""
    end = s.duration
    return (s if end is not None and end < MOST_STAIRS * every else until(s, last)).held(every)


def moved(s: Schedule, at: Any, to: Any, k: Any = 1) -> Schedule:
    """From a time on the position is another (0 after a restart), with k steps for each update."""
    rest = since(s, to)
    return then(s, at, rest if k == 1 else rest.stretched(1 / exact(k, "k")))


def reversed_in_time(s: Schedule, total: Any) -> Schedule:
    """s(total - t): its mirror image is what lies beyond its end."""
    return until(since(until(s, total).beyond("mirror"), total), total)


def warmup_repeated(s: Schedule, at: Any, length: Any) -> Schedule:
    return then(s, at, until(s, length) >> since(s, exact(at, "at") + exact(length, "length")))


def warmup_length(s: Schedule, meant: Any, length: Any, rest: str, end: Any) -> Schedule:
    """A warm-up of another length (0: none); after it the rest waits, begins earlier or later, or ends on time."""
    meant, length = exact(meant, "meant"), exact(length, "length")
    rising = until(s, meant).stretched(length / meant) if length else constant(s(meant), 0)
    if rest == "waits at the peak" and length < meant:
        return rising >> constant(s(meant), meant - length) >> since(s, meant)
    if rest == "waits at the peak":
        return rising >> since(s, length)
    if rest == "on time":
        return rising >> since(s, meant).stretched((exact(end, "end") - length) / (exact(end, "end") - meant))
    return rising >> since(s, meant)


def warmup_added(s: Schedule, length: Any, start: float, rest: str, end: Any) -> Schedule:
    """A line up to the schedule, which then is on time, begins later, or is squeezed to end on time."""
    if rest == "multiplies":
        return linear(start / s(0), 1, length) * s
    rising = linear(start, s(0), length)
    if rest == "on time":
        return rising >> since(s, length)
    if rest == "ends on time":
        return rising >> s.stretched((exact(end, "end") - exact(length, "length")) / exact(end, "end"))
    return rising >> s


def rebound(s: Schedule, begin: Any, policy: str) -> Schedule:
    """The part from a time on, mirrored or repeated after its end."""
    return then(s, begin, since(s, begin).beyond(policy))


def passes_its_end(s: Schedule, slope: float, last: float) -> Schedule:
    """The last line goes on after its end, as far as the last time."""
    assert s.duration is not None
    end, more = s(s.duration), max(last - s.duration, 1)
    return s >> linear(end, end + slope * more, more)


# Faults of the value.


def lines(s: Schedule, at: Any, before: float, factor: float, plus: float) -> Schedule:
    """The rates before a time times one number; after it times another, plus a third."""
    rest = since(s, at) if factor == 1 else factor * since(s, at)
    return then(s if before == 1 else before * s, at, rest if plus == 0 else rest + plus)


def constant_from(s: Schedule, rate: float, at: Any) -> Schedule:
    return then(s, at or 0, constant(rate))


def staircase(s: Schedule, begin: Any, levels: list[tuple[Any, float]]) -> Schedule:
    """After a warm-up levels, each from a time on."""
    stairs = [constant(rate, exact(end, "end") - exact(begin, "begin")) for (begin, rate), (end, _) in pairwise(levels)]
    return then(s, begin, reduce(operator.rshift, [*stairs, constant(levels[-1][1])]))


ADVICE = {
    "stepped-too-often": "Check that the scheduler is stepped once per optimizer update, and not once per process or "
    "micro-batch: gradient accumulation and a scheduler prepared by Accelerate do that.",
    "stepped-too-rarely": "Check the number of updates that the schedule was built for: it was not divided by the "
    "processes or by the accumulation, or the scheduler is stepped too rarely.",
    "stepped-per-epoch": "Check the interval at which the scheduler is stepped: its lengths are in updates, but it is "
    "stepped once an epoch.",
    "stepped-per-update": "Check the unit of the schedule's lengths: they are in epochs, but it is stepped every "
    "update.",
    "held-for-an-epoch": "Check how often the rate is written: it changes once an epoch, not every update.",
    "offset": "Check the step from which the scheduler starts (last_epoch, or an update made before training).",
    "reversed": "Check the order of the start and the end: the schedule runs backwards.",
    "restart-after-resume": "Check that the scheduler's state is loaded when training resumes: it began again at 0.",
    "double-step-after-resume": "Check that the position is restored only once on resume: it was loaded and then "
    "stepped through again.",
    "offset-after-resume": "Check the position that is restored on resume: it is not that of the last update.",
    "wrong-horizon": "Check the length that the schedule was built for (total steps, T_max).",
    "schedule-shorter-than-the-run": "Check the length that the schedule was built for against the number of updates "
    "made: it ends before the run does.",
    "wrong-peak": "Check the learning rate that the optimizer was built with, and what scales it (batch size, 'auto').",
    "old-peak-after-resume": "Check that the peak asked for on resume is applied: loading the optimizer's state brings "
    "back its old rates.",
    "logged-one-late": "Check when the rate is logged: the value written belongs to the update before.",
    "logged-one-early": "Check when the rate is logged: the value written is that of the next update.",
    "skipped-scheduler-steps": "Check the scheduler under mixed precision: it is not stepped where the loss scaler "
    "skips an update, but the log counts that update.",
    "milestones-edited": "Check the milestones and levels of each start: they are not those of the intended schedule.",
    "several-runs-in-one-file": "Check which run is the intended one: the file holds more than one, and not all "
    "follow.",
    "warm-up-repeated": "Check the warm-up on resume: it counts from the resume, not from the start.",
    "warm-up-added": "Check what adds a warm-up that the schedule does not have: a default of the framework, "
    "warmup_ratio, warmup_epochs.",
    "warm-up-missing": "Check that the warm-up is part of the schedule that the scheduler was built from.",
    "warm-up-clipped": "Check the length of the warm-up: something (the length of an epoch, of the run) cut it short.",
    "warm-up-stretched": "Check the length of the warm-up, and its unit.",
    "hand-over-jump": "Check what follows the warm-up: its peak, and whether its time starts at 0 there.",
    "rebound-after-the-end": "Check how many steps are made beyond the schedule's end: there it goes back up.",
    "goes-on-after-the-end": "Check how many steps are made beyond the schedule's end: its line goes on there.",
    "isolated-outliers": "Check what writes the rate at these updates (a resume, a second scheduler, logging).",
    "constant": "Check that the scheduler exists and is stepped at all, and that updates are not all skipped.",
    "floor-ignored": "Check that eta_min reaches the scheduler.",
    "wrong-floor": "Check the value of eta_min, and whether it is a rate or a share of the peak.",
    "unknown": "No known fault explains the log: look at the picture of the intended and the logged rates.",
}

# The names that older verdicts carry.
OLD_NAMES = {
    "clock x k": "stepped-too-often",
    "clock / k": "stepped-too-rarely",
    "epoch for step": "stepped-per-epoch",
    "step for epoch": "stepped-per-update",
} | {name.replace("-", " ").replace("warm up", "warm-up").replace("hand over", "hand-over"): name for name in ADVICE}


def canonical_name(name: str) -> str:
    """The name of a fault, given as it is now or as an older verdict has it.

    >>> canonical_name("clock x k"), canonical_name("warm-up added"), canonical_name("wrong-peak")
    ('stepped-too-often', 'warm-up-added', 'wrong-peak')
    """
    return name if name in ADVICE else OLD_NAMES.get(name, name)
