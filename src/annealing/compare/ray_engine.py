"""Trials on a Ray cluster, with the same records as on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from .. import ScheduleError
from .engine import MOST_LOST, Listener, Lost, check, modules
from .experiment import Trial
from .store import ROWS, Store, load_store
from .worker import attempt

RETRIES = 10  # of a trial whose worker or node was lost
SECONDS = 1.0  # between two looks at the records


def run(store: Store, trials: Sequence[Trial], address: str, watch: Listener) -> None:
    """Run trials of a store on a cluster: each on as many processors as it has threads, and on one GPU for `cuda`.

    address: "auto", "HOST:PORT" or "ray://HOST:PORT". All nodes must see the directory of the store, and that of the
    data, under the same path. watch: as for `engine.run`; "row" comes from the records. A WorkerError names the trials
    that could not be finished. When this is interrupted, what runs is cancelled.
    """
    ray = _connected(address)
    experiment = store.experiment
    task = ray.remote(
        num_cpus=experiment.threads,
        num_gpus=1 if experiment.device == "cuda" else 0,
        # a lost node is no fault of the trial, which continues from its last state elsewhere
        max_retries=RETRIES,
        retry_exceptions=[OSError],
    )(train)
    data = None if experiment.data is None else str(experiment.data.resolve())
    running = {task.remote(str(store.directory.resolve()), tuple(trial), data): trial for trial in trials}
    seen = dict.fromkeys(trials, 0)
    lost: list[Lost] = []
    try:
        while running:
            ready, _ = ray.wait([*running], timeout=SECONDS)
            for trial in running.values():
                _tell(store, trial, seen, watch)
            for found in ready:
                trial = running.pop(found)
                word, said = _answer(ray, found)
                watch(trial, word)
                if word != "done":
                    why, _, printed = said.partition("\n")
                    lost.append(Lost(trial, why, printed))
                    if word == "full" or len(lost) >= MOST_LOST:
                        check(lost)
    finally:
        for found in running:
            # a task that is cancelled gently would first finish its trial
            ray.cancel(found, force=True)
        ray.shutdown()
    check(lost)


def train(directory: str, trial: tuple[str, int], data: str | None) -> str:
    """What a worker of the cluster does."""
    return attempt(load_store(directory), Trial(*trial), data)


def _answer(ray: Any, found: Any) -> tuple[str, str]:
    """How a trial ended: "done", "failed", "full" or "died", and what is said of it."""
    try:
        word, _, said = ray.get(found).partition(" ")
    except ray.exceptions.RayTaskError as error:
        return "failed", str(error).strip().splitlines()[-1]
    except ray.exceptions.RayError as error:
        return "died", f"its worker was lost {RETRIES + 1} times: {' '.join(str(error).split())}"
    return word, said


def _tell(store: Store, trial: Trial, seen: dict[Trial, int], watch: Listener) -> None:
    """Tell of the rows that are new in the records of a trial."""
    try:
        rows = (store.path(trial) / ROWS).read_bytes().count(b"\n")
    except OSError:
        return
    if rows and not seen[trial]:
        watch(trial, "begin")
    for _ in range(seen[trial], rows):
        watch(trial, "row")
    seen[trial] = max(rows, seen[trial])


def _connected(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise ScheduleError("ray needs Ray, which is not installed: pip install 'annealing[ray]'") from None
    environment = {"env_vars": {"PYTHONPATH": modules()}}
    try:
        ray.init(address=address, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ScheduleError(f"ray must be the address of a running cluster, got {address!r}: {reason}") from None
    return ray
