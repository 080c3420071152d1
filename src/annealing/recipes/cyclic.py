"""Schedules that go up and down: one cycle, triangles, and restarts with warm-ups."""

from __future__ import annotations

import math
from fractions import Fraction

from .. import shapes
from ..errors import ScheduleError, finite, whole
from ..exact import Floor, Time, lasting, positive
from ..schedule.base import Schedule
from ..schedule.nodes import Join, Repeat, Run
from .arguments import above_0, below, ratio, share
from .classic import warm_restarts
from .decays import exponential
from .registry import a_schedule, ordered, recipe

MOST_STEPS = 4096
CURVES = {"cosine": shapes.cosine, "linear": shapes.linear}


@recipe
def one_cycle(
    eta_max: float,
    T_max: Time,
    *,
    pct_start: float | Fraction = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    curve: str = "cosine",
    three_phase: bool = False,
) -> Schedule:
    """One cycle: up from eta_max / div_factor to eta_max, then down to eta_max / (div_factor * final_div_factor).

    T_max: the whole length, above 0. pct_start: the share of it that goes up, from 0 to 1 (to 1/2 with
    three_phase, which goes down to the first value for as long, and only then to the last). div_factor,
    final_div_factor: above 0. curve: "cosine" or "linear". PyTorch's, with total_steps N and pct_start p, is this with
    T_max = N - 1 and pct_start = (p * N - 1) / (N - 1), in two phases and in three.

    >>> [round(one_cycle(1, 100)(t), 6) for t in (0, 15, 30, 65, 100)]
    [0.04, 0.52, 1.0, 0.500002, 4e-06]

    Source: Smith and Topin 2018, arXiv 1708.07120; torch.optim.lr_scheduler.OneCycleLR.
    """
    start = finite(eta_max, "eta_max") / above_0(div_factor, "div_factor")
    last = start / above_0(final_div_factor, "final_div_factor")
    return _up_and_down([start, eta_max, start, last], T_max, pct_start, curve, three_phase)


@recipe
def one_cycle_momentum(
    momentum_min: float,
    momentum_max: float,
    T_max: Time,
    *,
    pct_start: float | Fraction = 0.3,
    curve: str = "cosine",
    three_phase: bool = False,
) -> Schedule:
    """The momentum beside `one_cycle`: down from momentum_max to momentum_min while the rate goes up, and up again.

    momentum_min <= momentum_max. The others as in `one_cycle`; with three phases the last one stays at momentum_max.

    >>> [one_cycle_momentum(0.85, 0.95, 100, curve="linear")(t) for t in (0, 30, 100)]
    [0.95, 0.85, 0.95]

    Source: Smith and Topin 2018, arXiv 1708.07120; torch.optim.lr_scheduler.OneCycleLR.
    """
    below(momentum_max=momentum_max, momentum_min=momentum_min)
    values = [momentum_max, momentum_min, momentum_max, momentum_max]
    return _up_and_down(values, T_max, pct_start, curve, three_phase)


def _up_and_down(
    values: list[float], T_max: Time, pct_start: float | Fraction, curve: str, three_phase: bool
) -> Schedule:
    """From value to value: two phases leave out the third of the four."""
    if not isinstance(three_phase, bool):
        raise ScheduleError(f"three_phase must be True or False, got {three_phase!r}")
    if not isinstance(curve, str) or curve not in CURVES:
        raise ScheduleError(f"curve must be one of {', '.join(CURVES)}, got {curve!r}")
    T = positive(T_max, "T_max")
    up = T * share(pct_start, "pct_start", Fraction(1, 2) if three_phase else Fraction(1))
    lengths = [up, up, T - 2 * up] if three_phase else [up, T - up]
    values = values if three_phase else [values[0], values[1], values[3]]
    pairs = zip(values, values[1:], lengths, strict=False)
    return Join(tuple(Run(CURVES[curve], start, end, length) for start, end, length in pairs))


