"""Compare schedules by training: every schedule with the same seeds, records on disk, a table that says no more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import whole
from .arms import Arm
from .document import read_experiment
from .engine import Watch, WorkerError, processors, run
from .experiment import Experiment, Trial
from .files import sweep
from .models import Cnn, Wrn
from .optimizers import Sgd
from .paper import sgdr
from .session import Session
from .store import Store, load_store, open_store
from .tasks import Function, Images, prepare

if TYPE_CHECKING:
    from .table import Table

__all__ = [
    "Arm",
    "Cnn",
    "Experiment",
    "Function",
    "Images",
    "Session",
    "Sgd",
    "Trial",
    "WorkerError",
    "Wrn",
    "compare",
    "read_experiment",
    "sgdr",
    "tabulated",
]


def compare(
    out: str | Path,
    experiment: Experiment | None = None,
    *,
    workers: int | None = None,
    watch: Watch | None = None,
    command: str | None = None,
) -> Table:
    """Train what is missing of an experiment in a directory, write the report there, and give its table.

    out: a new or empty directory, or one where the same experiment was begun, perhaps with fewer seeds: its finished
    trials are kept. experiment: sgdr() unless given. workers: processes, each with as many threads as the experiment
    says (None: as many as this machine has processors for). watch: called with a trial and "begin", "row", "note ...",
    "died", "failed" or "done" (at once if it is kept), from several threads. command: a text for the manifest. A
    ScheduleError names an argument that cannot be, or data that are not there; a WorkerError the trials that could not
    be finished. After either, or an interruption, the same call goes on where this one stopped. `.plain()` gives the
    table as plain data.

    >>> compare("demo", sgdr(budget=40, seeds=5))  # doctest: +SKIP
    """
    experiment = experiment or sgdr()
    workers = max(1, processors() // experiment.threads) if workers is None else whole(workers, "workers")
    prepare(experiment.task, experiment.data)
    store = open_store(out, experiment, command)
    missing = store.missing()
    if watch:
        for trial in experiment.trials():
            if trial not in missing:
                watch(trial, "done")
    run(store, missing, workers, watch or (lambda trial, event: None))
    table = _report(store)
    sweep(store.directory)
    return table


def tabulated(directory: str | Path) -> Table:
    """The table of a finished comparison from its records; the report is written again, nothing is trained."""
    return _report(load_store(directory))


def _report(store: Store) -> Table:
    from .report import report

    return report(store)
