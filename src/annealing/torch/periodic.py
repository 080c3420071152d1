"""PyTorch's cyclic schedulers under their own names, with exact values: warm restarts, CyclicLR and OneCycleLR."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import wraps
from inspect import signature
from typing import Any

from torch.compiler import is_dynamo_compiling
from torch.optim import lr_scheduler

from .. import recipes, shapes
from ..errors import ScheduleError, finite
from ..exact import END_OF_TIME, exact, positive
from ..recipes.cyclic import CURVES
from ..schedule.base import Schedule
from ..schedule.nodes import Join, Repeat, Run
from .compat import anneal_strategy
from .decaying import annealed
from .dropin import Exact, Key
from .groups import Groups, checked, copied, eager, kept_on_error, separate, shared
from .state_dicts import Loading


class CosineAnnealingWarmRestarts(Loading, lr_scheduler.CosineAnnealingWarmRestarts, Exact):
    """Cosine annealing with warm restarts (SGDR): cycle i lasts T_i = T_0 * T_mult^i and starts from the group's rate.

    optimizer: any torch.optim.Optimizer. T_0: the steps of the first cycle, a whole number above 0. T_mult: a whole
    number, at least 1. eta_min: a finite number, even above the rates. last_epoch: -1, or one less than the number of
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

    Source: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, which gives 0.0 at 121, the start of cycle 5;
    Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5.
    """

    _arguments = ("T_i", "eta_min")
    _from_bases = _adopts_groups = True

    def _curve(self, base: float, *others: float) -> Schedule | None:
        eta_min = finite(self.eta_min, "eta_min")
        return annealed(base, eta_min, self.T_i) if self.T_i <= END_OF_TIME else None

    @property
    def _time(self) -> float:
        return self.T_cur

    def step(self, epoch: float | None = None) -> None:
        """Advance by one step, or move to any epoch, fractions included."""
        if is_dynamo_compiling():
            self._eager_step(epoch)  # type: ignore[arg-type]
            return
        if epoch is None and (lean := self._lean) is not None:
            state = self.__dict__
            time = state["T_cur"] + 1
            if time == state["T_i"] and state["T_mult"] == 1 and lean.ahead.begin == 0:
                time = 0
            groups = state["optimizer"].param_groups
            if time < state["T_i"] and type(time) is int:
                rates = lean.writer.advance(groups, lean.ahead, time)
                if rates is not None:
                    state.update(_last_lr=rates, T_cur=time, last_epoch=state["last_epoch"] + 1)
                    return
        self._full_step(epoch)

    @eager
    def _full_step(self, epoch: float | None) -> None:
        if epoch is None and (self._is_initial or self.last_epoch < 0):
            epoch = max(self.last_epoch + 1, 0)
        if epoch is not None:
            if epoch < 0:
                raise ScheduleError(f"epoch must be at least 0, got {epoch!r}")
            self._update_lr(epoch)
        elif self._follows():
            self._adopt_groups()
            state = self.__dict__
            state["T_cur"] += 1
            if self.T_cur >= self.T_i:
                state.update(T_cur=self.T_cur % self.T_i, T_i=self.T_i * self.T_mult)
            super()._update_lr(self.last_epoch + 1)
        else:
            self._adopt_groups()
            super().step()
            self._leave()
        self._lean = self._course

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
        self.__dict__.update(T_cur=epoch - begin, T_i=length)
        super()._update_lr(last_epoch)


MOMENTA = ("max_momentums", "base_momentums")


class CyclicLR(Loading, lr_scheduler.CyclicLR, Exact):
    """A cyclical rate: linear from base_lr up to max_lr and back down, repeated.

    optimizer: any torch.optim.Optimizer. base_lr, max_lr: a number, or one for each group. step_size_up,
    step_size_down (by default the same): steps, above 0 (the latter may be 0). mode: "triangular", "triangular2" (each
    cycle has half the amplitude of the one before) or "exp_range" (the amplitude is multiplied by gamma^t). scale_fn,
    scale_mode: your own scale; it then steps as PyTorch does. cycle_momentum: whether the momentum moves the opposite
    way, between max_momentum and base_momentum. last_epoch: -1, or one less than the number of steps already taken.
    A ValueError names a bad argument and leaves the optimizer as it was.

    >>> import torch
    >>> from annealing.torch import CyclicLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    >>> scheduler = CyclicLR(optimizer, base_lr=0.1, max_lr=0.3, step_size_up=2)
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr(), round(optimizer.param_groups[0]["momentum"], 12))
    [0.2] 0.85
    [0.3] 0.8
    [0.2] 0.85
    [0.1] 0.9

    Source: torch.optim.lr_scheduler.CyclicLR; Smith 2017, arXiv 1506.01186.
    """

    _from_bases = _adopts_groups = True
    _arguments = ("max_lrs", "total_size", "step_ratio", "_scaling", "_scale_fn_custom", "cycle_momentum", *MOMENTA)

    @wraps(lr_scheduler.CyclicLR.__init__)  # type: ignore[misc]
    def __init__(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        given = bound(lr_scheduler.CyclicLR, self, optimizer, args, kwargs)
        if not given["step_size_up"] > END_OF_TIME:
            positive(given["step_size_up"], "step_size_up")
        if (down := given["step_size_down"]) is not None and exact(down, "step_size_down") < 0:
            raise ScheduleError(f"step_size_down must be at least 0, got {down!r}")
        with kept_on_error(optimizer):
            separate(optimizer)
            super().__init__(optimizer, *args, **kwargs)
            self._update_lr(self.last_epoch)  # now from base_lr, even if an earlier scheduler set another initial_lr

    def _keys(self, bases: list[Any], groups: Groups) -> list[Key]:
        momenta = (self.max_momentums, self.base_momentums) if self.cycle_momentum else ()
        values = zip(bases, self.max_lrs, *momenta, strict=True)
        return [tuple(map(float, key)) for key in values]

    def _curve(self, base: float, *others: float) -> Schedule | None:
        return self._wave(base, others[0])

    def _momentum(self, base: float, *others: float) -> Schedule | None:
        return self._wave(*others[1:]) if self.cycle_momentum else None

    @property
    def _scaling(self) -> tuple[str, float]:
        """The mode and gamma in use, which PyTorch reads when the scheduler is built or loaded."""
        scale: Any = getattr(self, "_scale_fn_ref", None)
        name = getattr(getattr(scale, "func", scale), "__name__", "")
        for mode in ("triangular", "triangular2", "exp_range"):
            if name == f"_{mode}_scale_fn":
                return mode, scale.args[0] if mode == "exp_range" else self.gamma
        return self.mode, self.gamma

    def _wave(self, start: float, peak: float) -> Schedule | None:
        """From start to peak and back; either may be larger."""
        mode, gamma = self._scaling
        gamma, height = finite(gamma, "gamma"), finite(peak, "max_lr") - finite(start, "base_lr")
        if self._scale_fn_custom is not None or (mode == "exp_range" and not 0 < gamma <= 1):
            return None
        if self.total_size > END_OF_TIME:
            return None
        if mode == "triangular" or (mode == "exp_range" and gamma == 1):
            return Repeat(self._triangle(start, peak))
        triangle = self._triangle(0.0, abs(height))
        if mode == "triangular2":
            waves: Schedule = Repeat(triangle, peak_factor=0.5)
        else:
            waves = Repeat(triangle) * recipes.exponential(1, gamma)
        return start + (waves if height >= 0 else -1 * waves)

    def _triangle(self, start: float, peak: float) -> Schedule:
        total, up = tidy(self.total_size), tidy(self.total_size * self.step_ratio)
        rise = Run(shapes.linear, start, peak, positive(up, "step_size_up"))
        return rise >> Run(shapes.linear, peak, start, total - up) if total > up else rise

    def _join(self, group: dict[str, Any]) -> None:
        base, state = shared(self.base_lrs, "base_lr"), self.__dict__
        group.setdefault("initial_lr", *copied([base]))
        state["base_lrs"], state["max_lrs"] = [*self.base_lrs, base], [*self.max_lrs, shared(self.max_lrs, "max_lr")]
        if self.cycle_momentum:
            for name in ("max_momentum", "base_momentum"):
                group[name] = shared(state[f"{name}s"], name)
                state[f"{name}s"] = [*state[f"{name}s"], group[name]]


class OneCycleLR(Loading, lr_scheduler.OneCycleLR, Exact):
    """One cycle: from max_lr / div_factor up to max_lr, then down to max_lr / (div_factor * final_div_factor).

    optimizer: any torch.optim.Optimizer. max_lr: a number, or one for each group. total_steps, or epochs and
    steps_per_epoch: whole numbers above 0. pct_start: the share of the steps during which the rate rises, from 0 to 1.
    anneal_strategy: "cos" or "linear". cycle_momentum: whether the momentum moves the opposite way, between
    max_momentum and base_momentum. div_factor, final_div_factor: not 0. three_phase: whether the rate first falls back
    to its start, as fast as it rose, and then to its last value. last_epoch: -1, or one less than the number of steps
    already taken. A ValueError names a bad argument and leaves the optimizer as it was. The last value is reached after
    total_steps - 1 steps and held for one more, because training loops take it; another step raises a ScheduleError.

    >>> import torch
    >>> from annealing.torch import OneCycleLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    >>> scheduler = OneCycleLR(optimizer, max_lr=1, total_steps=5, pct_start=0.6, div_factor=4, final_div_factor=1)
    >>> for _ in range(5):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print([round(rate, 12) for rate in scheduler.get_last_lr()])
    [0.625]
    [1.0]
    [0.625]
    [0.25]
    [0.25]

    Source: torch.optim.lr_scheduler.OneCycleLR; Smith and Topin 2018, arXiv 1708.07120.
    """

    _from_bases = _adopts_groups = True
    _arguments = ("total_steps", "_schedule_phases", "_strategy", "cycle_momentum")
    _strategy = property(anneal_strategy)
    ENDS = ("initial_lr", "max_lr", "min_lr")
    MOMENTA = ("max_momentum", "base_momentum")

    @property
    def _in_groups(self) -> tuple[str, ...]:
        """The values of the cycle that every group holds."""
        return (*self.ENDS, *self.MOMENTA) if self.cycle_momentum else self.ENDS

    @wraps(lr_scheduler.OneCycleLR.__init__)  # type: ignore[misc]
    def __init__(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        given = bound(lr_scheduler.OneCycleLR, self, optimizer, args, kwargs)
        for name in ("div_factor", "final_div_factor"):
            if given[name] == 0 or given[name] != given[name]:  # inf is allowed: it starts or ends at 0
                raise ScheduleError(f"{name} must be a number other than 0, got {given[name]!r}")
        with kept_on_error(optimizer):
            separate(optimizer)
            if given["last_epoch"] != -1:
                self._complete(optimizer.param_groups, given)
            super().__init__(optimizer, *args, **kwargs)

    def _complete(self, groups: Groups, given: dict[str, Any]) -> None:
        """Take the values of the cycle from the arguments where a resumed optimizer lacks them."""
        for i, group in enumerate(groups):
            peak, high, low = (
                value[i] if isinstance(value := given[name], list | tuple) else value
                for name in ("max_lr", *self.MOMENTA)
            )
            if not group.keys() >= set(self.ENDS):
                first = peak / given["div_factor"]
                group.update(initial_lr=first, max_lr=peak, min_lr=first / given["final_div_factor"])
            if given["cycle_momentum"]:
                group.setdefault("max_momentum", high)
                group.setdefault("base_momentum", low)

    def _keys(self, bases: list[Any], groups: Groups) -> list[Key]:
        return [tuple(float(group[name]) for name in self._in_groups) for group in groups]

    def _curve(self, base: float, *others: float) -> Schedule | None:
        return self._phased("lr", dict(zip(self.ENDS, (base, *others[:2]), strict=True)))

    def _momentum(self, base: float, *others: float) -> Schedule | None:
        return (
            self._phased("momentum", dict(zip(self.MOMENTA, others[2:], strict=True))) if self.cycle_momentum else None
        )

    def _phased(self, what: str, values: dict[str, float]) -> Schedule:
        """The phases that have a length; one that starts before 0 is cut at 0."""
        begin, shape = Fraction(0), CURVES["cosine" if self._strategy == "cos" else "linear"]
        runs, last = list[Schedule](), 0.0
        for phase in self._schedule_phases:
            start, last = (finite(values[phase[f"{end}_{what}"]], what) for end in ("start", "end"))  # type: ignore[literal-required]
            end = tidy(phase["end_step"])
            if end > max(begin, Fraction(0)):
                run: Schedule = Run(shape, start, last, end - begin)
                runs.append(run.shifted(begin) if begin < 0 else run)
            begin = end
        return Join(tuple(runs)) if runs else recipes.constant(last)

    @property
    def _until(self) -> float:  # type: ignore[override]
        return self.total_steps

    def _join(self, group: dict[str, Any]) -> None:
        others = self.optimizer.param_groups[: len(self.base_lrs)]
        for name in self._in_groups:
            group[name] = shared([other[name] for other in others], name)
        super()._join(group)


def tidy(steps: float) -> Fraction:
    """A number of steps, without the rounding error of the product that it comes from."""
    return exact(float(f"{steps:.14g}"), "a number of steps")


def bound(kind: type, scheduler: Any, optimizer: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of a constructor by name, defaults included."""
    found = signature(kind.__init__).bind(scheduler, checked(optimizer), *args, **kwargs)  # type: ignore[misc]
    found.apply_defaults()
    return found.arguments
