"""Shared by the tests of the drop-ins: classes with arguments, optimizers, and steps along a schedule."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import pytest
import torch
from torch.optim import lr_scheduler, swa_utils
from torch.utils._python_dispatch import TorchDispatchMode

from annealing import torch as ours

mpmath.mp.dps = 50


class Library(NamedTuple):
    """PyTorch's classes by the names of the drop-ins."""

    def __getattr__(self, name: str) -> Any:
        return getattr(swa_utils if name == "SWALR" else lr_scheduler, name)


pytorch = Library()
RATES = (0.1, 0.05)
Build = Callable[..., Any]


def built(name: str, **arguments: Any) -> Build:
    def build(library: Any, o: torch.optim.Optimizer, **more: Any) -> Any:
        return getattr(library, name)(o, **arguments, **more)

    return build


def half(epoch: int) -> float:
    return 0.99**epoch


def factor(epoch: int) -> float:
    return 0.97 if epoch % 3 else 0.9


def in_sequence(library: Any, o: torch.optim.Optimizer, **more: Any) -> Any:
    parts = [
        library.LinearLR(o, 0.1, total_iters=8),
        library.CosineAnnealingLR(o, 60, 0.001),
        library.StepLR(o, 7, 0.7),
    ]
    return library.SequentialLR(o, parts, [8, 68], **more)


def nested(library: Any, o: torch.optim.Optimizer, **more: Any) -> Any:
    inner = [library.ConstantLR(o, 0.1, 2), library.ExponentialLR(o, 0.9)]
    parts = [library.SequentialLR(o, inner, [2]), library.CosineAnnealingWarmRestarts(o, 5, 2)]
    return library.SequentialLR(o, parts, [4], **more)


def in_chain(library: Any, o: torch.optim.Optimizer, **more: Any) -> Any:
    return library.ChainedScheduler([library.ConstantLR(o, 0.5, 30, **more), library.ExponentialLR(o, 0.98, **more)])


CLASSES: dict[str, Build] = {
    "StepLR": built("StepLR", step_size=7, gamma=0.8),
    "MultiStepLR": built("MultiStepLR", milestones=[30, 10, 30, 150], gamma=0.5),
    "ConstantLR": built("ConstantLR", factor=0.25, total_iters=40),
    "LinearLR": built("LinearLR", start_factor=0.1, total_iters=120),
    "ExponentialLR": built("ExponentialLR", gamma=0.99),
    "PolynomialLR": built("PolynomialLR", total_iters=150, power=2.0),
    "CosineAnnealingLR": built("CosineAnnealingLR", T_max=150, eta_min=0.001),
    "CosineAnnealingWarmRestarts": built("CosineAnnealingWarmRestarts", T_0=5, T_mult=2),
    "CyclicLR": built("CyclicLR", base_lr=0.01, max_lr=0.2, step_size_up=11, step_size_down=5, mode="triangular2"),
    "OneCycleLR": built("OneCycleLR", max_lr=0.3, total_steps=210),
    "SWALR": built("SWALR", swa_lr=0.02, anneal_epochs=150),
    "LambdaLR": built("LambdaLR", lr_lambda=half),
    "MultiplicativeLR": built("MultiplicativeLR", lr_lambda=factor),
    "SequentialLR": in_sequence,
    "nested SequentialLR": nested,
    "ChainedScheduler": in_chain,
}
VERSION = tuple(map(int, torch.__version__.split(".")[:2]))
SINCE_2_9 = VERSION >= (2, 9)
# Before, PyTorch's SequentialLR puts the initial tensor into the group: every later write changes the base rate.
since_2_9 = pytest.mark.skipif(not SINCE_2_9, reason="PyTorch's SequentialLR before 2.9 is wrong for tensors")
# Before, PyTorch's SequentialLR calls step(0) of its parts at a milestone, which warns that it is deprecated.
epoch_warnings = pytest.mark.filterwarnings(f"{'error' if SINCE_2_9 else 'ignore'}:The epoch parameter")
# Before, a milestone of 0 leaves its first part in force at step 0, and enters the second one a step late.
since_2_13 = pytest.mark.skipif(VERSION < (2, 13), reason="a milestone of 0 is wrong in PyTorch before 2.13")
kinds = pytest.mark.parametrize("tensor", [False, True], ids=["float", "tensor"])
classes = pytest.mark.parametrize("name", CLASSES)


