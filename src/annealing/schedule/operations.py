"""The nodes that compute with the values of several schedules: sums, products, quotients, minimum and maximum."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

from ..calls import checked
from ..errors import ScheduleError, finite
from ..evaluate import lowering
from ..evaluate.pieces import Lowered, Name, Operation
from ..evaluate.zeros import reaches_zero
from ..exact import plain
from ..printing import CALL, JOIN, PRODUCT, SUM, bracketed, flattened, literal, minus, node_json
from .base import Schedule
from .nodes import Several


class Combined(Several):
    """An operation on schedules and numbers; each schedule holds its final value until the last one ends."""

    symbol: ClassVar[Name]
    binds: ClassVar[int]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, tuple | list):
            raise ScheduleError(f"parts must be schedules and numbers, such as (a, b), got {self.parts!r}")
        what = "a number beside a schedule"
        parts = tuple(part if isinstance(part, Schedule) else finite(part, what) for part in self.parts)
        if not any(isinstance(part, Schedule) for part in parts):
            raise ScheduleError(f"an operation needs at least one schedule, got {self.parts!r}")
        self._set(parts=parts)

    @cached_property
    def exact_duration(self) -> Fraction | None:
        lengths = [part.exact_duration for part in self._schedules]
        return None if None in lengths else max(length for length in lengths if length is not None)

    def _lower(self) -> Lowered:
        parts = [part.lowered if isinstance(part, Schedule) else lowering.constant(part) for part in self.parts]
        return Operation(self.symbol, tuple(parts)) if len(parts) > 1 else parts[0]

    def _tree(self) -> Any:
        return flattened(self._key, [*map(node_json, self.parts)])

    def _written(self) -> tuple[str, int]:
        parts = [bracketed(part, self.binds + (i > 0)) for i, part in enumerate(self.parts)]
        return f" {self.symbol} ".join(parts), self.binds


class Sum(Combined):
    """The sum of schedules and numbers, written `a + b`; a difference `a - b` is a + -1 * b."""

    symbol, binds = "+", SUM

    def _written(self) -> tuple[str, int]:
        text = bracketed(self.parts[0], SUM)
        for part in self.parts[1:]:
            taken = minus(part)
            text += f" + {bracketed(part, PRODUCT)}" if taken is None else f" - {taken}"
        return text, SUM


class Product(Combined):
    """The product of schedules and numbers, written `a * b`; the negative `-a` is -1 * a."""

    symbol, binds = "*", PRODUCT

    @property
    def negative(self) -> bool:
        """Whether it is written with a minus sign: only before a schedule, as -1 * 2 would read back as a number."""
        return self.parts[0] == -1 and isinstance(self.parts[1], Schedule)

    def _written(self) -> tuple[str, int]:
        if not self.negative:
            return super()._written()
        return "-" + " * ".join(bracketed(part, CALL) for part in self.parts[1:]), PRODUCT

    def __neg__(self) -> Schedule:
        if self._label:
            return super().__neg__()
        first, *rest = self.parts
        if self.negative:
            positive: Schedule = Product(tuple(rest)) if len(rest) > 1 else rest[0]
            return positive
        return Product((-first, *rest) if not isinstance(first, Schedule) else (-1, first, *rest))


class Quotient(Combined):
    """A schedule or number divided by another, written `a / b`; the divisor must nowhere reach 0."""

    symbol, binds = "/", PRODUCT

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.parts) != 2:
            raise ScheduleError(f"a Quotient must have two parts, got {len(self.parts)}")
        divisor = self.parts[1]
        if isinstance(divisor, Schedule):
            zero = None if divisor.pending else reaches_zero(divisor.program, divisor.cycles())
        else:
            zero = Fraction(0) if divisor == 0 else None
        if zero is not None:
            raise ScheduleError(f"a divisor must not reach 0, but this one does at {literal(plain(zero))}: {divisor}")

    def __neg__(self) -> Schedule:
        return super().__neg__() if self._label else Quotient((-self.parts[0], self.parts[1]))

    def _tree(self) -> Any:
        return {self._key: [*map(node_json, self.parts)]}


class Extreme(Combined):
    """The least or the greatest of schedules and numbers at every time."""

    binds = CALL

    def _written(self) -> tuple[str, int]:
        return f"{self.symbol}({', '.join(bracketed(part, JOIN) for part in self.parts)})", CALL


class Minimum(Extreme):
    """The least of schedules and numbers, written `minimum(a, b)`."""

    symbol = "minimum"


class Maximum(Extreme):
    """The greatest of schedules and numbers, written `maximum(a, b)`."""

    symbol = "maximum"


@checked
def minimum(*parts: Schedule | float) -> Schedule:
    """The least of schedules and numbers at every time.

    >>> from annealing import cosine, linear
    >>> minimum(linear(0, 1, 10), cosine(1, 0, 10), 0.4)(5)
    0.4
    """
    return Minimum(parts)


@checked
def maximum(*parts: Schedule | float) -> Schedule:
    """The greatest of schedules and numbers at every time, for instance a schedule with a floor.

    >>> from annealing import step
    >>> maximum(step(0.1, step_size=30, gamma=0.5), 0.03)(60)
    0.03
    """
    return Maximum(parts)
