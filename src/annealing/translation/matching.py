"""From a schedule to a framework's arguments: those whose own schedule is equal, or else nearest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..errors import ScheduleError, whole
from ..notation import parse
from ..printing import counted, percent
from ..sampling import default_until
from ..schedule.base import Schedule
from .forms import FORMS, MOST_LISTED, Arguments, Form, find_form
from .frameworks import FRAMEWORKS, framework_named, without
from .schedule_outline import SAME, ScheduleOutline, outlined

MOST_STEPS = 200_000  # at which rates are compared; of more steps, evenly chosen ones


class Translation(NamedTuple):
    """A schedule in another framework: the arguments, code that runs as it is, and how far it is from the schedule.

    largest_difference: of the rates of the first `updates` updates, at step `at`; `follows` is the schedule that the
    framework follows with these arguments. Printed, it is the code, with a first line that says whether it is exact.
    """

    schedule: Schedule
    framework: str
    name: str
    arguments: Arguments
    code: str
    follows: Schedule
    updates: int
    largest_difference: float
    at: int
    exact: bool
    notes: tuple[str, ...]

    def __str__(self) -> str:
        updates = counted(self.updates, "update")
        if self.exact:
            head = f"the same rates for {updates}"
        else:
            share = f"{percent(self.largest_difference / _scale(self.schedule, self.updates))} of the peak"
            head = f"NOT the same: largest difference {self.largest_difference:.3g} ({share}) at step {self.at}"
        return "\n".join([f"# {head}", *(f"# {note}" for note in self.notes), self.code])


def translate(schedule: Schedule | str, to: str, until: Any = None) -> Translation:
    """The arguments and the code with which a framework follows a schedule, checked against what it does with them.

    schedule: in updates (a `Plan` makes epochs and shares updates), or its notation. to: "torch", "optax", "keras",
    "timm", "transformers" and others (`annealing translate --list`). until: how many updates count; by default up to
    the end, or where most of it is over. Where the framework cannot express the schedule, the nearest that was found
    is given, and `exact` is False.

    >>> from annealing import cosine, linear
    >>> found = translate(linear(0, 0.1, 10) >> cosine(0.1, 0.01, 90), to="keras")
    >>> found.exact, found.name
    (True, 'CosineDecay')
    >>> found.arguments["decay_steps"], found.arguments["warmup_steps"]
    (90, 10)
    """
    schedule = parse(schedule)
    if schedule.pending:
        raise ScheduleError(
            f"schedule has durations that wait for a plan: use plan.resolve(schedule) first: {schedule}"
        )
    name = framework_named(to)
    framework = FRAMEWORKS[name]
    updates = whole(math.ceil(default_until([schedule]) if until is None else until), "until")
    same = SAME * _scale(schedule, updates)
    best = _best(name, outlined(schedule, updates, framework.fractions), same)
    if best is None:
        raise ScheduleError(f"{framework.title} has nothing near this schedule: {schedule}")
    follows = best.form.schedule(best.arguments)
    gap, at = difference(follows, schedule, 0, updates)
    exact = gap <= same
    notes = [framework.note] if framework.note else []
    later, when = difference(follows, schedule, updates, 2 * updates)
    if later > max(same, gap):
        notes.append(f"After update {updates} it goes on otherwise: the rates differ by {later:.3g} at step {when}.")
    if not exact and framework.native:
        notes.append(f"Exact there: {framework.native}")
    code = framework.write(best.form.name, best.arguments)
    return Translation(
        schedule, name, best.form.name, best.arguments, code, follows, updates, gap, at, exact, tuple(notes)
    )


class Proposal(NamedTuple):
    """Arguments that may do, and the largest difference from the schedule, in its updates and after them."""

    form: Form
    arguments: Arguments
    gap: float
    after: float

    def rank(self, same: float) -> tuple[float, float]:
        """Below `same` all differences are as good, and how it goes on decides."""
        return max(self.gap, same), self.after


def _best(name: str, outline: ScheduleOutline, same: float) -> Proposal | None:
    """The first candidate that is exact, or the nearest one: one schedule, or pieces and what follows them."""
    best: Proposal | None = None
    pieces: list[Proposal] = []
    last = len(outline.parts) - 1 if FRAMEWORKS[name].joined else 0
    for count in range(min(last, MOST_LISTED) + 1):
        if count:
            piece = _nearest(_candidates(name, outline.between(count - 1, count), joined=True), same)
            if piece is None:
                break
            pieces.append(piece)
        rest = _nearest(_candidates(name, outline.between(count), joined=count > 0), same)
        if rest is None:
            continue
        found = _joined(name, outline, [*pieces, rest]) if count else rest
        best = found if best is None or found.rank(same) < best.rank(same) else best
        if max(best.gap, best.after) <= same or (pieces and pieces[-1].gap >= best.gap):
            # More pieces cannot come nearer than the worst of those that are settled.
            break
    return best


def _nearest(candidates: Iterator[Proposal], same: float) -> Proposal | None:
    """The one with the least difference; of those that are the same, the first that goes on as the schedule does."""
    best: Proposal | None = None
    for candidate in candidates:
        best = candidate if best is None or candidate.rank(same) < best.rank(same) else best
        if max(best.gap, best.after) <= same:
            break
    return best


def _candidates(name: str, outline: ScheduleOutline, joined: bool) -> Iterator[Proposal]:
    framework, schedule, last = FRAMEWORKS[name], outline.schedule, outline.last
    # Where one scheduler follows another the second starts at a whole step, or at the time itself.
    begin: Any = outline.offset if framework.fractions else math.ceil(outline.offset)
    for form in FORMS[name].values():
        for arguments in form.proposals(outline):
            if joined and framework.shared and arguments.get(framework.shared, outline.peak) != outline.peak:
                continue
            try:
                read = form.schedule(arguments)
            except ScheduleError:
                # Proposals are made without looking: a factor above 1, say, is for the form to refuse.
                continue
            gap, _ = difference(read, schedule, begin, last, begin)
            # What a framework does after the end of a schedule is said, but decides nothing: training is over.
            endless = last == outline.total_updates and schedule.endless
            after = difference(read, schedule, last, 2 * last, begin)[0] if endless else 0.0
            yield Proposal(form, arguments, gap, after)


def _joined(name: str, outline: ScheduleOutline, pieces: list[Proposal]) -> Proposal:
    """The pieces one after another, in the framework's own form for that."""
    framework = FRAMEWORKS[name]
    starts = [part.begin for part in outline.parts[1 : len(pieces)]]
    times = [outline.number(start) if framework.fractions else math.ceil(start) for start in starts]
    parts = [{"name": part.form.name, **without(part.arguments, framework.shared or "")} for part in pieces]
    arguments: Arguments = {"schedules": parts, "boundaries": times}
    if framework.shared:
        arguments = {framework.shared: outline.peak, "schedulers": parts, "milestones": times}
    form = find_form(name, framework.joined or "")
    return Proposal(form, arguments, max(piece.gap for piece in pieces), pieces[-1].after)


def difference(one: Schedule, two: Schedule, first: Any, last: int, later: Fraction | int = 0) -> tuple[float, int]:
    """The largest difference of two schedules at the whole steps from `first` on and below `last`, and its step.

    later: by how much the clock of the first starts later than that of the second.
    """
    steps = np.arange(math.ceil(first), last, dtype=np.float64)
    if len(steps) > MOST_STEPS:
        steps = np.unique(np.linspace(math.ceil(first), last - 1, MOST_STEPS).round())
    if not len(steps):
        return 0.0, int(first)
    # Steps minus a whole number are exact; a fraction is rounded once, and a step is never before its begin.
    gaps = np.abs(one(np.maximum(steps - float(later), 0.0)) - two(steps))
    at = int(gaps.argmax())
    return float(gaps[at]), int(steps[at])


def _scale(schedule: Schedule, updates: int) -> float:
    steps = np.unique(np.linspace(0, updates, min(updates, 10_000) + 1).round())
    return float(np.abs(schedule(steps)).max()) or 1.0
