"""A fitted curve as a part of a model: its begin and end in time and value, as far as it has them by itself."""

from __future__ import annotations

import math

import numpy as np

from ... import shapes
from .curve_families import Array, FittedCurve
from .model import FittedPart, Model, root


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
