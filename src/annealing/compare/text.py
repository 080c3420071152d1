"""The table of a comparison and its closing words as text for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid

from . import conclusions
from .statistics import CONFIDENCE
from .status import State, summary
from .table import Line, Table

WIDTH = 80


def text(table: Table) -> str:
    """The report as plain text."""
    return _plain(_all(table))


def listing(states: Sequence[State]) -> str:
    """Where every trial stands, as plain text."""
    grid = _grid(summary(states), "trial", "state", "epoch", "error")
    for state in states:
        epoch, error = ("-" if value is None else f"{value:.4g}" for value in (state.epoch, state.error))
        grid.add_row(f"{state.arm}, seed {state.seed}", state.state, f"{epoch} of {state.epochs:.4g}", error)
    faults = [f"{state.fault}; it will be trained again." for state in states if state.fault]
    return _plain(Group(grid, *faults))


def _plain(shown: RenderableType) -> str:
    written = io.StringIO()
    Console(file=written, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False).print(shown)
    return "\n".join(line.rstrip() for line in written.getvalue().strip().splitlines()) + "\n"


def _all(table: Table) -> Group:
    grids = [_errors(table), _epochs(table), _run_ends(table), _together(table)]
    parts: list[RenderableType] = [*(grid for grid in grids if grid.row_count), *conclusions.closing(table)]
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _errors(table: Table) -> Grid:
    title = f"{conclusions.error_title(table)}: {of_seeds(table)}"
    grid = _grid(title, "schedule", "at epoch", "error", "less the baseline's")
    for line in table.lines:
        less = conclusions.points(line.less_baseline, signed=True)
        grid.add_row(_name(table, line), f"{line.kept_at:.4g}", conclusions.points(line.error), less)
    grid.caption = "* baseline" + ("; restarts (T_0, T_mult)" if any(line.paper for line in table.lines) else "")
    return grid


def _run_ends(table: Table) -> Grid:
    title = "At ends of runs: the error less that of another schedule of just that length"
    grid = _grid(title, "schedule", "at epoch", "less a step schedule's", "less one cosine's")
    for end in table.run_ends:
        if end.step or end.cosine:
            less = [conclusions.points(interval, signed=True) for interval in (end.less_step, end.less_cosine)]
            grid.add_row(table.line(end.key).title, f"{end.epoch:.4g}", *less)
    return grid


def _together(table: Table) -> Grid:
    title = "The last models at ends of runs, by the mean of their softmax, against the last alone"
    grid = _grid(title, "schedule", "models", "error", "less the last's alone")
    for line in table.lines:
        ends = [end for end in table.run_ends if end.key == line.key and end.together]
        if ends:
            less = conclusions.points(ends[-1].less_single, signed=True)
            grid.add_row(line.title, str(ends[-1].models), conclusions.points(ends[-1].together), less)
    return grid


def _epochs(table: Table) -> Grid:
    title = f"Epochs until the median error is at {table.level:.2f}{table.unit}; ratio: the baseline's over these"
    grid = _grid(title, "schedule", "(a) epochs", "ratio", "(b) in hindsight", "ratio")
    for line in table.lines:
        committed = conclusions.ratio(line.speed_up.middle, table.budget / line.epochs)
        hindsight = conclusions.ratio(line.hindsight_speed_up.middle, table.hindsight / line.epochs)
        reached = [conclusions.epochs(found, line.epochs) for found in (line.reached, line.hindsight)]
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


def of_seeds(table: Table) -> str:
    if table.seeds == 1:
        return "one seed"
    return f"median over {table.seeds} seeds [{CONFIDENCE:.0%} bootstrap interval]"
