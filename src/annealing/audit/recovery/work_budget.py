"""How much a search may work: counted in steps and not in seconds, so that a log has one answer on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Exhausted(Exception):
    """The work that a search may do is done."""


_left: ContextVar[float] = ContextVar("left", default=float("inf"))


@contextmanager
def limited(most: float) -> Iterator[None]:
    """Within it `spend` ends the search after so much work, or after what is left of that around it."""
    around = _left.get()
    token = _left.set(min(most, around))
    try:
        yield
    finally:
        spent = min(most, around) - _left.get()
        _left.reset(token)
        _left.set(around - spent)


def spend(work: float) -> None:
    """Count work: 1 for a step of a fit, which is about a millisecond."""
    left = _left.get() - work
    _left.set(left)
    if left < 0:
        raise Exhausted
