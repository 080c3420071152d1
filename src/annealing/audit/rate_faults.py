"""Faults of the rates: other peaks and floors, a constant, an added warm-up, what comes after the end; and of single
rows: other levels, skipped scheduler steps, outliers, several runs in one file.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import pairwise
from typing import Any

import numpy as np

from ..exact import exact
from ..recipes import constant, linear
from ..schedule.base import Schedule
from .faults import Fault, Faults, Landmarks, since, then
from .intervals import digits_of, plain, roundest, shortest
from .log import Array, Evidence, Rates, run_begins

MOST_LENGTHS = 24  # of an added warm-up, tried one by one
LEAST_ROWS = 3  # that one factor or one rate explains before it is a candidate
MOST_GROWTH = 0.05  # of the updates so far: more steps than these are not skipped by a loss scaler
AT_ONCE = 64  # lags tried at once
TOGETHER = 5  # rows next to each other that are still isolated
SHARE = 0.05  # of the rows that may be called outliers
MOST_MILESTONES = 50
FEW_LAGS = 6  # times that a loss scaler may skip early in a log
FIRST_LAG = 64  # steps that a loss scaler skips before the first row, until its scale has come down

Stretch = tuple[float, float] | None  # the rate that stays, and the one that becomes the new one; None: all stay


@dataclass(frozen=True)
class Scale:
    """Rates that another peak or floor gives: before a time stretched in one way, from it on in another.

    The number that is new is itself a rate, and every stretched rate is linear in it. begin: that time, of the
    schedule; at: from when on it acts, of the log.
    """

    name: str
    key: str
    intended: float
    before: Stretch
    after: Stretch
    begin: float
    cost: float
    given: tuple[tuple[str, Any], ...] = ()
    at: float | None = None
    row: int = 0

    def line(self, rates: Array, t: Array) -> tuple[Any, Any]:
        """(base, slope): the stretched rates are base + new * slope."""
        ends = []
        for stretch in (self.before, self.after):
            fixed, end = stretch or (0.0, 1.0)
            share = (rates - fixed) / (end - fixed)
            ends.append((rates, 0.0) if stretch is None else (fixed * (1 - share), share))
        after = t >= self.begin
        base, slope = (np.where(after, late, early) for early, late in zip(*ends, strict=True))
        return base, slope

    def fault(self, low: float, high: float) -> Fault | None:
        """The fault with the plainest new rate between two; None where there is none."""
        flat = any(fixed is not None and low <= fixed[0] <= high for fixed in (self.before, self.after))
        if not np.isfinite(high - low) or low <= self.intended <= high or flat:
            return None  # not known, no change, or a constant
        # The ends are ratios of floats, rounded: four float64 spacings keep the true number inside.
        room = 4 * np.finfo(np.float64).eps * max(abs(low), abs(high))
        new = shortest(low - room, high + room)
        if self.key == "floor" and new < 0:
            return None  # no framework has a floor below 0
        name = "floor-ignored" if self.key == "floor" and new == 0 else self.name
        # Of equal explanations the one with the plainer number is likelier.
        cost = 1.0 if name == "floor-ignored" else self.cost + 0.02 * max(0, digits_of(new) - 2)
        given = dict(self.given) | {self.key: new, "intended": self.intended}
        return Fault(name, given, partial(self._stretched, new=new), cost, self.at, self.row)

    def _stretched(self, s: Schedule, new: float) -> Schedule:
        begin = plain(self.begin if self.at is None else self.at)
        fixed, end = self.after or (0.0, new)
        factor = (new - fixed) / (end - fixed)
        rest = since(s, begin) if factor == 1 else factor * since(s, begin)
        early = s if self.before is None else new / self.before[1] * s
        return then(early, begin, rest if fixed == 0 else rest + fixed * (1 - factor))


def scales(marks: Landmarks, at: float | None = None, row: int = 0) -> list[Scale]:
    """The ways in which rates can be scaled; from a resume on only as a whole."""
    peak, floor, W = marks.peak, marks.floor, marks.warmup
    whole = (0.0, peak) if peak else None
    if at is not None:
        given = (("at", plain(at)),)
        return [Scale("old-peak-after-resume", "peak", peak, None, whole, -np.inf, 1.2, given, at, row)]
    found = [Scale("wrong-peak", "peak", peak, whole, whole, 0.0, 1.1)]
    if 0 < floor < peak:
        kept = (("floor kept", floor),)
        found.append(Scale("wrong-peak", "peak", peak, whole, (floor, peak), W, 1.2, kept))
    if floor < peak:
        found.append(Scale("wrong-floor", "floor", floor, None, (peak, floor), W, 1.3))
    if W:
        handed = (("at", plain(W)),)
        found.append(Scale("hand-over-jump", "warm-up to", peak, whole, None, W, 1.2, handed))
        found.append(Scale("hand-over-jump", "rest from", peak, None, whole, W, 1.2, handed, W))
    return found


def between(rows: Evidence, base: Any, slope: Any) -> tuple[Array, Array, Array]:
    """The least and the greatest number that all rows up to each allow (..., n), and how many rows there are.

    Rates are base + number * slope. Where the ends cross no number explains the rows up to there.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ends = [(rows.logged + sign * rows.allowed - base) / slope for sign in (-1, 1)]
    # A row without a slope does not tell the number, but must agree.
    same = np.where(np.abs(rows.logged - base) <= rows.allowed, np.inf, -np.inf)
    low = np.maximum.accumulate(np.where(slope == 0, -same, np.minimum(*ends)), axis=-1)
    high = np.minimum.accumulate(np.where(slope == 0, same, np.maximum(*ends)), axis=-1)
    return low, high, np.sum(low <= high, axis=-1)


