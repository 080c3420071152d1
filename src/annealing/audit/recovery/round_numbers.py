"""The plainest numbers with which a model still fits: those that the log states first, then round and short ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextvars import ContextVar
from fractions import Fraction

import numpy as np

from ..intervals import digits_of, roundest, shortest
from .fitting import LogRows, around, fit, fits, intervals
from .model import Model
from .to_schedule import time_of

USUAL = 20  # the greatest denominator of a time that is none by chance
ROOM = 1e-7  # steps by which the ends of an interval may be off
ROUNDED = 1e-13
FIRST = 99.0  # digits, so that it is settled before any other
STATED = 1.0  # digits that a number stands out by which the log itself states
FIRM = 0.7  # how many digits an interval must leave over for its plainest number to be no chance

STATED_NUMBERS: ContextVar[frozenset[float]] = ContextVar("stated", default=frozenset())  # set by every search


def is_stated(number: float) -> bool:
    """Whether the log states a number of its own schedule."""
    return number in STATED_NUMBERS.get()


def stated_between(least: float, most: float) -> float | None:
    """A number that the log states, between two others."""
    return min((number for number in STATED_NUMBERS.get() if least <= number <= most), default=None)


def sure(model: Model, rows: LogRows) -> Model:
    """With those numbers settled that stand out from all that the rows can possibly allow."""
    model = model.copy()
    while bounds := around(model, rows):
        found = {slot: plainest(model, slot, *bounds[slot], rows) for slot in bounds}
        tried = _settled(model, {slot: value for slot, (value, firm) in found.items() if firm > FIRM})
        if len(tried.fixed) == len(model.fixed) or fit(tried, rows) > 1:
            break
        model = tried
    return model


def snap(model: Model, rows: LogRows) -> Model | None:
    """The model with plain numbers, those that can hardly be chance first; None where nothing fits."""
    bounds = intervals(model, rows)
    while free := model.free():
        if not bounds:
            return None
        found = {slot: plainest(model, slot, *bounds[slot], rows) for slot in free}
        # A number that chance can hardly give is settled first: with it the others become narrower
        ranked = sorted(found, key=lambda slot: -found[slot][1])
        for slot in ranked:
            narrower = _settled(model, {slot: found[slot][0]})
            if not fits(narrower, rows):
                # The interval is narrower since others were settled: a linear program only where it is needed
                own = intervals(model, rows, slot)
                if not own or own[slot] == bounds[slot]:
                    continue
                bounds |= own
                narrower = _settled(model, {slot: plainest(model, slot, *own[slot], rows)[0]})
                if not fits(narrower, rows):
                    continue
            model = narrower
            break
        else:  # no plain number: one well inside of what fits together with the others
            least, most = bounds[ranked[-1]]
            inside = (most - least) / 4
            model = _settled(model, {ranked[-1]: shortest(least + inside, most - inside)})
            fits(model, rows)
    return model


def plainest(model: Model, slot: int, least: float, most: float, rows: LogRows) -> tuple[float, float]:
    """The plainest number in an interval, and how many digits it is short of what chance would give."""
    width = most - least
    room = ROOM if model.roles[slot] == "time" else ROUNDED * rows.peak
    # The ends of an interval are computed: a number exactly at an end must still lie inside
    least, most = least - room, most + room
    if model.roles[slot] != "extra" and (known := stated_between(least, most)) is not None:
        size = 1.0 if model.roles[slot] == "time" else rows.peak
        return known, -math.log10(max(width / size, 1e-15)) + STATED
    if model.roles[slot] == "time":
        for low, high in _limits(model, slot):
            least, most = (max(least, low), min(most, high)) if max(least, low) <= min(most, high) else (least, most)
        if slot == model.parts[0].start:  # the whole schedule is moved: all other times are counted from there
            return float(one_update_off(least, most)), FIRST
        number = _round_time(model, slot, least, most)
        if number is None:
            return shortest(least, most), -1.0
        if isinstance(number, Fraction) and (number - time_of(model.numbers[model.parts[0].start])).denominator != 1:
            firm = -math.log10(max(width, 1e-9)) - 2 * math.log10(number.denominator)
            return float(number), firm if number.denominator <= USUAL else min(firm, 0.0)
        return float(number), -math.log10(max(width, 1e-9)) + (0.3 if width < 1 else -2 + 0.1)
    value = shortest(least, most)
    if model.roles[slot] == "value" and digits_of(value) > 2 and (part := _share(model, least, most)) is not None:
        return part, -math.log10(max(width / part, 1e-15)) - 1.5
    size = rows.peak if value == 0 else abs(value)
    return value, -math.log10(max(width / size, 1e-15)) - digits_of(value)


def one_update_off(least: float, most: float) -> int | Fraction:
    """A time that is a whole number, or one update before or after it: n +- 1 / updates per epoch."""
    near = round((least + most) / 2)
    if least <= near <= most:
        return near
    sign = 1 if least > near else -1
    ends = sorted((1 / abs(least - near), 1 / abs(most - near)))
    updates = roundest(*ends)
    return near + sign / Fraction(updates) if updates else Fraction((least + most) / 2).limit_denominator(10**9)


def _limits(model: Model, slot: int) -> Iterator[tuple[float, float]]:
    """Between which times a start must lie by the rows around it, and so what it is made of."""
    if slot in model.gaps:
        yield model.gaps[slot]
    for tied, terms in model.ties.items():
        if slot in terms and tied in model.gaps:
            rest, weight = model.numbers[tied] - terms[slot] * model.numbers[slot], terms[slot]
            low, high = ((edge - rest) / weight for edge in model.gaps[tied])
            yield low, high + 1e-9 * max(abs(high), 1.0)


def _round_time(model: Model, slot: int, least: float, most: float) -> int | Fraction | None:
    """The roundest time, or the one with the roundest time since the start of its part."""
    number = roundest(least, most)
    for part in model.parts:
        if part.end == slot and part.begin in model.fixed and (begin := model.numbers[part.begin]):
            length = roundest(least - begin, most - begin)
            if number is None or (isinstance(length, int) and length > 0 and digits_of(length) < digits_of(number)):
                return number if length is None else time_of(begin) + length
    return number


def _share(model: Model, least: float, most: float) -> float | None:
    """A third, a 25th, ... of the greatest value that is settled, within an interval."""
    values = [model.numbers[slot] for slot in model.fixed if model.roles[slot] == "value" and slot in model.used()]
    peak = max(values, default=0.0)
    if least <= 0 or peak <= most:
        return None
    share = roundest(peak / most, peak / least)
    if not isinstance(share, int) or digits_of(share) + 1 >= digits_of(shortest(least, most)):
        return None
    return peak / share


def _settled(model: Model, values: dict[int, float]) -> Model:
    settled = model.copy()
    settled.numbers = model.moved(values.keys(), values.values())
    settled.fixed |= values.keys()
    return settled


def settle(model: Model) -> None:
    """Give jumps one after another equal distances where they allow it, else the roundest times, one by one."""
    n, changes = model.numbers, _changes(model)
    while changes:
        count = next((n for n in range(1, len(changes)) if changes[n] != changes[n - 1] + 1), len(changes))
        slots = [model.parts[i].start for i in changes[:count]]
        gaps = [model.gaps[slot] for slot in slots]
        times = even(gaps, n[model.parts[changes[0] - 1].start]) if count > 1 else None
        for slot, time in zip(slots, times or [float(within(low, high) or high) for low, high in gaps], strict=True):
            n[slot] = time
        changes = changes[count:]


def _changes(model: Model) -> list[int]:
    """The parts whose start moves nothing but itself: no curve starts or ends with it."""
    moving = {slot for part in model.parts if not part.flat for slot in (part.begin, part.end)}
    starts = [part.start for part in model.parts]
    return [i for i, start in enumerate(starts) if i and start in model.gaps and start not in moving]


def even(gaps: list[tuple[float, float]], origin: float) -> list[float] | None:
    """Changes at equal distances from an origin on."""
    count = np.arange(1, len(gaps) + 1)
    low, high = (np.array(gaps).T - origin) / count
    every = within(low.max(), high.min())
    return (origin + every * count).tolist() if isinstance(every, int) and every > 0 else None


def within(low: float, high: float) -> int | Fraction | None:
    """The roundest time of a change after one row and by the next."""
    return roundest(float(np.nextafter(low, np.inf)), float(high)) if low < high else None
