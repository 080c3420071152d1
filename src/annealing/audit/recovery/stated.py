"""The numbers that a log states of its own schedule: among those that the rows allow they come first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

SCHEDULE = re.compile(
    r"lr|rate|warm|gamma|milestone|decay|(max|total|train|num).*(step|iter|epoch)|^(steps|epochs)$", re.I
)
OTHER = re.compile(r"log|global|eval|save|val_|size|batch|weight|accum", re.I)
HORIZONS = ("max_steps", "total_steps", "max_iter", "max_iters", "num_training_steps", "train_iters")

_numbers: ContextVar[frozenset[float]] = ContextVar("numbers", default=frozenset())


def numbers_of(settings: dict[str, Any]) -> frozenset[float]:
    """The numbers of settings that are of the schedule by their names."""
    found = set()
    for name, value in settings.items():
        if SCHEDULE.search(name) and not OTHER.search(name):
            values = value if isinstance(value, list | tuple) else [value]
            found |= {float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)}
    if (end := horizon_of(settings)) is not None:
        found |= {round(share * end) for share in found if 0 < share < 1}  # a warm-up as a share of all steps
    return frozenset(found - {0.0})


def horizon_of(settings: dict[str, Any]) -> float | None:
    """How many updates the run was meant to take, as far as the log says."""
    known = {name.lower(): value for name, value in settings.items()}
    values = (known.get(name) for name in HORIZONS)
    return next((float(one) for one in values if isinstance(one, int | float) and one > 0), None)


@contextmanager
def stating(numbers: frozenset[float]) -> Iterator[None]:
    """Within it these numbers come first."""
    token = _numbers.set(numbers)
    try:
        yield
    finally:
        _numbers.reset(token)


def is_stated(number: float) -> bool:
    """Whether the log states a number."""
    return number in _numbers.get()


def stated_between(least: float, most: float) -> float | None:
    """A number that the log states, between two others."""
    return min((number for number in _numbers.get() if least <= number <= most), default=None)
