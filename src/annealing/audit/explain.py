"""`audit`: what explains a log, by which shift of its clock, as a whole or its last part, or a part of the schedule."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..errors import ScheduleError
from ..schedule.base import Schedule
from ..schedule.operations import Product, Sum
from .coverage import UNTOLD, Coverage, are_means, beside, coverage, may_be_in_updates, of_followed_length, source
from .faults import Fault, Faults, FollowedRates, Landmarks, course, landmarks, multiplied_until, since, then
from .intervals import plain
from .log import Evidence, Log, by_shift, evidence, group_number, run_begins
from .rate_faults import instead, several_runs, skipped
from .search import CHEAP, LEAST, Explanation, Search
from .verdict import Departure, Named, Verdict

FIRM = 1.5  # one fault that costs no more is taken without trying other shifts
AN_EPOCH_LATE = "After the warm-up the decay is 1 epoch late, as in YOLO's trainers; --strict refuses that."
YOLO = ("lr/pg", "x/lr")  # how these trainers name their param groups
# Bars that are one off are off here and there: rows that stay behind from some row on were skipped.
STEADY = 8


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
    first = None
    if (place := rows.first_wrong(meant)) is not None:
        one = rows[place : place + 1]
        first = Departure(_update(float(one.t[0])), float(one.logged[0]), float(meant(one)[0]))
    courses = [course(expect, one.faults) for one in found] or [meant]
    named = [_named(one.faults, expect, rows, marks.peak) for one in found] or [()]
    if first is not None and (not found or found[0].until is not None):
        named = [_unexplained(named[0], courses[0], rows, marks, first)]
    covered = coverage(expect, rows, marks)
    doubt = covered.why if first is None else _doubt(log, expect, number, rows, covered, marks)
    same = [other for other, used in zip(named[1:], courses[1:], strict=False) if used.schedule == courses[0].schedule]
    explained = bool(named[0]) and named[0][-1].name != "unknown"
    return Verdict(
        format=log.format,
        points=len(rows),
        source=source(log, rows, number),
        coverage=covered,
        schedule=expect,
        group=log.groups[number],
        shift=rows.shift,
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


def _doubt(log: Log, expect: Schedule, number: int, rows: Evidence, covered: Coverage, marks: Landmarks) -> str:
    """Why rows that depart give no verdict; "" if they do."""
    if log.counted:
        return "the log has no clock, so that its rows were only counted"
    if log.length_matters:
        return UNTOLD
    if not covered.enough:
        return covered.why
    if log.most is not None:
        loose = evidence(replace(log, half=log.most), number, marks.peak).later(rows.shift)
        if loose.first_wrong(course(expect)) is None:
            return "the rates that were logged have so few digits that they may have been rounded"
    if may_be_in_updates(log, expect, number, marks.peak):
        return "with updates as the clock, and not epochs, the rates are the schedule's"
    if log.averaged and are_means(rows, expect):
        return "each rate that was logged is a mean, and the schedule passes through all of them"
    return ""


def _unexplained(
    faults: tuple[Named, ...], used: FollowedRates, rows: Evidence, marks: Landmarks, first: Departure
) -> tuple[Named, ...]:
    """Faults that explain a part of the rows, and that the rest is unknown."""
    residual = rows.residual(used, marks.peak)
    if not faults and len(run_begins(rows)) > 1:
        faults = (Named("several-runs-in-one-file", first.update, several_runs(rows, []), residual, residual),)
    at = _update(float(rows.t[rows.first_wrong(used) or 0])) if faults else first.update
    return (*faults, Named("unknown", at, {}, residual, residual))


def _named(faults: tuple[Fault, ...], expect: Schedule, rows: Evidence, peak: float) -> tuple[Named, ...]:
    named = []
    before = rows.residual(course(expect), peak) if faults else 0.0
    for i, fault in enumerate(faults):
        after = rows.residual(course(expect, faults[: i + 1]), peak)
        begin = fault.at if fault.at is not None else float(rows.t[0])
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
    last = float(rows.t.max())
    if follows and marks.ends and marks.horizon and last > marks.horizon + 1:
        notes.append(f"The schedule ends at {marks.horizon:g}, but the log goes on to update {_update(last):g}.")
    if not follows and (place := follows_from(meant.schedule, rows)) is not None:
        notes.append(f"From update {_update(float(rows.t[place])):g} on it follows the schedule.")
    if len(begins := run_begins(rows)) > 1:
        notes.append(f"The file holds {len(begins)} runs, one after another: the clock starts again.")
    return tuple(notes)


@dataclass(frozen=True, eq=False)
class Account:
    """The rows of a log by one shift of its clock, and what explains them, the likeliest first.

    An explanation without faults where they follow; none, or one of a part, where nothing explains all.
    """

    rows: Evidence
    found: list[Explanation]
    note: str = ""

    @property
    def cost(self) -> float:
        """Infinite unless every row is explained."""
        return self.found[0].cost if self.found and self.found[0].until is None else math.inf


def explain(log: Log, group: int, schedule: Schedule, marks: Landmarks, strict: bool = False) -> Account:
    """What explains the rows of a log. strict: not the habit of a trainer that departs from the schedule."""
    meant, held = course(schedule), list[Evidence]()
    for rows in by_shift(log, group, marks.peak):  # one after another, since those of a long log take their memory
        held.append(rows)
        if log.shift in (None, rows.shift) and rows.first_wrong(meant) is None:
            return Account(rows, [Explanation(())])
    following = [rows for rows in held if rows.first_wrong(meant) is None]
    if following:
        return Account(held[0], [Explanation(_logged(log, rows)) for rows in following])
    if not strict and (late := _an_epoch_late(log, schedule, held)) is not None:
        return late
    if log.slack and (found := _unsteady(log, schedule, held)) is not None:
        return found
    if len(rows) == 1:
        return Account(rows, [])  # one rate fits anything
    best = _searched(log, schedule, held, marks)
    if best.cost > CHEAP:
        best = _cheaper(best, _of_a_part(log, schedule, held, marks))
    if log.shift not in (None, best.rows.shift) and best.cost < math.inf:
        extra = _logged(log, best.rows)
        return Account(held[0], [Explanation((*one.faults, *extra)) for one in best.found])
    return best


def _logged(log: Log, rows: Evidence) -> Faults:
    """That rows were logged earlier or later than by the habit of the log's format."""
    habit, shift = log.shift or 0, rows.shift
    name = "logged-one-early" if shift > habit else "logged-one-late"
    return (Fault(name, {"shift": shift, "habit": habit}, partial(since, time=shift - habit)),)


