"""Faults of single rows: skipped scheduler steps, outliers, edited milestones, several runs in one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..schedule.base import Schedule
from . import faults as f
from .candidates import plain
from .evidence import Array, Evidence, Rates, RowTimes, run_begins
from .faults import Fault
from .intervals import digits_of, roundest, shortest
from .landmarks import Landmarks

MOST_GROWTH = 0.05  # of the updates so far: more steps than these are not skipped by a loss scaler
AT_ONCE = 64  # lags tried at once
TOGETHER = 5  # rows next to each other that are still isolated
SHARE = 0.05  # of the rows that may be called outliers
MOST_MILESTONES = 50
FEW_LAGS = 6  # times that a loss scaler may skip early in a log
FIRST_LAG = 64  # steps that a loss scaler skips before the first row, until its scale has come down

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FollowedRates:
    """What the rows of a log follow: schedules, each from a row on; by how many steps late; and rates of their own."""

    schedules: tuple[tuple[int, Schedule], ...]
    lags: tuple[Numbers, Numbers] | None = None  # rows, and the lag from each on
    own: tuple[Numbers, Array] | None = None  # rows, and the rate in each

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
        if isinstance(fault, RowFault):
            own, lags = fault.own or self.own, fault.lags or self.lags
            return replace(self, own=own, lags=lags)
        changed = fault.change(self.schedule)
        kept = self.schedules if fault.row else self.schedules[:-1]
        return replace(self, schedules=(*kept, (fault.row or self.schedules[-1][0], changed)))


@dataclass(frozen=True, eq=False)
class RowFault(Fault):
    """A fault of rows and not of the schedule: steps that were skipped, or rates of their own."""

    lags: tuple[Numbers, Numbers] | None = None
    own: tuple[Numbers, Array] | None = None


def course(schedule: Schedule, faults: tuple[Fault, ...] = ()) -> FollowedRates:
    """What rows follow after one fault after another; a schedule that refuses what is after its end holds."""
    found = FollowedRates(((0, schedule.beyond("hold")),))
    for fault in faults:
        found = found.after(fault)
    return found


def unchanged(s: Schedule) -> Schedule:
    return s


def lagging(times: Array, lags: Numbers, rows: Numbers) -> RowFault:
    """Scheduler steps that were skipped: behind by a whole number that only grows, from these rows on."""
    updates = [int(time) + 1 for time in times[:20]]
    given = {"lag": int(lags[-1]), "times": len(lags), "updates": updates}
    cost = 1.4 + 0.05 * len(lags)
    return RowFault("skipped-scheduler-steps", given, unchanged, cost, float(times[0]), lags=(rows, lags))


def skipped(rates: Rates, rows: Evidence) -> Iterator[tuple[Fault, ...]]:
    """A whole-number lag that only grows; as far as it explains the rows."""
    times, numbers = rows.rows
    if len(rows) < 3 or np.any(np.diff(times) <= 0):
        return
    lag, place, size, found = 0, 0, 256, list[tuple[int, int]]()
    while place < len(rows):
        part = rows[place : place + size]
        wrong = ~(np.abs(part.logged - rates(part.rows.at(part.rows.t - lag))) <= part.allowed)
        if not wrong.any():
            place, size = place + len(part), min(2 * size, 2**18)
            continue
        place, size = place + int(wrong.argmax()), 256
        # Between two rows no more steps can be skipped than updates were made.
        gap = min(times[0] + 1, FIRST_LAG) if place == 0 else times[place] - times[place - 1]
        one = rows[place : place + 1]
        lags = lag + np.arange(1, int(min(AT_ONCE, gap)) + 1)
        tried = rates(RowTimes(one.rows.t - lags, np.repeat(one.rows.row, len(lags))))
        fits = np.flatnonzero(np.abs(one.logged - tried) <= one.allowed)
        most = (
            gap
            if place == 0
            else max(4, MOST_GROWTH * times[place]) + (found[0][1] if found and not found[0][0] else 0)
        )
        if not len(fits) or lag + fits[0] + 1 > most:
            break
        lag += int(fits[0]) + 1
        found.append((place, lag))
        if len(found) > max(FEW_LAGS, 0.02 * len(rows) + 0.2 * place):
            break
    if found:
        places, lags = (np.array(column) for column in zip(*found, strict=True))
        yield (lagging(times[places], lags, numbers[places]),)


def outliers(rates: Rates, rows: Evidence) -> Iterator[tuple[Fault, ...]]:
    """A few rows that are wrong, among others that are right."""
    wrong = np.flatnonzero(rows.wrong(rates))
    if not 0 < len(wrong) <= max(1, SHARE * len(rows)) or len(rows) < 10:
        return
    stretches = 1 + int(np.sum(np.diff(wrong) > 1))
    if len(wrong) > TOGETHER * stretches:
        return
    if wrong[-1] == len(rows) - 1 and stretches == 1 and len(wrong) > 1:
        return  # the end of the log is not isolated
    given = {"count": len(wrong), "updates": [int(time) + 1 for time in rows.rows.t[wrong[:20]]]}
    cost = 1.5 + 0.2 * stretches + 0.01 * len(wrong)
    yield (instead("isolated-outliers", given, rows, wrong, cost),)


def instead(name: str, given: dict[str, Any], rows: Evidence, places: Any, cost: float) -> RowFault:
    """Other rates at some rows, and no change elsewhere."""
    order = np.sort(places)
    own = (rows.rows.row[order], rows.logged[order])
    return RowFault(name, given, unchanged, cost, float(rows.rows.t[order[0]]), own=own)


def edited(rows: Evidence, marks: Landmarks) -> Iterator[tuple[Fault, ...]]:
    """Levels of a staircase that are not the intended ones, or come at other times."""
    t = rows.rows.t
    if len(set(marks.levels)) < 2 or np.any(np.diff(t) < 0) or t[0] < 0:
        return
    begins = np.concatenate([[0], np.flatnonzero(np.abs(np.diff(rows.logged)) > rows.allowed[1:]) + 1])
    # Each level must be seen more than once: else every log is a staircase.
    if len(begins) > min(MOST_MILESTONES, max(2, len(rows) // 3)):
        return
    levels = [_level(rows[part], marks.levels) for part in np.split(np.arange(len(rows)), begins[1:])]
    times = [0, *(_milestone(t[i - 1], t[i], marks.milestones) for i in begins[1:])]
    intended = [m for m in marks.milestones if m <= t[-1]]
    new = sum(rate not in marks.levels for rate in levels)
    moved = len(set(times[1:]) ^ set(intended))
    given = {"milestones": times[1:], "intended": intended[:MOST_MILESTONES], "rates": levels[1:]}
    stairs = list(zip(times, levels, strict=True))
    cost = 0.9 + 0.25 * moved + 0.5 * new
    yield (Fault("milestones-edited", given, lambda s: f.staircase(stairs), cost),)


def _level(rows: Evidence, known: tuple[float, ...]) -> float:
    """The intended level that rows have, or else the rate of fewest digits that all of them allow."""
    near = min(known, key=lambda level: abs(level - rows.logged[0]))
    if np.all(np.abs(rows.logged - near) <= rows.allowed):
        return near
    return shortest(float(np.max(rows.logged - rows.allowed)), float(np.min(rows.logged + rows.allowed)))


def _milestone(before: float, now: float, known: tuple[float, ...]) -> float | int:
    """When a level began that is first seen at one row and not at the one before."""
    inside = [m for m in known if before < m <= now]
    return plain(inside[0] if inside else now if now - before <= 1 else _rounder(np.floor(before) + 1, now))


def _rounder(low: float, high: float) -> float:
    """The roundest time between two, unless the last is as round."""
    best = float(roundest(low, high) or high)
    return best if digits_of(best) < digits_of(high) else high


def several(rates: Rates, rows: Evidence) -> Iterator[tuple[Fault, ...]]:
    """Runs one after another, each from the start, of which only some follow."""
    begins = run_begins(rows)
    if len(begins) < 2:
        return
    wrong = rows.wrong(rates)
    parts = [slice(a, b) for a, b in zip(begins, [*begins[1:], len(rows)], strict=True)]
    other = [part for part in parts if wrong[part].any()]
    if 0 < len(other) < len(parts):
        places = np.concatenate([np.arange(part.start, part.stop) for part in other])
        following = [i + 1 for i, part in enumerate(parts) if part not in other]
        yield (instead("several-runs-in-one-file", several_runs(rows, following), rows, places, 1.2),)


def several_runs(rows: Evidence, following: list[int]) -> dict[str, Any]:
    """The parameters of this fault: how many runs there are, where they begin, and which of them (from 1) follow."""
    begins = run_begins(rows)
    return {"runs": len(begins), "first_rows": rows.rows.row[begins].tolist(), "following": following or "none"}
