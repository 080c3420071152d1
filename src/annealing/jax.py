"""JAX: a schedule as a pytree of its values, so that gradients and `vmap` go through its peak, floor and factors.

Importing this module registers schedules with JAX. The leaves are the values (start, end, factors, numbers in sums and
products); durations, counts, growth and shapes are static. A schedule whose leaves are JAX's own values, traced or not,
is evaluated here, node by node: each piece as its values times the weights of its shape, from the same exact tables as
ever. To unflatten checks nothing and drops the label; `concrete` makes an ordinary schedule again.
"""

from __future__ import annotations

import functools
import operator
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import shapes
from .errors import ScheduleError
from .exact import ceiling, exact_number
from .recipes.registry import a_schedule
from .schedule.base import Schedule
from .schedule.nodes import Join, Repeat, Run, Tail
from .schedule.operations import Combined, Maximum, Minimum, Product, Quotient, Sum
from .schedule.transforms import Beyond, Held, Shifted, Stretched, Until

# The fields of each node that are leaves, or trees of them; the others are static.
VALUES: dict[type[Schedule], tuple[str, ...]] = {
    Run: ("start", "end"),
    Tail: ("start", "end"),
    Repeat: ("part", "peak_factor", "floor_factor"),
    **dict.fromkeys((Join, Sum, Product, Quotient, Minimum, Maximum), ("parts",)),
    **dict.fromkeys((Shifted, Stretched, Held, Until, Beyond), ("part",)),
}
OPERATIONS: dict[str, Any] = {
    "+": operator.add,
    "*": operator.mul,
    "/": operator.truediv,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
}


def concrete(schedule: Schedule) -> Schedule:
    """The schedule with its values as Python numbers, checked: it prints, compares and goes into JSON again.

    >>> import jax
    >>> from annealing import linear
    >>> concrete(jax.tree.map(lambda value: value * 0.5, linear(0, 1, 10)))
    Run(shapes.linear, 0, 0.5, 10)
    """
    made: Schedule = _rebuilt(jax.tree.map(float, a_schedule(schedule, "schedule")))
    return made


def times(factor: Any, schedule: Schedule) -> Schedule:
    """A value of JAX, also a traced one, times a schedule; an ordinary number is multiplied with `*`.

    >>> import jax
    >>> from annealing import cosine
    >>> float(jax.jit(lambda peak, t: times(peak, cosine(1, 0, 100))(t))(0.5, 50))
    0.25
    """
    return _made(Product, {"parts": (factor, a_schedule(schedule, "schedule"))})


def _rebuilt(node: Any) -> Any:
    if isinstance(node, tuple):
        return tuple(map(_rebuilt, node))
    if not isinstance(node, Schedule):
        return node
    return type(node)(**{name: _rebuilt(getattr(node, name)) for name in node._fields})


def _flat(node: Schedule) -> tuple[tuple[Any, ...], Any]:
    names = VALUES[type(node)]
    return tuple(getattr(node, name) for name in names), tuple(
        (name, getattr(node, name)) for name in node._fields if name not in names
    )


def _unflat(kind: type[Schedule], static: Any, leaves: Any) -> Schedule:
    return _made(kind, {**dict(static), **dict(zip(VALUES[kind], leaves, strict=True))})


def _made(kind: type[Schedule], fields: dict[str, Any]) -> Schedule:
    made = object.__new__(kind)
    made._set(**fields)
    if not all(isinstance(leaf, int | float) for leaf in jax.tree.leaves(made)):
        # In the place of the property, which would make tables of the values.
        made._set(program=TracedProgram(made))
    return made


for _kind in VALUES:
    jax.tree_util.register_pytree_node(_kind, _flat, functools.partial(_unflat, _kind))


class TracedProgram:
    """A program of a schedule whose values are JAX's: see `annealing.evaluate.program.Program`."""

    fits_float32 = True

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.packed: dict[str, Any] = {}

    def at(self, t: Any) -> Any:
        return value(self.schedule, jnp.asarray(t if isinstance(t, int) else float(t)))

    left = at

    def values(self, time: Any) -> Any:
        return value(self.schedule, jnp.asarray(time.key))


@functools.singledispatch
def value(node: Any, t: Any) -> Any:
    """The value of a node at times from its own 0 on; a time before it is its start. A number is its own value."""
    return node


@value.register
def _piece(node: Run | Tail, t: Any) -> Any:
    kind, time = (Run, node.length) if isinstance(node, Run) else (Tail, node.timescale)
    if time == 0:
        return jnp.broadcast_to(node.end, jnp.shape(t))
    falling, rising = _weights(kind, node.shape, time)
    return node.start * falling(t) + node.end * rising(t)


@functools.lru_cache(maxsize=1000)
def _weights(kind: Any, shape: shapes.Shape, time: Fraction) -> tuple[Schedule, Schedule]:
    """The weights of the start and of the end, each as a schedule: neither is computed as 1 minus the other."""
    return kind(shape, 1.0, 0.0, time), kind(shape, 0.0, 1.0, time)


@value.register
def _join(node: Join, t: Any) -> Any:
    begin, found = Fraction(0), value(node.parts[0], t)
    for before, part in zip(node.parts, node.parts[1:], strict=False):
        begin += Fraction(before.exact_duration or 0)
        found = jnp.where(t >= _bound(begin, t), value(part, _minus(t, begin)), found)
    return found


