"""The registry of recipes: each lists itself, its results print as the call that made them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from ..calls import REQUIRED, bound
from ..durations import unread
from ..errors import ScheduleError, finite
from ..printing import literal
from ..schedule.base import Schedule
from .arguments import below, share_of

P = ParamSpec("P")

named: dict[str, Callable[..., Schedule]] = {}  # every recipe, in the order of the code: lists and tables follow it
TIMES: set[str] = set()  # the arguments of recipes that are times: those annotated with Time
PEAKS = {"eta_min": "eta_max", "eta_const": "eta_max"}  # the value of which a floor given as "10%" is a share


def recipe(function: Callable[P, Schedule]) -> Callable[P, Schedule]:
    """List a function among the recipes; its results print as the call that made them, its errors show the call."""
    name = function.__name__
    times = {argument for argument, kind in function.__annotations__.items() if "Time" in str(kind)}

    @functools.wraps(function)
    def make(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        written = [*map(literal, args), *(f"{key}={literal(value)}" for key, value in kwargs.items())]
        call = f"{name}({', '.join(written)})"
        try:
            given = _given(function, args, kwargs)
            # Nearly every call has numbers alone, and pays nothing for durations and shares.
            if any(map(unread, given.values())):
                from ..schedule.deferred import kept

                if waiting := kept(make, times, given):
                    waiting._set(_label=call)
                    return waiting
                given |= _floors(given)
            return function(**given).labelled(call)  # type: ignore[call-arg]
        except ScheduleError as error:
            raise ScheduleError(f"{error}; in {call}") from None

    named[name] = make
    TIMES.update(times)
    return make


def _given(function: Callable[..., Schedule], args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by name, with those that may be left out before a required one."""
    parameters = inspect.signature(function).parameters
    given = bound(function.__name__, inspect.signature(function), args, kwargs).arguments
    required = [i for i, parameter in enumerate(parameters.values()) if parameter.default is REQUIRED]
    before = list(parameters)[: max(required, default=0)]
    return {name: given.get(name, parameters[name].default) for name in parameters if name in given or name in before}


def _floors(given: dict[str, Any]) -> dict[str, float]:
    """The values that are given as a share of the peak, such as "10%"."""
    ends = {"start": "eta_max" if "eta_max" in given else "end", "end": "start"}  # of a ramp or a cooldown
    peaks = {name: peak for name, peak in (PEAKS | ends).items() if isinstance(given.get(name), str) and peak in given}
    return {name: share_of(given[peak], given[name], name) for name, peak in peaks.items()}


def ordered(eta_max: float, eta_min: float | str) -> float:
    """The floor, which must be at most the peak."""
    return below(eta_max=eta_max, eta_min=eta_min)


def decay_factor(gamma: float) -> float:
    if not 0 <= finite(gamma, "gamma") <= 1:
        raise ScheduleError(f"gamma must be between 0 and 1, got {gamma!r}")
    return float(gamma)


def a_schedule(value: Any, name: str) -> Schedule:
    if not isinstance(value, Schedule):
        raise ScheduleError(f"{name} must be a schedule, got {value!r}")
    return value
