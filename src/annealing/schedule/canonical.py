"""What nodes share: reading their parts, flattening their trees, and the brackets that printing adds."""

from __future__ import annotations

from typing import Any

from ..errors import ScheduleError
from ..printing import literal
from .base import Schedule

JOIN, SUM, PRODUCT, CALL = range(4)  # how tightly each way of writing binds


def bracketed(part: Schedule | float, least: int) -> str:
    if not isinstance(part, Schedule):
        return literal(part)
    text, binds = (part._label, CALL) if part._label else part._written()
    return text if binds >= least else f"({text})"


def flattened(name: str, parts: list[Any]) -> Any:
    """One node of a name for nested ones of the same name; a single part stands for itself."""
    flat: list[Any] = []
    for part in parts:
        flat += part[name] if isinstance(part, dict) and name in part else [part]
    return {name: flat} if len(flat) > 1 else flat[0]


def schedules(parts: Any, what: str) -> tuple[Schedule, ...]:
    checked: tuple[Schedule, ...] = tuple(parts) if isinstance(parts, tuple | list) else ()
    if not checked or not all(isinstance(part, Schedule) for part in checked):
        raise ScheduleError(f"{what} must be schedules, at least one, got {parts!r}")
    return checked


def chained(node: Any, one: Schedule, two: Any) -> Schedule:
    """`one` and `two` in a Join, Sum or Product; a left side that is one itself (and no recipe) is continued."""
    parts: tuple[Any, ...] = one.parts if isinstance(one, node) and one._label is None else (one,)
    made: Schedule = node((*parts, two))
    return made
