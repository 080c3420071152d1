"""What was recovered from a log, and what the log leaves open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import shapes
from ...schedule.base import Schedule
from .candidate import Candidate

NAMES = {"linear": "the line", "cosine": "the cosine", "power": "the power decay", "inverse_power": "the decay"}


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


def doubts(found: Candidate) -> tuple[str, ...]:
    """A sentence for every number that may be another one, with the range that the digits leave it."""
    model, n, sentences = found.model, found.model.numbers, []
    for i, part in enumerate(model.parts):
        name, gap = NAMES.get(part.name, f"the {part.name} part"), model.gaps.get(part.start)
        if gap is not None and part.start not in found.bounds and gap[1] - gap[0] > 1 and part.flat:
            between = f"after {gap[0]:g} and by {gap[1]:g} (no row between)"
            sentences.append(f"a change lies {between}; {n[part.start]:g} is the roundest time there")
        for slot, what in ((part.end, "end"), (part.begin, "start")):
            least, most = found.bounds.get(slot, (0.0, 0.0))
            if math.floor(most) > math.ceil(least) and not (i and slot == part.start):
                stopped = what == "end" and i == len(model.parts) - 1 and n[slot] > model.seen
                why = "the log stops before it" if stopped else "the digits are too few"
                between = f"between about {least:.6g} and {most:.6g}: {why}; {n[slot]:g} is the roundest"
                sentences.append(f"the {what} of {name} is not determined {between}")
        for slot, what in ((part.first, "first"), (part.last, "last")):
            least, most = found.bounds.get(slot, (0.0, 0.0))
            if most - least > 0.01 * (max(abs(n[part.first]), abs(n[part.last])) or 1.0) and not part.flat:
                between = f"between about {least:.3g} and {most:.3g}"
                sentences.append(f"the {what} value of {name} is not determined {between}")
    last = model.parts[-1]
    if last.shape is shapes.linear and n[last.end] > model.seen:
        same = "a line to another value at another time gives the same rates"
        sentences.append(f"the log stops at {model.seen:g}, before the line ends: {same}")
    if len(model.parts) == 1 and last.flat:
        sentences.append("a constant rate: when it began, and whether it would have changed later, cannot be told")
    return tuple(dict.fromkeys(sentences))
