"""The report of a finished comparison, made from its records alone: table, closing words and figures."""

from __future__ import annotations

import io
import json
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table as Grid

from . import figures, words
from .experiment import Trial
from .records import Row, write
from .statistics import CONFIDENCE
from .store import Store
from .table import Table, curves, tabulate

WIDTH = 110


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
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(layout(table))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def layout(table: Table) -> Group:
    """The report as rich prints it."""
    closing = [Padding(part, (1, 0, 0, 0)) for part in words.closing(table)]
    return Group(_errors(table), "", _epochs(table), *closing)


def _errors(table: Table) -> Grid:
    grid = Grid(title=f"Error in percent of {table.test_images} test images: {_of_seeds(table)}", title_justify="left")
    for name in ("schedule", "model after epoch", "error", "less the baseline", "less one cosine as long"):
        grid.add_column(name, justify="left" if name == "schedule" else "right")
    for line in table.lines:
        name = f"{line.title} (baseline)" if line.key == table.baseline else line.title
        less = words.points(line.less_baseline, signed=True), words.points(line.less_cosine, signed=True)
        grid.add_row(name, f"{line.kept_at:.4g}", words.points(line.error), *less)
    return grid


def _epochs(table: Table) -> Grid:
    title = f"Epochs to the baseline's final error, {table.level:.2f} %: where the median over the seeds is first at it"
    grid = Grid(title=title, title_justify="left")
    for name in ("schedule", "(a) epochs", "times fewer", "(b) in hindsight", "times fewer"):
        grid.add_column(name, justify="left" if name == "schedule" else "right")
    for line in table.lines:
        committed = words.epochs(line.reached, line.epochs), words.times(line.speed_up, table.budget / line.epochs)
        ratio = words.times(line.hindsight_speed_up, table.hindsight / line.epochs)
        grid.add_row(line.title, *committed, words.epochs(line.hindsight, line.epochs), ratio)
    return grid


def _of_seeds(table: Table) -> str:
    if table.seeds == 1:
        return "one seed"
    return f"median over {table.seeds} seeds [{CONFIDENCE:.0%} bootstrap interval], differences paired by seed"


def _finished(store: Store, trial: Trial) -> list[Row]:
    rows = store.rows(trial)
    if rows is None:
        raise FileNotFoundError(f"{trial.arm} with seed {trial.seed} is not finished in {store.directory}")
    return rows
