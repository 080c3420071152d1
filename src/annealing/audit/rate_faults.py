"""Faults by which the rate itself is another: factors that every row allows, and the roundest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..schedule.base import Schedule
from . import faults as f
from .candidates import Faults, plain
from .evidence import Array, Evidence, Rates, RowTimes
from .faults import Fault
from .intervals import shortest
from .landmarks import Landmarks

MOST_LENGTHS = 400  # of an added warm-up, tried one by one
LEAST_ROWS = 3  # that one factor or one rate explains before it is a candidate


@dataclass(frozen=True)
class Scale:
    """A change of rates that is linear in one factor: from rates and times to (base, slope), base + factor * slope.

    fault: what the plainest factor between two is called, and that factor; None where it is impossible.
    """

    line: Callable[[Array, Array], tuple[Any, Any]]
    fault: Callable[[float, float], tuple[Fault, float] | None]


def scales(marks: Landmarks, at: float | None = None, row: int = 0) -> list[Scale]:
    """The ways in which rates can be scaled; from a resume on only as a whole."""
    if at is not None or not marks.peak:
        return [_peak(marks, at, row)]
    found = [_peak(marks, None, 0)]
    if 0 < marks.floor < marks.peak:
        found.append(_peak_above_floor(marks))
    if marks.floor < marks.peak:
        found.append(_floor(marks))
    if marks.warmup:
        found += [_part(marks, "warm-up to", False), _part(marks, "rest from", True)]
    return found


def _peak(marks: Landmarks, at: float | None, row: int) -> Scale:
    def fault(low: float, high: float) -> tuple[Fault, float] | None:
        peak = roundest_rate(low, high, marks.peak)
        given = {"peak": peak, "intended": marks.peak}
        factor = peak / marks.peak
        if at is None:
            return Fault("wrong-peak", given, lambda s: factor * s, 1.1), factor
        old = lambda s: f.then(s, plain(at), factor * f.since(s, plain(at)))  # noqa: E731
        return Fault("old-peak-after-resume", given | {"at": plain(at)}, old, 1.2, at, row), factor

    return Scale(lambda rates, t: (0.0, rates), fault)


def _peak_above_floor(marks: Landmarks) -> Scale:
    """Another peak and the same floor, so that only what lies above the floor is scaled; the warm-up as a whole."""
    peak, floor, W = marks.peak, marks.floor, marks.warmup

    def line(rates: Array, t: Array) -> tuple[Any, Any]:
        share = (rates - floor) / (peak - floor)
        after = t >= W
        return np.where(after, floor - share * floor, 0.0), np.where(after, share * peak, rates)

    def fault(low: float, high: float) -> tuple[Fault, float] | None:
        new = roundest_rate(low, high, peak)
        factor = (new - floor) / (peak - floor)
        change = lambda s: f.lines(s, plain(W), new / peak, factor, floor * (1 - factor))  # noqa: E731
        return Fault("wrong-peak", {"peak": new, "intended": peak, "floor kept": floor}, change, 1.2), factor

    return Scale(line, fault)


def _floor(marks: Landmarks) -> Scale:
    """Another floor: the distance from the peak is scaled, after the warm-up."""
    peak, floor, W = marks.peak, marks.floor, marks.warmup

    def line(rates: Array, t: Array) -> tuple[Any, Any]:
        after = t >= W
        return np.where(after, peak, rates), np.where(after, rates - peak, 0.0)

    def fault(low: float, high: float) -> tuple[Fault, float] | None:
        ends = sorted(1 - (1 - floor / peak) * factor for factor in (low, high))
        new = 0.0 if ends[0] <= 0 <= ends[1] else roundest_rate(ends[0], ends[1], peak)
        if new < 0:
            return None  # no framework has a floor below 0
        factor = (peak - new) / (peak - floor)
        change = lambda s: f.lines(s, plain(W), 1, factor, peak * (1 - factor))  # noqa: E731
        name, cost = ("floor-ignored", 1.0) if new == 0 else ("wrong-floor", 1.3)
        return Fault(name, {"floor": new, "intended": floor}, change, cost), factor

    return Scale(line, fault)


def _part(marks: Landmarks, part: str, later: bool) -> Scale:
    """The warm-up, or what follows it, scaled by itself."""
    W = marks.warmup

    def line(rates: Array, t: Array) -> tuple[Any, Any]:
        acts = (t >= W) == later
        return np.where(acts, 0.0, rates), np.where(acts, rates, 0.0)

    def fault(low: float, high: float) -> tuple[Fault, float] | None:
        new = roundest_rate(low, high, marks.peak)
        factor = new / marks.peak
        change = lambda s: f.lines(s, plain(W), 1 if later else factor, factor if later else 1, 0)  # noqa: E731
        given = {"at": plain(W), part: new, "intended": marks.peak}
        return Fault("hand-over-jump", given, change, 1.2, W if later else None), factor

    return Scale(line, fault)


def roundest_rate(low: float, high: float, peak: float) -> float:
    """The rate of fewest digits between two shares of a peak."""
    # The ends are ratios of floats, rounded: four float64 spacings keep the true number inside.
    room = 4 * np.finfo(np.float64).eps * max(abs(low), abs(high))
    return shortest(min(low, high) * peak - room * peak, max(low, high) * peak + room * peak)


def factors(rows: Evidence, rates: Array, scale: Scale, t: Array) -> tuple[Array, Array, Array]:
    """The least and the greatest factor that all rows up to each allow (..., n), and how many rows there are.

    Where they cross (least above greatest) no factor explains the rows up to there.
    """
    base, slope = scale.line(rates, t)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [(rows.logged + sign * rows.allowed - base) / slope for sign in (-1, 1)]
    low, high = np.minimum(*ends), np.maximum(*ends)
    fixed, same = slope == 0, np.abs(rows.logged - base) <= rows.allowed
    low = np.where(fixed, np.where(same, -np.inf, np.inf), low)
    high = np.where(fixed, np.where(same, np.inf, -np.inf), high)
    low, high = np.maximum.accumulate(low, axis=-1), np.minimum.accumulate(high, axis=-1)
    return low, high, np.sum(low <= high, axis=-1)


def changes(low: float, high: float) -> bool:
    """Whether a factor between these is known, and is neither 1 (no change) nor 0 (a constant)."""
    return bool(np.isfinite(low) and np.isfinite(high)) and not low <= 1 <= high and not low <= 0 <= high


def scaled(rates: Rates, rows: Evidence, scale: Scale) -> Iterator[Faults]:
    """A factor on the rates alone."""
    low, high, explained = factors(rows, rates(rows.rows), scale, rows.rows.t)
    ends = float(low[explained - 1]), float(high[explained - 1])
    if explained >= min(LEAST_ROWS, len(rows)) and changes(*ends) and (named := scale.fault(*ends)) is not None:
        yield (named[0],)


def constant(rows: Evidence, marks: Landmarks, at: float | None, row: int) -> Iterator[Faults]:
    """One rate for all rows."""
    low = np.maximum.accumulate(rows.logged - rows.allowed)
    high = np.minimum.accumulate(rows.logged + rows.allowed)
    explained = int(np.sum(low <= high))
    if explained >= LEAST_ROWS:
        rate = float(np.median(rows.logged[:explained]))
        given = {"rate": rate} | ({} if at is None else {"at": plain(at)})
        # A rate that the schedule has somewhere is likelier to be one at which it got stuck.
        known = any(abs(rate - level) <= rows.allowed[0] for level in (marks.peak, *marks.levels))
        cost = 0.9 if at is None else 1.15 if known else 1.3
        yield (Fault("constant", given, lambda s: f.constant_from(s, rate, at), cost, at, row),)


def added(rates: Rates, rows: Evidence, marks: Landmarks) -> Iterator[Faults]:
    """A line up to the schedule, which then is on time, begins later, or is squeezed to end on time."""
    logged, t = rows.logged, rows.rows.t
    if marks.warmup or len(rows) < 5 or t[0] < 0 or np.any(np.diff(t[:5]) <= 0):
        return
    right = np.flatnonzero(~rows.wrong(rates))
    if len(right) and right[0]:
        for rest in ("on time", "multiplies"):
            lengths = [*_between(t[right[0] - 1], t[right[0]]), *_crossing(rates, rows, int(right[0]), rest)]
            yield from _warmups(rates, rows, marks, rest, lengths)
    falls = np.diff(logged) < 0
    peak = int(np.argmax(logged[: int(falls.argmax()) + 1])) if falls.any() else len(logged) - 1
    if peak:
        lengths = _between(t[peak - 1], t[min(peak + 1, len(t) - 1)])
        for rest in ("later", *(("ends on time",) if marks.horizon else ())):
            yield from _warmups(rates, rows, marks, rest, _likely(rates, rows, marks, rest, lengths))


def _between(low: float, high: float) -> list[float]:
    """Whole lengths above one time and up to another, the longest first."""
    lengths = np.arange(np.floor(low) + 1, np.floor(high) + 1)[::-1]
    return [float(length) for length in lengths[:MOST_LENGTHS]]


def _target(rates: Rates, rows: RowTimes, rest: str) -> Array:
    """What the line rises to: the schedule's rate at that time, or its first."""
    return rates(rows) if rest == "multiplies" else rates(rows.at(np.zeros_like(rows.t)))


