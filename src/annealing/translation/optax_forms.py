"""Optax's schedules, by the arguments of the functions that make them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from .. import recipes, shapes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .forms import Arguments, form, listed_parts, one_after_another, piece, share
from .schedule_outline import ScheduleOutline

MOST_CYCLES = 64  # written one by one


def _polynomial(a: Any) -> Schedule:
    power = getattr(a, "power", 1)
    if a.transition_steps <= 0:
        # Optax logs a line and goes on with a constant: an end that is never reached.
        return recipes.constant(a.init_value)
    down = piece(shapes.power(power), a.init_value, a.end_value, a.transition_steps)
    return down.shifted(max(0, a.transition_begin))


def _cosine(start: float, alpha: float, length: Any, exponent: float) -> Schedule:
    return piece(shapes.composed(shapes.power(exponent), shapes.cosine), start, share(alpha, start), length)


def _outer(o: ScheduleOutline) -> float | None:
    """The power of a cosine."""
    outer: Any = getattr(o.parts[0].shape, "outer", None)
    return getattr(outer, "exponent", None)


def decaying(start: float, steps: Any, rate: float, staircase: bool) -> Schedule:
    """Exponential decay by a rate for each `steps`, as a curve or as stairs: also Keras's."""
    if not 0 < rate < 1:
        raise ScheduleError(f"decay_rate must be between 0 and 1, got {rate!r}")
    return recipes.step(start, steps, rate) if staircase else recipes.exponential(start, rate, steps)


def _exponential(a: Any) -> Schedule:
    start = a.peak_value if hasattr(a, "peak_value") else a.init_value
    # The stairs are counted from transition_begin, until which the first value is held.
    down = decaying(start, a.transition_steps, a.decay_rate, a.staircase).shifted(max(0, a.transition_begin))
    return down if a.end_value is None else down.clip(a.end_value, max(start, a.end_value))


def exponentials(o: ScheduleOutline, start: str, steps: str) -> Iterator[Arguments]:
    """Exponential decay and its stairs, by the names of the first two arguments."""
    if o.start and 0 < o.fall < 1:
        yield {start: o.start, steps: o.length, "decay_rate": o.fall}
    if o.stairs:
        yield {start: o.start, steps: o.stairs.times[0], "decay_rate": o.stairs.factor, "staircase": True}


def _scaled(a: Any) -> Schedule:
    changes = sorted((a.boundaries_and_scales or {}).items(), key=lambda change: float(change[0]))
    values = itertools.accumulate(
        (scale for _, scale in changes), lambda value, scale: value * scale, initial=a.init_value
    )
    return one_after_another(map(recipes.constant, values), [time for time, _ in changes])


def _scales(o: ScheduleOutline) -> Any:
    if o.stairs:
        ratios = [two / one for one, two in itertools.pairwise(o.stairs.values)]
        return {"init_value": o.top, "boundaries_and_scales": dict(zip(o.stairs.times, ratios, strict=True))}
    return None


def _cosine_cycle(a: Any) -> Schedule:
    up = int(a.pct_start * a.transition_steps)  # truncated, as Optax does
    last = a.peak_value / (a.div_factor * a.final_div_factor)
    first = piece(shapes.cosine, a.peak_value / a.div_factor, a.peak_value, up)
    return first >> piece(shapes.cosine, a.peak_value, last, a.transition_steps - up)


def _linear_cycle(a: Any) -> Schedule:
    low, steps = a.peak_value / a.div_factor, a.transition_steps
    times = [int(a.pct_start * steps), int(a.pct_final * steps), steps]
    up, down = recipes.linear(low, a.peak_value, times[0]), recipes.linear(a.peak_value, low, times[1] - times[0])
    return up >> down >> recipes.linear(low, low / a.final_div_factor, times[2] - times[1])


def _one_cycle(o: ScheduleOutline, phases: int) -> Arguments:
    parts = o.parts[:phases]
    if len(parts) < phases:
        raise LookupError
    steps, last, up = o.number(parts[-1].stop), parts[-1].end, parts[0]
    # The product with the share is truncated, so the share is put in the middle of a step.
    shares = [float((part.stop + Fraction(1, 2)) / steps) for part in parts[:-1]]
    given = {
        "transition_steps": steps,
        "peak_value": up.end,
        **dict(zip(("pct_start", "pct_final"), shares, strict=False)),
    }
    return {**given, "div_factor": up.end / up.start, "final_div_factor": up.start / last if last else 1e12}


