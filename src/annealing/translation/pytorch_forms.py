"""PyTorch's schedulers, by the arguments of their constructors and the learning rate of the optimizer."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .. import recipes, shapes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .forms import Arguments, form, listed_parts, one_after_another, piece
from .schedule_outline import ScheduleOutline, share

# LinearLR refuses a factor of 0; from this one its first rate is below the rounding of the peak, and its products,
# step by step, are still exact to that rounding.
SMALLEST_FACTOR = 1e-16
FOREVER = 2**31  # steps
SETTINGS = "last_epoch verbose"
MOMENTUM = f"{SETTINGS} lr cycle_momentum base_momentum max_momentum"
MULTIPLIES = ("ConstantLR", "LinearLR", "StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR")


def line(a: Any, steps: Any) -> Schedule:
    for name in ("start_factor", "end_factor"):
        if not 0 <= (factor := getattr(a, name)) <= 1:
            raise ScheduleError(f"{name} must be between 0 and 1, got {factor!r}")
    return recipes.linear(a.lr * a.start_factor, a.lr * a.end_factor, steps)


def _milestones(given: Any) -> list[Any]:
    # A live scheduler holds a Counter: how often each milestone was listed.
    counted = given.items() if isinstance(given, Mapping) else [(time, 1) for time in given]
    return sorted(time for time, count in counted for _ in range(count))


def _proposed_cycle(o: ScheduleOutline) -> list[Arguments]:
    up, down = o.parts[:2]
    steps = int(o.number(down.stop)) + 1
    factors = {"div_factor": up.end / up.start, "final_div_factor": up.start / down.end if down.end else 1e12}
    shared = {"max_lr": up.end, "total_steps": steps, "pct_start": float(Fraction(up.stop + 1) / steps), **factors}
    return [shared, {**shared, "anneal_strategy": "linear"}]


def _triangles(o: ScheduleOutline) -> list[Arguments]:
    steps = {"step_size_up": o.length, "step_size_down": o.next_length}
    shared = {"base_lr": o.start, "max_lr": o.end, **steps, "cycle_momentum": False}
    return [shared, {**shared, "mode": "triangular2"}]


torch = functools.partial(form, "torch", ignored=SETTINGS)
torch(
    "ConstantLR(lr, factor=0.3333333333333333, total_iters=5)",
    lambda o: {
        "lr": o.peak,
        "factor": share(o.start, o.peak),
        "total_iters": FOREVER if len(o.parts) == 1 else o.length,
    },
)(lambda a: recipes.constant(a.lr * a.factor, a.total_iters) >> recipes.constant(a.lr))
torch(
    "LinearLR(lr, start_factor=0.3333333333333333, end_factor=1.0, total_iters=5)",
    lambda o: {
        "lr": o.peak,
        "start_factor": max(share(o.start, o.peak), SMALLEST_FACTOR),
        "end_factor": share(o.end, o.peak),
        "total_iters": o.length,
    },
)(lambda a: line(a, a.total_iters))
torch("CosineAnnealingLR(lr: start, T_max: length, eta_min: end = 0.0)")(
    lambda a: piece(shapes.cosine, a.lr, a.eta_min, a.T_max).beyond("mirror")
)
torch(
    "CosineAnnealingWarmRestarts(lr, T_0, T_mult=1, eta_min=0.0)",
    lambda o: {"lr": o.start, "T_0": o.length, "T_mult": max(1, round(o.growth)), "eta_min": o.end},
)(lambda a: recipes.warm_restarts(a.lr, a.eta_min, T_0=a.T_0, T_mult=a.T_mult))
torch("StepLR(lr: top, step_size: stairs.length, gamma: stairs.factor = 0.1)")(
    lambda a: recipes.step(a.lr, a.step_size, a.gamma)
)
torch("MultiStepLR(lr: top, milestones: stairs.times, gamma: stairs.factor = 0.1)")(
    lambda a: recipes.multistep(a.lr, _milestones(a.milestones), a.gamma)
)


@torch("ExponentialLR(lr, gamma)", lambda o: {"lr": o.start, "gamma": o.fall ** (1 / float(o.parts[0].length))})
def by_exponential(a: Any) -> Schedule:
    return recipes.exponential(a.lr, a.gamma) if a.gamma < 1 else recipes.constant(a.lr)


torch("PolynomialLR(lr: start, total_iters: length = 5, power: power = 1.0)")(
    lambda a: recipes.polynomial(a.lr, 0.0, a.total_iters, a.power)
)


@torch(
    "OneCycleLR(max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3, anneal_strategy='cos', "
    "div_factor=25.0, final_div_factor=1e4, three_phase=False)",
    _proposed_cycle,
    ignored=MOMENTUM,
)
def one_cycle(a: Any) -> Schedule:
    steps = a.total_steps if a.total_steps is not None else (a.epochs or 0) * (a.steps_per_epoch or 0)
    if steps < 2:
        raise ScheduleError(f"OneCycleLR: total_steps must be at least 2, got {steps!r}")
    # PyTorch counts the first step as well: the peak is at pct_start * total_steps - 1. A float stands for its shortest
    # decimal, so that 0.3 of 100 steps is 30.
    share = (Fraction(repr(float(a.pct_start))) * steps - 1) / (steps - 1)
    curve = "cosine" if a.anneal_strategy == "cos" else a.anneal_strategy
    factors = {"div_factor": a.div_factor, "final_div_factor": a.final_div_factor}
    return recipes.one_cycle(a.max_lr, steps - 1, pct_start=share, curve=curve, three_phase=a.three_phase, **factors)


@torch(
    "CyclicLR(base_lr, max_lr, step_size_up=2000, step_size_down=None, mode='triangular', gamma=1.0, scale_fn=None, "
    "scale_mode='cycle')",
    _triangles,
    ignored=MOMENTUM,
)
def _cyclic(a: Any) -> Schedule:
    if a.scale_fn is not None:
        raise ScheduleError("CyclicLR: scale_fn is a function, which cannot be read; use mode instead")
    cycle = (a.base_lr, a.max_lr, a.step_size_up, a.step_size_down)
    if a.mode == "exp_range" and a.gamma < 1:
        return recipes.exp_range(*cycle, gamma=a.gamma)
    named = {"triangular": recipes.triangular, "triangular2": recipes.triangular2, "exp_range": recipes.triangular}
    if a.mode not in named:
        raise ScheduleError(f"CyclicLR: mode must be one of {', '.join(named)}, got {a.mode!r}")
    return named[a.mode](*cycle)


torch("SequentialLR(lr, schedulers, milestones)")(
    lambda a: one_after_another(listed_parts("torch", a.schedulers, {"lr": a.lr}), a.milestones)
)


@torch("ChainedScheduler(lr, schedulers)")
def _chained(a: Any) -> Schedule:
    for part in a.schedulers:
        # Others do not multiply the rate that they find, or pull it towards eta_min.
        if part.get("name") not in MULTIPLIES or part.get("eta_min"):
            raise ScheduleError(f"only {', '.join(MULTIPLIES)} without eta_min can be read as factors, got {part!r}")
    first, *others = listed_parts("torch", a.schedulers, {"lr": 1.0})
    chain: Schedule = functools.reduce(operator.mul, others, a.lr * first)
    return chain
