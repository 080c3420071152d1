"""The shapes of a run: how the weight of its start goes from 1 to 0.

A shape is a frozen value. `shape(done, left)` is the weight of the start, where `done` and `left` are the parts of
the run behind and ahead (done + left = 1, each rounded once from exact times; 1 - done would lose what is small).
`shape.rest(done, left)` is the weight of the end, computed without taking a difference from 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .libraries import library


@dataclass(frozen=True)
class Shape:
    """What every shape can do; a subclass gives `fall` and `rise`, which take an array library as `xp`."""

    def __call__(self, done: Any, left: Any) -> Any:
        return self.fall(done, left, library(done))

    def rest(self, done: Any, left: Any) -> Any:
        return self.rise(done, left, library(done))

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        raise NotImplementedError

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        raise NotImplementedError

    def mirrored(self) -> Shape:
        """The shape of the same run, run backwards."""
        return Mirrored(self)

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def tree(self) -> Any:
        """The shape as JSON knows it."""
        return self.name

    def __str__(self) -> str:
        return f"shapes.{self.name}"

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Symmetric(Shape):
    """A shape that looks the same from both ends: its rise is its fall, seen from the other end."""

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return self.fall(left, done, xp)

    def mirrored(self) -> Shape:
        return self


@dataclass(frozen=True, repr=False)
class Linear(Symmetric):
    """A straight line: the weight is what is left."""

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return left


@dataclass(frozen=True, repr=False)
class Cosine(Symmetric):
    """Half a cosine wave, (1 + cos(pi * done)) / 2 (SGDR, eq. 5), from one sine that loses no digits.

    With x the distance to the nearer end, the weight of the further one is sin(pi x / 2)^2 close to that end, and
    (1 - sin(pi (1/2 - x))) / 2 around the middle.
    """

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        near = xp.minimum(done, left)
        close = near < 0.25
        sine = xp.sin(xp.where(close, 0.5 * near, 0.5 - near) * math.pi)
        weight = xp.where(close, sine * sine, 0.5 - 0.5 * sine)
        return xp.where(done < left, 1 - weight, weight)


@dataclass(frozen=True, repr=False)
class Flat(Shape):
    """The start, all the way; the end is taken only when the run is over."""

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return 0 * left + 1

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return 0 * left


@dataclass(frozen=True, repr=False)
class Mirrored(Shape):
    """Another shape run backwards."""

    shape: Shape

    def fall(self, done: Any, left: Any, xp: Any) -> Any:
        return self.shape.rise(left, done, xp)

    def rise(self, done: Any, left: Any, xp: Any) -> Any:
        return self.shape.fall(left, done, xp)

    def mirrored(self) -> Shape:
        return self.shape


flat = Flat()
linear = Linear()
cosine = Cosine()

named: dict[str, Shape] = {shape.name: shape for shape in (flat, linear, cosine)}
