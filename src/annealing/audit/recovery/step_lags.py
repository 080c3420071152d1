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

from ... import shapes
from ...schedule.nodes import Join, Run
from ..intervals import digits_of
from .candidate import Candidate, described, shifts
from .fitting import NEARLY, LogRows, fit, spend
from .joins import joined
from .model import Array, Model
from .outline import outline
from .repeats import cyclic
from .round_numbers import stated_between
from .templates import curves_of, models, recipes_of

Steps = NDArray[np.int64]
LEAST_ROWS = 12
FIRST_ROWS = 6  # without a lag; through fewer goes any curve
OFF = (0, -1, 1, -2, 2)  # steps by which a progress bar may be off
MOST_LATE = 64
MOST_AT_ONCE = 9  # beyond a turn that is not known well, any rate is that of some other step
CLEAR = 0.2  # of a step, by which a row may be off a whole step
CLOSE = 1e-3  # of a step: a row so short of a jump is after it
FEWER = 0.7  # of the rows are taken where more are not on one curve
LEAST_KNOWN = 5  # rows, from which a curve that starts after the known ones is guessed
MOST_STEPS = 32  # of least squares: the first rows of a curve tell its numbers badly
ROUNDS = 3
ABOVE = 1.1  # the peak is at most that many times the greatest rate
GRID = 20001


def unsteady(rows: LogRows, preferred: int | None, horizon: float | None) -> tuple[list[Candidate], Steps]:
    """Recipes that give every row once its clock is moved by whole steps, and these steps.

    horizon: where the log states it, rows may be late to it from the first one on; None: steps are off later.
    """
    if len(rows.u) >= LEAST_ROWS and (rows.u == np.round(rows.u)).all():
        for by in _moves(rows, preferred) if horizon is None else _late_to(horizon, rows):
            if by is not None and by.any():
                found = _plain(rows.later(by), preferred if horizon is None else 0)
                if found := [_lagging(one, by, rows.u) for one in found if horizon is None or one.shift == 0]:
                    return found, by
    return [], np.zeros(len(rows.u), np.int64)


def _plain(rows: LogRows, preferred: int | None) -> list[Candidate]:
    """The recipes of steps that were moved, where their numbers can hardly be chance."""
    makers = (recipes_of, partial(described, cyclic), partial(described, joined))
    every = (make(rows, preferred) for make in makers)
    return next((sure for found in every if (sure := [one for one in found if one.sure])), [])


def _lagging(found: Candidate, by: Steps, clock: Array) -> Candidate:
    """A recipe with its lags, where steps only fall back."""
    if (np.diff(by) > 0).any() or by[0] > 0:
        return found
    rows = np.flatnonzero(np.diff(by, prepend=0))
    return replace(found, lags=tuple((float(clock[row]), int(-by[row])) for row in rows))


def _moves(rows: LogRows, preferred: int | None) -> Iterator[Steps | None]:
    """The steps by which rows are off models of recipes as they start."""
    steep = np.abs(np.diff(rows.y) / np.diff(rows.u))
    loose = rows.tolerance + np.maximum(np.append(steep, 0), np.insert(steep, 0, 0))
    for shift, _ in shifts(preferred):
        moved = rows.later(shift)
        for model in _loosely(moved, loose):
            yield _late(model.copy(), moved)
            yield _here_and_there(model, moved, loose)


def _loosely(rows: LogRows, loose: Array) -> Iterator[Model]:
    wide = rows.within(loose)
    if (seen := outline(rows) or outline(wide)) is not None:
        seen = replace(seen, rows=wide)
        for curve in curves_of(seen):
            yield from models(seen, curve)
    yield from cyclic(wide)
    yield from joined(rows, loose)


