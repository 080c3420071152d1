"""Schedules that wait for a plan: calls of recipes and nodes among whose times are durations with units."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from inspect import Parameter
from typing import Any

from ..calls import REQUIRED, bound
from ..durations import REST, UNITS, Duration, duration
from ..errors import ScheduleError
from ..evaluate.pieces import Lowered
from ..exact import exact, exact_number
from ..printing import CALL, time_json
from ..shapes import Shape
from .base import Schedule

Steps = Callable[[Duration, Fraction], Fraction]  # the updates that a duration is, from an update on

# Plans with which a call is tried when it is made: what one of them allows may be right, and what all of them refuse in
# the same words is wrong with any plan. Each says, in the order of UNITS, how many updates a unit is.
TRIALS = (
    dict(zip((*UNITS, REST), map(Fraction, ("1000", "1", "1000", "1/500000", "1/250", "1000")), strict=True)),
    dict(zip((*UNITS, REST), map(Fraction, (2**24, 1, 2**44, 1, 1, 2**24)), strict=True)),
    dict(zip((*UNITS, REST), map(Fraction, ("2", "1", "1/10", "1/4194304", "1/4096", "2")), strict=True)),
)


# Arguments of recipes whose times follow one another; the others count from where the recipe starts.
ONE_AFTER_ANOTHER = ("T_warmup", "T_stable", "T_explore", "T_cooldown", "T_decay", "periods", "listed")
START = Fraction(0)


class Deferred(Schedule):
    """A call of a recipe or a node, kept until a plan says how many updates its durations are.

    It prints, compares, hashes and has a JSON as the call that it is; `Plan.resolve` makes the schedule.
    """

    call: Callable[..., Schedule]
    arguments: tuple[tuple[str, Any], ...]

    pending = True

    def __post_init__(self) -> None:
        failed = set()
        for number in range(len(TRIALS)):
            outcome = self._trial(number)
            if isinstance(outcome, Schedule):
                return
            failed.add(str(outcome).partition("; in ")[0])  # what follows are the calls, with the numbers of a trial
        if len(failed) == 1:
            raise ScheduleError(failed.pop())

    def _trial(self, number: int) -> Schedule | ScheduleError:
        """What this becomes under a trial plan, or its error."""
        tried: dict[int, Schedule | ScheduleError] = self.__dict__.setdefault("_tried", {})
        if number not in tried:
            try:
                tried[number] = self.call(**self._numbers(_steps_of(TRIALS[number]), number))
            except ScheduleError as error:
                tried[number] = error
        return tried[number]

    def _numbers(self, steps: Steps, trial: int | None = None, at: Fraction = START) -> dict[str, Any]:
        """The arguments with numbers for durations, in a part of a schedule that starts at `at`."""

        def number(value: Any, at: Fraction) -> Any:
            if isinstance(value, Duration):
                return exact_number(steps(value, at))
            if not isinstance(value, Schedule):
                return value
            made = resolved(value, steps, trial, at)
            return made if trial is None else made.labelled(str(value))  # errors show what was written

        found, next_part = dict[str, Any](), at
        for name, value in self.arguments:
            follows, made = name in ONE_AFTER_ANOTHER, []
            for row in value if _several(value) else (value,):
                listed = _several(row) and row
                time = number(row[0] if listed else row, next_part if follows else at)
                made.append((time, *row[1:]) if listed else time)
                if follows and isinstance(time, int | Fraction):
                    next_part += time
            found[name] = tuple(made) if _several(value) else made[0]
        return found

    @property
    def endless(self) -> bool:
        made = [self._trial(number) for number in range(len(TRIALS))]
        return any(isinstance(one, Schedule) and one.endless for one in made)

    @property
    def _unguarded(self) -> Schedule:
        given = dict(self.arguments)
        guarded = self.call.__name__ == "Beyond" and given["policy"] == "raise"
        return given["part"] if guarded else self

    def _lower(self) -> Lowered:
        raise ScheduleError(
            f"this schedule has durations with units: make it one in updates by plan.resolve(schedule), where "
            f"plan = annealing.Plan(...); it is {self}"
        )

    def _tree(self) -> Any:
        # Only what differs from the defaults is written, so that equal calls have equal fingerprints.
        if not isinstance(self.call, type):
            parameters = inspect.signature(self.call).parameters
            usual = {name: _json(taken.default) for name, taken in parameters.items()}
            # An argument before a required one could once not be left out: it is written as it was then.
            last = max((i for i, kind in enumerate(parameters.values()) if kind.default is REQUIRED), default=-1)
            usual |= dict.fromkeys(list(parameters)[: last + 1], Parameter.empty)
            written = {name: _json(value) for name, value in self.arguments}
            given = {name: value for name, value in written.items() if value != usual[name]}
            return {"recipe": {"name": self.call.__name__, "arguments": given}}
        fields = {name: value.tree() if isinstance(value, Shape) else _json(value) for name, value in self.arguments}
        return {self.call.__name__.lower(): fields}

    def _written(self) -> tuple[str, int]:
        # Only a node is written here: the call of a recipe is its label.
        made: type[Schedule] = self.call  # type: ignore[assignment]
        return made._as_call({k: str(v) if isinstance(v, Duration) else v for k, v in self.arguments}), CALL


def node(cls: type[Schedule], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Deferred | None:
    """A node of a class, if it waits for a plan, else None."""
    found = bound(cls.__name__, inspect.signature(cls), args, kwargs)
    found.apply_defaults()
    return kept(cls, cls._times or (), found.arguments)


def kept(call: Callable[..., Schedule], times: Collection[str], given: Mapping[str, Any]) -> Deferred | None:
    """The call, if it waits for a plan, else None.

    times: the names of the arguments that are times, or lists of them, or lists of rows that begin with one. given:
    all arguments. A ScheduleError names an argument that no plan would make right.
    """
    arguments = {name: (_time if name in times else _other)(value, name) for name, value in given.items()}
    return Deferred(call, tuple(arguments.items())) if any(map(_waits, arguments.values())) else None


def resolved(schedule: Schedule, steps: Steps, trial: int | None = None, at: Fraction = START) -> Schedule:
    """The schedule, which starts at `at`, with every duration replaced by `steps` of it; `trial`: a plan's number."""
    if not schedule.pending:
        return schedule
    if not isinstance(schedule, Deferred):
        node: Any = schedule  # one of parts
        parts = []
        for part in node.parts:
            parts.append(resolved(part, steps, trial, at) if isinstance(part, Schedule) else part)
            if "join" in node._key and parts[-1].exact_duration is not None:
                at += parts[-1].exact_duration
        made: Schedule = type(node)(tuple(parts))
        return made
    if trial is None:
        try:
            bound = inspect.signature(schedule.call).bind(**schedule._numbers(steps, at=at))
            return schedule.call(*bound.args, **bound.kwargs)
        except ScheduleError as error:
            raise ScheduleError(f"{error}; it comes from {schedule}") from None
    if isinstance(outcome := schedule._trial(trial), ScheduleError):
        raise outcome
    return outcome


