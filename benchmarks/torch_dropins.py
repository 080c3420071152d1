"""How fast the drop-ins step, beside PyTorch's same classes, in one run.

    .venv/bin/python benchmarks/torch_dropins.py

Each ratio is PyTorch's time by the drop-in's: the median over blocks of steps that are timed one after the other.
"""

from __future__ import annotations

import statistics
import timeit
import warnings
from typing import Any

import torch
from torch.optim import lr_scheduler, swa_utils

from annealing import torch as ours

BLOCKS = 21
CLASSES: dict[str, dict[str, Any]] = {
    "CosineAnnealingLR": {"T_max": 10_000},
    "CosineAnnealingWarmRestarts": {"T_0": 1_000},
    "StepLR": {"step_size": 30, "gamma": 0.99},
    "MultiStepLR": {"milestones": [100, 1_000], "gamma": 0.5},
    "ConstantLR": {"total_iters": 500},
    "LinearLR": {"start_factor": 0.1, "total_iters": 10_000},
    "ExponentialLR": {"gamma": 0.9999},
    "PolynomialLR": {"total_iters": 10_000_000, "power": 2.0},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 10_000_000},
    "SWALR": {"swa_lr": 0.05, "anneal_epochs": 10_000},
    "SequentialLR": {},
}


def scheduler(mine: bool, name: str, groups: int, tensor: bool) -> Any:
    def named(name: str) -> Any:
        return getattr(ours if mine else swa_utils if name == "SWALR" else lr_scheduler, name)

    rates = [torch.tensor(0.1) if tensor else 0.1 for _ in range(groups)]
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": rate} for rate in rates], momentum=0.9)
    if name == "SequentialLR":
        parts = [named("LinearLR")(optimizer), named("CosineAnnealingLR")(optimizer, 10_000)]
        built = named(name)(optimizer, parts, [5])
    else:
        built = named(name)(optimizer, **CLASSES[name])
    optimizer.step()
    for _ in range(10):
        built.step()
    return built


def ratio(name: str, groups: int, tensor: bool) -> float:
    pair = [scheduler(mine, name, groups, tensor) for mine in (False, True)]
    steps = max(3, (200 if tensor else 2_000) // groups)
    found = []
    for _ in range(BLOCKS):
        theirs, mine = (timeit.timeit(one.step, number=steps) for one in pair)
        found.append(theirs / mine)
    return statistics.median(found)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("| class | 1 group | 10 groups | 100 groups | 100 tensors |\n| --- | ---: | ---: | ---: | ---: |")
    for name in CLASSES:
        ratios = [ratio(name, groups, False) for groups in (1, 10, 100)] + [ratio(name, 100, True)]
        print(f"| {name} |", " | ".join(f"{x:.1f}" for x in ratios), "|", flush=True)


if __name__ == "__main__":
    main()
