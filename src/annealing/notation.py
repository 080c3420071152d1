"""Schedules as text and as JSON, both ways.

Text is read through Python's own grammar and checked against the list of recipes, nodes and operators: nothing is
evaluated, and what is not on the list is an error that points at the place.
"""

from __future__ import annotations

import ast
import inspect
import json
import operator
import warnings
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from . import recipes, shapes
from .calls import bound, checked, did_you_mean, shown
from .errors import ScheduleError
from .schedule.base import Schedule
from .schedule.nodes import Join, Repeat, Run, Tail
from .schedule.operations import Maximum, Minimum, Product, Quotient, Sum, maximum, minimum
from .schedule.transforms import Beyond, Held, Shifted, Stretched, Until


def _fraction(numerator: int, denominator: int = 1) -> Fraction:
    if not isinstance(numerator, int) or not isinstance(denominator, int) or denominator < 1:
        raise ScheduleError(f"Fraction takes whole numbers, the second above 0, got {numerator!r} and {denominator!r}")
    return Fraction(numerator, denominator)


MOST_CHARACTERS = 100_000
DEEPEST = 100  # nodes within nodes
NODES: dict[str, Callable[..., Any]] = {"Run": Run, "Tail": Tail, "Repeat": Repeat, "Fraction": _fraction}
NODES |= {"minimum": minimum, "maximum": maximum}
METHODS = ("shifted", "stretched", "held", "until", "clip", "beyond")
OPERATORS: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.RShift: (">>", operator.rshift),
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
}


@checked
def parse(text: str | Schedule) -> Schedule:
    """Read a schedule from the notation, which is what printing one shows. A schedule is returned as it is.

    text: Python's grammar with the recipes, `Run`, `Tail`, `Repeat`, `shapes.*`, the operators `>>`, `+`, `-`, `*` and
    `/`, `minimum` and `maximum`, the methods `.shifted`, `.stretched`, `.held`, `.until`, `.clip`, `.beyond`, numbers
    and `Fraction(n, d)`. A ScheduleError points at the place of anything else.

    >>> parse("linear(0, 0.1, 5) >> cosine(0.1, 0, 195)")(5)
    0.1
    >>> parse("cosine(0.1, 0, 195")
    Traceback (most recent call last):
    annealing.errors.ScheduleError: '(' was never closed
      cosine(0.1, 0, 195
            ^
    """
    if isinstance(text, Schedule):
        return text
    if not isinstance(text, str):
        raise ScheduleError(f"a notation must be text, got {type(text).__name__}")
    if len(text) > MOST_CHARACTERS:
        raise ScheduleError(f"a notation must have at most {MOST_CHARACTERS:,} characters, got {len(text):,}")
    if not text.strip():
        raise ScheduleError('a notation must not be empty; a schedule is expected, such as "cosine(0.1, 0, 100)"')
    reader = _Reader(" ".join(text.split()))
    return reader.schedule()


