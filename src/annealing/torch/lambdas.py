"""PyTorch's schedulers that follow a function or a metric, with their bugs fixed and nothing else changed."""

from __future__ import annotations

from typing import Any

from torch.optim import lr_scheduler

from .compat import Splitting, Updating
from .groups import copied, joined, rates, separate, shared
from .state_dicts import Loading


class Functions(Updating):
    """A scheduler with one function of the step for each group."""

    lr_lambdas: list[Any]

    def _update_lr(self, epoch: int | None = None) -> None:
        separate(self.optimizer)
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.lr_lambdas = [*self.lr_lambdas, shared(self.lr_lambdas, "lr_lambda")]
            self.base_lrs = joined(self.base_lrs, group)
        super()._update_lr(epoch)


class LambdaLR(Loading, lr_scheduler.LambdaLR, Functions):
    """Each group's initial rate times a function of the step.

    optimizer: any torch.optim.Optimizer. lr_lambda: a function, or one for each group. last_epoch: -1, or one less
    than the number of steps already taken.

    >>> import torch
    >>> from annealing.torch import LambdaLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]

    Source: torch.optim.lr_scheduler.LambdaLR.
    """


class MultiplicativeLR(Loading, lr_scheduler.MultiplicativeLR, Functions):
    """Multiplies each group's rate at every step by a function of the step.

    optimizer: any torch.optim.Optimizer. lr_lambda: a function, or one for each group. last_epoch: -1, or one less
    than the number of steps already taken.

    >>> import torch
    >>> from annealing.torch import MultiplicativeLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]

    Source: torch.optim.lr_scheduler.MultiplicativeLR.
    """

    def get_lr(self) -> list[Any]:
        # Before 2.7 PyTorch multiplies the rates again when a scheduler is resumed.
        if Updating is Splitting and self._is_initial:
            return copied(rates(self.optimizer))
        return super().get_lr()


class ReduceLROnPlateau(Loading, lr_scheduler.ReduceLROnPlateau):
    """Multiplies the rates by `factor` when a metric has not improved for more than `patience` steps.

    The arguments are those of PyTorch's class.

    >>> import torch
    >>> from annealing.torch import ReduceLROnPlateau
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (1.0, 0.9, 0.9, 0.9):
    ...     optimizer.step()
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.05]

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau.
    """

    def _reduce_lr(self, epoch: int) -> None:
        separate(self.optimizer)
        missing = len(self.optimizer.param_groups) - len(self.min_lrs)
        if missing > 0 and not hasattr(self, "default_min_lr"):  # older PyTorch has no minimum for a group added later
            self.min_lrs = [*self.min_lrs, *[shared(self.min_lrs, "min_lr")] * missing]
        super()._reduce_lr(epoch)
