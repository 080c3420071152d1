"""The array libraries that a schedule can be called with; the type of its argument says which one it is.

No library is imported for this: where a value of its type exists, it is loaded already.
"""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import ScheduleError
from ..exact import END_OF_TIME, ceiling


class PythonNumbers:
    """The functions of an array library that shapes and operations use, for Python numbers."""

    # A class of plain attributes: Python finds these faster than those of any object.
    sin, exp, expm1, log1p = math.sin, math.exp, math.expm1, math.log1p
    clip = staticmethod(lambda value, least, most: least if value < least else most if value > most else value)
    minimum = staticmethod(lambda one, two: one if one < two else two)
    maximum = staticmethod(lambda one, two: one if one > two else two)
    where = staticmethod(lambda condition, yes, no: yes if condition else no)


def library(value: Any) -> Any:
    """The module (numpy, torch or jax.numpy) that computes with `value`, or `PythonNumbers` for anything else."""
    # A tuple, because torch.compile cannot trace isinstance of a union.
    if isinstance(value, (np.ndarray, np.generic)):
        return np
    root = type(value).__module__.partition(".")[0]
    if root == "torch":
        return sys.modules["torch"]
    if root in ("jax", "jaxlib"):
        return sys.modules["jax"].numpy
    return PythonNumbers


class NumpyTime:
    """Times as float64, which is exact for every step up to 2^53.

    `high + low` is the time, and `key` is what is searched for among the boundaries. The number types of tables belong
    to the class; `place` says where tables for this time are kept (None: nowhere).
    """

    form: str = "float64"  # names the number types of the tables
    dtype: Any = np.float64
    integer: Any = np.int64
    half: int = 26  # the product of two whole numbers of this many bits is exact in dtype
    # Whether the compiler may add constants of a table together, which would lose the low part of a boundary.
    merges_constants: bool = False
    low: Any = None  # None where `high` is the time itself
    place: Any = "numpy"
    traced: bool = False  # whether the values are not known yet

    def __init__(self, t: Any, xp: Any) -> None:
        if np.asarray(t).dtype.kind not in "iuf":
            raise refused(t)
        self.xp = xp
        self.key = self.high = np.clip(np.asarray(t, np.float64), 0.0, float(END_OF_TIME))

    def whole(self, value: Any) -> Any:
        with np.errstate(invalid="ignore"):  # a NaN stays one in the fraction, so this cast may lose it
            return value.astype(self.integer)

    def real(self, value: Any) -> Any:
        return value.astype(self.dtype)

    def divided(self, period: int) -> tuple[Any, Any, Any]:
        """How often `period` fits into the whole part of the time, the rest, and the fraction (None: always 0)."""
        floor = self.xp.floor(self.key)
        whole = self.whole(floor)
        # The rest by a product: NumPy's % takes five times as long as its //, which is vectorised.
        turns = whole // period
        return turns, whole - turns * period, self.key - floor

    def between(self, low: float, high: float) -> bool:
        """Whether all times are known to lie between two others; a device is not asked, as that would make it wait."""
        return self.xp is np and self.key.size > 0 and bool(low < self.key.min() and self.key.max() < high)

    @classmethod
    def bounds(cls, begins: list[Fraction]) -> Any:
        """For each start of a piece, the first time of this type that has reached it."""
        return np.array([ceiling(begin, cls.dtype) for begin in begins], cls.dtype)

    def weight(self, shape: Any, done: Any, left: Any, mine: Any) -> Any:
        """The weights of a shape; `mine` says at which times they count (None: at all)."""
        return shape(done, left, self.xp)

    def put_right(self, where: Any, wanted: Any, value: Any) -> Any:
        """The wanted values instead of those that rounding has moved away from them."""
        return self.xp.where(where, wanted, value)

    def at_most(self, most: Any, value: Any) -> Any:
        return self.xp.minimum(value, most)

    def table(self, column: Any) -> Any:
        """A NumPy column as an array of this library."""
        return column

    def boundaries(self, column: Any) -> Any:
        """A column that will be searched."""
        return self.table(column)

    def result(self, value: Any) -> Any:
        return value[()]


class TorchTime(NumpyTime):
    """Times as float64 on the tensor's device; the result has the tensor's own floating type.

    Times are kept flat: indexing a table with a tensor without dimensions would read that tensor on the host, which
    a CUDA graph cannot capture.
    """

    def __init__(self, t: Any, xp: Any) -> None:
        if t.is_complex() or t.dtype is xp.bool:
            raise refused(t)
        self.xp, self.shape, self.device = xp, t.shape, t.device
        self.result_type = t.dtype if t.is_floating_point() else xp.float64
        self.key = self.high = t.reshape(-1).to(xp.float64).clamp(0.0, float(END_OF_TIME))
        self.place = None if without_values(self.key, xp) else t.device
        # While a CUDA graph is being captured, nothing may be copied to or from the host.
        self.traced = self.place is None or bool(t.is_cuda and xp.cuda.is_current_stream_capturing())

    def whole(self, value: Any) -> Any:
        return value.to(self.xp.int64)

    def real(self, value: Any) -> Any:
        return value.to(self.xp.float64)

    def table(self, column: Any) -> Any:
        if self.place is not None and self.traced:
            raise ScheduleError(
                f"a CUDA graph is being captured and this schedule was never called on {self.device}: call it there "
                "once before the capture, so that its tables are on the device"
            )
        # Tensors made in inference mode could never take part in a gradient later.
        with self.xp.inference_mode(False):
            return self.xp.as_tensor(column, device=self.device)

    def result(self, value: Any) -> Any:
        return value.to(self.result_type).reshape(self.shape)


