"""A model fitted to rows, how far each of its numbers is determined, and the plainest numbers that still fit."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .curves import Array
from .model import Model
from .numbers import digits_of, roundest, shortest

MOST_ROWS = 240
FIRM = 0.7  # how many digits an interval must leave over for its plainest number to be no chance


class Rows:
    """Some rows of a log, enough to fit by, and the size of its rates."""

    def __init__(self, u: Array, y: Array, slack: Array) -> None:
        self.u, self.y, self.slack = u, y, slack
        self.peak = float(np.abs(y).max(initial=0)) or 1.0

    def some(self, model: Model) -> Rows:
        n = len(self.u)
        if n <= MOST_ROWS:
            return self
        edges = np.searchsorted(self.u, model.starts())
        near = (edges[:, None] + np.arange(-3, 4)).ravel()
        rows = np.unique(np.clip(np.concatenate([near, np.linspace(0, n - 1, MOST_ROWS).astype(int)]), 0, n - 1))
        return self.only(rows)

    def only(self, rows: NDArray[np.integer[Any]]) -> Rows:
        chosen = Rows(self.u[rows], self.y[rows], self.slack[rows])
        chosen.peak = self.peak
        return chosen

    def off(self, model: Model, numbers: list[float] | None = None) -> Array:
        """The residuals in units of the slack."""
        with np.errstate(all="ignore"):
            result = (self.y - model(self.u, numbers)) / self.slack
        return np.where(np.isfinite(result), result, 1e300)

    def worst(self, model: Model) -> float:
        return float(np.abs(self.off(model)).max())


def _scale(model: Model, slot: int, rows: Rows) -> float:
    if model.roles[slot] == "time":
        return max(float(rows.u[-1] - rows.u[0]), 1.0)
    return rows.peak if model.roles[slot] == "value" else max(abs(model.numbers[slot]), 1e-3)


def jacobian(model: Model, free: list[int], rows: Rows) -> Array:
    """The change of every residual with every free number; only the parts that use a number are looked at."""
    result = np.zeros((len(rows.u), len(free)))
    which = np.searchsorted(model.starts()[1:], rows.u, "right")
    for column, slot in enumerate(free):
        step = 1e-6 * _scale(model, slot, rows)
        if model.roles[slot] == "extra":
            step = 1e-7 * max(abs(model.numbers[slot]), 1e-3)
        used = [i for i, part in enumerate(model.parts) if slot in part.slots()]
        used += [i - 1 for i in used if i and model.parts[i].start == slot]
        near = np.flatnonzero(np.isin(which, used))
        some, sides = rows.only(near), []
        for sign in (1, -1):
            moved = list(model.numbers)
            moved[slot] += sign * step
            sides.append(some.off(model, moved))
        result[near, column] = (sides[1] - sides[0]) / (2 * step)
    return result


def fit(model: Model, rows: Rows, steps: int = 12) -> float:
    """Move the free numbers to the least squares; the worst residual in units of the slack."""
    free, some = model.free(), rows.some(model)
    residual = some.off(model)
    for _ in range(steps):
        if not free or np.abs(residual).max() < 1e-3:
            break
        columns = jacobian(model, free, some)
        if not np.isfinite(columns).all() or np.abs(columns).max() > 1e200:
            break
        norms = np.linalg.norm(columns, axis=0)
        norms[norms == 0] = 1
        move = np.linalg.lstsq(columns / norms, residual, rcond=1e-11)[0] / norms
        for part in (1.0, 0.5, 0.2, 0.05):
            tried = list(model.numbers)
            for slot, by in zip(free, move, strict=True):
                tried[slot] += part * float(by)
            new = some.off(model, tried)
            if np.linalg.norm(new) < np.linalg.norm(residual):
                break
        else:
            break
        gain = np.linalg.norm(new) / np.linalg.norm(residual)
        model.numbers, residual = tried, new
        if gain > 0.9999:
            break
    return rows.worst(model)


def intervals(model: Model, rows: Rows, free: list[int] | None = None) -> dict[int, tuple[float, float]]:
    """Between which values each free number may lie, the others moving along, while every row stays within its slack.

    By linear programming at the present numbers: rows are linear in small changes. Empty where no numbers fit.
    """
    from scipy.optimize import linprog

    every, some = model.free(), rows.some(model)
    columns, residual = jacobian(model, every, some), some.off(model)
    norms = np.linalg.norm(columns, axis=0)
    norms[norms == 0] = 1
    scaled = columns / norms
    limits = np.concatenate([1 + residual, 1 - residual])
    sides = np.concatenate([-scaled, scaled])
    reach = 1e4 * np.sqrt(len(some.u))
    found = {}
    for i, slot in enumerate(every):
        if free is not None and slot not in free:
            continue
        aim, ends = np.zeros(len(every)), []
        for sign in (1, -1):
            aim[i] = sign
            solved = linprog(aim, A_ub=sides, b_ub=limits, bounds=(-reach, reach), method="highs")
            if solved.status != 0:
                return {}
            ends.append(model.numbers[slot] + float(solved.x[i]) / float(norms[i]))
        found[slot] = ends[0], ends[1]
    return found


def around(model: Model, rows: Rows) -> dict[int, tuple[float, float]]:
    """As `intervals`, without a search and wider: how far the least squares move when every row moves by its slack."""
    free, some = model.free(), rows.some(model)
    if not free:
        return {}
    columns = jacobian(model, free, some)
    norms = np.linalg.norm(columns, axis=0)
    norms[norms == 0] = 1
    if not np.isfinite(columns).all():
        return {}
    reach = np.abs(np.linalg.pinv(columns / norms, rcond=1e-11)).sum(1) / norms
    moved = {slot: float(by) for slot, by in zip(free, reach, strict=True)}
    return {slot: (model.numbers[slot] - by, model.numbers[slot] + by) for slot, by in moved.items()}


def plainest(model: Model, slot: int, least: float, most: float, rows: Rows) -> tuple[float, float]:
    """The plainest number in an interval, and how many digits it is short of what chance would give."""
    width = most - least
    if model.roles[slot] == "time":
        if slot in model.gaps:
            low, high = model.gaps[slot]
            least, most = (max(least, low), min(most, high)) if max(least, low) <= min(most, high) else (least, most)
        number = roundest(least, most)
        if number is None:
            value = shortest(least, most)
            return value, -1.0
        if isinstance(number, Fraction):
            return float(number), -math.log10(max(width, 1e-9)) - 2 * math.log10(number.denominator)
        return float(number), -math.log10(max(width, 1e-9)) + (0.3 if width < 1 else -2 + 0.1)
    value = shortest(least, most)
    if model.roles[slot] == "value" and digits_of(value) > 2 and (part := _share(model, least, most)) is not None:
        return part, -math.log10(max(width / part, 1e-15)) - 1.5
    size = rows.peak if value == 0 else abs(value)
    return value, -math.log10(max(width / size, 1e-15)) - digits_of(value)


def _share(model: Model, least: float, most: float) -> float | None:
    """A third, a 25th, ... of the greatest value that is settled, within an interval."""
    values = [model.numbers[slot] for slot in model.fixed if model.roles[slot] == "value" and slot in model.used()]
    peak = max(values, default=0.0)
    if least <= 0 or peak <= most:
        return None
    share = roundest(peak / most, peak / least)
    if not isinstance(share, int) or digits_of(share) + 1 >= digits_of(shortest(least, most)):
        return None
    return peak / share


def snap(model: Model, rows: Rows) -> Model | None:
    """The model with plain numbers: first those that can hardly be chance, then the rest; None where nothing fits."""
    model = model.copy()
    quick = True
    while free := model.free():
        bounds = around(model, rows) if quick else intervals(model, rows)
        if not bounds:
            if not quick:
                return None
            quick = False
            continue
        found = {slot: plainest(model, slot, *bounds[slot], rows) for slot in free}
        ranked = sorted(found, key=lambda slot: -found[slot][1])
        sure = [slot for slot in ranked if found[slot][1] > FIRM]
        if quick:
            tried = _settled(model, {slot: found[slot][0] for slot in sure})
            if sure and fit(tried, rows) <= 1:
                model = tried
            else:
                quick = False
            continue
        for group in ([sure] if len(sure) > 1 else []) + [[slot] for slot in ranked]:
            tried = _settled(model, {slot: found[slot][0] for slot in group})
            if fit(tried, rows) <= 1 or (tried.free() and intervals(tried, rows, tried.free()[:1])):
                model = tried
                break
        else:  # no plain number: one well inside of what fits together with the others
            least, most = bounds[ranked[-1]]
            inside = (most - least) / 4
            model = _settled(model, {ranked[-1]: shortest(least + inside, most - inside)})
            fit(model, rows)
    return model


def _settled(model: Model, values: dict[int, float]) -> Model:
    model = model.copy()
    for slot, value in values.items():
        model.numbers[slot] = value
        model.fixed.add(slot)
    return model
