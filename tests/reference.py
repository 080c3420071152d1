"""What a schedule should be, by the definitions of its nodes in 50-digit arithmetic and exact fractions.

Written from the definitions alone: it shares no code with the package but the names of the nodes' fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath

from annealing import (
    Beyond,
    Held,
    Join,
    Maximum,
    Minimum,
    Product,
    Repeat,
    Run,
    Schedule,
    Shifted,
    Stretched,
    Sum,
    Tail,
    Until,
    shapes,
)

mpmath.mp.dps = 50

Change = Callable[[Any], Any]


def number(x: Any) -> Any:
    exact = Fraction(x)
    return mpmath.mpf(exact.numerator) / exact.denominator


def same(x: Any) -> Any:
    return x


def length(s: Any) -> Fraction | None:
    match s:
        case Run(length=own):
            return Fraction(own)
        case Join(parts=parts):
            lengths = [length(part) for part in parts]
            return None if lengths[-1] is None else sum(lengths, Fraction(0))
        case Repeat(part=part, times=times, growth=growth):
            once = length(part)
            return None if times is None else sum((once * Fraction(growth) ** i for i in range(times)), Fraction(0))
        case Shifted(part=part, by=by):
            return None if length(part) is None else length(part) + by
        case Stretched(part=part, by=by):
            return None if length(part) is None else length(part) * by
        case Beyond(part=part, policy=policy):
            return length(part) if policy in ("hold", "raise") else None
        case Until(time=time):
            return Fraction(time)
        case Tail():
            return None
        case Held(part=part, every=every):
            return None if length(part) is None else math.ceil(length(part) / every) * every
        case Sum(parts=parts) | Product(parts=parts) | Minimum(parts=parts) | Maximum(parts=parts):
            lengths = [length(part) for part in parts if isinstance(part, Schedule)]
            return None if None in lengths else max(lengths)
    raise TypeError(s)


def end_values(s: Any) -> list[float]:
    match s:
        case Run(start=start, end=end) | Tail(start=start, end=end):
            return [start, end]
        case Join(parts=parts):
            return [value for part in parts for value in end_values(part)]
        case Repeat(part=part, peak_factor=peak, floor_factor=floor):
            assert peak == floor == 1, "a reference for factors within factors is not written"
            return end_values(part)
        case Shifted(part=part) | Stretched(part=part) | Beyond(part=part) | Until(part=part) | Held(part=part):
            return end_values(part)
    raise TypeError(s)


def line(repeat: Repeat, copy: int) -> Change:
    """The line that takes (floor, peak) of the part to those of a copy."""
    ends = end_values(repeat.part)
    floor, peak = number(min(ends)), number(max(ends))
    low = floor * number(repeat.floor_factor) ** copy
    high = max(low, peak * number(repeat.peak_factor) ** copy)
    return lambda v: high if floor == peak else low + (v - floor) / (peak - floor) * (high - low)


def fall(shape: Any, done: Any) -> Any:
    """The weight of the start."""
    parameters = [v if isinstance(v, shapes.Shape) else number(v) for v in vars(shape).values()]
    power, exp = mpmath.power, mpmath.exp
    return {
        "flat": lambda: mpmath.mpf(1),
        "linear": lambda: 1 - done,
        "cosine": lambda: (1 + mpmath.cospi(done)) / 2,
        "half_cosine": lambda: 1 - mpmath.sinpi(done / 2),
        "mirror_cosine": lambda: 2 * (1 - done) - (1 + mpmath.cospi(done)) / 2,
        "power": lambda p: power(1 - done, p),
        "geometric": lambda r: (power(r, done) - r) / (1 - r),
        "harmonic": lambda r: (1 / (1 + (1 / r - 1) * done) - r) / (1 - r),
        "hyperbolic": lambda q: mpmath.sqrt((1 - done) * (1 - q * done)),
        "logarithmic": lambda r: 1 - mpmath.log(1 + (r - 1) * done) / mpmath.log(r),
        "tanh": lambda a, b: (mpmath.tanh(b) - mpmath.tanh(a + (b - a) * done)) / (mpmath.tanh(b) - mpmath.tanh(a)),
        "exponential": lambda gamma: exp(done * mpmath.log(gamma)),
        "inverse_power": lambda p: power(1 + done, -p),
        "mirrored": lambda inner: 1 - fall(inner, 1 - done),
        "composed": lambda outer, inner: fall(outer, 1 - fall(inner, done)),
    }[shape.name](*parameters)


def value(s: Any, t: Fraction, change: Change = same, left: bool = False) -> Any:
    """The value of schedule s at the exact time t, or its limit from the left."""
    if t <= 0:
        t, left = Fraction(0), False
    match s:
        case float() | int():
            return number(s)
        case Run(shape=shape, start=start, end=end, length=own):
            start, end = change(number(start)), change(number(end))
            if t > own or (t == own and not left):
                return end
            done = number(t) / number(own)
            weight = fall(shape, done)
            return start * weight + end * (1 - weight)
        case Tail(shape=shape, start=start, end=end, timescale=timescale):
            start, end = change(number(start)), change(number(end))
            weight = fall(shape, number(t) / number(timescale))
            return start * weight + end * (1 - weight)
        case Join(parts=parts):
            for part in parts[:-1]:
                here = length(part)
                if t < here or (t == here and left):
                    return value(part, t, change, left)
                t -= here
            return value(parts[-1], t, change, left)
        case Repeat(part=part, times=times, growth=growth):
            begin, copy, own = Fraction(0), 0, length(part)
            if growth == 1:
                copy = math.ceil(t / own) - 1 if left else t // own
                copy = copy if times is None else min(copy, times - 1)
                begin = copy * own
            else:
                while t > begin + own or (t == begin + own and not left):
                    if copy + 1 == times:
                        break
                    begin, own, copy = begin + own, own * Fraction(growth), copy + 1
            scale = Fraction(growth) ** copy
            inner = line(s, copy) if (s.peak_factor, s.floor_factor) != (1, 1) else same
            return value(part, (t - begin) / scale, lambda v: change(inner(v)), left)
        case Shifted(part=part, by=by):
            return value(part, t - by, change, left and t > max(by, 0))
        case Stretched(part=part, by=by):
            return value(part, t / by, change, left)
        case Beyond(part=part, policy=policy):
            own = length(part)
            if own is None or policy in ("hold", "raise"):
                return value(part, t, change, left)
            period = own if policy == "repeat" else 2 * own
            t -= (math.ceil(t / period) - 1 if left else t // period) * period
            if policy == "mirror" and (t > own or (t == own and not left)):
                return value(part, 2 * own - t, change, left=not left)
            return value(part, t, change, left)
        case Until(part=part, time=time):
            return value(part, min(t, time), change, left or t >= time)
        case Held(part=part, every=every):
            stairs = math.ceil(t / every) - 1 if left else t // every
            return value(part, max(stairs, 0) * every, change)
        case Minimum(parts=parts):
            return min(value(part, t, change, left) for part in parts)
        case Maximum(parts=parts):
            return max(value(part, t, change, left) for part in parts)
        case Sum(parts=parts):
            return sum(value(part, t, change, left) for part in parts)
        case Product(parts=parts):
            return mpmath.fprod(value(part, t, change, left) for part in parts)
    raise TypeError(s)


def ulps(got: float, expected: Any) -> float:
    """How far a float is from a reference value, in units of its last place."""
    return float(abs(number(got) - expected) / math.ulp(float(expected)))