def optimizer(rates: tuple[float, ...] = RATES, tensor: bool = False) -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1)], "lr": torch.tensor(rate) if tensor else rate} for rate in rates]
    return torch.optim.SGD(groups, momentum=0.9)


def rates(scheduler: Any) -> list[float]:
    return [float(group["lr"]) for group in scheduler.optimizer.param_groups]


def momenta(scheduler: Any) -> list[float]:
    return [group["momentum"] for group in scheduler.optimizer.param_groups]


def walk(scheduler: Any, steps: int) -> list[list[float]]:
    """The rates after each step."""
    walked = []
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()
        walked.append(rates(scheduler))
    return walked


def change(o: torch.optim.Optimizer, rates: tuple[float, ...]) -> None:
    for group, rate in zip(o.param_groups, rates, strict=True):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def near(got: float, exact: Any, ulps: float = 8, digits: int = 53) -> bool:
    """Within some units in the last of some binary digits, and equal where the exact value is 0."""
    return bool(abs(got - exact) <= ulps * abs(exact) * mpmath.mpf(2) ** (1 - digits))


def through_a_file(state: Any, weights_only: bool = True) -> Any:
    """The object as torch.load reads it back."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=weights_only)


def saved(scheduler: Any) -> tuple[Any, Any]:
    """The states of optimizer and scheduler, through a file."""
    # Before 2.10 the state of PyTorch's SWALR holds a function, which weights_only refuses; ours never does.
    refused = VERSION < (2, 10) and type(scheduler) is torch.optim.swa_utils.SWALR
    both = (scheduler.optimizer.state_dict(), scheduler.state_dict())
    states: tuple[Any, Any] = through_a_file(both, weights_only=not refused)
    return states


CASES = [
    ("StepLR", {"step_size": 7, "gamma": 0.3}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 12}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.02}),
    ("CosineAnnealingLR", {"T_max": 40, "eta_min": 0.3}),  # above both rates: PyTorch accepts it
    ("CosineAnnealingWarmRestarts", {"T_0": 9}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.001}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 3}),
]


cases = pytest.mark.parametrize(("name", "arguments"), CASES)


NAMES = ["StepLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


def build(library: Any, name: str, arguments: dict[str, Any], o: torch.optim.Optimizer, **more: Any) -> Any:
    return getattr(library, name)(o, **arguments, **more)


def reference(name: str, arguments: dict[str, Any], base: float, t: float) -> Any:
    """The 50-digit value at time t, by the formulas in PyTorch's documentation."""
    base, t = mpmath.mpf(base), mpmath.mpf(t)
    if name == "StepLR":
        return base * mpmath.mpf(arguments["gamma"]) ** int(mpmath.floor(t / arguments["step_size"]))
    eta_min = mpmath.mpf(arguments.get("eta_min", 0))
    if name == "CosineAnnealingLR":
        length = arguments["T_max"]
    else:
        length = arguments["T_0"]
        while t >= length:
            t -= length
            length *= arguments.get("T_mult", 1)
    return eta_min + (base - eta_min) * (1 + mpmath.cospi(t / length)) / 2


def rounding_of_pytorch(tensor: bool) -> float:
    """The rounding error of PyTorch's recursions over a few hundred steps with rates up to 0.3, in the rates' dtype."""
    return 1000 * 0.3 * (2**-24 if tensor else 2**-53)


def each(library: Any, o: torch.optim.Optimizer, names: list[str]) -> list[Any]:
    arguments = {"StepLR": (4, 0.3), "CosineAnnealingLR": (10, 0.01), "CosineAnnealingWarmRestarts": (3, 2)}
    return [getattr(library, name)(o, *arguments[name]) for name in names]


SEQUENCES = [
    lambda library, o: [lr_scheduler.LinearLR(o, 0.1, total_iters=5), library.CosineAnnealingLR(o, 20, 0.001)],
    lambda library, o: [library.CosineAnnealingLR(o, 10), library.StepLR(o, 3, 0.5)],
    lambda library, o: [library.StepLR(o, 3, 0.5), library.CosineAnnealingWarmRestarts(o, 3, 2)],
    lambda library, o: [library.CosineAnnealingWarmRestarts(o, 3, 2), library.CosineAnnealingLR(o, 10)],
]


class Reads(TorchDispatchMode):
    """Counts the reads of a tensor's value, each of which waits for the device."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)
        return function(*args, **(kwargs or {}))


__all__ = ["CLASSES", "ours", "pytorch"]
