"""Questions about a schedule: where it jumps, what it spends, how it differs from another, what looks wrong."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np

from .calls import checked, did_you_mean
from .cycles import Cycle
from .errors import ScheduleError, whole
from .exact import positive
from .linting import RULES, Finding, findings
from .recipes.registry import a_schedule
from .schedule.base import Schedule

MOST_UPDATES = 10**8  # more rates than this are not added up
BLOCK = 2**16  # rates computed at a time
GRID = 1001  # times at which two schedules are compared, besides whole times and starts of cycles
MOST_WHOLE = 100_000  # up to here two schedules are compared at every whole time
CLOSE = 1e-12  # of the peak (diff) or of the threshold (budget)


class Jump(NamedTuple):
    """A time at which the value comes to another one than it had reached."""

    time: int | float
    before: float
    after: float


class Budget(NamedTuple):
    """The sum and the mean of the rates of N updates, and the share of the updates near the largest of them."""

    sum: float
    mean: float
    share_near_peak: float


@checked
def jumps(schedule: Schedule, until: Any = None) -> list[Jump]:
    """The times at which the limit from the left differs from the value, in order.

    A difference of at most 8 units in the last place of the largest end value of the two cycles is rounding (in a sum,
    say) and no jump. until: jumps up to this time, it included; needed where the schedule never ends. A jump at a
    time that is no float is given at the next float above.

    >>> from annealing import linear, step
    >>> jumps(linear(0, 0.1, 5) >> step(0.2, step_size=30, gamma=0.5), until=40)
    [Jump(time=5, before=0.1, after=0.2), Jump(time=35, before=0.2, after=0.1)]
    """
    a_schedule(schedule, "schedule")
    found, end = list(schedule.cycles(schedule.horizon(until), included=True)), schedule.exact_duration
    if end is not None and end <= schedule.horizon(until):
        found.append(Cycle(end, math.inf, schedule(end), schedule(end)))
    return [Jump(two.start, one.last, two.first) for one, two in pairwise(found) if one.jumps_to(two)]


@checked
def budget(schedule: Schedule, until: Any = None) -> Budget:
    """What N = ceil(until) updates spend: the sum over n = 1..N of schedule(n - 1), its mean, the share near the peak.

    until: above 0, in updates; needed where the schedule never ends. The sum is that of the float64 rates, rounded
    once. share_near_peak: of the updates, those whose rate is at least 90 % (to 12 digits) of the largest rate among
    them. A ScheduleError refuses an N above 10^8.

    >>> from annealing import linear
    >>> budget(linear(1, 0, 8))
    Budget(sum=4.5, mean=0.5625, share_near_peak=0.125)
    """
    if (count := math.ceil(positive(a_schedule(schedule, "schedule").horizon(until), "until"))) > MOST_UPDATES:
        raise ScheduleError(f"until must be at most 10^8 to add up the rates of its updates, got {count}")
    largest = max(float(block.max()) for block in _rates(schedule, count))
    # fsum rounds once, so the sum does not depend on the blocks, nor on the processor.
    total = math.fsum(chain.from_iterable(block.tolist() for block in _rates(schedule, count)))
    near = sum(int((block >= 0.9 * largest * (1 - CLOSE)).sum()) for block in _rates(schedule, count))
    return Budget(total, total / count, near / count)


@checked
def diff(one: Schedule, two: Schedule, until: Any = None) -> str:
    """How two schedules differ, in lines of words and numbers, and at which times they were compared.

    "equal" if they are equal as values, else a line for each of these in which they differ: duration (inf: no end),
    peak and floor (the largest and smallest values at these times, limits at the ends of cycles included), restarts,
    sum of the rates (see `budget`; left out above 10^8 updates), the first and the largest difference. Values are the
    same if they differ by at most 1e-12 of the larger peak. until: the last time to compare, above 0; by default the
    later end, needed if either never ends. A ScheduleError names a schedule that refuses that time.

    >>> from annealing import linear
    >>> print(diff(linear(0.1, 0, 10), linear(0.1, 0, 20)))
    duration: 10 and 20, ratio 0.5
    sum of the rates of 20 updates: 0.55 and 1.05, ratio 0.52381
    first difference: at 0.02, 0.0998 and 0.0999 (the same at 0)
    largest difference: 0.05 at 10, 0 and 0.05
    compared at 1001 times from 0 to 20: starts of cycles, 1001 equally spaced times, whole times up to 20
    """
    both = (a_schedule(one, "one"), a_schedule(two, "two"))
    if one == two:
        return "equal"
    last = max(positive(s.horizon(until), "until") for s in both)
    found = [list(s.cycles(last, included=True)) for s in both]
    whole_times = range(min(math.floor(last), MOST_WHOLE) + 1)
    begins = [float(run.start) for runs in found for run in runs]
    times = np.unique([*begins, *np.linspace(0, float(last), GRID), *whole_times])
    values = [s(times) for s in both]
    limits = [[run.last for run in runs if run.end <= last] for runs in found]
    peaks, floors = ([float(f([*v, *m])) for v, m in zip(values, limits, strict=True)] for f in (max, min))
    allowed = CLOSE * max(map(abs, (*peaks, *floors)))
    lines = _unlike("duration", [math.inf if s.exact_duration is None else float(s.exact_duration) for s in both])
    lines += _unlike("peak", peaks, allowed) + _unlike("floor", floors, allowed)
    lines += _unlike("restarts", [len(s.restarts(last)) for s in both])
    if last <= MOST_UPDATES:
        sums = [budget(s, last).sum for s in both]
        lines += _unlike(f"sum of the rates of {math.ceil(last)} updates", sums, CLOSE * max(map(abs, sums)))
    gap = np.abs(values[0] - values[1])
    if (gap > allowed).any():
        first, most = int((gap > allowed).argmax()), int(gap.argmax())
        at = [f"at {times[i]:.12g}, {values[0][i]:.12g} and {values[1][i]:.12g}" for i in (first, most)]
        before = f" (the same at {times[first - 1]:.12g})" if first else ""
        lines += [f"first difference: {at[0]}{before}", f"largest difference: {gap[most]:.12g} {at[1]}"]
    looked = f"starts of cycles, {GRID} equally spaced times, whole times up to {whole_times[-1]}"
    lines = lines or ["not equal as values, but no difference found"]
    return "\n".join([*lines, f"compared at {len(times)} times from 0 to {float(last):.12g}: {looked}"])


@checked
def lint(
    schedule: Schedule, until: Any = None, updates: int | None = None, ignore: Collection[str] = ()
) -> list[Finding]:
    """Check a schedule for common mistakes: the findings in order of time, of each rule only the first place.

    Time is in updates (stretch epochs first). A cycle rises if its last value is above its first. The rules, whose
    names stay the same:

    - zero-first-update: the value at 0 is 0.
    - below-the-floor: a cycle starts or ends below 0 (in between is not checked), or a cycle that comes down (and does
      not fall on in the next one) ends below where a later one does: below the floor of the rest.
    - jump-at-hand-over: after a rising cycle there is a jump (see `jumps`), where nothing repeated starts again.
    - peak-twice: exactly two updates in a row use the value that a rising cycle reached, those beside them use less.
    - warm-up-as-long-as-the-run: the first cycle rises and does not end before `until`.
    - large-peak: a cycle starts or ends above 10.
    - rises-after-the-end: a part made by `.beyond("mirror")` or `.beyond("repeat")` is over, and a cycle rises or
      starts with a jump up. A Repeat is intended, and so is what is repeated or cut as a whole after that.
    - never-reaches-floor: the last of `updates` is in a cycle that falls, ends more than one update after them, and has
      not reached its last value.
    - longer-than-the-plan, shorter-than-the-plan: the duration is above, or below, `updates`.

    A finding has a `severity`: "error", "warning" or "note". A warm-up that starts at 0 is only worth a note.

    updates: how many updates will be made, at least 1; the last three rules need it. until: findings before this time;
    by default `updates`, else the end; one is needed where the schedule never ends. ignore: rules to
    leave out.

    >>> from annealing import cosine, linear
    >>> for finding in lint(linear(0, 0.1, 5) >> cosine(0.2, 0, 95), updates=80):
    ...     print(finding.severity, finding.name, finding.time)
    note zero-first-update 0
    error jump-at-hand-over 5
    error never-reaches-floor 79
    error longer-than-the-plan 80
    """
    a_schedule(schedule, "schedule")
    if not isinstance(ignore, Collection):
        raise ScheduleError(f"ignore must be a list of rules, got {ignore!r}")
    ignore = [ignore] if isinstance(ignore, str) else ignore
    for name in ignore:
        known_rule(name)
    planned = None if updates is None else whole(updates, "updates")
    if until is None and planned is None and schedule.duration is None:
        raise ScheduleError(f"updates or until must be given, since this schedule never ends: {schedule}")
    limit = positive(schedule.horizon(planned if until is None else until), "until")
    return [finding for finding in findings(schedule, limit, planned) if finding.name not in ignore]


def known_rule(name: str) -> str:
    """What a rule of `lint` finds; a ScheduleError names the rule that is nearest to an unknown one."""
    if name not in RULES:
        hint = did_you_mean(name, RULES) or f": known are {', '.join(RULES)}"
        raise ScheduleError(f"unknown rule {name!r}{hint}")
    return RULES[name]


def _rates(schedule: Schedule, count: int) -> Iterator[Any]:
    for begin in range(0, count, BLOCK):
        yield schedule(np.arange(begin, min(begin + BLOCK, count), dtype=np.float64))


def _unlike(name: str, values: list[float], allowed: float = 0) -> list[str]:
    one, two = values
    if one == two or abs(one - two) <= allowed:
        return []
    ratio = f", ratio {one / two:.6g}" if one and two and math.isfinite(one + two) else ""
    return [f"{name}: {one:.12g} and {two:.12g}{ratio}"]
