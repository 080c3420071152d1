"""Rates at levels: step schedules, and curves held for a while, as where a scheduler is stepped once an epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ... import recipes, shapes
from ...schedule.base import Schedule
from ..intervals import roundest, shortest
from .candidate import Candidate
from .change_times import even
from .fitting import LogRows
from .model import FittedPart, Model
from .outline import Outline, outline, ways
from .templates import begun

MOST_LEVELS = 100
LEAST_ROWS = 3  # of a level, on average
LEAST_STAIRS = 5
ROUNDED = 1e-12


def levels(rows: LogRows) -> Iterator[Model]:
    """Models of levels after a warm-up."""
    seen = outline(rows)
    drops = np.flatnonzero(ways(rows) < 0) + 1
    few = 1 <= len(drops) <= MOST_LEVELS
    if seen is not None and few and len(rows.u) - seen.top >= LEAST_ROWS * (len(drops) + 1):
        yield from _models(seen, drops, rows, 0)


def _models(seen: Outline, drops: NDArray[np.int64], rows: LogRows, shift: int) -> Iterator[Model]:
    """Models of levels at even times that a factor makes, at any times, and of free ones."""
    gaps = [(float(rows.u[row - 1]), float(rows.u[row])) for row in drops]
    # The last levels tell the factor best, since its power grows
    factor = _factor(rows, seen.top, drops)
    for by, at_even in ((factor, True), (factor, False), (None, False)):
        for model, start, peak in begun(seen, shift):
            if model.parts and not seen.top:  # a warm-up that no row shows
                continue
            every = even(gaps, model.numbers[start]) if at_even and by is not None else None
            if at_even and every is None:
                continue
            step = model.slot(every[0] - model.numbers[start], "time", fixed=True) if every else None
            model.parts.append(FittedPart(shapes.flat, start, start, start, peak, peak))
            for i, (gap, row) in enumerate(zip(gaps, drops, strict=True), 1):
                tie = None if step is None else {start: 1.0, step: float(i)}
                at = model.slot(gap[1], "time", fixed=True) if tie is None else model.tied(tie, "time")
                model.gaps[at], model.cuts[at] = gap, gap[1]
                share = None if by is None else {peak: by**i}
                level = model.slot(float(rows.y[row]), "value") if share is None else model.tied(share, "value")
                model.parts.append(FittedPart(shapes.flat, at, at, at, level, level))
            model.told = 0.0 if by is None else 2.0
            yield model


def _factor(rows: LogRows, top: int, drops: NDArray[np.int64]) -> float | None:
    """The plainest factor with which each level is the one before it, as far as digits tell."""
    peak = shortest(float(rows.y[top] - rows.tolerance[top]), float(rows.y[top] + rows.tolerance[top]))
    levels, tolerance, powers = rows.y[drops], rows.tolerance[drops], 1 / np.arange(1, len(drops) + 1)
    if peak <= 0 or (levels - tolerance <= 0).any():
        return None
    low = float((((levels - tolerance) / peak) ** powers).max())
    high = float((((levels + tolerance) / peak) ** powers).min())
    return shortest(low, high) if low <= high else None


def stairs(log: LogRows, shift: int) -> tuple[int, LogRows] | None:
    """How many steps a stair is long, and a row for the start of each; None where the rows are no stairs."""
    clock = log.u
    change = np.flatnonzero(np.abs(np.diff(log.y)) > np.maximum(log.tolerance[1:], log.tolerance[:-1])) + 1
    if len(change) < LEAST_STAIRS or change[-1] - change[0] < 2 * (len(change) - 1):
        return None
    # A change is seen only between two rows: every row pair bounds the length of a level
    low, high = clock[change - 1] + shift, clock[change] + shift
    first = round(float(low[0]) / max(float(np.median(np.diff(high))), 1e-9)) or 1
    count = first + np.arange(len(change))
    least, most = float((low / count).max()), float((high / count).min())
    if least >= most:
        return None
    every = roundest(np.nextafter(least, np.inf), most)
    if not isinstance(every, int) or every < 2:
        return None
    begins = np.concatenate([[0.0], (count * every).astype(float)])
    rows = np.concatenate([[0], change])
    return every, LogRows(begins, log.y[rows], log.tolerance[rows])


def held(found: Candidate, schedule: Schedule, every: int) -> list[Schedule]:
    """A model as stairs: a step schedule where it falls by a factor, and the schedule held for each stair.

    One without an end is cut after what was seen.
    """
    model = found.model
    part, n = model.parts[0], model.numbers
    stepped = []
    if len(model.parts) == 1 and part.shape is shapes.exponential and part.extra is not None and n[part.last] == 0:
        low, high = found.bounds.get(part.extra, (n[part.extra], n[part.extra]))
        if 0 < low <= high < 1:
            gamma = shortest(low**every * (1 - ROUNDED), high**every * (1 + ROUNDED))
            stepped = [recipes.step(n[part.first], every, gamma)]
    endless = schedule.duration is None
    return [*stepped, (schedule.until(int(model.seen) + every) if endless else schedule).held(every)]
