"""Parts one after another, whose numbers are shared slots: what is fitted, rounded, and written as a schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ... import shapes
from ...errors import ScheduleError

Array = NDArray[np.float64]
ShapeFamily = Callable[[float], shapes.Shape]


def root(exponent: float) -> shapes.Shape:
    """A power decay seen from its other end: steep at first where the exponent is below 1."""
    return shapes.power(exponent).mirrored()


@dataclass
class FittedPart:
    """A core shape in force from `start` to the start of the next part: slots of its begin and end in time and value.

    shape: a shape; or a family of shapes, whose argument is in the slot `extra`, or the ratio of its values where it
    has no such slot (`shapes.geometric`). A part that begins before it is in force, or is left before its end, is cut.
    begin == end: an endless shape counts in steps. mirror: beyond its end the shape goes back, as PyTorch's cosine.
    """

    shape: shapes.Shape | ShapeFamily
    start: int
    begin: int
    end: int
    first: int
    last: int
    extra: int | None = None
    mirror: bool = False

    @property
    def flat(self) -> bool:
        return self.shape is shapes.flat

    @property
    def endless(self) -> bool:
        return self.shape in (shapes.exponential, shapes.inverse_power)

    @property
    def name(self) -> str:
        """The name of the shape or of its family."""
        return self.shape.name if isinstance(self.shape, shapes.Shape) else self.shape.__name__

    def slots(self) -> list[int]:
        used = [self.start, self.begin, self.end, self.first, self.last]
        return used if self.extra is None else [*used, self.extra]

    def placed(self, slot_for: Callable[[int], int]) -> FittedPart:
        """The same part in other slots."""
        start, begin, end, first, last, *extra = map(slot_for, self.slots())
        return FittedPart(self.shape, start, begin, end, first, last, extra[0] if extra else None, self.mirror)

    def shape_of(self, numbers: list[float]) -> shapes.Shape:
        """The shape for the numbers of a model; a ScheduleError where they make none."""
        if isinstance(self.shape, shapes.Shape):
            return self.shape
        if self.extra is not None:
            return self.shape(numbers[self.extra])
        return self.shape(numbers[self.last] / numbers[self.first] if numbers[self.first] else math.nan)

    def values(self, u: Array, numbers: list[float]) -> Array:
        """The rates at times, NaN where the numbers make no shape."""
        begin, end, first, last = (numbers[slot] for slot in (self.begin, self.end, self.first, self.last))
        length = end - begin if self.end != self.begin else 1.0
        with np.errstate(all="ignore"):
            try:
                shape = self.shape_of(numbers)
            except ScheduleError:  # a fit tries numbers that no schedule can have
                return np.full(len(u), np.nan)
            done = (u - begin) / length
            if shape.endless:
                done = left = np.maximum(done, 0)
            elif self.mirror:
                done = np.abs(done - 2 * np.round(done / 2))
                left = 1 - done
            else:
                # `left` from its own end: 1 - done would lose the digits of what is left
                done, left = np.clip(done, 0, 1), np.clip((end - u) / length, 0, 1)
            return np.asarray(first * shape.fall(done, left, np) + last * shape.rise(done, left, np))


@dataclass
class Model:
    """Parts and the numbers in their slots; fixed slots are no longer moved by a fit.

    gaps: between which two times of the log a start with a jump lies; the part is in force from the second one on,
    wherever in between a fit moves its start. ties: slots whose number is a sum of others, each times a weight, as the
    second restart is two lengths after the first.
    """

    parts: list[FittedPart] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)  # "time", "value" or "extra"
    fixed: set[int] = field(default_factory=set)
    gaps: dict[int, tuple[float, float]] = field(default_factory=dict)
    ties: dict[int, dict[int, float]] = field(default_factory=dict)
    told: float = 0.0  # how long the description of its ties is

    def slot(self, number: float, role: str, fixed: bool = False) -> int:
        self.numbers.append(float(number))
        self.roles.append(role)
        if fixed:
            self.fixed.add(len(self.numbers) - 1)
        return len(self.numbers) - 1

    def tied(self, terms: dict[int, float], role: str) -> int:
        """A slot whose number is a sum of others, each times a weight."""
        slot = self.slot(math.fsum(weight * self.numbers[other] for other, weight in terms.items()), role, fixed=True)
        self.ties[slot] = terms
        return slot

    def moved(self, slots: Iterable[int], values: Iterable[float]) -> list[float]:
        """The numbers, with others in some slots and in those that are tied to them."""
        numbers = list(self.numbers)
        for slot, value in zip(slots, values, strict=True):
            numbers[slot] = float(value)
        for slot, terms in self.ties.items():
            numbers[slot] = math.fsum(weight * numbers[other] for other, weight in terms.items())
        return numbers

    def copy(self) -> Model:
        own = {name: type(value)(value) for name, value in vars(self).items() if name != "told"}
        own["parts"] = [FittedPart(**vars(part)) for part in self.parts]
        return replace(self, **own)

    def later(self, by: float) -> Model:
        """The same rates, all of them so much later."""
        moved = [n + by if role == "time" else n for n, role in zip(self.numbers, self.roles, strict=True)]
        return replace(self.copy(), numbers=moved)

    def followed(self, other: Model) -> Model:
        """With the parts of another model after its own."""
        new, by = self.copy(), len(self.numbers)
        new.parts += [part.placed(lambda slot: slot + by) for part in other.parts]
        new.numbers += other.numbers
        new.roles += other.roles
        new.fixed |= {slot + by for slot in other.fixed}
        new.gaps |= {slot + by: gap for slot, gap in other.gaps.items()}
        new.ties |= {slot + by: {one + by: w for one, w in terms.items()} for slot, terms in other.ties.items()}
        new.told += other.told
        return new

    def used(self) -> list[int]:
        """The slots of all parts, and those that their ties are made of."""
        own = {slot for part in self.parts for slot in part.slots()}
        return sorted(own | {other for slot in own for other in self.ties.get(slot, ())})

    def free(self) -> list[int]:
        """The slots that a fit may move."""
        return [slot for slot in self.used() if slot not in self.fixed]

    def starts(self, numbers: list[float] | None = None) -> list[float]:
        """From when on each part is in force."""
        n = self.numbers if numbers is None else numbers
        # A fit must not move a jump past a row: the row would change its part, and residuals would jump
        return [self.gaps.get(part.start, (0.0, n[part.start]))[1] for part in self.parts]

    def sound(self) -> bool:
        """Whether every jump is between the rows around it, and every part ends after it starts."""
        n = self.numbers
        ends = (n[part.end] > n[part.begin] for part in self.parts if part.end != part.begin)
        return all(low < n[slot] <= high for slot, (low, high) in self.gaps.items()) and all(ends)

    def __call__(self, u: Array, numbers: list[float] | None = None) -> Array:
        n = self.numbers if numbers is None else numbers
        which = np.searchsorted(self.starts(n)[1:], u, "right")
        result = np.empty(len(u))
        for i, part in enumerate(self.parts):
            rows = which == i
            if rows.any():
                result[rows] = part.values(u[rows], n)
        return result