def _crossing(rates: Rates, rows: Evidence, until: int, rest: str) -> list[float]:
    """Where the line through the rates of a warm-up, as shares of the schedule's, is at 1."""
    rising = rows[:until]
    target = _target(rates, rising.rows, rest)
    if until < 2 or not np.all(target > 0):
        return []
    slope, share = np.polyfit(rising.rows.t, rising.logged / target, 1)
    return [float((1 - share) / slope)] if slope * (1 - share) > 0 else []


def _likely(rates: Rates, rows: Evidence, marks: Landmarks, rest: str, lengths: list[float]) -> list[float]:
    """The lengths behind which most of some rows are right."""
    if not lengths:
        return []
    some = rows[np.unique(np.linspace(np.searchsorted(rows.rows.t, lengths[0]), len(rows) - 1, 20).astype(int))]
    t, end = some.rows.t, marks.horizon or 0.0
    counts = []
    for length in lengths:
        moved = (t - length) * end / max(end - length, 1e-9) if rest == "ends on time" else t - length
        counts.append(int(np.sum(~some.wrong(partial(_at, rates, moved)))))
    return [lengths[i] for i in np.argsort(counts)[::-1][:3] if counts[i] >= LEAST_ROWS]


def _at(rates: Rates, times: Array, rows: RowTimes) -> Array:
    return rates(rows.at(times))


