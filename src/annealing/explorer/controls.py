"""A control for each argument of a notation, and the new notation when one is moved.

Python's grammar finds the numbers in the text, which are replaced in place; nothing is evaluated.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from .. import recipes
from ..calls import required
from ..errors import ScheduleError
from ..notation import METHODS, NODES
from ..printing import literal
from ..recipes.registry import TIMES
from ..schedule.base import Schedule

MOST_CONTROLS = 60
SPAN = 30.0  # a control ranges from value / 30 to value * 30
FROM_ZERO = 1e-4  # the smallest positive value of a control that starts at 0, as a share of its largest
TIMES_OF_NODES = {"length", "timescale", "by", "every", "time"}
SHARES = {"gamma", "pct_start", "cut_frac", "beta", "beta2"}
SHARES |= {"eta_max_factor", "eta_min_factor", "peak_factor", "floor_factor"}
GROWTHS = {"T_mult", "growth"}  # at least 1
DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ep|st|%|tok|ex)")


class Control(NamedTuple):
    """One argument: where it is in the text, its value, and the range over which it can be dragged.

    kind: "time", "rate" and "number" can be dragged, "flag" and "text" only typed. scale: "linear", "log", or "log0",
    which is logarithmic with 0 at the lowest position. before, after: what to write around the value. position: of the
    value in the range, from 0 to 1.
    """

    function: str
    name: str
    start: int
    end: int
    before: str
    after: str
    text: str
    kind: str
    scale: str = "linear"
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    position: float = 0.0
    given: bool = True


@lru_cache(maxsize=256)
def controls(text: str, peak: float = 1.0) -> tuple[Control, ...]:
    """The controls of a notation (with single spaces), in text order; peak: its largest rate."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found = [control for node in ast.walk(tree) for control in _of_node(node, text, peak)]
    return tuple(sorted(found, key=lambda control: (control.start, not control.given))[:MOST_CONTROLS])


def _of_node(node: ast.AST, text: str, peak: float) -> Iterator[Control]:
    if isinstance(node, ast.BinOp):
        name = "factor" if isinstance(node.op, ast.Mult | ast.Div) else "term"
        yield from (
            _control("", name, side, text, peak) for side in (node.left, node.right) if _number(side) is not None
        )
    signature = _signature(node.func) if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or signature is None or _called(node.func) == "Fraction":
        return
    name, parameters = _called(node.func), list(signature.parameters.values())
    given = dict(zip([parameter.name for parameter in parameters], node.args, strict=False))
    given |= {word.arg: word.value for word in node.keywords if word.arg}
    for key, value in given.items():
        fraction = isinstance(value, ast.Call) and _called(value.func) == "Fraction"
        if fraction or not isinstance(value, ast.Call | ast.BinOp | ast.Attribute):
            yield _control(name, key, value, text, peak)
    # Moving an argument that was not given inserts it before the closing parenthesis.
    end = _place(text, node.end_col_offset) - 1
    for parameter in parameters:
        usual = parameter.default
        plain = usual is None or isinstance(usual, bool | int | float | str)
        if parameter.name not in given and not required(parameter) and plain:
            made = ast.parse(literal(usual), mode="eval").body
            absent = _control(name, parameter.name, made, literal(usual), peak)
            before = f"{', ' if given else ''}{parameter.name}={absent.before}"
            yield absent._replace(start=end, end=end, before=before, given=False)


def _control(function: str, name: str, value: ast.expr, text: str, peak: float) -> Control:
    start, end = _place(text, value.col_offset), _place(text, value.end_col_offset)
    control = Control(function, name, start, end, "", "", text[start:end], "text")
    kind = "time" if name in TIMES | TIMES_OF_NODES else "number"
    match value:
        case ast.Constant(value=bool()):
            return control._replace(kind="flag")
        case ast.Constant(value=str() as written) if found := DURATION.fullmatch(written):
            amount, unit = found.groups()
            control = control._replace(before='"', after=f'{unit}"', text=amount)
            if unit == "%":
                return _placed(control._replace(kind="time", high=100.0), float(amount))
            return _ranged(control, float(amount), "time", peak)
    number = _number(value)
    if number is None or not math.isfinite(number):
        return control
    return _ranged(control, number, kind, peak, isinstance(number, int))


