"""Logs as CSV: Lightning, Keras, Ultralytics, YOLOv5, W&B, and any other with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice

from ..log import LogError
from .kinds import TABLES, Format
from .names import Roles, rate_names, roles
from .rows import Rows, counted
from .source import Source

BATCH = 20_000  # rows
DELIMITERS = ",;\t|"


def recognise(sample: str) -> Format | None:
    """The format of a text that begins with a header line in which a rate is named."""
    header = _header(sample)
    if header is None or not rate_names(header):
        return None
    names = [name.strip() for name in header]
    if any(name.startswith("x/lr") for name in names):
        return TABLES["yolov5"]
    if any(name.startswith("lr/pg") for name in names):
        return TABLES["ultralytics"]
    if "_step" in names or any(" - " in name for name in names):
        return TABLES["wandb"]
    if "step" in names and any(name.startswith("lr-") for name in names):
        return TABLES["lightning"]
    if names[0] == "epoch" and names[1:] == sorted(names[1:]) and any(name.endswith("loss") for name in names):
        return TABLES["keras"]
    return TABLES["csv"]


def _header(sample: str) -> list[str] | None:
    line = next((line for line in sample.lstrip("\ufeff").split("\n") if line.strip() and line[0] != "#"), "")
    cells = _cells(line, _delimiter(line))
    return cells if len(cells) > 1 and len(line) < 100_000 else None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)


def read(source: Source, rows: Rows, columns: Roles | None) -> None:
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
    delimiter = _delimiter(next(line for line in source.sample().split("\n") if line.strip() and line[0] != "#"))
    reader = csv.reader(_lines(source), delimiter=delimiter, skipinitialspace=True)
    rates = [header.index(name) for name in found.rates]
    update, epoch = (None if name is None else header.index(name) for name in (found.update, found.epoch))
    need = max([*rates, *(place for place in (update, epoch) if place is not None)])
    short, first = 0, True
    while batch := _batch(reader, source):
        whole = [row for row in batch if len(row) > need]
        short += sum(map(bool, batch)) - len(whole)
        for part in _runs(whole, header, rates[0]):
            if part and part[0] is header:
                if not first:
                    rows.start()
                    rows.repair(f"{source.path.name}: its header line comes again; what follows is another process")
                first, part = False, part[1:]
            if len(rates) == 1:
                part = [row for row in part if row[rates[0]]]
            else:
                part = [row for row in part if any(row[place] for place in rates)]
            if part:
                rows.add(
                    {header[place]: _column(part, place, delimiter) for place in rates},
                    None if update is None else _column(part, update, delimiter),
                    None if epoch is None else _column(part, epoch, delimiter),
                )
                rows.torn = source.open_end and len(batch) < BATCH and need in rates and len(part[-1]) == need + 1
    if short:
        rows.repair(f"{source.path.name}: {counted(short, 'row')} with too few cells left out")


def _lines(source: Source) -> Iterator[str]:
    for piece in source.pieces():
        yield from (line for line in piece.lstrip("\ufeff").split("\n") if line[:1] != "#")


def _batch(reader: Iterator[list[str]], source: Source) -> list[list[str]]:
    try:
        return list(islice(reader, BATCH))
    except csv.Error as error:
        raise LogError(f"{source.path}: damaged CSV: {error}") from None


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


def _column(part: list[list[str]], place: int, delimiter: str) -> list[str]:
    cells = [row[place] for row in part]
    return [cell.replace(",", ".") for cell in cells] if delimiter == ";" else cells
