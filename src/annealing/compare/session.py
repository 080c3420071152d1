"""A trial as its training function sees it: the rates, where it stands, what it reports, and its state on disk."""

from __future__ import annotations

import json
import math
import os
import platform
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from .. import ScheduleError
from .experiment import Experiment, Trial
from .files import Checkpoints, sha256, synced, write
from .store import ROWS, Row, to_line
from .tasks import Function

if TYPE_CHECKING:
    import torch

# a model that is slow to save would otherwise be saved most of the time
LEAST_SHARE = 30  # a state is saved when the training since the last one took so many times as long as saving it


class Clock:
    """Wall time, hosts, retries and faults: the one record that differs when a trial is trained again.

    Lines of JSON, each with an `event`: begin (time, host), row (step, seconds since begin), note (text), end.
    """

    def __init__(self, file: TextIO, tell: Callable[[str], None]) -> None:
        self.file = file
        self.tell = tell
        self.began = time.perf_counter()
        self._add("begin", time=datetime.now(UTC).isoformat(timespec="seconds"), host=platform.node(), pid=os.getpid())

    def row(self, step: int) -> None:
        self._add("row", step=step, seconds=self._seconds())
        self.tell("row")

    def say(self, text: str) -> None:
        """Note something, and tell it."""
        self._add("note", text=text)
        self.tell(f"note {text}")

    def end(self, **speed: float) -> None:
        """Note the end, and what a GPU did: images a second, and the share of the time spent outside its graph."""
        self._add("end", seconds=self._seconds(), **speed)

    def _seconds(self) -> float:
        return round(time.perf_counter() - self.began, 3)

    def _add(self, event: str, **values: Any) -> None:
        self.file.write(json.dumps({"event": event, **values}) + "\n")
        self.file.flush()


