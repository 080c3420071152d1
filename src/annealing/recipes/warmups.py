"""Warm-ups: before a schedule, in place of its first part, or as a factor."""

from __future__ import annotations

from fractions import Fraction

from .. import shapes
from ..errors import ScheduleError, finite
from ..exact import Floor, Time, exact, lasting, plain, positive
from ..printing import literal
from ..schedule.base import Schedule
from ..schedule.nodes import Run, Tail
from ..shapes import Shape
from .cooldowns import curve_shape
from .decays import E_INVERSE
from .registry import a_schedule, recipe

RISING: dict[str, Shape] = {
    "linear": shapes.linear,
    "quadratic": shapes.mirrored(shapes.power(2)),
    "1-square": shapes.power(2),
    "1-sqrt": shapes.power(0.5),
    "cosine": shapes.cosine,
}
LATEST_LOG = 10**12
PLACES = ("before", "over", "instead", "squeezed", "times")


@recipe
def ramp(end: float, length: Time, curve: str | Shape = "linear", start: Floor = 0.0) -> Schedule:
    """A warm-up from `start` to `end` along a curve: start + (end - start) * f(x), where x = t / length.

    f(x) of each curve: "linear" x; "quadratic" x^2; "1-square" 1 - (1 - x)^2; "1-sqrt" 1 - sqrt(1 - x); "cosine"
    (1 - cos(pi x)) / 2; "log" log(1 + t) / log(1 + length); "geometric", which is start * (end / start)^x; "harmonic",
    where 1 / eta is a line from 1 / start to 1 / end. Any bounded value of annealing.shapes is a curve too.

    start, end: finite; "geometric" and "harmonic" need both above 0. length: at least 0. DeepSpeed's logarithmic
    warm-up, log(t + 1) / log(W) with W its warmup_num_steps, reaches its peak at t = W - 1: it is "log" with length W -
    1.

    >>> [ramp(1, 100, curve)(50) for curve in ("linear", "quadratic", "1-square", "cosine")]
    [0.5, 0.25, 0.75, 0.5]
    >>> [round(ramp(1, 99, "log")(t), 12) for t in (0, 9, 99)]
    [0.0, 0.5, 1.0]

    Source: "1-square" fms-fsdp; "1-sqrt" and "cosine" transformers; "log" DeepSpeed's WarmupLR.
    """
    T, first = lasting(length, "length"), finite(start, "start")
    if T == 0:
        return Run(shapes.linear, first, end, T)
    return Run(curve_shape(curve, {**RISING, "log": lambda: _logarithmic(T)}, start=first, end=end), first, end, T)


@recipe
def warmup(
    schedule: Schedule,
    length: Time,
    *,
    place: str,
    curve: str | Shape = "linear",
    start: Floor = 0.0,
) -> Schedule:
    """A schedule with a warm-up, in one of five places.

    - "before": the ramp leads to its first value, and the schedule follows, so that the whole is longer.
    - "over": the ramp takes the place of its first part, and leads to the value that it has at the end of the ramp.
    - "instead": the ramp takes the place of its first part, but leads to its first value; after it the schedule goes on
      as if it had started at 0.
    - "squeezed": the ramp leads to its first value, and the whole schedule is squeezed into the rest of its length.
    - "times": it is multiplied by a ramp from `start` (a factor here) to 1.

    length: at least 0 (no warm-up), and for all but "before" below that of the schedule, which must end to be
    squeezed. curve, start: see `ramp`.

    >>> from annealing import linear
    >>> for place in ("before", "over", "instead", "squeezed", "times"):
    ...     warm = warmup(linear(1, 0, 100), 20, place=place)
    ...     print(place, [round(warm(t), 6) for t in (10, 20, 60)], warm.duration)
    before [0.5, 1.0, 0.6] 120
    over [0.4, 0.8, 0.4] 100
    instead [0.5, 0.8, 0.4] 100
    squeezed [0.5, 1.0, 0.5] 100
    times [0.45, 0.8, 0.4] 100

    Source: "before" timm with warmup_prefix, "instead" without it, and open_clip; "over" and "squeezed" fvcore's fixed
    and rescaled; "times" pytorch_warmup.
    """
    schedule, warm = a_schedule(schedule, "schedule"), lasting(length, "length")
    if place not in PLACES:
        raise ScheduleError(f"place must be one of {', '.join(PLACES)}, got {place!r}")
    T = schedule.exact_duration
    if place != "before" and T is not None and warm >= T:
        raise ScheduleError(f"length must be below the schedule's, {plain(T)}, for place {place!r}, got {length!r}")
    if warm == 0:
        return schedule
    if place == "before":
        return ramp(schedule(0), warm, curve, start) >> schedule
    if place == "over":
        return ramp(schedule(warm), warm, curve, start) >> schedule.shifted(-warm)
    if place == "instead":
        return ramp(schedule(0), warm, curve, start) >> schedule.shifted(-warm)
    if place == "squeezed":
        if T is None:
            raise ScheduleError(f"schedule must end for place {place!r}, got {schedule}")
        return ramp(schedule(0), warm, curve, start) >> schedule.stretched((T - warm) / T)
    return ramp(1.0, warm, curve, start) * schedule


@recipe
def exponential_warmup(timescale: Time) -> Schedule:
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

    beta2: at least 0, below 1. curve: "linear" or "exponential". It multiplies a schedule.

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


def _logarithmic(length: Fraction) -> Shape:
    """The shape of log(1 + t) / log(1 + length)."""
    if not Fraction(1, LATEST_LOG) <= length <= LATEST_LOG:
        raise ScheduleError(f'length must be from 1e-12 to 1e12 for curve "log", got {literal(length)}')
    return shapes.logarithmic(float(1 + length))
