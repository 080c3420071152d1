"""Restarts and triangles, tried before any search: parts of which each is the one before it, later by one length."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ... import shapes
from ..intervals import shortest
from .candidate import Candidate, made_plain, shifts
from .curve_families import FAMILIES, Array
from .curve_fit import fitted
from .curve_parts import part_of
from .fitting import NEARLY, LogRows, fits
from .model import FittedPart, Model
from .outline import LOOSE, outline, ways
from .templates import begun
from .work_budget import Exhausted

LEAST_ROWS = 5  # of a run that is fitted by itself
GROWTHS = (1.0, 2.0, 3.0, 1.5, 4.0, 1.25, 1.2, 5.0)
ALIKE = 0.02  # of themselves, by which lengths may be off a growth, and peaks off a factor
MOST_RUNS = 60
WAVE = next(family for family in FAMILIES if family.name == "wave")


def cycles_of(clock: Array, rate: Array, slack: Array, preferred: int | None) -> list[Candidate]:
    """The warm restarts or triangles that give every row, the plainest first."""
    found: list[Candidate] = []
    with contextlib.suppress(Exhausted):  # what was found before is kept
        for shift in shifts(preferred):
            rows = LogRows(clock + shift[0], rate, slack)
            for model in cyclic(rows):
                if fits(model, rows, NEARLY):
                    one = made_plain(model, rows, shift, only_sure=any(one.sure for one in found))
                    found += [one] if one is not None else []
                    if any(one.sure for one in found):
                        break
    return sorted(found, key=lambda one: one.cost)


def cyclic(rows: LogRows) -> Iterator[Model]:
    """Models of restarts or of triangles, as their rows look."""
    way = ways(rows.y, rows.slack)
    falling, rising = np.flatnonzero(way < 0), np.flatnonzero(way > 0)
    if len(falling) and len(rising) and rising[-1] > falling[0]:
        again = rising[rising > falling[0]] + 1
        yield from _restarts(rows, again) if (np.diff(again) > 2).all() else _triangles(rows, way)
    elif len(falling) and len(rising) > 2:
        yield from _three_phases(rows)


def _restarts(rows: LogRows, again: NDArray[np.int64]) -> Iterator[Model]:
    """Models of half cosine waves that begin at rows, after a warm-up."""
    edges = [0, *(int(row) for row in again), len(rows.u)]
    first = slice(0, edges[1])
    seen = outline(rows.u[first], rows.y[first], rows.slack[first])
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
    some = slice(first, stop - 1)
    if stop - 1 - first < LEAST_ROWS:
        return None
    u = rows.u[some]
    curve = fitted(WAVE, u, rows.y[some], rows.slack[some] * LOOSE)
    if curve is None:
        return None
    model = Model()
    part, n = part_of(model, curve, u, model.slot(float(u[0]), "time")), model.numbers
    if part.shape is not shapes.cosine or part.mirror or n[part.first] < n[part.last]:
        return None
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


def _three_phases(rows: LogRows) -> Iterator[Model]:
    """Models of one cycle whose fall is as long as its rise, with a further fall after it."""
    seen = outline(rows.u, rows.y, rows.slack)
    assert seen is not None
    for model, until, peak in begun(seen, 0):
        if not model.parts or model.told > 1 or model.parts[0].first in model.fixed:
            continue
        rise, n = model.parts[0], model.numbers
        down = model.tied({until: 2.0}, "time")
        later = np.flatnonzero(rows.u > n[down])
        if len(later) < 2:
            continue
        t, y = rows.u[later], rows.y[later]
        # Where the rows reach the end itself the curve bends: a fit that starts beside it would be led astray
        end = model.slot(round(t[-1] + (t[-1] - t[0]) * y[-1] / max(y[0] - y[-1], 1e-300)), "time")
        model.parts.append(FittedPart(rise.shape, until, until, down, peak, rise.first))
        model.parts.append(FittedPart(rise.shape, down, down, end, rise.first, model.tied({rise.first: 1e-4}, "value")))
        model.told += 2.0
        yield model


def _triangles(rows: LogRows, way: NDArray[np.int64]) -> Iterator[Model]:
    """Models of lines up and down between two values, with one length or with two."""
    moving = np.flatnonzero(way)
    turns = [int(b) for a, b in itertools.pairwise(moving) if way[a] != way[b]]
    edges = [0, *turns, len(rows.u) - 1]
    if way[moving[0]] < 0 or len(turns) > MOST_RUNS or min(np.diff(edges)[:-1]) < 2:
        return
    lines = [np.polyfit(rows.u[a + 1 : b], rows.y[a + 1 : b], 1) for a, b in itertools.pairwise(edges) if b - a > 2]
    if len(lines) < 2:
        return
    meets = [-(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(lines)]
    low, high = float(np.polyval(lines[0], 0)), float(np.polyval(lines[0], meets[0]))
    up, down = float(meets[0]), float(np.mean(np.diff(meets)[::2])) if len(meets) > 1 else float(meets[0])
    for same in (True, False):
        model = Model(seen=float(rows.u[-1]))
        at = model.slot(0.0, "time", fixed=True)
        ends = model.slot(low, "value"), model.slot(high, "value")
        rise = model.slot((up + down) / 2 if same else up, "time")
        fall = rise if same else model.slot(down, "time")
        for i in range(1, len(edges)):
            terms = {rise: float(i)} if same else {rise: float((i + 1) // 2), fall: float(i // 2)}
            until = model.tied(terms, "time")
            model.parts.append(FittedPart(shapes.linear, at, at, until, *(ends if i % 2 else ends[::-1])))
            at = until
        yield model
