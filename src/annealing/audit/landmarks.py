"""What of a schedule the faults speak of: its warm-up, its end, its peak and floor, its levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from ..exact import END_OF_TIME
from ..schedule.base import Schedule
from ..schedule.operations import Product, Sum

MOST = 2000  # cycles looked at
MOST_STAIRS = 64  # of a staircase without an end


@dataclass(frozen=True)
class Landmarks:
    """Of a schedule: the end of its warm-up (0: none), its horizon, and the levels of one that is a staircase.

    horizon: its end, or where it has none the end of its first run after the warm-up; None where that has none.
    milestones: where a staircase comes to another level. decay: where the last part begins that follows a hold, or 0.
    """

    warmup: float
    horizon: float | None
    ends: bool
    peak: float
    floor: float
    levels: tuple[float, ...]
    milestones: tuple[float, ...]
    decay: float = 0.0


def landmarks(schedule: Schedule, until: float, part_of_more: bool = False) -> Landmarks:
    """The landmarks of a schedule, of which a log shows the time up to `until`.

    part_of_more: it is a part of a sum or product, so that one that only rises is a warm-up.
    """
    duration = schedule.duration
    limit = max(until, duration or 0, 1)
    spans: list[Any] = []
    for span in islice(schedule.cycles(END_OF_TIME if duration is None else duration), MOST):
        # A log that ends in the warm-up does not make the schedule one: what comes next is looked at too.
        if span.begin >= limit and any(one.last <= one.first for one in spans):
            break
        spans.append(span)
    rising = list(takewhile(lambda span: span.last > span.first, spans))
    warmup = float(rising[-1].end) if rising and (len(rising) < len(spans) or part_of_more) else 0.0
    decay = spans[len(rising) if warmup else 0 :]
    horizon = float(duration) if duration is not None else float(decay[0].end)
    values = [value for span in spans for value in (span.first, span.last)]
    flat = all(span.first == span.last for span in decay)
    if flat and duration is None:  # the log may end before the milestones that it was to reach
        decay = list(islice(schedule.cycles(END_OF_TIME), MOST_STAIRS))[len(rising) if warmup else 0 :]
    levels = tuple(span.first for span in decay) if flat else ()
    held = len(decay) > 1 and decay[-2].first == decay[-2].last == decay[-1].first != decay[-1].last
    return Landmarks(
        warmup=warmup,
        horizon=None if math.isinf(horizon) else horizon,
        ends=duration is not None,
        peak=_configured_peak(schedule) or max(map(abs, values)),
        floor=min([value for span in decay for value in (span.first, span.last)], default=0.0),
        levels=levels,
        milestones=tuple(float(span.begin) for span in decay[1:]) if flat else (),
        decay=float(decay[-1].begin) if held and duration is not None else 0.0,
    )


def _configured_peak(schedule: Schedule) -> float:
    """The peak of what a warm-up to 1 multiplies, which no rate may reach; 0 where there is none."""
    peaks = [
        max(
            abs(value)
            for span in islice(part.cycles(part.duration or END_OF_TIME), MOST)
            for value in (span.first, span.last)
        )
        for part in (schedule.parts if isinstance(schedule, Product) else ())
        if isinstance(part, Schedule)
    ]
    others = [peak for peak in peaks if peak != 1]
    return others[0] if len(peaks) > 1 and len(others) == 1 else 0.0


def multiplied_until(schedule: Schedule) -> float | None:
    """The end of a warm-up to 1 that multiplies the decay under it, as in YOLO's trainers; None without one."""
    for product in schedule.parts if isinstance(schedule, Sum) else (schedule,):
        for part in product.parts if isinstance(product, Product) else ():
            if isinstance(part, Schedule) and part.duration and part(0) < part(part.duration) == 1:
                return float(part.duration)
    return None
