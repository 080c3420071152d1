"""Shapes with a parameter, and the endless shapes of a Tail."""

from __future__ import annotations

import math
from typing import Any

from ..calls import checked
from ..errors import ScheduleError, finite
from .shape import Shape, linear

SMALLEST = 2.0**-1022  # by which what is at most 1 can be divided


class Power(Shape):
    exponent: float

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return left**self.exponent

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return -xp.expm1(-self.exponent * xp.log1p(done / xp.clip(left, SMALLEST, 1.0)))


class Geometric(Shape):
    ratio: float

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return _geometric(self.ratio, done, left, xp)

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return _geometric(1 / self.ratio, left, done, xp)


def _geometric(ratio: float, done: Any, left: Any, xp: Any) -> Any:
    """(ratio^done - ratio) / (1 - ratio), from the nearer end, and without a difference of values that are close."""
    # expm1 keeps the digits where ratio^done is close to ratio; further away than 1/4 the difference itself is safe.
    ahead = xp.expm1(-math.log(ratio) * left) * (ratio / (1 - ratio))
    if ratio > 0.25:
        return ahead
    return xp.where(done < left, (ratio**done - ratio) / (1 - ratio), ahead)


class Harmonic(Shape):
    ratio: float

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return self.ratio * left / (self.ratio * left + done)

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return done / (self.ratio * left + done)


class Hyperbolic(Shape):
    ratio: float

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return (left * (1 - self.ratio + self.ratio * left)) ** 0.5

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return done * (1 + self.ratio * left) / (1 + self.fall(done, left, xp))


class Logarithmic(Shape):
    ratio: float

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return xp.log1p((self.ratio - 1) * left / (1 + (self.ratio - 1) * done)) / math.log(self.ratio)

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return xp.log1p((self.ratio - 1) * done) / math.log(self.ratio)


class Tanh(Shape):
    lower: float
    upper: float

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return _logistic(self.lower, self.upper, done, left, xp)

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return _logistic(-self.upper, -self.lower, left, done, xp)


def _logistic(lower: float, upper: float, done: Any, left: Any, xp: Any) -> Any:
    """(tanh(upper) - tanh(x)) / (tanh(upper) - tanh(lower)) for x on the way from lower to upper."""
    # A difference of two tanh as a product: (tanh b - tanh x) / (tanh b - tanh a) in exponentials that do not cancel.
    width = upper - lower
    x = xp.where(done < left, lower + width * done, upper - width * left)
    gone = xp.expm1(-2 * width * left) / math.expm1(-2 * width)
    return gone * ((1 + math.exp(2 * lower)) / (1 + xp.exp(2 * x)))


class Exponential(Shape):
    gamma: float

    reach = math.inf

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        # In float32 gamma itself is rounded, and a power would multiply that error.
        if getattr(done, "dtype", None) == "float32":
            return xp.exp(done * math.log(self.gamma))
        return self.gamma**done

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return -xp.expm1(done * math.log(self.gamma))


class InversePower(Shape):
    exponent: float

    reach = math.inf

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return (1 + done) ** -self.exponent

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return -xp.expm1(-self.exponent * xp.log1p(done))


@checked
def power(exponent: float) -> Shape:
    """The weight of the start is left^exponent: polynomial decay. `mirrored` it is 1 - done^exponent.

    exponent: above 0, at most 100; 1 is the straight line. Above 10 the error grows beyond 8 units in the last place,
    as exponent / 2, since `left` is rounded once.

    >>> from annealing.shapes import mirrored
    >>> power(2)(0.75, 0.25), mirrored(power(2))(0.75, 0.25)
    (0.0625, 0.4375)

    Source: the polynomial decay of every framework; mirrored with exponent 1/2 it is the "1-sqrt" cooldown of
    arXiv 2405.18392.
    """
    return linear if (exponent := _between(exponent, "exponent", 0, 100)) == 1 else Power(exponent)


@checked
def geometric(ratio: float) -> Shape:
    """The weight of the start as a geometric progression from 1 to `ratio` goes: (ratio^done - ratio) / (1 - ratio).

    A cycle whose end is ratio * start is then a geometric progression itself, start * ratio^done; another one has the
    same bend. ratio: between 1e-300 and 1e300; 1 is the straight line. Beyond 1e-6 and 1e6 the error grows beyond 8
    units in the last place, as the logarithm of the ratio.

    >>> round(geometric(0.01)(0.5, 0.5), 12), round(0.01 + 0.99 * geometric(0.01)(0.5, 0.5), 12)
    (0.090909090909, 0.1)

    Source: the exponential decay between two values, e.g. of fairseq's tri-stage schedule (arXiv 1904.08779).
    """
    return linear if (ratio := _between(ratio, "ratio", 1e-300, 1e300)) == 1 else Geometric(ratio)


