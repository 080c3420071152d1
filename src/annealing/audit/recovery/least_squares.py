"""Least squares over a few numbers: SciPy's Levenberg-Marquardt, with the work counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .model import Array
from .work_budget import spend

FAR = 1e100  # what a residual is at most, so that its square is still a number
CONVERGED = 0.01  # in tolerances: no row can tell a smaller residual from none


class Converged(Exception):
    """Every residual is far within its tolerance."""


def nearest(off: Callable[[Array], Array], start: Array, most: int, jacobian: Callable[[Array], Array] | None) -> Array:
    """The numbers near a start with the least squares of residuals, which are in units of the rows' tolerances.

    most: how often the residuals are computed. jacobian: or differences of the residuals.
    """
    from scipy.optimize import least_squares

    best, least = start, np.inf

    def watched(numbers: Array) -> Array:
        nonlocal best, least
        spend(0.1)
        residuals = off(numbers)
        residuals = np.clip(np.where(np.isfinite(residuals), residuals, FAR), -FAR, FAR)
        if (size := float(np.abs(residuals).max(initial=0))) < least:
            best, least = numbers.copy(), size
        if size < CONVERGED:
            raise Converged
        return residuals

    # `xtol` of float64 itself: with 17 digits the rows tell the last of them
    options: dict[str, Any] = {"xtol": 1e-15, "ftol": 1e-4, "gtol": 1e-15, "max_nfev": most}
    try:
        return np.asarray(least_squares(watched, start, jacobian or "2-point", method="lm", x_scale="jac", **options).x)
    except Converged:
        return best
    except ValueError:  # a Jacobian with infinities: the guess was far off
        return start
