"""The rule of all drop-ins: who wrote the rates last decides whether the exact curve or PyTorch's own step is next."""

from __future__ import annotations

from typing import Any

from torch import Tensor, full_like
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..schedule import Schedule

Marks = list[tuple[Any, int]]


class Exact(LRScheduler):
    """A PyTorch scheduler that writes its exact curve while the rates are its own, and else steps as PyTorch does.

    A subclass names the arguments that make its curve, and says what the curve is. The curve is in force

    - from an absolute epoch on: `step(epoch)`, or the first step as a later part of SequentialLR;
    - from construction on, where the rates found are the initial ones or, with `last_epoch`, those of that epoch;
    - after a loaded state, a copy, or a change of an argument, where the rates found are those of the curve;

    and from then on while every group holds what was written last: the same float object, or the same tensor with
    the same version. From the first foreign rate on every step is PyTorch's, bit for bit.
    """

    __slots__ = ("_bases", "_curves", "_trail")  # not in __dict__, which is PyTorch's state_dict
    _arguments: tuple[str, ...]
    _bases: tuple[Marks, list[float]] | None  # the base rates as numbers, which of a tensor are read once
    _curves: tuple[list[Any], list[float], dict[float, Schedule | None]] | None  # what they are made from, and they
    _trail: tuple[tuple[Any, ...], Marks | None] | None  # the state after the last step; what was written, if the curve

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self._forget()
        if isinstance(optimizer, Optimizer):  # bad arguments fail before anything is written
            for base in {float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups}:
                self._curve(base)
        super().__init__(optimizer, last_epoch)

    def _curve(self, base: float) -> Schedule | None:
        """The curve of a group with this base rate; None where there is none, so that PyTorch's steps are taken."""
        raise NotImplementedError

    @property
    def _time(self) -> float:
        """Where on its curve the scheduler is."""
        return self.last_epoch

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None and not self._follows():
            self._step_as_torch()
            return
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        values = self._values(self._time)
        if values is None:
            self._step_as_torch(self.last_epoch)
        else:
            self._write(values)

    def _step_as_torch(self, epoch: int | None = None) -> None:
        if epoch is None and self._is_initial and self.last_epoch >= 0:  # resumed: the rates are this epoch's already
            self.last_epoch += 1
            self._last_lr = _copies(self._rates())
        else:
            super()._update_lr(epoch)
        self._leave()

    def _leave(self) -> None:
        self._trail = self._state(), None

    def _write(self, values: list[float]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value
        self._last_lr = _copies(self._rates())
        self._trail = self._state(), _marks(self._rates())

    def _follows(self) -> bool:
        """Whether the rates found lie on the curve, so that the next step goes on along it."""
        rates = self._rates()
        if self._is_initial:
            values = self._values(self.last_epoch + 1)
            initial = values is not None and _hold(rates, self._base_values())
            return initial or (self.last_epoch >= 0 and _hold(rates, values))
        if self._trail and self._trail[0] == self._state():
            return _same(self._trail[1], _marks(rates))
        return _hold(rates, self._values(self._time))

    def _rates(self) -> list[Any]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _state(self) -> tuple[Any, ...]:
        return self._time, self._named(), self._base_values()

    def _named(self) -> list[Any]:
        return [getattr(self, name) for name in self._arguments]

    def _base_values(self) -> list[float]:
        marks = _marks(self.base_lrs)
        if self._bases is None or not _same(self._bases[0], marks):
            self._bases = marks, [float(base) for base in self.base_lrs]
        return self._bases[1]

    def _values(self, time: float) -> list[float] | None:
        """The values of the groups' curves, made again where an argument or a base rate is another one."""
        arguments, bases = self._named(), self._base_values()
        if self._curves is None or self._curves[:2] != (arguments, bases):
            self._curves = arguments, bases, {base: self._curve(base) for base in bases}
        time = time if type(time) is int else float(time)
        values = {base: curve(time) for base, curve in self._curves[2].items() if curve is not None}
        return [values[base] for base in bases] if values else None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._bases = self._curves = self._trail = None


def _copies(rates: list[Any]) -> list[Any]:
    return [rate.clone() if isinstance(rate, Tensor) else rate for rate in rates]


def _marks(rates: list[Any]) -> Marks:
    return [(rate, rate._version if isinstance(rate, Tensor) else 0) for rate in rates]


def _same(before: Marks | None, now: Marks) -> bool:
    """Whether the rates are the same objects, and unchanged."""
    if before is None or len(before) != len(now):
        return False
    return all(a[0] is b[0] and a[1] == b[1] for a, b in zip(before, now, strict=True))


def _hold(rates: list[Any], values: list[float] | None) -> bool:
    """Whether the rates are these values in their own precision; this reads tensors."""
    if values is None or len(rates) != len(values):
        return False
    return all(
        bool((rate == full_like(rate, value)).all()) if isinstance(rate, Tensor) else rate == value
        for rate, value in zip(rates, values, strict=True)
    )
