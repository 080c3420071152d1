"""Whether a run of a schedule has just ended, asked again and again as training goes on."""

from __future__ import annotations

import math
from bisect import bisect_right

from ..cycles import snapshot_starts
from ..schedule.base import Schedule


class Snapshots:
    """The snapshots of a schedule as far as time has come: each run is looked at once."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._restart()

    def _restart(self) -> None:
        self._begins = snapshot_starts(self.schedule.cycles())
        self._found: list[float] = []
        self._known: float = 0

    def within(self, after: float, until: float) -> bool:
        """Whether there is one after the first of these times and not after the second."""
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
