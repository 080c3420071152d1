"""Unknowns that rows give: the time at which a schedule has a logged rate is an equation; else a misfit is lowest."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np

from ..exact import END_OF_TIME
from ..schedule.base import Schedule
from .log import Array, Evidence
from .tolerances import TURN, WHOLE_TIME

MOST_PIECES = 200  # of a schedule whose rates are inverted; beyond them any rate is held possible
SAMPLES = 16  # of each run of a schedule, which may turn in between (a product of a rise and a fall)
MOST_SETS = 800  # intervals kept; more mean that the rows say little
GRID = 480  # places at which a misfit is looked at first,
PLACES = 3  # those of them that are looked at more closely,
STEPS = 24  # each by finer grids of so many steps
FEW_SETS = 30
HALVINGS = 60  # leave less than one float64 spacing of an interval's ends


class Preimages:
    """The times at which a schedule has a rate: one interval in each monotone piece, and what lies beyond a time."""

    def __init__(self, schedule: Schedule, reach: float) -> None:
        self.schedule = schedule
        limit = min(max(reach, 1.0), END_OF_TIME)
        runs = list(islice(schedule.cycles(limit), MOST_PIECES))
        ends = np.array([(float(run.begin), min(float(run.end), limit * 2)) for run in runs])
        self.reach = float(ends[-1, 1])
        self.held = None if schedule.duration is None else schedule(schedule.duration)
        # The last float before an end: at the end itself the next piece is in force.
        low, high = ends[:, 0], np.nextafter(ends[:, 1], -np.inf)
        grid = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, SAMPLES + 1)
        grid[:, -1] = high
        values = schedule(grid)
        # Steps smaller than that are rounding, and no turn.
        steps = np.sign(np.round(np.diff(values, axis=1) / (TURN * max(float(np.max(np.abs(values))), 1e-300))))
        turns = np.diff(steps, axis=1) != 0
        cuts = [np.concatenate([row[:1], row[1:-1][turn], row[-1:]]) for row, turn in zip(grid, turns, strict=True)]
        self.low = np.concatenate([cut[:-1] for cut in cuts])
        self.high = np.concatenate([cut[1:] for cut in cuts])
        self.first, self.last = schedule(self.low), schedule(self.high)

    def of(self, rows: Evidence) -> list[Array]:
        """For each row the intervals of time in which the schedule has its rate, (k, 2)."""
        least, most = rows.logged - rows.allowed, rows.logged + rows.allowed
        small, great = np.minimum(self.first, self.last), np.maximum(self.first, self.last)
        row, piece = np.nonzero((great >= least[:, None]) & (small <= most[:, None]))
        rises = self.last[piece] >= self.first[piece]
        near, far = np.where(rises, least[row], most[row]), np.where(rises, most[row], least[row])
        found = self._crossings(piece, np.stack([near, far]), rises)
        return [self._with_rest(found[row == i], least[i], most[i]) for i in range(len(rows))]

    def _with_rest(self, found: Array, least: float, most: float) -> Array:
        """The intervals, and what lies beyond the pieces, if it holds that rate or is not known."""
        if self.held is not None and not least <= self.held <= most:
            return found
        return np.concatenate([found, [[self.reach, np.inf]]])

    def _crossings(self, piece: Any, levels: Array, rises: Any) -> Array:
        """Where each piece comes to its first level, and where it passes its second, (k, 2)."""
        low, high = np.tile(self.low[piece], (2, 1)), np.tile(self.high[piece], (2, 1))
        # At a level itself the first is reached and the second not yet passed.
        at_level = np.array([[True], [False]])
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            value = self.schedule(middle)
            over = np.where(value == levels, at_level, (value > levels) == rises)
            low, high = np.where(over, low, middle), np.where(over, middle, high)
        # The outer ends of the last intervals, so that rounding never loses the true time.
        return np.stack([low[0], high[1]], axis=1)


def solved(images: list[Array], a: Array, b: Array) -> tuple[Array, int]:
    """The intervals of p for which a + b p is an image in every row, while some are left, and how many rows that are.

    images: the intervals of time of each row. A row with b = 0 does not tell p, but must agree.
    """
    sets = np.array([[-np.inf, np.inf]])
    for place, (image, base, slope) in enumerate(zip(images, a, b, strict=True)):
        room = WHOLE_TIME * max(1.0, abs(base))
        if slope == 0:
            if not np.any((image[:, 0] - room <= base) & (base <= image[:, 1] + room)):
                return sets, place
            continue
        bounds = np.sort((image + np.array([-room, room]) - base) / slope, axis=1)
        low = np.maximum(sets[:, None, 0], bounds[None, :, 0]).ravel()
        high = np.minimum(sets[:, None, 1], bounds[None, :, 1]).ravel()
        left = low <= high
        if not left.any() or left.sum() > MOST_SETS:
            return sets, place
        sets = np.stack([low[left], high[left]], axis=1)
        if len(sets) > FEW_SETS:  # the same ones many times over cost more than to find them out
            sets = np.unique(sets, axis=0)
    return sets, len(images)


def slopes(first: Array, last: Array, between: float) -> Array:
    """The intervals of the slope of a clock that shows two images so much time apart, (k, 2)."""
    low = (last[None, :, 0] - first[:, None, 1]) / between
    high = (last[None, :, 1] - first[:, None, 0]) / between
    found: Array = np.stack([low.ravel(), high.ravel()], axis=1)
    return found[np.all(np.isfinite(found), axis=1)]


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
