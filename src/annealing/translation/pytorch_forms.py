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
from .forms import form, listed_parts, one_after_another, piece
from .schedule_outline import ScheduleOutline, share

# LinearLR refuses a factor of 0; from this one its first rate is below the rounding of the peak, and its products,
# step by step, are still exact to that rounding.
SMALLEST_FACTOR = 1e-16
FOREVER = 2**31  # steps
SETTINGS = "last_epoch verbose"
MOMENTUM = f"{SETTINGS} lr cycle_momentum base_momentum max_momentum"
MULTIPLIES = ("ConstantLR", "LinearLR", "StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR")


def by_exponential(lr: float, gamma: float) -> Schedule:
    return recipes.exponential(lr, gamma) if gamma < 1 else recipes.constant(lr)


def line(lr: float, start_factor: float, end_factor: float, steps: Any) -> Schedule:
    for name, factor in (("start_factor", start_factor), ("end_factor", end_factor)):
        if not 0 <= factor <= 1:
            raise ScheduleError(f"{name} must be between 0 and 1, got {factor!r}")
    return recipes.linear(lr * start_factor, lr * end_factor, steps)


def _milestones(given: Any) -> list[Any]:
    # A live scheduler holds a Counter: how often each milestone was listed.
    counted = given.items() if isinstance(given, Mapping) else [(time, 1) for time in given]
    return sorted(time for time, count in counted for _ in range(count))


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


def _proposed_cycle(o: ScheduleOutline) -> list[dict[str, Any]]:
    up, down = o.parts[:2]
    steps = int(o.number(down.stop)) + 1
    factors = {"div_factor": up.end / up.start, "final_div_factor": up.start / down.end if down.end else 1e12}
    shared = {"max_lr": up.end, "total_steps": steps, "pct_start": float(Fraction(up.stop + 1) / steps), **factors}
    return [shared, {**shared, "anneal_strategy": "linear"}]


def _cyclic(a: Any) -> Schedule:
    if a.scale_fn is not None:
        raise ScheduleError("CyclicLR: scale_fn is a function, which cannot be read; use mode instead")
    if a.mode == "exp_range" and a.gamma < 1:
        return recipes.exp_range(a.base_lr, a.max_lr, a.step_size_up, a.step_size_down, gamma=a.gamma)
    named = {"triangular": recipes.triangular, "triangular2": recipes.triangular2, "exp_range": recipes.triangular}
    if a.mode not in named:
        raise ScheduleError(f"CyclicLR: mode must be one of {', '.join(named)}, got {a.mode!r}")
    return named[a.mode](a.base_lr, a.max_lr, a.step_size_up, a.step_size_down)


def _triangles(o: ScheduleOutline) -> list[dict[str, Any]]:
    up, down = o.parts[:2]
    steps = {"step_size_up": o.number(up.length), "step_size_down": o.number(down.length)}
    shared = {"base_lr": up.start, "max_lr": up.end, **steps, "cycle_momentum": False}
    return [shared, {**shared, "mode": "triangular2"}]


def _chained(a: Any) -> Schedule:
    for part in a.schedulers:
        # Others do not multiply the rate that they find, or pull it towards eta_min.
        if part.get("name") not in MULTIPLIES or part.get("eta_min"):
            raise ScheduleError(f"only {', '.join(MULTIPLIES)} without eta_min can be read as factors, got {part!r}")
    first, *others = listed_parts("torch", a.schedulers, {"lr": 1.0})
    chain: Schedule = functools.reduce(operator.mul, others, a.lr * first)
    return chain


torch = functools.partial(form, "torch", ignored=SETTINGS)
torch(
    "ConstantLR(lr, factor=0.3333333333333333, total_iters=5)",
    lambda a: recipes.constant(a.lr * a.factor, a.total_iters) >> recipes.constant(a.lr),
    lambda o: {
        "lr": o.peak,
        "factor": share(o.start, o.peak),
        "total_iters": FOREVER if len(o.parts) == 1 else o.length,
    },
)
torch(
    "LinearLR(lr, start_factor=0.3333333333333333, end_factor=1.0, total_iters=5)",
    lambda a: line(a.lr, a.start_factor, a.end_factor, a.total_iters),
    lambda o: {
        "lr": o.peak,
        "start_factor": max(share(o.start, o.peak), SMALLEST_FACTOR),
        "end_factor": share(o.end, o.peak),
        "total_iters": o.length,
    },
)
torch(
    "CosineAnnealingLR(lr, T_max, eta_min=0.0)",
    lambda a: piece(shapes.cosine, a.lr, a.eta_min, a.T_max).beyond("mirror"),
    "lr=start T_max=length eta_min=end",
)
torch(
    "CosineAnnealingWarmRestarts(lr, T_0, T_mult=1, eta_min=0.0)",
    lambda a: recipes.warm_restarts(a.lr, a.eta_min, T_0=a.T_0, T_mult=a.T_mult),
    lambda o: {"lr": o.start, "T_0": o.length, "T_mult": max(1, round(o.growth)), "eta_min": o.end},
)
torch(
    "StepLR(lr, step_size, gamma=0.1)",
    lambda a: recipes.step(a.lr, a.step_size, a.gamma),
    lambda o: o.stairs and {"lr": o.top, "step_size": o.stairs.times[0], "gamma": o.stairs.factor},
)
torch(
    "MultiStepLR(lr, milestones, gamma=0.1)",
    lambda a: recipes.multistep(a.lr, _milestones(a.milestones), a.gamma),
    "lr=top milestones=stairs.times gamma=stairs.factor",
)
torch(
    "ExponentialLR(lr, gamma)",
    lambda a: by_exponential(a.lr, a.gamma),
    lambda o: {"lr": o.start, "gamma": o.fall ** (1 / float(o.parts[0].length))},
)
torch(
    "PolynomialLR(lr, total_iters=5, power=1.0)",
    lambda a: recipes.polynomial(a.lr, 0.0, a.total_iters, a.power),
    "lr=start total_iters=length power=power",
)
torch(
    "OneCycleLR(max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3, anneal_strategy='cos', "
    "div_factor=25.0, final_div_factor=1e4, three_phase=False)",
    one_cycle,
    _proposed_cycle,
    ignored=MOMENTUM,
)
torch(
    "CyclicLR(base_lr, max_lr, step_size_up=2000, step_size_down=None, mode='triangular', gamma=1.0, scale_fn=None, "
    "scale_mode='cycle')",
    _cyclic,
    _triangles,
    ignored=MOMENTUM,
)
torch(
    "SequentialLR(lr, schedulers, milestones)",
    lambda a: one_after_another(listed_parts("torch", a.schedulers, {"lr": a.lr}), a.milestones),
)
torch("ChainedScheduler(lr, schedulers)", _chained)
