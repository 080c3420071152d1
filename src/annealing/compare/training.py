"""One trial: plain SGD with momentum under a schedule, one record for every evaluation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch.nn.functional import cross_entropy

from .experiment import Experiment, Trial
from .records import Row
from .tasks import Problem


def train(experiment: Experiment, trial: Trial) -> Iterator[Row]:
    """Train one arm with one seed, and give a row after every mark; a loss that is not finite ends it.

    The rows depend on the arguments alone (for one version of torch, one type of processor and one thread): initial
    weights on the seed, data on the seed and the epoch.
    """
    task = experiment.task
    problem = task.load()
    model = problem.model(trial.seed)
    rates = experiment.rates(experiment.arm(trial.arm))
    marks = set(experiment.marks(trial.arm))
    optimizer = torch.optim.SGD(model.parameters(), lr=rates[0], momentum=task.momentum, weight_decay=task.weight_decay)
    model.train()
    losses: list[float] = []
    for n, (rate, (images, classes)) in enumerate(zip(rates, batches(problem, trial.seed), strict=False), start=1):
        if (n - 1) % task.updates_per_epoch == 0:
            losses.clear()
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = cross_entropy(model(images), classes)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            yield Row(n, n / task.updates_per_epoch, rate, None, task.test_images)
            return
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if n in marks:
            used = optimizer.param_groups[0]["lr"]
            loss_so_far = math.fsum(losses) / len(losses)
            yield Row(n, n / task.updates_per_epoch, used, loss_so_far, problem.wrong(model))


def batches(problem: Problem, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of one epoch after another, without end."""
    for epoch in itertools.count():
        yield from problem.batches(seed, epoch)
