"""Schedules of an optimizer's hyperparameters as tensors that are updated in graph, from a step on the device."""

from __future__ import annotations

import weakref
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..errors import ScheduleError
from ..schedule.base import Schedule
from . import hyperparameters, resuming
from .group_tensors import check_tensors, device_of, get_tensor, moves, own, set_tensor, static
from .hyperparameters import Hyperparameter
from .snapshots import Snapshots


class Place(NamedTuple):
    """A tensor in a group, and what the value of the schedule is multiplied by for it."""

    tensor: Tensor
    factor: Tensor | None


class OnDevice:
    """What `on_device` returns: the step, and the tensors in the groups that follow it.

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
        # As tensors, so that one compiled graph serves every method; twice, since a graph knows which inputs are one.
        self._before, self._after = ([torch.tensor(one, device=device) for one in (0, 1)] for _ in range(2))
        self._compiled = None
        self.write()
        self._compiled = torch.compile(self._move, fullgraph=True) if compile else None
        # An optimizer that loads a state gets other tensors, which nobody would update.
        myself = weakref.ref(self)
        optimizer.register_load_state_dict_post_hook(lambda _: _attach(myself()))

    def update(self) -> None:
        """Write the values of the next update and count it: the first line of a training step.

        There it belongs to the graph of the forward pass, and the step takes no graph more than without it.
        """
        self._go(False, True)

    def step(self, updated: bool | Tensor = True) -> None:
        """Count the update that was made and write the values of the next, as `Scheduler.step` does.

        updated: whether the parameters were changed, also as a tensor on the device (`found_inf == 0`); if not,
        position and values stay.
        """
        self._go(updated, False)

    def write(self) -> None:
        """Write the values of this position again, after it was set by hand."""
        self._go(False, False)

    def _go(self, before: bool | Tensor, after: bool) -> None:
        if self._groups != len(self.optimizer.param_groups):
            raise ScheduleError("a parameter group was added to the optimizer: call on_device again, with its position")
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
        """Whether the update just made ended a cycle of lr; this reads the position on the host."""
        position = int(self.position)
        return any(ends.within(position - 1, position) for ends in self._snapshots)

    def state_dict(self) -> dict[str, Any]:
        """The state that a Scheduler of these schedules has at this position: either can load it."""
        position = int(self.position)
        return resuming.state(self._hyperparameters, position, position - 1)

    def load_state_dict(self, state_dict: dict[str, Any], policy: str | None = None) -> None:
        """Go to a saved position, in place: what was captured goes on from there.

        A state of other schedules is refused unless a policy is named, as by `Scheduler.load_state_dict`. Under
        "saved" and "restretch" the schedules may change: then capture again.
        """
        found = resuming.read(state_dict, self._hyperparameters, resuming.checked(policy) or self.policy)
        if found.position != int(found.position):
            raise ScheduleError(f"position must be a whole number of updates on the device, got {found.position!r}")
        self._enter(found.hyperparameters)
        self.position.fill_(int(found.position))
        self.write()

    def _enter(self, steered: list[Hyperparameter]) -> None:
        """Take these schedules, and make a tensor for every group that follows one."""
        self._hyperparameters = steered
        self._snapshots = [Snapshots(one) for which in steered if which.name == "lr" for one in which.distinct]
        self._held: list[tuple[int, Hyperparameter, Tensor]] = []
        found: dict[Schedule, list[Place]] = {}
        for one in filter(moves, steered):
            groups = one.of(self.optimizer.param_groups)
            numbers = range(len(groups)) if one.mine is None else one.mine
            factors = [None] * len(groups) if one.scale is None else one.factors(groups)
            which = one.which or [0] * len(groups)
            for number, (group, factor) in enumerate(zip(groups, factors, strict=True)):
                tensor = own(get_tensor(group, one), device_of(group), [held for _, _, held in self._held])
                self._held.append((numbers[number], one, tensor))
                place = Place(tensor, self._factor((one.key, number), factor, tensor.device))
                found.setdefault(one.distinct[which[number]], []).append(place)
        self._places = list(found.items())
        self._put()

    def _factor(self, key: tuple[str, int], factor: float | None, device: torch.device) -> Tensor | None:
        """What a value is multiplied by, in the tensor that a captured graph reads it from."""
        if factor is None:
            return None
        if key not in self._factors:
            # With a dimension: Dynamo takes a float64 tensor without one for a number, and compiles twice.
            self._factors[key] = static(torch.empty(1, dtype=torch.float64, device=device))
        return self._factors[key].fill_(factor)

    def _put(self) -> None:
        for number, one, tensor in self._held:
            set_tensor(self.optimizer.param_groups[number], one, tensor)

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
    """Schedules that a compiled or captured training step follows by itself: each group holds a tensor for its value.

    Call `update()` of the result as the first line of the training step, inside the function that `torch.compile`
    compiles or a CUDA graph captures: update number n then uses schedule(n - 1), rounded once to the type of the
    tensors. (`step()` after the update, as with a Scheduler, does the same; with torch.compile it is one graph more.)

    schedules, scale, policy: as for `Scheduler`; lr for every optimizer, others where the optimizer takes a tensor
    without reading it on the host (Muon: weight_decay and momentum; Adam and AdamW, capturable: betas).
    position: how many updates were made already. compile: whether `update()` compiles itself where it is called from
    code that is not compiled, so that it is one kernel and not dozens, in a CUDA graph too (call it once before the
    capture); None: on a GPU where Triton is installed.

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
    given = schedules if lr is None else {"lr": lr, **schedules}
    policy, steered = resuming.checked(policy), hyperparameters.read(given, None if scale is ... else scale, groups)
    for one in steered:
        one.check(groups)
    check_tensors(optimizer, steered)
    if scale is ...:
        hyperparameters.warn_if_made_equal(steered, groups)
    for group in groups:
        group.setdefault("initial_lr", float(group["lr"]))  # before anything is written, as PyTorch's schedulers do
    for one in steered:
        one.write(one.values(position, groups), groups)
    return OnDevice(optimizer, steered, position, policy, compile)


def _attach(rates: OnDevice | None) -> None:
    """Put the tensors back into the groups, with the values of the position."""
    if rates is not None:
        rates._put()
        rates.write()
