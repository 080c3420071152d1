"""How numbers and trees of schedules are printed, and how JSON holds them."""

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
    if hasattr(value, "item") and not getattr(value, "ndim", 0):
        value = value.item()
    # The shortest text that reads back: 10 for 10.0; from 1e15 on the exponent is shorter than the zeros.
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def node_json(value: Any) -> Any:
    """A field of a node as JSON holds it."""
    if hasattr(value, "tree"):
        return value.tree()
    return time_json(value) if isinstance(value, Fraction) else value


def counted(number: int, what: str) -> str:
    """A number of things in words: "1 step", "1,000 steps"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def in_words(value: int | Fraction) -> str:
    """A number to read: exact where its decimals end soon, else as a fraction and about."""
    text = literal(Fraction(value))
    if text.startswith("Fraction"):
        return f"{value} (about {float(value):,.6g})"
    return f"{int(value):,}" if Fraction(value).denominator == 1 else f"{float(value):,}"


def percent(share: float) -> str:
    """
    >>> percent(0.0003), percent(0.9999), percent(2.5), percent(1e-15)
    ('0.03 %', '100 %', '250 %', '0 %')
    """
    # Below that it is the rounding of float64, and nothing that anybody needs to read.
    return "0 %" if share < 1e-12 else f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


JOIN, SUM, PRODUCT, CALL = range(4)  # how tightly each way of writing a schedule binds: >>, +, *, a call


def bracketed(part: Any, least: int) -> str:
    """A schedule or number as a part of another schedule; in brackets if it binds less tightly than `least`."""
    if not hasattr(part, "written"):
        return literal(part)
    text, binds = part.written()
    return text if binds >= least else f"({text})"


def minus(part: Any) -> str | None:
    """What stands after the minus sign of a part of a sum, if it is a negative number or the negative of a schedule."""
    if not hasattr(part, "written"):
        return literal(-part) if part < 0 else None
    text, binds = part.written()
    return text[1:] if binds == PRODUCT and text.startswith("-") else None


def flattened(name: str, parts: list[Any]) -> Any:
    """The JSON of a node whose parts may be nodes of the same name; a single part stands for itself."""
    flat: list[Any] = []
    for part in parts:
        flat += part[name] if isinstance(part, dict) and name in part else [part]
    return {name: flat} if len(flat) > 1 else flat[0]
