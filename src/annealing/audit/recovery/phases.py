"""The least description of rows as curves one after another, with lags of whole updates and odd rows between."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .curve_families import FAMILIES, Array, CurveFamily, FittedCurve
from .curve_fit import covered, fitted

MOST_LAG = 64
MOST_ODD = 6  # rows of a phase that lie off its curve
MOST_TRIED = 160  # phases that are fitted in one stretch
MOST_PLACES = 40  # begins of phases that are looked at
UNPROVEN = 2.5  # the cost of a curve through no more rows than it has numbers
LOOSE = 1.6  # a least-squares fit is within this many times the slack where an exact one exists


@dataclass(frozen=True, eq=False)
class Phase:
    """Rows first..stop - 1 on one curve; lags: (row, updates) from which the clock stands back; odd: rows left out."""

    first: int
    stop: int
    curve: FittedCurve
    lags: tuple[tuple[int, int], ...] = ()
    odd: tuple[int, ...] = ()

    @property
    def cost(self) -> float:
        family, rows = self.curve.family, self.stop - self.first - len(self.odd)
        return family.cost + 1.0 * len(self.lags) + 2.5 * len(self.odd) + UNPROVEN * (rows <= family.numbers)

    def moved(self, by: int) -> Phase:
        lags = tuple((row + by, lag) for row, lag in self.lags)
        return Phase(self.first + by, self.stop + by, self.curve, lags, tuple(row + by for row in self.odd))


@dataclass
class Search:
    """Rows (t, y within slack) and what is known of each begin of a phase."""

    t: Array
    y: Array
    slack: Array

    def __post_init__(self) -> None:
        self.lines = [len(self.t)] * 2
        self.longest: dict[tuple[str, int], Phase | None] = {}

    def phases(self) -> list[Phase] | None:
        """The phases of least cost, or None where there would be too many: with few families first, for a bound."""
        self.lines = self._ends()
        best, bound = None, np.inf
        for families, places in ((FAMILIES[:2], 10), (FAMILIES[:8], 25), (FAMILIES, MOST_PLACES)):
            found = self._shortest(families, bound, places)
            if found is not None:
                best, bound = found, sum(phase.cost for phase in found)
        return best

    def _shortest(self, families: Sequence[CurveFamily], bound: float, places: int) -> list[Phase] | None:
        """A shortest path over begins of phases."""
        waiting: list[tuple[float, int]] = [(self._least(0), 0)]
        cost, before = {0: 0.0}, dict[int, Phase]()
        end, done = len(self.t), set[int]()
        while waiting:
            least, first = heapq.heappop(waiting)
            if first == end:
                return self._path(before)
            if first in done or least >= bound:
                continue
            done.add(first)
            if len(done) > places or len(self.longest) > MOST_TRIED:
                return None
            for phase in self._leaving(families, first, bound - cost[first]):
                reached = cost[first] + phase.cost
                if reached + self._least(phase.stop) < min(
                    cost.get(phase.stop, np.inf) + self._least(phase.stop), bound
                ):
                    cost[phase.stop], before[phase.stop] = reached, phase
                    heapq.heappush(waiting, (reached + self._least(phase.stop), phase.stop))
                    bound = reached if phase.stop == end else bound
        return None

    def _ends(self) -> list[int]:
        """From which rows on all that is left is one flat, or one line."""
        backwards = Search(-self.t[::-1], self.y[::-1], self.slack[::-1])
        ends = [backwards._longest(family, 0, simple=True) for family in FAMILIES[:2]]
        return [len(self.t) - (phase.stop if phase else 1) for phase in ends]

    def _least(self, first: int) -> float:
        """What it costs at least to go on from a row to the end."""
        if first == len(self.t):
            return 0.0
        costs = [family.cost for row, family in zip(self.lines, FAMILIES, strict=False) if first >= row]
        return min(costs, default=FAMILIES[2].cost)

    def _path(self, before: dict[int, Phase]) -> list[Phase]:
        path: list[Phase] = []
        while not path or path[-1].first:
            path.append(before[path[-1].first if path else len(self.t)])
        return path[::-1]

    def _leaving(self, families: Sequence[CurveFamily], first: int, budget: float) -> Iterator[Phase]:
        """The longest phase of each family from a row on, without those that a cheaper family makes as long."""
        reach = 0
        for family in families:
            if family.cost >= budget or reach == len(self.t):
                return
            if len(self.t) - first < min(family.numbers, 2):
                continue
            if (family.name, first) not in self.longest:
                self.longest[family.name, first] = self._longest(family, first)
            phase = self.longest[family.name, first]
            if phase is not None and phase.stop > reach:
                reach = phase.stop
                yield phase

    def _longest(self, family: CurveFamily, first: int, simple: bool = False) -> Phase | None:
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
                some, search = rows[:more], more >= min(2 * size, len(rows))
                if more > size and (longer := fitted(family, t[some], y[some], slack[some], curve, search)) is not None:
                    curve, size = longer, more
                    break
            else:
                stop = int(rows[size]) if size < len(rows) else len(t)
                known = stop < len(t) and not simple and family.name != "flat" and size >= family.numbers + 4
                goes_on = self._goes_on(curve, t, y, slack, stop, len(odd)) if known else None
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

    @staticmethod
    def _goes_on(curve: FittedCurve, t: Array, y: Array, slack: Array, stop: int, odd: int) -> tuple[int, int] | None:
        """Whether the rows from `stop` on lie on the same curve: with the clock standing back, or after odd rows."""
        rows = slice(stop, stop + 4)
        if (np.abs(curve(t[rows] - 1) - curve(t[rows])) > 3 * slack[rows]).all():
            for lag in range(1, MOST_LAG):
                if covered(curve, t[rows] - lag, y[rows], slack[rows] * 2) == len(t[rows]):
                    return 0, lag
        for skipped in (1, 2) if odd < MOST_ODD else ():
            rows, away = slice(stop + skipped, stop + skipped + 5), slice(stop, stop + skipped)
            far = (np.abs(curve(t[away]) - y[away]) > 10 * slack[away]).all()
            if far and len(t[rows]) == 5 and covered(curve, t[rows], y[rows], slack[rows]) == 5:
                return skipped, 0
        return None


def jumps(t: Array, y: Array, slack: Array) -> list[int]:
    """Rows before which the rate jumps: it moves much faster than just before and just after."""
    if len(t) < 4:
        return []
    moved = np.abs(np.diff(y))
    speed = moved / np.diff(t)
    around = np.maximum(speed[:-2], speed[2:])
    fast = (speed[1:-1] > 8 * around) & (moved[1:-1] > 8 * np.maximum(slack[1:-2], slack[2:-1]))
    return [int(row) for row in np.flatnonzero(fast) + 2]
