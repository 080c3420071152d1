"""Curves one after another, each from a jump on: a run that was resumed with another peak, levels up and down."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .fitting import NEARLY, LogRows, fits
from .model import Array, Model
from .outline import outline, ways
from .templates import curves_of, models

MOST_JOINS = 40
FAST = 8.0  # times as fast as just before and just after: a jump, where a steep curve has steep neighbours


def joined(rows: LogRows, loose: Array | None = None) -> Iterator[Model]:
    """The model of curves that start where the rate jumps, each fitted by itself to its own rows."""
    jumps = _jumps(rows)
    if not 1 <= len(jumps) <= MOST_JOINS:
        return
    if loose is not None:
        rows = rows.within(loose)
    whole: Model | None = None
    for first, stop in itertools.pairwise([0, *jumps.tolist(), len(rows.u)]):
        own = rows.only(np.arange(first, stop))
        gap = (float(rows.u[first - 1]), float(rows.u[first])) if first else None
        part = next(_pieces(own, gap), None)
        if part is None:
            return
        whole = part if whole is None else whole.followed(part)
    if whole is not None:
        whole.seen = float(rows.u[-1])
        yield whole


def _pieces(rows: LogRows, gap: tuple[float, float] | None) -> Iterator[Model]:
    """The models of a part of the rows that start at 0, in a gap, or at 0 and are in force from a gap on."""
    seen = outline(rows)
    if seen is None:
        return
    for curve in curves_of(seen):
        for origin in (None,) if gap is None else (gap[1], None):
            for model in models(seen, curve, 0, origin):
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
        first.start = model.slot(gap[1], "time")
    model.gaps[first.start], model.cuts[first.start] = gap, gap[1]


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
