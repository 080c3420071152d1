"""Where the values of a schedule reach 0, so that nothing may be divided by them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import islice, product

from ..cycles import Cycle
from ..exact import END_OF_TIME
from .program import Combination, PieceTable, Program

MOST_CYCLES = 2_000  # looked at; later ones of an endless schedule repeat them or come closer to a limit
DEEPEST = 60  # halvings of a cycle, which tell apart any two floats in it that are not close to 0

Interval = tuple[float, float]


def reaches_zero(called: Program, cycles: Iterable[Cycle]) -> Fraction | None:
    """The first time, or very nearly so, at which the value or its limit from the left is 0, or changes its sign."""
    end = Fraction(0)
    for cycle in islice(cycles, MOST_CYCLES):
        begin, end = Fraction(cycle.begin), Fraction(min(cycle.end, END_OF_TIME))
        if begin < end and (found := _zero_within(called, begin, end, DEEPEST)) is not None:
            return found
    for last in (end, Fraction(END_OF_TIME)):
        if called.at(last) == 0:
            return last
    return None


def _zero_within(called: Program, begin: Fraction, end: Fraction, depth: int) -> Fraction | None:
    low, high = _bounds(called, begin, end)
    if low > 0 or high < 0:
        return None
    if depth == 0 or low == high:
        return begin
    # Bounds of a sum may be too wide for a long time and narrow enough for its halves.
    middle = (begin + end) / 2
    for half in ((begin, middle), (middle, end)):
        if (found := _zero_within(called, *half, depth - 1)) is not None:
            return found
    return None


def _bounds(called: Program, begin: Fraction, end: Fraction) -> Interval:
    """Bounds of the values within a cycle: in it every leaf goes one way, from its value to its limit."""
    if not isinstance(called, Combination):
        assert isinstance(called, PieceTable)
        values = called.at(begin), called.left(end)
        return min(values), max(values)
    lows, highs = zip(*(_bounds(part, begin, end) for part in called.parts), strict=True)
    if called.name == "+":
        return math.fsum(lows), math.fsum(highs)
    if called.name in ("minimum", "maximum"):
        return called.combined(lows), called.combined(highs)
    if called.name == "/" and lows[1] <= 0 <= highs[1]:
        return -math.inf, math.inf  # only the bounds are too wide: the divisor itself was checked when it was made
    corners = [called.combined(chosen) for chosen in product(*zip(lows, highs, strict=True))]
    return min(corners), max(corners)
