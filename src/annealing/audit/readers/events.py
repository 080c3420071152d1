"""TensorBoard event files, without TensorFlow: each file is what one process wrote.

TensorBoard's own accumulator drops points and purges what a resumed run overlapped, which is what an audit looks for.
The layout is that of TFRecord (length, its checksum, bytes, their checksum) around protocol buffers; tests hold this
reader against tensorboard's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from .names import Roles, is_rate
from .rows import Rows
from .source import Source

BATCH = 50_000
BY_EPOCH = re.compile(r"lr/pg[0-9]+|x/lr[0-9]+")  # Ultralytics and YOLOv5 write one value for an epoch
PLAIN = re.compile(
    rb"(?:\x09.{8})?(?:\x10([\x80-\xff]{0,9}[\x00-\x7f]))?\x2a.\x0a.\x0a(.)(.{1,120})\x15(.{4})", re.DOTALL
)
CLUE = re.compile(rb"lr|learning", re.IGNORECASE)


def recognise(head: bytes) -> bool:
    """Whether bytes begin with a whole TFRecord header, checksum and all."""
    return len(head) >= 12 and int.from_bytes(head[8:12], "little") == masked_checksum(head[:8])


def read(source: Source, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one event file: one row for each step, with a new row where a tag comes again."""
    row: dict[str, float] = {}
    step: int | None = None
    batch: list[tuple[int, dict[str, float]]] = []
    tags: dict[str, None] = {}
    for at, tag, value in _scalars(source, rows, columns):
        if at != step or tag in row:
            step, row = at, {}
            if len(batch) == BATCH:
                _add(rows, batch, tags)
                batch = []
            batch.append((at, row))
        row[tag] = value
        tags[tag] = None
    if batch:
        _add(rows, batch, tags)


def _add(rows: Rows, batch: list[tuple[int, dict[str, float]]], tags: dict[str, None]) -> None:
    if all(BY_EPOCH.fullmatch(tag) for tag in tags):
        rows.unit = "epoch"
    at = [float(step) for step, _ in batch]
    rates = {tag: [row.get(tag) for _, row in batch] for tag in tags}
    rows.add(rates, None if rows.unit == "epoch" else at, at if rows.unit == "epoch" else None)


def _scalars(source: Source, rows: Rows, columns: Roles | None) -> Iterator[tuple[int, str, float]]:
    wanted: dict[bytes, bool] = {name.encode(): True for name in columns.rates} if columns else {}
    for record in _records(source, rows):
        try:
            if (plain := PLAIN.fullmatch(record)) and len(plain[3]) == plain[2][0]:
                step = _varint(plain[1], 0)[0] if plain[1] else 0
                found = [(plain[3], struct.unpack("<f", plain[4])[0])]
            elif columns or CLUE.search(record):
                step, found = _event(record)
            else:
                continue
        except (ValueError, IndexError, struct.error, TypeError, AttributeError):
            rows.repair(f"{source.path.name}: a damaged record left out")
            continue
        for tag, scalar in found:
            if tag not in wanted and len(wanted) < 10_000:
                wanted[tag] = columns is None and is_rate(tag.decode("utf-8", "replace"))
            if scalar is not None and wanted.get(tag):
                yield step - (1 << 64) if step >> 63 else step, tag.decode("utf-8", "replace"), scalar


def _event(record: bytes) -> tuple[int, list[tuple[bytes, float | None]]]:
    """The step of an event and the tags and numbers of its summary."""
    step, found = 0, []
    for number, value in _fields(record):
        if number == 2:
            step = value
        elif number == 5:
            found += [_scalar(part) for kind, part in _fields(value) if kind == 1]
    return step, found


def _records(source: Source, rows: Rows) -> Iterator[bytes]:
    """The records of a file; a torn one at its end is left out."""
    rest, before = b"", 0
    for block in source.blocks():
        rest, place = rest + block, 0
        while place + 12 <= len(rest):
            header = rest[place : place + 8]
            length = int.from_bytes(header, "little")
            if int.from_bytes(rest[place + 8 : place + 12], "little") != masked_checksum(header) or length > 1 << 28:
                rows.repair(f"{source.path.name}: damaged {before + place:,} bytes from its begin; the rest left out")
                return
            if place + 16 + length > len(rest):
                break
            yield rest[place + 12 : place + 12 + length]
            place += 16 + length
        rest, before = rest[place:], before + place
    if rest:
        rows.repair(f"{source.path.name}: its last record is torn and left out")


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
    fields = dict(_fields(part))
    code, content = {1: "<f", 2: "<d"}.get(fields.get(1, 0)), fields.get(4, fields.get(5, fields.get(6, b"")))
    return struct.unpack(code, content)[0] if code and len(content) == struct.calcsize(code) else None


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: numbers as int, everything else as bytes."""
    place, end = 0, len(data)
    while place < end:
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if kind == 2:
            length, place = _varint(data, place)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(kind)
        if place + length > end:
            raise ValueError("torn")
        yield key >> 3, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
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
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
