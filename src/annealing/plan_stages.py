"""Stages of a plan: a batch, an accumulation or a number of replicas that changes in the course of a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from .durations import Duration, duration
from .errors import ScheduleError, whole
from .exact import END_OF_TIME, exact

Change = tuple[int | str, int]  # when, as an update number or a duration such as "10%", and the new number
OPTIONAL = ("examples", "batch")
Changes = Mapping[str, tuple[Change, ...]]


class Stage(NamedTuple):
    """Updates that are all made alike: from update `start` on (the first is 0), after so many epochs and examples."""

    start: int
    epochs: Fraction
    examples: Fraction
    plan: Any  # the Plan of these updates alone

    def clock(self, unit: str, updates: Fraction) -> Fraction:
        """The epochs, or the examples, that are over after so many updates."""
        over: Fraction = getattr(self, unit) + (updates - self.start) * self.plan.pace(unit)
        return over

    def updates(self, unit: str, clock: Fraction) -> Fraction:
        """After how many updates so many epochs or examples are over: the inverse of `clock`."""
        made: Fraction = self.start + (clock - getattr(self, unit)) / self.plan.pace(unit)
        return made


def read_changes(value: Any, name: str) -> int | tuple[Change, ...] | None:
    """A count (None where it may be left out), or its changes as a list of (when, count), the first from 0 on."""
    if value is None and name in OPTIONAL:
        return None
    if not isinstance(value, list | tuple):
        return whole(value, name)
    rows = []
    for row in value:
        if not isinstance(row, list | tuple) or len(row) != 2:
            raise ScheduleError(f'{name} must be a number, or a list such as [(0, 8), ("10%", 16)], got {row!r} in it')
        when, count = row
        if isinstance(when, str) and duration(when, name).unit == "rest":
            raise ScheduleError(f"{name} must not change after a rest, got {row!r}")
        rows.append((when if isinstance(when, str) else whole(when, name, least=0), whole(count, name)))
    if not rows or rows[0][0] != 0:
        raise ScheduleError(f"{name} must start with (0, ...), got {value!r}")
    return tuple(rows)


def stages(changes: Changes, made: Callable[[dict[str, int]], Any], steps: int, checked: bool = True) -> list[Stage]:
    """The stages of a plan of so many updates; `made` gives the plan of one, from the counts in force.

    checked: changes that are not in order of time are refused. Without it each takes effect after the one before.
    """
    counts = {name: rows[0][1] for name, rows in changes.items()}
    waiting = {name: list(rows[1:]) for name, rows in changes.items()}
    found = [Stage(0, Fraction(0), Fraction(0), made(counts))]
    while any(waiting.values()):
        last = found[-1]
        # A change takes effect at the first whole update that is not before it.
        starts = {name: math.ceil(_start(rows[0][0], last, steps)) for name, rows in waiting.items() if rows}
        name = min(starts, key=lambda name: starts[name])
        if checked and starts[name] < last.start:
            raise ScheduleError(f"the changes of {name} must be in order of time, got {list(changes[name])!r}")
        start = max(starts[name], last.start)
        counts |= {name: waiting[name].pop(0)[1]}
        epochs, examples = (last.clock(unit, Fraction(start)) for unit in ("epochs", "examples"))
        found.append(Stage(start, epochs, examples, made(counts)))
    ends = [*(stage.start for stage in found[1:]), math.inf]
    return [one for one, end in zip(found, ends, strict=True) if one.start < min(end, max(steps, 1))]


def _start(when: int | str, stage: Stage, steps: int) -> Fraction:
    """After how many updates a change is due, which is still to come in this stage."""
    time = Duration(exact(when, "when"), "st") if isinstance(when, int) else duration(when, "when")
    if time.unit == "st":
        return time.amount
    if time.unit == "%":
        return time.amount * steps / 100
    unit, amount = stage.plan.counted(time)
    return stage.updates(unit, amount)


def updates_for(clock: Callable[[int], Fraction], amount: Fraction) -> int:
    """The smallest number of updates after which the clock shows at least `amount`."""
    # A change at "10%" moves with the number of updates that is sought, so it cannot be solved for directly.
    low, high = 0, 1
    while clock(high) < amount:
        low, high = high, 2 * high
        if high > END_OF_TIME:
            raise ScheduleError(f"a plan must make at most 2^53 updates, but {float(amount):g} need more")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if clock(middle) < amount else (low, middle)
    return high
