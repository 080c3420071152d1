"""Schedules as frozen values: the nodes, their algebra, and what can be read off a schedule by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ..calls import REQUIRED, checked_methods
from ..cycles import Cycle, snapshot_starts
from ..durations import unread
from ..errors import ScheduleError, finite
from ..evaluate import lowering
from ..evaluate.backends import PythonNumbers, library, refused
from ..evaluate.compiled import compiling, in_graph
from ..evaluate.pieces import Lowered
from ..evaluate.program import Program, many, program
from ..exact import END_OF_TIME, MOST_RUNS, Floor, exact, exact_number, plain
from ..frozen import Value
from ..printing import CALL, literal, node_json
from .algebra import Algebra


@checked_methods
class Schedule(Algebra, Value):
    """A learning rate (or any number) as a function of time: a frozen value made of nodes.

    Call it with a time; compare, hash and print it. `a >> b` is a, then b; `a + b`, `a - b`, `a * b` and `a / b`
    compute with the values, also with a number on either side.
    """

    _label: ClassVar[str | None] = None
    pending: ClassVar[bool] = False  # whether it has durations that wait for a plan
    _times: ClassVar[tuple[str, ...] | None] = None  # the arguments of a node that are times

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A node, or if it has durations that wait for a plan, the call of it, kept until then."""
        waiting = None
        if cls._times is not None and any(map(unread, (*args, *kwargs.values()))):
            from .deferred import node

            waiting = node(cls, args, kwargs)
        return waiting or super().__new__(cls)

    def __post_init__(self) -> None:
        raise ScheduleError("a Schedule is made by a recipe or a node, such as annealing.cosine(0.1, 0, 100)")

    def _lower(self) -> Lowered:
        raise NotImplementedError

    def _tree(self) -> Any:
        return {self._key: {name: node_json(getattr(self, name)) for name in self._fields}}

    def _written(self) -> tuple[str, int]:
        return self._as_call({name: getattr(self, name) for name in self._fields}), CALL

    @classmethod
    def _as_call(cls, values: Mapping[str, Any]) -> str:
        """How a node with these fields is written; those that have their default are left out."""
        given = (
            f"{name}={literal(value)}" if hasattr(cls, name) else literal(value)
            for name, value in values.items()
            if not hasattr(cls, name) or value != getattr(cls, name)
        )
        return f"{cls.__name__}({', '.join(given)})"

    @property
    def _key(self) -> str:
        """Its name in JSON."""
        return type(self).__name__.lower()

    @property
    def empty(self) -> bool:
        """Whether it has the length 0, so that a Join leaves it out."""
        return False

    def tree(self) -> Any:
        """The canonical tree, as JSON holds it; schedules of length 0 with the same value have the same tree."""
        if self.empty:
            value = self(0)
            return {"run": {"shape": "flat", "start": value, "end": value, "length": 0}}
        return self._tree()

    def written(self) -> tuple[str, int]:
        """How it prints, and how tightly that binds: see `annealing.printing`."""
        return (self._label, CALL) if self._label else self._written()

    @cached_property
    def lowered(self) -> Lowered:
        return self._lower()

    @cached_property
    def program(self) -> Program:
        return program(self.lowered)

    @cached_property
    def _json(self) -> str:
        import json

        return json.dumps(self.tree(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @cached_property
    def exact_duration(self) -> Fraction | None:
        return self.lowered.end

    @property
    def endless(self) -> bool:
        return self.exact_duration is None

    @property
    def _unguarded(self) -> Schedule:
        """The schedule without a policy that refuses times after its end."""
        return self

    def __call__(self, t: Any = REQUIRED) -> Any:
        """The value at time t, as the limit from the right; before 0 it is the first value.

        t: an int or float -> float; a NumPy array -> float64; a torch tensor -> float64 (or its own floating type) on
        its device; a JAX array or traced value -> JAX's default float. In the schedule's own unit; update number n
        (from 1) uses schedule(n - 1).

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 200)(100)
        0.05
        """
        # Most calls bring an int or a float: they cost one search, and no question about libraries.
        kind = type(t)
        if kind is int or kind is float:
            return self.program.at(t)
        xp = library(t)
        if xp is PythonNumbers:
            return self.program.at(_number(t))
        return in_graph(self, t) if compiling(xp) else many(self.program, t)

    def left(self, t: Any) -> Any:
        """The limit of the value from the left at time t: at a restart, the end of the cycle before it.

        t: an int or float -> float; a NumPy array -> float64.

        >>> from annealing import warm_restarts
        >>> schedule = warm_restarts(eta_max=0.05, T_0=10)
        >>> schedule.left(10), schedule(10)
        (0.0, 0.05)
        """
        if library(t) is np:
            times = np.asarray(t)
            return np.array([self.left(x) for x in times.ravel().tolist()], np.float64).reshape(times.shape)
        return self.program.left(_number(t))

    @property
    def duration(self) -> int | float | None:
        """The time at which it ends, or None if it never does."""
        return None if self.exact_duration is None else plain(self.exact_duration)

    def runs(self, until: Any = None) -> list[Cycle]:
        """Its cycles: the time from one start to the next, with the values at both ends.

        A start or end that is not a float is given as the next float above it, at which the later cycle has already
        started; so take the limit at the end of a cycle from `last`, not from `left`. The same holds for `restarts` and
        `snapshots`.

        until: cycles that start before this time; needed if the schedule never ends.

        >>> from annealing import warm_restarts
        >>> warm_restarts(eta_max=1, T_0=10, T_mult=2).runs(until=30)
        [Cycle(begin=0, end=10, first=1.0, last=0.0), Cycle(begin=10, end=30, first=1.0, last=0.0)]
        """
        return [cycle.rounded(self.program.at) for cycle in self.cycles(self.horizon(until))]

    def restarts(self, until: Any = None) -> list[int | float]:
        """The times at which it starts again: copies 1, 2, ... of a repeated part, listed cycles, and jumps up.

        A drop is not a restart, so step decay has none. until: restarts before this time.

        >>> from annealing import linear, warm_restarts
        >>> (linear(0, 0.05, 5) >> warm_restarts(eta_max=0.05, T_0=10, T_mult=2)).restarts(until=100)
        [15, 35, 75]
        """
        both = pairwise(self.cycles(self.horizon(until)))
        return [two.start for one, two in both if two.again or (one.last < two.first and not two.stair)]

    def snapshots(self, until: Any = None) -> list[int | float]:
        """The times T at which the value has come down and is about to rise, and the end: keep the model of update T.

        until: snapshots up to and including this time; a cycle that ends later gives none.

        >>> from annealing import warm_restarts
        >>> warm_restarts(eta_max=0.05, T_0=10, T_mult=2).snapshots(until=200)
        [10, 30, 70, 150]
        """
        last, end = self.horizon(until), self.exact_duration
        found = [time for time, kept in snapshot_starts(self.cycles(last, included=True)) if kept]
        return found if end is None or end > last else [*found, plain(end)]

    def cycles(self, until: Any = None, included: bool = False) -> Iterator[Cycle]:
        """Its cycles with exact times, in order: those that start before `until` (or at it, if included), or all."""
        at, left = self.program.at, self.program.left
        limit = None if until is None else self.horizon(until)
        for number, (begin, end, again, stair) in enumerate(lowering.cycles(self.lowered)):
            if limit is not None:
                if begin > limit or (begin == limit and not included):
                    return
                if number >= MOST_RUNS:
                    raise ScheduleError(
                        f"there are more than {MOST_RUNS:,} cycles before {plain(limit)!r}: ask for fewer"
                    )
            last = at(END_OF_TIME) if end is None else left(exact_number(end))
            yield Cycle.exactly(begin, end, (at(exact_number(begin)), last), again, stair)

    def horizon(self, until: Any) -> Fraction:
        """The end of what is asked about: `until` as an exact time, or the end of the schedule."""
        if until is not None:
            return exact(until, "until")
        if self.exact_duration is None:
            raise ScheduleError(f"until must be given, since this schedule never ends: {self}")
        return self.exact_duration

    def shifted(self, by: Any) -> Schedule:
        """The schedule, later by `by` (its first value is held until then); if that is below 0, earlier and cut.

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 100).shifted(5)(55)
        0.05
        """
        from .transforms import Shifted

        return Shifted(self, by)

    def stretched(self, by: Any) -> Schedule:
        """The schedule with every length multiplied by `by`: from epochs to updates with `by` updates per epoch.

        >>> from annealing import step
        >>> step(0.1, step_size=30).stretched(by=391)(30 * 391 - 1)
        0.1
        """
        from .transforms import Stretched

        return Stretched(self, by)

    def held(self, every: Any) -> Schedule:
        """The schedule as a staircase: the value at each multiple of `every` is held until the next one.

        >>> from annealing import cosine
        >>> schedule = cosine(0.1, 0, 10).held(every=5)
        >>> schedule(4.9), schedule(5), schedule(9.9), schedule(10)
        (0.1, 0.05, 0.05, 0.0)
        """
        from .transforms import Held

        return Held(self, every)

    def until(self, time: Any) -> Schedule:
        """The schedule up to a time, where it ends: another may follow, else the last value is held.

        >>> from annealing import linear, step
        >>> (step(0.1, step_size=30).until(75) >> linear(0.001, 0, 25))(75)
        0.001
        """
        from .transforms import Until

        return Until(self, time)

    def branch_cooldown(self, at: Any, length: Any, curve: Any = "linear", end: Floor = 0.0) -> Schedule:
        """The schedule up to a time, then a cooldown from the rate there: see `annealing.branch_cooldown`.

        >>> from annealing import warm_restarts
        >>> schedule = warm_restarts(eta_max=0.1, T_0=10).branch_cooldown(at=15, length=5, curve="1-sqrt")
        >>> schedule(15), schedule.duration
        (0.05, 20)
        """
        from ..recipes import branch_cooldown

        return branch_cooldown(self, at, length, curve, end)

    def clip(self, least: float, most: float) -> Schedule:
        """The schedule, kept between two values: maximum(minimum(schedule, most), least).

        >>> from annealing import linear
        >>> [linear(0, 1, 10).clip(0.2, 0.7)(t) for t in (1, 5, 9)]
        [0.2, 0.5, 0.7]
        """
        from .operations import maximum, minimum

        if finite(least, "least") > finite(most, "most"):
            raise ScheduleError(f"least must be at most {most!r}, got {least!r}")
        return maximum(minimum(self, most), least)

    def beyond(self, policy: str) -> Schedule:
        """What it does after its end: 'hold' the final value (the default), 'raise', 'repeat', or 'mirror'.

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 10).beyond("mirror")(20)
        0.1
        """
        from .transforms import Beyond

        return self._unguarded if policy == "hold" else Beyond(self._unguarded, policy)

    def to_json(self) -> str:
        """The canonical tree as JSON text, which `annealing.from_json` reads back."""
        return self._json

    @property
    def fingerprint(self) -> str:
        """A short name for this schedule and every schedule equal to it.

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 200).fingerprint == cosine(eta_max=0.1, eta_min=0.0, T_max=200.0).fingerprint
        True
        """
        import hashlib

        return "an1:" + hashlib.sha256(self._json.encode()).hexdigest()[:16]

    def plot(self, until: Any = None, **options: Any) -> Any:
        """Draw it and return the matplotlib Axes; see `annealing.plots.plot` for the options.

        >>> from annealing import cosine
        >>> cosine(0.1, 0, 200).plot(time="epoch").get_xlabel()
        'epoch'
        """
        from ..plots import plot

        return plot(self, until, **options)

    def _repr_svg_(self) -> str | None:
        if self.pending:
            return None
        try:
            from ..plots import svg
        except ModuleNotFoundError:
            return None
        return svg(self)

    def __eq__(self, other: object) -> bool:
        return self._json == other._json if isinstance(other, Schedule) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._json)

    def __str__(self) -> str:
        return self.written()[0]

    __repr__ = __str__

    def __getstate__(self) -> dict[str, Any]:
        # What is computed from the fields stays behind: programs hold tables of a device, and functions.
        kept = {*self._fields, "_label"}
        return {name: value for name, value in self.__dict__.items() if name in kept}

    def labelled(self, label: str) -> Schedule:
        """The same schedule, printed as `label`."""
        named: Schedule = object.__new__(type(self))
        named._set(**self.__dict__ | {"_label": label})
        return named


def _number(t: Any) -> Any:
    """Read one time: an int, a float or a fraction that is not NaN."""
    if isinstance(t, Fraction):
        return t
    if t is REQUIRED:  # Keras calls what is no LearningRateSchedule of its own in this way
        raise ScheduleError(
            "a schedule needs a time, schedule(t); in Keras use annealing.keras.ScheduleForKeras(schedule)"
        )
    if isinstance(t, bool) or not isinstance(t, int | float):
        raise refused(t)
    return t


def schedules(parts: Any, what: str) -> tuple[Schedule, ...]:
    """Read the parts of a node, which must be schedules."""
    checked: tuple[Schedule, ...] = tuple(parts) if isinstance(parts, tuple | list) else ()
    if not checked or not all(isinstance(part, Schedule) for part in checked):
        raise ScheduleError(f"{what} must be schedules, at least one, got {parts!r}")
    return checked