def _warm_cosine(a: Any) -> Schedule:
    # decay_steps is the whole length, the warm-up among it.
    left = Fraction(repr(a.decay_steps)) - Fraction(repr(a.warmup_steps))
    if left <= 0:
        raise ScheduleError(f"decay_steps must be above warmup_steps = {a.warmup_steps!r}, got {a.decay_steps!r}")
    alpha = a.end_value / a.peak_value if a.peak_value else 0.0
    return recipes.linear(a.init_value, a.peak_value, a.warmup_steps) >> _cosine(a.peak_value, alpha, left, a.exponent)


def _sgdr(a: Any) -> Schedule:
    cycles = [{"name": "warmup_cosine_decay_schedule", **cycle} for cycle in a.cosine_kwargs]
    starts = itertools.accumulate(Fraction(repr(cycle["decay_steps"])) for cycle in cycles[:-1])
    return one_after_another(listed_parts("optax", cycles, {}), starts)


def _cycles(o: ScheduleOutline) -> Any:
    if not 1 < len(o.cycles) <= MOST_CYCLES:
        return None
    ends = [{"init_value": part.start, "peak_value": part.start, "warmup_steps": 0} for part in o.cycles]
    ends[0] |= {"init_value": o.start, "warmup_steps": o.warmup}
    lengths = [o.number(o.cycles[0].stop), *(o.number(part.length) for part in o.cycles[1:])]
    rows = zip(ends, lengths, o.cycles, strict=True)
    return {"cosine_kwargs": [{**given, "decay_steps": n, "end_value": part.end} for given, n, part in rows]}


optax = functools.partial(form, "optax")
optax("constant_schedule(value)", lambda a: recipes.constant(a.value), "value=start")
optax(
    "linear_schedule(init_value, end_value, transition_steps, transition_begin=0)",
    _polynomial,
    "init_value=start end_value=end transition_steps=length",
)
optax(
    "cosine_decay_schedule(init_value, decay_steps, alpha=0.0, exponent=1.0)",
    lambda a: _cosine(a.init_value, a.alpha, a.decay_steps, a.exponent),
    lambda o: {
        "init_value": o.start,
        "decay_steps": o.length,
        "alpha": o.fall,
        **({"exponent": _outer(o)} if _outer(o) else {}),
    },
)
optax(
    "polynomial_schedule(init_value, end_value, power, transition_steps, transition_begin=0)",
    _polynomial,
    "init_value=start end_value=end power=power transition_steps=length",
)
optax("piecewise_constant_schedule(init_value, boundaries_and_scales=None)", _scaled, _scales)
optax(
    "exponential_decay(init_value, transition_steps, decay_rate, transition_begin=0, staircase=False, end_value=None)",
    _exponential,
    lambda o: exponentials(o, "init_value", "transition_steps"),
)
optax(
    "cosine_onecycle_schedule(transition_steps, peak_value, pct_start=0.3, div_factor=25.0, final_div_factor=1e4)",
    _cosine_cycle,
    lambda o: _one_cycle(o, 2),
)
optax(
    "linear_onecycle_schedule(transition_steps, peak_value, pct_start=0.3, pct_final=0.85, div_factor=25.0, "
    "final_div_factor=1e4)",
    _linear_cycle,
    lambda o: _one_cycle(o, 3),
)
optax(
    "warmup_constant_schedule(init_value, peak_value, warmup_steps)",
    lambda a: recipes.linear(a.init_value, a.peak_value, a.warmup_steps),
)
optax(
    "warmup_cosine_decay_schedule(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0, exponent=1.0)",
    _warm_cosine,
    "init_value=start peak_value=top warmup_steps=warmup decay_steps=total end_value=floor",
)
optax(
    "warmup_exponential_decay_schedule(init_value, peak_value, warmup_steps, transition_steps, decay_rate, "
    "transition_begin=0, staircase=False, end_value=None)",
    lambda a: recipes.linear(a.init_value, a.peak_value, a.warmup_steps) >> _exponential(a),
)
optax("sgdr_schedule(cosine_kwargs)", _sgdr, _cycles)
optax(
    "join_schedules(schedules, boundaries)",
    lambda a: one_after_another(listed_parts("optax", a.schedules, {}), a.boundaries),
)
