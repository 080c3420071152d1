"""What a shape is, the shapes without a parameter, and how one is made of others."""

from __future__ import annotations

import math
import numbers
from typing import Any, ClassVar

from ..calls import checked
from ..errors import ScheduleError
from ..evaluate.backends import PythonNumbers, library
from ..frozen import Value
from ..printing import literal


class Shape(Value):
    """What every shape can do; a subclass gives `fall` and `rise`, which take an array library as `xp`.

    `reach` says where its weights can be computed: between 0 and it, or anywhere. An endless shape, whose reach is
    infinite, is that of a Tail: `done` goes on beyond 1, and `left` is not looked at.
    """

    reach: ClassVar[float | None] = 1

    @checked
    def __call__(self, done: Any, left: Any) -> Any:
        return self.fall(done, left, self._library(done, left))

    @checked
    def rest(self, done: Any, left: Any) -> Any:
        return self.rise(done, left, self._library(done, left))

    def _library(self, done: Any, left: Any) -> Any:
        xp = library(done)
        for name, part in (("done", done), ("left", 0 if self.endless else left)):
            if xp is PythonNumbers and not isinstance(part, numbers.Real):
                raise ScheduleError(f"{name} must be a number or an array, got {part!r}")
        return xp

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        raise NotImplementedError

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        raise NotImplementedError

    def mirrored(self) -> Shape:
        """The shape of the same curve, from its end to its start."""
        return Mirrored(self)

    @property
    def endless(self) -> bool:
        return self.reach == math.inf

    @property
    def name(self) -> str:
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(self).__name__)[1:]

    def tree(self) -> Any:
        """The shape as JSON knows it: its name, or an object of its name and its arguments."""
        values = {key: value.tree() if isinstance(value, Shape) else value for key, value in self._arguments()}
        return {self.name: values} if values else self.name

    def _arguments(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self._fields]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __str__(self) -> str:
        arguments = ", ".join(str(v) if isinstance(v, Shape) else literal(v) for _, v in self._arguments())
        return f"shapes.{self.name}({arguments})" if arguments else f"shapes.{self.name}"

    __repr__ = __str__


class Symmetric(Shape):
    """A shape that looks the same from both ends: its rise is its fall, seen from the other end."""

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return self.fall(left, done, xp)

    def mirrored(self) -> Shape:
        return self


class Linear(Symmetric):
    """A straight line: the weight is what is left."""

    reach = None

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return left


class Cosine(Symmetric):
    """Half a cosine wave, (1 + cos(pi * done)) / 2 (SGDR, eq. 5), from one sine that loses no digits.

    With x the distance to the nearer end, the weight of the further one is sin(pi x / 2)^2 close to that end, and
    (1 - sin(pi (1/2 - x))) / 2 around the middle.
    """

    reach = None

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        # From the nearer end, and with a sine: 1 + cos(pi * done) cancels close to the end, sin(x)^2 does not.
        near = xp.minimum(done, left)
        close = near < 0.25
        sine = xp.sin(xp.where(close, 0.5 * near, 0.5 - near) * math.pi)
        weight = xp.where(close, sine * sine, 0.5 - 0.5 * sine)
        return xp.where(done < left, 1 - weight, weight)


class Flat(Shape):
    """The start, held; the end is reached only when the cycle is over."""

    reach = None

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return 0 * left + 1

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return 0 * left


class HalfCosine(Shape):
    """The second half of half a cosine wave, 1 - sin(pi * done / 2): steep at first, level at the end."""

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        # 1 - sin(pi * done / 2) = 2 sin(pi * left / 4)^2, which does not cancel close to the end.
        sine = xp.sin(left * (math.pi / 4))
        return 2 * sine * sine

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return xp.sin(done * (math.pi / 2))


class MirrorCosine(Symmetric):
    """Half a cosine wave reflected in the straight line: 2 * left - (1 + cos(pi * done)) / 2."""

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return 2 * left - cosine.fall(done, left, xp)


class Mirrored(Shape):
    """Another shape, from its end to its start."""

    shape: Shape

    @property
    def reach(self) -> float | None:  # type: ignore[override]
        return self.shape.reach

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return self.shape.rise(left, done, xp)

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return self.shape.fall(left, done, xp)

    def mirrored(self) -> Shape:
        return self.shape


class Composed(Shape):
    """One shape of another."""

    outer: Shape
    inner: Shape

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return self.outer.fall(self.inner.rise(done, left, xp), self.inner.fall(done, left, xp), xp)

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return self.outer.rise(self.inner.rise(done, left, xp), self.inner.fall(done, left, xp), xp)


flat = Flat()
linear = Linear()
cosine = Cosine()
half_cosine = HalfCosine()
mirror_cosine = MirrorCosine()


@checked
def mirrored(shape: Shape) -> Shape:
    """The shape of the same curve, from its end to its start: the weight of the start is what that of the end was.

    >>> from annealing.shapes import power
    >>> mirrored(power(0.5))(0.25, 0.75)
    0.5
    """
    return _bounded(shape, "shape").mirrored()


@checked
def composed(outer: Shape, inner: Shape) -> Shape:
    """One shape of another: the weight that `inner` gives to the end is how far `outer` is done.

    composed(power(p), cosine) is a cosine to the power p, composed(cosine, mirrored(power(k))) its k-decay.

    >>> from annealing.shapes import power
    >>> composed(power(2), cosine)(0.5, 0.5), composed(linear, cosine) == cosine
    (0.25, True)

    Source: optax.cosine_decay_schedule (exponent); Zhang and Li 2020, arXiv 2004.05909 (k-decay).
    """
    outer, inner = _bounded(outer, "outer"), _bounded(inner, "inner")
    return inner if outer == linear else outer if inner == linear else Composed(outer, inner)


def _bounded(shape: Any, name: str) -> Shape:
    if not isinstance(shape, Shape) or shape.endless:
        raise ScheduleError(f"{name} must be one of annealing.shapes that has an end, got {shape!r}")
    return shape
