"""Faults of single rows: skipped scheduler steps, outliers, edited milestones, several runs in one file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from . import faults as f
from .evidence import Evidence, Rates, RowTimes, run_begins
from .faults import Fault, Faults
from .intervals import digits_of, plain, roundest, shortest
from .landmarks import Landmarks

MOST_GROWTH = 0.05  # of the updates so far: more steps than these are not skipped by a loss scaler
AT_ONCE = 64  # lags tried at once
TOGETHER = 5  # rows next to each other that are still isolated
SHARE = 0.05  # of the rows that may be called outliers
MOST_MILESTONES = 50
FEW_LAGS = 6  # times that a loss scaler may skip early in a log
FIRST_LAG = 64  # steps that a loss scaler skips before the first row, until its scale has come down


def skipped(rates: Rates, rows: Evidence) -> Iterator[Faults]:
    """A whole-number lag that only grows; as far as it explains the rows."""
    times, numbers = rows.rows
    if len(rows) < 3 or np.any(np.diff(times) <= 0):
        return
    lag, place, size, found = 0, 0, 256, list[tuple[int, int]]()
    while place < len(rows):
        part = rows[place : place + size]
        wrong = ~(np.abs(part.logged - rates(part.rows.at(part.rows.t - lag))) <= part.allowed)
        if not wrong.any():
            place, size = place + len(part), min(2 * size, 2**18)
            continue
        place, size = place + int(wrong.argmax()), 256
        # Between two rows no more steps can be skipped than updates were made.
        # Where the rate stands still, or 0 is printed, a row does not show a skipped step, and so bounds none.
        last = rows[max(0, place - AT_ONCE) : place]
        later = rates(last.rows.at(last.rows.t - lag - 1))
        shown = last.rows.t[~(np.abs(last.logged - later) <= last.allowed)]
        since = shown[-1] if len(shown) else last.rows.t[0] - 1 if place else 0.0
        gap = min(times[0] + 1, FIRST_LAG) if place == 0 else times[place] - since
        one = rows[place : place + 1]
        lags = lag + np.arange(1, int(min(AT_ONCE, gap)) + 1)
        tried = rates(RowTimes(one.rows.t - lags, np.repeat(one.rows.row, len(lags))))
        fits = np.flatnonzero(np.abs(one.logged - tried) <= one.allowed)
        most = (
            gap
            if place == 0
            else max(4, MOST_GROWTH * times[place]) + (found[0][1] if found and not found[0][0] else 0)
        )
        if not len(fits) or lag + fits[0] + 1 > most:
            break
        lag += int(fits[0]) + 1
        found.append((place, lag))
        if len(found) > max(FEW_LAGS, 0.02 * len(rows) + 0.2 * place):
            break
    if found:
        places, lags = (np.array(column) for column in zip(*found, strict=True))
        updates = [int(time) + 1 for time in times[places[:20]]]
        given = {"lag": int(lags[-1]), "times": len(lags), "updates": updates}
        cost = 1.4 + 0.05 * len(lags)
        at = float(times[places[0]])
        yield (
            Fault("skipped-scheduler-steps", given, cost=cost, at=at, lags=(numbers[places], lags.astype(np.float64))),
        )


def outliers(rates: Rates, rows: Evidence) -> Iterator[Faults]:
    """A few rows that are wrong, among others that are right."""
    wrong = np.flatnonzero(rows.wrong(rates))
    if not 0 < len(wrong) <= max(1, SHARE * len(rows)) or len(rows) < 10:
        return
    stretches = 1 + int(np.sum(np.diff(wrong) > 1))
    if len(wrong) > TOGETHER * stretches:
        return
    if wrong[-1] == len(rows) - 1 and stretches == 1 and len(wrong) > 1:
        return  # the end of the log is not isolated
    given = {"count": len(wrong), "updates": [int(time) + 1 for time in rows.rows.t[wrong[:20]]]}
    cost = 1.5 + 0.2 * stretches + 0.01 * len(wrong)
    yield (instead("isolated-outliers", given, rows, wrong, cost),)


def instead(name: str, given: dict[str, Any], rows: Evidence, places: Any, cost: float) -> Fault:
    """Other rates at some rows, and no change elsewhere."""
    order = np.sort(places)
    own = (rows.rows.row[order], rows.logged[order])
    return Fault(name, given, cost=cost, at=float(rows.rows.t[order[0]]), own=own)


def edited(rows: Evidence, marks: Landmarks) -> Iterator[Faults]:
    """Levels of a staircase that are not the intended ones, or come at other times."""
    W = marks.warmup
    stairs = rows[rows.rows.t >= W]
    t = stairs.rows.t
    if not marks.levels or not len(t) or np.any(np.diff(rows.rows.t) < 0) or rows.rows.t[0] < 0:
        return
    begins = np.concatenate([[0], np.flatnonzero(np.abs(np.diff(stairs.logged)) > stairs.allowed[1:]) + 1])
    # Each level must be seen more than once: else every log is a staircase.
    if len(begins) > min(MOST_MILESTONES, max(2, len(stairs) // 3)) or len(begins) == len(set(marks.levels)) == 1:
        return
    known = marks.levels
    if len(known) > 1 and known[-2]:
        known = (*known, known[-1] ** 2 / known[-2])  # one milestone more, by the same factor
    levels = [_level(stairs[part], known) for part in np.split(np.arange(len(stairs)), begins[1:])]
    times = [plain(W), *(_milestone(t[i - 1], t[i], marks.milestones) for i in begins[1:])]
    intended = [m for m in marks.milestones if m <= t[-1]]
    new = sum(rate not in known for rate in levels)
    # One milestone at another time is little more of a change than one more or one less.
    changes = sorted(map(len, (set(times[1:]) - set(intended), set(intended) - set(times[1:]))))
    # 0.1 * 0.1 is 0.010000000000000002: as a parameter it is shown as it was meant.
    rates = [float(f"{level:.15g}") for level in levels[1:]]
    given = {"milestones": times[1:], "intended": intended[:MOST_MILESTONES], "rates": rates}
    change = partial(f.staircase, begin=plain(W), levels=list(zip(times, levels, strict=True)))
    yield (
        Fault(
            "milestones-edited", given, change, 0.9 + 0.2 * changes[0] + 0.25 * changes[1] + 0.5 * new + 0.1 * (W > 0)
        ),
    )


def _level(rows: Evidence, known: tuple[float, ...]) -> float:
    """The intended level that rows have, or else the rate of fewest digits that all of them allow."""
    near = min(known, key=lambda level: abs(level - rows.logged[0]))
    if np.all(np.abs(rows.logged - near) <= rows.allowed):
        return near
    return shortest(float(np.max(rows.logged - rows.allowed)), float(np.min(rows.logged + rows.allowed)))


def _milestone(before: float, now: float, known: tuple[float, ...]) -> float | int:
    """When a level began that is first seen at one row and not at the one before."""
    inside = [m for m in known if before < m <= now]
    return plain(inside[0] if inside else now if now - before <= 1 else _rounder(np.floor(before) + 1, now))


def _rounder(low: float, high: float) -> float:
    """The roundest time between two, unless the last is as round."""
    best = float(roundest(low, high) or high)
    return best if digits_of(best) < digits_of(high) else high


def several(rates: Rates, rows: Evidence) -> Iterator[Faults]:
    """Runs one after another, each from the start, of which only some follow."""
    begins = run_begins(rows)
    if len(begins) < 2:
        return
    wrong = rows.wrong(rates)
    parts = [slice(a, b) for a, b in zip(begins, [*begins[1:], len(rows)], strict=True)]
    other = [part for part in parts if wrong[part].any()]
    if 0 < len(other) < len(parts):
        places = np.concatenate([np.arange(part.start, part.stop) for part in other])
        following = [i + 1 for i, part in enumerate(parts) if part not in other]
        yield (instead("several-runs-in-one-file", several_runs(rows, following), rows, places, 1.2),)


def several_runs(rows: Evidence, following: list[int]) -> dict[str, Any]:
    """The parameters of this fault: how many runs there are, where they begin, and which of them (from 1) follow."""
    begins = run_begins(rows)
    return {"runs": len(begins), "first_rows": rows.rows.row[begins].tolist(), "following": following or "none"}
