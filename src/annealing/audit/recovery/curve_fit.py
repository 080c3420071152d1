"""An elementary curve through rows: by a search for a guess and Gauss-Newton steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...errors import ScheduleError
from .curve_families import Array, CurveFamily, FittedCurve
from .least_squares import nearest
from .work_budget import spend

MOST_ROWS = 96  # rows that a fit looks at; all are checked afterwards
INSIDE = 1 - 1e-6  # from the middle of the rows to the first or last of them
MOST_STEPS = 40  # of least squares
HOPELESS = 0.25  # of the range of the rates: no guess this far off leads to the curve
FAR_OFF = 24  # rows that a fit looks at besides, where they are off
SEARCHED = 24  # rows that the search for a guess looks at


def fitted(
    family: CurveFamily, t: Array, y: Array, slack: Array, near: FittedCurve | None = None, search: bool = True
) -> FittedCurve | None:
    """The curve of a family through rows within their slack, or None.

    near: one to begin with. search: whether to look further than that.
    """
    rows = np.unique(np.linspace(0, len(t) - 1, min(len(t), MOST_ROWS)).astype(int))
    middle, scale = float(t[0] + t[-1]) / 2, float(t[-1] - t[0]) / 2 or 1.0
    x, weight = (t - middle) / scale, 1 / slack
    if near is not None:
        curve = _through(family, middle, scale, _moved(near, middle, scale), rows, (x, y, weight))
        if curve is not None or not search:
            return curve
    guess = _searched(family, x[rows], y[rows], weight[rows], family.guesses(x[rows], y[rows]))
    return None if guess is None else _through(family, middle, scale, guess, rows, (x, y, weight))


def _through(
    family: CurveFamily, middle: float, scale: float, inner: tuple[float, ...], rows: Any, known: tuple[Array, ...]
) -> FittedCurve | None:
    """The curve fitted to some rows, if all lie on it; those that are furthest off are taken in."""
    x, y, weight = known
    if not np.isfinite(_weighted(family, inner, x[rows], weight[rows])).all():
        return None
    for _ in range(4):
        inner, weights = _fitted_numbers(family, x[rows], y[rows], weight[rows], inner)
        off = np.abs(y * weight - _weighted(family, inner, x, weight) @ weights)
        if (off <= 1).all():
            return FittedCurve(family, middle, scale, inner, weights)
        if not np.isfinite(off).all() or (off > 1).sum() > len(x) // 10:
            return None
        # A few exact rows may stand among many coarse ones: they count twice
        rows = np.append(rows, np.argsort(off)[-FAR_OFF:])
    return None


def _moved(near: FittedCurve, middle: float, scale: float) -> tuple[float, ...]:
    """The inner numbers of a curve in another scaled time."""
    ratio = scale / near.scale
    if near.family.name in ("wave", "geometric", "shifted geometric"):
        return (near.inner[0] * ratio,)
    if not near.inner:
        return ()
    origin = (near.inner[0] * near.scale + near.middle - middle) / scale
    return (float(np.copysign(max(abs(origin), 1 + 1e-9), near.inner[0])), *near.inner[1:])


def _weighted(family: CurveFamily, inner: Sequence[float], x: Array, weight: Array) -> Array:
    with np.errstate(all="ignore"):
        try:
            return np.stack(family.columns(inner, x), 1) * weight[:, None]
        except ScheduleError:  # no shape has such an exponent
            return np.full((len(x), 1), np.nan)


def _searched(
    family: CurveFamily, x: Array, y: Array, weight: Array, guesses: Iterable[tuple[float, ...]]
) -> tuple[float, ...] | None:
    """The initial guess with the smallest residual on a subsample of rows."""
    tried = list(guesses)
    spend(0.1 + 0.01 * len(tried))
    if len(tried) < 2:
        return tried[0] if tried else None
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), SEARCHED)).astype(int))
    weight = np.minimum(weight, 10 * weight.min())[rows]  # a guess must be near the large rates too
    columns = np.stack([_weighted(family, inner, x[rows], weight) for inner in tried])
    good = np.isfinite(columns).all((1, 2))
    if not good.any():
        return None
    target = y[rows] * weight
    with np.errstate(all="ignore"):
        scaled = columns[good] / np.maximum(np.abs(columns[good]).max(1, keepdims=True), 1e-300)
    q = np.linalg.qr(scaled)[0]
    off = target - np.einsum("gnk,gk->gn", q, np.einsum("gnk,n->gk", q, target))
    if (np.abs(off) / weight).max(1).min() > HOPELESS * np.ptp(y[rows]):
        return None
    return tried[int(np.flatnonzero(good)[np.abs(off).max(1).argmin()])]


def _solved(columns: Array, target: Array) -> Array:
    # Columns of one length, so that the cut-off for small singular values means the same for each
    size = np.linalg.norm(columns, axis=0)
    size[size == 0] = 1
    return np.asarray(np.linalg.lstsq(columns / size, target, rcond=1e-15)[0] / size)


def _fitted_numbers(
    family: CurveFamily, x: Array, y: Array, weight: Array, inner: tuple[float, ...]
) -> tuple[tuple[float, ...], Array]:
    """The inner numbers with the least squares, and the weights, which they determine."""

    def off(numbers: Array) -> Array:
        # An origin on the other side of the rows makes another curve; one among them, a curve that is held before it
        if numbers[0] * inner[0] <= 0 or ("power" in family.name and abs(numbers[0]) < INSIDE):
            return np.full(len(x), np.inf)
        columns = _weighted(family, numbers.tolist(), x, weight)
        if not np.isfinite(columns).all():
            return np.full(len(x), np.inf)
        return y * weight - columns @ _solved(columns, y * weight)

    if inner:
        inner = tuple(nearest(off, np.array(inner), MOST_STEPS, None).tolist())
    return inner, _solved(_weighted(family, inner, x, weight), y * weight)
