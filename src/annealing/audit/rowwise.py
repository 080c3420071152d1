"""Faults that are found row by row: skipped scheduler steps, outliers, edited milestones, several runs in one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .evidence import Evidence, Rates, Rows
from .faults import Fault, instead, lagging
from .landmarks import Landmarks
from .propose import Proposal

MOST_GROWTH = 0.05  # of the updates since the beginning: more steps than these are not skipped by a loss scaler
AHEAD = 64  # lags tried at once
SHARE = 0.05  # of the rows that may be called outliers
MOST_MILESTONES = 50


def skipped(used: Rates, evidence: Evidence) -> Iterator[Proposal]:
    """A whole-number lag that only grows; as far as it explains the rows."""
    times, rows = evidence.rows
    if len(evidence) < 3 or np.any(np.diff(times) <= 0):
        return
    lag, place, found = 0, 0, list[tuple[int, int]]()
    size = 256
    while place < len(evidence):
        part = evidence[place : place + size]
        wrong = ~(np.abs(part.used - used(part.rows.at(part.rows.t - lag))) <= part.allowed)
        if not wrong.any():
            place, size = place + len(part), min(2 * size, 2**18)
            continue
        place, size = place + int(wrong.argmax()), 256
        gap = times[place] - (times[place - 1] if place else times[0] - 1)
        one = evidence[place : place + 1]
        lags = lag + np.arange(1, int(min(AHEAD, gap)) + 1)
        tried = used(Rows(one.rows.t - lags, np.repeat(one.rows.row, len(lags))))
        fits = np.flatnonzero(np.abs(one.used - tried) <= one.allowed)
        if not len(fits) or lag + fits[0] + 1 > max(4, MOST_GROWTH * times[place]):
            break
        lag += int(fits[0]) + 1
        found.append((place, lag))
        if len(found) > max(3, 0.02 * len(evidence) + 0.2 * place):
            break
    if found:
        places, lags = (np.array(column) for column in zip(*found, strict=True))
        updates = [int(time) + 1 for time in times[places]]
        cost = 1.4 + 0.05 * len(found)
        yield Proposal((lagging(times[places], lags, rows[places], updates, cost),))


def outliers(used: Rates, evidence: Evidence) -> Iterator[Proposal]:
    """A few rows that are wrong, among others that are right."""
    wrong = np.flatnonzero(evidence.wrong(used))
    if not 0 < len(wrong) <= max(1, SHARE * len(evidence)) or len(evidence) < 10:
        return
    stretches = 1 + int(np.sum(np.diff(wrong) > 1))
    if wrong[-1] == len(evidence) - 1 and stretches == 1 and len(wrong) > 1:
        return  # the end of the log is not isolated
    updates = [int(time) + 1 for time in evidence.rows.t[wrong]]
    cost = 1.5 + 0.2 * stretches + 0.01 * len(wrong)
    rows, at = evidence.rows.row[wrong], float(evidence.rows.t[wrong[0]])
    given = {"count": len(wrong), "updates": updates[:20]}
    yield Proposal((instead("isolated outliers", given, rows, evidence.used[wrong], cost, at),))


def edited(evidence: Evidence, marks: Landmarks) -> Iterator[Proposal]:
    """The levels of a staircase at other times than were meant."""
    if len(set(marks.levels)) < 2 or np.any(np.diff(evidence.rows.t) <= 0):
        return
    levels = np.array(marks.levels)
    changes = np.flatnonzero(np.abs(np.diff(evidence.used)) > evidence.allowed[1:]) + 1
    if len(changes) > MOST_MILESTONES:
        return
    begins = np.concatenate([[0], changes])
    distance = np.abs(evidence.used[begins][:, None] - levels)
    nearest = distance.argmin(axis=1)
    if np.any(distance.min(axis=1) > evidence.allowed[begins]):
        return
    rows, rates = evidence.rows.row[begins], levels[nearest]
    times = [int(time) if time.is_integer() else time for time in map(float, evidence.rows.t[changes])]
    meant = [m for m in marks.milestones if m <= evidence.rows.t[-1]]
    moved = len(set(times) ^ set(meant))

    def change(_: Rates) -> Rates:
        return lambda asked: rates[np.clip(np.searchsorted(rows, asked.row, side="right") - 1, 0, None)]

    given = {"milestones": times, "meant": meant[:MOST_MILESTONES], "rates": rates[1:].tolist()}
    yield Proposal((Fault("milestones edited", given, change, 0, None, 0.9 + 0.15 * moved),))


def several(used: Rates, evidence: Evidence) -> Iterator[Proposal]:
    """Runs one after another, each from the beginning, of which only some follow."""
    begins = run_begins(evidence)
    if len(begins) < 2:
        return
    wrong = evidence.wrong(used)
    parts = [slice(a, b) for a, b in zip(begins, [*begins[1:], len(evidence)], strict=True)]
    other = [part for part in parts if wrong[part].any()]
    if not 0 < len(other) < len(parts):
        return
    places = np.concatenate([np.arange(part.start, part.stop) for part in other])
    following = [i + 1 for i, part in enumerate(parts) if part not in other]
    rows, at = evidence.rows.row[places], float(evidence.rows.t[places[0]])
    given = several_runs(evidence, following)
    yield Proposal((instead("several runs in one file", given, rows, evidence.used[places], 1.2, at),))


def several_runs(evidence: Evidence, following: list[int]) -> dict[str, Any]:
    """The parameters of this fault: how many runs there are, where they begin, and which of them (from 1) follow."""
    begins = run_begins(evidence)
    return {"runs": len(begins), "first_rows": evidence.rows.row[begins].tolist(), "following": following or "none"}


def run_begins(evidence: Evidence) -> list[int]:
    """The places at which the clock is back at the beginning."""
    t = evidence.rows.t
    gaps = np.diff(t)
    back = np.flatnonzero(gaps <= 0) + 1
    if back.size:
        back = back[t[back] <= t[0] + float(np.median(np.abs(gaps)))]
    return [0, *map(int, back)]
