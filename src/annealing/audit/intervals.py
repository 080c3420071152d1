"""Numbers in intervals: the plainest one, those at which a schedule has the logged rates, that of the least misfit."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from ..exact import END_OF_TIME
from ..schedule.base import Schedule
from .log import Array, Evidence
from .tolerances import TURN, WHOLE_TIME

MOST_DENOMINATOR = 400
MOST_PIECES = 200  # of a schedule whose rates are inverted; beyond them any rate is held possible
SAMPLES = 16  # of each run of a schedule, which may turn in between (a product of a rise and a fall)
MOST_SETS = 800  # intervals kept; more mean that the rows say little
GRID = 480  # places at which a misfit is looked at first,
PLACES = 3  # those of them that are looked at more closely,
STEPS = 24  # each by finer grids of so many steps
FEW_SETS = 30
HALVINGS = 60  # leave less than one float64 spacing of an interval's ends


def shortest(least: float, most: float) -> float:
    """The decimal of fewest significant digits in [least, most]; 0 is the shortest of all.

    >>> shortest(4.99999e-05, 5.00001e-05), shortest(-1e-9, 1e-9), shortest(0.31, 0.34)
    (5e-05, 0.0, 0.33)
    """
    if least <= 0 <= most:
        return 0.0
    if most < 0:
        return -shortest(-most, -least)
    middle = (least + most) / 2
    for digits in range(1, 17):
        unit = math.floor(math.log10(most)) - digits + 1
        nearest = float(f"{middle:.{digits - 1}e}")
        if least <= nearest <= most:
            return nearest
        step = Fraction(10) ** unit
        above = math.ceil(Fraction(least) / step)
        if above * step <= Fraction(most):
            return float(above * step)
    return middle


def digits_of(value: float | Fraction) -> int:
    """How many significant digits a value is written with.

    >>> digits_of(5e-05), digits_of(0), digits_of(866), digits_of(0.25)
    (1, 0, 3, 2)
    >>> digits_of(0.0006)  # its nearest float64 is 5.9999999999999994e-04
    1
    """
    mantissa = f"{abs(float(value)):.14e}".split("e")[0].replace(".", "")
    return len(mantissa.rstrip("0"))


def roundest(least: float, most: float) -> int | Fraction | None:
    """The whole number of most trailing zeros in [least, most], else the fraction of least denominator, or None.

    >>> roundest(7793.9, 7794.2), roundest(31901, 32000), roundest(22.4, 22.6), roundest(0.1234562, 0.1234563)
    (7794, 32000, Fraction(45, 2), None)
    """
    if math.floor(most) >= math.ceil(least):
        middle = (least + most) / 2
        for power in range(15, -1, -1):
            unit = 10**power
            if math.floor(most / unit) * unit >= least:
                low, high = math.ceil(least / unit), math.floor(most / unit)
                if low == 0 == high and power:
                    continue
                return int(min(max(round(middle / unit), low), high) * unit)
    for denominator in range(2, MOST_DENOMINATOR + 1):
        if (top := math.ceil(least * denominator)) <= most * denominator:
            return Fraction(top, denominator)
    return None


def plain(value: float) -> float | int:
    """A number as an int where it is one, but for rounding."""
    near = round(value)
    return near if abs(value - near) <= WHOLE_TIME * max(abs(value), 1) else float(value)


def is_whole(value: float) -> bool:
    return isinstance(plain(value), int)


def wholes(low: float, high: float) -> list[float]:
    """The roundest number between two, the whole numbers around the middle, and the middle where there are none."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return []
    room = WHOLE_TIME * max(abs(low), abs(high), 1)
    middle, best = round((low + high) / 2), roundest(low - room, high + room)
    ends = (np.ceil(low - room), np.floor(high + room))  # a milestone that falls on a row is an end
    near = [one for one in (*ends, middle, middle + 1, middle - 1) if low - room <= one <= high + room]
    return list(dict.fromkeys(float(one) for one in (*near, best if best is not None else (low + high) / 2)))


def preimages(schedule: Schedule, rows: Evidence, reach: float) -> list[Array]:
    """For each row the intervals of time in which a schedule has its rate, (k, 2); the last may have no end."""
    limit = min(max(reach, 1.0), END_OF_TIME)
    cycles = list(islice(schedule.cycles(limit), MOST_PIECES))
    ends = np.array([(float(cycle.begin), min(float(cycle.end), limit * 2)) for cycle in cycles])
    starts, stops = _monotone(schedule, ends)
    first, last = schedule(starts), schedule(stops)
    least, most = rows.logged - rows.allowed, rows.logged + rows.allowed
    row, piece = np.nonzero((np.maximum(first, last) >= least[:, None]) & (np.minimum(first, last) <= most[:, None]))
    rises = last[piece] >= first[piece]
    levels = np.where(rises, [least[row], most[row]], [most[row], least[row]])
    found = _crossings(schedule, starts[piece], stops[piece], levels, rises)
    # What lies beyond the pieces has the rate too, if it holds it or is not known.
    held = None if schedule.duration is None else schedule(schedule.duration)
    beyond = np.full(len(rows), True) if held is None else (least <= held) & (held <= most)
    rest = np.array([[ends[-1, 1], np.inf]])
    return [np.concatenate([found[row == i], rest[: int(beyond[i])]]) for i in range(len(rows))]


def _monotone(schedule: Schedule, ends: Array) -> tuple[Array, Array]:
    """Where the monotone parts of some pieces of a schedule start and stop."""
    # The last float before an end: at the end itself the next piece is in force.
    low, high = ends[:, 0], np.nextafter(ends[:, 1], -np.inf)
    grid = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, SAMPLES + 1)
    grid[:, -1] = high
    values = schedule(grid)
    # Steps smaller than that are rounding, and no turn.
    steps = np.sign(np.round(np.diff(values, axis=1) / (TURN * max(float(np.max(np.abs(values))), 1e-300))))
    turns = np.diff(steps, axis=1) != 0
    cuts = [np.concatenate([row[:1], row[1:-1][turn], row[-1:]]) for row, turn in zip(grid, turns, strict=True)]
    return np.concatenate([cut[:-1] for cut in cuts]), np.concatenate([cut[1:] for cut in cuts])


def _crossings(schedule: Schedule, starts: Array, stops: Array, levels: Array, rises: Any) -> Array:
    """Where each part comes to its first level, and where it passes its second, (k, 2)."""
    low, high = np.tile(starts, (2, 1)), np.tile(stops, (2, 1))
    # At a level itself the first is reached and the second not yet passed.
    at_level = np.array([[True], [False]])
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        value = schedule(middle)
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