def _ranged(control: Control, value: float, kind: str, peak: float, whole: bool = False) -> Control:
    """The control with a range that suits its value; rates and times are on a logarithmic scale."""
    # The top is a power of ten, so that the range stays put while a time is dragged.
    if kind == "time":
        top = 10.0 ** math.ceil(math.log10(SPAN * value)) if value > 0 else 1000.0
        made = control._replace(kind=kind, scale="log0", low=1.0 if top >= 100 else top / 1000, high=top, whole=whole)
    elif control.name in SHARES and 0 <= value <= 1:
        made = control._replace(kind="number", high=1.0)
    elif control.name in GROWTHS:
        made = control._replace(kind="number", low=1.0, high=max(4.0, 2 * value))
    elif whole and value >= 1 and control.name not in ("eta_max", "start", "end", "factor", "term"):
        made = control._replace(kind="number", low=1.0, high=float(max(10, 4 * value)), whole=True)
    elif value < 0:
        made = control._replace(kind="number", low=2.0 * value, high=-2.0 * value)
    elif value > 0:
        made = control._replace(kind="rate", scale="log", low=value / SPAN, high=value * SPAN)
    else:
        made = control._replace(kind="rate", scale="log0", low=peak * FROM_ZERO, high=peak)
    return _placed(made, value)


def _placed(control: Control, value: float) -> Control:
    """The control with the position of its value."""
    low, high = control.low, control.high
    if control.scale == "linear":
        share = (value - low) / (high - low)
    else:
        share = math.log(max(value, low) / low) / math.log(high / low)
    return control._replace(position=min(1.0, max(0.0, share)))


def moved(control: Mapping[str, Any]) -> str:
    """The number at the position of a control, with at most three digits."""
    low, high, share = (float(control[name]) for name in ("low", "high", "position"))
    if control["scale"] == "linear":
        value = low + share * (high - low)
    elif control["scale"] == "log0" and share == 0:
        value = 0.0
    else:
        value = low * (high / low) ** share
    # Nobody who releases a slider at 0.0999873 wants all those digits.
    rounded = float(f"{value:.3g}")
    return literal(round(rounded) if control["whole"] else rounded)


def changed(text: str, change: Mapping[str, Any]) -> str:
    """The notation with a new value for a control: the typed one, or the one at its position."""
    start, end = int(change["start"]), int(change["end"])
    if not 0 <= start <= end <= len(text):
        raise ScheduleError(f"a change must be within the notation, got {start} to {end}")
    before, after = str(change["before"]), str(change["after"])
    typed = change.get("typed")
    if typed is None:
        return f"{text[:start]}{before}{moved(change)}{after}{text[end:]}"
    if before.endswith('"') and not re.fullmatch(r"[\d.]+", typed):
        before, after = before[:-1], ""  # a typed unit or call replaces the old unit too
    if not after and change["kind"] == "time" and (typed == "rest" or DURATION.fullmatch(typed)):
        typed = literal(typed)
    return f"{text[:start]}{before}{typed}{after}{text[end:]}"


def _signature(function: ast.expr) -> inspect.Signature | None:
    match function:
        case ast.Name(id=name) if name in recipes.named or name in NODES:
            return inspect.signature(recipes.named[name] if name in recipes.named else NODES[name])
        case ast.Attribute(attr=name) if name in METHODS:
            signature = inspect.signature(getattr(Schedule, name))
            return signature.replace(parameters=list(signature.parameters.values())[1:])
    return None


def _called(function: ast.expr) -> str:
    return f".{function.attr}" if isinstance(function, ast.Attribute) else ast.unparse(function)


def _number(node: ast.expr) -> int | float | None:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
    return None


def _place(text: str, column: int | None) -> int:
    """The index of a column in the text; the grammar counts columns in bytes."""
    return len(text.encode()[: column or 0].decode())
