"""Faults of a part of a log: of its last run, and until a resume that put it right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .evidence import Array, Evidence, Rates, Rows
from .explain import Explanation, explanations
from .faults import Fault, instead
from .landmarks import Landmarks
from .rowwise import run_begins, several_runs

LEAST = 4  # rows that a part has, and that follow after it


def follows_from(used: Rates, evidence: Evidence) -> int | None:
    """The place from which the last rows are the schedule's, at least a few; None if they are not."""
    wrong = np.flatnonzero(evidence.wrong(used))
    place = int(wrong[-1]) + 1 if len(wrong) else 0
    return place if len(evidence) - place >= LEAST else None


def of_a_part(
    used: Rates, held: dict[int, Evidence], marks: Landmarks, per_epoch: int | None
) -> tuple[int, list[Explanation]] | None:
    """What explains the last run of a log up to where it follows, if that is not the whole log; None if nothing does.

    The runs before it count as such that do not follow.
    """
    parts = {shift: _part(used, evidence) for shift, evidence in held.items()}
    rest = {shift: held[shift][part] for shift, part in parts.items() if part is not None}
    if not rest:
        return None
    shift, found = explanations(used, rest, marks, per_epoch)
    if not found or found[0].until is not None:
        return None
    begin = int(run_begins(held[shift])[-1])
    return shift, [Explanation(_within(one.faults, held[shift], rest[shift], begin), None) for one in found]


def _part(used: Rates, evidence: Evidence) -> slice | None:
    begin = run_begins(evidence)[-1]
    end = follows_from(used, evidence) or len(evidence)
    small = end - begin < LEAST or end - begin == len(evidence)
    return None if small or evidence[begin:end].first_wrong(used) is None else slice(begin, end)


def _within(faults: tuple[Fault, ...], whole: Evidence, part: Evidence, begin: int) -> tuple[Fault, ...]:
    first, last = int(part.rows.row[0]), int(part.rows.row[-1])
    ended = last < whole.rows.row[-1]
    until = {"until": int(part.rows.t[-1]) + 1} if ended else {}
    found = tuple(_bounded(fault, first, last, until) for fault in faults)
    if not begin:
        return found
    given = several_runs(whole, [])
    earlier = instead("several runs in one file", given, whole.rows.row[:begin], whole.used[:begin], 1.2, 0.0)
    return (earlier, *found)


def _bounded(fault: Fault, first: int, last: int, until: dict[str, int]) -> Fault:
    def change(used: Rates) -> Rates:
        changed = fault(used)

        def rates(rows: Rows) -> Array:
            return np.where((rows.row < first) | (rows.row > last), used(rows), changed(rows))

        return rates

    return replace(fault, change=change, parameters=fault.parameters | until, cost=fault.cost + 0.3)
