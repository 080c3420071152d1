"""The report of a comparison, made from its records alone: table, closing words, figures and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from .. import ScheduleError
from ..convex_bound import bound
from . import conclusions, figures, page
from .experiment import Experiment, Trial
from .files import write
from .serialize import csv_text
from .statistics import ErrorCurve
from .status import Cost, costs, states
from .store import Store
from .table import Line, RunEnd, Table, curves, tabulate
from .text import text
from .tuning import read_choice


class FinishedPart(NamedTuple):
    """What is finished of an experiment, as one of its own; a schedule may have fewer seeds than the baseline."""

    experiment: Experiment
    table: Table
    drawn: Mapping[str, ErrorCurve]


def report(store: Store) -> Table | None:
    """Write the report beside the records, and give its table; None if the baseline is finished for no seed.

    report.html always; and where all is finished results.json, results.csv, run-ends.csv, cost.csv, table.txt,
    rates.png and errors.png. Only report.html and cost.csv tell wall time.
    """
    part = finished(store)
    pictures = [figures.rates(store.experiment)]
    files: dict[str, str | bytes] = {}
    spent: list[Cost] = []
    if part is not None:
        errors = figures.errors(part.experiment, part.drawn, part.table)
        pictures += [errors, figures.budgets(part.experiment, part.table)]
        if part.table.tuned:
            pictures.append(figures.sensitivity(part.experiment, part.table))
        spent = costs(store, part.experiment)
        if part.table.finished == part.table.trials:
            files = {
                "rates.png": figures.png(pictures[0]),
                "errors.png": figures.png(errors),
                "results.csv": part.table.csv(),
                "run-ends.csv": csv_text(RunEnd, part.table.run_ends),
                "cost.csv": csv_text(Cost, spent),
                "results.json": json.dumps(plain(part.table), indent=1, allow_nan=False) + "\n",
                "table.txt": text(part.table),
            }
    table = part.table if part else None
    drawings = dict(zip(("rates", "errors", "budgets", "sensitivity"), map(figures.svg, pictures), strict=False))
    files["report.html"] = page.html(store, table, spent, drawings, states(store))
    for name, content in files.items():
        write(store.directory / name, content)
    return table


def finished(store: Store) -> FinishedPart | None:
    """The seeds for which the baseline is finished, and every schedule for those of them for which it is."""
    whole = store.experiment
    found = {trial: store.rows(trial) for trial in whole.trials()}
    records = {trial: rows for trial, rows in found.items() if rows is not None}

    def done(key: str) -> list[int]:
        return [seed for seed in whole.seeds if Trial(whole.sources[key], seed) in records]

    def part(seeds: list[int], keys: list[str]) -> Experiment:
        described = whole.description()
        arms = {key: described["schedules"][key] for key in keys}
        return Experiment(**{**described, "schedules": arms, "seeds": seeds})

    def finished_for(seeds: list[int]) -> list[str]:
        return [arm.key for arm in whole.arms if {*seeds} <= {*done(arm.key)}]

    seeds = done(whole.baseline)
    if not seeds:
        return None
    experiment = part(seeds, finished_for(seeds))
    fewer = {}
    for arm in whole.arms:
        own = [seed for seed in seeds if seed in done(arm.key)]
        if own and own != seeds:
            # with the others that are finished for these seeds, so that each difference is paired
            fewer[arm.key] = part(own, finished_for(own))
    models = {trial: store.result(trial) for trial in records}
    table = tabulate(experiment, records, models, trials=len(whole.trials()), fewer=fewer)
    drawn = dict(curves(experiment, records))
    drawn |= {key: curves(those, records)[key] for key, those in fewer.items()}
    shown = part(seeds, [arm.key for arm in whole.arms if arm.key in drawn])
    table = replace(table, tuned=read_choice(store.directory), lines=_with_bounds(shown, table.lines))
    return FinishedPart(shown, table, drawn)


def _with_bounds(experiment: Experiment, lines: list[Line]) -> list[Line]:
    """Lines with the bound of convex theory for schedules as long as the baseline, over the least of these."""
    found = {}
    for arm in experiment.arms:
        if arm.epochs == experiment.arm(experiment.baseline).epochs:
            with suppress(ScheduleError):  # longer than the bound is made for, or never above 0
                per_update = arm.schedule.stretched(experiment.updates_per_epoch)
                found[arm.key] = bound(per_update, experiment.updates(arm)).best
    # only ratios mean something; the last digits of a sum depend on the processor
    ratios = {key: float(f"{value / min(found.values()):.3g}") for key, value in found.items()}
    return [replace(line, bound=ratios.get(line.key)) for line in lines]


def plain(table: Table) -> dict[str, Any]:
    """The table and its words as dictionaries, lists, text and numbers."""
    return {"answer": conclusions.answer(table), **table.plain(), "words": conclusions.closing(table)}
