"""Curves one after another: each from a jump on, as where a run was resumed with another peak, or from a bend on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ... import shapes
from .fitting import NEARLY, LogRows, fits
from .model import Array, Model
from .outline import outline, ways
from .templates import LEAST_ROWS, curves_of, decaying, models

MOST_JOINS = 40
MOST_BENDS = 4  # places, the sharpest ones
FAST = 8.0  # times as fast as just before and just after: a jump, where a steep curve has steep neighbours


def joined(rows: LogRows, loose: Array | None = None) -> Iterator[Model]:
    """The model of curves that start where the rate jumps, each fitted by itself to its own rows."""
    jumps = _jumps(rows)
    if not 1 <= len(jumps) <= MOST_JOINS:
        return
    if loose is not None:
        rows = rows.within(loose)
    whole = Model()
    for first, stop in itertools.pairwise([0, *jumps.tolist(), len(rows.u)]):
        own = rows.only(np.arange(first, stop))
        gap = (float(rows.u[first - 1]), float(rows.u[first])) if first else None
        part = next(_pieces(own, gap), None)
        if part is None:
            return
        whole = whole.followed(part)
    yield whole


def _pieces(rows: LogRows, gap: tuple[float, float] | None) -> Iterator[Model]:
    """The models of a part of the rows that start at 0, in a gap, or at 0 and are in force from a gap on."""
    seen = outline(rows)
    if seen is None:
        return
    for curve in curves_of(seen):
        for origin in (None,) if gap is None else (gap[1], None):
            for model in models(seen, curve, origin):
                if gap is not None:
                    _from(model, gap)
                if fits(model, rows, NEARLY) and (gap is None or model.sound()):
                    yield model


def _from(model: Model, gap: tuple[float, float]) -> None:
    """Put a model in force from a gap on."""
    first, n = model.parts[0], model.numbers
    if first.start in model.fixed:
        while len(model.parts) > 1 and n[model.parts[1].start] <= gap[0]:
            del model.parts[0]
        first = model.parts[0]
        first.start = model.slot(gap[1], "time", fixed=True)
    elif first.flat:
        model.fixed.add(first.start)  # no row moves with it
    model.gaps[first.start] = gap


def _jumps(rows: LogRows) -> NDArray[np.int64]:
    """Rows before which the rate jumps, or rises again after it fell."""
    moved = np.abs(np.diff(rows.y))
    speed = np.pad(moved / np.diff(rows.u), 1)
    fast = speed[1:-1] > FAST * np.maximum(speed[:-2], speed[2:])
    fast &= moved > FAST * np.maximum(rows.tolerance[1:], rows.tolerance[:-1])
    way = np.where(fast, 0, ways(rows))
    moving = np.flatnonzero(way)
    again = [int(b) for a, b in itertools.pairwise(moving) if way[a] < 0 < way[b]]
    return np.unique(np.append(np.flatnonzero(fast), again).astype(np.int64)) + 1


def bent(rows: LogRows) -> Iterator[Model]:
    """Models of two curves of falling rates that meet where the slope changes at once, with or without a hold there."""
    for row in _bends(rows):
        seen, time = outline(rows.only(np.arange(row, len(rows.u)))), float(rows.u[row - 1])
        first = next(_pieces(rows.only(np.arange(row)), None), None)
        if seen is None or seen.top or first is None:
            continue
        before, n = first.parts[-1], first.numbers
        if before.shape is shapes.linear and n[before.end] > time:  # its rows tell only the slope
            n[before.last], n[before.end] = float(first(np.array([time]))[0]), time
            first.fixed -= {before.last, before.end}
        # The end of a curve before a hold says nothing of the end of the hold
        held = before.flat or n[before.end] < time - 1
        start = first.slot(time, "time") if held else before.end
        for curve in curves_of(seen):
            both = [decaying(first, start, before.last, seen, curve, stable) for stable in (False, True) if curve]
            yield from (one for one in both if one is not None)


def _bends(rows: LogRows) -> list[int]:
    """Rows of falling rates before which, or at which, the slope changes at once, the sharpest change first."""
    span = np.diff(rows.u)
    slope, doubt = np.diff(rows.y) / span, (rows.tolerance[1:] + rows.tolerance[:-1]) / span
    if len(slope) < LEAST_ROWS:
        return []
    # Curves bend everywhere: only what differs from the bends two rows away, and more than others do, is a place
    around = np.pad(np.diff(slope), 2, mode="reflect")
    change = around[2:-2] - (around[:-4] + around[4:]) / 2
    apart, beside = np.abs(change), np.pad(change, 1)
    sharp = apart > FAST * np.maximum(np.median(apart), doubt[1:] + doubt[:-1])
    sharp &= np.maximum(slope[1:] - doubt[1:], slope[:-1] - doubt[:-1]) <= 0
    # Between two rows the slope changes at both, the same way; a skipped step turns it forth and back
    left, right = change * beside[:-2], change * beside[2:]
    sharp &= np.minimum(left, right) > -(apart**2) / 2
    after = np.arange(1, len(slope)) + (right > left)
    return list(dict.fromkeys(after[sharp][np.argsort(-apart[sharp])].tolist()))[:MOST_BENDS]
