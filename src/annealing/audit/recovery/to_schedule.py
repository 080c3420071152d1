"""A model with round numbers as a schedule: as a named recipe where it is one, else its parts one after another."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from ... import recipes, shapes
from ...schedule.base import Schedule
from ...schedule.nodes import Run, Tail
from ..intervals import MOST_DENOMINATOR, digits_of, shortest
from .model import FittedPart, Model, root

Time = int | Fraction
MOST_UPDATES = 20_000  # in an epoch
ROUNDED = 1e-12  # steps, by which a float64 may be off the fraction that it stands for
CLOSE = 1e-9  # values that differ by less of themselves are meant to be equal; the rows decide afterwards
COOLDOWNS = ("linear", "cosine", "geometric")


def time_of(number: float) -> Time:
    """A time as the fraction of small denominator that it stands for, or as its shortest decimal."""
    near = Fraction(number).limit_denominator(MOST_DENOMINATOR)
    whole, part = round(number), number - round(number)
    if MOST_UPDATES * abs(part) > 1 and abs(1 / round(1 / part) - part) <= ROUNDED:
        near = whole + Fraction(1, round(1 / part))  # one update of an epoch before or after a whole time
    exact = near if abs(float(near) - number) <= ROUNDED * max(abs(number), 1.0) else Fraction(repr(number))
    return int(exact) if exact.denominator == 1 else exact


def written(model: Model) -> Schedule:
    """The schedule that a model is: its parts one after another."""
    parts: list[Schedule] = []
    for i, part in enumerate(model.parts):
        following = model.parts[i + 1] if i + 1 < len(model.parts) else None
        parts += _cut(model, part, following)
    whole, origin = functools.reduce(operator.rshift, parts), time_of(model.numbers[model.parts[0].start])
    return whole.shifted(origin) if origin else whole


def _cut(model: Model, part: FittedPart, following: FittedPart | None) -> list[Schedule]:
    """A part in force from its start to that of the next one: cut, or held before and after."""
    n = model.numbers
    start = time_of(n[part.start])
    until = None if following is None else time_of(n[following.start]) - start
    if until is not None and until <= 0:
        return []
    if part.flat:
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


def _curve(model: Model, part: FittedPart) -> Schedule:
    n = model.numbers
    first, last = n[part.first], n[part.last]
    extra = 0.0 if part.extra is None else n[part.extra]
    length = time_of(n[part.end]) - time_of(n[part.begin])
    if part.shape is shapes.linear or (part.shape in (shapes.power, root) and extra == 1):
        return recipes.linear(first, last, length)
    if part.shape is shapes.cosine:
        curve = recipes.cosine(first, last, length) if first >= last else recipes.ramp(last, length, "cosine", first)
        return curve.beyond("mirror") if part.mirror else curve
    if part.shape is shapes.power:
        if first >= last:
            return recipes.polynomial(first, last, length, extra)
        return recipes.ramp(last, length, "1-square", first) if extra == 2 else _run(shapes.power(extra), part, model)
    if part.shape is root:
        named = {0.5: "1-sqrt", 2.0: "1-square"}
        if first >= last and extra in named:
            return recipes.cooldown(first, last, length, named[extra])
        if first < last and extra == 2:
            return recipes.ramp(last, length, "quadratic", first)
        return _run(root(extra), part, model)
    if part.shape is shapes.geometric:
        return recipes.geometric(first, last, length)
    if part.shape is shapes.exponential:
        if last == 0:
            return recipes.exponential(first, extra)
        return Tail(shapes.exponential(extra), first, last, 1)
    if extra == 1 and last == 0:
        return recipes.inverse_time(first, Fraction(1) / length)
    return Tail(shapes.inverse_power(extra), first, last, length)


def _run(shape: shapes.Shape, part: FittedPart, model: Model) -> Run:
    n = model.numbers
    return Run(shape, n[part.first], n[part.last], time_of(n[part.end]) - time_of(n[part.begin]))


class View:
    """The parts of a model with their numbers read out."""

    def __init__(self, model: Model, parts: Sequence[FittedPart]) -> None:
        n = model.numbers
        self.names = ["mirror" if part.mirror else part.name for part in parts]
        self.starts = [time_of(n[part.start]) for part in parts]
        self.begins = [time_of(n[part.begin]) for part in parts]
        self.ends = [time_of(n[part.end]) for part in parts]
        self.firsts = [n[part.first] for part in parts]
        self.lasts = [n[part.last] for part in parts]
        self.extras = [None if part.extra is None else n[part.extra] for part in parts]
        self.seen = model.seen

    def lengths(self) -> list[Time]:
        return [end - begin for begin, end in zip(self.begins, self.ends, strict=True)]


def named(model: Model) -> Schedule | None:
    """The recipe that a model is, after its warm-up or with it, or None."""
    parts = model.parts
    if model.numbers[parts[0].start]:
        return None
    if (one := _whole(View(model, parts))) is not None:
        return one
    if len(parts) > 1 and parts[0].shape is shapes.linear and parts[1].start == parts[0].end:
        after = View(model, parts[1:])
        for recipe in RECIPES:
            if (schedule := recipe(after)) is not None:
                warm = Model(parts[:1], model.numbers, model.roles, seen=model.seen)
                return written(warm) >> schedule
    view = View(model, parts)
    for recipe in RECIPES:
        if (schedule := recipe(view)) is not None:
            return schedule
    return None


def _equal(a: float, b: float) -> bool:
    return abs(a - b) <= CLOSE * max(abs(a), abs(b))


def _plain(value: float) -> float:
    return shortest(value * (1 - CLOSE), value * (1 + CLOSE))


def _steps(view: View) -> Schedule | None:
    if len(view.names) < 2 or set(view.names) != {"flat"} or min(view.firsts) <= 0:
        return None
    ratios = [b / a for a, b in itertools.pairwise(view.firsts)]
    if not all(abs(r - ratios[0]) <= 1e-6 * ratios[0] for r in ratios) or not ratios[0] < 1:
        return None
    gamma = shortest(ratios[0] * (1 - 1e-9), ratios[0] * (1 + 1e-9))
    times = [start - view.starts[0] for start in view.starts[1:]]
    if len(times) > 1 and all(time == (i + 1) * times[0] for i, time in enumerate(times)):
        return recipes.step(view.firsts[0], times[0], gamma)
    return recipes.multistep(view.firsts[0], times, gamma)


def _restarts(view: View) -> Schedule | None:
    lengths = view.lengths()
    if len(lengths) < 2 or set(view.names) != {"cosine"} or view.starts != view.begins:
        return None
    if view.ends[:-1] != view.starts[1:] or any(a < b for a, b in zip(view.firsts, view.lasts, strict=True)):
        return None
    growth, *later = (Fraction(b) / Fraction(a) for a, b in itertools.pairwise(lengths))
    if any(other != growth for other in later) or growth < 1:
        return recipes.runs([(T, a, b) for T, a, b in zip(lengths, view.firsts, view.lasts, strict=True)])
    factors = []
    for values in (view.firsts, view.lasts):
        if all(value == 0 for value in values):
            factors.append(1.0)
            continue
        if values[0] <= 0:
            return None
        factor = _plain(values[1] / values[0])
        if not all(abs(b - a * factor) <= 1e-6 * values[0] for a, b in itertools.pairwise(values)):
            return recipes.runs([(T, a, b) for T, a, b in zip(lengths, view.firsts, view.lasts, strict=True)])
        factors.append(factor)
    options: dict[str, Any] = {}
    for name, factor in zip(("eta_max_factor", "eta_min_factor"), factors, strict=True):
        if factor != 1:
            options[name] = factor
    if max(factors) > 1 or float(view.ends[-1]) < view.seen:
        options["runs"] = len(lengths)
    if growth != 1:
        options["T_mult"] = int(growth) if growth.denominator == 1 else growth
    return recipes.warm_restarts(view.firsts[0], view.lasts[0], T_0=lengths[0], **options)


def _triangles(view: View) -> Schedule | None:
    lengths = view.lengths()
    if len(lengths) < 3 or set(view.names) != {"linear"}:
        return None
    up, down, low, high = lengths[0], lengths[1], view.firsts[0], view.lasts[0]
    whole = all(length == (down if i % 2 else up) for i, length in enumerate(lengths[:-1]))
    turns = all(_equal(value, low if i % 2 else high) for i, value in enumerate(view.lasts[:-1]))
    if not (whole and turns and low < high):
        return None
    return recipes.triangular(low, high, up) if up == down else recipes.triangular(low, high, up, down)


RECIPES: tuple[Callable[[View], Schedule | None], ...] = (_steps, _restarts, _triangles)


def _whole(view: View) -> Schedule | None:
    """A recipe that has its warm-up in itself."""
    names, lengths = view.names, view.lengths()
    rise = names[0] == "linear" and view.firsts[0] == 0 and view.starts[0] == 0
    if names == ["linear", "inverse_power"] and rise and lengths[1] == lengths[0] and view.lasts[1] == 0:
        extra = view.extras[1]
        assert extra is not None
        if extra == 0.5:
            return recipes.inverse_sqrt(view.lasts[0], lengths[0])
        return recipes.power_law(view.lasts[0], extra, lengths[0])
    if names == ["cosine", "cosine"] and view.firsts[0] < view.lasts[0] > view.lasts[1] > 0 and view.firsts[0] > 0:
        return _one_cycle(view, lengths, {})
    if names == ["linear", "linear"] and view.lasts[0] == view.firsts[1] and 0 < view.lasts[1] < view.firsts[0]:
        usual = _equal(view.lasts[0], 25 * view.firsts[0]) and _equal(view.firsts[0], 1e4 * view.lasts[1])
        return _one_cycle(view, lengths, {"curve": "linear"}) if usual else None
    if names[-1] == "flat" and len(names) > 2 and view.firsts[-1] == view.lasts[-2]:
        names = names[:-1]
    if names[:2] == ["linear", "flat"] and len(names) == 3 and rise and view.starts[2] == view.begins[2]:
        curve = "1-sqrt" if names[2] == "root" and view.extras[2] == 0.5 else names[2]
        if curve in (*COOLDOWNS, "1-sqrt") and view.firsts[2] == view.firsts[1] > view.lasts[2]:
            stable = view.starts[2] - view.starts[1]
            options: dict[str, Any] = {} if curve == "linear" else {"curve": curve}
            times: dict[str, Any] = {"T_warmup": lengths[0], "T_stable": stable, "T_cooldown": lengths[2]}
            return recipes.wsd(view.firsts[1], view.lasts[2], **times, **options)
    return None


def _one_cycle(view: View, lengths: list[Time], options: dict[str, Any]) -> Schedule | None:
    peak, length = view.lasts[0], lengths[0] + lengths[1]
    div, final = _plain(peak / view.firsts[0]), _plain(view.firsts[0] / view.lasts[1])
    if max(digits_of(div), digits_of(final)) > 4 or view.ends[0] != view.starts[1]:
        return None
    share = Fraction(lengths[0]) / Fraction(length)
    usual: dict[str, Any] = {"div_factor": 25, "final_div_factor": 1e4}
    factors: dict[str, Any] = {"div_factor": div, "final_div_factor": final}
    options |= {name: factor for name, factor in factors.items() if factor != usual[name]}
    return recipes.one_cycle(peak, length, pct_start=share, **options)
