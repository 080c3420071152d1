"""Schedules as frozen values: the nodes, their algebra, and what can be read off a schedule by itself."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from . import lower
from .errors import ScheduleError, finite, whole
from .libraries import Scalars, library, refused
from .literals import literal, time_json
from .shapes import Shape
from .table import Program
from .times import END_OF_TIME, exact, plain, positive

POLICIES = ("hold", "raise", "repeat", "mirror")


class RunSpan(NamedTuple):
    """A run of a schedule: in force from `begin` until before `end`, from value `first` down or up to `last`."""

    begin: int | float
    end: int | float
    first: float
    last: float


class Schedule:
    """A learning rate (or any number) as a function of time: a frozen value made of nodes.

    Call it with a time; compare, hash and print it; `a >> b` is one after another, `a + b` and `a * b` are the sum
    and the product (numbers may stand on either side).
    """

    _label: str | None = None

    def _lowered(self) -> lower.Lowered:
        raise NotImplementedError

    def _tree(self) -> Any:
        """The canonical tree, as JSON knows it."""
        raise NotImplementedError

    def _written(self) -> tuple[str, int]:
        """How it prints by its nodes, and how tightly that binds (0: >>, 1: +, 2: *, 3: not at all)."""
        raise NotImplementedError

    @cached_property
    def _flat(self) -> lower.Lowered:
        return self._lowered()

    @cached_property
    def _program(self) -> Program:
        return Program(self._flat)

    @cached_property
    def _json(self) -> str:
        return json.dumps(self._tree(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @cached_property
    def _length(self) -> Fraction | None:
        return self._flat.end

    def __call__(self, t: Any) -> Any:
        """The value at time t, as the limit from the right; before 0 it is the first value.

        t: an int or float -> float; a NumPy array -> float64; a torch tensor -> float64 (or its own floating type) on
        its device; a JAX array or traced value -> JAX's default float. In the schedule's own unit; update number n
        (from 1) uses schedule(n - 1).

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 200)(100)
        0.05
        """
        kind = type(t)
        if kind is int or kind is float:
            return self._program.at(t)
        if library(t) is not Scalars:
            return self._program.many(t)
        return self._program.at(_number(t))

    def left(self, t: Any) -> Any:
        """The limit of the value from the left at time t: at a restart the end of the run before it.

        t: an int or float -> float; a NumPy array -> float64.

        >>> from annealing import warm_restarts
        >>> schedule = warm_restarts(eta_max=0.05, T_0=10)
        >>> schedule.left(10), schedule(10)
        (0.0, 0.05)
        """
        import numpy as np

        if library(t) is np:
            times = np.asarray(t)
            return np.array([self.left(x) for x in times.ravel().tolist()], np.float64).reshape(times.shape)
        return self._program.left(_number(t))

    @property
    def duration(self) -> int | float | None:
        """The time at which it ends, or None if it never does."""
        return None if self._length is None else plain(self._length)

    def runs(self, until: Any = None) -> list[RunSpan]:
        """Its runs: every stretch of time between two begins, with the values at both ends.

        until: runs that begin before this time; needed where the schedule never ends.

        >>> from annealing import warm_restarts
        >>> warm_restarts(eta_max=1, T_0=10, T_mult=2).runs(until=30)
        [RunSpan(begin=0, end=10, first=1.0, last=0.0), RunSpan(begin=10, end=30, first=1.0, last=0.0)]
        """
        until = self._until(until)
        begins = [begin for begin, _ in lower.begins(self._flat, until)]
        ends = [*begins[1:], self._next(until)]
        at, left = self._program.at, self._program.left
        return [RunSpan(plain(b), plain(e), at(b), left(e)) for b, e in zip(begins, ends, strict=True)]

    def restarts(self, until: Any = None) -> list[int | float]:
        """The times at which it begins again: copies 1, 2, ... of what is repeated, listed runs, and jumps up.

        A drop is no restart, so step decay has none. until: restarts before this time.

        >>> from annealing import linear, warm_restarts
        >>> (linear(0, 0.05, 5) >> warm_restarts(eta_max=0.05, T_0=10, T_mult=2)).restarts(until=100)
        [15, 35, 75]
        """
        at, left = self._program.at, self._program.left
        begins = lower.begins(self._flat, self._until(until))
        return [plain(time) for time, again in begins if time > 0 and (again or left(time) < at(time))]

    def snapshots(self, until: Any = None) -> list[int | float]:
        """The times T at which the value has come down and is about to rise, and the end: "the model after update T".

        until: snapshots up to this time, it included; a run that is not over by then gives none.

        >>> from annealing import warm_restarts
        >>> warm_restarts(eta_max=0.05, T_0=10, T_mult=2).snapshots(until=200)
        [10, 30, 70, 150]
        """
        until = self._until(until)
        spans = self.runs(plain(until) + 1 if self._length is None else self._length)
        found, down = [], False
        for span, after in zip(spans, [*spans[1:], None], strict=True):
            down = span.last < span.first or (down and span.last == span.first)
            rises = after is not None and (after.first > span.last or after.last > after.first)
            ends = self._length is not None and after is None
            if ((down and rises) or ends) and span.end <= until:
                found.append(span.end)
            down = (down and not rises) or (after is not None and after.first < span.last)
        return found

    def _until(self, until: Any) -> Fraction:
        if until is None:
            if self._length is None:
                raise ScheduleError(f"until must be given, since this schedule never ends: {self}")
            return self._length
        time = exact(until, "until")
        return time if self._length is None else min(time, self._length)

    def _next(self, until: Fraction) -> Fraction:
        """The end of the run in force just before `until`."""
        if self._length is not None and until >= self._length:
            return self._length
        ahead = until
        while True:
            ahead = max(2 * ahead, ahead + 1)
            later = [time for time, _ in lower.begins(self._flat, ahead) if time >= until]
            if later:
                return later[0]
            if ahead > END_OF_TIME:
                return until

    def shifted(self, by: Any) -> Schedule:
        """The same, later by `by` (its first value is held until then); below 0: earlier, its beginning cut away.

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 100).shifted(5)(55)
        0.05
        """
        return Shifted(self, by)

    def stretched(self, by: Any) -> Schedule:
        """The same with every length multiplied by `by`: from epochs to updates with `by` updates an epoch.

        >>> from annealing import step
        >>> step(0.1, step_size=30).stretched(by=391)(30 * 391 - 1)
        0.1
        """
        return Stretched(self, by)

    def beyond(self, policy: str) -> Schedule:
        """What it does after its end: 'hold' the final value (the default), 'raise', 'repeat', or 'mirror'.

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 10).beyond("mirror")(20)
        0.1
        """
        inner = self.part if isinstance(self, Beyond) and self.policy == "raise" else self
        return inner if policy == "hold" else Beyond(inner, policy)

    def to_json(self) -> str:
        """The canonical tree as JSON text, which `annealing.from_json` reads back."""
        return self._json

    @property
    def fingerprint(self) -> str:
        """A short name of this schedule and of every schedule equal to it.

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 200).fingerprint == cosine(eta_max=0.1, eta_min=0.0, T_max=200.0).fingerprint
        True
        """
        return "an1:" + hashlib.sha256(self._json.encode()).hexdigest()[:16]

    def plot(self, until: Any = None, **options: Any) -> Any:
        """Draw it, and return the matplotlib Axes: `annealing.plots.plot` says what is drawn and with which options.

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 200).plot(time="epoch").get_xlabel()
        'epoch'
        """
        from .plots import plot

        return plot(self, until, **options)

    def _repr_svg_(self) -> str | None:
        try:
            from .plots import svg
        except ModuleNotFoundError:
            return None
        return svg(self)

    def __rshift__(self, other: Any) -> Schedule:
        return Join((*self._parts_as(Join), other)) if isinstance(other, Schedule) else NotImplemented

    def __add__(self, other: Any) -> Schedule:
        return Sum((*self._parts_as(Sum), _operand(other)))

    def __radd__(self, other: Any) -> Schedule:
        return Sum((_operand(other), self))

    def __mul__(self, other: Any) -> Schedule:
        return Product((*self._parts_as(Product), _operand(other)))

    def __rmul__(self, other: Any) -> Schedule:
        return Product((_operand(other), self))

    def __eq__(self, other: object) -> bool:
        return self._json == other._json if isinstance(other, Schedule) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._json)

    def __str__(self) -> str:
        return self._label or self._written()[0]

    __repr__ = __str__

    def __getstate__(self) -> dict[str, Any]:
        kept = {field.name for field in fields(self)} | {"_label"}  # type: ignore[arg-type]
        return {name: value for name, value in self.__dict__.items() if name in kept}

    def _parts_as(self, node: type[Schedule]) -> tuple[Any, ...]:
        """Its parts if it is a node of that kind (and no recipe), so that chains stay flat; else itself."""
        return self.parts if type(self) is node and self._label is None else (self,)  # type: ignore[attr-defined]

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _labelled(self, label: str) -> Schedule:
        """The same value, printed as `label`."""
        named = copy.copy(self)
        named._set(_label=label)
        return named


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

    def _lowered(self) -> lower.Lowered:
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

    def _lowered(self) -> lower.Lowered:
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
            self._flat  # noqa: B018
        except OverflowError:
            raise ScheduleError(f"the factors of this Repeat lead beyond the range of floats: {self}") from None
        if self._length is not None and self._length > END_OF_TIME:
            raise ScheduleError(f"this Repeat must be over by 2^53, but ends at {float(self._length)!r}: {self}")

    def _lowered(self) -> lower.Lowered:
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

    def _lowered(self) -> lower.Lowered:
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

    def _lowered(self) -> lower.Lowered:
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

    def _lowered(self) -> lower.Lowered:
        part, length = self.part._flat, self.part._length
        if length is None or self.policy == "hold":
            return part
        if self.policy == "raise":
            return lower.guarded(part)
        once = part if self.policy == "repeat" else lower.mirrored(part, length)
        return lower.repeat(once, None, Fraction(1), 1.0, 1.0)

    def _tree(self) -> Any:
        if self.part._length is None or self.policy == "hold":
            return self.part._tree()
        return {"beyond": {"part": self.part._tree(), "policy": self.policy}}

    def _written(self) -> tuple[str, int]:
        return f'{_bracketed(self.part, CALL)}.beyond("{self.policy}")', CALL


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Schedule):
    """The sum of schedules and numbers, written `a + b`; each holds its final value until the last one ends."""

    parts: tuple[Schedule | float, ...]

    def __post_init__(self) -> None:
        self._set(parts=_operands(self.parts))

    @cached_property
    def _length(self) -> Fraction | None:
        return _longest(self.parts)

    def _lowered(self) -> lower.Lowered:
        return lower.operation("+", [_lowered(part) for part in self.parts])

    def _tree(self) -> Any:
        return _flattened("sum", [_tree(part) for part in self.parts])

    def _written(self) -> tuple[str, int]:
        return " + ".join(_bracketed(part, PRODUCT if i else SUM) for i, part in enumerate(self.parts)), SUM


@dataclass(frozen=True, eq=False, repr=False)
class Product(Schedule):
    """The product of schedules and numbers, written `a * b`; each holds its final value until the last one ends."""

    parts: tuple[Schedule | float, ...]

    def __post_init__(self) -> None:
        self._set(parts=_operands(self.parts))

    @cached_property
    def _length(self) -> Fraction | None:
        return _longest(self.parts)

    def _lowered(self) -> lower.Lowered:
        return lower.operation("*", [_lowered(part) for part in self.parts])

    def _tree(self) -> Any:
        return _flattened("product", [_tree(part) for part in self.parts])

    def _written(self) -> tuple[str, int]:
        return " * ".join(_bracketed(part, CALL if i else PRODUCT) for i, part in enumerate(self.parts)), PRODUCT


JOIN, SUM, PRODUCT, CALL = range(4)  # how tightly each way of writing binds


def _number(t: Any) -> Any:
    """Read one time: an int, a float or a fraction that is not NaN."""
    if isinstance(t, Fraction):
        return t
    if isinstance(t, bool) or not isinstance(t, int | float):
        raise refused(t)
    return t


def _longest(parts: tuple[Schedule | float, ...]) -> Fraction | None:
    lengths = [part._length for part in parts if isinstance(part, Schedule)]
    finite = [length for length in lengths if length is not None]
    return max(finite) if len(finite) == len(lengths) else None


def _lowered(part: Schedule | float) -> lower.Lowered:
    return part._flat if isinstance(part, Schedule) else lower.constant(part)


def _tree(part: Schedule | float) -> Any:
    return part._tree() if isinstance(part, Schedule) else part


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
        raise ScheduleError(f"a sum or product needs at least one schedule, got {parts!r}")
    return operands
