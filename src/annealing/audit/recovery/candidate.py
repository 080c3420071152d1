"""A model with plain numbers that gives every row, and how long its description is."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ... import shapes
from ..intervals import digits_of
from .fitting import NEARLY, Exhausted, LogRows, around, fits, intervals
from .model import Model, root
from .round_numbers import is_stated, settle, snap, sure
from .to_schedule import time_of

HABITS = {0: 0.0, -1: 0.75, 1: 1.5, 2: 3.0}  # the shifts that are tried, and what each costs
SMALL = 1e-9  # of the peak: a value so far below 0 is none of a rate
UNUSUAL = 20  # the denominator of a time that nobody chooses
MOST_CHOSEN = 4  # digits of a peak that nobody has seen yet
LEAST_USED = 0.3  # of a curve that is left before its end
MOST_DIGITS = 12  # a number that has more is no longer for it


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model with plain numbers, at clocks moved by a shift and by lags.

    bounds: how far each number is determined. seen: the last time of a row.
    """

    model: Model
    shift: int
    lags: tuple[tuple[float, int], ...]
    bounds: dict[int, tuple[float, float]]
    seen: float
    outliers: tuple[float, ...] = ()
    habit: float = 0.0  # what its shift costs
    sure: bool = False  # whether none of them can well be chance

    @property
    def cost(self) -> float:
        """How long it is: digits of its numbers, numbers, lags."""
        model = self.model
        numbers = sum(_length(model, slot) for slot in model.used() if slot not in model.ties)
        parts = sum(part.start not in model.ties for part in model.parts)
        return numbers + model.told + 1.5 * parts + len(self.lags) + 2 * len(self.outliers) + self.habit


def shifts(preferred: int | None) -> Iterator[tuple[int, float]]:
    """The shifts to try, that of the format first, and what each costs."""
    for shift in sorted(HABITS, key=lambda shift: (shift != preferred, HABITS[shift])):
        yield shift, 0.0 if shift == preferred else HABITS[shift]


def made_plain(model: Model, rows: LogRows, shift: tuple[int, float], only_sure: bool = False) -> Candidate | None:
    """A fitted model with plain numbers, and within what each was determined; None where they give not every row.

    shift: by how much its clock was moved, and what that costs. only_sure: None also where numbers may be chance.
    """
    certain = sure(model, rows)
    settled = not certain.free()
    if only_sure and not settled:
        return None
    bounds = around(model, rows)
    # `around` is wide but cheap: exact bounds are computed only where a doubt is to be reported
    doubtful = {"time": 1.0, "value": 0.01 * rows.peak, "extra": 1e-3}
    if any(high - low > doubtful[model.roles[slot]] for slot, (low, high) in bounds.items()):
        bounds = intervals(model, rows)
    plain = snap(certain, rows) if bounds or not model.free() else None
    if plain is None:
        return None
    settle(plain)
    for slot in plain.ties:
        if plain.roles[slot] == "value":
            plain.numbers[slot] = float(f"{plain.numbers[slot]:.12g}")  # a tenth of 0.003 as it is written
    if rows.worst(plain) > 1 or not plain.sound():
        return None
    return Candidate(plain, shift[0], (), bounds, float(rows.u[-1]), habit=shift[1], sure=settled)


def described(
    structure: Callable[[LogRows], Iterator[Model]],
    rows: LogRows,
    preferred: int | None,
    ended: Callable[[Model, LogRows], Iterable[Model]] = lambda model, rows: [model],
    only: Iterable[tuple[int, float]] | None = None,
) -> list[Candidate]:
    """The models of a structure that give every row, with plain numbers, the plainest first; rows: by the log's clock.

    ended: makes of a model that fits others with the same rates. only: the shifts to try, and what each costs.
    """
    found: list[Candidate] = []
    with contextlib.suppress(Exhausted):  # what was found before is kept
        for shift in only or shifts(preferred):
            moved = LogRows(rows.u + shift[0], rows.y, rows.tolerance)
            for model in structure(moved):
                known = any(one.sure for one in found)
                with contextlib.suppress(ArithmeticError, ValueError, np.linalg.LinAlgError):  # guesses far off
                    if fits(model, moved, NEARLY):
                        made = [made_plain(each, moved, shift, known) for each in ended(model, moved)]
                        found += [one for one in made if one is not None]
                        if any(one.sure for one in found):
                            break
    return sorted(found, key=lambda one: one.cost)


def _length(model: Model, slot: int) -> float:
    number = model.numbers[slot]
    if is_stated(number):
        return 1.0
    if model.roles[slot] != "time":
        digits = min(digits_of(number), MOST_DIGITS) + 1.0
        peak = max(model.numbers[one] for one in model.used() if model.roles[one] == "value")
        share = round(peak / number) if model.roles[slot] == "value" and number > 0 else 0
        if share > 1 and abs(peak / number - share) < 1e-9:
            return min(digits, digits_of(share) + 1.5)
        return digits
    time = time_of(number)
    if slot == model.parts[0].start and time == 0:
        return 0.0
    since = [time - time_of(model.numbers[part.begin]) for part in model.parts if part.end == slot != part.begin]
    return min(digits_of_time(one) for one in (time, *since))


def configured(found: Candidate, positive: bool) -> bool:
    """Whether a person may have chosen the numbers of the curves of a model.

    Any smooth rows lie on a power of a time far away, or on a piece of a slow wave: with unusual numbers, or where most
    of it is never used, such a curve was not configured. positive: all rates are at least 0.
    """
    n, parts = found.model.numbers, found.model.parts
    ends = [*(n[part.start] for part in parts[1:]), math.inf]
    for part, end in zip(parts, ends, strict=True):
        if positive and min(n[part.first], n[part.last]) < -SMALL * max(abs(n[part.first]), abs(n[part.last])):
            return False
        # A cosine or an exponential shows its numbers in few rows; powers fit nearly anything smooth
        if part.shape in (shapes.power, root):
            times = [Fraction(time_of(n[slot])).denominator for slot in (part.begin, part.end)]
            over = n[part.end] <= max(found.seen, end if end < math.inf else 0.0)
            rises = n[part.first] < n[part.last] and digits_of(n[part.last]) > MOST_CHOSEN
            used = min(end, n[part.end]) - max(n[part.start], n[part.begin])
            if max(times) > (UNUSUAL if over else 1) or (rises and not over):
                return False
            if end < n[part.end] and used < LEAST_USED * (n[part.end] - n[part.begin]):
                return False
    return True


def digits_of_time(time: int | Fraction) -> float:
    if isinstance(time, int) or time.denominator == 1:
        return digits_of(int(time)) + 0.5
    return 3.0 + digits_of(time.numerator) + digits_of(time.denominator)
