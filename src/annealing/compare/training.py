"""The training of the built-in tasks, one row for every evaluation; and what the models are worth that it kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from .device_training import DeviceUpdate, fits, loss_of, train_on_device
from .experiment import Experiment, Trial
from .files import sha256
from .language import Windows
from .problem import Problem
from .session import Session


class Losses:
    """The losses since the epoch began."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def state_dict(self) -> dict[str, Any]:
        return {"values": [*self.values]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.values = [*state["values"]]


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
        model.train()
        train_on_device(session, update, losses, state)
        return
    scheduler = session.scheduler(optimizer)
    session.restore(**state)
    model.train()
    for epoch in session.epochs():
        # a resumed trial begins in the middle of an epoch, and takes the rest of its batches
        begin = session.step % session.updates_per_epoch
        if not begin:
            losses.values.clear()
        for inputs, targets in problem.batches(session.seed, epoch, experiment.batch, begin):
            loss = loss_of(model(inputs), targets)
            # kept one by one and added exactly, so that a stop in between changes no digit
            losses.values.append(loss.item())
            # the update that a loss which is not finite would make is counted but not made
            if not math.isfinite(losses.values[-1]):
                scheduler.step()
                session.report(loss=math.nan, wrong=session.images)
                return
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            if session.due:
                session.report(loss=math.fsum(losses.values) / len(losses.values), wrong=problem.measure(model))
            session.checkpoint(**state)
            if session.over:
                return


def on_device(problem: Problem | Windows, optimizer: torch.optim.Optimizer, session: Session) -> bool:
    """Whether a trial is trained without a word to the host, which on a processor would gain nothing."""
    return problem.device.type == "cuda" and fits(optimizer, session)


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
    ends = [step for step in experiment.kept(experiment.arm(trial.arm)) if step in predictions]
    ensembles = []
    for count in range(2, len(ends) + 1):
        steps = ends[max(0, count - experiment.ensemble) : count]
        mean = torch.stack([predictions[step] for step in steps]).mean(0)
        ensembles.append({"steps": steps, **_wrong(problem, mean)})
    return {
        "snapshots": [
            {"step": step, "sha256": known, **_wrong(problem, predictions[step])} for step, known in snapshots.items()
        ],
        "ensembles": ensembles,
    }


def _wrong(problem: Problem, scores: torch.Tensor) -> dict[str, Any]:
    wrong = problem.wrong(scores)
    return {"wrong": wrong, "error": wrong / problem.task.test_images}


def _model(experiment: Experiment, seed: int, problem: Problem | Windows) -> torch.nn.Module:
    """The model of an experiment with the initial weights of a seed, where its images are."""
    assert experiment.model
    model = experiment.model.build(seed, problem.shape, problem.classes)
    placed: torch.nn.Module = model.to(  # type: ignore[call-overload]
        device=problem.device, memory_format=problem.memory_format
    )
    if experiment.precision == "bf16":
        placed.forward = _in_bf16(placed.forward, problem.device.type)
    return placed


def _in_bf16(forward: Callable[..., torch.Tensor], device: str) -> Callable[..., torch.Tensor]:
    """A forward pass in bfloat16 where that is precise enough; weights and scores stay in float32."""

    def cast(*inputs: torch.Tensor) -> torch.Tensor:
        # weights that were cast in one replay of a graph must not be taken for those of the next
        with torch.autocast(device, torch.bfloat16, cache_enabled=False):
            return forward(*inputs).float()

    return cast
