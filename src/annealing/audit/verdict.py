"""`audit`: a log compared with the intended schedule."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ScheduleError
from ..schedule.base import Schedule
from .coverage import Coverage, are_means, coverage, source
from .epoch_lengths import UNTOLD, may_be_in_updates, of_followed_length
from .evidence import Evidence, evidence, group_number, run_begins
from .explain import Account, explain, follows_from
from .faults import ADVICE, Fault, FollowedRates, course
from .landmarks import Landmarks, landmarks
from .log import Log
from .messages import beside, sentences
from .row_faults import several_runs

SHORT = "the rates that were logged have so few digits that they may have been rounded"


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
    logged: float
    intended: float

    @property
    def used(self) -> float:
        """The older name of `logged`."""
        return self.logged

    @property
    def meant(self) -> float:
        """The older name of `intended`."""
        return self.intended


@dataclass(frozen=True, eq=False)
class Verdict:
    """What an audit found.

    status: "follows", "departs", or "no verdict" where the rows cannot tell (`doubt` says why). follows: whether it is
    the first. source: what was read, as one dictionary. coverage: how much of the schedule the rows cover. shift: the
    rate at clock c is schedule(c + shift). lag: how many scheduler steps the last update is behind. residual: the
    largest difference, as a share of the schedule's peak. faults: the likeliest explanation; alternatives: others that
    explain every row as well; equivalent: those of them that are the same schedule. followed: the schedule that the run
    did follow by that explanation, None where there is none. notes: what else is worth knowing, one sentence each.
    """

    format: str
    points: int
    source: dict[str, Any]
    coverage: Coverage
    schedule: Schedule
    group: str
    shift: int
    lag: int
    residual: float
    status: str
    doubt: str
    first: Departure | None
    faults: tuple[Named, ...]
    alternatives: tuple[tuple[Named, ...], ...]
    equivalent: tuple[tuple[Named, ...], ...]
    followed: Schedule | None
    notes: tuple[str, ...]
    evidence: Evidence
    course: FollowedRates

    @property
    def follows(self) -> bool:
        return self.status == "follows"

    def to_json(self) -> str:
        """One object, as text."""
        first = self.first
        record = {
            "format": self.format,
            "points": self.points,
            "source": self.source,
            "coverage": self.coverage.record(),
            "schedule": str(self.schedule),
            "group": self.group,
            "shift": self.shift,
            "lag": self.lag,
            "residual": self.residual,
            "status": self.status,
            "doubt": self.doubt,
            "follows": self.follows,
            "first": first and {**vars(first), "used": first.logged, "meant": first.intended},
            "faults": [fault.record() for fault in self.faults],
            "followed": None if self.followed is None else str(self.followed),
            "alternatives": [[fault.record() for fault in faults] for faults in self.alternatives],
            "notes": list(self.notes),
        }
        return json.dumps(record, allow_nan=False)

    def __str__(self) -> str:
        return " ".join(sentences(self))


def audit(log: Log, expect: Schedule, plan: Any = None, group: int | str = 0, strict: bool = False) -> Verdict:
    """Compare the rates that a run used with the intended schedule, and name what went wrong.

    log: from `annealing.audit.read`, or made by hand. expect: in the unit of the log's clock. plan: resolves lengths
    with units, by `plan.resolve(expect)`. group: the param group, by number or name. strict: a known habit of a trainer
    that departs from the schedule (the decay of YOLO's trainers, one epoch late after the warm-up) is a fault too, and
    no mere note. A ScheduleError names a log without rates, a group that is not there and a schedule that cannot be
    called.

    A rate is the schedule's if it lies within `log.half` of it, plus 1e-12 of the schedule's peak for rounding in
    float64 (4e-7 where every rate is a float32).

    >>> import numpy as np
    >>> from annealing import cosine
    >>> clock = np.arange(1.0, 101)
    >>> twice = cosine(0.1, 0, 100)(2 * (clock - 1))
    >>> log = Log("by hand", clock, twice[:, None], np.zeros((100, 1)), np.zeros(100, np.int64), ("0",))
    >>> verdict = audit(log, cosine(0.1, 0, 100))
    >>> verdict.follows, verdict.faults[0].name, verdict.faults[0].parameters
    (False, 'stepped-too-often', {'k': 2})
    """
    expect = expect if plan is None else plan.resolve(expect)
    number = group_number(log, group)
    if not np.isfinite(log.rates[:, number]).any():
        raise ScheduleError(
            f"a log needs a learning rate in group {log.groups[number]!r}, but none of its rows has one"
        )
    marks = landmarks(expect, float(np.nanmax(log.clock)))
    log = of_followed_length(log, expect, number, marks.peak)
    return _verdict(log, expect, number, marks, explain(log, number, expect, marks, strict))


def _verdict(log: Log, expect: Schedule, number: int, marks: Landmarks, account: Account) -> Verdict:
    rows, found, meant = account.rows, account.found, course(expect)
    place = rows.first_wrong(meant)
    first = None
    if place is not None:
        one = rows[place : place + 1]
        first = Departure(_update(float(one.rows.t[0])), float(one.logged[0]), float(meant(one.rows)[0]))
    courses = [course(expect, one.faults) for one in found] or [meant]
    named = [_named(one.faults, expect, rows, marks.peak) for one in found] or [()]
    if first is not None and (not found or found[0].until is not None):
        named = [_unexplained(named[0], courses[0], rows, marks, first)]
    covered = coverage(expect, rows, marks)
    doubt = _doubt(log, covered, first)
    if not doubt and first is not None and log.most is not None:
        loose = evidence(replace(log, half=log.most), number, marks.peak).later(account.shift)
        doubt = SHORT if loose.first_wrong(meant) is None else ""
    if not doubt and first is not None and may_be_in_updates(log, expect, number, marks.peak):
        doubt = "with updates as the clock, and not epochs, the rates are the schedule's"
    if not doubt and first is not None and log.averaged and are_means(rows, expect):
        doubt = "each rate that was logged is a mean, and the schedule passes through all of them"
    same = [other for other, used in zip(named[1:], courses[1:], strict=False) if used.schedule == courses[0].schedule]
    explained = bool(named[0]) and named[0][-1].name != "unknown"
    return Verdict(
        format=log.format,
        points=len(rows),
        source=source(log, rows, number),
        coverage=covered,
        schedule=expect,
        group=log.groups[number],
        shift=account.shift,
        lag=next((fault.parameters["lag"] for fault in named[0] if fault.name == "skipped-scheduler-steps"), 0),
        residual=rows.residual(meant, marks.peak),
        status="no verdict" if doubt else "follows" if first is None else "departs",
        doubt=doubt,
        first=first,
        faults=named[0],
        alternatives=tuple(named[1:]),
        equivalent=tuple(same),
        followed=courses[0].schedule if explained or (first is None and not doubt) else None,
        notes=(*filter(None, [account.note]), *_notes(log, number, rows, marks, meant, first is None)),
        evidence=rows,
        course=courses[0],
    )


def _doubt(log: Log, covered: Coverage, first: Departure | None) -> str:
    """Why there is no verdict; "" if there is one."""
    if first is None:
        return covered.why
    if log.counted:
        return "the log has no clock, so that its rows were only counted"
    if log.length_matters:
        return UNTOLD
    return "" if covered.enough else covered.why


def _unexplained(
    faults: tuple[Named, ...], used: FollowedRates, rows: Evidence, marks: Landmarks, first: Departure
) -> tuple[Named, ...]:
    """Faults that explain a part of the rows, and that the rest is unknown."""
    residual = rows.residual(used, marks.peak)
    if not faults and len(run_begins(rows)) > 1:
        faults = (Named("several-runs-in-one-file", first.update, several_runs(rows, []), residual, residual),)
    at = _update(float(rows.rows.t[rows.first_wrong(used) or 0])) if faults else first.update
    return (*faults, Named("unknown", at, {}, residual, residual))


def _named(faults: tuple[Fault, ...], expect: Schedule, rows: Evidence, peak: float) -> tuple[Named, ...]:
    named = []
    before = rows.residual(course(expect), peak) if faults else 0.0
    for i, fault in enumerate(faults):
        after = rows.residual(course(expect, faults[: i + 1]), peak)
        begin = fault.at if fault.at is not None else float(rows.rows.t[0])
        named.append(Named(fault.name, _update(begin), fault.parameters, before, after))
        before = after
    return tuple(named)


def _update(t: float) -> float | int:
    return int(t) + 1 if float(t).is_integer() else t + 1


def _notes(
    log: Log, number: int, rows: Evidence, marks: Landmarks, meant: FollowedRates, follows: bool
) -> tuple[str, ...]:
    notes = [*log.repairs, *filter(None, [beside(log, number)])]
    if rows.slack and follows:
        moved = int(replace(rows, slack=0).wrong(meant).sum())
        most = f"{rows.slack} update{'s' * (rows.slack > 1)}"
        notes.append(f"{moved} of {len(rows)} rates are the schedule's up to {most} earlier or later.")
    last = float(rows.rows.t.max())
    if follows and marks.ends and marks.horizon and last > marks.horizon + 1:
        notes.append(f"The schedule ends at {marks.horizon:g}, but the log goes on to update {_update(last):g}.")
    if not follows and (place := follows_from(meant.schedule, rows)) is not None:
        notes.append(f"From update {_update(float(rows.rows.t[place])):g} on it follows the schedule.")
    if len(begins := run_begins(rows)) > 1:
        notes.append(f"The file holds {len(begins)} runs, one after another: the clock starts again.")
    return tuple(notes)