def _late(model: Model, rows: LogRows) -> Steps | None:
    """The steps, always more, by which rows are late to a model that fits the first ones."""
    n, known, by = len(rows.u), 0, np.zeros(len(rows.u), np.int64)
    while known < n:
        # The rows to come may all be as late as the last known one, or only the next of them
        for power in range(1 + int(math.log(max((n - known) / LEAST_KNOWN, 1), 1 / FEWER))):
            stop, before = known + math.ceil((n - known) * FEWER**power), model.numbers
            if stop >= FIRST_ROWS and fit(model, rows.later(by).only(np.arange(stop)), MOST_STEPS) <= NEARLY:
                break
            model.numbers = before  # too many rows lead it astray
        else:
            return None
        # Rows are moved over jumps
        model.gaps = {slot: (low, model.numbers[slot] - CLOSE) for slot, (low, _) in model.gaps.items()}
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
        slope = model(rows.u + 0.5) - model(rows.u - 0.5)
        told = np.abs(slope) > 4 * rows.tolerance  # a flat part tells no steps
        steps = (rows.y - model(rows.u))[told] / slope[told]
        # All rows may share a part of a step, which the loose fit could not see
        turn = np.angle(np.exp(2j * np.pi * steps).mean()) / (2 * np.pi) if told.any() else 0.0
        off = np.abs(np.stack([model(rows.u + turn + each) for each in OFF]) - rows.y)
        by = np.where(told, np.array(OFF)[off.argmin(0)], 0).astype(np.int64)
        if not by.any():
            return None
        if fit(model.copy(), rows.later(by)) <= NEARLY:
            return by
    return None


def _late_to(horizon: float, rows: LogRows) -> Iterator[Steps]:
    """By how many steps each row is late, always more, on a warm-up from 0 and a decay that reaches 0 at the horizon.

    Peaks and warm-ups are tried, the plainest first: with a wrong one rows are late by parts of a step.
    """
    top, n = int(rows.y.argmax()), len(rows.u)
    lengths = np.array([0])
    if top:
        first = max(math.floor(rows.u[top - 1]) - MOST_LATE, 0)
        lengths = np.arange(first, math.ceil(rows.u[min(top + 1, n - 1)]) + 1)
    if known := stated_between(float(lengths[0]), float(lengths[-1])):  # a stated warm-up leaves nothing to try
        lengths = np.array([round(known)])
    rising = np.arange(n) < top
    begin = np.where(rising, 0, lengths[:, None])
    long = np.where(rising, lengths[:, None], horizon - lengths[:, None])
    # Where on its way a decay has each share of the peak: the shape has no inverse of its own
    done = np.linspace(0, 1, GRID)
    for shape in (shapes.linear, shapes.cosine):
        weights = np.asarray(shape.fall(done, done[::-1], np))
        for peak in dict.fromkeys(_peaks(float(rows.y[top]))):
            spend(0.1 + 1e-6 * n * len(lengths))
            share = np.where(rising, rows.y / peak, np.interp(-rows.y / peak, -weights, done))
            late = rows.u - begin - share * long
            whole = np.round(late)
            good = ((np.abs(late - whole) > CLEAR).mean(1) <= CLEAR) & (np.diff(whole, axis=1) >= 0).all(1)
            good &= (whole[:, 0] >= 0) & (whole[:, 0] <= MOST_LATE) & (whole[:, -1] > 0)
            for one in sorted(np.flatnonzero(good), key=lambda one: (digits_of(int(lengths[one])), lengths[one])):
                length = int(lengths[one])
                schedule = Join((Run(shapes.linear, 0.0, peak, length), Run(shape, peak, 0.0, int(horizon) - length)))
                if (np.abs(np.asarray(schedule(rows.u - whole[one])) - rows.y) <= rows.tolerance).all():
                    if (whole[one] != 1).any():  # one step throughout is a shift
                        yield np.asarray(-whole[one], np.int64)
                    return


def _peaks(rate: float) -> Iterator[float]:
    """The numbers of one, two and three digits just above a rate, and before them one that the log states."""
    if (known := stated_between(rate, ABOVE * rate)) is not None:
        yield known
    power = math.floor(math.log10(rate)) if rate > 0 else 0
    for digits in (1, 2, 3):
        unit = power - digits + 1
        for number in range(math.ceil(rate / 10.0**unit - 1e-9), math.floor(ABOVE * rate / 10.0**unit) + 1):
            yield float(f"{number}e{unit}")
