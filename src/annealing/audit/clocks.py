"""Families of faults of the clock: at which other time the schedule is asked, as a function of a few parameters.

A warp takes parameters, each of shape (m, 1) or a number, and times (n,), and gives the times (m, n).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .evidence import Array
from .faults import Fault, of_the_clock
from .landmarks import Landmarks

Warp = Callable[..., Any]
Build = Callable[..., tuple[Fault, ...]]
FACTORS = (*range(2, 65), 96, 128, 192, 256, 384, 512, 1024)


@dataclass(frozen=True)
class Family:
    """Faults that differ in parameters: the columns of `candidates`, or numbers to be searched for in `scan`.

    build: makes the faults of a row of candidates. onset: whether they act from a row of the log on.
    """

    warp: Warp
    build: Build
    candidates: tuple[tuple[float, ...], ...] = ()
    scan: tuple[float, float, bool] | None = None  # least, most, whether by ratio
    unit: tuple[float, float] = (0.0, 1.0)  # what is searched for, p, stands for the whole number unit[0] + unit[1] * p
    onset: bool = False


def whole(value: float) -> float | int:
    """A number as an int where it is one, but for rounding."""
    near = round(value)
    return near if abs(value - near) <= 1e-9 * max(abs(value), 1) else float(value)


def from_the_start(marks: Landmarks, last: float, per_epoch: int | None) -> list[Family]:
    """Faults of the clock that act from the first update on."""
    steps = tuple((float(k),) for k in dict.fromkeys((*FACTORS, *([per_epoch] if per_epoch else []))))
    found = [
        Family(_times, lambda k: (_clock_times(k, per_epoch),), steps),
        Family(_divided, lambda k: (of_the_clock("clock / k", {"k": whole(k)}, lambda t: t / k),), steps),
        Family(_once, lambda n: (_stairs("epoch for step", _once, n),), _lengths(last, per_epoch)),
        Family(_held, lambda n: (_stairs("held for an epoch", _held, n),), _lengths(last, per_epoch)),
        Family(_moved, _offset, tuple((float(d),) for d in (*range(-64, -1), *range(2, 65)))),
        Family(_moved, _offset, scan=(-last, max(last, marks.horizon or 0), False)),
        *_missing(marks),
    ]
    if marks.horizon is not None:
        found.append(_horizon(marks, 0.0, last))
        if marks.warmup:
            found.append(_horizon(marks, marks.warmup, last))
    if marks.warmup:
        found += [
            Family(warp, _length_of_warmup(marks, warp), scan=(1 / 64, 8, True), unit=(0.0, marks.warmup))
            for warp in _warmups(marks)
        ]
        ahead = marks.warmup
        found.append(_single(lambda t: np.where(t < ahead, t, t + ahead), "hand-over jump", at=whole(ahead)))
    if marks.ends and marks.horizon is not None and last > marks.horizon:
        end = marks.horizon

        def mirrored(t: Array) -> Array:
            turned: Array = np.abs(t - 2 * end * np.round(t / (2 * end)))
            return turned

        found.append(_single(mirrored, "rebound after the end", end=whole(end), policy="mirror"))
        found.append(_single(lambda t: np.mod(t, end), "rebound after the end", end=whole(end), policy="repeat"))
    return found


def from_a_row(row: int, before: Array, now: float, marks: Landmarks, reach: float, inner: float = 0.0) -> list[Family]:
    """Faults of the clock that act from a row on, after a resume somewhere between its time and those before.

    inner: where the position had already been set back to 0 at such a time.
    """
    ats = resume_times(before, now)
    near = tuple((at,) for at in ats)
    factors = (*range(2, 17), 32, 64) if len(ats) <= 100 else (2, 3, 4, 8, 16)
    both = tuple((at, float(k)) for at in ats for k in factors)

    def of(name: str, warp: Warp, cost: float, *more: str) -> Build:
        def build(at: float, *values: float) -> tuple[Fault, ...]:
            given = dict(zip(more, map(whole, values), strict=True))
            return (of_the_clock(name, {"at": whole(at)} | given, partial(warp, at, *values), cost, row, at),)

        return build

    def again(at: float, t: Array) -> Array:
        return t - at + inner

    def again_times(at: float, k: float, t: Array) -> Array:
        return k * (t - at) + inner

    def restarted_and_faster(at: float, k: float) -> tuple[Fault, ...]:
        return of("restart after resume", again, 1.1)(at) + of("clock x k", _faster, 1.1, "k")(at, k)

    def moved(d: float) -> tuple[Fault, ...]:
        given = {"at": whole(now), "by": whole(d)}
        return (of_the_clock("offset after resume", given, partial(_moved, d), 1.5, row, now),)

    found = [
        Family(again, of("restart after resume", again, 1.1), near, onset=True),
        Family(_doubled, of("double step after resume", _doubled, 1.1), near, onset=True),
        Family(_faster, of("clock x k", _faster, 1.2, "k"), both, onset=True),
        Family(_slower, of("clock / k", _slower, 1.2, "k"), both, onset=True),
        Family(again_times, restarted_and_faster, both, onset=True),
        Family(_moved, moved, scan=(-now, reach, False), onset=True),
        Family(_moved, moved, tuple((float(d),) for d in range(-32, 33) if d), onset=True),
    ]
    for kept in dict.fromkeys((0.0, marks.warmup)):
        if marks.horizon is not None:
            found.append(_horizon(marks, kept, reach, row, now))
    if marks.warmup:

        def repeated(at: float, t: Array) -> Array:
            return np.where(t - at < marks.warmup, t - at, t)

        length = {"length": whole(marks.warmup)}

        def build(at: float) -> tuple[Fault, ...]:
            given = {"at": whole(at)} | length
            return (of_the_clock("warm-up repeated", given, partial(repeated, at), 1.1, row, at),)

        found.append(Family(repeated, build, near, onset=True))
    return found


def resume_times(before: Array, now: float, most: int = 2000) -> list[float]:
    """Whole times after that of the first row before, up to that of the row at which it shows; the latest first."""
    first = float(before[0]) if len(before) and before[0] < now else now - 2  # the clock may have gone back
    times = np.arange(np.floor(first) + 1, np.floor(now) + 1)
    if len(times) > most:
        times = np.unique(np.concatenate([times[-most // 2 :], np.linspace(times[0], times[-1], most // 2).round()]))
    return [float(time) for time in times[::-1] if time > 0]


def _times(k: Any, t: Array) -> Any:
    return k * t


def _divided(k: Any, t: Array) -> Any:
    return t / k


def _once(n: Any, t: Array) -> Any:
    return np.floor(t / n)


def _held(n: Any, t: Array) -> Any:
    return n * np.floor(t / n)


def _moved(d: Any, t: Array) -> Any:
    return t + d


def _doubled(at: Any, t: Array) -> Any:
    return t + at


def _faster(at: Any, k: Any, t: Array) -> Any:
    return at + k * (t - at)


def _slower(at: Any, k: Any, t: Array) -> Any:
    return at + (t - at) / k


def _clock_times(k: float, per_epoch: int | None) -> Fault:
    if per_epoch and k == per_epoch:
        return of_the_clock("step for epoch", {"updates_per_epoch": whole(k)}, lambda t: k * t)
    return of_the_clock("clock x k", {"k": whole(k)}, lambda t: k * t)


def _stairs(name: str, warp: Warp, n: float) -> Fault:
    return of_the_clock(name, {"updates_per_epoch": whole(n)}, lambda t: warp(n, t), 1.1)


def _offset(d: float) -> tuple[Fault, ...]:
    return (of_the_clock("offset", {"by": whole(d)}, lambda t: t + d, 1.3),)


def _lengths(last: float, per_epoch: int | None) -> tuple[tuple[float, ...], ...]:
    """Lengths of an epoch that can be told: up to half of the log."""
    most = int(min(last / 2, 3000))
    return tuple((float(n),) for n in dict.fromkeys([*([per_epoch] if per_epoch else []), *range(2, most + 1)]))


def _horizon(marks: Landmarks, kept: float, last: float, row: int = 0, at: float | None = None) -> Family:
    """The schedule, but for a first part that is kept, stretched to another end."""
    assert marks.horizon is not None
    meant, length = marks.horizon, marks.horizon - kept

    def warp(ratio: Any, t: Array) -> Array:
        u: Array = kept + (t - kept) / ratio
        return np.where(t < kept, t, u) if kept else u

    def build(ratio: float) -> tuple[Fault, ...]:
        end = whole(kept + ratio * length)
        what = "horizon" if marks.ends else "first_run"
        given = {what: end, "meant": whole(meant)} | ({"warm-up kept": whole(kept)} if kept else {})
        given |= {} if at is None else {"at": whole(at)}
        name = "schedule shorter than the run" if marks.ends and end < last and not row else "wrong horizon"
        new = end - kept

        def change(t: Array) -> Array:
            # (t - kept) * length / new rounds less than a ratio that was rounded itself
            return np.where(t < kept, t, kept + (t - kept) * length / new)

        return (of_the_clock(name, given, change, 1.2 + 0.3 * (row > 0), row, at),)

    return Family(warp, build, scan=(1 / 64, 64, True), unit=(kept, length), onset=row > 0)


def _single(warp: Callable[[Array], Array], name: str, cost: float = 1.0, **given: Any) -> Family:
    def build(_: float) -> tuple[Fault, ...]:
        return (of_the_clock(name, given, warp, cost, at=given.get("at")),)

    return Family(lambda _, t: warp(t)[None, :] if t.ndim == 1 else warp(t), build, ((0.0,),))


def _missing(marks: Landmarks) -> list[Family]:
    warm, end = marks.warmup, marks.horizon
    if not warm:
        return []
    found = [
        _single(lambda t: np.maximum(t, warm), "warm-up missing", then="waits at the peak"),
        _single(lambda t: t + warm, "warm-up missing", then="ends earlier"),
    ]
    if end is not None:
        found.append(_single(lambda t: warm + t * (end - warm) / end, "warm-up missing", then="ends on time"))
    return found


def _warmups(marks: Landmarks) -> list[Warp]:
    """A warm-up of another length, and then: at the peak until the rest begins, the rest earlier, or on time."""
    warm, end = marks.warmup, marks.horizon

    def ramp(ratio: Any, t: Array, rest: Array) -> Array:
        return np.where(t < warm * ratio, t / ratio, rest)

    def waits(ratio: Any, t: Array) -> Array:
        return ramp(ratio, t, np.maximum(t, warm))

    def earlier(ratio: Any, t: Array) -> Array:
        return ramp(ratio, t, t + warm - warm * ratio)

    def on_time(ratio: Any, t: Array) -> Array:
        assert end is not None
        left = np.maximum(end - warm * ratio, 1e-9)
        return ramp(ratio, t, warm + (t - warm * ratio) * (end - warm) / left)

    return [waits, earlier, *([on_time] if end is not None else [])]


def _length_of_warmup(marks: Landmarks, warp: Warp) -> Build:
    def build(ratio: float) -> tuple[Fault, ...]:
        name = "warm-up clipped" if ratio < 1 else "warm-up stretched"
        given = {"length": whole(ratio * marks.warmup), "meant": whole(marks.warmup)}
        return (of_the_clock(name, given, lambda t: warp(ratio, t), 1.2),)

    return build
