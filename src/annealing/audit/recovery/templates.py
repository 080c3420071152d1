"""The named recipes, tried before any search: a warm-up, a stable rate, a decay to a floor, whose numbers are fitted.

A model here has no more numbers than its recipe: what is joined shares them from the beginning, so that few digits
determine them as well as they can.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from ... import shapes
from ..intervals import digits_of, roundest, shortest
from .candidate import Candidate, described
from .fitting import LogRows, around, fit, fits
from .model import Array, FittedPart, Model, ShapeFamily, root
from .outline import COSINE, CURVES, CurveFamily, Outline, outline
from .round_numbers import is_stated, stated_between

FLOORS = (0.0, 0.1, 0.01, 0.05, 0.001, 0.2, 0.5, 0.02, 1e-4)  # shares of the peak at which a decay may end
WHOLE = 0.3  # updates by which the end of a decay may be off a whole number, besides what digits leave open
LEAST_ROWS = 4  # any three lie on some curve
OPEN = 1e-3  # of the peak: a floor that digits leave open by more may be a plain share of it
MOST_FLOORS = 3
MOST_RISE = 30.0  # how far above the last row the peak of a warm-up may lie
ONE_CYCLE = 1.5  # how long it is to say so
CURVED: dict[str, shapes.Shape | ShapeFamily] = {"cosine": shapes.cosine, "quadratic": root}
LIKE_SQUARES = 0.02  # of themselves, by which the roots of rates may be off a line
SHARES = {"from 0": 0.0, "from a third": 1 / 3, "from a tenth": 0.1, "from a thousandth": 0.001}
KINDS = (  # warm-ups to try where no row rises, one, two, or more
    ("none", "from 0"),
    tuple(SHARES),
    ("from 0", "linear"),
    ("from 0", "linear", "cosine", "quadratic"),
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
    for curve in curves:
        for model in models(seen, curve, round(rows.u[0] - seen.rows.u[0]), origin):
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


def models(seen: Outline, curve: Model | None, shift: int, origin: float | None = None) -> Iterator[Model]:
    """Models of a warm-up and a decay, those with fewest numbers first; origin: a guess of its start, 0 by default."""
    if seen.only_rises:
        yield from _rising(seen, shift, origin)
        return
    for stable in (False, True) if curve is not None else (False,):
        for model, start, peak in begun(seen, shift, origin):
            if stable:
                # Some curves show where they start; of the others it is known between two rows
                shown = float(seen.rows.u[seen.fall - 1])
                if curve is not None and curve.parts[0].start in curve.free():
                    shown = curve.numbers[curve.parts[0].start]
                model.parts.append(FittedPart(shapes.flat, start, start, start, peak, peak))
                start = model.slot(shown + shift, "time")
            if not seen.top and start in model.free() and curve is not None and curve.parts[0].shape is shapes.linear:
                _on_line(model, curve, seen, start, peak)
            if curve is None:
                model.parts.append(FittedPart(shapes.flat, start, start, start, peak, peak))
            elif not _with_body(model, curve, seen, shift, start, peak):
                continue
            yield model


def _on_line(model: Model, line: Model, seen: Outline, start: int, peak: int) -> None:
    """A line that starts before the first row may start anywhere: at its plainest rate."""
    times = np.array([seen.rows.u[0], seen.rows.u[0] - max(model.numbers[start] * 2, 1.0)])
    part, n = line.parts[0], line.numbers
    rates = (n[part.first] * (1 - (times - n[part.begin]) / _length(line))).tolist()
    model.numbers[peak] = shortest(min(rates), max(rates))
    model.fixed.add(peak)


def begun(seen: Outline, shift: int, origin: float | None = None) -> Iterator[tuple[Model, int, int]]:
    """Models of a warm-up alone, with the slots of its end and of the peak; origin: where it starts, 0 by default."""
    u = seen.rows.u + shift
    for kind in KINDS[min(seen.top, len(KINDS) - 1)]:
        model = Model(seen=float(u[-1]))
        zero, peak = model.slot(origin or 0.0, "time", fixed=origin is None), model.slot(seen.peak, "value")
        if kind == "none":
            yield model, zero, peak
            continue
        share = SHARES.get(kind)
        guess: tuple[float, float] | None = float(seen.rows.y[0]), float(u[seen.top])
        if kind == "quadratic":
            share, guess = 0.0, _squared(seen, u, origin or 0.0)
        elif kind != "cosine":
            guess = _risen(seen, u, share, origin or 0.0)
        if guess is None:
            continue
        first, end = guess
        begin = model.tied({peak: share}, "value") if share else model.slot(first, "value", fixed=share == 0)
        until = model.slot(end, "time")
        extra = model.slot(2.0, "extra", fixed=True) if kind == "quadratic" else None
        model.parts.append(FittedPart(CURVED.get(kind, shapes.linear), zero, zero, until, begin, peak, extra))
        model.told = 1.0 * (kind in CURVED) + 2.0 * bool(share)
        yield model, until, peak


def _risen(seen: Outline, u: Array, share: float | None, origin: float) -> tuple[float, float] | None:
    """The first value and the end of a line through the rows that rise; share: the first value in peaks, if known."""
    if not seen.top:  # no row lies in the warm-up
        return (0.0, origin + float(u[0] - origin) / 2) if u[0] > origin else None
    t, y = u[: seen.top] - origin, seen.rows.y[: seen.top]
    if share is not None:
        inside, first = t > 0, share * seen.peak
        if not inside.any():
            return first, float(u[seen.top])
        slope = float((t * (y - first))[inside].sum() / (t * t)[inside].sum())
    elif len(t) < 2:
        return None
    else:
        slope, first = (float(number) for number in np.polyfit(t, y, 1))
    return (first, origin + (seen.peak - first) / slope) if slope > 0 else None


def _squared(seen: Outline, u: Array, origin: float) -> tuple[float, float] | None:
    """The first value and the end of a quadratic curve from 0 through the rows that rise, where they are near one."""
    # The later half: small rates have few digits
    each = (np.sqrt(seen.rows.y[: seen.top] / seen.peak) / (u[: seen.top] - origin))[seen.top // 2 :]
    return (0.0, origin + 1 / float(each[-1])) if np.ptp(each) <= LIKE_SQUARES * each[-1] else None


def _rising(seen: Outline, shift: int, origin: float | None) -> Iterator[Model]:
    """Models of a warm-up that is not over at the last row."""
    u, y = seen.rows.u + shift, seen.rows.y
    for model, until, peak in begun(seen, shift, origin):
        part, n = model.parts[0] if model.parts else None, model.numbers
        if part is None or peak in model.ties or model.told > 1:
            continue
        if part.shape is shapes.linear:
            last = min(n[until], float(u[-1]), float(seen.rows.u[-1]))
            if last <= n[part.begin] or n[peak] <= max(n[part.first], 0):  # steps or rates below 0
                continue
            slope = (n[peak] - n[part.first]) / (n[until] - n[part.begin])
            n[until], n[peak] = _plainest_rise(seen, n[part.begin], n[part.first], slope)
            model.fixed |= {until}  # only the slope is known
        elif part.shape is root or (wave := seen.curve(COSINE)) is None:
            continue
        else:
            known = wave.parts[0]
            n[until], n[peak] = wave.numbers[known.end] + shift, wave.numbers[known.last]
            n[part.first] = wave.numbers[known.first]
        yield model
    if origin is None and (y > 0).all():  # a range test: what grows by a factor has no end but that of the rows
        model = Model(seen=float(u[-1]))
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


def _with_body(model: Model, curve: Model, seen: Outline, shift: int, start: int, peak: int) -> bool:
    """Add the decay that a curve is, from `start` and from the peak on; whether it goes down."""
    n, like = model.numbers, curve.parts[0]
    end = start if like.endless and like.begin == like.end else model.slot(curve.numbers[like.end] + shift, "time")
    if like.shape is shapes.inverse_power:
        n[end] = n[start] + _length(curve) + (n[start] - curve.numbers[like.begin] - shift)
    last = model.slot(curve.numbers[like.last], "value", fixed=like.last in curve.fixed)
    extra = like.extra
    if extra is not None:
        extra = model.slot(curve.numbers[extra], "extra", fixed=extra in curve.fixed)
    if n[last] >= n[peak]:
        return False
    part = FittedPart(like.shape, start, start, end, peak, last, extra)
    rests = seen.rests(curve)
    floor = float(seen.rows.y[-1]) if rests else 0.0
    if part.shape in (shapes.linear, root):
        power = 1.0 if part.shape is shapes.linear else 1 / n[part.extra or 0]
        share = (n[peak] - floor) / (n[peak] - n[part.last])
        n[part.end] = n[start] + (n[part.end] - n[start]) * float(share) ** power
        part.last = model.slot(floor, "value", fixed=not rests)
    elif part.shape is shapes.exponential and rests and 0 < n[part.extra or 0] < 1 and 0 < floor < n[peak]:
        until = n[start] + math.log(floor / n[peak]) / math.log(n[part.extra or 0])
        part.shape, part.extra, part.end = shapes.geometric, None, model.slot(until, "time")
        part.last = model.slot(floor, "value")
    model.parts.append(part)
    return n[part.end] > n[start] or part.endless


def _length(curve: Model) -> float:
    return curve.numbers[curve.parts[0].end] - curve.numbers[curve.parts[0].begin]


def _ended(model: Model, rows: LogRows) -> Iterator[Model]:
    """A fitted model, and those with the same rates whose decay ends at a plain share of the peak."""
    yield from _one_cycle(model, rows)
    yield model
    part, n = model.parts[-1], model.numbers
    bounds = around(model, rows)
    if part.last in bounds and not part.flat:
        yield from _at_plain_floors(model, *bounds[part.last], rows)
    elif part.shape in (shapes.linear, root, shapes.exponential) and n[part.first] > 0:
        doubt = WHOLE + float(np.ptp(bounds.get(part.end, (0.0, 0.0))))
        # A line that stops before its end has the same rates with any floor: whole lengths tell plain floors
        for share in FLOORS[1:]:
            new, end = _stopped(model, share)
            if end >= model.seen and abs(end - round(end)) <= doubt:
                yield new


def _at_plain_floors(model: Model, least: float, most: float, rows: LogRows) -> Iterator[Model]:
    """Models whose floor the digits leave open, at shares of the peak."""
    part, peak = model.parts[-1], model.numbers[model.parts[-1].first]
    shares = [share for share in FLOORS if least <= share * peak <= most] if most - least > OPEN * peak else []
    for share in shares[:MOST_FLOORS]:
        new = model.copy()
        new.parts[-1].last = new.tied({part.first: share}, "value")
        new.told += _told(share)
        if fits(new, rows):
            yield new


def _one_cycle(model: Model, rows: LogRows) -> Iterator[Model]:
    """One cycle with its usual factors: from a 25th of the peak up, and down to a 10,000th of that."""
    rise, fall = model.parts[0], model.parts[-1]
    if (
        len(model.parts) != 2
        or not rise.shape == fall.shape in (shapes.cosine, shapes.linear)
        or rise.first in model.fixed
    ):
        return
    # Of a line only the slope is known: the end for the usual floor follows from it
    new = model.copy() if fall.shape is shapes.cosine else _stopped(model, 1 / 25e4)[0]
    new.parts[0].first = new.tied({fall.first: 1 / 25}, "value")
    new.parts[-1].last = new.tied({fall.first: 1 / 25e4}, "value")
    new.told = model.told + ONE_CYCLE
    if fits(new, rows):
        yield new


def _stopped(model: Model, share: float) -> tuple[Model, float]:
    """The same rates by a decay that ends earlier, at a share of its peak, and when that is."""
    new = model.copy()
    part, n = new.parts[-1], new.numbers
    new.told += _told(share)
    if part.shape is shapes.exponential:
        rate = math.log(n[part.extra or 0]) if 0 < n[part.extra or 0] < 1 else -math.inf
        end = n[part.begin] + math.log(share) / rate
        part.shape, part.extra, part.end = shapes.geometric, None, new.slot(end, "time")
    else:
        power = 1.0 if part.shape is shapes.linear else 1 / n[part.extra or 0]
        end = n[part.begin] + (n[part.end] - n[part.begin]) * (1 - share) ** power
        n[part.end] = end
    part.last = new.tied({part.first: share}, "value")
    return new, end


def _told(share: float) -> float:
    """How long it is to say that a decay ends at a share of the peak: nothing for 0, least for a tenth."""
    return 1.0 - math.log10(share) / 2 + (math.log10(share) % 1 > 1e-9) if share else 0.0