def _bound(time: Fraction, t: Any) -> Any:
    whole = jnp.issubdtype(t.dtype, jnp.integer)
    return -(-time.numerator // time.denominator) if whole else ceiling(time, np.dtype(t.dtype).type)


def _minus(t: Any, time: Fraction) -> Any:
    """A time later: whole counts stay whole, and exact, where `time` is."""
    return jnp.maximum(t - exact_number(time) if time.denominator == 1 else t - float(time), 0)


@value.register
def _repeat(node: Repeat, t: Any) -> Any:
    length = Fraction(node.part.exact_duration or 0)
    # The part of each copy that is done, from the tables of a sawtooth, whose restarts are exact.
    done = _sawtooth(length, node.times, node.growth)(t)
    copy = _copy(node, length, done, t)
    found = value(node.part, done * float(length))
    ends = [end for piece in _pieces(node.part) for end in (piece.start, piece.end)]
    floor, peak = functools.reduce(jnp.minimum, ends), functools.reduce(jnp.maximum, ends)
    low, high = floor * _power(node.floor_factor, copy), peak * _power(node.peak_factor, copy)
    # Where floor and peak are one value there is no line through them, and its slope must not become a NaN.
    width = jnp.where(peak == floor, 1.0, peak - floor)
    found = jnp.where(peak == floor, 1.0, (found - floor) / width)
    return low + (jnp.maximum(low, high) - low) * found


@functools.lru_cache(maxsize=1000)
def _sawtooth(length: Fraction, copies: int | None, growth: Fraction) -> Schedule:
    return Repeat(Run(shapes.linear, 0.0, 1.0, length), copies, growth)


def _copy(node: Repeat, length: Fraction, done: Any, t: Any) -> Any:
    """The number of the copy at each time."""
    last = 2**31 - 1 if node.times is None else node.times - 1
    if node.growth == 1:
        # What is left beside the part done is a whole number but for rounding.
        number = t // int(length) if _whole(length, t) else jnp.round(t / float(length) - done)
    else:
        saw = _sawtooth(length, node.times, node.growth)
        begins = [_bound(Fraction(cycle.begin), t) for cycle in saw.cycles(2**53) if cycle.begin < 2**31]
        number = jnp.searchsorted(jnp.asarray(begins, t.dtype), t, side="right") - 1
    return jnp.clip(number, 0, last).astype(jnp.int32)


def _whole(length: Fraction, t: Any) -> bool:
    return length.denominator == 1 and length < 2**31 and bool(jnp.issubdtype(t.dtype, jnp.integer))


def _power(factor: Any, copy: Any) -> Any:
    # factor^0 is 1 without its derivative, which for a factor of 0 would be 0 * 0^-1.
    return jnp.where(copy == 0, 1.0, jnp.asarray(factor, float) ** jnp.maximum(copy, 1))


def _pieces(node: Any) -> list[Any]:
    """The pieces in a part, whose ends are its least and greatest values."""
    if isinstance(node, Run | Tail):
        return [node]
    if isinstance(node, Combined):
        raise ScheduleError(
            f"a Repeat of an operation on schedules has no values for JAX to trace: {type(node).__name__}"
        )
    parts = node.parts if isinstance(node, Join) else (node.part,)
    return [piece for part in parts for piece in _pieces(part)]


@value.register
def _combined(node: Combined, t: Any) -> Any:
    return functools.reduce(OPERATIONS[node.symbol], [value(part, t) for part in node.parts])


@value.register
def _shifted(node: Shifted, t: Any) -> Any:
    return value(node.part, _minus(jnp.maximum(t, 0), Fraction(node.by)))


@value.register
def _stretched(node: Stretched, t: Any) -> Any:
    by = Fraction(node.by)
    return value(node.part, t * by.denominator / by.numerator if by.numerator != 1 else t * by.denominator)


@value.register
def _held(node: Held, t: Any) -> Any:
    every = Fraction(node.every)
    if _whole(every, t):
        return value(node.part, t // int(every) * int(every))
    return value(node.part, jnp.floor(t / float(every)) * float(every))


@value.register
def _until(node: Until, t: Any) -> Any:
    # Where it ends it keeps the limit from the left, which is that of the number before: an end, not a restart.
    last = jnp.nextafter(jnp.asarray(float(node.time)), -jnp.inf)
    over = t >= _bound(Fraction(node.time), t)
    return jnp.where(over, value(node.part, jnp.maximum(last, 0)), value(node.part, jnp.where(over, 0, t)))


@value.register
def _beyond(node: Beyond, t: Any) -> Any:
    length = node.part.exact_duration
    if not length or node.policy == "hold":
        return value(node.part, t)
    if node.policy == "raise":
        return jnp.where(t > _bound(length, t), jnp.nan, value(node.part, t))
    period = length if node.policy == "repeat" else 2 * length
    time = t % int(period) if _whole(period, t) else t % float(period)
    # A mirrored part is read backwards in the second half of its period.
    back = exact_number(period) if _whole(period, t) else float(period)
    return value(node.part, jnp.minimum(time, back - time) if node.policy == "mirror" else time)
