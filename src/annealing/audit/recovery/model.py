"""Parts one after another, whose numbers are shared slots: what is fitted, made plain, and written as a schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from .basis import Array


@dataclass
class Part:
    """A curve in force from `start` to the start of the next part: slots of its begin and end in time and in value.

    A part that begins before it is in force, or is left before its end, is cut. `extra`: an exponent or a factor.
    """

    kind: str
    start: int
    begin: int
    end: int
    first: int
    last: int
    extra: int | None = None

    def slots(self) -> list[int]:
        used = [self.start, self.begin, self.end, self.first, self.last]
        return used if self.extra is None else [*used, self.extra]


@dataclass
class Model:
    """Parts and the numbers in their slots; fixed slots are no longer moved by a fit.

    gaps: between which two times of the log each start lies. ties: slots whose number is a sum of others, each times
    a weight, as the second restart is two lengths after the first. cuts: the row from which on a part that begins with
    a jump is in force, wherever within its gap a fit moves its start.
    """

    parts: list[Part] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)  # "time", "value" or "extra"
    fixed: set[int] = field(default_factory=set)
    gaps: dict[int, tuple[float, float]] = field(default_factory=dict)
    ties: dict[int, dict[int, float]] = field(default_factory=dict)
    cuts: dict[int, float] = field(default_factory=dict)
    seen: float = 0.0  # the last time in the log
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

    def tie(self, numbers: list[float]) -> list[float]:
        """Numbers in which those that others make are these again."""
        for slot, terms in self.ties.items():
            numbers[slot] = math.fsum(weight * numbers[other] for other, weight in terms.items())
        return numbers

    def copy(self) -> Model:
        parts = [Part(**vars(part)) for part in self.parts]
        return replace(
            self,
            parts=parts,
            numbers=list(self.numbers),
            roles=list(self.roles),
            fixed=set(self.fixed),
            gaps=dict(self.gaps),
            ties=dict(self.ties),
            cuts=dict(self.cuts),
        )

    def used(self) -> list[int]:
        """The slots of all parts, and those that their ties are made of."""
        own = {slot for part in self.parts for slot in part.slots()}
        return sorted(own | {other for slot in own for other in self.ties.get(slot, ())})

    def free(self) -> list[int]:
        """The slots that a fit may move."""
        return [slot for slot in self.used() if slot not in self.fixed]

    def starts(self) -> Array:
        """From when on each part is in force."""
        return np.array([self.cuts.get(part.start, self.numbers[part.start]) for part in self.parts])

    def sound(self) -> bool:
        """Whether every jump is between the rows around it, and every part ends after it begins."""
        n, gaps = self.numbers, ((self.numbers[slot], *self.gaps[slot]) for slot in self.cuts)
        ends = (n[part.end] > n[part.begin] for part in self.parts if part.end != part.begin)
        return all(low < number <= high for number, low, high in gaps) and all(ends)

    def __call__(self, u: Array, numbers: list[float] | None = None) -> Array:
        n = self.numbers if numbers is None else numbers
        starts = [self.cuts.get(part.start, n[part.start]) for part in self.parts[1:]]
        which = np.searchsorted(starts, u, "right")
        result = np.empty(len(u))
        for i, part in enumerate(self.parts):
            rows = which == i
            if rows.any():
                extra = 0.0 if part.extra is None else n[part.extra]
                result[rows] = _value(
                    part.kind, u[rows], n[part.begin], n[part.end], n[part.first], n[part.last], extra
                )
        return result


def _value(kind: str, u: Array, begin: float, end: float, first: float, last: float, extra: float) -> Array:
    with np.errstate(all="ignore"):
        if kind == "flat":
            return np.full(len(u), first)
        if kind == "tail exponential":
            return last + (first - last) * extra ** np.maximum(u - begin, 0)
        done = (u - begin) / (end - begin)
        if kind == "tail power":
            return last + (first - last) * (1 + np.maximum(done, 0)) ** -extra
        if kind == "mirror":
            return last + (first - last) * np.cos(np.pi / 2 * done) ** 2
        done = np.clip(done, 0, 1)
        left = np.clip((end - u) / (end - begin), 0, 1)
        if kind == "linear":
            return first * left + last * done
        if kind == "cosine":
            return last * np.sin(np.pi / 2 * done) ** 2 + first * np.sin(np.pi / 2 * left) ** 2
        if kind == "power":
            return last + (first - last) * left**extra
        if kind == "root":
            return first + (last - first) * done**extra
        if kind == "geometric":
            return first * (last / first) ** done
        if kind == "halving":
            return last + (first - last) * (2 * 0.5**done - 1)
    raise AssertionError(kind)
