"""Errors and warnings of the drop-ins, and what a step must not do."""

from __future__ import annotations

import gc
import math
import warnings
import weakref
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch_dropins_cases import (
    NAMES,
    SINCE_2_9,
    Reads,
    build,
    cases,
    each,
    optimizer,
    rates,
    walk,
)

from annealing import ScheduleError
from annealing import torch as ours


def test_an_optimizer_without_groups() -> None:
    o = optimizer()
    o.param_groups.clear()
    with pytest.raises(ScheduleError, match="at least one parameter group"):
        ours.StepLR(o, 3)


BAD = [
    ("StepLR", {"step_size": 0}, "step_size"),
    ("StepLR", {"step_size": -3}, "step_size"),
    ("StepLR", {"step_size": "30"}, "step_size"),
    ("StepLR", {"step_size": 3, "gamma": math.nan}, "gamma"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max"),
    ("CosineAnnealingLR", {"T_max": None}, "T_max"),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": "1e-5"}, "eta_min"),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "eta_min": math.inf}, "eta_min"),
    ("ConstantLR", {"factor": 0}, "factor"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 0, "cycle_momentum": False}, "step_size_up"),
]


@pytest.mark.parametrize(("name", "arguments", "named"), BAD)
def test_bad_arguments_fail_at_construction(name: str, arguments: dict[str, Any], named: str) -> None:
    o, untouched = optimizer(), optimizer()
    with pytest.raises(ScheduleError, match=f"^{named} must"):
        build(ours, name, arguments, o)
    assert [group.keys() for group in o.param_groups] == [group.keys() for group in untouched.param_groups]
    assert [group["lr"] for group in o.param_groups] == [0.1, 0.05]
    assert "step" not in vars(o)


@pytest.mark.parametrize("arguments", [{"T_0": 0}, {"T_0": 10.0}, {"T_0": 5, "T_mult": 0}, {"T_0": 5, "eta_min": None}])
def test_pytorch_s_own_checks_stay(arguments: dict[str, Any]) -> None:
    messages = []
    for library in (ours, pytorch):
        with pytest.raises(ValueError, match="Expected") as caught:
            library.CosineAnnealingWarmRestarts(optimizer(), **arguments)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@cases
def test_the_optimizer_is_checked_as_in_pytorch(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="is not an Optimizer"):
        build(ours, name, arguments, [])  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="initial_lr"):
        build(ours, name, arguments, optimizer(), last_epoch=3)


def test_arguments_made_bad_later() -> None:
    mine = ours.CosineAnnealingLR(optimizer(), 10)
    mine.T_max = 0
    mine.optimizer.step()
    with pytest.raises(ScheduleError, match="T_max"):
        mine.step()
    assert (mine.last_epoch, rates(mine)) == (0, [0.1, 0.05])
    mine = ours.CosineAnnealingWarmRestarts(optimizer(), 10, 2)
    mine.T_0 = 0
    with pytest.raises(ScheduleError, match="T_0"):
        mine.step(5)
    with pytest.raises(ValueError, match="epoch must be at least 0"):
        mine.step(-1)


@cases
def test_same_warnings(name: str, arguments: dict[str, Any]) -> None:
    """For a step before the optimizer's, a deprecated epoch, and get_lr from outside; all point here."""
    seen, outside = [], []
    for library in (ours, pytorch):
        scheduler = build(library, name, arguments, optimizer())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler.step()
            scheduler.optimizer.step()
            scheduler.step()
            scheduler.step(3)
            outside.append(scheduler.get_lr())
        # Before 2.9 PyTorch's own warnings, and that of get_lr, point into PyTorch's file; our steps' never do.
        seen.append(
            [
                (str(w.message), w.category, w.filename)
                if SINCE_2_9 or (library is ours and "get_last_lr" not in str(w.message))
                else (str(w.message), w.category, __file__)
                for w in caught
            ]
        )
    assert seen[0] == seen[1]
    assert len(seen[0]) == (1 if name == "CosineAnnealingWarmRestarts" else 3)
    assert outside[0] == pytest.approx(outside[1])


@cases
def test_no_reference_cycle(name: str, arguments: dict[str, Any]) -> None:
    scheduler = build(ours, name, arguments, optimizer())
    walk(scheduler, 3)
    alive = weakref.ref(scheduler)
    gc.disable()
    del scheduler
    gone = alive() is None
    gc.enable()
    assert gone


@cases
def test_steps_read_no_tensor(name: str, arguments: dict[str, Any]) -> None:
    scheduler = build(ours, name, arguments, optimizer(tensor=True))
    with Reads() as reads:
        float(scheduler.optimizer.param_groups[0]["lr"])
        assert reads.count == 1
        for _ in range(40):
            scheduler.optimizer.step()
            scheduler.step()
    assert reads.count == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile imports what is deprecated
@pytest.mark.parametrize("name", NAMES)
def test_compiled_together_with_the_optimizer(name: str) -> None:
    walked = []
    for library in (ours, pytorch):
        parameter = torch.zeros(1, requires_grad=True)
        parameter.grad = torch.ones(1)
        o = torch.optim.SGD([parameter], lr=torch.tensor(0.1))
        (scheduler,) = each(library, o, [name])
        graphs: list[Any] = []

        def update(o: Any = o, scheduler: Any = scheduler) -> None:
            o.step()
            scheduler.step()

        def keep(graph: Any, inputs: Any, graphs: list[Any] = graphs) -> Any:
            graphs.append(graph)
            return graph.forward

        torch.compiler.reset()
        compiled = torch.compile(update, backend=keep)
        for _ in range(6):
            compiled()
        walked.append((rates(scheduler), len(graphs)))
    assert walked[0][0] == pytest.approx(walked[1][0], rel=3e-7)
    assert walked[0][1] == walked[1][1]
