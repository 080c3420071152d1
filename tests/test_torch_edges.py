"""Arguments and changes that PyTorch's schedulers barely accept: the drop-ins step as they do."""

from __future__ import annotations

import copy
import math
import sys
from typing import Any

import pytest
import torch
from torch_dropins_cases import CLASSES, optimizer, ours, pytorch, rates, since_2_13, walk

from annealing import ScheduleError

NEVER = (sys.maxsize, math.inf)
EDGES: list[tuple[str, dict[str, Any]]] = [
    *(("StepLR", {"step_size": steps}) for steps in (*NEVER, 2.5, torch.tensor(2), torch.tensor(math.inf))),
    *(("MultiStepLR", {"milestones": [3, steps]}) for steps in (*NEVER, 4.5)),
    *(("ConstantLR", {"total_iters": steps}) for steps in (*NEVER, 0, 2.5)),
    *(("LinearLR", {"total_iters": steps}) for steps in (*NEVER, 0, 2.5)),
    *(("PolynomialLR", {"total_iters": steps}) for steps in (*NEVER, 0, 2.5)),
    *(("CosineAnnealingLR", {"T_max": steps}) for steps in (*NEVER, 2.5, torch.tensor(10))),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": torch.tensor(0.01)}),
    ("CosineAnnealingWarmRestarts", {"T_0": sys.maxsize}),
    ("ExponentialLR", {"gamma": torch.tensor(0.9)}),
    ("LinearLR", {"start_factor": torch.tensor(0.5)}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 30, "final_div_factor": math.inf}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 30, "div_factor": math.inf}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.3, "step_size_up": sys.maxsize}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": sys.maxsize}),
    ("SWALR", {"swa_lr": torch.tensor(0.05)}),
]


@pytest.mark.parametrize(("name", "arguments"), EDGES)
def test_the_steps_are_pytorch_s(name: str, arguments: dict[str, Any]) -> None:
    walked = [walk(getattr(library, name)(optimizer(), **arguments), 12) for library in (ours, pytorch)]
    tensors = any(isinstance(value, torch.Tensor) for value in arguments.values())
    assert walked[0] == [pytest.approx(row, rel=1e-6 if tensors else 1e-12, abs=1e-16) for row in walked[1]]


@since_2_13
def test_a_warm_up_of_no_steps_is_left_out() -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer()
        parts = [library.LinearLR(o, 0.1, total_iters=0), library.CosineAnnealingLR(o, 10)]
        walked.append(walk(library.SequentialLR(o, parts, [0]), 10))
    assert walked[0] == [pytest.approx(row, rel=1e-12, abs=1e-17) for row in walked[1]]


@pytest.mark.parametrize(
    "changed",
    [
        {"max_lrs": [0.5, 0.4]},
        {"mode": "triangular2"},
        {"gamma": 0.5},
        {"max_momentums": [0.95, 0.95], "base_momentums": [0.7, 0.6]},
    ],
)
@pytest.mark.parametrize("at", [0, 3])
def test_attributes_of_a_cyclical_rate_set_whole(changed: dict[str, Any], at: int) -> None:
    walked = []
    for library in (ours, pytorch):
        scheduler = library.CyclicLR(optimizer(), 0.1, 0.3, step_size_up=4)
        walk(scheduler, at)
        for name, value in changed.items():
            setattr(scheduler, name, value)
        walked.append([*walk(scheduler, 12), [group["momentum"] for group in scheduler.optimizer.param_groups]])
    assert walked[0] == [pytest.approx(row, rel=1e-13) for row in walked[1]]


def test_a_method_assigned_to_the_object_takes_precedence() -> None:
    for library in (ours, pytorch):
        scheduler = library.StepLR(optimizer(), 2)
        walk(scheduler, 1)
        scheduler.get_lr = lambda: [0.7, 0.6]
        assert walk(scheduler, 3) == [[0.7, 0.6]] * 3


def test_rates_made_in_inference_mode() -> None:
    with torch.inference_mode():
        walked = []
        for library in (ours, pytorch):
            o = torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(0.1))
            walked.append(walk(library.StepLR(o, 2), 5))
    assert walked[0] == [pytest.approx(row, rel=1e-6) for row in walked[1]]


def test_a_compiled_optimizer_step_is_refused_in_one_clear_sentence() -> None:
    """PyTorch's classes fail on it without naming the cause; the native Scheduler works."""
    for name in ("StepLR", "CosineAnnealingLR", "CyclicLR", "OneCycleLR", "SWALR"):
        o = optimizer()
        o.step = torch.compile(o.step, backend="eager")  # type: ignore[method-assign]
        with pytest.raises(ScheduleError, match="build the scheduler first and compile afterwards"):
            CLASSES[name](ours, o)
        assert rates(ours.Scheduler(o, lr=[0.3, 0.2])) == [0.3, 0.2]


# States that PyTorch 2.2 to 2.9 have saved lack what came later, and hold verbose.
LATER = ("use_beta1", "_anneal_func_type", "_anneal_strategy", "default_min_lr", "_is_initial")


@pytest.mark.parametrize("name", [*CLASSES, "ReduceLROnPlateau"])
def test_states_of_older_versions(name: str) -> None:
    def build(library: Any) -> Any:
        if name == "ReduceLROnPlateau":
            return library.ReduceLROnPlateau(optimizer(), factor=0.5, patience=0)
        return CLASSES[name](library, optimizer())

    def older(state: Any) -> Any:
        if isinstance(state, list):
            return [older(one) for one in state]
        if not isinstance(state, dict):
            return state
        kept = {
            key: older(value) if key == "_schedulers" else value for key, value in state.items() if key not in LATER
        }
        return {**kept, "verbose": False}

    if name == "nested SequentialLR":
        pytest.skip("PyTorch's is wrong, see test_torch_mended.py")
    running, resumed = build(pytorch), build(ours)
    for _ in range(5):
        running.optimizer.step()
        running.step(1.0) if name == "ReduceLROnPlateau" else running.step()
    resumed.optimizer.load_state_dict(copy.deepcopy(running.optimizer.state_dict()))
    resumed.load_state_dict(older(copy.deepcopy(running.state_dict())))
    assert rates(resumed) == pytest.approx(rates(running), rel=1e-12)
    for scheduler in (running, resumed):
        scheduler.optimizer.step()
        scheduler.step(1.0) if name == "ReduceLROnPlateau" else scheduler.step()
    assert rates(resumed) == pytest.approx(rates(running), rel=1e-12)


def test_a_state_of_one_cycle_with_its_function() -> None:
    running = pytorch.OneCycleLR(optimizer(), max_lr=0.3, total_steps=20, anneal_strategy="linear")
    walk(running, 4)
    state = {key: value for key, value in running.state_dict().items() if key != "_anneal_func_type"}
    state["anneal_func"] = running._annealing_linear
    resumed = ours.OneCycleLR(optimizer(), max_lr=0.3, total_steps=20, anneal_strategy="linear")
    resumed.load_state_dict(state)
    assert walk(resumed, 10) == [pytest.approx(row, rel=1e-12) for row in walk(running, 10)]
