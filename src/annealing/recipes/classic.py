"""The schedules that the project starts from: cosine annealing, warm restarts and step decay."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from .. import shapes
from ..calls import REQUIRED
from ..errors import ScheduleError, finite, whole
from ..exact import Floor, Time, exact, lasting, positive
from ..schedule.base import Schedule
from ..schedule.nodes import Join, Repeat, Run, factors_of
from .arguments import below, share_of
from .registry import decay_factor, ordered, recipe


@recipe
def linear(start: Floor, end: Floor, length: Time) -> Schedule:
    """A straight line from `start` to `end`: start + (end - start) * t / length.

    start, end: any finite numbers; one may be a share of the other ("10%"). length: at least 0, in the schedule's unit.
    After it the end is held.

    >>> linear(0, 0.1, 10)(5)
    0.05

    Source: the linear warm-up and decay of every framework, e.g. torch.optim.lr_scheduler.LinearLR.
    """
    return Run(shapes.linear, finite(start, "start"), finite(end, "end"), length)


@recipe
def cosine(eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED) -> Schedule:
    """Cosine annealing: eta_min + (eta_max - eta_min) / 2 * (1 + cos(pi * t / T_max)), then eta_min is held.

    eta_max, eta_min: values, eta_min <= eta_max; eta_min may be a share of the peak ("10%"), as in every recipe that
    has both, and left out where T_max is named. T_max: the length, at least 0. PyTorch's periodic form, which rises
    again after T_max, is `.beyond("mirror")`.

    >>> [round(cosine(1, 0, 10)(t), 4) for t in (0, 5, 9, 10, 11)]
    [1.0, 0.5, 0.0245, 0.0, 0.0]

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5, within one cycle.
    """
    return Run(shapes.cosine, eta_max, ordered(eta_max, eta_min), lasting(T_max, "T_max"))


@recipe
def warm_restarts(
    eta_max: float,
    eta_min: Floor = 0.0,
    *,
    T_0: Time,
    T_mult: float | Fraction = 1,
    eta_max_factor: float = 1,
    eta_min_factor: float = 1,
    runs: int | None = None,
) -> Schedule:
    """Cosine annealing with warm restarts (SGDR): cycle i lasts T_i = T_0 * T_mult^i and starts again from its peak.

    In cycle i: eta_min_i + (eta_max_i - eta_min_i) / 2 * (1 + cos(pi * T_cur / T_i)), where T_cur is the time since the
    last restart, eta_max_i = eta_max * eta_max_factor^i and eta_min_i = eta_min * eta_min_factor^i; where eta_max_i
    would fall below eta_min_i the cycle is flat at eta_min_i.

    eta_max, eta_min: values, eta_min <= eta_max. T_0: the length of the first cycle, above 0. T_mult: at least 1.
    eta_max_factor, eta_min_factor: from 0 to 1 (above 1 with `runs`). runs: how many cycles, then hold (None: no end).

    >>> [round(warm_restarts(eta_max=0.05, T_0=10, T_mult=2)(t), 5) for t in (0, 5, 10, 20, 29.5, 30)]
    [0.05, 0.025, 0.05, 0.025, 8e-05, 0.05]

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5; eta_max_factor as asked for in pytorch issue 62640.
    """
    first = cosine(eta_max, eta_min, positive(T_0, "T_0"))
    if (growth := positive(T_mult, "T_mult")) < 1:
        raise ScheduleError(f"T_mult must be at least 1, got {T_mult!r}")
    times = None if runs is None else whole(runs, "runs")
    factors = factors_of("runs", times, eta_max_factor=eta_max_factor, eta_min_factor=eta_min_factor)
    return Repeat(first, times, growth, *factors.values())


@recipe
def runs(listed: Sequence[tuple[Time, float, Floor]]) -> Schedule:
    """Warm restarts with every cycle listed: one cosine after another; then the last value is held.

    listed: (T_i, eta_max_i, eta_min_i) for each cycle: its length and its first and final value.

    >>> schedule = runs([(10, 0.1, 0.01), (30, 0.05, 0)])
    >>> schedule(0), schedule.left(10), schedule(10), schedule(40)
    (0.1, 0.01, 0.05, 0.0)

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5, where T_i, eta_max_i and eta_min_i carry an index.
    """
    if not isinstance(listed, list | tuple) or not listed:
        raise ScheduleError(f"listed must be a list of (T_i, eta_max_i, eta_min_i), at least one, got {listed!r}")
    parts = list[Schedule]()
    for i, row in enumerate(listed):
        if not isinstance(row, list | tuple) or len(row) != 3:
            raise ScheduleError(f"listed must hold (T_i, eta_max_i, eta_min_i) for each cycle, got {row!r}")
        T, eta_max, eta_min = row
        if isinstance(eta_min, str):
            eta_min = share_of(eta_max, eta_min, f"eta_min_{i} of listed")
        below(**{f"eta_max_{i} of listed": eta_max, f"eta_min_{i} of listed": eta_min})
        parts.append(Run(shapes.cosine, eta_max, eta_min, lasting(T, f"T_{i} of listed")))
    return Join(tuple(parts))


@recipe
def step(eta_max: float, step_size: Time, gamma: float = 0.1) -> Schedule:
    """Step decay: eta_max * gamma^floor(t / step_size).

    eta_max: the first value. step_size: the time between two drops, above 0. gamma: from 0 to 1.

    >>> [step(0.1, step_size=30, gamma=0.5)(t) for t in (0, 29, 30, 60)]
    [0.1, 0.1, 0.05, 0.025]

    Source: torch.optim.lr_scheduler.StepLR.
    """
    first = finite(eta_max, "eta_max")
    return Repeat(Run(shapes.flat, first, first, positive(step_size, "step_size")), None, 1, *[decay_factor(gamma)] * 2)


@recipe
def multistep(eta_max: float, milestones: Sequence[Time], gamma: float = 0.1) -> Schedule:
    """Step decay at listed times: eta_max * gamma^(number of milestones reached).

    eta_max: the first value. milestones: times in order, at least 0; where one is listed twice
    the rate drops twice. gamma: from 0 to 1.

    >>> [round(multistep(0.1, [60, 120, 160], gamma=0.2)(t), 9) for t in (59, 60, 120, 160)]
    [0.1, 0.02, 0.004, 0.0008]

    Source: torch.optim.lr_scheduler.MultiStepLR; the values here are those of He et al. and Zagoruyko's WRN.
    """
    if not isinstance(milestones, list | tuple):
        raise ScheduleError(f"milestones must be a list of times, got {milestones!r}")
    times = [Fraction(0), *(exact(milestone, "milestones") for milestone in milestones)]
    if any(after < before for before, after in itertools.pairwise(times)):
        raise ScheduleError(f"milestones must be at least 0 and not decrease, got {milestones!r}")
    first, factor = Fraction(finite(eta_max, "eta_max")), Fraction(decay_factor(gamma))
    values = [float(first * factor**i) for i in range(len(times))]
    steps = [Run(shapes.flat, v, v, b - a) for v, (a, b) in zip(values, itertools.pairwise(times), strict=False)]
    return Join((*steps, Repeat(Run(shapes.flat, values[-1], values[-1], 1))))
