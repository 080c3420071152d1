"""The learning rates that a run logged, as one table: every reader fills it, every audit question is asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class LogError(ValueError):
    """A file that holds no readable log; the message names the file and says what was expected."""


class EpochLength(NamedTuple):
    """How many updates an epoch is taken to have, and the least and most that it may have."""

    taken: int
    least: int
    most: int


@dataclass(frozen=True, eq=False)
class Log:
    """The learning rates that a run logged, in the order in which they were written.

    clock: (n,) float64, what the log counts, as it was written, in `unit`.
    rates: (n, groups) float64; NaN where a row lacks a group.
    half: (n, groups) float64, the tolerance of each rate: how far the true rate may lie from the printed one. Half a
        unit of the last digit, or half a float32 or float64 spacing where the log holds full floats.
    process: (n,) int64, which file or process start wrote the row, from 0 in order of time.
    groups: the names of the param groups, as in the log.
    unit: what the log's own clock counts: "update" or "epoch".
    epochs: (n,) float64, or None where the log does not say; NaN where a row does not.
    shift: by the format's habit, rate at clock c is schedule(c + shift); None where formats differ.
    slack: by how many updates the clock of a row may be off, as where steps are read from a progress bar.
    settings: what the log states of its own run, by the log's own names: numbers such as max_steps, num_train_epochs,
        learning_rate and warmup_steps, or words such as lr_scheduler_type.
    repairs: one sentence for everything that was dropped, mended or derived on the way.
    counted: the log has no clock, so its rows were counted: gaps between rows are unknown.
    averaged: each rate is the mean of the rates of one epoch, or of the updates since the row before.
    skipped: (n,) float64, how many updates had been skipped so far where the log says so (a skipped update does not
        step the scheduler, so rate at clock c is schedule(c - skipped + shift)); NaN where a row does not; else None.
    left_out: how many rows with a rate were left out, and why: pairs of a number and a reason.
    file: the path that was read, or the first of several.
    most: (n, groups) float64 where it is in doubt how many digits the program prints: `half` if it prints no more than
        the few that are there; else None.
    updates: (n,) float64, the update of each row where the clock is in epochs since each has one row or one rate.
    length: where updates depend on how many an epoch has, and nothing in the log tells it, how many they may be.
    """

    format: str
    clock: NDArray[np.float64]
    rates: NDArray[np.float64]
    half: NDArray[np.float64]
    process: NDArray[np.int64]
    groups: tuple[str, ...]
    unit: str = "update"
    epochs: NDArray[np.float64] | None = None
    shift: int | None = None
    slack: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    counted: bool = False
    averaged: bool = False
    skipped: NDArray[np.float64] | None = None
    left_out: tuple[tuple[int, str], ...] = ()
    file: str = ""
    length: EpochLength | None = None
    most: NDArray[np.float64] | None = None
    updates: NDArray[np.float64] | None = None

    @property
    def stated(self) -> dict[str, Any]:
        """The older name of `settings`."""
        return self.settings

    @property
    def length_matters(self) -> bool:
        """Whether the clock depends on a number of updates in an epoch that nothing tells."""
        return self.length is not None and self.unit == "update"

    def __len__(self) -> int:
        return len(self.clock)
