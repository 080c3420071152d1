"""Which faults to try: for each the times at which it asks the schedule, as numbers that a search can vary.

The definition of a fault is its schedule (`faults`); the times here are the same thing for many values of an unknown at
once, and what the search finds with them is held against every row by calling that schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from ..exact import exact
from . import faults as f
from .evidence import Array
from .faults import Fault
from .intervals import roundest
from .landmarks import Landmarks
from .tolerances import WHOLE_TIME

Faults = tuple[Fault, ...]
USUAL_FACTORS = (*range(2, 65), 96, 128, 192, 256, 384, 512, 1024)  # where rows leave a factor open
MOST_EPOCH = 20_000  # updates of an epoch that are tried one by one
MOST_RESUMES = 2000
RESTS = ("waits at the peak", "ends earlier", "on time")


@dataclass(frozen=True)
class Kind:
    """Faults of the clock that differ in unknowns.

    times: from unknowns, each of shape (m, 1) or a number, and times (n,), to the times (m, n) that the schedule is
    asked for. faults: what given unknowns are called, one tuple of faults for each reading. tried: rows of unknowns to
    try. scan: least, most, and whether by ratio, of a number to search for, of which `unknown` makes the unknown.
    numbers: the plain values of one unknown between two, where `times` is linear in it, so that rows can be solved for
    it.
    """

    times: Callable[..., Any]
    faults: Callable[..., list[Faults]]
    tried: tuple[tuple[float, ...], ...] = ()
    scan: tuple[float, float, bool] | None = None
    numbers: Callable[[float, float], list[float]] | None = None
    unknown: Callable[[Any], Any] = lambda number: number


def plain(value: float) -> float | int:
    """A number as an int where it is one, but for rounding."""
    near = round(value)
    return near if abs(value - near) <= WHOLE_TIME * max(abs(value), 1) else float(value)


def is_whole(value: float) -> bool:
    return isinstance(plain(value), int)


def wholes(low: float, high: float) -> list[float]:
    """The roundest number between two, the whole numbers around the middle, and the middle where there are none."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return []
    room = WHOLE_TIME * max(abs(low), abs(high), 1)
    middle, best = round((low + high) / 2), roundest(low - room, high + room)
    ends = (np.ceil(low - room), np.floor(high + room))  # a milestone that falls on a row is an end
    near = [one for one in (*ends, middle, middle + 1, middle - 1) if low - room <= one <= high + room]
    return list(dict.fromkeys(float(one) for one in (*near, best if best is not None else (low + high) / 2)))


def rescaled(to: Callable[[float], float], back: Callable[[float], float]) -> Callable[[float, float], list[float]]:
    """The plain values of an unknown whose number is `to` of it."""
    return lambda low, high: [back(number) for number in wholes(*sorted((to(low), to(high)))) if number]


def from_the_start(marks: Landmarks, last: float, per_epoch: int | None) -> list[Kind]:
    """Faults of the clock that act from the first update on."""
    epochs = [per_epoch] if per_epoch else []
    lengths = tuple((float(n),) for n in dict.fromkeys([*epochs, *range(2, int(min(last / 2, MOST_EPOCH)) + 1)]))
    factors = dict.fromkeys((*USUAL_FACTORS, *epochs))
    # A part of a product that only rises is a warm-up: another horizon of it is another length.
    only_warmup = marks.warmup and marks.warmup == marks.horizon
    found = [
        *(
            []
            if only_warmup
            else [slope(marks, 0.0, last, tuple((p,) for k in factors for p in (float(k), 1 / k)), per_epoch)]
        ),
        Kind(lambda n, t: np.floor(t / n), _stairs("stepped-per-epoch", f.stepped_per_epoch, last), lengths),
        Kind(lambda n, t: n * np.floor(t / n), _stairs("held-for-an-epoch", f.held_for_an_epoch, last), lengths),
        Kind(
            lambda d, t: t + d,
            lambda d: [(Fault("offset", {"by": plain(d)}, lambda s: f.offset(s, plain(d)), 1.3),)] if d else [],
            scan=(-last, max(last, marks.horizon or 0), False),
            tried=tuple((float(d),) for d in range(-64, 65) if d),
            numbers=wholes,
        ),
        *_of_the_warmup(marks),
    ]
    if marks.horizon is not None:
        end = plain(marks.horizon)
        backwards = Fault("reversed", {"total": end}, lambda s: f.reversed_in_time(s, end), 1.1)
        found.append(_single(lambda t: np.maximum(end - t, 0), backwards))
        if marks.warmup and not only_warmup:
            found.append(slope(marks, marks.warmup, last))
    return found


