"""The operators of schedules; what they make is in `nodes` and `operations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ScheduleError, finite

if TYPE_CHECKING:
    from .base import Schedule


class Algebra:
    """What `>>`, `+`, `-`, `*` and `/` do with a schedule on either side."""

    # Else NumPy would make an array of schedules of `array + schedule`; now the operators here refuse it.
    __array_ufunc__ = None

    def __rshift__(self, other: Any) -> Schedule:
        if not isinstance(other, Algebra):
            raise _one_sided(other)
        return _chained("Join", self, other)

    def __rrshift__(self, other: Any) -> Schedule:
        raise _one_sided(other)

    def __add__(self, other: Any) -> Schedule:
        return _chained("Sum", self, other)

    def __radd__(self, other: Any) -> Schedule:
        return _made("Sum", other, self)

    def __neg__(self) -> Schedule:
        return _made("Product", -1, self)

    def __sub__(self, other: Any) -> Schedule:
        return self.__add__(-other if isinstance(other, Algebra) else -finite(other, "a number beside a schedule"))

    def __rsub__(self, other: Any) -> Schedule:
        return (-self).__radd__(other)

    def __mul__(self, other: Any) -> Schedule:
        return _chained("Product", self, other)

    def __rmul__(self, other: Any) -> Schedule:
        return _made("Product", other, self)

    def __truediv__(self, other: Any) -> Schedule:
        return _made("Quotient", self, other)

    def __rtruediv__(self, other: Any) -> Schedule:
        return _made("Quotient", other, self)


def _one_sided(other: Any) -> ScheduleError:
    return ScheduleError(
        f">> needs a schedule on both sides, such as linear(0, 0.1, 5) >> constant(0.1), got {other!r}"
    )


def _refused(symbol: str) -> Any:
    def operator(self: Any, other: Any) -> Any:
        raise ScheduleError(f"schedules have no {symbol}, only >>, +, -, *, / and ==; got {self} and {other!r}")

    return operator


REFUSED = {"pow": "**", "rpow": "**", "floordiv": "//", "rfloordiv": "//", "mod": "%", "rmod": "%", "matmul": "@"}
REFUSED |= {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|", "xor": "^", "lshift": "<<"}
for _name, _symbol in REFUSED.items():
    setattr(Algebra, f"__{_name}__", _refused(_symbol))


def _made(node: str, *parts: Any) -> Schedule:
    from . import nodes, operations  # here, since both of them are made of schedules

    made: Schedule = getattr(nodes if node == "Join" else operations, node)(parts)
    return made


def _chained(node: str, one: Any, two: Any) -> Schedule:
    """`one` and `two` in a Join, Sum or Product; a left side that is one itself (and no recipe) is continued."""
    return _made(node, *(one.parts if type(one).__name__ == node and one._label is None else (one,)), two)
