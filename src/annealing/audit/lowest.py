"""Where a misfit of one unknown is lowest: a grid, then ever nearer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .evidence import Array

GRID = 480
PLACES = 3  # of the grid that are looked at more closely
STEPS = 24  # of each finer grid


def lowest(misfit: Callable[[Array], Any], scan: tuple[float, float, bool], enough: float) -> Array:
    """Where the misfit is least: around up to three places the nearest whole numbers, or else one other.

    scan: least, most, and whether the grid is even in the logarithm. enough: a misfit that is as good as none.
    """
    least, most, by_ratio = scan
    grid = (np.geomspace if by_ratio else np.linspace)(least, most, GRID + 1)
    worst = misfit(grid)
    inner = np.flatnonzero((worst[1:-1] <= worst[:-2]) & (worst[1:-1] <= worst[2:])) + 1
    if not len(inner):
        return np.empty(0)
    places = inner[np.argsort(worst[inner], kind="stable")[:PLACES]]
    low, high = grid[places - 1], grid[places + 1]
    for _ in range(12):
        low, high, flat = _zoomed(misfit, low, high)
        if np.all(flat | (high - low < 0.1)):
            break
    middles = (low + high) / 2
    wholes = np.unique(np.round(middles)[:, None] + np.arange(-2, 3))
    wholes = wholes[(wholes >= grid[0]) & (wholes <= grid[-1])]
    if len(wholes) and misfit(wholes).min() <= enough:
        return np.asarray(wholes, np.float64)
    best = int(np.argmin(misfit((low + high) / 2)))
    low, high = low[best : best + 1], high[best : best + 1]
    for _ in range(9):
        low, high, _ = _zoomed(misfit, low, high)
    found: Array = np.append(wholes, (low + high) / 2)
    return found


def _zoomed(misfit: Callable[[Array], Any], low: Array, high: Array) -> tuple[Array, Array, Any]:
    """Nearer to the least misfit within each of some ranges, and whether it is the same in most of the range."""
    grid = np.linspace(low, high, STEPS + 1, axis=1)
    worst = misfit(grid.ravel()).reshape(grid.shape)
    least = worst <= worst.min(axis=1, keepdims=True)
    first, last = least.argmax(axis=1), STEPS - least[:, ::-1].argmax(axis=1)
    each = np.arange(len(grid))
    below, above = grid[each, np.maximum(first - 1, 0)], grid[each, np.minimum(last + 1, STEPS)]
    return below, above, last - first > STEPS / 2
