"""Schedules in stages, as language models are trained with: a warm-up, a stable rate or a slow decay, a cooldown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from .. import shapes
from ..errors import ScheduleError, finite
from ..nodes import Join, Repeat, Run, Tail
from ..schedule import Schedule
from ..shapes import Shape
from ..times import exact, positive
from .cooldowns import cooldown
from .listed import ordered, recipe


@recipe
def inverse_sqrt(eta_max: float, T_warmup: float | Fraction) -> Schedule:
    """A linear warm-up, then the inverse square root: eta_max * min(t / T_warmup, sqrt(T_warmup / t)).

    T_warmup: above 0.

    >>> [inverse_sqrt(1, T_warmup=100)(t) for t in (50, 100, 400)]
    [0.5, 1.0, 0.5]

    Source: Vaswani et al. 2017, arXiv 1706.03762; transformers' get_inverse_sqrt_schedule, Megatron-LM.
    """
    return power_law(eta_max, 0.5, T_warmup)


@recipe
def noam(d_model: int, T_warmup: float | Fraction, factor: float = 1.0) -> Schedule:
    """The Transformer's schedule: factor * d_model^-0.5 * min(t^-0.5, t * T_warmup^-1.5).

    d_model: the width of the model, above 0. T_warmup: above 0. It is `inverse_sqrt` with the peak that follows.

    >>> round(noam(512, T_warmup=4000)(4000), 9)
    0.000698771

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 5.3, with t for the update number.
    """
    if finite(d_model, "d_model") <= 0:
        raise ScheduleError(f"d_model must be above 0, got {d_model!r}")
    peak = finite(factor, "factor") / math.sqrt(d_model * float(positive(T_warmup, "T_warmup")))
    return power_law(peak, 0.5, T_warmup)


@recipe
def rsqrt(
    eta_max: float, timescale: float | Fraction, T_warmup: float | Fraction, shift: float | Fraction = 0
) -> Schedule:
    """A linear warm-up, then eta_max / sqrt(1 + (t + shift - T_warmup) / timescale).

    timescale, T_warmup: above 0. shift: at least 0; the warm-up ends at eta_max / sqrt(1 + shift / timescale).

    >>> [rsqrt(1, timescale=100, T_warmup=10)(t) for t in (5, 10, 310)]
    [0.5, 1.0, 0.5]

    Source: big_vision's "rsqrt"; the inverse square root of T5 (arXiv 1910.10683).
    """
    scale, moved = positive(timescale, "timescale"), exact(shift, "shift")
    if moved < 0:
        raise ScheduleError(f"shift must be at least 0, got {shift!r}")
    peak = finite(eta_max, "eta_max") / math.sqrt(1 + moved / scale)
    return _warmed(peak, T_warmup) >> Tail(shapes.inverse_power(0.5), peak, 0.0, scale + moved)


@recipe
def power_law(eta_max: float, exponent: float, T_warmup: float | Fraction) -> Schedule:
    """A linear warm-up, then a power law: eta_max * (t / T_warmup)^-exponent from T_warmup on.

    exponent: above 0. T_warmup: above 0.

    >>> [power_law(1, exponent=2, T_warmup=10)(t) for t in (5, 10, 20)]
    [0.5, 1.0, 0.25]

    Source: OLMo-core's PowerLR; Shen et al. 2024, arXiv 2408.13359, which begins to fall where a * n^-b is eta_max.
    """
    return _warmed(eta_max, T_warmup) >> Tail(shapes.inverse_power(exponent), eta_max, 0.0, T_warmup)


@recipe
def wsd(
    eta_max: float,
    eta_min: float = 0.0,
    *,
    T_warmup: float | Fraction,
    T_stable: float | Fraction,
    T_cooldown: float | Fraction,
    curve: str | Shape = "linear",
) -> Schedule:
    """Warm-up, stable, decay (a trapezoid): a line from 0 to eta_max, eta_max, and a cooldown to eta_min.

    eta_min <= eta_max. T_warmup, T_stable: at least 0. T_cooldown: above 0. curve: see `cooldown`; with a half-life it
    is `wsd(...).branch_cooldown` or `half_life` in place of the last part.

    >>> schedule = wsd(1, T_warmup=10, T_stable=70, T_cooldown=20, curve="1-sqrt")
    >>> [schedule(t) for t in (5, 10, 80, 85, 100)]
    [0.5, 1.0, 1.0, 0.5, 0.0]

    Source: Hu et al. 2024, arXiv 2404.06395; Hägele et al. 2024, arXiv 2405.18392.
    """
    ordered(eta_max, eta_min)
    before = [_line(0.0, eta_max, T_warmup, "T_warmup"), _line(eta_max, eta_max, T_stable, "T_stable")]
    last = cooldown(eta_max, eta_min, positive(T_cooldown, "T_cooldown"), curve)
    return Join((*(part for part in before if part), last))


@recipe
def wsd_s(
    eta_max: float,
    eta_min: float = 0.0,
    *,
    T_warmup: float | Fraction,
    periods: Sequence[float | Fraction],
    T_cooldown: float | Fraction,
    curve: str | Shape = "linear",
) -> Schedule:
    """WSD-S: one warm-up, then periods, each stable at eta_max and cooled down to eta_min in its last T_cooldown.

    eta_min <= eta_max. T_warmup: at least 0. periods: lengths, each above T_cooldown. curve: see `cooldown`.

    >>> schedule = wsd_s(1, T_warmup=10, periods=[50, 100], T_cooldown=10)
    >>> [schedule(t) for t in (10, 50, 55, 60, 150, 155)], schedule.snapshots()
    ([1.0, 1.0, 0.5, 1.0, 1.0, 0.5], [60, 160])

    Source: Wen et al. 2024, arXiv 2410.05192; OLMo-core's WSDS.
    """
    ordered(eta_max, eta_min)
    if not isinstance(periods, list | tuple) or not periods:
        raise ScheduleError(f"periods must be a list of lengths, at least one, got {periods!r}")
    cool, parts = positive(T_cooldown, "T_cooldown"), [_line(0.0, eta_max, T_warmup, "T_warmup")]
    for period in periods:
        if (stable := positive(period, "periods") - cool) <= 0:
            raise ScheduleError(f"periods must be above T_cooldown = {T_cooldown!r}, got {period!r}")
        parts += [_line(eta_max, eta_max, stable, "periods"), cooldown(eta_max, eta_min, cool, curve)]
    return Join(tuple(part for part in parts if part))


@recipe
def infinite(
    eta_max: float,
    eta_const: float,
    *,
    T_warmup: float | Fraction,
    T_cooldown: float | Fraction,
    curve: str | Shape = "cosine",
) -> Schedule:
    """An infinite schedule: a warm-up to eta_max, a cooldown to eta_const, and that for ever.

    eta_const <= eta_max. T_warmup: at least 0. T_cooldown: above 0. curve: see `cooldown`. To finish at any time:
    `.branch_cooldown(at, length)`.

    >>> schedule = infinite(1, 0.5, T_warmup=10, T_cooldown=90)
    >>> schedule(10), schedule(55), schedule(10**6), schedule.branch_cooldown(at=1000, length=100)(1050)
    (1.0, 0.75, 0.5, 0.25)

    Source: Ibrahim et al. 2024, arXiv 2403.08763.
    """
    ordered(eta_max, eta_const)
    down = cooldown(eta_max, eta_const, positive(T_cooldown, "T_cooldown"), curve)
    for_ever = Repeat(Run(shapes.flat, eta_const, eta_const, 1))
    return Join(tuple(part for part in (_line(0.0, eta_max, T_warmup, "T_warmup"), down, for_ever) if part))


@recipe
def tri_stage(
    eta_max: float,
    *,
    T_warmup: float | Fraction,
    T_stable: float | Fraction,
    T_decay: float | Fraction,
    init_scale: float = 0.01,
    final_scale: float = 0.01,
) -> Schedule:
    """Three stages: a line from init_scale * eta_max, eta_max, and exponential decay to final_scale * eta_max.

    T_warmup, T_decay: above 0. T_stable: at least 0. init_scale: at least 0. final_scale: above 0.

    >>> schedule = tri_stage(1, T_warmup=10, T_stable=40, T_decay=50)
    >>> [round(schedule(t), 9) for t in (0, 10, 50, 75, 100)]
    [0.01, 1.0, 1.0, 0.1, 0.01]

    Source: Park et al. 2019, arXiv 1904.08779; fairseq's tri_stage.
    """
    if finite(init_scale, "init_scale") < 0 or finite(final_scale, "final_scale") <= 0:
        raise ScheduleError(
            f"init_scale must be at least 0 and final_scale above 0, got {init_scale!r} and {final_scale!r}"
        )
    up = Run(shapes.linear, init_scale * finite(eta_max, "eta_max"), eta_max, positive(T_warmup, "T_warmup"))
    down = Run(shapes.geometric(final_scale), eta_max, final_scale * eta_max, positive(T_decay, "T_decay"))
    return Join(tuple(part for part in (up, _line(eta_max, eta_max, T_stable, "T_stable"), down) if part))


@recipe
def knee(
    eta_max: float, *, T_warmup: float | Fraction, T_explore: float | Fraction, T_max: float | Fraction
) -> Schedule:
    """The knee schedule (explore, then exploit): a warm-up, eta_max for T_explore, then a line to 0 at T_max.

    T_warmup: at least 0. T_explore: above 0. T_max: the whole length, above T_warmup + T_explore.

    >>> [knee(1, T_warmup=10, T_explore=40, T_max=100)(t) for t in (5, 50, 75, 100)]
    [0.5, 1.0, 0.5, 0.0]

    Source: Iyer et al. 2020, arXiv 2003.03977.
    """
    warm, explore = exact(T_warmup, "T_warmup"), positive(T_explore, "T_explore")
    left = positive(T_max, "T_max") - warm - explore
    if left <= 0:
        raise ScheduleError(f"T_max must be above T_warmup + T_explore = {float(warm + explore):g}, got {T_max!r}")
    return wsd(eta_max, T_warmup=warm, T_stable=explore, T_cooldown=left)


def _warmed(peak: float, T_warmup: float | Fraction) -> Schedule:
    return Run(shapes.linear, 0.0, peak, positive(T_warmup, "T_warmup"))


def _line(start: float, end: float, length: float | Fraction, name: str) -> Schedule | None:
    """A line, or nothing for a length of 0."""
    if (time := exact(length, name)) < 0:
        raise ScheduleError(f"{name} must be at least 0, got {length!r}")
    shape = shapes.flat if start == end else shapes.linear
    return Run(shape, start, end, positive(time, name)) if time else None
