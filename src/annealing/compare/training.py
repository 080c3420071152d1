"""The training of the built-in tasks, with a row for each evaluation, and the errors of the models that it kept.

On a GPU it goes without a word to the host: a whole update, batch to new rate, is repeated as one captured graph.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from .. import ScheduleError
from ..torch import on_device as rates_on_device
from ..torch.device import host_reads
from .experiment import Experiment, Trial
from .files import sha256
from .problem import Problem, Windows, batches, loss_of
from .session import Session

LOOKED_AT = 100  # updates after which the host looks at the losses; a kill costs no less
WARM_UP = 2  # updates before a capture, in which libraries choose their kernels and take their workspaces


class Losses(list[float]):
    """The losses since the epoch began, kept one by one and added exactly, so that a stop changes no digit."""

    def mean(self) -> float:
        return math.fsum(self) / len(self)

    def state_dict(self) -> dict[str, Any]:
        return {"values": [*self]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self[:] = state["values"]


def train(experiment: Experiment, session: Session, problem: Problem | Windows) -> None:
    """Train a trial to its end, from where it stands; a loss that is not finite ends it.

    The results depend on the experiment, the schedule and the seed alone (for one version of torch, one type of
    processor and one number of threads): initial weights on the seed, data on the seed and the update.
    """
    assert experiment.optimizer
    assert experiment.batch
    model = _model(experiment, session.seed, problem)
    optimizer = experiment.optimizer.make(model, session.rate())
    losses = Losses()
    state = {"model": model, "optimizer": optimizer, "losses": losses}
    if on_device(problem, optimizer, session):
        update = DeviceUpdate(session, problem, model, optimizer, experiment.batch)
        session.restore(**state)
        train_on_device(session, update, losses, state)
        return
    scheduler = session.scheduler(optimizer)
    session.restore(**state)
    for epoch in session.epochs():
        # a resumed trial begins in the middle of an epoch, and takes the rest of its batches
        begin = session.step % session.updates_per_epoch
        if not begin:
            losses.clear()
        for inputs, targets in batches(problem, session.seed, epoch, experiment.batch, begin):
            loss = loss_of(model(inputs), targets)
            losses.append(loss.item())
            # the update that a loss which is not finite would make is counted but not made
            if not math.isfinite(losses[-1]):
                scheduler.step()
                session.report(loss=math.nan, wrong=session.images)
                return
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            if session.due:
                session.report(loss=losses.mean(), wrong=problem.measure(model))
            session.checkpoint(**state)
            if session.over:
                return


def on_device(problem: Problem | Windows, optimizer: torch.optim.Optimizer, session: Session) -> bool:
    """Whether a trial is trained without a word to the host, which on a processor would gain nothing."""
    return problem.device.type == "cuda" and fits(optimizer, session)


def fits(optimizer: torch.optim.Optimizer, session: Session) -> bool:
    """Whether all of an update can stay on the device: the optimizer reads nothing, and lr alone has a schedule."""
    try:
        return not session.others() and host_reads(optimizer) == 0
    except ScheduleError:  # it takes no tensor for its rate
        return False


class DeviceUpdate:
    """One update, of what is on the device alone: the plan of an epoch, the number of the batch in it, the position.

    losses: of the updates of the epoch, by number. replay: repeats the update as a graph, once there is one.
    """

    def __init__(
        self, session: Session, problem: Problem | Windows, model: torch.nn.Module, optimizer: Any, batch: int
    ) -> None:
        self.problem, self.model, self.optimizer = problem, model, optimizer
        self.cuda = problem.device.type == "cuda"
        # not compiled by itself: that takes seconds for each schedule, and hides no more time than the side stream
        self.rates = rates_on_device(optimizer, lr=session.schedule.stretched(session.updates_per_epoch), compile=False)
        self.plan = problem.plan(session.seed, 0)
        # with a dimension: indexing by a tensor without one reads it on the host, which ends a capture
        self.number = torch.zeros(1, dtype=torch.int64, device=problem.device)
        self.within = torch.arange(batch, device=problem.device)
        self.numbers = torch.arange(session.updates_per_epoch, device=problem.device)
        self.losses = torch.zeros(session.updates_per_epoch, device=problem.device)
        self.side = torch.cuda.Stream() if self.cuda else None  # type: ignore[no-untyped-call]
        self.replay: Callable[[], None] | None = None

    def make(self) -> None:
        """Make the update."""
        # gradients that are gone are made by the backward pass, and need not be zeroed
        self.optimizer.zero_grad(set_to_none=True)
        if self.side:
            # beside the forward pass, which leaves room for such small kernels
            self.side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.side):
            self.rates.update()
        places = self.number * len(self.within) + self.within
        inputs, targets = self.problem.batch(*(column.index_select(0, places) for column in self.plan))
        loss = loss_of(self.model(inputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.side:
            torch.cuda.current_stream().wait_stream(self.side)
        self.optimizer.step()
        # what writes to an index sorts first where it must be deterministic
        self.losses.copy_(torch.where(self.numbers == self.number, loss.detach(), self.losses))
        self.number.add_(1)

    def load(self, seed: int, step: int) -> None:
        """Stand before the update that follows `step` others: its epoch's plan, into the tensors that a graph reads."""
        epoch, number = divmod(step, len(self.numbers))
        for held, column in zip(self.plan, self.problem.plan(seed, epoch), strict=True):
            held.copy_(column)
        self.rates.position.fill_(step)
        self.number.fill_(number)

    def rate_at(self, step: int) -> float:
        """The rate that the update after `step` others has, as the optimizer holds it."""
        self.rates.position.fill_(step)
        self.rates.write()
        return float(self.optimizer.param_groups[0]["lr"])

    def capture(self) -> None:
        """Have `replay` repeat a graph; nothing is trained by it.

        The optimizer must have its state already: an update that makes it is another one than those that follow.
        """
        if torch.cuda.memory_reserved() > torch.cuda.get_device_properties(self.problem.device).total_memory / 4:
            # the graphs of earlier trials hold memory until what refers to them in circles is collected
            gc.collect()
            torch.cuda.empty_cache()
        states = [value for state in self.optimizer.state.values() for value in state.values()]
        changed = [*self.model.state_dict().values(), *states, self.rates.position, self.number, self.losses]
        held = [(value, value.clone()) for value in changed if isinstance(value, torch.Tensor)]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.make()
        torch.cuda.current_stream().wait_stream(stream)
        # in place, since the graph will read and write these very tensors
        with torch.no_grad():
            for tensor, before in held:
                tensor.copy_(before)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.make()
        self.replay = graph.replay