class _Reader:
    """One reading of a text; `depth` is how deep inside it stands."""

    def __init__(self, text: str) -> None:
        self.text = text

    def schedule(self) -> Schedule:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)  # what it warns of is an error further down
                tree = ast.parse(self.text, mode="eval")
        except SyntaxError as error:
            raise self.error(error.msg, (error.offset or 1) - 1) from None
        except (ValueError, RecursionError, MemoryError):
            raise ScheduleError(f"this is no notation of a schedule: {_shortened(self.text)}") from None
        value = self.read(tree.body, 0)
        if not isinstance(value, Schedule):
            hint = f": constant({value}) is one" if isinstance(value, int | float) else ""
            raise self.error(f"a schedule is expected here{hint}", tree.body)
        return value

    def read(self, node: ast.expr, depth: int) -> Any:
        if depth > DEEPEST:
            raise ScheduleError(f"a notation must be at most {DEEPEST} levels deep: {_shortened(self.text)}")
        deeper = depth + 1
        match node:
            case ast.Constant(value=int() | float() | str() | None as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                negated = self.read(inner, deeper)
                if not isinstance(negated, Schedule):
                    raise self.error("- needs a number or a schedule after it", node)
                return -negated
            case ast.List(elts=items):
                return [self.read(item, deeper) for item in items]
            case ast.Tuple(elts=items):
                return tuple(self.read(item, deeper) for item in items)
            case ast.BinOp():
                return self.operation(node, depth)
            case ast.Attribute(value=ast.Name(id="shapes"), attr=name):
                return self.listed(name, shapes.named, "shape", node)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="shapes"), attr=name)):
                return self.called(self.listed(name, shapes.families, "family of shapes", node), node, deeper)
            case ast.Call(func=ast.Name(id=name)):
                made = self.listed(name, recipes.named | NODES, "recipe or node", node)
                return self.called(made, node, deeper)
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in METHODS:
                schedule = self.read(inner, deeper)
                if not isinstance(schedule, Schedule):
                    raise self.error(f".{name} needs a schedule before it", inner)
                return self.called(getattr(schedule, name), node, deeper)
            case ast.Name(id=name) if name in recipes.named:
                call = shown(name, inspect.signature(recipes.named[name]))
                raise self.error(f"{name} needs its arguments: {call}", node)
            case ast.Name(id=name):
                raise self.error(unknown("name", name, recipes.named | NODES), node)
        raise self.error("only recipes, nodes, numbers, lists, >>, +, -, * and / may stand in a notation", node)

    def operation(self, node: ast.BinOp, depth: int) -> Any:
        """A chain of operators; the left side is followed in a loop, so that long chains need no depth."""
        chain: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            chain.append(first)
            first = first.left
        value = self.read(first, depth + 1)
        for link in reversed(chain):
            if type(link.op) not in OPERATORS:
                raise self.error("only the operators >>, +, -, * and / may stand in a notation", link)
            value = self.combined(OPERATORS[type(link.op)], value, self.read(link.right, depth + 1), link)
        return value

    def combined(self, which: tuple[str, Callable[[Any, Any], Any]], one: Any, two: Any, node: ast.expr) -> Any:
        symbol, operation = which
        if symbol == "/" and type(one) is type(two) is int and two:
            return Fraction(one, two)  # 50/3 of an epoch, as people write it: exact, where Python's float is not
        schedules = [isinstance(side, Schedule) for side in (one, two)]
        if not any(schedules) or (symbol == ">>" and not all(schedules)):
            raise self.error(f"{symbol} needs {'schedules' if symbol == '>>' else 'a schedule'} beside it", node)
        try:
            return operation(one, two)
        except ScheduleError as error:
            raise self.error(str(error), node) from None

    def called(self, function: Callable[..., Any], node: ast.Call, depth: int) -> Any:
        if any(isinstance(arg, ast.Starred) for arg in node.args) or any(word.arg is None for word in node.keywords):
            raise self.error("* and ** may not stand in a call", node)
        args = [self.read(arg, depth) for arg in node.args]
        words = [word.arg for word in node.keywords]
        if len(set(words)) < len(words):
            raise self.error("an argument is repeated in a call", node)
        kwargs = {str(word.arg): self.read(word.value, depth) for word in node.keywords}
        try:
            bound(_name(node.func), inspect.signature(function), args, kwargs)
            return function(*args, **kwargs)
        except ScheduleError as error:
            raise self.error(str(error), node) from None
        except (TypeError, ZeroDivisionError) as error:
            raise self.error(f"{ast.unparse(node.func)}: {error}", node) from None

    def listed(self, name: str, known: Mapping[str, Any], kind: str, node: ast.expr) -> Any:
        if name not in known:
            raise self.error(unknown(kind, name, known), node)
        return known[name]

    def error(self, message: str, place: ast.expr | int) -> ScheduleError:
        column = place if isinstance(place, int) else len(self.text.encode()[: place.col_offset].decode())
        start = max(0, column - 60)
        error = ScheduleError(f"{message}\n  {self.text[start : start + 100]}\n  {' ' * (column - start)}^")
        error.place = column
        return error


def _name(function: ast.expr) -> str:
    """What is called, without the schedule before it."""
    method = isinstance(function, ast.Attribute) and not isinstance(function.value, ast.Name)
    return f".{function.attr}" if method else ast.unparse(function)  # type: ignore[attr-defined]


def unknown(kind: str, name: str, known: Mapping[str, Any]) -> str:
    """The message about a name that is not known: the nearest one that is, or if the list is short all of them."""
    hint = did_you_mean(name, known)
    if not hint:
        hint = f": known are {', '.join(known)}" if len(known) <= 20 else ": `annealing recipes` lists the recipes"
    return f"unknown {kind} {_shortened(repr(name))}{hint}"


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


