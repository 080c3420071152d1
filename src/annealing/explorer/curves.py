"""The points to draw: all schedules at the same times, and their marks."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from ..errors import ScheduleError
from ..schedule.base import Schedule
from .view import Array

POINTS = 2000
MOST_CYCLES = 2_000  # of a schedule that is drawn as a line; one with more is drawn as points
MOST_SEEN = 500  # cycles in the visible part; a line through more would be a solid block
MOST_MARKS = 200


class DrawnCurves(NamedTuple):
    """Times in updates; for each schedule a row of values, whether to join them by a line, and marks.

    Marks are the (time, value) of restarts and of checkpoints. The end of a cycle occurs twice in the times: first with
    the limit from the left, then with the value.
    """

    times: Array
    values: list[Array]
    joined: list[bool]
    marks: list[tuple[list[tuple[float, float]], list[tuple[float, float]]]]


def curves(schedules: Sequence[Schedule], start: float, stop: float, points: int = POINTS) -> DrawnCurves:
    """The exact values of schedules between two times."""
    ends = [cycle_ends(schedule, start, stop) for schedule in schedules]
    joined = [found is not None for found in ends]
    if all(joined):
        times = np.linspace(start, stop, points)
    else:
        # Equally spaced times would alias with the cycles and show a curve that does not exist.
        times = np.sort(np.random.default_rng(0).uniform(start, stop, points))
    # At a jump the line needs both values at the same time, or it would slope.
    both = np.repeat(np.unique([time for found in ends if found for time in found]), 2)
    times = np.sort(np.concatenate([times, both]))
    values = [_values(schedule, times, found or {}) for schedule, found in zip(schedules, ends, strict=True)]
    marks = [_marks(schedule, start, stop, ok) for schedule, ok in zip(schedules, joined, strict=True)]
    return DrawnCurves(times, values, joined, marks)


@lru_cache(maxsize=256)
def cycle_ends(schedule: Schedule, start: float, stop: float) -> dict[float, float] | None:
    """The limits from the left where cycles end between two times; None if there are too many to tell apart."""
    found = list(islice(schedule.cycles(stop, included=True), MOST_CYCLES + 1))
    inside = found[max(0, bisect.bisect_right(found, start, key=lambda cycle: cycle.start) - 1) :]
    if len(found) > MOST_CYCLES or len(inside) > MOST_SEEN:
        return None
    ends = {float(two.start): one.last for one, two in pairwise(inside)}
    last = inside[-1]
    return ends | {float(last.end): last.last} if last.end <= stop else ends


def _values(schedule: Schedule, times: Array, ends: dict[float, float]) -> Array:
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.array(schedule(times), np.float64)
    except ScheduleError:  # it refuses times after its end
        values = np.full(len(times), np.nan)
        allowed = times < (schedule.duration or 0)
        values[allowed] = schedule(times[allowed])
    for time, before in ends.items():
        first = np.searchsorted(times, time)
        # A restart at the right edge of the picture belongs to the next picture.
        values[first : len(times) if time == times[-1] else first + 1] = before
    return values


@lru_cache(maxsize=256)
def _marks(schedule: Schedule, start: float, stop: float, joined: bool) -> Any:
    """Restarts and checkpoints; a decay without restarts needs no mark at its end."""
    if not joined or not (restarts := [t for t in schedule.restarts(stop) if t >= start]):
        return [], []
    kept = [t for t in schedule.snapshots(stop) if t >= start]
    before = cycle_ends(schedule, start, stop) or {}
    shown = [(float(t), schedule(t)) for t in restarts]
    checkpoints = [(float(t), before[float(t)]) for t in kept if float(t) in before]
    return shown[:MOST_MARKS], checkpoints[:MOST_MARKS]
