"""The schedules of Megatron-LM, DeepSpeed, torchtitan and axolotl, by the keys of their configurations."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from .. import recipes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .forms import Arguments, form
from .schedule_outline import ScheduleOutline

MEGATRON_DECAYS = {"linear": "linear", "cosine": "cosine", "exponential": "halving", "minus_sqrt": "1-sqrt"}
TITAN_DECAYS = {"linear": "linear", "sqrt": "1-sqrt", "cosine": "cosine"}
WARMUPS = ("log", "linear")


def _one_of(known: Any, value: Any, name: str) -> Any:
    if value not in known:
        raise ScheduleError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


def _megatron(a: Any) -> Schedule:
    steps = a.lr_decay_iters or a.train_iters
    if not steps:
        raise ScheduleError("lr_decay_iters or train_iters must be given")
    warmup = int(a.lr_warmup_fraction * steps) if a.lr_warmup_fraction is not None else a.lr_warmup_iters
    left = steps - warmup
    return recipes.linear(a.lr_warmup_init, a.lr, warmup) >> _megatron_decay(a, warmup, left)


def _megatron_decay(a: Any, warmup: int, left: int) -> Schedule:
    if a.lr_decay_style == "constant":
        return recipes.constant(a.lr)
    if a.lr_decay_style == "inverse-square-root":
        # min_lr counts after step lr_decay_iters, not from it on.
        down = recipes.inverse_sqrt(a.lr, 0, max(warmup, 1)).clip(a.min_lr, a.lr)
        # Step 0 counts as step 1, so that without a warm-up the peak is used twice.
        down = down if warmup else recipes.constant(a.lr, 1) >> down
        return down.until(left + 1) >> recipes.constant(a.min_lr)
    if a.lr_decay_style == "WSD":
        curve = MEGATRON_DECAYS[_one_of(MEGATRON_DECAYS, a.lr_wsd_decay_style, "lr_wsd_decay_style")]
        stable = recipes.constant(a.lr, left - a.lr_wsd_decay_iters)
        return stable >> recipes.cooldown(a.lr, a.min_lr, a.lr_wsd_decay_iters, curve)
    known = ("linear", "cosine", "constant", "inverse-square-root", "WSD")
    return recipes.cooldown(a.lr, a.min_lr, left, _one_of(known, a.lr_decay_style, "lr_decay_style"))


def _megatron_arguments(o: ScheduleOutline) -> Iterator[Arguments]:
    warm = {"lr_warmup_iters": o.warmup, "lr_warmup_init": o.start} if o.warmup else {}
    shared = {"lr": o.top, "min_lr": o.floor, "lr_decay_iters": o.total, **warm}
    for style in ("linear", "cosine", "constant"):
        yield {**shared, "lr_decay_style": style}
    for style in MEGATRON_DECAYS:
        yield {**shared, "lr_decay_style": "WSD", "lr_wsd_decay_iters": o.decay, "lr_wsd_decay_style": style}
    yield {**shared, "lr_decay_iters": o.updates, "min_lr": 0.0, "lr_decay_style": "inverse-square-root"}


def _titan(a: Any) -> Schedule:
    total, curve = a.total_steps, TITAN_DECAYS[_one_of(TITAN_DECAYS, a.decay_type, "decay_type")]
    warmup = min(a.warmup_steps, total)
    decay = min(total if a.decay_ratio is None else round(total * a.decay_ratio), total - warmup)
    stable = total - warmup - decay + 1  # a step more, so that the last update's rate is not 0
    # (t + 1) / W: the warm-up is one step ahead, and the peak is used twice.
    up = recipes.linear(a.lr / max(warmup, 1), a.lr, max(warmup - 1, 0))
    flat = recipes.constant(a.lr, stable if warmup else stable - 1)
    return up >> flat >> recipes.cooldown(a.lr, a.lr * a.min_lr_factor, decay, curve)


def _titan_arguments(o: ScheduleOutline) -> Iterator[Arguments]:
    for warmup in (o.warmup + 1, o.warmup) if o.start and o.warmup else (o.warmup,):
        shared = {"lr": o.top, "total_steps": max(o.total, o.updates), "warmup_steps": warmup, "min_lr_factor": o.ratio}
        for kind in TITAN_DECAYS:
            yield {**shared, "decay_type": kind}
            yield {**shared, "decay_ratio": o.decay / o.total, "decay_type": kind}


def _deepspeed(low: float, peak: float, steps: int, kind: str) -> Schedule:
    """The warm-up of DeepSpeed, whose clock is one update late: the first rate is used twice."""
    late, steps = recipes.constant(low, 1), max(2, steps)
    if _one_of(WARMUPS, kind, "warmup_type") == "linear":
        return late >> recipes.linear(low, peak, steps)
    # log(t + 1) / log(W) is at its peak one step before W.
    return late >> recipes.ramp(peak, steps - 1, "log", low) >> recipes.constant(peak, 1)


def _warm(a: Any) -> Schedule:
    return _deepspeed(a.warmup_min_lr, a.warmup_max_lr, a.warmup_num_steps, a.warmup_type)


def _warm_decay(a: Any) -> Schedule:
    left = max(0, a.total_num_steps - max(2, a.warmup_num_steps))
    return _warm(a) >> recipes.linear(a.warmup_max_lr, a.warmup_min_lr, left)


def _warm_cosine(a: Any) -> Schedule:
    steps = max(2, a.warmup_num_steps)
    up = _deepspeed(a.lr * a.warmup_min_ratio, a.lr, steps, a.warmup_type).shifted(-1).until(steps)
    left, floor = a.total_num_steps - steps, a.lr * a.cos_min_ratio
    # The very first rate is 0, and the cosine is a step ahead of its clock: the peak itself is skipped.
    down = recipes.cosine(a.lr, floor, left).shifted(-1) if left > 1 else recipes.constant(floor)
    return recipes.constant(0, 1) >> up >> down


def _warmups(o: ScheduleOutline) -> Iterator[Arguments]:
    for kind in WARMUPS:
        for steps in (o.warmup, o.warmup - 1):
            yield {"warmup_num_steps": max(2, steps), "warmup_type": kind}


def _deepspeed_cycle(a: Any) -> Schedule:
    if a.cycle_first_stair_count or a.cycle_second_stair_count:
        raise ScheduleError("OneCycle: stairs (cycle_first_stair_count) cannot be read")
    up, low, high = a.cycle_first_step_size, a.cycle_min_lr, a.cycle_max_lr
    down = up if a.cycle_second_step_size is None else a.cycle_second_step_size
    cycle = recipes.linear(low, high, up) >> recipes.linear(high, low, down)
    rate = a.decay_lr_rate / a.decay_step_size if a.decay_step_size else 0
    return cycle >> recipes.inverse_time(low, rate) if rate else cycle


def _rex(a: Any) -> Schedule:
    low, warmup, left = a.learning_rate * a.min_lr_ratio, a.num_warmup_steps, a.num_training_steps - a.num_warmup_steps
    down = recipes.rex(a.learning_rate, low, left, 0.1)
    if not warmup:
        return down
    # Its step 0 is no part of the warm-up: with a warm-up of one step it is the floor, else a rate far down the curve.
    first = low if warmup == 1 else down(-warmup % left)
    return recipes.constant(first, 1) >> (recipes.linear(0, a.learning_rate, warmup) >> down).shifted(-1)


def _quadratic(a: Any) -> Schedule:
    down = recipes.cosine(a.learning_rate, 0, a.num_training_steps - a.num_warmup_steps)
    return recipes.ramp(a.learning_rate, a.num_warmup_steps, "quadratic") >> down.beyond("mirror")


def _then_constant(a: Any) -> Schedule:
    last = int(a.num_training_steps * a.constant_lr_ratio)
    down = recipes.cosine(a.learning_rate, a.learning_rate * a.min_lr_ratio, last - a.num_warmup_steps)
    return recipes.linear(0, a.learning_rate, a.num_warmup_steps) >> down


form(
    "megatron",
    "arguments(lr, lr_decay_iters=None, min_lr=0.0, lr_decay_style='linear', lr_warmup_iters=0, "
    "lr_warmup_fraction=None, lr_warmup_init=0.0, lr_wsd_decay_iters=None, lr_wsd_decay_style='exponential', "
    "train_iters=None)",
    _megatron,
    _megatron_arguments,
)
form(
    "torchtitan",
    "lr_scheduler(lr, total_steps, warmup_steps=200, decay_ratio=None, decay_type='linear', min_lr_factor=0.0)",
    _titan,
    _titan_arguments,
)
deepspeed = functools.partial(form, "deepspeed")
deepspeed(
    "WarmupLR(warmup_max_lr, warmup_min_lr=0.0, warmup_num_steps=1000, warmup_type='log')",
    lambda a: _warm(a) >> recipes.constant(a.warmup_max_lr),
    lambda o: [{"warmup_min_lr": o.start, "warmup_max_lr": o.top, **steps} for steps in _warmups(o)],
)
deepspeed(
    "WarmupDecayLR(total_num_steps, warmup_min_lr=0.0, warmup_max_lr=0.001, warmup_num_steps=1000, warmup_type='log')",
    _warm_decay,
    lambda o: [
        {"warmup_min_lr": o.start, "warmup_max_lr": o.top, "total_num_steps": total, **steps}
        for total in (o.total, o.total - 1)
        for steps in _warmups(o)
    ],
)
deepspeed(
    "WarmupCosineLR(lr, total_num_steps, warmup_min_ratio=0.0, warmup_num_steps=1000, cos_min_ratio=0.0001, "
    "warmup_type='log')",
    _warm_cosine,
    lambda o: [
        {
            "lr": o.top,
            "total_num_steps": o.total,
            "warmup_min_ratio": o.start / o.top,
            "cos_min_ratio": o.ratio,
            **steps,
        }
        for steps in _warmups(o)
    ],
)
deepspeed(
    "OneCycle(cycle_min_lr, cycle_max_lr, decay_lr_rate=0.0, cycle_first_step_size=2000, cycle_second_step_size=None, "
    "cycle_first_stair_count=0, cycle_second_stair_count=None, decay_step_size=0)",
    _deepspeed_cycle,
    lambda o: {
        "cycle_min_lr": o.start,
        "cycle_max_lr": o.end,
        "cycle_first_step_size": o.length,
        "cycle_second_step_size": o.number(o.parts[1].length),
    },
    "cycle_momentum cycle_min_mom cycle_max_mom decay_mom_rate",
)
STEPS = "learning_rate, num_warmup_steps, num_training_steps"
axolotl = functools.partial(form, "axolotl")
axolotl(f"rex({STEPS}, min_lr_ratio=0.0)", _rex)
axolotl(f"cosine_quadratic({STEPS})", _quadratic)
axolotl(f"cosine_constant({STEPS}, min_lr_ratio, constant_lr_ratio)", _then_constant)