def _an_epoch_late(log: Log, schedule: Schedule, held: list[Evidence]) -> Account | None:
    """Rows of a YOLO trainer that follow if the decay is one epoch late once the warm-up that multiplies it is over."""
    end = multiplied_until(schedule)
    if end is None or log.unit != "epoch" or not any(name.startswith(YOLO) for name in log.groups):
        return None
    for rows in held:
        # The warm-up computes the rate of its own epoch; the scheduler counts from -1, so it is one epoch late.
        late = rows.at(rows.t - (rows.t > math.ceil(end)))
        if log.shift in (None, rows.shift) and late.first_wrong(course(schedule)) is None:
            return Account(late, [Explanation(())], AN_EPOCH_LATE)
    return None


def _unsteady(log: Log, schedule: Schedule, held: list[Evidence]) -> Account | None:
    """Rows that follow if their steps may be off, or that only fall behind."""
    meant = course(schedule)
    for rows in held:
        for faults in skipped(meant, rows):
            behind = int(np.sum(rows.row >= faults[0].lags[0][0])) if faults[0].lags else 0
            if behind >= STEADY and rows.first_wrong(course(schedule, faults)) is None:
                return Account(rows, [Explanation(faults)])
    for rows in sorted(held, key=lambda rows: int(rows.wrong(meant).sum())):
        loose = replace(rows, slack=log.slack)
        if loose.first_wrong(meant) is None and log.shift in (None, rows.shift):
            return Account(loose, [Explanation(())])
    return None


def _searched(log: Log, schedule: Schedule, held: list[Evidence], marks: Landmarks) -> Account:
    """One fault by each shift and then, where the steps may be off, one that allows for it; after that two."""
    loose = [replace(rows, slack=log.slack) for rows in held if log.slack]
    tried = [*held, *(rows for rows in loose if rows.first_wrong(course(schedule)) is not None)]
    searches = [Search(schedule, rows, marks, _updates_per_epoch(log)) for rows in tried]
    full: list[Search] = []
    for stage in (_single, Search.double):
        for search in searches:
            # Two faults at steps that may be off are two faults at steps that are not, too.
            if stage is Search.double and log.slack and not search.evidence.slack:
                continue
            stage(search)
            if search.found:
                full.append(search)
                # By the habit of the log's format no other shift can be as likely.
                enough = 2 * CHEAP if stage is Search.double else FIRM
                habit = search.evidence.shift == log.shift
                if search.cost <= (CHEAP if search.evidence.slack else enough if habit else 0):
                    break
        if full and (stage is Search.double or min(search.cost for search in full) <= CHEAP):
            break
    if full:
        best = min(full, key=lambda search: search.cost)
        return Account(best.evidence, best.full())
    return Account(searches[0].evidence, searches[0].best())


def _single(search: Search) -> None:
    """One fault, of the whole schedule or of one part of a sum or a product."""
    search.single()
    for faults in _of_operands(search.schedule, search.evidence, search.per_epoch):
        if (used := search.after(search.base, faults)) is not None:
            search.look(faults, used)


