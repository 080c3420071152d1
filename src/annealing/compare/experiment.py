"""What is compared: a task, a model, an optimizer, schedules and seeds, as one frozen value that YAML and JSON hold."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import Schedule, ScheduleError, cosine
from ..errors import whole
from ..printing import time_json
from ..sgdr import paper_schedules
from .entries import Arm, Units, read_arms
from .models import LEAST_SIDE, MODELS, Cnn, Gpt, Model, ResNet9
from .optimizers import Optimizer, Sgd, TorchOptimizer, read_optimizer
from .tasks import Function, Images, Task, Text, read_task
from .validation import choice, duration, number, section

MOST_UPDATES = 100_000_000
PAPER_BASELINE = "step-0.1"
PAPER_EPOCHS = 200
MOST_EPOCHS = 10_000
FREE = ("seeds", "checkpoint_seconds")  # what decides no number of a trial


class Trial(NamedTuple):
    """One training run: the schedule of one arm, one seed."""

    arm: str
    seed: int


@dataclass(frozen=True, init=False)
class Experiment:
    """Schedules trained on one task with the same seeds; a seed fixes initial weights and data for all of them.

    task: `digits`, `fashion-mnist`, `cifar10`, `cifar100`, `python-topics`, or a mapping with `name` and the fields of
    `Images`; or a mapping with the fields of `Function`, for a training function of your own. schedules: names
    (lower-case letters, digits, dots, hyphens) with a schedule in epochs, its notation, or a mapping with `schedule`,
    `epochs`, `title`, and schedules of `weight_decay` and `momentum`. baseline: the name of the one that the others are
    compared with, and whose final error is the level. epochs: how long each is trained, unless it says so itself.
    seeds: how many (0, 1, ...), or which. model: a mapping with `name` and the fields of `Cnn`, `Wrn` or `ResNet9`.
    optimizer: the same for `Sgd`, or the name of one of torch.optim with its arguments. batch: images an update.
    threads: of the processor, for each trial. device: `cpu` or `cuda`. evaluate_every: epochs between evaluations; the
    ends of cycles and of training are always evaluated. snapshots: whether the models there are kept. ensemble: how
    many of the last of them predict together. checkpoint_seconds: about how much training a kill may cost at most.
    data: the directory with the images; it is no part of the records.

    A ScheduleError names the key, its value and what is allowed.

    >>> experiment = Experiment(
    ...     task="digits",
    ...     schedules={"step": "multistep(0.1, [4, 8], 0.2)", "cosine": "cosine(0.1, 0, 12)"},
    ...     baseline="step",
    ...     epochs=12,
    ...     seeds=3,
    ... )
    >>> [arm.key for arm in experiment.arms], experiment.updates_per_epoch, len(experiment.trials())
    (['step', 'cosine'], 20, 6)
    """

    task: Task
    schedules: tuple[Arm, ...]
    baseline: str
    seeds: tuple[int, ...]
    model: Model | None
    optimizer: Optimizer | None
    batch: int | None
    threads: int
    device: str
    precision: str
    evaluate_every: Fraction
    snapshots: bool
    ensemble: int
    checkpoint_seconds: float = field(compare=False)
    data: Path | None = field(compare=False)

    def __init__(
        self,
        task: str | Mapping[str, Any] | Task,
        schedules: Mapping[str, Schedule | str | Mapping[str, Any]] | Sequence[Arm],
        baseline: str,
        epochs: int | float | Fraction | str | None = None,
        seeds: int | Sequence[int] = 5,
        model: str | Mapping[str, Any] | Model | None = None,
        optimizer: str | Mapping[str, Any] | Optimizer | None = None,
        batch: int | None = None,
        threads: int = 1,
        device: str = "cpu",
        precision: str = "float32",
        evaluate_every: int | float | Fraction = 1,
        snapshots: bool = True,
        ensemble: int = 3,
        checkpoint_seconds: float = 5,
        data: str | Path | None = None,
    ) -> None:
        task = read_task(task)
        training: dict[str, Any] = {"model": model, "optimizer": optimizer, "batch": batch}
        if not isinstance(task, Function):
            training = _read_training(task, **training)
        elif given := [name for name, value in training.items() if value is not None]:
            raise ScheduleError(f"{given[0]} belongs to the built-in tasks; give task.parameters to {task.name}")
        arms = read_arms(schedules, epochs, _units(task, training["batch"]))
        if data is not None and not isinstance(data, str | Path):
            raise ScheduleError(f"data must be a directory, got {data!r}")
        values = {
            "task": task,
            "schedules": arms,
            "baseline": baseline,
            "seeds": _read_seeds(seeds),
            **training,
            "threads": whole(threads, "threads"),
            "device": choice(device, "device", ["cpu", "cuda"]),
            "precision": choice(precision, "precision", ["float32", "bf16"]),
            "evaluate_every": duration(evaluate_every, "evaluate_every"),
            "snapshots": choice(snapshots, "snapshots", [True, False]),
            "ensemble": whole(ensemble, "ensemble", 2),
            "checkpoint_seconds": number(checkpoint_seconds, "checkpoint_seconds"),
            "data": None if data is None else Path(data).expanduser(),
        }
        vars(self).update(values)
        keys = [arm.key for arm in arms]
        if len(set(keys)) < len(keys):
            raise ScheduleError(f"keys of schedules must differ, got {', '.join(keys)}")
        choice(baseline, "baseline", keys)
        for arm in arms:
            self._check(arm)

    def _check(self, arm: Arm) -> None:
        if self.updates(arm) > MOST_UPDATES:
            raise ScheduleError(f"schedules.{arm.key}: at most {MOST_UPDATES:,} updates, got {self.updates(arm):,}")
        for name, schedule in {"rates": arm.schedule, **arm.others}.items():
            try:
                least = np.min(schedule.stretched(self.updates_per_epoch)(np.arange(self.updates(arm))))
            except ScheduleError as error:
                raise ScheduleError(f"schedules.{arm.key}: {error}") from None
            if least < 0:
                raise ScheduleError(f"schedules.{arm.key}: {name} must be at least 0, the least is {least}")

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.schedules

    @property
    def updates_per_epoch(self) -> int:
        """Full batches in an epoch. The images left over are other ones in every epoch."""
        return _units(self.task, self.batch).updates

    @property
    def test_images(self) -> int:
        """How many images errors are shares of; 1 for a task that counts none."""
        return self.task.test_images or 1

    def arm(self, key: str) -> Arm:
        return next(arm for arm in self.arms if arm.key == key)

    def updates(self, arm: Arm) -> int:
        """How many updates its training takes."""
        return math.ceil(arm.epochs * self.updates_per_epoch)

    def kept(self, arm: Arm) -> tuple[int, ...]:
        """The updates at which a cycle of the schedule has come down: the models to keep; none for step decay."""
        per_update = arm.schedule.stretched(self.updates_per_epoch)
        times = per_update.snapshots(until=arm.epochs * self.updates_per_epoch)
        # a cycle may end between two updates: the model after the next one is the first that has come down
        return tuple(sorted({math.ceil(time) for time in times}))

    def rates(self, arm: Arm) -> list[float]:
        """The learning rate of every update: number n, from 1, uses the schedule at n - 1."""
        return self._values(arm, arm.schedule)

    def others(self, arm: Arm) -> dict[str, list[float]]:
        """The weight decay and the momentum of every update, if they have a schedule."""
        return {name: self._values(arm, schedule) for name, schedule in arm.others.items()}

    def _values(self, arm: Arm, schedule: Schedule) -> list[float]:
        return [*map(schedule.stretched(self.updates_per_epoch), range(self.updates(arm)))]

    @cached_property
    def sources(self) -> dict[str, str]:
        """The arm in whose training each arm is found: its own, or a longer one that begins with the same rates."""
        # two schedules that begin with the same values train the same model, so the longer one is trained for both
        courses = {arm.key: {"lr": self.rates(arm), **self.others(arm)} for arm in self.arms}
        trained: list[str] = []
        found = {}
        # the longest first: only a longer training can contain a shorter one
        for arm in sorted(self.arms, key=self.updates, reverse=True):
            own, count = courses[arm.key], self.updates(arm)
            within = (key for key in trained if {name: values[:count] for name, values in courses[key].items()} == own)
            found[arm.key] = next(within, arm.key)
            if found[arm.key] == arm.key:
                trained.append(arm.key)
        return found

    def ends(self, key: str) -> tuple[int, ...]:
        """The updates after which a model is kept in the training of an arm: the ends of cycles and of arms."""
        found = [arm for arm in self.arms if self.sources[arm.key] == key]
        return tuple(sorted({end for arm in found for end in (*self.kept(arm), self.updates(arm))}))

    def marks(self, key: str) -> tuple[int, ...]:
        """The updates after which the training of an arm is evaluated: every so many epochs, and at its ends."""
        every = self.evaluate_every * self.updates_per_epoch
        updates = self.updates(self.arm(key))
        regular = {math.ceil(every * count) for count in range(1, math.floor(updates / every) + 1)}
        return tuple(sorted(regular | {*self.ends(key)}))

    def trials(self) -> list[Trial]:
        """What has to be trained, the longest first; on a GPU seed after seed."""
        # the longest first, so that the last trials to end are short ones and all workers stay busy
        keys = [key for key, source in self.sources.items() if key == source]
        if self.device == "cuda":
            # one at a time: whole seeds come first, so that a comparison that is cut short has them to show
            return [Trial(key, seed) for seed in self.seeds for key in keys]
        return [Trial(key, seed) for key in keys for seed in self.seeds]

    def description(self) -> dict[str, Any]:
        """The experiment as plain data with the keys of a file, from which `Experiment(**data)` makes it again."""
        return {
            "task": self.task.description(),
            "model": self.model and self.model.description(),
            "optimizer": self.optimizer and self.optimizer.description(),
            "batch": self.batch,
            "seeds": [*self.seeds],
            "schedules": {arm.key: arm.description() for arm in self.arms},
            "baseline": self.baseline,
            "threads": self.threads,
            "device": self.device,
            # it came later, and is left out where older records know nothing of it
            **({} if self.precision == "float32" else {"precision": self.precision}),
            "evaluate_every": time_json(self.evaluate_every),
            "snapshots": self.snapshots,
            "ensemble": self.ensemble,
            "checkpoint_seconds": self.checkpoint_seconds,
        }

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify everything that decides the results, except the seeds."""
        # seeds may be added later, and how often a state is saved changes no number
        identity = {name: value for name, value in self.description().items() if name not in FREE}
        arms: list[Any] = []
        for arm in self.arms:
            others = {name: schedule.fingerprint for name, schedule in arm.others.items()}
            arms.append([arm.key, arm.schedule.fingerprint, str(arm.epochs), *([others] if others else [])])
        return hashlib.sha256(json.dumps({**identity, "schedules": arms}, sort_keys=True).encode()).hexdigest()[:16]