def scaled(rates: Rates, rows: Evidence, scale: Scale) -> Iterator[Faults]:
    """Another peak or floor alone."""
    low, high, explained = between(rows, *scale.line(rates(rows), rows.t))
    if explained >= min(LEAST_ROWS, len(rows)):
        fault = scale.fault(float(low[explained - 1]), float(high[explained - 1]))
        yield from () if fault is None else ((fault,),)


def one_rate(rows: Evidence, marks: Landmarks, at: float | None, row: int) -> Iterator[Faults]:
    """One rate for all rows."""
    explained = between(rows, 0.0, 1.0)[2]
    if explained >= LEAST_ROWS:
        rate = float(np.median(rows.logged[:explained]))
        given = {"rate": rate} | ({} if at is None else {"at": plain(at)})
        # A rate that the schedule has somewhere is likelier to be one at which it got stuck.
        known = any(abs(rate - level) <= rows.allowed[0] for level in (marks.peak, *marks.levels))
        cost = 0.9 if at is None else 1.15 if known else 1.3
        yield (Fault("constant", given, lambda s: then(s, at or 0, constant(rate)), cost, at, row),)


def added(rates: Rates, rows: Evidence, marks: Landmarks) -> Iterator[Faults]:
    """A line up to the schedule, which then is on time, begins later, or is squeezed to end on time."""
    logged, t = rows.logged, rows.t
    if marks.warmup or len(rows) < 5 or t[0] < 0 or np.any(np.diff(t[:5]) <= 0):
        return
    right = np.flatnonzero(~rows.wrong(rates))
    joined = int(right[0]) if len(right) else 0
    falls = np.diff(logged) < 0
    peak = int(np.argmax(logged[: int(falls.argmax()) + 1])) if falls.any() else len(logged) - 1
    first = rates(rows.at(np.zeros_like(t)))
    for rest, place, last, target in (
        ("on time", joined, joined, first),
        ("multiplies", joined, joined, rates(rows)),
        ("begins later", peak, peak + 1, first),
        ("ends on time", peak if marks.horizon else 0, peak + 1, first),
    ):
        if place and np.all(target[: place + 1] > 0):
            above = np.where(target > 0, target, 1)
            share = replace(rows, logged=logged / above, allowed=rows.allowed / above)
            for length in _lengths(share, place, float(t[min(last, len(t) - 1)])):
                if (start := _start(share, length, float(first[0]))) is not None:
                    given: dict[str, Any] = {"length": plain(length), "start": start}
                    change = partial(_added, **given, rest=rest, end=marks.horizon)
                    given["then"] = "on time" if rest == "multiplies" else rest
                    yield (Fault("warm-up-added", given, change, 1.1),)


def _lengths(share: Evidence, place: int, last: float) -> list[float]:
    """Whole lengths after the last row that rises, those nearest to where the line is at 1 first."""
    t = share.t
    whole = np.arange(np.floor(t[place - 1]) + 1, np.floor(last) + 1)
    if place < 2:
        return [float(length) for length in whole[::-1][:MOST_LENGTHS]]
    slope, begin = np.polyfit(t[:place], share.logged[:place], 1)
    end = float((1 - begin) / slope) if slope > 0 else last
    nearest = whole[np.argsort(np.abs(whole - end), kind="stable")[:MOST_LENGTHS]]
    return [*map(float, nearest), *([end] if slope > 0 and end > 0 else [])]


