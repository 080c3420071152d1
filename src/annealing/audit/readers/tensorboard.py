"""TensorBoard event files, without TensorFlow: each file is what one process wrote.

TensorBoard's own accumulator drops points and purges what a resumed run overlapped, which is what an audit looks for.
The layout is that of TFRecord (length, its checksum, bytes, their checksum) around protocol buffers; tests hold this
reader against tensorboard's. Where the same tags come step after step, records are read many at once.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .column_names import Roles, is_rate
from .precision import Floats
from .rows import Column, Rows
from .text_file import Source
from .tfrecord import event, masked_checksum, varint

BATCH = 50_000
LEAST = 16  # steps in which the same tags come, from which they are read at once
MOST_TAGS = 64  # looked at for such a repetition
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
    Events(source, rows, columns).read()


class Plain(NamedTuple):
    """An event of one scalar: its record, its tag, and where in the record its step and its value stand."""

    record: bytes
    tag: bytes
    step: tuple[int, int]
    value: int

    def same(self, table: NDArray[np.uint8], begin: int) -> int:
        """How many rows, from the first on, have such a record from a column on."""
        time = (13, 21) if self.record[12] == 9 else (12, 12)
        kept = (0, *time, *self.step, self.value, self.value + 4, len(self.record) - 4)
        for first, end in zip(kept[::2], kept[1::2], strict=True):
            if first < end:
                texts = _column(table, begin + first, f"S{end - first}")
                table = table[: _before(texts != np.bytes_(self.record[first:end]))]
        for place in range(*self.step):
            table = table[: _before((table[:, begin + place] >= 128) != (place + 1 < self.step[1]))]
        return len(table)

    def steps(self, table: NDArray[np.uint8], begin: int) -> Floats:
        found = np.zeros(len(table), np.uint64)
        for number, place in enumerate(range(*self.step)):
            found |= (table[:, begin + place] & np.uint8(127)).astype(np.uint64) << np.uint64(7 * number)
        return found.astype(np.float64)

    def values(self, table: NDArray[np.uint8], begin: int) -> Floats:
        return _column(table, begin + self.value, "<f4").astype(np.float64)


class Events:
    """One event file while it is read."""

    def __init__(self, source: Source, rows: Rows, columns: Roles | None) -> None:
        self.source, self.rows, self.named = source, rows, columns is not None
        self.wanted: dict[bytes, bool] = {name.encode(): True for name in columns.rates} if columns else {}
        self.row: dict[str, float] = {}
        self.step: int | float | None = None
        self.batch: list[tuple[int, dict[str, float]]] = []
        self.tags: dict[str, None] = {}
        self.wait = self.failed = 0  # records until a repetition is looked for again, and after it failed last

    def read(self) -> None:
        rest, before = b"", 0
        for block in self.source.blocks():
            rest, place = rest + block, 0
            while place + 12 <= len(rest):
                if self.wait:
                    self.wait -= 1
                elif many := self._many(rest, place):
                    place += many
                    continue
                header = rest[place : place + 8]
                length = int.from_bytes(header, "little")
                if (
                    int.from_bytes(rest[place + 8 : place + 12], "little") != masked_checksum(header)
                    or length > 1 << 28
                ):
                    name = self.source.path.name
                    self.rows.repair(f"{name}: damaged {before + place:,} bytes from its begin; the rest left out")
                    return self._flush()
                if place + 16 + length > len(rest):
                    break
                self._one(rest[place + 12 : place + 12 + length])
                place += 16 + length
            rest, before = rest[place:], before + place
        if rest:
            self.rows.repair(f"{self.source.path.name}: its last record is torn and left out")
        return self._flush()

    def _one(self, record: bytes) -> None:
        """Add what one record holds."""
        try:
            if (plain := PLAIN.fullmatch(record)) and len(plain[3]) == plain[2][0]:
                step = varint(plain[1], 0)[0] if plain[1] else 0
                found: list[tuple[bytes, float | None]] = [(plain[3], struct.unpack("<f", plain[4])[0])]
            elif self.named or CLUE.search(record):
                step, found = event(record)
            else:
                return
        except (ValueError, IndexError, struct.error, TypeError, AttributeError):
            self.rows.repair(f"{self.source.path.name}: a damaged record left out")
            return
        step = step - (1 << 64) if step >> 63 else step
        for name, scalar in found:
            if scalar is None or not self._is_wanted(name):
                continue
            tag = name.decode("utf-8", "replace")
            if step != self.step or tag in self.row:
                self.step, self.row = step, {}
                if len(self.batch) == BATCH:
                    self._flush()
                self.batch.append((step, self.row))
            self.row[tag] = scalar
            self.tags[tag] = None

    def _is_wanted(self, tag: bytes) -> bool:
        if tag not in self.wanted and len(self.wanted) < 10_000:
            self.wanted[tag] = not self.named and is_rate(tag.decode("utf-8", "replace"))
        return self.wanted.get(tag, False)

    def _flush(self) -> None:
        if self.batch:
            rates = {tag: [row.get(tag) for _, row in self.batch] for tag in self.tags}
            self._add(rates, [float(step) for step, _ in self.batch])
            self.batch = []

    def _add(self, rates: Mapping[str, Column], at: Column) -> None:
        if all(BY_EPOCH.fullmatch(tag) for tag in self.tags):
            self.rows.unit = "epoch"
        by_epoch = self.rows.unit == "epoch"
        self.rows.add(rates, None if by_epoch else at, at if by_epoch else None)

    def _many(self, data: bytes, place: int) -> int:
        """Add the rows of the next steps that all have the same tags; how many bytes those are."""
        self.wait = self.failed = min(2 * self.failed + 1, 1 << 12)
        events = _repeated(data, place)
        steps = [varint(one.record, one.step[0])[0] if one.step[1] > one.step[0] else 0 for one in events]
        if not events or (other := next((i for i, step in enumerate(steps) if step != steps[0]), 0)):
            self.wait = other if events else self.wait  # at the begin of a step there is more hope
            return 0
        begins = [0, *accumulate(len(one.record) for one in events)]
        size = begins.pop()
        kept = [(one, begin) for one, begin in zip(events, begins, strict=True) if self._is_wanted(one.tag)]
        names = [one.tag.decode("utf-8", "replace") for one, _ in kept]
        if len(set(names)) < len(names) or (kept and steps[0] == self.step and names[0] not in self.row):
            return 0
        count = (len(data) - place) // size
        table = np.frombuffer(data, np.uint8, count * size, place).reshape(count, size)
        for one, begin in zip(events, begins, strict=True):
            table = table[: one.same(table, begin)]
        for one, begin in kept[1:]:
            table = table[: _before(one.steps(table, begin) != kept[0][0].steps(table, kept[0][1]))]
        if len(table) < LEAST:
            return 0
        self.wait = self.failed = 0
        if kept:
            self._flush()
            self.tags |= dict.fromkeys(names)
            rates = {name: one.values(table, begin) for name, (one, begin) in zip(names, kept, strict=True)}
            at = kept[0][0].steps(table, kept[0][1])
            self._add(rates, at)
            self.step, self.row = float(at[-1]), {name: float(rates[name][-1]) for name in names}
        return len(table) * size


def _repeated(data: bytes, place: int) -> list[Plain]:
    """The next events, if they are plain and their tags come again and again."""
    found: list[Plain] = []
    while place + 16 <= len(data) and len(found) < 2 * MOST_TAGS:
        end = place + 16 + int.from_bytes(data[place : place + 8], "little")
        record = data[place:end]
        plain = PLAIN.fullmatch(record, 12, len(record) - 4)
        if end > len(data) or not plain or len(plain[3]) != plain[2][0] or not recognise(record):
            break
        if len(plain[1] or b"") > 8:
            break
        found.append(Plain(record, plain[3], plain.span(1) if plain[1] else (plain.start(2),) * 2, plain.start(4)))
        place = end
    tags = [(one.tag, len(one.record)) for one in found]
    counts = range(1, len(tags) // 2 + 1)
    return found[: next((count for count in counts if tags[count:] == tags[:-count]), 0)]


def _column(table: NDArray[np.uint8], begin: int, kind: str) -> NDArray[Any]:
    """What stands in the rows of a table of bytes from a column on."""
    end = begin + np.dtype(kind).itemsize
    return np.ascontiguousarray(table[:, begin:end]).view(kind)[:, 0]


def _before(wrong: NDArray[np.bool_]) -> int:
    """How many stand before the first that is wrong."""
    return int(wrong.argmax()) if wrong.any() else len(wrong)
