"""Phases between the places where curves can meet: turns of the rates, ends of equal stretches, bends, and jumps."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .curve_families import FAMILIES, Array, FittedCurve
from .curve_fit import fitted

MOST_EQUAL = 6  # equal stretches whose ends are places, the longest ones
MOST_JUMPS = 200
MOST_BENDS = 24
NEAR = 6  # rows on each side with which a change of slope is compared
SPARE = 4  # rows more than numbers, for a fit that fails to be final
SIMPLE = [i for i, family in enumerate(FAMILIES) if family.cost < FAMILIES[0].cost + FAMILIES[1].cost]
ROUNDS = 4  # of finding lags
MOST_LATE = 9
MOST_APART = 2  # neighbouring rows that may be outliers
UNPROVEN = 2.5  # the cost of a curve through no more rows than it has numbers
LOOSE = 1.6  # a least-squares fit is within this many times the tolerance where an exact one exists


@dataclass(frozen=True, eq=False)
class Phase:
    """Rows first..stop - 1 on one curve; lags: (row, updates) from which the clock is behind; odd: outliers."""

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


def phases(t: Array, y: Array, slack: Array) -> list[Phase] | None:
    """The phases between jumps, which no curve passes, or None where there would be too many."""
    edges = jumps(t, y, slack)
    if len(edges) > MOST_JUMPS:
        return None
    found: list[Phase] = []
    for first, stop in itertools.pairwise([0, *edges, len(t)]):
        rows = t[first:stop], y[first:stop], slack[first:stop]
        some = _connected(*rows)
        if some is None:
            return None
        found += [phase.moved(first) for phase in some]
    return found


def _connected(t: Array, y: Array, slack: Array) -> list[Phase] | None:
    """The phases of least cost that begin at such places, or None: clean curves first, then with lags and outliers."""
    late, kept = t.copy(), np.arange(len(t))
    for _ in range(ROUNDS):
        rows = late[kept], y[kept], slack[kept]
        clean = _Places(*rows).shortest()
        if clean is None:
            break
        odd = [b for a, b, c in zip(clean, clean[1:], clean[2:], strict=False) if _odd(*rows, a, b, c)]
        if odd:
            kept = np.delete(kept, np.concatenate([np.arange(phase.first, phase.stop) for phase in odd]))
            continue
        lags = {int(kept[b.first]): lag for a, b in itertools.pairwise(clean) if (lag := _late(*rows, a, b))}
        if not lags:
            return [_whole(phase, kept, t - late) for phase in clean]
        for row, lag in lags.items():
            late[row:] -= lag
    return None


def _whole(phase: Phase, kept: NDArray[np.int64], behind: Array) -> Phase:
    """A phase of the kept rows among all rows, with its lags and the outliers within it."""
    first, stop = int(kept[phase.first]), int(kept[phase.stop]) if phase.stop < len(kept) else len(behind)
    lags = [(row, int(behind[row] - behind[row - 1])) for row in range(max(first, 1), stop)]
    odd = np.setdiff1d(np.arange(first, stop), kept).tolist()
    return Phase(first, stop, phase.curve, tuple(lag for lag in lags if lag[1]), tuple(odd))


def _odd(t: Array, y: Array, slack: Array, before: Phase, between: Phase, after: Phase) -> bool:
    """Whether few rows lie between two phases that are one curve."""
    return between.stop - between.first <= MOST_APART and _one_curve(t, y, slack, before, after, 0)


def _late(t: Array, y: Array, slack: Array, before: Phase, after: Phase) -> int:
    """By how many updates a phase is the one before it, late; 0 where it is not."""
    if before.curve.family.name == "flat" and (after.curve.family.name == "flat" or after.stop - after.first < 2):
        return 0
    return next((lag for lag in range(1, MOST_LATE) if _one_curve(t, y, slack, before, after, lag)), 0)


def _one_curve(t: Array, y: Array, slack: Array, before: Phase, after: Phase, lag: int) -> bool:
    known = max(before, after, key=lambda phase: phase.stop - phase.first)
    family = known.curve.family
    rows = np.r_[before.first : before.stop, after.first : after.stop]
    if len(rows) < family.numbers + 3:
        return False
    own = t[rows] - np.where(rows >= after.first, lag, 0)
    near = known.curve.later(-lag) if known is after else known.curve
    if not (np.abs(near(own) - y[rows]) <= 1e3 * slack[rows] + 1e-3 * np.abs(y[rows]).max()).all():
        return False
    return fitted(family, own, y[rows], slack[rows] * LOOSE, near, False) is not None


class _Places:
    """A shortest path over places."""

    def __init__(self, t: Array, y: Array, slack: Array) -> None:
        self.t, self.y, self.slack = t, y, slack
        self.turns, self.places = _places(t, y, slack)

    def shortest(self) -> list[Phase] | None:
        end = len(self.t)
        cost, before, done = {0: 0.0}, dict[int, Phase](), set[int]()
        waiting = [(0.0, 0)]
        while waiting:
            _, first = heapq.heappop(waiting)
            so_far = cost[first]
            if first == end:
                path = [before[end]]
                while path[-1].first:
                    path.append(before[path[-1].first])
                return path[::-1]
            if first in done:
                continue
            done.add(first)
            for phase in self._leaving(first):
                if so_far + phase.cost < cost.get(phase.stop, np.inf):
                    cost[phase.stop], before[phase.stop] = so_far + phase.cost, phase
                    # A lower bound on what is left makes the search reach the end without visiting every place
                    least = 0.0 if phase.stop == end else FAMILIES[0].cost  # what is left costs at least that
                    heapq.heappush(waiting, (so_far + phase.cost + least, phase.stop))
        return None

    def _leaving(self, first: int) -> Iterator[Phase]:
        """The cheapest phase from a place to each later one, up to the second turn."""
        after = [turn for turn in self.turns if turn > first + 1]
        limit = after[0] + 1 if after else len(self.t)
        stops = [place for place in self.places if first < place <= limit]
        for number in SIMPLE if len(stops) > 1 else ():
            if stops[-1] - first > FAMILIES[number].numbers + SPARE:
                curve = _curve(first, stops[-1], self.t, self.y, self.slack, number)
                if curve is not None:
                    yield Phase(first, stops[-1], curve)
                    return
        alive: dict[int, FittedCurve | None] = dict.fromkeys(range(len(FAMILIES)))
        for stop in stops:
            best = None
            for number in list(alive):
                family, rows = FAMILIES[number], stop - first
                if number and rows < min(family.numbers, 2):
                    continue
                curve = _curve(first, stop, self.t, self.y, self.slack, number, alive[number])
                if curve is not None:
                    alive[number] = curve
                    best = Phase(first, stop, curve)
                    break
                if rows >= family.numbers + SPARE:
                    del alive[number]
            if best is not None:
                yield best
            elif not alive:
                return


def _curve(
    first: int, stop: int, t: Array, y: Array, slack: Array, number: int, near: FittedCurve | None = None
) -> FittedCurve | None:
    family = FAMILIES[number]
    some, loose = slice(first, stop), slack[first:stop] * LOOSE
    if family.name == "flat" and np.ptp(y[some]) > 2 * loose.max():
        return None
    return fitted(family, t[some], y[some], loose, near)


def _places(t: Array, y: Array, slack: Array) -> tuple[list[int], list[int]]:
    """Rows where the rates turn, and all rows at which a phase may begin or the last one stop."""
    moved = np.diff(y)
    way = np.where(np.abs(moved) > slack[1:] + slack[:-1], np.sign(moved), 0).astype(int)
    going = np.flatnonzero(way)
    turns = [int(b) for a, b in itertools.pairwise(going) if way[a] != way[b]]
    places = {0, len(y)} | {row + by for row in turns for by in (-1, 0, 1)}
    edges = np.flatnonzero(np.diff(np.concatenate([[1], (way != 0).astype(int), [1]])))
    equal = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))  # rows a..b are equal
    # Rounded curves have many short equal stretches near their turns: only long ones are holds
    longest = sorted(equal, key=lambda ends: ends[0] - ends[1])[:MOST_EQUAL]
    longest += [ends for ends in (equal[:1] + equal[-1:]) if ends[0] == 0 or ends[1] == len(y) - 1]
    for a, b in longest:
        places |= {a, a + 1, b, b + 1}
    for row in _bends(t, y, slack):
        places |= {row, row + 1}
    return turns, sorted(place for place in places if 0 <= place <= len(y))


def _bends(t: Array, y: Array, slack: Array) -> list[int]:
    """Rows at or before which the slope changes much more than around them, the sharpest ones."""
    if len(y) < NEAR + 4:
        return []
    span = np.diff(t)
    slope = np.diff(y) / span
    bend = np.diff(slope)
    noise = (slack[2:] + slack[1:-1]) / span[1:] + (slack[1:-1] + slack[:-2]) / span[:-1]
    # Curves bend everywhere: only what differs from the bend two rows away is a place
    around = np.pad(bend, 2, mode="reflect")
    apart = np.abs(bend - (around[:-4] + around[4:]) / 2)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(apart, NEAR, mode="reflect"), 2 * NEAR + 1)
    # Less than the median: close to the last row, half of the window is the bend itself, seen in the mirror
    usual = np.partition(near, NEAR // 2, 1)[:, NEAR // 2]
    most = np.lib.stride_tricks.sliding_window_view(np.pad(apart, 3), 7).max(1)
    sharp = np.flatnonzero((apart > 8 * usual) & (apart > 8 * noise) & (apart > 0.6 * most))
    strongest = sharp[np.argsort(-(apart / noise)[sharp])][:MOST_BENDS]
    return [int(row) + 1 for row in strongest]


def jumps(t: Array, y: Array, slack: Array) -> list[int]:
    """Rows before which the rate jumps: it moves much faster than just before and just after."""
    if len(t) < 4:
        return []
    moved = np.abs(np.diff(y))
    speed = moved / np.diff(t)
    around = np.maximum(speed[:-2], speed[2:])
    # Warm-ups are steep too, but their neighbours are as steep: a jump is not
    fast = (speed[1:-1] > 8 * around) & (moved[1:-1] > 8 * np.maximum(slack[1:-2], slack[2:-1]))
    return [int(row) for row in np.flatnonzero(fast) + 2]
