"""The runs of a schedule with exact times and the values at their ends, as every question is put to them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from .exact import END_OF_TIME
from .schedule.base import Schedule

ULPS = 8  # a smaller difference between two runs is rounding, not a jump


class Stretch(NamedTuple):
    """A run with exact times: from value `first` up or down to the limit `last`; `again`: begins a copy."""

    begin: Fraction
    end: Fraction | None
    again: bool
    first: float
    last: float

    @property
    def direction(self) -> int:
        """1 if it rises, -1 if it falls, 0 if both its ends are the same but for rounding."""
        return 0 if same(self.first, self.last) else 1 if self.last > self.first else -1

    def jumps_to(self, after: Stretch) -> bool:
        return not same(self.last, after.first, self.first, after.last)


def stretches(schedule: Schedule, until: Any, included: bool = False) -> Iterator[Stretch]:
    for span in schedule._spans(until, included):
        last = schedule(END_OF_TIME) if span.end is None else schedule.left(span.end)
        yield Stretch(span.begin, span.end, span.again, schedule(span.begin), last)


def same(one: float, two: float, *beside: float) -> bool:
    return one == two or abs(one - two) <= ULPS * math.ulp(max(map(abs, (one, two, *beside))))
