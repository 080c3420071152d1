"""The table that every reader fills and every question is put to: the learning rates that a run wrote down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


class LogError(ValueError):
    """A file that holds no readable log; the message names the file and says what was expected."""


@dataclass(frozen=True, eq=False)
class Log:
    """The learning rates that a run wrote down, in the order in which they were written.

    clock: (n,) float64, what the log counts, as it was written, in `unit`.
    rates: (n, groups) float64; NaN where a row lacks a group.
    half: (n, groups) float64, how far the true rate may lie from the printed one: half a unit of the last digit, or
        half a float32 or float64 spacing where the log holds full floats.
    epochs: (n,) float64, or None where the log does not say; NaN where a row does not.
    process: (n,) int64, which file or process start wrote the row, from 0 in order of time.
    groups: the names of the param groups, as in the log.
    shift: by the format's habit, rate at clock c is schedule(c + shift); None where formats differ.
    slack: by how many updates the clock of a row may be off, as where steps are read from a progress bar.
    stated: what the log says of its own run, such as max_steps.
    repairs: one sentence for everything that was dropped, mended or derived on the way.
    """

    format: str
    clock: NDArray[np.float64]
    rates: NDArray[np.float64]
    half: NDArray[np.float64]
    process: NDArray[np.int64]
    groups: tuple[str, ...]
    unit: Literal["update", "epoch"] = "update"
    epochs: NDArray[np.float64] | None = None
    shift: int | None = None
    slack: int = 0
    stated: dict[str, Any] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.clock)
