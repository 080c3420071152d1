"""Numbers as they are printed and as JSON holds them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any


def time_json(time: Fraction) -> int | float | str:
    """An exact time: a whole number, a float whose shortest decimal it is, or "numerator/denominator"."""
    if time.denominator == 1:
        return int(time)
    shortest = float(time)
    return shortest if Fraction(repr(shortest)) == time else str(time)


def literal(value: Any) -> str:
    """A value as an argument in the notation."""
    if isinstance(value, Fraction):
        written = time_json(value)
        return f"Fraction({value.numerator}, {value.denominator})" if isinstance(written, str) else literal(written)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return repr(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(map(literal, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
