"""The report of a comparison, made from its records alone: table, closing words, figures, and a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from .. import ScheduleError
from ..convex_bound import bound
from . import conclusions, figures, serialize
from .experiment import Experiment
from .files import write
from .serialize import csv_text
from .statistics import EASED, SIGNIFICANT, ErrorCurve
from .status import STATES, Cost, costs, states, summary
from .store import MANIFEST, Store
from .table import Line, RunEnd, Table, curves, finished_seeds, tabulate
from .tasks import Function, Text
from .text import text
from .tuning import read_choice

TEMPLATE = Path(__file__).with_name("page.html")
WIDE = 120  # of a drawn interval, in its own units


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
    table = part.table if part else None
    pictures = {"rates": figures.rates(store.experiment)}
    files: dict[str, str | bytes] = {}
    spent: list[Cost] = []
    if part and table:
        pictures["errors"] = figures.errors(part.experiment, part.drawn, table)
        pictures["budgets"] = figures.budgets(part.experiment, table)
        if table.tuned:
            pictures["sensitivity"] = figures.sensitivity(part.experiment, table)
        spent = costs(store, part.experiment)
        if table.finished == table.trials:
            files = {
                "rates.png": figures.png(pictures["rates"]),
                "errors.png": figures.png(pictures["errors"]),
                "results.csv": table.csv(),
                "run-ends.csv": csv_text(RunEnd, table.run_ends),
                "cost.csv": csv_text(Cost, spent),
                "results.json": json.dumps(plain(table), indent=1, allow_nan=False) + "\n",
                "table.txt": text(table),
            }
    drawings = {name: Markup(figures.svg(picture)) for name, picture in pictures.items()}
    files["report.html"] = _page(store, table, spent, drawings)
    for name, content in files.items():
        write(store.directory / name, content)
    return table


def finished(store: Store) -> FinishedPart | None:
    """The seeds for which the baseline is finished, and every schedule for those of them for which it is."""
    whole = store.experiment
    found = {trial: store.rows(trial) for trial in whole.trials()}
    records = {trial: rows for trial, rows in found.items() if rows is not None}
    seeds = finished_seeds(whole, whole.arm(whole.baseline), records)
    if not seeds:
        return None
    arms = tuple(arm for arm in whole.arms if {*seeds} & {*finished_seeds(whole, arm, records)})
    shown = replace(whole, schedules=arms, seeds=seeds)
    table = tabulate(shown, records, {trial: store.result(trial) for trial in records}, len(whole.trials()))
    table = replace(table, tuned=read_choice(store.directory), lines=_with_bounds(shown, table.lines))
    return FinishedPart(shown, table, curves(shown, records))


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


def _page(store: Store, table: Table | None, costs: Sequence[Cost], figures: Mapping[str, Markup]) -> str:
    """The page. figures: SVG elements by name: rates, and with a table errors and budgets."""
    # titles and notations are the user's and may hold anything
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    manifest = json.loads((store.directory / MANIFEST).read_text("utf-8"))
    experiment, trials = store.experiment, states(store)
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        task=_task(experiment),
        experiment=experiment,
        described=experiment.description(),
        said=_said,
        table=table,
        conclusions=conclusions,
        serialize=serialize,
        eased=EASED,
        significant=SIGNIFICANT,
        wide=WIDE,
        place=_places(table) if table else None,
        costs=costs,
        figures=figures,
        states=trials,
        kinds=STATES,
        summary=summary(trials),
        complete=all(state.state in ("done", "diverged") for state in trials),
        command=manifest.get("command") or "annealing.compare.compare(...), from Python",
        versions=manifest["versions"],
        identities=_identities(store),
        file=yaml.safe_dump(experiment.description(), sort_keys=False, allow_unicode=True, width=100),
        duration=_duration,
    )


def _task(experiment: Experiment) -> str:
    task = experiment.task
    if isinstance(task, Function):
        return task.name
    if isinstance(task, Text):
        return f"{task.name}: the next byte after up to {task.context}, {task.test:,} bytes held out"
    side = f"{task.size} x {task.size}"
    return f"{task.name} at {side}, {task.train_images:,} training and {task.test_images:,} test images"


def _said(values: Mapping[str, Any]) -> str:
    """A part of the experiment in words, such as its model."""
    lists = {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in values.items()}
    return ", ".join(
        f"{value}" if name == "name" else f"{name.replace('_', ' ')} {value}" for name, value in lists.items()
    )


def _places(table: Table) -> Callable[[float], float]:
    """Where a difference from the baseline lies in its bar; all bars have one scale, with 0 in the middle."""
    ends = [end for line in table.lines for end in line.less_baseline or () if end is not None]
    most = max(map(abs, ends), default=0) or 1
    return lambda value: round(WIDE / 2 + (WIDE / 2 - 5) * value / most, 1)


def _identities(store: Store) -> list[tuple[str, str]]:
    """Processors, threads, devices and data of the trials, each once, as their records say."""
    found: dict[str, dict[str, None]] = {}
    for trial in store.experiment.trials():
        with suppress(OSError, ValueError):
            identity = json.loads((store.path(trial) / "trial.json").read_text("utf-8"))
            for name in ("processor", "threads", "device", "gpu", "data", "code"):
                if name in identity:
                    found.setdefault(name, {})[str(identity[name])] = None
    names = {"threads": "threads per trial", "data": "SHA-256 of the data", "code": "SHA-256 of the function's file"}
    return [(names.get(name, name), ", ".join(values)) for name, values in found.items()]


def _duration(seconds: float) -> str:
    """Wall time as people read it.

    >>> _duration(7.25), _duration(200), _duration(7300)
    ('7.2 s', '3 min 20 s', '2 h 01 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