def _units(task: Task, batch: int | None) -> Units:
    """What an epoch of a task has of each unit."""
    if isinstance(task, Function):
        tokens = task.tokens_per_update
        return Units(task.updates_per_epoch, tokens=tokens and tokens * task.updates_per_epoch)
    updates = task.examples // (batch or 1)
    examples = updates * (batch or 1)
    return Units(updates, examples, task.tokens and task.tokens * examples)


def _read_training(task: Images | Text, model: Any, optimizer: Any, batch: Any) -> dict[str, Any]:
    """Model, optimizer and batch of a built-in task."""
    defaults: tuple[Model | None, Optimizer, int] = (None, Sgd(), 128)
    if isinstance(task, Text):
        defaults = Gpt(), TorchOptimizer("AdamW", {"betas": [0.9, 0.95], "weight_decay": 0.1}), 16
    elif task.name == "digits":
        defaults = Cnn((8, 32), "flatten"), Sgd(), 60
    if model is None and defaults[0] is None:
        raise ScheduleError("model must be given, such as {name: wrn, depth: 10, width: 1}")
    model = section(defaults[0] if model is None else model, "model", MODELS)
    if isinstance(model, ResNet9) and isinstance(task, Images) and task.size < LEAST_SIDE:
        raise ScheduleError(f"size must be at least {LEAST_SIDE} for the model {model.name}, got {task.size}")
    if isinstance(task, Text) != isinstance(model, Gpt):
        raise ScheduleError(f"model of the task {task.name} must not be {model.name}")
    optimizer = read_optimizer(defaults[1] if optimizer is None else optimizer)
    batch = defaults[2] if batch is None else whole(batch, "batch")
    if batch > task.examples:
        named = "windows" if isinstance(task, Text) else "images"
        raise ScheduleError(f"batch must be at most the {task.examples} {named} of an epoch, got {batch!r}")
    return {"model": model, "optimizer": optimizer, "batch": batch}


