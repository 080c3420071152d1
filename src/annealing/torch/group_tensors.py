"""Tensors in place of numbers in parameter groups: make them, and check that the optimizer can use them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import ScheduleError
from ..recipes import constant
from .hyperparameters import Hyperparameter
from .writer import entry, set_entry


class HostReads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context that counts how many tensor values are read on the host inside it."""

    READS = ("_local_scalar_dense", "is_nonzero", "equal")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket.__name__ in self.READS
        return func(*args, **(kwargs or {}))


def moves(one: Hyperparameter) -> bool:
    """Whether a hyperparameter needs a tensor: constants, except for lr, can stay plain numbers."""
    steady = all(schedule is None or schedule == constant(schedule(0)) for schedule in one.distinct)
    return one.name == "lr" or not steady


def check_tensors(optimizer: Optimizer, steered: list[Hyperparameter]) -> None:
    """Refuse a tensor that the optimizer reads on the host: a graph break in torch.compile, an error in a capture.

    To find out, step a copy of the optimizer on a small parameter, with and without that tensor.
    """
    expected = host_reads(optimizer)
    for one in filter(moves, steered):
        found = host_reads(optimizer, [] if one.name == "lr" else [one])
        if expected is not None and found is not None and found > expected:
            raise ScheduleError(
                f"{type(optimizer).__name__} reads {one.key} on the host, so it cannot be a tensor that changes in a "
                "graph: give it a number here, or use annealing.torch.Scheduler"
            )


def host_reads(optimizer: Optimizer, tensors: Sequence[Hyperparameter] = ()) -> int | None:
    """How many values an update of such an optimizer reads on the host if lr and `tensors` are tensors.

    None if a copy of the optimizer cannot be built.
    """
    group = optimizer.param_groups[0]
    like = group["params"][0]
    parameter = torch.nn.Parameter(torch.ones(2, 2, dtype=like.dtype, device=like.device))
    parameter.grad = torch.ones_like(parameter)
    accepted = inspect.signature(type(optimizer)).parameters
    try:
        options = {name: value for name, value in group.items() if name in accepted and name != "params"}
        other = type(optimizer)([parameter], **options)
    except (TypeError, ValueError):
        return None
    for one in [Hyperparameter("lr", None, [], None), *tensors]:
        tensor = own(entry(other.param_groups[0], one.name, one.index), like.device, [])
        set_entry(other.param_groups[0], one.name, one.index, tensor)
    try:
        # The first step initializes the optimizer's state, and may read what later ones do not.
        other.step()
        with HostReads() as reads:
            other.step()
    except (TypeError, ValueError, RuntimeError) as error:
        many = " and ".join(["lr", *(one.key for one in tensors)])
        raise ScheduleError(f"{type(optimizer).__name__} does not accept a tensor as {many} here: {error}") from None
    return int(reads.count)


def device_of(group: dict[str, Any]) -> torch.device:
    return group["params"][0].device  # type: ignore[no-any-return]


def own(held: Any, device: torch.device, taken: list[Tensor]) -> Tensor:
    """The tensor that a group holds, if no other group shares it; otherwise a new one for its place."""
    if not isinstance(held, Tensor):
        return static(torch.tensor(float(held), device=device, dtype=torch.float32))
    alone = type(held) is Tensor and held.dim() == 0 and held._base is None and not held.requires_grad
    if alone and held.device == device and not any(held is other for other in taken):
        return static(held)
    return static(held.detach().reshape(()).to(device, copy=True))


def static(tensor: Tensor) -> Tensor:
    # The CUDA graphs of torch.compile would copy any other tensor at every replay, or give up when it changes.
    torch._dynamo.mark_static_address(tensor)
    return tensor
