"""The list of recipes, and what they share: named schedules are functions of a few lines over the nodes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from ..durations import unread
from ..errors import ScheduleError, finite
from ..printing import literal
from ..schedule.base import Schedule
from .arguments import below

P = ParamSpec("P")

TIMES = {
    *("T_0", "T_constant", "T_cooldown", "T_decay", "T_explore", "T_half", "T_linear", "T_max", "T_new", "T_ramp"),
    *("T_stable", "T_upper", "T_warmup", "at", "every", "length", "listed", "milestones", "periods", "shift"),
    *("step_size", "step_size_down", "step_size_up", "timescale"),
}  # the arguments that are times

named: dict[str, Callable[..., Schedule]] = {}


def recipe(function: Callable[P, Schedule]) -> Callable[P, Schedule]:
    """List a function among the recipes; its results print as the call that made them, its errors show the call."""

    @functools.wraps(function)
    def make(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        written = [*map(literal, args), *(f"{name}={literal(value)}" for name, value in kwargs.items())]
        call = f"{function.__name__}({', '.join(written)})"
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        try:
            if any(map(unread, given.values())):
                from ..schedule.deferred import kept

                if waiting := kept(make, TIMES, given):
                    waiting._set(_label=call)
                    return waiting
            return function(*args, **kwargs).labelled(call)
        except ScheduleError as error:
            raise ScheduleError(f"{error}; in {call}") from None

    named[function.__name__] = make
    return make


def ordered(eta_max: float, eta_min: float) -> None:
    below(eta_max=eta_max, eta_min=eta_min)


def decay_factor(gamma: float) -> float:
    if not 0 <= finite(gamma, "gamma") <= 1:
        raise ScheduleError(f"gamma must be between 0 and 1, got {gamma!r}")
    return float(gamma)


def a_schedule(value: Any, name: str) -> Schedule:
    if not isinstance(value, Schedule):
        raise ScheduleError(f"{name} must be a schedule, got {value!r}")
    return value
