"""Recovering a schedule from a log alone: its family and its parameters, exactly where the digits allow it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from ...errors import ScheduleError
from ...schedule.base import Schedule
from ..epoch_lengths import is_told
from ..log import Log
from .candidate import Candidate, configured
from .curve_families import Array
from .joins import joins_of
from .levels import held, stairs, steps_of
from .multiplied_warmup import product
from .recovered import Recovered
from .repeats import cycles_of
from .stated import horizon_of, numbers_of, stating
from .step_lags import late_throughout, unsteady
from .templates import recipes_of
from .to_schedule import named, written
from .trace import Trace, trace
from .undetermined import doubts
from .work_budget import Exhausted, limited

MOST_ROWS = 4000
MOST_WORK = 5000.0  # see `spend`; some seconds of one processor
PART_OF_WORK = 1600.0  # for each kind of recipe, before the search
LOOSER = (1.0, 3.0, 30.0)
PLAIN = 30.0  # the cost of a schedule with which the search is over
NEAR = 1e-3  # of the peak: rows are never looked at more loosely than that
MOST_SHOWN = 4
COARSE = 0.8
MUCH_LONGER = 3.5  # an alternative is at most that much longer
MOST_ODD = 0.05  # of the rows may be outliers
ROUNDING = 1e-6  # of the tolerance: half a digit is computed in binary
Recipes = Callable[[Array, Array, Array, int | None], list[Candidate]]


def recover(log: Log, group: int = 0, unit: str | None = None) -> Recovered:
    """The schedule that a log follows, from its rates alone.

    log: a table of rates. group: which of its param groups, from 0. unit: "update" or "epoch"; by default what the
    log counts, or its epochs where every epoch has one rate and these are plainer. A ScheduleError names a group or a
    unit that the log lacks, or says that SciPy is missing.

    >>> import numpy as np
    >>> clock = np.arange(0.0, 100, 5)
    >>> rates = (0.05 * (1 + np.cos(np.pi * clock / 200)))[:, None]
    >>> log = Log("csv", clock, rates, np.spacing(rates) / 2, np.zeros(20, int), ("lr",))
    >>> found = recover(log)
    >>> found.schedule, found.exact, found.residual < 1e-12
    (cosine(0.1, 0, 200), True, True)
    """
    if find_spec("scipy") is None:
        raise ScheduleError("recover needs SciPy, which is not installed: pip install 'annealing[audit]'")
    if unit not in (None, "update", "epoch"):
        raise ScheduleError(f"unit must be 'update' or 'epoch', got {unit!r}")
    first = _recovered(log, group, unit or log.unit)
    if unit or not _by_epochs(log, group, first):
        return first
    return min(first, _recovered(log, group, "epoch"), key=lambda one: (not one.exact, one.cost, one.residual))


def _by_epochs(log: Log, group: int, found: Recovered) -> bool:
    """Whether the epochs of a log that counts updates may be the unit of its schedule."""
    epochs = log.epochs
    if epochs is None or log.unit != "update" or not np.isfinite(epochs).all():
        return False
    if (epochs == np.round(epochs)).all():  # rows of one epoch with two rates: the last would hide the others
        return not trace(log, group, "epoch").other
    coarse = len(np.unique(epochs)) < COARSE * len(log)  # epochs of few decimals tell less than updates
    moving = any(kind != "flat" for kind, *_ in found.pieces) and ".held(" not in str(found.schedule)
    return not (coarse or (found.exact and moving))


def _recovered(log: Log, group: int, unit: str) -> Recovered:
    rows = trace(log, group, unit)
    with np.errstate(all="ignore"), stating(numbers_of(log.settings)):  # guesses far off overflow, and are dropped
        found = _sought(rows, unit, log.shift, horizon_of(log.settings) if unit == "update" else None)
    if rows.lags and not found.lags:
        found = replace(found, lags=rows.lags)
    if log.averaged and not found.exact:
        found = replace(found, notes=(*found.notes, "each rate is the mean of the rates of an epoch"))
    # A schedule that gives the rows that were kept, but not the others, does not give the log
    told = unit != log.unit or is_told(log, found.schedule, found.shift, group)
    return replace(found, exact=found.exact and not rows.other and told)


def _sought(rows: Trace, unit: str, shift: int | None, horizon: float | None) -> Recovered:
    some, peak = rows.thinned(MOST_ROWS), float(np.abs(rows.rate).max())
    with limited(MOST_WORK):
        for looser in LOOSER:
            loose = replace(some, slack=np.minimum(some.slack * looser, np.maximum(some.slack, NEAR * peak)))
            results: list[Recovered] = []
            with contextlib.suppress(Exhausted):
                for found in _tried(loose, rows, unit, shift, horizon):
                    results += found
                    if any(one.exact and one.cost < PLAIN for one in found):
                        break
            if results:
                results.sort(key=lambda one: (not one.exact, one.cost))
                best = results[0]
                near = [one for one in results[1:] if one.exact == best.exact and one.cost < best.cost + MUCH_LONGER]
                known = {str(best.schedule): best}
                others = [one for one in near if known.setdefault(str(one.schedule), one) is one]
                return replace(best, alternatives=tuple(others))
    level = float(np.median(rows.rate))
    off = float(np.abs(rows.rate - level).max() / (peak or 1))
    note = "no schedule of the known families fits; the residual is that of a constant"
    return Recovered(None, 0, (), unit, off, False, notes=(*rows.notes, note))


def _tried(some: Trace, rows: Trace, unit: str, shift: int | None, horizon: float | None) -> Iterator[list[Recovered]]:
    """Schedules of named recipes, of steps that are off, as stairs, and as curves one after another."""
    whole = unit == "update" and len(some.clock) == len(rows.clock)
    if whole and horizon is not None:
        yield _in_part(partial(_steadied, partial(late_throughout, horizon=horizon), some, unit, shift))
    first = _in_part(partial(_of_recipes, recipes_of, some, rows, unit, shift))
    if unit == "epoch" and not any(one.exact and _in_whole_epochs(one) for one in first):
        first += _in_part(partial(_of_recipes, partial(recipes_of, moved=True), some, rows, unit, shift))
    yield first
    if unit == "epoch":
        yield _in_part(partial(_warmed_up, some, rows, unit, shift))
    for recipes in (steps_of, cycles_of, joins_of):
        yield _in_part(partial(_of_recipes, recipes, some, rows, unit, shift))
    if whole:
        yield _in_part(partial(_steadied, unsteady, some, unit, shift))
    for moved in (0, -1, 1) if shift is None else (shift,):
        if (levels := stairs(some.clock, some.rate, some.slack, moved)) is not None:
            every, begins, rates, slacks = levels
            plain = [one for one in recipes_of(begins, rates, slacks, 0) if one.shift == 0]
            for found in plain[:2]:
                if found.shift == 0 and not len(found.odd) and not found.lags:
                    yield _results(replace(found, shift=moved), rows, unit, every)
    if unit == "update":
        yield _in_part(partial(_warmed_up, some, rows, unit, shift))
    yield _in_part(partial(_without_outliers, some, rows, unit, shift))


def _without_outliers(some: Trace, rows: Trace, unit: str, shift: int | None) -> list[Recovered]:
    odd = some.outliers()
    if not 0 < len(odd) <= MOST_ODD * len(some.clock):
        return []
    kept = np.delete(np.arange(len(some.clock)), odd)
    columns = some.clock[kept], some.rate[kept], some.slack[kept]
    found = [one for recipes in (recipes_of, cycles_of, joins_of) for one in recipes(*columns, shift)]
    return _all([replace(one, odd=some.clock[odd]) for one in found], rows, unit)


def _in_whole_epochs(found: Recovered) -> bool:
    return all(begin == round(begin) and end == round(end) for _, begin, end, *_ in found.pieces)


def _warmed_up(some: Trace, rows: Trace, unit: str, shift: int | None) -> list[Recovered]:
    """The schedule of a log that begins with a warm-up that multiplies: the first that gives every row."""
    made: list[Recovered] = []
    for warm in product(some.clock, some.rate, some.slack, shift):
        found = warm.decay
        one = Recovered(warm.schedule, found.shift, warm.lags, unit, 0.0, False, cost=warm.cost, notes=rows.notes)
        residual, exact = _checked(one, rows, np.array([]))
        made.append(replace(one, residual=residual, exact=exact, undetermined=doubts(found), pieces=_pieces(found)))
        if exact:
            return made[-1:]
    return made[:1]


def _of_recipes(recipes: Recipes, some: Trace, rows: Trace, unit: str, shift: int | None) -> list[Recovered]:
    return _all(recipes(some.clock, some.rate, some.slack, shift), rows, unit)


def _in_part(results: Callable[[], list[Recovered]]) -> list[Recovered]:
    """Results, or none where they would take more than their part of the work."""
    with contextlib.suppress(Exhausted, ScheduleError), limited(PART_OF_WORK):  # numbers that make no schedule
        return results()
    return []


def _steadied(steadied: Callable[..., Any], rows: Trace, unit: str, shift: int | None) -> list[Recovered]:
    """The schedules of a log whose steps are not those of the schedule."""
    found, by = steadied(rows.clock, rows.rate, rows.slack, shift)
    if not found or found[0].lags:
        return _all(found, rows, unit)
    note = f"the steps of {(by != 0).sum()} of {len(by)} rows are off; they were moved by at most {abs(by).max()}"
    every = _all(found, replace(rows, clock=rows.clock + by, notes=(*rows.notes, note)), unit)
    return [replace(one, jitter=int(abs(by).max())) for one in every]


def _all(found: list[Candidate], rows: Trace, unit: str) -> list[Recovered]:
    positive = bool(rows.rate.min() >= 0)
    likely = [one for one in found if configured(one.model, positive)]
    return [result for one in likely[:MOST_SHOWN] for result in _results(one, rows, unit)]


def _results(found: Candidate, rows: Trace, unit: str, every: int | None = None) -> list[Recovered]:
    """The first way to write a model that gives every row, or else the last one."""
    schedules: list[Schedule] = []
    for make in (named, written):
        with contextlib.suppress(ScheduleError, ArithmeticError):  # numbers that make no schedule
            if (schedule := make(found.model)) is not None:
                schedules += [schedule] if every is None else held(found, schedule, every)
    for schedule in schedules:
        result = Recovered(schedule, found.shift, found.lags, unit, 0.0, False)
        residual, exact = _checked(result, rows, found.odd)
        if exact or schedule is schedules[-1]:
            return [
                replace(
                    result,
                    residual=residual,
                    exact=exact,
                    pieces=_pieces(found),
                    outliers=tuple(found.odd.tolist()),
                    undetermined=doubts(found),
                    notes=rows.notes,
                    cost=found.cost,
                )
            ]
    return []


def _checked(result: Recovered, rows: Trace, odd: Array) -> tuple[float, bool]:
    """The schedule itself, at every row: its residual, and whether it is exact."""
    off = np.abs(result.rates(rows.clock) - rows.rate)
    kept = ~np.isin(rows.clock, odd)
    peak = float(np.abs(rows.rate).max()) or 1.0
    return float(off[kept].max(initial=0) / peak), bool((off <= rows.slack * (1 + ROUNDING))[kept].all())


def _pieces(found: Candidate) -> tuple[tuple[str, float, float, float, float], ...]:
    n, parts = found.model.numbers, found.model.parts
    ends = [n[part.start] for part in parts[1:]] + [max(found.model.seen, n[parts[-1].end])]
    return tuple(
        (part.name, n[part.start], end, n[part.first], n[part.last]) for part, end in zip(parts, ends, strict=True)
    )
