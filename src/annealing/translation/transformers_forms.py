"""Transformers' `get_scheduler`, by name, and the arguments of its Trainer."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from .. import recipes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .forms import Arguments, form
from .schedule_outline import ScheduleOutline

CURVES = ("linear", "cosine", "1-sqrt")
NO_TOTAL = "num_training_steps"


def _steps(o: ScheduleOutline) -> Arguments:
    return {"learning_rate": o.top, "num_warmup_steps": o.warmup, "num_training_steps": o.total}


def _warm(a: Any, down: Schedule) -> Schedule:
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


def _early(a: Any) -> Schedule:
    # (t + 1) / W in the warm-up and t + 1 in the cosine: all of it is one step ahead.
    first = 1 / max(1, a.num_warmup_steps) if a.warmup_lr_rate is None else a.warmup_lr_rate
    if a.num_warmup_steps == 0:
        return _waves(a).shifted(-1)
    return recipes.linear(first * a.learning_rate, a.learning_rate, a.num_warmup_steps - 1) >> _waves(a)


def _restarts(a: Any) -> Schedule:
    length = Fraction(_left(a), a.num_cycles)
    return _warm(a, recipes.warm_restarts(a.learning_rate, 0, T_0=length, runs=a.num_cycles))


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
transformers(
    "constant(learning_rate)",
    lambda a: recipes.constant(a.learning_rate),
    "learning_rate=start",
    "num_warmup_steps num_training_steps",
)
transformers(
    "constant_with_warmup(learning_rate, num_warmup_steps)",
    lambda a: _warm(a, recipes.constant(a.learning_rate)),
    "learning_rate=top num_warmup_steps=warmup",
    NO_TOTAL,
)
transformers(
    "linear(learning_rate, num_warmup_steps, num_training_steps)",
    lambda a: _warm(a, recipes.linear(a.learning_rate, 0, _left(a))),
    _steps,
)
transformers(
    "cosine(learning_rate, num_warmup_steps, num_training_steps, num_cycles=0.5)", lambda a: _warm(a, _waves(a)), _steps
)
transformers(
    "cosine_with_restarts(learning_rate, num_warmup_steps, num_training_steps, num_cycles=1)",
    _restarts,
    lambda o: {**_steps(o), "num_training_steps": o.number(o.cycles[-1].stop), "num_cycles": len(o.cycles)},
)
transformers(
    "polynomial(learning_rate, num_warmup_steps, num_training_steps, lr_end=1e-7, power=1.0)",
    lambda a: _warm(a, recipes.polynomial(a.learning_rate, a.lr_end, _left(a), a.power)),
    lambda o: {**_steps(o), "lr_end": o.floor, "power": o.power},
)
transformers(
    "inverse_sqrt(learning_rate, num_warmup_steps, timescale=None)",
    lambda a: recipes.inverse_sqrt(a.learning_rate, a.num_warmup_steps, a.timescale),
    _timescales,
    NO_TOTAL,
)
transformers(
    "cosine_with_min_lr(learning_rate, num_warmup_steps, num_training_steps, num_cycles=0.5, min_lr=None, "
    "min_lr_rate=None)",
    lambda a: _warm(a, _waves(a)),
    lambda o: {**_steps(o), "min_lr": o.floor},
)
transformers(
    "cosine_warmup_with_min_lr(learning_rate, num_warmup_steps, num_training_steps, num_cycles=0.5, min_lr=None, "
    "min_lr_rate=None, warmup_lr_rate=None)",
    _early,
    lambda o: {**_steps(o), "num_warmup_steps": o.warmup + 1, "min_lr": o.floor, "warmup_lr_rate": o.start / o.top},
)
transformers(
    "warmup_stable_decay(learning_rate, num_warmup_steps, num_decay_steps, num_training_steps=None, "
    "num_stable_steps=None, warmup_type='linear', decay_type='cosine', min_lr_ratio=0.0, num_cycles=0.5)",
    _stages,
    _types,
)


def trainer_arguments(given: Arguments) -> tuple[str, Arguments]:
    """The name and the arguments of `get_scheduler` that a Trainer makes of its TrainingArguments."""
    steps = given.get("num_training_steps") or given.get("max_steps") or 0
    if steps <= 0:
        raise ScheduleError("transformers: the number of updates is not among the arguments: give max_steps=...")
    warmup = given.get("warmup_steps") or 0
    # Below 1 it is a share of the updates. The product is rounded and then up, as in the Trainer: 7 % of 100 makes 8.
    share = warmup if 0 < warmup < 1 else 0 if warmup else given.get("warmup_ratio") or 0
    kind = given.get("lr_scheduler_type") or "linear"
    shared = {"learning_rate": given.get("learning_rate", 5e-5), "num_training_steps": steps}
    shared["num_warmup_steps"] = math.ceil(steps * share) if share else int(warmup)
    return str(getattr(kind, "value", kind)), {**shared, **(given.get("lr_scheduler_kwargs") or {})}
