"""Warm-ups: what goes before a schedule, over its beginning, or multiplies it."""

from __future__ import annotations

from fractions import Fraction

from .. import shapes
from ..errors import ScheduleError, finite
from ..nodes import Run, Tail
from ..schedule import Schedule
from ..shapes import Shape
from ..times import exact, positive
from .decays import E_INVERSE
from .listed import a_schedule, recipe

CURVES: dict[str, Shape] = {
    "linear": shapes.linear,
    "quadratic": shapes.mirrored(shapes.power(2)),
    "1-square": shapes.power(2),
    "1-sqrt": shapes.power(0.5),
    "cosine": shapes.cosine,
}
PLACES = ("before", "over", "squeezed", "times")


@recipe
def ramp(end: float, length: float | Fraction, curve: str | Shape = "linear", start: float = 0.0) -> Schedule:
    """A warm-up from `start` to `end` along a curve: start + (end - start) * f(x), where x = t / length.

    f(x) of each curve: "linear" x; "quadratic" x^2; "1-square" 1 - (1 - x)^2; "1-sqrt" 1 - sqrt(1 - x); "cosine"
    (1 - cos(pi x)) / 2; "log" log(1 + (L - 1) x) / log(L), where L is the length; "geometric", which is
    start * (end / start)^x. Any bounded value of annealing.shapes is a curve too.

    start, end: finite; "geometric" needs both above 0. length: above 0; "log" needs it above 1.

    >>> [ramp(1, 100, curve)(50) for curve in ("linear", "quadratic", "1-square", "cosine")]
    [0.5, 0.25, 0.75, 0.5]

    Source: "1-square" fms-fsdp; "1-sqrt" and "cosine" transformers; "log" DeepSpeed's WarmupLR.
    """
    shape = curve if isinstance(curve, Shape) else _shape(curve, start, end, length)
    return Run(shape, start, end, positive(length, "length"))


@recipe
def warmup(
    schedule: Schedule,
    length: float | Fraction,
    *,
    place: str,
    curve: str | Shape = "linear",
    start: float = 0.0,
) -> Schedule:
    """A schedule with a warm-up, in the place that is named.

    - "before": on top of its length. The ramp leads to its first value, and it comes later.
    - "over": in its length. The ramp stands over its first part, and leads to the value that it has by then.
    - "squeezed": in its length. The ramp leads to its first value, and all of it is squeezed into what is left.
    - "times": in its length. It is multiplied by a ramp from `start` (a factor here) to 1.

    length: above 0, for "squeezed" below that of the schedule, which must end. curve, start: see `ramp`.

    >>> from annealing import linear
    >>> for place in ("before", "over", "squeezed", "times"):
    ...     warm = warmup(linear(1, 0, 100), 20, place=place)
    ...     print(place, [round(warm(t), 6) for t in (10, 20, 60)], warm.duration)
    before [0.5, 1.0, 0.6] 120
    over [0.4, 0.8, 0.4] 100
    squeezed [0.5, 1.0, 0.5] 100
    times [0.45, 0.8, 0.4] 100

    Source: "before" timm's warmup_prefix; "over" and "squeezed" fvcore's fixed and rescaled; "times" pytorch_warmup.
    """
    schedule = a_schedule(schedule, "schedule")
    warm = positive(length, "length")
    if place == "before":
        return ramp(schedule(0), warm, curve, start) >> schedule
    if place == "over":
        return ramp(schedule(warm), warm, curve, start) >> schedule.shifted(-warm)
    if place == "squeezed":
        if (T := schedule._length) is None or warm >= T:
            raise ScheduleError(f'length must be below that of the schedule for place "squeezed", got {length!r}')
        return ramp(schedule(0), warm, curve, start) >> schedule.stretched((T - warm) / T)
    if place == "times":
        return ramp(1.0, warm, curve, start) * schedule
    raise ScheduleError(f"place must be one of {', '.join(PLACES)}, got {place!r}")


@recipe
def exponential_warmup(timescale: float | Fraction) -> Schedule:
    """A factor that comes ever closer to 1: 1 - e^(-t / timescale).

    timescale: above 0. It multiplies a schedule.

    >>> round(exponential_warmup(100)(100), 9)
    0.632120559

    Source: Ma and Yarats 2021, arXiv 1910.04209; pytorch_warmup's ExponentialWarmup.
    """
    return Tail(shapes.exponential(E_INVERSE), 0.0, 1.0, positive(timescale, "timescale"))


@recipe
def untuned_warmup(beta2: float | Fraction, curve: str = "linear") -> Schedule:
    """The warm-up factor that follows from Adam's beta2: min(1, (1 - beta2) / 2 * t), or 1 - e^(-(1 - beta2) t).

    beta2: from 0, below 1. curve: "linear" or "exponential". It multiplies a schedule.

    >>> untuned_warmup(0.999)(1000), untuned_warmup(0.999)(2000), round(untuned_warmup(0.999, "exponential")(1000), 9)
    (0.5, 1.0, 0.632120559)

    Source: Ma and Yarats 2021, arXiv 1910.04209; pytorch_warmup's UntunedLinearWarmup and UntunedExponentialWarmup.
    """
    if not 0 <= (beta := exact(beta2, "beta2")) < 1:
        raise ScheduleError(f"beta2 must be from 0 and below 1, got {beta2!r}")
    if curve == "linear":
        return Run(shapes.linear, 0.0, 1.0, 2 / (1 - beta))
    if curve == "exponential":
        return exponential_warmup(1 / (1 - beta))
    raise ScheduleError(f"curve must be one of linear, exponential, got {curve!r}")


def _shape(curve: str, start: float, end: float, length: float | Fraction) -> Shape:
    if curve == "log":
        if (units := positive(length, "length")) <= 1:
            raise ScheduleError(f'length must be above 1 for curve "log", got {length!r}')
        return shapes.logarithmic(float(units))
    if curve == "geometric":
        if min(finite(start, "start"), finite(end, "end")) <= 0:
            raise ScheduleError(f'start and end must be above 0 for curve "geometric", got {start!r} and {end!r}')
        return shapes.geometric(end / start)
    if not isinstance(curve, str) or curve not in CURVES:
        raise ScheduleError(
            f"curve must be one of {', '.join([*CURVES, 'log', 'geometric'])}, or a shape, got {curve!r}"
        )
    return CURVES[curve]
