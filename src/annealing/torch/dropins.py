"""PyTorch's schedulers by their own names, with exact values."""

from __future__ import annotations

import math
from fractions import Fraction

from torch.optim import lr_scheduler

from .. import recipes, shapes
from ..errors import ScheduleError, finite
from ..nodes import Run
from ..schedule import Schedule
from ..times import END_OF_TIME, positive
from .exact import Exact, eager


class StepLR(lr_scheduler.StepLR, Exact):
    """Step decay: every `step_size` steps each group's rate is multiplied by gamma.

    optimizer: any torch.optim.Optimizer. step_size: steps between two drops, above 0. gamma: a finite number; above 1
    or below 0 every step is PyTorch's. last_epoch: -1, or one less than the number of steps already taken.
    A ScheduleError names a bad argument and leaves the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import StepLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = StepLR(optimizer, step_size=30, gamma=0.5)
    >>> for _ in range(60):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.025]

    Source: torch.optim.lr_scheduler.StepLR.
    """

    _arguments = ("step_size", "gamma")

    def _curve(self, base: float) -> Schedule | None:
        step_size, gamma = positive(self.step_size, "step_size"), finite(self.gamma, "gamma")
        return recipes.step(base, step_size, gamma) if 0 <= gamma <= 1 else None


class CosineAnnealingLR(lr_scheduler.CosineAnnealingLR, Exact):
    """Cosine annealing from each group's rate to eta_min in T_max steps, back up in the next T_max, and so on.

    optimizer: any torch.optim.Optimizer. T_max: the steps of half a period, above 0. eta_min: a finite number, also
    above the rates. last_epoch: -1, or one less than the number of steps already taken.
    A ScheduleError names a bad argument and leaves the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import CosineAnnealingLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.05]
    [0.0]
    [0.05]
    [0.1]

    Source: torch.optim.lr_scheduler.CosineAnnealingLR.
    """

    _arguments = ("T_max", "eta_min")

    def _curve(self, base: float) -> Schedule | None:
        return _annealed(base, finite(self.eta_min, "eta_min"), positive(self.T_max, "T_max"))


class CosineAnnealingWarmRestarts(lr_scheduler.CosineAnnealingWarmRestarts, Exact):
    """Cosine annealing with warm restarts (SGDR): run i lasts T_i = T_0 * T_mult^i and starts from the group's rate.

    optimizer: any torch.optim.Optimizer. T_0: the steps of the first run, a whole number above 0. T_mult: a whole
    number, at least 1. eta_min: a finite number, also above the rates. last_epoch: -1, or one less than the number of
    steps already taken. A ValueError names a bad argument and leaves the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import CosineAnnealingWarmRestarts
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=1, T_mult=3)
    >>> for epoch in (0, 0.5, 2.5, 121):
    ...     scheduler.step(epoch)
    ...     print(scheduler.get_last_lr())
    [0.1]
    [0.05]
    [0.05]
    [0.1]

    Source: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, which has 0.0 at 121, the begin of run 5; Loshchilov
    and Hutter 2017, arXiv 1608.03983, eq. 5.
    """

    _arguments = ("T_i", "eta_min")

    def _curve(self, base: float) -> Schedule | None:
        eta_min = finite(self.eta_min, "eta_min")
        return _annealed(base, eta_min, self.T_i) if self.T_i <= END_OF_TIME else None

    @property
    def _time(self) -> float:
        return self.T_cur

    @eager
    def step(self, epoch: float | None = None) -> None:
        """Go on by one step, or to any epoch, also between two whole ones."""
        if epoch is None and (self._is_initial or self.last_epoch < 0):
            epoch = max(self.last_epoch + 1, 0)
        if epoch is not None:
            if epoch < 0:
                raise ScheduleError(f"epoch must be at least 0, got {epoch!r}")
            self._update_lr(epoch)
        elif self._follows():
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
            super()._update_lr(self.last_epoch + 1)
        else:
            super().step()
            self._leave()

    @eager
    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None:
            super()._update_lr()
            return
        if self.T_0 <= 0:
            raise ScheduleError(f"T_0 must be above 0, got {self.T_0!r}")
        last_epoch = math.floor(epoch)
        begin, length = (0 if self.T_mult > 1 else last_epoch // self.T_0 * self.T_0), self.T_0
        while epoch >= begin + length:
            begin, length = begin + length, length * self.T_mult
        self.T_cur, self.T_i = epoch - begin, length  # type: ignore[assignment]
        super()._update_lr(last_epoch)


def _annealed(base: float, eta_min: float, length: int | Fraction) -> Schedule:
    """Half a cosine wave from base to eta_min, in any order, and then the way back, as in PyTorch's formula."""
    return Run(shapes.cosine, base, eta_min, length).beyond("mirror")
