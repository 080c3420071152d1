"""timm's schedulers, by the arguments of their constructors and the learning rate of the optimizer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import recipes, shapes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from ..schedule.nodes import Join, Repeat, Run
from .forms import Arguments, form, piece
from .schedule_outline import ScheduleOutline

MOST_CYCLES = 1000  # that are listed one by one
# The unit of the scheduler's clock is the caller's: epochs or updates.
SETTINGS = "t_in_epochs initialize noise_pct noise_std noise_seed noise_type"
CYCLES = "lr_min=0.0, cycle_mul=1.0, cycle_decay=1.0, cycle_limit=1, warmup_t=0, warmup_lr_init=0.0"
STAIRS = "decay_rate=1.0, warmup_t=0, warmup_lr_init=0.0, warmup_prefix=True, noise_range_t=None"


def _cycles(a: Any, make: Callable[[float, Any], Schedule]) -> Schedule:
    """Cycles that grow and whose peaks fall, after a warm-up; `make` is one of them, from a peak and a length."""
    first = make(a.lr, a.t_initial)
    reached = isinstance(first, Run) and first.end == a.lr_min
    if a.cycle_limit == 1:
        core = first
    elif a.cycle_decay == 1:
        core = Repeat(first, a.cycle_limit, a.cycle_mul)
    elif reached and a.lr * a.cycle_decay ** (a.cycle_limit - 1) >= a.lr_min:
        core = Repeat(first, a.cycle_limit, a.cycle_mul, a.cycle_decay)
    elif a.cycle_limit <= MOST_CYCLES:
        # Where a peak falls below lr_min the curve turns over, which no Repeat does: the cycles are listed.
        counts = range(a.cycle_limit)
        core = Join(tuple(make(a.lr * a.cycle_decay**i, a.t_initial * a.cycle_mul**i) for i in counts))
    else:
        most = f"cycle_limit must be at most {MOST_CYCLES:,} with this cycle_decay"
        raise ScheduleError(f"{most}, got {a.cycle_limit!r}")
    # After the last cycle it is lr_min, also where the curve does not come so far.
    return _warmed(a, core if reached else core >> recipes.constant(a.lr_min))


def _warmed(a: Any, core: Schedule) -> Schedule:
    if a.noise_range_t is not None:
        raise ScheduleError(f"noise_range_t adds random noise, which is no schedule: got {a.noise_range_t!r}")
    if not a.warmup_t:
        # The first update is made before the scheduler is asked, with the optimizer's rate; tanh alone starts below it.
        return recipes.constant(a.lr, 1) >> core.shifted(-1) if hasattr(a, "lb") else core
    # Without warmup_prefix the schedule has gone on meanwhile, and tanh alone warms up to the value that it has then.
    rest = core if a.warmup_prefix else core.shifted(-a.warmup_t)
    top = rest(0) if hasattr(a, "lb") and not a.warmup_prefix else a.lr
    return recipes.linear(a.warmup_lr_init, top, a.warmup_t) >> rest


def _cosine(a: Any) -> Schedule:
    shape = shapes.composed(shapes.cosine, shapes.mirrored(shapes.power(a.k_decay)))
    return _cycles(a, lambda peak, length: piece(shape, peak, a.lr_min, length))


def _poly(a: Any) -> Schedule:
    shape = shapes.composed(shapes.power(a.power), shapes.mirrored(shapes.power(a.k_decay)))
    return _cycles(a, lambda peak, length: piece(shape, peak, a.lr_min, length))


def _tanh(a: Any) -> Schedule:
    return _cycles(a, lambda peak, length: recipes.tanh_decay(peak, a.lr_min, length, a.lb, a.ub))


def _warm(o: ScheduleOutline) -> Arguments:
    return {"warmup_t": o.warmup, "warmup_lr_init": o.start} if o.warmup else {}


def _staged(o: ScheduleOutline) -> Arguments:
    prefix = {"warmup_prefix": True} if o.warmup else {}
    return {"lr": o.top, "t_initial": o.decay, "lr_min": o.floor, **_warm(o), **prefix}


def _proposed_cosines(o: ScheduleOutline) -> list[Arguments]:
    shared = _staged(o)
    cycles = {"cycle_mul": float(o.growth), "cycle_decay": o.peak_factor, "cycle_limit": len(o.cycles)}
    found = [shared, {**shared, **cycles}]
    if k := getattr(getattr(getattr(o.decaying.shape, "inner", None), "shape", None), "exponent", None):
        found.append({**shared, "k_decay": k})
    # open_clip's way: the cosine counts from 0, and the warm-up stands in its place.
    return [*found, {**shared, "lr": o.end, "t_initial": o.total, "warmup_prefix": False}] if o.warmup else found


def _proposed_tanh(o: ScheduleOutline) -> Arguments:
    shape: Any = o.decaying.shape
    # The curve does not reach its ends: lr and lr_min are those of the line through both.
    first, last = (recipes.tanh_decay(1, 0, 1, shape.lower, shape.upper)(t) for t in (0, 1))
    width = (o.top - o.floor) / (first - last)
    low = o.top - width * first
    return {**_staged(o), "lr": low + width, "lr_min": low, "lb": shape.lower, "ub": shape.upper}


timm = functools.partial(form, "timm", ignored=SETTINGS)
timm(
    f"CosineLRScheduler(lr, t_initial, {CYCLES}, warmup_prefix=False, noise_range_t=None, k_decay=1.0)",
    _cosine,
    _proposed_cosines,
)
timm(
    f"PolyLRScheduler(lr, t_initial, power=0.5, {CYCLES}, warmup_prefix=False, noise_range_t=None, k_decay=1.0)",
    _poly,
    lambda o: {**_staged(o), "power": o.power},
)
timm(
    f"TanhLRScheduler(lr, t_initial, lb=-7.0, ub=3.0, {CYCLES}, warmup_prefix=False, noise_range_t=None)",
    _tanh,
    _proposed_tanh,
)
timm(
    f"StepLRScheduler(lr, decay_t, {STAIRS})",
    lambda a: _warmed(a, recipes.step(a.lr, a.decay_t, a.decay_rate)),
    lambda o: o.stairs and {"lr": o.top, "decay_t": o.stairs.times[0], "decay_rate": o.stairs.factor, **_warm(o)},
)
timm(
    f"MultiStepLRScheduler(lr, decay_t, {STAIRS})",
    # A milestone is compared with t + 1, so that every drop comes one step before it.
    lambda a: _warmed(a, recipes.multistep(a.lr, [max(0, time - 1) for time in a.decay_t], a.decay_rate)),
    lambda o: (
        o.stairs
        and {"lr": o.top, "decay_t": [t + 1 for t in o.stairs.times], "decay_rate": o.stairs.factor, **_warm(o)}
    ),
)
