"""A run's log over the schedules of a page: its rows, the verdict, and the rows that do not fit."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..audit import Log, audit, read, recover
from ..audit.faults import course
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .view import Array, read_view, steps_per_epoch

MOST_BYTES = 16 * 2**20  # of a log that the page sends; with --log it may be larger
MOST_POINTS = 4_000  # drawn
MOST_ROWS = 1_000  # of those that do not fit


def read_posted(name: str, content: Any) -> Log:
    """The log whose bytes the page sends."""
    try:
        data = base64.b64decode(content, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise ScheduleError("the content of a log must be base64") from None
    if len(data) > MOST_BYTES:
        raise ScheduleError(f"a log chosen here may have at most {MOST_BYTES:,} bytes; use --log instead")
    with tempfile.TemporaryDirectory() as folder:
        # Keep only the last part of the name, so that it cannot lead out of the folder.
        file = Path(folder, "".join(c for c in Path(name).name if c.isalnum() or c in "._-")[-80:].lstrip(".") or "log")
        file.write_bytes(data)
        return read(file)


def laid_over(log: Log, question: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The rows of a log at the times of its schedule, and the audit's verdict on them."""
    view, against = read_view(question["view"]), question.get("against")
    intended = None
    if against is not None and int(against) in range(len(view.shown)):
        intended = view.shown[int(against)].schedule
        if intended is None:
            raise ScheduleError("the intended schedule has an error, shown below its notation")
    if not question.get("judge", True):
        told, times, logged, followed = _as_read(log)
    elif intended is not None:
        epoch = steps_per_epoch(view.plan) if log.unit == "epoch" else None
        told, times, logged, followed = _judged(log, intended.stretched(1 / epoch) if epoch else intended)
    else:
        told, times, logged, followed = _recovered(log)
    in_epochs = told.pop("unit") == "epoch"
    epoch = steps_per_epoch(view.plan) if in_epochs else None
    if in_epochs and epoch is None:
        told["sentences"].insert(0, "The log counts epochs: fill in the plan where the schedules count steps.")
    # The page counts steps, so a schedule that is added to it must too.
    length = epoch or Fraction(1)
    if told["schedule"] is not None:
        told["schedule"] = str(told["schedule"] if length == 1 else told["schedule"].stretched(length))
    for row in told["questioned"]:
        row["time"] = float(view.axis.shown(row["time"] * float(length)))
    # Evenly spread rows are enough for the eye; rows that do not fit are sent besides, so that none is missed.
    some = np.unique(np.linspace(0, len(times) - 1, min(len(times), MOST_POINTS)).astype(np.int64))
    shown = view.axis.shown(times[some] * float(length))
    numbers = np.concatenate([shown, logged[some], followed[some]]).astype("<f8")
    return told | {"rows": len(some), "unit": view.axis.unit, "clock": log.unit}, numbers.tobytes()


# The page asks again whenever it has come to rest, mostly about the same schedule.
_verdict = lru_cache(maxsize=16)(audit)
_found = lru_cache(maxsize=4)(recover)


def _as_read(log: Log) -> tuple[dict[str, Any], Array, Array, Array]:
    """Only the rows: the audit may take seconds, and the page can show them meanwhile."""
    known = _with_rates(log)
    told: dict[str, Any] = {"sentences": [], "schedule": None, "recovered": True, "unit": log.unit}
    logged, times = log.rates[known, 0], log.clock[known] + (log.shift or 0)
    return told | {"questioned": [], "count": 0}, times, logged, np.full_like(logged, np.nan)


def _with_rates(log: Log) -> Any:
    return np.flatnonzero(np.isfinite(log.rates[:, 0]) & np.isfinite(log.clock))


def _judged(log: Log, intended: Schedule) -> tuple[dict[str, Any], Array, Array, Array]:
    verdict = _verdict(log, intended)
    rows, rates = verdict.evidence, course(verdict.schedule)
    wrong = np.flatnonzero(rows.wrong(rates))
    expected = rates(rows)
    questioned = [_row(log, rows.row[i], rows.t[i], rows.logged[i], expected[i]) for i in wrong[:MOST_ROWS]]
    told = {"sentences": verdict.sentences(), "schedule": verdict.followed, "recovered": False, "unit": log.unit}
    return told | {"questioned": questioned, "count": len(wrong)}, rows.t, rows.logged, verdict.course(rows)


def _recovered(log: Log) -> tuple[dict[str, Any], Array, Array, Array]:
    found, known = _found(log), _with_rates(log)
    clock = log.clock[known] if found.unit == log.unit or log.epochs is None else log.epochs[known]
    logged = log.rates[known, 0]
    sentences = [*found.undetermined, *log.repairs, *found.notes]
    if found.schedule is None:
        sentences.insert(0, "No schedule was found that these rates follow.")
    outside = np.flatnonzero(np.isin(clock, found.outliers))
    expected, times = found.rates(clock), clock + found.shift
    questioned = [_row(log, known[i], times[i], logged[i], expected[i]) for i in outside[:MOST_ROWS]]
    told = {"sentences": sentences, "schedule": found.schedule, "recovered": True, "unit": found.unit}
    return told | {"questioned": questioned, "count": len(outside)}, times, logged, expected


def _row(log: Log, row: Any, time: float, logged: float, expected: float) -> dict[str, Any]:
    numbers = {"clock": log.clock[row], "time": time, "logged": logged, "intended": expected}
    return {name: float(value) if np.isfinite(value) else None for name, value in numbers.items()}
