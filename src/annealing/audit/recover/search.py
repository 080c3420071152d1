"""From rows to the plainest schedules that give them: phases, then models for every shift, then plain numbers."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import numpy as np

from .curves import Array
from .levels import hold, settle
from .model import Model
from .numbers import digits_of, shortest
from .phases import Phase
from .polish import Rows, around, fit, intervals, snap
from .split import phases as described
from .structure import build
from .written import time_of

SHIFTS = (0, -1, 1, 2)
UNUSUAL = {0: 0.0, -1: 0.75, 1: 1.5, 2: 3.0}  # what a shift costs
FLOORS = (0.0, 0.01, 0.1, 0.001, 0.05, 0.2, 0.5, 0.02, 1e-4)  # of the peak, where a last line may end


@dataclass(frozen=True, eq=False)
class Found:
    """A model with plain numbers, at clocks moved by a shift and by lags; bounds: how far each number is determined."""

    model: Model
    shift: int
    lags: tuple[tuple[float, int], ...]
    odd: Array
    bounds: dict[int, tuple[float, float]]
    worst: float
    habit: float = 0.0  # what its shift costs
    free: int = 0  # how many numbers it has

    @property
    def cost(self) -> float:
        """How long it is: digits of its numbers, numbers, lags."""
        model = self.model
        return (
            sum(_length(model, slot) for slot in model.used())
            + 1.5 * len(model.parts)
            + len(self.lags)
            + 2 * len(self.odd)
            + self.habit
        )


def _narrow(model: Model, slot: int, rows: Rows) -> float:
    """How narrow bounds are that leave no doubt."""
    return 1.0 if model.roles[slot] == "time" else 0.01 * rows.peak if model.roles[slot] == "value" else 1e-3


def _length(model: Model, slot: int) -> float:
    number = model.numbers[slot]
    if model.roles[slot] != "time":
        digits = min(digits_of(number), 12) + 1.0
        peak = max(model.numbers[one] for one in model.used() if model.roles[one] == "value")
        if model.roles[slot] == "value" and number > 0 and abs(peak / number - round(peak / number)) < 1e-9:
            return min(digits, digits_of(round(peak / number)) + 1.5)
        return digits
    time = time_of(number)
    if isinstance(time, int):
        return 0.0 if slot == model.parts[0].start else digits_of(time) + 0.5
    return 3.0 + digits_of(time.numerator) + digits_of(time.denominator)


def search(clock: Array, rate: Array, slack: Array, preferred: int | None, until: float) -> list[Found]:
    """The schedules that give every row, the plainest first; empty where there are none."""
    phases = described(clock, rate, slack, until)
    if phases is None or sum(phase.cost for phase in phases) > 2 + 1.2 * len(clock):
        return []
    found: list[Found] = []
    for shift in _shifts(phases, float(slack[0]), preferred):
        least = min((one.free for one in found), default=math.inf)
        with contextlib.suppress(ArithmeticError, ValueError, np.linalg.LinAlgError):  # guesses far off: no schedule
            for model, rows, lags, odd in _models(phases, clock, rate, slack, shift):
                hold(model)
                if (free := len(model.free())) > least:
                    continue
                bounds = around(model, rows)
                wide = [slot for slot, (low, high) in bounds.items() if high - low > _narrow(model, slot, rows)]
                if wide and not (bounds := intervals(model, rows)):
                    continue
                if (plain := snap(model, rows)) is None or (worst := rows.worst(plain)) > 1:
                    continue
                settle(plain)
                habit = 0.0 if shift == preferred else UNUSUAL[shift]
                found.append(Found(plain, shift, lags, odd, bounds, worst, habit, free))
    return sorted(found, key=lambda one: one.cost)


def _shifts(phases: list[Phase], slack: float, preferred: int | None) -> list[int]:
    """The shifts to try: all where the begin decides, else those that give the plainest first value."""
    order = [shift for shift in SHIFTS if shift != preferred]
    if preferred is not None:
        order = [preferred, *order]
    curve = phases[0].curve
    if curve.family.name == "flat" or curve.family.name == "sine":
        return order
    first = {shift: value for shift in order if math.isfinite(value := float(curve(-shift)))}
    digits = {shift: digits_of(shortest(value - slack, value + slack)) for shift, value in first.items()}
    return sorted(order, key=lambda shift: digits.get(shift, math.inf))[:2]


def _models(
    phases: list[Phase], clock: Array, rate: Array, slack: Array, shift: int
) -> list[tuple[Model, Rows, tuple[tuple[float, int], ...], Array]]:
    u, lags, total = clock + shift, [], 0
    for phase in phases:
        for row, lag in phase.lags:
            total += lag
            u[row:] -= lag
            lags.append((float(clock[row]), total))
    odd = np.array([row for phase in phases for row in phase.odd], int)
    model, worst = build(phases, u, rate, slack)
    if not worst < 3:
        return []
    kept = np.setdiff1d(np.arange(len(u)), odd)
    rows = Rows(u, rate, slack).only(kept)
    return [(each, rows, tuple(lags), clock[odd]) for each in _ends(model, rows)]


def _ends(model: Model, rows: Rows) -> list[Model]:
    """A last line that goes down is cut before its end: models that end at 0 or at a plain share of the peak."""
    last = model.parts[-1]
    if last.kind != "linear" or last.end not in model.fixed:
        return [model]
    n = model.numbers
    rise, span = n[last.last] - n[last.first], n[last.end] - n[last.begin]
    if rise >= 0:
        return [_risen(model, rise / span, rows)] if rise > 0 else [model]
    options = []
    for share in FLOORS:
        new = model.copy()
        part = new.parts[-1]
        peak = max(n[slot] for slot in (part.first, part.last))
        floor = float(f"{share * peak:.12g}")
        if floor > n[part.last] + 1e-3 * peak:
            continue
        part.last = new.slot(floor, "value", fixed=True)
        part.end = new.slot(n[part.begin] + (floor - n[part.first]) * span / rise, "time")
        fit(new, rows)
        if share == 0 or abs(new.numbers[part.end] - round(new.numbers[part.end])) < 0.02:
            options.append(new)
        if share == 0 and abs(new.numbers[part.end] - round(new.numbers[part.end])) < 1e-3:
            return options
    return options[:3]


def _risen(model: Model, slope: float, rows: Rows) -> Model:
    """A warm-up that is not over: it ends where length and value are plainest."""
    part = model.parts[-1]
    n = model.numbers
    seen, level = n[part.end], n[part.first] - slope * n[part.begin]
    rounded = {10**power * factor for power in range(1, 8) for factor in (1, 2, 3, 4, 5, 8)}
    ends = sorted({seen, *(end for end in rounded if seen <= end <= 30 * seen)})

    def length(end: float) -> float:
        value, doubt = level + slope * end, 2 * float(rows.slack.max()) * end / seen + 1e-9 * rows.peak
        return digits_of(shortest(value - doubt, value + doubt)) + digits_of(end)

    best = min(ends, key=length)
    new = model.copy()
    part = new.parts[-1]
    new.numbers[part.last] = float(f"{level + slope * best:.15g}")
    new.numbers[part.end] = best
    return new
