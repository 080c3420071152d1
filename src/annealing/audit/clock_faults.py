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
    """Faults of the clock of one kind, which differ in unknowns.

    positions: from times (n,) and unknowns, each of shape (m, 1) or a number, to the positions (m, n) of the scheduler.
    named: what given unknowns are called, one tuple of faults for each reading. tried: rows of unknowns to try.
    numbers: the plain values of one unknown between two, where positions are linear in it, so that rows can be solved
    for it. scan: least, most, and whether by ratio, of a number to search for beside a factor of the rates, of which
    `unknown` makes the unknown.
    """

    positions: Callable[..., Any]
    named: Callable[..., Iterable[Faults]]
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


SAME: tuple[Way, Way] = (lambda steps: steps,) * 2
paces = written(SAME, over(1))


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


@dataclass(frozen=True)
class Clocks:
    """The faults of the clock to try on a schedule, in a log up to a last time.

    per_epoch: how many updates an epoch has, where the log tells it.
    """

    marks: Landmarks
    last: float
    per_epoch: int | None

    def from_the_start(self, alone: bool) -> Iterator[ClockFaults]:
        """Those that act from the first update on; alone: also such as do not come in pairs."""
        warmup, horizon, last = self.marks.warmup, self.marks.horizon, self.last
        epochs = [self.per_epoch] if self.per_epoch else []
        # A part of a product that only rises is a warm-up: another horizon of it is another length.
        only_warmup = warmup and warmup == horizon
        if not only_warmup:
            factors = dict.fromkeys((*USUAL_FACTORS, *epochs))
            yield self._pace(0.0, [(p,) for k in factors for p in (float(k), 1 / k)])
        if warmup and horizon is not None and not only_warmup:
            yield self._pace(warmup)
        if alone:
            lengths = [(float(n),) for n in dict.fromkeys([*epochs, *range(2, int(min(last / 2, MOST_EPOCH)) + 1)])]
            yield ClockFaults(lambda t, n: np.floor(t / n), partial(self._per_epoch, "stepped-per-epoch"), lengths)
            yield ClockFaults(lambda t, n: n * np.floor(t / n), partial(self._per_epoch, "held-for-an-epoch"), lengths)
            shifts = [(d,) for d in np.arange(-64.0, 65) if d]
            yield ClockFaults(lambda t, d: t + d, _offset, shifts, wholes, (-last, max(last, horizon or 0), False))
        if horizon is not None:
            yield ClockFaults(lambda t, k: horizon - k * t, self._reversed, [(1.0,)], wholes)
        if warmup:
            yield from _other_warmups(warmup, horizon)
            W, at = number(warmup), plain(warmup)
            jump = of_clock("hand-over-jump", {"at": at}, ((0, 0, 1), (W, 2 * W, 1)), at=at)
            yield ClockFaults(lambda t, _: np.where(t < warmup, t, t + warmup), lambda _: [(jump,)], [(0.0,)])

    def _reversed(self, k: float) -> Iterator[Faults]:
        end = plain(self.marks.horizon or 0)

        def change(s: Schedule) -> Schedule:
            # What lies beyond its end is its mirror image.
            return until(since(until(s, end).beyond("mirror"), end), end)

        backwards = Fault("reversed", {"total": end}, change, 1.1)
        if k > 0:
            yield from ((backwards, *steps) for steps in ([()] if k == 1 else self._steps(k)))

    def _per_epoch(self, name: str, n: float) -> Iterator[Faults]:
        """One step of the schedule for each epoch of n updates, or n at once, as far as the last time of the log."""
        updates, held = plain(n), name == "held-for-an-epoch"

        def change(s: Schedule) -> Schedule:
            every, shown = (updates, self.last + updates) if held else (1, self.last // updates + 2)
            few = s.duration is not None and s.duration < MOST_STAIRS * every
            stairs = (s if few else until(s, shown)).held(every)
            return stairs if held else stairs.stretched(updates)

        yield (Fault(name, {"updates_per_epoch": updates}, change, 1.1),)

    def _pace(self, kept: float, tried: Sequence[tuple[float, ...]] = (), resume: Resume | None = None) -> ClockFaults:
        """After a first part that is kept, p steps for each update; the same as another horizon."""
        marks, length = self.marks, None if self.marks.horizon is None else self.marks.horizon - kept

        def named(p: float) -> Iterator[Faults]:
            if p > 0 and p != 1:
                yield from () if kept or resume else self._steps(p)
                end = plain(kept + length / p) if length and length > 0 else kept
                yield from [(self._horizon(kept, end, resume),)] if number(end) > number(kept) else []

        ways: list[tuple[Way, Way]] = [] if kept else [SAME, over(1)]
        track = along(lambda p: ((0, 0, 1), (kept, kept, p)) if kept else ((0, 0, p),))
        if not length:
            return ClockFaults(track, named, tried, written(*ways, *([over(marks.warmup)] if marks.warmup else [])))
        ways.append((lambda p: kept + length / p, lambda end: length / (end - kept) if end > kept else 0.0))
        reach = (kept + length / 64, kept + length * 64, True)
        return ClockFaults(
            track, named, tried, written(*ways), reach, lambda end: length / np.maximum(end - kept, LEAST_STEPS)
        )

    def _steps(self, p: float) -> Iterator[Faults]:
        """p steps for each update, by name."""
        warmup, horizon, rarely = self.marks.warmup, self.marks.horizon, p < 1
        if horizon is None and warmup and plain(warmup / p):
            # Without an end, a schedule whose warm-up has another length is the same one, stretched.
            name, length = "warm-up-stretched" if rarely else "warm-up-clipped", plain(warmup / p)
            given = {"length": length, "intended": plain(warmup), "then": "stretched as well"}
            yield (of_clock(name, given, ((0, 0, number(warmup) / number(length)),), 1.2),)
        k = plain(1 / p if rarely else p)
        if not is_whole(k):
            return
        if rarely:
            yield (of_clock("stepped-too-rarely", {"k": k}, ((0, 0, 1 / number(k)),)),)
        elif self.per_epoch == k:
            yield (of_clock("stepped-per-update", {"updates_per_epoch": k}, ((0, 0, k),)),)
        else:
            # A length in epochs, times the updates of an epoch, can be divided by these.
            cost = 1.0 if horizon is None or is_whole(horizon / k) else 1.02
            yield (of_clock("stepped-too-often", {"k": k}, ((0, 0, k),), cost),)

    def _horizon(self, kept: float, end: float, resume: Resume | None) -> Fault:
        marks, (at, row) = self.marks, (resume.now, resume.row) if resume else (None, 0)
        given = {"horizon" if marks.ends else "first_cycle": end, "intended": plain(marks.horizon or 0)}
        given |= {"warm-up kept": plain(kept)} if kept else {}
        given |= {} if at is None else {"at": plain(at)}
        name = "schedule-shorter-than-the-run" if marks.ends and end < self.last and at is None else "wrong-horizon"
        length, new = number(marks.horizon or 0) - number(kept), number(end) - number(kept)

        def change(s: Schedule) -> Schedule:
            other = of_another_length(s, number(kept), length, new)
            return other if at is None else then(s, number(at), since(other, number(at)))

        # A warm-up is seldom scaled with the horizon, so that one that is kept takes a little less to believe.
        cost = 1.2 - 0.05 * (kept > 0 and at is None) + 0.3 * (at is not None) + NOT_PLAIN * (not is_whole(end))
        # Milestones are seldom all stretched; and a first cycle is whole.
        cost += 0.4 * bool(marks.levels) + 0.3 * (not is_whole(end) and not marks.ends)
        return Fault(name, given, change, cost, at, row)

    def from_a_row(self, resume: Resume, solved: tuple[float, ...]) -> Iterator[ClockFaults]:
        """Those that act from a resume on. solved: factors of the clock that two rows give."""
        marks, ats, row, inner, now = self.marks, resume.times, resume.row, resume.inner, resume.now
        usual = (*range(2, 17), 32, 64) if len(ats) <= 300 else (2, 3, 4, 8, 16)
        factors = dict.fromkeys([*solved, *map(float, usual), *(1 / k for k in usual)])
        both = [(at, k) for at in ats for k in factors]
        shifts = [d for at in ats for d in (inner - at, at)]

        def fault(name: str, at: float, to: float, cost: float, steps: Any = 1, **given: Any) -> Fault:
            track = ((0, 0, 1), (number(at), number(to), steps))
            return of_clock(name, {"at": plain(at)} | given, track, cost, at, row)

        def restart(at: float) -> Fault:
            return fault("restart-after-resume", at, inner, 1.1)

        def faster(at: float, k: float, cost: float = 1.2) -> Fault:
            # On a staircase one milestone that moved tells one number, and not both the time and the factor.
            seen = sum(at < at + (m - at) / k <= self.last for m in marks.milestones)
            cost += 0.5 * (len(marks.milestones) > 0 and seen < 2)
            if k > 1:
                return fault("stepped-too-often", at, at, cost, number(k), k=plain(k))
            return fault("stepped-too-rarely", at, at, cost, 1 / number(1 / k), k=plain(1 / k))

        def moved(d: float) -> Iterator[Faults]:
            """A position moved by d: by a resume at one of the times, or at the row itself."""
            if d and marks.decay and marks.ends and marks.decay - d > marks.warmup:
                yield (self._longer_hold(d),)
            if inner - d in ats:
                yield (restart(inner - d),)
            elif d in ats:
                # That the time happens to be the position, where nothing shows either, takes more to believe.
                yield (fault("double-step-after-resume", d, 2 * d, 1.4 if d <= resume.before else 1.1),)
            elif d and now + d >= 0:
                cost = 1.5 + 0.2 * bool(marks.levels)
                yield (fault("offset-after-resume", now, now + d, cost, by=plain(d)),)

        def between(low: float, high: float) -> list[float]:
            return [*[d for d in shifts if low <= d <= high][:6], *wholes(low, high)]

        def repeated(at: float) -> Iterator[Faults]:
            W, given = number(marks.warmup), {"at": plain(at), "length": plain(marks.warmup)}
            yield (of_clock("warm-up-repeated", given, _repeated(number(at), W), 1.1, at, row),)

        yield ClockFaults(lambda t, d: t + d, moved, [(d,) for d in shifts], between, (-now, self.last, False))
        yield ClockFaults(lambda t, at, k: at + k * (t - at), lambda at, k: [(faster(at, k),)], both)
        yield ClockFaults(
            lambda t, at, k: k * (t - at) + inner, lambda at, k: [(restart(at), faster(at, k, 1.1))], both
        )
        for kept in dict.fromkeys((0.0, marks.warmup)) if marks.horizon else ():
            yield self._pace(kept, resume=resume)
        if marks.warmup:
            yield ClockFaults(along(lambda at: _repeated(at, marks.warmup)), repeated, [(at,) for at in ats])

    def _longer_hold(self, d: float) -> Fault:
        """The rest after a hold comes earlier by d, so that the whole is shorter; or later, and it is longer."""
        horizon, begin = self.marks.horizon or 0, number(self.marks.decay)
        end, moved = plain(horizon - d), begin - number(d)
        track = ((0, 0, 1), (min(begin, moved), begin, 0), (moved, begin, 1))
        name = "schedule-shorter-than-the-run" if end < self.last else "wrong-horizon"
        given = {"horizon": end, "intended": plain(horizon), "last part moved": plain(-d)}
        return of_clock(name, given, track, 1.2 + NOT_PLAIN * (not is_whole(end)))


def _offset(d: float) -> Iterator[Faults]:
    if d:
        yield (of_clock("offset", {"by": plain(d)}, ((0, number(d), 1),), 1.3),)


def _other_warmups(warmup: float, horizon: float | None) -> Iterator[ClockFaults]:
    """A warm-up that is missing or has another length; the rest waits at the peak, comes earlier, or ends on time."""

    def named(rest: str, p: float) -> Iterator[Faults]:
        W, end, n = number(warmup), number(horizon or 0), number(warmup / p)
        after = _after_warmup(rest, W, end, n)
        if not n:
            yield (of_clock("warm-up-missing", {"then": rest.replace("on time", "ends on time")}, after),)
        elif n != W and (n < end or rest != "on time"):
            name, cost = "warm-up-clipped" if n < W else "warm-up-stretched", 1.2 + NOT_PLAIN * (n.denominator > 1)
            given = {"length": plain(warmup / p), "intended": plain(warmup), "then": rest}
            yield (of_clock(name, given, ((0, 0, W / n), *after), cost),)

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
