"""The learning rates that a run logged, as one table, and the rows of a param group as the audit sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ScheduleError
from .tolerances import DOUBLE, PRINTED, SINGLE, WHOLE_TIME

Array = NDArray[np.float64]
BLOCK = 2**18  # rows looked at together: a fault early in a long log is found without all of its rates
FEW = 1500  # rows that a search looks at; what it finds is held against all of them
LATE = ((0, -1, 1), (-1, 0, 1))  # shifts of the clock to try, for logs that count from 0 and from 1


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
    clock: Array
    rates: Array
    half: Array
    process: NDArray[np.int64]
    groups: tuple[str, ...]
    unit: str = "update"
    epochs: Array | None = None
    shift: int | None = None
    slack: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    counted: bool = False
    averaged: bool = False
    skipped: Array | None = None
    left_out: tuple[tuple[int, str], ...] = ()
    file: str = ""
    length: EpochLength | None = None
    most: Array | None = None
    updates: Array | None = None

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


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rows of a log: when the schedule was to be called, the number of each row, what was logged, and its tolerance.

    shift: how much later than the clock the schedule is asked. slack: by how many updates each row's time may be off.
    """

    t: Array
    row: NDArray[np.int64]
    logged: Array
    allowed: Array
    shift: int = 0
    slack: int = 0

    def __len__(self) -> int:
        return len(self.logged)

    def __getitem__(self, which: Any) -> Evidence:
        parts = {name: getattr(self, name)[which] for name in ("t", "row", "logged", "allowed")}
        return replace(self, **parts)

    def at(self, t: Array) -> Evidence:
        """The same rows at other times, perhaps (m, n) of them."""
        # A time that is a whole number but for rounding is that number.
        near = np.rint(t)
        return replace(
            self, t=np.where(np.abs(t - near) <= WHOLE_TIME, near, t), row=np.broadcast_to(self.row, t.shape)
        )

    def later(self, by: int) -> Evidence:
        """The same rows, the schedule asked so much later."""
        return replace(self, t=self.t + by, shift=by)

    def wrong(self, rates: Rates) -> NDArray[np.bool_]:
        """Where the rates are not those that were logged."""
        wrong: NDArray[np.bool_] = np.all([one._off(rates) for one in self.near()], axis=0)
        return wrong

    def _off(self, rates: Rates) -> NDArray[np.bool_]:
        return ~(np.abs(self.logged - rates(self)) <= self.allowed)

    def near(self) -> list[Evidence]:
        """The same rows at all the times that they may be of."""
        late = [late for most in range(1, self.slack + 1) for late in (-most, most)]
        return [self, *(self.at(self.t + by) for by in late)]

    def first_wrong(self, rates: Rates) -> int | None:
        """The first place where they are not."""
        for begin in range(0, len(self), BLOCK):
            wrong = self[begin : begin + BLOCK].wrong(rates)
            if wrong.any():
                return begin + int(wrong.argmax())
        return None

    def residual(self, rates: Rates, peak: float) -> float:
        """The largest difference, as a share of the schedule's peak."""
        worst = float(np.max(np.abs(self.logged - rates(self))))
        return worst / peak if peak else worst

    def few(self, rates: Rates) -> Evidence:
        """About FEW rows: spread over all, and those around what departs from `rates` and around great changes."""
        if len(self) <= FEW:
            return self
        wrong = np.flatnonzero(np.diff(self.wrong(rates).astype(np.int8), prepend=0))[:100]
        change = np.abs(np.diff(self.logged))
        great = np.argpartition(change, -50)[-50:]
        back = np.flatnonzero(np.diff(self.t) <= 0)[:50]
        around = np.concatenate([places + i for places in (wrong, great, back) for i in range(-2, 4)])
        spread = np.linspace(0, len(self) - 1, FEW).astype(np.int64)
        return self[np.unique(np.clip(np.concatenate([around, spread]), 0, len(self) - 1))]


Rates = Callable[[Evidence], Array]  # what should have been logged in some rows


def evidence(log: Log, group: int, peak: float) -> Evidence:
    """The rows of a param group that have a rate, with time = clock less the updates that the log says were skipped."""
    row = np.flatnonzero(np.isfinite(log.rates[:, group]) & np.isfinite(log.clock))
    logged = log.rates[row, group]
    single = np.array_equal(logged, logged.astype(np.float32))
    allowed = log.half[row, group] * (1 + PRINTED) + (SINGLE if single else DOUBLE) * peak
    time = log.clock[row]
    if log.skipped is not None:
        time = time - np.nan_to_num(log.skipped[row])
    return Evidence(time, row, logged, allowed)


def by_shift(log: Log, group: int, peak: float) -> Iterator[Evidence]:
    """The rows by each shift of the clock to try, the likeliest first: the habit of the format, then the usual ones."""
    # Transformers steps the scheduler before it logs, so that the rate is that of the next update.
    ahead = np.nanmin(log.clock) < 1 or log.format.startswith(("trainer", "transformers"))
    usual = LATE[0] if ahead else LATE[1]
    rows = evidence(log, group, peak)
    yield from (rows.later(shift) for shift in dict.fromkeys([*([] if log.shift is None else [log.shift]), *usual]))


def run_begins(rows: Evidence) -> list[int]:
    """The places at which the clock is back at its beginning; a value that is repeated is not."""
    t = rows.t
    gaps = np.diff(t)
    back = np.flatnonzero(gaps < 0) + 1
    if back.size:
        back = back[t[back] <= t[0] + float(np.median(np.abs(gaps)))]
    return [0, *map(int, back)]


def group_number(log: Log, group: int | str) -> int:
    """The number of a param group, given so or by its name."""
    if isinstance(group, str) and group in log.groups:
        return log.groups.index(group)
    if isinstance(group, int) and not isinstance(group, bool) and 0 <= group < len(log.groups):
        return group
    named = ", ".join(f"{i} ({name})" for i, name in enumerate(log.groups))
    raise ScheduleError(f"group must be one of {named}, got {group!r}")
