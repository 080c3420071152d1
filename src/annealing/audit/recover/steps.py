"""Step schedules, tried before any search: levels one after another, free or each the one before it times a factor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .curves import Array
from .fitting import Rows, fits
from .found import Found, made_plain, shifts
from .model import Model, Part
from .numbers import shortest
from .outline import Outline, outline, ways
from .templates import NEARLY, begun

MOST_LEVELS = 100
LEAST_ROWS = 3  # of a level, on average


def steps_of(clock: Array, rate: Array, slack: Array, preferred: int | None) -> list[Found]:
    """The levels after a warm-up that give every row, the plainest first."""
    seen = outline(clock, rate, slack)
    drops = np.flatnonzero(ways(rate, slack) < 0) + 1
    if seen is None or not 1 <= len(drops) <= MOST_LEVELS or len(clock) - seen.top < LEAST_ROWS * (len(drops) + 1):
        return []
    found: list[Found] = []
    for shift in shifts(preferred):
        rows = Rows(clock + shift[0], rate, slack)
        for model in _models(seen, drops, rows, shift[0]):
            if fits(model, rows, NEARLY) and (one := made_plain(model, rows, shift)) is not None:
                found.append(one)
                if one.sure:
                    break
    return sorted(found, key=lambda one: one.cost)


def _models(seen: Outline, drops: NDArray[np.int64], rows: Rows, shift: int) -> Iterator[Model]:
    """Models of levels that a factor makes, where one does, and of free ones."""
    for factor in dict.fromkeys((_factor(seen, drops), None)):
        for model, start, peak in begun(seen, shift):
            model.parts.append(Part("flat", start, start, start, peak, peak))
            for i, row in enumerate(drops, 1):
                at = model.slot(float(rows.u[row]), "time", fixed=True)
                model.gaps[at] = float(rows.u[row - 1]), float(rows.u[row])
                tie = None if factor is None else {peak: factor**i}
                level = model.slot(float(rows.y[row]), "value") if tie is None else model.tied(tie, "value")
                model.parts.append(Part("flat", at, at, at, level, level))
            model.told = 0.0 if factor is None else 2.0
            yield model


def _factor(seen: Outline, drops: NDArray[np.int64]) -> float | None:
    """The plainest factor with which each level is the one before it, as far as digits tell."""
    peak = shortest(seen.peak - float(seen.slack[seen.top]), seen.peak + float(seen.slack[seen.top]))
    levels, slack, powers = seen.y[drops], seen.slack[drops], 1 / np.arange(1, len(drops) + 1)
    if peak <= 0 or (levels - slack <= 0).any():
        return None
    low = float((((levels - slack) / peak) ** powers).max())
    high = float((((levels + slack) / peak) ** powers).min())
    return shortest(low, high) if low <= high else None
