"""A model with plain numbers as a schedule: the parts by their recipes, and together by a recipe where there is one."""

from __future__ import annotations

from fractions import Fraction

from ... import recipes, shapes
from ...schedule.base import Schedule
from ...schedule.nodes import Run, Tail
from ..intervals import MOST_DENOMINATOR
from .model import Model, Part

Time = int | Fraction
ROUNDED = 1e-12


def time_of(number: float) -> Time:
    """A time as the fraction of small denominator that it stands for, or as its shortest decimal."""
    near = Fraction(number).limit_denominator(MOST_DENOMINATOR)
    exact = near if abs(float(near) - number) <= ROUNDED * max(abs(number), 1.0) else Fraction(repr(number))
    return int(exact) if exact.denominator == 1 else exact


def written(model: Model) -> Schedule:
    """The schedule that a model is: its parts one after another."""
    parts: list[Schedule] = []
    for i, part in enumerate(model.parts):
        following = model.parts[i + 1] if i + 1 < len(model.parts) else None
        parts += _cut(model, part, following)
    return parts[0] if len(parts) == 1 else _chain(parts)


def _chain(parts: list[Schedule]) -> Schedule:
    result = parts[0]
    for part in parts[1:]:
        result = result >> part
    return result


def _cut(model: Model, part: Part, following: Part | None) -> list[Schedule]:
    """A part in force from its start to that of the next one: cut, or held before and after."""
    n = model.numbers
    start = time_of(n[part.start])
    until = None if following is None else time_of(n[following.start]) - start
    if until is not None and until <= 0:
        return []
    if part.kind == "flat":
        return [recipes.constant(n[part.first]) if until is None else recipes.constant(n[part.first], until)]
    begin = time_of(n[part.begin])
    curve, before = _curve(model, part), [] if begin <= start else [recipes.constant(n[part.first], begin - start)]
    if begin < start:
        curve = curve.shifted(begin - start)
    if until is None:
        return [*before, curve]
    left = until - max(begin - start, 0)
    length = curve.exact_duration
    if length is None or length > left:
        return [*before, curve.until(left)]
    return [*before, curve, *([recipes.constant(n[part.last], left - length)] if length < left else [])]


def _curve(model: Model, part: Part) -> Schedule:
    n = model.numbers
    first, last = n[part.first], n[part.last]
    extra = 0.0 if part.extra is None else n[part.extra]
    length = time_of(n[part.end]) - time_of(n[part.begin])
    if part.kind == "linear" or (part.kind in ("power", "root") and extra == 1):
        return recipes.linear(first, last, length)
    if part.kind in ("cosine", "mirror"):
        curve = recipes.cosine(first, last, length) if first >= last else recipes.ramp(last, length, "cosine", first)
        return curve.beyond("mirror") if part.kind == "mirror" else curve
    if part.kind == "power":
        if first >= last:
            return recipes.polynomial(first, last, length, extra)
        return recipes.ramp(last, length, "1-square", first) if extra == 2 else _run(shapes.power(extra), part, model)
    if part.kind == "root":
        named = {0.5: "1-sqrt", 2.0: "1-square"}
        if first >= last and extra in named:
            return recipes.cooldown(first, last, length, named[extra])
        if first < last and extra == 2:
            return recipes.ramp(last, length, "quadratic", first)
        return _run(shapes.mirrored(shapes.power(extra)), part, model)
    if part.kind == "geometric":
        return recipes.geometric(first, last, length)
    if part.kind == "halving":
        return recipes.cooldown(first, last, length, "halving")
    if part.kind == "tail exponential":
        if extra > 1:
            return recipes.geometric(first, first * extra ** float(_room(model, part)), _room(model, part))
        if last == 0:
            return recipes.exponential(first, extra)
        return Tail(shapes.exponential(extra), first, last, 1)
    if extra == 1 and last == 0:
        return recipes.inverse_time(first, Fraction(1) / length)
    return Tail(shapes.inverse_power(extra), first, last, length)


def _room(model: Model, part: Part) -> Time:
    """As long as a part is in force, or was seen."""
    index = model.parts.index(part)
    if index + 1 < len(model.parts):
        return time_of(model.numbers[model.parts[index + 1].start]) - time_of(model.numbers[part.start])
    return time_of(model.seen) - time_of(model.numbers[part.start])


def _run(shape: shapes.Shape, part: Part, model: Model) -> Run:
    n = model.numbers
    return Run(shape, n[part.first], n[part.last], time_of(n[part.end]) - time_of(n[part.begin]))


__all__ = ["time_of", "written"]
