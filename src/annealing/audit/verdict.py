"""`audit`: a log held against the schedule that was meant."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ScheduleError
from ..schedule.base import Schedule
from .account import account
from .evidence import Evidence, Rates, group_number, intended
from .explain import Explanation
from .faults import ADVICE, Fault, composed
from .landmarks import Landmarks, landmarks
from .log import Log
from .param_groups import beside
from .parts import follows_from
from .rowwise import run_begins, several_runs


@dataclass(frozen=True)
class Named:
    """A fault in a verdict: acting from an update on, with the largest difference before and after it is modelled.

    Residuals are shares of the schedule's peak.
    """

    name: str
    from_update: float
    parameters: dict[str, Any]
    residual_before: float
    residual_after: float

    @property
    def advice(self) -> str:
        """What to check in the code."""
        return ADVICE[self.name]

    def record(self) -> dict[str, Any]:
        values = {"from_update": self.from_update, "parameters": self.parameters}
        residuals = {"residual_before": self.residual_before, "residual_after": self.residual_after}
        return {"name": self.name, **values, **residuals, "advice": self.advice}


@dataclass(frozen=True)
class Departure:
    """The first update whose rate is not the schedule's."""

    update: float
    used: float
    meant: float


@dataclass(frozen=True, eq=False)
class Verdict:
    """What an audit found.

    follows: whether every rate is the schedule's, as far as the log's digits can tell. shift: the rate at clock c is
    schedule(c + shift). lag: how many scheduler steps the last update is behind. residual: the largest difference, as
    a share of the schedule's peak. faults: the likeliest explanation; alternatives: others that explain every row as
    well. notes: what else is worth knowing, one sentence each.
    """

    format: str
    points: int
    schedule: Schedule
    group: str
    shift: int
    lag: int
    residual: float
    follows: bool
    first: Departure | None
    faults: tuple[Named, ...]
    alternatives: tuple[tuple[Named, ...], ...]
    notes: tuple[str, ...]
    evidence: Evidence
    explained: Rates

    def to_json(self) -> str:
        """One object, as text."""
        record = {
            "format": self.format,
            "points": self.points,
            "schedule": str(self.schedule),
            "group": self.group,
            "shift": self.shift,
            "lag": self.lag,
            "residual": self.residual,
            "follows": self.follows,
            "first": None if self.first is None else vars(self.first),
            "faults": [fault.record() for fault in self.faults],
            "alternatives": [[fault.record() for fault in faults] for faults in self.alternatives],
            "notes": list(self.notes),
        }
        return json.dumps(record, allow_nan=False)

    def __str__(self) -> str:
        from .messages import sentences

        return " ".join(sentences(self))


def audit(log: Log, expect: Schedule, plan: Any = None, group: int | str = 0) -> Verdict:
    """Hold the rates that a run used against the schedule that was meant, and name what went wrong.

    log: from `annealing.audit.read`, or made by hand. expect: in the unit of the log's clock. plan: resolves lengths
    with units, by `plan.resolve(expect)`. group: the param group, by number or name. A ScheduleError names a log
    without rates, a group that is not there and a schedule that cannot be called.

    A rate is the schedule's if it lies within `log.half` of it, plus 1e-12 of the schedule's peak for rounding in
    float64 (4e-7 where every rate is a float32).

    >>> import numpy as np
    >>> from annealing import cosine
    >>> clock = np.arange(1.0, 101)
    >>> twice = cosine(0.1, 0, 100)(2 * (clock - 1))
    >>> log = Log("by hand", clock, twice[:, None], np.zeros((100, 1)), np.zeros(100, np.int64), ("0",))
    >>> verdict = audit(log, cosine(0.1, 0, 100))
    >>> verdict.follows, verdict.faults[0].name, verdict.faults[0].parameters
    (False, 'clock x k', {'k': 2})
    """
    expect = expect if plan is None else plan.resolve(expect)
    number = group_number(log, group)
    if not np.isfinite(log.rates[:, number]).any():
        raise ScheduleError(
            f"a log needs a learning rate in group {log.groups[number]!r}, but none of its rows has one"
        )
    last = float(np.nanmax(log.clock))
    marks = landmarks(expect, last)
    meant = intended(expect)
    shift, rows, found = account(log, number, meant, marks)
    return _verdict(log, expect, number, marks, shift, rows, found)


