"""Random classes, arguments and operations: a drop-in and PyTorch's class give the same rates, step after step.

Left out is what docs/torch.md lists: groups added to classes whose PyTorch original fails or goes wrong, the step
after the end of OneCycleLR, rates written by a loaded state (the optimizer's state is loaded last), and sequences in
sequences.
"""

from __future__ import annotations

import copy
import math
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch_dropins_cases import momenta, ours, pytorch

NORMAL, MANY = 300, 20_000

STEPS: tuple[Callable[[random.Random], Any], ...] = (
    lambda r: r.randint(1, 40),
    lambda r: r.choice([0, 2.5, sys.maxsize, math.inf]),
)


def steps(r: random.Random, zero: bool = False) -> Any:
    found = STEPS[r.random() < 0.1](r)
    return found if zero or found != 0 else 1


def arguments(r: random.Random, name: str) -> dict[str, Any]:
    low = r.choice([0.0, 0.001, 0.001, 0.2, 0.01])
    return {
        "StepLR": lambda: {"step_size": steps(r), "gamma": r.choice([0.1, 0.5, 0.9, 1.0, 1.1])},
        "MultiStepLR": lambda: {"milestones": sorted(r.randint(0, 40) for _ in range(r.randint(1, 4))), "gamma": 0.3},
        "ConstantLR": lambda: {"factor": r.choice([0.1, 0.5, 1.0]), "total_iters": steps(r, zero=True)},
        "LinearLR": lambda: {"start_factor": r.choice([0.01, 0.5, 1.0]), "total_iters": steps(r, zero=True)},
        "ExponentialLR": lambda: {"gamma": r.choice([0.5, 0.9, 0.999, 1.01])},
        "PolynomialLR": lambda: {"total_iters": steps(r, zero=True), "power": r.choice([0.5, 1.0, 2.0])},
        "CosineAnnealingLR": lambda: {"T_max": steps(r), "eta_min": low},
        "CosineAnnealingWarmRestarts": lambda: {"T_0": r.randint(1, 15), "T_mult": r.randint(1, 3), "eta_min": low},
        "CyclicLR": lambda: {
            "base_lr": 0.01,
            "max_lr": 0.2,
            "step_size_up": r.randint(1, 15),
            "mode": r.choice(["triangular", "triangular2", "exp_range"]),
            "gamma": 0.97,
        },
        "OneCycleLR": lambda: {"max_lr": 0.3, "total_steps": 10_000, "three_phase": r.random() < 0.5},
        "SWALR": lambda: {"swa_lr": r.choice([0.01, 0.1]), "anneal_epochs": r.randint(0, 20)},
    }[name]()


NAMES = (
    *("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR"),
    *("CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "SWALR"),
)
TAKE_GROUPS_AS_PYTORCH = {"StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR"}


class Pair:
    """A drop-in and PyTorch's scheduler, each on its own optimizer, under the same operations."""

    def __init__(self, seed: int) -> None:
        self.random = r = random.Random(seed)
        self.tensor, self.rates = r.random() < 0.3, [r.choice([0.1, 0.05, 0.001]) for _ in range(r.randint(1, 3))]
        names = r.sample(NAMES[:7], 2) if r.random() < 0.3 else [r.choice(NAMES)]
        if r.random() < 0.1:  # an ordinary warm-up, which may begin at the eta_min of the cosine
            names, self.rates = ["LinearLR", "CosineAnnealingLR"], [0.1]
        self.given = [(name, arguments(r, name)) for name in names]
        self.form = r.choice(["by hand", "chained"]) if len(names) > 1 else "alone"
        self.added = 0
        self.sides = [self.build(library) for library in (ours, pytorch)]

    def rate(self, value: float) -> Any:
        return torch.tensor(value, dtype=torch.float64) if self.tensor else value

    def build(self, library: Any) -> tuple[torch.optim.Optimizer, list[Any]]:
        o = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": self.rate(one)} for one in self.rates], momentum=0.9)
        schedulers = [getattr(library, name)(o, **given) for name, given in self.given]
        return o, [library.ChainedScheduler(schedulers)] if self.form == "chained" else schedulers

    def each(self, operation: Callable[[torch.optim.Optimizer, list[Any]], Any]) -> None:
        for side in self.sides:
            operation(*side)

    def step(self) -> None:
        def step(o: torch.optim.Optimizer, schedulers: list[Any]) -> None:
            o.step()
            for scheduler in schedulers:
                scheduler.step()

        for _ in range(self.random.randint(1, 12)):
            self.each(step)
            self.compare()

    def change_rates(self) -> None:
        factor = self.random.choice([0.1, 0.5, 2.0])

        def change(o: torch.optim.Optimizer, _: list[Any]) -> None:
            for group in o.param_groups:
                if isinstance(group["lr"], torch.Tensor):
                    group["lr"].mul_(factor)
                else:
                    group["lr"] *= factor

        self.each(change)

    def add_group(self) -> None:
        if all(name in TAKE_GROUPS_AS_PYTORCH for name, _ in self.given):
            value = self.random.choice([0.2, 0.02])
            self.added += 1
            self.each(lambda o, _: o.add_param_group({"params": [torch.ones(1)], "lr": self.rate(value)}))

    def copy(self) -> None:
        copied = [copy.deepcopy(side) for side in self.sides]
        self.sides = copied

    def exchange_states(self) -> None:
        if self.added:
            return
        states = [(o.state_dict(), [one.state_dict() for one in schedulers]) for o, schedulers in self.sides]
        fresh = [self.build(library) for library in (ours, pytorch)]
        for (o, schedulers), (of_optimizer, of_schedulers) in zip(fresh, copy.deepcopy(states[::-1]), strict=True):
            for scheduler, state in zip(schedulers, of_schedulers, strict=True):
                scheduler.load_state_dict(state)
            o.load_state_dict(of_optimizer)
        self.sides = fresh

    def set_argument(self) -> None:
        name, given = self.given[0]
        if self.form == "alone" and "gamma" in given and name != "CyclicLR":
            self.each(lambda _, schedulers: setattr(schedulers[0], "gamma", 0.7))

    def compare(self) -> None:
        found = [[float(group["lr"]) for group in o.param_groups] for o, _ in self.sides]
        assert found[0] == pytest.approx(found[1], rel=1e-9, abs=1e-13), self.given
        last = [float(rate) for rate in self.sides[0][1][-1].get_last_lr()]
        assert last == found[0]
        assert momenta(self.sides[0][1][0]) == pytest.approx(momenta(self.sides[1][1][0]), rel=1e-12)


def run(seed: int) -> None:
    pair = Pair(seed)
    pair.compare()
    operations = (pair.change_rates, pair.add_group, pair.copy, pair.exchange_states, pair.set_argument)
    for _ in range(pair.random.randint(1, 5)):
        pair.step()
        pair.random.choice(operations)()
    pair.step()


def differing(seeds: range) -> list[tuple[int, str]]:
    found = []
    with warnings.catch_warnings(action="ignore"):
        for seed in seeds:
            try:
                run(seed)
            except ZeroDivisionError:  # PyTorch's LinearLR and PolynomialLR at some ends
                continue
            except Exception as error:
                found.append((seed, f"{type(error).__name__}: {str(error)[:400]}"))
    return found


def test_some_hundred_sequences() -> None:
    assert differing(range(NORMAL)) == []


@pytest.mark.slow
def test_twenty_thousand_sequences() -> None:
    assert differing(range(MANY)) == []
