"""Compare schedules by training: every schedule with the same seeds, records on disk, a table that says no more."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import whole
from .engine import Watch, WorkerError, processors, run
from .experiment import Arm, Experiment, Trial
from .paper import sgdr
from .store import Store, load_store, open_store
from .tasks import Digits

if TYPE_CHECKING:
    from .table import Table

__all__ = ["Arm", "Digits", "Experiment", "Trial", "WorkerError", "compare", "sgdr", "tabulated"]


def compare(
    out: str | Path,
    experiment: Experiment | None = None,
    *,
    workers: int | None = None,
    watch: Watch | None = None,
    command: str | None = None,
) -> Table:
    """Train what is missing of an experiment in a directory, write the report there, and give its table.

    out: a new or empty directory, or one where the same experiment was begun: its finished trials are kept.
    experiment: sgdr() unless given. workers: processes, each with one thread (None: one for each processor). watch:
    called with a trial and "begin", "row", "died" or "done" (at once if it is kept), from several threads. command: a
    text for the manifest.
    A ScheduleError names an argument that cannot be; a WorkerError the trials whose process died three times. After
    either, or an interruption, the same call goes on where this one stopped. `.plain()` gives the table as plain data.

    >>> compare("demo", sgdr(budget=40, seeds=5))  # doctest: +SKIP
    """
    workers = processors() if workers is None else whole(workers, "workers")
    store = open_store(out, experiment or sgdr(), command)
    missing = store.missing()
    begun: dict[Trial, float] = {}

    def happened(trial: Trial, event: str) -> None:
        if event == "begin":
            begun[trial] = time.perf_counter()
        if event == "done" and trial in begun:
            store.clock(trial, time.perf_counter() - begun[trial])
        if watch:
            watch(trial, event)

    for trial in store.experiment.trials():
        if trial not in missing:
            happened(trial, "done")
    run(store.directory, missing, workers, happened)
    return _report(store)


def tabulated(directory: str | Path) -> Table:
    """The table of a finished comparison from its records; the report is written again, nothing is trained."""
    return _report(load_store(directory))


def _report(store: Store) -> Table:
    from .report import report

    return report(store)
