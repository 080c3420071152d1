"""The report of a finished comparison, made from its records alone: table, closing words and figures."""

from __future__ import annotations

import io
import json
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid

from . import figures, words
from .experiment import Trial
from .files import write
from .records import Row
from .statistics import CONFIDENCE
from .store import Store
from .table import Line, Table, curves, tabulate

WIDTH = 80


def report(store: Store) -> Table:
    """Write results.csv, results.json, table.txt, rates.png and errors.png beside the records, and give the table."""
    experiment = store.experiment
    records = {trial: _finished(store, trial) for trial in experiment.trials()}
    table = tabulate(experiment, records)
    drawn = curves(experiment, records)
    files: dict[str, str | bytes] = {
        "rates.png": figures.png(figures.rates(experiment)),
        "errors.png": figures.png(figures.errors(experiment, drawn, table)),
        "results.csv": table.csv(),
        "results.json": json.dumps(plain(table), indent=1, allow_nan=False) + "\n",
        "table.txt": text(table),
    }
    for name, content in files.items():
        write(store.directory / name, content)
    return table


def plain(table: Table) -> dict[str, Any]:
    """The table and its closing words as dictionaries, lists, text and numbers."""
    return {**table.plain(), "words": words.closing(table)}


def text(table: Table) -> str:
    """The report as plain text."""
    written = io.StringIO()
    Console(file=written, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False).print(_all(table))
    return "\n".join(line.rstrip() for line in written.getvalue().strip().splitlines()) + "\n"


def _all(table: Table) -> Group:
    parts: list[RenderableType] = [_errors(table), _epochs(table), *words.closing(table)]
    if any(line.cosine for line in table.lines):
        parts.insert(1, _matched(table))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _errors(table: Table) -> Grid:
    title = f"Error, % of {table.test_images} test images: {_of_seeds(table)}"
    grid = _grid(title, "schedule", "at epoch", "error", "less the baseline's")
    for line in table.lines:
        less = words.points(line.less_baseline, signed=True)
        grid.add_row(_name(table, line), f"{line.kept_at:.4g}", words.points(line.error), less)
    grid.caption = "* baseline; restarts (T_0, T_mult)"
    return grid


def _matched(table: Table) -> Grid:
    grid = _grid("The same error less that of one cosine of the same length", "schedule", "cosine", "difference")
    for line in table.lines:
        if line.cosine:
            cosine = table.line(line.cosine).title
            grid.add_row(_name(table, line), cosine, words.points(line.less_cosine, signed=True))
    return grid


def _epochs(table: Table) -> Grid:
    title = f"Epochs until the median error is at {table.level:.2f} %; ratio: the baseline's over these"
    grid = _grid(title, "schedule", "(a) epochs", "ratio", "(b) in hindsight", "ratio")
    for line in table.lines:
        committed = words.ratio(line.speed_up.middle, table.budget / line.epochs)
        hindsight = words.ratio(line.hindsight_speed_up.middle, table.hindsight / line.epochs)
        reached = [words.epochs(found, line.epochs) for found in (line.reached, line.hindsight)]
        grid.add_row(line.title, reached[0], committed, reached[1], hindsight)
    return grid


def _name(table: Table, line: Line) -> str:
    return f"{line.title} *" if line.key == table.baseline else line.title


def _grid(title: str, schedule: str, *numbers: str) -> Grid:
    grid = Grid(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True)
    grid.add_column(schedule, no_wrap=True)
    for name in numbers:
        grid.add_column(name, justify="right", no_wrap=True)
    return grid


def _of_seeds(table: Table) -> str:
    if table.seeds == 1:
        return "one seed"
    return f"median over {table.seeds} seeds [{CONFIDENCE:.0%} bootstrap interval]"


def _finished(store: Store, trial: Trial) -> list[Row]:
    rows = store.rows(trial)
    if rows is None:
        raise FileNotFoundError(f"{trial.arm} with seed {trial.seed} is not finished in {store.directory}")
    return rows
