"""Lines that differ in nothing but their digits, so that what a careful reader says of one of them holds for all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .digits import Form, Numbers
from .digits import form_of as printed_form
from .precision import Cells

Places = NDArray[np.intp]
LEAST = 1 << 14  # characters of a piece: what is shorter is read line by line
MOST = 64  # kinds of lines in a piece, and one more for every 64 lines
WHOLE, FRACTION = 18, 26  # digits in a row, before and after a point: what is longer is read line by line
ZERO = 1000  # the mark of a line's first run of digits


@dataclass(frozen=True, eq=False)
class Alike:
    """Lines that are equal but for their digits.

    short: one of them, with a zero for every run of digits. lines: their numbers in the piece. first: the number of
    each line's first run of digits among those of the piece.
    """

    short: str
    lines: Places
    first: Places

    @cached_property
    def marked(self) -> str:
        """A line whose runs of digits are their own numbers, 1000 and on, by which what is read of it is found."""
        numbers = iter(range(ZERO, 10 * ZERO))
        return re.sub("0", lambda _: str(next(numbers)), self.short)

    def __getitem__(self, which: NDArray[np.bool_]) -> Alike:
        return Alike(self.short, self.lines[which], self.first[which])


class Piece:
    """The lines of a text, sorted by what they are but for their digits."""

    def __init__(self, numbers: Numbers, count: int, kinds: list[Alike]) -> None:
        self.numbers, self.count, self.kinds = numbers, count, kinds

    def cells(self, alike: Alike, form: Form) -> Cells:
        """What the lines hold where the marked line has a number of this form."""
        return self.numbers.cells(form, alike.first)

    def column(self, texts: Iterable[tuple[Alike, str | None]]) -> Cells:
        """What the lines of some kinds hold, in their order, where each kind's marked line has a text."""
        kinds = list(texts)
        lines = kinds[0][0].lines
        if len(kinds) > 1:
            lines = np.sort(np.concatenate([kind.lines for kind, _ in kinds]))
        column = None
        for kind, text in kinds:
            if form := form_of(text or ""):
                if len(kinds) == 1:
                    return self.cells(kind, form)
                column = column or Cells.none(len(lines))
                column.put(np.searchsorted(lines, kind.lines), self.cells(kind, form))
        return column or Cells.none(len(lines))

    def longest(self, alike: Alike) -> str:
        """A line with a zero for every digit, of which each run has as many as in any of the lines."""
        most = iter(self.numbers.longest(alike.first, alike.short.count("0")))
        return re.sub("0", lambda _: "0" * next(most), alike.short)

    def equal(self, alike: Alike, text: str) -> NDArray[np.bool_]:
        """Whether lines have the same digits as the first of them where the marked line has those of a text."""
        same = np.ones(len(alike.lines), bool)
        for slot in slots(text):
            same &= self.numbers.equal(alike.first + slot)
        return same

    def begin_with_zeros(self, alike: Alike, numbers: list[str]) -> bool:
        """Whether any of the lines has a zero before another digit where the marked line has numbers."""
        return any(self.numbers.padded_with_zeros(alike.first + slots(number)[0]) for number in numbers)

    def original(self, alike: Alike, text: str) -> str:
        """A text out of the marked line, as it stands in the first of the lines."""
        runs = iter(slots(text))
        return re.sub("[0-9]+", lambda _: self.numbers.text(int(alike.first[0]) + next(runs)), text)


def form_of(text: str) -> Form | None:
    """The form of a number out of a marked line; None for what is none."""
    return printed_form(text, ZERO)


def slots(text: str) -> list[int]:
    """The numbers of the runs of digits in a text out of a marked line."""
    return [int(run) - ZERO for run in re.findall("[0-9]+", text)]


def sorted_out(text: str, end: str = "\n") -> Piece | None:
    """The lines of a text, each with its end, or None where too few of them are alike."""
    if len(text) < LEAST or not text.endswith(end):
        return None
    data = np.frombuffer(text.encode(), np.uint8)
    digit = data - np.uint8(48) < 10
    edge = np.empty(len(data) + 1, bool)
    edge[0], edge[-1] = digit[0], digit[-1]
    np.not_equal(digit[1:], digit[:-1], out=edge[1:-1])
    edges = np.flatnonzero(edge)
    begins, ends = edges[::2], edges[1::2]
    length = ends - begins
    if (long := np.flatnonzero(length > WHOLE)).size and (
        length[long].max() > FRACTION or np.any(data[begins[long] - 1] != ord("."))
    ):
        return None
    np.logical_not(digit, out=digit)
    digit[begins] = True
    short = np.where(digit & (data - np.uint8(48) < 10), np.uint8(48), data)[digit]
    stops = np.flatnonzero(short == ord(end))
    starts = np.concatenate([[0], stops[:-1] + 1])
    first = np.searchsorted(np.flatnonzero(short == 48), starts)
    kinds = []
    for alike in _kinds(short, starts, stops - starts, first):
        kinds.append(alike)
        if len(kinds) > MOST + len(stops) // 64 or alike.short.count("0") > 9 * ZERO:
            return None
    return Piece(Numbers(data, begins, ends), len(stops), kinds)


def _kinds(short: NDArray[np.uint8], starts: Places, lengths: Places, first: Places) -> Iterator[Alike]:
    for length in np.unique(lengths[lengths > 0]).tolist():
        lines = np.flatnonzero(lengths == length)
        texts = np.ndarray((len(short) - length + 1,), f"S{length}", short.data, strides=(1,))[starts[lines]]
        while len(lines):
            same = texts == texts[0]
            chosen = lines[same]
            yield Alike(bytes(texts[0]).decode(), chosen, first[chosen])
            lines, texts = lines[~same], texts[~same]
