"""Where a log rises, stays at its top, falls and rests: what the named recipes are begun from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .curve_families import FAMILIES, Array, CurveFamily, FittedCurve
from .curve_fit import fitted

LOOSE = 3.0  # of the slack: a curve through the fall alone is a first guess
A_PART = 0.01
LEAST_CHANGE = 0.9  # of a unit of the last digit
WAVE = next(family for family in FAMILIES if family.name == "wave")
BODIES: tuple[CurveFamily, ...] = tuple(family for family in FAMILIES if family.name != "flat")


@dataclass(frozen=True, eq=False)
class Outline:
    """Rows 0..top - 1 rise, top..fall - 1 are the greatest, fall..rest - 1 fall, and those from rest on are the least.

    Those may lie on the curve of the fall, or after its end.
    """

    t: Array
    y: Array
    slack: Array
    top: int
    fall: int
    rest: int

    @property
    def peak(self) -> float:
        return float(self.y[self.top])

    def curve(self, family: CurveFamily) -> FittedCurve | None:
        """The curve of a family through the rows that fall."""
        rows = slice(self.fall, self.rest)
        if self.rest - self.fall < family.numbers + 1:
            return None
        return fitted(family, self.t[rows], self.y[rows], self.slack[rows] * LOOSE)

    def rising_curve(self) -> FittedCurve | None:
        """The wave through the rows that rise."""
        rows = slice(0, self.top + 1)
        if self.top < 5:
            return None
        return fitted(WAVE, self.t[rows], self.y[rows], self.slack[rows] * LOOSE)

    def rests(self, curve: FittedCurve) -> bool:
        """Whether the last rows no longer follow the curve of the fall."""
        rows = slice(self.rest, None)
        near = curve(self.t[rows])
        step = abs(float(self.y[self.rest - 1]) - near)  # a first guess is no nearer than a part of that
        return bool((np.abs(near - self.y[rows]) > LOOSE * self.slack[rows] + A_PART * step).any())


def outline(t: Array, y: Array, slack: Array) -> Outline | None:
    """The outline of rates that rise once and then fall, or do one of both; None of others."""
    way = ways(y, slack)
    falling = np.flatnonzero(way < 0)
    rising = np.flatnonzero(way > 0)
    if len(rising) and len(falling) and rising[-1] > falling[0]:
        return None
    top = int(rising[-1]) + 1 if len(rising) else 0
    fall = int(falling[0]) + 1 if len(falling) else len(t)
    rest = int(falling[-1]) + 1 if len(falling) else len(t)
    return Outline(t, y, slack, top, fall, rest)


def ways(y: Array, slack: Array) -> NDArray[np.int64]:
    """Whether the rate rises (1), falls (-1) or stays from each row to the next, as far as digits tell."""
    # Two rates printed with half a digit of tolerance may differ by a whole one and still be equal
    change = np.diff(y)
    return np.where(np.abs(change) > LEAST_CHANGE * (slack[1:] + slack[:-1]), np.sign(change), 0).astype(np.int64)
