"""PyTorch's decays and warm-ups under their own names, and its schedule for averaged weights, with exact values."""

from __future__ import annotations

from functools import wraps
from typing import Any

from torch.optim import lr_scheduler, swa_utils

from .. import recipes, shapes
from ..errors import ScheduleError, finite
from ..exact import END_OF_TIME, exact, positive
from ..recipes.cyclic import CURVES
from ..schedule.base import Schedule
from ..schedule.nodes import Run
from .compat import anneal_strategy
from .dropin import Exact, Key, never
from .groups import Groups, kept_on_error, shared
from .state_dicts import Loading


class StepLR(Loading, lr_scheduler.StepLR, Exact):
    """Step decay: every `step_size` steps each group's rate is multiplied by gamma.

    optimizer: any torch.optim.Optimizer. step_size: steps between drops, above 0. gamma: a finite number; above 1 or
    below 0 it steps as PyTorch does. last_epoch: -1, or one less than the number of steps already taken.
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
    _times = ("step_size",)

    def _curve(self, base: float, *others: float) -> Schedule | None:
        step_size, gamma = positive(self.step_size, "step_size"), finite(self.gamma, "gamma")
        return recipes.step(base, step_size, gamma) if 0 <= gamma <= 1 else None


class MultiStepLR(Loading, lr_scheduler.MultiStepLR, Exact):
    """Step decay at listed steps: each group's rate is multiplied by gamma at each milestone, once per listing.

    optimizer: any torch.optim.Optimizer. milestones: numbers of steps, in any order. gamma: a finite number; above 1
    or below 0 it steps as PyTorch does. last_epoch: -1, or one less than the number of steps already taken.
    A ScheduleError names a bad argument and leaves the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import MultiStepLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.05]
    [0.05]
    [0.025]

    Source: torch.optim.lr_scheduler.MultiStepLR.
    """

    _arguments = ("milestones", "gamma")

    def _curve(self, base: float, *others: float) -> Schedule | None:
        gamma = finite(self.gamma, "gamma")
        if not 0 <= gamma <= 1 or any(map(never, self.milestones)):
            return None
        counts = {exact(milestone, "milestones"): count for milestone, count in self.milestones.items()}
        times = sorted(time for time in counts if time > 0)
        drops = [[time for time in times if counts[time] > n] for n in range(max(counts.values(), default=1))]
        curve = recipes.multistep(base * gamma ** counts.get(exact(0, "0"), 0), drops[0], gamma)
        for again in drops[1:]:
            curve = curve * recipes.multistep(1, again, gamma)
        return curve


class ConstantLR(Loading, lr_scheduler.ConstantLR, Exact):
    """Each group's initial rate times `factor` for `total_iters` steps, then the initial rate.

    optimizer: any torch.optim.Optimizer. factor: above 0, at most 1. total_iters: above 0. last_epoch: -1, or one less
    than the number of steps already taken. A ValueError names a bad argument and leaves the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import ConstantLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.05]
    [0.1]

    Source: torch.optim.lr_scheduler.ConstantLR.
    """

    _arguments = ("factor", "total_iters")
    _times = ("total_iters",)
    _adopts_groups = True

    def _curve(self, base: float, *others: float) -> Schedule | None:
        factor = finite(self.factor, "factor")
        if factor <= 0:
            raise ScheduleError(f"factor must be above 0, got {factor!r}")
        if self.total_iters == 0:
            return None
        low = base * factor
        return Run(shapes.flat, low, low, positive(self.total_iters, "total_iters")) >> recipes.constant(base)


class LinearLR(Loading, lr_scheduler.LinearLR, Exact):
    """Linear from each group's initial rate times start_factor to that rate times end_factor in total_iters steps.

    optimizer: any torch.optim.Optimizer. start_factor: above 0, at most 1. end_factor: from 0 to 1. total_iters:
    above 0. last_epoch: -1, or one less than the number of steps already taken. A ValueError names a bad argument and
    leaves the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import LinearLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> scheduler = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.75]
    [1.0]

    Source: torch.optim.lr_scheduler.LinearLR.
    """

    _arguments = ("start_factor", "end_factor", "total_iters")
    _times = ("total_iters",)
    _adopts_groups = True

    def _curve(self, base: float, *others: float) -> Schedule | None:
        start, end = finite(self.start_factor, "start_factor"), finite(self.end_factor, "end_factor")
        if self.total_iters == 0:
            return None
        return Run(shapes.linear, base * start, base * end, positive(self.total_iters, "total_iters"))


class ExponentialLR(Loading, lr_scheduler.ExponentialLR, Exact):
    """Exponential decay: each group's rate is multiplied by gamma at every step.

    optimizer: any torch.optim.Optimizer. gamma: a finite number; above 1 or below 0 it steps as PyTorch does.
    last_epoch: -1, or one less than the number of steps already taken. A ScheduleError names a bad argument and leaves
    the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import ExponentialLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.05]
    [0.025]

    Source: torch.optim.lr_scheduler.ExponentialLR.
    """

    _arguments = ("gamma",)

    def _curve(self, base: float, *others: float) -> Schedule | None:
        gamma = finite(self.gamma, "gamma")
        if 0 < gamma < 1:
            return recipes.exponential(base, gamma)
        return recipes.step(base, 1, gamma) if gamma in (0, 1) else None


class PolynomialLR(Loading, lr_scheduler.PolynomialLR, Exact):
    """Polynomial decay: each group's initial rate times (1 - t / total_iters)^power, 0 from total_iters on.

    optimizer: any torch.optim.Optimizer. total_iters: above 0. power: at least 0; above 100 it steps as PyTorch does.
    last_epoch: -1, or one less than the number of steps already taken. A ScheduleError names a bad argument and leaves
    the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import PolynomialLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = PolynomialLR(optimizer, total_iters=2, power=2)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.025]
    [0.0]

    Source: torch.optim.lr_scheduler.PolynomialLR.
    """

    _arguments = ("total_iters", "power")
    _times = ("total_iters",)

    def _curve(self, base: float, *others: float) -> Schedule | None:
        power = finite(self.power, "power")
        if power < 0:
            raise ScheduleError(f"power must be at least 0, got {self.power!r}")
        if self.total_iters == 0:
            return None
        total_iters = positive(self.total_iters, "total_iters")
        if power == 0:
            return recipes.constant(base)
        return Run(shapes.power(power), base, 0.0, total_iters) if power <= 100 else None


class CosineAnnealingLR(Loading, lr_scheduler.CosineAnnealingLR, Exact):
    """Cosine annealing from each group's rate to eta_min in T_max steps, back up in the next T_max, and so on.

    optimizer: any torch.optim.Optimizer. T_max: the steps of half a period, above 0. eta_min: a finite number, even
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

    def _curve(self, base: float, *others: float) -> Schedule | None:
        if isinstance(self.T_max, int | float) and self.T_max > END_OF_TIME:
            return None
        return annealed(base, finite(self.eta_min, "eta_min"), positive(self.T_max, "T_max"))


