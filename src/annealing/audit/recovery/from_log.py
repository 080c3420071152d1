"""Recovering a schedule from a log alone: its family and its parameters, exactly where the digits allow it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import shapes
from ...errors import ScheduleError
from ...schedule.base import Schedule
from ..coverage import is_told
from ..log import Log
from ..tolerances import PRINTED
from .candidate import Candidate, configured, described
from .fitting import Exhausted, LogRows, limited
from .joins import bent, joined
from .multiplied_warmup import product
from .repeats import cyclic, held, levels, stairs
from .round_numbers import STATED_NUMBERS
from .step_lags import unsteady
from .templates import recipes_of
from .to_schedule import named, written
from .trace import horizon_of, isolated, numbers_of, trace

MOST_ROWS = 4000
MOST_WORK = 5000.0  # see `spend`; some seconds of one processor
PART_OF_WORK = 1600.0  # for each kind of recipe
PART_FOR_MANY = 2200.0  # where recipes are fitted to many parts of the rows
LOOSER = (1.0, 3.0, 30.0)
PLAIN = 30.0  # the cost of a schedule with which the search is over
NEAR = 1e-3  # of the peak: rows are never looked at more loosely than that
MOST_SHOWN = 4
COARSE = 0.8
MUCH_LONGER = 3.5  # an alternative is at most that much longer
MOST_OUTLIERS = 0.05  # of the rows may be outliers
NAMES = {"linear": "the line", "cosine": "the cosine", "power": "the power decay", "inverse_power": "the decay"}


@dataclass(frozen=True, eq=False)
class Recovered:
    """A schedule recovered from a log: the rate at clock c is schedule(c + shift - lag(c)).

    schedule: in the project's notation; None where nothing fits ("unknown").
    lags: (clock, lag) from which clock on the schedule stood back by how many whole steps; it only grows.
    unit: what the clock counts, "update" or "epoch".
    jitter: by how many steps a row may stand before or after its own, where the log's steps are off here and there.
    residual: the largest difference, as a share of the largest rate. exact: whether every row that is no outlier is
    within half a unit of its last digit, or 1e-12 of the largest rate.
    pieces: (kind, begin, end, first value, last value) of each part, in the time of the schedule.
    outliers: clocks of rows that are on no curve, left out of the residual.
    undetermined: sentences, what could not be told apart and why. notes: what was done to the rows.
    alternatives: other schedules with the same numbers at every row, the next best first.
    """

    schedule: Schedule | None
    shift: int
    lags: tuple[tuple[float, int], ...]
    unit: str
    residual: float
    exact: bool
    pieces: tuple[tuple[str, float, float, float, float], ...] = ()
    outliers: tuple[float, ...] = ()
    undetermined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alternatives: tuple[Recovered, ...] = ()
    cost: float = float("inf")
    jitter: int = 0

    def lag(self, clock: Any) -> NDArray[np.int64]:
        """By how many steps the schedule stands back at each clock."""
        if not self.lags:
            return np.zeros(np.shape(clock), np.int64)
        begins, amounts = zip(*self.lags, strict=True)
        return np.asarray(np.array([0, *amounts])[np.searchsorted(begins, clock, "right")], np.int64)

    def rates(self, clock: Any) -> NDArray[np.float64]:
        """The rates of the schedule at the log's clocks."""
        if self.schedule is None:
            return np.full(np.shape(clock), np.nan)
        clock = np.asarray(clock, float)
        return np.asarray(self.schedule(clock + self.shift - self.lag(clock)))


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
    kept, horizon = trace(log, group, unit), horizon_of(log.settings) if unit == "update" else None
    some = kept.rows.thinned(MOST_ROWS)
    STATED_NUMBERS.set(numbers_of(log.settings))
    with np.errstate(all="ignore"):  # guesses far off overflow, and are dropped
        found = _Search(some, kept.rows, kept.notes, unit, log.shift, horizon).best()
    if kept.lags and not found.lags:
        found = replace(found, lags=kept.lags)
    if log.averaged and not found.exact:
        found = replace(found, notes=(*found.notes, "each rate is the mean of the rates of an epoch"))
    # A schedule that gives the rows that were kept, but not the others, does not give the log
    told = unit != log.unit or is_told(log, found.schedule, found.shift, group)
    return replace(found, exact=found.exact and not kept.other and told)


