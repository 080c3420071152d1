"""The elementary curves of which schedules are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import shapes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CurveFamily:
    """Curves that are a sum of columns, each a function of scaled time and of a few inner numbers.

    cost: how much longer a description gets by a curve of this family.
    columns: the columns at times (n,) for inner numbers. guesses: inner numbers to begin with, for times and rates.
    """

    name: str
    cost: float
    columns: Callable[[Sequence[float], Array], list[Array]]
    guesses: Callable[[Array, Array], Iterable[tuple[float, ...]]]
    numbers: int

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, eq=False)
class FittedCurve:
    """One member of a family, in time (t - middle) / scale."""

    family: CurveFamily
    middle: float
    scale: float
    inner: tuple[float, ...]
    weights: Array

    def __call__(self, t: Any) -> Array:
        scaled = (np.asarray(t, float) - self.middle) / self.scale
        columns = self.family.columns(self.inner, scaled)
        with np.errstate(all="ignore"):
            return np.asarray(sum(w * column for w, column in zip(self.weights, columns, strict=True)))

    def later(self, by: float) -> FittedCurve:
        return replace(self, middle=self.middle + by)


HALVING = shapes.exponential(0.5)  # base 2, for growth too: it is computed at any time


def _flat(inner: Sequence[float], t: Array) -> list[Array]:
    return [np.ones_like(t)]


def _line(inner: Sequence[float], t: Array) -> list[Array]:
    return [np.ones_like(t), t]


def _wave(inner: Sequence[float], t: Array) -> list[Array]:
    """A constant, a cosine about the middle, and one a quarter of a wave later: every phase is a sum of these.

    Each is divided by the power of the frequency with which it vanishes: a slow wave is then nearly a parabola, and
    its columns stay as different as those of one.
    """
    halves = inner[0] * t
    return [
        np.ones_like(t),
        shapes.cosine.rise(halves, 1 - halves, np) / inner[0] ** 2,
        (2 * shapes.cosine.rise(halves + 0.5, 0.5 - halves, np) - 1) / inner[0],
    ]


def _geometric(inner: Sequence[float], t: Array) -> list[Array]:
    return [HALVING.fall(np.clip(-inner[0] * t, -1000, 1000), t, np)]


def _shifted_geometric(inner: Sequence[float], t: Array) -> list[Array]:
    """The growth from 0 on, divided by its rate: as the rate goes to 0 it becomes a line and not a constant."""
    return [np.ones_like(t), HALVING.rise(np.clip(-inner[0] * t, -1000, 1000), t, np) / -inner[0]]


def _power(inner: Sequence[float], t: Array) -> list[Array]:
    """A power of the distance from a time outside; its sign says on which side."""
    origin, exponent = inner
    # The middle of the rows is 0, so the sign of an origin tells on which side of them it lies
    distance = t - origin if origin < 0 else origin - t
    inside = np.maximum(distance, 1e-300)
    if exponent > 0:
        return [np.where(distance > 0, shapes.power(exponent).fall(1 - inside, inside, np), 0.0)]
    return [np.where(distance > 0, shapes.inverse_power(-exponent).fall(inside - 1, t, np), np.inf)]


def _raised_power(inner: Sequence[float], t: Array) -> list[Array]:
    return [np.ones_like(t), *_power(inner, t)]


def _fixed(exponent: float, floor: bool) -> Callable[[Sequence[float], Array], list[Array]]:
    columns = _raised_power if floor else _power
    return lambda inner, t: columns((inner[0], exponent), t)


_NEAR = [1 + x for x in np.geomspace(1e-6, 30, 14)]
_EXPONENTS = (0.5, 0.9, 1.5, 2.0, 3.0, 4.0)


def _outside(t: Array, y: Array) -> list[tuple[float, ...]]:
    return [(sign * x,) for x in _NEAR for sign in (-1, 1)]


def _outside_and_exponents(t: Array, y: Array) -> list[tuple[float, ...]]:
    return [(origin, p) for (origin,) in _outside(t, y) for p in _EXPONENTS] + [
        (-origin, p) for origin in _NEAR for p in (-0.3, -0.5, -1.0, -2.0)
    ]


def _logarithmic(t: Array, y: Array) -> list[tuple[float, ...]]:
    if y.min() <= 0 or np.ptp(t) == 0:
        return []
    return [(float(np.polyfit(t, np.log2(y), 1)[0]),)]


def _root(exponent: float) -> Callable[[Array, Array], list[tuple[float, ...]]]:
    """Where the rate to the power 1 / exponent is a line, it is 0 at the origin."""

    def guess(t: Array, y: Array) -> list[tuple[float, ...]]:
        if y.min() <= 0 or y.max() == y.min() or np.ptp(t) == 0:
            return []
        slope, level = np.polyfit(t, (y / y.max()) ** (1 / exponent), 1)
        origin = -level / slope if slope else 0.0
        return [(origin,)] if abs(origin) > 1 else [(np.copysign(1 + 1e-6, -slope),)]

    return guess


def _none(t: Array, y: Array) -> list[tuple[float, ...]]:
    return [()]


FAMILIES = (
    CurveFamily("flat", 2.0, _flat, _none, 1),
    CurveFamily("line", 3.0, _line, _none, 2),
    CurveFamily("geometric", 3.6, _geometric, _logarithmic, 2),
    CurveFamily("power -0.5", 3.6, _fixed(-0.5, False), _root(-0.5), 2),
    CurveFamily("power -1", 3.8, _fixed(-1.0, False), _root(-1.0), 2),
    CurveFamily("power 2", 4.2, _fixed(2.0, True), _outside, 3),
    CurveFamily("power 0.5", 4.4, _fixed(0.5, True), _outside, 3),
    CurveFamily("wave", 4.5, _wave, lambda t, y: [(w,) for w in np.geomspace(0.003, 2.1, 26)], 4),
    CurveFamily("shifted geometric", 5.2, _shifted_geometric, lambda t, y: [(k,) for k in _rates()], 3),
    CurveFamily("power", 5.4, _power, _outside_and_exponents, 3),
    CurveFamily("raised power", 6.2, _raised_power, _outside_and_exponents, 4),
)


def _rates() -> list[float]:
    sizes = np.geomspace(0.07, 17, 10)
    return [float(sign * k) for k in sizes for sign in (-1, 1)]