def _start(share: Evidence, length: float, first: float) -> float | None:
    """The plainest rate from which a line of some length rises through the rows; None where there is none."""
    rising = share[share.t < length]
    left = 1 - rising.t / length
    low, high = (float(ends[-1]) if len(ends) else np.nan for ends in between(rising, 1 - left, left)[:2])
    if not low <= high or low <= 1 <= high or high < 0:
        return None  # no line, none that rises, or one that would start below 0
    return 0.0 if low <= 0 <= high else shortest(low * first, high * first)


def _added(s: Schedule, length: Any, start: float, rest: str, end: Any) -> Schedule:
    if rest == "multiplies":
        return linear(start / s(0), 1, length) * s
    rising = linear(start, s(0), length)
    if rest == "on time":
        return rising >> since(s, length)
    if rest == "ends on time":
        return rising >> s.stretched((exact(end, "end") - exact(length, "length")) / exact(end, "end"))
    return rising >> s


def after_the_end(s: Schedule, last: float) -> Iterator[Faults]:
    """What frameworks do once a schedule has ended: its mirror image, the schedule again, or its last line goes on."""
    assert s.duration is not None
    end = plain(s.duration)
    *_, piece = s.cycles(s.duration)
    # A framework's formula goes on for the decay; the warm-up before it is a scheduler of its own.
    for policy, begin in (("mirror", 0), ("mirror", piece.start), ("repeat", 0)):
        given = {"end": end, "policy": policy} | ({"from": begin} if begin else {})
        yield (Fault("rebound-after-the-end", given, partial(_rebound, begin=begin, policy=policy), 1.0, end),)
    step = min(1.0, end / 2)
    slope = (s.left(end) - s(end - step)) / step
    if slope:

        def passes(s: Schedule) -> Schedule:
            """The last line goes on, as far as the last time."""
            more = max(last - end, 1)
            return s >> linear(s(end), s(end) + slope * more, more)

        yield (Fault("goes-on-after-the-end", {"end": end, "slope": slope}, passes, 1.1, end),)


def _rebound(s: Schedule, begin: Any, policy: str) -> Schedule:
    return then(s, begin, since(s, begin).beyond(policy))


def skipped(rates: Rates, rows: Evidence) -> Iterator[Faults]:
    """A whole-number lag that only grows; as far as it explains the rows."""
    times, numbers = rows.t, rows.row
    if len(rows) < 3 or np.any(np.diff(times) <= 0):
        return
    rows = replace(rows, slack=0)
    lag, place, found = 0, 0, list[tuple[int, int]]()

    def behind(lag: Any) -> Rates:
        return lambda some: rates(some.at(some.t - lag))

    while (right := rows[place:].first_wrong(behind(lag))) is not None:
        place += right
        # Between two rows no more steps can be skipped than updates were made.
        # Where the rate stands still, or 0 is printed, a row does not show a skipped step, and so bounds none.
        last = rows[max(0, place - AT_ONCE) : place]
        shown = last.t[last.wrong(behind(lag + 1))]
        since = shown[-1] if len(shown) else last.t[0] - 1 if place else 0.0
        gap = min(times[0] + 1, FIRST_LAG) if place == 0 else times[place] - since
        lags = lag + np.arange(1, int(min(AT_ONCE, gap)) + 1)
        fits = np.flatnonzero(~rows[np.full(len(lags), place)].wrong(behind(lags)))
        early = found[0][1] if found and not found[0][0] else 0
        most = gap if place == 0 else max(4, MOST_GROWTH * times[place]) + early
        if not len(fits) or lags[fits[0]] > most:
            break
        lag = int(lags[fits[0]])
        found.append((place, lag))
        if len(found) > max(FEW_LAGS, 0.02 * len(rows) + 0.2 * place):
            break
    if found:
        places, lags = (np.array(column) for column in zip(*found, strict=True))
        given = {"lag": lag, "times": len(lags), "updates": _updates(times[places])}
        later = (numbers[places], lags.astype(np.float64))
        cost, at = 1.4 + 0.05 * len(lags), float(times[places[0]])
        yield (Fault("skipped-scheduler-steps", given, cost=cost, at=at, lags=later),)


def _updates(times: Array) -> list[int]:
    return [int(time) + 1 for time in times[:20]]


def outliers(rates: Rates, rows: Evidence) -> Iterator[Faults]:
    """A few rows that are wrong, among others that are right."""
    wrong = np.flatnonzero(rows.wrong(rates))
    if not 0 < len(wrong) <= max(1, SHARE * len(rows)) or len(rows) < 10:
        return
    stretches = 1 + int(np.sum(np.diff(wrong) > 1))
    if len(wrong) > TOGETHER * stretches:
        return
    if wrong[-1] == len(rows) - 1 and stretches == 1 and len(wrong) > 1:
        return  # the end of the log is not isolated
    given = {"count": len(wrong), "updates": _updates(rows.t[wrong])}
    cost = 1.5 + 0.2 * stretches + 0.01 * len(wrong)
    yield (instead("isolated-outliers", given, rows, wrong, cost),)


