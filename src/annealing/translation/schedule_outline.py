"""What a framework asks about a schedule: its pieces one by one, and the stages that they make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice, takewhile
from typing import Any, NamedTuple

import numpy as np

from .. import shapes
from ..errors import ScheduleError
from ..evaluate.pieces import Lowered, Pieces
from ..schedule.base import Schedule
from ..shapes import Shape

MOST_PARTS = 4096
SAMPLES = np.array([0.0, 0.125, 0.25, 0.5, 0.75, 0.875])
SAME = 1e-12  # of the peak: rates that differ by less are the same
KNOWN_SHAPES = (shapes.flat, shapes.linear, shapes.cosine)


class OutlinePart(NamedTuple):
    """A piece of a schedule: from `begin` to `stop`, from one value to another, along a shape if that is known."""

    begin: Fraction
    stop: Fraction
    start: float
    end: float
    shape: Any

    @property
    def length(self) -> Fraction:
        return self.stop - self.begin

    @property
    def flat(self) -> bool:
        return self.shape == shapes.flat or self.start == self.end

    @property
    def power(self) -> float | None:
        """The exponent of its shape, if it has one."""
        return getattr(self.shape, "exponent", None)


class Stairs(NamedTuple):
    """The values of a staircase, the times at which they begin (but the first), and the factor of the first drop."""

    values: list[float]
    times: list[Any]
    factor: float

    @property
    def length(self) -> Any:
        return self.times[0]


@dataclass
class ScheduleOutline:
    """The pieces of a schedule over its first updates, or some of them, in time that starts with the first.

    offset: the time at which that is. last: the update up to which they count, of `total_updates`. peak: the highest
    value of the whole schedule. fractions: whether times as arguments may lie between two steps.
    """

    schedule: Schedule
    parts: Sequence[OutlinePart]
    peak: float
    total_updates: int
    last: int
    fractions: bool
    offset: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        parts, first = self.parts, self.parts[0]
        self.updates = self.last - math.ceil(self.offset)
        self.start, self.end, self.length = first.start, first.end, self.number(first.length)
        # The stages: a warm-up, a stable stage (which the stairs of a staircase are not), and what comes down from it.
        self.rest = parts[1:] if first.end > first.start and len(parts) > 1 else parts
        stable = len(self.rest) > 1 and self.rest[0].flat and not self.rest[1].flat
        self.falling = self.rest[1:] if stable else self.rest
        begin, self.decaying = self.rest[0].begin, self.falling[0]
        self.warmup, self.top, self.floor = self.number(begin), self.rest[0].start, self.decaying.end
        self.stable, self.decay = self.number(self.decaying.begin - begin), self.number(self.decaying.length)
        self.total = self.number(self.decaying.stop)
        self.power = float(self.decaying.power or 1.0)

    def between(self, first: int, end: int | None = None) -> ScheduleOutline:
        """Some of the pieces, with their own time 0 where the first of them starts."""
        chosen = self.parts[first:end]
        begin = chosen[0].begin
        last = self.last if end is None else min(self.last, math.ceil(chosen[-1].stop))
        moved = [part._replace(begin=part.begin - begin, stop=part.stop - begin) for part in chosen]
        return replace(self, parts=moved, last=last, offset=begin)

    def number(self, time: Fraction) -> int | float:
        """A time as an argument: whole, except for a framework that takes fractions."""
        if self.fractions:
            return int(time) if time.denominator == 1 else float(time)
        return max(1, round(time)) if time else 0

    @property
    def next_length(self) -> int | float:
        return self.number(self.parts[1].length)

    @property
    def whole_length(self) -> int | float:
        """The length of the first piece where it covers all updates; a LookupError where it does not."""
        if self.length < self.updates:
            raise LookupError
        return self.length

    @property
    def fall(self) -> float:
        """The end of the first piece as a share of its start."""
        return share(self.end, self.start)

    @property
    def ratio(self) -> float:
        """The floor as a share of the top."""
        return share(self.floor, self.top)

    @property
    def growth(self) -> Fraction:
        return self.rest[1].length / self.rest[0].length if len(self.rest) > 1 else Fraction(1)

    @cached_property
    def cycles(self) -> list[OutlinePart]:
        return [part for part in self.falling if not part.flat]

    @cached_property
    def stairs(self) -> Stairs | None:
        """Its stairs, if all pieces are flat."""
        parts = self.rest
        if len(parts) < 2 or not parts[0].start or not all(part.flat for part in parts):
            return None
        times = [self.number(part.begin - parts[0].begin) for part in parts[1:]]
        return Stairs([part.start for part in parts], times, share(parts[1].start, parts[0].start))


def share(part: float, whole: float) -> float:
    """part / whole with the fewest digits that give the part back: 0.01 of 0.1 is 0.1, not 0.09999999999999999."""
    ratio = part / whole
    # A product that is 2 units in the last place away is as good as any: frameworks round theirs as well.
    digits = (float(f"{ratio:.{count}g}") for count in range(1, 17))
    return next((short for short in digits if abs(short * whole - part) <= 2 * math.ulp(part)), ratio)


def outlined(schedule: Schedule, updates: int, fractions: bool) -> ScheduleOutline:
    """The outline of a schedule over its first updates."""
    parts = _parts(schedule, updates)
    peak = max(max(part.start, part.end) for part in parts)
    return ScheduleOutline(schedule, parts, peak, updates, updates, fractions)


def _parts(schedule: Schedule, updates: int) -> list[OutlinePart]:
    end = schedule.exact_duration
    cycles = list(islice(takewhile(lambda cycle: cycle.begin < updates, schedule.cycles()), MOST_PARTS + 1))
    if len(cycles) > MOST_PARTS:
        raise ScheduleError(f"a schedule of more than {MOST_PARTS:,} pieces cannot be translated: {schedule}")
    shaped = _shapes(schedule.lowered)
    parts = []
    for cycle in cycles:
        endless = cycle.end == math.inf
        # A piece without an end is looked at as far as the updates go.
        begin, stop = Fraction(cycle.begin), Fraction(updates if endless else cycle.end)
        shape = shaped.get((begin, None if endless else stop))
        part = OutlinePart(begin, stop, cycle.first, schedule.left(stop) if endless else cycle.last, shape)
        parts.append(part if shape else part._replace(shape=_probed(schedule, part)))
    if end is not None and end < updates:
        value = schedule(end)
        parts.append(OutlinePart(end, Fraction(updates), value, value, shapes.flat))
    return [part for part in parts if part.length and part.begin < updates]


def _shapes(lowered: Lowered) -> dict[tuple[Fraction, Fraction | None], Shape]:
    """The shapes of pieces that are whole, by their begin and their stop."""
    if not isinstance(lowered, Pieces):
        return {}
    whole = (piece for piece in islice(lowered.written_out(), MOST_PARTS + 1) if piece.begin == piece.origin)
    return {(piece.begin, None if piece.shape.endless else piece.stop): piece.shape for piece in whole}


def _probed(schedule: Schedule, part: OutlinePart) -> Shape | None:
    """The shape of a piece of which only values are known, such as a piece of a sum."""
    times = float(part.begin) + SAMPLES * float(part.length)
    values, scale = schedule(times), max(abs(part.start), abs(part.end))
    for shape in KNOWN_SHAPES:
        weights = shape(SAMPLES, 1 - SAMPLES)
        if np.abs(part.end + (part.start - part.end) * weights - values).max() <= SAME * scale:
            return shape
    return None