def _read_seeds(seeds: Any) -> tuple[int, ...]:
    if isinstance(seeds, list | tuple):
        found = tuple(whole(seed, "a seed", 0) for seed in seeds)
        if not found or len({*found}) < len(found):
            raise ScheduleError(f"seeds must be different whole numbers, at least one, got {seeds!r}")
        return found
    return tuple(range(whole(seeds, "seeds")))


def sgdr(budget: int = 40, seeds: int = 5, only: Sequence[str] = (), task: Any = "digits") -> Experiment:
    """The comparison of Loshchilov and Hutter, with every length times budget / 200, and its missing controls.

    Names have the paper's lengths: "restarts (10, 2)" restarts first after 10 of 200 epochs, or 1/20 of the budget.
    budget: epochs, from 1 to 10,000. seeds: how many, the seeds are 0, 1, ... only: keys of arms to keep (all if
    empty); the baseline, step decay from 0.1, must be among them. task: as for `Experiment`.
    A ScheduleError names an argument that is none of these.

    >>> [arm.key for arm in sgdr(budget=40).arms if arm.paper is None]
    ['step-0.1-100', 'step-0.1-50', 'cosine-150', 'cosine-127', 'cosine-100', 'cosine-50']

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, section 4 and figure 1.
    """
    if whole(budget, "budget") > MOST_EPOCHS:
        raise ScheduleError(f"budget must be at most {MOST_EPOCHS} epochs, got {budget!r}")
    arms = [*_paper_arms(Fraction(budget, PAPER_EPOCHS))]
    keys = [arm.key for arm in arms]
    for key in only:
        if key not in keys:
            raise ScheduleError(f"only must name schedules among {', '.join(keys)}, got {key!r}")
    if only and PAPER_BASELINE not in only:
        raise ScheduleError(f"only must name the baseline {PAPER_BASELINE!r} as well, got {', '.join(only)}")
    kept = [arm for arm in arms if not only or arm.key in only]
    return Experiment(task, kept, PAPER_BASELINE, seeds=whole(seeds, "seeds"))