@checked
def harmonic(ratio: float) -> Shape:
    """The weight of the start as a harmonic progression from 1 to `ratio` goes: ratio * left / (ratio * left + done).

    A cycle whose end is ratio * start has 1 / value on a straight line. ratio: between 1e-300 and 1e300; 1 is the
    straight line. With 2 it is REX.

    >>> harmonic(2)(0.5, 0.5) == 2 / 3, harmonic(0.25)(0.5, 0.5)
    (True, 0.2)

    Source: Chen et al. 2021, arXiv 2107.04197 (REX); inverse time decay to a ratio.
    """
    return linear if (ratio := _between(ratio, "ratio", 1e-300, 1e300)) == 1 else Harmonic(ratio)


@checked
def hyperbolic(ratio: float) -> Shape:
    """The weight of the start is sqrt(left * (1 - ratio * done)): a hyperbola that meets 0 at a right angle.

    ratio: above 0, at most 1; 1 is the straight line. It is T / (2 U - T) for a cycle of length T under the bound U.

    >>> round(hyperbolic(0.25)(0.5, 0.5), 12), round(hyperbolic(0.25).rest(0.5, 0.5), 12)
    (0.661437827766, 0.338562172234)

    Source: Kim 2024, arXiv 2407.15200 (HyperbolicLR).
    """
    return linear if (ratio := _between(ratio, "ratio", 0, 1)) == 1 else Hyperbolic(ratio)


@checked
def logarithmic(ratio: float) -> Shape:
    """The weight of the end is log(1 + (ratio - 1) * done) / log(ratio): steep at first, the inverse of `geometric`.

    ratio: above 1, at most 1e15.

    >>> logarithmic(100).rest(1 / 11, 10 / 11), round(logarithmic(100).rest(9 / 99, 90 / 99), 12)
    (0.5, 0.5)

    Source: the logarithmic warm-up of DeepSpeed (WarmupLR), log(t + 1) / log(W), is this with ratio W over W - 1: it
    reaches its peak one update before W.
    """
    return Logarithmic(_between(ratio, "ratio", 1, 1e15))


@checked
def tanh(lower: float, upper: float) -> Shape:
    """The weight of the start as -tanh goes from `lower` to `upper`, set to 1 and 0 at the ends.

    lower, upper: between -100 and 100, lower below upper.

    >>> round(tanh(-3, 3)(0.5, 0.5), 15), round(tanh(-6, 3)(2 / 3, 1 / 3), 6)
    (0.5, 0.498764)

    Source: Hsueh, Li and Wu 2019, arXiv 1806.01593 (hyperbolic-tangent decay).
    """
    lower, upper = _between(lower, "lower", -100, 100), _between(upper, "upper", -100, 100)
    if lower >= upper:
        raise ScheduleError(f"lower must be below upper = {upper!r}, got {lower!r}")
    return Tanh(lower, upper)


@checked
def exponential(gamma: float) -> Shape:
    """An endless shape, for a Tail: the weight of the start is gamma^done.

    gamma: above 0, below 1. The error is at most 8 units in the last place and the natural logarithm of the weight.

    >>> exponential(0.5)(3, None), exponential(0.5).rest(3, None)
    (0.125, 0.875)

    Source: torch.optim.lr_scheduler.ExponentialLR, with done counted in timescales.
    """
    if (gamma := _between(gamma, "gamma", 0, 1)) == 1:
        raise ScheduleError("gamma must be below 1, got 1")
    return Exponential(gamma)


@checked
def inverse_power(exponent: float) -> Shape:
    """An endless shape, for a Tail: the weight of the start is (1 + done)^-exponent.

    exponent: above 0, at most 100; 1/2 gives the inverse square root, 1 inverse time decay.

    >>> inverse_power(0.5)(3, None), inverse_power(1)(3, None)
    (0.5, 0.25)

    Source: Vaswani et al. 2017, arXiv 1706.03762, after the warm-up.
    """
    return InversePower(_between(exponent, "exponent", 0, 100))


def _between(value: Any, name: str, least: float, most: float) -> float:
    """A number above `least` (which a logarithm or a power could not take) up to `most`."""
    number = finite(value, name)
    if not least < number <= most:
        raise ScheduleError(f"{name} must be above {least:g} and at most {most:g}, got {value!r}")
    return number
