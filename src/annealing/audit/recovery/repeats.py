"""Cosines again and again: warm restarts, and a cosine that goes back as it came."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ... import shapes
from ..intervals import shortest
from .decay_curves import COSINE, fitted
from .fitting import LogRows
from .model import Array, FittedPart, Model
from .outline import outline, ways
from .polylines import polylines
from .templates import begun

LEAST_ROWS = 5  # of a run that is fitted by itself
GROWTHS = (1.0, 2.0, 3.0, 1.5, 4.0, 1.25, 1.2, 5.0)
ALIKE = 0.02  # of themselves, by which lengths may be off a growth, and peaks off a factor
MOST_RUNS = 60


def cyclic(rows: LogRows) -> Iterator[Model]:
    """Models of lines that meet, of restarts, or of a cosine that rises again, as their rows look."""
    yield from polylines(rows)
    way = ways(rows)
    falling, rising = np.flatnonzero(way < 0), np.flatnonzero(way > 0)
    if len(falling) and len(rising) and rising[-1] > falling[0]:
        again = rising[rising > falling[0]] + 1
        yield from _restarts(rows, again) if (np.diff(again) > 2).all() else _mirrored(rows, int(again[0]))


def _mirrored(rows: LogRows, turn: int) -> Iterator[Model]:
    """Models of a cosine that goes back as it came, as PyTorch's does after its end."""
    seen = outline(rows.only(np.arange(turn)))
    if seen is None or (curve := seen.curve(COSINE)) is None:
        return
    for model, start, peak in begun(seen, 0):
        end, floor = model.slot(curve.numbers[curve.parts[0].end], "time"), model.slot(float(rows.y[turn - 1]), "value")
        model.parts.append(FittedPart(shapes.cosine, start, start, end, peak, floor, mirror=True))
        model.seen = float(rows.u[-1])
        yield model


def _restarts(rows: LogRows, again: NDArray[np.int64]) -> Iterator[Model]:
    """Models of half cosine waves that start at rows, after a warm-up."""
    edges = [0, *(int(row) for row in again), len(rows.u)]
    seen = outline(rows.only(np.arange(edges[1])))
    if seen is None or len(again) > MOST_RUNS:
        return
    waves = [_wave(rows, max(a, seen.fall), b) for a, b in itertools.pairwise(edges)]
    whole = [(i, *wave) for i, wave in enumerate(waves) if wave is not None]
    if not whole or whole[0][0] != 0:
        return
    gaps = [(float(rows.u[row - 1]), float(rows.u[row])) for row in edges[1:-1]]
    # Lengths are known roughly: the nearest usual growth, which the fit then has to confirm
    growth = min(GROWTHS, key=lambda growth: _unlike(whole, growth))
    begins = np.array([i if growth == 1 else (growth**i - 1) / (growth - 1) for i in range(len(edges))])
    seen_at = {i: begin for i, begin, *_ in whole} | {len(waves): end for i, _, end, *_ in whole if i == len(waves) - 1}
    known = [(begins[i], time) for i, time in seen_at.items()]
    known += [(begins[i + 1], sum(gap) / 2) for i, gap in enumerate(gaps) if i + 1 not in seen_at]
    # All restarts together tell start and length better than any cycle by itself
    columns, times = np.array([(1.0, at) for at, _ in known]), np.array([time for _, time in known])
    start, length = np.linalg.lstsq(columns, times, rcond=None)[0]
    tops = [
        float(rows.y[a:b].max()) if wave is None else wave[2]
        for wave, a, b in zip(waves, edges, edges[1:], strict=False)
    ]
    for factor in dict.fromkeys(_factor(tops, around) for around in (ALIKE, ALIKE / 10)):
        for model, begin, peak in begun(seen, 0):
            yield _repeated(model, begin, peak, (float(start), float(length), whole[0][4]), begins, factor, gaps)


def _unlike(waves: list[tuple[int, float, float, float, float]], growth: float) -> float:
    """How far the lengths of runs are from growing so."""
    (_, begin, end, *_), length = waves[0], 0.0
    length = end - begin
    return sum(abs((end - begin) / (length * growth**i) - 1) for i, begin, end, *_ in waves)


def _wave(rows: LogRows, first: int, stop: int) -> tuple[float, float, float, float] | None:
    """Begin, end, top and floor of the half wave through some rows; the last row may lie after its end."""
    if stop - 1 - first < LEAST_ROWS:
        return None
    curve = fitted(COSINE, rows.only(np.arange(first, stop - 1)), float(rows.u[max(first - 1, 0)]))
    if curve is None or curve.numbers[curve.parts[0].first] < curve.numbers[curve.parts[0].last]:
        return None
    part, n = curve.parts[0], curve.numbers
    return n[part.begin], n[part.end], n[part.first], n[part.last]


def _factor(tops: list[float], around: float) -> float:
    """By what each peak is the one before it: the plainest number about that."""
    ratio = (tops[-1] / tops[0]) ** (1 / (len(tops) - 1)) if min(tops) > 0 else 1.0
    return shortest(ratio * (1 - around), ratio * (1 + around))


def _repeated(
    model: Model,
    begin: int,
    peak: int,
    guess: tuple[float, float, float],
    begins: Array,
    factor: float,
    gaps: list[tuple[float, float]],
) -> Model:
    start, length, floor = guess
    if begin not in model.fixed:
        model.numbers[begin] = start
    each, low = model.slot(length, "time"), model.slot(floor, "value")
    at, model.told = begin, model.told + 1.0 + 2.0 * (factor != 1) + 2.0 * (begins[2:3] != 2.0).sum()
    for i, later in enumerate(begins[1:]):
        until = model.tied({begin: 1.0, each: float(later)}, "time")
        top = peak if factor == 1 or not i else model.tied({peak: factor**i}, "value")
        if i:
            model.gaps[at], model.cuts[at] = gaps[i - 1], gaps[i - 1][1]
        model.parts.append(FittedPart(shapes.cosine, at, at, until, top, low))
        at = until
    return model
