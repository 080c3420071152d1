"""The search for what explains rows: one fault, or two, each from the first row that is not yet explained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ScheduleError
from ..schedule.base import Schedule
from . import rate_faults
from .clock_faults import ClockFaults, Clocks, Resume, paces, resume_times
from .faults import Faults, FollowedRates, Landmarks, course, landmarks
from .intervals import digits_of, is_whole, lowest, preimages, slopes, solved
from .log import Array, Evidence, Rates, run_begins

SPREAD = 1.0  # explanations that cost so much more than the best are not listed
ALIKE = 3  # explanations listed that differ in parameters alone
MOST = 12  # explanations listed
CHEAP = 2.0  # one fault that costs more is held against two
COMMON_PAIR = 2.3  # what the commonest two faults take to believe
LONG = 10**5  # in longer logs faults are sought row by row only where no other explains them
BASES = 5  # faults that explain a part of the log, from which a second is looked for
PAIRS = 2  # the same of two faults, and a third
KEPT = 3  # of the values of an unknown, those that explain most
MOST_SOLVED = 30  # values of an unknown that rows give and that are tried
MOST_SLOPES = 100  # of the clock between two rows, of which factors are tried
MOST_REACH = 4096  # times the log or the schedule: how far the clock of a fault may run
LEAST = 4  # rows that a fault of the clock explains

Mixed = tuple[rate_faults.Scale, float] | None  # how a fault changes the rates beside the clock, and the new rate


@dataclass(frozen=True, eq=False)
class Explanation:
    """Faults one after another, and how far they explain: the place of the first row that they do not (None: all)."""

    faults: Faults
    until: int | None = None

    @property
    def cost(self) -> float:
        # Two other slopes of the clock together are only another way to say another warm-up and another horizon.
        slopes = sum(fault.name.startswith(("stepped-too", "wrong-hor", "schedule-")) for fault in self.faults)
        whole = all(fault.at is None for fault in self.faults)
        return sum(fault.cost for fault in self.faults) + 0.3 * (slopes > 1 and whole)

    @property
    def names(self) -> str:
        return " ".join(fault.name for fault in self.faults)

    @property
    def numbers(self) -> list[float]:
        return [n for fault in self.faults for n in fault.parameters.values() if isinstance(n, int | float)]

    @property
    def words(self) -> str:
        """Its faults with numbers of a few digits: two that differ in more are one to a reader."""
        return " ".join([self.names, *(f"{n:.5g}" for n in self.numbers)])

    @property
    def length(self) -> float:
        """How long its numbers are, and of two that are as long the smaller: of equal causes the plainer is first."""
        return sum(digits_of(n) + 1e-9 * abs(n) for n in self.numbers if np.isfinite(n))


class Search:
    """What explains the rows of a log by one shift of its clock."""

    def __init__(self, schedule: Schedule, evidence: Evidence, marks: Landmarks, per_epoch: int | None) -> None:
        self.schedule, self.evidence, self.marks, self.per_epoch = schedule, evidence, marks, per_epoch
        self.base = course(schedule)
        self.few = evidence.few(self.base)
        begin = self.few.first_wrong(self.base)
        assert begin is not None
        self.begin, self.back = begin, bool(np.any(np.diff(evidence.t) < 0))
        self.last = float(self.few.t.max())
        self.found: list[Explanation] = []
        self.partial: list[Explanation] = []
        self.first = FaultTrial(self, Explanation((), begin), self.base, marks)

    def single(self) -> None:
        self.first.one_fault()

    def double(self) -> None:
        self.first.two_at_once()
        # A common fault of the clock and one of the rate take less to believe than nearly all other pairs.
        for base in self._bases() if not self.found or self.cost > COMMON_PAIR else ():
            used = self.after(self.base, base.faults)
            if used is not None:
                marks = landmarks(used.schedule, self.last)
                FaultTrial(self, base, used, marks).one_fault()

    def after(self, used: FollowedRates, faults: Faults) -> FollowedRates | None:
        """What rows follow after some faults more, or None where they make no schedule."""
        try:
            for fault in faults:
                used = used.after(fault)
        except ScheduleError:
            return None
        return used

    def look(self, faults: Faults, rates: Rates) -> None:
        """Hold faults against the rows: first by rates that are cheap to compute, then by the schedule they make."""
        if (until := self.few.first_wrong(rates)) is not None:
            self.partial.append(Explanation(faults, until))
        elif not any(one.faults == faults for one in self.found):
            used = self.after(self.base, faults)
            if used is not None and self.evidence.first_wrong(used) is None:
                self.found.append(Explanation(faults))

    def full(self) -> list[Explanation]:
        """Those that explain every row, but for such as are much less likely than the best."""
        alike, kept = Counter[str](), {}
        found = sorted(self.found, key=lambda found: (found.cost, found.length))
        for one in found:
            if one.cost <= found[0].cost + SPREAD and alike[one.names] < ALIKE and one.words not in kept:
                alike[one.names] += 1
                kept[one.words] = one
        return list(kept.values())[:MOST]

    @property
    def cost(self) -> float:
        return self.full()[0].cost

    def best(self) -> list[Explanation]:
        """The one that explains most, if that is more than a half."""
        best = max(self.partial, key=lambda found: (found.until or 0, -found.cost), default=None)
        return [best] if best and (best.until or 0) > max(self.begin + 3, 0.5 * len(self.few)) else []

    def _bases(self) -> list[Explanation]:
        """The first faults that explain most, from which a second is looked for."""
        kept: dict[tuple[str, int], Explanation] = {}
        for found in sorted(self.partial, key=lambda found: (-(found.until or 0), found.cost)):
            if (found.until or 0) > self.begin + 2:
                kept.setdefault((found.names, found.until or 0), found)
        alone = [one for one in kept.values() if len(one.faults) == 1]
        # One fault that explains less leaves room for a second; of two few are made better by a third.
        return [*alone[:BASES], *[one for one in kept.values() if len(one.faults) > 1][:PAIRS]]


class FaultTrial:
    """One fault more, after those of a base, which explain the rows of a search before the place `begin`."""

    def __init__(self, search: Search, base: Explanation, used: FollowedRates, marks: Landmarks) -> None:
        self.search, self.before, self.used, self.marks = search, base.faults, used, marks
        self.begin, self.few = base.until or 0, search.few
        self.clocks = Clocks(marks, search.last, search.per_epoch)
        self.images: dict[int, dict[int, Array]] = {}

    # What is tried.

    def one_fault(self) -> None:
        search, used, rows = self.search, self.used, self.search.evidence
        if not any(fault.at is not None or fault.of_rows for fault in self.before):
            for clock in self.clocks.from_the_start(alone=not self.before):
                self.try_clock(clock, search.begin, 0)
            for scale in rate_faults.scales(self.marks):
                self.try_faults(rate_faults.scaled(used, self.few, scale))
        if not self.before:
            self.try_faults(rate_faults.one_rate(self.few, self.marks, None, 0))
            self.try_faults(rate_faults.added(used, self.few, self.marks))
        if self.begin >= 2:
            for clock in self._resumed():
                self.try_clock(clock, self.begin, self.begin)
            part = self.few[self.begin :]
            for scale in rate_faults.scales(self.marks, self.resume.now, self.resume.row):
                self.try_faults(rate_faults.scaled(used, part, scale))
            self.try_faults(rate_faults.one_rate(part, self.marks, self.resume.now, self.resume.row))
        end = used.schedule.duration
        if end is not None and end <= float(self.few.t[self.begin]):
            self.try_faults(rate_faults.after_the_end(used.schedule, search.last))
        if self.before or not search.found or len(rows) <= LONG:
            self.try_faults(rate_faults.skipped(used, rows))
            self.try_faults(rate_faults.outliers(used, rows))
            if not self.before:
                self.try_faults(rate_faults.edited(rows, self.marks))
                self.try_faults(rate_faults.several(used, rows))

    def two_at_once(self) -> None:
        """Faults of the clock together with one of the rate."""
        for clock in self.clocks.from_the_start(alone=True):
            for where in dict.fromkeys((0, self.begin)):
                self.try_both(clock, where, 0, rate_faults.scales(self.marks))
        if self.begin >= 2:
            for clock in self._resumed():
                scale = rate_faults.scales(self.marks, self.resume.now, self.resume.row)
                self.try_both(clock, self.begin, self.begin, scale)

    def _resumed(self) -> Iterator[ClockFaults]:
        return self.clocks.from_a_row(self.resume, self._factors())

    def try_faults(self, candidates: Iterable[Faults]) -> None:
        for faults in candidates:
            if (used := self.search.after(self.used, faults)) is not None:
                self.search.look((*self.before, *faults), used)

    @cached_property
    def resume(self) -> Resume:
        """What the row at `begin` shows first, if something was resumed."""
        begin, times = self.begin, self.few.t
        resumed = [fault.at for fault in self.before if fault.name == "restart-after-resume" and fault.at is not None]
        meant = self.used(self.few[:begin])
        # Where the intended rate stands still a fault does not show, so that it may have happened before.
        flat = int(np.sum(np.cumprod(meant[::-1] == meant[-1])))
        ats = resume_times(times[max(begin - max(flat, 3) - 1, 0) : begin], float(times[begin]))
        row = int(self.few.row[begin]) if self.search.back else 0
        return Resume(float(times[begin]), float(times[begin - 1]), ats, row, resumed[-1] if resumed else 0.0)

    def _factors(self) -> tuple[float, ...]:
        """Factors of the clock after a resume, as two rows and the times at their rates give them."""
        found: list[float] = []
        for stop in self.windows(self.begin):
            between = float(self.few.t[stop - 1] - self.few.t[self.begin])
            if between > 0:
                first, last = self._images(self.begin, np.array([self.begin, stop - 1]))
                for low, high in slopes(first, last, between)[:MOST_SLOPES].tolist():
                    # A slope known to a tenth says nothing of a factor.
                    if high > 0 and high - low < 0.1 * high:
                        found += [p for p in paces(low, high) if p != 1 and is_whole(max(p, 1 / p))]
        return tuple(dict.fromkeys(found))[:20]

    def windows(self, begin: int) -> list[int]:
        """Places until before which one fault may reach, when it begins at one."""
        left = len(self.few) - begin
        spans = {begin + max(4, int(left * share)) for share in (1.0, 0.4, 0.1)}
        # Great changes, the starts of runs, and where the rate comes to rest are where one fault may end.
        change = np.abs(np.diff(self.few.logged))
        great = (np.argsort(-change, kind="stable")[:2] + 1).tolist() if len(change) > 8 else []
        rest = begin + np.flatnonzero((change[begin + 1 :] == 0) & (change[begin:-1] != 0))[:1] + 1
        spans |= {place for place in (*great, *run_begins(self.few)[1:], *rest.tolist()) if place > begin + 3}
        return sorted((min(span, len(self.few)) for span in spans), reverse=True)

    # How faults of the clock are tried.

    def try_clock(self, clock: ClockFaults, begin: int, onset: int) -> None:
        """Values of its unknowns: those listed, and those that rows give."""
        tried = [(np.array(clock.tried, np.float64), self.few[probes(begin, len(self.few))])] if clock.tried else []
        if clock.numbers is not None and (values := self._solved(clock, begin)):
            # A few rows gave these values, so that only all of them can tell one from the next.
            tried.append((np.array(values)[:, None], self.few[begin:]))
        for unknowns, some in tried:
            every = (self.used(self._moved(clock, unknowns, one)) for one in some.near())
            off = [np.abs(some.logged - rates) > some.allowed for rates in every]
            wrong = np.all(off, axis=0)
            explained = np.where(wrong.any(axis=1), wrong.argmax(axis=1), wrong.shape[1])
            for i in likeliest(explained, 2 * KEPT, min(LEAST, len(some))):
                best = unknowns[i].tolist()
                for faults in clock.named(*best):
                    self._look(faults, clock, best, onset)

    def try_both(self, clock: ClockFaults, begin: int, onset: int, beside: Sequence[rate_faults.Scale]) -> None:
        """The same with another peak or floor: unknowns listed, and those that fit best."""
        for stop in self.windows(begin) if clock.scan else [len(self.few)]:
            some = self.few[probes(begin, stop)]
            for unknowns in self._unknowns(clock, some, beside):
                moved = self._moved(clock, unknowns, some)
                rates = self.used(moved)
                for scale in beside:
                    low, high, explained = rate_faults.between(some, *scale.line(rates, moved.t))
                    for i in likeliest(explained, KEPT, min(LEAST + 1, len(some))):
                        best, last = unknowns[i].tolist(), explained[i] - 1
                        for faults in clock.named(*best):
                            if onset and faults[0].at is None:
                                continue  # a longer hold is one of the whole schedule
                            # From a resume on the rate changes when the clock does.
                            new = rate_faults.scales(self.marks, faults[0].at, faults[0].row)[0] if onset else scale
                            if (found := new.fault(float(low[i, last]), float(high[i, last]))) is not None:
                                both = (*faults, found) if onset else (found, *faults)
                                self._look(both, clock, best, onset, (new, found.parameters[new.key]))

    def _look(self, faults: Faults, clock: ClockFaults, unknowns: list[float], onset: int, mixed: Mixed = None) -> None:
        first = int(self.few.row[onset]) if onset else -1

        def rates(rows: Evidence) -> Array:
            moved = rows.at(np.where(rows.row < first, rows.t, clock.positions(rows.t, *unknowns)))
            values = self.used(moved)
            if mixed is None:
                return values
            base, slope = mixed[0].line(values, moved.t)
            return np.where(rows.row < first, values, base + mixed[1] * slope)

        self.search.look((*self.before, *faults), rates)

    def _moved(self, clock: ClockFaults, unknowns: Array, some: Evidence) -> Evidence:
        """Rows at the times at which the schedule is asked for rows of unknowns."""
        columns = (column[:, None] for column in unknowns.T)
        return some.at(np.broadcast_to(clock.positions(some.t, *columns), (len(unknowns), len(some))))

    # Unknowns that rows give.

    def _unknowns(self, clock: ClockFaults, some: Evidence, beside: Sequence[rate_faults.Scale]) -> Iterator[Array]:
        """Rows of unknowns to try beside another peak or floor."""
        if clock.tried:
            yield np.array(clock.tried, np.float64)
        if clock.scan is not None and clock.scan[1] > clock.scan[0]:
            # Each search costs some milliseconds: one for the peak, and one for the floor where all rows tell it.
            to_the_end = some.row[-1] == self.few.row[-1]
            for scale in (beside[0], *(one for one in beside[1:] if one.key == "floor" and to_the_end)):
                found = lowest(self._misfit(clock, some, scale), clock.scan, float(np.min(some.allowed)))
                if len(found):
                    yield clock.unknown(found)[:, None]

    def _misfit(self, clock: ClockFaults, some: Evidence, scale: rate_faults.Scale) -> Callable[[Array], Any]:
        """The largest difference for each value of an unknown, with the new rate that fits it best."""

        def misfit(numbers: Array) -> Any:
            moved = self._moved(clock, clock.unknown(numbers)[:, None], some)
            base, slope = scale.line(self.used(moved), moved.t)
            above = some.logged - base
            best = np.sum(above * slope, axis=1) / np.maximum(np.sum(slope**2, axis=1), 1e-300)
            return np.max(np.abs(above - best[:, None] * slope), axis=1)

        return misfit

    def _images(self, begin: int, places: Any) -> list[Array]:
        """The times at which the schedule has the rates of some rows."""
        if begin not in self.images:
            # All windows together, since a call for two hundred rows takes as long as one for ten.
            rows = np.unique(np.concatenate([probes(begin, stop) for stop in self.windows(begin)]))
            reach = max(self.search.last, self.marks.horizon or 0.0) * (1 if self.marks.ends else MOST_REACH)
            images = preimages(self.used.schedule, self.few[rows], reach)
            self.images[begin] = dict(zip(rows.tolist(), images, strict=True))
        return [self.images[begin][place] for place in places.tolist()]

    def _solved(self, clock: ClockFaults, begin: int) -> list[float]:
        """The plain values of an unknown for which the times asked for are such at which the schedule has the rates."""
        assert clock.numbers is not None
        values: list[float] = []
        for stop in self.windows(begin):
            places = probes(begin, stop)
            times = self.few.t[places]
            # Positions are linear in the unknown, so that two of its values say how.
            base = np.broadcast_to(clock.positions(times, 0.0), len(times))
            sets, explained = solved(self._images(begin, places), base, clock.positions(times, 1.0) - base)
            if explained >= min(3, len(times)):
                order = np.argsort(sets[:, 1] - sets[:, 0], kind="stable")[:MOST_SOLVED]
                values += [value for low, high in sets[order].tolist() for value in clock.numbers(low, high)]
        return list(dict.fromkeys(values))[:MOST_SOLVED]


def likeliest(explained: Array, most: int, least: int) -> list[int]:
    """Places of the values that explain most rows."""
    return [i for i in np.argsort(-explained, kind="stable")[:most].tolist() if explained[i] >= least]


def probes(begin: int, stop: int) -> Any:
    """A few places from `begin` until before `stop`, dense at the beginning."""
    near = np.arange(begin, min(begin + 4, stop))
    far = np.geomspace(1, max(stop - begin, 1), 8).astype(np.int64) - 1 + begin
    spread = np.linspace(begin, stop - 1, 14).astype(np.int64)
    return np.unique(np.concatenate([near, far, spread]))
