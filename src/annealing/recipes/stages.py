"""Schedules in stages, used to train language models: a warm-up, a stable rate or a slow decay, a cooldown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .. import shapes
from ..errors import ScheduleError, finite
from ..exact import END_OF_TIME, Floor, Time, exact, lasting, plain, positive
from ..schedule.base import Schedule
from ..schedule.nodes import Join, Repeat, Run, Tail
from ..shapes import Shape
from .arguments import above_0, below
from .cooldowns import FALLING, curve_shape, halved
from .registry import ordered, recipe

SMALLEST_SCALE = 1e-300  # of a geometric progression
TRANSFORMERS_TIMESCALE = 10_000  # updates; that of get_inverse_sqrt_schedule without a warm-up
MOST_LOG = 700  # e to it is a float


@recipe
def inverse_sqrt(eta_max: float, T_warmup: Time, timescale: Time | None = None) -> Schedule:
    """A linear warm-up, then the inverse square root: eta_max * min(t / T_warmup, sqrt(T_warmup / t)).

    T_warmup: at least 0. timescale: above 0; after the warm-up the rate is
    eta_max / sqrt(1 + (t - T_warmup) / timescale). Its default is T_warmup, or if that is 0 transformers' 10,000.

    >>> [inverse_sqrt(1, T_warmup=100)(t) for t in (50, 100, 400)]
    [0.5, 1.0, 0.5]

    Source: Vaswani et al. 2017, arXiv 1706.03762; transformers' get_inverse_sqrt_schedule, Megatron-LM.
    """
    if timescale is None:
        timescale = T_warmup if exact(T_warmup, "T_warmup") else TRANSFORMERS_TIMESCALE
    return _risen(finite(eta_max, "eta_max"), T_warmup) >> Tail(shapes.inverse_power(0.5), eta_max, 0.0, timescale)


@recipe
def noam(d_model: int, T_warmup: Time, factor: float = 1.0) -> Schedule:
    """The Transformer's schedule: factor * d_model^-0.5 * min(t^-0.5, t * T_warmup^-1.5).

    d_model: the width of the model, above 0. T_warmup: above 0. It is `inverse_sqrt` with the peak that follows.

    >>> round(noam(512, T_warmup=4000)(4000), 9)
    0.000698771

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 5.3, with t for the update number.
    """
    width = above_0(d_model, "d_model")
    peak = finite(factor, "factor") / math.sqrt(width * positive(T_warmup, "T_warmup"))
    return power_law(peak, 0.5, T_warmup)


@recipe
def rsqrt(eta_max: float, timescale: Time, T_warmup: Time, shift: Time = 0) -> Schedule:
    """A linear warm-up, then eta_max / sqrt(1 + (t + shift - T_warmup) / timescale).

    timescale: above 0. T_warmup, shift: at least 0; the warm-up ends at eta_max / sqrt(1 + shift / timescale).

    >>> [rsqrt(1, timescale=100, T_warmup=10)(t) for t in (5, 10, 310)]
    [0.5, 1.0, 0.5]

    Source: big_vision's "rsqrt"; the inverse square root of T5 (arXiv 1910.10683).
    """
    scale, moved = positive(timescale, "timescale"), exact(shift, "shift")
    if not 0 <= moved <= END_OF_TIME - scale:
        raise ScheduleError(f"shift must be at least 0, and with timescale at most 2^53, got {shift!r}")
    peak = finite(eta_max, "eta_max") / math.sqrt(1 + moved / scale)
    return _risen(peak, T_warmup) >> Tail(shapes.inverse_power(0.5), peak, 0.0, scale + moved)


@recipe
def power_law(eta_max: float, exponent: float, T_warmup: Time) -> Schedule:
    """A linear warm-up, then a power law: eta_max * (t / T_warmup)^-exponent from T_warmup on.

    exponent: above 0. T_warmup: above 0.

    >>> [power_law(1, exponent=2, T_warmup=10)(t) for t in (5, 10, 20)]
    [0.5, 1.0, 0.25]

    Source: OLMo-core's PowerLR; Shen et al. 2024, arXiv 2408.13359, which starts to fall where a * n^-b is eta_max.
    """
    timescale = positive(T_warmup, "T_warmup")
    return _risen(finite(eta_max, "eta_max"), timescale) >> Tail(
        shapes.inverse_power(exponent), eta_max, 0.0, timescale
    )


@recipe
def wsd(
    eta_max: float,
    eta_min: Floor = 0.0,
    *,
    T_warmup: Time,
    T_stable: Time,
    T_cooldown: Time,
    curve: str | Shape = "linear",
    T_half: Time | None = None,
    start: Floor = 0.0,
) -> Schedule:
    """Warm-up, stable, decay (a trapezoid): a line from `start` to eta_max, eta_max, and a cooldown to eta_min.

    start, eta_min: at most eta_max. T_warmup, T_stable, T_cooldown: at least 0. curve: see `cooldown`; what others call
    exponential is "geometric", "halving", or a T_half: the cooldown is then `half_life`, with no other end or
    curve.

    >>> schedule = wsd(1, T_warmup=10, T_stable=70, T_cooldown=20, curve="1-sqrt")
    >>> [schedule(t) for t in (5, 10, 80, 85, 100)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    >>> wsd(1, T_warmup=10, T_stable=70, T_cooldown=20, T_half=5)(90)
    0.25

    Source: Hu et al. 2024, arXiv 2404.06395; Hägele et al. 2024, arXiv 2405.18392.
    """
    eta_min = ordered(eta_max, eta_min)
    up, stable = _warmed(eta_max, T_warmup, start), _line(eta_max, eta_max, T_stable=T_stable)
    if T_half is None:
        return Join((*up, *stable, _down(eta_max, eta_min, T_cooldown, curve)))
    last = halved(eta_max, T_half, T_cooldown=T_cooldown)
    for name, value, default in (("eta_min", eta_min, 0), ("curve", curve, "linear")):
        if value != default:
            raise ScheduleError(f"{name} has no meaning with T_half = {T_half!r}, got {value!r}")
    return Join((*up, *stable, last))


@recipe
def wsd_s(
    eta_max: float,
    eta_min: Floor = 0.0,
    *,
    T_warmup: Time,
    periods: Sequence[Time],
    T_cooldown: Time,
    curve: str | Shape = "linear",
    start: Floor = 0.0,
) -> Schedule:
    """WSD-S: one warm-up, then periods, each stable at eta_max and cooled down to eta_min in its last T_cooldown.

    start (of the warm-up), eta_min: at most eta_max. T_warmup, T_cooldown: at least 0. periods: lengths, each above
    T_cooldown. curve: see `cooldown`.

    >>> schedule = wsd_s(1, T_warmup=10, periods=[50, 100], T_cooldown=10)
    >>> [schedule(t) for t in (10, 50, 55, 60, 150, 155)], schedule.snapshots()
    ([1.0, 1.0, 0.5, 1.0, 1.0, 0.5], [60, 160])

    Source: Wen et al. 2024, arXiv 2410.05192; OLMo-core's WSDS.
    """
    eta_min = ordered(eta_max, eta_min)
    if not isinstance(periods, list | tuple) or not periods:
        raise ScheduleError(f"periods must be a list of lengths, at least one, got {periods!r}")
    down, parts = _down(eta_max, eta_min, T_cooldown, curve), _warmed(eta_max, T_warmup, start)
    for period in periods:
        if (stable := positive(period, "periods") - lasting(T_cooldown, "T_cooldown")) <= 0:
            raise ScheduleError(f"periods must be above T_cooldown = {T_cooldown!r}, got {period!r}")
        parts += [Run(shapes.flat, eta_max, eta_max, stable), down]
    return Join(tuple(parts))


@recipe
def infinite(
    eta_max: float,
    eta_const: Floor,
    *,
    T_warmup: Time,
    T_cooldown: Time,
    curve: str | Shape = "cosine",
    start: Floor = 0.0,
) -> Schedule:
    """An infinite schedule: a warm-up to eta_max, a cooldown to eta_const, held forever.

    start (of the warm-up), eta_const: at most eta_max. T_warmup, T_cooldown: at least 0. curve: see `cooldown`. To
    finish at any time: `.branch_cooldown(at, length)`.

    >>> schedule = infinite(1, 0.5, T_warmup=10, T_cooldown=90)
    >>> schedule(10), schedule(55), schedule(10**6), schedule.branch_cooldown(at=1000, length=100)(1050)
    (1.0, 0.75, 0.5, 0.25)

    Source: Ibrahim et al. 2024, arXiv 2403.08763.
    """
    eta_const = below(eta_max=eta_max, eta_const=eta_const)
    down, up = _down(eta_max, eta_const, T_cooldown, curve, "eta_const"), _warmed(eta_max, T_warmup, start)
    return Join((*up, down, Repeat(Run(shapes.flat, eta_const, eta_const, 1))))


@recipe
def tri_stage(
    eta_max: float,
    *,
    T_warmup: Time,
    T_stable: Time,
    T_decay: Time,
    init_scale: float = 0.01,
    final_scale: float = 0.01,
) -> Schedule:
    """Three stages: a line from init_scale * eta_max, eta_max, and exponential decay to final_scale * eta_max.

    T_warmup, T_stable, T_decay: at least 0. init_scale: at least 0. final_scale: above 0, at most 1.

    >>> schedule = tri_stage(1, T_warmup=10, T_stable=40, T_decay=50)
    >>> [round(schedule(t), 9) for t in (0, 10, 50, 75, 100)]
    [0.01, 1.0, 1.0, 0.1, 0.01]

    Source: Park et al. 2019, arXiv 1904.08779; fairseq's tri_stage.
    """
    if finite(init_scale, "init_scale") < 0:
        raise ScheduleError(f"init_scale must be at least 0, got {init_scale!r}")
    if not SMALLEST_SCALE < finite(final_scale, "final_scale") <= 1:
        raise ScheduleError(f"final_scale must be above {SMALLEST_SCALE:g} and at most 1, got {final_scale!r}")
    up = Run(shapes.linear, init_scale * finite(eta_max, "eta_max"), eta_max, lasting(T_warmup, "T_warmup"))
    down = Run(shapes.geometric(final_scale), eta_max, final_scale * eta_max, lasting(T_decay, "T_decay"))
    return Join((up, *_line(eta_max, eta_max, T_stable=T_stable), down))


@recipe
def knee(
    eta_max: float,
    *,
    T_warmup: Time,
    T_explore: Time,
    T_max: Time,
    start: Floor = 0.0,
) -> Schedule:
    """The knee schedule (explore, then exploit): a warm-up, eta_max for T_explore, then a line to 0 at T_max.

    start (of the warm-up): at most eta_max. T_warmup, T_explore: at least 0. T_max: the whole length, at least
    T_warmup + T_explore.

    >>> [knee(1, T_warmup=10, T_explore=40, T_max=100)(t) for t in (5, 50, 75, 100)]
    [0.5, 1.0, 0.5, 0.0]

    Source: Iyer et al. 2020, arXiv 2003.03977.
    """
    up, explore = _warmed(eta_max, T_warmup, start), lasting(T_explore, "T_explore")
    flat = exact(T_warmup, "T_warmup") + explore
    if (left := lasting(T_max, "T_max") - flat) < 0:
        raise ScheduleError(f"T_max must be at least T_warmup + T_explore = {plain(flat)}, got {T_max!r}")
    return Join((*up, Run(shapes.flat, eta_max, eta_max, explore), Run(shapes.linear, eta_max, 0.0, left)))


@recipe
def power_scheduler(
    eta_max: float,
    batch: float,
    *,
    T_warmup: Time,
    T_max: Time,
    T_cooldown: Time,
    a: float = 4.6,
    b: float = -0.51,
    eta_min: Floor = 0.0,
    curve: str | Shape = "linear",
) -> Schedule:
    """The power scheduler: a line up, min(eta_max, batch * a * t^b) for t in tokens, and a cooldown up to T_max.

    The line goes from 0 to the value of the formula at T_warmup; the cooldown to eta_min starts at T_max - T_cooldown.
    Lengths are in tokens: `.stretched(Fraction(1, tokens))` makes them updates of so many tokens each.

    eta_max, batch, a: above 0. b: below 0, at least -100. T_warmup, T_cooldown: at least 0, together at most T_max.
    eta_min: at most the rate from which the cooldown starts. curve: see `cooldown`.

    >>> schedule = power_scheduler(0.02, 4, T_warmup=2000, T_max=40000, T_cooldown=8000, a=0.1, b=-0.5)
    >>> [round(schedule(t), 9) for t in (1000, 2000, 10000, 32000, 36000, 40000)]
    [0.004472136, 0.008944272, 0.004, 0.002236068, 0.001118034, 0.0]

    Source: Shen et al. 2024, arXiv 2408.13359, whose a and b are the values here; batch is its batch size.
    """
    scale = above_0(batch, "batch") * above_0(a, "a")
    if not -100 <= finite(b, "b") < 0:
        raise ScheduleError(f"b must be below 0 and at least -100, got {b!r}")
    warm, cool = lasting(T_warmup, "T_warmup"), lasting(T_cooldown, "T_cooldown")
    if (stop := positive(T_max, "T_max") - cool) < warm:
        raise ScheduleError(f"T_max must be at least T_warmup + T_cooldown = {plain(warm + cool)}, got {T_max!r}")
    log_ratio = math.log(above_0(eta_max, "eta_max")) - math.log(scale)
    # In logarithms, since a power of the batch size may be beyond the range of floats.
    reached = math.exp(min(log_ratio / b, MOST_LOG))  # the time at which the formula is eta_max
    begin = max(warm, min(Fraction(reached), stop))
    peak = eta_max if begin > warm else min(eta_max, scale * float(warm) ** b)
    law = Tail(shapes.inverse_power(-b), peak, 0.0, begin)
    parts = [Run(shapes.linear, 0.0, peak, warm), *_line(peak, peak, T_warmup=begin - warm)]
    parts += [law.until(stop - begin)] if stop > begin else []
    eta_min = finite(eta_min, "eta_min")
    if eta_min > (rate := law(stop - begin)):
        raise ScheduleError(f"eta_min must be at most {rate!r}, the rate at T_max - T_cooldown, got {eta_min!r}")
    return Join((*parts, _down(rate, eta_min, cool, curve)))


def _risen(peak: float, T_warmup: Time) -> Schedule:
    return Run(shapes.linear, 0.0, peak, lasting(T_warmup, "T_warmup"))


def _warmed(eta_max: float, T_warmup: Time, start: Floor) -> list[Schedule]:
    """A line up, or nothing for a length of 0."""
    return _line(below(eta_max=eta_max, start=start), eta_max, T_warmup=T_warmup)


def _line(start: float, end: float, **length: Time) -> list[Schedule]:
    """A line, or nothing for a length of 0."""
    ((name, given),) = length.items()
    if (time := exact(given, name)) < 0:
        raise ScheduleError(f"{name} must be at least 0, got {given!r}")
    shape = shapes.flat if start == end else shapes.linear
    return [Run(shape, start, end, positive(given, name))] if time else []


def _down(eta_max: float, end: float, T_cooldown: Time, curve: Any, name: str = "eta_min") -> Schedule:
    shape = curve_shape(curve, FALLING, **{"eta_max": eta_max, name: end})
    return Run(shape, eta_max, end, lasting(T_cooldown, "T_cooldown"))
