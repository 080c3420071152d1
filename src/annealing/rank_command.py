"""`annealing rank`."""

from __future__ import annotations

import json
import math
from typing import Any

import click

from .convex_bound import bound
from .errors import ScheduleError
from .options import plan_options, planned


@click.command()
@click.argument("notations", metavar="NOTATION...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each schedule.")
@plan_options
def rank(notations: tuple[str, ...], as_json: bool, **plan: Any) -> None:
    """Order schedules by a bound of convex theory, before training.

    Each schedule has its best peak. The bound is on the loss at the last update (see annealing.bound), with gradients
    and a distance to the minimum of 1, so that only the ratios mean something. All schedules are compared after the
    same number of updates: those of the plan (--steps N), or up to the end of the longest one.
    """
    schedules, steps = planned(notations, plan)
    if steps is None:
        ends = [schedule.duration for schedule in schedules]
        if None in ends:
            endless = next(schedule for schedule in schedules if schedule.duration is None)
            raise ScheduleError(f"this schedule never ends: give --steps N; it is {endless}")
        steps = max(math.ceil(end) for end in ends if end is not None)
    found = sorted(((bound(schedule, steps), schedule) for schedule in schedules), key=lambda pair: pair[0].best)
    least = found[0][0].best
    if as_json:
        for one, schedule in found:
            row = {"schedule": str(schedule), "steps": steps, "bound": one.best, "peak": one.peak}
            click.echo(json.dumps({**row, "bound_as_given": one.value}))
        return
    click.echo(f"after {steps:,} updates, each schedule at its best peak:\n\n  bound  ratio  best peak  schedule")
    for one, schedule in found:
        click.echo(f"{one.best:7.4f}  {one.best / least:5.2f}  {one.peak:9.4g}  {schedule}")
