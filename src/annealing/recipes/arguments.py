"""Checks of arguments that several recipes make; each message names the argument as its recipe does."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .. import shapes
from ..durations import duration
from ..errors import ScheduleError, finite
from ..exact import exact
from ..shapes import Shape

MOST_POWER = 100
LARGEST_RATIO = 1e300


def above_0(value: Any, name: str) -> float:
    if (number := finite(value, name)) <= 0:
        raise ScheduleError(f"{name} must be above 0, got {value!r}")
    return number


def below(**values: Any) -> float:
    """The second of two values, which must be at most the first."""
    (most, high), (name, value) = values.items()
    if finite(value, name) > finite(high, most):
        raise ScheduleError(f"{name} must be at most {most} = {high!r}, got {value!r}")
    return float(value)


def share_of(peak: Any, text: str, name: str) -> float:
    """A share of a peak, such as "10%", as a value; a peak of 0.1 counts as 1/10, so that "10%" of it is 0.01."""
    try:
        amount, unit = duration(text, name)
    except ScheduleError:
        unit = ""
    if unit != "%":
        raise ScheduleError(f'{name} must be a number, or a share of the peak such as "10%", got {text!r}')
    return float(exact(peak, "the peak") * amount / 100)


def share(value: Any, name: str, most: Fraction = Fraction(1)) -> Fraction:
    """A share of a length."""
    if not 0 <= (exactly := exact(value, name)) <= most:
        raise ScheduleError(f"{name} must be from 0 to {float(most):g}, got {value!r}")
    return exactly


def power_shape(exponent: Any, name: str) -> Shape:
    """The power shape of an exponent."""
    if not 0 < finite(exponent, name) <= MOST_POWER:
        raise ScheduleError(f"{name} must be above 0 and at most {MOST_POWER}, got {exponent!r}")
    return shapes.power(exponent)


def ratio(purpose: str = "", **values: Any) -> float:
    """The second of two values by the first; both must be above 0 and not too far apart."""
    for name, value in values.items():
        if finite(value, name) <= 0:
            raise ScheduleError(f"{name} must be above 0{purpose}, got {value!r}")
    (first, start), (second, end) = values.items()
    if not 1 / LARGEST_RATIO < end / start < LARGEST_RATIO:
        raise ScheduleError(f"{second} must be within 1e300 times {first} = {start!r}{purpose}, got {end!r}")
    return float(end / start)
