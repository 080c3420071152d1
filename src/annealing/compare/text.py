"""A comparison in a terminal: its progress, and its report as text: the answer, the tables, what they show."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

from . import conclusions, serialize
from .conclusions import answer
from .experiment import Experiment, Trial
from .status import State, summary
from .table import Table
from .tuning import dropped


def text(table: Table) -> str:
    """The report as plain text."""
    grids = [_errors(table), _epochs(table), _run_ends(table), _together(table)]
    shown = [grid for grid in grids if grid.row_count]
    heading = "What the numbers show" if table.seeds > 1 else "What one seed shows"
    parts: list[RenderableType] = [answer(table), *shown, heading, *conclusions.closing(table)]
    return _plain(Group(*(Padding(part, (0, 0, 1, 0)) for part in parts)))


def brief(table: Table) -> str:
    """The sentence that answers, and the table of results."""
    return _plain(Group(Padding(answer(table), (0, 0, 1, 0)), _errors(table)))


def tuned(choice: Mapping[str, Any]) -> str:
    """The result of every value that was tried, and the best one for each schedule."""
    name = choice["argument"]
    results = {key: dict(map(tuple, found)) for key, found in choice["results"].items()}
    without = dropped(choice)
    values = sorted({value for found in (*results.values(), *without.values()) for value in found})
    grid = _grid(f"Results on held-out data by {name}", "schedule", *(f"{value:g}" for value in values))
    for key, found in results.items():
        cells = [f"{found[value]:.4g}" if value in found else "dropped" for value in values]
        best = values.index(choice["chosen"][key])
        grid.add_row(key, *(f"{cell} *" if place == best else cell for place, cell in enumerate(cells)))
    grid.caption = "* best" + ("; dropped: by shorter trainings, see tuning.json" if any(without.values()) else "")
    return _plain(grid)


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
    # in a notebook rich would show the text below the cell and write nothing
    plain: Any = dict.fromkeys(["force_terminal", "force_jupyter", "legacy_windows", "markup", "emoji"], False)
    Console(file=written, width=80, color_system=None, **plain).print(shown)
    return "\n".join(line.rstrip() for line in written.getvalue().strip().splitlines()) + "\n"


def _errors(table: Table) -> Grid:
    title = f"{conclusions.error_title(table)}: {conclusions.of_seeds(table)}"
    grid = _grid(title, "schedule", "epochs", table.metric.replace("_", " "), "difference", "")
    for line in table.ranked:
        less = serialize.points(line.less_baseline, signed=True)
        said = table.verdict(line.less_baseline, line.baseline_p_value)
        name = f"{line.title} *" if line.key == table.baseline else conclusions.named(table, line)
        grid.add_row(name, f"{line.kept_at:.4g}", serialize.points(line.error), less, said)
    notes = ["* baseline, from which the differences are"]
    if full := [line.epochs for line in table.lines if line.paper]:
        notes.append(f"lengths in names are of 200 epochs, here {full[0]:.4g}")
    if any(line.verdict in ("better", "worse") for line in table.lines):
        notes.append("better, worse: significantly")
    grid.caption = "; ".join(notes)
    return grid


def _run_ends(table: Table) -> Grid:
    title = "At the ends of cycles: difference from another schedule of the same length"
    grid = _grid(title, "schedule", "epochs", "from a step decay", "from a cosine")
    for end in table.run_ends:
        if end.step or end.cosine:
            less = [serialize.points(interval, signed=True) for interval in (end.less_step, end.less_cosine)]
            grid.add_row(table.line(end.key).title, f"{end.epoch:.4g}", *less)
    return grid


def _together(table: Table) -> Grid:
    title = "The last models averaged (mean of their softmax)"
    grid = _grid(title, "schedule", "models", "error", "from the last alone")
    for line in table.lines:
        ends = [end for end in table.run_ends if end.key == line.key and end.together]
        if ends:
            less = serialize.points(ends[-1].less_single, signed=True)
            grid.add_row(line.title, str(ends[-1].models), serialize.points(ends[-1].together), less)
    return grid


def _epochs(table: Table) -> Grid:
    level = f"{serialize.result(table.level)}{table.unit}"
    title = f"Epochs until the median is at {level}; ratio: the baseline's epochs over these"
    grid = _grid(title, "schedule", "(a) epochs", "ratio", "(b) in hindsight", "ratio")
    for line in table.lines:
        committed = serialize.ratio(line.speed_up.middle, table.budget / line.epochs)
        hindsight = serialize.ratio(line.hindsight_speed_up.middle, table.hindsight / line.epochs)
        reached = [serialize.epochs(found, line.epochs) for found in (line.reached, line.hindsight)]
        grid.add_row(line.title, reached[0], committed, reached[1], hindsight)
    return grid


def _grid(title: str, schedule: str, *numbers: str) -> Grid:
    grid = Grid(title=title, box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    grid.title_justify = grid.caption_justify = "left"
    # where a table is too wide a title may wrap, and no number is cut
    grid.add_column(schedule)
    for name in numbers:
        grid.add_column(name, justify="right", no_wrap=True)
    return grid


class Bars:
    """A bar for all trials, and one for each that is being trained; nothing where stderr is no terminal."""

    def __init__(self, experiment: Experiment) -> None:
        trials = experiment.trials()
        console = Console(stderr=True)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.rows = {trial: len(experiment.marks(trial.arm)) for trial in trials}
        self.all = self.progress.add_task(f"evaluations of {len(trials)} trials", total=sum(self.rows.values()))
        self.bars = {
            trial: self.progress.add_task(f"{trial.arm}, seed {trial.seed}", total=rows, visible=False)
            for trial, rows in self.rows.items()
        }
        self.lock = threading.Lock()

    def __call__(self, trial: Trial, event: str) -> None:
        """Draw what happened to a trial."""
        word, _, said = event.partition(" ")
        with self.lock:
            bar = self.bars[trial]
            if word == "note":
                self.progress.console.print(f"{trial.arm}, seed {trial.seed}: {said}", markup=False, highlight=False)
            elif word == "row":
                self.progress.advance(bar)
            elif word == "begin":
                self.progress.update(bar, visible=True)
            elif word == "done":
                self.progress.update(bar, completed=self.rows[trial], visible=False)
            else:
                self.progress.reset(bar, visible=False)
            done = sum(self.progress.tasks[bar].completed for bar in self.bars.values())
            self.progress.update(self.all, completed=done)
