"""Numbers out of runs of digits, many at once, rounded as Python rounds them."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .precision import NUMBER, Cells, Floats, Texts

Words = NDArray[np.uint64]
Places = NDArray[np.intp]

TENS = np.uint64(10) ** np.arange(20, dtype=np.uint64)
FAR = 250  # powers of ten within which no step of a division leaves the range of float64
HIGH = np.array([float(10**n) for n in range(FAR + 1)])
LOW = np.array([float(Fraction(10**n) - Fraction(high)) for n, high in enumerate(HIGH.tolist())])
MOST = np.uint64(18_000_000_000_000_000_000)  # so that a sum of digits does not leave 64 bits
FRONT = 24  # bytes before a text, so that there are eight before any run of digits, thrice


class Form(NamedTuple):
    """How a number is printed: its sign, and which runs of digits stand before its point, after it, and in its
    exponent; those that it lacks are None."""

    negative: bool
    whole: int | None
    fraction: int | None
    exponent: int | None
    shrinks: bool


def form_of(text: str, zero: int) -> Form | None:
    """The form of a number whose runs of digits are numbers from `zero` on; None for what is no number."""
    found = NUMBER.fullmatch(text)
    if found is None:
        return None
    whole, fraction, exponent = (int(run) - zero if run else None for run in (found[2], found[3] or found[4], found[6]))
    return Form(found[1] == "-", whole, fraction, exponent, found[5] == "-")


class Numbers:
    """A text as bytes, and where its runs of digits begin and end."""

    def __init__(self, data: NDArray[np.uint8], begins: Places, ends: Places) -> None:
        self.data = np.concatenate([np.full(FRONT, 48, np.uint8), data])
        self.words = np.ndarray((len(self.data) - 7,), "<u8", self.data.data, strides=(1,))
        self.begins, self.ends = begins + FRONT, ends + FRONT

    def text(self, run: int) -> str:
        return bytes(self.data[self.begins[run] : self.ends[run]]).decode()

    def longest(self, first: Places, count: int) -> list[int]:
        """The most digits in each of so many runs from those of `first` on."""
        length = self.ends - self.begins
        return [int(length[first + run].max()) for run in range(count)]

    def equal(self, runs: Places) -> NDArray[np.bool_]:
        """Whether runs of at most 19 digits are the same as the first of them."""
        length = self.ends[runs] - self.begins[runs]
        value = self._whole(runs)[0]
        same: NDArray[np.bool_] = (length == length[0]) & (value == value[0])
        return same

    def padded_with_zeros(self, runs: Places) -> bool:
        """Whether any of the runs is longer than one digit and begins with a zero."""
        begins = self.begins[runs]
        return bool(np.any((self.data[begins] == 48) & (self.ends[runs] - begins > 1)))

    def cells(self, form: Form, first: Places) -> Cells:
        """The numbers of a form; first: the run of digits from which each line's runs are counted."""
        count = len(first)
        mantissa, strange = np.zeros(count, np.uint64), np.zeros(count, bool)
        decimals, exponent = np.zeros(count, np.int64), np.zeros(count, np.int64)
        if form.whole is not None:
            mantissa, strange = self._whole(first + form.whole)
        if form.fraction is not None:
            part, long = self._whole(first + form.fraction)
            decimals = self.ends[first + form.fraction] - self.begins[first + form.fraction]
            if form.whole is not None and mantissa.any():
                scale = TENS[np.minimum(decimals, 19)]
                strange |= (mantissa > 0) & ((decimals > 19) | (mantissa.astype(np.float64) * scale + part > MOST))
                part = mantissa * scale + part
            mantissa, strange = part, strange | long
        if form.exponent is not None:
            power, long = self._whole(first + form.exponent)
            strange |= long | (power > 9999)
            exponent = np.where(strange, 0, power.astype(np.int64)) * (-1 if form.shrinks else 1)
        values, sure = _divided(mantissa, decimals - exponent)
        last = form.whole if form.fraction is None else form.fraction
        assert last is not None
        end = self.ends[first + last]
        found = Cells(
            np.negative(values, out=values) if form.negative else values,
            (exponent - decimals).astype(np.int16),
            np.searchsorted(TENS, mantissa, side="right").astype(np.int16),
            decimals.astype(np.int16),
            (self.data[end - 1] == 48) & (decimals > 1),
            np.full(count, form.exponent is not None),
        )
        if (rest := np.flatnonzero(strange | ~sure)).size:
            found.put(rest, Cells.of(self._texts(form, first[rest])))
        return found

    def _texts(self, form: Form, first: Places) -> Texts:
        parts = [(form.whole, ""), (form.fraction, "."), (form.exponent, "e-" if form.shrinks else "e")]
        sign = "-" if form.negative else ""
        kept = [(run, before) for run, before in parts if run is not None]
        return np.array(
            [sign + "".join(before + self.text(line + run) for run, before in kept) for line in first.tolist()],
            np.bytes_,
        )

    def _whole(self, runs: Places) -> tuple[Words, NDArray[np.bool_]]:
        """The numbers that runs of digits are, and where they are too great."""
        ends = self.ends[runs]
        length = ends - self.begins[runs]
        most = int(length.max(initial=0))
        value = self._eight(ends, length)
        if most <= 8:
            return value, np.zeros(len(runs), bool)
        value += self._eight(ends - 8, length - 8) * TENS[8]
        if most <= 16:
            return value, np.zeros(len(runs), bool)
        top = self._eight(ends - 16, length - 16)
        long = (top > 1799) | (length > 24)
        return value + np.where(long, np.uint64(0), top) * TENS[16], long

    def _eight(self, ends: Places, length: Places) -> Words:
        """The number that the last eight digits before each place are, or fewer where a run is shorter."""
        word = self.words[ends - 8] ^ np.uint64(0x3030303030303030)
        over = ((8 - np.clip(length, 0, 8)) * 8).astype(np.uint64)
        word = word >> over << over
        word = (word * np.uint64(10) + (word >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
        word = (word * np.uint64(100) + (word >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
        return (word * np.uint64(10000) + (word >> np.uint64(32))) & np.uint64(0xFFFFFFFF)


def _divided(mantissa: Words, places: NDArray[np.int64]) -> tuple[Floats, NDArray[np.bool_]]:
    """mantissa / 10**places, rounded once, and where that is sure.

    The quotient is a sum of two floats, known to 2**-98 of itself; it is sure where both ends of that round alike.
    """
    sure = places <= FAR
    if (up := np.flatnonzero(places < 0)).size:
        sure[up] = (places[up] > -20) & (mantissa[up].astype(np.float64) * HIGH[np.minimum(-places[up], FAR)] < MOST)
        mantissa = mantissa.copy()
        mantissa[up] *= np.where(sure[up], TENS[np.minimum(-places[up], 19)], np.uint64(1))
    places = np.clip(places, 0, FAR)
    high = mantissa.astype(np.float64)
    low = (mantissa - high.astype(np.uint64)).astype(np.int64).astype(np.float64)
    divisor = HIGH[places]
    quotient = high / divisor
    product, error = _product(quotient, divisor)
    rest = (high - product - error + low - quotient * LOW[places]) / divisor
    doubt = quotient * 2.0**-98
    return quotient + rest, sure & (quotient + (rest - doubt) == quotient + (rest + doubt))


def _product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """A product and its rounding error, by Dekker's splitting."""
    product = a * b
    a_high, b_high = (x * 134217729.0 - (x * 134217729.0 - x) for x in (a, b))
    a_low, b_low = a - a_high, b - b_high
    return product, a_low * b_low - (product - a_high * b_high - a_low * b_high - a_high * b_low)
