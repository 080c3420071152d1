"""Hyperparameters as tensors that are updated inside a graph, from a step counter on the device."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import ScheduleError
from ..recipes import constant
from ..schedule.base import Schedule
from . import hyperparameters, resuming
from .hyperparameters import Hyperparameter
from .writer import entry, set_entry


class OnDevice:
    """What `on_device` returns: the position, and the tensors in the groups that follow it.

    position: how many updates were made, an int64 tensor on the device of the parameters.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        steered: list[Hyperparameter],
        position: int,
        policy: str | None,
        compile: bool | None,
    ) -> None:
        self.optimizer, self.policy = optimizer, policy
        device = device_of(optimizer.param_groups[0])
        self.position = static(torch.tensor(position, device=device))
        self._groups = len(optimizer.param_groups)
        self._factors: dict[tuple[str, int], Tensor] = {}
        self._enter(steered)
        if compile is None:
            compile = device.type == "cuda" and find_spec("triton") is not None
        # As tensors, so that one compiled graph serves every method; two pairs, because a graph is specialized on
        # which of its inputs are the same tensor.
        self._before, self._after = ([torch.tensor(one, device=device) for one in (0, 1)] for _ in range(2))
        self._compiled = None
        self.write()
        self._compiled = torch.compile(self._move, fullgraph=True) if compile else None
        # When the optimizer loads a state it gets new tensors, which nothing would update.
        myself = weakref.ref(self)
        optimizer.register_load_state_dict_post_hook(lambda _: _attach(myself()))

    def update(self) -> None:
        """Write the values for the next update and count it: call this on the first line of a training step.

        There it becomes part of the forward pass's graph, so the step needs no additional graph.
        """
        self._go(False, True)

    def step(self, updated: bool | Tensor = True) -> None:
        """Count the update just made and write the values for the next, as `Scheduler.step` does.

        updated: whether the parameters were changed, which may be a tensor on the device (`found_inf == 0`); if not,
        position and values stay.
        """
        self._go(updated, False)

    def write(self) -> None:
        """Write the values of the current position again, after you have set it."""
        self._go(False, False)

    def _go(self, before: bool | Tensor, after: bool) -> None:
        if self._groups != len(self.optimizer.param_groups):
            raise ScheduleError("a parameter group was added to the optimizer: call on_device again, with position=")
        if self._compiled is None or torch.compiler.is_compiling():
            self._move(before, after)
        else:
            self._compiled(self._before[before] if isinstance(before, bool) else before, self._after[after])

    def _move(self, before: bool | Tensor, after: bool | Tensor) -> None:
        if before is not False:
            self.position.add_(before)
        for schedule, places in self._places:
            value = schedule(self.position)
            for tensor, factor in places:
                tensor.copy_(value if factor is None else (value * factor)[0])
        if after is not False:
            self.position.add_(after)

    @property
    def snapshot_due(self) -> bool:
        """Whether the update just made ended a cycle of lr; reads the position on the host."""
        position = int(self.position)
        return self._snapshots.within(position - 1, position)

    def state_dict(self) -> dict[str, Any]:
        """The same state as a Scheduler has at this position; either can load it."""
        position = int(self.position)
        return resuming.state(self._hyperparameters, position, position - 1)

    def load_state_dict(self, state_dict: dict[str, Any], policy: str | None = None) -> None:
        """Move to a saved position, in place, so that a captured graph continues from there.

        The state of other schedules is refused unless you name a policy, as in `Scheduler.load_state_dict`. With
        "saved" and "restretch" the schedules may change: then capture again.
        """
        policy = resuming.checked(policy) or self.policy
        position, _, steered = resuming.read(state_dict, self._hyperparameters, policy)
        if position != int(position):
            raise ScheduleError(f"position must be a whole number of updates on the device, got {position!r}")
        self._enter(steered)
        self.position.fill_(int(position))
        self.write()

    def _enter(self, steered: list[Hyperparameter]) -> None:
        """Follow these schedules, with a tensor in every group that follows one."""
        self._hyperparameters = steered
        self._snapshots = hyperparameters.Snapshots(steered)
        self._held: list[tuple[int, Hyperparameter, Tensor]] = []
        # The tensors that follow a schedule, each with the factor of its value.
        found: dict[Schedule, list[tuple[Tensor, Tensor | None]]] = {}
        for one in filter(moves, steered):
            groups = one.of(self.optimizer.param_groups)
            factors = [None] * len(groups) if one.scale is None else one.factors(groups)
            for number, (group, factor) in enumerate(zip(groups, factors, strict=True)):
                tensor = own(entry(group, one.name, one.index), device_of(group), [held for _, _, held in self._held])
                self._held.append((number, one, tensor))
                scaled = self._factor((one.key, number), factor, tensor.device)
                found.setdefault(one.of_group(number), []).append((tensor, scaled))
        self._places = list(found.items())
        self._put()

    def _factor(self, key: tuple[str, int], factor: float | None, device: torch.device) -> Tensor | None:
        """The factor of a value, in the tensor from which a captured graph reads it."""
        if factor is None:
            return None
        if key not in self._factors:
            # One-dimensional, because Dynamo treats a 0-d float64 tensor as a number and compiles twice.
            self._factors[key] = static(torch.empty(1, dtype=torch.float64, device=device))
        return self._factors[key].fill_(factor)

    def _put(self) -> None:
        for number, one, tensor in self._held:
            set_entry(one.of(self.optimizer.param_groups)[number], one.name, one.index, tensor)

    def __repr__(self) -> str:
        return f"OnDevice({resuming.written(self._hyperparameters)}, position={int(self.position)})"


