"""Progress of a comparison in the terminal."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .experiment import Experiment, Trial


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
