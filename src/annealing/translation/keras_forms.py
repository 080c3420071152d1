"""Keras's learning rate schedules, by the arguments of their constructors, as `get_config` gives them too."""

from __future__ import annotations

import functools
import math
from typing import Any

from .. import recipes, shapes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .forms import Arguments, form, one_after_another, piece, share
from .optax_forms import decaying, exponentials
from .schedule_outline import ScheduleOutline


def _cosine(a: Any) -> Schedule:
    if a.warmup_target is None:
        return piece(shapes.cosine, a.initial_learning_rate, share(a.alpha, a.initial_learning_rate), a.decay_steps)
    # decay_steps counts from the end of the warm-up.
    down = piece(shapes.cosine, a.warmup_target, share(a.alpha, a.warmup_target), a.decay_steps)
    return recipes.linear(a.initial_learning_rate, a.warmup_target, a.warmup_steps) >> down


def _with_warmup(o: ScheduleOutline) -> Arguments:
    warm = {"warmup_target": o.top, "warmup_steps": o.warmup} if o.warmup else {}
    return {"initial_learning_rate": o.start, "decay_steps": o.decay, "alpha": o.ratio, **warm}


def _restarts(a: Any) -> Schedule:
    first, floor = a.initial_learning_rate, share(a.alpha, a.initial_learning_rate)
    times = {"T_0": a.first_decay_steps, "T_mult": a.t_mul}
    if a.m_mul == 1:
        return recipes.warm_restarts(first, floor, **times)
    # m_mul scales the way from floor to peak, not the peak.
    ways: Schedule = floor + recipes.warm_restarts(first - floor, 0, eta_max_factor=a.m_mul, **times)
    return ways


def _factors(o: ScheduleOutline) -> Arguments:
    peak = o.parts[1].start if len(o.parts) > 1 else o.start
    ways = {"t_mul": float(o.growth), "m_mul": (peak - o.end) / (o.start - o.end), "alpha": o.fall}
    return {"initial_learning_rate": o.start, "first_decay_steps": o.length, **ways}


def _boundaries(o: ScheduleOutline) -> Any:
    # A value holds up to and including its boundary, so that the next one begins a step later than elsewhere.
    return o.stairs and {"boundaries": [math.ceil(t) - 1 for t in o.stairs.times], "values": o.stairs.values}


def _polynomial(a: Any) -> Schedule:
    if a.cycle:
        raise ScheduleError("PolynomialDecay: cycle=True stretches the curve again and again, and cannot be read")
    return piece(shapes.power(a.power), a.initial_learning_rate, a.end_learning_rate, a.decay_steps)


def _inverse_time(a: Any) -> Schedule:
    if a.staircase:
        raise ScheduleError("InverseTimeDecay: staircase=True has no end of its stairs, and cannot be read")
    return recipes.inverse_time(a.initial_learning_rate, a.decay_rate / a.decay_steps)


keras = functools.partial(form, "keras", ignored="name")
keras(
    "CosineDecay(initial_learning_rate, decay_steps, alpha=0.0, warmup_target=None, warmup_steps=0)",
    _cosine,
    _with_warmup,
)
keras(
    "CosineDecayRestarts(initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0)",
    _restarts,
    _factors,
)
keras(
    "PiecewiseConstantDecay(boundaries, values)",
    lambda a: one_after_another(map(recipes.constant, a.values), [time + 1 for time in a.boundaries]),
    _boundaries,
)
keras(
    "ExponentialDecay(initial_learning_rate, decay_steps, decay_rate, staircase=False)",
    lambda a: decaying(a.initial_learning_rate, a.decay_steps, a.decay_rate, a.staircase),
    lambda o: exponentials(o, "initial_learning_rate", "decay_steps"),
)
keras(
    "PolynomialDecay(initial_learning_rate, decay_steps, end_learning_rate=0.0001, power=1.0, cycle=False)",
    _polynomial,
    "initial_learning_rate=start decay_steps=length end_learning_rate=end power=power",
)
keras(
    "InverseTimeDecay(initial_learning_rate, decay_steps, decay_rate, staircase=False)",
    _inverse_time,
    # The time in which it halves, from the ends of the piece.
    lambda o: {
        "initial_learning_rate": o.start,
        "decay_steps": float(o.parts[0].length) / (1 / o.fall - 1),
        "decay_rate": 1.0,
    },
)
