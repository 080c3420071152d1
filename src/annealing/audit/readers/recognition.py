"""Which format a file has: the one in which it holds the most rates."""

from __future__ import annotations

import re

from ..log import LogError
from . import csv_reader, json_reader, tensorboard
from .column_names import Roles, is_rate
from .log_formats import TABLES, TEXTS, Format, TextFormat
from .regex_reader import Finder
from .text_file import TextFile

HEAD, TAIL = 1 << 15, 1 << 17  # characters of the beginning that are looked at, and of what comes later
WORDS = ("lr", "l.r.", "rate")  # each pattern of a rate has one of them


def format_of(source: TextFile, name: str | None, columns: Roles | None) -> Format | TextFormat:
    """The format that is named, else the one that the content shows."""
    if name == "tensorboard" or (name is None and tensorboard.recognise(source.head)):
        if not tensorboard.recognise(source.head):
            raise LogError(f"{source.path}: not a TensorBoard event file: it does not begin with a TFRecord")
        return TABLES["tensorboard"]
    source.check_text()
    if name in TABLES:
        return TABLES[name]
    sample = source.sample()
    if columns and name is None:
        table = json_reader.recognise(sample)[0] or csv_reader.recognise(sample)[0]
        return table or TABLES["json" if sample.lstrip().startswith(("{", "[")) else "csv"]
    rows = [row for row in TEXTS if name in (None, row.form.name)]
    if name is not None and len(rows) == 1:
        return rows[0]
    tables = [json_reader.recognise(sample), csv_reader.recognise(sample)] if name is None else []
    # The beginning may hold a configuration with rates of its own, so later lines are counted with it.
    if found := _most(tables, rows, source, sample[:HEAD] + sample[HEAD:][-TAIL:]) or _most(
        tables, rows, source, sample
    ):
        return found
    if name is not None:
        return rows[0]
    for piece in TextFile(source.path).pieces():
        if found := _most([], rows, source, piece):
            return found
    if tables[1][0] is not None:
        return tables[1][0]
    raise LogError(f"{source.path}: no learning rate found; name the format, the columns or patterns to look for")


def _most(
    tables: list[tuple[Format | None, int]], rows: list[TextFormat], source: TextFile, sample: str
) -> Format | TextFormat | None:
    """The first format that has at least half as many rates as the one with the most; None if none has any."""
    found: list[tuple[Format | TextFormat, int]] = [(form, count) for form, count in tables if form is not None]
    named = is_rate(source.path.name)
    # Patterns are slow and words are fast. Each line with a rate has one of these words, or the file's name has, so no
    # pattern finds more, and most files are known before all patterns have been tried.
    lines = sample.split("\n")
    limit = len(lines) if named else sum(any(word in line for word in WORDS) for line in sample.lower().split("\n"))
    for row in rows:
        if _winner(found, limit):
            break
        text = "\n".join([line for line in lines if row.word in line]) if row.word else sample
        if text and (not row.named or named) and (not row.sign or re.search(row.sign, text, re.MULTILINE)):
            # Where no known format has a rate, a text needs no more than one to be read as such.
            last = row is TEXTS[-1] and not any(count for _, count in found)
            finder = Finder(row)
            found.append((row, (last and finder.count(text[:HEAD])) or finder.count(text)))
    return _winner(found, 0)


def _winner(found: list[tuple[Format | TextFormat, int]], limit: int) -> Format | TextFormat | None:
    """The first format with at least half of the most rates, if one with up to `limit` rates cannot come before it."""
    most = max((count for _, count in found), default=0)
    # A known format comes before any text, which may count a few rates in settings too.
    form, count = next(((form, count) for form, count in found if most and 2 * count >= most), (None, 0))
    return form if 2 * count >= limit else None
