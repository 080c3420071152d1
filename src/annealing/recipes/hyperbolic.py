"""Decays along a hyperbola, whose beginning depends little on how long they last."""

from __future__ import annotations

import math
from fractions import Fraction

from .. import shapes
from ..errors import ScheduleError
from ..exact import Time, plain, positive
from ..schedule.base import Schedule
from ..schedule.nodes import Run
from ..shapes import Shape
from .arguments import ratio
from .registry import ordered, recipe


@recipe
def hyperbolic(eta_max: float, eta_min: float, T_max: Time, T_upper: float | Fraction) -> Schedule:
    """HyperbolicLR: eta_max + (eta_max - eta_min) * (h(t) - h(0)), where h(t) = sqrt((T - t) * (2 U - T - t)) / U.

    eta_min <= eta_max: where U = T it ends at eta_min, else above. T_max: T, above 0. T_upper: U, at least T_max, the
    same for all lengths that are to begin alike (upper_bound in its code).

    >>> [round(hyperbolic(1, 0, 100, T_upper=250)(t), 6) for t in (0, 50, 100)]
    [1.0, 0.72915, 0.2]

    Source: Kim 2024, arXiv 2407.15200.
    """
    ordered(eta_max, eta_min)
    shape, height = _hyperbola(T_max, T_upper)
    return Run(shape, eta_max, eta_max - (eta_max - eta_min) * height, T_max)


@recipe
def exp_hyperbolic(eta_max: float, eta_min: float, T_max: Time, T_upper: float | Fraction) -> Schedule:
    """ExpHyperbolicLR: eta_max * (eta_max / eta_min)^(h(t) - h(0)), with the h of `hyperbolic`.

    eta_max, eta_min: above 0, eta_min <= eta_max. T_max, T_upper: as in `hyperbolic`.

    >>> [round(exp_hyperbolic(1, 0.01, 100, T_upper=250)(t), 6) for t in (0, 50, 100)]
    [1.0, 0.287277, 0.025119]

    Source: Kim 2024, arXiv 2407.15200.
    """
    last = ratio(eta_max=eta_max, eta_min=eta_min)
    ordered(eta_max, eta_min)
    shape, height = _hyperbola(T_max, T_upper)
    last **= height
    return Run(shapes.composed(shapes.geometric(last), shape), eta_max, eta_max * last, T_max)


def _hyperbola(T_max: Time, T_upper: float | Fraction) -> tuple[Shape, float]:
    """Its shape, and h(0)."""
    T, bound = positive(T_max, "T_max"), positive(T_upper, "T_upper")
    if bound < T:
        raise ScheduleError(f"T_upper must be at least T_max = {plain(T)}, got {T_upper!r}")
    return shapes.hyperbolic(float(T / (2 * bound - T))), math.sqrt(T / bound * (2 - T / bound))
