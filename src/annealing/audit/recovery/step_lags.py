"""Logs whose steps are not those of the schedule: scheduler steps that were skipped, or a progress bar's that are off.

A recipe is fitted to the first rows, or to all loosely; then each row is moved by the whole steps that it is off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .candidate import Candidate, shifts
from .curve_families import Array
from .fitting import NEARLY, LogRows, fit
from .joins import joined, joins_of
from .model import Model
from .outline import outline
from .repeats import cycles_of, cyclic
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
LEAST_KNOWN = 5  # rows, from which a curve that begins after the known ones is guessed
ROUNDS = 3


def late_throughout(
    clock: Array, rate: Array, slack: Array, preferred: int | None, horizon: float
) -> tuple[list[Candidate], Steps]:
    """Recipes that end at a horizon that the log states, and the steps by which its rows are late, even the first."""
    if len(clock) >= LEAST_ROWS and (clock == np.round(clock)).all():
        by = late_by_horizon(clock, rate, slack, horizon)
        if by is not None and (by != -1).any():  # one step throughout is a shift
            return [_lagging(one, by, clock) for one in _plain(clock + by, rate, slack, 0) if one.shift == 0], by
    return [], np.zeros(len(clock), np.int64)


def unsteady(clock: Array, rate: Array, slack: Array, preferred: int | None) -> tuple[list[Candidate], Steps]:
    """Recipes that give every row once its clock is moved by whole steps, and these steps."""
    if len(clock) >= LEAST_ROWS and (clock == np.round(clock)).all():
        steep = np.abs(np.diff(rate) / np.diff(clock))
        loose = slack + np.maximum(np.append(steep, 0), np.insert(steep, 0, 0))
        for shift, _ in shifts(preferred):
            for model in _loosely(clock + shift, rate, slack, loose):
                rows = clock + shift, rate, slack
                for by in (_late(model.copy(), *rows), _here_and_there(model, *rows, loose)):
                    found = [] if by is None else _plain(clock + by, rate, slack, preferred)
                    if by is not None and found:
                        return [_lagging(one, by, clock) for one in found], by
    return [], np.zeros(len(clock), np.int64)


def _plain(clock: Array, rate: Array, slack: Array, preferred: int | None) -> list[Candidate]:
    """The recipes of steps that were moved, where their numbers can hardly be chance."""
    for recipes in (recipes_of, cycles_of, joins_of):
        if found := [one for one in recipes(clock, rate, slack, preferred) if one.sure]:
            return found
    return []


def _late(model: Model, clock: Array, rate: Array, slack: Array) -> Steps | None:
    """The steps, always more, by which rows are late to a model that fits the first ones."""
    known, by = 0, np.zeros(len(clock), np.int64)
    while known < len(clock):
        # The rows to come may all be as late as the last known one, or only the next of them
        rest = len(clock) - known
        for power in range(1 + int(math.log(max(rest / LEAST_KNOWN, 1), 1 / FEWER))):
            some, before = slice(0, known + math.ceil(rest * FEWER**power)), model.numbers
            if some.stop >= LEAST_ROWS and fit(model, LogRows((clock + by)[some], rate[some], slack[some])) <= NEARLY:
                break
            model.numbers = before  # too many rows lead it astray
        else:
            return None
        model.cuts = {slot: model.numbers[slot] - CLOSE for slot in model.cuts}  # rows are moved over those
        by, reached = _lags(model, clock, rate, slack)
        if reached <= known:
            return None
        known = reached
    return by if by.any() else None


def _lags(model: Model, clock: Array, rate: Array, slack: Array) -> tuple[Steps, int]:
    """The least lags, which only grow, with which rows are on a model, and how many rows from the first on are."""
    # Every lag at once for all rows: the loop below only has to choose
    near = np.stack([model(clock - late) for late in range(-1, MOST_LATE + 1)])
    step = np.minimum(np.abs(np.diff(near, axis=0))[:-1], np.abs(np.diff(near, axis=0))[1:])
    on = np.abs(near[1:-1] - rate) <= 2 * slack + CLEAR * step
    by, late = np.zeros(len(clock), np.int64), 0
    for row in range(len(clock)):
        if not on[late, row]:
            if not on[late : late + MOST_AT_ONCE, row].any():
                return by, row
            late += int(on[late : late + MOST_AT_ONCE, row].argmax())
        by[row:] = -late
    return by, len(clock)


def _here_and_there(model: Model, clock: Array, rate: Array, slack: Array, loose: Array) -> Steps | None:
    """The few steps, forth or back, by which rows are off a model."""
    by = np.zeros(len(clock), np.int64)
    for _ in range(ROUNDS):
        if not fit(model, LogRows(clock + by, rate, loose)) <= max(OFF) + 1:
            return None
        steps, told = _steps(model, clock, rate, slack)
        # All rows may share a part of a step, which the loose fit could not see
        turn = np.angle(np.exp(2j * np.pi * steps[told]).mean()) / (2 * np.pi) if told.any() else 0.0
        off = np.abs(np.stack([model(clock + turn + each) for each in OFF]) - rate)
        by = np.where(told, np.array(OFF)[off.argmin(0)], 0).astype(np.int64)
        if not by.any():
            return None
        if fit(model.copy(), LogRows(clock + by, rate, slack)) <= NEARLY:
            return by
    return None


def _steps(model: Model, clock: Array, rate: Array, slack: Array) -> tuple[Array, NDArray[np.bool_]]:
    """By how many steps a model has the rate of each row later, and whether the rate moves enough to tell."""
    slope = model(clock + 0.5) - model(clock - 0.5)
    told = np.abs(slope) > 4 * slack
    return np.where(told, (rate - model(clock)) / np.where(told, slope, 1), 0), told


def _loosely(clock: Array, rate: Array, slack: Array, loose: Array) -> Iterator[Model]:
    """Models of recipes as they begin."""
    if (seen := outline(clock, rate, slack) or outline(clock, rate, loose)) is not None:
        for curve in curves_of(replace(seen, slack=loose)):
            yield from models(seen, curve, 0)
    yield from cyclic(LogRows(clock, rate, loose))
    yield from joined(LogRows(clock, rate, slack), loose)


def _lagging(found: Candidate, by: Steps, clock: Array) -> Candidate:
    """A recipe with its lags, where steps only fall back."""
    if (np.diff(by) > 0).any() or by[0] > 0:
        return found
    rows = np.flatnonzero(np.diff(by, prepend=0))
    return replace(found, lags=tuple((float(clock[row]), int(-by[row])) for row in rows))
