"""What is shown of a schedule: exact points of its curve, cycle by cycle, and its restarts and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from .cycles import Cycle
from .errors import ScheduleError
from .exact import plain, positive
from .schedule.base import Schedule

MOST_RUNS = 500  # more cycles than this are shown as separate points
MOST_OF_THE_WAY = 0.8
SHOWN_OF_A_CONSTANT = 100

Points = tuple[Any, Any]  # times and values


class Curve(NamedTuple):
    """The points of each cycle, of the restarts and of the checkpoints; a line through those of a cycle follows it."""

    runs: list[Points]
    restarts: Points
    snapshots: Points
    joined: bool

    def in_unit(self, unit: float) -> Curve:
        """The same curve with its times divided by `unit`."""
        if unit == 1:
            return self

        def divided(points: Points) -> Points:
            times, values = points
            return np.asarray(times, np.float64) / unit, values

        return Curve([*map(divided, self.runs)], divided(self.restarts), divided(self.snapshots), self.joined)


def default_until(schedules: Sequence[Schedule]) -> int | float:
    """The end of the time axis if nobody names one: the latest end of the schedules.

    A schedule without an end is shown up to the end of its 4th cycle. If it has no 4th cycle, it is shown until the
    last one has come 80 % of its way, or if that one is flat for another quarter of the time before it.

    >>> from annealing import cosine, inverse_sqrt, warm_restarts
    >>> default_until([cosine(0.1, 0, 30)]), default_until([warm_restarts(1, T_0=10, T_mult=2)])
    (30, 150)
    >>> default_until([inverse_sqrt(0.1, T_warmup=100)])
    2500
    """
    return max(map(_shown_end, schedules))


def _shown_end(schedule: Schedule) -> int | float:
    if schedule.duration is not None:
        return schedule.duration or 1
    *_, last = islice(schedule.cycles(), 4)
    if last.end < math.inf:
        return max(plain(last.end), plain(Fraction(last.begin) * 5 / 4))
    if last.first == last.last:
        return plain(Fraction(last.begin) * 5 / 4) or SHOWN_OF_A_CONSTANT
    return _mostly_over(schedule, last)


def _mostly_over(schedule: Schedule, cycle: Cycle) -> int:
    """A round time at which a cycle without an end has come most of its way."""
    begin, short = float(cycle.begin), 0.0
    after = 2.0**-20
    while abs(schedule(begin + after) - cycle.first) < MOST_OF_THE_WAY * abs(cycle.last - cycle.first):
        short, after = after, 2 * after
    for _ in range(20):
        middle = (short + after) / 2
        over = abs(schedule(begin + middle) - cycle.first) >= MOST_OF_THE_WAY * abs(cycle.last - cycle.first)
        short, after = (short, middle) if over else (middle, after)
    # Two digits, rounded up, but not for the rounding of the search itself.
    unit = 10.0 ** max(0, math.floor(math.log10(begin + after)) - 1)
    return math.ceil((begin + after) / unit - 1e-4) * int(unit)


def traced(schedule: Schedule, until: Any, points: int = 2000) -> Curve:
    """Exact points of a schedule: each cycle from its start to the limit at its end, and the marks.

    until: above 0. points: about how many, over all cycles; each has at least two. With more than 500 cycles until
    then, they are not told apart: `points` values at random times (always the same) stand for the curve, without
    marks. A ScheduleError refuses a schedule with values that are not finite.

    >>> from annealing import warm_restarts
    >>> curve = traced(warm_restarts(eta_max=0.05, T_0=10), until=20, points=0)
    >>> [values.tolist() for times, values in curve.runs]
    [[0.05, 0.0], [0.05, 0.0]]
    """
    until = plain(positive(until, "until"))
    crowded = any(islice(schedule.cycles(until), MOST_RUNS, None))
    with np.errstate(over="ignore", invalid="ignore"):
        curve = (_by_chance if crowded else _by_cycles)(schedule, until, points)
    if not all(np.isfinite(values).all() for _, values in curve.runs):
        raise ScheduleError(f"only finite values can be drawn, but this schedule has others: {schedule}")
    return curve


def _by_chance(schedule: Schedule, until: int | float, points: int) -> Curve:
    # Times equally far apart would alias with the cycles: a curve that nobody wrote.
    times = np.sort(np.random.default_rng(0).uniform(0, until, points))
    return Curve([(times, schedule(times))], ((), ()), ((), ()), joined=False)


def _by_cycles(schedule: Schedule, until: int | float, points: int) -> Curve:
    spans, runs = schedule.runs(until), []
    for span in spans:
        stop = min(span.end, until)
        times = np.linspace(span.begin, stop, 2 + int(points * (stop - span.begin) / until))
        values = schedule(times)
        if stop == span.end:
            values[-1] = span.last
        runs.append((times, values))
    if spans[-1].end < until:
        runs += _held(schedule, np.array([spans[-1].end, until], np.float64))
    first, last = {span.begin: span.first for span in spans}, {span.end: span.last for span in spans}
    restarts, snapshots = schedule.restarts(until), schedule.snapshots(until)
    return Curve(runs, (restarts, [first[t] for t in restarts]), (snapshots, [last[t] for t in snapshots]), joined=True)


def _held(schedule: Schedule, times: Any) -> list[Points]:
    """What comes after the end: the value held, or nothing where such times are refused."""
    try:
        return [(times, schedule(times))]
    except ScheduleError:
        return []