def _warmups(rates: Rates, rows: Evidence, marks: Landmarks, rest: str, lengths: list[float]) -> Iterator[Faults]:
    for length in lengths:
        rising = rows[rows.rows.t < length]
        target = _target(rates, rising.rows, rest)
        left = 1 - rising.rows.t / length
        if not len(rising) or not np.all(target > 0):
            continue
        ends = [((rising.logged + sign * rising.allowed) / target - 1 + left) / left for sign in (-1, 1)]
        low, high = float(np.max(ends[0])), float(np.min(ends[1]))
        if not low <= high or low <= 1 <= high or high < 0:
            continue  # no line, none that rises, or one that would start below 0
        top = float(rates(RowTimes(np.zeros(1), rows.rows.row[:1]))[0])
        start = 0.0 if low <= 0 <= high else roundest_rate(low, high, top)
        given = {"length": plain(length), "start": start, "then": "on time" if rest == "multiplies" else rest}
        given["then"] = "begins later" if rest == "later" else given["then"]
        change = partial(f.warmup_added, length=plain(length), start=start, rest=rest, end=marks.horizon)
        yield (Fault("warm-up-added", given, change, 1.1),)


def after_the_end(s: Schedule, last: float) -> Iterator[Faults]:
    """What frameworks do once a schedule has ended: its mirror image, the schedule again, or its last line goes on."""
    assert s.duration is not None
    end = plain(s.duration)
    *_, piece = s.cycles(s.duration)
    # A framework's formula goes on for the decay; the warm-up before it is a scheduler of its own.
    for policy, begin in (("mirror", 0), ("mirror", piece.start), ("repeat", 0)):
        given = {"end": end, "policy": policy} | ({"from": begin} if begin else {})
        yield (Fault("rebound-after-the-end", given, partial(f.rebound, begin=begin, policy=policy), 1.0, end),)
    step = min(1.0, end / 2)
    slope = (s.left(end) - s(end - step)) / step
    if slope:
        given = {"end": end, "slope": slope}
        yield (Fault("goes-on-after-the-end", given, lambda s: f.passes_its_end(s, slope, last), 1.1, end),)