@dataclass(frozen=True)
class _Search:
    """The ways to describe some rows of a log; every schedule is then checked at all of them.

    notes: what was done to the rows. shift: that of the format, if it has one. horizon: as the log states it.
    """

    some: LogRows
    rows: LogRows
    notes: tuple[str, ...]
    unit: str
    shift: int | None
    horizon: float | None

    def best(self) -> Recovered:
        """The plainest schedule that gives every row, or else one that nearly does."""
        some, results = self.some, list[Recovered]()
        with limited(MOST_WORK):
            for looser in LOOSER:
                tolerance = np.minimum(some.tolerance * looser, np.maximum(some.tolerance, NEAR * self.rows.peak))
                with contextlib.suppress(Exhausted):
                    for found in replace(self, some=some.within(tolerance)).tried():
                        results += found
                        if any(one.exact and one.cost < PLAIN for one in found):
                            break
                if results:
                    break
        if not results:
            note = "no schedule of the known families fits; the residual is that of a constant"
            off = float(np.abs(self.rows.y - np.median(self.rows.y)).max() / self.rows.peak)
            return Recovered(None, 0, (), self.unit, off, False, notes=(*self.notes, note))
        best, *others = sorted(results, key=lambda one: (not one.exact, one.cost))
        near = [one for one in others if one.exact == best.exact and one.cost < best.cost + MUCH_LONGER]
        known = {str(best.schedule): best}
        return replace(best, alternatives=tuple(one for one in near if known.setdefault(str(one.schedule), one) is one))

    def tried(self) -> Iterator[list[Recovered]]:
        """Schedules of named recipes, of steps that are off, as stairs, and as curves one after another."""
        some, shift, updates = self.some, self.shift, self.unit == "update"
        whole = updates and len(some.u) == len(self.rows.u)
        if whole and self.horizon is not None:
            yield self.part(partial(self.steadied, self.horizon), PART_FOR_MANY)
        first = self.part(lambda: self.all(recipes_of(some, shift)))
        in_epochs = [one for one in first if one.exact and all(t == round(t) for p in one.pieces for t in p[1:3])]
        if not updates and not in_epochs:
            first += self.part(lambda: self.all(recipes_of(some, shift, moved=True)))
        yield first
        yield self.part(self.without_outliers)
        if not updates:
            yield self.part(self.warmed_up, PART_FOR_MANY)
        for structure in (levels, cyclic, joined, bent):
            yield self.part(lambda structure=structure: self.all(described(structure, some, shift)))  # type: ignore[misc]
        if whole:
            yield self.part(self.steadied, PART_FOR_MANY)
        yield self.part(self.as_stairs)
        if updates:
            yield self.part(self.warmed_up, PART_FOR_MANY)

    def part(self, results: Callable[[], list[Recovered]], most: float = PART_OF_WORK) -> list[Recovered]:
        """Results, or none where they would take more than their part of the work."""
        with contextlib.suppress(Exhausted, ScheduleError), limited(most):  # numbers that make no schedule
            return results()
        return []

    def steadied(self, horizon: float | None = None) -> list[Recovered]:
        """The schedules of a log whose steps are not those of the schedule."""
        found, by = unsteady(self.some, self.shift, horizon)
        if not found or found[0].lags:
            return self.all(found)
        most = int(abs(by).max())
        note = f"the steps of {(by != 0).sum()} of {len(by)} rows are off; they were moved by at most {most}"
        moved = replace(self, rows=self.rows.later(by), notes=(*self.notes, note))
        return [replace(one, jitter=most) for one in moved.all(found)]

    def as_stairs(self) -> list[Recovered]:
        """Schedules that are held for some steps: their levels are a schedule of their own."""
        made: list[Recovered] = []
        for shift in (0, -1, 1) if self.shift is None else (self.shift,):
            if (known := stairs(self.some.later(shift))) is not None:
                every, starts = known
                plain = [one for one in recipes_of(starts, 0) if one.shift == 0][:2]
                made += [one for each in plain for one in self.results(replace(each, shift=shift), every)]
        return made

    def warmed_up(self) -> list[Recovered]:
        """The schedule of a log that starts with a warm-up that multiplies: the first that gives every row."""
        made = [self.checked(schedule, decay) for schedule, decay in product(self.some, self.shift)]
        return [one for one in made if one.exact][:1] or made[:1]

    def without_outliers(self) -> list[Recovered]:
        """The schedules of a log of which a few rows are on no curve."""
        outliers, n = isolated(self.some.y, self.some.tolerance), len(self.some.u)
        if not 0 < len(outliers) <= MOST_OUTLIERS * n:
            return []
        kept = self.some.only(np.delete(np.arange(n), outliers))
        found = recipes_of(kept, self.shift)
        found += [one for structure in (cyclic, joined) for one in described(structure, kept, self.shift)]
        return self.all([replace(one, outliers=tuple(self.some.u[outliers].tolist())) for one in found])

    def all(self, found: list[Candidate]) -> list[Recovered]:
        positive = bool(self.rows.y.min() >= 0)
        likely = [one for one in found if configured(one, positive)]
        return [result for one in likely[:MOST_SHOWN] for result in self.results(one)]

    def results(self, found: Candidate, every: int | None = None) -> list[Recovered]:
        """The first way to write a model that gives every row, or else the last one; every: held for so many steps."""
        made: list[Recovered] = []
        for write in (partial(named, seen=found.seen), written):
            with contextlib.suppress(ScheduleError, ArithmeticError):  # numbers that make no schedule
                if (schedule := write(found.model)) is not None:
                    for one in [schedule] if every is None else held(found, schedule, every):
                        made.append(self.checked(one, found))
                        if made[-1].exact:
                            return made[-1:]
        return made[-1:]

    def checked(self, schedule: Schedule, found: Candidate) -> Recovered:
        """A schedule with its residual over every row, and whether it is exact."""
        model, n, rows = found.model, found.model.numbers, self.rows
        ends = [n[part.start] for part in model.parts[1:]] + [max(found.seen, n[model.parts[-1].end])]
        parts = zip(model.parts, ends, strict=True)
        pieces = tuple((part.name, n[part.start], end, n[part.first], n[part.last]) for part, end in parts)
        known: dict[str, Any] = {
            "outliers": found.outliers,
            "undetermined": _doubts(found),
            "notes": self.notes,
            "cost": found.cost,
        }
        result = Recovered(schedule, found.shift, found.lags, self.unit, 0.0, False, pieces, **known)
        off = np.abs(result.rates(rows.u) - rows.y)
        kept = ~np.isin(rows.u, found.outliers)
        exact = bool((off <= rows.tolerance * (1 + PRINTED))[kept].all())
        return replace(result, residual=float(off[kept].max(initial=0) / rows.peak), exact=exact)


