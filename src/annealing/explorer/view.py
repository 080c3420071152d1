"""The view that a page sends, with its plan and the unit of its time axis: parsed once, with limits on everything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..calls import did_you_mean
from ..errors import ScheduleError
from ..notation import from_json, parse
from ..plan import Plan
from ..sampling import default_until
from ..schedule.base import Schedule

Array = NDArray[np.float64]
COUNTS = ("examples", "batch", "accumulation", "replicas", "steps")
AMOUNTS = ("epochs", "tokens", "tokens_per_example")
CHOICES = ("drop_last", "sharding", "leftover")
FAR = 1024  # the axis extends to this many times the plan's length
MOST_SCHEDULES = 24
MOST_CHARACTERS = 4_000  # of a notation on the page


class TimeAxis(NamedTuple):
    """Converts between updates and a unit: linear between knots, because a plan may change during training."""

    unit: str
    steps: Array
    units: Array

    def shown(self, steps: Any) -> Any:
        return np.interp(steps, self.steps, self.units) if self.unit != "step" else steps

    def in_steps(self, time: Any) -> Any:
        return np.interp(time, self.units, self.steps) if self.unit != "step" else time


STEPS = TimeAxis("step", np.zeros(0), np.zeros(0))


def time_axes(plan: Plan | None) -> dict[str, TimeAxis]:
    """The axes by the units in which a plan can show time; steps need no plan."""
    axes = {"step": STEPS}
    if plan is None:
        return axes
    # What a plan does not know, such as its epochs, it refuses to count.
    with suppress(ScheduleError):
        stages = plan.stages
        # After the plan time goes on as in its last stage, for schedules that are longer.
        owners = [*stages, stages[-1], stages[-1]]
        starts = [*(stage.start for stage in stages), plan.steps, FAR * plan.steps]
        for unit, clock, each in (("epoch", "epochs", 1), ("token", "examples", plan.tokens_per_example)):
            with suppress(ScheduleError):
                if each is not None and stages[0].plan.pace(clock):
                    rows = zip(owners, starts, strict=True)
                    units = [float(stage.clock(clock, Fraction(start)) * each) for stage, start in rows]
                    axes[unit] = TimeAxis(unit, np.array(starts, np.float64), np.array(units))
        axes["%"] = TimeAxis("%", np.array([0.0, 100.0]) * plan.steps, np.array([0.0, 100.0]) * 100)
    return axes


def steps_per_epoch(plan: Plan | None) -> Fraction | None:
    """The updates per epoch, if the plan knows them and they never change."""
    known = plan is not None and plan.examples is not None and len(plan.stages) == 1
    return Fraction(plan.steps_per_epoch) if plan is not None and known else None


def read_plan(given: Mapping[str, Any] | None) -> Plan | None:
    """The plan from the page's form (text or numbers by argument name); None if it has no length yet."""
    filled = {name: value for name, value in (given or {}).items() if value not in (None, "")}
    # A form that is still being filled in is not a mistake.
    if not any(name in filled for name in ("epochs", "steps", "tokens")):
        return None
    return Plan(**{name: _read(name, value) for name, value in filled.items()})


def _read(name: str, value: Any) -> Any:
    known = (*COUNTS, *AMOUNTS, *CHOICES)
    if name not in known:
        raise ScheduleError(f"plan: unknown name {name!r}{did_you_mean(name, known)}")
    if not isinstance(value, str) or name in CHOICES:
        return value
    try:
        number = float(value.replace(",", "").replace("_", ""))
    except ValueError:
        raise ScheduleError(f"{name} must be a number, got {value!r}") from None
    return int(number) if number.is_integer() else number


@dataclass(frozen=True)
class Shown:
    """A notation on the page: its schedule in updates, or its error."""

    text: str
    written: Schedule | None
    schedule: Schedule | None
    error: ScheduleError | None = None


@dataclass(frozen=True)
class PageView:
    """The schedules of a page, its plan and its axes. Times are in updates; plan_error: why there is no plan.

    drawn: the schedules to draw, by their numbers on the page. units: those in which the plan can show time.
    """

    shown: tuple[Shown, ...]
    drawn: dict[int, Schedule]
    plan: Plan | None
    plan_error: str
    axis: TimeAxis
    units: list[str]
    scale: str
    until: float
    start: float
    stop: float
    at: float | None
    difference: tuple[int, int] | None


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
    shown = tuple(_shown(text, plan) for text in texts)
    hidden = [row.get("hidden") for row in rows]
    drawn = {i: one.schedule for i, one in enumerate(shown) if one.schedule is not None and not hidden[i]}
    axes = time_axes(plan)
    axis = axes.get(str(given.get("unit")), STEPS)
    # With a plan show the whole training, even if every schedule ends earlier.
    usual = max(float(default_until(list(drawn.values()))) if drawn else 100.0, float(plan.steps) if plan else 0.0)
    until = float(axis.in_steps(given["until"])) if _number(given.get("until")) > 0 else usual
    start, stop = (float(axis.in_steps(_number(given.get(key)))) for key in ("start", "stop"))
    start, stop = (start, stop) if 0 <= start < stop else (0.0, until)
    at = None if given.get("at") is None else float(axis.in_steps(max(0.0, _number(given["at"]))))
    scale = "log" if given.get("scale") == "log" else "linear"
    difference = _pair(given.get("difference"), len(shown))
    return PageView(shown, drawn, plan, plan_error, axis, [*axes], scale, until, start, stop, at, difference)


def _number(value: Any) -> float:
    """A finite number of a question, or 0 for anything else."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _pair(given: Any, count: int) -> tuple[int, int] | None:
    """The numbers of two different schedules, if the page has both."""
    known = isinstance(given, list) and len(given) == 2 and all(i in range(count) for i in given)
    return (given[0], given[1]) if known and given[0] != given[1] else None


def _shown(text: str, plan: Plan | None) -> Shown:
    try:
        return Shown(one_line(text), *read_notation(text, plan))
    except ScheduleError as error:
        return Shown(one_line(text), None, None, error)


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
