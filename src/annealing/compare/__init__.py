"""Compare schedules by training, each with the same seeds: records on disk, and a report made from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import whole
from .engine import Listener, WorkerError, processors, run, run_on_ray
from .entries import Arm
from .experiment import Experiment, Trial, sgdr
from .models import Cnn, Gpt, ResNet9, Wrn
from .optimizers import Sgd, TorchOptimizer
from .session import Session
from .store import free_for_comparison, load_store, open_store
from .tasks import Function, Images, Text, prepare
from .tuning import Tuning, read_experiment

if TYPE_CHECKING:
    from .status import State
    from .table import Table

__all__ = [
    "Arm",
    "Cnn",
    "Experiment",
    "Function",
    "Gpt",
    "Images",
    "ResNet9",
    "Session",
    "Sgd",
    "Text",
    "TorchOptimizer",
    "Trial",
    "Tuning",
    "WorkerError",
    "Wrn",
    "compare",
    "read_experiment",
    "sgdr",
    "standing",
    "tabulated",
    "tune",
]


def compare(
    out: str | Path,
    experiment: Experiment | Tuning | None = None,
    *,
    workers: int | None = None,
    ray: str | None = None,
    watch: Listener | None = None,
    command: str | None = None,
) -> Table:
    """Train what is missing of an experiment, write the report into the directory, and return its table.

    out: a new or empty directory, or one where the same experiment was begun, perhaps with fewer seeds: its finished
    trials are kept. experiment: sgdr() unless given; one with an argument to tune has that tuned first. workers:
    processes, each with as many threads as the experiment says (None: as many as this machine has processors for, one
    on a GPU). ray: the address of a Ray cluster ("auto", "HOST:PORT", "ray://HOST:PORT") that trains instead of this
    machine; all its nodes must see `out` under the same path. watch: called with a trial and "begin", "row", "note
    ...", "died", "failed" or "done" (at once if it is kept), from several threads. command: a text for the manifest. A
    ScheduleError names an argument that is wrong, or data that are missing; a WorkerError the trials that could not be
    finished. After either, or an interruption, the same call continues where this one stopped. `.plain()` gives the
    table as plain data.

    >>> compare("demo", sgdr(budget=40, seeds=5))  # doctest: +SKIP
    """
    experiment = experiment or sgdr()
    if isinstance(experiment, Tuning):
        experiment = tune(out, experiment, workers=workers, ray=ray, watch=watch, command=command)
    prepare(experiment.task, experiment.data)
    if experiment.optimizer is not None:
        experiment.optimizer.check()
    # a wrong number of workers is named before anything is written
    # several trials on one GPU take as long as one after another
    free = 1 if experiment.device == "cuda" else max(1, processors() // experiment.threads)
    count = free if workers is None else whole(workers, "workers")
    store = open_store(out, experiment, command)
    missing = store.missing()
    watch = watch or (lambda trial, event: None)
    for trial in experiment.trials():
        if trial not in missing:
            watch(trial, "done")
    if ray is None:
        run(store, missing, count, watch)
    else:
        run_on_ray(store, missing, ray, watch)
    from .report import report

    table = report(store)
    assert table
    store.tidy()
    return table


def tune(out: str | Path, tuning: Tuning, **options: Any) -> Experiment:
    """Train every value of an open argument on held-out data; return the experiment with the best for each schedule.

    out: the directory of the comparison; the records go into its folders `tuning` and `rungs`. options: those of
    `compare`.
    """
    free_for_comparison(out)
    return tuning.search(Path(out), lambda place, made: compare(place, made, **options))


def tabulated(directory: str | Path) -> Table | None:
    """The table of a comparison from its records; the report is written again, nothing is trained.

    While it runs, the table of what is finished for the same seeds as the baseline; None if that is nothing yet.
    """
    from .report import report

    return report(load_store(directory))


def standing(directory: str | Path) -> list[State]:
    """The state of every trial of a comparison: finished, running or not; nothing is written."""
    from .status import states

    return states(load_store(directory))
