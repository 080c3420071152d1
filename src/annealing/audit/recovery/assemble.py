"""From phases to a model: which numbers neighbours share is tried, most shared first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..intervals import roundest
from .basis import Array, Curve
from .fitting import Rows, fit
from .model import Model, Part
from .phases import Phase

TIED = 0.1  # by how much of the slack a model with more numbers must be nearer
KINDS = {"flat": "flat", "line": "linear", "sine": "cosine", "geometric": "tail exponential"}


def build(phases: list[Phase], u: Array, y: Array, slack: Array) -> tuple[Model, float]:
    """The model of phases at times u (of the schedule, which begins at 0), and its worst residual."""
    model, worst = Model(seen=float(u[-1])), 0.0
    for number, phase in enumerate(phases):
        since = phases[max(number - 1, 0)].first
        odd = [row for near in phases[max(number - 1, 0) : number + 1] for row in near.odd]
        kept = np.setdiff1d(np.arange(since, phase.stop), odd)
        rows = Rows(u[kept], y[kept], slack[kept])
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


def _fitted_last(model: Model, rows: Rows) -> float:
    """Fit the numbers of the last two parts alone."""
    near = {slot for part in model.parts[-2:] for slot in part.slots()}
    far = {slot for slot in model.free() if slot not in near}
    model.fixed |= far
    off = fit(model, rows)
    model.fixed -= far
    return off


def _begun(curve: Curve, own: Array) -> list[Model]:
    """Models of a first phase: it begins at 0, or its natural begin lies elsewhere."""
    options = []
    for natural in (True, False):
        model = Model(seen=float(own[-1]))
        start = model.slot(0.0, "time", fixed=True)
        part = part_of(model, curve, own, start)
        if natural:
            part.begin = start
        model.parts.append(part)
        options.append(model)
        if part.kind not in ("cosine", "mirror", "root"):
            break
    return options


def _joined(model: Model, curve: Curve, own: Array, gap: tuple[float, float]) -> list[Model]:
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
        natural = part.kind in ("cosine", "root") and low - room <= begin <= high + room
        ends = before.kind in ("cosine", "power", "root", "mirror") and low - room <= before_end <= high + room
        if tie in ("both", "time"):
            before_free = before.kind in ("linear", "tail exponential", "geometric")
            crossing = _crossing(new, part, low - room, high + room)
            if natural:
                new.numbers[start] = begin
            elif ends:
                new.numbers[start] = before_end
                if before.kind == "root" and crossing is not None:
                    new.numbers[start], new.numbers[before.last] = crossing, float(_at(new, before, crossing))
            elif crossing is not None and tie == "both":
                new.numbers[start] = crossing
            elif tie == "both":
                continue
            else:
                new.fixed.add(start)
            if part.kind in ("cosine", "root"):
                part.begin = start
            _ended(new, before, part, start, shared=tie == "both")
            if ends or before_free:
                before.end = start
            if tie == "both" and before.kind == "flat":
                part.first = before.first
            elif tie == "both":
                part.first = before.last
                if part.kind == "flat":
                    part.last = part.first
        elif tie == "early":  # the part before ends, its last value is held until the next begins there
            if not natural or before.kind == "flat":
                continue
            new.numbers[start] = begin
            part.begin = start
            if before.kind in ("linear", "power"):
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
            if before.kind == "linear":
                before.end = start
                _ended(new, before, part, start, shared=False)
        new.parts.append(part)
        options.append(new)
    return options


def _ended(model: Model, before: Part, part: Part, start: int, shared: bool) -> None:
    """A part without a natural end gets the start of the next one for its end, and its value there."""
    if before.kind == "linear":
        here = _at(model, before, model.numbers[start])
        before.end = start
        before.last = model.slot(here, "value")
    elif before.kind == "tail exponential" and shared and part.kind == "flat":
        before.kind, before.extra, before.end, before.last = "geometric", None, start, part.first


def _at(model: Model, part: Part, time: Any) -> Any:
    n = model.numbers
    done = (time - n[part.begin]) / (n[part.end] - n[part.begin])
    if part.kind == "root" and part.extra is not None:
        done = np.maximum(done, 0) ** n[part.extra]
    return n[part.first] + (n[part.last] - n[part.first]) * done


def _crossing(model: Model, part: Part, low: float, high: float) -> float | None:
    """Where the last part of a model meets the next one, near a gap."""
    before = model.parts[-1]

    def values(part: Part, times: Array) -> Array:
        straight = part.kind == "linear" or (part is before and part.kind == "root")
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


def part_of(model: Model, curve: Curve, own: Array, start: int) -> Part:
    """A curve as a part: its begin and end in time and value, as far as it has them by itself."""
    kind = curve.family.name
    begin, end = float(model.numbers[start]), float(own[-1])
    if end <= begin:
        end = begin + 1.0
    if kind == "flat":
        level = model.slot(float(curve.weights[0]), "value")
        return Part("flat", start, start, start, level, level)
    if kind == "sine":
        return _wave(model, curve, own, start)
    first = float(curve(begin)) if np.isfinite(curve(begin)) else float(curve(own[0]))
    if kind == "line":
        stop = model.slot(end, "time", fixed=True)
        return Part("linear", start, start, stop, model.slot(first, "value"), model.slot(float(curve(end)), "value"))
    if kind in ("geometric", "shifted geometric"):
        rate = curve.inner[0] / curve.scale
        floor = 0.0 if kind == "geometric" else float(curve.weights[0] - curve.weights[1] / curve.inner[0])
        last = model.slot(floor, "value", fixed=kind == "geometric")
        factor = model.slot(math.exp(rate), "extra")
        return Part("tail exponential", start, start, start, model.slot(first, "value"), last, factor)
    fixed = kind[6:] if kind.startswith("power ") else ""
    exponent = float(fixed) if fixed else curve.inner[1]
    floor = float(curve.weights[0]) if len(curve.weights) == 2 else 0.0
    origin = curve.middle + curve.scale * curve.inner[0]
    last = model.slot(floor, "value", fixed=len(curve.weights) == 1)
    if exponent < 0:
        extra = model.slot(-exponent, "extra", fixed=bool(fixed))
        scale = model.slot(begin + (begin - origin), "time")
        return Part("tail power", start, start, scale, model.slot(first, "value"), last, extra)
    extra = model.slot(exponent, "extra", fixed=bool(fixed))
    if curve.inner[0] > 0:
        return Part("power", start, start, model.slot(origin, "time"), model.slot(first, "value"), last, extra)
    stop = model.slot(end, "time", fixed=True)
    begins = model.slot(origin, "time")
    return Part("root", start, begins, stop, last, model.slot(float(curve(end)), "value"), extra)


def _wave(model: Model, curve: Curve, own: Array, start: int) -> Part:
    w = curve.inner[0]
    level, bend, sine = (float(x) for x in curve.weights)
    across, along = -bend / (2 * w * w), sine / w  # of the cosine and of the sine about the middle
    mean, size = level - across, math.hypot(across, along)
    phase = math.atan2(-along, across) % (2 * math.pi)  # that of the middle: 0 at the top, pi at the bottom
    rising = phase > math.pi
    half = math.pi / w * curve.scale
    middle = curve.middle - (phase - math.pi * rising) / w * curve.scale + half / 2
    top, bottom = mean + size, mean - size
    first, last = (bottom, top) if rising else (top, bottom)
    begin = middle - half / 2
    kind = "cosine"
    if own[-1] - own[0] > 1.1 * half:
        kind, begin = "mirror", begin - half * round((begin - own[0]) / half)
        if np.interp(own[0], [begin, begin + half], [0, 1]) >= 0 and abs(float(curve(begin)) - first) > size:
            first, last = last, first
    slots = model.slot(begin, "time"), model.slot(begin + half, "time")
    return Part(kind, start, *slots, model.slot(first, "value"), model.slot(last, "value"))
