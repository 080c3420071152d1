"""The state of a scheduler: written, read, compared with the schedules in use, and what to do when they differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from operator import attrgetter
from typing import Any, NamedTuple

from ..analysis import diff
from ..errors import ScheduleError
from ..notation import from_json
from ..recipes import change_horizon
from ..schedule.base import Schedule
from .hyperparameters import SCALES, Given, Hyperparameter

POLICIES = ("saved", "new", "new-from-0", "keep-epoch", "restretch")
FINGERPRINT = attrgetter("fingerprint")
LOOKED_AT = 1000  # updates, at least, over which schedules without an end are compared


Resumed = tuple[float, float, list[Hyperparameter]]  # the position, the one before, and what to continue with


class Saved(NamedTuple):
    """A state that has been read."""

    position: float
    before: float
    schedules: dict[str, Given]
    scales: dict[str, str | None]
    bases: dict[str, list[float]]


def checked(policy: Any) -> str | None:
    if policy is not None and policy not in POLICIES:
        raise ScheduleError(f"policy must be None or one of {', '.join(map(repr, POLICIES))}, got {policy!r}")
    return None if policy is None else str(policy)


def state(steered: list[Hyperparameter], position: float, before: float) -> dict[str, Any]:
    return {
        "position": position,
        "before": before,
        "schedules": {one.key: _each(one.schedules, Schedule.to_json) for one in steered},
        "fingerprints": {one.key: _each(one.schedules, FINGERPRINT) for one in steered},
        "scales": {one.key: one.scale for one in steered},
        "bases": {one.key: list(one.bases) for one in steered if one.scale == "base"},
    }


def read(found: Any, steered: list[Hyperparameter], policy: str | None) -> Resumed:
    """Where to continue, given a state and a policy."""
    saved = _read(found)
    same = saved.schedules == {one.key: one.schedules for one in steered}
    if (same and all(saved.scales[one.key] == one.scale for one in steered)) or policy == "new":
        return saved.position, saved.before, _with_bases(saved, steered)
    if policy == "new-from-0":
        return 0, -1, _with_bases(saved, steered)
    if policy is None or saved.schedules.keys() != {one.key for one in steered}:
        raise ScheduleError(_refusal(saved, steered, policy))
    if policy == "keep-epoch":
        position = _as_far(saved, steered)
        return position, position - 1, _with_bases(saved, steered)
    going_on = []
    for one in steered:
        kept = saved.schedules[one.key]
        if policy == "restretch":
            kept = _restretched(kept, one, saved.position)
        going_on.append(Hyperparameter(one.name, one.index, kept, saved.scales[one.key]))
    return saved.position, saved.before, _with_bases(saved, going_on)


def _with_bases(saved: Saved, steered: list[Hyperparameter]) -> list[Hyperparameter]:
    """The same hyperparameters with the saved bases: the optimizer's state may lack them, or hold decayed rates."""
    return [
        Hyperparameter(one.name, one.index, one.schedules, one.scale, saved.bases[one.key])
        if one.scale == "base" and saved.bases.get(one.key)
        else one
        for one in steered
    ]


def _as_far(saved: Saved, steered: list[Hyperparameter]) -> int:
    """The position at the same fraction of the new schedules as the saved position is of the saved ones."""
    ratios = set[Fraction]()
    for one in steered:
        for before, now in zip(_listed(saved.schedules[one.key]), _listed(one.schedules), strict=False):
            if before == now:  # a constant, or a schedule in other units than updates
                continue
            if before is None or now is None or not before.exact_duration or not now.exact_duration:
                raise ScheduleError(f"policy 'keep-epoch' needs schedules that end, got {before} and {now}")
            ratios.add(now.exact_duration / before.exact_duration)
    if len(ratios) != 1:
        found = ", ".join(f"{float(ratio):g}" for ratio in sorted(ratios))
        raise ScheduleError(f"policy 'keep-epoch' needs one ratio of new to saved lengths, got {found or 'none'}")
    # Within an epoch the saved position may fall between two updates of the new batch size: take the nearest.
    return round(Fraction(saved.position) * ratios.pop())


def _listed(schedules: Given) -> list[Schedule | None]:
    return schedules if isinstance(schedules, list) else [schedules]


def written(steered: list[Hyperparameter]) -> str:
    """The schedules as arguments."""
    scales = {one.key: one.scale for one in steered if one.scale}
    scale = f", scale={scales}" if scales else ""
    return ", ".join(f"{one.key}={one.schedules}" for one in steered) + scale


