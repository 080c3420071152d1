"""One group of a log as rows in the order of a strictly increasing clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ScheduleError
from ..log import Log
from .curve_families import Array

SHORT = 0.005  # half a unit of the third digit: rates with fewer are short by themselves
ROUNDING = 1e-12  # of the peak: what float64 formulas differ by from one another


@dataclass(frozen=True, eq=False)
class Trace:
    """LogRows: clock, rate, slack (how far a schedule may be off and still be exact), and what was left out."""

    clock: Array
    rate: Array
    slack: Array
    notes: tuple[str, ...]

    def thinned(self, most: int) -> Trace:
        """About so many of the rows, the ends of long equal stretches among them."""
        n = len(self.clock)
        if n <= most:
            return self
        change = np.flatnonzero(np.diff(self.rate) != 0)
        edges = np.unique(np.concatenate([change, change + 1])) if len(change) <= most // 4 else np.array([], int)
        rows = np.unique(np.concatenate([edges, np.linspace(0, n - 1, most).astype(int)]))
        return Trace(self.clock[rows], self.rate[rows], self.slack[rows], self.notes)


def trace(log: Log, group: int, unit: str) -> Trace:
    """The rows of one group of a log by its clock or by its epochs."""
    if not 0 <= group < log.rates.shape[1]:
        raise ScheduleError(f"group must be from 0 to {log.rates.shape[1] - 1}, got {group!r}")
    clock = log.clock if unit == log.unit else log.epochs
    if clock is None:
        raise ScheduleError(f"unit must be {log.unit!r}, since this log counts no other, got {unit!r}")
    rate, half = log.rates[:, group], log.half[:, group]
    good = np.isfinite(clock) & np.isfinite(rate)
    rows, notes = np.flatnonzero(good), []
    later = np.minimum.accumulate(clock[rows][::-1])[::-1]  # the least clock of this row and all later ones
    last = np.ones(len(rows), bool)
    last[:-1] = clock[rows][:-1] < later[1:]
    gone = rows[~last]
    rows = rows[last]
    if not len(rows):
        raise ScheduleError(f"log must hold a rate of group {group}, got none in {len(log)} rows")
    if len(gone):
        starts = int((np.diff(clock[good]) <= 0).sum())
        same = np.interp(clock[gone], clock[rows], rate[rows])
        moved = int((np.abs(same - rate[gone]) > half[gone] + 1e-3 * np.abs(rate).max()).sum())
        notes.append(
            f"the clock goes back or stands still {starts} times: several runs or starts in one file, of which this is "
            f"the last; {len(gone)} rows that it goes back over were left out"
            + (f", {moved} of them with other rates" if moved else "")
        )
    peak = float(np.abs(rate[rows]).max())
    slack = _steady(rate[rows], half[rows]) + ROUNDING * peak + 1e-300
    return Trace(clock[rows], rate[rows], slack, tuple(notes))


def _steady(rate: Array, half: Array) -> Array:
    """Half a unit of the last digit that a log prints: rates that are short because of zeros at the end have it too.

    Where all rows have the same decimals these are what is printed.
    """
    if np.ptp(half) <= 1e-9 * half.max() or half.min() <= 0:
        return half
    units = np.log10(2 * half)
    if np.abs(units - np.round(units)).max() > 1e-6:  # no decimal digits
        return half
    with np.errstate(divide="ignore"):
        decade = 10.0 ** np.floor(np.log10(np.where(rate == 0, np.inf, np.abs(rate))))
    share = half / np.where(np.isfinite(decade), decade, np.inf)
    least = min(float(share[share > 0].min(initial=np.inf)), SHORT)
    return np.where(np.isfinite(decade), np.minimum(half, least * decade), half)
