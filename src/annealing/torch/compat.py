"""Features of PyTorch that this package needs and that some supported versions lack."""

from __future__ import annotations

import warnings
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from ..frozen import Value
from .groups import copied


def forewarn(scheduler: LRScheduler, epoch: int | None, stacklevel: int = 4) -> None:
    """Issue the warnings of PyTorch's own step, attributed to the line that called the drop-in."""
    real = scheduler.optimizer
    # A stand-in has only what LRScheduler.step reads, and no groups, because PyTorch before 2.9 would write them.
    optimizer = SimpleNamespace(step=real.step, _opt_called=getattr(real, "_opt_called", False), param_groups=[])
    stand_in: Any = SimpleNamespace(
        optimizer=optimizer, _step_count=scheduler._step_count, last_epoch=0, get_lr=list, _update_lr=lambda epoch: None
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LRScheduler.step(stand_in, epoch)
    for warning in caught:
        warnings.warn(warning.message, warning.category, stacklevel=stacklevel)


class Splitting(LRScheduler):
    """For PyTorch before 2.9: LRScheduler.step() as it is since, with the rates written by `_update_lr`."""

    def _initial_step(self) -> None:
        self._is_initial = True
        # Before 2.9 the base rates are the groups' own tensors, and SequentialLR then overwrites them.
        self.base_lrs = copied(self.base_lrs)
        try:
            super()._initial_step()
        finally:
            self._is_initial = False
            if "_is_initial" not in vars(LRScheduler):
                del self._is_initial  # so that states have the keys that this version's PyTorch writes

    def step(self, epoch: int | None = None) -> None:
        # The old step would attribute its warnings to `_update_lr`, a line of this package.
        if epoch is not None or self._step_count == 1:
            forewarn(self, epoch, stacklevel=3)
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        count = self._step_count
        self._step_count -= 1  # the old step counts too, before it computes the rates, and SWALR relies on that count
        with warnings.catch_warnings(action="ignore"):
            LRScheduler.step(self, epoch)
        self._step_count = count


if TYPE_CHECKING or hasattr(LRScheduler, "_update_lr"):
    Updating = LRScheduler
else:
    Updating = Splitting
    Splitting._is_initial = False


def anneal_strategy(scheduler: Any) -> str:
    """The strategy of a OneCycleLR, or of a SWALR, which stores it by name since 2.10."""
    named = getattr(scheduler, "_anneal_func_type", None) or getattr(scheduler, "_anneal_strategy", None)
    return str(named or ("linear" if "linear" in scheduler.anneal_func.__name__ else "cos"))


def _all(kind: Any) -> list[type]:
    return [kind, *(found for below in kind.__subclasses__() for found in _all(below))]


def allow_schedules() -> None:
    """Register schedules with `torch.load`, which since 2.6 loads only registered types by default."""
    torch.serialization.add_safe_globals([*_all(Value), Fraction])
