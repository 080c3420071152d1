"""The faults: each turns the intended schedule into the one that the run did follow, and says what to check.

Most change the clock: stepped four times too often is the schedule at 4 t, a restart on resume is at 0 again from then
on. Others change the rates, or those of single rows. Everything else that the audit says of a fault (rates, pictures,
differences) is asked of the schedule that it makes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import islice, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact import END_OF_TIME, exact
from ..recipes import constant
from ..schedule.base import Schedule
from ..schedule.operations import Product, Sum
from .log import Array, Evidence

MOST_CYCLES = 2000  # looked at for landmarks
MOST_LEVELS = 64  # of a staircase without an end

Change = Callable[[Schedule], Schedule]
Numbers = NDArray[np.int64]


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
    change: Change = field(default=lambda s: s, repr=False, compare=False)
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

    def __call__(self, rows: Evidence) -> Array:
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


# The clock: every fault of it is a track.

Track = Sequence[tuple[Any, Any, Any]]  # from a time on, the position of the scheduler, and its steps per update


def positions(track: Track, t: Array) -> Any:
    """The positions at some times. Numbers of the track may be columns (m, 1), for m tracks at once."""
    (begin, position, steps), *rest = track
    found = position + steps * (t - begin)
    for begin, position, steps in rest:
        found = np.where(t < begin, found, position + steps * (t - begin))
    return found


def on_track(s: Schedule, track: Track) -> Schedule:
    """The schedule at these positions. Numbers of the track are exact."""
    parts = []
    for (begin, position, steps), after in zip(track, [*track[1:], None], strict=True):
        left = None if after is None else after[0] - begin
        if left is not None and left <= 0:
            continue
        if steps == 0:
            parts.append(constant(s(position), left))
            continue
        part = since(s, position) if left is None else until(since(s, position), left * steps)
        parts.append(part if steps == 1 else part.stretched(1 / exact(steps, "steps")))
    return reduce(operator.rshift, parts)


def since(s: Schedule, time: Any) -> Schedule:
    """A schedule from a time on; before 0 its first value, after its end the last."""
    if time == 0:
        return s
    end = s.duration
    return s.shifted(-exact(time, "time")) if end is None or end > time else constant(s(end))


def until(s: Schedule, time: Any) -> Schedule:
    """A schedule up to a time, its last value held if it ends before."""
    end = s.duration
    if end is None or end >= time:
        return s.until(time)
    return s >> constant(s(end), exact(time, "time") - exact(end, "end"))


def then(s: Schedule, time: Any, rest: Schedule) -> Schedule:
    """A schedule up to a time, then another."""
    return until(s, time) >> rest if time > 0 else rest


def of_another_length(s: Schedule, kept: Any, length: Any, new: Any) -> Schedule:
    """A schedule whose part after `kept`, of some length, gets a new one."""
    return on_track(s, ((0, 0, 1), (kept, kept, exact(length, "length") / exact(new, "new"))))


# What of a schedule they speak of.


@dataclass(frozen=True)
class Landmarks:
    """Of a schedule: the end of its warm-up (0: none), its horizon, and the levels of one that is a staircase.

    horizon: its end, or where it has none the end of its first run after the warm-up; None where that has none.
    milestones: where a staircase comes to another level. decay: where the last part begins that follows a hold, or 0.
    """

    warmup: float
    horizon: float | None
    ends: bool
    peak: float
    floor: float
    levels: tuple[float, ...]
    milestones: tuple[float, ...]
    decay: float = 0.0


def landmarks(schedule: Schedule, until: float, part_of_more: bool = False) -> Landmarks:
    """The landmarks of a schedule, of which a log shows the time up to `until`.

    part_of_more: it is a part of a sum or product, so that one that only rises is a warm-up.
    """
    duration = schedule.duration
    limit = max(until, duration or 0, 1)
    spans: list[Any] = []
    for span in islice(schedule.cycles(END_OF_TIME if duration is None else duration), MOST_CYCLES):
        # A log that ends in the warm-up does not make the schedule one: what comes next is looked at too.
        if span.begin >= limit and any(one.last <= one.first for one in spans):
            break
        spans.append(span)
    rising = list(takewhile(lambda span: span.last > span.first, spans))
    warmup = float(rising[-1].end) if rising and (len(rising) < len(spans) or part_of_more) else 0.0
    decay = spans[len(rising) if warmup else 0 :]
    horizon = float(duration) if duration is not None else float(decay[0].end)
    values = [value for span in spans for value in (span.first, span.last)]
    flat = all(span.first == span.last for span in decay)
    if flat and duration is None:  # the log may end before the milestones that it was to reach
        decay = list(islice(schedule.cycles(END_OF_TIME), MOST_LEVELS))[len(rising) if warmup else 0 :]
    levels = tuple(span.first for span in decay) if flat else ()
    held = len(decay) > 1 and decay[-2].first == decay[-2].last == decay[-1].first != decay[-1].last
    return Landmarks(
        warmup=warmup,
        horizon=None if math.isinf(horizon) else horizon,
        ends=duration is not None,
        peak=_configured_peak(schedule) or max(map(abs, values)),
        floor=min([value for span in decay for value in (span.first, span.last)], default=0.0),
        levels=levels,
        milestones=tuple(float(span.begin) for span in decay[1:]) if flat else (),
        decay=float(decay[-1].begin) if held and duration is not None else 0.0,
    )


def _configured_peak(schedule: Schedule) -> float:
    """The peak of what a warm-up to 1 multiplies, which no rate may reach; 0 where there is none."""
    parts = [part for part in schedule.parts if isinstance(part, Schedule)] if isinstance(schedule, Product) else []
    cycles = [islice(part.cycles(part.duration or END_OF_TIME), MOST_CYCLES) for part in parts]
    peaks = [max(abs(value) for one in each for value in (one.first, one.last)) for each in cycles]
    others = [peak for peak in peaks if peak != 1]
    return others[0] if len(peaks) > 1 and len(others) == 1 else 0.0


def multiplied_until(schedule: Schedule) -> float | None:
    """The end of a warm-up to 1 that multiplies the decay under it, as in YOLO's trainers; None without one."""
    for product in schedule.parts if isinstance(schedule, Sum) else (schedule,):
        for part in product.parts if isinstance(product, Product) else ():
            if isinstance(part, Schedule) and part.duration and part(0) < part(part.duration) == 1:
                return float(part.duration)
    return None


