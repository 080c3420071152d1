"""The nodes around one schedule: moved in time, stretched, cut, and continued after its end."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from ..errors import ScheduleError
from ..evaluate import lowering, staircase
from ..evaluate.pieces import Lowered
from ..exact import END_OF_TIME, exact, lasting, positive
from ..printing import CALL, bracketed, literal, time_json
from .base import Schedule, schedules

POLICIES = ("hold", "raise", "repeat", "mirror")


class Transform(Schedule):
    """A node around one schedule, written as a call of its method."""

    part: Schedule

    @property
    def empty(self) -> bool:
        return self.part.empty

    @classmethod
    def _as_call(cls, values: Mapping[str, Any]) -> str:
        part, option = values.values()
        return f"{bracketed(part, CALL)}.{cls.__name__.lower()}({literal(option)})"


class Shifted(Transform):
    """A schedule moved in time: see `Schedule.shifted`."""

    by: Any

    _times = ("by",)

    def __post_init__(self) -> None:
        (part,) = schedules((self.part,), "what is shifted")
        by = exact(self.by, "by")
        if abs(by) > END_OF_TIME or (by and part.exact_duration is not None and part.exact_duration + by <= 0):
            raise ScheduleError(f"by must leave a part of a schedule of length {part.duration!r}, got {self.by!r}")
        self._set(by=by)

    @property
    def empty(self) -> bool:
        return bool(self.by == 0 and self.part.empty)

    def _lower(self) -> Lowered:
        if self.part.exact_duration == 0 and self.by > 0:  # the pieces of a number would stay as they are
            return lowering.flat_pieces(self.part(0), self.by)
        return lowering.shifted(self.part.lowered, self.by)

    def _tree(self) -> Any:
        part: Schedule = self.part
        by = self.by
        while isinstance(part, Shifted) and part.by * by >= 0:
            by, part = by + part.by, part.part
        return {"shifted": {"part": part.tree(), "by": time_json(by)}} if by else part.tree()


class Stretched(Transform):
    """A schedule with all its lengths multiplied: see `Schedule.stretched`."""

    by: Any

    _times = ()

    def __post_init__(self) -> None:
        (part,) = schedules((self.part,), "what is stretched")
        by = positive(self.by, "by")
        if part.exact_duration is not None and part.exact_duration * by > END_OF_TIME:
            raise ScheduleError(f"by must keep the length {part.duration!r} at most 2^53, got {self.by!r}")
        self._set(by=by)

    def _lower(self) -> Lowered:
        return lowering.stretched(self.part.lowered, self.by)

    def _tree(self) -> Any:
        part: Schedule = self.part
        by = self.by
        while isinstance(part, Stretched):
            by, part = by * part.by, part.part
        return {"stretched": {"part": part.tree(), "by": time_json(by)}} if by != 1 else part.tree()


class Held(Transform):
    """A schedule as a staircase: see `Schedule.held`."""

    every: Any

    _times = ("every",)

    def __post_init__(self) -> None:
        (part,) = schedules((self.part,), "what is held")
        self._set(every=positive(self.every, "every"))
        if (most := part.exact_duration) is not None and most + self.every > END_OF_TIME:
            raise ScheduleError(f"every must keep the end {part.duration!r} at most 2^53, got {literal(self.every)}")
        _ = self.lowered  # too many stairs are refused now

    def _lower(self) -> Lowered:
        return staircase.held(self.part.lowered, self.every)


class Beyond(Transform):
    """A schedule with another policy for times after its end: see `Schedule.beyond`."""

    empty = False
    policy: str

    _times = ()

    def __post_init__(self) -> None:
        schedules((self.part,), "what is continued")
        if self.policy not in POLICIES:
            raise ScheduleError(f"policy must be one of {', '.join(map(repr, POLICIES))}, got {self.policy!r}")

    @property
    def _unguarded(self) -> Schedule:
        return self.part if self.policy == "raise" else self

    def _lower(self) -> Lowered:
        part, length = self.part.lowered, self.part.exact_duration
        if not length or self.policy == "hold":
            return part
        if self.policy == "raise":
            return lowering.guarded(part)
        if self.policy == "repeat":
            return lowering.repeat(part)
        return lowering.repeat(lowering.mirrored(part, length), restarts=False)

    def _tree(self) -> Any:
        return self.part.tree() if self.part.endless or self.policy == "hold" else super()._tree()

    def _written(self) -> tuple[str, int]:
        return f'{bracketed(self.part, CALL)}.beyond("{self.policy}")', CALL


class Until(Transform):
    """A schedule that ends at a time: see `Schedule.until`."""

    time: Any

    _times = ("time",)

    def __post_init__(self) -> None:
        (part,) = schedules((self.part,), "what ends at a time")
        time = lasting(self.time, "time")
        if part.exact_duration is not None and part.exact_duration < time:
            raise ScheduleError(f"time must be at most the duration {part.duration!r}, got {self.time!r}")
        self._set(time=time)

    @property
    def exact_duration(self) -> Fraction | None:
        return Fraction(self.time)

    @property
    def empty(self) -> bool:
        return bool(self.time == 0)

    def _lower(self) -> Lowered:
        return lowering.until(self.part.lowered, self.time)