def _paper_arms(scale: Fraction) -> Iterator[Arm]:
    """The paper's seven schedules, and what it lacks: step decay and cosines with fewer epochs."""
    paper = paper_schedules(PAPER_EPOCHS * scale)

    def arm(title: str, schedule: Schedule, epochs: int = PAPER_EPOCHS, name: str | None = None) -> Arm:
        key = re.sub(r"[^a-z0-9.]+", "-", title).strip("-")
        return Arm(key, title, schedule, epochs * scale, name)

    for name in ("step 0.1", "step 0.05"):
        yield arm(name, paper[name], name=name)
    for epochs in (100, 50):
        yield arm(f"step 0.1, {epochs}", paper_schedules(epochs * scale)["step 0.1"], epochs)
    # nothing restarts in it
    yield arm("cosine 200", paper["restarts 200 x1"], name="restarts 200 x1")
    # a half and a quarter of the budget, and where the two restarts that double end their last cycles
    for epochs in (150, 127, 100, 50):
        yield arm(f"cosine {epochs}", cosine(0.05, 0, epochs * scale), epochs)
    for T_0, T_mult in ((50, 1), (100, 1), (1, 2), (10, 2)):
        name = f"restarts {T_0} x{T_mult}"
        yield arm(f"restarts ({T_0}, {T_mult})", paper[name], name=name)
