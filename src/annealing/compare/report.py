"""The report of a comparison, made from its records alone: table, closing words, figures, and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from .. import ScheduleError
from ..convex_bound import bound
from . import conclusions, figures, serialize
from .experiment import Experiment, Trial
from .files import write
from .serialize import csv_text
from .statistics import EASED, SIGNIFICANT, ErrorCurve, Interval
from .status import STATES, Cost, State, costs, states, summary
from .store import MANIFEST, Store
from .table import Line, RunEnd, Table, curves, tabulate
from .tasks import Function, Text
from .text import text
from .tuning import read_choice

TEMPLATE = Path(__file__).with_name("page.html")
WIDE = 120  # of a drawn interval, in its own units


class Drawn(NamedTuple):
    """An interval as a bar: where it begins and ends and its middle, from 0 to WIDE; in words; "better" or "worse"."""

    low: float
    middle: float
    high: float
    said: str
    verdict: str


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
    files["report.html"] = html(store, table, spent, drawings, states(store))
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


def html(
    store: Store,
    table: Table | None,
    costs: Sequence[Cost],
    figures: Mapping[str, str],
    states: Sequence[State],
) -> str:
    """The page. figures: SVG elements by name: rates, and with a table errors and budgets."""
    # titles and notations are the user's and may hold anything
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text("utf-8"))
    manifest = json.loads((store.directory / MANIFEST).read_text("utf-8"))
    experiment = store.experiment
    return template.render(
        task=_task(experiment),
        setting=_setting(experiment),
        experiment=experiment,
        table=table,
        title=conclusions.error_title(table) if table else "",
        of_seeds=conclusions.of_seeds(table) if table else "",
        eased=EASED if table and table.test_images else None,
        answer=conclusions.answer(table) if table else "",
        closing=conclusions.closing(table) if table else [],
        drawn=_drawn(table) if table else {},
        wide=WIDE,
        significant=SIGNIFICANT,
        costs=costs,
        figures={name: Markup(svg) for name, svg in figures.items()},
        states=states,
        kinds=STATES,
        summary=summary(states),
        complete=all(state.state in ("done", "diverged") for state in states),
        command=manifest.get("command") or "annealing.compare.compare(...), from Python",
        versions=manifest["versions"],
        identities=_identities(store),
        described=_yaml(experiment.description()),
        named=conclusions.named,
        result=serialize.result,
        bounds=table is not None and sum(line.bound is not None for line in table.lines) > 2,
        points=serialize.points,
        epochs=serialize.epochs,
        ratio=serialize.ratio,
        duration=_duration,
    )


def _task(experiment: Experiment) -> str:
    task = experiment.task
    if isinstance(task, Function):
        return task.name
    if isinstance(task, Text):
        return f"{task.name}: the next byte after up to {task.context}, {task.test:,} bytes held out"
    side = f"{task.side} x {task.side}"
    return f"{task.name} at {side}, {task.train_images:,} training and {task.test_images:,} test images"


def _setting(experiment: Experiment) -> list[tuple[str, str]]:
    """What is the same for all schedules."""
    described = experiment.description()
    found = [("Task", _task(experiment))]
    for name in ("model", "optimizer"):
        if described[name]:
            found.append((name.capitalize(), _said(described[name])))
    if experiment.batch:
        found.append(("Batch", f"{experiment.batch} examples, {experiment.updates_per_epoch} updates an epoch"))
    else:
        found.append(("Epoch", f"{experiment.updates_per_epoch} updates"))
    found.append(("Seeds", ", ".join(map(str, experiment.seeds))))
    found.append(("Baseline", experiment.arm(experiment.baseline).title))
    return found


def _said(values: Mapping[str, Any]) -> str:
    """A part of the experiment in words, such as its model."""
    return ", ".join(
        str(value) if name == "name" else f"{name.replace('_', ' ')} {_number(value)}" for name, value in values.items()
    )


def _number(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _drawn(table: Table) -> dict[str, Drawn]:
    """The differences from the baseline as bars of one scale, by key."""
    named = {line.key: line for line in table.lines if line.less_baseline is not None}
    most = max((abs(end) for line in named.values() for end in line.less_baseline or () if end is not None), default=0)
    found = {}
    for key, line in named.items():
        assert line.less_baseline
        found[key] = _bar(line.less_baseline, table.verdict(line.less_baseline, line.baseline_p_value), most or 1)
    return found


def _bar(interval: Interval, verdict: str, most: float) -> Drawn:
    low, high = (interval.middle if end is None else end for end in interval[1:])

    def place(value: float) -> float:
        return round(WIDE / 2 + (WIDE / 2 - 5) * value / most, 1)

    said = serialize.points(interval, signed=True)
    return Drawn(place(low), place(interval.middle), place(high), said, verdict)


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


def _yaml(description: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(dict(description), sort_keys=False, allow_unicode=True, width=100)
    return text


def _duration(seconds: float) -> str:
    """Wall time as people read it.

    >>> _duration(7.25), _duration(200), _duration(7300)
    ('7.2 s', '3 min 20 s', '2 h 01 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
