"""The unit of the time axis: updates, or the epochs, tokens or percent of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..calls import did_you_mean
from ..errors import ScheduleError
from ..plan import Plan

Array = NDArray[np.float64]
UNITS = ("step", "epoch", "token", "%")
COUNTS = ("examples", "batch", "accumulation", "replicas", "steps")
AMOUNTS = ("epochs", "tokens", "tokens_per_example")
CHOICES = ("drop_last", "sharding", "leftover")
FAR = 1024  # the axis extends to this many times the plan's length


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


def time_axis(unit: str, plan: Plan | None) -> TimeAxis:
    """The axis in a unit; all units but steps need a plan."""
    if unit not in UNITS:
        raise ScheduleError(f"unit must be one of {', '.join(UNITS)}, got {unit!r}")
    if unit == "step":
        return STEPS
    if plan is None:
        raise ScheduleError(f"an axis in {unit} needs a plan")
    stages = plan.stages
    starts = [*(stage.start for stage in stages), plan.steps, FAR * plan.steps]
    if unit == "%":
        return TimeAxis(unit, np.array([0.0, 100.0]) * plan.steps, np.array([0.0, 100.0]) * 100)
    # After the plan time goes on as in its last stage, for schedules that are longer.
    owners = [*stages, stages[-1], stages[-1]]
    clock = "epochs" if unit == "epoch" else "examples"
    each = plan.tokens_per_example if unit == "token" else 1
    if each is None or stages[0].plan.pace(clock) == 0:
        needed = "examples and batch" if unit == "epoch" else "batch and tokens per example"
        raise ScheduleError(f"an axis in {unit}s needs a plan with {needed}")
    units = [float(stage.clock(clock, Fraction(start)) * each) for stage, start in zip(owners, starts, strict=True)]
    return TimeAxis(unit, np.array(starts, np.float64), np.array(units))


def units_of(plan: Plan | None) -> list[str]:
    """The units in which a plan can show time."""
    known = []
    for unit in UNITS:
        try:
            time_axis(unit, plan)
        except ScheduleError:
            continue
        known.append(unit)
    return known


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
