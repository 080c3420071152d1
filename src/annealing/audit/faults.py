"""The known faults, as small values that turn the rates which were meant into those that were used.

Each takes a function from rows to rates and gives another one, so that they compose: `second(first(intended))`.
Those of the clock ask for the rate of another time, those of the value change the rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evidence import Array, Rates, Rows

Warp = Callable[[Array], Array]


@dataclass(frozen=True)
class Fault:
    """A fault: its name, its parameters, and what it makes of rates from a row of the log on.

    at: the time from which it acts (update number less 1), where that is known better than by the row.
    cost: what it takes to believe it; of explanations that fit, the cheapest is named first.
    """

    name: str
    parameters: dict[str, Any]
    change: Callable[[Rates], Rates] = field(repr=False, compare=False)
    row: int = 0
    at: float | None = None
    cost: float = 1.0

    def __call__(self, used: Rates) -> Rates:
        changed = self.change(used)
        if self.row == 0:
            return changed

        def rates(rows: Rows) -> Array:
            return np.where(rows.row < self.row, used(rows), changed(rows))

        return rates


def composed(used: Rates, faults: tuple[Fault, ...]) -> Rates:
    """The rates after one fault after another."""
    for fault in faults:
        used = fault(used)
    return used


def of_the_clock(
    name: str, given: dict[str, Any], warp: Warp, cost: float = 1.0, row: int = 0, at: float | None = None
) -> Fault:
    """A fault by which the schedule is asked for the rate of another time."""

    def change(used: Rates) -> Rates:
        return lambda rows: used(rows.at(warp(rows.t)))

    return Fault(name, given, change, row, at, cost)


def of_the_value(
    name: str,
    given: dict[str, Any],
    line: Callable[[Array, Array], Array],
    cost: float = 1.0,
    row: int = 0,
    at: float | None = None,
) -> Fault:
    """A fault by which the rate itself is another: `line` takes rates and times."""

    def change(used: Rates) -> Rates:
        return lambda rows: line(used(rows), rows.t)

    return Fault(name, given, change, row, at, cost)


def lagging(times: Array, lags: NDArray[np.int64], rows: NDArray[np.int64], updates: list[int], cost: float) -> Fault:
    """Scheduler steps that were skipped: behind by a whole number that only grows, from these rows on."""

    def change(used: Rates) -> Rates:
        def rates(at: Rows) -> Array:
            place = np.searchsorted(rows, at.row, side="right") - 1
            lag = np.where(place >= 0, lags[np.maximum(place, 0)], 0)
            return used(at.at(at.t - lag))

        return rates

    given = {"lag": int(lags[-1]), "times": len(lags), "updates": updates[:20]}
    return Fault("skipped scheduler steps", given, change, int(rows[0]), float(times[0]), cost)


def instead(
    name: str, given: dict[str, Any], rows: NDArray[np.int64], rates_there: Array, cost: float, at: float
) -> Fault:
    """Other rates at some rows, and no change elsewhere."""
    order = np.argsort(rows)
    rows, rates_there = rows[order], rates_there[order]

    def change(used: Rates) -> Rates:
        def rates(asked: Rows) -> Array:
            place = np.minimum(np.searchsorted(rows, asked.row), len(rows) - 1)
            return np.where(rows[place] == asked.row, rates_there[place], used(asked))

        return rates

    return Fault(name, given, change, int(rows[0]), at, cost)


ADVICE = {
    "clock x k": "Check that the scheduler is stepped once per optimizer update, and not once per process or "
    "micro-batch: gradient accumulation and a scheduler prepared by Accelerate do that.",
    "clock / k": "Check the number of updates that the schedule was built for: it was not divided by the processes or "
    "by the accumulation, or the scheduler is stepped too rarely.",
    "epoch for step": "Check the interval at which the scheduler is stepped: its lengths are in updates, but it is "
    "stepped once an epoch.",
    "step for epoch": "Check the unit of the schedule's lengths: they are in epochs, but it is stepped every update.",
    "held for an epoch": "Check how often the rate is written: it is changed once an epoch, not every update.",
    "offset": "Check the step from which the scheduler starts (last_epoch, or an update made before training).",
    "restart after resume": "Check that the scheduler's state is loaded when training resumes: it began again at 0.",
    "double step after resume": "Check that the position is restored only once on resume: it was loaded and then "
    "stepped through again.",
    "offset after resume": "Check the position that is restored on resume: it is not that of the last update.",
    "wrong horizon": "Check the length that the schedule was built for (total steps, T_max).",
    "schedule shorter than the run": "Check the length that the schedule was built for against the number of updates "
    "made: it ends before the run does.",
    "wrong peak": "Check the learning rate that the optimizer was built with, and what scales it (batch size, 'auto').",
    "old peak after resume": "Check that the peak asked for on resume is applied: loading the optimizer's state brings "
    "back its old rates.",
    "logged one late": "Check when the rate is logged: the value written belongs to the update before.",
    "logged one early": "Check when the rate is logged: the value written is that of the next update.",
    "skipped scheduler steps": "Check the scheduler under mixed precision: it is not stepped where the loss scaler "
    "skips an update, but the log counts that update.",
    "milestones edited": "Check the milestones of each start: they are not those of the intended schedule.",
    "several runs in one file": "Check which run is meant: the file holds more than one, and not all follow.",
    "warm-up repeated": "Check the warm-up on resume: it counts from the resume, not from the beginning.",
    "warm-up added": "Check what adds a warm-up that the schedule does not have: a default of the framework, "
    "warmup_ratio, warmup_epochs.",
    "warm-up missing": "Check that the warm-up is part of the schedule that the scheduler was built from.",
    "warm-up clipped": "Check the length of the warm-up: something (the length of an epoch, of the run) cut it short.",
    "warm-up stretched": "Check the length of the warm-up, and its unit.",
    "hand-over jump": "Check what follows the warm-up: its peak, and whether its time begins at 0 there.",
    "rebound after the end": "Check how many steps are made beyond the schedule's end: there it goes back up.",
    "isolated outliers": "Check what writes the rate at these updates (a resume, a second scheduler, logging).",
    "constant": "Check that the scheduler exists and is stepped at all, and that updates are not all skipped.",
    "floor ignored": "Check that eta_min reaches the scheduler.",
    "wrong floor": "Check the value of eta_min, and whether it is meant as a rate or as a share of the peak.",
    "unknown": "No known fault explains the log: look at the picture of intended and used rates.",
}