def on_device(
    optimizer: Optimizer,
    lr: Any = None,
    *,
    scale: Any = ...,
    policy: str | None = None,
    position: int = 0,
    compile: bool | None = None,
    **schedules: Any,
) -> OnDevice:
    """Schedules that a compiled or captured training step follows by itself, in a tensor in each group.

    Call `update()` of the result on the first line of the training step, inside the function that `torch.compile`
    compiles or a CUDA graph captures: update number n then uses schedule(n - 1), rounded once to the tensors' dtype.
    (`step()` after the update, as with a Scheduler, does the same, but costs torch.compile one more graph.)

    schedules, scale, policy: as for `Scheduler`; lr with every optimizer, others if the optimizer accepts a tensor
    without reading it on the host (Muon: weight_decay and momentum; Adam and AdamW with capturable: betas).
    position: how many updates were made already. compile: whether `update()` compiles itself when called from code that
    is not compiled, so that it takes one kernel instead of dozens, in a CUDA graph too (call it once before the
    capture); by default on a GPU if Triton is installed.

    >>> import torch
    >>> from annealing import warm_restarts
    >>> from annealing.torch import on_device
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> rates = on_device(optimizer, lr=warm_restarts(eta_max=0.5, T_0=2))
    >>> for _ in range(3):
    ...     rates.update()
    ...     optimizer.step()
    ...     print(rates.position.item(), optimizer.param_groups[0]["lr"].item(), rates.snapshot_due)
    1 0.5 False
    2 0.25 True
    3 0.5 False
    """
    if not isinstance(optimizer, Optimizer):
        raise ScheduleError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    groups = optimizer.param_groups
    if not groups or not all(group["params"] for group in groups):
        raise ScheduleError("optimizer must have at least one parameter in every group")
    if isinstance(position, bool) or not isinstance(position, int) or position < 0:
        raise ScheduleError(f"position must be a whole number of at least 0, got {position!r}")
    policy, steered = resuming.checked(policy), hyperparameters.read(lr, schedules, scale, groups)
    check_tensors(optimizer, steered)
    if scale is ...:
        hyperparameters.warn_if_made_equal(steered, groups)
    for group in groups:
        group.setdefault("initial_lr", float(group["lr"]))  # before anything is written, as in PyTorch's schedulers
    for one in steered:
        one.write(one.values(position, groups), groups)
    return OnDevice(optimizer, steered, position, policy, compile)


def _attach(rates: OnDevice | None) -> None:
    """Put the tensors back into the groups, with the values of the position."""
    if rates is not None:
        rates._put()
        rates.write()


class HostReads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context that counts how many tensor values are read on the host inside it."""

    READS = ("_local_scalar_dense", "is_nonzero", "equal")
    count = 0

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
        with HostReads() as reads:  # type: ignore[no-untyped-call]
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
