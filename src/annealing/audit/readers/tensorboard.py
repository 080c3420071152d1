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

BATCH = 50_000
BY_EPOCH = re.compile(r"lr/pg[0-9]+|x/lr[0-9]+")  # Ultralytics and YOLOv5 write one value for an epoch
CLUE = re.compile(rb"lr|learning", re.IGNORECASE)


def recognise(head: bytes) -> bool:
    """Whether bytes begin with a whole TFRecord header, checksum and all."""
    return len(head) >= 12 and int.from_bytes(head[8:12], "little") == masked_checksum(head[:8])


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one event file: one per step, and a new one where a tag is repeated."""
    batch, tags = list[tuple[int, dict[str, float]]](), dict[str, None]()
    for step, tag, value in _rates(source, rows, columns):
        if not batch or step != batch[-1][0] or tag in batch[-1][1]:
            if len(batch) == BATCH:
                _add(rows, batch, tags)
                batch = []
            batch.append((step, {}))
        batch[-1][1][tag] = value
        tags[tag] = None
    if batch:
        _add(rows, batch, tags)


def _add(rows: Rows, batch: list[tuple[int, dict[str, float]]], tags: dict[str, None]) -> None:
    if all(BY_EPOCH.fullmatch(tag) for tag in tags):
        rows.form = rows.form._replace(unit="epoch")
    rates = {tag: [row.get(tag) for _, row in batch] for tag in tags}
    rows.add(rates, {rows.form.unit or "update": [step for step, _ in batch]})


def _rates(source: TextFile, rows: Rows, columns: Roles | None) -> Iterator[tuple[int, str, float]]:
    """The step, the tag and the value of each rate in a file."""
    is_wanted = columns.rates.__contains__ if columns else lru_cache(is_rate)
    for record in _records(source, rows):
        # A quick look for the letters of a rate's name spares most records of a log the decoding.
        if not columns and not CLUE.search(record):
            continue
        try:
            step, found = event(record)
        except (ValueError, IndexError, struct.error, TypeError, AttributeError):
            rows.note("a damaged record was left out")
            continue
        # Steps are int64, which a protocol buffer writes as unsigned.
        step = step - (1 << 64) if step >> 63 else step
        for name, value in found:
            if value is not None and is_wanted(tag := name.decode("utf-8", "replace")):
                yield step, tag, value


def _records(source: TextFile, rows: Rows) -> Iterator[bytes]:
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


def event(record: bytes) -> tuple[int, list[tuple[bytes, float | None]]]:
    """The step of an event and the tags and numbers of its summary."""
    step, found = 0, []
    for number, value in _fields(record):
        if number == 2:
            step = int.__index__(value)  # a TypeError where it is bytes
        elif number == 5:
            found += [_scalar(part) for kind, part in _fields(value) if kind == 1]
    return step, found


def _scalar(value: bytes) -> tuple[bytes, float | None]:
    """The tag and the number of a Summary.Value; TensorFlow 2 writes its numbers as tensors."""
    tag, number = b"", None
    for field, part in _fields(value):
        if field == 1:
            tag = bytes(part)
        elif field == 2:
            number = struct.unpack("<f", part)[0]
        elif field == 8:
            number = _tensor(part)
    return tag, number


def _tensor(part: bytes) -> float | None:
    # Type 1 is float and 2 is double; the value is packed content, or a list of one float or double.
    fields = dict(_fields(part))
    code, content = {1: "<f", 2: "<d"}.get(fields.get(1, 0)), fields.get(4, fields.get(5, fields.get(6, b"")))
    return struct.unpack(code, content)[0] if code and len(content) == struct.calcsize(code) else None


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: numbers as int, everything else as bytes."""
    place, end = 0, len(data)
    while place < end:
        key, place = varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = varint(data, place)
            yield key >> 3, value
            continue
        if kind == 2:
            length, place = varint(data, place)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(kind)
        if place + length > end:
            raise ValueError("torn")
        yield key >> 3, data[place : place + length]
        place += length


def varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, place
        shift += 7
        if shift > 63:
            raise ValueError("too long")


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


REMAINDERS = [_remainder(byte) for byte in range(256)]


@lru_cache(4096)
def masked_checksum(data: bytes) -> int:
    """The masked CRC-32C of TFRecord."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ REMAINDERS[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    # TensorFlow rotates and offsets checksums, so that a checksum of data with checksums in it stays a good one.
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