class JaxNumbers:
    """jax.numpy, whose choices among equal values have the derivative of the second: that on the right of a time.

    JAX's own minimum, maximum and clip give the mean of both derivatives, which is that of neither side.
    """

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def __getattr__(self, name: str) -> Any:
        return getattr(self.xp, name)

    def minimum(self, one: Any, two: Any) -> Any:
        return self.xp.where(one < two, one, two)

    def clip(self, value: Any, least: Any, most: Any) -> Any:
        return self.xp.where(value < least, least, self.xp.where(value > most, most, value))


class JaxTime(NumpyTime):
    """Times as float64, for JAX with 64 bits enabled; tables are constants of the traced program, never kept."""

    form = "float64, merged"
    merges_constants = True
    place = None
    traced = True

    def __init__(self, t: Any, xp: Any) -> None:
        self.xp = JaxNumbers(xp)
        self.key = self.high = self.xp.clip(t.astype(self.dtype), 0.0, float(END_OF_TIME))

    def weight(self, shape: Any, done: Any, left: Any, mine: Any) -> Any:
        # A weight that is not chosen still takes part in the derivative, times 0: an infinite one would make that NaN.
        if mine is not None:
            done, left = (self.xp.where(mine, part, 0.5) for part in (done, left))
        return shape(done, left, self.xp)

    def put_right(self, where: Any, wanted: Any, value: Any) -> Any:
        # The value is moved by its rounding alone, and its derivative stays that of the piece.
        moved = sys.modules["jax"].lax.stop_gradient(wanted - value)
        return self.xp.where(where, value + moved, value)

    def at_most(self, most: Any, value: Any) -> Any:
        return self.put_right(value > most, most, value)

    def table(self, column: Any) -> Any:
        return self.xp.asarray(column)

    def result(self, value: Any) -> Any:
        return value


class Jax32Time(JaxTime):
    """Times for JAX without 64 bits, as float32."""

    form = "float32"
    dtype = np.float32
    integer = np.int32
    half = 12

    def divided(self, period: int) -> tuple[Any, Any, Any]:
        floor = self.xp.floor(self.key)
        rest = self.xp.fmod(floor, np.float32(period))
        return (floor - rest) / period, self.whole(rest), self.key - floor


class Jax32Steps(Jax32Time):
    """Whole times for JAX without 64 bits: they stay int32 and count exactly, the rest is float32."""

    form = "int32"

    def __init__(self, t: Any, xp: Any) -> None:
        self.xp = xp
        t = xp.minimum(t, np.iinfo(np.int32).max) if xp.issubdtype(t.dtype, np.unsignedinteger) else t
        whole = xp.maximum(t.astype(np.int32), 0)
        fine = whole & 4095
        self.key, self.high, self.low = whole, self.real(whole - fine), self.real(fine)

    def divided(self, period: int) -> tuple[Any, Any, Any]:
        return self.key // period, self.key % period, None

    @classmethod
    def bounds(cls, begins: list[Fraction]) -> Any:
        return np.array([min(math.ceil(begin), np.iinfo(np.int32).max) for begin in begins], np.int32)


def array_time(t: Any) -> NumpyTime:
    """Read an array, tensor or traced value as times; booleans, complex numbers and other types are refused."""
    xp = library(t)
    if xp is PythonNumbers:
        raise refused(t)
    if xp is np:
        return NumpyTime(t, xp)
    if xp is sys.modules.get("torch"):
        return TorchTime(t, xp)
    whole = xp.issubdtype(t.dtype, np.integer)
    if not (whole or xp.issubdtype(t.dtype, np.floating)):
        raise refused(t)
    if xp.result_type(float) == np.float64:
        return JaxTime(t, xp)
    return Jax32Steps(t, xp) if whole else Jax32Time(t, xp)


def without_values(tensor: Any, xp: Any) -> bool:
    """Whether a torch tensor has no values: it is fake, on the meta device, or being traced.

    A table made for such a tensor has no values either, and would spoil every later call if it were kept.
    """
    mode = getattr(sys.modules.get("torch.fx.experimental.proxy_tensor"), "get_proxy_mode", lambda: None)
    plain = type(tensor) is xp.Tensor and not tensor.is_meta and not xp._is_functional_tensor(tensor)
    return not plain or mode() is not None or xp.jit.is_tracing()


def refused(t: Any) -> ScheduleError:
    kind = f"{type(t).__name__} of {t.dtype}" if hasattr(t, "dtype") else f"{type(t).__name__} {t!r}"
    return ScheduleError(f"t must be an int, a float, or an array of such (NumPy, torch or JAX), got {kind}")
