"""A plan in words: what it comes to, and what the durations of a schedule are in it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from .printing import literal
from .schedule.base import Schedule

if TYPE_CHECKING:
    from .plan import Plan


def sentences(plan: Plan) -> Iterator[str]:
    """What a plan comes to."""
    if len(found := plan.stages) > 1:
        for stage in found:
            made, *_ = sentences(stage.plan)
            yield f"from step {stage.start:,} on: {made.removeprefix('1 steps of ')}"
        yield f"{plan.steps:,} steps, {plan.examples_seen:,} examples"
        return
    if plan.examples is None:
        yield f"{plan.steps:,} steps" + (f" of {plan.full:,} examples" if plan.batch else "")
        return
    shared = f" over {plan.replicas} replicas" if plan.replicas > 1 else ""
    yield (
        f"{plan.examples:,} examples{shared} in batches of {plan.batch}: "
        f"{plan.batches_per_epoch:,} batches an epoch, of {plan.examples_per_epoch:,} examples"
    )
    if plan.accumulation > 1:
        rest = plan.batches_per_epoch % plan.accumulation
        left = {"update": "make the last step", "drop": "are left out", "carry": "count for the next epoch"}
        yield f"{plan.accumulation} batches a step" + (f"; {rest} {left[plan.leftover]}" if rest else "")
    unit, length = plan.asked
    steps = f"{plan.steps:,} steps of {in_words(plan.steps_per_epoch)} an epoch"
    if unit == "steps":
        yield f"{steps} = {in_words(plan.epochs)} epochs"
    else:
        made = getattr(plan, unit)
        rounded = "" if made == length else f", rounded to {in_words(made)} {unit}"
        yield f"{in_words(length)} {unit} = {steps}{rounded}"


def conversions(plan: Plan, schedule: Schedule) -> Iterator[str]:
    """What the durations of a schedule come to, and where it ends."""
    made, found = plan.in_updates(schedule)
    for (time, at), steps in found.items():
        kept = "" if steps.denominator == 1 else ", not a whole number, and not rounded"
        place = f" from step {in_words(at)} on" if len(plan.stages) > 1 else ""
        yield f"{time}{place} = {in_words(steps)} steps{kept}"
    end = made.exact_duration
    if end is None or end == plan.steps:
        yield "the schedule never ends" if end is None else "the schedule ends with the plan"
        return
    how = "before" if end < plan.steps else "after"
    yield f"the schedule ends {in_words(abs(end - plan.steps))} steps {how} the plan"


def in_words(value: int | Fraction) -> str:
    """A number to read: exact where its decimals end soon, else as a fraction and about."""
    text = literal(Fraction(value))
    if text.startswith("Fraction"):
        return f"{value} (about {float(value):,.6g})"
    return f"{int(value):,}" if Fraction(value).denominator == 1 else f"{float(value):,}"
