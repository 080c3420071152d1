"""The report of a comparison, made from its records alone: table, closing words, figures and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from . import conclusions, figures, page
from .experiment import Experiment, Trial
from .files import write
from .records import Row
from .serialize import csv_text
from .statistics import ErrorCurve
from .status import Cost, costs, states
from .store import Store
from .table import RunEnd, Table, curves, tabulate
from .text import text
from .tuning import read_choice


class FinishedPart(NamedTuple):
    """What is finished of an experiment: schedules with the same seeds, as an experiment of its own."""

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
    """The seeds for which the baseline is finished, and the schedules that are finished for all of these."""
    whole = store.experiment
    records: dict[Trial, list[Row]] = {}
    for trial in whole.trials():
        rows = store.rows(trial)
        if rows is not None:
            records[trial] = rows
    seeds = [seed for seed in whole.seeds if Trial(whole.sources[whole.baseline], seed) in records]
    if not seeds:
        return None
    described = whole.description()
    arms = {
        arm.key: described["schedules"][arm.key]
        for arm in whole.arms
        if all(Trial(whole.sources[arm.key], seed) in records for seed in seeds)
    }
    experiment = Experiment(**{**described, "schedules": arms, "seeds": seeds})
    models = {trial: store.result(trial) for trial in experiment.trials()}
    table = tabulate(experiment, records, models, trials=len(whole.trials()))
    table = replace(table, tuned=read_choice(store.directory))
    return FinishedPart(experiment, table, curves(experiment, {trial: records[trial] for trial in models}))


def plain(table: Table) -> dict[str, Any]:
    """The table and its words as dictionaries, lists, text and numbers."""
    return {"answer": conclusions.answer(table), **table.plain(), "words": conclusions.closing(table)}
