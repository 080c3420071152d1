"""An elementary curve through rows: by a search for a guess and Gauss-Newton steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...errors import ScheduleError
from .curve_families import Array, CurveFamily, FittedCurve
from .least_squares import nearest
from .work_budget import spend

MOST_ROWS = 96  # rows that a fit looks at; all are checked afterwards
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
    x, rates, weight = (t[rows] - middle) / scale, y[rows], 1 / slack[rows]
    for inner in [_moved(near, middle, scale)] if near is not None else []:
        if (curve := _through(family, middle, scale, inner, x, rates, weight, t, y, slack)) is not None:
            return curve
    if near is not None and not search:
        return None
    guess = _searched(family, x, rates, weight, family.guesses(x, rates))
    return None if guess is None else _through(family, middle, scale, guess, x, rates, weight, t, y, slack)


def _through(
    family: CurveFamily,
    middle: float,
    scale: float,
    inner: tuple[float, ...],
    x: Array,
    rates: Array,
    weight: Array,
    t: Array,
    y: Array,
    slack: Array,
) -> FittedCurve | None:
    columns = _weighted(family, inner, x, weight)
    if not np.isfinite(columns).all():
        return None
    inner, weights = _fitted_numbers(family, x, rates, weight, inner)
    for _ in range(3):
        curve = FittedCurve(family, middle, scale, inner, weights)
        off = np.abs(curve(t) - y) / slack
        if (off <= 1).all():
            return curve
        if not np.isfinite(off).all() or (off > 1).sum() > len(t) // 10:
            return None
        worst = np.argsort(off)[-FAR_OFF:]  # a few exact rows among many coarse ones: fit by them too
        x, rates = np.append(x, (t[worst] - middle) / scale), np.append(rates, y[worst])
        weight = np.append(weight, 1 / slack[worst])
        inner, weights = _fitted_numbers(family, x, rates, weight, inner)
    return None


def covered(curve: FittedCurve, t: Array, y: Array, slack: Array) -> int:
    """How many rows from the first on lie on a curve."""
    off = ~(np.abs(curve(t) - y) <= slack)
    return int(off.argmax()) if off.any() else len(t)


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
        # A curve whose origin is on the other side of the rows is another curve
        if numbers[0] * inner[0] <= 0:
            return np.full(len(x), np.inf)
        columns = _weighted(family, numbers.tolist(), x, weight)
        if not np.isfinite(columns).all():
            return np.full(len(x), np.inf)
        return y * weight - columns @ _solved(columns, y * weight)

    if inner:
        inner = tuple(nearest(off, np.array(inner), MOST_STEPS, None).tolist())
    return inner, _solved(_weighted(family, inner, x, weight), y * weight)
