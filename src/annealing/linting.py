"""What in a schedule is often a mistake."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from typing import NamedTuple

from .cycles import Cycle, same
from .exact import plain
from .schedule.base import Schedule
from .schedule.nodes import Join
from .schedule.operations import Combined
from .schedule.transforms import Beyond, Held, Shifted, Stretched


class Finding(NamedTuple):
    """Something in a schedule that is often a mistake: its stable name, where and what it is, and what to do."""

    name: str
    time: int | float
    message: str
    remedy: str


def findings(schedule: Schedule, limit: Fraction, planned: int | None) -> list[Finding]:
    """All of them up to a time, which `annealing.lint` explains; of each name the first place alone."""
    found = list(schedule.cycles(limit))
    used = limit if planned is None else min(limit, Fraction(planned - 1))
    everything = chain(
        _at_the_begin(found, limit),
        _below_the_floor(found, limit),
        _at_hand_overs(schedule, found, min(limit, schedule.exact_duration or limit)),
        _after_the_end(schedule, found, used),
        _against_the_plan(schedule, planned) if planned else (),
    )
    first = {finding.name: finding for finding in sorted(everything, key=lambda finding: finding.time, reverse=True)}
    return sorted(first.values(), key=lambda finding: finding.time)


def _at_the_begin(found: list[Cycle], limit: Fraction) -> Iterator[Finding]:
    one = found[0]
    if one.first == 0:
        remedy = "begin above 0, with .shifted(-1) for instance"
        yield Finding("zero-first-update", 0, "update 1 uses rate 0 and changes nothing", remedy)
    if one.direction > 0 and math.inf > one.end >= limit:
        message = f"it does nothing but rise, from {one.first!r} to {one.last!r} at {plain(one.end)}"
        yield Finding("warm-up-as-long-as-the-run", 0, message, "shorten the warm-up, or say what follows it")


def _below_the_floor(found: list[Cycle], limit: Fraction) -> Iterator[Finding]:
    floor, after = -math.inf, None  # the highest value to which a later fall comes down, and the run after this one
    for run in reversed(found):
        for time, value in ((run.begin, run.first), (run.end, run.last)):
            if value < 0 and time <= limit:
                remedy = "raise that end, or let .clip keep it at 0 or above"
                yield Finding("below-the-floor", plain(time), f"the rate is {value!r}, below 0", remedy)
        if run.direction < 0 and not (after and after.direction < 0 and not run.jumps_to(after)):
            if run.end <= limit and run.last < floor and not same(run.last, floor):
                message = f"it comes down to {run.last!r}, below {floor!r}, to which it comes down later"
                remedy = f"give both the same floor, as maximum(schedule, {floor!r}) does"
                yield Finding("below-the-floor", plain(run.end), message, remedy)
            floor = max(floor, run.last)
        after = run


def _at_hand_overs(schedule: Schedule, found: list[Cycle], limit: Fraction) -> Iterator[Finding]:
    for one, two in pairwise(found):
        if one.direction > 0 and one.jumps_to(two) and not two.again:
            message = f"a rising run reaches {one.last!r}, but what follows begins with {two.first!r}"
            yield Finding("jump-at-hand-over", plain(two.begin), message, "let the two values be the same")
        for time in (math.ceil(two.begin) - 1, math.ceil(two.begin)):
            if one.direction > 0 and 1 <= time < limit - 2:
                before, once, twice, after = (schedule(time + i) for i in (-1, 0, 1, 2))
                if before < once == twice == one.last > after:
                    message = f"two updates use the peak {once!r}, at {time} and {time + 1}"
                    yield Finding("peak-twice", time, message, "let the fall begin where the rise reaches the peak")


def _after_the_end(schedule: Schedule, found: list[Cycle], used: Fraction) -> Iterator[Finding]:
    end, policy = min(_continued(schedule), default=(used + 1, ""))
    for before, run in pairwise(found):
        jump = before.jumps_to(run) and before.last < run.first
        if end <= run.begin <= used and (jump or (run.direction > 0 and run.begin < used)):
            message = f"it ends at {plain(end)}, but goes up again to {max(run.first, run.last)!r} by policy {policy!r}"
            yield Finding("rises-after-the-end", plain(run.begin), message, "end the training there, or let it hold")


def _continued(schedule: Schedule | float) -> Iterator[tuple[Fraction, str]]:
    """The times from which on parts are repeated or mirrored by a policy, and its name."""
    match schedule:
        case Beyond(part=part, policy="repeat" | "mirror" as policy) if part.exact_duration is not None:
            yield part.exact_duration, policy
        case Beyond(part=part) | Held(part=part):
            yield from _continued(part)
        case Shifted(part=part, by=by):
            yield from ((end + by, policy) for end, policy in _continued(part))
        case Stretched(part=part, by=by):
            yield from ((end * by, policy) for end, policy in _continued(part))
        case Join(parts=parts):
            before = sum((part.exact_duration or Fraction(0) for part in parts[:-1]), Fraction(0))
            yield from ((before + end, policy) for end, policy in _continued(parts[-1]))
        case Combined(parts=operands):
            yield from chain.from_iterable(map(_continued, operands))


def _against_the_plan(schedule: Schedule, planned: int) -> Iterator[Finding]:
    *_, run = schedule.cycles(planned)
    if run.direction < 0 and planned + 1 < run.end < math.inf:
        rate = schedule(planned - 1)
        message = f"the last update uses {rate!r}, in a run that goes down to {run.last!r} at {plain(run.end)}"
        if not same(rate, run.last):
            yield Finding("never-reaches-floor", planned - 1, message, f"let the run be over at {planned}")
    if (length := schedule.exact_duration) is not None and length != planned:
        message = f"it lasts {plain(length)}, the plan is {planned} updates"
        if length > planned:
            yield Finding(
                "longer-than-the-plan", planned, message, "let it end there, with change_horizon for instance"
            )
        else:
            yield Finding("shorter-than-the-plan", plain(length), message, "say what follows, or plan fewer updates")
