"""Watch: checks the rates of an optimizer against a schedule at every update."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from ..errors import ScheduleError, whole
from ..schedule.base import Schedule
from .hyperparameters import ANY, Hyperparameter
from .scheduler import Scheduler

DOUBLE = 1e-12  # tolerance, as a share of the peak, for rates stepped in float64
SINGLE = 4e-7  # the same for rates in float32 tensors
HORIZON = 10**6  # up to here a schedule without an end is searched for its peak
MOST_KEPT = 4096  # updates remembered, evenly spread, besides the latest
LATEST = 64
# How many updates after the departure to search for the fault. It is named when two searches in a row agree, because
# one or two wrong rates fit nearly any fault.
LOOKS = (16, 32, 64, 128, 256, 1024, 4096)


class RateError(RuntimeError):
    """An update was about to use a rate that differs from the schedule."""


class Watch:
    """Checks before each update of an optimizer that the rate in every param group is the schedule's.

    It is a pre-hook of `optimizer.step` (PyTorch's public `register_step_pre_hook`), so it sees the rates that the
    update uses, whoever wrote them. It counts the updates that are made: not those that a loss scaler skips (even
    inside a fused step), nor the step at rate 0 with zero gradients that sharded checkpoints use to initialize an
    optimizer. At the first wrong rate it warns or raises; once it has seen enough to identify the fault, it warns again
    and names it. `remove` ends the watch. With attach=False call `check()` yourself, just before `optimizer.step()`.

    optimizer: may be prepared or wrapped, with the real one as `.optimizer`. schedule: in updates; or a Scheduler,
    whose schedules, scales and position then apply. scale: one factor for each group; the default is the group's
    "lr_scale" if it has one, else 1. on_departure: "warn" or "raise". done: how many updates were made before (when
    resuming), or a scheduler or its state, which is asked at the first update. every: a rate that is a tensor on a
    device is checked once in this many updates; it is copied without waiting, and checked when the copy has arrived.

    >>> import torch
    >>> from annealing import cosine
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    >>> watch = Watch(optimizer, cosine(0.1, 0, 10), on_departure="raise")
    >>> for _ in range(10):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> watch.follows, watch.done
    (True, 10)
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule | Scheduler,
        *,
        scale: Sequence[float] | None = None,
        on_departure: Literal["warn", "raise"] = "warn",
        done: Any = None,
        every: int = 100,
        attach: bool = True,
    ) -> None:
        if on_departure not in ("warn", "raise"):
            raise ScheduleError(f"on_departure must be 'warn' or 'raise', got {on_departure!r}")
        optimizer = unwrapped(optimizer)
        groups = optimizer.param_groups
        if scale is not None and len(scale) != len(groups):
            raise ScheduleError(f"scale must have one number for each of {len(groups)} param groups")
        if isinstance(schedule, Scheduler):
            done = schedule if done is None else done
            self._rates = _rates_of(schedule)
        else:
            factors = ("lr_scale", None) if scale is None else ("base", [*scale])
            self._rates = Hyperparameter("lr", None, schedule, *factors)
            self._rates.range = ANY
        self.optimizer, self.schedule, self.scale = optimizer, self._rates.distinct[0], scale
        self._position = None if done is None or isinstance(done, int) else done
        self.done = whole(done, "done", 0) if isinstance(done, int) else 0
        self.on_departure, self.every = on_departure, whole(every, "every")
        self.follows = True
        self.message: str | None = None
        self._departed: tuple[int, int] | None = None  # the update and the group
        self._named: Any = None
        from ..audit.faults import landmarks

        peak = max(landmarks(self.schedule, HORIZON).peak, *map(abs, self._rates.values(0, groups)))
        self._allowed = DOUBLE * peak, SINGLE * peak
        self._kept = _Kept()
        self._pending: list[tuple[int, int, torch.Tensor, Any, list[float]]] = []
        self._hook = optimizer.register_step_pre_hook(self._before) if attach else None

    def remove(self) -> None:
        """Stop watching."""
        if self._hook is not None:
            self._hook.remove()

    def _before(self, *_: Any) -> None:
        if not self._is_empty():
            self.check()

    def _is_empty(self) -> bool:
        """Whether the step that is about to be made changes nothing."""
        skipped = getattr(self.optimizer, "found_inf", None)  # a fused step skips by itself where a GradScaler sets it
        if isinstance(skipped, torch.Tensor):
            return bool(skipped.item())
        groups = self.optimizer.param_groups
        if any(isinstance(group["lr"], torch.Tensor) and group["lr"].device.type != "cpu" for group in groups):
            return False  # reading the rate would wait for the device
        if any(group["lr"] != 0 for group in groups):
            return False
        gradients = [value.grad for group in groups for value in group["params"] if value.grad is not None]
        return bool(gradients) and not any(bool(gradient.any()) for gradient in gradients)

    def check(self) -> None:
        """Check the rates that the next update will use; call it once per update, just before it."""
        if self._position is not None:
            self.done, self._position = position_of(self._position), None
        groups, allowed, latest = self.optimizer.param_groups, self._allowed[0], self._kept.latest
        intended = self._intended(self.done)
        self.done = done = self.done + 1
        seen: list[float] = []
        latest.append((done, seen))
        if len(latest) >= 2 * LATEST:
            self._kept.thin()
        for number, (group, right) in enumerate(zip(groups, intended, strict=True)):
            rate = group["lr"]
            if type(rate) is float:
                seen.append(rate)
                if not -allowed <= rate - right <= allowed:
                    self._depart(number, done, rate, right)
            else:
                seen.append(np.nan)
                self._check_other(number, rate, right, seen)
        if self._pending:
            self._arrived()
        if self._departed is not None and done - self._departed[0] in LOOKS:
            self._look_for_the_fault()

    def _intended(self, done: int) -> list[float]:
        """The intended rate of each group after this many updates."""
        groups = self.optimizer.param_groups
        values = self._rates.of_all(done, groups)
        # Groups without a schedule may hold anything.
        return [float(group["lr"]) if one is None else one for group, one in zip(groups, values, strict=True)]

    def _check_other(self, number: int, rate: Any, intended: float, seen: list[float]) -> None:
        """Check a rate that is not a float; a tensor on a device is copied now and then, and checked later."""
        if isinstance(rate, torch.Tensor) and rate.device.type != "cpu":
            if (self.done - 1) % self.every == 0:
                copy = torch.empty(rate.shape, dtype=rate.dtype, pin_memory=True)
                copy.copy_(rate.detach(), non_blocking=True)
                event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
                event.record()
                self._pending.append((number, self.done, copy, event, seen))
            return
        self._judge(number, self.done, rate, intended, seen)

    def _judge(self, number: int, update: int, rate: Any, intended: float, seen: list[float]) -> None:
        single = isinstance(rate, torch.Tensor) and rate.dtype != torch.float64
        seen[number] = float(rate)
        if not abs(seen[number] - intended) <= self._allowed[single]:
            self._depart(number, update, seen[number], intended)

    def _arrived(self) -> None:
        waiting, self._pending = self._pending, []
        for one in waiting:
            number, update, copy, event, seen = one
            if event.query():
                self._judge(number, update, copy, self._intended(update - 1)[number], seen)
            else:
                self._pending.append(one)

    def _depart(self, number: int, update: int, rate: float, intended: float) -> None:
        if not self.follows:
            return
        self.follows, self._departed = False, (update, number)
        schedule = self._schedule(number)
        self.message = (
            f"update {update} uses the rate {rate:.6g} in param group {number}, but the schedule {schedule} says "
            f"{intended:.6g}"
        )
        if self.on_departure == "raise":
            raise RateError(self.message)
        warnings.warn(self.message, RuntimeWarning, stacklevel=2)

    def _look_for_the_fault(self) -> None:
        assert self._departed is not None
        update, number = self._departed
        seen = {rates[number] for _, rates in (*self._kept.spread, *self._kept.latest) if number < len(rates)}
        if len(seen) == 1:
            # Any step interval longer than what was seen would fit too, so name none.
            self._explain(
                f"the rate of param group {number} has not changed in {self.done} updates: the scheduler has not been "
                "stepped. Check that it belongs to this optimizer and is stepped once per update."
            )
            return
        verdict = self.verdict(number)
        named = None if verdict.follows or verdict.faults[0].name == "unknown" else verdict.faults
        if named is None or self._named is None or _names(named) != _names(self._named):
            self._named = named
            return
        from ..audit.verdict import listed

        self._explain(
            f"the rates of param group {number} are wrong from update {update} on: {listed(named)}. {named[0].advice}"
        )

    def _explain(self, message: str) -> None:
        self.message, self._departed = message, None
        warnings.warn(message, RuntimeWarning, stacklevel=3)

    def _schedule(self, number: int) -> Schedule:
        """The schedule of a group, without its scale."""
        each = self._rates.schedules
        return (each[number] if isinstance(each, list) else None) or self.schedule

    def verdict(self, group: int = 0) -> Any:
        """The audit of a param group's rates so far: an `annealing.audit.Verdict`."""
        scale = self._rates.factors(self.optimizer.param_groups)[group] if self._rates.scale else 1
        schedule = self._schedule(group)
        return self._kept.verdict(schedule if scale == 1 else scale * schedule, group)


