"""A warm-up before a schedule that has none: what frameworks add by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .clocks import whole
from .evidence import Array, Evidence, Rates, Rows
from .faults import Fault
from .landmarks import Landmarks
from .propose import KEPT, Proposal, probes
from .value_faults import roundest

MOST = 400  # lengths tried


@dataclass(frozen=True)
class Then:
    """What the schedule does behind a warm-up of some length: its time there, and during the warm-up."""

    name: str
    rest: Callable[[float, Array], Array]
    early: Callable[[Array], Array] = np.zeros_like


def added(used: Rates, evidence: Evidence, marks: Landmarks) -> Iterator[Proposal]:
    """A line from some rate to the schedule, which then is on time, begins later, or is squeezed to end on time."""
    rates, t = evidence.used, evidence.rows.t
    if marks.warmup or len(evidence) < 5 or t[0] < 0 or np.any(np.diff(t[:5]) <= 0):
        return
    falls = np.diff(rates) < 0
    peak = int(np.argmax(rates[: int(falls.argmax()) + 1])) if falls.any() else len(rates) - 1
    right = np.flatnonzero(~evidence.wrong(used))
    if len(right) and right[0]:
        for early in (np.zeros_like, np.copy):
            then = Then("on time", lambda _, t: t, early)
            lengths = [*_between(t[right[0] - 1], t[right[0]]), *_crossing(used, evidence, right[0], early)]
            yield from _proposals(used, evidence, then, lengths)
    if peak:
        lengths = _between(t[peak - 1], t[min(peak + 1, len(t) - 1)])
        kinds = [Then("begins later", lambda length, t: t - length)]
        if (end := marks.horizon) is not None:
            kinds.append(Then("ends on time", lambda length, t: (t - length) * end / max(end - length, 1e-9)))
        for then in kinds:
            yield from _proposals(used, evidence, then, _likely(used, evidence, then, lengths))


def _between(low: float, high: float) -> list[float]:
    """Whole lengths above one time and up to another, the longest first."""
    lengths = np.arange(np.floor(low) + 1, np.floor(high) + 1)[::-1]
    return [float(length) for length in lengths[:MOST]]


def _crossing(used: Rates, evidence: Evidence, until: int, early: Callable[[Array], Array]) -> list[float]:
    """Where the line through the rates of a warm-up, as shares of the schedule's, is at 1."""
    rising = evidence[:until]
    target = used(rising.rows.at(early(rising.rows.t)))
    if until < 2 or not np.all(target > 0):
        return []
    slope, share = np.polyfit(rising.rows.t, rising.used / target, 1)
    return [float((1 - share) / slope)] if slope * (1 - share) > 0 else []


def _likely(used: Rates, evidence: Evidence, then: Then, lengths: list[float]) -> list[float]:
    """The lengths behind which most of some rows are right."""
    if not lengths:
        return []
    some = probes(evidence, int(np.searchsorted(evidence.rows.t, lengths[0])), len(evidence))
    counts = [int(np.sum(~some.wrong(_changed(used, then, length, 0.0)))) for length in lengths]
    return [lengths[i] for i in np.argsort(counts)[::-1][:KEPT] if counts[i] >= 3]


def _proposals(used: Rates, evidence: Evidence, then: Then, lengths: list[float]) -> Iterator[Proposal]:
    zero = Rows(np.zeros(1), evidence.rows.row[:1])
    top = float(used(zero)[0])
    for length in lengths:
        rising = evidence[evidence.rows.t < length]
        target = used(rising.rows.at(then.early(rising.rows.t)))
        left = 1 - rising.rows.t / length
        if not len(rising) or not np.all(target > 0):
            continue
        ends = [((rising.used + sign * rising.allowed) / target - 1 + left) / left for sign in (-1, 1)]
        low, high = float(np.max(ends[0])), float(np.min(ends[1]))
        if low <= high and not low <= 1 <= high:
            share, start = (0.0, 0.0) if low <= 0 <= high else roundest(low, high, top)
            given = {"length": whole(length), "start": start, "then": then.name}
            change = _change(then, length, share)
            yield Proposal((Fault("warm-up added", given, change, cost=1.1),))


def _change(then: Then, length: float, share: float) -> Callable[[Rates], Rates]:
    return lambda used: _changed(used, then, length, share)


def _changed(used: Rates, then: Then, length: float, share: float) -> Rates:
    def rates(rows: Rows) -> Array:
        rising = rows.t < length
        times = np.where(rising, then.early(rows.t), then.rest(length, rows.t))
        return used(rows.at(times)) * np.where(rising, share + (1 - share) * rows.t / length, 1.0)

    return rates