def _verdict(
    log: Log, expect: Schedule, number: int, marks: Landmarks, shift: int, rows: Evidence, found: list[Explanation]
) -> Verdict:
    meant = intended(expect)
    place = rows.first_wrong(meant)
    first = None
    if place is not None:
        one = rows[place : place + 1]
        first = Departure(_update(float(one.rows.t[0])), float(one.used[0]), float(meant(one.rows)[0]))
    best = found[0].faults if found else ()
    named = [_named(one.faults, meant, rows, marks.peak, first) for one in found] or [
        (_unknown(meant, rows, marks.peak, first),)
    ]
    if found and found[0].until is not None and first is not None:
        rest = composed(meant, best)
        unexplained = rows.first_wrong(rest)
        at = _update(float(rows.rows.t[unexplained or 0]))
        residual = rows.residual(rest, marks.peak)
        named = [(*named[0], Named("unknown", at, {}, residual, residual))]
    if not found and len(run_begins(rows)) > 1:
        (unknown,) = named[0]
        several = Named(
            "several runs in one file", unknown.from_update, several_runs(rows, []), *[unknown.residual_before] * 2
        )
        named = [(several, unknown)]
    lag = next((fault.parameters["lag"] for fault in best if fault.name == "skipped scheduler steps"), 0)
    return Verdict(
        log.format,
        len(rows),
        expect,
        log.groups[number],
        shift,
        lag,
        rows.residual(meant, marks.peak),
        place is None,
        first,
        named[0],
        tuple(named[1:]),
        _notes(log, number, rows, marks, meant, place is None),
        rows,
        composed(meant, best),
    )


def _named(
    faults: tuple[Fault, ...], meant: Rates, rows: Evidence, peak: float, first: Departure | None
) -> tuple[Named, ...]:
    named = []
    before = rows.residual(meant, peak) if faults else 0.0
    for i, fault in enumerate(faults):
        after = rows.residual(composed(meant, faults[: i + 1]), peak)
        begin = fault.at if fault.at is not None else float(rows.rows.t[0])
        named.append(Named(fault.name, _update(begin), fault.parameters, before, after))
        before = after
    return tuple(named)


def _unknown(meant: Rates, rows: Evidence, peak: float, first: Departure | None) -> Named:
    residual = rows.residual(meant, peak)
    return Named("unknown", first.update if first else 1, {}, residual, residual)


def _update(t: float) -> float | int:
    return int(t) + 1 if t.is_integer() else t + 1


def _notes(log: Log, number: int, rows: Evidence, marks: Landmarks, meant: Rates, follows: bool) -> tuple[str, ...]:
    notes = [*log.repairs, *filter(None, [beside(log, number)])]
    if rows.slack and follows:
        moved = int(replace(rows, slack=0).wrong(meant).sum())
        most = f"{rows.slack} update{'s' * (rows.slack > 1)}"
        notes.append(f"{moved} of {len(rows)} rates are the schedule's up to {most} earlier or later.")
    last = float(rows.rows.t.max())
    if follows and marks.ends and marks.horizon and last > marks.horizon + 1:
        notes.append(f"The schedule is over at {marks.horizon:g}, but the log goes on to update {_update(last):g}.")
    if not follows and (place := follows_from(meant, rows)) is not None:
        notes.append(f"From update {_update(float(rows.rows.t[place])):g} on it follows the schedule.")
    if len(begins := run_begins(rows)) > 1:
        notes.append(f"The file holds {len(begins)} runs, one after another: the clock is back at its beginning.")
    return tuple(notes)
