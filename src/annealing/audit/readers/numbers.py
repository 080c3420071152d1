"""Printed numbers: their values, and how far the true number may lie from what was printed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Texts = NDArray[np.bytes_]
LONGEST = 64  # characters of a number; what is longer is none
NUMBER = re.compile(rb"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*")
FULL = 15  # significant digits from which a number was printed in full
GENERAL = 6  # what C, C++ and "%g" print where a program says nothing


class Printed:
    """A growing column of numbers, and what is known of how they were printed.

    style: "full" where the writer prints every float in full, "single" where it keeps float32, "mean" where it prints
        the mean of many equal floats, "digits" where it prints a fixed number of decimals, a number where it prints so
        many significant digits and leaves zeros out; None finds it from the numbers.
    """

    def __init__(self, style: str | int | None = None) -> None:
        self.style = style
        self.values: list[Floats] = []
        self.last: list[NDArray[np.int16]] = []  # the power of ten of the last printed digit
        self.count = 0
        self.most, self.padded = 0, False  # significant digits; zeros kept at the end
        self.least_before = 99  # the fewest significant digits in all but the last number
        self.final = 99
        self.decimals: set[int] = set()
        self.powers = False  # an exponent was seen
        self.sampled: dict[float, int] = {}

    def texts(self, tokens: Sequence[str] | Texts) -> None:
        """Add numbers as they stand in the text; what is no number becomes NaN."""
        array = tokens if isinstance(tokens, np.ndarray) else bytes_of(tokens)
        values = values_of(array)
        self._append(values)
        digits = _digits(array)
        self.last.append(digits.last)
        real = np.isfinite(values)
        self.padded |= bool(np.any(real & digits.padded))
        self.powers |= bool(np.any(real & digits.powers))
        self.decimals |= set(np.unique(digits.decimals[real]).tolist())
        if (found := digits.significant[real & (digits.significant > 0)]).size:
            self.most = max(self.most, int(found.max()))
            self.least_before = min(self.least_before, self.final, int(found[:-1].min()) if len(found) > 1 else 99)
            self.final = int(found[-1])

    def numbers(self, values: Sequence[float] | Floats) -> None:
        """Add numbers that a parser has already read, so that zeros at their end are lost."""
        array = np.asarray(values, np.float64)
        self._append(array)
        self.last.append(np.full(len(array), 127, np.int16))
        if self.style is None and len(self.sampled) < 1000:
            for value in np.unique(array[np.isfinite(array)])[:1000].tolist():
                self.sampled[value] = significant(value)
            self.most = max([self.most, *self.sampled.values()])

    def missing(self, count: int) -> None:
        if count:
            self._append(np.full(count, np.nan))
            self.last.append(np.full(count, 127, np.int16))

    def _append(self, values: Floats) -> None:
        self.values.append(values)
        self.count += len(values)

    def column(self) -> tuple[Floats, Floats]:
        """All values, and half a unit of what each was rounded to."""
        values = np.concatenate(self.values) if self.values else np.empty(0)
        last = np.concatenate(self.last) if self.last else np.empty(0, np.int16)
        self.values, self.last = [], []
        return values, self._half(values, last)

    def _half(self, values: Floats, last: NDArray[np.int16]) -> Floats:
        with np.errstate(all="ignore"):
            finite = np.isfinite(values)
            full = np.where(finite, np.spacing(np.abs(values)) / 2, np.nan)
            single = np.where(finite, np.spacing(np.abs(values).astype(np.float32)).astype(np.float64) / 2, np.nan)
            if self.style == "single":
                return single
            if self.style == "mean":
                return np.abs(values) * 1e-12
            if self.style == "full" or (self.style is None and self.most >= FULL):
                return np.where(values == 0, 0, single if _all_single(values[finite]) else full)
            fixed = self.padded or (not self.powers and len(self.decimals) == 1 and self.most > 1 and _varied(values))
            if self.style == "digits" or (self.style is None and fixed):
                return np.where(finite, np.where(last == 127, full, 0.5 * _power(last)), np.nan)
            digits = self.style if isinstance(self.style, int) else (self.most if self.most > 3 else GENERAL)
            digits = max(digits, self.most)
            place = np.floor(np.log10(np.abs(values))) - digits + 1
            half = np.where(values == 0, 0, np.where(finite, 0.5 * _power(place), np.nan))
            return np.maximum(half, np.where(values == 0, 0, single if digits in (8, 9) else full))


def significant(value: float) -> int:
    """How many significant digits the shortest text of a float has."""
    mantissa = repr(abs(value)).partition("e")[0].replace(".", "").lstrip("0").rstrip("0")
    return len(mantissa)


def _all_single(values: Floats) -> bool:
    """Whether long numbers are float32 written as float64, such as 0.0010000000474974513."""
    if not np.array_equal(values, values.astype(np.float32).astype(np.float64)):
        return False
    return any(significant(value) > 9 for value in np.unique(values)[:100].tolist())


def _varied(values: Floats) -> bool:
    return bool(np.unique(values[np.isfinite(values)][:10000]).size > 1)


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
        return np.where(array == b"", b"nan", array).astype(np.float64)
    except ValueError:
        return np.array([float(text) if NUMBER.fullmatch(text) else np.nan for text in array.tolist()], np.float64)


class _Digits:
    def __init__(self, count: int) -> None:
        self.decimals = np.zeros(count, np.int16)
        self.significant = np.zeros(count, np.int16)
        self.last = np.zeros(count, np.int16)
        self.padded = np.zeros(count, bool)
        self.powers = np.zeros(count, bool)


def _digits(array: Texts) -> _Digits:
    """Of each number the places after its point, its significant digits, and the power of ten of its last digit."""
    found = _Digits(len(array))
    if not len(array):
        return found
    count = len(array)
    point, started, zero, negative = (np.zeros(count, bool) for _ in range(4))
    exponent = np.zeros(count, np.int32)
    for column in np.ascontiguousarray(array).view(np.uint8).reshape(count, -1).T:
        digit = (column >= 48) & (column <= 57)
        if found.powers.any():
            inside = digit & found.powers
            exponent = np.where(inside, np.minimum(exponent * 10 + column.astype(np.int32) - 48, 9999), exponent)
            negative |= (column == 45) & found.powers
            digit &= ~found.powers
        started |= digit & (column != 48)
        found.significant += digit & started
        found.decimals += digit & point
        zero = np.where(digit, column == 48, zero)
        point |= (column == 46) & ~found.powers
        found.powers |= (column | 32) == 101
    found.last = (np.where(negative, -exponent, exponent) - found.decimals).astype(np.int16)
    found.padded = zero & (found.decimals > 1)
    return found
