"""What the harness costs over a bare loop of the same training, and what a second worker gains.

    python benchmarks/harness.py [EPOCHS]    (100 unless given; on an idle machine, some minutes)

Exit status 1 if the cost is above 5 %, or the second worker gives less than 1.8 times the speed.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from annealing.compare import Experiment, Trial, compare, training
from annealing.compare.problem import batches
from annealing.compare.problem import problem as loaded
from annealing.compare.session import Session
from annealing.compare.store import Store, open_store
from annealing.compare.trials import run_trial

ROUNDS = 9
MOST_COST, LEAST_GAIN = 1.05, 1.8


def made(epochs: int, seeds: int) -> Experiment:
    schedules = {"restarts": "warm_restarts(eta_max=0.05, T_0=1, T_mult=2)"}
    return Experiment("digits", schedules, "restarts", epochs=epochs, seeds=seeds)


def bare(experiment: Experiment) -> None:
    """The same updates and evaluations, with no records."""
    problem = loaded(experiment.task, None, "cpu")
    model = experiment.model.build(0, problem.shape, 10)
    rates = iter(experiment.rates(experiment.arms[0]))
    optimizer = experiment.optimizer.make(model, 0.05)
    for epoch in range(int(experiment.arms[0].epochs)):
        for images, classes in batches(problem, 0, epoch, experiment.batch):
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


class Timer:
    """The time in which some functions ran; one inside another counts once."""

    def __init__(self) -> None:
        self.spent, self.inside = 0.0, False

    def watch(self, owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            if self.inside:
                return function(*arguments, **named)
            self.inside, began = True, time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.spent, self.inside = self.spent + time.perf_counter() - began, False

        setattr(owner, name, timed)


def main(epochs: int) -> int:
    torch.set_num_threads(1)
    one = made(epochs, 1)
    loaded(one.task, None, "cpu")
    with tempfile.TemporaryDirectory() as place:

        def harness(number: int) -> Callable[[], None]:
            return lambda: run_trial(open_store(Path(place) / f"one{number}", one), Trial("restarts", 0))

        bare(one)  # the first updates of a process are slow
        pairs = []
        for n in range(ROUNDS):
            works = [harness(n), lambda: bare(one)]
            took = {work: seconds(work) for work in works[:: 1 - 2 * (n % 2)]}
            pairs.append((took[works[0]], took[works[1]]))
        ratios = sorted(with_records / without for with_records, without in pairs)
        cost = statistics.median(ratios)
        spent = statistics.median(without for _, without in pairs)
        print(
            f"harness over a bare loop of {spent:.1f} s: {cost:.3f}, the median of {ROUNDS} pairs from {ratios[0]:.3f} "
            f"to {ratios[-1]:.3f}",
            flush=True,
        )
        timer = Timer()
        for owner, name in [(Session, "checkpoint"), (Session, "report"), (Session, "restore"), (Store, "record")]:
            timer.watch(owner, name)
        timer.watch(training, "kept_models")
        whole = seconds(harness(ROUNDS))
        print(f"rows, states, models and ensembles: {timer.spent:.2f} s of {whole:.1f} s, {timer.spent / whole:.1%}")
        four = made(4 * epochs, 4)
        times = [seconds(lambda n=n: compare(Path(place) / f"workers{n}", four, workers=n)) for n in (1, 2)]
        gain = times[0] / times[1]
        print(f"two workers over one: {gain:.2f} times as fast, start and report included")
    return 0 if cost <= MOST_COST and gain >= LEAST_GAIN else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
