"""The same again and again: levels, stairs, warm restarts, triangles, and lines that meet at any knots."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ... import recipes, shapes
from ...schedule.base import Schedule
from ..intervals import shortest
from .candidate import Candidate
from .fitting import LogRows
from .model import Array, FittedPart, Model
from .outline import COSINE, fitted, outline, ways
from .round_numbers import even, within
from .templates import begun, decaying

Wave = tuple[float, float, float, float]  # begin, end, top and floor
MOST_LEVELS = 100
LEVEL_ROWS = 3  # of a level, on average
LEAST_STAIRS = 5
ROUNDED = 1e-12
WAVE_ROWS = 5  # of a cycle that is fitted by itself
GROWTHS = (1.0, 2.0, 3.0, 1.5, 4.0, 1.25, 1.2, 5.0)
ALIKE = 0.02  # of themselves, by which lengths may be off a growth, and peaks off a factor
MOST_CYCLES = 60
MOST_KNOTS = 60
MOST_FREE = 12  # knots of which each has numbers of its own
USUAL = 1e-4  # of where one cycle starts: where its third phase ends


def levels(rows: LogRows) -> Iterator[Model]:
    """Models of levels after a warm-up: those that a factor makes at even times or at any, and free ones."""
    seen, drops = outline(rows), np.flatnonzero(ways(rows) < 0) + 1
    few = 1 <= len(drops) <= MOST_LEVELS
    if seen is None or not few or len(rows.u) - seen.top < LEVEL_ROWS * (len(drops) + 1):
        return
    gaps = [(float(rows.u[row - 1]), float(rows.u[row])) for row in drops]
    factor = _ratio_of_levels(rows, seen.top, drops)
    for by, at_even in ((None, False),) if factor is None else ((factor, True), (factor, False), (None, False)):
        for model, start, peak in begun(seen):
            if model.parts and not seen.top:  # a warm-up that no row shows
                continue
            times = even(gaps, model.numbers[start]) if at_even else [high for _, high in gaps]
            if times is None:
                continue
            step = model.slot(times[0] - model.numbers[start], "time", fixed=True) if at_even else 0
            model.parts.append(FittedPart(shapes.flat, start, start, start, peak, peak))
            for i, (gap, time, row) in enumerate(zip(gaps, times, drops, strict=True), 1):
                tie = {start: 1.0, step: float(i)}
                at = model.tied(tie, "time") if at_even else model.slot(time, "time", fixed=True)
                model.gaps[at] = gap
                level = model.slot(float(rows.y[row]), "value") if by is None else model.tied({peak: by**i}, "value")
                model.parts.append(FittedPart(shapes.flat, at, at, at, level, level))
            model.told = 0.0 if by is None else 2.0
            yield model


def _ratio_of_levels(rows: LogRows, top: int, drops: NDArray[np.int64]) -> float | None:
    """The plainest factor with which each level is the one before it, as far as digits tell."""
    peak = shortest(float(rows.y[top] - rows.tolerance[top]), float(rows.y[top] + rows.tolerance[top]))
    levels, tolerance, powers = rows.y[drops], rows.tolerance[drops], 1 / np.arange(1, len(drops) + 1)
    if peak <= 0 or (levels - tolerance <= 0).any():
        return None
    # The last levels tell the factor best, since its power grows
    low = float((((levels - tolerance) / peak) ** powers).max())
    high = float((((levels + tolerance) / peak) ** powers).min())
    return shortest(low, high) if low <= high else None


def stairs(rows: LogRows) -> tuple[int, LogRows] | None:
    """How many steps a stair is long, and a row for the start of each; None where the rows are no stairs."""
    change = np.flatnonzero(np.abs(np.diff(rows.y)) > np.maximum(rows.tolerance[1:], rows.tolerance[:-1])) + 1
    if len(change) < LEAST_STAIRS or change[-1] - change[0] < 2 * (len(change) - 1):
        return None
    # A change is seen only between two rows: every row pair bounds the length of a level
    low, high = rows.u[change - 1], rows.u[change]
    first = round(float(low[0]) / max(float(np.median(np.diff(high))), 1e-9)) or 1
    count = first + np.arange(len(change))
    every = within((low / count).max(), (high / count).min())
    if not isinstance(every, int) or every < 2:
        return None
    starts = np.append(0, change)
    return every, LogRows(np.append(0.0, count * every), rows.y[starts], rows.tolerance[starts])


def held(found: Candidate, schedule: Schedule, every: int) -> list[Schedule]:
    """A model as stairs: a step schedule where it falls by a factor, and the schedule held for each stair.

    One without an end is cut after what was seen.
    """
    model = found.model
    part, n = model.parts[0], model.numbers
    stepped = []
    if len(model.parts) == 1 and part.shape is shapes.exponential and part.extra is not None and n[part.last] == 0:
        low, high = found.bounds.get(part.extra, (n[part.extra], n[part.extra]))
        if 0 < low <= high < 1:
            gamma = shortest(low**every * (1 - ROUNDED), high**every * (1 + ROUNDED))
            stepped = [recipes.step(n[part.first], every, gamma)]
    endless = schedule.duration is None
    return [*stepped, (schedule.until(int(found.seen) + every) if endless else schedule).held(every)]


def cyclic(rows: LogRows) -> Iterator[Model]:
    """Models of lines that meet, of restarts, or of a cosine that rises again, as their rows look."""
    yield from _polylines(rows)
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
    for model, start, peak in begun(seen):
        if (whole := decaying(model, start, peak, seen, curve, stable=False)) is not None:
            whole.parts[-1].mirror = True
            yield whole


def _restarts(rows: LogRows, again: NDArray[np.int64]) -> Iterator[Model]:
    """Models of half cosine waves that start at rows, after a warm-up."""
    edges = [0, *again.tolist(), len(rows.u)]
    seen = outline(rows.only(np.arange(edges[1])))
    if seen is None or len(again) > MOST_CYCLES:
        return
    fits = [_wave(rows, max(a, seen.fall), b) for a, b in itertools.pairwise(edges)]
    waves = {i: wave for i, wave in enumerate(fits) if wave is not None}
    if 0 not in waves:
        return
    gaps = [(float(rows.u[row - 1]), float(rows.u[row])) for row in again]
    # Lengths are known roughly: the nearest usual growth, which the fit then has to confirm
    growth = min(GROWTHS, key=lambda growth: _unlike(waves, growth))
    begins = np.array([i if growth == 1 else (growth**i - 1) / (growth - 1) for i in range(len(edges))])
    # All restarts together tell start and length better than any cycle by itself
    times = {i + 1: sum(gap) / 2 for i, gap in enumerate(gaps)} | {i: wave[0] for i, wave in waves.items()}
    if len(gaps) in waves:
        times[len(gaps) + 1] = waves[len(gaps)][1]
    columns = np.array([(1.0, begins[i]) for i in times])
    start, length = np.linalg.lstsq(columns, np.array(list(times.values())), rcond=None)[0]
    tops = [
        waves[i][2] if i in waves else float(rows.y[a:b].max()) for i, (a, b) in enumerate(itertools.pairwise(edges))
    ]
    ratio = (tops[-1] / tops[0]) ** (1 / len(gaps)) if min(tops) > 0 else 1.0
    for factor in dict.fromkeys(shortest(ratio * (1 - off), ratio * (1 + off)) for off in (ALIKE, ALIKE / 10)):
        for model, at, peak in begun(seen):
            if at not in model.fixed:
                model.numbers[at] = float(start)
            begin, each, low = at, model.slot(length, "time"), model.slot(waves[0][3], "value")
            model.told += 1.0 + 2.0 * (factor != 1) + 2.0 * (growth != 1)
            for i, later in enumerate(begins[1:]):
                until = model.tied({begin: 1.0, each: float(later)}, "time")
                top = peak if factor == 1 or not i else model.tied({peak: factor**i}, "value")
                if i:
                    model.gaps[at] = gaps[i - 1]
                model.parts.append(FittedPart(shapes.cosine, at, at, until, top, low))
                at = until
            yield model


def _unlike(waves: dict[int, Wave], growth: float) -> float:
    """How far the lengths of cycles are from growing so."""
    length = waves[0][1] - waves[0][0]
    return sum(abs((end - begin) / (length * growth**i) - 1) for i, (begin, end, *_) in waves.items())


def _wave(rows: LogRows, first: int, stop: int) -> Wave | None:
    """Begin, end, top and floor of the half wave through some rows; the last row may lie after its end."""
    if stop - 1 - first < WAVE_ROWS:
        return None
    curve = fitted(COSINE, rows.only(np.arange(first, stop - 1)), float(rows.u[max(first - 1, 0)]))
    if curve is None or curve.numbers[curve.parts[0].first] < curve.numbers[curve.parts[0].last]:
        return None
    part, n = curve.parts[0], curve.numbers
    return n[part.begin], n[part.end], n[part.first], n[part.last]


def _polylines(rows: LogRows) -> Iterator[Model]:
    """Models of lines that meet, as their rows look: those with the fewest numbers first."""
    lines = _lines(rows)
    if lines is None:
        return
    slopes, levels = np.array(lines).T
    times = -np.diff(levels) / np.diff(slopes)
    if not (np.diff(times) > 0).all():
        return
    times = np.concatenate([[0.0], times, rows.u[-1:]])
    values = np.append(levels + slopes * times[:-1], levels[-1] + slopes[-1] * times[-1])
    way = np.sign(slopes)
    if way[0] > 0 and (np.diff(way) != 0).all():
        yield from (_triangles(times, values, same) for same in (True, False))
    if way.tolist() == [1, -1, -1]:
        yield _three_phases(times, values)
    if len(times) <= MOST_FREE + 2:
        yield _free(rows, times, values)


def _lines(rows: LogRows) -> list[Array] | None:
    """The slope and the level at 0 of each line, where the slope changes now and then only; else None."""
    span = np.diff(rows.u)
    slope, doubt = np.diff(rows.y) / span, (rows.tolerance[1:] + rows.tolerance[:-1]) / span
    change = np.flatnonzero(np.abs(np.diff(slope)) > doubt[1:] + doubt[:-1]) + 1
    # A knot between two rows changes the slope at both of them
    knots = np.split(change, np.flatnonzero(np.diff(change) > 1) + 1)
    if not len(change) or len(knots) > MOST_KNOTS or max(map(len, knots)) > 2:
        return None
    starts = [0, *(int(knot[-1]) for knot in knots)]
    stops = [*(int(knot[0]) + 1 for knot in knots), len(rows.u)]
    if min(stop - start for start, stop in zip(starts, stops, strict=True)) < 2:
        return None
    return [np.polyfit(rows.u[a:b], rows.y[a:b], 1) for a, b in zip(starts, stops, strict=True)]


def _free(rows: LogRows, times: Array, values: Array) -> Model:
    """Lines from knot to knot; one that still falls at the last row goes on to 0, a flat one goes on."""
    model = Model()
    knots = [model.slot(time, "time", fixed=not time) for time in times[:-1]]
    levels = [model.slot(value, "value") for value in values[:-1]]
    end, last, before = float(times[-1]), float(values[-1]), float(values[-2])
    rests = before <= last <= before + rows.tolerance[-1]
    if last < before:
        end, last = times[-2] + (end - times[-2]) * before / (before - last), 0.0
    if not rests:
        knots.append(model.slot(end, "time", fixed=last > 0))
        levels.append(model.slot(last, "value", fixed=not last))
    model.parts += _line_parts(knots, levels)
    if rests:
        model.parts.append(FittedPart(shapes.flat, knots[-1], knots[-1], knots[-1], levels[-1], levels[-1]))
    return model


def _line_parts(knots: list[int], levels: list[int]) -> list[FittedPart]:
    pairs = zip(itertools.pairwise(knots), itertools.pairwise(levels), strict=True)
    return [FittedPart(shapes.linear, start, start, end, first, last) for (start, end), (first, last) in pairs]


def _triangles(times: Array, values: Array, same: bool) -> Model:
    """Lines up and down between two values, with one length or with two."""
    model = Model()
    low, high = model.slot(values[0], "value"), model.slot(values[1], "value")
    up, down = float(times[1]), float(np.mean(np.diff(times[1:-1])[::2])) if len(times) > 3 else float(times[1])
    rise = model.slot((up + down) / 2 if same else up, "time")
    fall = rise if same else model.slot(down, "time")
    knots = [model.slot(0.0, "time", fixed=True)]
    for i in range(1, len(times)):
        terms = {rise: float(i)} if same else {rise: float((i + 1) // 2), fall: float(i // 2)}
        knots.append(model.tied(terms, "time"))
    model.parts += _line_parts(knots, [high if i % 2 else low for i in range(len(knots))])
    return model


def _three_phases(times: Array, values: Array) -> Model:
    """One cycle: a line up, one as long down to where it began, and one to a 10,000th of that."""
    model = Model(told=2.0)
    first, peak = model.slot(values[0], "value"), model.slot(values[1], "value")
    knots = [model.slot(0.0, "time", fixed=True), model.slot(times[1], "time")]
    knots.append(model.tied({knots[1]: 2.0}, "time"))
    last = model.tied({first: USUAL}, "value")
    share = (values[2] - model.numbers[last]) / max(values[2] - values[3], 1e-300)
    # Where the rows reach the end itself the curve bends: a fit that starts beside it would be led astray
    knots.append(model.slot(round(times[2] + (times[3] - times[2]) * share), "time"))
    model.parts += _line_parts(knots, [first, peak, first, last])
    return model
