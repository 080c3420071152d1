"""What a log shows and what it leaves open: how it was read, how much of a schedule it covers, what it counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from .. import shapes
from ..errors import ScheduleError
from ..exact import END_OF_TIME
from ..schedule.base import Schedule
from ..schedule.nodes import Run
from .faults import FollowedRates, Landmarks, course, of_another_length, then
from .log import Array, Evidence, Log, by_shift, evidence
from .tolerances import DOUBLE, PRINTED, SINGLE

LEAST_ROWS = 3  # two rates fit too many schedules
PLENTY = 20  # parts of a schedule that must all have rows
MEANS = 17  # times around a row at which a schedule is asked for its least and greatest rate
MOST_CYCLES = 10_000  # of a schedule that are counted
MOST_LENGTHS = 1000  # of an epoch, tried one by one
UNTOLD = "the log does not say how many updates an epoch has"
OTHER_LENGTHS = (0.8, 1.25)  # a schedule that rows can tell is told from one a quarter longer or shorter
OTHER_SHAPES = {"a straight line": shapes.linear, "a cosine": shapes.cosine, "a constant": shapes.flat}


@dataclass(frozen=True)
class Coverage:
    """The part of a schedule that rows cover: its first and last time, the cycles that they lie in.

    enough: whether there are enough rows to tell anything; why: what of the schedule they cannot tell.
    """

    first: float
    last: float
    duration: float | None
    cycles: int
    seen: int
    enough: bool
    why: str = ""

    @property
    def unseen(self) -> bool:
        """Whether the schedule goes on after the last row."""
        return self.duration is not None and self.last + 2 <= self.duration

    def sentence(self, unit: str, shift: int) -> str:
        """The rows cover updates 1 to 90 of 2000 (4 %), 1 of 2 parts of the schedule; 91 to 2000 were not seen."""
        first, last = (_number(time - shift) for time in (self.first, self.last))
        if self.duration is None:
            return f"The rows cover {unit}s {first} to {last}; the schedule has no end."
        if self.last > self.duration + 1:
            return f"The rows cover {unit}s {first} to {last}; the schedule ends at {_number(self.duration)}."
        share = max(0.0, min(self.last + 1, self.duration) - max(self.first, 0)) / self.duration
        parts = f", {self.seen} of {self.cycles} parts of the schedule" if self.cycles > 1 else ""
        text = f"The rows cover {unit}s {first} to {last} of {_number(self.duration)} ({100 * share:.3g} %){parts}"
        if not self.unseen:
            return f"{text}."
        return (
            f"{text}; {unit}s {_number(self.last + 1 - shift)} to {_number(self.duration - 1 - shift)} were not seen."
        )

    def record(self) -> dict[str, Any]:
        times = {"first": self.first, "last": self.last, "duration": self.duration}
        return times | {"parts": self.cycles, "parts_seen": self.seen, "told": not self.why, "why": self.why}


def coverage(schedule: Schedule, rows: Evidence, marks: Landmarks) -> Coverage:
    """How much of a schedule some rows cover, and whether they can tell it from similar ones."""
    times = rows.t
    last = float(times.max())
    end = math.inf if schedule.duration is None else schedule.duration
    cycles = list(islice(schedule.cycles(min(max(last + 1, 1) if math.isinf(end) else end, END_OF_TIME)), MOST_CYCLES))
    begins = np.array([float(cycle.begin) for cycle in cycles])
    seen = len(np.unique(np.searchsorted(begins, np.clip(times, 0, None), side="right")))
    why = _untold(schedule, rows, marks)
    enough = len(np.unique(times)) >= LEAST_ROWS
    return Coverage(float(times.min()), last, schedule.duration, len(cycles), seen, enough, why)


def _untold(schedule: Schedule, rows: Evidence, marks: Landmarks) -> str:
    """What rows cannot tell of a schedule; "" if they tell it."""
    if len(np.unique(rows.t)) < LEAST_ROWS:
        return f"fewer than {LEAST_ROWS} rows have a rate"
    if marks.warmup and float(rows.t.max()) <= marks.warmup:
        return "a warm-up cannot tell what comes after it"
    one_rate = np.max(rows.logged - rows.allowed) <= np.min(rows.logged + rows.allowed)
    if one_rate and (marks.floor < marks.peak or len(set(marks.levels)) > 1):
        return "the same rate in every row cannot tell a schedule that changes from a constant"
    # Rows from one end of the schedule to the other can be so many that no other is like it.
    plenty = np.all(np.histogram(rows.t, bins=PLENTY, range=(0, marks.horizon or 1))[0])
    if marks.horizon is not None and not plenty and rows.first_wrong(course(schedule)) is None:
        for words, other in _similar(schedule, marks, float(rows.t.max())):
            if rows.first_wrong(course(other)) is None:
                return f"the rows cannot tell the schedule from {words}"
    return ""


def _similar(schedule: Schedule, marks: Landmarks, last: float) -> Iterator[tuple[str, Schedule]]:
    """Schedules that differ in what rows may not show: the length, or the shape of the part in which they end."""
    assert marks.horizon is not None
    length = marks.horizon - marks.warmup
    for factor in OTHER_LENGTHS if length > 0 and not marks.levels else ():
        with suppress(ScheduleError):
            other = of_another_length(schedule, marks.warmup, length, factor * length)
            yield f"one {factor:g} times as long", other
    *_, part = islice(schedule.cycles(last + 1), MOST_CYCLES)
    if math.isfinite(part.end) and part.first != part.last:
        for name, shape in OTHER_SHAPES.items():
            end = part.first if shape == shapes.flat else part.last
            with suppress(ScheduleError):
                other = then(schedule, part.begin, Run(shape, part.first, end, part.end - part.begin))
                # Seven times tell a line from any other shape; rounding differs by less than a millionth.
                times = np.linspace(float(part.begin), float(part.end), 9)[1:-1]
                if not np.allclose(other(times), schedule(times), rtol=1e-6, atol=0):
                    yield f"{name} in its place", other


def are_means(rows: Evidence, schedule: Schedule) -> bool:
    """Whether rates may be means of a schedule: each lies between its least and its greatest rate around the row."""
    # A mean may be dated by the first, the middle or the last of its updates.
    wide = float(np.median(np.diff(rows.t))) if len(rows) > 1 else 1.0
    around = schedule(rows.t + np.linspace(-wide, wide, MEANS)[:, None])
    low, high = around.min(axis=0), around.max(axis=0)
    return bool(np.all((low - rows.allowed <= rows.logged) & (rows.logged <= high + rows.allowed)))


def source(log: Log, rows: Evidence, group: int) -> dict[str, Any]:
    """What was read: format, file, rows, those left out and why, the clock and its unit, the digits of the rates."""
    return {
        "format": log.format,
        "file": log.file,
        "rows": len(rows),
        "left_out": [list(pair) for pair in log.left_out],
        "clock": {
            "unit": log.unit,
            "first": float(np.min(log.clock)),
            "last": float(np.max(log.clock)),
            "counted": log.counted,
        },
        "digits": digits(rows.logged, log.half[rows.row, group]),
    }


def digits(rates: Array, half: Array) -> int:
    """How many significant digits the least exact of the usual rates has."""
    known = (rates != 0) & (half > 0)
    if not known.any():
        return 17
    share = float(np.median(half[known] / np.abs(rates[known])))
    if share < np.finfo(np.float64).eps:
        return 17  # the float itself
    return int(min(17, max(1, math.floor(-math.log10(2 * share)) + 1)))


def source_sentence(told: dict[str, Any]) -> str:
    """Read as csv from log.csv: 100 rows, updates 1 to 100, 7 digits; 4 rows left out (no step)."""
    clock, count = told["clock"], told["rows"]
    named = f" from {told['file']}" if told["file"] else ""
    counted = ", counted since the log has no clock" if clock["counted"] else ""
    text = f"Read as {told['format']}{named}: {count} row{'s' * (count != 1)}, {clock['unit']}s "
    digits = f"{told['digits']} digit{'s' * (told['digits'] != 1)}"
    text += f"{_number(clock['first'])} to {_number(clock['last'])}{counted}, {digits}"
    left = "; ".join(f"{number} left out ({why})" for number, why in told["left_out"])
    return f"{text}{'; ' + left if left else ''}."


def _number(value: float) -> str:
    return f"{int(value)}" if float(value).is_integer() else f"{value:.6g}"


# What else may be open.


def beside(log: Log, group: int) -> str:
    """A sentence on the groups beside one: the same rates, a multiple of them, or others; "" if there are none.

    >>> rates = np.array([[0.1, 0.1, 0.01, 0.5], [0.2, 0.2, 0.02, 0.4], [0.3, 0.3, 0.03, 0.3]])
    >>> log = Log("csv", np.arange(3.0), rates, np.spacing(rates) / 2, np.zeros(3, int), ("a", "b", "c", "d"))
    >>> beside(log, 0)
    'Of the other param groups, b has the same rates, c has 0.1 times these, d has others.'
    """
    others = [i for i in range(len(log.groups)) if i != group]
    said = [f"{log.groups[i]} has {_relation(log, group, i)}" for i in others]
    return f"Of the other param groups, {', '.join(said)}." if said else ""


def _relation(log: Log, group: int, other: int) -> str:
    both = np.isfinite(log.rates[:, group]) & np.isfinite(log.rates[:, other])
    if not both.any():
        return "no rates in the same rows"
    these, those = log.rates[both][:, [group, other]].T
    half, their = log.half[both][:, [group, other]].T
    place = int(np.argmax(np.abs(these)))
    if not these[place]:
        return "the same rates" if not those.any() else "others"
    ratio = float(f"{those[place] / these[place]:.6g}")
    single = all(np.all(rates == rates.astype(np.float32)) for rates in (these, those))
    allowed = np.abs(ratio) * half + their + (SINGLE if single else DOUBLE) * np.max(np.abs(those))
    if not np.all(np.abs(those - ratio * these) <= allowed * (1 + PRINTED)):
        return "others"
    return "the same rates" if ratio == 1 else f"{ratio:g} times these"


def with_every_length(log: Log) -> Iterator[tuple[int, Log]]:
    """The log with each number of updates that an epoch may have, what it was taken to have first."""
    taken, least, most = log.length or (0, 0, 0)
    assert log.epochs is not None
    before = log.epochs - np.nanmin(log.epochs)
    for updates in dict.fromkeys((taken, *range(least, min(most, least + MOST_LENGTHS) + 1))):
        yield updates, replace(log, clock=log.clock + (updates - taken) * before)


def of_followed_length(log: Log, expect: Schedule, group: int, peak: float) -> Log:
    """The log with the first number of updates in an epoch with which its rates are the schedule's, if there is one."""
    if not log.length_matters:
        return log
    intended = course(expect)
    for updates, one in with_every_length(log):
        if is_followed(one, intended, group, peak):
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
    intended, logs = course(expect), () if log.updates is None else with_every_length(in_unit(log, "update"))
    return any(is_followed(one, intended, group, peak) for _, one in logs)


def is_followed(log: Log, intended: FollowedRates, group: int, peak: float) -> bool:
    """Whether the rates of a log are the intended ones, whatever the habit of its clock is."""
    return any(rows.first_wrong(intended) is None for rows in by_shift(log, group, peak))


def is_told(log: Log, schedule: Schedule | None, shift: int, group: int) -> bool:
    """Whether a schedule gives the rates of a log however many updates an epoch has."""
    if not log.length_matters or schedule is None:
        return True
    used, peak = course(schedule), float(np.nanmax(np.abs(log.rates[:, group])))
    every = (evidence(one, group, peak).later(shift) for _, one in with_every_length(log))
    return all(rows.first_wrong(used) is None for rows in every)
