"""Candidates for what went wrong: families of faults are tried on a few rows, and what fits there is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .clocks import Family
from .evidence import Array, Evidence, Rates, Rows
from .faults import Fault, of_the_value
from .value_faults import Scale, factors

GRID = 240
KEPT = 3  # of each family, that explain most


class Proposal(NamedTuple):
    """Faults that may explain rows, to be held against all of them."""

    faults: tuple[Fault, ...]

    @property
    def cost(self) -> float:
        return sum(fault.cost for fault in self.faults)


def probes(evidence: Evidence, begin: int, stop: int) -> Evidence:
    """A few rows from `begin` until before `stop`, dense at the beginning."""
    near = np.arange(begin, min(begin + 4, stop))
    far = np.geomspace(1, max(stop - begin, 1), 8).astype(np.int64) - 1 + begin
    spread = np.linspace(begin, stop - 1, 14).astype(np.int64)
    return evidence[np.unique(np.concatenate([near, far, spread]))]


def proposals(
    used: Rates, evidence: Evidence, begin: int, windows: list[int], families: list[Family], factor: list[Scale]
) -> Iterator[Proposal]:
    """What families make of rates, each by itself or (with scales in `factor`) together with a factor on the rates.

    begin: the place of the first row to be explained. windows: places until before which one explanation may reach.
    """
    for family in families:
        for stop in windows:
            few = probes(evidence, begin, stop)
            columns = _candidates(used, few, family, factor)
            if columns is None or not len(columns[0]):
                continue
            values, times = _values(used, few, family, columns)
            if factor:
                for scale in factor:
                    yield from _with_factor(family, scale, few, columns, values, times)
            else:
                near = (_values(used, one, family, columns)[0] for one in few.near()[1:])
                wrong = np.all([np.abs(few.used - some) > few.allowed for some in (values, *near)], axis=0)
                explained = np.where(wrong.any(axis=1), wrong.argmax(axis=1), wrong.shape[1])
                for i in _best(explained, len(few)):
                    yield Proposal(family.build(*(float(column[i, 0]) for column in columns)))
            if family.scan is None:
                break  # the beginning is the same in all windows


def scaled(used: Rates, evidence: Evidence, begin: int, scale: Scale, row: int, at: float | None) -> Iterator[Proposal]:
    """A factor on the rates alone, from the row at place `begin` on."""
    part = evidence[begin:]
    low, high, explained = factors(part.used, part.allowed, used(part.rows), scale, part.rows.t)
    ends = float(low[explained - 1]), float(high[explained - 1])
    if explained >= min(3, len(part)) and _changes(*ends):
        yield Proposal((scale.build(*ends, row, at),))


def constant(evidence: Evidence, begin: int, row: int) -> Iterator[Proposal]:
    """One rate for all rows from the one at `begin` on."""
    part = evidence[begin:]
    low = np.maximum.accumulate(part.used - part.allowed)
    high = np.minimum.accumulate(part.used + part.allowed)
    explained = int(np.sum(low <= high))
    if explained >= 3:
        rate = float(np.median(part.used[:explained]))
        at = float(part.rows.t[0]) if row else None
        given = {"rate": rate} | ({"at": at} if row else {})
        yield Proposal(
            (of_the_value("constant", given, lambda rates, t: np.full_like(rates, rate), 1.3 if row else 0.9, row, at),)
        )


def _changes(low: float, high: float) -> bool:
    """Whether a factor between these is known, and is neither 1 (no change) nor 0 (a constant)."""
    return bool(np.isfinite(low) and np.isfinite(high)) and not low <= 1 <= high and not low <= 0 <= high


def _values(used: Rates, few: Evidence, family: Family, columns: list[Array]) -> tuple[Array, Array]:
    shape = (len(columns[0]), len(few))
    times = np.broadcast_to(family.warp(*columns, few.rows.t), shape)
    rows = Rows(times, np.broadcast_to(few.rows.row, shape)).at(times)
    return used(rows), rows.t


def _best(explained: Any, count: int) -> list[int]:
    """The places of those that explain most of `count` rows, and at least a few."""
    order = np.argsort(-explained, kind="stable")[:KEPT]
    return [int(i) for i in order if explained[i] >= min(4, count)]


def _with_factor(
    family: Family, scale: Scale, few: Evidence, columns: list[Array], values: Array, times: Array
) -> Iterator[Proposal]:
    low, high, explained = factors(few.used, few.allowed, values, scale, times)
    for i in _best(explained, len(few)):
        ends = float(low[i, explained[i] - 1]), float(high[i, explained[i] - 1])
        if explained[i] < min(5, len(few)) or not _changes(*ends):
            continue
        faults = family.build(*(float(column[i, 0]) for column in columns))
        row, at = faults[-1].row, faults[-1].at
        yield Proposal((scale.build(*ends, row, at), *faults))


def _candidates(used: Rates, few: Evidence, family: Family, factor: list[Scale]) -> list[Array] | None:
    if family.scan is None:
        table = np.array(family.candidates, np.float64)
        return [column[:, None] for column in table.T] if table.size else None
    least, most, by_ratio = family.scan
    if not most > least:
        return None
    scale = factor[0] if factor else None

    def misfit(values: Array) -> Any:
        rates, times = _values(used, few, family, [values[:, None]])
        if scale is None:
            return np.max(np.abs(few.used - rates), axis=1)
        base, slope = scale.line(rates, times)
        above = few.used - base
        best = np.sum(above * slope, axis=1) / np.maximum(np.sum(slope**2, axis=1), 1e-300)
        return np.max(np.abs(above - best[:, None] * slope), axis=1)

    spaced = np.geomspace if by_ratio else np.linspace
    return [_least(misfit, spaced(least, most, 2 * GRID + 1), family.unit, float(np.min(few.allowed)))[:, None]]


def _least(misfit: Any, grid: Array, unit: tuple[float, float], enough: float) -> Array:
    """Where the misfit is least: around up to three places the nearest whole numbers (by `unit`), or else one other."""
    begin, length = unit
    worst = misfit(grid)
    inner = np.flatnonzero((worst[1:-1] <= worst[:-2]) & (worst[1:-1] <= worst[2:])) + 1
    if not len(inner):
        return np.empty(0)
    lowest = inner[np.argsort(worst[inner], kind="stable")[:KEPT]]
    low, high = grid[lowest - 1], grid[lowest + 1]
    for _ in range(12):
        low, high, flat = _zoomed(misfit, low, high)
        if np.all(flat | ((high - low) * length < 0.1)):
            break
    middles = begin + length * (low + high) / 2
    wholes = (np.unique(np.round(middles)[:, None] + np.arange(-2, 3)) - begin) / length
    wholes = wholes[(wholes >= grid[0]) & (wholes <= grid[-1])]
    if len(wholes) and misfit(wholes).min() <= enough:
        return np.asarray(wholes, np.float64)
    best = int(np.argmin(misfit((low + high) / 2)))
    low, high = low[best : best + 1], high[best : best + 1]
    for _ in range(9):
        low, high, _ = _zoomed(misfit, low, high)
    found: Array = np.append(wholes, (low + high) / 2)
    return found


def _zoomed(misfit: Any, low: Array, high: Array) -> tuple[Array, Array, Any]:
    """Nearer to the least misfit within each of some ranges, and whether it is the same in most of the range."""
    steps = 24
    grid = np.linspace(low, high, steps + 1, axis=1)
    worst = misfit(grid.ravel()).reshape(grid.shape)
    least = worst <= worst.min(axis=1, keepdims=True)
    first, last = least.argmax(axis=1), steps - least[:, ::-1].argmax(axis=1)
    each = np.arange(len(grid))
    below, above = grid[each, np.maximum(first - 1, 0)], grid[each, np.minimum(last + 1, steps)]
    return below, above, last - first > steps / 2
