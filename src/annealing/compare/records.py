"""One row for every evaluation of a trial, as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """An evaluation: after `step` updates, which are `epoch` epochs.

    lr: the learning rate of the last update, as the optimizer held it. loss: the mean over the updates since the epoch
    began; None where it was no longer finite, and with that the trial ends. wrong: test images of a wrong class, all of
    them after divergence (the error itself for a task that counts no images).
    """

    step: int
    epoch: float
    lr: float
    loss: float | None
    wrong: float

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


def complete(rows: Sequence[Row], marks: Sequence[int]) -> bool:
    """Whether rows are those of a whole trial: one at every mark, or up to where it diverged."""
    steps = [row.step for row in rows]
    if rows and rows[-1].diverged:
        before = [mark for mark in marks if mark < steps[-1]]
        return steps[:-1] == before
    return steps == [*marks]
