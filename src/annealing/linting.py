"""The rules of `lint`: common mistakes in schedules."""

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

LARGEST_USUAL = 10.0  # rates of SGD, Adam and LAMB stay below; LARS with very large batches goes to about 30
RULES = {  # by name: what it finds and why it matters, for `annealing lint --explain NAME`
    "zero-first-update": "The value at 0 is 0, so the first update changes nothing. A note where a warm-up starts "
    "there, as is usual; else a warning.",
    "below-the-floor": "A cycle starts or ends below 0 (an error: a negative rate climbs the loss), or one that comes "
    "down ends below where a later one does, so below the floor that the rest of the schedule declares (a warning).",
    "jump-at-hand-over": "An error: after a rising cycle the value jumps, and nothing repeated starts again there. The "
    "peak of the warm-up and the start of the decay were probably meant to be the same number.",
    "peak-twice": "A warning: exactly two updates in a row use the peak. A warm-up that counts (t + 1) / W reaches it "
    "one update early.",
    "warm-up-as-long-as-the-run": "A warning: the first cycle rises and does not end before the training does.",
    "large-peak": f"A warning: the value goes above {LARGEST_USUAL:g}, which few optimizers bear. A share of a peak "
    "multiplies it where a rate was meant, or 30 stands for 3e-4.",
    "rises-after-the-end": 'An error: a part with `.beyond("mirror")` or `.beyond("repeat")` is over, and the value '
    "rises again, as PyTorch's CosineAnnealingLR does after T_max. What is repeated by Repeat is intended.",
    "never-reaches-floor": "An error: the last update is in a falling cycle that ends more than one update later, so "
    "the rate never comes down.",
    "longer-than-the-plan": "An error: the schedule is longer than the training, so its end is never reached.",
    "shorter-than-the-plan": "A warning: the schedule ends before the last planned update; its last value is held.",
}


class Finding(NamedTuple):
    """A common mistake in a schedule: the name of its rule, where and what it is, what to do, and how bad it is."""

    name: str
    time: int | float
    message: str
    remedy: str
    severity: str = "error"


def findings(schedule: Schedule, limit: Fraction, planned: int | None) -> list[Finding]:
    """All findings up to a time, which `annealing.lint` explains; of each rule only the first place."""
    found = list(schedule.cycles(limit))
    # Update n uses the value at n - 1, so that the last update does not see what happens at `planned`.
    used = limit if planned is None else min(limit, Fraction(planned - 1))
    everything = chain(
        _at_the_start(found, limit),
        _peak(found),
        _below_the_floor(found, limit),
        _at_hand_overs(schedule, found, min(limit, schedule.exact_duration or limit)),
        _after_the_end(schedule, found, used),
        _against_the_plan(schedule, planned) if planned else (),
    )
    # From the last to the first, so that of each rule the earliest finding stays in the dict.
    first = {finding.name: finding for finding in sorted(everything, key=lambda finding: finding.time, reverse=True)}
    return sorted(first.values(), key=lambda finding: finding.time)


def _at_the_start(found: list[Cycle], limit: Fraction) -> Iterator[Finding]:
    one = found[0]
    if one.first == 0:
        severity = "note" if one.direction > 0 else "warning"
        remedy = "start above 0, or leave it: it costs one update"
        yield Finding("zero-first-update", 0, "update 1 uses rate 0 and changes nothing", remedy, severity)
    if one.direction > 0 and math.inf > one.end >= limit:
        message = f"the rate only rises, from {one.first:.6g} to {one.last:.6g} at {plain(one.end)}"
        remedy = "shorten the warm-up, or add what follows it"
        yield Finding("warm-up-as-long-as-the-run", 0, message, remedy, "warning")


