"""TensorBoard event files, without TensorFlow: each file is what one process wrote.

TensorBoard's own accumulator drops points, and those that a resumed run wrote again, which an audit needs. The layout
is TFRecord (length, its checksum, bytes, their checksum) around protocol buffers; the tests compare this reader with
tensorboard's own.
"""

from __future__ import annotations

import re
import struct

from .column_names import Roles, is_rate
from .rows import Rows
from .text_file import TextFile
from .tfrecord import event, masked_checksum

BATCH = 50_000
BY_EPOCH = re.compile(r"lr/pg[0-9]+|x/lr[0-9]+")  # Ultralytics and YOLOv5 write one value for an epoch
CLUE = re.compile(rb"lr|learning", re.IGNORECASE)


def recognise(head: bytes) -> bool:
    """Whether bytes begin with a whole TFRecord header, checksum and all."""
    return len(head) >= 12 and int.from_bytes(head[8:12], "little") == masked_checksum(head[:8])


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one event file: one per step, and a new one where a tag is repeated."""
    Events(source, rows, columns).read()


class Events:
    """One event file while it is read."""

    def __init__(self, source: TextFile, rows: Rows, columns: Roles | None) -> None:
        self.source, self.rows, self.named = source, rows, columns is not None
        self.wanted: dict[bytes, bool] = {name.encode(): True for name in columns.rates} if columns else {}
        self.row: dict[str, float] = {}
        self.step: int | None = None
        self.batch: list[tuple[int, dict[str, float]]] = []
        self.tags: dict[str, None] = {}

    def read(self) -> None:
        rest, before = b"", 0
        for block in self.source.blocks():
            rest, place = rest + block, 0
            while place + 12 <= len(rest):
                header = rest[place : place + 8]
                length = int.from_bytes(header, "little")
                # The checksum of the length is checked, since a wrong length would lose the rest of the file; that of
                # the record is not, because a wrong value shows and Python needs a second for each megabyte.
                if (
                    int.from_bytes(rest[place + 8 : place + 12], "little") != masked_checksum(header)
                    or length > 1 << 28
                ):
                    self.rows.note(f"damaged at byte {before + place:,}; the rest was left out")
                    return self._flush()
                if place + 16 + length > len(rest):
                    break
                self._one(rest[place + 12 : place + 12 + length])
                place += 16 + length
            rest, before = rest[place:], before + place
        if rest:
            self.rows.note("its last record is cut off and was left out")
        return self._flush()

    def _one(self, record: bytes) -> None:
        """Add the rates in one record."""
        # A quick look for the letters of a rate's name spares most records of a log the decoding.
        try:
            if not self.named and not CLUE.search(record):
                return
            step, found = event(record)
        except (ValueError, IndexError, struct.error, TypeError, AttributeError):
            self.rows.note("a damaged record was left out")
            return
        # Steps are int64, which a protocol buffer writes as unsigned.
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
            at = [float(step) for step, _ in self.batch]
            if all(BY_EPOCH.fullmatch(tag) for tag in self.tags):
                self.rows.unit = "epoch"
            self.rows.add(rates, {"epoch" if self.rows.unit == "epoch" else "update": at})
            self.batch = []