class Session:
    """One trial: a schedule and a seed, and how far its training is.

    schedule: in epochs. seed: should decide all that is random. length: in epochs. updates, updates_per_epoch: the
    same in updates. parameters: those of the task. tuning: whether to test on data that are held out of training.
    step: how many updates are made; a resumed trial begins with more than 0. speed: what a graph on a GPU did.
    A training function makes its model and optimizer, then `scheduler` and `restore`, and goes through `steps` or
    `epochs`; after updates at which `due` holds it calls `report`, and then `checkpoint`.
    """

    def __init__(
        self, experiment: Experiment, trial: Trial, directory: Path, checkpoints: Checkpoints, clock: Clock
    ) -> None:
        arm, task = experiment.arm(trial.arm), experiment.task
        self.schedule, self.seed, self.length = arm.schedule, trial.seed, arm.epochs
        self.updates, self.updates_per_epoch = experiment.updates(arm), experiment.updates_per_epoch
        self.parameters = task.parameters if isinstance(task, Function) else {}
        self.tuning = isinstance(task, Function) and task.tuning
        self.images, self.metric = experiment.test_images, task.metric
        self.step = 0
        self.rows: list[Row] = []
        self.snapshots: dict[int, str] = {}
        self.speed: dict[str, float] = {}
        self._schedulers: list[TrialScheduler] = []
        self._rates, self._others = experiment.rates(arm), experiment.others(arm)
        self._marks = {*experiment.marks(trial.arm)}
        self._ends = {*experiment.ends(trial.arm)} if experiment.snapshots else set()
        self._lr = math.nan
        self._directory, self._checkpoints, self._clock = directory, checkpoints, clock
        self._seconds = experiment.checkpoint_seconds
        self._saved_at, self._saving = time.monotonic(), 0.0
        (directory / ROWS).unlink(missing_ok=True)

    def scheduler(self, *optimizers: torch.optim.Optimizer) -> TrialScheduler:
        """What sets the rate of every group of an optimizer; its `step()` follows each `optimizer.step()`.

        Several optimizers that share the parameters of a model get one scheduler, and one step per update.
        """
        if not optimizers:
            raise ScheduleError("scheduler needs the optimizer, such as trial.scheduler(optimizer)")
        self._schedulers.append(TrialScheduler(self, optimizers))
        return self._schedulers[-1]

    def rate(self) -> float:
        """The rate of the next update."""
        return self._rates[min(self.step, self.updates - 1)]

    def others(self) -> dict[str, float]:
        """The weight decay and the momentum of the next update, if they have a schedule."""
        return {name: values[min(self.step, self.updates - 1)] for name, values in self._others.items()}

    @property
    def due(self) -> bool:
        """Whether the update that was just made is followed by a report: at ends of epochs, of cycles, of training."""
        return self.step in self._marks

    @property
    def over(self) -> bool:
        """Whether nothing is left to train: all updates are made, or the loss was no longer finite."""
        return self.step >= self.updates or self.diverged

    @property
    def diverged(self) -> bool:
        return bool(self.rows) and self.rows[-1].diverged

    def steps(self) -> Iterator[int]:
        """The updates that are left, counted from 0: number n of the update n + 1."""
        while not self.over:
            before = self.step
            yield before
            if self.step == before and not self.diverged:
                raise ScheduleError(
                    f"the scheduler made no step after update {before}: call its step() after each update"
                )

    def epochs(self) -> Iterator[int]:
        """The epochs that are left, counted from 0, for a function that checkpoints at their ends."""
        for step in self.steps():
            yield step // self.updates_per_epoch

    def report(self, *, wrong: float | None = None, loss: float | None = None, **measured: float) -> None:
        """Record an evaluation after the last update.

        measured: the metric of the task by its name; `error` unless the task names another, which is the share of test
        images of a wrong class where the task counts images. wrong: how many these are, instead. loss: of training. If
        one of them is not finite, the trial has diverged and ends.
        """
        if wrong is None:
            wrong = self._measured(measured)
        finite = math.isfinite(wrong) and (loss is None or math.isfinite(loss))
        if not self.due and finite:
            raise ScheduleError(f"report after update {self.step} is not due: see trial.due")
        if self._reported:
            raise ScheduleError(f"report after update {self.step} was made already")
        kept = (0.0 if loss is None else loss, wrong) if finite else (None, self.images)
        self.rows.append(Row(self.step, self.step / self.updates_per_epoch, self._lr, *kept))
        with open(self._directory / ROWS, "a") as file:
            file.write(to_line(self.rows[-1], self.images))
        self._clock.row(self.step)

    @property
    def _reported(self) -> bool:
        return bool(self.rows) and self.rows[-1].step == self.step

    def _measured(self, measured: dict[str, float]) -> float:
        """The metric as it is recorded: a share of images as their number."""
        if [*measured] != [self.metric]:
            given = f", got {', '.join(measured)}" if measured else ""
            counted = " or wrong" if self.images > 1 else ""
            raise ScheduleError(f"report needs {self.metric}{counted}{given}: trial.report({self.metric}=...)")
        value = measured[self.metric] * self.images
        # a share such as 11 / 597 times 597 is not always the whole number that it was
        near = math.isfinite(value) and self.images > 1 and abs(value - round(value)) < 1e-6
        return round(value) if near else value

    def restore(self, **objects: Any) -> None:
        """Load the last good state, if there is one, into what has a `state_dict`; and the random states."""
        for state, fault in self._checkpoints.states():
            fault = fault or self._lost(state["snapshots"])
            self._clock.say(fault or f"continues after update {state['step']}")
            if not fault:
                self._load(state, objects)
                return

    def _load(self, state: dict[str, Any], objects: dict[str, Any]) -> None:
        if state["objects"].keys() != objects.keys():
            raise ScheduleError(
                f"restore must get {', '.join(state['objects'])}, as checkpoint, got {', '.join(objects)}"
            )
        for name, value in objects.items():
            value.load_state_dict(state["objects"][name])
        # random states come after the objects, whose loading may draw numbers
        _restore_random(state["random"])
        self.step, self._lr = state["step"], state["lr"]
        for scheduler in self._schedulers:
            scheduler.set()
        self.snapshots = dict(state["snapshots"])
        self.rows = [Row(*row) for row in state["rows"]]
        # rows after the state were lost with it: the file is cut back to what the state knows
        write(self._directory / ROWS, "".join(to_line(row, self.images) for row in self.rows))

    def checkpoint(self, **objects: Any) -> None:
        """Note that the trial may continue from here; call it after any update, it decides when to save.

        The state is written every few seconds. At the ends of cycles the object `model` is kept for good.
        """
        if self.due and not self._reported:
            raise ScheduleError(f"checkpoint after update {self.step} must follow report")
        if self.step in self._ends and self.step not in self.snapshots and "model" in objects:
            self.snapshots[self.step] = self._snapshot(objects["model"])
        now = time.monotonic()
        # a finished trial is recorded at once, so its state would be of no use
        if self.over or now - self._saved_at < max(self._seconds, LEAST_SHARE * self._saving):
            return
        self.save({name: value.state_dict() for name, value in objects.items()})
        self._saved_at = time.monotonic()
        self._saving = self._saved_at - now

    def save(self, objects: dict[str, Any]) -> None:
        """Write the state to disk."""
        state = {"step": self.step, "lr": self._lr, "rows": [tuple(row) for row in self.rows]}
        state |= {"snapshots": self.snapshots, "objects": objects, "random": _random_states()}
        self._checkpoints.save(self.step, state)

    def made(self, lr: float, updates: int = 1) -> None:
        """Count updates, the last of them made with a rate."""
        self.step += updates
        self._lr = lr

    def until_due(self) -> int:
        """How many updates follow until a report is due."""
        return min(mark - self.step for mark in self._marks if mark > self.step)

    def _snapshot(self, model: torch.nn.Module) -> str:
        from safetensors.torch import save

        folder = self._directory / "snapshots"
        if not folder.exists():
            folder.mkdir()
            synced(self._directory)
        tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
        return write(folder / f"{self.step}.safetensors", save(tensors))

    def _lost(self, snapshots: dict[int, str]) -> str:
        """What is wrong with the models that were kept before a state."""
        for step, known in snapshots.items():
            path = self._directory / "snapshots" / f"{step}.safetensors"
            if not path.is_file() or sha256(path.read_bytes()) != known:
                return f"snapshots/{path.name} is missing or damaged: its SHA-256 is not that of the checkpoint"
        return ""


