"""The one error of this package, and the checks that raise it."""

from __future__ import annotations

import math
import numbers
from typing import Any


class ScheduleError(ValueError):
    """A schedule, a time or a notation that cannot be accepted; the message says what is allowed.

    place: where in a notation with single spaces the message points, if it is about one.
    """

    place: int | None = None


def missing(what: str, error: ModuleNotFoundError, extra: str) -> ModuleNotFoundError:
    """The error about a package that an extra brings: one line that says what to install."""
    # The command line tells by the name of the module that it is an extra's and not one of the user's own.
    name = (error.name or "").partition(".")[0]
    return ModuleNotFoundError(f"{what} needs {name}: pip install 'annealing[{extra}]'", name=name)


def finite(value: Any, name: str) -> float:
    """Read a value (a learning rate, a factor) as a float; anything but a finite real number is refused."""
    scalar = hasattr(value, "dtype") and getattr(value, "ndim", None) == 0
    if isinstance(value, bool) or not (isinstance(value, numbers.Real) or scalar):
        raise ScheduleError(f"{name} must be a real number, got {value!r}")
    try:
        result = float(value)
    except TypeError:  # what JAX raises for a value that is not known yet
        how = "annealing.jax.times(value, schedule) multiplies with it, and the values of a schedule can be traced"
        raise ScheduleError(f"{name} must be a number that is known, got {value!r}; {how}") from None
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise ScheduleError(f"{name} must be finite, got {value!r}")
    return result + 0.0  # -0.0 and 0.0 are one value


def whole(value: Any, name: str, least: int = 1) -> int:
    """Read a count; anything but a whole number of at least `least` (and at most 2^200) is refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ScheduleError(f"{name} must be a whole number of at least {least}, got {value!r}")
    if (count := int(value)) > 2**200:
        raise ScheduleError(f"{name} must be at most 2^200, got a number of {count.bit_length()} bits")
    return count
