"""A verdict: what an audit found, for machines and in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..printing import percent
from ..schedule.base import Schedule
from .coverage import Coverage, source_sentence
from .faults import ADVICE, SAID, FollowedRates
from .log import Evidence


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
        return {**vars(self), "advice": self.advice}

    def phrase(self) -> str:
        """The fault in a few words.

        >>> Named("stepped-too-often", 11, {"k": 2}, 0.5, 0.0).phrase()
        'the scheduler was stepped 2 times per update, from update 11 (stepped-too-often)'
        """
        known = {name: _shown(value) for name, value in self.parameters.items()}
        text = SAID.get("first_cycle" if "first_cycle" in known else self.name)
        begin = f"from update {self.from_update:g}"
        if text is None:
            given = ", ".join(f"{name} {value}" for name, value in known.items())
            return f"{self.name}{f' ({given})' if given else ''}, {begin}"
        until = f" until {known['until']}" if "until" in known else ""
        return f"{text.format(**known)}, {begin}{until} ({self.name})"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value[:8])) + (" ..." if len(value) > 8 else "") or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def listed(faults: Iterable[Named]) -> str:
    """Faults in a row, each with its parameters."""
    return ", and ".join(fault.phrase() for fault in faults)


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

    @property
    def others(self) -> list[tuple[Named, ...]]:
        """The alternatives that are other schedules."""
        return [faults for faults in self.alternatives if faults not in self.equivalent]

    def to_json(self) -> str:
        """One object, as text."""
        names = "format points source coverage schedule group shift lag residual status doubt follows first faults"
        record = {name: getattr(self, name) for name in (*names.split(), "followed", "alternatives", "notes")}
        first = self.first
        record |= {
            "coverage": self.coverage.record(),
            "schedule": str(self.schedule),
            "first": first and {**vars(first), "used": first.logged, "meant": first.intended},
            "faults": [fault.record() for fault in self.faults],
            "followed": None if self.followed is None else str(self.followed),
            "alternatives": [[fault.record() for fault in faults] for faults in self.alternatives],
        }
        return json.dumps(record, allow_nan=False)

    def __str__(self) -> str:
        return " ".join(self.sentences())

    def sentences(self) -> list[str]:
        """What was read, how much of the schedule it covers, the verdict, the likely faults and what to check."""
        told = [*self.read_and_covered(), self.headline()]
        if self.status != "follows" and self.first is not None:
            told += self._likely()
        return [*told, *self.notes]

    def read_and_covered(self) -> list[str]:
        """What was read, and how much of the schedule it covers."""
        return [source_sentence(self.source), self.coverage.sentence(self.source["clock"]["unit"], self.shift)]

    def headline(self) -> str:
        """The verdict in one sentence."""
        unit = self.source["clock"]["unit"]
        moved = f" {'+' if self.shift > 0 else '-'} {abs(self.shift)}" if self.shift else ""
        clock = f"rate at {unit} c = schedule(c{moved})"
        if self.follows:
            part = "the part of the schedule that its rows show" if self.coverage.unseen else "the schedule"
            return f"The run follows {part}: {self.points} rate{'s' * (self.points != 1)}, {clock}."
        if self.first is None:
            return f"No verdict: the rates are those of the schedule, but {self.coverage.why}."
        rates = f"logged {self.first.logged:.6g}, intended {self.first.intended:.6g}"
        text = f"departs from the schedule at {unit} {self.first.update:g}: {rates}"
        most = f"largest difference: {percent(self.residual)} of the peak"
        if self.status == "no verdict":
            return f"No verdict, since {self.doubt}: the run {text} ({most})."
        return f"The run {text}; {most} ({clock})."

    def _likely(self) -> list[str]:
        if self.faults[0].name == "unknown":
            return [self.faults[0].advice]
        told = [f"Likely: {listed(self.faults)}."]
        told += [f"The same schedule: {listed(other)}." for other in self.equivalent]
        told += list(dict.fromkeys(fault.advice for fault in self.faults))
        return [*told, *(f"Also possible: {listed(other)}." for other in self.others)]
