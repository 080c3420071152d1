"""What was recovered from a log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...schedule.base import Schedule


@dataclass(frozen=True, eq=False)
class Recovered:
    """A schedule recovered from a log: the rate at clock c is schedule(c + shift - lag(c)).

    schedule: in the project's notation; None where nothing fits ("unknown").
    lags: (clock, lag) from which clock on the schedule stood back by how many whole steps; it only grows.
    unit: what the clock counts, "update" or "epoch".
    jitter: by how many steps a row may stand before or after its own, where the log's steps are off here and there.
    residual: the largest difference, as a share of the largest rate. exact: whether every row that is no outlier is
    within half a unit of its last digit, or 1e-12 of the largest rate.
    pieces: (kind, begin, end, first value, last value) of each part, in the time of the schedule.
    outliers: clocks of rows that are on no curve, left out of the residual.
    undetermined: sentences, what could not be told apart and why. notes: what was done to the rows.
    alternatives: other schedules with the same numbers at every row, the next best first.
    """

    schedule: Schedule | None
    shift: int
    lags: tuple[tuple[float, int], ...]
    unit: str
    residual: float
    exact: bool
    pieces: tuple[tuple[str, float, float, float, float], ...] = ()
    outliers: tuple[float, ...] = ()
    undetermined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alternatives: tuple[Recovered, ...] = ()
    cost: float = float("inf")
    jitter: int = 0

    def lag(self, clock: Any) -> NDArray[np.int64]:
        """By how many steps the schedule stands back at each clock."""
        if not self.lags:
            return np.zeros(np.shape(clock), np.int64)
        begins, amounts = zip(*self.lags, strict=True)
        return np.asarray(np.array([0, *amounts])[np.searchsorted(begins, clock, "right")], np.int64)

    def rates(self, clock: Any) -> NDArray[np.float64]:
        """The rates of the schedule at the log's clocks."""
        if self.schedule is None:
            return np.full(np.shape(clock), np.nan)
        clock = np.asarray(clock, float)
        return np.asarray(self.schedule(clock + self.shift - self.lag(clock)))