class SWALR(Loading, swa_utils.SWALR, Exact):
    """Anneals each group's rate to `swa_lr` in `anneal_epochs` steps and holds it there, for averaging weights.

    optimizer: any torch.optim.Optimizer. swa_lr: a number, or one for each group. anneal_epochs: at least 0.
    anneal_strategy: "cos" or "linear". last_epoch: -1, or one less than the number of steps already taken.
    A ValueError names a bad argument and leaves the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import SWALR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = SWALR(optimizer, swa_lr=0.05, anneal_epochs=2)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print([round(rate, 12) for rate in scheduler.get_last_lr()])
    [0.075]
    [0.05]
    [0.05]

    Source: torch.optim.swa_utils.SWALR; Izmailov et al. 2018, arXiv 1803.05407.
    """

    _arguments = ("anneal_epochs", "_strategy")
    _strategy = property(anneal_strategy)
    _times = ("anneal_epochs",)
    _adopts_groups = True
    _absolute = False
    _placed = False  # averaging starts late, with the last_epoch of the whole training, and anneals from the rate found
    _first = 1  # before its first step another scheduler is in charge, and its rates must stay

    @wraps(swa_utils.SWALR.__init__)  # type: ignore[misc]
    def __init__(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        with kept_on_error(optimizer):
            super().__init__(optimizer, *args, **kwargs)

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        # Before 2.10 PyTorch stores a function there, which `torch.load` refuses with weights_only.
        if state.pop("anneal_func", None) is not None:
            state["_anneal_strategy"] = self._strategy
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        if "_anneal_strategy" in vars(self) and not hasattr(self, "_set_anneal_func"):  # which sets it since 2.10
            strategy = vars(self).pop("_anneal_strategy")
            self.anneal_func = self._cosine_anneal if strategy == "cos" else self._linear_anneal

    def _update_lr(self, epoch: int | None = None) -> None:
        super()._update_lr(epoch)
        # PyTorch counts in _step_count, which the constructor resets: so it anneals from the rate found, whatever
        # last_epoch says. Where the rates are known to lie on the curve, continue the count instead.
        if self._foreign is None:
            self.__dict__["_step_count"] = self.last_epoch + 1

    def _keys(self, bases: list[Any], groups: Groups) -> list[Key]:
        return [(float(base), float(group["swa_lr"])) for base, group in zip(bases, groups, strict=False)]

    def _curve(self, base: float, *others: float) -> Schedule | None:
        swa_lr = finite(others[0], "swa_lr")
        if self.anneal_epochs == 0:
            return recipes.constant(swa_lr)
        return Run(CURVES["cosine" if self._strategy == "cos" else "linear"], base, swa_lr, self.anneal_epochs)

    def _join(self, group: dict[str, Any]) -> None:
        others = self.optimizer.param_groups[: len(self.base_lrs)]
        group["swa_lr"] = shared([other["swa_lr"] for other in others], "swa_lr")
        super()._join(group)


def annealed(base: float, eta_min: float, length: Any) -> Schedule:
    """Half a cosine wave from base to eta_min (either may be larger) and back again, as in PyTorch's formula."""
    return Run(shapes.cosine, base, eta_min, length).beyond("mirror")
