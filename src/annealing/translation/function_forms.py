"""Schedules that are functions: Optax's and fvcore's by the arguments that make them, Keras's as `get_config` too."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from .. import recipes, shapes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .forms import MOST_LISTED, Arguments, form, listed_parts, one_after_another, piece, scaled
from .schedule_outline import OutlinePart, ScheduleOutline


def _polynomial(a: Any) -> Schedule:
    if a.transition_steps <= 0:
        # Optax logs a line and goes on with a constant: an end that is never reached.
        return recipes.constant(a.init_value)
    down = piece(shapes.power(getattr(a, "power", 1)), a.init_value, a.end_value, a.transition_steps)
    return down.shifted(max(0, a.transition_begin))


def _cosine(start: float, alpha: float, length: Any, exponent: float) -> Schedule:
    return piece(shapes.composed(shapes.power(exponent), shapes.cosine), start, scaled(start, alpha), length)


def _falling(o: ScheduleOutline) -> Arguments:
    found = {"init_value": o.start, "decay_steps": o.length, "alpha": o.fall}
    outer: Any = getattr(o.parts[0].shape, "outer", None)
    exponent = getattr(outer, "exponent", None)
    return {**found, "exponent": exponent} if exponent else found


def _decaying(start: float, steps: Any, rate: float, staircase: bool) -> Schedule:
    """Exponential decay by a rate for each `steps`, as a curve or as stairs."""
    if not 0 < rate < 1:
        raise ScheduleError(f"decay_rate must be between 0 and 1, got {rate!r}")
    return recipes.step(start, steps, rate) if staircase else recipes.exponential(start, rate, steps)


def _exponential(a: Any) -> Schedule:
    start = a.peak_value if hasattr(a, "peak_value") else a.init_value
    # The stairs are counted from transition_begin, until which the first value is held.
    down = _decaying(start, a.transition_steps, a.decay_rate, a.staircase).shifted(max(0, a.transition_begin))
    return down if a.end_value is None else down.clip(a.end_value, max(start, a.end_value))


def _exponentials(o: ScheduleOutline, start: str, steps: str) -> Iterator[Arguments]:
    """Exponential decay and its stairs, by the names of the first two arguments."""
    if o.start and 0 < o.fall < 1:
        yield {start: o.start, steps: o.length, "decay_rate": o.fall}
    if o.stairs:
        yield {start: o.start, steps: o.stairs.length, "decay_rate": o.stairs.factor, "staircase": True}


def _scales(o: ScheduleOutline) -> Any:
    if o.stairs:
        ratios = [two / one for one, two in itertools.pairwise(o.stairs.values)]
        return {"init_value": o.top, "boundaries_and_scales": dict(zip(o.stairs.times, ratios, strict=True))}
    return None


def _one_cycle(o: ScheduleOutline, phases: int) -> Arguments:
    parts = o.parts[:phases]
    if len(parts) < phases:
        raise LookupError
    steps, last, up = o.number(parts[-1].stop), parts[-1].end, parts[0]
    given = {"transition_steps": steps, "peak_value": up.end}
    for name, part in zip(("pct_start", "pct_final"), parts[:-1], strict=False):
        # The product with the share is truncated, so the share is put in the middle of a step.
        given[name] = float((part.stop + Fraction(1, 2)) / steps)
    return {**given, "div_factor": up.end / up.start, "final_div_factor": up.start / last if last else 1e12}


def _cycles(o: ScheduleOutline) -> Any:
    if not 1 < len(o.cycles) <= MOST_LISTED:
        return None
    first, *later = o.cycles
    warm = {"init_value": o.start, "peak_value": first.start, "warmup_steps": o.warmup}
    rows: list[Arguments] = [{**warm, "decay_steps": o.number(first.stop), "end_value": first.end}]
    for part in later:
        ends = {"init_value": part.start, "peak_value": part.start, "warmup_steps": 0}
        rows.append({**ends, "decay_steps": o.number(part.length), "end_value": part.end})
    return {"cosine_kwargs": rows}


optax = functools.partial(form, "optax")
optax("constant_schedule(value: start)")(lambda a: recipes.constant(a.value))
optax("linear_schedule(init_value: start, end_value: end, transition_steps: length, transition_begin=0)")(_polynomial)
optax("cosine_decay_schedule(init_value, decay_steps, alpha=0.0, exponent=1.0)", _falling)(
    lambda a: _cosine(a.init_value, a.alpha, a.decay_steps, a.exponent)
)
optax(
    "polynomial_schedule(init_value: start, end_value: end, power: power, transition_steps: length, transition_begin=0)"
)(_polynomial)


@optax("piecewise_constant_schedule(init_value, boundaries_and_scales=None)", _scales)
def _multiplied(a: Any) -> Schedule:
    changes = sorted((a.boundaries_and_scales or {}).items(), key=lambda change: float(change[0]))
    scales = [scale for _, scale in changes]
    values = itertools.accumulate(scales, lambda value, scale: value * scale, initial=a.init_value)
    return one_after_another(map(recipes.constant, values), [time for time, _ in changes])


optax(
    "exponential_decay(init_value, transition_steps, decay_rate, transition_begin=0, staircase=False, end_value=None)",
    lambda o: _exponentials(o, "init_value", "transition_steps"),
)(_exponential)


@optax(
    "cosine_onecycle_schedule(transition_steps, peak_value, pct_start=0.3, div_factor=25.0, final_div_factor=1e4)",
    lambda o: _one_cycle(o, 2),
)
def _cosine_cycle(a: Any) -> Schedule:
    up = int(a.pct_start * a.transition_steps)  # truncated, as Optax does
    last = a.peak_value / (a.div_factor * a.final_div_factor)
    first = piece(shapes.cosine, a.peak_value / a.div_factor, a.peak_value, up)
    return first >> piece(shapes.cosine, a.peak_value, last, a.transition_steps - up)


@optax(
    "linear_onecycle_schedule(transition_steps, peak_value, pct_start=0.3, pct_final=0.85, div_factor=25.0, "
    "final_div_factor=1e4)",
    lambda o: _one_cycle(o, 3),
)
def _linear_cycle(a: Any) -> Schedule:
    low, steps = a.peak_value / a.div_factor, a.transition_steps
    times = [int(a.pct_start * steps), int(a.pct_final * steps), steps]
    up, down = recipes.linear(low, a.peak_value, times[0]), recipes.linear(a.peak_value, low, times[1] - times[0])
    return up >> down >> recipes.linear(low, low / a.final_div_factor, times[2] - times[1])


optax("warmup_constant_schedule(init_value, peak_value, warmup_steps)")(
    lambda a: recipes.linear(a.init_value, a.peak_value, a.warmup_steps)
)


@optax(
    "warmup_cosine_decay_schedule(init_value: start, peak_value: top, warmup_steps: warmup, decay_steps: total, "
    "end_value: floor = 0.0, exponent=1.0)"
)
def _warm_cosine(a: Any) -> Schedule:
    # decay_steps is the whole length, the warm-up among it.
    left = Fraction(repr(a.decay_steps)) - Fraction(repr(a.warmup_steps))
    if left <= 0:
        raise ScheduleError(f"decay_steps must be above warmup_steps = {a.warmup_steps!r}, got {a.decay_steps!r}")
    alpha = a.end_value / a.peak_value if a.peak_value else 0.0
    return recipes.linear(a.init_value, a.peak_value, a.warmup_steps) >> _cosine(a.peak_value, alpha, left, a.exponent)


optax(
    "warmup_exponential_decay_schedule(init_value, peak_value, warmup_steps, transition_steps, decay_rate, "
    "transition_begin=0, staircase=False, end_value=None)"
)(lambda a: recipes.linear(a.init_value, a.peak_value, a.warmup_steps) >> _exponential(a))


@optax("sgdr_schedule(cosine_kwargs)", _cycles)
def _sgdr(a: Any) -> Schedule:
    cycles = [{"name": "warmup_cosine_decay_schedule", **cycle} for cycle in a.cosine_kwargs]
    starts = itertools.accumulate(Fraction(repr(cycle["decay_steps"])) for cycle in cycles[:-1])
    return one_after_another(listed_parts("optax", cycles, {}), starts)


optax("join_schedules(schedules, boundaries)")(
    lambda a: one_after_another(listed_parts("optax", a.schedules, {}), a.boundaries)
)


def _with_warmup(o: ScheduleOutline) -> Arguments:
    warm = {"warmup_target": o.top, "warmup_steps": o.warmup} if o.warmup else {}
    return {"initial_learning_rate": o.start, "decay_steps": o.decay, "alpha": o.ratio, **warm}


def _factors(o: ScheduleOutline) -> Arguments:
    peak = o.parts[1].start if len(o.parts) > 1 else o.start
    ways = {"t_mul": float(o.growth), "m_mul": (peak - o.end) / (o.start - o.end), "alpha": o.fall}
    return {"initial_learning_rate": o.start, "first_decay_steps": o.length, **ways}


def _boundaries(o: ScheduleOutline) -> Any:
    # A value holds up to and including its boundary, so that the next one begins a step later than elsewhere.
    return o.stairs and {"boundaries": [math.ceil(t) - 1 for t in o.stairs.times], "values": o.stairs.values}


def _halving(o: ScheduleOutline) -> Arguments:
    # The time in which it halves, from the ends of the piece.
    steps = float(o.parts[0].length) / (1 / o.fall - 1)
    return {"initial_learning_rate": o.start, "decay_steps": steps, "decay_rate": 1.0}


keras = functools.partial(form, "keras", ignored="name")


@keras(
    "CosineDecay(initial_learning_rate, decay_steps, alpha=0.0, warmup_target=None, warmup_steps=0)",
    _with_warmup,
)
def _warmed_cosine(a: Any) -> Schedule:
    peak = a.initial_learning_rate if a.warmup_target is None else a.warmup_target
    down = piece(shapes.cosine, peak, scaled(peak, a.alpha), a.decay_steps)
    if a.warmup_target is None:
        return down
    # decay_steps counts from the end of the warm-up.
    return recipes.linear(a.initial_learning_rate, peak, a.warmup_steps) >> down


@keras("CosineDecayRestarts(initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0)", _factors)
def _restarts(a: Any) -> Schedule:
    first, floor = a.initial_learning_rate, scaled(a.initial_learning_rate, a.alpha)
    times = {"T_0": a.first_decay_steps, "T_mult": a.t_mul}
    if a.m_mul == 1:
        return recipes.warm_restarts(first, floor, **times)
    # m_mul scales the way from floor to peak, not the peak.
    ways: Schedule = floor + recipes.warm_restarts(first - floor, 0, eta_max_factor=a.m_mul, **times)
    return ways


keras("PiecewiseConstantDecay(boundaries, values)", _boundaries)(
    lambda a: one_after_another(map(recipes.constant, a.values), [time + 1 for time in a.boundaries])
)
keras(
    "ExponentialDecay(initial_learning_rate, decay_steps, decay_rate, staircase=False)",
    lambda o: _exponentials(o, "initial_learning_rate", "decay_steps"),
)(lambda a: _decaying(a.initial_learning_rate, a.decay_steps, a.decay_rate, a.staircase))


@keras(
    "PolynomialDecay(initial_learning_rate: start, decay_steps: length, end_learning_rate: end = 0.0001, "
    "power: power = 1.0, cycle=False)"
)
def _keras_polynomial(a: Any) -> Schedule:
    if a.cycle:
        raise ScheduleError("PolynomialDecay: cycle=True stretches the curve again and again, and cannot be read")
    return piece(shapes.power(a.power), a.initial_learning_rate, a.end_learning_rate, a.decay_steps)


@keras("InverseTimeDecay(initial_learning_rate, decay_steps, decay_rate, staircase=False)", _halving)
def _inverse_time(a: Any) -> Schedule:
    if a.staircase:
        raise ScheduleError("InverseTimeDecay: staircase=True has no end of its stairs, and cannot be read")
    return recipes.inverse_time(a.initial_learning_rate, a.decay_rate / a.decay_steps)


def _snapped(start: Fraction, updates: Any) -> Fraction:
    """A start is reached a millionth of the training early, which makes up for the rounding of the shares."""
    near = Fraction(round(start))
    return near if abs(start - near) < Fraction(updates) / 10**6 else start


def _shares(o: ScheduleOutline) -> Any:
    total, parts = o.parts[-1].stop, o.parts[:MOST_LISTED]
    if len(parts) == 1:
        return None
    given = {"schedulers": [*map(_share, parts)], "lengths": [float(part.length / total) for part in parts]}
    return {**given, "interval_scaling": ["rescaled"] * len(parts), "num_updates": o.number(total)}


def _share(part: OutlinePart) -> Arguments:
    if part.power and part.end == 0:
        return {"name": "PolynomialDecayParamScheduler", "base_value": part.start, "power": part.power}
    name = "CosineParamScheduler" if part.shape == shapes.cosine else "LinearParamScheduler"
    return {"name": name, "start_value": part.start, "end_value": part.end}


fvcore = functools.partial(form, "fvcore")
fvcore("ConstantParamScheduler(value: start, num_updates: updates)")(lambda a: recipes.constant(a.value))
fvcore("CosineParamScheduler(start_value: start, end_value: end, num_updates: whole_length)")(
    lambda a: piece(shapes.cosine, a.start_value, a.end_value, a.num_updates)
)
fvcore("LinearParamScheduler(start_value: start, end_value: end, num_updates: whole_length)")(
    lambda a: recipes.linear(a.start_value, a.end_value, a.num_updates)
)
fvcore("ExponentialParamScheduler(start_value: start, decay: end / start, num_updates: whole_length)")(
    lambda a: recipes.geometric(a.start_value, a.start_value * a.decay, a.num_updates)
)
fvcore("PolynomialDecayParamScheduler(base_value: start, power: power, num_updates: whole_length)")(
    lambda a: recipes.polynomial(a.base_value, 0.0, a.num_updates, a.power)
)


@fvcore("MultiStepParamScheduler(values: stairs.values, num_updates: updates, milestones: stairs.times = None)")
def _multistep(a: Any) -> Schedule:
    milestones = a.milestones
    if milestones is None:
        width = -(-a.num_updates // len(a.values))
        milestones = [width * count for count in range(1, len(a.values))]
    return one_after_another(map(recipes.constant, a.values), milestones[: len(a.values) - 1])


@fvcore("CompositeParamScheduler(schedulers, lengths, interval_scaling, num_updates)", _shares)
def _composite(a: Any) -> Schedule:
    lengths = [Fraction(repr(float(share))) * a.num_updates for share in a.lengths]
    starts = [_snapped(sum(lengths[:count], Fraction(0)), a.num_updates) for count in range(1, len(lengths))]
    parts = []
    rows = zip(a.schedulers, lengths, [Fraction(0), *starts], a.interval_scaling, strict=True)
    for given, length, start, scaling in rows:
        # A fixed one counts from the start of training, and is seen through its window.
        rescaled = scaling == "rescaled"
        (part,) = listed_parts("fvcore", [given], {"num_updates": length if rescaled else a.num_updates})
        parts.append(part if rescaled else part.shifted(-start))
    return one_after_another(parts, starts)