def _steps_of(units: Mapping[str, Fraction]) -> Steps:
    return lambda time, at: time.amount * units[time.unit]


def _time(value: Any, name: str) -> Any:
    """A time, or several, as the arguments of a deferred call hold them."""
    if isinstance(value, str):
        return duration(value, name)
    if isinstance(value, list | tuple):
        return tuple(
            (_time(item[0], name), *item[1:]) if isinstance(item, list | tuple) and item else _time(item, name)
            for item in value
        )
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return exact_number(exact(value, name)) if number else value


def _other(value: Any, name: str) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_other(item, name) for item in value)
    return value.item() if isinstance(value, numbers.Real) and hasattr(value, "item") else value


def _several(value: Any) -> bool:
    """Whether a value is a list of times, or a row that begins with one; a Duration is a tuple too."""
    return isinstance(value, tuple) and not isinstance(value, Duration)


def _waits(value: Any) -> bool:
    if _several(value):
        return any(map(_waits, value))
    return isinstance(value, Duration) or getattr(value, "pending", False)


def _json(value: Any) -> Any:
    """An argument as JSON: equal numbers in the same way, shapes and schedules told from each other."""
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, Schedule):
        return value.tree()
    if isinstance(value, Shape):
        return {"shape": value.tree()}
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return time_json(exact(value, "an argument")) if number else value