def slope(
    marks: Landmarks,
    kept: float,
    last: float,
    tried: Any = (),
    per_epoch: int | None = None,
    at: float | None = None,
    row: int = 0,
) -> Kind:
    """After a first part that is kept, p steps for each update; the same as another horizon."""
    length = None if marks.horizon is None else marks.horizon - kept

    def times(p: Any, t: Array) -> Array:
        return np.where(t < kept, t, kept + (t - kept) * p) if kept else p * t

    def named(p: float) -> list[Faults]:
        if p <= 0 or p == 1:
            return []
        found = [] if kept or at is not None else _steps(p, per_epoch, marks.horizon)
        if length and length > 0:
            found.append((_horizon(marks, kept, length, kept + length / p, last, at, row),))
        return found

    def numbers(low: float, high: float) -> list[float]:
        if high <= 0:
            return []
        low = max(low, 1e-9)
        found = wholes(low, high) if not kept else []
        found += rescaled(lambda p: 1 / p, lambda k: 1 / k)(low, high) if not kept else []
        if length:
            ends = rescaled(lambda p: kept + length / p, lambda end: length / (end - kept) if end > kept else 0.0)
            found += ends(low, high)
        return [p for p in dict.fromkeys(found) if p > 0]

    if not length:
        return Kind(times, named, tried, None, numbers)
    reach = (kept + length / 64, kept + length * 64, True)
    return Kind(times, named, tried, reach, numbers, lambda end: length / np.maximum(end - kept, 1e-9))


def _steps(p: float, per_epoch: int | None, horizon: float | None) -> list[Faults]:
    if p > 1 and is_whole(p):
        k = plain(p)
        if per_epoch == k:
            given = {"updates_per_epoch": k}
            return [(Fault("stepped-per-update", given, lambda s: f.stepped_too_often(s, k)),)]
        # A length in epochs, times the updates of an epoch, can be divided by these.
        cost = 1.0 if horizon is None or is_whole(horizon / k) else 1.02
        return [(Fault("stepped-too-often", {"k": k}, lambda s: f.stepped_too_often(s, k), cost),)]
    if p < 1 and is_whole(1 / p):
        k = plain(1 / p)
        return [(Fault("stepped-too-rarely", {"k": k}, lambda s: f.stepped_too_rarely(s, k)),)]
    return []


def _horizon(
    marks: Landmarks, kept: float, length: float, end: float, last: float, at: float | None, row: int
) -> Fault:
    end = plain(end)
    meant = {"horizon" if marks.ends else "first_cycle": end, "intended": plain(marks.horizon or 0)}
    meant |= {"warm-up kept": plain(kept)} if kept else {}
    meant |= {} if at is None else {"at": plain(at)}
    name = "schedule-shorter-than-the-run" if marks.ends and end < last and at is None else "wrong-horizon"

    def change(s: Any) -> Any:
        new = f.ends_at(s, plain(kept), plain(length), exact(end, "horizon") - exact(plain(kept), "kept"))
        return new if at is None else f.then(s, plain(at), f.since(new, plain(at)))

    return Fault(name, meant, change, 1.2 + 0.3 * (at is not None), at, row)


def _stairs(name: str, change: Callable[..., Any], last: float) -> Callable[[float], list[Faults]]:
    def named(n: float) -> list[Faults]:
        given = {"updates_per_epoch": plain(n)}
        return [(Fault(name, given, lambda s: change(s, plain(n), last), 1.1),)]

    return named


def _single(times: Callable[[Array], Array], fault: Fault) -> Kind:
    return Kind(lambda _, t: times(t)[None, :] if t.ndim == 1 else times(t), lambda _: [(fault,)], ((0.0,),))


def _of_the_warmup(marks: Landmarks) -> list[Kind]:
    """A warm-up that is missing, or has another length, or whose rest is ahead."""
    W, end = plain(marks.warmup), None if marks.horizon is None else plain(marks.horizon)
    if not W:
        return []
    found = []
    for rest, times in zip(RESTS, _rests(W, end), strict=False):
        found.append(_single(partial(times, 0.0), _missing(W, rest, end)))
        found.append(
            Kind(_rising(W, times), _length(W, rest, end), scan=(W / 64, W * 8, True), unknown=lambda n: n / W)
        )
    ahead = Fault("hand-over-jump", {"at": W}, lambda s: f.rest_ahead(s, W), 1.0, W)
    return [*found, _single(lambda t: np.where(t < W, t, t + W), ahead)]


def _rests(W: float, end: float | None) -> list[Callable[[Any, Array], Array]]:
    """After a warm-up of another length: at the peak until the rest begins, the rest earlier, or on time."""
    found: list[Callable[[Any, Array], Array]] = [lambda _, t: np.maximum(t, W), lambda length, t: t + W - length]
    if end is not None and end > W:
        # 1e-9 only keeps the division finite where a tried warm-up is as long as the whole schedule.
        found.append(lambda length, t: W + (t - length) * (end - W) / np.maximum(end - length, 1e-9))
    return found


