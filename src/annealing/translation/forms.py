"""What each framework can express: its schedules by name, each a function from the framework's arguments to a schedule.

A form carries the framework's convention once, as a schedule. Reading a configuration calls it; translating to the
framework proposes arguments, calls it too, and compares. So there is no second formula, and no claim without a check.
"""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from inspect import Parameter, Signature
from types import SimpleNamespace
from typing import Any, NamedTuple

from .. import shapes
from ..calls import bound, did_you_mean
from ..errors import ScheduleError
from ..recipes import constant, cosine, linear, polynomial
from ..schedule.base import Schedule
from ..schedule.nodes import Join, Run
from ..shapes.families import Power
from .schedule_outline import ScheduleOutline, share

Arguments = dict[str, Any]
Read = Callable[[Any], Schedule]
MOST_LISTED = 64  # pieces of a schedule that are written one by one
# What reacts to a metric, or is random, is no function of time.
REFUSED = {
    "ReduceLROnPlateau": "it reacts to a metric",
    "ReduceOnPlateauLR": "it reacts to a metric",
    "PlateauLRScheduler": "it reacts to a metric",
    "reduce_lr_on_plateau": "it reacts to a metric",
    "greedy": "it reacts to a metric",
    "LRRangeTest": "it rises without an end",
}


class Form(NamedTuple):
    """One schedule of a framework: what its arguments mean, and which arguments to try for a given schedule."""

    framework: str
    name: str
    signature: Signature
    read: Read
    propose: Callable[[ScheduleOutline], Any]
    ignored: frozenset[str]

    def schedule(self, arguments: Mapping[str, Any]) -> Schedule:
        """The schedule that the framework follows with these arguments; names it does not know are refused."""
        given = {key: value for key, value in arguments.items() if key not in self.ignored}
        try:
            call = bound(self.name, self.signature, (), given)
            call.apply_defaults()
            return self.read(SimpleNamespace(**call.arguments))
        except ScheduleError as error:
            raise ScheduleError(f"{self.framework}: {error}") from None
        except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
            shown = ", ".join(f"{key}={value!r}" for key, value in given.items())
            raise ScheduleError(f"{self.framework}: {self.name}({shown}) cannot be read: {error}") from None

    def proposals(self, outline: ScheduleOutline) -> list[Arguments]:
        """Arguments to try, made without looking: most of them do not fit, and the comparison says so."""
        try:
            found = self.propose(outline) or ()
            return [found] if isinstance(found, dict) else list(found)
        except (TypeError, ValueError, AttributeError, ArithmeticError, LookupError):
            return []  # the schedule has no such piece, or a ratio has no divisor


FORMS: dict[str, dict[str, Form]] = {}


def form(
    framework: str, written: str, propose: Callable[[ScheduleOutline], Any] | None = None, ignored: str = ""
) -> Callable[[Read], Read]:
    """Register a schedule of a framework; what this returns takes its `read`.

    written: its call, "name(argument, argument: meaning = default)"; a meaning is an attribute of an outline, or its
    share of another ("end / start"). propose: the arguments to try for an outline (one dictionary, several, or None),
    where the meanings do not say it. ignored: what has no effect on rates. read: from a namespace of the arguments to
    the schedule.
    """
    name, _, rest = written.partition("(")
    listed = ast.parse(f"def form({rest}: pass").body[0]
    assert isinstance(listed, ast.FunctionDef)
    names, defaults = listed.args.args, listed.args.defaults
    missing: list[Any] = [Parameter.empty] * (len(names) - len(defaults))
    values = [*missing, *map(ast.literal_eval, defaults)]
    kind = Parameter.POSITIONAL_OR_KEYWORD
    signature = Signature([Parameter(n.arg, kind, default=v) for n, v in zip(names, values, strict=True)])
    meanings = {each.arg: each.annotation for each in names if each.annotation}
    meant = propose or (lambda outline: {name: _value(outline, node) for name, node in meanings.items()})

    def registered(read: Read) -> Read:
        FORMS.setdefault(framework, {})[name] = Form(
            framework, name, signature, read, meant, frozenset(ignored.split())
        )
        return read

    return registered


def _value(outline: ScheduleOutline, meaning: ast.expr) -> Any:
    if isinstance(meaning, ast.BinOp):
        return share(_value(outline, meaning.left), _value(outline, meaning.right))
    return operator.attrgetter(ast.unparse(meaning))(outline)


def find_form(framework: str, name: str) -> Form:
    """The form of a framework by its name; a ScheduleError names the nearest one."""
    known = FORMS[framework]
    if name in known:
        return known[name]
    if name in REFUSED:
        raise ScheduleError(f"{framework}: {name!r} is not a schedule: {REFUSED[name]}")
    hint = did_you_mean(str(name), known) or f"; it can read {', '.join(known)}"
    raise ScheduleError(f"{framework}: unknown schedule {name!r}{hint}")


def read_schedule(framework: str, name: str, arguments: Arguments) -> Schedule:
    """The schedule that a framework follows with the arguments of one of its schedules."""
    return find_form(framework, name).schedule(arguments)


def listed_parts(framework: str, parts: Any, shared: Arguments) -> list[Schedule]:
    """The parts of a composite: each {"name": ..., arguments}, with arguments that all of them share."""
    found = []
    for part in parts:
        if not isinstance(part, Mapping) or "name" not in part:
            raise ScheduleError(f'a part must be {{"name": ..., arguments}}, got {part!r}')
        arguments = {**shared, **{key: value for key, value in part.items() if key != "name"}}
        found.append(read_schedule(framework, part["name"], arguments))
    return found


def piece(shape: shapes.Shape, start: float, end: float, length: Any) -> Schedule:
    """A piece from one value to another, as the recipe that a person would write where one makes it."""
    if start >= end >= 0:
        if isinstance(shape, Power):
            return polynomial(start, end, length, shape.exponent)
        if shape in (shapes.cosine, shapes.linear):
            return (cosine if shape == shapes.cosine else linear)(start, end, length)
    return Run(shape, start, end, length)


def scaled(rate: float, factor: float) -> float:
    """A share of a rate, multiplied as decimals: a tenth of 0.1 is 0.01, which floats miss by a rounding."""
    return float(Fraction(str(factor)) * Fraction(str(rate)))


def one_after_another(parts: Iterable[Schedule], starts: Iterable[Any]) -> Schedule:
    """Schedules that start at given times, the first at 0, each from its own time 0; a final value is held."""
    parts, times = list(parts), [Fraction(0), *(Fraction(str(start)) for start in starts)]
    if len(parts) != len(times):
        boundaries = f"{len(parts)} schedules and {len(times) - 1} boundaries"
        raise ScheduleError(f"a boundary is needed between any two schedules: got {boundaries}")
    lengths = [later - sooner for sooner, later in itertools.pairwise(times)]
    if any(length < 0 for length in lengths):
        raise ScheduleError(f"boundaries must not decrease, got {[float(time) for time in times[1:]]}")
    # A part that lasts no time is left out.
    kept = [_until(part, length) for part, length in zip(parts, lengths, strict=False) if length]
    return Join((*kept, parts[-1]))


def _until(schedule: Schedule, time: Fraction) -> Schedule:
    end = schedule.exact_duration
    if end is not None and end < time:
        return schedule >> constant(schedule(end), time - end)
    return schedule if end == time else schedule.until(time)
