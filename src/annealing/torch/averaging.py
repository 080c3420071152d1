"""SWALR, PyTorch's schedule for averaged weights, with exact values."""

from __future__ import annotations

from functools import wraps
from typing import Any

from torch.optim import swa_utils

from .. import recipes
from ..errors import finite
from ..recipes.cyclic import CURVES
from ..schedule.base import Schedule
from ..schedule.nodes import Run
from .compat import anneal_strategy
from .dropin import Exact, Key
from .groups import Groups, kept_on_error, shared
from .state_dicts import Loading


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