@checked
def from_json(tree: str | Mapping[str, Any]) -> Schedule:
    """Read a schedule from JSON, as `schedule.to_json()` writes it.

    tree: JSON text, or the objects it stands for. A ScheduleError names what is not allowed.

    >>> from annealing import cosine
    >>> from_json(cosine(0.1, 0, 195).to_json()) == cosine(0.1, 0, 195)
    True
    """
    if isinstance(tree, str):
        if len(tree) > 10 * MOST_CHARACTERS:
            raise ScheduleError(f"JSON of a schedule must have at most {10 * MOST_CHARACTERS:,} characters")
        try:
            tree = json.loads(tree, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ScheduleError(f"this is not JSON: {error}") from None
    value: Schedule | Any = _node(tree, 0)
    if not isinstance(value, Schedule):
        raise ScheduleError(
            f"JSON of a schedule must be an object such as {{'run': ...}}, got {_shortened(repr(tree))}"
        )
    return value


def _no_constant(name: str) -> Any:
    raise ScheduleError(f"numbers in JSON must be finite, got {name}")


FIELDS = {cls.__name__.lower(): cls for cls in (Run, Tail, Repeat, Shifted, Stretched, Held, Until, Beyond)}
LISTS = {cls.__name__.lower(): cls for cls in (Join, Sum, Product, Quotient, Minimum, Maximum)}


def _node(tree: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise ScheduleError(f"JSON of a schedule must be at most {DEEPEST} levels deep")
    if not isinstance(tree, Mapping) or len(tree) != 1:
        return tree
    ((name, content),) = tree.items()
    if name in LISTS and isinstance(content, list):
        return LISTS[name](tuple(_node(part, depth + 1) for part in content))
    if name in FIELDS and isinstance(content, Mapping):
        allowed = FIELDS[name]._fields
        if set(content) != set(allowed):
            raise ScheduleError(f"{name} must have the fields {', '.join(allowed)}, got {', '.join(map(str, content))}")
        return FIELDS[name](**{key: _field(key, content[key], depth + 1) for key in allowed})
    if name == "recipe" and isinstance(content, Mapping):
        return _recipe(content, depth + 1)
    raise ScheduleError(f"unknown node {name!r}: known are {', '.join([*FIELDS, *LISTS])}")


def _field(key: str, value: Any, depth: int) -> Any:
    if key == "part":
        return _node(value, depth)
    if key == "shape":
        return _shape(value, depth)
    if key in ("length", "timescale", "by", "growth", "every", "time") and isinstance(value, str):
        return _ratio(value)
    return value


def _ratio(text: str) -> Fraction | str:
    """A fraction "n/d"; other text, a duration with a unit for instance, is left to those who can take it."""
    top, slash, bottom = text.partition("/")
    digits = f"{top.removeprefix('-')}{bottom}"
    if not slash or not (digits.isascii() and digits.isdigit()):
        return text
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ScheduleError(f"a fraction must be 'n/d', d above 0, got {_shortened(repr(text))}") from None


def _recipe(content: Mapping[str, Any], depth: int) -> Schedule:
    """The call of a recipe, which has a JSON of its own where it waits for a plan."""
    name, arguments = content.get("name"), content.get("arguments")
    if len(content) != 2 or not isinstance(arguments, Mapping) or not isinstance(name, str):
        raise ScheduleError("recipe must have the fields name, a text, and arguments, an object")
    if name not in recipes.named:
        raise ScheduleError(unknown("recipe", name, recipes.named))
    recipe, given = recipes.named[name], {key: _argument(value, depth) for key, value in arguments.items()}
    try:
        arguments = bound(name, inspect.signature(recipe), (), given)
        return recipe(*arguments.args, **arguments.kwargs)
    except (TypeError, ZeroDivisionError) as error:
        raise ScheduleError(f"{name}: {error}") from None


def _argument(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise ScheduleError(f"JSON of a schedule must be at most {DEEPEST} levels deep")
    if isinstance(value, list):
        return [_argument(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return _shape(value["shape"], depth) if set(value) == {"shape"} else _node(value, depth)
    return _ratio(value) if isinstance(value, str) else value


def _shape(tree: Any, depth: int) -> Any:
    """A shape: its name, or {name: arguments}, in which shapes may stand themselves."""
    if depth > DEEPEST:
        raise ScheduleError(f"JSON of a schedule must be at most {DEEPEST} levels deep")
    if isinstance(tree, str) and tree in shapes.named:
        return shapes.named[tree]
    if isinstance(tree, Mapping) and len(tree) == 1:
        ((name, content),) = tree.items()
        family = shapes.families.get(name) if isinstance(name, str) else None
        if family and isinstance(content, Mapping) and set(content) == set(inspect.signature(family).parameters):
            inner = ("shape", "outer", "inner")
            return family(**{k: _shape(v, depth + 1) if k in inner else v for k, v in content.items()})
    known = ", ".join([*shapes.named, *shapes.families])
    raise ScheduleError(f"shape must be one of {known} (these with their arguments), got {_shortened(repr(tree))}")
