"""Exact times: durations as fractions, and boundaries as floats that never round down."""

from __future__ import annotations

import math
import numbers
from fractions import Fraction
from typing import Any

import numpy as np

from .errors import ScheduleError

Time = float | Fraction | str  # what a recipe takes for a time: a number, or a duration with a unit such as "5%"

Floor = float | str  # what a recipe takes for a floor: a value, or a share of its peak such as "10%"

END_OF_TIME = 2**53  # the last time up to which float64 counts every step
SHORTEST = Fraction(1, 10**100)  # of a piece; divisions by it stay within the range of floats
MOST_RUNS = 100_000  # a schedule with more cycles than this is refused
HUGE = 2**2100  # a float multiplied by it, if not 0, is beyond the range of floats; divided by it, it is 0
DIGITS = 256  # bits kept of a number whose exact powers would grow without end


def exact(value: Any, name: str) -> Fraction:
    """Read a time as an exact fraction: a float stands for its shortest decimal, so 0.1 is 1/10."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ScheduleError(f"{name} must be a number (int, float or Fraction), got {value!r}")
    # A float is read as the number somebody typed: 0.1 epochs is a tenth, not 0.1000000000000000055.
    if isinstance(value, numbers.Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if not math.isfinite(value):
        raise ScheduleError(f"{name} must be finite, got {value!r}")
    # NumPy's own repr would be "np.float64(0.1)".
    return Fraction(float.__repr__(value) if isinstance(value, float) else str(value))


def positive(value: Any, name: str) -> Fraction:
    """Read a length of time, which must be above 0 (at least 1e-100) and at most 2^53."""
    length = exact(value, name)
    if not 0 < length <= END_OF_TIME:
        raise ScheduleError(f"{name} must be above 0 and at most 2^53, got {value!r}")
    if length < SHORTEST:
        raise ScheduleError(f"{name} must be above 0, at least 1e-100, got {value!r}")
    return length


def lasting(value: Any, name: str) -> Fraction:
    """Read how long a part of a schedule lasts: 0, for a part that is left out, or a length as `positive` allows."""
    if (length := exact(value, name)) < 0:
        raise ScheduleError(f"{name} must be at least 0 and at most 2^53, got {value!r}")
    return positive(value, name) if length else length


def exact_number(time: Fraction) -> int | Fraction:
    """The same time, as an int where it is one: these are faster, and shorter to read."""
    return int(time) if time.denominator == 1 else time


def plain(time: Fraction | float) -> int | float:
    """The first int or float at which `time` has been reached."""
    if isinstance(time, float):
        return time
    return int(time) if time.denominator == 1 else ceiling(time)


def ceiling(time: Fraction | int, dtype: type[np.floating[Any]] = np.float64) -> float:
    """The smallest number of the type that is not below an exact time."""
    # A boundary must never be rounded down: a time before it would then already belong to the later piece.
    nearest = dtype(float(time))
    if Fraction(float(nearest)) < time:
        nearest = np.nextafter(nearest, dtype(np.inf))
    else:  # a float32 may have been rounded twice
        below = np.nextafter(nearest, dtype(-np.inf))
        if Fraction(float(below)) >= time:
            nearest = below
    return float(nearest)


def trimmed(number: Fraction) -> Fraction:
    """A fraction with a small denominator as it is, another one rounded down to `DIGITS` bits."""
    if number.denominator.bit_length() <= DIGITS:
        return number
    # The exact powers of 1.1 or 4/3 double their digits with every copy; 256 bits keep boundaries exact to far below
    # one ulp, and rounding down means that copies never overlap.
    shift = DIGITS - number.numerator.bit_length() + number.denominator.bit_length()
    if shift < 0:  # above 2^256
        return Fraction(number.numerator // (number.denominator << -shift) << -shift)
    return Fraction((number.numerator << shift) // number.denominator, 1 << shift)


def powers(base: Fraction) -> Any:
    """1, base, base^2, ... without end."""
    power = Fraction(1)
    while True:
        yield power
        # Beyond the range of floats nothing changes any more: the value is infinite there, or 0.
        if power < HUGE:
            power = trimmed(power * base)
        if power * HUGE < 1:
            power = Fraction(0)
