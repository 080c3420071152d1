"""Logs whose steps are off by one or two: a progress bar may be ahead of a line or behind it, and lines get lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .curves import Array
from .fitting import Rows, fit
from .found import Found
from .model import Model
from .outline import outline
from .templates import curves_of, models, recipes_of

LEAST_ROWS = 12
MOST_OFF = 3  # steps
ROUNDS = 3


def unsteady(
    clock: Array, rate: Array, slack: Array, preferred: int | None
) -> tuple[NDArray[np.int64], list[Found]] | None:
    """By how many steps each row's clock must be moved for a recipe to give every row, and these recipes; or None."""
    if len(clock) < LEAST_ROWS or (clock != np.round(clock)).any():
        return None
    steep = np.abs(np.diff(rate) / np.diff(clock))
    loose = slack + np.maximum(np.append(steep, 0), np.insert(steep, 0, 0))
    seen = outline(clock, rate, loose)
    for curve in curves_of(seen) if seen is not None else ():
        for model in models(seen, curve, 0):
            by = np.zeros(len(clock), np.int64)
            for _ in range(ROUNDS):
                if not fit(model, Rows(clock + by, rate, loose)) < MOST_OFF:
                    break
                by = _nearest(model, clock, rate, slack)
                if np.abs(by).max() > MOST_OFF or not (np.diff(by) > 0).any() or not (np.diff(by) < 0).any():
                    break  # steps that only fall back are a lag
                if found := recipes_of(clock + by, rate, slack, preferred):
                    return by, found
    return None


def _nearest(model: Model, clock: Array, rate: Array, slack: Array) -> NDArray[np.int64]:
    """The whole steps from each clock to where a model has the rate, but for one share of a step for all."""
    slope = model(clock + 0.5) - model(clock - 0.5)
    told = np.abs(slope) > 4 * slack
    steps = np.where(told, (rate - model(clock)) / np.where(told, slope, 1), 0)
    turn = np.angle(np.exp(2j * np.pi * steps[told]).mean()) / (2 * np.pi) if told.any() else 0.0
    return np.where(told, np.round(steps - turn), 0).astype(np.int64)
