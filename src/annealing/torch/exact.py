"""The rule of all drop-ins: who wrote the rates last decides whether the exact curve or PyTorch's own step is next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, compiler, full_like
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..schedule import Schedule

Marks = list[tuple[Any, int | None]]
Method = TypeVar("Method", bound=Callable[..., Any])


def eager(method: Method) -> Method:
    """Keep torch.compile out: what follows is about Python objects and their identity."""
    return compiler.disable(method)  # type: ignore[no-any-return, no-untyped-call]


class Curves(NamedTuple):
    """The curve of every group by its base rate, and what they were made from."""

    arguments: list[Any]
    origin: Marks
    bases: list[float]
    by_base: dict[float, Schedule | None]

    def values(self, time: float) -> list[float] | None:
        time = time if type(time) is int else float(time)
        values = {base: curve(time) for base, curve in self.by_base.items() if curve is not None}
        return [values[base] for base in self.bases] if values else None


class Trail(NamedTuple):
    """Where the scheduler stood after its last step, and what it wrote there if that was a value of its curve."""

    time: float
    curves: Curves
    written: Marks | None


class Exact(LRScheduler):
    """A PyTorch scheduler that writes its exact curve while the rates are its own, and else steps as PyTorch does.

    A subclass names the arguments that make its curve, and says what the curve is. The curve is in force

    - from an absolute epoch on: `step(epoch)`, or the first step as a later part of SequentialLR;
    - from construction on, where the rates found are the initial ones or, with `last_epoch`, those of that epoch;
    - after a loaded state, a copy, or a change of an argument, where the rates found are those of the curve;

    and from then on while every group holds what was written last: the same float object, or the same tensor with
    the same version. From the first foreign rate on every step is PyTorch's, bit for bit.
    """

    __slots__ = ("_made", "_trail")  # not in __dict__, which is PyTorch's state_dict
    _arguments: tuple[str, ...]
    _made: Curves | None
    _trail: Trail | None

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self._forget()
        self._get_lr_called_within_step = False
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

    @eager
    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None and not self._follows():
            self._step_as_torch()
            return
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        curves = self._curves()
        values = curves.values(self._time)
        if values is None:
            self._step_as_torch(self.last_epoch)
        else:
            self._write(values, curves)

    def _step_as_torch(self, epoch: int | None = None) -> None:
        if epoch is None and self._is_initial and self.last_epoch >= 0:  # resumed: the rates are this epoch's already
            self.last_epoch += 1
            self._last_lr = [_copy(rate) for rate in self._rates()]
        else:
            super()._update_lr(epoch)
        self._leave()

    def _leave(self) -> None:
        self._trail = Trail(self._time, self._curves(), None)

    def _write(self, values: list[float], curves: Curves) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value
        rates = self._rates()
        self._last_lr = [_copy(rate) for rate in rates]
        self._trail = Trail(self._time, curves, _marks(rates))

    def _follows(self) -> bool:
        """Whether the rates found lie on the curve, so that the next step goes on along it."""
        rates, curves, trail = self._rates(), self._curves(), self._trail
        if self._is_initial:
            values = curves.values(self.last_epoch + 1)
            initial = values is not None and _hold(rates, curves.bases)
            return initial or (self.last_epoch >= 0 and _hold(rates, values))
        if trail and trail.curves is curves and trail.time == self._time:
            return trail.written is not None and _unchanged(trail.written, rates)
        return _hold(rates, curves.values(self._time))

    def _rates(self) -> list[Any]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _curves(self) -> Curves:
        """The curves of the groups, made again when an argument or a base rate is another one."""
        made, arguments = self._made, [getattr(self, name) for name in self._arguments]
        same = made is not None and _unchanged(made.origin, self.base_lrs)
        if made is None or not same or made.arguments != arguments:
            bases = made.bases if made and same else [float(base) for base in self.base_lrs]
            by_base = {base: self._curve(base) for base in bases}
            made = self._made = Curves(arguments, _marks(self.base_lrs), bases, by_base)
        return made

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._made = self._trail = None


def _copy(rate: Any) -> Any:
    return rate.clone() if isinstance(rate, Tensor) else rate


def _marks(rates: list[Any]) -> Marks:
    return [(rate, rate._version if isinstance(rate, Tensor) else None) for rate in rates]


def _unchanged(marks: Marks, rates: list[Any]) -> bool:
    """Whether the rates are the marked objects, in the versions that they had."""
    if len(marks) != len(rates):
        return False
    for (marked, version), rate in zip(marks, rates, strict=True):
        if rate is not marked or (version is not None and rate._version != version):
            return False
    return True


def _hold(rates: list[Any], values: list[float] | None) -> bool:
    """Whether the rates are these values in their own precision; this reads tensors."""
    if values is None or len(rates) != len(values):
        return False
    return all(
        bool((rate == full_like(rate, value)).all()) if isinstance(rate, Tensor) else rate == value
        for rate, value in zip(rates, values, strict=True)
    )