def _doubts(found: Candidate) -> tuple[str, ...]:
    """A sentence for each number that the digits leave open, with its range."""
    model, n, sentences = found.model, found.model.numbers, []
    for i, part in enumerate(model.parts):
        name, gap = NAMES.get(part.name, f"the {part.name} part"), model.gaps.get(part.start)
        if gap is not None and part.start not in found.bounds and gap[1] - gap[0] > 1 and part.flat:
            between = f"after {gap[0]:g} and by {gap[1]:g} (no row between)"
            sentences.append(f"a change lies {between}; {n[part.start]:g} is the roundest time there")
        for slot, what in ((part.end, "end"), (part.begin, "start")):
            least, most = found.bounds.get(slot, (0.0, 0.0))
            if math.floor(most) > math.ceil(least) and not (i and slot == part.start):
                stopped = what == "end" and i == len(model.parts) - 1 and n[slot] > found.seen
                why = "the log stops before it" if stopped else "the digits are too few"
                between = f"between about {least:.6g} and {most:.6g}: {why}; {n[slot]:g} is the roundest"
                sentences.append(f"the {what} of {name} is not determined {between}")
        for slot, what in ((part.first, "first"), (part.last, "last")):
            least, most = found.bounds.get(slot, (0.0, 0.0))
            if most - least > 0.01 * (max(abs(n[part.first]), abs(n[part.last])) or 1.0) and not part.flat:
                between = f"between about {least:.3g} and {most:.3g}"
                sentences.append(f"the {what} value of {name} is not determined {between}")
    last = model.parts[-1]
    if last.shape is shapes.linear and n[last.end] > found.seen:
        same = "a line to another value at another time gives the same rates"
        sentences.append(f"the log stops at {found.seen:g}, before the line ends: {same}")
    if len(model.parts) == 1 and last.flat:
        sentences.append("a constant rate: when it began, and whether it would have changed later, cannot be told")
    return tuple(dict.fromkeys(sentences))
