"""Logs as CSV: Lightning, Keras, Ultralytics, YOLOv5, W&B, and any other with a header."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Iterator

from ..log import LogError
from .log_formats import FORMATS, Format, Roles, is_rate, rate_names, roles
from .precision import NUMBER
from .rows import BATCH, Rows
from .text_file import TextFile

DELIMITERS = ",;\t|"  # and blanks, where there is none of these


def recognise(sample: str) -> dict[Format, int]:
    """The format of a text whose header line names a rate, with how many rates follow."""
    header, delimiter = _header(sample)
    places, count, others = [header.index(name) for name in rate_names(header)], 0, 0
    if not places:
        return {}
    with contextlib.suppress(csv.Error):
        for row in _cells(_lines(sample), delimiter):
            good = any(place < len(row) and NUMBER.fullmatch(row[place].replace(",", ".")) for place in places)
            count, others = count + good, others + (not good)
    # Any sentence is a header of words set apart by blanks, but the lines below it are no table.
    if delimiter == " " and count < 9 * (others - 1):
        return {}
    return {FORMATS[_kind([name.strip() for name in header])]: count}


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


def _header(sample: str) -> tuple[list[str], str]:
    """The names in the header line, the first that is neither blank nor a comment, and what stands between them."""
    line = next((line for line in sample.lstrip("\ufeff").split("\n") if line.strip() and line[0] != "#"), "")
    most = max(DELIMITERS, key=line.count)
    delimiter = most if most in line or is_rate(line.strip()) else " "
    names = list[str]()
    with contextlib.suppress(csv.Error):
        names = next(_cells([line], delimiter), [])
    good = (len(names) > 1 or (names and is_rate(names[0]))) and len(line) < 100_000
    return (names if good else []), delimiter


def _cells(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _lines(piece: str) -> list[str]:
    """The lines of a piece except comments, with their line ends, since a quoted cell may span several lines."""
    return [f"{line}\n" for line in piece.lstrip("\ufeff").split("\n") if line[:1] not in ("", "#")]


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one CSV file."""
    header, delimiter = _header(source.sample)
    if not header:
        raise LogError(f"{source.path}: expected a header line with the names of at least two columns")
    wanted = columns or roles(header)
    for name in (*wanted.rates, *wanted[1:]):
        if name is not None and name not in header:
            raise LogError(f"{source.path}: no column {name!r}; there are {', '.join(map(repr, header[:20]))}")
    if not wanted.rates:
        raise LogError(f"{source.path}: no column is named like a learning rate: {', '.join(map(repr, header[:20]))}")
    rates = {name: header.index(name) for name in wanted.rates}
    told = {kind: header.index(name) for kind, name in wanted._asdict().items() if isinstance(name, str)}
    places = [*rates.values(), *told.values()]
    part, need, short, begun = list[list[str]](), max(places), 0, False

    def add() -> None:
        if not part:
            return
        columns = {place: [row[place] for row in part] for place in places}
        if delimiter == ";":  # Spreadsheets of many countries write 0,5 and separate cells by semicolons.
            columns = {place: [cell.replace(",", ".") for cell in column] for place, column in columns.items()}
        said = {kind: columns[place] for kind, place in told.items()}
        rows.add_columns({name: columns[place] for name, place in rates.items()}, said, len(part))
        rows.torn = source.open_end and need in rates.values() and len(part[-1]) == need + 1
        part.clear()

    for row in _table(source, delimiter):
        if len(row) <= need:
            short += bool(row)
        elif row[places[0]] == wanted.rates[0]:
            add()
            if begun:
                rows.start()
                rows.note("the header line is repeated; the rows after it are those of another process")
            begun = True
        elif any(map(row.__getitem__, rates.values())):
            part.append(row)
            if len(part) == BATCH:
                add()
    add()
    rows.leave_out(short, "with too few cells")


def _table(source: TextFile, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from _cells((line for piece in source.pieces() for line in _lines(piece)), delimiter)
    except csv.Error as error:
        raise LogError(f"{source.path}: damaged CSV: {error}") from None
