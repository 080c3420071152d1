"""The nodes that schedules are made of, and how each is lowered, written as JSON and printed."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any

from ..errors import ScheduleError, finite, whole
from ..evaluate import lowering
from ..evaluate.pieces import Lowered
from ..exact import END_OF_TIME, lasting, positive
from ..printing import JOIN, SUM, bracketed, flattened
from ..shapes import Shape
from .base import Schedule, schedules


class Run(Schedule):
    """One finite piece: from `start` to `end` along a shape.

    shape: a value of annealing.shapes. start, end: finite numbers, in any order. length: at least 0, in the schedule's
    unit of time; with 0 a Join leaves it out. A ScheduleError names an argument that is none of these.

    >>> from annealing import Run, shapes
    >>> Run(shapes.linear, 0, 0.1, 10)(5)
    0.05
    """

    shape: Shape
    start: float
    end: float
    length: Any

    _times = ("length",)

    def __post_init__(self) -> None:
        if not isinstance(self.shape, Shape) or self.shape.endless:
            raise ScheduleError(f"shape must be one of annealing.shapes that has an end, got {self.shape!r}")
        start, end = finite(self.start, "start"), finite(self.end, "end")
        self._set(start=start, end=end, length=lasting(self.length, "length"))

    @property
    def empty(self) -> bool:
        return bool(self.length == 0)

    def _lower(self) -> Lowered:
        return lowering.run(self.shape, self.start, self.end, self.length)


class Tail(Schedule):
    """A formula without an end: from `start`, ever closer to `end`.

    shape: an endless one of annealing.shapes. start, end: finite numbers, in any order. timescale: the time that the
    shape counts in, above 0. A ScheduleError names an argument that is none of these.

    >>> from annealing import Tail, shapes
    >>> Tail(shapes.inverse_power(0.5), 0.1, 0, 1000)(3000)
    0.05
    """

    shape: Shape
    start: float
    end: float
    timescale: Any

    _times = ("timescale",)

    def __post_init__(self) -> None:
        if not isinstance(self.shape, Shape) or not self.shape.endless:
            raise ScheduleError(f"shape must be an endless one of annealing.shapes, got {self.shape!r}")
        start, end = finite(self.start, "start"), finite(self.end, "end")
        self._set(start=start, end=end, timescale=positive(self.timescale, "timescale"))

    def _lower(self) -> Lowered:
        return lowering.run(self.shape, self.start, self.end, self.timescale)


class Several(Schedule):
    """A node of several parts, among which there may be numbers."""

    parts: tuple[Any, ...]

    @property
    def _schedules(self) -> list[Schedule]:
        return [part for part in self.parts if isinstance(part, Schedule)]

    @cached_property
    def pending(self) -> bool:  # type: ignore[override]
        return any(part.pending for part in self._schedules)

    @property
    def empty(self) -> bool:
        return all(part.empty for part in self._schedules)

    @property
    def endless(self) -> bool:
        return any(part.endless for part in self._schedules)


class Join(Several):
    """One part after another, each in its own local time; at a boundary the later part counts.

    parts: schedules, of which all but the last must end. Written `a >> b`.

    >>> from annealing import cosine, linear
    >>> (linear(0, 0.1, 5) >> cosine(0.1, 0, 195))(5)
    0.1
    """

    def __post_init__(self) -> None:
        parts = schedules(self.parts, "parts of a Join")
        for part in parts[:-1]:
            if part.endless:
                raise ScheduleError(f"only the last part of a Join may go on forever, but this one does too: {part}")
        self._set(parts=parts)

    @cached_property
    def exact_duration(self) -> Fraction | None:
        lengths = [part.exact_duration for part in self.parts]
        return None if lengths[-1] is None else sum((length for length in lengths if length is not None), Fraction(0))

    def _lower(self) -> Lowered:
        return lowering.join([part.lowered for part in self.parts])

    def _tree(self) -> Any:
        *before, last = self.parts
        # The last part stays even if it is empty: its value is held after the end.
        whole = flattened("join", [part.tree() for part in (*(part for part in before if not part.empty), last)])
        if "join" not in whole:
            return whole
        # Parts of the parts may be empty too, and stand in the middle only now that the tree is flat.
        *first, end = whole["join"]
        return flattened("join", [*(tree for tree in first if tree.get("run", {}).get("length") != 0), end])

    def _written(self) -> tuple[str, int]:
        return " >> ".join(bracketed(part, SUM if i else JOIN) for i, part in enumerate(self.parts)), JOIN


class Repeat(Schedule):
    """A part, repeated; copy i is `growth`^i as long.

    The values of copy i are mapped by the line that takes (floor, peak), the least and greatest values of the part,
    to (floor * floor_factor^i, peak * peak_factor^i); where the peak would fall below the floor, the copy
    is flat at the floor.

    part: a schedule that ends. times: how many copies, then the final value is held (None: forever).
    growth: above 0, exact; factors: at least 0 and, without `times`, at most 1.

    >>> from annealing import Repeat, cosine
    >>> Repeat(cosine(1, 0, 10), growth=2, peak_factor=0.5)(30)
    0.25
    """

    part: Schedule
    times: int | None = None
    growth: Any = 1
    peak_factor: float = 1.0
    floor_factor: float = 1.0

    _times = ()

    def __post_init__(self) -> None:
        (part,) = schedules((self.part,), "the part of a Repeat")
        if part.exact_duration is None:
            raise ScheduleError(f"the part of a Repeat must end, got {part}")
        if part.exact_duration == 0:
            raise ScheduleError(f"the part of a Repeat must have a length above 0, got {part}")
        times = None if self.times is None else whole(self.times, "times")
        growth = positive(self.growth, "growth")
        factors = factors_of("times", times, peak_factor=self.peak_factor, floor_factor=self.floor_factor)
        self._set(times=times, growth=growth, **factors)
        try:
            end = self.lowered.end
        except OverflowError:
            raise ScheduleError(f"the factors of this Repeat lead beyond the range of floats: {self}") from None
        if end is not None and end > END_OF_TIME:
            raise ScheduleError(f"this Repeat must end by 2^53, but ends at {float(end)!r}: {self}")

    def _lower(self) -> Lowered:
        return lowering.repeat(self.part.lowered, self.times, self.growth, self.peak_factor, self.floor_factor)

    def _tree(self) -> Any:
        return self.part.tree() if self.times == 1 else super()._tree()


def factors_of(count: str, times: int | None, **given: Any) -> dict[str, float]:
    """Read the factors from copy to copy; `count` is the argument that says how many copies there are."""
    factors = {name: finite(value, name) for name, value in given.items()}
    for name, factor in factors.items():
        if factor < 0 or (times is None and factor > 1):
            allowed = "at least 0" if times else f"between 0 and 1 where {count} is not given"
            raise ScheduleError(f"{name} must be {allowed}, got {factor!r}")
    return factors