@recipe
def triangular(eta_min: Floor, eta_max: float, step_size_up: Time, step_size_down: Time | None = None) -> Schedule:
    """A cyclical rate: a line from eta_min up to eta_max and a line down, repeated forever.

    eta_min <= eta_max. step_size_up, step_size_down (by default the same): at least 0, not both 0.

    >>> [triangular(0, 1, 10)(t) for t in (0, 5, 10, 20, 25)]
    [0.0, 0.5, 1.0, 0.0, 0.5]

    Source: Smith 2017, arXiv 1506.01186; torch.optim.lr_scheduler.CyclicLR.
    """
    eta_min = ordered(eta_max, eta_min)
    return Repeat(_triangle(eta_min, eta_max, step_size_up, step_size_down))


@recipe
def triangular2(eta_min: Floor, eta_max: float, step_size_up: Time, step_size_down: Time | None = None) -> Schedule:
    """A cyclical rate whose amplitude is halved in every cycle: see `triangular`.

    >>> [triangular2(1, 2, 10)(t) for t in (10, 20, 30, 50)]
    [2.0, 1.0, 1.5, 1.25]

    Source: Smith 2017, arXiv 1506.01186; torch.optim.lr_scheduler.CyclicLR, mode "triangular2".
    """
    eta_min = ordered(eta_max, eta_min)
    return eta_min + Repeat(_triangle(0.0, eta_max - eta_min, step_size_up, step_size_down), peak_factor=0.5)


@recipe
def exp_range(
    eta_min: Floor,
    eta_max: float,
    step_size_up: Time,
    step_size_down: Time | None = None,
    *,
    gamma: float,
) -> Schedule:
    """A cyclical rate whose amplitude is multiplied by gamma^t: see `triangular`.

    gamma: above 0, below 1.

    >>> [round(exp_range(1, 2, 10, gamma=0.9)(t), 6) for t in (0, 10, 20, 30)]
    [1.0, 1.348678, 1.0, 1.042391]

    Source: Smith 2017, arXiv 1506.01186; torch.optim.lr_scheduler.CyclicLR, mode "exp_range".
    """
    eta_min = ordered(eta_max, eta_min)
    triangles = Repeat(_triangle(0.0, eta_max - eta_min, step_size_up, step_size_down))
    return eta_min + triangles * exponential(1, gamma)


def _triangle(low: float, high: float, up: Time, down: Time | None) -> Schedule:
    rise, fall = lasting(up, "step_size_up"), lasting(up if down is None else down, "step_size_down")
    if rise == fall == 0:
        raise ScheduleError(f"step_size_up must be above 0 where step_size_down is not, got {up!r}")
    return Run(shapes.linear, low, high, rise) >> Run(shapes.linear, high, low, fall)


@recipe
def slanted_triangular(eta_max: float, T_max: Time, *, cut_frac: float | Fraction = 0.1, ratio: float = 32) -> Schedule:
    """A short line up from eta_max / ratio to eta_max, and a long one down to eta_max / ratio at T_max.

    T_max: above 0. cut_frac: the share of it that goes up, from 0 to 1. ratio: at least 1.

    >>> [slanted_triangular(32, 100)(t) for t in (0, 10, 55, 100)]
    [1.0, 32.0, 16.5, 1.0]

    Source: Howard and Ruder 2018, arXiv 1801.06146.
    """
    T, cut = positive(T_max, "T_max"), share(cut_frac, "cut_frac")
    if finite(ratio, "ratio") < 1:
        raise ScheduleError(f"ratio must be at least 1, got {ratio!r}")
    low = finite(eta_max, "eta_max") / ratio
    return Run(shapes.linear, low, eta_max, cut * T) >> Run(shapes.linear, eta_max, low, (1 - cut) * T)


