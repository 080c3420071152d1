"""Curves by their names, for the recipes that take one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from .. import shapes
from ..errors import ScheduleError
from ..printing import literal
from ..shapes import Shape
from .arguments import ratio

FALLING: dict[str, Shape] = {
    "linear": shapes.linear,
    "cosine": shapes.cosine,
    "1-sqrt": shapes.mirrored(shapes.power(0.5)),
    "1-square": shapes.mirrored(shapes.power(2)),
    "mirror-cosine": shapes.mirror_cosine,
    "halving": shapes.geometric(0.5),
}
RISING: dict[str, Shape] = {
    "linear": shapes.linear,
    "quadratic": shapes.mirrored(shapes.power(2)),
    "1-square": shapes.power(2),
    "1-sqrt": shapes.power(0.5),
    "cosine": shapes.cosine,
}
PROGRESSIONS = {"geometric": shapes.geometric, "harmonic": shapes.harmonic}  # they follow from the two values
LATEST_LOG = 10**12


def curve_shape(curve: Any, known: Mapping[str, Shape | Callable[[], Shape]], **values: Any) -> Shape:
    """The shape of a curve: one of `known`, a progression between the two values (each with its name), or a shape."""
    if isinstance(curve, Shape) and not curve.endless:
        return curve
    if isinstance(curve, str) and curve in PROGRESSIONS:
        return PROGRESSIONS[curve](ratio(f' for curve "{curve}"', **values))
    if not isinstance(curve, str) or curve not in known:
        names = ", ".join([*known, *PROGRESSIONS])
        raise ScheduleError(f"curve must be one of {names}, or a shape that has an end, got {curve!r}")
    found = known[curve]
    return found if isinstance(found, Shape) else found()


def logarithmic(length: Fraction) -> Shape:
    """The shape of log(1 + t) / log(1 + length)."""
    if not Fraction(1, LATEST_LOG) <= length <= LATEST_LOG:
        raise ScheduleError(f'length must be from 1e-12 to 1e12 for curve "log", got {literal(length)}')
    return shapes.logarithmic(float(1 + length))
