"""The native scheduler: schedules for any hyperparameter of a PyTorch optimizer."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

from torch import Tensor, tensor
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..errors import ScheduleError
from . import hyperparameters, resuming
from .called_by import look_at_caller
from .groups import copied, eager, rates
from .hyperparameters import Given, Hyperparameter


class Scheduler(LRScheduler):
    """Writes schedules into the parameter groups of an optimizer: `lr=`, `weight_decay=`, `momentum=`, `betas=`, ...

    The constructor writes the values for update 1, schedule(0); after k calls of `step()` the groups hold schedule(k).
    It is an LRScheduler of PyTorch, and does not patch `optimizer.step`.

    optimizer: any torch.optim.Optimizer with at least one group. lr, or the name of any other number that every group
    has: a schedule, its notation as text, or a number, for all groups, including groups added later; or a list with one
    for each group, where None leaves a group alone. If a group holds several numbers (betas), a single schedule is for
    the first of them; give a tuple of schedules and numbers for more.

    scale: None writes the values of the schedule; "base" multiplies them by what the group had before any schedule
    (`initial_lr`, kept in the group), "lr_scale" by the group's entry of that name (1 if there is none). A word applies
    to lr; a dict also to others: {"weight_decay": "base"}. The default is None, with a warning if groups that differ
    would get the same value.
    policy: what `load_state_dict` does with the state of another schedule. last_epoch: k, to start at position k + 1.
    snapshots: called with this scheduler, once, after each step that ends a cycle of lr.

    Here and in every method, a ScheduleError names an argument that cannot be used or a value out of range (NaN
    included), and leaves optimizer and scheduler as they were.

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

    last_epoch: float  # type: ignore[assignment]  # step_to accepts fractions
    _rates: list[float] | None
    _caller_known = False
    _built = False  # constructed and not moved since
    _is_part = False  # of a SequentialLR

    def __init__(
        self,
        optimizer: Optimizer,
        lr: Any = None,
        *,
        scale: Any = ...,
        policy: str | None = None,
        last_epoch: int = -1,
        snapshots: Callable[[Any], object] | None = None,
        **schedules: Any,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ScheduleError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
        if not optimizer.param_groups:
            raise ScheduleError("optimizer must have at least one parameter group, got none")
        if snapshots is not None and not callable(snapshots):
            raise ScheduleError(f"snapshots must be a function of the scheduler, got {snapshots!r}")
        groups = optimizer.param_groups
        self.optimizer, self.policy, self.snapshots = optimizer, resuming.checked(policy), snapshots
        self._step_count = 1  # Accelerate counts on it
        steered = hyperparameters.read(lr, schedules, scale, groups)
        position = _time(last_epoch, "last_epoch", least=-1) + 1
        if scale is ...:
            hyperparameters.warn_if_made_equal(steered, groups)
        # Remember the rates before anything is written, as PyTorch does: schedulers built later start from initial_lr.
        before = copied(rates(optimizer))
        self._enter(steered, position, position - 1)
        for group, rate in zip(groups, before, strict=True):
            group.setdefault("initial_lr", rate)
        self._built = True

    @property
    def position(self) -> float:
        """How many updates were made, or the time given to `step_to`: the groups hold schedule(position)."""
        return self.last_epoch

    @property
    def schedules(self) -> dict[str, Given]:
        """The schedules by hyperparameter: one for all groups, or a list with one for each."""
        return {one.key: one.schedules for one in self._hyperparameters}

    def step(self, epoch: float | None = None, *, updated: bool = True) -> None:
        """Advance by one, after an update; with `epoch`, the same as `step_to(epoch)`.

        updated: whether the optimizer's parameters were changed. If not (gradients are being accumulated, or a
        GradScaler skipped the update), position and values stay, and no snapshot is due.
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
            state = self.__dict__
            before = state["last_epoch"]
            self._put(state["_hyperparameters"], before + 1)
            state["_before"], state["_built"] = before, False
            if self.snapshots is not None and self.snapshot_due:
                self.snapshots(self)

    @eager
    def _eager_step(self, epoch: float | None, updated: bool) -> None:
        self.step(epoch, updated=updated)

    @eager
    def step_to(self, t: float) -> None:
        """Move to any time of at least 0, in the unit of the schedules, fractions included.

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
        """Whether the update just made ended a cycle of lr: keep this model (see `Schedule.snapshots`).

        True if a cycle has ended since the previous position (within the last unit of time, if the scheduler has moved
        back, or was just built and placed by `step_to`). It stays true until the next call of `step`: a loop that asks
        more often than it steps should pass `snapshots=` instead, or call `step(updated=False)`.
        """
        return self._snapshots.within(self._before, self.last_epoch)

    def write(self) -> None:
        """Write the current values again, into groups that were added, loaded or changed since."""
        self._put(self._hyperparameters, self.last_epoch)

    def add_group(self, **schedules: Any) -> None:
        """Give the schedules of a group that was just added, for each hyperparameter that has a list of schedules.

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
        """The learning rates written last, as copies (tensors where the groups hold tensors)."""
        held = rates(self.optimizer)
        return list(map(_like, held if self._rates is None else self._rates, held))

    def get_lr(self) -> list[Any]:
        """The learning rates at `last_epoch`, which a framework may have set, as copies."""
        held = rates(self.optimizer)
        for one in self._hyperparameters:
            if one.name == "lr":
                values = one.of_all(self.last_epoch, self.optimizer.param_groups)
                return [_like(old if new is None else new, old) for new, old in zip(values, held, strict=True)]
        return list(map(_like, held, held))

    @property
    def _last_lr(self) -> list[Any]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, rates: list[Any]) -> None:  # PyTorch's composites and torchtitan write it
        self._rates = list(rates)

    @property
    def base_lrs(self) -> list[Any]:
        """The groups' rates before any schedule (`initial_lr`), which scale="base" multiplies; may be set."""
        return [group.get("initial_lr", group["lr"]) for group in self.optimizer.param_groups]

    @base_lrs.setter
    def base_lrs(self, rates: list[Any]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["initial_lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Position, schedules and their fingerprints, as numbers and text that torch.load(weights_only=True) reads."""
        return resuming.state(self._hyperparameters, self.last_epoch, self._before)

    def load_state_dict(self, state_dict: dict[str, Any], policy: str | None = None) -> None:
        """Move to a saved position, and write its values into the groups.

        The state of other schedules is refused, and the error shows the differences, unless you name a policy, here or
        when you build the scheduler:

        - "saved": continue with the saved schedules.
        - "new": continue with the new schedules, from the saved position.
        - "new-from-0": start the new schedules from 0.
        - "keep-epoch": continue with the new schedules at the same fraction of their length. Use it if batch size,
          accumulation or replicas have changed, so that the same epochs take another number of updates.
        - "restretch": continue with the saved schedule, its remainder stretched to end where the new one does (see
          `annealing.change_horizon`).

        Load the optimizer before or after; if after, its values stay until the next step.
        """
        policy = resuming.checked(policy) or self.policy
        position, before, steered = resuming.read(state_dict, self._hyperparameters, policy)
        if self._is_part or self.last_epoch < 0:
            # A part of a sequence whose turn it is not must not write: PyTorch's parts would continue from its rates.
            self._take(steered, before)
            self.last_epoch = position
        else:
            self._enter(steered, max(position, 0), before)

    def _initial_step(self) -> None:
        self._is_part = True
        super()._initial_step()

    def _update_lr(self, epoch: float | None = None) -> None:
        """Advance by one, or move to any step: PyTorch's SequentialLR moves its parts through this method."""
        self._is_part = True
        self._move(self.last_epoch + 1 if epoch is None else epoch)

    def _move(self, position: float) -> None:
        before, placed = self.last_epoch, self._built
        self._put(self._hyperparameters, position)
        # A scheduler that was just built did not train from 0 to here: cycles on the way ended in an earlier process.
        self._before = before if before < position and (not placed or position - before <= 1) else position - 1
        self._built = False
        if self.snapshots is not None and before < position and not placed and self.snapshot_due:
            self.snapshots(self)

    def _enter(self, steered: list[Hyperparameter], position: float, before: float) -> None:
        """Follow these schedules from this position on."""
        self._put(steered, position)
        self._take(steered, before)

    def _take(self, steered: list[Hyperparameter], before: float) -> None:
        self._hyperparameters, self._before, self._built = steered, before, False
        self._snapshots = hyperparameters.Snapshots(steered)

    def _put(self, steered: list[Hyperparameter], position: float) -> None:
        state = self.__dict__
        groups, now = state["optimizer"].param_groups, state.get("last_epoch", position)
        if len(steered) == 1:  # the common case, where a list and a loop would take a third of the step's time
            one = steered[0]
            found = one.values(position, groups, now)
            one.write(found, groups)
            state["_rates"], state["last_epoch"] = found if one.name == "lr" and one.mine is None else None, position
            return
        values = [one.values(position, groups, now) for one in steered]
        state["_rates"] = None
        for one, found in zip(steered, values):  # noqa: B905 (a strict one takes longer)
            one.write(found, groups)
            if one.name == "lr" and one.mine is None:
                state["_rates"] = found
        state["last_epoch"] = position

    def __repr__(self) -> str:
        return f"Scheduler({resuming.written(self._hyperparameters)}, position={self.position!r})"


def _time(value: Any, name: str, least: float = 0) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        time = int(value) if isinstance(value, numbers.Integral) else float(value)
        if least <= time < math.inf:
            return time
    raise ScheduleError(f"{name} must be a number of at least {least}, got {value!r}")


def _like(value: Any, held: Any) -> Any:
    """A copy of a rate: a tensor if the group holds one."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return tensor(value, dtype=held.dtype, device=held.device).view(held.shape) if isinstance(held, Tensor) else value