def _of_operands(schedule: Schedule, rows: Evidence, per_epoch: int | None) -> Iterator[Faults]:
    for number, part in enumerate(schedule.parts if isinstance(schedule, Sum | Product) else ()):
        if not isinstance(part, Schedule):
            continue
        alone = _alone(schedule, number, rows)
        if len(alone) < LEAST or alone.first_wrong(course(part)) is None:
            continue
        search = Search(part, alone, landmarks(part, float(rows.t.max()), part_of_more=True), per_epoch)
        search.single()
        inner = [one.faults for one in search.full()] or list(_of_operands(part, alone, per_epoch))
        # A warm-up that is not there is a constant or an offset too, but nobody would say so.
        warmups = [faults for faults in inner if faults[0].name.startswith("warm-up")]
        for faults in warmups or inner:
            if not any(fault.of_rows for fault in faults):
                yield tuple(_lifted(fault, number) for fault in faults)


def _alone(schedule: Schedule, number: int, rows: Evidence) -> Evidence:
    """The rows of a sum or a product as those of one of its parts."""
    assert isinstance(schedule, Sum | Product)
    others = [part for i, part in enumerate(schedule.parts) if i != number]
    values = [part(rows.t) if isinstance(part, Schedule) else np.full(len(rows), part) for part in others]
    if isinstance(schedule, Sum):
        return replace(rows, logged=rows.logged - np.sum(values, axis=0))
    beside = np.prod(values, axis=0)
    known = beside != 0
    some = rows[known]
    return replace(some, logged=some.logged / beside[known], allowed=some.allowed / np.abs(beside[known]))


def _lifted(fault: Fault, number: int) -> Fault:
    """A fault of one part, as one of the sum or product."""

    def change(s: Schedule) -> Schedule:
        assert isinstance(s, Sum | Product)
        part = s.parts[number]
        assert isinstance(part, Schedule)
        return type(s)((*s.parts[:number], fault.change(part), *s.parts[number + 1 :]))

    return replace(fault, change=change, cost=fault.cost + 0.1)


def _of_a_part(log: Log, schedule: Schedule, held: list[Evidence], marks: Landmarks) -> Account | None:
    """What explains the last run of a log up to where it follows, if that is not the whole log; None if nothing does.

    The runs before it count as such that do not follow.
    """
    for stage in (Search.single, Search.double):
        for rows in held:
            begin, end = run_begins(rows)[-1], follows_from(schedule, rows) or len(rows)
            part = rows[begin:end]
            if LEAST <= len(part) < len(rows) and part.first_wrong(course(schedule)) is not None:
                search = Search(schedule, part, marks, _updates_per_epoch(log))
                stage(search)
                within = [_within(one.faults, rows, slice(begin, end), schedule) for one in search.full()]
                found = [one for one in within if rows.first_wrong(course(schedule, one)) is None]
                if found:
                    return Account(rows, [Explanation(faults) for faults in found])
    return None


def follows_from(schedule: Schedule, rows: Evidence) -> int | None:
    """The place from which the last rows are the schedule's, at least a few; None if they are not."""
    wrong = np.flatnonzero(rows.wrong(course(schedule)))
    place = int(wrong[-1]) + 1 if len(wrong) else 0
    return place if len(rows) - place >= LEAST else None


def _within(faults: Faults, rows: Evidence, part: slice, intended: Schedule) -> Faults:
    """Faults of a part of a log as those of the whole, in which other runs come before it, or it is right after it."""
    found, last = list(faults), faults[-1]
    if part.stop < len(rows):
        if last.of_rows:
            return ()
        end = plain(float(rows.t[part.stop - 1]) + 1)

        def change(s: Schedule) -> Schedule:
            return then(last.change(s), end, since(intended, end))

        found[-1] = replace(last, change=change)
        found = [replace(one, parameters=one.parameters | {"until": end}, cost=one.cost + 0.3) for one in found]
    if not part.start:
        return tuple(found)
    earlier = instead("several-runs-in-one-file", several_runs(rows, []), rows, np.arange(part.start), 1.2)
    return (earlier, *(replace(one, row=one.row or int(rows.row[part.start])) for one in found))


def _cheaper(whole: Account, part: Account | None) -> Account:
    """Of explanations of the whole log and of a part of it, those that take less to believe; the others after them."""
    if part is None or whole.cost == math.inf:
        return part or whole
    first, second = sorted((whole, part), key=lambda one: one.cost)
    return replace(first, found=[*first.found, *(second.found if second.rows.shift == first.rows.shift else [])])


def _updates_per_epoch(log: Log) -> int | None:
    if log.unit != "update" or log.epochs is None:
        return None
    known = np.isfinite(log.epochs) & (log.epochs > 0)
    number = float(np.median(log.clock[known] / log.epochs[known])) if known.any() else 0.0
    return round(number) if number >= 2 else None
