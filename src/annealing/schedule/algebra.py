"""The operators of schedules; what they make is in `nodes` and `operations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import finite

if TYPE_CHECKING:
    from .base import Schedule


class Algebra:
    """What `>>`, `+`, `-`, `*` and `/` do with a schedule on either side."""

    def __rshift__(self: Any, other: Any) -> Schedule:
        from .nodes import Join

        return _chained(Join, self, other) if isinstance(other, Algebra) else NotImplemented

    def __add__(self: Any, other: Any) -> Schedule:
        from .operations import Sum

        return _chained(Sum, self, other)

    def __radd__(self: Any, other: Any) -> Schedule:
        from .operations import Sum

        return Sum((other, self))

    def __neg__(self: Any) -> Schedule:
        from .operations import Product

        return Product((-1, self))

    def __sub__(self: Any, other: Any) -> Schedule:
        negative = -other if isinstance(other, Algebra) else -finite(other, "a number beside a schedule")
        return self.__add__(negative)  # type: ignore[no-any-return]

    def __rsub__(self: Any, other: Any) -> Schedule:
        return (-self).__radd__(other)  # type: ignore[no-any-return]

    def __mul__(self: Any, other: Any) -> Schedule:
        from .operations import Product

        return _chained(Product, self, other)

    def __rmul__(self: Any, other: Any) -> Schedule:
        from .operations import Product

        return Product((other, self))

    def __truediv__(self: Any, other: Any) -> Schedule:
        from .operations import Quotient

        return Quotient((self, other))

    def __rtruediv__(self: Any, other: Any) -> Schedule:
        from .operations import Quotient

        return Quotient((other, self))


def _chained(node: Any, one: Any, two: Any) -> Schedule:
    """`one` and `two` in a Join, Sum or Product; a left side that is one itself (and no recipe) is continued."""
    parts: tuple[Any, ...] = one.parts if isinstance(one, node) and one._label is None else (one,)
    made: Schedule = node((*parts, two))
    return made
