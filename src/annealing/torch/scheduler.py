"""The native scheduler: schedules for any hyperparameter of a PyTorch optimizer."""

from __future__ import annotations

import math
import numbers
from typing import Any

from torch import Tensor, tensor
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..errors import ScheduleError
from . import hyperparameters, resuming
from .called_by import look_at_caller
from .groups import eager
from .hyperparameters import Given, Hyperparameter
from .snapshots import Snapshots


class Scheduler(LRScheduler):
    """Writes schedules into the parameter groups of an optimizer: `lr=`, `weight_decay=`, `momentum=`, `betas=`, ...

    Built, it writes the values for update 1, schedule(0); after k calls of `step()` the groups hold schedule(k). It is
    one of PyTorch's LRSchedulers, and leaves `optimizer.step` as it is.

    optimizer: any torch.optim.Optimizer with at least one group. Then for any number that every group has: a schedule
    or a number for all groups, groups added later too, or a list with one for each group. Where a group holds several
    numbers (betas) a schedule is for the first of them, a tuple of schedules and numbers for the first ones.

    scale: None, and a value is what the schedule says; "base", it is multiplied by what the group had before any
    schedule (`initial_lr`, kept in the group); "lr_scale", by the group's entry of that name (1 where there is none).
    A word is for lr; for others too a dict: {"weight_decay": "base"}.
    policy: what `load_state_dict` does with the state of another schedule. last_epoch: k, to begin at position k + 1.

    A ScheduleError names what cannot be used, here and in every method, and leaves optimizer and scheduler as they
    were: an argument, or a value out of range, NaN too.

    >>> import torch
    >>> from annealing import constant, warm_restarts
    >>> from annealing.torch import Scheduler
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    >>> scheduler = Scheduler(optimizer, lr=warm_restarts(eta_max=0.1, T_0=2), momentum=0.8)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.position, optimizer.param_groups[0]["lr"], scheduler.snapshot_due)
    1 0.05 False
    2 0.1 True
    3 0.05 False
    """

    last_epoch: float  # type: ignore[assignment]  # step_to goes to fractions too
    _rates: list[float] | None
    _caller_known = False

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        scale: str | dict[str, str] | None = None,
        policy: str | None = None,
        last_epoch: int = -1,
        **schedules: Any,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ScheduleError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
        if not optimizer.param_groups:
            raise ScheduleError("optimizer must have at least one parameter group, got none")
        self.optimizer, self.policy = optimizer, resuming.checked(policy)
        self._step_count = 1  # Accelerate counts on it
        self._hyperparameters = hyperparameters.read(schedules, scale, optimizer.param_groups)
        for one in self._hyperparameters:
            one.check(optimizer.param_groups)
        position = _time(last_epoch, "last_epoch", least=-1) + 1
        self._enter(self._hyperparameters, position, position - 1)

    @property
    def position(self) -> float:
        """How many updates have been made, or the time given to `step_to`: the groups hold schedule(position)."""
        return self.last_epoch

    @property
    def schedules(self) -> dict[str, Given]:
        """What each hyperparameter follows: one schedule for all groups, or a list with one for each."""
        return {one.key: one.schedules for one in self._hyperparameters}

    def step(self, epoch: float | None = None, *, updated: bool = True) -> None:
        """Go on by one, after an update; with `epoch`, `step_to(epoch)`.

        updated: whether the optimizer's parameters were changed; if not (gradients are being accumulated, or a
        GradScaler has skipped the update), position and values stay, and no snapshot is due.
        """
        if is_dynamo_compiling():
            self._eager_step(epoch, updated)
            return
        if not self._caller_known:
            self._caller_known = True
            look_at_caller(self)
        self._step_count += 1
        if epoch is not None:
            self.step_to(epoch)
        elif not updated:
            self._before = self.last_epoch
        else:
            before = self.last_epoch
            self._put(self._hyperparameters, before + 1)
            self._before = before

    @eager
    def _eager_step(self, epoch: float | None, updated: bool) -> None:
        self.step(epoch, updated=updated)

    @eager
    def step_to(self, t: float) -> None:
        """Go to any time from 0 on, in the unit of the schedules, also between two whole ones.

        >>> import torch
        >>> from annealing import cosine
        >>> from annealing.torch import Scheduler
        >>> scheduler = Scheduler(torch.optim.SGD([torch.zeros(1)], lr=0.1), lr=cosine(0.1, 0, 10))
        >>> scheduler.step_to(7.5)
        >>> scheduler.position, scheduler.get_last_lr() == [cosine(0.1, 0, 10)(7.5)]
        (7.5, True)
        """
        self._move(_time(t, "t"))

    @property
    def snapshot_due(self) -> bool:
        """Whether the update just made ended a run of lr: the model is one to keep (see `Schedule.snapshots`).

        After `step()` it is about that update, after `step_to(t)` about the time since the position before, if that
        lies at most 1 back, else about the last 1.
        """
        return any(ends.within(self._before, self.last_epoch) for ends in self._snapshots)

    def write(self) -> None:
        """Write the values of this position again: into groups that were added, loaded or changed since."""
        self._put(self._hyperparameters, self.last_epoch)

    def add_group(self, **schedules: Any) -> None:
        """Say what a group that was just added to the optimizer uses of what has one schedule for each group.

        >>> import torch
        >>> from annealing import cosine
        >>> from annealing.torch import Scheduler
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        >>> scheduler = Scheduler(optimizer, lr=[cosine(0.1, 0, 10)])
        >>> optimizer.add_param_group({"params": [torch.zeros(1)]})
        >>> scheduler.add_group(lr=cosine(0.01, 0, 10))
        >>> scheduler.get_last_lr()
        [0.1, 0.01]
        """
        groups = self.optimizer.param_groups
        listed = {one.name: list[Any]() for one in self._hyperparameters if isinstance(one.schedules, list)}
        if schedules.keys() != listed.keys():
            raise ScheduleError(
                f"one schedule must be given for each of {', '.join(listed) or '(nothing has a list)'}, "
                f"got {', '.join(schedules) or 'none'}"
            )
        longer = []
        for one in self._hyperparameters:
            if isinstance(one.schedules, list):
                added = hyperparameters.read_value(one.name, schedules[one.name], groups[-1][one.name])
                if one.index not in added:
                    raise ScheduleError(f"{one.name} must be given in the same form for every group")
                one = one.following([*one.schedules, added[one.index]])
                one.check(groups)
            longer.append(one)
        self._enter(longer, self.last_epoch, self._before)

    def get_last_lr(self) -> list[Any]:
        """The learning rates written last, as copies of the kind that the groups hold."""
        groups = self.optimizer.param_groups
        if self._rates is None:
            return [_like(group["lr"], group["lr"]) for group in groups]
        return [_like(value, group["lr"]) for value, group in zip(self._rates, groups, strict=False)]

    get_lr = get_last_lr

    @property
    def _last_lr(self) -> list[Any]:  # type: ignore[override]
        return self.get_last_lr()

    @property
    def base_lrs(self) -> list[Any]:  # type: ignore[override]
        """The groups' rates before any schedule where they are known, else those that they hold."""
        return [group.get("initial_lr", group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Position, schedules and their fingerprints: numbers and text, which torch.load(weights_only=True) reads."""
        return resuming.state(self._hyperparameters, self.last_epoch, self._before)

    def load_state_dict(self, state_dict: dict[str, Any], policy: str | None = None) -> None:
        """Go to a saved position, and write its values into the groups.

        A state of other schedules than this scheduler's is refused, with the differences, unless a policy is named,
        here or when the scheduler is built:

        - "saved": go on with the saved schedules.
        - "new": go on with the new ones, at the saved position.
        - "new-from-0": begin with the new ones.
        - "restretch": the saved schedule, what is left of it stretched so that it ends where the new one does (see
          `annealing.change_horizon`).

        An optimizer may be loaded before or after; loaded after, its values stay until the next step.
        """
        found = resuming.read(state_dict, self._hyperparameters, resuming.checked(policy) or self.policy)
        self._enter(found.hyperparameters, found.position, found.before)

    def _move(self, position: float) -> None:
        before = self.last_epoch
        self._put(self._hyperparameters, position)
        self._before = before if 0 < position - before <= 1 else position - 1

    def _enter(self, steered: list[Hyperparameter], position: float, before: float) -> None:
        """Take these schedules from this position on."""
        self._put(steered, position)
        self._hyperparameters, self._before = steered, before
        self._snapshots = [Snapshots(schedule) for one in steered if one.name == "lr" for schedule in one.distinct]

    def _put(self, steered: list[Hyperparameter], position: float) -> None:
        groups = self.optimizer.param_groups
        values = [one.values(position, groups) for one in steered]
        self._rates = None
        for one, found in zip(steered, values):  # noqa: B905 (a strict one takes longer)
            one.write(found, groups)
            if one.name == "lr":
                self._rates = found
        self.last_epoch = position

    def __repr__(self) -> str:
        return f"Scheduler({resuming.written(self._hyperparameters)}, position={self.position!r})"


def _time(value: Any, name: str, least: float = 0) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        time = int(value) if isinstance(value, numbers.Integral) else float(value)
        if least <= time < math.inf:
            return time
    raise ScheduleError(f"{name} must be a number of at least {least}, got {value!r}")


def _like(value: Any, held: Any) -> Any:
    """A copy of a rate, of the kind that a group holds."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return tensor(value, dtype=held.dtype, device=held.device).view(held.shape) if isinstance(held, Tensor) else value
