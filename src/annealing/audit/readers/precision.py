"""Printed numbers: their values, and how far the true number may be from what was printed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
LONGEST = 64  # characters of a number; anything longer is not one
NUMBER = re.compile(r"\s*([-+]?)(?:([0-9]+)\.?([0-9]*)|\.([0-9]+))(?:[eE]([-+]?)([0-9]+))?\s*", re.ASCII)
FULL = 15  # significant digits from which a number was printed in full
SINGLE = 9  # significant digits that are enough for any float32
GENERAL = 6  # what C, C++ and "%g" print where a program says nothing
# A number as it stands in a text. value: NaN where there is no number. last: the power of ten of the last digit.
# significant: the digits from the first that is not zero. decimals: the places after the point. padded: whether a zero
# ends them. power: with an exponent. parsed: whether a parser read it, so that zeros at its end are lost.
CELL = np.dtype(
    [
        *(("value", "f8"), ("last", "i2"), ("significant", "i2"), ("decimals", "i2")),
        *(("padded", "?"), ("power", "?"), ("parsed", "?")),
    ]
)
Cells = NDArray[np.void]


def values_of(column: Sequence[Any]) -> Floats:
    """The numbers in a column of texts or numbers, NaN for anything else."""
    return _values(_texts(column))


def _values(texts: NDArray[np.bytes_]) -> Floats:
    try:
        with np.errstate(over="ignore"):
            values = texts.astype(np.float64)
    except ValueError:
        values = np.array([number_in(text.decode()) for text in texts.tolist()], np.float64)
    values[np.isinf(values)] = np.nan
    return values


def number_in(text: str) -> float:
    return float(text) if NUMBER.fullmatch(text) else math.nan


def cells_of(column: Sequence[Any]) -> Cells:
    """A column of texts or numbers, as they were printed."""
    texts, cells = _texts(column), no_cells(len(column))
    values = _values(texts)
    # All numbers at once, a character in each column; this bit makes E an e, and a digit or a point has it.
    chars = texts.view(np.uint8).reshape(len(texts), texts.itemsize) | 32
    mantissa = ~np.logical_or.accumulate(chars == ord("e"), axis=1)
    digit = mantissa & (chars >= ord("0")) & (chars <= ord("9"))
    decimals = np.sum(digit & np.logical_or.accumulate(chars == ord("."), axis=1), axis=1)
    end = texts.itemsize - 1 - np.argmax(digit[:, ::-1], axis=1)
    cells["value"], cells["decimals"], cells["last"] = values, decimals, -decimals
    cells["significant"] = np.sum(digit & np.logical_or.accumulate(digit & (chars > ord("0")), axis=1), axis=1)
    cells["padded"] = (decimals > 1) & (chars[np.arange(len(texts)), end] == ord("0"))
    cells["power"] = ~mantissa[:, -1]
    cells["parsed"] = not any(isinstance(cell, str) for cell in column)
    cells[np.isnan(values)] = no_cells(1)
    for place in np.flatnonzero(cells["power"]):
        cells["last"][place] += max(-9999, min(int(texts[place].lower().partition(b"e")[2]), 9999))
    return cells


def no_cells(count: int) -> Cells:
    cells = np.zeros(count, CELL)
    cells["value"] = np.nan
    return cells


def _texts(column: Sequence[Any]) -> NDArray[np.bytes_]:
    texts = ["nan" if cell is None else str(cell) for cell in column]
    # NumPy reads 1_0 as 10.
    return np.array([one if len(one) <= LONGEST and one.isascii() and "_" not in one else "nan" for one in texts], "S")


def ends_short(cells: Cells) -> bool:
    """Whether the last number has fewer significant digits than all before, as where a file ends inside it."""
    found = cells["significant"][cells["significant"] > 0]
    return len(found) > 1 and bool(found[-1] < found[:-1].min())


def tolerances(cells: Cells, style: str | int | None, double: bool) -> tuple[Floats, Floats | None]:
    """The tolerance of each number, and what it is if the digits that are there are all that the writer prints.

    The second is None where that is not in doubt.

    style: "full" where the writer prints every float in full, "single" where it keeps float32, "mean" where it prints
        the mean of many equal floats, "digits" where it prints a fixed number of decimals, a number where it prints so
        many significant digits and leaves zeros out, a negative one where it rounds to so many decimals; None finds it
        from the numbers.
    double: whether the numbers were float64 when they were printed; otherwise they may have been float32.
    """
    cells = cells.copy()
    if isinstance(style, int) and style < 0:
        cells["last"], style = style, "digits"
    there = cells[np.isfinite(cells["value"])]
    most = int(there["significant"].max(initial=0))
    full, short = _styles(there, style, most)
    if short == "rounded":
        cells["last"], short = there["last"][there["significant"] < FULL].min(), "digits"
    with np.errstate(all="ignore"):
        half = _half(full, cells)
        if short is None:
            return half, None
        rest = _half(GENERAL if short == "unsure" else short, cells, double)
        half = np.where(cells["significant"] < FULL, rest, half)
        if short != "unsure":
            return half, None
        if most < 2:
            return half, half
        # Nobody prints a rate to one digit: 0.1 is far more often a tenth, or 0.100.
        cells["last"][cells["significant"] < 2] = -FULL
        return half, np.maximum(_half(most, cells), _half("digits", cells))


def _styles(cells: Cells, style: str | int | None, most: int) -> tuple[str | int, str | int | None]:
    """How numbers of many digits were printed, and how the others; None where those were printed alike.

    The others may be rounded to so many decimals, and unsure where they are so short that they may be full.
    """
    if style in ("single", "mean"):
        return str(style), None
    if style == "digits" or isinstance(style, int):
        return "full", style if isinstance(style, str) else max(most, style)
    long = cells["significant"] >= FULL
    if style == "full":
        return _full(cells), None
    full, short = _full(cells[long]), cells[~long]
    # A full float that is short by luck is written as any other; one long number among many that are cut to
    # a few digits is from somewhere else, such as a printed optimizer.
    if long.any() and not (_is_padded(short) or _is_outlier(cells[long], short)):
        return full, None
    fixed, most = _is_fixed(short), int(short["significant"].max(initial=0))
    if not fixed and _is_rounded(short):
        return full, "rounded"
    if fixed or most > 3 or _is_cut(short, most):
        return full, "digits" if fixed else most
    return full, "unsure"


def _full(cells: Cells) -> str:
    """Whether long numbers are float32 written as float64, such as 0.0010000000474974513, or full floats."""
    values = cells["value"]
    with np.errstate(over="ignore"):
        same = np.array_equal(values, values.astype(np.float32).astype(np.float64))
    some = cells_of(values[:: 1 + len(values) // 10_000].tolist())
    return "single, full" if same and (some["significant"] > SINGLE).any() else "full"


def _is_padded(cells: Cells) -> bool:
    """Whether numbers have zeros at their end, or a mantissa where the shortest form has none."""
    # repr never writes 9.9e-04: below 1e-4 alone it uses an exponent
    power, values = cells["power"], cells["value"]
    mantissa = power & (values >= 1e-4) & (values < 1)
    same = mantissa.any() and np.ptp(cells["decimals"][power]) == 0
    return not cells["parsed"].any() and bool(cells["padded"].any() or same)


def _is_fixed(cells: Cells) -> bool:
    """Whether numbers have a fixed number of decimals, in a mantissa or without one."""
    if cells["parsed"].any() or not len(cells):
        return False
    varied = np.ptp(cells["value"]) > 0 and np.ptp(cells["decimals"]) == 0
    return _is_padded(cells) or bool(varied and not cells["power"].any() and cells["significant"].max() > 1)


def _is_rounded(cells: Cells) -> bool:
    """Whether numbers were rounded to so many decimals and printed without the zeros at their end."""
    there = cells[cells["significant"] > 0]
    if len(np.unique(there["value"])) < 8:
        return False
    # Nine numbers in ten do not end with a zero, so most show where they were rounded.
    decimals = np.mean(there["last"] == there["last"].min())
    return bool(decimals > 0.5 and decimals > np.mean(there["significant"] == there["significant"].max()))


def _is_cut(cells: Cells, most: int) -> bool:
    """Whether numbers of a few digits are rounded to these, and not short by themselves as 0.1 and 0.01 are."""
    there = cells[cells["significant"] > 0]
    _, first = np.unique(there["value"], return_index=True)
    # Nine numbers in ten do not end with a zero, while round numbers mostly do.
    return most > 1 and len(first) > 3 and bool(np.mean(there["significant"][first] == most) > 0.85)


def _is_outlier(long: Cells, short: Cells) -> bool:
    """Whether long numbers are so few that the short ones cannot be full floats that happen to be short."""
    return len(np.unique(long["value"])) * 50 < len(np.unique(short["value"]))


def _half(style: str | int, cells: Cells, double: bool = False) -> Floats:
    """The tolerance of each number: half a unit of its last digit, or half a float spacing; NaN where it is none."""
    values: Floats = cells["value"]
    single: Floats = np.spacing(np.abs(values).astype(np.float32)).astype(np.float64) / 2
    if style == "single":
        return single
    if style == "mean":
        return np.abs(values) * 1e-12
    if isinstance(style, str) and style.endswith("full"):
        return np.where(values == 0, 0, single if style == "single, full" else np.spacing(np.abs(values)) / 2)
    place = cells["last"] if style == "digits" else np.floor(np.log10(np.abs(values))) - style + 1
    half = np.where(np.isfinite(values), 0.5 * np.power(10.0, np.clip(place, -330, 308).astype(np.float64)), np.nan)
    # Megatron and llm.c round to float32 before they print, and few digits do not tell who did.
    if not double:
        half = np.where(np.abs(values) >= 2 * half * 10.0**SINGLE, half, half + single)
    return half if style == "digits" else np.where(values == 0, 0, half)
