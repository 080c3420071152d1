"""The rows of a log as the audit sees them: when the schedule was asked, what was logged, how exact that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ScheduleError
from .log import Log
from .tolerances import DOUBLE, PRINTED, SINGLE, WHOLE_TIME

Array = NDArray[np.float64]
BLOCK = 2**18  # rows looked at together, so that memory stays bounded
FEW = 1500  # rows that a search looks at; what it finds is held against all of them
LATE = ((0, -1, 1), (-1, 0, 1))  # shifts of the clock to try, for logs that count from 0 and from 1


class RowTimes(NamedTuple):
    """Times at which the schedule was to be called, and the number of each row in the log."""

    t: Array
    row: NDArray[np.int64]

    def at(self, t: Array) -> RowTimes:
        """The same rows with other times."""
        return RowTimes(whole_times(t), np.broadcast_to(self.row, t.shape))


Rates = Callable[[RowTimes], Array]


def whole_times(t: Array) -> Array:
    """Times, of which those that are whole numbers but for rounding become whole."""
    near = np.rint(t)
    return np.where(np.abs(t - near) <= WHOLE_TIME, near, t)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rows, the rates that were logged there, and the tolerance of each.

    slack: by how many updates the time of each row may be off.
    """

    rows: RowTimes
    logged: Array
    allowed: Array
    slack: int = 0

    def __len__(self) -> int:
        return len(self.logged)

    def __getitem__(self, which: Any) -> Evidence:
        rows = RowTimes(self.rows.t[which], self.rows.row[which])
        return Evidence(rows, self.logged[which], self.allowed[which], self.slack)

    def later(self, by: float) -> Evidence:
        """The same rows, the schedule asked so much later."""
        return replace(self, rows=RowTimes(self.rows.t + by, self.rows.row))

    def blocks(self) -> Iterator[tuple[slice, Evidence]]:
        for begin in range(0, len(self), BLOCK):
            part = slice(begin, begin + BLOCK)
            yield part, self[part]

    def wrong(self, rates: Rates) -> NDArray[np.bool_]:
        """Where the rates are not those that were logged."""
        return np.concatenate([np.all([one._off(rates) for one in part.near()], axis=0) for _, part in self.blocks()])

    def _off(self, rates: Rates) -> NDArray[np.bool_]:
        return ~(np.abs(self.logged - rates(self.rows)) <= self.allowed)

    def near(self) -> list[Evidence]:
        """The same rows at all the times that they may be of."""
        late = [late for most in range(1, self.slack + 1) for late in (-most, most)]
        return [self, *(replace(self, rows=self.rows.at(self.rows.t + by)) for by in late)]

    def first_wrong(self, rates: Rates) -> int | None:
        """The first place where they are not."""
        for part, block in self.blocks():
            wrong = block.wrong(rates)
            if wrong.any():
                return int(part.start) + int(wrong.argmax())
        return None

    def residual(self, rates: Rates, peak: float) -> float:
        """The largest difference, as a share of the schedule's peak."""
        worst = max(float(np.max(np.abs(part.logged - rates(part.rows)))) for _, part in self.blocks())
        return worst / peak if peak else worst

    @property
    def goes_back(self) -> bool:
        """Whether an earlier time follows a later one."""
        return bool(np.any(np.diff(self.rows.t) < 0))

    def few(self, rates: Rates) -> Evidence:
        """About FEW rows: spread over all, and those around what departs from `rates` and around great changes."""
        if len(self) <= FEW:
            return self
        wrong = np.flatnonzero(np.diff(self.wrong(rates).astype(np.int8), prepend=0))[:100]
        change = np.abs(np.diff(self.logged))
        great = np.argpartition(change, -50)[-50:]
        back = np.flatnonzero(np.diff(self.rows.t) <= 0)[:50]
        around = np.concatenate([places + i for places in (wrong, great, back) for i in range(-2, 4)])
        spread = np.linspace(0, len(self) - 1, FEW).astype(np.int64)
        return self[np.unique(np.clip(np.concatenate([around, spread]), 0, len(self) - 1))]


def evidence(log: Log, group: int, peak: float) -> Evidence:
    """The rows of a param group that have a rate, with time = clock less the updates that the log says were skipped."""
    row = np.flatnonzero(np.isfinite(log.rates[:, group]) & np.isfinite(log.clock))
    known = slice(None) if len(row) == len(log) else row
    logged = log.rates[known, group]
    # In blocks, since a second copy of 10^7 rows would double the memory.
    parts = (logged[begin : begin + BLOCK] for begin in range(0, len(logged), BLOCK))
    single = all(np.array_equal(part, part.astype(np.float32).astype(np.float64)) for part in parts)
    allowed = log.half[known, group] * (1 + PRINTED)
    allowed += (SINGLE if single else DOUBLE) * peak
    time = log.clock[known]
    if log.skipped is not None:
        time = time - np.nan_to_num(log.skipped[known])
    return Evidence(RowTimes(time, row), logged, allowed)


def shifts(log: Log) -> list[int]:
    """The shifts of the clock to try, the likeliest first: the habit of the format, then the usual ones."""
    # Transformers steps the scheduler before it logs, so that the rate is that of the next update.
    ahead = np.nanmin(log.clock) < 1 or log.format.startswith(("trainer", "transformers"))
    usual = LATE[0] if ahead else LATE[1]
    return list(dict.fromkeys([*([] if log.shift is None else [log.shift]), *usual]))


def run_begins(rows: Evidence) -> list[int]:
    """The places at which the clock is back at its beginning; a value that is repeated is not."""
    t = rows.rows.t
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
