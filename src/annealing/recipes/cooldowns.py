"""Cooldowns: from a rate to a lower one, along one of the curves in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import shapes
from ..errors import ScheduleError, finite
from ..exact import Floor, Time, lasting, positive
from ..schedule.base import Schedule
from ..schedule.nodes import Run
from ..shapes import Shape
from .arguments import ratio
from .registry import recipe

MOST_HALVINGS = 900
FALLING: dict[str, Shape] = {
    "linear": shapes.linear,
    "cosine": shapes.cosine,
    "1-sqrt": shapes.mirrored(shapes.power(0.5)),
    "1-square": shapes.mirrored(shapes.power(2)),
    "mirror-cosine": shapes.mirror_cosine,
    "halving": shapes.geometric(0.5),
}
PROGRESSIONS = {"geometric": shapes.geometric, "harmonic": shapes.harmonic}  # they follow from the two values


@recipe
def cooldown(start: Floor, end: Floor, length: Time, curve: str | Shape = "linear") -> Schedule:
    """From `start` to `end` along a curve: end + (start - end) * f(v), where v = t / length.

    f(v) of each curve: "linear" 1 - v; "cosine" (1 + cos(pi v)) / 2; "1-sqrt" 1 - sqrt(v); "1-square" 1 - v^2;
    "mirror-cosine" 2 (1 - v) - (1 + cos(pi v)) / 2; "halving" 2 * 0.5^v - 1; "geometric", which is
    start * (end / start)^v; "harmonic", where 1 / eta is a line from 1 / start to 1 / end. "halving", "geometric"
    and `half_life` are each called exponential elsewhere. Any bounded value of annealing.shapes is a curve too.

    start, end: finite, in any order, `end` also a share of `start` ("10%"); "geometric" and "harmonic" need both above
    0. length: at least 0. After it `end` is held.

    >>> [round(cooldown(1, 0.1, 20, curve)(10), 4) for curve in ("linear", "1-sqrt", "geometric", "halving")]
    [0.55, 0.3636, 0.3162, 0.4728]

    Source: Hägele et al. 2024, arXiv 2405.18392; "geometric" as in its code; "halving" Megatron-LM's exponential;
    "harmonic" levanter's "inv".
    """
    first, last = finite(start, "start"), finite(end, "end")
    return Run(curve_shape(curve, FALLING, start=first, end=last), first, last, length)


@recipe
def half_life(start: float, T_half: Time, length: Time) -> Schedule:
    """Exponential decay by its half-life, start * 0.5^(t / T_half), up to `length`; then the last value is held.

    start: finite. T_half: above 0. length: at least 0, at most 900 T_half.

    >>> [half_life(1, T_half=5, length=20)(t) for t in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 0.25, 0.0625, 0.0625]

    Source: Hu et al. 2024, arXiv 2404.06395 (MiniCPM), the decay of its warm-up, stable, decay schedule.
    """
    return halved(finite(start, "start"), T_half, length=length)


def halved(start: float, T_half: Time, **length: Time) -> Schedule:
    """Decay by a half-life; the length goes by the name that the caller has for it."""
    ((name, time),) = length.items()
    halvings = 1 / positive(T_half, "T_half") * lasting(time, name)
    if halvings > MOST_HALVINGS:
        raise ScheduleError(f"{name} must be at most {MOST_HALVINGS} T_half, got {time!r}")
    left = 0.5 ** float(halvings)
    return Run(shapes.geometric(left), start, start * left, time)


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
