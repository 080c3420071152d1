"""The schedules that the paper on warm restarts compares."""

from __future__ import annotations

from fractions import Fraction

from .exact import positive
from .recipes import multistep, warm_restarts
from .schedule.base import Schedule


def paper_schedules(budget: float | Fraction = 200) -> dict[str, Schedule]:
    """The seven schedules of the paper, by name: step decay from two rates, and warm restarts in five rhythms.

    budget: the length of training, above 0; the paper's is 200 epochs, and every length is scaled by budget / 200
    exactly. The names are those at 200 epochs: "restarts 10 x2" has T_0 = 10 and T_mult = 2.

    >>> schedules = paper_schedules()
    >>> list(schedules)[1:4]
    ['step 0.05', 'restarts 50 x1', 'restarts 100 x1']
    >>> round(schedules["step 0.05"](60), 9), schedules["restarts 10 x2"].restarts(until=200)
    (0.01, [10, 30, 70, 150])

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, section 4.1 and figure 1.
    """
    scale = positive(budget, "budget") / 200
    milestones = [60 * scale, 120 * scale, 160 * scale]
    steps = {f"step {eta_max}": multistep(eta_max, milestones, gamma=0.2) for eta_max in (0.1, 0.05)}
    rhythms = [(50, 1), (100, 1), (200, 1), (1, 2), (10, 2)]
    restarts = {
        f"restarts {T_0} x{T_mult}": warm_restarts(eta_max=0.05, T_0=T_0 * scale, T_mult=T_mult)
        for T_0, T_mult in rhythms
    }
    return steps | restarts
