"""Logs as CSV: Lightning, Keras, Ultralytics, YOLOv5, W&B, and any other with a header."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from ..log import LogError
from .column_names import Roles, rate_names, roles
from .formats import TABLES, Format
from .precision import NUMBER
from .rows import Column, Rows
from .text_file import TextFile

DELIMITERS = ",;\t|"


def recognise(sample: str) -> tuple[Format | None, int]:
    """The format of a text that begins with a header line in which a rate is named, and how many rates follow."""
    header = _header(sample)
    if header is None or not (rates := rate_names(header)):
        return None, 0
    rows = csv.reader(_cut(sample)[1].split("\n"), delimiter=_delimiter(_first(sample)), skipinitialspace=True)
    places, count = [header.index(name) for name in rates], 0
    with contextlib.suppress(csv.Error):
        for row in rows:
            count += any(place < len(row) and NUMBER.fullmatch(row[place].replace(",", ".")) for place in places)
    return TABLES[_kind([name.strip() for name in header])], count


def _kind(names: list[str]) -> str:
    if any(name.startswith("x/lr") for name in names):
        return "yolov5"
    if any(name.startswith("lr/pg") for name in names):
        return "ultralytics"
    if "_step" in names or any(" - " in name for name in names):
        return "wandb"
    if "step" in names and any(name.startswith("lr-") for name in names):
        return "lightning"
    if names[0] == "epoch" and names[1:] == sorted(names[1:]) and any(name.endswith("loss") for name in names):
        return "keras"
    return "csv"


def _first(sample: str) -> str:
    """The header line: the first that is neither blank nor a comment."""
    return next((line for line in sample.lstrip("\ufeff").split("\n") if line.strip() and line[0] != "#"), "")


def _header(sample: str) -> list[str] | None:
    line = _first(sample)
    cells = _cells(line, _delimiter(line))
    return cells if len(cells) > 1 and len(line) < 100_000 else None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _cut(piece: str) -> tuple[str, str]:
    """A piece up to the end of its header line, and the rest."""
    piece, end = piece.lstrip("\ufeff"), 0
    for line in piece.split("\n"):
        end += len(line) + 1
        if line.strip() and line[0] != "#":
            break
    return piece[:end], piece[end:]


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one CSV file."""
    header = _header(source.sample())
    if header is None:
        raise LogError(f"{source.path}: expected a header line with the names of at least two columns")
    found = columns or roles(header)
    for name in (*found.rates, found.update, found.epoch):
        if name is not None and name not in header:
            raise LogError(f"{source.path}: no column {name!r}; there are {', '.join(map(repr, header[:20]))}")
    if not found.rates:
        raise LogError(f"{source.path}: no column is named like a learning rate: {', '.join(map(repr, header[:20]))}")
    delimiter = _delimiter(_first(source.sample()))
    rates = [header.index(name) for name in found.rates]
    update, epoch = (None if name is None else header.index(name) for name in (found.update, found.epoch))
    CsvTable(source, rows, header, delimiter, rates, update, epoch).read()


@dataclass
class CsvTable:
    """A CSV file, and in which of its columns the rates, the update and the epoch stand."""

    source: TextFile
    rows: Rows
    header: list[str]
    delimiter: str
    rates: list[int]
    update: int | None
    epoch: int | None
    short: int = 0  # rows with too few cells
    begun: bool = False  # a header line was read

    def __post_init__(self) -> None:
        self.wanted = [*self.rates, *(place for place in (self.update, self.epoch) if place is not None)]
        self.need = max(self.wanted)

    def read(self) -> None:
        pieces = self.source.pieces()
        head, first = _cut(next(pieces, ""))
        self._by_row(head, iter(()))
        for piece in chain([first], pieces):
            self._by_row(piece, pieces)
        if self.short:
            self.rows.leave_out(self.short, "with too few cells", self.source.path.name)

    def _by_row(self, piece: str, pieces: Iterator[str]) -> None:
        """Add the rows of a piece, and of the next ones where a quoted cell goes on."""
        lines = _Lines(piece, pieces)
        batch = list[list[str]]()
        try:
            for row in csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True):
                lines.inside = False
                batch.append(row)
        except csv.Error as error:
            raise LogError(f"{self.source.path}: damaged CSV: {error}") from None
        whole = [row for row in batch if len(row) > self.need]
        self.short += sum(map(bool, batch)) - len(whole)
        for part in _runs(whole, self.header, self.rates[0]):
            if part and part[0] is self.header:
                if self.begun:
                    self.rows.start()
                    self.rows.repair(
                        f"{self.source.path.name}: its header line comes again; what follows is another process"
                    )
                self.begun, part = True, part[1:]
            if len(self.rates) == 1:
                part = [row for row in part if row[self.rates[0]]]
            else:
                part = [row for row in part if any(row[place] for place in self.rates)]
            if part:
                self._add({place: [self._point(row[place]) for row in part] for place in self.wanted})
                self.rows.torn = self.source.open_end and self.need in self.rates and len(part[-1]) == self.need + 1

    def _add(self, columns: Mapping[int, Column]) -> None:
        update, epoch = (None if place is None else columns[place] for place in (self.update, self.epoch))
        self.rows.add({self.header[place]: columns[place] for place in self.rates}, {"update": update, "epoch": epoch})

    def _point(self, cell: str) -> str:
        return cell.replace(",", ".") if self.delimiter == ";" else cell


class _Lines:
    """The lines of a piece, and of the next ones while a row is not at its end."""

    def __init__(self, piece: str, pieces: Iterator[str]) -> None:
        self.lines, self.pieces, self.inside = iter(piece.split("\n")), pieces, False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            for line in self.lines:
                if line[:1] != "#":
                    self.inside = True
                    return line
            if not self.inside:
                raise StopIteration
            self.lines = iter(next(self.pieces).split("\n"))


def _runs(batch: list[list[str]], header: list[str], place: int) -> Iterator[list[list[str]]]:
    """The rows between header lines; each part but the first begins with the header itself."""
    name, part = header[place], list[list[str]]()
    if name not in [row[place] for row in batch]:
        yield batch
        return
    for row in batch:
        if row[place] == name:
            yield part
            part = [header]
        else:
            part.append(row)
    yield part
