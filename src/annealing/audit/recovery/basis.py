"""The elementary curves of which schedules are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Family:
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
class Curve:
    """One member of a family, in time (t - middle) / scale."""

    family: Family
    middle: float
    scale: float
    inner: tuple[float, ...]
    weights: Array

    def __call__(self, t: Any) -> Array:
        scaled = (np.asarray(t, float) - self.middle) / self.scale
        columns = self.family.columns(self.inner, scaled)
        with np.errstate(all="ignore"):
            return np.asarray(sum(w * column for w, column in zip(self.weights, columns, strict=True)))

    def later(self, by: float) -> Curve:
        return replace(self, middle=self.middle + by)


def _flat(inner: Sequence[float], t: Array) -> list[Array]:
    return [np.ones_like(t)]


def _line(inner: Sequence[float], t: Array) -> list[Array]:
    return [np.ones_like(t), t]


def _sine(inner: Sequence[float], t: Array) -> list[Array]:
    w = inner[0]
    half = np.sin(w * t / 2) / w
    return [np.ones_like(t), half * half, np.sin(w * t) / w]


def _geometric(inner: Sequence[float], t: Array) -> list[Array]:
    return [np.exp(np.clip(inner[0] * t, -700, 700))]


def _shifted_geometric(inner: Sequence[float], t: Array) -> list[Array]:
    return [np.ones_like(t), np.expm1(np.clip(inner[0] * t, -700, 700)) / inner[0]]


def _power(inner: Sequence[float], t: Array) -> list[Array]:
    """A power of the distance from a time outside; its sign says on which side."""
    origin, exponent = inner
    distance = np.where(np.less(origin, 0), t - origin, origin - t)
    with np.errstate(all="ignore"):
        outside = np.where(np.greater(exponent, 0), 0.0, np.inf)
        return [np.where(distance > 0, np.maximum(distance, 1e-300) ** exponent, outside)]


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
    return [(float(np.polyfit(t, np.log(y), 1)[0]),)]


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
    Family("flat", 2.0, _flat, _none, 1),
    Family("line", 3.0, _line, _none, 2),
    Family("geometric", 3.6, _geometric, _logarithmic, 2),
    Family("power -0.5", 3.6, _fixed(-0.5, False), _root(-0.5), 2),
    Family("power -1", 3.8, _fixed(-1.0, False), _root(-1.0), 2),
    Family("power 2", 4.2, _fixed(2.0, True), _outside, 3),
    Family("power 0.5", 4.4, _fixed(0.5, True), _outside, 3),
    Family("sine", 4.5, _sine, lambda t, y: [(w,) for w in np.geomspace(0.01, 6.5, 26)], 4),
    Family("shifted geometric", 5.2, _shifted_geometric, lambda t, y: [(k,) for k in _rates()], 3),
    Family("power", 5.4, _power, _outside_and_exponents, 3),
    Family("raised power", 6.2, _raised_power, _outside_and_exponents, 4),
)


def _rates() -> list[float]:
    sizes = np.geomspace(0.05, 12, 10)
    return [float(sign * k) for k in sizes for sign in (-1, 1)]
