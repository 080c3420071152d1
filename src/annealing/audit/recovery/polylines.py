"""Straight lines one after another: triangles, one cycle of three phases, or any knots."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ... import shapes
from .fitting import LogRows
from .model import Array, FittedPart, Model

MOST_KNOTS = 60
MOST_FREE = 12  # knots of which each has numbers of its own
USUAL = 1e-4  # of where one cycle starts: where its third phase ends


def polylines(rows: LogRows) -> Iterator[Model]:
    """Models of lines that meet, as their rows look: those with the fewest numbers first."""
    lines = _lines(rows)
    if lines is None:
        return
    slopes, levels = np.array([line[0] for line in lines]), np.array([line[1] for line in lines])
    times = -np.diff(levels) / np.diff(slopes)
    if not (np.diff(times) > 0).all():
        return
    times = np.concatenate([[0.0], times, rows.u[-1:]])
    values = levels * 1.0 + slopes * times[:-1]
    values = np.append(values, levels[-1] + slopes[-1] * times[-1])
    way = np.sign(slopes)
    if way[0] > 0 and (np.diff(way) != 0).all():
        yield from (_triangles(rows, times, values, same) for same in (True, False))
    if way.tolist() == [1, -1, -1]:
        yield _three_phases(rows, times, values)
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
    """Lines from knot to knot; one that still falls at the last row goes on to 0."""
    model = Model(seen=float(rows.u[-1]))
    knots = [model.slot(time, "time", fixed=not time) for time in times[:-1]]
    levels = [model.slot(value, "value") for value in values[:-1]]
    end, last = float(times[-1]), float(values[-1])
    if last < values[-2]:
        end, last = times[-2] + (end - times[-2]) * values[-2] / (values[-2] - last), 0.0
    elif abs(last - values[-2]) <= rows.tolerance[-1]:
        model.parts += _line_parts(knots, levels)
        model.parts.append(FittedPart(shapes.flat, knots[-1], knots[-1], knots[-1], levels[-1], levels[-1]))
        return model
    knots.append(model.slot(end, "time", fixed=last > 0))
    levels.append(model.slot(last, "value", fixed=not last))
    model.parts += _line_parts(knots, levels)
    return model


def _line_parts(knots: list[int], levels: list[int]) -> list[FittedPart]:
    pairs = zip(itertools.pairwise(knots), itertools.pairwise(levels), strict=True)
    return [FittedPart(shapes.linear, start, start, end, first, last) for (start, end), (first, last) in pairs]


def _triangles(rows: LogRows, times: Array, values: Array, same: bool) -> Model:
    """Lines up and down between two values, with one length or with two."""
    model = Model(seen=float(rows.u[-1]))
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


def _three_phases(rows: LogRows, times: Array, values: Array) -> Model:
    """One cycle: a line up, one as long down to where it began, and one to a 10,000th of that."""
    model = Model(seen=float(rows.u[-1]), told=2.0)
    first, peak = model.slot(values[0], "value"), model.slot(values[1], "value")
    knots = [model.slot(0.0, "time", fixed=True), model.slot(times[1], "time")]
    knots.append(model.tied({knots[1]: 2.0}, "time"))
    last = model.tied({first: USUAL}, "value")
    share = (values[2] - model.numbers[last]) / max(values[2] - values[3], 1e-300)
    # Where the rows reach the end itself the curve bends: a fit that starts beside it would be led astray
    knots.append(model.slot(round(times[2] + (times[3] - times[2]) * share), "time"))
    model.parts += _line_parts(knots, [first, peak, first, last])
    return model
