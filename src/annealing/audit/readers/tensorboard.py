"""TensorBoard event files, without TensorFlow: each file is what one process wrote.

TensorBoard's own accumulator drops points, and those that a resumed run wrote again, which an audit needs. The layout
is TFRecord (length, its checksum, bytes, their checksum) around protocol buffers; the tests compare this reader with
tensorboard's own.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from .log_formats import Roles, is_rate
from .rows import Rows
from .text_file import TextFile

BY_EPOCH = re.compile(r"lr/pg[0-9]+|x/lr[0-9]+")  # Ultralytics and YOLOv5 write one value for an epoch
CLUE = re.compile(rb"lr|learning", re.IGNORECASE)


def recognise(head: bytes) -> bool:
    """Whether bytes begin with a whole TFRecord header, checksum and all."""
    return len(head) >= 12 and int.from_bytes(head[8:12], "little") == masked_checksum(head[:8])


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one event file: one per step, and a new one where a tag is repeated."""
    row, at = dict[str, float](), 0
    for step, tag, value in _rates(source, rows, columns):
        if row and (step != at or tag in row):
            _add(rows, row, at)
            row = {}
        row[tag], at = value, step
    if row:
        _add(rows, row, at)


def _add(rows: Rows, row: dict[str, float], step: int) -> None:
    if not (rows.count or rows.batch) and all(map(BY_EPOCH.fullmatch, row)):
        rows.form = rows.form._replace(unit="epoch")
    rows.add(row, {rows.form.unit or "update": step})


def _rates(source: TextFile, rows: Rows, columns: Roles | None) -> Iterator[tuple[int, str, float]]:
    """The step, the tag and the value of each rate in a file."""
    is_wanted = columns.rates.__contains__ if columns else lru_cache(is_rate)
    for record in _records(source, rows):
        # A quick look for the letters of a rate's name spares most records of a log the decoding.
        if not columns and not CLUE.search(record):
            continue
        try:
            found = list(_scalars(record))
        except (ValueError, LookupError, struct.error, TypeError, AttributeError):
            rows.note("a damaged record was left out")
            continue
        yield from (scalar for scalar in found if is_wanted(scalar[1]))


def _records(source: TextFile, rows: Rows) -> Iterator[bytes]:
    """The TFRecords of a file: length, its checksum, bytes, their checksum."""
    rest, before = b"", 0
    for block in source.blocks():
        rest, place = rest + block, 0
        while place + 12 <= len(rest):
            length = int.from_bytes(rest[place : place + 8], "little")
            # The checksum of the length is checked, since a wrong length would lose the rest of the file; that of
            # the record is not, because a wrong value shows and Python needs a second for each megabyte.
            if not recognise(rest[place : place + 12]) or length > 1 << 28:
                rows.note(f"damaged at byte {before + place:,}; the rest was left out")
                return
            if place + 16 + length > len(rest):
                break
            yield rest[place + 12 : place + 12 + length]
            place += 16 + length
        rest, before = rest[place:], before + place
    if rest:
        rows.note("its last record is cut off and was left out")


@lru_cache(4096)
def masked_checksum(data: bytes) -> int:
    """The masked CRC-32C of TFRecord."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    # TensorFlow rotates and offsets checksums, so that a checksum of data with checksums in it stays a good one.
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _scalars(record: bytes) -> Iterator[tuple[int, str, float]]:
    """The step, the tag and the number of each scalar in the summary of an event."""
    event = list(_fields(record))
    # Steps are int64, which a protocol buffer writes as unsigned.
    step = (dict(event).get(2, 0) + (1 << 63)) % (1 << 64) - (1 << 63)
    for summary in (value for number, value in event if number == 5):
        for value in (value for number, value in _fields(summary) if number == 1):
            parts = dict(_fields(value))
            code, content = "<f", parts.get(2, b"")
            if 8 in parts:  # TensorFlow 2 writes its numbers as tensors, packed or as a list of one
                tensor = dict(_fields(parts[8]))
                code = {1: "<f", 2: "<d"}.get(tensor.get(1, 0), "")
                content = tensor.get(4, tensor.get(5, tensor.get(6, b"")))
            if content and len(content) == struct.calcsize(code):
                yield step, parts.get(1, b"").decode("utf-8", "replace"), struct.unpack(code, content)[0]


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: numbers as int, everything else as bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        length, place = _varint(data, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
        if place + length > len(data):
            raise ValueError("torn")
        yield key >> 3, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count in range(10):
        byte = data[place + count]
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value & (1 << 64) - 1, place + count + 1
    raise ValueError("too long")
