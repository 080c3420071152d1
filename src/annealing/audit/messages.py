"""A verdict in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..printing import percent
from .coverage import source_sentence
from .log import Log
from .tolerances import DOUBLE, PRINTED, SINGLE

if TYPE_CHECKING:
    from .verdict import Named, Verdict

SAID = {
    "stepped-too-often": "the scheduler was stepped {k} times per update",
    "stepped-too-rarely": "the scheduler was stepped once in {k} updates",
    "stepped-per-epoch": "the scheduler was stepped once per epoch of {updates_per_epoch} updates",
    "stepped-per-update": "a schedule in epochs was stepped at every update",
    "held-for-an-epoch": "the rate was written once per epoch of {updates_per_epoch} updates",
    "offset": "the scheduler's position is off by {by}",
    "offset-after-resume": "the scheduler's position is off by {by} after a resume at {at}",
    "restart-after-resume": "the schedule started again at {at}",
    "double-step-after-resume": "the position was counted twice on the resume at {at}",
    "wrong-peak": "the peak is {peak}, intended {intended}",
    "old-peak-after-resume": "the peak is {peak} after a resume at {at}, intended {intended}",
    "wrong-horizon": "the schedule was built for {horizon} updates, intended {intended}",
    "schedule-shorter-than-the-run": "the schedule was built for {horizon} updates, intended {intended}",
    "first_cycle": "the first cycle was built for {first_cycle} updates, intended {intended}",
    "reversed": "the schedule ran backwards from {total}",
    "constant": "the rate is {rate} throughout",
    "floor-ignored": "the floor is {floor}, intended {intended}",
    "wrong-floor": "the floor is {floor}, intended {intended}",
    "milestones-edited": "the milestones are {milestones}, intended {intended}; the rates after them {rates}",
    "warm-up-added": "a warm-up of {length} updates from {start} was added (the rest: {then})",
    "warm-up-missing": "the warm-up is missing (the rest: {then})",
    "warm-up-clipped": "the warm-up takes {length} updates, intended {intended} (the rest: {then})",
    "warm-up-stretched": "the warm-up takes {length} updates, intended {intended} (the rest: {then})",
    "warm-up-repeated": "the warm-up of {length} updates ran again at {at}",
    "rebound-after-the-end": "after its end at {end} the schedule goes on ({policy})",
    "goes-on-after-the-end": "after its end at {end} the last line goes on",
    "skipped-scheduler-steps": "scheduler steps skipped: {lag}",
    "isolated-outliers": "outliers: {count}",
}


def sentences(verdict: Verdict) -> list[str]:
    """What an audit found, for people: what was read, how much of the schedule it covers, and the verdict."""
    return [*read_and_covered(verdict), *judged(verdict), *verdict.notes]


def read_and_covered(verdict: Verdict) -> list[str]:
    """What was read, and how much of the schedule it covers."""
    return [source_sentence(verdict.source), verdict.coverage.sentence(verdict.source["clock"]["unit"], verdict.shift)]


def judged(verdict: Verdict) -> list[str]:
    """The verdict, the likely faults and what to check."""
    told = [headline(verdict)]
    if verdict.status == "follows" or verdict.first is None:
        return told
    if verdict.faults[0].name == "unknown":
        return [*told, verdict.faults[0].advice]
    told.append(f"Likely: {listed(verdict.faults)}.")
    told += [f"The same schedule: {listed(other)}." for other in verdict.equivalent]
    told += list(dict.fromkeys(fault.advice for fault in verdict.faults))
    others = [other for other in verdict.alternatives if other not in verdict.equivalent]
    return [*told, *(f"Also possible: {listed(other)}." for other in others)]


def headline(verdict: Verdict) -> str:
    """The verdict in one sentence."""
    unit, shift = verdict.source["clock"]["unit"], verdict.shift
    moved = f" {'+' if shift > 0 else '-'} {abs(shift)}" if shift else ""
    clock = f"rate at {unit} c = schedule(c{moved})"
    if verdict.status == "follows":
        part = "the part of the schedule that its rows show" if verdict.coverage.unseen else "the schedule"
        return f"The run follows {part}: {verdict.points} rate{'s' * (verdict.points != 1)}, {clock}."
    if verdict.first is None:
        return f"No verdict: the rates are those of the schedule, but {verdict.coverage.why}."
    first = verdict.first
    rates = f"logged {first.logged:.6g}, intended {first.intended:.6g}"
    text = f"departs from the schedule at {unit} {first.update:g}: {rates}"
    most = f"largest difference: {percent(verdict.residual)} of the peak"
    if verdict.status == "no verdict":
        return f"No verdict, since {verdict.doubt}: the run {text} ({most})."
    return f"The run {text}; {most} ({clock})."


def listed(faults: tuple[Named, ...]) -> str:
    """Faults in a row, each with its parameters."""
    return ", and ".join(phrase(fault) for fault in faults)


def phrase(fault: Named) -> str:
    """A fault in a few words.

    >>> from annealing.audit.verdict import Named
    >>> phrase(Named("stepped-too-often", 11, {"k": 2}, 0.5, 0.0))
    'the scheduler was stepped 2 times per update, from update 11 (stepped-too-often)'
    """
    known = {name: shown(value) for name, value in fault.parameters.items()}
    text = SAID.get("first_cycle" if "first_cycle" in known else fault.name)
    begin = f"from update {fault.from_update:g}"
    if text is None:
        given = ", ".join(f"{name} {value}" for name, value in known.items())
        return f"{fault.name}{f' ({given})' if given else ''}, {begin}"
    until = f" until {known['until']}" if "until" in known else ""
    return f"{text.format(**known)}, {begin}{until} ({fault.name})"


def shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(shown, value[:8])) + (" ..." if len(value) > 8 else "") or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def beside(log: Log, group: int) -> str:
    """A sentence on the groups beside one: the same rates, a multiple of them, or others; "" if there are none.

    >>> rates = np.array([[0.1, 0.1, 0.01, 0.5], [0.2, 0.2, 0.02, 0.4], [0.3, 0.3, 0.03, 0.3]])
    >>> log = Log("csv", np.arange(3.0), rates, np.spacing(rates) / 2, np.zeros(3, int), ("a", "b", "c", "d"))
    >>> beside(log, 0)
    'Of the other param groups, b has the same rates, c has 0.1 times these, d has others.'
    """
    others = [i for i in range(len(log.groups)) if i != group]
    said = [f"{log.groups[i]} has {_relation(log, group, i)}" for i in others]
    return f"Of the other param groups, {', '.join(said)}." if said else ""


def _relation(log: Log, group: int, other: int) -> str:
    both = np.isfinite(log.rates[:, group]) & np.isfinite(log.rates[:, other])
    if not both.any():
        return "no rates in the same rows"
    these, those = log.rates[both, group], log.rates[both, other]
    half, their = log.half[both, group], log.half[both, other]
    place = int(np.argmax(np.abs(these)))
    if not these[place]:
        return "the same rates" if not those.any() else "others"
    ratio = float(f"{those[place] / these[place]:.6g}")
    single = all(np.all(rates == rates.astype(np.float32)) for rates in (these, those))
    allowed = np.abs(ratio) * half + their + (SINGLE if single else DOUBLE) * np.max(np.abs(those))
    if not np.all(np.abs(those - ratio * these) <= allowed * (1 + PRINTED)):
        return "others"
    return "the same rates" if ratio == 1 else f"{ratio:g} times these"
