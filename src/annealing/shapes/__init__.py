"""The shapes of a cycle: how the weight of its start goes from 1 to 0.

A shape is a frozen value. `shape(done, left)` is the weight of the start, where `done` and `left` are the parts of
the cycle behind and ahead (done + left = 1, each rounded once from exact times; 1 - done would lose what is small).
`shape.rest(done, left)` is the weight of the end, computed without taking a difference from 1.
"""

from collections.abc import Callable

from .families import exponential, geometric, harmonic, hyperbolic, inverse_power, logarithmic, power, tanh
from .shape import Shape, composed, cosine, flat, half_cosine, linear, mirror_cosine, mirrored

named: dict[str, Shape] = {shape.name: shape for shape in (flat, linear, cosine, half_cosine, mirror_cosine)}
_OF_NUMBERS = (power, geometric, harmonic, hyperbolic, logarithmic, tanh, exponential, inverse_power)
families: dict[str, Callable[..., Shape]] = {make.__name__: make for make in (*_OF_NUMBERS, mirrored, composed)}

__all__ = ["Shape", "cosine", "families", "flat", "half_cosine", "linear", "mirror_cosine", "named"]
__all__ += ["composed", "exponential", "geometric", "harmonic", "hyperbolic", "inverse_power", "logarithmic"]
__all__ += ["mirrored", "power", "tanh"]
