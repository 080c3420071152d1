"""The search for what explains a log: that it follows, one fault, or two; of the whole log, or of its last part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ScheduleError
from ..schedule.base import Schedule
from .candidates import Faults, Kind, Resume, from_a_row, from_the_start, is_whole, resume_times, wholes
from .evidence import Array, Evidence, Rates, RowTimes, run_begins
from .intervals import digits_of
from .inverse import Preimages, slopes, solved
from .landmarks import Landmarks
from .lowest import lowest
from .rate_faults import Scale, added, after_the_end, changes, constant, factors, scaled, scales
from .row_faults import FollowedRates, course, edited, outliers, several, skipped

SPREAD = 1.0  # explanations that cost so much more than the best are not listed
ALIKE = 3  # explanations listed that differ in parameters alone
MOST = 12  # explanations listed
CHEAP = 2.0  # one fault that costs more is held against two
LONG = 10**5  # in longer logs faults are sought row by row only where no other explains them
BASES = 5  # faults that explain a part of the log, from which a second is looked for
PAIRS = 2  # the same of two faults, and a third
KEPT = 3  # of each kind, that explain most
MOST_SOLVED = 60  # values of an unknown that rows give and that are tried
MOST_REACH = 4096  # times the log or the schedule: how far the clock of a fault may run


@dataclass(frozen=True, eq=False)
class Explanation:
    """Faults one after another, and how far they explain: the place of the first row that they do not (None: all)."""

    faults: Faults
    until: int | None

    @property
    def cost(self) -> float:
        return sum(fault.cost for fault in self.faults)

    @property
    def length(self) -> float:
        """How long its numbers are, and of two that are as long the smaller: of equal causes the plainer is first."""
        numbers = [n for fault in self.faults for n in fault.parameters.values() if isinstance(n, int | float)]
        return sum(digits_of(n) + 1e-9 * abs(n) for n in numbers if np.isfinite(n))


class Search:
    """What explains the rows of a log by one shift of its clock."""

    def __init__(self, schedule: Schedule, evidence: Evidence, marks: Landmarks, per_epoch: int | None) -> None:
        self.schedule, self.evidence, self.marks, self.per_epoch = schedule, evidence, marks, per_epoch
        self.base = course(schedule)
        self.few = evidence.few(self.base)
        begin = self.few.first_wrong(self.base)
        assert begin is not None
        self.begin, self.back = begin, evidence.goes_back
        self.last = float(self.few.rows.t.max())
        self.found: list[Explanation] = []
        self.partial: list[Explanation] = []

    @cached_property
    def breaks(self) -> list[int]:
        """Places of the greatest changes and of the starts of runs, where one fault may end."""
        jumps = np.abs(np.diff(self.few.logged))
        great = (np.argsort(-jumps, kind="stable")[:3] + 1).tolist() if len(jumps) > 8 else []
        return sorted(set(great) | set(run_begins(self.few)[1:]))

    def look(self, faults: Faults, rates: Rates) -> None:
        """Hold faults against the rows: first by rates that are cheap to compute, then by the schedule they make."""
        until = self.few.first_wrong(rates)
        if until is not None:
            self.partial.append(Explanation(faults, until))
            return
        key = [(fault.name, fault.parameters) for fault in faults]
        if any([(fault.name, fault.parameters) for fault in found.faults] == key for found in self.found):
            return
        if (used := self.followed(faults)) is not None and self.evidence.first_wrong(used) is None:
            self.found.append(Explanation(faults, None))

    def followed(self, faults: Faults) -> FollowedRates | None:
        """What rows follow after faults, or None where they make no schedule."""
        try:
            return course(self.schedule, faults)
        except ScheduleError:
            return None

    def built(self, candidates: Iterable[Faults], before: Faults = ()) -> None:
        """Hold candidates of which only the schedule is known against the rows."""
        for faults in candidates:
            if (used := self.followed((*before, *faults))) is not None:
                self.look((*before, *faults), used)

    def full(self) -> list[Explanation]:
        """Those that explain every row, but for such as are much less likely than the best."""
        found = sorted(self.found, key=lambda found: (found.cost, found.length))
        alike = Counter[str]()
        kept = []
        for one in found:
            names = " ".join(fault.name for fault in one.faults)
            alike[names] += 1
            if one.cost <= found[0].cost + SPREAD and alike[names] <= ALIKE:
                kept.append(one)
        return kept[:MOST]

    def best(self) -> list[Explanation]:
        """The one that explains most, if that is more than a half."""
        best = max(self.partial, key=lambda found: (found.until or 0, -found.cost), default=None)
        return [best] if best and (best.until or 0) > max(self.begin + 3, 0.5 * len(self.few)) else []

    def single(self) -> None:
        FaultTrial(self, self.base).whole()
        FaultTrial(self, self.base).resumed(self.begin)
        self._of_rows(())
        if self.marks.ends and self.marks.horizon is not None and self.last > self.marks.horizon:
            self.built(after_the_end(self.schedule, self.last))

    def _of_rows(self, before: Faults) -> None:
        if before or not self.found or len(self.evidence) <= LONG:
            used = self.followed(before)
            assert used is not None
            self.built(skipped(used, self.evidence), before)
            self.built(outliers(used, self.evidence), before)
            if not before:
                self.built(edited(self.evidence, self.marks))
                self.built(several(used, self.evidence))

    def double(self) -> None:
        FaultTrial(self, self.base).with_factor(self.begin)
        for base in self._bases():
            used = self.followed(base.faults)
            if used is not None and base.until is not None:
                if (end := used.schedule.duration) is not None and end <= float(self.few.rows.t[base.until]):
                    self.built(after_the_end(used.schedule, self.last), base.faults)
                FaultTrial(self, used, base.faults).resumed(base.until)
                self._of_rows(base.faults)

    def _bases(self) -> list[Explanation]:
        """The first faults that explain most, from which a second is looked for."""
        kept: dict[tuple[str, int], Explanation] = {}
        for found in sorted(self.partial, key=lambda found: (-(found.until or 0), found.cost)):
            if (found.until or 0) > self.begin + 2:
                kept.setdefault((" ".join(fault.name for fault in found.faults), found.until or 0), found)
        alone = [one for one in kept.values() if len(one.faults) == 1]
        # One fault that explains less leaves room for a second; of two few are made better by a third.
        return [*alone[:BASES], *[one for one in kept.values() if len(one.faults) > 1][:PAIRS]]


class FaultTrial:
    """Kinds of faults after others (`before`), tried on the rows of a search."""

    def __init__(self, search: Search, used: FollowedRates, before: Faults = ()) -> None:
        self.search, self.used, self.before = search, used, before
        self.few, self.marks = search.few, search.marks
        self.schedule = used.schedule
        self.images_from: dict[int, dict[int, Array]] = {}

    # What is tried.

    def whole(self) -> None:
        """Faults that act from the first update on."""
        search, begin = self.search, self.search.begin
        for kind in from_the_start(self.marks, search.last, search.per_epoch):
            self.try_kind(kind, begin, 0)
        for scale in scales(self.marks):
            self.built(scaled(self.used, self.few, scale))
        self.built(constant(self.few, self.marks, None, 0))
        self.built(added(self.used, self.few, self.marks))

    def resumed(self, begin: int) -> None:
        """Faults that act from a resume on, which the row at place `begin` shows first."""
        if begin < 2:
            return
        resume, kinds = self._resume(begin)
        for kind in kinds:
            self.try_kind(kind, begin, begin)
        part = self.few[begin:]
        (scale,) = scales(self.marks, resume.now, resume.row)
        self.built(scaled(self.used, part, scale))
        self.built(constant(part, self.marks, resume.now, resume.row))

    def with_factor(self, begin: int) -> None:
        """Faults of the clock together with one of the rate."""
        search = self.search
        for kind in from_the_start(self.marks, search.last, search.per_epoch):
            for where in dict.fromkeys((0, begin)):
                self.try_kind(kind, where, 0, scales(self.marks))
        if begin >= 2:
            resume, kinds = self._resume(begin)
            for kind in kinds:
                self.try_kind(kind, begin, begin, scales(self.marks, resume.now, resume.row))

    def built(self, candidates: Iterator[Faults]) -> None:
        self.search.built(candidates, self.before)

    def _resume(self, begin: int) -> tuple[Resume, list[Kind]]:
        now = float(self.few.rows.t[begin])
        resumed = [fault.at for fault in self.before if fault.name == "restart-after-resume" and fault.at is not None]
        meant = self.used(self.few[:begin].rows)
        # Where the intended rate stands still a fault does not show, so that it may have happened before.
        flat = int(np.sum(np.cumprod(meant[::-1] == meant[-1])))
        times = resume_times(self.few.rows.t[max(begin - max(flat, 3) - 1, 0) : begin], now)
        row = int(self.few.rows.row[begin]) if self.search.back else 0
        resume = Resume(now, float(self.few.rows.t[begin - 1]), times, row, resumed[-1] if resumed else 0.0)
        return resume, from_a_row(resume, self.marks, self.search.last, self._factors(begin))

    def _factors(self, begin: int) -> tuple[float, ...]:
        """Factors of the clock after a resume, as two rows and the times at their rates give them."""
        found: list[float] = []
        for stop in self.windows(begin):
            between = float(self.few.rows.t[stop - 1] - self.few.rows.t[begin])
            if between > 0:
                first, last = self._images(begin, np.array([begin, stop - 1]))
                for low, high in slopes(first, last, between)[:MOST_SOLVED].tolist():
                    # A slope known to a tenth says nothing of a factor.
                    if high > 0 and high - low < 0.1 * high:
                        found += [k for k in wholes(low, high) if is_whole(k) and k > 1]
                        found += [1 / k for k in wholes(1 / high, 1 / max(low, 1e-9)) if is_whole(k) and k > 1]
        return tuple(dict.fromkeys(found))[:20]

    def windows(self, begin: int) -> list[int]:
        """Places until before which one fault may reach, when it begins at one."""
        left = len(self.few) - begin
        spans = {begin + max(4, int(left * share)) for share in (1.0, 0.5, 0.25, 0.1)}
        spans |= {place for place in self.search.breaks if place > begin + 3}
        return sorted((min(span, len(self.few)) for span in spans), reverse=True)

    # How a kind is tried.

    def try_kind(self, kind: Kind, begin: int, onset: int, factor: Sequence[Scale] = ()) -> None:
        """Values of the unknowns of a kind: those listed, those searched for, and those that rows give."""
        count = len(self.search.found)
        for stop in self.windows(begin):
            some = self.few[probes(begin, stop)]
            for columns in self._columns(kind, some, factor):
                values, times = self._values(kind, columns, some)
                if not factor:
                    self._best(kind, columns, self._explained(kind, columns, some, values), onset, some)
                for scale in factor:
                    self._scaled(kind, columns, some, (values, times), onset, scale)
            if kind.scan is None or (kind.numbers is not None and not factor):
                break  # the beginning is the same in all windows
        if kind.numbers is not None and not factor and len(self.search.found) == count:
            self._keep(kind, begin, onset, self._solved(kind, begin))

    def _columns(self, kind: Kind, some: Evidence, factor: Sequence[Scale]) -> Iterator[list[Array]]:
        if kind.tried:
            yield [column[:, None] for column in np.array(kind.tried, np.float64).T]
        # Rows are solved for the unknown where no factor is beside it; only else it must be searched for.
        if kind.scan is not None and kind.scan[1] > kind.scan[0] and (factor or kind.numbers is None):
            found = lowest(
                self._misfit(kind, some, factor[0] if factor else None), kind.scan, float(np.min(some.allowed))
            )
            if len(found):
                yield [kind.unknown(found)[:, None]]

    def _values(self, kind: Kind, columns: list[Array], some: Evidence) -> tuple[Array, Array]:
        shape = (len(columns[0]), len(some))
        times = np.broadcast_to(kind.times(*columns, some.rows.t), shape)
        rows = RowTimes(times, np.broadcast_to(some.rows.row, shape)).at(times)
        return self.used(rows), rows.t

    def _explained(self, kind: Kind, columns: list[Array], some: Evidence, values: Array) -> Any:
        near = (self._values(kind, columns, one)[0] for one in some.near()[1:])
        wrong = np.all([np.abs(some.logged - each) > some.allowed for each in (values, *near)], axis=0)
        return np.where(wrong.any(axis=1), wrong.argmax(axis=1), wrong.shape[1])

    def _best(self, kind: Kind, columns: list[Array], explained: Any, onset: int, some: Evidence) -> None:
        for i in np.argsort(-explained, kind="stable")[: 2 * KEPT if kind.numbers else KEPT]:
            if explained[i] >= min(4, len(some)):
                self._offer(kind, [float(column[i, 0]) for column in columns], onset)

    def _scaled(
        self, kind: Kind, columns: list[Array], some: Evidence, at: tuple[Array, Array], onset: int, scale: Scale
    ) -> None:
        low, high, explained = factors(some, at[0], scale, at[1])
        for i in np.argsort(-explained, kind="stable")[:KEPT]:
            ends = float(low[i, explained[i] - 1]), float(high[i, explained[i] - 1])
            if explained[i] >= min(5, len(some)) and changes(*ends):
                self._offer(kind, [float(column[i, 0]) for column in columns], onset, (scale, *ends))

    def _offer(
        self, kind: Kind, unknowns: list[float], onset: int, scaled_by: tuple[Scale, float, float] | None = None
    ) -> None:
        for faults in kind.faults(*unknowns):
            if scaled_by is None:
                self.search.look((*self.before, *faults), self._rates(kind, unknowns, onset))
                continue
            scale, low, high = scaled_by
            if onset:  # the rate changes when the clock does
                (scale,) = scales(self.marks, faults[0].at, faults[0].row)
            if (named := scale.fault(low, high)) is not None:
                both = (*faults, named[0]) if onset else (named[0], *faults)
                self.search.look((*self.before, *both), self._rates(kind, unknowns, onset, (scale, named[1])))

    def _rates(
        self, kind: Kind, unknowns: list[float], onset: int, scaled_by: tuple[Scale, float] | None = None
    ) -> Rates:
        """The rates of a fault of the clock from a place on, perhaps with a factor."""
        first = int(self.few.rows.row[onset]) if onset else -1

        def rates(rows: RowTimes) -> Array:
            moved = rows.at(np.where(rows.row < first, rows.t, kind.times(*unknowns, rows.t)))
            values = self.used(moved)
            if scaled_by is None:
                return values
            base, slope = scaled_by[0].line(values, moved.t)
            return np.where(rows.row < first, values, base + scaled_by[1] * slope)

        return rates

    # Unknowns that rows give.

    def _images(self, begin: int, places: Any) -> list[Array]:
        """The times at which the schedule has the rates of some rows."""
        if begin not in self.images_from:
            # All windows together, since a call for two hundred rows takes as long as one for ten.
            rows = np.unique(np.concatenate([probes(begin, stop) for stop in self.windows(begin)]))
            reach = max(self.search.last, self.marks.horizon or 0.0) * (1 if self.marks.ends else MOST_REACH)
            images = Preimages(self.schedule, reach).of(self.few[rows])
            self.images_from[begin] = dict(zip(rows.tolist(), images, strict=True))
        return [self.images_from[begin][place] for place in places.tolist()]

    def _solved(self, kind: Kind, begin: int) -> list[float]:
        """The plain values of an unknown for which the times asked for are such at which the schedule has the rates."""
        assert kind.numbers is not None
        values: list[float] = []
        for stop in self.windows(begin):
            places = probes(begin, stop)
            times = self.few.rows.t[places]
            # The times are linear in the unknown, so that two of its values say how.
            base = np.broadcast_to(kind.times(0.0, times), len(times))
            sets, explained = solved(self._images(begin, places), base, kind.times(1.0, times) - base)
            if explained >= min(3, len(times)):
                order = np.argsort(sets[:, 1] - sets[:, 0], kind="stable")[:MOST_SOLVED]
                values += [value for low, high in sets[order].tolist() for value in kind.numbers(low, high)]
        return list(dict.fromkeys(values))[:MOST_SOLVED]

    def _keep(self, kind: Kind, begin: int, onset: int, values: list[float]) -> None:
        if values:
            columns = [np.array(values)[:, None]]
            some = self.few[begin:]
            found = self._values(kind, columns, some)[0]
            self._best(kind, columns, self._explained(kind, columns, some, found), onset, some)

    def _misfit(self, kind: Kind, some: Evidence, scale: Scale | None) -> Callable[[Array], Any]:
        """The largest difference for each value of an unknown, with the factor that fits it best."""

        def misfit(numbers: Array) -> Any:
            rates, times = self._values(kind, [kind.unknown(numbers)[:, None]], some)
            if scale is None:
                return np.max(np.abs(some.logged - rates), axis=1)
            base, slope = scale.line(rates, times)
            above = some.logged - base
            best = np.sum(above * slope, axis=1) / np.maximum(np.sum(slope**2, axis=1), 1e-300)
            return np.max(np.abs(above - best[:, None] * slope), axis=1)

        return misfit


def probes(begin: int, stop: int) -> Any:
    """A few places from `begin` until before `stop`, dense at the beginning."""
    near = np.arange(begin, min(begin + 4, stop))
    far = np.geomspace(1, max(stop - begin, 1), 8).astype(np.int64) - 1 + begin
    spread = np.linspace(begin, stop - 1, 14).astype(np.int64)
    return np.unique(np.concatenate([near, far, spread]))
