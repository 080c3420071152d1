"""Faults of the clock: which to try, each with its cost and the numbers that a search can solve for or vary.

A fault says where the scheduler stood at each update: as positions for many values of an unknown at once, and, once its
numbers are known, as the schedule that the run followed. What a search finds by the first is held against every row by
the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from ..exact import exact
from ..schedule.base import Schedule
from .faults import Fault, Faults, Landmarks, Track, of_another_length, on_track, positions, since, then, until
from .intervals import is_whole, plain, wholes
from .log import Array

USUAL_FACTORS = (*range(2, 65), 96, 128, 192, 256, 384, 512, 1024)  # where rows leave a factor open
MOST_EPOCH = 20_000  # updates of an epoch that are tried one by one
MOST_RESUMES = 2000
MOST_STAIRS = 20_000  # longer schedules are cut to what the log shows before they are made a staircase
NOT_PLAIN = 0.15  # what a horizon that is no whole number takes to believe
LEAST_STEPS = 1e-9  # per update; fewer would divide by nothing

Way = Callable[[float], float]


@dataclass(frozen=True)
class ClockFaults:
    """Faults of the clock that differ in unknowns.

    positions: from times (n,) and unknowns, each of shape (m, 1) or a number, to the positions (m, n) of the scheduler.
    named: what given unknowns are called, one tuple of faults for each reading. tried: rows of unknowns to try.
    numbers: the plain values of one unknown between two, where positions are linear in it, so that rows can be solved
    for it. scan: least, most, and whether by ratio, of a number to search for beside a factor of the rates, of which
    `unknown` makes the unknown.
    """

    positions: Callable[..., Any]
    named: Callable[..., list[Faults]]
    tried: Sequence[tuple[float, ...]] = ()
    numbers: Callable[[float, float], Iterable[float]] | None = None
    scan: tuple[float, float, bool] | None = None
    unknown: Callable[[Any], Any] = lambda number: number


def along(track: Callable[..., Track]) -> Callable[..., Any]:
    """The positions that a track gives for its unknowns."""
    return lambda t, *unknowns: positions(track(*unknowns), t)


def of_clock(
    name: str, given: dict[str, Any], track: Track, cost: float = 1.0, at: float | None = None, row: int = 0
) -> Fault:
    """A fault by which the schedule is followed along a track."""
    return Fault(name, given, partial(on_track, track=track), cost, at, row)


def number(time: float) -> Fraction:
    """A time that was computed, as the number that it was meant to be."""
    return exact(plain(time), "time")


def written(*ways: tuple[Way, Way]) -> Callable[[float, float], list[float]]:
    """The steps per update between two for which one of some numbers is plain; of each the way to it and back."""

    def numbers(low: float, high: float) -> list[float]:
        if high <= 0:
            return []
        ends = [[to(max(low, LEAST_STEPS)), to(high)] for to, _ in ways]
        found = [back(n) for (_, back), each in zip(ways, ends, strict=True) for n in wholes(*sorted(each)) if n]
        return [steps for steps in dict.fromkeys(found) if steps > 0]

    return numbers


def over(length: float) -> tuple[Way, Way]:
    """Steps per update as another length, and back."""
    return (lambda steps: length / steps,) * 2


# From the first update on.


def from_the_start(marks: Landmarks, last: float, per_epoch: int | None, alone: bool = True) -> Iterator[ClockFaults]:
    """Faults of the clock that act from the first update on; alone: also such as do not come in pairs."""
    epochs = [per_epoch] if per_epoch else []
    factors = dict.fromkeys((*USUAL_FACTORS, *epochs))
    # A part of a product that only rises is a warm-up: another horizon of it is another length.
    only_warmup = marks.warmup and marks.warmup == marks.horizon
    if not only_warmup:
        yield another_pace(marks, 0.0, last, [(p,) for k in factors for p in (float(k), 1 / k)], per_epoch)
    if marks.warmup and marks.horizon is not None and not only_warmup:
        yield another_pace(marks, marks.warmup, last)
    if alone:
        lengths = [(float(n),) for n in dict.fromkeys([*epochs, *range(2, int(min(last / 2, MOST_EPOCH)) + 1)])]
        yield ClockFaults(lambda t, n: np.floor(t / n), partial(_per_epoch, "stepped-per-epoch", last), lengths)
        yield ClockFaults(lambda t, n: n * np.floor(t / n), partial(_per_epoch, "held-for-an-epoch", last), lengths)
        reach = (-last, max(last, marks.horizon or 0), False)
        yield ClockFaults(lambda t, d: t + d, _offset, [(d,) for d in np.arange(-64.0, 65) if d], wholes, reach)
    if marks.horizon is not None:
        end = marks.horizon
        yield ClockFaults(lambda t, k: end - k * t, partial(_reversed, marks, plain(end)), [(1.0,)], wholes)
    if marks.warmup:
        yield from _other_warmups(marks.warmup, marks.horizon)
        W, at = number(marks.warmup), plain(marks.warmup)
        jump = of_clock("hand-over-jump", {"at": at}, ((0, 0, 1), (W, 2 * W, 1)), at=at)
        ahead = along(lambda _: ((0, 0, 1), (marks.warmup, 2 * marks.warmup, 1)))
        yield ClockFaults(ahead, lambda _: [(jump,)], [(0.0,)])


def _offset(d: float) -> list[Faults]:
    return [(of_clock("offset", {"by": plain(d)}, ((0, number(d), 1),), 1.3),)] if d else []


def _reversed(marks: Landmarks, end: Any, k: float) -> list[Faults]:
    def change(s: Schedule) -> Schedule:
        # What lies beyond its end is its mirror image.
        return until(since(until(s, end).beyond("mirror"), end), end)

    if k <= 0:
        return []
    backwards = Fault("reversed", {"total": end}, change, 1.1)
    return [(backwards, *steps) for steps in ([()] if k == 1 else _steps(k, None, marks))]


def _per_epoch(name: str, last: float, n: float) -> list[Faults]:
    """One step of the schedule for each epoch of n updates, or n at once, as far as the last time of the log."""
    updates, held = plain(n), name == "held-for-an-epoch"

    def change(s: Schedule) -> Schedule:
        every, shown = (updates, last + updates) if held else (1, last // updates + 2)
        few = s.duration is not None and s.duration < MOST_STAIRS * every
        stairs = (s if few else until(s, shown)).held(every)
        return stairs if held else stairs.stretched(updates)

    return [(Fault(name, {"updates_per_epoch": updates}, change, 1.1),)]


def another_pace(
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

    def named(p: float) -> list[Faults]:
        if p <= 0 or p == 1:
            return []
        found = [] if kept or at is not None else _steps(p, per_epoch, marks)
        end = plain(kept + length / p) if length and length > 0 else kept
        return [*found, (_horizon(marks, kept, end, last, at, row),)] if end > kept else found

    ways: list[tuple[Way, Way]] = [] if kept else [(lambda p: p, lambda p: p), over(1)]
    track = along(lambda p: ((0, 0, 1), (kept, kept, p)) if kept else ((0, 0, p),))
    if not length:
        return ClockFaults(track, named, tried, written(*ways, *([over(marks.warmup)] if marks.warmup else [])))
    ways.append((lambda p: kept + length / p, lambda end: length / (end - kept) if end > kept else 0.0))
    reach = (kept + length / 64, kept + length * 64, True)
    return ClockFaults(
        track, named, tried, written(*ways), reach, lambda end: length / np.maximum(end - kept, LEAST_STEPS)
    )


def _steps(p: float, per_epoch: int | None, marks: Landmarks) -> list[Faults]:
    """p steps for each update, by name."""
    rarely = p < 1
    found: list[Faults] = []
    if marks.horizon is None and marks.warmup and plain(marks.warmup / p):
        # Without an end, a schedule whose warm-up has another length is the same one, stretched.
        name, length = "warm-up-stretched" if rarely else "warm-up-clipped", plain(marks.warmup / p)
        given = {"length": length, "intended": plain(marks.warmup), "then": "stretched as well"}
        found = [(of_clock(name, given, ((0, 0, number(marks.warmup) / number(length)),), 1.2),)]
    k = plain(1 / p if rarely else p)
    if not is_whole(k):
        return found
    if rarely:
        return [*found, (of_clock("stepped-too-rarely", {"k": k}, ((0, 0, 1 / number(k)),)),)]
    if per_epoch == k:
        return [*found, (of_clock("stepped-per-update", {"updates_per_epoch": k}, ((0, 0, k),)),)]
    # A length in epochs, times the updates of an epoch, can be divided by these.
    cost = 1.0 if marks.horizon is None or is_whole(marks.horizon / k) else 1.02
    return [*found, (of_clock("stepped-too-often", {"k": k}, ((0, 0, k),), cost),)]


def _horizon(marks: Landmarks, kept: float, end: float, last: float, at: float | None, row: int) -> Fault:
    given = {"horizon" if marks.ends else "first_cycle": end, "intended": plain(marks.horizon or 0)}
    given |= {"warm-up kept": plain(kept)} if kept else {}
    given |= {} if at is None else {"at": plain(at)}
    name = "schedule-shorter-than-the-run" if marks.ends and end < last and at is None else "wrong-horizon"
    length, new = number(marks.horizon or 0) - number(kept), number(end) - number(kept)

    def change(s: Schedule) -> Schedule:
        other = of_another_length(s, number(kept), length, new)
        return other if at is None else then(s, number(at), since(other, number(at)))

    # A warm-up is seldom scaled with the horizon, so that one that is kept takes a little less to believe.
    cost = 1.2 - 0.05 * (kept > 0 and at is None) + 0.3 * (at is not None) + NOT_PLAIN * (not is_whole(end))
    # Milestones are seldom all stretched; and a first cycle is whole.
    cost += 0.4 * bool(marks.levels) + 0.3 * (not is_whole(end) and not marks.ends)
    return Fault(name, given, change, cost, at, row)


def _longer_hold(marks: Landmarks, d: float, last: float) -> list[Faults]:
    """The rest after a hold comes earlier by d, so that the whole is shorter; or later, and it is longer."""
    if not marks.decay or not marks.ends or marks.decay - d <= marks.warmup:
        return []
    end, begin = plain((marks.horizon or 0) - d), number(marks.decay)
    moved = begin - number(d)
    track = ((0, 0, 1), (min(begin, moved), begin, 0), (moved, begin, 1))
    name = "schedule-shorter-than-the-run" if end < last else "wrong-horizon"
    given = {"horizon": end, "intended": plain(marks.horizon or 0), "last part moved": plain(-d)}
    return [(of_clock(name, given, track, 1.2 + NOT_PLAIN * (not is_whole(end))),)]


def _other_warmups(warmup: float, horizon: float | None) -> Iterator[ClockFaults]:
    """A warm-up that is missing or has another length; the rest waits at the peak, comes earlier, or ends on time."""

    def named(rest: str, p: float) -> list[Faults]:
        W, end, n = number(warmup), number(horizon or 0), number(warmup / p)
        after = _after_warmup(rest, W, end, n)
        if not n:
            return [(of_clock("warm-up-missing", {"then": rest.replace("on time", "ends on time")}, after),)]
        if n == W or (n >= end and rest == "on time"):
            return []
        name, cost = "warm-up-clipped" if n < W else "warm-up-stretched", 1.2 + NOT_PLAIN * (n.denominator > 1)
        given = {"length": plain(warmup / p), "intended": plain(warmup), "then": rest}
        return [(of_clock(name, given, ((0, 0, W / n), *after), cost),)]

    def tracks(rest: str, p: Any) -> Track:
        return ((0, 0, p), *_after_warmup(rest, warmup, horizon, warmup / np.maximum(p, LEAST_STEPS)))

    for rest in ("waits at the peak", "ends earlier", *(["on time"] if horizon and horizon > warmup else [])):
        none = _after_warmup(rest, warmup, horizon, 0)
        yield ClockFaults(along(lambda _, track=none: track), partial(named, rest), [(np.inf,)])
        scan, (length, back) = (warmup / 64, warmup * 8, True), over(warmup)
        yield ClockFaults(along(partial(tracks, rest)), partial(named, rest), (), written((length, back)), scan, back)


def _after_warmup(rest: str, W: Any, end: Any, n: Any) -> Track:
    """What follows a warm-up that was to take W updates and takes n."""
    if rest == "waits at the peak":
        over = np.maximum(n, W)
        return ((n, W, 0), (over, over, 1))
    # The least steps only keep the division finite where a tried warm-up is as long as the whole schedule.
    return ((n, W, (end - W) / np.maximum(end - n, LEAST_STEPS) if rest == "on time" else 1),)


# From a resume on.


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

    def fault(name: str, at: float, to: float, cost: float, steps: Any = 1, **given: Any) -> Fault:
        track = ((0, 0, 1), (number(at), number(to), steps))
        return of_clock(name, {"at": plain(at)} | given, track, cost, at, row)

    def restart(at: float) -> Fault:
        return fault("restart-after-resume", at, inner, 1.1)

    def faster(at: float, k: float, cost: float = 1.2) -> Fault:
        # On a staircase one milestone that moved tells one number, and not both the time and the factor.
        seen = sum(at < at + (m - at) / k <= reach for m in marks.milestones)
        cost += 0.5 * (len(marks.milestones) > 0 and seen < 2)
        if k > 1:
            return fault("stepped-too-often", at, at, cost, number(k), k=plain(k))
        return fault("stepped-too-rarely", at, at, cost, 1 / number(1 / k), k=plain(1 / k))

    def moved(d: float) -> list[Faults]:
        """A position moved by d: by a resume at one of the times, or at the row itself."""
        found = _longer_hold(marks, d, reach) if d else []
        if inner - d in ats:
            return [*found, (restart(inner - d),)]
        if d in ats:
            # That the time happens to be the position, where nothing shows either, takes more to believe.
            return [*found, (fault("double-step-after-resume", d, 2 * d, 1.4 if d <= resume.before else 1.1),)]
        if d and now + d >= 0:
            cost = 1.5 + 0.2 * bool(marks.levels)
            found.append((fault("offset-after-resume", now, now + d, cost, by=plain(d)),))
        return found

    def repeated(at: float) -> list[Faults]:
        W, given = number(marks.warmup), {"at": plain(at), "length": plain(marks.warmup)}
        return [(of_clock("warm-up-repeated", given, _repeated(number(at), W), 1.1, at, row),)]

    shifts = [d for at in ats for d in (inner - at, at)]
    yield ClockFaults(
        lambda t, d: t + d,
        moved,
        [(d,) for d in shifts],
        lambda low, high: [*[d for d in shifts if low <= d <= high][:6], *wholes(low, high)],
        (-now, reach, False),
    )
    yield ClockFaults(lambda t, at, k: at + k * (t - at), lambda at, k: [(faster(at, k),)], both)
    yield ClockFaults(lambda t, at, k: k * (t - at) + inner, lambda at, k: [(restart(at), faster(at, k, 1.1))], both)
    for kept in dict.fromkeys((0.0, marks.warmup)) if marks.horizon else ():
        yield another_pace(marks, kept, reach, at=now, row=row)
    if marks.warmup:
        yield ClockFaults(along(lambda at: _repeated(at, marks.warmup)), repeated, [(at,) for at in ats])


def _repeated(at: Any, W: Any) -> Track:
    """A warm-up that runs again, while the rest keeps its time."""
    return ((0, 0, 1), (at, 0, 1), (at + W, at + W, 1))


def resume_times(before: Array, now: float) -> tuple[float, ...]:
    """Whole times after that of the first row before, up to that of the row at which it shows; the latest first."""
    first = float(before[0]) if len(before) and before[0] < now else now - 2  # the clock may have gone back
    times = np.arange(np.floor(first) + 1, np.floor(now) + 1)
    if len(times) > MOST_RESUMES:
        half = MOST_RESUMES // 2
        times = np.unique(np.concatenate([times[-half:], np.linspace(times[0], times[-1], half).round()]))
    return tuple(float(time) for time in times[::-1] if time > 0)
