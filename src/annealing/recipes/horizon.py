"""Ending a training earlier or later than planned."""

from __future__ import annotations

from typing import Any

from .. import shapes
from ..errors import ScheduleError, finite
from ..exact import Floor, Time, exact, lasting, plain, positive
from ..schedule.base import Schedule
from ..schedule.nodes import Run
from ..shapes import Shape
from .cooldowns import cooldown
from .registry import a_schedule, recipe


@recipe
def branch_cooldown(
    schedule: Schedule, at: Time, length: Time, curve: str | Shape = "linear", end: Floor = 0.0
) -> Schedule:
    """The schedule up to `at`, then a cooldown from the rate it has there, so that training can stop.

    schedule: any, also one that never ends. at, length: at least 0; `at` is at most the end of the schedule. curve,
    end: as in `cooldown`.

    >>> from annealing import Tail, shapes
    >>> schedule = Tail(shapes.inverse_power(0.5), 0.1, 0, 1000).branch_cooldown(at=3000, length=500)
    >>> [schedule(t) for t in (3000, 3250, 3500)]
    [0.05, 0.025, 0.0]

    Source: Zhai et al. 2022, arXiv 2106.04560 (cooldowns off one endless run); Hägele et al. 2024, arXiv 2405.18392.
    """
    schedule, time = a_schedule(schedule, "schedule"), lasting(at, "at")
    if (T := schedule.exact_duration) is not None and time > T:
        raise ScheduleError(f"at must be at most the duration {plain(T)}, got {at!r}")
    return schedule.until(time) >> cooldown(schedule(time), end, length, curve)


@recipe
def change_horizon(
    schedule: Schedule,
    at: Time,
    T_new: Time,
    *,
    policy: str,
    length: Time | None = None,
    curve: str | Shape | None = None,
    eta_max: float | None = None,
) -> Schedule:
    """The schedule up to `at`, then another way to its final value, which is reached at `T_new`.

    Where T is the schedule's length, eta(t) its value, and s(t) = eta(t * T / T_new) the whole of it stretched:

    - policy "restretch": the rest is stretched: eta(at + (t - at) * (T - at) / (T_new - at)).
    - policy "continuous": s(t), brought to the rate at `at` by the straight line through (s(at), eta(at)) and
      (eta(T), eta(T)).
    - policy "hold": eta(at) is held, and cooled down during the last `length`, along `curve` (see `cooldown`; linear).
    - policy "rewarm": a line to `eta_max` during `length`, then down along `curve` (cosine) for the rest.

    schedule: one that ends. at: a time in it, above 0. T_new: above `at`. length: above 0, less than T_new - at.
    eta_max: not below the rate at `at`. Only the arguments that the policy needs may be given.

    >>> from annealing import linear
    >>> schedule = linear(1, 0, 10)
    >>> [change_horizon(schedule, at=5, T_new=20, policy="restretch")(t) for t in (5, 12.5, 20)]
    [0.5, 0.25, 0.0]
    >>> [change_horizon(schedule, at=5, T_new=20, policy="hold", length=10)(t) for t in (5, 10, 15, 20)]
    [0.5, 0.5, 0.25, 0.0]

    Source: Ibrahim et al. 2024, arXiv 2403.08763, for warming up again.
    """
    schedule = a_schedule(schedule, "schedule")
    T, at, T_new = schedule.exact_duration, exact(at, "at"), positive(T_new, "T_new")
    if T is None:
        raise ScheduleError(f"schedule must end, got {schedule}")
    if not 0 < at <= T or at >= T_new:
        raise ScheduleError(f"at must be above 0, at most {float(T):g}, and below T_new = {float(T_new):g}, got {at}")
    before: Schedule = schedule.until(at)
    rate, end, left = schedule(at), schedule(T), T_new - at
    _only(policy, length=length, curve=curve, eta_max=eta_max)
    if policy in ("restretch", "continuous"):
        if at == T:
            raise ScheduleError(f"at must be below the length {float(T):g} for policy {policy!r}, got {at}")
        if policy == "restretch":
            return before >> schedule.shifted(-at).stretched(left / (T - at))
        whole = schedule.stretched(T_new / T)
        if (met := whole(at)) == end:
            raise ScheduleError(f"no line leads from the final value {end!r}, which the new schedule has at {at}, away")
        scale: float = (rate - end) / (met - end)
        rest: Schedule = whole.shifted(-at)
        moved: Schedule = scale * rest if end == 0 else end + scale * (rest + -end)
        # The line through the two points is rounded: what is missing at `at` is added and fades out.
        rounded = rate - moved(0)
        return before >> (moved + Run(shapes.linear, rounded, 0.0, left) if rounded else moved)
    length = positive(length, "length")
    if length >= left:
        raise ScheduleError(f"length must be less than T_new - at = {float(left):g}, got {float(length):g}")
    if policy == "hold":
        held = Run(shapes.flat, rate, rate, left - length)
        return before >> held >> cooldown(rate, end, length, curve or "linear")
    peak = finite(eta_max, "eta_max")
    if peak < rate:
        raise ScheduleError(f"eta_max must be at least the rate {rate!r} at {at}, got {eta_max!r}")
    return before >> Run(shapes.linear, rate, peak, length) >> cooldown(peak, end, left - length, curve or "cosine")


POLICIES = {
    "restretch": ((), ()),
    "continuous": ((), ()),
    "hold": (("length",), ("curve",)),
    "rewarm": (("length", "eta_max"), ("curve",)),
}


def _only(policy: str, **given: Any) -> None:
    """Refuse a policy that is not known, and options that it lacks or that say nothing to it."""
    if not isinstance(policy, str) or policy not in POLICIES:
        raise ScheduleError(f"policy must be one of {', '.join(POLICIES)}, got {policy!r}")
    needed, allowed = POLICIES[policy]
    for name, value in given.items():
        if value is None and name in needed:
            raise ScheduleError(f"{name} must be given for policy {policy!r}")
        if value is not None and name not in (*needed, *allowed):
            raise ScheduleError(f"{name} has no meaning for policy {policy!r}, got {value!r}")
