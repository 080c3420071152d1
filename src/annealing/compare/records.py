"""One row for every evaluation of a trial, as lines of JSON; and files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """An evaluation: after `updates` updates, which are `epoch` epochs.

    rate: the learning rate of the last update, as the optimizer held it. loss: the mean over the updates since the
    epoch began; None where it was no longer finite, and with that the trial ends. wrong: test images of a wrong class,
    all of them after divergence.
    """

    updates: int
    epoch: float
    rate: float
    loss: float | None
    wrong: int

    @property
    def diverged(self) -> bool:
        return self.loss is None


def to_line(row: Row, images: int) -> str:
    """A row as a line of JSON, with the error as a share of the test images."""
    return json.dumps({**row._asdict(), "error": row.wrong / images}, allow_nan=False) + "\n"


def from_lines(text: str) -> list[Row]:
    """The rows of a text of such lines; a ValueError, KeyError or TypeError if it is no such text."""
    rows = [json.loads(line) for line in text.splitlines()]
    return [Row(*(row[name] for name in Row._fields)) for row in rows]


def write(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name and rename it, so that it is never seen half-written."""
    scratch = path.with_name(f"{SCRATCH}{os.getpid()}-{path.name}")
    with open(scratch, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)


SCRATCH = ".annealing-"  # how the names of temporary files begin


def complete(rows: Sequence[Row], marks: Sequence[int]) -> bool:
    """Whether rows are those of a whole trial: one at every mark, or up to where it diverged."""
    updates = [row.updates for row in rows]
    if rows and rows[-1].diverged:
        before = [mark for mark in marks if mark < updates[-1]]
        return updates[:-1] == before
    return updates == [*marks]
