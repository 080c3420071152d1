"""Whether a cycle of a schedule has just ended, asked repeatedly during training."""

from __future__ import annotations

import math
from bisect import bisect_right

from ..cycles import snapshot_starts
from ..schedule.base import Schedule


class Snapshots:
    """The snapshot times of a schedule, found as training proceeds: each cycle is examined once."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._restart()

    def _restart(self) -> None:
        self._begins = snapshot_starts(self.schedule.cycles())
        self._found: list[float] = []
        self._known: float = 0

    def within(self, after: float, until: float) -> bool:
        """Whether a snapshot lies in (after, until]."""
        while self._known <= until:
            self._known, kept = next(self._begins, (math.inf, False))
            if kept:
                self._found.append(self._known)
            elif self._known == math.inf and self.schedule.duration is not None:
                self._found.append(self.schedule.duration)
        return bisect_right(self._found, until) > bisect_right(self._found, after)

    def __getstate__(self) -> Schedule:
        return self.schedule

    def __setstate__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._restart()
