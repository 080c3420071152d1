"""PyTorch's schedulers by their own names, with exact values."""

from __future__ import annotations

import math

from torch.optim import lr_scheduler

from .. import recipes, shapes
from ..errors import finite
from ..schedule import Run, Schedule
from ..times import END_OF_TIME, positive
from .exact import Exact


def _annealed(base: float, eta_min: float, length: float) -> Schedule:
    """Half a cosine wave from base to eta_min, in any order, and after it the way back, as PyTorch's formula goes on."""
    return Run(shapes.cosine, base, eta_min, length).beyond("mirror")


class StepLR(lr_scheduler.StepLR, Exact):
    _arguments = ("step_size", "gamma")

    def _curve(self, base: float) -> Schedule | None:
        step_size, gamma = positive(self.step_size, "step_size"), finite(self.gamma, "gamma")
        return recipes.step(base, step_size, gamma) if 0 <= gamma <= 1 else None


class CosineAnnealingLR(lr_scheduler.CosineAnnealingLR, Exact):
    _arguments = ("T_max", "eta_min")

    def _curve(self, base: float) -> Schedule | None:
        return _annealed(base, finite(self.eta_min, "eta_min"), positive(self.T_max, "T_max"))


class CosineAnnealingWarmRestarts(lr_scheduler.CosineAnnealingWarmRestarts, Exact):
    _arguments = ("T_i", "eta_min")

    def _curve(self, base: float) -> Schedule | None:
        eta_min = finite(self.eta_min, "eta_min")
        return _annealed(base, eta_min, self.T_i) if self.T_i <= END_OF_TIME else None

    @property
    def _time(self) -> float:
        return self.T_cur

    def step(self, epoch: float | None = None) -> None:
        if epoch is None and (self._is_initial or self.last_epoch < 0):
            epoch = max(self.last_epoch + 1, 0)
        if epoch is not None:
            if epoch < 0:
                raise ValueError(f"epoch must be at least 0, got {epoch!r}")
            self._update_lr(epoch)
        elif self._follows():
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
            super()._update_lr(self.last_epoch + 1)
        else:
            super().step()
            self._leave()

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None:
            super()._update_lr()
            return
        last_epoch = math.floor(epoch)
        begin, length = (0 if self.T_mult > 1 else last_epoch // self.T_0 * self.T_0), self.T_0
        while epoch >= begin + length:
            begin, length = begin + length, length * self.T_mult
        self.T_cur, self.T_i = epoch - begin, length
        super()._update_lr(last_epoch)
