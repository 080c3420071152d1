"""What a step of annealing.torch.Scheduler costs, beside PyTorch's schedulers and in a training loop, in one run.

    .venv/bin/python benchmarks/torch_scheduler.py

Every ratio is the median over rounds in which the two are timed one after the other.
"""

from __future__ import annotations

import itertools
import platform
import statistics
import time
import timeit
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from speed import microseconds, processor
from torch.optim import lr_scheduler as pytorch

from annealing import cosine, one_cycle, one_cycle_momentum, step, warm_restarts
from annealing.torch import Scheduler

ROUNDS = 9
LENGTH = 10**7  # updates, more than are made
BLOCK, BLOCKS = 10, 60  # updates in a block of the training loop, and blocks with and without a scheduler
GROUPS = (1, 10, 100)

Build = Callable[[torch.optim.Optimizer], Any]


def optimizer(groups: int, tensor: bool) -> torch.optim.Optimizer:
    rate = torch.tensor(0.1) if tensor else 0.1
    return torch.optim.SGD(
        [{"params": [torch.zeros(1)], "lr": rate.clone() if tensor else rate} for _ in range(groups)], momentum=0.9
    )


def pairs(groups: int) -> Iterator[tuple[str, Build, Build]]:
    """PyTorch's class and the same schedule in ours."""
    wave, share = cosine(0.1, 0, LENGTH), {"T_max": LENGTH - 1}

    def cosine_of_pytorch(o: Any) -> Any:
        return pytorch.CosineAnnealingLR(o, LENGTH)

    yield "CosineAnnealingLR", cosine_of_pytorch, lambda o: Scheduler(o, lr=wave)
    yield '... scale="base"', cosine_of_pytorch, lambda o: Scheduler(o, lr=cosine(1, 0, LENGTH), scale="base")
    yield (
        "... a schedule for each group",
        cosine_of_pytorch,
        lambda o: Scheduler(o, lr=[cosine(0.1 + i, 0, LENGTH) for i in range(groups)]),
    )
    yield (
        "CosineAnnealingWarmRestarts",
        lambda o: pytorch.CosineAnnealingWarmRestarts(o, 1000, 2),
        lambda o: Scheduler(o, lr=warm_restarts(0.1, T_0=1000, T_mult=2)),
    )
    yield "StepLR", lambda o: pytorch.StepLR(o, 1000), lambda o: Scheduler(o, lr=step(0.1, 1000))
    yield (
        "OneCycleLR, momentum",
        lambda o: pytorch.OneCycleLR(o, 0.1, LENGTH),
        lambda o: Scheduler(o, lr=one_cycle(0.1, **share), momentum=one_cycle_momentum(0.85, 0.95, **share)),
    )


def ratio(theirs: Build, ours: Build, groups: int, tensor: bool) -> tuple[float, float]:
    """The time of our step in microseconds, and PyTorch's in units of it."""
    one, two = (build(optimizer(groups, tensor)) for build in (theirs, ours))
    times = [(microseconds(one.step, 0.005), microseconds(two.step, 0.005)) for _ in range(ROUNDS)]
    return statistics.median(b for _, b in times), statistics.median(a / b for a, b in times)


def steps() -> Iterator[tuple[str, list[str]]]:
    for i in range(len(list(pairs(1)))):
        cells, name = [], ""
        for tensor, groups in itertools.product((False, True), GROUPS):
            name, theirs, ours = list(pairs(groups))[i]
            microsecond, times = ratio(theirs, ours, groups, tensor)
            cells.append(f"{times:.1f} x ({microsecond:.0f} us)")
        yield name, cells


def training(snapshots: bool) -> tuple[float, float]:
    """A small network on random data: seconds of an update, and what a scheduler adds in %.

    Blocks with and without it take turns, in changing order.
    """
    torch.manual_seed(0)
    layers = [torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(256, 10))
    x, y = torch.randn(128, 784), torch.randint(10, (128,))
    sgd = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    scheduler = Scheduler(sgd, lr=warm_restarts(1e-4, T_0=1000, T_mult=2))

    def block(scheduled: bool) -> float:
        begin = time.perf_counter()
        for _ in range(BLOCK):
            sgd.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            sgd.step()
            if scheduled:
                scheduler.step()
                if snapshots and scheduler.snapshot_due:
                    model.state_dict()
        return (time.perf_counter() - begin) / BLOCK

    found = []
    for i in range(BLOCKS):
        times = {scheduled: block(scheduled) for scheduled in ((True, False) if i % 2 else (False, True))}
        found.append((times[False], times[True] / times[False] - 1))
    return statistics.median(a for a, _ in found), 100 * statistics.median(b for _, b in found)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"{processor()}, Python {platform.python_version()}, torch {torch.__version__}\n")
    print("PyTorch's step() in units of ours, and ours in microseconds, by number of groups\n")
    kinds = [f"{kind}, {n}" for kind in ("float", "tensor") for n in GROUPS]
    print("| class | " + " | ".join(kinds) + " |\n| --- |" + " ---: |" * len(kinds))
    for name, cells in steps():
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print(
        "\n| a training loop (MLP 784-256-256-10, batch of 128) | an update | with a scheduler |\n| --- | ---: | ---: |"
    )
    for name, snapshots in (("step()", False), ("step() and snapshot_due", True)):
        seconds, more = training(snapshots)
        print(f"| {name} | {1e6 * seconds:.0f} us | {more:+.2f} % |", flush=True)
    scheduler = Scheduler(optimizer(1, False), lr=cosine(0.1, 0, LENGTH))
    print(f"\nstep() alone, 1 group: {min(timeit.repeat(scheduler.step, number=2000)) / 2000 * 1e6:.1f} us")


if __name__ == "__main__":
    main()
