"""What of a log is searched: one param group as rows in the order of a strictly increasing clock, stated numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ScheduleError
from ..log import Log
from ..tolerances import DOUBLE
from .fitting import LogRows
from .model import Array

MOST_APART = 2  # neighbouring rows that may be outliers
FAR = 8.0  # times as far as their neighbours are apart
NEAR = 1e-3  # of the peak: a row that another start goes back over has the same rate
SCHEDULE = re.compile(
    r"lr|rate|warm|gamma|milestone|decay|(max|total|train|num).*(step|iter|epoch)|^(steps|epochs)$", re.I
)
OTHER = re.compile(r"log|global|eval|save|val_|size|batch|weight|accum", re.I)
HORIZONS = ("max_steps", "total_steps", "max_iter", "max_iters", "num_training_steps", "train_iters")


@dataclass(frozen=True, eq=False)
class Trace:
    """Rows, with the tolerance within which a schedule is exact.

    lags: (clock of the log, updates skipped so far), where the log says so and its clock was set back by them.
    other: how many rows were left out that have other rates than the rows kept. notes: what was done to the rows.
    """

    rows: LogRows
    lags: tuple[tuple[float, int], ...]
    other: int
    notes: tuple[str, ...]


def isolated(y: Array, tolerance: Array) -> NDArray[np.int64]:
    """One row, or two, far away from those before and after, which are near each other."""
    found = []
    for width in range(1, 1 + MOST_APART):
        before, after = y[: -width - 1], y[width + 1 :]
        # At a turn the neighbours are equal too: a row must be far off measured by the steps on both sides as well
        steps = np.pad(np.abs(np.diff(y)), 1, mode="edge")
        beside = np.maximum(steps[: -width - 2], steps[width + 2 :])
        near = np.abs(before - after) + beside + tolerance[width + 1 :]
        far = [np.abs(y[i : len(y) - width - 1 + i] - before) > FAR * near for i in range(1, width + 1)]
        found += [np.flatnonzero(np.all(far, axis=0)) + i for i in range(1, width + 1)]
    return np.unique(np.concatenate(found))


def trace(log: Log, group: int, unit: str) -> Trace:
    """The rows of one group of a log by its clock or by its epochs."""
    if not 0 <= group < log.rates.shape[1]:
        raise ScheduleError(f"group must be from 0 to {log.rates.shape[1] - 1}, got {group!r}")
    clock = log.clock if unit == log.unit else log.epochs
    if clock is None:
        raise ScheduleError(f"unit must be {log.unit!r}, since this log counts no other, got {unit!r}")
    rate, half = log.rates[:, group], log.half[:, group]
    good = np.flatnonzero(np.isfinite(clock) & np.isfinite(rate))
    if not len(good):
        raise ScheduleError(f"log must hold a rate of group {group}, got none in {len(log)} rows")
    clock, rate, half = clock[good], rate[good], half[good]
    lags: tuple[tuple[float, int], ...] = ()
    if log.skipped is not None and unit == log.unit == "update":
        # Rows that do not say are taken as not skipped: a lag is then found like any other
        skipped = np.nan_to_num(log.skipped[good])
        changes = np.flatnonzero(np.diff(skipped, prepend=0))
        lags = tuple((float(clock[row]), int(skipped[row])) for row in changes)
        clock = clock - skipped  # an update that is skipped does not step the scheduler
    kept, other, notes = _last_start(clock, rate, half, log.slack)
    rows = LogRows(clock[kept], rate[kept], half[kept])
    # A log of zeros has a tolerance too, since residuals are divided by it
    return Trace(rows.within(half[kept] + DOUBLE * rows.peak), lags, other, notes)


def _last_start(clock: Array, rate: Array, half: Array, off: int) -> tuple[NDArray[np.int64], int, tuple[str, ...]]:
    """The rows that no later one goes back over, how many others have other rates, and what to say of those.

    off: by how many steps the clock of a row may be off.
    """
    later = np.minimum.accumulate(clock[::-1])[::-1]  # the least clock of this row and all later ones
    last = np.append(clock[:-1] < later[1:], True)
    kept, gone = np.flatnonzero(last), np.flatnonzero(~last)
    if not len(gone):
        return kept, 0, ()
    near = np.stack([np.interp(clock[gone] + by, clock[kept], rate[kept]) for by in (-off, 0, off)])
    known = np.isin(clock[gone], clock[kept])
    wide = half[gone] * 2 + np.where(known, DOUBLE, NEAR) * np.abs(rate).max()
    moved = int(((rate[gone] < near.min(0) - wide) | (rate[gone] > near.max(0) + wide)).sum())
    starts = int((np.diff(clock) < 0).sum())
    said = f", {moved} of them with other rates" if moved else ""
    if starts:
        back = f"the clock goes back {starts} time{'s' * (starts > 1)}: several runs or starts in one file"
        return kept, moved, (f"{back}; of the last, {len(kept)} rows; {len(gone)} others were left out{said}",)
    return kept, moved, (f"{len(gone)} rows with the same clock as the next one were left out{said}",)


def numbers_of(settings: dict[str, Any]) -> frozenset[float]:
    """The numbers of settings that are of the schedule by their names."""
    found = set()
    for name, value in settings.items():
        if SCHEDULE.search(name) and not OTHER.search(name):
            values = value if isinstance(value, list | tuple) else [value]
            found |= {float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)}
    if (end := horizon_of(settings)) is not None:
        found |= {round(share * end) for share in found if 0 < share < 1}  # a warm-up as a share of all steps
    return frozenset(found - {0.0})


def horizon_of(settings: dict[str, Any]) -> float | None:
    """How many updates the run was meant to take, as far as the log says."""
    known = {name.lower(): value for name, value in settings.items()}
    values = (known.get(name) for name in HORIZONS)
    return next((float(one) for one in values if isinstance(one, int | float) and one > 0), None)
