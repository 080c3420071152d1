"""PyTorch's composites under their own names: they can be nested, and resumed anywhere."""

from __future__ import annotations

from bisect import bisect_right
from functools import wraps
from typing import Any

from torch.optim import lr_scheduler, swa_utils
from torch.optim.lr_scheduler import LRScheduler

from ..errors import ScheduleError
from ..exact import exact
from .compat import Splitting
from .groups import copied, kept_on_error, rates
from .state_dicts import Loading
from .writer import put

FROM_BASES = (
    lr_scheduler.LambdaLR,
    lr_scheduler.CosineAnnealingWarmRestarts,
    lr_scheduler.CyclicLR,
    lr_scheduler.OneCycleLR,
)


class Part(LRScheduler):
    """A composite that can itself be part of a composite."""

    def _initial_step(self) -> None:
        begin(self)

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.step()
        else:
            move_to(self, epoch)


class SequentialLR(Loading, lr_scheduler.SequentialLR, Part):
    """One scheduler after another: at each milestone the next one starts at its step 0.

    optimizer: the one that all parts share. schedulers: at least one, of any kind but ReduceLROnPlateau, composites
    included. milestones: whole numbers of steps in ascending order, one fewer than schedulers. last_epoch: -1, or one
    less than the number of steps already taken, however the parts were built. A ValueError names a bad argument and
    leaves the rates as they were.

    >>> import torch
    >>> from annealing.torch import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> parts = [LinearLR(optimizer, start_factor=0.5, total_iters=2), CosineAnnealingLR(optimizer, T_max=2)]
    >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.75]
    [1.0]
    [0.5]
    [0.0]

    Source: torch.optim.lr_scheduler.SequentialLR.
    """

    @wraps(lr_scheduler.SequentialLR.__init__)  # type: ignore[misc]
    def __init__(
        self, optimizer: Any, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        times = [exact(milestone, "milestones") for milestone in milestones]
        if times != sorted(times) or any(time < 0 or time.denominator > 1 for time in times):
            raise ScheduleError(f"milestones must be ascending whole numbers of at least 0, got {milestones!r}")
        with kept_on_error(optimizer):
            super().__init__(optimizer, schedulers, milestones, last_epoch)
            move_to(self, self.last_epoch)

    def step(self) -> None:  # type: ignore[override]
        """Advance by one step."""
        time, milestones = self.last_epoch + 1, self._milestones
        place = bisect_right(milestones, time)
        part = self._schedulers[place]
        if place and milestones[place - 1] == time:
            enter(part)
        else:
            part.step()
        self.last_epoch = time
        self._last_lr = part.get_last_lr()


class ChainedScheduler(Loading, lr_scheduler.ChainedScheduler, Part):
    """Steps several schedulers one after the other, each from the rates that the one before it left.

    schedulers: at least one, of any kind but ReduceLROnPlateau; those that start from their base rates at every step
    (LambdaLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR) undo what the ones before them did. optimizer: the one
    that they share. A ValueError names a bad argument.

    >>> import torch
    >>> from annealing.torch import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.8)
    >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
    >>> scheduler = ChainedScheduler(parts)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.2]
    [0.2]
    [0.1]

    Source: torch.optim.lr_scheduler.ChainedScheduler.
    """


def begin(scheduler: Any) -> None:
    """Move a scheduler to its step 0, with the rates that it would start with if built alone."""
    if hasattr(scheduler, "_milestones"):
        move_to(scheduler, 0)
    elif hasattr(scheduler, "_schedulers"):
        for i, part in enumerate(scheduler._schedulers):
            begin(part) if i == 0 or hasattr(part, "_schedulers") else _rebuild(part)
        scheduler._last_lr = copied(rates(scheduler.optimizer))
    else:
        put(scheduler.optimizer.param_groups[: len(scheduler.base_lrs)], scheduler.base_lrs)
        _rebuild(scheduler)


def _rebuild(scheduler: Any) -> None:
    """Repeat what the constructor does with the current rates."""
    scheduler.last_epoch = -1
    scheduler._initial_step()


def enter(scheduler: Any) -> None:
    """Move a scheduler to its step 0 at a milestone; some kinds continue from the rates they find there."""
    if hasattr(scheduler, "_schedulers"):
        begin(scheduler)
    else:
        _jump(scheduler, 0)


def _jump(scheduler: Any, epoch: int) -> None:
    if isinstance(scheduler, lr_scheduler.CosineAnnealingWarmRestarts):
        scheduler.step(epoch)  # PyTorch's own class finds its cycle only in step()
    elif hasattr(scheduler, "_update_lr"):
        scheduler._update_lr(epoch)
    else:
        Splitting._update_lr(scheduler, epoch)


def move_to(scheduler: Any, epoch: int) -> None:
    """Move a scheduler to any of its steps."""
    if hasattr(scheduler, "_milestones"):
        place = bisect_right(scheduler._milestones, epoch)
        part, start = scheduler._schedulers[place], scheduler._milestones[place - 1] if place else 0
        if epoch == 0:
            begin(part)
        elif _direct(part):
            move_to(part, epoch - start)
        elif start == 0:
            begin(part)
            _replay(part, epoch)
        else:
            move_to(scheduler, start - 1)
            enter(part)
            _replay(part, epoch - start)
        scheduler.last_epoch, scheduler._last_lr = epoch, part.get_last_lr()
    elif _direct(scheduler):
        _jump(scheduler, epoch)
        scheduler._step_count = epoch + 1
    else:
        begin(scheduler)
        _replay(scheduler, epoch)


def _replay(scheduler: Any, steps: int) -> None:
    for _ in range(steps):
        scheduler.step()


def _direct(scheduler: Any) -> bool:
    """Whether the rates at a step can be computed without those of the steps before."""
    if isinstance(scheduler, FROM_BASES) or hasattr(scheduler, "_milestones"):
        return True
    return hasattr(scheduler, "_get_closed_form_lr") and not isinstance(scheduler, swa_utils.SWALR)
