"""Where a log rises, stays at its top, falls and rests: what the named recipes are begun from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .decay_curves import LOOSE, CurveFamily, beyond, fitted
from .fitting import LogRows
from .model import Model

A_PART = 0.01
LEAST_CHANGE = 0.9  # of a unit of the last digit


@dataclass(frozen=True, eq=False)
class Outline:
    """Rows 0..top - 1 rise, top..fall - 1 are the greatest, fall..rest - 1 fall, and those from rest on are the least.

    Those may lie on the curve of the fall, or after its end.
    """

    rows: LogRows
    top: int
    fall: int
    rest: int

    @property
    def peak(self) -> float:
        return float(self.rows.y[self.top])

    @property
    def only_rises(self) -> bool:
        """Whether the last row is the greatest of several: the rate may have risen further."""
        return 0 < self.top == len(self.rows.u) - 1

    def curve(self, family: CurveFamily) -> Model | None:
        """The curve of a family through the rows that fall, or through those that rise where none fall."""
        first, stop = (0, self.top + 1) if self.only_rises else (self.fall, self.rest)
        before = self.top - 1 if self.top and not self.only_rises else 0
        since = float(self.rows.u[before]) if before else min(0.0, float(self.rows.u[0]))
        return fitted(family, self.rows.only(np.arange(first, stop)), since)

    def rests(self, curve: Model) -> bool:
        """Whether the last rows no longer follow the curve of the fall."""
        rows = self.rows.only(np.arange(self.rest, len(self.rows.u)))
        near = beyond(curve, rows.u)
        step = abs(float(self.rows.y[self.rest - 1]) - near)  # a first guess is no nearer than a part of that
        return bool((np.abs(near - rows.y) > LOOSE * rows.tolerance + A_PART * step).any())


def outline(rows: LogRows) -> Outline | None:
    """The outline of rates that rise once and then fall, or do one of both; None of others."""
    way, n = ways(rows), len(rows.u)
    falling, rising = np.flatnonzero(way < 0), np.flatnonzero(way > 0)
    if len(rising) and len(falling) and rising[-1] > falling[0]:
        return None
    fall, rest = (int(falling[0]) + 1, int(falling[-1]) + 1) if len(falling) else (n, n)
    return Outline(rows, int(rising[-1]) + 1 if len(rising) else 0, fall, rest)


def ways(rows: LogRows) -> NDArray[np.int64]:
    """Whether the rate rises (1), falls (-1) or stays from each row to the next, as far as digits tell."""
    # Two rates printed with half a digit of tolerance may differ by a whole one and still be equal
    change, doubt = np.diff(rows.y), rows.tolerance[1:] + rows.tolerance[:-1]
    return np.where(np.abs(change) > LEAST_CHANGE * doubt, np.sign(change), 0).astype(np.int64)
