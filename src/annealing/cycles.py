"""The cycles of a schedule: the parts of its curve, each from one value to another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from .exact import exact_number, plain

# Values within this many units in the last place differ by rounding, in a sum for instance, and not by a jump.
ULPS = 8


class Span(NamedTuple):
    """What a cycle is as a tuple; users unpack and compare these four."""

    begin: Any  # int or Fraction: exact, as `Schedule.cycles` gives it; int or float as `runs` does
    end: Any
    first: float
    last: float


class Cycle(Span):
    """A cycle of a schedule: it starts at `begin` with the value `first` and approaches `last` as time goes to `end`.

    A cycle without an end has an infinite one, and its `last` is the value at 2^53. `again`: a repeated part starts
    again here. `stair`: the start is only the next stair of a staircase.
    """

    again = False
    stair = False

    @classmethod
    def exactly(
        cls, begin: Fraction, end: Fraction | None, values: tuple[float, float], again: bool, stair: bool
    ) -> Cycle:
        """A cycle with exact times."""
        made = cls(exact_number(begin), math.inf if end is None else exact_number(end), *values)
        made.again, made.stair = again, stair
        return made

    @property
    def start(self) -> int | float:
        """Its begin, as the first int or float at which it is in force."""
        return plain(self.begin)

    def rounded(self, value: Callable[[Any], float]) -> Cycle:
        """The cycle as users see it, whose times are ints and floats; `value` gives the value at its start."""
        return Cycle(self.start, plain(self.end), value(self.start), self.last)

    @property
    def direction(self) -> int:
        """1 if it rises, -1 if it falls, 0 if its two values are the same but for rounding."""
        return 0 if same(self.first, self.last) else 1 if self.last > self.first else -1

    def jumps_to(self, after: Cycle) -> bool:
        return not same(self.last, after.first, self.first, after.last)


def same(one: float, two: float, *beside: float) -> bool:
    """Whether two values are equal but for rounding; the largest of them and of `beside` sets the scale."""
    return one == two or abs(one - two) <= ULPS * math.ulp(max(map(abs, (one, two, *beside))))


def snapshot_starts(cycles: Iterable[Cycle]) -> Iterator[tuple[int | float, bool]]:
    """The start of every cycle but the first, and whether the value has come down and is about to rise there."""
    down, before = False, None
    for cycle in cycles:
        if before is not None:
            # A fall may have several parts, and flat cycles at its end: the checkpoint is where it turns.
            kept = down and (cycle.first > before.last or cycle.last > cycle.first)
            yield cycle.start, kept
            down = (down and not kept) or cycle.first < before.last
        down = cycle.last < cycle.first or (down and cycle.last == cycle.first)
        before = cycle
