"""Printed numbers: their values, and how far the true number may be from what was printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Texts = NDArray[np.bytes_]
LONGEST = 64  # characters of a number; anything longer is not one
NUMBER = re.compile(r"\s*([-+]?)(?:([0-9]+)\.?([0-9]*)|\.([0-9]+))(?:[eE]([-+]?)([0-9]+))?\s*", re.ASCII)
FULL = 15  # significant digits from which a number was printed in full
SINGLE = 9  # significant digits that are enough for any float32
UNKNOWN = 127  # the power of ten of the last digit where it was not printed
GENERAL = 6  # what C, C++ and "%g" print where a program says nothing
KNOWN = ("full", "single", "mean")  # styles that need no digits


class Cells(NamedTuple):
    """Numbers as they stand in a text.

    values: NaN where there is no number. last: the power of ten of the last digit. significant: the digits from the
    first that is not zero. decimals: the places after the point. padded: whether a zero ends them. powers: with an
    exponent.
    """

    values: Floats
    last: NDArray[np.int16]
    significant: NDArray[np.int16]
    decimals: NDArray[np.int16]
    padded: Booleans
    powers: Booleans

    @classmethod
    def none(cls, count: int) -> Cells:
        """So many cells without a number."""
        zeros, no = np.zeros((3, count), np.int16), np.zeros((2, count), bool)
        return cls(np.full(count, np.nan), *zeros, *no)

    @classmethod
    def of(cls, texts: Texts) -> Cells:
        """The numbers in texts."""
        return cls(values_of(texts), *_digits(texts))

    def at(self, which: Any) -> Cells:
        """Some of the cells."""
        columns: list[Any] = [column[which] for column in self]
        return Cells(*columns)


class Printed:
    """A growing column of numbers, and what is known of how they were printed.

    style: "full" where the writer prints every float in full, "single" where it keeps float32, "mean" where it prints
        the mean of many equal floats, "digits" where it prints a fixed number of decimals, a number where it prints so
        many significant digits and leaves zeros out, a negative one where it rounds to so many decimals; None finds it
        from the numbers.
    double: whether the numbers were float64 when they were printed; otherwise they may have been float32.
    """

    def __init__(self, style: str | int | None = None, double: bool = False) -> None:
        self.style, self.double = style, double
        self.parts: list[Cells] = []
        self.count = 0
        self.parsed = False  # whether a parser read the numbers, so that zeros at their end are lost
        self.unsure = False  # whether numbers are so short that they may be full, or rounded to the digits they have

    def add(self, cells: Cells) -> None:
        self.parts.append(cells)
        self.count += len(cells.values)

    def numbers(self, values: Floats) -> None:
        """Add numbers that a parser has already read."""
        if self.style in KNOWN:
            self.add(Cells.none(len(values))._replace(values=values))
        else:
            self.parsed = True
            self.add(Cells.of(bytes_of([repr(value) for value in values.tolist()])))

    def missing(self, count: int) -> None:
        if count:
            self.add(Cells.none(count))

    def ends_short(self) -> bool:
        """Whether the last number has fewer significant digits than all before, as where a file ends inside it."""
        found = np.concatenate([part.significant for part in self.parts])
        found = found[found > 0]
        return len(found) > 1 and bool(found[-1] < found[:-1].min())

    def column(self, keep: Booleans) -> tuple[Floats, Floats, Floats]:
        """All values, and the tolerance of each, by the digits of those that are kept.

        The last column is the tolerance if the digits that are there are all that the writer prints.
        """
        columns: list[Any] = [np.concatenate(parts) for parts in zip(*self.parts, strict=True)]
        cells = Cells(*columns)
        self.parts.clear()
        some = keep & np.isfinite(cells.values)
        full, short = self._styles(cells, some)
        if short == "rounded":
            cells.last[:] = cells.last[some & (cells.significant < FULL)].min()
            short = "digits"
        with np.errstate(all="ignore"):
            half = _half(full, cells.values, cells.last)
            if short is not None:
                rest = _half(short, cells.values, cells.last, self.double)
                half = np.where(cells.significant >= FULL, half, rest)
            if not self.unsure:
                return cells.values, half, half
            # Nobody prints a rate to one digit: 0.1 is far more often a tenth, or 0.100.
            most = int(cells.significant[some].max(initial=0))
            cells.last[cells.significant < 2] = -FULL
            rounded = np.maximum(_half(most, cells.values, cells.last), _half("digits", cells.values, cells.last))
            return cells.values, half, rounded if most > 1 else half

    def _styles(self, cells: Cells, some: Booleans) -> tuple[str | int, str | int | None]:
        """How numbers of many digits were printed, and how the others; None where those were printed alike."""
        if self.style in ("single", "mean"):
            return self.style, None
        if isinstance(self.style, int) and self.style < 0:
            cells.last[:] = self.style
            return "full", "digits"
        if self.style is not None and self.style != "full":
            most = int(cells.significant[some].max(initial=0))
            return "full", self.style if isinstance(self.style, str) else max(most, self.style)
        long = some & (cells.significant >= FULL)
        full = "single, full" if _all_single(cells.values[some if self.style else long]) else "full"
        if self.style == "full":
            return full, None
        short = cells.at(some & ~long)
        # A full float that is short by luck is written as any other; one long number among many that are cut to
        # a few digits is from somewhere else, such as a printed optimizer.
        if long.any() and not (self._is_padded(short) or _is_outlier(cells.values[long], short)):
            return "single, full" if _all_single(cells.values[some]) else full, None
        fixed = self._fixed(short)
        if not fixed and _is_rounded(short):
            return full, "rounded"
        most = int(short.significant.max(initial=0))
        if fixed or most > 3 or _is_cut(short, most):
            return full, "digits" if fixed else most
        self.unsure = True
        return full, GENERAL

    def _is_padded(self, cells: Cells) -> bool:
        """Whether numbers have zeros at their end, or a mantissa where the shortest form has none."""
        # repr never writes 9.9e-04: below 1e-4 alone it uses an exponent
        mantissa = cells.powers & (cells.values >= 1e-4) & (cells.values < 1)
        same = mantissa.any() and np.ptp(cells.decimals[cells.powers]) == 0
        return not self.parsed and bool(cells.padded.any() or same)

    def _fixed(self, cells: Cells) -> bool:
        """Whether numbers have a fixed number of decimals, in a mantissa or without one."""
        if self.parsed or not len(cells.values):
            return False
        varied = bool(np.ptp(cells.values) > 0)
        plain = not cells.powers.any() and cells.significant.max() > 1
        return self._is_padded(cells) or bool(plain and varied and np.ptp(cells.decimals) == 0)


def _is_rounded(cells: Cells) -> bool:
    """Whether numbers were rounded to so many decimals and printed without the zeros at their end."""
    there = cells.at(cells.significant > 0)
    if len(np.unique(there.values)) < 8:
        return False
    # Nine numbers in ten do not end with a zero, so most show where they were rounded.
    decimals = np.mean(there.last == there.last.min())
    return bool(decimals > 0.5 and decimals > np.mean(there.significant == there.significant.max()))


def _is_cut(cells: Cells, most: int) -> bool:
    """Whether numbers of a few digits are rounded to these, and not short by themselves as 0.1 and 0.01 are."""
    _, first = np.unique(cells.values[cells.significant > 0], return_index=True)
    digits = cells.significant[cells.significant > 0][first]
    # Nine numbers in ten do not end with a zero, while round numbers mostly do.
    return most > 1 and len(digits) > 3 and bool(np.mean(digits == most) > 0.85)


def _is_outlier(long: Floats, short: Cells) -> bool:
    """Whether long numbers are so few that the short ones cannot be full floats that happen to be short."""
    return len(np.unique(long)) * 50 < len(np.unique(short.values))


def _half(style: str | int, values: Floats, last: NDArray[np.int16], double: bool = False) -> Floats:
    """The tolerance of each number: half a unit of its last digit, or half a float spacing."""
    finite = np.isfinite(values)
    single = np.where(finite, np.spacing(np.abs(values).astype(np.float32)).astype(np.float64) / 2, np.nan)
    if style == "single":
        return single
    if style == "mean":
        return np.abs(values) * 1e-12
    if isinstance(style, str) and style.endswith("full"):
        spacing = single if style == "single, full" else np.spacing(np.abs(values)) / 2
        return np.where(values == 0, 0, np.where(finite, spacing, np.nan))
    place = last if style == "digits" else np.floor(np.log10(np.abs(values))) - style + 1
    half = np.where(finite, 0.5 * np.power(10.0, np.clip(place, -330, 308).astype(np.float64)), np.nan)
    # Megatron and llm.c round to float32 before they print, and few digits do not tell who did.
    if not double:
        half = np.where(np.abs(values) >= 2 * half * 10.0**SINGLE, half, half + single)
    return half if style == "digits" else np.where(values == 0, 0, half)


def _all_single(values: Floats) -> bool:
    """Whether long numbers are float32 written as float64, such as 0.0010000000474974513."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not len(values) or not np.array_equal(values, single.astype(np.float64), equal_nan=True):
        return False
    some = values[:: 1 + len(values) // 10_000]
    return any(Cells.of(bytes_of([repr(one) for one in some[np.isfinite(some)].tolist()])).significant > SINGLE)


def bytes_of(tokens: Sequence[str]) -> Texts:
    """Texts as an array of bytes, in which a text too long to be a number is "nan"."""
    try:
        if max(map(len, tokens), default=0) <= LONGEST:
            return np.array(tokens, np.bytes_)
    except UnicodeEncodeError:
        pass
    return np.array([token if len(token) <= LONGEST and token.isascii() else "nan" for token in tokens], np.bytes_)


def values_of(array: Texts) -> Floats:
    """The numbers in texts, NaN for anything else."""
    try:
        if b"_" in array.tobytes():  # NumPy reads 1_0 as 10
            raise ValueError
        with np.errstate(over="ignore"):
            values = np.where(array == b"", b"nan", array).astype(np.float64)
    except ValueError:
        texts = [text.decode("latin-1") for text in array.tolist()]
        values = np.array([float(text) if NUMBER.fullmatch(text) else np.nan for text in texts], np.float64)
    values[np.isinf(values)] = np.nan
    return values


def _digits(array: Texts) -> tuple[Any, ...]:
    """All that `Cells` says of the digits of each number, one character of all numbers at a time."""
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