def _peak(found: list[Cycle]) -> Iterator[Finding]:
    for cycle in found:
        for time, value in ((cycle.begin, cycle.first), (cycle.end, cycle.last)):
            if value > LARGEST_USUAL and time < math.inf:
                remedy = "check the unit of the rate; if it is intended, ignore this rule"
                yield Finding("large-peak", plain(time), f"the rate is {value:.6g}", remedy, "warning")


def _below_the_floor(found: list[Cycle], limit: Fraction) -> Iterator[Finding]:
    floor, after = -math.inf, None  # the highest value to which a later fall comes down, and the cycle after this one
    for cycle in reversed(found):
        for time, value in ((cycle.begin, cycle.first), (cycle.end, cycle.last)):
            if value < 0 and time <= limit:
                remedy = "raise it, or keep it at 0 or above with .clip"
                yield Finding("below-the-floor", plain(time), f"the rate is {value:.6g}, below 0", remedy)
        if cycle.direction < 0 and not (after and after.direction < 0 and not cycle.jumps_to(after)):
            if cycle.end <= limit and cycle.last < floor and not same(cycle.last, floor):
                message = f"the rate comes down to {cycle.last:.6g}, below the later floor of {floor:.6g}"
                remedy = f"use one floor for both, for instance with maximum(schedule, {floor!r})"
                yield Finding("below-the-floor", plain(cycle.end), message, remedy, "warning")
            floor = max(floor, cycle.last)
        after = cycle


def _at_hand_overs(schedule: Schedule, found: list[Cycle], limit: Fraction) -> Iterator[Finding]:
    for one, two in pairwise(found):
        if one.direction > 0 and one.jumps_to(two) and not two.again:
            message = f"a rising cycle reaches {one.last:.6g}, but the next one starts with {two.first:.6g}"
            yield Finding("jump-at-hand-over", two.start, message, "use the same value for both")
        for time in (math.ceil(two.begin) - 1, math.ceil(two.begin)):
            if one.direction > 0 and 1 <= time < limit - 2:
                before, once, twice, after = (schedule(time + i) for i in (-1, 0, 1, 2))
                if before < once == twice == one.last > after:
                    message = f"two updates use the peak {once:.6g}, at {time} and {time + 1}"
                    yield Finding(
                        "peak-twice", time, message, "start the fall where the rise reaches the peak", "warning"
                    )


def _after_the_end(schedule: Schedule, found: list[Cycle], used: Fraction) -> Iterator[Finding]:
    end, policy = min(_continued(schedule), default=(used + 1, ""))
    for before, cycle in pairwise(found):
        jump = before.jumps_to(cycle) and before.last < cycle.first
        if end <= cycle.begin <= used and (jump or (cycle.direction > 0 and cycle.begin < used)):
            highest = max(cycle.first, cycle.last)
            message = f"the schedule ends at {plain(end)}, but rises again to {highest:.6g} by policy {policy!r}"
            yield Finding("rises-after-the-end", cycle.start, message, "end the training there, or hold the value")


def _continued(schedule: Schedule | float) -> Iterator[tuple[Fraction, str]]:
    """The times from which parts are repeated or mirrored by a policy, and its name."""
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
    *_, cycle = schedule.cycles(planned)
    if cycle.direction < 0 and planned + 1 < cycle.end < math.inf:
        rate = schedule(planned - 1)
        message = (
            f"the last update uses {rate:.6g}, but the cycle goes on down to {cycle.last:.6g} at {plain(cycle.end)}"
        )
        if not same(rate, cycle.last):
            yield Finding("never-reaches-floor", planned - 1, message, f"end the cycle at {planned}")
    if (length := schedule.exact_duration) is not None and length != planned:
        message = f"the schedule lasts {plain(length)}, the training {planned} updates"
        if length > planned:
            remedy = "end it there, for instance with change_horizon"
            yield Finding("longer-than-the-plan", planned, message, remedy)
        else:
            remedy = "add what follows, or plan fewer updates"
            yield Finding("shorter-than-the-plan", plain(length), message, remedy, "warning")
