"""Which faults to try: each with its cost, and the numbers it has, so that a search can solve for them or vary them.

A fault of the clock says at which times the schedule is asked, a fault of the rates how they are mixed with a constant;
both for many values of an unknown at once. What a search finds so is held against every row by the fault's schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from ..exact import exact
from ..recipes import constant
from ..schedule.base import Schedule
from . import faults as f
from .evidence import Array
from .faults import Fault, Faults
from .intervals import is_whole, plain, wholes
from .landmarks import Landmarks

USUAL_FACTORS = (*range(2, 65), 96, 128, 192, 256, 384, 512, 1024)  # where rows leave a factor open
MOST_EPOCH = 20_000  # updates of an epoch that are tried one by one
MOST_RESUMES = 2000
RESTS = ("waits at the peak", "ends earlier", "on time")
NOT_PLAIN = 0.15  # what a horizon that is no whole number takes to believe


@dataclass(frozen=True)
class ClockFaults:
    """Faults of the clock that differ in unknowns.

    times: from unknowns, each of shape (m, 1) or a number, and times (n,), to the times (m, n) that the schedule is
    asked for. faults: what given unknowns are called, one tuple of faults for each reading. tried: rows of unknowns to
    try. numbers: the plain values of one unknown between two, where `times` is linear in it, so that rows can be solved
    for it. scan: least, most, and whether by ratio, of a number to search for beside a factor of the rates, of which
    `unknown` makes the unknown.
    """

    times: Callable[..., Any]
    faults: Callable[..., list[Faults]]
    tried: Sequence[tuple[float, ...]] = ()
    numbers: Callable[[float, float], Iterable[float]] | None = None
    scan: tuple[float, float, bool] | None = None
    unknown: Callable[[Any], Any] = lambda number: number


def rescaled(to: Callable[[float], float], back: Callable[[float], float], low: float, high: float) -> list[float]:
    """The values of an unknown between two for which `to` of it is a plain number, of which `back` makes it again."""
    return [back(number) for number in wholes(*sorted((to(low), to(high)))) if number]


def from_the_start(marks: Landmarks, last: float, per_epoch: int | None, alone: bool = True) -> Iterator[ClockFaults]:
    """Faults of the clock that act from the first update on; alone: also such as do not come in pairs."""
    epochs = [per_epoch] if per_epoch else []
    factors = dict.fromkeys((*USUAL_FACTORS, *epochs))
    # A part of a product that only rises is a warm-up: another horizon of it is another length.
    only_warmup = marks.warmup and marks.warmup == marks.horizon
    if not only_warmup:
        yield slope(marks, 0.0, last, [(p,) for k in factors for p in (float(k), 1 / k)], per_epoch)
    if marks.warmup and marks.horizon is not None and not only_warmup:
        yield slope(marks, marks.warmup, last)
    if alone:
        lengths = [(float(n),) for n in dict.fromkeys([*epochs, *range(2, int(min(last / 2, MOST_EPOCH)) + 1)])]
        yield ClockFaults(lambda n, t: np.floor(t / n), partial(_stairs, "stepped-per-epoch", last), lengths)
        yield ClockFaults(lambda n, t: n * np.floor(t / n), partial(_stairs, "held-for-an-epoch", last), lengths)
        reach = (-last, max(last, marks.horizon or 0), False)
        yield ClockFaults(lambda d, t: t + d, _offset, [(d,) for d in np.arange(-64.0, 65) if d], wholes, reach)
    if marks.horizon is not None:
        end = plain(marks.horizon)
        yield ClockFaults(lambda k, t: np.maximum(end - k * t, 0), partial(_reversed, end), [(1.0,)], wholes)
    if W := plain(marks.warmup):
        yield from _other_warmups(W, None if marks.horizon is None else plain(marks.horizon))
        ahead = Fault("hand-over-jump", {"at": W}, partial(f.moved, at=W, to=2 * W), 1.0, W)
        yield ClockFaults(lambda _, t: np.where(t < W, t, t + W), lambda _: [(ahead,)], [(0.0,)])


def _offset(d: float) -> list[Faults]:
    return [(Fault("offset", {"by": plain(d)}, partial(f.since, time=plain(d)), 1.3),)] if d else []


def _reversed(end: Any, k: float) -> list[Faults]:
    if k <= 0:
        return []
    backwards = Fault("reversed", {"total": end}, partial(f.reversed_in_time, total=end), 1.1)
    return [(backwards, *steps) for steps in ([()] if k == 1 else _steps(k, None, None))]


def _stairs(name: str, last: float, n: float) -> list[Faults]:
    change = f.stepped_per_epoch if name == "stepped-per-epoch" else f.held_for_an_epoch
    given = {"updates_per_epoch": plain(n)}
    return [(Fault(name, given, partial(change, updates=plain(n), last=last), 1.1),)]


def slope(
    marks: Landmarks,
    kept: float,
    last: float,
    tried: Sequence[tuple[float, ...]] = (),
    per_epoch: int | None = None,
    at: float | None = None,
    row: int = 0,
) -> ClockFaults:
    """After a first part that is kept, p steps for each update; the same as another horizon."""
    length = None if marks.horizon is None else marks.horizon - kept

    def faults(p: float) -> list[Faults]:
        if p <= 0 or p == 1:
            return []
        found = [] if kept or at is not None else _steps(p, per_epoch, marks)
        if length and length > 0:
            found.append((_horizon(marks, kept, length, kept + length / p, last, at, row),))
        return found

    def numbers(low: float, high: float) -> list[float]:
        if high <= 0:
            return []
        low = max(low, 1e-9)
        found = [] if kept else [*wholes(low, high), *rescaled(lambda p: 1 / p, lambda k: 1 / k, low, high)]
        if length:
            back: Any = lambda end: length / (end - kept) if end > kept else 0.0  # noqa: E731
            found += rescaled(lambda p: kept + length / p, back, low, high)
        elif marks.warmup:
            found += rescaled(lambda p: marks.warmup / p, lambda n: marks.warmup / n, low, high)
        return [p for p in dict.fromkeys(found) if p > 0]

    def times(p: Any, t: Array) -> Array:
        return np.where(t < kept, t, kept + (t - kept) * p) if kept else p * t

    if not length:
        return ClockFaults(times, faults, tried, numbers)
    reach = (kept + length / 64, kept + length * 64, True)
    # 1e-9 only keeps the division finite where a tried horizon is the end of the part that is kept.
    return ClockFaults(times, faults, tried, numbers, reach, lambda end: length / np.maximum(end - kept, 1e-9))


def _steps(p: float, per_epoch: int | None, marks: Landmarks | None) -> list[Faults]:
    """p steps for each update, by name."""
    k, rarely = (p, False) if p > 1 else (1 / p, True)
    found: list[Faults] = []
    if marks is not None and marks.horizon is None and marks.warmup:
        # Without an end, a schedule whose warm-up has another length is the same one, stretched.
        length, name = plain(marks.warmup / p), "warm-up-stretched" if rarely else "warm-up-clipped"
        given = {"length": length, "intended": plain(marks.warmup), "then": "stretched as well"}
        by = exact(length, "length") / exact(plain(marks.warmup), "warm-up")
        found = [(Fault(name, given, _stretched(by), 1.2),)]
    if not is_whole(k):
        return found
    k = round(k)
    if rarely:
        return [*found, (Fault("stepped-too-rarely", {"k": k}, _stretched(k)),)]
    if per_epoch == k:
        return [*found, (Fault("stepped-per-update", {"updates_per_epoch": k}, _stretched(Fraction(1, k))),)]
    # A length in epochs, times the updates of an epoch, can be divided by these.
    cost = 1.0 if marks is None or marks.horizon is None or is_whole(marks.horizon / k) else 1.02
    return [*found, (Fault("stepped-too-often", {"k": k}, _stretched(Fraction(1, k)), cost),)]


def _stretched(by: Any) -> f.Change:
    return lambda s: s.stretched(by)


def _horizon(
    marks: Landmarks, kept: float, length: float, end: float, last: float, at: float | None, row: int
) -> Fault:
    end = plain(end)
    given = {"horizon" if marks.ends else "first_cycle": end, "intended": plain(marks.horizon or 0)}
    given |= {"warm-up kept": plain(kept)} if kept else {}
    given |= {} if at is None else {"at": plain(at)}
    name = "schedule-shorter-than-the-run" if marks.ends and end < last and at is None else "wrong-horizon"

    def change(s: Schedule) -> Schedule:
        new = f.ends_at(s, plain(kept), plain(length), exact(end, "horizon") - exact(plain(kept), "kept"))
        return new if at is None else f.then(s, plain(at), f.since(new, plain(at)))

    # A warm-up is seldom scaled with the horizon, so that one that is kept takes a little less to believe.
    cost = 1.2 - 0.05 * (kept > 0 and at is None) + 0.3 * (at is not None) + NOT_PLAIN * (not is_whole(end))
    # Milestones are seldom all stretched; and a first cycle is whole.
    cost += 0.4 * bool(marks.levels) + 0.3 * (not is_whole(end) and not marks.ends)
    return Fault(name, given, change, cost, at, row)


def _longer_hold(marks: Landmarks, d: float, last: float) -> list[Faults]:
    """The rest after a hold comes earlier by d, so that the whole is shorter; or later, and it is longer."""
    begin, end = plain(marks.decay), plain((marks.horizon or 0) - d)
    if not marks.decay or not marks.ends or marks.decay - d <= marks.warmup:
        return []

    def change(s: Schedule) -> Schedule:
        before = f.until(s, min(begin, exact(begin, "begin") - exact(plain(d), "d")))
        rest = f.since(s, begin)
        return before >> rest if d > 0 else before >> constant(s(begin), -plain(d)) >> rest

    name = "schedule-shorter-than-the-run" if end < last else "wrong-horizon"
    given = {"horizon": end, "intended": plain(marks.horizon or 0), "last part moved": plain(-d)}
    return [(Fault(name, given, change, 1.2 + NOT_PLAIN * (not is_whole(end))),)]


def _other_warmups(W: Any, end: Any) -> Iterator[ClockFaults]:
    """A warm-up that is missing or has another length; the rest waits at the peak, comes earlier, or ends on time."""
    afters: list[Callable[[Any, Array], Array]] = [lambda _, t: np.maximum(t, W), lambda n, t: t + W - n]
    if end is not None and end > W:
        # 1e-9 only keeps the division finite where a tried warm-up is as long as the whole schedule.
        afters.append(lambda n, t: W + (t - n) * (end - W) / np.maximum(end - n, 1e-9))

    def length(rest: str, p: float) -> list[Faults]:
        n = plain(W / p) if p > 0 else W
        if n == W or (end is not None and n >= end and rest == "on time"):
            return []
        name, cost = ("warm-up-clipped" if n < W else "warm-up-stretched"), 1.2 + NOT_PLAIN * (not is_whole(n))
        given = {"length": n, "intended": W, "then": rest}
        return [(Fault(name, given, partial(f.warmup_length, meant=W, length=n, rest=rest, end=end), cost),)]

    def missing(rest: str, _: float) -> list[Faults]:
        given = {"then": rest.replace("on time", "ends on time")}
        return [(Fault("warm-up-missing", given, partial(f.warmup_length, meant=W, length=0, rest=rest, end=end)),)]

    def times(after: Callable[[Any, Array], Array], p: Any, t: Array) -> Any:
        return np.where(t * p < W, t * p, after(W / np.maximum(p, 1e-9), t))

    def numbers(low: float, high: float) -> list[float]:
        return rescaled(lambda p: W / p, lambda n: W / n, max(low, 1e-9), high) if high > 0 else []

    for rest, after in zip(RESTS, afters, strict=False):
        yield ClockFaults(lambda _, t, after=after: after(0.0, t), partial(missing, rest), [(0.0,)])
        scan = (W / 64, W * 8, True)
        yield ClockFaults(partial(times, after), partial(length, rest), (), numbers, scan, lambda n: W / n)


@dataclass(frozen=True)
class Resume:
    """Where in a log something changed: the time of the row that shows it and of the one before, and the times at
    which it can have happened.

    inner: the position that was there, where an earlier fault had set it back. row: see `Fault.row`.
    """

    now: float
    before: float
    times: tuple[float, ...]
    row: int = 0
    inner: float = 0.0


def from_a_row(resume: Resume, marks: Landmarks, reach: float, solved: tuple[float, ...]) -> Iterator[ClockFaults]:
    """Faults of the clock that act from a resume on. solved: factors of the clock that two rows give."""
    ats, row, inner, now = resume.times, resume.row, resume.inner, resume.now
    usual = (*range(2, 17), 32, 64) if len(ats) <= 300 else (2, 3, 4, 8, 16)
    factors = dict.fromkeys([*solved, *map(float, usual), *(1 / k for k in usual)])
    both = [(at, k) for at in ats for k in factors]

    def fault(name: str, at: float, to: float, cost: float, step: Any = 1, **given: Any) -> Fault:
        change = partial(f.moved, at=plain(at), to=plain(to), k=step)
        return Fault(name, {"at": plain(at)} | given, change, cost, at, row)

    def restart(at: float) -> Fault:
        return fault("restart-after-resume", at, inner, 1.1)

    def faster(at: float, k: float, cost: float = 1.2) -> Fault:
        name, number = ("stepped-too-often", plain(k)) if k > 1 else ("stepped-too-rarely", plain(1 / k))
        # On a staircase one milestone that moved tells one number, and not both the time and the factor.
        seen = sum(at < at + (m - at) / k <= reach for m in marks.milestones)
        cost += 0.5 * (len(marks.milestones) > 0 and seen < 2)
        return fault(name, at, at, cost, number if k > 1 else Fraction(1) / exact(number, "k"), k=number)

    def moved(d: float) -> list[Faults]:
        """A position moved by d: by a resume at one of the times, or at the row itself."""
        found = _longer_hold(marks, d, reach) if d else []
        if inner - d in ats:
            return [*found, (restart(inner - d),)]
        if d in ats:
            # That the time happens to be the position, where nothing shows either, takes more to believe.
            return [*found, (fault("double-step-after-resume", d, 2 * d, 1.4 if d <= resume.before else 1.1),)]
        by = (
            [(fault("offset-after-resume", now, now + d, 1.5 + 0.2 * bool(marks.levels), by=plain(d)),)]
            if d and now + d >= 0
            else []
        )
        return [*found, *by]

    def shifts(low: float, high: float) -> list[float]:
        known = [d for at in ats for d in (inner - at, at) if low <= d <= high]
        return [*known[:6], *wholes(low, high)]

    yield ClockFaults(
        lambda d, t: t + d, moved, [(d,) for at in ats for d in (inner - at, at)], shifts, (-now, reach, False)
    )
    yield ClockFaults(lambda at, k, t: at + k * (t - at), lambda at, k: [(faster(at, k),)], both)
    yield ClockFaults(lambda at, k, t: k * (t - at) + inner, lambda at, k: [(restart(at), faster(at, k, 1.1))], both)
    for kept in dict.fromkeys((0.0, marks.warmup)) if marks.horizon else ():
        yield slope(marks, kept, reach, at=now, row=row)
    if W := plain(marks.warmup):

        def again(at: float) -> list[Faults]:
            change = partial(f.warmup_repeated, at=plain(at), length=W)
            return [(Fault("warm-up-repeated", {"at": plain(at), "length": W}, change, 1.1, at, row),)]

        yield ClockFaults(lambda at, t: np.where(t - at < W, t - at, t), again, [(at,) for at in ats])


def resume_times(before: Array, now: float) -> tuple[float, ...]:
    """Whole times after that of the first row before, up to that of the row at which it shows; the latest first."""
    first = float(before[0]) if len(before) and before[0] < now else now - 2  # the clock may have gone back
    times = np.arange(np.floor(first) + 1, np.floor(now) + 1)
    if len(times) > MOST_RESUMES:
        half = MOST_RESUMES // 2
        times = np.unique(np.concatenate([times[-half:], np.linspace(times[0], times[-1], half).round()]))
    return tuple(float(time) for time in times[::-1] if time > 0)
