"""The nodes of which every schedule is made, and how each is lowered, written as JSON, and printed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

from . import lower
from .errors import ScheduleError, finite, whole
from .literals import literal, time_json
from .pieces import Lowered, Name
from .schedule import Schedule
from .shapes import Shape
from .table import Table
from .times import END_OF_TIME, exact, positive

POLICIES = ("hold", "raise", "repeat", "mirror")
JOIN, SUM, PRODUCT, CALL = range(4)  # how tightly each way of writing binds


@dataclass(frozen=True, eq=False, repr=False)
class Run(Schedule):
    """One finite piece: from `start` to `end` along a shape.

    shape: a value of annealing.shapes. start, end: finite numbers, in any order. length: above 0, in the schedule's
    unit of time. A ScheduleError names an argument that is none of these.

    >>> from annealing import Run, shapes
    >>> Run(shapes.linear, 0, 0.1, 10)(5)
    0.05
    """

    shape: Shape
    start: float
    end: float
    length: Any

    def __post_init__(self) -> None:
        if not isinstance(self.shape, Shape):
            raise ScheduleError(f"shape must be one of annealing.shapes, got {self.shape!r}")
        start, end = finite(self.start, "start"), finite(self.end, "end")
        self._set(start=start, end=end, length=positive(self.length, "length"))

    def _lowered(self) -> Lowered:
        return lower.run(self.shape, self.start, self.end, self.length)

    def _tree(self) -> Any:
        values = {"start": self.start, "end": self.end, "length": time_json(self.length)}
        return {"run": {"shape": self.shape.tree(), **values}}

    def _written(self) -> tuple[str, int]:
        values = ", ".join(map(literal, (self.start, self.end, self.length)))
        return f"Run({self.shape}, {values})", CALL


@dataclass(frozen=True, eq=False, repr=False)
class Join(Schedule):
    """One part after another, each in its own local time; at a boundary the later part is in force.

    parts: schedules, of which all but the last must end. Written `a >> b`.

    >>> from annealing import cosine, linear
    >>> (linear(0, 0.1, 5) >> cosine(0.1, 0, 195))(5)
    0.1
    """

    parts: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        parts = _schedules(self.parts, "parts of a Join")
        for part in parts[:-1]:
            if part._length is None:
                raise ScheduleError(f"only the last part of a Join may go on for ever, but this one does too: {part}")
        self._set(parts=parts)

    @cached_property
    def _length(self) -> Fraction | None:
        lengths = [part._length for part in self.parts]
        return None if lengths[-1] is None else sum((length for length in lengths if length is not None), Fraction(0))

    def _lowered(self) -> Lowered:
        return lower.join([part._flat for part in self.parts])

    def _tree(self) -> Any:
        return _flattened("join", [part._tree() for part in self.parts])

    def _written(self) -> tuple[str, int]:
        return " >> ".join(_bracketed(part, SUM if i else JOIN) for i, part in enumerate(self.parts)), JOIN


@dataclass(frozen=True, eq=False, repr=False)
class Repeat(Schedule):
    """A part again and again; copy i is `growth`^i as long.

    The start and end of each run of copy i go through the line that takes (floor, peak), the least and greatest
    of them, to (floor * floor_factor^i, peak * peak_factor^i); where the peak would fall below the floor, the copy
    is flat at the floor.

    part: a schedule that ends. times: how many copies, then the final value is held (None: for ever).
    growth: above 0, exact; factors: at least 0 and, without `times`, at most 1.

    >>> from annealing import Repeat, cosine
    >>> Repeat(cosine(1, 0, 10), growth=2, peak_factor=0.5)(30)
    0.25
    """

    part: Schedule
    times: int | None = None
    growth: Any = 1
    peak_factor: float = 1.0
    floor_factor: float = 1.0

    def __post_init__(self) -> None:
        (part,) = _schedules((self.part,), "the part of a Repeat")
        if part._length is None:
            raise ScheduleError(f"the part of a Repeat must end, got {part}")
        times = None if self.times is None else whole(self.times, "times")
        growth = positive(self.growth, "growth")
        factors = {name: finite(getattr(self, name), name) for name in ("peak_factor", "floor_factor")}
        for name, factor in factors.items():
            if factor < 0 or (times is None and factor > 1):
                allowed = "at least 0" if times else "between 0 and 1 where times is not given"
                raise ScheduleError(f"{name} must be {allowed}, got {factor!r}")
        self._set(times=times, growth=growth, **factors)
        self._check()

    def _check(self) -> None:
        try:
            end = self._flat.end
        except OverflowError:
            raise ScheduleError(f"the factors of this Repeat lead beyond the range of floats: {self}") from None
        if end is not None and end > END_OF_TIME:
            raise ScheduleError(f"this Repeat must be over by 2^53, but ends at {float(end)!r}: {self}")

    def _lowered(self) -> Lowered:
        return lower.repeat(self.part._flat, self.times, self.growth, self.peak_factor, self.floor_factor)

    def _tree(self) -> Any:
        if self.times == 1:
            return self.part._tree()
        factors = {"peak_factor": self.peak_factor, "floor_factor": self.floor_factor}
        options = {"times": self.times, "growth": time_json(self.growth), **factors}
        return {"repeat": {"part": self.part._tree(), **options}}

    def _written(self) -> tuple[str, int]:
        given = {"times": self.times, "growth": self.growth}
        given |= {"peak_factor": self.peak_factor, "floor_factor": self.floor_factor}
        options = [f"{name}={literal(value)}" for name, value in given.items() if value not in (None, 1)]
        if self.times == 1:
            options.insert(0, "times=1")
        return f"Repeat({', '.join([str(self.part), *options])})", CALL


@dataclass(frozen=True, eq=False, repr=False)
class Shifted(Schedule):
    """A schedule moved in time: see `Schedule.shifted`."""

    part: Schedule
    by: Any

    def __post_init__(self) -> None:
        (part,) = _schedules((self.part,), "what is shifted")
        by = exact(self.by, "by")
        if abs(by) > END_OF_TIME or (part._length is not None and part._length + by <= 0):
            raise ScheduleError(f"by must leave something of a schedule of length {part.duration!r}, got {self.by!r}")
        self._set(by=by)

    def _lowered(self) -> Lowered:
        return lower.shifted(self.part._flat, self.by)

    def _tree(self) -> Any:
        part: Schedule = self.part
        by = self.by
        while isinstance(part, Shifted) and part.by * by >= 0:
            by, part = by + part.by, part.part
        return {"shifted": {"part": part._tree(), "by": time_json(by)}} if by else part._tree()

    def _written(self) -> tuple[str, int]:
        return f"{_bracketed(self.part, CALL)}.shifted({literal(self.by)})", CALL


@dataclass(frozen=True, eq=False, repr=False)
class Stretched(Schedule):
    """A schedule with all its lengths multiplied: see `Schedule.stretched`."""

    part: Schedule
    by: Any

    def __post_init__(self) -> None:
        (part,) = _schedules((self.part,), "what is stretched")
        by = positive(self.by, "by")
        if part._length is not None and part._length * by > END_OF_TIME:
            raise ScheduleError(f"by must keep the length {part.duration!r} at most 2^53, got {self.by!r}")
        self._set(by=by)

    def _lowered(self) -> Lowered:
        return lower.stretched(self.part._flat, self.by)

    def _tree(self) -> Any:
        part: Schedule = self.part
        by = self.by
        while isinstance(part, Stretched):
            by, part = by * part.by, part.part
        return {"stretched": {"part": part._tree(), "by": time_json(by)}} if by != 1 else part._tree()

    def _written(self) -> tuple[str, int]:
        return f"{_bracketed(self.part, CALL)}.stretched({literal(self.by)})", CALL


@dataclass(frozen=True, eq=False, repr=False)
class Beyond(Schedule):
    """A schedule with another policy for times after its end: see `Schedule.beyond`."""

    part: Schedule
    policy: str

    def __post_init__(self) -> None:
        _schedules((self.part,), "what is continued")
        if self.policy not in POLICIES:
            raise ScheduleError(f"policy must be one of {', '.join(map(repr, POLICIES))}, got {self.policy!r}")

    def _lowered(self) -> Lowered:
        part, length = self.part._flat, self.part._length
        if length is None or self.policy == "hold":
            return part
        if self.policy == "raise":
            return lower.guarded(part)
        if self.policy == "repeat":
            return lower.repeat(part)
        return lower.repeat(lower.mirrored(part, length), restarts=False)

    def _tree(self) -> Any:
        if self.part._length is None or self.policy == "hold":
            return self.part._tree()
        return {"beyond": {"part": self.part._tree(), "policy": self.policy}}

    def _written(self) -> tuple[str, int]:
        return f'{_bracketed(self.part, CALL)}.beyond("{self.policy}")', CALL


@dataclass(frozen=True, eq=False, repr=False)
class Combined(Schedule):
    """Schedules and numbers in an operation; each schedule holds its final value until the last one ends."""

    parts: tuple[Schedule | float, ...]

    symbol: ClassVar[Name]
    key: ClassVar[str]
    binds: ClassVar[int]

    def __post_init__(self) -> None:
        self._set(parts=_operands(self.parts))

    @cached_property
    def _length(self) -> Fraction | None:
        lengths = [part._length for part in self.parts if isinstance(part, Schedule)]
        finite = [length for length in lengths if length is not None]
        return max(finite) if len(finite) == len(lengths) else None

    def _lowered(self) -> Lowered:
        parts = [part._flat if isinstance(part, Schedule) else lower.constant(part) for part in self.parts]
        return lower.operation(self.symbol, parts)

    def _tree(self) -> Any:
        return _flattened(self.key, [part._tree() if isinstance(part, Schedule) else part for part in self.parts])

    def _written(self) -> tuple[str, int]:
        parts = [_bracketed(part, self.binds + (i > 0)) for i, part in enumerate(self.parts)]
        return f" {self.symbol} ".join(parts), self.binds


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Combined):
    """The sum of schedules and numbers, written `a + b`."""

    symbol, key, binds = "+", "sum", SUM


@dataclass(frozen=True, eq=False, repr=False)
class Product(Combined):
    """The product of schedules and numbers, written `a * b`."""

    symbol, key, binds = "*", "product", PRODUCT


@dataclass(frozen=True, eq=False, repr=False)
class Extreme(Combined):
    """The least or the greatest of schedules and numbers at every time."""

    binds = CALL

    def _written(self) -> tuple[str, int]:
        return f"{self.symbol}({', '.join(_bracketed(part, JOIN) for part in self.parts)})", CALL


@dataclass(frozen=True, eq=False, repr=False)
class Minimum(Extreme):
    """The least of schedules and numbers, written `minimum(a, b)`."""

    symbol, key = "minimum", "minimum"


@dataclass(frozen=True, eq=False, repr=False)
class Maximum(Extreme):
    """The greatest of schedules and numbers, written `maximum(a, b)`."""

    symbol, key = "maximum", "maximum"


def minimum(*parts: Schedule | float) -> Schedule:
    """The least of schedules and numbers at every time.

    >>> from annealing import cosine, linear
    >>> minimum(linear(0, 1, 10), cosine(1, 0, 10), 0.4)(5)
    0.4
    """
    return Minimum(parts)


def maximum(*parts: Schedule | float) -> Schedule:
    """The greatest of schedules and numbers at every time, for instance a schedule with a floor.

    >>> from annealing import step
    >>> maximum(step(0.1, step_size=30, gamma=0.5), 0.03)(60)
    0.03
    """
    return Maximum(parts)


@dataclass(frozen=True, eq=False, repr=False)
class Until(Schedule):
    """A schedule that ends at a time: see `Schedule.until`."""

    part: Schedule
    time: Any

    def __post_init__(self) -> None:
        (part,) = _schedules((self.part,), "what ends at a time")
        time = positive(self.time, "time")
        if part._length is not None and part._length < time:
            raise ScheduleError(f"time must be at most the duration {part.duration!r}, got {self.time!r}")
        self._set(time=time)

    @property
    def _length(self) -> Fraction | None:
        return Fraction(self.time)

    def _lowered(self) -> Lowered:
        return lower.until(self.part._flat, self.time, lambda pieces: Table(pieces).left(self.time))

    def _tree(self) -> Any:
        return {"until": {"part": self.part._tree(), "time": time_json(self.time)}}

    def _written(self) -> tuple[str, int]:
        return f"{_bracketed(self.part, CALL)}.until({literal(self.time)})", CALL


def chained(node: type[Join | Combined], one: Schedule, two: Any) -> Schedule:
    """`one` and `two` in a node; a left side that is such a node itself (and no recipe) is continued."""
    parts: tuple[Any, ...] = one.parts if isinstance(one, node) and one._label is None else (one,)
    return node((*parts, two))


def _bracketed(part: Schedule | float, least: int) -> str:
    if not isinstance(part, Schedule):
        return literal(part)
    text, binds = (part._label, CALL) if part._label else part._written()
    return text if binds >= least else f"({text})"


def _flattened(name: str, parts: list[Any]) -> Any:
    """One node of a name for nested ones of the same name; a single part stands for itself."""
    flat: list[Any] = []
    for part in parts:
        flat += part[name] if isinstance(part, dict) and name in part else [part]
    return {name: flat} if len(flat) > 1 else flat[0]


def _schedules(parts: Any, what: str) -> tuple[Schedule, ...]:
    checked: tuple[Schedule, ...] = tuple(parts) if isinstance(parts, tuple | list) else ()
    if not checked or not all(isinstance(part, Schedule) for part in checked):
        raise ScheduleError(f"{what} must be schedules, at least one, got {parts!r}")
    return checked


def _operand(value: Any) -> Schedule | float:
    return value if isinstance(value, Schedule) else finite(value, "a number beside a schedule")


def _operands(parts: Any) -> tuple[Schedule | float, ...]:
    operands = tuple(map(_operand, parts))
    if not any(isinstance(part, Schedule) for part in operands):
        raise ScheduleError(f"an operation needs at least one schedule, got {parts!r}")
    return operands
