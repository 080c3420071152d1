"""Schedules of Transformers, Megatron-LM, DeepSpeed, torchtitan and axolotl, by the keys of their configurations."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from .. import recipes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .forms import Arguments, form
from .schedule_outline import ScheduleOutline

STEPS = "learning_rate: top, num_warmup_steps: warmup, num_training_steps: total"
CURVES = ("linear", "cosine", "1-sqrt")  # of Transformers
MEGATRON_DECAYS = {"linear": "linear", "cosine": "cosine", "exponential": "halving", "minus_sqrt": "1-sqrt"}
TITAN_DECAYS = {"linear": "linear", "sqrt": "1-sqrt", "cosine": "cosine"}
WARMUPS = ("log", "linear")  # of DeepSpeed


def _after_line(a: Any, down: Schedule) -> Schedule:
    return recipes.linear(0, a.learning_rate, a.num_warmup_steps) >> down


def _left(a: Any) -> int:
    return max(0, int(a.num_training_steps - a.num_warmup_steps))


def _waves(a: Any) -> Schedule:
    # Half a wave is half a cycle; after the last step the cosine goes on.
    half = _left(a) / (2 * Fraction(repr(float(a.num_cycles))))
    return recipes.cosine(a.learning_rate, _floor(a), half).beyond("mirror")


def _floor(a: Any) -> float:
    if not hasattr(a, "min_lr"):
        return 0.0
    if (a.min_lr is None) == (a.min_lr_rate is None):
        raise ScheduleError("one of min_lr and min_lr_rate must be given")
    return float(a.learning_rate * a.min_lr_rate if a.min_lr is None else a.min_lr)


def _steps(o: ScheduleOutline, early: int = 0) -> Arguments:
    return {"learning_rate": o.top, "num_warmup_steps": o.warmup + early, "num_training_steps": o.total}


def _types(o: ScheduleOutline) -> Iterator[Arguments]:
    steps = {"num_warmup_steps": o.warmup, "num_stable_steps": o.stable, "num_decay_steps": o.decay}
    for up in CURVES if o.warmup else CURVES[:1]:
        for down in CURVES:
            types = {"warmup_type": up, "decay_type": down, "min_lr_ratio": o.ratio}
            yield {"learning_rate": o.top, **steps, **types}


def _timescales(o: ScheduleOutline) -> list[Arguments]:
    shared, part = {"learning_rate": o.top, "num_warmup_steps": o.warmup}, o.rest[0]
    scale = float(part.length) / ((part.start / part.end) ** 2 - 1)
    return [shared, {**shared, "timescale": max(1, round(scale))}]


transformers = functools.partial(form, "transformers")
transformers("constant(learning_rate: start)", ignored="num_warmup_steps num_training_steps")(
    lambda a: recipes.constant(a.learning_rate)
)
transformers("constant_with_warmup(learning_rate: top, num_warmup_steps: warmup)", ignored="num_training_steps")(
    lambda a: _after_line(a, recipes.constant(a.learning_rate))
)
transformers(f"linear({STEPS})")(lambda a: _after_line(a, recipes.linear(a.learning_rate, 0, _left(a))))
transformers(f"cosine({STEPS}, num_cycles=0.5)")(lambda a: _after_line(a, _waves(a)))


@transformers(
    f"cosine_with_restarts({STEPS}, num_cycles=1)",
    lambda o: {**_steps(o), "num_training_steps": o.number(o.cycles[-1].stop), "num_cycles": len(o.cycles)},
)
def _restarts(a: Any) -> Schedule:
    length = Fraction(_left(a), a.num_cycles)
    return _after_line(a, recipes.warm_restarts(a.learning_rate, 0, T_0=length, runs=a.num_cycles))


transformers(f"polynomial({STEPS}, lr_end: floor = 1e-7, power: power = 1.0)")(
    lambda a: _after_line(a, recipes.polynomial(a.learning_rate, a.lr_end, _left(a), a.power))
)
transformers("inverse_sqrt(learning_rate, num_warmup_steps, timescale=None)", _timescales, "num_training_steps")(
    lambda a: recipes.inverse_sqrt(a.learning_rate, a.num_warmup_steps, a.timescale)
)
transformers(f"cosine_with_min_lr({STEPS}, num_cycles=0.5, min_lr: floor = None, min_lr_rate=None)")(
    lambda a: _after_line(a, _waves(a))
)


@transformers(
    f"cosine_warmup_with_min_lr({STEPS}, num_cycles=0.5, min_lr=None, min_lr_rate=None, warmup_lr_rate=None)",
    lambda o: {**_steps(o, early=1), "min_lr": o.floor, "warmup_lr_rate": o.start / o.top},
)
def _early(a: Any) -> Schedule:
    # (t + 1) / W in the warm-up and t + 1 in the cosine: all of it is one step ahead.
    first = 1 / max(1, a.num_warmup_steps) if a.warmup_lr_rate is None else a.warmup_lr_rate
    if a.num_warmup_steps == 0:
        return _waves(a).shifted(-1)
    return recipes.linear(first * a.learning_rate, a.learning_rate, a.num_warmup_steps - 1) >> _waves(a)


@transformers(
    "warmup_stable_decay(learning_rate, num_warmup_steps, num_decay_steps, num_training_steps=None, "
    "num_stable_steps=None, warmup_type='linear', decay_type='cosine', min_lr_ratio=0.0, num_cycles=0.5)",
    _types,
)
def _stages(a: Any) -> Schedule:
    stable = a.num_stable_steps
    if stable is None and a.num_training_steps is None:
        raise ScheduleError("num_training_steps or num_stable_steps must be given")
    if stable is None:
        stable = max(0, a.num_training_steps - a.num_warmup_steps - a.num_decay_steps)
    if a.num_cycles != 0.5:
        raise ScheduleError(f"num_cycles must be 0.5, half a wave, got {a.num_cycles!r}")
    lr, floor = a.learning_rate, a.learning_rate * a.min_lr_ratio
    up = recipes.ramp(lr, a.num_warmup_steps, a.warmup_type, floor)  # from the floor, not from 0
    return up >> recipes.constant(lr, stable) >> recipes.cooldown(lr, floor, a.num_decay_steps, a.decay_type)


def _one_of(known: Any, value: Any, name: str) -> Any:
    if value not in known:
        raise ScheduleError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


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


def _warmups(o: ScheduleOutline, *given: Arguments) -> list[Arguments]:
    warmups = [(max(2, steps), kind) for kind in WARMUPS for steps in (o.warmup, o.warmup - 1)]
    return [{**one, "warmup_num_steps": steps, "warmup_type": kind} for one in given for steps, kind in warmups]


def _kept_shares(o: ScheduleOutline) -> Arguments:
    shares = {"warmup_min_ratio": o.start / o.top, "cos_min_ratio": o.ratio}
    return {"lr": o.top, "total_num_steps": o.total, **shares}


@form(
    "megatron",
    "arguments(lr, lr_decay_iters=None, min_lr=0.0, lr_decay_style='linear', lr_warmup_iters=0, "
    "lr_warmup_fraction=None, lr_warmup_init=0.0, lr_wsd_decay_iters=None, lr_wsd_decay_style='exponential', "
    "train_iters=None)",
    _megatron_arguments,
)
def _megatron(a: Any) -> Schedule:
    steps = a.lr_decay_iters or a.train_iters
    if not steps:
        raise ScheduleError("lr_decay_iters or train_iters must be given")
    warmup = int(a.lr_warmup_fraction * steps) if a.lr_warmup_fraction is not None else a.lr_warmup_iters
    return recipes.linear(a.lr_warmup_init, a.lr, warmup) >> _megatron_decay(a, warmup, steps - warmup)


@form(
    "torchtitan",
    "lr_scheduler(lr, total_steps, warmup_steps=200, decay_ratio=None, decay_type='linear', min_lr_factor=0.0)",
    _titan_arguments,
)
def _titan(a: Any) -> Schedule:
    total, curve = a.total_steps, TITAN_DECAYS[_one_of(TITAN_DECAYS, a.decay_type, "decay_type")]
    warmup = min(a.warmup_steps, total)
    decay = min(total if a.decay_ratio is None else round(total * a.decay_ratio), total - warmup)
    stable = total - warmup - decay + 1  # a step more, so that the last update's rate is not 0
    # (t + 1) / W: the warm-up is one step ahead, and the peak is used twice.
    up = recipes.linear(a.lr / max(warmup, 1), a.lr, max(warmup - 1, 0))
    flat = recipes.constant(a.lr, stable if warmup else stable - 1)
    return up >> flat >> recipes.cooldown(a.lr, a.lr * a.min_lr_factor, decay, curve)


deepspeed = functools.partial(form, "deepspeed")
deepspeed(
    "WarmupLR(warmup_max_lr, warmup_min_lr=0.0, warmup_num_steps=1000, warmup_type='log')",
    lambda o: _warmups(o, {"warmup_min_lr": o.start, "warmup_max_lr": o.top}),
)(lambda a: _warm(a) >> recipes.constant(a.warmup_max_lr))


@deepspeed(
    "WarmupDecayLR(total_num_steps, warmup_min_lr=0.0, warmup_max_lr=0.001, warmup_num_steps=1000, warmup_type='log')",
    lambda o: _warmups(
        o, *({"warmup_min_lr": o.start, "warmup_max_lr": o.top, "total_num_steps": o.total - early} for early in (0, 1))
    ),
)
def _warm_decay(a: Any) -> Schedule:
    left = max(0, a.total_num_steps - max(2, a.warmup_num_steps))
    return _warm(a) >> recipes.linear(a.warmup_max_lr, a.warmup_min_lr, left)


@deepspeed(
    "WarmupCosineLR(lr, total_num_steps, warmup_min_ratio=0.0, warmup_num_steps=1000, cos_min_ratio=0.0001, "
    "warmup_type='log')",
    lambda o: _warmups(o, _kept_shares(o)),
)
def _warm_cosine(a: Any) -> Schedule:
    steps = max(2, a.warmup_num_steps)
    up = _deepspeed(a.lr * a.warmup_min_ratio, a.lr, steps, a.warmup_type).shifted(-1).until(steps)
    left, floor = a.total_num_steps - steps, a.lr * a.cos_min_ratio
    # The very first rate is 0, and the cosine is a step ahead of its clock: the peak itself is skipped.
    down = recipes.cosine(a.lr, floor, left).shifted(-1) if left > 1 else recipes.constant(floor)
    return recipes.constant(0, 1) >> up >> down


@deepspeed(
    "OneCycle(cycle_min_lr: start, cycle_max_lr: end, decay_lr_rate=0.0, cycle_first_step_size: length = 2000, "
    "cycle_second_step_size: next_length = None, cycle_first_stair_count=0, cycle_second_stair_count=None, "
    "decay_step_size=0)",
    ignored="cycle_momentum cycle_min_mom cycle_max_mom decay_mom_rate",
)
def _deepspeed_cycle(a: Any) -> Schedule:
    if a.cycle_first_stair_count or a.cycle_second_stair_count:
        raise ScheduleError("OneCycle: stairs (cycle_first_stair_count) cannot be read")
    up, low, high = a.cycle_first_step_size, a.cycle_min_lr, a.cycle_max_lr
    down = up if a.cycle_second_step_size is None else a.cycle_second_step_size
    cycle = recipes.linear(low, high, up) >> recipes.linear(high, low, down)
    rate = a.decay_lr_rate / a.decay_step_size if a.decay_step_size else 0
    return cycle >> recipes.inverse_time(low, rate) if rate else cycle


axolotl = functools.partial(form, "axolotl")


@axolotl(f"rex({STEPS}, min_lr_ratio=0.0)")
def _rex(a: Any) -> Schedule:
    low, warmup, left = a.learning_rate * a.min_lr_ratio, a.num_warmup_steps, a.num_training_steps - a.num_warmup_steps
    down = recipes.rex(a.learning_rate, low, left, 0.1)
    if not warmup:
        return down
    # Its step 0 is no part of the warm-up: with a warm-up of one step it is the floor, else a rate far down the curve.
    first = low if warmup == 1 else down(-warmup % left)
    return recipes.constant(first, 1) >> (recipes.linear(0, a.learning_rate, warmup) >> down).shifted(-1)


@axolotl(f"cosine_quadratic({STEPS})")
def _quadratic(a: Any) -> Schedule:
    down = recipes.cosine(a.learning_rate, 0, a.num_training_steps - a.num_warmup_steps)
    return recipes.ramp(a.learning_rate, a.num_warmup_steps, "quadratic") >> down.beyond("mirror")


@axolotl(f"cosine_constant({STEPS}, min_lr_ratio, constant_lr_ratio)")
def _then_constant(a: Any) -> Schedule:
    length = int(a.num_training_steps * a.constant_lr_ratio) - a.num_warmup_steps
    return _after_line(a, recipes.cosine(a.learning_rate, a.learning_rate * a.min_lr_ratio, length))
