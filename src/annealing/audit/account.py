"""What accounts for a log: that it follows, a habit of its format that is not kept, or faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .evidence import Evidence, Rates, evidence
from .explain import CHEAP, Explanation, explanations
from .faults import of_the_clock
from .landmarks import Landmarks
from .log import Log
from .parts import of_a_part


def account(log: Log, group: int, meant: Rates, marks: Landmarks) -> tuple[int, Evidence, list[Explanation]]:
    """The shift of the clock, the rows by it, and what explains them, the likeliest first.

    An explanation without faults where they follow; none, or one of a part (see `full`), where nothing explains all.
    """
    known = evidence(log, group, marks.peak)
    held: dict[int, Evidence] = {}
    for shift in _shifts(log):  # one after another, as those of a long log take their memory
        held[shift] = known.later(shift)
        if log.shift in (None, shift) and held[shift].first_wrong(meant) is None:
            return shift, held[shift], [Explanation((), None)]
    nearest = sorted(held, key=lambda shift: int(held[shift].wrong(meant).sum())) if log.slack else []
    loose = {shift: replace(held[shift], slack=log.slack) for shift in nearest}
    if log.slack and not _following(held, meant) and _following(loose, meant):
        held = loose
    shift, found = _explained(log, meant, held, marks)
    if log.slack and not full(found):
        held = loose
        shift, found = _explained(log, meant, held, marks)
    return shift, held[shift], found


def _explained(log: Log, meant: Rates, held: dict[int, Evidence], marks: Landmarks) -> tuple[int, list[Explanation]]:
    """The shift of the clock, and what explains the rows by it; an explanation without faults if they follow."""
    right = _following(held, meant)
    if right and log.shift in (None, right[0]):
        return right[0], [Explanation((), None)]
    if right and log.shift is not None:
        return log.shift, [_logged(log.shift, shift) for shift in right]
    if all(len(rows) == 1 for rows in held.values()):
        return next(iter(held)), []  # one rate fits anything
    per_epoch = _updates_per_epoch(log)
    best, explained = explanations(meant, held, marks, per_epoch)
    if not full(explained) or explained[0].cost > CHEAP:
        best, explained = _cheaper((best, explained), of_a_part(meant, held, marks, per_epoch))
    if log.shift is not None and best != log.shift and full(explained):
        extra = _logged(log.shift, best).faults
        return log.shift, [Explanation((*one.faults, *extra), None) for one in explained]
    return best, explained


def _following(held: dict[int, Evidence], meant: Rates) -> list[int]:
    """The shifts of the clock by which every row follows."""
    return [shift for shift, rows in held.items() if rows.first_wrong(meant) is None]


def _shifts(log: Log) -> list[int]:
    """The habits to be tried, the likeliest first."""
    usual = (0, -1, 1) if np.nanmin(log.clock) < 1 else (-1, 0, 1)
    return list(dict.fromkeys([*([] if log.shift is None else [log.shift]), *usual]))


def _cheaper(
    whole: tuple[int, list[Explanation]], part: tuple[int, list[Explanation]] | None
) -> tuple[int, list[Explanation]]:
    """Of explanations by the whole log and by a part of it, those that take less to believe; the others after them."""
    if part is None:
        return whole
    if not full(whole[1]):
        return part
    first, second = sorted((whole, part), key=lambda found: found[1][0].cost)
    return first[0], [*first[1], *(second[1] if second[0] == first[0] else [])]


def full(found: list[Explanation]) -> bool:
    """Whether they explain every row."""
    return bool(found) and found[0].until is None


def _logged(habit: int, shift: int) -> Explanation:
    name = "logged one early" if shift > habit else "logged one late"
    fault = of_the_clock(name, {"shift": shift, "habit": habit}, lambda t: t + (shift - habit))
    return Explanation((fault,), None)


def _updates_per_epoch(log: Log) -> int | None:
    if log.unit != "update" or log.epochs is None:
        return None
    known = np.isfinite(log.epochs) & (log.epochs > 0)
    if not known.any():
        return None
    number = float(np.median(log.clock[known] / log.epochs[known]))
    return round(number) if number >= 2 else None
