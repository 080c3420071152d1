"""From phases to a model: which numbers neighbours share is tried, most shared first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import shapes
from ..intervals import roundest
from .curve_families import Array, FittedCurve
from .fitting import LogRows, fit
from .model import FittedPart, Model, root
from .segmentation import Phase

TIED = 0.1  # by how much of the slack a model with more numbers must be nearer
NATURAL = (shapes.cosine, root)  # shapes that show where they begin
ENDING = (shapes.cosine, shapes.power, root)  # and where they end


def build(phases: list[Phase], u: Array, y: Array, slack: Array) -> tuple[Model, float]:
    """The model of phases at times u (of the schedule, which begins at 0), and its worst residual."""
    model, worst = Model(seen=float(u[-1])), 0.0
    for number, phase in enumerate(phases):
        since = phases[max(number - 1, 0)].first
        odd = [row for near in phases[max(number - 1, 0) : number + 1] for row in near.odd]
        kept = np.setdiff1d(np.arange(since, phase.stop), odd)
        rows = LogRows(u[kept], y[kept], slack[kept])
        own = u[phase.first : phase.stop]
        if not model.parts:
            options = _begun(phase.curve, own)
        else:
            gap = float(u[phase.first - 1]), float(u[phase.first])
            options = _joined(model, phase.curve, own, gap)
        best, least = None, math.inf
        for option in options:
            off = _fitted_last(option, rows)
            if best is None or off < least - TIED:
                best, least = option, off
            if off <= 1:
                break
        assert best is not None
        model, worst = best, max(worst, least)
    model.seen = float(u[-1])
    return model, worst


def _fitted_last(model: Model, rows: LogRows) -> float:
    """Fit the numbers of the last two parts alone."""
    near = {slot for part in model.parts[-2:] for slot in part.slots()}
    # Earlier parts are fitted already: moving them again would only trade errors with the new one
    far = {slot for slot in model.free() if slot not in near}
    model.fixed |= far
    off = fit(model, rows)
    model.fixed -= far
    return off


def _begun(curve: FittedCurve, own: Array) -> list[Model]:
    """Models of a first phase: it begins at 0, or its natural begin lies elsewhere."""
    # Fewest numbers first: parts that share their joint time and value, then the time alone, then nothing
    options = []
    for natural in (True, False):
        model = Model(seen=float(own[-1]))
        start = model.slot(0.0, "time", fixed=True)
        part = part_of(model, curve, own, start)
        if natural:
            part.begin = start
        model.parts.append(part)
        options.append(model)
        if part.shape not in NATURAL:
            break
    return options


def _joined(model: Model, curve: FittedCurve, own: Array, gap: tuple[float, float]) -> list[Model]:
    low, high = gap
    room = (high - low) * 3
    options = []
    before_end = model.numbers[model.parts[-1].end]
    for tie in ("both", "time", "early", "begin", "end", "none"):
        new = model.copy()
        before = new.parts[-1]
        whole = roundest(low + 1e-9 * max(abs(low), 1), high)
        start = new.slot(whole if isinstance(whole, int) else high, "time")
        new.gaps[start] = gap
        part = part_of(new, curve, own, start)
        begin = new.numbers[part.begin]
        natural = part.shape in NATURAL and not part.mirror and low - room <= begin <= high + room
        ends = before.shape in ENDING and low - room <= before_end <= high + room
        if tie in ("both", "time"):
            before_free = before.shape in (shapes.linear, shapes.exponential, shapes.geometric)
            crossing = _crossing(new, part, low - room, high + room)
            if natural:
                new.numbers[start] = begin
            elif ends:
                new.numbers[start] = before_end
                if before.shape is root and crossing is not None:
                    new.numbers[start], new.numbers[before.last] = crossing, float(_at(new, before, crossing))
            elif crossing is not None and tie == "both":
                new.numbers[start] = crossing
            elif tie == "both":
                continue
            else:
                new.fixed.add(start)
            if part.shape in NATURAL and not part.mirror:
                part.begin = start
            _ended(new, before, part, start, shared=tie == "both")
            if ends or before_free:
                before.end = start
            if tie == "both" and before.flat:
                part.first = before.first
            elif tie == "both":
                part.first = before.last
                if part.flat:
                    part.last = part.first
        elif tie == "early":  # the part before ends, its last value is held until the next begins there
            if not natural or before.flat:
                continue
            new.numbers[start] = begin
            part.begin = start
            if before.shape in (shapes.linear, shapes.power):
                part.first = before.last
                new.fixed.discard(before.end)
        elif tie == "begin":  # the part before is left early
            if not natural:
                continue
            new.numbers[start] = begin
            part.begin = start
        elif tie == "end":
            if not ends:
                continue
            new.numbers[start] = before_end
            before.end = start
        else:
            new.fixed.add(start)
            if before.shape is shapes.linear:
                before.end = start
                _ended(new, before, part, start, shared=False)
        new.parts.append(part)
        options.append(new)
    return options


def _ended(model: Model, before: FittedPart, part: FittedPart, start: int, shared: bool) -> None:
    """A part without a natural end gets the start of the next one for its end, and its value there."""
    if before.shape is shapes.linear:
        here = _at(model, before, model.numbers[start])
        before.end = start
        before.last = model.slot(here, "value")
    elif before.shape is shapes.exponential and shared and part.flat:
        before.shape, before.extra, before.end, before.last = shapes.geometric, None, start, part.first


def _at(model: Model, part: FittedPart, time: Any) -> Any:
    n = model.numbers
    done = (time - n[part.begin]) / (n[part.end] - n[part.begin])
    if part.shape is root and part.extra is not None:
        done = np.maximum(done, 0) ** n[part.extra]
    return n[part.first] + (n[part.last] - n[part.first]) * done


def _crossing(model: Model, part: FittedPart, low: float, high: float) -> float | None:
    """Where the last part of a model meets the next one, near a gap."""
    before = model.parts[-1]

    def values(part: FittedPart, times: Array) -> Array:
        straight = part.shape is shapes.linear or (part is before and part.shape is root)
        return np.asarray(_at(model, part, times) if straight else Model([part], model.numbers)(times))

    times = np.linspace(low, high, 241)
    for _ in range(8):
        here, there = values(before, times), values(part, times)
        change = np.flatnonzero(np.diff(np.sign(here - there)) != 0)
        if not len(change):
            nearest = int(np.abs(here - there).argmin())
            size = max(abs(here[nearest]), abs(there[nearest]))
            return float(times[nearest]) if abs(here[nearest] - there[nearest]) <= 0.02 * size else None
        i = int(change[np.abs(times[change] - (low + high) / 2).argmin()])
        times = np.linspace(times[i], times[i + 1], 101)
    return float(times[50])


def part_of(model: Model, curve: FittedCurve, own: Array, start: int) -> FittedPart:
    """A curve as a part: its begin and end in time and value, as far as it has them by itself."""
    kind = curve.family.name
    begin, end = float(model.numbers[start]), float(own[-1])
    if end <= begin:
        end = begin + 1.0
    if kind == "flat":
        level = model.slot(float(curve.weights[0]), "value")
        return FittedPart(shapes.flat, start, start, start, level, level)
    if kind == "wave":
        return _wave(model, curve, own, start)
    first = float(curve(begin)) if np.isfinite(curve(begin)) else float(curve(own[0]))
    if kind == "line":
        stop = model.slot(end, "time", fixed=True)
        return FittedPart(
            shapes.linear, start, start, stop, model.slot(first, "value"), model.slot(float(curve(end)), "value")
        )
    if kind in ("geometric", "shifted geometric"):
        rate = curve.inner[0] / curve.scale
        if rate > 0:  # what grows has no limit: it ends with the rows
            stop = model.slot(end, "time", fixed=True)
            last = model.slot(float(curve(end)), "value")
            return FittedPart(shapes.geometric, start, start, stop, model.slot(first, "value"), last)
        floor = 0.0 if kind == "geometric" else float(curve.weights[0] - curve.weights[1] / curve.inner[0])
        last = model.slot(floor, "value", fixed=kind == "geometric")
        factor = model.slot(2.0**rate, "extra")
        return FittedPart(shapes.exponential, start, start, start, model.slot(first, "value"), last, factor)
    fixed = kind[6:] if kind.startswith("power ") else ""
    exponent = float(fixed) if fixed else curve.inner[1]
    floor = float(curve.weights[0]) if len(curve.weights) == 2 else 0.0
    origin = curve.middle + curve.scale * curve.inner[0]
    last = model.slot(floor, "value", fixed=len(curve.weights) == 1)
    if exponent < 0:
        extra = model.slot(-exponent, "extra", fixed=bool(fixed))
        scale = model.slot(begin + (begin - origin), "time")
        return FittedPart(shapes.inverse_power, start, start, scale, model.slot(first, "value"), last, extra)
    extra = model.slot(exponent, "extra", fixed=bool(fixed))
    if curve.inner[0] > 0:
        return FittedPart(
            shapes.power, start, start, model.slot(origin, "time"), model.slot(first, "value"), last, extra
        )
    stop = model.slot(end, "time", fixed=True)
    begins = model.slot(origin, "time")
    return FittedPart(root, start, begins, stop, last, model.slot(float(curve(end)), "value"), extra)


def _wave(model: Model, curve: FittedCurve, own: Array, start: int) -> FittedPart:
    halves = curve.inner[0]
    level, bend, quarter = (float(x) for x in curve.weights)
    across, along = -bend / (2 * halves**2), quarter / halves  # of the cosine about the middle and of the other
    mean, size = level - across, math.hypot(across, along)
    phase = math.atan2(-along, across) / math.pi % 2  # that of the middle: 0 at the top, 1 at the bottom
    rising = phase > 1
    half = curve.scale / halves
    middle = curve.middle - (phase - rising) * half + half / 2
    top, bottom = mean + size, mean - size
    first, last = (bottom, top) if rising else (top, bottom)
    begin = middle - half / 2
    mirror = bool(own[-1] - own[0] > 1.1 * half)
    if mirror:
        begin = begin - half * round((begin - own[0]) / half)
        if np.interp(own[0], [begin, begin + half], [0, 1]) >= 0 and abs(float(curve(begin)) - first) > size:
            first, last = last, first
    slots = model.slot(begin, "time"), model.slot(begin + half, "time")
    values = model.slot(first, "value"), model.slot(last, "value")
    return FittedPart(shapes.cosine, start, *slots, *values, mirror=mirror)