def train_on_device(session: Session, update: DeviceUpdate, losses: Losses, state: dict[str, Any]) -> None:
    """Train a trial from where it stands; its records are those of the ordinary training, but for rounding.

    losses: those of the epoch so far. state: what a checkpoint holds.
    """
    began, first, inside, loaded = time.perf_counter(), session.step, 0.0, -1
    while not session.over:
        epoch, begin = divmod(session.step, session.updates_per_epoch)
        if not begin:
            losses.clear()
        if epoch != loaded:
            loaded = epoch
            update.load(session.seed, session.step)
        # the first update makes the state of the optimizer and is in no graph, also where a trial is resumed
        if update.cuda and session.step and update.replay is None:
            update.capture()
        # until the next report, the end of the epoch, or a look at the losses there is no word from the host
        count = min(LOOKED_AT if session.step else 1, session.updates_per_epoch - begin, session.until_due())
        asked = time.perf_counter()
        for _ in range(count):
            (update.replay or update.make)()
        # reading the losses waits for the updates
        found = update.losses[begin : begin + count].tolist()
        inside += time.perf_counter() - asked if update.replay else 0.0
        broken = next((number for number, loss in enumerate(found) if not math.isfinite(loss)), None)
        if broken is not None:
            session.made(update.rate_at(session.step + broken), broken + 1)
            session.report(loss=math.nan, wrong=session.images)
            break
        losses.extend(found)
        session.made(float(update.optimizer.param_groups[0]["lr"]), count)
        if session.due:
            session.report(loss=losses.mean(), wrong=update.problem.measure(update.model))
        session.checkpoint(**state)
    seconds, images = time.perf_counter() - began, (session.step - first) * len(update.within)
    session.speed = {"images_per_second": round(images / seconds), "outside_graph": round(1 - inside / seconds, 4)}


def kept_models(
    experiment: Experiment, trial: Trial, directory: Path, snapshots: dict[int, str], problem: Problem
) -> dict[str, Any]:
    """What the record of a trial says of its kept models.

    snapshots: the SHA-256 of each. An ensemble predicts the mean of the softmax of the models at the ends of the last
    cycles, up to `ensemble` of them; one for the end of every cycle but the first.
    """
    model = _model(experiment, trial.seed, problem)
    predictions = {}
    for step, known in snapshots.items():
        data = (directory / "snapshots" / f"{step}.safetensors").read_bytes()
        if sha256(data) != known:
            raise OSError(f"snapshots/{step}.safetensors was damaged while the trial was trained")
        model.load_state_dict(load(data))
        predictions[step] = torch.softmax(problem.logits(model), 1)

    def said(scores: torch.Tensor) -> dict[str, Any]:
        wrong = problem.wrong(scores)
        return {"wrong": wrong, "error": wrong / problem.task.test_images}

    models = [{"step": step, "sha256": snapshots[step], **said(scores)} for step, scores in predictions.items()]
    ends = [step for step in experiment.kept(experiment.arm(trial.arm)) if step in predictions]
    ensembles = []
    for count in range(2, len(ends) + 1):
        steps = ends[max(0, count - experiment.ensemble) : count]
        mean = torch.stack([predictions[step] for step in steps]).mean(0)
        ensembles.append({"steps": steps, **said(mean)})
    return {"snapshots": models, "ensembles": ensembles}


def _model(experiment: Experiment, seed: int, problem: Problem | Windows) -> torch.nn.Module:
    """The model of an experiment with the initial weights of a seed, where its images are."""
    assert experiment.model
    model = experiment.model.build(seed, problem.shape, problem.classes)
    placed: torch.nn.Module = model.to(  # type: ignore[call-overload]
        device=problem.device, memory_format=problem.memory_format
    )
    if experiment.precision == "bf16":
        # weights that were cast in one replay of a graph must not be taken for those of the next
        cast = torch.autocast(problem.device.type, torch.bfloat16, cache_enabled=False)
        forward = cast(placed.forward)
        # where it is precise enough: weights and scores stay in float32
        placed.forward = lambda *inputs: forward(*inputs).float()
    return placed
