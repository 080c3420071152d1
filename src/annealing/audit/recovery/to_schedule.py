"""A model with round numbers as a schedule: as a named recipe where it is one, else its parts one after another."""

from __future__ import annotations

import functools
import itertools
import operator
from fractions import Fraction
from typing import Any, NamedTuple

from ... import recipes, shapes
from ...schedule.base import Schedule
from ...schedule.nodes import Run, Tail
from ..intervals import MOST_DENOMINATOR, digits_of, shortest
from .model import Model

Time = int | Fraction
MOST_UPDATES = 20_000  # in an epoch
ROUNDED = 1e-12  # steps, by which a float64 may be off the fraction that it stands for
CLOSE = 1e-9  # of themselves: values that differ by less are meant to be equal; the rows decide afterwards
NEAR = 1e-6  # the same of values that follow from others
CURVES = {  # the names of a rise or a fall by its shape and exponent
    (False, "cosine", 0.0): "cosine",
    (False, "power", 2.0): "1-square",
    (False, "root", 2.0): "quadratic",
    (True, "root", 0.5): "1-sqrt",
    (True, "root", 2.0): "1-square",
}
COOLDOWNS = {"linear": "linear", "cosine": "cosine", "geometric": "geometric", "root": "1-sqrt"}


class ExactPart(NamedTuple):
    """A part of a model: its shape, the exact times from which it is in force and at which it begins and ends."""

    name: str
    shape: shapes.Shape
    start: Time
    begin: Time
    end: Time
    first: float
    last: float
    extra: float

    @property
    def length(self) -> Time:
        return self.end - self.begin


def time_of(number: float) -> Time:
    """A time as the fraction of small denominator that it stands for, or as its shortest decimal."""
    near = Fraction(number).limit_denominator(MOST_DENOMINATOR)
    whole, part = round(number), number - round(number)
    if MOST_UPDATES * abs(part) > 1 and abs(1 / round(1 / part) - part) <= ROUNDED:
        near = whole + Fraction(1, round(1 / part))  # one update of an epoch before or after a whole time
    exact = near if abs(float(near) - number) <= ROUNDED * max(abs(number), 1.0) else Fraction(repr(number))
    return int(exact) if exact.denominator == 1 else exact


def _exact(model: Model) -> list[ExactPart]:
    n, parts = model.numbers, []
    for part in model.parts:
        name, extra = "mirror" if part.mirror else part.name, 0.0 if part.extra is None else n[part.extra]
        start, begin, end = (time_of(n[slot]) for slot in (part.start, part.begin, part.end))
        parts.append(ExactPart(name, part.shape_of(n), start, begin, end, n[part.first], n[part.last], extra))
    return parts


def written(model: Model) -> Schedule:
    """The schedule that a model is: its parts one after another."""
    parts = _exact(model)
    whole = _joined(parts)
    return whole.shifted(parts[0].start) if parts[0].start else whole


def _joined(parts: list[ExactPart]) -> Schedule:
    ends = [part.start for part in parts[1:]]
    cut = (_cut(part, end) for part, end in itertools.zip_longest(parts, ends))
    return functools.reduce(operator.rshift, itertools.chain.from_iterable(cut))


def _cut(part: ExactPart, end: Time | None) -> list[Schedule]:
    """A part in force from its start to that of the next one: cut, or held before and after."""
    left = None if end is None else end - part.start
    if left is not None and left <= 0:
        return []
    if part.name == "flat":
        return [recipes.constant(part.first) if left is None else recipes.constant(part.first, left)]
    late, curve = part.begin - part.start, _curve(part)
    before = [recipes.constant(part.first, late)] if late > 0 else []
    if late < 0:
        curve = curve.shifted(late)
    if left is None:
        return [*before, curve]
    left -= max(late, 0)
    length = curve.exact_duration
    if length is None or length > left:
        return [*before, curve.until(left)]
    return [*before, curve, *([recipes.constant(part.last, left - length)] if length < left else [])]


def _curve(part: ExactPart) -> Schedule:
    name, first, last, length, extra = part.name, part.first, part.last, part.length, part.extra
    if (curve := CURVES.get((first >= last, name, extra))) is not None:
        falls = first >= last
        return recipes.cooldown(first, last, length, curve) if falls else recipes.ramp(last, length, curve, first)
    if name == "linear" or (name in ("power", "root") and extra == 1):
        return recipes.linear(first, last, length)
    if name == "cosine":
        return recipes.cosine(first, last, length)
    if name == "mirror":
        return recipes.cosine(first, last, length).beyond("mirror")
    if name == "power" and first >= last:
        return recipes.polynomial(first, last, length, extra)
    if name == "geometric":
        return recipes.geometric(first, last, length)
    if name == "exponential" and last == 0:
        return recipes.exponential(first, extra)
    if name == "inverse_power" and last == 0 and extra == 1:
        return recipes.inverse_time(first, Fraction(1) / length)
    return Tail(part.shape, first, last, length or 1) if part.shape.endless else Run(part.shape, first, last, length)


def named(model: Model, seen: float) -> Schedule | None:
    """The recipe that a model is, after its warm-up or with it, or None; seen: up to when rows tell of it."""
    parts = _exact(model)
    if parts[0].start:
        return None
    if (whole := _whole(parts)) is not None:
        return whole
    warm = parts[0].name == "linear" and len(parts) > 1 and parts[1].start == parts[0].end
    after = _repeated(parts[1:], seen) if warm else None
    return _repeated(parts, seen) if after is None else _joined(parts[:1]) >> after