@recipe
def chebyshev(eta_max: float, eta_min: Floor, steps: int, length: Time = 1) -> Schedule:
    """Fractal Chebyshev steps: eta_min / (sin(x)^2 + eta_min / eta_max * cos(x)^2), where x = pi (k + 1/2) / (2 steps).

    Each step is held for `length`. The order of k is a permutation: 0, 1 for two steps; 0, 3, 1, 2 for four;
    0, 7, 3, 4, 1, 6, 2, 5 for eight. That for 2n is built from that for n: each k is followed by 2n - 1 - k.

    eta_max, eta_min: above 0, eta_min <= eta_max, the inverses of the least and the greatest curvature; all steps are
    between them. steps: how many, a power of 2, at most 4096. length: of one step, above 0.

    >>> [round(chebyshev(1, 0.1, steps=4)(t), 6) for t in range(4)]
    [0.744856, 0.103547, 0.264696, 0.138464]

    Source: Agarwal, Goel and Zhang 2021, arXiv 2103.01338.
    """
    low = ratio(eta_max=eta_max, eta_min=eta_min)
    eta_min = ordered(eta_max, eta_min)
    if whole(steps, "steps") > MOST_STEPS or steps & (steps - 1):
        raise ScheduleError(f"steps must be a power of 2, at most {MOST_STEPS}, got {steps!r}")
    part, order = positive(length, "length"), [0]
    while len(order) < steps:
        order = [k for j in order for k in (j, 2 * len(order) - 1 - j)]
    angles = (math.pi * (2 * k + 1) / (4 * steps) for k in order)
    etas = [eta_min / (math.sin(x) ** 2 + low * math.cos(x) ** 2) for x in angles]
    return Join(tuple(Run(shapes.flat, eta, eta, part) for eta in etas))


@recipe
def jagged_restarts(schedule: Schedule, every: Time, T_ramp: Time, start: float = 0.0) -> Schedule:
    """A schedule that is set back at every multiple of `every`, and ramped up again within T_ramp.

    At these times (not at 0) the rate is multiplied by a line from `start` to 1. It ends where the schedule ends.

    every: above T_ramp, which is at least 0. start: a factor, from 0 to 1.

    >>> from annealing import constant
    >>> [jagged_restarts(constant(2), every=10, T_ramp=4)(t) for t in (0, 9, 10, 12, 14, 20)]
    [2.0, 2.0, 0.0, 1.0, 2.0, 0.0]

    Source: Lialin et al. 2023, arXiv 2307.05695 (ReLoRA); axolotl's JaggedLRRestartScheduler.
    """
    schedule = a_schedule(schedule, "schedule")
    period, ramp = positive(every, "every"), lasting(T_ramp, "T_ramp")
    if ramp >= period:
        raise ScheduleError(f"T_ramp must be below every = {every!r}, got {T_ramp!r}")
    if not 0 <= finite(start, "start") <= 1:
        raise ScheduleError(f"start must be between 0 and 1, got {start!r}")
    again = Repeat(Run(shapes.linear, start, 1, ramp) >> Run(shapes.flat, 1, 1, period - ramp))
    factor: Schedule = Run(shapes.flat, 1, 1, period) >> again
    return schedule * (factor if schedule.exact_duration is None else factor.until(schedule.exact_duration))


@recipe
def warmup_restarts(
    eta_max: float,
    eta_min: Floor = 0.0,
    *,
    T_0: Time,
    T_warmup: Time,
    T_mult: float | Fraction = 1,
    eta_max_factor: float = 1,
    eta_min_factor: float = 1,
    runs: int | None = None,
) -> Schedule:
    """Warm restarts with a warm-up in every cycle: a line from eta_min to eta_max, then the cosine down to eta_min.

    T_warmup: the length of the first warm-up, at least 0, below T_0; like the cycle, it grows by T_mult. The others as
    in `warm_restarts`, where T_0 is also the length of a whole cycle.

    >>> schedule = warmup_restarts(eta_max=1, T_0=10, T_warmup=2, eta_max_factor=0.5)
    >>> [schedule(t) for t in (0, 1, 2, 6, 10, 12)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]

    Source: as asked for in pytorch issue 62640; CosineAnnealingWarmupRestarts of katsura-jp, where T_mult is 1.
    """
    factors = {"eta_max_factor": eta_max_factor, "eta_min_factor": eta_min_factor}
    plain = warm_restarts(eta_max, eta_min, T_0=T_0, T_mult=T_mult, runs=runs, **factors)
    T, warm = positive(T_0, "T_0"), lasting(T_warmup, "T_warmup")
    if warm >= T:
        raise ScheduleError(f"T_warmup must be below T_0 = {T_0!r}, got {T_warmup!r}")
    assert isinstance(plain, Repeat)
    eta_min = ordered(eta_max, eta_min)
    cycle = Run(shapes.linear, eta_min, eta_max, warm) >> Run(shapes.cosine, eta_max, eta_min, T - warm)
    return Repeat(cycle, plain.times, plain.growth, plain.peak_factor, plain.floor_factor)
