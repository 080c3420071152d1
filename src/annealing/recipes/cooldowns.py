"""The last part of a schedule: from a rate down to a lower one, along one of the curves in use."""

from __future__ import annotations

from fractions import Fraction

from .. import shapes
from ..errors import ScheduleError, finite
from ..nodes import Run
from ..schedule import Schedule
from ..shapes import Shape
from ..times import positive
from .listed import recipe

MOST_HALVINGS = 900

CURVES: dict[str, Shape] = {
    "linear": shapes.linear,
    "cosine": shapes.cosine,
    "1-sqrt": shapes.mirrored(shapes.power(0.5)),
    "1-square": shapes.mirrored(shapes.power(2)),
    "mirror-cosine": shapes.mirror_cosine,
    "halving": shapes.geometric(0.5),
}


@recipe
def cooldown(start: float, end: float, length: float | Fraction, curve: str | Shape = "linear") -> Schedule:
    """From `start` to `end` along a curve: end + (start - end) * f(v), where v = t / length.

    f(v) of each curve: "linear" 1 - v; "cosine" (1 + cos(pi v)) / 2; "1-sqrt" 1 - sqrt(v); "1-square" 1 - v^2;
    "mirror-cosine" 2 (1 - v) - (1 + cos(pi v)) / 2; "geometric", which is start * (end / start)^v; "halving"
    2 * 0.5^v - 1. The last two are both called exponential elsewhere, and so is `half_life`. Any bounded value of
    annealing.shapes is a curve too.

    start, end: finite, in any order; "geometric" needs both above 0. length: above 0. After it `end` is held.

    >>> [round(cooldown(1, 0.1, 20, curve)(10), 4) for curve in ("linear", "1-sqrt", "geometric", "halving")]
    [0.55, 0.3636, 0.3162, 0.4728]

    Source: Hägele et al. 2024, arXiv 2405.18392; "geometric" as in its code; "halving" Megatron-LM's exponential.
    """
    return Run(cooldown_shape(curve, start, end), start, end, length)


@recipe
def half_life(start: float, T_half: float | Fraction, length: float | Fraction) -> Schedule:
    """Exponential decay by its half-life, start * 0.5^(t / T_half), up to `length`; then the last value is held.

    start: finite. T_half, length: above 0.

    >>> [half_life(1, T_half=5, length=20)(t) for t in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 0.25, 0.0625, 0.0625]

    Source: Hu et al. 2024, arXiv 2404.06395 (MiniCPM), the decay of its warm-up, stable, decay schedule.
    """
    halvings = float(positive(length, "length") / positive(T_half, "T_half"))
    if not halvings <= MOST_HALVINGS:
        raise ScheduleError(f"length must be at most {MOST_HALVINGS} half-lives, got {halvings:g}")
    ratio = 0.5**halvings
    return Run(shapes.geometric(ratio), start, finite(start, "start") * ratio, length)


def cooldown_shape(curve: str | Shape, start: float, end: float) -> Shape:
    """The shape of a curve by its name; that of "geometric" follows from the values."""
    if isinstance(curve, Shape):
        return curve
    if curve == "geometric":
        if min(finite(start, "start"), finite(end, "end")) <= 0:
            raise ScheduleError(f'start and end must be above 0 for curve "geometric", got {start!r} and {end!r}')
        return shapes.geometric(end / start)
    if not isinstance(curve, str) or curve not in CURVES:
        raise ScheduleError(f"curve must be one of {', '.join([*CURVES, 'geometric'])}, or a shape, got {curve!r}")
    return CURVES[curve]
