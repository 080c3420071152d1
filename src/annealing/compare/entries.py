"""The schedules of a comparison, each with how long it is trained."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import dropwhile
from typing import Any, NamedTuple

from .. import Schedule, ScheduleError, cosine, from_json, parse
from ..cycles import Cycle
from ..durations import Duration
from ..durations import duration as read_duration
from ..exact import exact_number, plain
from ..printing import time_json
from ..schedule.deferred import resolved
from .validation import duration, entries

WARM_UP = Fraction(1, 10)  # the longest warm-up, as a share of training, after which a decay keeps its name
OTHERS = ("weight_decay", "momentum")  # what may have a schedule besides the learning rate
# keys become names of directories, on file systems that may not tell capitals from small letters
KEY = re.compile(r"[a-z0-9][a-z0-9.-]{0,59}")


@dataclass(frozen=True)
class Arm:
    """One schedule of a comparison.

    key: its name in records and file names (lower-case letters, digits, dots and hyphens). title: its name for people.
    schedule: in epochs; if it ends, then where its training does. epochs: how long it is trained. paper: what it is
    called in the paper, if it comes from there. weight_decay, momentum: schedules of these, in epochs as well.
    """

    key: str
    title: str
    schedule: Schedule
    epochs: Fraction
    paper: str | None = None
    weight_decay: Schedule | None = None
    momentum: Schedule | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.key, str) or not KEY.fullmatch(self.key):
            raise ScheduleError(f"key must be lower-case letters, digits, dots and hyphens, got {self.key!r}")
        for name, schedule in {"schedule": self.schedule, **self.others}.items():
            if not isinstance(schedule, Schedule):
                raise ScheduleError(f"{name} of the arm {self.key!r} must be a Schedule, got {schedule!r}")
        if self.epochs <= 0:
            raise ScheduleError(f"epochs of the arm {self.key!r} must be above 0, got {self.epochs}")
        end = self.schedule.duration
        if end is not None and end != plain(self.epochs):
            epochs = time_json(self.epochs)
            remedy = f"cut it by .until({epochs})" if end > self.epochs else "say what follows by >>"
            raise ScheduleError(
                f"schedule of the arm {self.key!r} ends at {end}, but is trained for {epochs} epochs: give it the key "
                f"`epochs: {end}`, or {remedy}"
            )

    @property
    def others(self) -> dict[str, Schedule]:
        """The schedules of what is no learning rate, by its name."""
        return {name: getattr(self, name) for name in OTHERS if getattr(self, name) is not None}

    @cached_property
    def kind(self) -> str:
        """What it is, by its rates: `restarts`, `step decay`, `constant`, `cosine`, or `decay` for any other.

        A short warm-up before it changes nothing; a long rise, as of one cycle, makes it a `decay`.

        >>> Arm("a", "a", parse("linear(0, 0.1, 1) >> cosine(0.1, 0, 11)"), Fraction(12)).kind
        'cosine'
        """
        if len(self.schedule.snapshots(until=self.epochs)) > 1:
            return "restarts"
        # the curve decides and not the notation, since a product or a sum may be any of these
        cycles = [*self.schedule.cycles(until=self.epochs)]
        rest = [*dropwhile(lambda cycle: cycle.direction > 0, cycles)]
        if not rest or rest[0].begin > self.epochs * WARM_UP:
            return "decay"
        if len(rest) == 1 and self._is_cosine(rest[0]):
            return "cosine"
        levels = [cycle.first for cycle in rest]
        # both ends of a cycle can be equal though it moves between them, so points inside are looked at too
        flat = all(self.schedule(time) == cycle.first for cycle in rest for time in self._inside(cycle))
        # a held curve moves at every stair: it is no step decay
        if not flat or any(cycle.stair for cycle in rest) or levels != sorted(levels, reverse=True):
            return "decay"
        return "constant" if levels[0] == levels[-1] else "step decay"

    def _is_cosine(self, cycle: Cycle) -> bool:
        """Whether a cycle falls as one half of a cosine, to the end of training."""
        if not cycle.direction < 0 or cycle.end != exact_number(self.epochs):
            return False
        same = cosine(cycle.first, cycle.last, Fraction(cycle.end) - Fraction(cycle.begin))
        # a product or a sum that is a cosine is one but for rounding
        return all(
            math.isclose(self.schedule(time), same(time - float(cycle.begin)), rel_tol=1e-9)
            for time in self._inside(cycle)
        )

    def _inside(self, cycle: Cycle) -> list[float]:
        """Some times in a cycle, as far as it is trained."""
        begin, end = float(cycle.begin), min(float(cycle.end), float(self.epochs))
        return [begin + (end - begin) * part / 16 for part in range(1, 16)]

    def description(self) -> dict[str, Any]:
        identity = {"schedule": str(self.schedule), "fingerprint": self.schedule.fingerprint}
        others = {name: str(schedule) for name, schedule in self.others.items()}
        return {**identity, "epochs": time_json(self.epochs), "title": self.title, "paper": self.paper, **others}


class Units(NamedTuple):
    """How long in epochs what is counted otherwise takes; None where the task does not count it."""

    updates: int
    examples: int | None = None
    tokens: int | None = None

    def epochs(self, time: Duration, training: Fraction | None, path: str) -> Fraction:
        """A duration in epochs; training: that of which "%" are, in epochs."""
        per_epoch = {
            "ep": Fraction(1),
            "st": Fraction(self.updates),
            "ex": self.examples,
            "tok": self.tokens,
            "%": None if training is None else 100 / training,
        }[time.unit]
        if per_epoch is None:
            needed = {"ex": "a built-in task", "tok": "task.tokens_per_update", "%": "epochs"}[time.unit]
            raise ScheduleError(f"{path}: {time} needs {needed}")
        return time.amount / per_epoch

    def resolved(self, schedule: Schedule, training: Fraction, path: str) -> Schedule:
        """A schedule in epochs; what it calls the rest is what the other durations leave of the training."""
        rest, used = Fraction(1), False

        def epochs(time: Duration, _: Fraction) -> Fraction:
            nonlocal used
            used = used or time.unit == "rest"
            return rest if time.unit == "rest" else self.epochs(time, training, path)

        made = resolved(schedule, epochs)
        if not used:
            return made
        if made.exact_duration is None:
            raise ScheduleError(f'{path}: a schedule with a "rest" must end, but this one never does: {schedule}')
        # with a rest of 1 the schedule is too long or too short by what the rest has to give
        rest += training - made.exact_duration
        if rest < 0:
            others = time_json(training - rest)
            raise ScheduleError(
                f'{path}: nothing is left for "rest": the others last {others} of {time_json(training)} epochs'
            )
        made = resolved(schedule, epochs)
        if made.exact_duration != training:
            raise ScheduleError(f'{path}: "rest" must be given once, for a part that others precede or follow')
        return made


def read_arms(schedules: Any, epochs: Any, units: Units) -> tuple[Arm, ...]:
    """Arms from themselves, or from a mapping of names to notations, schedules, or mappings with more keys.

    epochs: how long each is trained that does not say so itself. units: in which schedules may count besides epochs.
    """
    epochs = None if epochs is None else read_length(epochs, "epochs", units)
    if isinstance(schedules, Sequence) and schedules and all(isinstance(arm, Arm) for arm in schedules):
        return tuple(schedules)
    if not isinstance(schedules, Mapping) or not schedules:
        raise ScheduleError(f"schedules must be a mapping of at least one name to a schedule, got {schedules!r}")
    return tuple(_read(key, value, epochs, units) for key, value in schedules.items())


def read_length(value: Any, path: str, units: Units) -> Fraction:
    """A length in epochs: a number of epochs, a text such as "3/2", or one with a unit such as "2000st"."""
    # "3/2" is a number of epochs, as it always was; only a unit makes a duration of a text
    with_unit = isinstance(value, str) and re.search(r"(ep|(?<!re)st|tok|ex)\s*$", value)
    return units.epochs(read_duration(value, path), None, path) if with_unit else duration(value, path)


def _read(key: Any, value: Any, epochs: Fraction | None, units: Units) -> Arm:
    path = f"schedules.{key}"
    if not isinstance(value, Mapping):
        value = {"schedule": value}
    values = entries(value, path, ["schedule", "epochs", "title", "paper", "fingerprint", *OTHERS])
    if values.get("schedule") is None:
        raise ScheduleError(f"{path}.schedule must be given")
    given = values.get("epochs")
    own = epochs if given is None else read_length(given, f"{path}.epochs", units)
    if own is None:
        raise ScheduleError(f"epochs must be given, or {path}.epochs")
    for name in ("title", "paper"):
        if not isinstance(values.get(name), str | None):
            raise ScheduleError(f"{path}.{name} must be text, got {values[name]!r}")
    found = {
        name: units.resolved(read_schedule(values[name], path if name == "schedule" else f"{path}.{name}"), own, path)
        for name in ("schedule", *OTHERS)
        if values.get(name) is not None
    }
    schedule = found.pop("schedule")
    if values.get("fingerprint") not in (None, schedule.fingerprint):
        raise ScheduleError(
            f"{path}: this schedule has another fingerprint than recorded, {schedule.fingerprint}: {schedule}"
        )
    try:
        return Arm(key, values.get("title") or key, schedule, own, values.get("paper"), **found)
    except ScheduleError as error:
        raise ScheduleError(f"{path}: {error}") from None


def read_schedule(value: Any, path: str) -> Schedule:
    """A schedule from itself, its notation or its JSON."""
    if isinstance(value, Schedule):
        return value
    if not isinstance(value, str):
        raise ScheduleError(f"{path} must be a schedule as it is printed, such as cosine(0.1, 0, 60), got {value!r}")
    try:
        return from_json(value) if value.lstrip().startswith("{") else parse(value)
    except ScheduleError as error:
        raise ScheduleError(f"{path}: {error}") from None
