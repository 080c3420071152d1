"""Printed numbers: their values, and how far the true number may lie from what was printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Texts = NDArray[np.bytes_]
LONGEST = 64  # characters of a number; what is longer is none
NUMBER = re.compile(r"\s*([-+]?)(?:([0-9]+)\.?([0-9]*)|\.([0-9]+))(?:[eE]([-+]?)([0-9]+))?\s*", re.ASCII)
FULL = 15  # significant digits from which a number was printed in full
UNKNOWN = 127  # the power of ten of the last digit where it was not printed
BLOCK = 1 << 16  # numbers at once
GENERAL = 6  # what C, C++ and "%g" print where a program says nothing


class Printed:
    """A growing column of numbers, and what is known of how they were printed.

    style: "full" where the writer prints every float in full, "single" where it keeps float32, "mean" where it prints
        the mean of many equal floats, "digits" where it prints a fixed number of decimals, a number where it prints so
        many significant digits and leaves zeros out; None finds it from the numbers.
    """

    def __init__(self, style: str | int | None = None) -> None:
        self.style = style
        self.values: list[Floats | int] = []  # a number stands for so many rows without one
        self.last: list[NDArray[np.int16] | int] = []  # the power of ten of the last printed digit
        self.count = 0
        self.most, self.padded = 0, False  # significant digits; zeros kept at the end
        self.least_before = 99  # the fewest significant digits in all but the last number
        self.final = 99
        self.decimals: set[int] = set()
        self.powers = False  # an exponent was seen
        self.sampled: dict[float, int] = {}

    def cells(self, cells: Cells) -> None:
        """Add numbers as they stand in the text."""
        self._append(cells.values)
        self.last.append(cells.last)
        real = np.isfinite(cells.values)
        self.padded |= bool(np.any(real & cells.padded))
        self.powers |= bool(np.any(real & cells.powers))
        self.decimals |= set(np.flatnonzero(np.bincount(cells.decimals[real])).tolist())
        if (found := cells.significant[real & (cells.significant > 0)]).size:
            self.most = max(self.most, int(found.max()))
            self.least_before = min(self.least_before, self.final, int(found[:-1].min()) if len(found) > 1 else 99)
            self.final = int(found[-1])

    def numbers(self, values: Sequence[float] | Floats) -> None:
        """Add numbers that a parser has already read, so that zeros at their end are lost."""
        array = np.asarray(values, np.float64)
        self._append(array)
        self.last.append(len(array))
        if self.style is None and len(self.sampled) < 1000:
            for value in np.unique(array[np.isfinite(array)])[:1000].tolist():
                self.sampled[value] = significant(value)
            self.most = max([self.most, *self.sampled.values()])

    def missing(self, count: int) -> None:
        if count:
            self.values.append(count)
            self.last.append(count)
            self.count += count

    def _append(self, values: Floats) -> None:
        self.values.append(values)
        self.count += len(values)

    def column(self) -> tuple[Floats, Floats]:
        """All values, and half a unit of what each was rounded to."""
        values, last = joined(self.values, np.nan), joined(self.last, UNKNOWN)
        style = self._style(values)
        half = np.empty(len(values))
        with np.errstate(all="ignore"):
            for begin in range(0, len(values), BLOCK):
                part = slice(begin, begin + BLOCK)
                half[part] = _half(style, values[part], last[part])
        return values, half

    def _style(self, values: Floats) -> str | int:
        """How the numbers were printed: "full", "single", "mean", "digits", or the significant digits."""
        if self.style == "full" or (self.style is None and self.most >= FULL):
            return "single, full" if _all_single(values) else "full"
        if isinstance(self.style, str):
            return self.style
        varied = np.fmin.reduce(values, initial=np.inf) < np.fmax.reduce(values, initial=-np.inf)
        if self.style is None and (
            self.padded or (not self.powers and len(self.decimals) == 1 and self.most > 1 and varied)
        ):
            return "digits"
        return max(self.most, self.style or (self.most if self.most > 3 else GENERAL))


def _half(style: str | int, values: Floats, last: NDArray[np.int16]) -> Floats:
    """Half a unit of what each number was rounded to."""
    finite = np.isfinite(values)
    full = np.where(finite, np.spacing(np.abs(values)) / 2, np.nan)
    if style in ("single", "single, full"):
        single = np.where(finite, np.spacing(np.abs(values).astype(np.float32)).astype(np.float64) / 2, np.nan)
        return single if style == "single" else np.where(values == 0, 0, single)
    if style == "mean":
        return np.abs(values) * 1e-12
    if style == "full":
        return np.where(values == 0, 0, full)
    if style == "digits":
        return np.where(finite, np.where(last == UNKNOWN, full, 0.5 * _power(last)), np.nan)
    assert isinstance(style, int)
    place = np.floor(np.log10(np.abs(values))) - style + 1
    half = np.where(finite, 0.5 * _power(place), np.nan)
    if style in (8, 9):
        full = np.spacing(np.abs(values).astype(np.float32)).astype(np.float64) / 2
    return np.where(values == 0, 0, np.maximum(half, full))


def joined(parts: list[Any], missing: float) -> Any:
    """Parts of a column as one, a number standing for so many cells without a value; the parts are given up."""
    count = sum(part if isinstance(part, int) else len(part) for part in parts)
    kind = next((part.dtype for part in parts if not isinstance(part, int)), None)
    if kind is None:
        return np.broadcast_to(missing, count)
    column, end = np.full(count, missing, kind), count
    while parts:
        part = parts.pop()
        if isinstance(part, int):
            end -= part
        else:
            column[end - len(part) : end] = part
            end -= len(part)
    return column


def significant(value: float) -> int:
    """How many significant digits the shortest text of a float has."""
    mantissa = repr(abs(value)).partition("e")[0].replace(".", "").lstrip("0").rstrip("0")
    return len(mantissa)


def _all_single(values: Floats) -> bool:
    """Whether long numbers are float32 written as float64, such as 0.0010000000474974513."""
    for begin in range(0, len(values), BLOCK):
        part = values[begin : begin + BLOCK]
        with np.errstate(over="ignore"):
            if not np.array_equal(part, part.astype(np.float32).astype(np.float64), equal_nan=True):
                return False
    some = values[:: 1 + len(values) // 10_000]
    return any(significant(value) > 9 for value in np.unique(some[np.isfinite(some)])[:100].tolist())


def _power(exponent: NDArray[np.int16] | Floats) -> Floats:
    return np.asarray(np.power(10.0, np.clip(exponent, -330, 308).astype(np.float64)))


def bytes_of(tokens: Sequence[str]) -> Texts:
    """Texts of numbers as an array; what is too long to be one becomes "nan"."""
    try:
        if max(map(len, tokens), default=0) <= LONGEST:
            return np.array(tokens, np.bytes_)
    except UnicodeEncodeError:
        pass
    return np.array([token if len(token) <= LONGEST and token.isascii() else "nan" for token in tokens], np.bytes_)


def values_of(array: Texts) -> Floats:
    """The numbers that texts stand for, NaN for all that are none."""
    try:
        if b"_" in array.tobytes():  # which NumPy takes for part of a number
            raise ValueError
        with np.errstate(over="ignore"):
            values = np.where(array == b"", b"nan", array).astype(np.float64)
    except ValueError:
        texts = [text.decode("latin-1") for text in array.tolist()]
        values = np.array([float(text) if NUMBER.fullmatch(text) else np.nan for text in texts], np.float64)
    values[np.isinf(values)] = np.nan
    return values


class Cells(NamedTuple):
    """Numbers as they stand in a text.

    values: NaN for what is none. last: the power of ten of the last digit. significant: the digits from the first that
    is not zero. decimals: the places after the point. padded: whether a zero ends them. powers: with an exponent.
    """

    values: Floats
    last: NDArray[np.int16]
    significant: NDArray[np.int16]
    decimals: NDArray[np.int16]
    padded: NDArray[np.bool_]
    powers: NDArray[np.bool_]

    @classmethod
    def none(cls, count: int) -> Cells:
        """As many cells without a number."""
        zeros, no = (np.zeros((3, count), np.int16), np.zeros((2, count), bool))
        return cls(np.full(count, np.nan), *zeros, *no)

    @classmethod
    def of(cls, texts: Texts) -> Cells:
        """The numbers that texts stand for."""
        return cls(values_of(texts), *_digits(texts))

    def at(self, where: NDArray[np.intp]) -> Cells:
        """Some of the cells."""
        columns: list[Any] = [column[where] for column in self]
        return Cells(*columns)

    def put(self, where: NDArray[np.intp], cells: Cells) -> None:
        """Put other cells in the place of some."""
        columns: Iterable[Any] = self
        for column, given in zip(columns, cells, strict=True):
            column[where] = given


def _digits(array: Texts) -> Iterable[Any]:
    """Of each number all that `Cells` says of its digits."""
    count = len(array)
    significant, decimals = np.zeros(count, np.int16), np.zeros(count, np.int16)
    point, started, zero, negative, powers = (np.zeros(count, bool) for _ in range(5))
    exponent = np.zeros(count, np.int32)
    for column in np.ascontiguousarray(array).view(np.uint8).reshape(count, -1).T if count else ():
        digit = (column >= 48) & (column <= 57)
        if powers.any():
            inside = digit & powers
            exponent = np.where(inside, np.minimum(exponent * 10 + column.astype(np.int32) - 48, 9999), exponent)
            negative |= (column == 45) & powers
            digit &= ~powers
        started |= digit & (column != 48)
        significant += digit & started
        decimals += digit & point
        zero = np.where(digit, column == 48, zero)
        point |= (column == 46) & ~powers
        powers |= (column | 32) == 101
    last = (np.where(negative, -exponent, exponent) - decimals).astype(np.int16)
    return last, significant, decimals, zero & (decimals > 1), powers
