"""Durations with units ("10ep", "500st", "5%", "2e9tok", "1e6ex", "rest"), which a plan turns into updates."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, NamedTuple

from .errors import ScheduleError
from .printing import time_json

UNITS = ("ep", "st", "%", "tok", "ex")  # epochs, updates, per cent of the plan's updates, tokens, examples
REST = "rest"  # what the other durations leave of the plan; it stands alone, without an amount
MOST_CHARACTERS = 200
MOST_BITS = 256  # of a numerator and a denominator
WRITTEN = r"([+-]?(?:\d+/\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)) ?(ep|st|%|tok|ex)"
PLACES = ("at", "milestones", "time", "by")  # arguments that say when, where the others say how long


class Duration(NamedTuple):
    """An exact amount of one unit of time."""

    amount: Fraction
    unit: str

    def __str__(self) -> str:
        return REST if self.unit == REST else f"{time_json(self.amount)}{self.unit}"


def duration(text: str, name: str) -> Duration:
    """Read the duration that is given for the argument `name`."""
    if text == REST:
        return Duration(Fraction(1), REST)
    found = re.fullmatch(WRITTEN, text, re.ASCII) if isinstance(text, str) and len(text) <= MOST_CHARACTERS else None
    try:
        amount = Fraction(found[1]) if found else Fraction(0)
    except ZeroDivisionError:
        found = None
    # A short text can stand for a number of any size, and exact arithmetic with it would take all memory.
    if not found or max(amount.numerator.bit_length(), amount.denominator.bit_length()) > MOST_BITS:
        shown = text if len(str(text)) <= 60 else text[:57] + "..."
        raise ScheduleError(
            f'{name} must be a number, or a duration such as "10ep", "500st", "5%", "2e9tok", "1e6ex" or "rest", '
            f"got {shown!r}"
        )
    # A schedule may be shifted to earlier times; no other length or place lies before the start.
    if amount < 0 and name != "by":
        raise ScheduleError(f"{name} must not be below 0, got {text!r}")
    if abs(amount) > 100 and found[2] == "%" and name in PLACES:
        raise ScheduleError(f"{name} must be at most 100%, the end of the plan, got {text!r}")
    return Duration(amount, found[2])


def unread(value: Any) -> bool:
    """Whether a time may be a duration, or a schedule waits for a plan: anything else needs no second look."""
    if isinstance(value, list | tuple):
        return any(map(unread, value))
    return isinstance(value, str) or getattr(value, "pending", False)
