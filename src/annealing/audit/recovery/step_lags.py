"""Logs whose steps are not those of the schedule: scheduler steps that were skipped, or a progress bar's that are off.

A recipe is fitted to the first rows, or to all loosely; then each row is moved by the whole steps that it is off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .candidate import Candidate, described, shifts
from .fitting import NEARLY, LogRows, fit
from .joins import joined
from .model import Array, Model
from .outline import outline
from .repeats import cyclic
from .stated_horizon import late_by_horizon
from .templates import curves_of, models, recipes_of

Steps = NDArray[np.int64]
LEAST_ROWS = 12
OFF = (0, -1, 1, -2, 2)  # steps by which a progress bar may be off
MOST_LATE = 64
MOST_AT_ONCE = 9  # beyond a turn that is not known well, any rate is that of some other step
CLEAR = 0.2  # of a step, by which a row may be off a whole step
CLOSE = 1e-3  # of a step: a row so short of a jump is after it
FEWER = 0.7  # of the rows are taken where more are not on one curve
LEAST_KNOWN = 5  # rows, from which a curve that starts after the known ones is guessed
ROUNDS = 3


def late_throughout(rows: LogRows, preferred: int | None, horizon: float) -> tuple[list[Candidate], Steps]:
    """Recipes that end at a horizon that the log states, and the steps by which its rows are late, even the first."""
    if len(rows.u) >= LEAST_ROWS and (rows.u == np.round(rows.u)).all():
        by = late_by_horizon(rows, horizon)
        if by is not None and (by != -1).any():  # one step throughout is a shift
            return [_lagging(one, by, rows.u) for one in _plain(rows.later(by), 0) if one.shift == 0], by
    return [], np.zeros(len(rows.u), np.int64)


def _steepest(rows: LogRows) -> Array:
    """By how much the rate moves in a step, before a row or after it."""
    steep = np.abs(np.diff(rows.y) / np.diff(rows.u))
    return np.asarray(np.maximum(np.append(steep, 0), np.insert(steep, 0, 0)))


def unsteady(rows: LogRows, preferred: int | None) -> tuple[list[Candidate], Steps]:
    """Recipes that give every row once its clock is moved by whole steps, and these steps."""
    if len(rows.u) >= LEAST_ROWS and (rows.u == np.round(rows.u)).all():
        loose = rows.tolerance + _steepest(rows)
        for shift, _ in shifts(preferred):
            moved = rows.later(shift)
            for model in _loosely(moved, loose):
                for by in (_late(model.copy(), moved), _here_and_there(model, moved, loose)):
                    if by is not None and by.any() and (found := _plain(rows.later(by), preferred)):
                        return [_lagging(one, by, rows.u) for one in found], by
    return [], np.zeros(len(rows.u), np.int64)


def _plain(rows: LogRows, preferred: int | None) -> list[Candidate]:
    """The recipes of steps that were moved, where their numbers can hardly be chance."""
    makers = (recipes_of, partial(described, cyclic), partial(described, joined))
    every = (make(rows, preferred) for make in makers)
    return next((sure for found in every if (sure := [one for one in found if one.sure])), [])


def _late(model: Model, rows: LogRows) -> Steps | None:
    """The steps, always more, by which rows are late to a model that fits the first ones."""
    n, known, by = len(rows.u), 0, np.zeros(len(rows.u), np.int64)
    while known < n:
        # The rows to come may all be as late as the last known one, or only the next of them
        for power in range(1 + int(math.log(max((n - known) / LEAST_KNOWN, 1), 1 / FEWER))):
            stop, before = known + math.ceil((n - known) * FEWER**power), model.numbers
            if stop >= LEAST_ROWS and fit(model, rows.later(by).only(np.arange(stop))) <= NEARLY:
                break
            model.numbers = before  # too many rows lead it astray
        else:
            return None
        model.cuts = {slot: model.numbers[slot] - CLOSE for slot in model.cuts}  # rows are moved over those
        by, reached = _lags(model, rows)
        if reached <= known:
            return None
        known = reached
    return by


def _lags(model: Model, rows: LogRows) -> tuple[Steps, int]:
    """The least lags, which only grow, with which rows are on a model, and how many rows from the first on are."""
    # Every lag at once for all rows: the loop below only has to choose
    near = np.stack([model(rows.u - late) for late in range(-1, MOST_LATE + 1)])
    step = np.minimum(np.abs(np.diff(near, axis=0))[:-1], np.abs(np.diff(near, axis=0))[1:])
    on = np.abs(near[1:-1] - rows.y) <= 2 * rows.tolerance + CLEAR * step
    by, late = np.zeros(len(rows.u), np.int64), 0
    for row in range(len(rows.u)):
        if not on[late, row]:
            next_ones = on[late : late + MOST_AT_ONCE, row]
            if not next_ones.any():
                return by, row
            late += int(next_ones.argmax())
        by[row:] = -late
    return by, len(rows.u)


def _here_and_there(model: Model, rows: LogRows, loose: Array) -> Steps | None:
    """The few steps, forth or back, by which rows are off a model."""
    by = np.zeros(len(rows.u), np.int64)
    for _ in range(ROUNDS):
        if not fit(model, rows.later(by).within(loose)) <= max(OFF) + 1:
            return None
        steps, told = _steps(model, rows)
        # All rows may share a part of a step, which the loose fit could not see
        turn = np.angle(np.exp(2j * np.pi * steps[told]).mean()) / (2 * np.pi) if told.any() else 0.0
        off = np.abs(np.stack([model(rows.u + turn + each) for each in OFF]) - rows.y)
        by = np.where(told, np.array(OFF)[off.argmin(0)], 0).astype(np.int64)
        if not by.any():
            return None
        if fit(model.copy(), rows.later(by)) <= NEARLY:
            return by
    return None


def _steps(model: Model, rows: LogRows) -> tuple[Array, NDArray[np.bool_]]:
    """By how many steps a model has the rate of each row later, and whether the rate moves enough to tell."""
    slope = model(rows.u + 0.5) - model(rows.u - 0.5)
    told = np.abs(slope) > 4 * rows.tolerance
    return np.where(told, (rows.y - model(rows.u)) / np.where(told, slope, 1), 0), told


def _loosely(rows: LogRows, loose: Array) -> Iterator[Model]:
    """Models of recipes as they start."""
    wide = rows.within(loose)
    if (seen := outline(rows) or outline(wide)) is not None:
        seen = replace(seen, rows=wide)
        for curve in curves_of(seen):
            yield from models(seen, curve, 0)
    yield from cyclic(wide)
    yield from joined(rows, loose)


def _lagging(found: Candidate, by: Steps, clock: Array) -> Candidate:
    """A recipe with its lags, where steps only fall back."""
    if (np.diff(by) > 0).any() or by[0] > 0:
        return found
    rows = np.flatnonzero(np.diff(by, prepend=0))
    return replace(found, lags=tuple((float(clock[row]), int(-by[row])) for row in rows))