def _repeated(parts: list[ExactPart], seen: float) -> Schedule | None:
    """Levels, restarts or triangles."""
    names = {part.name for part in parts}
    if names == {"flat"} and len(parts) > 1:
        return _steps(parts)
    if names == {"cosine"} and len(parts) > 1:
        return _restarts(parts, seen)
    return _triangles(parts) if names == {"linear"} and len(parts) > 2 else None


def _near(one: float, other: float, within: float = CLOSE) -> bool:
    return abs(one - other) <= within * max(abs(one), abs(other))


def _plain(value: float) -> float:
    return shortest(value * (1 - CLOSE), value * (1 + CLOSE))


def _steps(parts: list[ExactPart]) -> Schedule | None:
    first, gamma = parts[0].first, _factor([part.first for part in parts])
    if gamma is None or not 0 < gamma < 1:
        return None
    times = [part.start - parts[0].start for part in parts[1:]]
    if len(times) > 1 and all(time == (i + 1) * times[0] for i, time in enumerate(times)):
        return recipes.step(first, times[0], gamma)
    return recipes.multistep(first, times, gamma)


def _restarts(parts: list[ExactPart], seen: float) -> Schedule | None:
    meet = all(a.end == b.start == b.begin for a, b in itertools.pairwise(parts)) and parts[0].start == parts[0].begin
    if not meet or any(part.first < part.last for part in parts):
        return None
    growth, *later = (Fraction(b.length) / Fraction(a.length) for a, b in itertools.pairwise(parts))
    factors = [_factor([part.first for part in parts]), _factor([part.last for part in parts])]
    if growth < 1 or any(other != growth for other in later) or None in factors:
        return recipes.runs([(part.length, part.first, part.last) for part in parts])
    options: dict[str, Any] = {"eta_max_factor": factors[0], "eta_min_factor": factors[1]}
    options = {name: factor for name, factor in options.items() if factor != 1}
    if max(options.values(), default=1) > 1 or float(parts[-1].end) < seen:
        options["runs"] = len(parts)
    if growth != 1:
        options["T_mult"] = int(growth) if growth.denominator == 1 else growth
    return recipes.warm_restarts(parts[0].first, parts[0].last, T_0=parts[0].length, **options)


def _factor(values: list[float]) -> float | None:
    """By what each value is the one before it, None where that differs."""
    if not any(values):
        return 1.0
    factor = _plain(values[1] / values[0]) if values[0] > 0 else 0.0
    return factor if all(_near(b, a * factor, NEAR) for a, b in itertools.pairwise(values)) else None


def _triangles(parts: list[ExactPart]) -> Schedule | None:
    up, down, low, high = parts[0].length, parts[1].length, parts[0].first, parts[0].last
    whole = all(part.length == (down if i % 2 else up) for i, part in enumerate(parts[:-1]))
    turns = all(_near(part.last, low if i % 2 else high) for i, part in enumerate(parts[:-1]))
    if not (whole and turns and low < high):
        return None
    return recipes.triangular(low, high, up) if up == down else recipes.triangular(low, high, up, down)


def _whole(parts: list[ExactPart]) -> Schedule | None:
    """A recipe that has its warm-up in itself."""
    names = [part.name for part in parts]
    up, body, peak = parts[0], parts[-1], parts[0].last
    from_0 = up.name == "linear" and up.first == 0
    if names == ["linear", "inverse_power"] and from_0 and body.length == up.length and body.last == 0:
        if body.extra == 0.5:
            return recipes.inverse_sqrt(peak, up.length)
        return recipes.power_law(peak, body.extra, up.length)
    if names == ["cosine", "cosine"] and 0 < up.first < peak > body.last > 0:
        return _one_cycle(up, body)
    if names == ["linear", "linear"] and peak == body.first and 0 < body.last < up.first:
        usual = _near(peak, 25 * up.first) and _near(up.first, 1e4 * body.last)
        return _one_cycle(up, body, curve="linear") if usual else None
    if names[-1] == "flat" and len(parts) > 2 and body.first == parts[-2].last:
        parts, names = parts[:-1], names[:-1]
    if names[:2] == ["linear", "flat"] and len(parts) == 3 and from_0:
        _, stable, down = parts
        usual = down.name != "root" or down.extra == 0.5
        if usual and down.name in COOLDOWNS and down.start == down.begin and down.first == stable.first > down.last:
            options: dict[str, Any] = {"T_stable": down.start - stable.start, "T_cooldown": down.length}
            if down.name != "linear":
                options["curve"] = COOLDOWNS[down.name]
            return recipes.wsd(stable.first, down.last, T_warmup=up.length, **options)
    return None


def _one_cycle(up: ExactPart, down: ExactPart, **options: Any) -> Schedule | None:
    div, final = _plain(up.last / up.first), _plain(up.first / down.last)
    if max(digits_of(div), digits_of(final)) > 4 or up.end != down.start:
        return None
    length = up.length + down.length
    options = {"pct_start": Fraction(up.length) / Fraction(length), **options}
    for name, factor, usual in (("div_factor", div, 25), ("final_div_factor", final, 1e4)):
        if factor != usual:
            options[name] = factor
    return recipes.one_cycle(up.last, length, **options)
