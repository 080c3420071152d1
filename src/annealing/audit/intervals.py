"""The plainest number in an interval: a short decimal for a rate, a round whole number for a time."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from .tolerances import WHOLE_TIME

MOST_DENOMINATOR = 400


def shortest(least: float, most: float) -> float:
    """The decimal of fewest significant digits in [least, most]; 0 is the shortest of all.

    >>> shortest(4.99999e-05, 5.00001e-05), shortest(-1e-9, 1e-9), shortest(0.31, 0.34)
    (5e-05, 0.0, 0.33)
    """
    if least <= 0 <= most:
        return 0.0
    if most < 0:
        return -shortest(-most, -least)
    middle = (least + most) / 2
    for digits in range(1, 17):
        unit = math.floor(math.log10(most)) - digits + 1
        nearest = float(f"{middle:.{digits - 1}e}")
        if least <= nearest <= most:
            return nearest
        step = Fraction(10) ** unit
        above = math.ceil(Fraction(least) / step)
        if above * step <= Fraction(most):
            return float(above * step)
    return middle


def digits_of(value: float | Fraction) -> int:
    """How many significant digits a value is written with.

    >>> digits_of(5e-05), digits_of(0), digits_of(866), digits_of(0.25)
    (1, 0, 3, 2)
    >>> digits_of(0.0006)  # its nearest float64 is 5.9999999999999994e-04
    1
    """
    mantissa = f"{abs(float(value)):.14e}".split("e")[0].replace(".", "")
    return len(mantissa.rstrip("0"))


def roundest(least: float, most: float) -> int | Fraction | None:
    """The whole number of most trailing zeros in [least, most], else the fraction of least denominator, or None.

    >>> roundest(7793.9, 7794.2), roundest(31901, 32000), roundest(22.4, 22.6), roundest(0.1234562, 0.1234563)
    (7794, 32000, Fraction(45, 2), None)
    """
    if math.floor(most) >= math.ceil(least):
        middle = (least + most) / 2
        for power in range(15, -1, -1):
            unit = 10**power
            if math.floor(most / unit) * unit >= least:
                low, high = math.ceil(least / unit), math.floor(most / unit)
                if low == 0 == high and power:
                    continue
                return int(min(max(round(middle / unit), low), high) * unit)
    for denominator in range(2, MOST_DENOMINATOR + 1):
        if (top := math.ceil(least * denominator)) <= most * denominator:
            return Fraction(top, denominator)
    return None


def plain(value: float) -> float | int:
    """A number as an int where it is one, but for rounding."""
    near = round(value)
    return near if abs(value - near) <= WHOLE_TIME * max(abs(value), 1) else float(value)


def is_whole(value: float) -> bool:
    return isinstance(plain(value), int)


def wholes(low: float, high: float) -> list[float]:
    """The roundest number between two, the whole numbers around the middle, and the middle where there are none."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return []
    room = WHOLE_TIME * max(abs(low), abs(high), 1)
    middle, best = round((low + high) / 2), roundest(low - room, high + room)
    ends = (np.ceil(low - room), np.floor(high + room))  # a milestone that falls on a row is an end
    near = [one for one in (*ends, middle, middle + 1, middle - 1) if low - room <= one <= high + room]
    return list(dict.fromkeys(float(one) for one in (*near, best if best is not None else (low + high) / 2)))
