"""The training of the built-in tasks: plain SGD under a schedule, one row for every evaluation."""

from __future__ import annotations

import math
from typing import Any

from torch.nn.functional import cross_entropy

from .experiment import Experiment
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


def train(experiment: Experiment, session: Session, problem: Problem) -> None:
    """Train a trial to its end, from where it stands; a loss that is not finite ends it.

    What is reported depends on the experiment, the schedule and the seed alone (for one version of torch, one type of
    processor and one number of threads): initial weights on the seed, data on the seed and the update.
    """
    assert experiment.model
    assert experiment.optimizer
    assert experiment.batch
    model = experiment.model.build(session.seed, problem.shape, problem.task.source.classes)
    model = model.to(device=problem.images.device, memory_format=problem.memory_format)  # type: ignore[call-overload]
    optimizer = experiment.optimizer.make(model, session.rate())
    losses = Losses()
    state = {"model": model, "optimizer": optimizer, "losses": losses}
    scheduler = session.scheduler(optimizer)
    session.restore(**state)
    model.train()
    for epoch in session.epochs():
        begin = session.step % session.updates_per_epoch
        if not begin:
            losses.values.clear()
        for images, classes in problem.batches(session.seed, epoch, experiment.batch, begin):
            loss = cross_entropy(model(images), classes)
            losses.values.append(loss.item())
            if not math.isfinite(losses.values[-1]):
                scheduler.step()
                session.report(loss=math.nan, wrong=session.images)
                return
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            if session.due:
                wrong = problem.wrong(problem.logits(model))
                session.report(loss=math.fsum(losses.values) / len(losses.values), wrong=wrong)
            session.checkpoint(**state)
            if session.over:
                return
