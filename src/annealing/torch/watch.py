"""The rates of an optimizer, checked against a schedule at every update."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from ..errors import ScheduleError, whole
from ..schedule.base import Schedule

DOUBLE = 1e-12  # of the peak: a schedule that is stepped in float64
SINGLE = 4e-7  # of the peak: a rate in a tensor of float32
HORIZON = 10**6  # where a schedule without an end is looked at for its peak
MOST_KEPT = 4096  # updates remembered, evenly spread; beside them the latest
LATEST = 64


class RateError(RuntimeError):
    """An update was about to use a rate that is not the schedule's."""


class Watch:
    """Checks before each update of an optimizer that the rate in every param group is the schedule's.

    It is a pre-hook of `optimizer.step` (PyTorch's public `register_step_pre_hook`): so it sees the rates that the
    update uses, whoever wrote them, and counts the updates that are made, not those that a loss scaler skips. At the
    first wrong rate it warns or raises, with the likely fault; `remove` ends it. With attach=False call `check()`
    yourself, just before `optimizer.step()`.

    schedule: in updates. scale: by group, what the schedule is multiplied with; default the group's "lr_scale" if it
    has one, else 1. on_departure: "warn" or "raise". done: how many updates were made before (on resume). every: a
    rate in a tensor on a device is looked at once in so many updates; it is copied without waiting, and judged when
    the copy has arrived.

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
        schedule: Schedule,
        *,
        scale: Sequence[float] | None = None,
        on_departure: Literal["warn", "raise"] = "warn",
        done: int = 0,
        every: int = 100,
        attach: bool = True,
    ) -> None:
        if on_departure not in ("warn", "raise"):
            raise ScheduleError(f"on_departure must be 'warn' or 'raise', got {on_departure!r}")
        if scale is not None and len(scale) != len(optimizer.param_groups):
            raise ScheduleError(f"scale must have one number for each of {len(optimizer.param_groups)} param groups")
        self.optimizer, self.schedule, self.scale = optimizer, schedule, scale
        self.on_departure, self.done, self.every = on_departure, whole(done, "done", 0), whole(every, "every")
        self.follows = True
        self.message: str | None = None
        from ..audit.landmarks import landmarks

        peak = landmarks(schedule, HORIZON).peak
        self._allowed = DOUBLE * peak, SINGLE * peak
        self._kept = _Kept()
        self._pending: list[tuple[int, int, torch.Tensor, Any, list[float]]] = []
        self._hook = optimizer.register_step_pre_hook(self._before) if attach else None

    def remove(self) -> None:
        """Stop watching."""
        if self._hook is not None:
            self._hook.remove()

    def _before(self, *_: Any) -> None:
        self.check()

    def check(self) -> None:
        """Look at the rates which the next update will use; to be called once an update, just before it."""
        meant = self.schedule(self.done)
        self.done = done = self.done + 1
        allowed, scale, latest = self._allowed[0], self.scale, self._kept.latest
        seen: list[float] = []
        latest.append((done, seen))
        if len(latest) >= 2 * LATEST:
            self._kept.thin()
        for number, group in enumerate(self.optimizer.param_groups):
            rate = group["lr"]
            wanted = meant * (group.get("lr_scale", 1.0) if scale is None else scale[number])
            if type(rate) is float:
                seen.append(rate)
                if not -allowed <= rate - wanted <= allowed:
                    self._depart(number, done, rate, wanted)
            else:
                seen.append(np.nan)
                self._look(number, rate, wanted, seen)
        if self._pending:
            self._arrived()

    def _look(self, number: int, rate: Any, wanted: float, seen: list[float]) -> None:
        """A rate that is no float: a number of another type is read, a tensor on a device is copied on some updates."""
        if isinstance(rate, torch.Tensor) and rate.device.type != "cpu":
            if (self.done - 1) % self.every == 0:
                copy = torch.empty(rate.shape, dtype=rate.dtype, pin_memory=True)
                copy.copy_(rate.detach(), non_blocking=True)
                event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
                event.record()
                self._pending.append((number, self.done, copy, event, seen))
            return
        self._judge(number, self.done, rate, wanted, seen)

    def _judge(self, number: int, update: int, rate: Any, wanted: float, seen: list[float]) -> None:
        single = isinstance(rate, torch.Tensor) and rate.dtype != torch.float64
        seen[number] = float(rate)
        if not abs(seen[number] - wanted) <= self._allowed[single]:
            self._depart(number, update, seen[number], wanted)

    def _arrived(self) -> None:
        waiting, self._pending = self._pending, []
        for one in waiting:
            number, update, copy, event, seen = one
            if event.query():
                self._judge(number, update, copy, self.schedule(update - 1) * self._scale(number), seen)
            else:
                self._pending.append(one)

    def _scale(self, number: int) -> float:
        return float(
            self.optimizer.param_groups[number].get("lr_scale", 1.0) if self.scale is None else self.scale[number]
        )

    def _depart(self, number: int, update: int, rate: float, wanted: float) -> None:
        if not self.follows:
            return
        self.follows = False
        self.message = (
            f"update {update} uses the rate {rate:.6g} in param group {number}, but the schedule {self.schedule} has "
            f"{wanted:.6g}{self._likely(number)}"
        )
        if self.on_departure == "raise":
            raise RateError(self.message)
        warnings.warn(self.message, RuntimeWarning, stacklevel=2)

    def _likely(self, number: int) -> str:
        verdict = self.verdict(number)
        if verdict.follows or verdict.faults[0].name == "unknown":
            return ""
        from ..audit.messages import listed

        return f"; likely: {listed(verdict.faults)}. {verdict.faults[0].advice}"

    def verdict(self, group: int = 0) -> Any:
        """The audit of the rates of a param group seen so far: an `annealing.audit.Verdict`."""
        scale = self._scale(group)
        return self._kept.verdict(self.schedule if scale == 1 else scale * self.schedule, group)


class _Kept:
    """Rates of the updates so far, for all groups: of every one at first, then of ever fewer, and always the latest."""

    def __init__(self) -> None:
        self.every = 1
        self.spread: list[tuple[int, list[float]]] = []
        self.latest: list[tuple[int, list[float]]] = []

    def thin(self) -> None:
        """Keep the older of the latest only where they fall on what is kept of all."""
        self.spread += [one for one in self.latest[:LATEST] if one[0] % self.every == 0]
        del self.latest[:LATEST]
        if len(self.spread) > MOST_KEPT:
            self.every *= 2
            self.spread = [one for one in self.spread if one[0] % self.every == 0]

    def verdict(self, schedule: Schedule, group: int) -> Any:
        from ..audit import Log, audit

        rows = [one for one in (*self.spread, *self.latest) if group < len(one[1])]
        if not rows:
            raise ScheduleError("no rate was seen yet: the verdict needs at least one update")
        clock = np.array([update for update, _ in rows], np.float64)
        rates = np.array([[seen[group]] for _, seen in rows])
        half = np.abs(np.spacing(rates)) / 2
        process = np.zeros(len(clock), np.int64)
        return audit(Log("watch", clock, rates, half, process, (str(group),), shift=-1), schedule)
