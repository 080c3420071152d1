"""Faults by which the rate itself is another: other peaks and floors, a constant, an added warm-up, a rebound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..schedule.base import Schedule
from . import faults as f
from .evidence import Array, Evidence, Rates
from .faults import Fault, Faults
from .intervals import digits_of, plain, shortest
from .landmarks import Landmarks

MOST_LENGTHS = 24  # of an added warm-up, tried one by one
LEAST_ROWS = 3  # that one factor or one rate explains before it is a candidate


Mix = Callable[[float], tuple[float, float]]  # from a new rate to (plus, times), which make plus + times * rate


@dataclass(frozen=True)
class Scale:
    """Rates that another peak or floor gives: before a time mixed with a constant in one way, from it on in another.

    The number that is new is itself a rate, and every mixed rate is linear in it. begin: that time, of the schedule;
    at: from when on it acts, of the log.
    """

    name: str
    key: str
    intended: float
    parts: tuple[Mix, Mix]
    begin: float
    cost: float
    given: tuple[tuple[str, Any], ...] = ()
    at: float | None = None
    row: int = 0

    def line(self, rates: Array, t: Array) -> tuple[Any, Any]:
        """(base, slope): the mixed rates are base + new * slope."""
        after = t >= self.begin
        # A mix is linear, so that two of its values, at 0 and at the intended rate, say how.
        ends = []
        for new in (0.0, self.intended or 1.0):
            (plus, times), (plus_after, times_after) = (part(new) for part in self.parts)
            ends.append(np.where(after, plus_after, plus) + np.where(after, times_after, times) * rates)
        return ends[0], (ends[1] - ends[0]) / (self.intended or 1.0)

    def fault(self, low: float, high: float) -> tuple[Fault, float] | None:
        """The fault with the plainest new rate between two, and that rate; None where there is none."""
        flat = any(part(low)[1] * part(high)[1] <= 0 for part in self.parts)
        if not np.isfinite(high - low) or low <= self.intended <= high or flat:
            return None  # not known, no change, or a constant
        # The ends are ratios of floats, rounded: four float64 spacings keep the true number inside.
        room = 4 * np.finfo(np.float64).eps * max(abs(low), abs(high))
        new = shortest(low - room, high + room)
        if self.key == "floor" and new < 0:
            return None  # no framework has a floor below 0
        (_, before), (plus, times) = (part(new) for part in self.parts)
        name = "floor-ignored" if self.key == "floor" and new == 0 else self.name
        # Of equal explanations the one with the plainer number is likelier.
        cost = 1.0 if name == "floor-ignored" else self.cost + 0.02 * max(0, digits_of(new) - 2)
        begin = self.begin if self.at is None else self.at
        change = partial(f.lines, at=plain(begin), before=before, factor=times, plus=plus)
        given = dict(self.given) | {self.key: new, "intended": self.intended}
        return Fault(name, given, change, cost, self.at, self.row), new


def scales(marks: Landmarks, at: float | None = None, row: int = 0) -> list[Scale]:
    """The ways in which rates can be scaled; from a resume on only as a whole."""
    peak, floor, W = marks.peak, marks.floor, marks.warmup

    def same(_: float) -> tuple[float, float]:
        return 0.0, 1.0

    def by(new: float) -> tuple[float, float]:
        return 0.0, new / peak if peak else 1.0

    def towards(fixed: float, end: float) -> Mix:
        """The distance from a rate that stays, so that another becomes the new one."""

        def mix(new: float) -> tuple[float, float]:
            factor = (new - fixed) / (end - fixed)
            return fixed * (1 - factor), factor

        return mix

    if at is not None:
        given = (("at", plain(at)),)
        return [Scale("old-peak-after-resume", "peak", peak, (same, by), -np.inf, 1.2, given, at, row)]
    found = [Scale("wrong-peak", "peak", peak, (by, by), 0.0, 1.1)]
    if 0 < floor < peak:
        kept = (("floor kept", floor),)
        found.append(Scale("wrong-peak", "peak", peak, (by, towards(floor, peak)), W, 1.2, kept))
    if floor < peak:
        found.append(Scale("wrong-floor", "floor", floor, (same, towards(peak, floor)), W, 1.3))
    if W:
        handed = (("at", plain(W)),)
        found.append(Scale("hand-over-jump", "warm-up to", peak, (by, same), W, 1.2, handed))
        found.append(Scale("hand-over-jump", "rest from", peak, (same, by), W, 1.2, handed, W))
    return found


def between(rows: Evidence, rates: Array, scale: Scale, t: Array) -> tuple[Array, Array, Array]:
    """The least and the greatest new rate that all rows up to each allow (..., n), and how many rows there are.

    Where they cross (least above greatest) no new rate explains the rows up to there.
    """
    base, slope = scale.line(rates, t)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ends = [(rows.logged + sign * rows.allowed - base) / slope for sign in (-1, 1)]
    low, high = np.minimum(*ends), np.maximum(*ends)
    fixed, same = slope == 0, np.abs(rows.logged - base) <= rows.allowed
    low = np.where(fixed, np.where(same, -np.inf, np.inf), low)
    high = np.where(fixed, np.where(same, np.inf, -np.inf), high)
    low, high = np.maximum.accumulate(low, axis=-1), np.minimum.accumulate(high, axis=-1)
    return low, high, np.sum(low <= high, axis=-1)


def scaled(rates: Rates, rows: Evidence, scale: Scale) -> Iterator[Faults]:
    """Another peak or floor alone."""
    low, high, explained = between(rows, rates(rows.rows), scale, rows.rows.t)
    if explained >= min(LEAST_ROWS, len(rows)):
        named = scale.fault(float(low[explained - 1]), float(high[explained - 1]))
        yield from () if named is None else ((named[0],),)


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
        yield (Fault("constant", given, partial(f.constant_from, rate=rate, at=at), cost, at, row),)


def added(rates: Rates, rows: Evidence, marks: Landmarks) -> Iterator[Faults]:
    """A line up to the schedule, which then is on time, begins later, or is squeezed to end on time."""
    logged, t = rows.logged, rows.rows.t
    if marks.warmup or len(rows) < 5 or t[0] < 0 or np.any(np.diff(t[:5]) <= 0):
        return
    right = np.flatnonzero(~rows.wrong(rates))
    joined = int(right[0]) if len(right) else 0
    falls = np.diff(logged) < 0
    peak = int(np.argmax(logged[: int(falls.argmax()) + 1])) if falls.any() else len(logged) - 1
    first = rates(rows.rows.at(np.zeros_like(t)))
    for rest, place, last, target in (
        ("on time", joined, joined, first),
        ("multiplies", joined, joined, rates(rows.rows)),
        ("begins later", peak, peak + 1, first),
        ("ends on time", peak if marks.horizon else 0, peak + 1, first),
    ):
        if place and np.all(target[: place + 1] > 0):
            above = np.where(target > 0, target, 1)
            share, allowed = logged / above, rows.allowed / above
            for length in _lengths(t, share, place, float(t[min(last, len(t) - 1)])):
                start = _start(t, share, allowed, length, float(first[0]))
                if start is not None:
                    given: dict[str, Any] = {"length": plain(length), "start": start}
                    change = partial(f.warmup_added, **given, rest=rest, end=marks.horizon)
                    given["then"] = "on time" if rest == "multiplies" else rest
                    yield (Fault("warm-up-added", given, change, 1.1),)


def _lengths(t: Array, share: Array, place: int, last: float) -> list[float]:
    """Whole lengths after the last row that rises, those nearest to where the line is at 1 first."""
    whole = np.arange(np.floor(t[place - 1]) + 1, np.floor(last) + 1)
    if place < 2:
        return [float(length) for length in whole[::-1][:MOST_LENGTHS]]
    slope, begin = np.polyfit(t[:place], share[:place], 1)
    end = float((1 - begin) / slope) if slope > 0 else last
    nearest = whole[np.argsort(np.abs(whole - end), kind="stable")[:MOST_LENGTHS]]
    return [*map(float, nearest), *([end] if slope > 0 and end > 0 else [])]


def _start(t: Array, share: Array, allowed: Array, length: float, first: float) -> float | None:
    """The plainest rate from which a line of some length rises through the rows; None where there is none."""
    rises = t < length
    left = 1 - t[rises] / length
    ends = [(share[rises] + sign * allowed[rises] - 1 + left) / left for sign in (-1, 1)]
    low, high = float(np.max(ends[0], initial=-np.inf)), float(np.min(ends[1], initial=np.inf))
    if not low <= high or low <= 1 <= high or high < 0:
        return None  # no line, none that rises, or one that would start below 0
    return 0.0 if low <= 0 <= high else shortest(low * first, high * first)


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
        yield (Fault("goes-on-after-the-end", given, partial(f.passes_its_end, slope=slope, last=last), 1.1, end),)