def _rising(W: float, rest: Callable[[Any, Array], Array]) -> Callable[..., Any]:
    return lambda ratio, t: np.where(t < W * ratio, t / ratio, rest(W * ratio, t))


def _missing(W: float, rest: str, end: Any) -> Fault:
    given = {"then": rest.replace("on time", "ends on time")}
    return Fault("warm-up-missing", given, lambda s: f.warmup_missing(s, W, rest, end))


def _length(W: float, rest: str, end: Any) -> Callable[[float], list[Faults]]:
    def named(ratio: float) -> list[Faults]:
        name, length = "warm-up-clipped" if ratio < 1 else "warm-up-stretched", plain(ratio * W)
        if ratio == 1 or (end is not None and length >= end and rest == "on time"):
            return []
        given = {"length": length, "intended": W, "then": rest}
        return [(Fault(name, given, lambda s: f.warmup_length(s, W, length, rest, end), 1.2),)]

    return named


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


def from_a_row(resume: Resume, marks: Landmarks, reach: float, solved: tuple[float, ...]) -> list[Kind]:
    """Faults of the clock that act from a resume on. solved: factors of the clock that two rows give."""
    ats, row, inner = resume.times, resume.row, resume.inner
    usual = (*range(2, 17), 32, 64) if len(ats) <= 100 else (2, 3, 4, 8, 16)
    factors = dict.fromkeys([*solved, *map(float, usual), *(1 / k for k in usual)])
    both = tuple((at, k) for at in ats for k in factors)

    def fault(name: str, at: float, cost: float, change: f.Change, **given: Any) -> Fault:
        return Fault(name, {"at": plain(at)} | given, change, cost, at, row)

    def restart(at: float) -> Fault:
        return fault("restart-after-resume", at, 1.1, lambda s: f.moved_from(s, plain(at), plain(inner)))

    def faster(at: float, k: float, cost: float = 1.2) -> Fault:
        name, number = ("stepped-too-often", plain(k)) if k > 1 else ("stepped-too-rarely", plain(1 / k))
        step = number if k > 1 else Fraction(1) / exact(number, "k")
        return fault(name, at, cost, lambda s: f.stepped_differently_from(s, plain(at), step), k=number)

    def moved(d: float) -> list[Faults]:
        """A position moved by d: by a resume at one of the times, or at the row itself."""
        if inner - d in ats:
            return [(restart(inner - d),)]
        if d in ats:
            # That the time happens to be the position, where nothing shows either, takes more to believe.
            cost = 1.4 if d <= resume.before else 1.1
            double = fault("double-step-after-resume", d, cost, lambda s: f.moved_from(s, plain(d), plain(2 * d)))
            return [(double,)]
        now = resume.now
        if not d or now + d < 0:
            return []
        change = lambda s: f.moved_from(s, plain(now), plain(now + d))  # noqa: E731
        return [(fault("offset-after-resume", now, 1.5, change, by=plain(d)),)]

    def shifts(low: float, high: float) -> list[float]:
        known = [d for at in ats for d in (inner - at, at) if low <= d <= high]
        return list(dict.fromkeys([*known[:6], *wholes(low, high)]))

    kept_parts = dict.fromkeys((0.0, marks.warmup)) if marks.horizon else {}
    found = [
        Kind(lambda d, t: t + d, moved, tuple((d,) for at in ats for d in (inner - at, at)), numbers=shifts),
        Kind(lambda d, t: t + d, moved, scan=(-resume.now, reach, False), numbers=lambda low, high: []),
        Kind(lambda at, k, t: at + k * (t - at), lambda at, k: [(faster(at, k),)], both),
        Kind(lambda at, k, t: k * (t - at) + inner, lambda at, k: [(restart(at), faster(at, k, 1.1))], both),
        *(slope(marks, kept, reach, at=resume.now, row=row) for kept in kept_parts),
    ]
    if W := plain(marks.warmup):

        def again(at: float) -> list[Faults]:
            change = lambda s: f.warmup_repeated(s, plain(at), W)  # noqa: E731
            return [(fault("warm-up-repeated", at, 1.1, change, length=W),)]

        found.append(Kind(lambda at, t: np.where(t - at < W, t - at, t), again, tuple((at,) for at in ats)))
    return found


def resume_times(before: Array, now: float) -> tuple[float, ...]:
    """Whole times after that of the first row before, up to that of the row at which it shows; the latest first."""
    first = float(before[0]) if len(before) and before[0] < now else now - 2  # the clock may have gone back
    times = np.arange(np.floor(first) + 1, np.floor(now) + 1)
    if len(times) > MOST_RESUMES:
        half = MOST_RESUMES // 2
        times = np.unique(np.concatenate([times[-half:], np.linspace(times[0], times[-1], half).round()]))
    return tuple(float(time) for time in times[::-1] if time > 0)
