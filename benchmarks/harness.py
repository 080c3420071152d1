"""What the harness costs over a bare loop of the same training, and what a second worker gains.

python benchmarks/harness.py [EPOCHS]    (40 unless given; on an idle machine)
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from annealing.compare import Experiment, Trial, compare
from annealing.compare.store import open_store
from annealing.compare.trials import run_trial

ROUNDS = 5


def made(epochs: int, seeds: int) -> Experiment:
    schedules = {"restarts": "warm_restarts(eta_max=0.05, T_0=1, T_mult=2)"}
    return Experiment("digits", schedules, "restarts", epochs=epochs, seeds=seeds)


def bare(experiment: Experiment) -> None:
    """The same updates and evaluations, with no records."""
    problem = experiment.task.load()
    model = experiment.model.build(0, problem.shape, 10)
    rates = iter(experiment.rates(experiment.arms[0]))
    optimizer = experiment.optimizer.make(model, 0.05)
    for epoch in range(int(experiment.arms[0].epochs)):
        for images, classes in problem.batches(0, epoch, experiment.batch):
            optimizer.param_groups[0]["lr"] = next(rates)
            loss = cross_entropy(model(images), classes)
            loss.item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        problem.wrong(problem.logits(model))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(epochs: int) -> None:
    torch.set_num_threads(1)
    one = made(epochs, 1)
    one.task.load()
    with tempfile.TemporaryDirectory() as place:

        def harness(number: int) -> Callable[[], None]:
            return lambda: run_trial(open_store(Path(place) / f"one{number}", one), Trial("restarts", 0))

        ratios = [seconds(harness(n)) / seconds(lambda: bare(one)) for n in range(ROUNDS)]
        print(f"harness over a bare loop: {statistics.median(ratios):.3f} (median of {ROUNDS})")
        four = made(4 * epochs, 4)
        times = [seconds(lambda n=n: compare(Path(place) / f"workers{n}", four, workers=n)) for n in (1, 2)]
        print(f"two workers over one: {times[0] / times[1]:.2f} times as fast, start and report included")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
