"""The named recipes, tried before any search: a warm-up, a stable rate, a decay to a floor, whose numbers are fitted.

A model here has no more numbers than its recipe: what is joined shares them from the beginning, so that few digits
determine them as well as they can.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ... import shapes
from ..intervals import digits_of, roundest, shortest
from .candidate import Candidate, described
from .fitting import LogRows, around, fit, fits
from .model import FittedPart, Model, ShapeFamily, root
from .outline import COSINE, CURVES, CurveFamily, Outline, outline
from .round_numbers import is_stated, stated_between

FLOORS = (0.1, 0.01, 0.05, 0.001, 0.2, 0.5, 0.02, 1e-4)  # shares of the peak at which a decay may end, besides 0
WHOLE = 0.3  # updates by which the end of a decay may be off a whole number, besides what digits leave open
LEAST_ROWS = 4  # any three lie on some curve
OPEN = 1e-3  # of the peak: a floor that digits leave open by more may be a plain share of it
MOST_FLOORS = 3
MOST_RISE = 30.0  # how far above the last row the peak of a warm-up may lie
ONE_CYCLE = 1.5  # how long it is to say so
LIKE_SQUARES = 0.02  # of themselves, by which the roots of rates may be off a line
Rise = tuple[shapes.Shape | ShapeFamily, float | None]  # with the share of the peak at which it starts, if it is known
FROM_0: Rise = (shapes.linear, 0.0)
LINE: Rise = (shapes.linear, None)
RISES: tuple[tuple[Rise | None, ...], ...] = (  # warm-ups to try where no row rises, one, two, or more
    (None, FROM_0),
    (FROM_0, *((shapes.linear, share) for share in (1 / 3, 0.1, 0.001))),
    (FROM_0, LINE),
    (FROM_0, LINE, (shapes.cosine, None), (root, 0.0)),
)


def recipes_of(
    rows: LogRows, preferred: int | None, families: Sequence[CurveFamily] = CURVES, moved: bool = False
) -> list[Candidate]:
    """The schedules of one warm-up and one decay of some families that give every row, the plainest first.

    moved: they need not start at 0.
    """
    seen = outline(rows)
    if seen is None or (len(rows.u) < LEAST_ROWS and np.ptp(rows.y)):
        return []
    only = [(preferred or 0, 0.0)] if moved else None
    for last_resort in (False, True):
        some = [family for family in families if family.last_resort == last_resort]
        structure = partial(_recipes, seen, list(curves_of(seen, some)), 0.0 if moved else None)
        if found := described(structure, rows, preferred, _ended, only):
            return found
    return []


def _recipes(seen: Outline, curves: list[Model | None], origin: float | None, rows: LogRows) -> Iterator[Model]:
    """Models of recipes at the shift of some rows."""
    shift = float(rows.u[0] - seen.rows.u[0])
    for curve in curves:
        for model in models(replace(seen, rows=rows), curve and curve.later(shift), origin):
            if seen.rest < len(rows.u) and model.parts[-1].last in model.fixed:
                with contextlib.suppress(ArithmeticError, ValueError, np.linalg.LinAlgError):  # guesses far off
                    fit(model, rows.only(np.arange(seen.rest)))  # the last rows may be at the end, where it bends
            yield model


def curves_of(seen: Outline, families: Sequence[CurveFamily] = CURVES) -> Iterator[Model | None]:
    """The curves that the rows which fall may lie on; None where none do."""
    if seen.fall == len(seen.rows.u):
        yield None
    else:
        yield from (curve for family in families if (curve := seen.curve(family)) is not None)


def models(seen: Outline, curve: Model | None, origin: float | None = None) -> Iterator[Model]:
    """Models of a warm-up and a decay, those with fewest numbers first; origin: a guess of its start, 0 by default."""
    if seen.only_rises:
        yield from _rising(seen, origin)
        return
    for stable in (False, True) if curve is not None else (False,):
        for model, start, peak in begun(seen, origin):
            if curve is None:
                model.parts.append(FittedPart(shapes.flat, start, start, start, peak, peak))
                yield model
                continue
            line, n = curve.parts[0], curve.numbers
            if line.shape is shapes.linear and model.parts and not seen.top and not stable:
                # A line that starts before the first row may start anywhere: at its plainest rate
                before = seen.rows.u[0] - np.array([0.0, max(model.numbers[start] * 2, 1.0)])
                rates = n[line.first] * (n[line.end] - before) / (n[line.end] - n[line.begin])
                model.numbers[peak] = shortest(*sorted(rates.tolist()))
                model.fixed.add(peak)
            if (whole := decaying(model, start, peak, seen, curve, stable)) is not None:
                yield whole


def begun(seen: Outline, origin: float | None = None) -> Iterator[tuple[Model, int, int]]:
    """Models of a warm-up alone, with the slots of its end and of the peak; origin: where it starts, 0 by default."""
    for rise in RISES[min(seen.top, len(RISES) - 1)]:
        model = Model()
        zero, peak = model.slot(origin or 0.0, "time", fixed=origin is None), model.slot(seen.peak, "value")
        if rise is None:
            yield model, zero, peak
        elif (guess := _risen(seen, *rise, origin or 0.0)) is not None:
            (shape, share), (first, end) = rise, guess
            begin = model.tied({peak: share}, "value") if share else model.slot(first, "value", fixed=share == 0)
            until = model.slot(end, "time")
            extra = model.slot(2.0, "extra", fixed=True) if shape is root else None
            model.parts.append(FittedPart(shape, zero, zero, until, begin, peak, extra))
            model.told = 1.0 * (shape is not shapes.linear) + 2.0 * bool(share)
            yield model, until, peak


def _risen(
    seen: Outline, shape: shapes.Shape | ShapeFamily, share: float | None, origin: float
) -> tuple[float, float] | None:
    """The first value and the end of a rise through the rows that rise; share: the first value in peaks, if known."""
    u, top = seen.rows.u, seen.top
    if not top:  # no row lies in the warm-up
        return (0.0, origin + float(u[0] - origin) / 2) if u[0] > origin else None
    t, y = u[:top] - origin, seen.rows.y[:top]
    if shape is shapes.cosine:
        return float(y[0]), float(u[top])
    if shape is root:
        # The later half: small rates have few digits
        each = (np.sqrt(y / seen.peak) / t)[top // 2 :]
        return (0.0, origin + 1 / float(each[-1])) if np.ptp(each) <= LIKE_SQUARES * each[-1] else None
    if share is None:
        slope, first = (float(number) for number in np.polyfit(t, y, 1))
    else:
        inside, first = t > 0, share * seen.peak
        if not inside.any():
            return first, float(u[top])
        slope = float((t * (y - first))[inside].sum() / (t * t)[inside].sum())
    return (first, origin + (seen.peak - first) / slope) if slope > 0 else None


def _rising(seen: Outline, origin: float | None) -> Iterator[Model]:
    """Models of a warm-up that is not over at the last row."""
    u, y = seen.rows.u, seen.rows.y
    for model, until, peak in begun(seen, origin):
        part, n = model.parts[0], model.numbers
        if part.shape is shapes.linear and not model.told:
            last = min(n[until], float(u[-1]))
            if last > n[part.begin] and n[peak] > max(n[part.first], 0):  # no steps or rates below 0
                slope = (n[peak] - n[part.first]) / (n[until] - n[part.begin])
                n[until], n[peak] = _plainest_rise(seen, n[part.begin], n[part.first], slope)
                model.fixed.add(until)  # only the slope is known
                yield model
        elif part.shape is shapes.cosine and (wave := seen.curve(COSINE)) is not None:
            known = wave.parts[0]
            n[part.first], n[peak], n[until] = (wave.numbers[slot] for slot in (known.first, known.last, known.end))
            yield model
    if origin is None and (y > 0).all():  # a range test: what grows by a factor has no end but that of the rows
        model = Model()
        zero, end = model.slot(0.0, "time", fixed=True), model.slot(u[-1], "time", fixed=True)
        first = y[0] * (y[0] / y[-1]) ** (u[0] / (u[-1] - u[0]))
        values = model.slot(first, "value"), model.slot(y[-1], "value")
        model.parts.append(FittedPart(shapes.geometric, zero, zero, end, *values))
        yield model


def _plainest_rise(seen: Outline, begin: float, level: float, slope: float) -> tuple[float, float]:
    """The end and the peak of a line, of which only the slope is known, that together have the fewest digits."""
    top, last = seen.peak, float(seen.rows.u[-1]) - begin
    doubt = 2 * float(seen.rows.tolerance.max()) / (slope * last) + 1e-11
    # Peaks of two digits, since people write those; the length must then be a whole number
    power = math.floor(math.log10(top)) - 1
    peaks = [float(f"{digits}e{power + more}") for more in (0, 1, 2) for digits in range(10, 100)]
    best, least = (begin + last, top), math.inf
    for peak in (peak for peak in peaks if top <= peak <= MOST_RISE * top):
        length = (peak - level) / slope
        span = max(length * (1 - doubt), last), length * (1 + doubt)
        known = stated_between(begin + span[0], begin + span[1])
        end = roundest(*span) if known is None else round(known - begin)
        if isinstance(end, int):
            told = sum(0.5 if is_stated(number) else digits_of(number) for number in (peak, begin + end))
            if told < least:
                best, least = (begin + end, peak), told
    return best


def decaying(model: Model, start: int, peak: int, seen: Outline, curve: Model, stable: bool) -> Model | None:
    """A model that goes on with the decay that a curve is, at once or after a stable rate; None where that rises.

    start, peak: the slots of the time and the value from which on it does.
    """
    whole, like = model.followed(curve), curve.parts[0]
    part, n = whole.parts[-1], whole.numbers
    if stable:
        whole.parts.insert(-1, FittedPart(shapes.flat, start, start, start, peak, peak))
        start = part.start
        if start in whole.fixed:  # some curves show where they start; of the others it is known between two rows
            n[start] = float(seen.rows.u[seen.fall - 1])
            whole.fixed.discard(start)
    part.start, part.begin, part.first = start, start, peak
    if like.end == like.begin:
        part.end = start
    elif like.shape is shapes.inverse_power:  # whose unit of time is the time since a singularity
        n[part.end] += 2 * (n[start] - curve.numbers[like.begin])
    if n[part.last] >= n[peak]:
        return None
    floor = float(seen.rows.y[-1])
    to_0 = part.shape in (shapes.linear, root) or (part.shape is shapes.exponential and floor > 0)
    if to_0 and seen.rests(curve):
        _until(whole, whole.slot(floor, "value"))
    return whole if n[part.end] > n[start] or part.endless else None


def _until(model: Model, floor: int) -> None:
    """Let a decay to 0 end where it comes to the number of a slot."""
    part, n = model.parts[-1], model.numbers
    share = n[floor] / n[part.first]
    if part.shape is shapes.exponential:
        rate = math.log(n[part.extra or 0]) if 0 < n[part.extra or 0] < 1 else -math.inf
        end = n[part.begin] + math.log(share) / rate
        part.shape, part.extra, part.end = shapes.geometric, None, model.slot(end, "time")
    else:
        power = 1.0 if part.shape is shapes.linear else 1 / n[part.extra or 0]
        n[part.end] = n[part.begin] + (n[part.end] - n[part.begin]) * (1 - share) ** power
    part.last = floor


def _ended(model: Model, rows: LogRows) -> Iterator[Model]:
    """A fitted model, and those with the same rates whose decay ends at a plain share of the peak."""
    yield from _one_cycle(model, rows)
    yield model
    part, n = model.parts[-1], model.numbers
    bounds = around(model, rows)
    if part.last in bounds and not part.flat:
        # The digits may leave a floor open
        (least, most), peak = bounds[part.last], n[part.first]
        shares = [share for share in (0.0, *FLOORS) if least <= share * peak <= most]
        for share in shares[:MOST_FLOORS] if most - least > OPEN * peak else []:
            new = model.copy()
            new.parts[-1].last = _share_of_peak(new, share)
            if fits(new, rows):
                yield new
    elif part.shape in (shapes.linear, root, shapes.exponential) and n[part.first] > 0:
        doubt = WHOLE + float(np.ptp(bounds.get(part.end, (0.0, 0.0))))
        # A line that stops before its end has the same rates with any floor: whole lengths tell plain floors
        for share in FLOORS:
            new = model.copy()
            _until(new, _share_of_peak(new, share))
            end = new.numbers[new.parts[-1].end]
            if end >= rows.u[-1] and abs(end - round(end)) <= doubt:
                yield new


def _share_of_peak(model: Model, share: float) -> int:
    """A slot for a floor that is a share of the peak: to say so is free for 0, and least for a tenth."""
    if share:
        model.told += 1.0 - math.log10(share) / 2 + (math.log10(share) % 1 > 1e-9)
    return model.tied({model.parts[-1].first: share}, "value")


def _one_cycle(model: Model, rows: LogRows) -> Iterator[Model]:
    """One cycle with its usual factors: from a 25th of the peak up, and down to a 10,000th of that."""
    rise, fall = model.parts[0], model.parts[-1]
    alike = len(model.parts) == 2 and rise.shape == fall.shape in (shapes.cosine, shapes.linear)
    if not alike or rise.first in model.fixed:
        return
    new = model.copy()
    new.parts[0].first, last = (new.tied({fall.first: share}, "value") for share in (1 / 25, 1 / 25e4))
    if fall.shape is shapes.linear:  # only the slope is known: the end for the usual floor follows from it
        _until(new, last)
    new.parts[-1].last = last
    new.told += ONE_CYCLE
    if fits(new, rows):
        yield new
