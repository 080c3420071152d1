"""From rows to the plainest schedules that give them: phases, then models for every shift, then plain numbers."""

from __future__ import annotations

import contextlib
import math

import numpy as np

from ... import shapes
from ..intervals import digits_of, roundest, shortest
from .assemble import build
from .candidate import Candidate, made_plain, shifts
from .curve_families import Array
from .fitting import LogRows, fit
from .model import Model
from .segmentation import Phase
from .segmentation import phases as described
from .stated import is_stated, stated_between

MOST_RISE = 30.0  # how far above the last row the peak of a warm-up may lie
FLOORS = (0.0, 0.01, 0.1, 0.001, 0.05, 0.2, 0.5, 0.02, 1e-4)  # of the peak, where a last line may end


def search(clock: Array, rate: Array, slack: Array, preferred: int | None) -> list[Candidate]:
    """The schedules that give every row, the plainest first; empty where there are none."""
    phases = described(clock, rate, slack)
    if phases is None or sum(phase.cost for phase in phases) > 2 + 1.2 * len(clock):
        return []
    found: list[Candidate] = []
    for shift, habit in _shifts(phases, float(slack[0]), preferred):
        least = min((one.free for one in found), default=math.inf)
        with contextlib.suppress(ArithmeticError, ValueError, np.linalg.LinAlgError):  # guesses far off: no schedule
            for model, rows, lags, odd in _models(phases, clock, rate, slack, shift):
                if (
                    len(model.free()) <= least
                    and (one := made_plain(model, rows, (shift, habit), lags, odd)) is not None
                ):
                    found.append(one)
    return sorted(found, key=lambda one: one.cost)


def _shifts(phases: list[Phase], slack: float, preferred: int | None) -> list[tuple[int, float]]:
    """The shifts to try: all where the begin decides, else those that give the plainest first value."""
    order = list(shifts(preferred))
    curve = phases[0].curve
    if curve.family.name in ("flat", "wave"):
        return order
    first = {shift: value for shift, _ in order if math.isfinite(value := float(curve(-shift)))}
    digits = {shift: digits_of(shortest(value - slack, value + slack)) for shift, value in first.items()}
    return sorted(order, key=lambda one: digits.get(one[0], math.inf))[:2]


def _models(
    phases: list[Phase], clock: Array, rate: Array, slack: Array, shift: int
) -> list[tuple[Model, LogRows, tuple[tuple[float, int], ...], Array]]:
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
    rows = LogRows(u, rate, slack).only(kept)
    return [(each, rows, tuple(lags), clock[odd]) for each in _ends(model, rows)]


def _ends(model: Model, rows: LogRows) -> list[Model]:
    """A last line that goes down is cut before its end: models that end at 0 or at a plain share of the peak."""
    last = model.parts[-1]
    if last.shape is not shapes.linear or last.end not in model.fixed:
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


def _risen(model: Model, slope: float, rows: LogRows) -> Model:
    """A warm-up that is not over: it ends at the peak and the length that together have the fewest digits."""
    part, n = model.parts[-1], model.numbers
    begin, level, top = n[part.begin], n[part.first], n[part.last]
    doubt = 2 * float(rows.slack.max()) / (slope * (n[part.end] - begin)) + 1e-11
    # Peaks of two digits, since people write those; the length must then be a whole number
    power = math.floor(math.log10(top)) - 1
    peaks = [float(f"{digits}e{power + more}") for more in (0, 1, 2) for digits in range(10, 100)]
    best, shortest_told = (n[part.end], top), math.inf
    for peak in (peak for peak in peaks if top <= peak <= MOST_RISE * top):
        length = (peak - level) / slope
        span = max(length * (1 - doubt), n[part.end] - begin), length * (1 + doubt)
        known = stated_between(begin + span[0], begin + span[1])
        end = roundest(*span) if known is None else round(known - begin)
        if not isinstance(end, int):
            continue
        told = sum(0.5 if is_stated(number) else digits_of(number) for number in (peak, begin + end))
        if told < shortest_told:
            best, shortest_told = (begin + end, peak), told
    new = model.copy()
    new.numbers[part.end], new.numbers[part.last] = best
    return new
