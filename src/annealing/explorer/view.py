"""The view that a page sends: parsed once, with limits on everything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from ..cycles import Cycle
from ..errors import ScheduleError
from ..notation import from_json, parse
from ..plan import Plan
from ..sampling import default_until
from ..schedule.base import Schedule
from .time_axis import TimeAxis, read_plan, time_axis

MOST_SCHEDULES = 24
MOST_CHARACTERS = 4_000  # of a notation on the page
MOST_CYCLES = 2_000  # of a schedule that is drawn as a line; one with more is drawn as points


@dataclass(frozen=True)
class Shown:
    """A notation on the page: its schedule in updates, or its error."""

    text: str
    visible: bool
    written: Schedule | None
    schedule: Schedule | None
    error: ScheduleError | None = None


@dataclass(frozen=True)
class PageView:
    """The schedules of a page, its plan and its axes. Times are in updates; plan_error: why there is no plan."""

    shown: tuple[Shown, ...]
    plan: Plan | None
    plan_error: str
    axis: TimeAxis
    scale: str
    until: float
    start: float
    stop: float
    at: float | None
    difference: tuple[int, int] | None

    @property
    def drawn(self) -> dict[int, Schedule]:
        """The schedules to draw, by their numbers on the page."""
        return {i: one.schedule for i, one in enumerate(self.shown) if one.schedule is not None and one.visible}


def read_view(given: Mapping[str, Any], texts: list[str] | None = None) -> PageView:
    """The view that a page sends; texts: notations that replace those in `given`."""
    rows = given.get("schedules", [])
    if not isinstance(rows, list) or len(rows) > MOST_SCHEDULES:
        raise ScheduleError(f"a page shows at most {MOST_SCHEDULES} schedules")
    texts = [str(row["text"]) for row in rows] if texts is None else texts
    # With a wrong plan only the schedules that need it fail, not the page.
    try:
        plan, plan_error = read_plan(given.get("plan")), ""
    except ScheduleError as error:
        plan, plan_error = None, str(error)
    shown = [_shown(text, not row.get("hidden"), plan) for text, row in zip(texts, rows, strict=True)]
    try:
        axis = time_axis(str(given.get("unit") or "step"), plan)
    except ScheduleError:
        axis = time_axis("step", None)
    schedules = [one.schedule for one in shown if one.schedule is not None and one.visible]
    # With a plan show the whole training, even if every schedule ends earlier.
    usual = max(float(default_until(schedules)) if schedules else 100.0, float(plan.steps) if plan else 0.0)
    until = float(axis.in_steps(given["until"])) if _number(given.get("until")) > 0 else usual
    start, stop = (float(axis.in_steps(_number(given.get(key)))) for key in ("start", "stop"))
    start, stop = (start, stop) if 0 <= start < stop else (0.0, until)
    at = None if given.get("at") is None else float(axis.in_steps(max(0.0, _number(given["at"]))))
    scale = "log" if given.get("scale") == "log" else "linear"
    difference = _pair(given.get("difference"), len(shown))
    return PageView(tuple(shown), plan, plan_error, axis, scale, until, start, stop, at, difference)


def _number(value: Any) -> float:
    """A finite number of a question, or 0 for anything else."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _pair(given: Any, count: int) -> tuple[int, int] | None:
    """The numbers of two different schedules, if the page has both."""
    known = isinstance(given, list) and len(given) == 2 and all(i in range(count) for i in given)
    return (given[0], given[1]) if known and given[0] != given[1] else None


def _shown(text: str, visible: bool, plan: Plan | None) -> Shown:
    try:
        written, schedule = read_notation(text, plan)
    except ScheduleError as error:
        return Shown(one_line(text), visible, None, None, error)
    return Shown(one_line(text), visible, written, schedule)


def one_line(text: str) -> str:
    """A notation with single spaces, to which the positions of errors and controls refer."""
    return " ".join(text.split())


@lru_cache(maxsize=256)
def read_notation(text: str, plan: Plan | None) -> tuple[Schedule, Schedule]:
    """The schedule as written, and in updates; cached, because a drag changes only one of many notations."""
    if len(text) > MOST_CHARACTERS:
        raise ScheduleError(
            f"a notation on this page must have at most {MOST_CHARACTERS:,} characters, got {len(text):,}"
        )
    if not text.strip():
        raise ScheduleError('type a schedule, such as "cosine(0.1, 0, 100)", or choose one from the gallery')
    written = from_json(text) if text.lstrip().startswith("{") else parse(text)
    if plan is None and written.pending:
        raise ScheduleError("this schedule has durations with units: fill in the plan to show it")
    schedule = written if plan is None else plan.resolve(written, beyond="hold")
    # Lower it now, so that a failure appears as an error below its field.
    schedule(0)
    return written, schedule


@lru_cache(maxsize=256)
def first_cycles(schedule: Schedule, stop: float) -> tuple[Cycle, ...]:
    """The cycles up to a time: at most MOST_CYCLES + 1, one more to show that there are too many."""
    return tuple(islice(schedule.cycles(stop, included=True), MOST_CYCLES + 1))