def instead(name: str, given: dict[str, Any], rows: Evidence, places: Any, cost: float) -> Fault:
    """Other rates at some rows, and no change elsewhere."""
    order = np.sort(places)
    own = (rows.row[order], rows.logged[order])
    return Fault(name, given, cost=cost, at=float(rows.t[order[0]]), own=own)


def edited(rows: Evidence, marks: Landmarks) -> Iterator[Faults]:
    """Levels of a staircase that are not the intended ones, or come at other times."""
    W = marks.warmup
    part = rows[rows.t >= W]
    t = part.t
    if not marks.levels or not len(t) or np.any(np.diff(rows.t) < 0) or rows.t[0] < 0:
        return
    begins = np.concatenate([[0], np.flatnonzero(np.abs(np.diff(part.logged)) > part.allowed[1:]) + 1])
    # Each level must be seen more than once: else every log is a staircase.
    if len(begins) > min(MOST_MILESTONES, max(2, len(part) // 3)) or len(begins) == len(set(marks.levels)) == 1:
        return
    known = marks.levels
    if len(known) > 1 and known[-2]:
        known = (*known, known[-1] ** 2 / known[-2])  # one milestone more, by the same factor
    levels = [_level(part[places], known) for places in np.split(np.arange(len(part)), begins[1:])]
    times = [plain(W), *(_milestone(t[i - 1], t[i], marks.milestones) for i in begins[1:])]
    intended = [m for m in marks.milestones if m <= t[-1]]
    new = sum(rate not in known for rate in levels)
    # One milestone at another time is little more of a change than one more or one less.
    changes = sorted(map(len, (set(times[1:]) - set(intended), set(intended) - set(times[1:]))))
    # 0.1 * 0.1 is 0.010000000000000002: as a parameter it is shown as it was meant.
    rates = [float(f"{level:.15g}") for level in levels[1:]]
    given = {"milestones": times[1:], "intended": intended[:MOST_MILESTONES], "rates": rates}
    stairs = partial(_staircase, levels=list(zip(times, levels, strict=True)))
    cost = 0.9 + 0.2 * changes[0] + 0.25 * changes[1] + 0.5 * new + 0.1 * (W > 0)
    yield (Fault("milestones-edited", given, stairs, cost),)


def _staircase(s: Schedule, levels: list[tuple[Any, float]]) -> Schedule:
    """Levels, each from a time on."""
    stairs = [constant(rate, exact(end, "end") - exact(begin, "begin")) for (begin, rate), (end, _) in pairwise(levels)]
    return then(s, levels[0][0], reduce(operator.rshift, [*stairs, constant(levels[-1][1])]))


def _level(rows: Evidence, known: tuple[float, ...]) -> float:
    """The intended level that rows have, or else the rate of fewest digits that all of them allow."""
    near = min(known, key=lambda level: abs(level - rows.logged[0]))
    if np.all(np.abs(rows.logged - near) <= rows.allowed):
        return near
    return shortest(float(np.max(rows.logged - rows.allowed)), float(np.min(rows.logged + rows.allowed)))


def _milestone(before: float, now: float, known: tuple[float, ...]) -> float | int:
    """When a level began that is first seen at one row and not at the one before."""
    inside = [m for m in known if before < m <= now]
    if inside or now - before <= 1:
        return plain(inside[0] if inside else now)
    best = float(roundest(np.floor(before) + 1, now) or now)
    return plain(best if digits_of(best) < digits_of(now) else now)


def several(rates: Rates, rows: Evidence) -> Iterator[Faults]:
    """Runs one after another, each from the start, of which only some follow."""
    begins = run_begins(rows)
    if len(begins) < 2:
        return
    wrong = rows.wrong(rates)
    parts = [slice(a, b) for a, b in zip(begins, [*begins[1:], len(rows)], strict=True)]
    other = [part for part in parts if wrong[part].any()]
    if 0 < len(other) < len(parts):
        places = np.concatenate([np.arange(part.start, part.stop) for part in other])
        following = [i + 1 for i, part in enumerate(parts) if part not in other]
        yield (instead("several-runs-in-one-file", several_runs(rows, following), rows, places, 1.2),)


def several_runs(rows: Evidence, following: list[int]) -> dict[str, Any]:
    """The parameters of this fault: how many runs there are, where they begin, and which of them (from 1) follow."""
    begins = run_begins(rows)
    return {"runs": len(begins), "first_rows": rows.row[begins].tolist(), "following": following or "none"}
