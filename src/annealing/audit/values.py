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
    """A change of rates by one factor: about an anchor, where the (schedule's) time is one that it acts on.

    build: makes the fault of a factor, from a row of the log on.
    """

    build: Callable[[float, float, int, float | None], Fault]
    acts: Callable[[Array], Any]
    anchor: Callable[[Array], Any]


def line(scale: Scale, factor: float) -> Callable[[Array, Array], Array]:
    """What it makes of rates at times."""

    def changed(rates: Array, t: Array) -> Array:
        anchor = scale.anchor(t)
        return np.where(scale.acts(t), anchor + factor * (rates - anchor), rates)

    return changed


def everywhere(t: Array) -> Any:
    return True


def about_zero(t: Array) -> Any:
    return 0.0


def scales(marks: Landmarks, onset: bool) -> list[Scale]:
    """The ways in which rates can be scaled; from a row on, only as a whole."""
    peak, warm, floor = marks.peak, marks.warmup, marks.floor

    def whole_peak(low: float, high: float, row: int, at: float | None) -> Fault:
        factor, used = roundest(low, high, peak)
        given = {"peak": used, "meant": peak}
        if at is None:
            return of_the_value("wrong peak", given, lambda rates, t: factor * rates, 1.1, row)
        return of_the_value("old peak after resume", given, lambda rates, t: factor * rates, 1.2, row, at)

    found = [Scale(whole_peak, everywhere, about_zero)]
    if onset or not peak:
        return found
    after: Callable[[Array], Any] = (lambda t: t >= warm) if warm else everywhere
    if 0 < floor < peak:
        kept: Callable[[Array], Any] = lambda t: np.where(after(t), floor, 0.0)  # noqa: E731

        def floor_kept(low: float, high: float, row: int, at: float | None) -> Fault:
            low, high = (floor + (peak - floor) * factor for factor in (low, high))
            factor, used = roundest(low / peak, high / peak, peak)
            above = (used - floor) / (peak - floor)
            scale = Scale(floor_kept, everywhere, kept)
            given = {"peak": used, "meant": peak, "floor kept": floor}
            return of_the_value("wrong peak", given, line(scale, above), 1.2, row, at)

        found.append(Scale(floor_kept, everywhere, kept))
    if floor < peak:

        def other_floor(low: float, high: float, row: int, at: float | None) -> Fault:
            ends = sorted(peak - (peak - floor) * factor for factor in (low, high))
            factor, used = roundest(ends[0] / peak, ends[1] / peak, peak)
            scale = Scale(other_floor, after, lambda t: peak)
            stretched = line(scale, (peak - used) / (peak - floor))
            name, cost = ("floor ignored", 1.0) if used == 0 else ("wrong floor", 1.3)
            return of_the_value(name, {"floor": used, "meant": floor}, stretched, cost, row, at)

        found.append(Scale(other_floor, after, lambda t: peak))
    if warm:

        def hand_over(part: str, acts: Callable[[Array], Any]) -> Scale:
            def build(low: float, high: float, row: int, at: float | None) -> Fault:
                factor, used = roundest(low, high, peak)
                given = {"at": warm, part: used, "meant": peak}
                return of_the_value("hand-over jump", given, line(scale, factor), 1.2, row, at)

            scale = Scale(build, acts, about_zero)
            return scale

        found.append(hand_over("warm-up to", lambda t: t < warm))
        found.append(hand_over("rest from", lambda t: t >= warm))
    return found


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
    anchor = scale.anchor(t)
    acts = np.broadcast_to(scale.acts(t), rates.shape)
    height = np.where(acts, rates - anchor, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [(used + sign * allowed - anchor) / height for sign in (-1, 1)]
    low, high = np.minimum(*ends), np.maximum(*ends)
    fixed = height == 0
    same = np.abs(used - rates) <= allowed
    low = np.where(fixed, np.where(same, -np.inf, np.inf), low)
    high = np.where(fixed, np.where(same, np.inf, -np.inf), high)
    low, high = np.maximum.accumulate(low, axis=-1), np.minimum.accumulate(high, axis=-1)
    return low, high, np.sum(low <= high, axis=-1)