def _read(found: Any) -> Saved:
    names = ("position", "before", "schedules", "fingerprints", "scales")
    if not isinstance(found, dict) or (missing := [name for name in names if name not in found]):
        lacks = f"it lacks {', '.join(missing)}" if isinstance(found, dict) else f"got {type(found).__name__}"
        raise ScheduleError(f"this is not the state of an annealing.torch.Scheduler: {lacks}")
    position, before = (_number(found[name], name) for name in ("position", "before"))
    if before > position:
        raise _damaged("before", found["before"])
    schedules, prints, scales = parts = [found[name] for name in names[2:]]
    if not all(isinstance(part, dict) for part in parts):
        raise _damaged("schedules", schedules)
    read = {key: _each(text, _schedule) for key, text in schedules.items()}
    for key, schedule in read.items():
        if _each(schedule, FINGERPRINT) != prints.get(key):
            raise _damaged(f"fingerprints of {key}", prints.get(key))
        if scales.get(key, "") not in (None, *SCALES):
            raise _damaged(f"scales of {key}", scales.get(key))
    bases = found.get("bases", {})  # states from earlier releases lack it
    if not isinstance(bases, dict) or any(not isinstance(each, list) for each in bases.values()):
        raise _damaged("bases", bases)
    if any(type(one) not in (int, float) or not math.isfinite(one) for each in bases.values() for one in each):
        raise _damaged("bases", bases)
    return Saved(position, before, read, scales, bases)


def _schedule(text: Any) -> Schedule:
    if not isinstance(text, str):
        raise _damaged("schedules", text)
    return from_json(text)


def _number(value: Any, name: str) -> float:
    if type(value) not in (int, float) or not -1 <= value < float("inf"):
        raise _damaged(name, value)
    return value  # type: ignore[no-any-return]


def _damaged(name: str, value: Any) -> ScheduleError:
    return ScheduleError(f"the state of the scheduler is damaged: its {name} cannot be {value!r}")


def _each(value: Any, function: Callable[[Any], Any]) -> Any:
    """The results for a schedule or for each in a list, where None stays None."""
    if isinstance(value, list):
        return [None if one is None else function(one) for one in value]
    return None if value is None else function(value)


def _restretched(saved: Given, one: Hyperparameter, position: float) -> Given:
    if isinstance(saved, list) != isinstance(one.schedules, list):
        raise ScheduleError(f"{one.key} must have one schedule for all groups, or one for each, as the state does")
    before, now = _listed(saved), _listed(one.schedules)
    if len(before) != len(now):
        raise ScheduleError(f"{one.key} must have {len(before)} schedules, as the state does")
    found = [_stretched_on(*pair, position) for pair in zip(before, now, strict=True)]
    return found if isinstance(saved, list) else found[0]  # type: ignore[return-value]


def _stretched_on(saved: Schedule | None, new: Schedule | None, position: float) -> Schedule | None:
    """The saved schedule, its remainder stretched to end where the new one does."""
    if saved is None or new is None:
        return None
    if saved.duration == new.duration:
        return saved
    if saved.exact_duration is None or new.exact_duration is None:
        raise ScheduleError(f"policy 'restretch' needs schedules that end, got {saved} and {new}")
    if position == 0:
        return saved.stretched(new.exact_duration / saved.exact_duration)
    return change_horizon(saved, position, new.exact_duration, policy="restretch")


def _refusal(saved: Saved, steered: list[Hyperparameter], policy: str | None) -> str:
    here = {one.key: one.schedules for one in steered}
    lines = ["the state belongs to other schedules than this scheduler's"]
    for key in dict.fromkeys((*saved.schedules, *here)):
        before, now = saved.schedules.get(key), here.get(key)
        if before is None or now is None:
            lines.append(f"{key} has a schedule only in {'the state' if now is None else 'this scheduler'}")
        elif before != now:
            lines += [f"{key} in the state:  {before}", f"{key} in this scheduler:  {now}"]
            if isinstance(before, Schedule) and isinstance(now, Schedule):
                lines += [f"  {line}" for line in _differences(before, now, saved.position)]
    for one in steered:
        if one.key in saved.scales and saved.scales[one.key] != one.scale:
            lines.append(f"{one.key} is scaled by {saved.scales[one.key]!r} in the state, here by {one.scale!r}")
    if policy is None:
        lines.append(f"to continue, name a policy: one of {', '.join(map(repr, POLICIES))}")
    else:
        lines.append(f"policy {policy!r} needs schedules for the same hyperparameters; 'new' and 'new-from-0' do not")
    return "\n".join(lines)


def _differences(before: Schedule, now: Schedule, position: float) -> list[str]:
    ends = [schedule.duration for schedule in (before, now)]
    until = None if None not in ends else max(LOOKED_AT, 2 * position, *(end for end in ends if end is not None))
    try:
        return diff(before, now, until).splitlines()
    except ScheduleError as error:
        return [str(error)]
