"""TFRecords, and the protocol buffers of TensorBoard events inside them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any


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