def unwrapped(optimizer: Any) -> Any:
    """The real optimizer, which has the hooks; Accelerate and others keep it as `.optimizer`."""
    while isinstance(inner := getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
        optimizer = inner
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ScheduleError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    return optimizer


def position_of(known: Any) -> int:
    """The number of updates made, according to a scheduler or its state."""
    for name in ("position", "last_epoch"):
        found = known.get(name) if isinstance(known, dict) else getattr(known, name, None)
        if isinstance(found, int | float):
            return whole(int(found), "done", 0)
    raise ScheduleError(f"done must be a number of updates, a scheduler or a state of one, got {known!r}")


def _rates_of(scheduler: Scheduler) -> Hyperparameter:
    for one in scheduler._hyperparameters:
        if one.name == "lr":
            return one.following(one.schedules)
    raise ScheduleError("the Scheduler has no schedule of lr to watch")


def _names(faults: Any) -> list[tuple[str, Any]]:
    return [(fault.name, fault.parameters) for fault in faults]


class _Kept:
    """The rates of past updates for all groups: all of them at first, then ever fewer, and always the latest."""

    def __init__(self) -> None:
        self.every = 1
        self.spread: list[tuple[int, list[float]]] = []
        self.latest: list[tuple[int, list[float]]] = []

    def thin(self) -> None:
        """Move the older of the latest updates to the evenly spread ones, dropping those in between."""
        self.spread += [one for one in self.latest[:LATEST] if one[0] % self.every == 0]
        del self.latest[:LATEST]
        if len(self.spread) > MOST_KEPT:
            self.every *= 2
            self.spread = [one for one in self.spread if one[0] % self.every == 0]

    def verdict(self, schedule: Schedule, group: int) -> Any:
        from ..audit import Log, audit

        rows = [one for one in (*self.spread, *self.latest) if group < len(one[1])]
        if not rows:
            raise ScheduleError("no rate has been seen yet: the verdict needs at least one update")
        clock = np.array([update for update, _ in rows], np.float64)
        rates = np.array([[seen[group]] for _, seen in rows])
        half = np.abs(np.spacing(rates)) / 2
        process = np.zeros(len(clock), np.int64)
        return audit(Log("watch", clock, rates, half, process, (str(group),), shift=-1), schedule)
