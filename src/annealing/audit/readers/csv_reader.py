"""Logs as CSV: Lightning, Keras, Ultralytics, YOLOv5, W&B, and any other with a header."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ..log import LogError
from .column_names import Roles, is_rate, rate_names, roles
from .log_formats import TABLES, Format
from .precision import NUMBER
from .rows import Rows
from .text_file import TextFile

DELIMITERS = ",;\t|"  # and blanks, where there is none of these
BATCH = 20_000  # rows at once


def recognise(sample: str) -> tuple[Format | None, int]:
    """The format of a text whose header line names a rate, and how many rates follow; None without such a header."""
    header = _header(sample)
    if header is None or not (rates := rate_names(header)):
        return None, 0
    delimiter, places, count, others = _delimiter(_first(sample)), [header.index(name) for name in rates], 0, 0
    with contextlib.suppress(csv.Error):
        for row in csv.reader(_lines(sample), delimiter=delimiter, skipinitialspace=True):
            good = any(place < len(row) and NUMBER.fullmatch(row[place].replace(",", ".")) for place in places)
            count, others = count + good, others + (not good)
    # Any sentence is a header of words set apart by blanks, but the lines below it are no table.
    if delimiter == " " and count < 9 * (others - 1):
        return None, 0
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
    return cells if (len(cells) > 1 or (cells and is_rate(cells[0]))) and len(line) < 100_000 else None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _delimiter(line: str) -> str:
    most = max(DELIMITERS, key=line.count)
    return most if most in line or is_rate(line.strip()) else " "


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one CSV file."""
    header = _header(source.sample())
    if header is None:
        raise LogError(f"{source.path}: expected a header line with the names of at least two columns")
    found = columns or roles(header)
    for name in (*found.rates, *found[1:]):
        if name is not None and name not in header:
            raise LogError(f"{source.path}: no column {name!r}; there are {', '.join(map(repr, header[:20]))}")
    if not found.rates:
        raise LogError(f"{source.path}: no column is named like a learning rate: {', '.join(map(repr, header[:20]))}")
    delimiter = _delimiter(_first(source.sample()))
    rates = [header.index(name) for name in found.rates]
    told = {kind: header.index(name) for kind, name in found._asdict().items() if isinstance(name, str)}
    CsvTable(source, rows, header, delimiter, rates, told).read()


@dataclass
class CsvTable:
    """A CSV file, and in which of its columns the rates stand, and the update, the epoch and their like."""

    source: TextFile
    rows: Rows
    header: list[str]
    delimiter: str
    rates: list[int]
    told: dict[str, int]

    def __post_init__(self) -> None:
        self.wanted = [*self.rates, *self.told.values()]
        self.need = max(self.wanted)

    def read(self) -> None:
        short, begun = 0, False
        lines = (line for piece in self.source.pieces() for line in _lines(piece))
        reader = csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True)
        while batch := self._batch(reader):
            whole = [row for row in batch if len(row) > self.need]
            short += sum(map(bool, batch)) - len(whole)
            for part in _parts(whole, self.header, self.rates[0]):
                if part and part[0] is self.header:
                    if begun:
                        self.rows.start()
                        self.rows.note("the header line is repeated; the rows after it are those of another process")
                    begun, part = True, part[1:]
                self._add(part)
        self.rows.leave_out(short, "with too few cells")

    def _batch(self, reader: Iterator[list[str]]) -> list[list[str]]:
        try:
            return list(islice(reader, BATCH))
        except csv.Error as error:
            raise LogError(f"{self.source.path}: damaged CSV: {error}") from None

    def _add(self, part: list[list[str]]) -> None:
        part = [row for row in part if any(row[place] for place in self.rates)]
        if part:
            columns = {place: [self._point(row[place]) for row in part] for place in self.wanted}
            told = {kind: columns[place] for kind, place in self.told.items()}
            self.rows.add({self.header[place]: columns[place] for place in self.rates}, told)
            self.rows.torn = self.source.open_end and self.need in self.rates and len(part[-1]) == self.need + 1

    def _point(self, cell: str) -> str:
        # Spreadsheets of many countries write 0,5 and separate cells by semicolons.
        return cell.replace(",", ".") if self.delimiter == ";" else cell


def _lines(piece: str) -> list[str]:
    """The lines of a piece except comments, with their line ends, since a quoted cell may span several lines."""
    return [f"{line}\n" for line in piece.lstrip("\ufeff").split("\n") if line[:1] not in ("", "#")]


def _parts(batch: list[list[str]], header: list[str], place: int) -> Iterator[list[list[str]]]:
    """The rows between header lines; each part but the first starts with the header itself."""
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