class TrialScheduler:
    """Sets the rates of one or more optimizers, and counts the updates of its trial."""

    def __init__(self, session: Session, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self.session = session
        self.optimizers = optimizers
        # what an optimizer does not decay, such as biases, stays without decay
        self.decayed = [bool(group.get("weight_decay")) for group in self._groups()]
        self.set()

    def step(self) -> None:
        """Count the update that was made, with the rate that the optimizer holds, and set the rate of the next."""
        self.session.made(float(self.optimizers[0].param_groups[0]["lr"]))
        self.set()

    def set(self) -> None:
        """Give every group the rate of the next update, and what else has a schedule."""
        from ..torch.writer import put

        for name, value in {"lr": self.session.rate(), **self.session.others()}.items():
            for group, decayed in zip(self._groups(), self.decayed, strict=True):
                key, index = name, None
                if name == "weight_decay" and not decayed:
                    continue
                if name == "momentum" and name not in group:
                    # the betas of Adam and its kin begin with what SGD calls momentum
                    key, index = "betas", 0
                if key not in group:
                    raise ScheduleError(f"momentum has a schedule, but the optimizer has none: {', '.join(group)}")
                put([group], [value], key, index)

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]


def _random_states() -> dict[str, Any]:
    import numpy as np
    import torch

    name, keys, *others = cast(tuple[Any, ...], np.random.get_state())  # noqa: NPY002
    states: dict[str, Any] = {"torch": torch.get_rng_state(), "python": random.getstate()}
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["cuda"] = torch.cuda.get_rng_state_all()
    return {**states, "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *others]}


def _restore_random(states: dict[str, Any]) -> None:
    import numpy as np
    import torch

    torch.set_rng_state(states["torch"])
    random.setstate(states["python"])
    if "cuda" in states:
        torch.cuda.set_rng_state_all(states["cuda"])
    name, keys, *others = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *others))  # noqa: NPY002
