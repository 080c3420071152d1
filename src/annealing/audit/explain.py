"""The search for faults that explain a whole log: one fault, and where none does, two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .added_warmup import added
from .clocks import from_a_row, from_the_start
from .evidence import Evidence, Rates
from .faults import Fault, composed
from .landmarks import Landmarks
from .propose import Proposal, constant, proposals, scaled
from .rowwise import edited, outliers, run_begins, several, skipped
from .value_faults import scales

SPREAD = 1.0  # explanations that cost so much more than the best are not listed
ALIKE = 3  # explanations listed that differ in parameters alone
MOST = 12  # explanations listed
CHEAP = 2.0  # one fault that costs more is held against two
LONG = 10**5  # in longer logs faults are sought row by row only where no other explains them
BASES = 6  # explanations of a part of the log, from which a second fault is looked for


@dataclass(frozen=True, eq=False)
class Explanation:
    """Faults one after another, and how far they explain: the place of the first row that they do not (None: all)."""

    faults: tuple[Fault, ...]
    until: int | None

    @property
    def cost(self) -> float:
        return sum(fault.cost for fault in self.faults)


def explanations(
    used: Rates, held: dict[int, Evidence], marks: Landmarks, per_epoch: int | None
) -> tuple[int, list[Explanation]]:
    """The shift of the clock, and what explains every row with the fewest faults.

    held: the rows by shift, the likeliest first. The explanations are sorted, the likeliest first; where there are
    none, the best that explains a part, or nothing.
    """
    searches = {shift: Search(used, evidence, marks, per_epoch) for shift, evidence in held.items()}
    for stage in ("single", "double"):
        for search in searches.values():
            search.look(getattr(search, stage)())
        full = {shift: search.full() for shift, search in searches.items() if search.found}
        if full and (stage == "double" or min(found[0].cost for found in full.values()) <= CHEAP):
            break
    if full:
        best = min(full, key=lambda shift: full[shift][0].cost)
        return best, full[best]
    shift, search = next(iter(searches.items()))
    return shift, search.best()


class Search:
    """What was found so far for one shift of the clock."""

    def __init__(self, used: Rates, evidence: Evidence, marks: Landmarks, per_epoch: int | None) -> None:
        few = evidence.few(used)
        begin = few.first_wrong(used)
        assert begin is not None
        self.begin = begin
        self.used, self.evidence, self.few, self.marks, self.per_epoch = used, evidence, few, marks, per_epoch
        self.last = float(few.rows.t.max())
        self.found: list[Explanation] = []
        self.partial: list[Explanation] = []
        jumps = np.abs(np.diff(few.used))
        great = (np.argsort(-jumps, kind="stable")[:3] + 1).tolist() if len(jumps) > 8 else []
        self.breaks = sorted(set(great) | set(run_begins(few)[1:]))

    def look(self, candidates: Iterator[tuple[Fault, ...]]) -> None:
        """Hold candidates against the rows."""
        for faults in candidates:
            rates = composed(self.used, faults)
            until = self.few.first_wrong(rates)
            found = Explanation(faults, until)
            if until is None and not self._known(faults):
                if len(self.few) == len(self.evidence) or self.evidence.first_wrong(rates) is None:
                    self.found.append(found)
            elif until is not None:
                self.partial.append(found)

    def full(self) -> list[Explanation]:
        """Those that explain every row, but for such as are much less likely than the best."""
        found = sorted(self.found, key=lambda found: found.cost)
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

    def _known(self, faults: tuple[Fault, ...]) -> bool:
        key = [(fault.name, fault.parameters) for fault in faults]
        return any([(fault.name, fault.parameters) for fault in found.faults] == key for found in self.found)

    def windows(self, begin: int) -> list[int]:
        """Places until before which one fault may reach, when it begins at one."""
        left = len(self.few) - begin
        spans = {begin + max(4, int(left * share)) for share in (1.0, 0.5, 0.25, 0.1)}
        spans |= {place for place in self.breaks if place > begin + 3}
        return sorted((min(span, len(self.few)) for span in spans), reverse=True)

    def single(self) -> Iterator[tuple[Fault, ...]]:
        begin = self.begin
        for proposal in self._whole(begin):
            yield proposal.faults
        for proposal in self._from(self.used, begin, ()):
            yield proposal.faults
        if not self.found or len(self.evidence) <= LONG:
            for proposal in self._rows(self.used):
                yield proposal.faults

    def _whole(self, begin: int) -> Iterator[Proposal]:
        families = from_the_start(self.marks, self.last, self.per_epoch)
        yield from proposals(self.used, self.few, begin, self.windows(begin), families, [])
        for scale in scales(self.marks, onset=False):
            yield from scaled(self.used, self.few, 0, scale, 0, None)
        yield from constant(self.few, 0, 0)
        yield from added(self.used, self.few, self.marks)

    def _rows(self, used: Rates) -> Iterator[Proposal]:
        yield from skipped(used, self.evidence)
        yield from outliers(used, self.evidence)
        if used is self.used:
            yield from edited(self.evidence, self.marks)
            yield from several(used, self.evidence)

    def _from(self, used: Rates, begin: int, before: tuple[Fault, ...], joint: bool = False) -> Iterator[Proposal]:
        """Faults from the row at a place on."""
        if begin < 2 and not joint:
            return
        now, row = float(self.few.rows.t[begin]), int(self.few.rows.row[begin])
        resumed = [fault.at for fault in before if fault.name == "restart after resume" and fault.at is not None]
        inner = resumed[-1] if resumed else 0.0
        meant = used(self.few[:begin].rows)
        flat = int(np.sum(np.cumprod(meant[::-1] == meant[-1]))) if begin else 0  # there a fault does not show
        times = self.few.rows.t[max(begin - max(flat, 3) - 1, 0) : begin]
        families = from_a_row(row, times, now, self.marks, self.last, inner)
        (scale,) = scales(self.marks, onset=True)
        if joint:
            yield from proposals(used, self.few, begin, self.windows(begin), families, [scale])
            return
        yield from proposals(used, self.few, begin, self.windows(begin), families, [])
        yield from scaled(used, self.few, begin, scale, row, now)
        yield from constant(self.few, begin, row)

    def double(self) -> Iterator[tuple[Fault, ...]]:
        begin = self.begin
        families = from_the_start(self.marks, self.last, self.per_epoch)
        kinds = scales(self.marks, onset=False)
        for where in dict.fromkeys((0, begin)):
            for proposal in proposals(self.used, self.few, where, self.windows(where), families, kinds):
                yield proposal.faults
        if begin >= 2:
            for proposal in self._from(self.used, begin, (), joint=True):
                yield proposal.faults
        yield from self._second(begin)

    def _second(self, begin: int) -> Iterator[tuple[Fault, ...]]:
        """A second fault after each of the first faults that explain most."""
        for base in self._bases(begin):
            used = composed(self.used, base.faults)
            assert base.until is not None
            for proposal in (*self._from(used, base.until, base.faults), *self._rows(used)):
                yield (*base.faults, *proposal.faults)

    def _bases(self, begin: int) -> list[Explanation]:
        kept: dict[tuple[str, int], Explanation] = {}
        for found in sorted(self.partial, key=lambda found: (-(found.until or 0), found.cost)):
            if (found.until or 0) > begin + 2:
                kept.setdefault((" ".join(fault.name for fault in found.faults), found.until or 0), found)
        return list(kept.values())[:BASES]
