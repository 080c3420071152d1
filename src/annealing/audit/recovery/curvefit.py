"""An elementary curve through rows: by a search for a guess and Gauss-Newton steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .basis import Array, Curve, Family
from .work_budget import spend

MOST_ROWS = 96  # rows that a fit looks at; all are checked afterwards
MOST_SLOPE = 1e150  # squares of more are beyond the range of floats
HOPELESS = 0.25  # of the range of the rates: no guess this far off leads to the curve
FAR_OFF = 24  # rows that a fit looks at besides, where they are off
SEARCHED = 24  # rows that the search for a guess looks at


def fitted(
    family: Family, t: Array, y: Array, slack: Array, near: Curve | None = None, search: bool = True
) -> Curve | None:
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
    family: Family,
    middle: float,
    scale: float,
    inner: tuple[float, ...],
    x: Array,
    rates: Array,
    weight: Array,
    t: Array,
    y: Array,
    slack: Array,
) -> Curve | None:
    columns = _weighted(family, inner, x, weight)
    if not np.isfinite(columns).all():
        return None
    inner, weights = _polished(family, x, rates, weight, inner, _solved(columns, rates * weight))
    for _ in range(3):
        curve = Curve(family, middle, scale, inner, weights)
        off = np.abs(curve(t) - y) / slack
        if (off <= 1).all():
            return curve
        if not np.isfinite(off).all() or (off > 1).sum() > len(t) // 10:
            return None
        worst = np.argsort(off)[-FAR_OFF:]  # a few exact rows among many coarse ones: fit by them too
        x, rates = np.append(x, (t[worst] - middle) / scale), np.append(rates, y[worst])
        weight = np.append(weight, 1 / slack[worst])
        weights = _solved(_weighted(family, inner, x, weight), rates * weight)
        inner, weights = _polished(family, x, rates, weight, inner, weights)
    return None


def covered(curve: Curve, t: Array, y: Array, slack: Array) -> int:
    """How many rows from the first on lie on a curve."""
    off = ~(np.abs(curve(t) - y) <= slack)
    return int(off.argmax()) if off.any() else len(t)


def _moved(near: Curve, middle: float, scale: float) -> tuple[float, ...]:
    """The inner numbers of a curve in another scaled time."""
    ratio = scale / near.scale
    if near.family.name in ("sine", "geometric", "shifted geometric"):
        return (near.inner[0] * ratio,)
    if not near.inner:
        return ()
    origin = (near.inner[0] * near.scale + near.middle - middle) / scale
    return (float(np.copysign(max(abs(origin), 1 + 1e-9), near.inner[0])), *near.inner[1:])


def _weighted(family: Family, inner: Sequence[float], x: Array, weight: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.stack(family.columns(inner, x), 1) * weight[:, None]


def _searched(
    family: Family, x: Array, y: Array, weight: Array, guesses: Iterable[tuple[float, ...]]
) -> tuple[float, ...] | None:
    """The guess from which the rows are nearest, by a few of them."""
    tried = list(guesses)
    spend(0.1 + 0.01 * len(tried))
    if len(tried) < 2:
        return tried[0] if tried else None
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), SEARCHED)).astype(int))
    weight = np.minimum(weight, 10 * weight.min())  # a guess must be near the large rates too
    inner = np.array(tried).T[:, :, None]
    all_at_once = family.columns(inner, x[rows])  # type: ignore[arg-type]  # every guess, one to a row
    columns = np.stack(np.broadcast_arrays(*all_at_once), -1)
    columns = columns * weight[rows][:, None]
    if columns.ndim == 2:
        columns = columns[None]
    good = np.isfinite(columns).all((1, 2))
    if not good.any():
        return None
    target = (y * weight)[rows]
    with np.errstate(all="ignore"):
        scaled = columns[good] / np.maximum(np.abs(columns[good]).max(1, keepdims=True), 1e-300)
    q = np.linalg.qr(scaled)[0]
    off = target - np.einsum("gnk,gk->gn", q, np.einsum("gnk,n->gk", q, target))
    worst = (np.abs(off) / weight[rows]).max(1)
    if worst.min() > HOPELESS * np.ptp(y[rows]):
        return None
    return tried[int(np.flatnonzero(good)[np.abs(off).max(1).argmin()])]


def _solved(columns: Array, target: Array) -> Array:
    size = np.linalg.norm(columns, axis=0)
    size[size == 0] = 1
    return np.asarray(np.linalg.lstsq(columns / size, target, rcond=1e-15)[0] / size)


def _polished(
    family: Family, x: Array, y: Array, weight: Array, inner: tuple[float, ...], weights: Array
) -> tuple[tuple[float, ...], Array]:
    """Gauss-Newton steps, halved while they make it worse."""
    if not inner:
        return inner, weights

    def off(inner: Sequence[float], weights: Array) -> Array:
        with np.errstate(all="ignore"):
            return (y - np.stack(family.columns(inner, x), 1) @ weights) * weight

    residual = off(inner, weights)
    for _ in range(14):
        spend(0.2 + 0.1 * len(inner))
        columns = [np.stack(family.columns(inner, x), 1) * weight[:, None]]
        for i, value in enumerate(inner):
            step = 1e-6 * max(abs(value), 1e-3)
            if value and i == 0 and family.name.startswith(("power", "raised")):
                step = min(step, (abs(value) - 1) / 4 + 1e-12)
            above, below = ((*inner[:i], value + sign * step, *inner[i + 1 :]) for sign in (1, -1))
            columns.append(((off(below, weights) - off(above, weights)) / (2 * step))[:, None])
        jacobian = np.concatenate(columns, 1)
        if not np.isfinite(jacobian).all() or np.abs(jacobian).max() > MOST_SLOPE:
            break
        norms = np.linalg.norm(jacobian, axis=0)
        norms[norms == 0] = 1
        move = np.linalg.lstsq(jacobian / norms, residual, rcond=1e-15)[0] / norms
        for part in (1.0, 0.5, 0.25, 0.05):
            tried = tuple(a + part * b for a, b in zip(inner, move[len(weights) :], strict=True))
            if any(not np.isfinite(v) for v in tried) or (tried[0] * inner[0] <= 0):
                continue
            there = _weighted(family, tried, x, weight)
            if not np.isfinite(there).all():
                continue
            again = tried, _solved(there, y * weight)
            if np.linalg.norm(new := off(*again)) < np.linalg.norm(residual):
                break
        else:
            break
        gain = np.linalg.norm(new) / (np.linalg.norm(residual) or 1)
        (inner, weights), residual = again, new
        if gain > 0.999 or np.abs(residual).max() < 0.2:
            break
    return inner, weights
