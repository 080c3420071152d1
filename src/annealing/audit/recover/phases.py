"""The least description of rows as curves one after another, with lags of whole updates and odd rows between."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .curves import FAMILIES, Array, Curve, Family, covered, fitted

MOST_LAG = 64
MOST_PLACES = 80  # begins of phases that are looked at
LEAST = 2.0  # the cost of the cheapest phase
UNPROVEN = 1.5  # the cost of a curve through no more rows than it has numbers
LOOSE = 1.6  # a least-squares fit is within this many times the slack where an exact one exists


@dataclass(frozen=True, eq=False)
class Phase:
    """Rows first..stop - 1 on one curve; lags: (row, updates) from which on the clock stands back; odd rows left out."""

    first: int
    stop: int
    curve: Curve
    lags: tuple[tuple[int, int], ...] = ()
    odd: tuple[int, ...] = ()

    @property
    def cost(self) -> float:
        family, rows = self.curve.family, self.stop - self.first - len(self.odd)
        return family.cost + 1.0 * len(self.lags) + 2.5 * len(self.odd) + UNPROVEN * (rows <= family.numbers)


@dataclass
class Search:
    """Rows (t, y within slack) and what is known of each begin of a phase."""

    t: Array
    y: Array
    slack: Array
    sure: bool = True  # whether there are digits enough to tell a lag from a new curve

    def phases(self) -> list[Phase] | None:
        """The phases of least cost (a shortest path over begins of phases), or None where there would be too many."""
        waiting: list[tuple[float, int]] = [(LEAST, 0)]
        cost, before = {0: 0.0}, dict[int, Phase]()
        end, done = len(self.t), set[int]()
        while waiting:
            _, first = heapq.heappop(waiting)
            if first == end:
                return self._path(before)
            if first in done:
                continue
            done.add(first)
            if len(done) > MOST_PLACES:
                return None
            for phase in self._leaving(first, cost.get(end, np.inf) - cost[first]):
                reached = cost[first] + phase.cost
                if reached < cost.get(phase.stop, np.inf):
                    cost[phase.stop], before[phase.stop] = reached, phase
                    heapq.heappush(waiting, (reached + (LEAST if phase.stop < end else 0), phase.stop))
        return None

    def _path(self, before: dict[int, Phase]) -> list[Phase]:
        path: list[Phase] = []
        while not path or path[-1].first:
            path.append(before[path[-1].first if path else len(self.t)])
        return path[::-1]

    def _leaving(self, first: int, budget: float) -> Iterator[Phase]:
        """The longest phase of each family from a row on, without those that a cheaper family makes as long."""
        reach = 0
        for family in FAMILIES:
            if family.cost >= budget or reach == len(self.t):
                return
            if len(self.t) - first < min(family.numbers, 2):
                continue
            phase = self._longest(family, first)
            if phase is not None and phase.stop > reach:
                reach = phase.stop
                yield phase

    def _longest(self, family: Family, first: int) -> Phase | None:
        t, y, slack = self.t[first:].copy(), self.y[first:], self.slack[first:] * LOOSE
        keep = np.ones(len(t), bool)
        size = min(family.numbers + 2, len(t))
        curve = fitted(family, t[:size], y[:size], slack[:size])
        if curve is None:
            size = family.numbers
            if len(t) < size or (curve := fitted(family, t[:size], y[:size], slack[:size])) is None:
                return None
        lags: list[tuple[int, int]] = []
        odd: list[int] = []
        whole = True
        while True:
            size = max(size, covered(curve, t[keep], y[keep], slack[keep]))
            rows = np.flatnonzero(keep)
            sizes = [len(rows)] if whole else []
            whole = False
            sizes += [min(2 * size, len(rows)), min(size + size // 3 + 1, len(rows)), min(size + 1, len(rows))]
            for more in sizes:
                some = rows[:more]
                if more > size and (longer := fitted(family, t[some], y[some], slack[some], curve)) is not None:
                    curve, size = longer, more
                    break
            else:
                stop = int(rows[size]) if size < len(rows) else len(t)
                goes_on = self._goes_on(curve, t, y, slack, stop) if stop < len(t) and self._sure(family, size) else None
                if goes_on is None:
                    break
                skipped, lag = goes_on
                keep[stop : stop + skipped] = False
                odd += range(stop, stop + skipped)
                if lag:
                    t[stop + skipped :] -= lag
                    lags.append((stop + skipped, lag))
        rows_lag = tuple((first + row, lag) for row, lag in lags)
        return Phase(first, first + stop, curve, rows_lag, tuple(first + row for row in odd))

    def _sure(self, family: Family, size: int) -> bool:
        return self.sure and family.name != "flat" and size >= family.numbers + 4

    @staticmethod
    def _goes_on(curve: Curve, t: Array, y: Array, slack: Array, stop: int) -> tuple[int, int] | None:
        """Whether the rows from `stop` on lie on the same curve, after odd rows or with the clock standing back."""
        for skipped, most in ((0, MOST_LAG), (1, 3), (2, 1)):
            begin = stop + skipped
            rows = slice(begin, begin + 4)
            if len(t[rows]) < (1 if skipped == 0 else 4) or np.ptp(y[rows]) <= 4 * slack[rows].max() and skipped == 0:
                continue
            for lag in range(0 if skipped else 1, most):
                if covered(curve, t[rows] - lag, y[rows], slack[rows] * 4) == len(t[rows]):
                    return skipped, lag
        return None