# What they are called.

SAID = {
    "stepped-too-often": "the scheduler was stepped {k} times per update",
    "stepped-too-rarely": "the scheduler was stepped once in {k} updates",
    "stepped-per-epoch": "the scheduler was stepped once per epoch of {updates_per_epoch} updates",
    "stepped-per-update": "a schedule in epochs was stepped at every update",
    "held-for-an-epoch": "the rate was written once per epoch of {updates_per_epoch} updates",
    "offset": "the scheduler's position is off by {by}",
    "offset-after-resume": "the scheduler's position is off by {by} after a resume at {at}",
    "restart-after-resume": "the schedule started again at {at}",
    "double-step-after-resume": "the position was counted twice on the resume at {at}",
    "wrong-peak": "the peak is {peak}, intended {intended}",
    "old-peak-after-resume": "the peak is {peak} after a resume at {at}, intended {intended}",
    "wrong-horizon": "the schedule was built for {horizon} updates, intended {intended}",
    "schedule-shorter-than-the-run": "the schedule was built for {horizon} updates, intended {intended}",
    "first_cycle": "the first cycle was built for {first_cycle} updates, intended {intended}",
    "reversed": "the schedule ran backwards from {total}",
    "constant": "the rate is {rate} throughout",
    "floor-ignored": "the floor is {floor}, intended {intended}",
    "wrong-floor": "the floor is {floor}, intended {intended}",
    "milestones-edited": "the milestones are {milestones}, intended {intended}; the rates after them {rates}",
    "warm-up-added": "a warm-up of {length} updates from {start} was added (the rest: {then})",
    "warm-up-missing": "the warm-up is missing (the rest: {then})",
    "warm-up-clipped": "the warm-up takes {length} updates, intended {intended} (the rest: {then})",
    "warm-up-stretched": "the warm-up takes {length} updates, intended {intended} (the rest: {then})",
    "warm-up-repeated": "the warm-up of {length} updates ran again at {at}",
    "rebound-after-the-end": "after its end at {end} the schedule goes on ({policy})",
    "goes-on-after-the-end": "after its end at {end} the last line goes on",
    "skipped-scheduler-steps": "scheduler steps skipped: {lag}",
    "isolated-outliers": "outliers: {count}",
}

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
