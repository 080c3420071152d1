"""Factors on rates: which are allowed by every row, and the roundest of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .evidence import Array
from .faults import Fault, of_the_value
from .landmarks import Landmarks


@dataclass(frozen=True)
class Scale:
    """A change of rates that is linear in one factor: from rates and times to (base, slope), base + factor * slope.

    build: makes the fault of a factor between two, from a row of the log on.
    """

    line: Callable[[Array, Array], tuple[Any, Any]]
    build: Callable[[float, float, int, float | None], Fault]


def applied(line: Callable[[Array, Array], tuple[Any, Any]], factor: float) -> Callable[[Array, Array], Array]:
    """What it makes of rates at times."""

    def changed(rates: Array, t: Array) -> Array:
        base, slope = line(rates, t)
        scaled: Array = base + factor * slope
        return scaled

    return changed


def scales(marks: Landmarks, onset: bool) -> list[Scale]:
    """The ways in which rates can be scaled; from a row on, only as a whole."""
    if onset or not marks.peak:
        return [_peak(marks)]
    found = [_peak(marks)]
    if 0 < marks.floor < marks.peak:
        found.append(_peak_above_floor(marks))
    if marks.floor < marks.peak:
        found.append(_floor(marks))
    if marks.warmup:
        found += [_part(marks, "warm-up to", False), _part(marks, "rest from", True)]
    return found


def _peak(marks: Landmarks) -> Scale:
    def line(rates: Array, t: Array) -> tuple[Any, Any]:
        return 0.0, rates

    def build(low: float, high: float, row: int, at: float | None) -> Fault:
        factor, used = roundest(low, high, marks.peak)
        given = {"peak": used, "meant": marks.peak}
        if at is None:
            return of_the_value("wrong peak", given, applied(line, factor), 1.1, row)
        return of_the_value("old peak after resume", given, applied(line, factor), 1.2, row, at)

    return Scale(line, build)


def _peak_above_floor(marks: Landmarks) -> Scale:
    """Another peak and the same floor, so that only what lies above the floor is scaled; the warm-up as a whole."""
    peak, floor = marks.peak, marks.floor

    def line(rates: Array, t: Array) -> tuple[Any, Any]:
        share = (rates - floor) / (peak - floor)
        after = t >= marks.warmup
        return np.where(after, floor - share * floor, 0.0), np.where(after, share * peak, rates)

    def build(low: float, high: float, row: int, at: float | None) -> Fault:
        factor, used = roundest(low, high, peak)
        given = {"peak": used, "meant": peak, "floor kept": floor}
        return of_the_value("wrong peak", given, applied(line, factor), 1.2, row, at)

    return Scale(line, build)


def _floor(marks: Landmarks) -> Scale:
    """Another floor: the distance from the peak is scaled, after the warm-up."""
    peak, floor = marks.peak, marks.floor

    def line(rates: Array, t: Array) -> tuple[Any, Any]:
        after = t >= marks.warmup
        return np.where(after, peak, rates), np.where(after, rates - peak, 0.0)

    def build(low: float, high: float, row: int, at: float | None) -> Fault:
        ends = sorted(1 - (1 - floor / peak) * factor for factor in (low, high))
        used = 0.0 if ends[0] <= 0 <= ends[1] else roundest(ends[0], ends[1], peak)[1]
        name, cost = ("floor ignored", 1.0) if used == 0 else ("wrong floor", 1.3)
        given = {"floor": used, "meant": floor}
        return of_the_value(name, given, applied(line, (peak - used) / (peak - floor)), cost, row, at)

    return Scale(line, build)


def _part(marks: Landmarks, part: str, later: bool) -> Scale:
    """The warm-up, or what follows it, scaled by itself."""

    def line(rates: Array, t: Array) -> tuple[Any, Any]:
        acts = (t >= marks.warmup) == later
        return np.where(acts, 0.0, rates), np.where(acts, rates, 0.0)

    def build(low: float, high: float, row: int, at: float | None) -> Fault:
        factor, used = roundest(low, high, marks.peak)
        given = {"at": marks.warmup, part: used, "meant": marks.peak}
        return of_the_value("hand-over jump", given, applied(line, factor), 1.2, row, marks.warmup if later else at)

    return Scale(line, build)


def roundest(low: float, high: float, peak: float) -> tuple[float, float]:
    """The factor between two for which factor * peak has the fewest digits, and that product."""
    middle = (low + high) / 2
    slack = 4 * np.finfo(np.float64).eps
    for digits in range(1, 17):
        used = float(f"{middle * peak:.{digits - 1}e}")
        if low - slack * abs(low) <= used / peak <= high + slack * abs(high):
            return used / peak, used
    return middle, middle * peak


def factors(used: Array, allowed: Array, rates: Array, scale: Scale, t: Array) -> tuple[Array, Array, Array]:
    """The least and the greatest factor that all rows up to each allow (..., n), and how many rows there are.

    Where they cross (least above greatest) no factor explains the rows up to there.
    """
    base, slope = scale.line(rates, t)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [(used + sign * allowed - base) / slope for sign in (-1, 1)]
    low, high = np.minimum(*ends), np.maximum(*ends)
    fixed, same = slope == 0, np.abs(used - base) <= allowed
    low = np.where(fixed, np.where(same, -np.inf, np.inf), low)
    high = np.where(fixed, np.where(same, np.inf, -np.inf), high)
    low, high = np.maximum.accumulate(low, axis=-1), np.minimum.accumulate(high, axis=-1)
    return low, high, np.sum(low <= high, axis=-1)
