"""What is compared: schedules, seeds and a task, as frozen values that go to JSON and back."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from .. import Schedule, ScheduleError, parse
from ..errors import whole
from .tasks import Task, from_description

KEY = re.compile(r"[a-z0-9][a-z0-9.-]{0,59}")


class Trial(NamedTuple):
    """One training run: the schedule of one arm, one seed."""

    arm: str
    seed: int


@dataclass(frozen=True)
class Arm:
    """One schedule of a comparison.

    key: its name in records and file names (lower-case letters, digits, dots and hyphens). title: its name for people.
    schedule: in epochs. epochs: how long it is trained. paper: what it is called in the paper, if it comes from there.
    """

    key: str
    title: str
    schedule: Schedule
    epochs: Fraction
    paper: str | None = None

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise ScheduleError(f"key must be lower-case letters, digits, dots and hyphens, got {self.key!r}")
        if not isinstance(self.schedule, Schedule):
            raise ScheduleError(f"schedule of the arm {self.key!r} must be a Schedule, got {self.schedule!r}")
        if self.epochs <= 0:
            raise ScheduleError(f"epochs of the arm {self.key!r} must be above 0, got {self.epochs}")

    def description(self) -> dict[str, Any]:
        identity = {"key": self.key, "fingerprint": self.schedule.fingerprint, "epochs": str(self.epochs)}
        return {**identity, "title": self.title, "schedule": str(self.schedule), "paper": self.paper}


@dataclass(frozen=True)
class Experiment:
    """Arms that are trained on one task with the same seeds: a seed fixes initial weights and data order for all arms.

    baseline: the key of the arm whose final error is the level that the others are asked to reach.
    A ScheduleError names a doubled key or seed, or a baseline that is no arm.
    """

    task: Task
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    baseline: str

    def __post_init__(self) -> None:
        keys = [arm.key for arm in self.arms]
        if len(set(keys)) < len(keys):
            raise ScheduleError(f"keys of arms must differ, got {', '.join(keys)}")
        if self.baseline not in keys:
            raise ScheduleError(f"baseline must be one of {', '.join(keys)}, got {self.baseline!r}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ScheduleError(f"seeds must be different whole numbers, at least one, got {self.seeds!r}")
        for seed in self.seeds:
            whole(seed, "a seed", least=0)

    def arm(self, key: str) -> Arm:
        return next(arm for arm in self.arms if arm.key == key)

    def updates(self, arm: Arm) -> int:
        """How many updates its training takes."""
        return math.ceil(arm.epochs * self.task.updates_per_epoch)

    def kept(self, arm: Arm) -> tuple[int, ...]:
        """The updates after which a run of the schedule is over: the models it recommends; none for step decay."""
        stretched = arm.schedule.stretched(self.task.updates_per_epoch)
        times = stretched.snapshots(until=arm.epochs * self.task.updates_per_epoch)
        return tuple(sorted({math.ceil(time) for time in times}))

    def rates(self, arm: Arm) -> list[float]:
        """The learning rate of every update: number n, from 1, uses the schedule at n - 1."""
        stretched = arm.schedule.stretched(self.task.updates_per_epoch)
        return [stretched(n - 1) for n in range(1, self.updates(arm) + 1)]

    @cached_property
    def sources(self) -> dict[str, str]:
        """The arm in whose training each arm is found: its own, or a longer one that begins with the same rates."""
        rates = {arm.key: self.rates(arm) for arm in self.arms}
        trained: list[str] = []
        found = {}
        for arm in sorted(self.arms, key=self.updates, reverse=True):
            own = rates[arm.key]
            found[arm.key] = next((key for key in trained if rates[key][: len(own)] == own), arm.key)
            if found[arm.key] == arm.key:
                trained.append(arm.key)
        return found

    def marks(self, key: str) -> tuple[int, ...]:
        """The updates after which the training of an arm is evaluated: whole epochs, ends of runs and of arms."""
        every = self.task.updates_per_epoch
        marks = set(range(every, self.updates(self.arm(key)) + 1, every))
        for arm in self.arms:
            if self.sources[arm.key] == key:
                marks.update(self.kept(arm), [self.updates(arm)])
        return tuple(sorted(marks))

    def trials(self) -> list[Trial]:
        """What has to be trained, the longest first."""
        keys = [key for key, source in self.sources.items() if key == source]
        return [Trial(key, seed) for key in keys for seed in self.seeds]

    def description(self) -> dict[str, Any]:
        """The experiment as plain data, from which `read` makes it again."""
        arms = [arm.description() for arm in self.arms]
        return {"task": self.task.description(), "baseline": self.baseline, "seeds": [*self.seeds], "arms": arms}

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits for all that decides the numbers: task, seeds, schedules and their lengths."""
        identity = self.description()
        identity["arms"] = [[arm["key"], arm["fingerprint"], arm["epochs"]] for arm in identity["arms"]]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def read(description: dict[str, Any]) -> Experiment:
    """Make an experiment from its description; a ScheduleError tells if a schedule is not what it was."""
    arms = []
    for row in description["arms"]:
        schedule = parse(row["schedule"])
        if schedule.fingerprint != row["fingerprint"]:
            raise ScheduleError(f"the schedule of {row['key']!r} has another fingerprint than recorded: {schedule}")
        arms.append(Arm(row["key"], row["title"], schedule, Fraction(row["epochs"]), row["paper"]))
    task = from_description(description["task"])
    return Experiment(task, tuple(arms), tuple(description["seeds"]), description["baseline"])


def chosen(arms: Sequence[Arm], only: Sequence[str]) -> tuple[Arm, ...]:
    """The arms with these keys, in the order of `arms`; all if none is named."""
    keys = [arm.key for arm in arms]
    for key in only:
        if key not in keys:
            raise ScheduleError(f"only must name schedules among {', '.join(keys)}, got {key!r}")
    return tuple(arm for arm in arms if not only or arm.key in only)
