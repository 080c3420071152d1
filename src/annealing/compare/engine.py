"""Trials in parallel: by child processes of this machine, started again when they die, or on a Ray cluster."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, NamedTuple

from .. import ScheduleError
from .experiment import Trial
from .store import ROWS, Store, load_store

ATTEMPTS = 3  # how often a trial is begun, without an evaluation in between, before it is given up
MOST_LOST = 2  # when so many are given up, no other is begun
MOST_SHOWN = 20_000  # characters of what a failed trial printed, the last ones
RAY_RETRIES = 10  # of a trial whose worker or node was lost
RAY_SECONDS = 1.0  # between two looks at the records
Listener = Callable[[Trial, str], None]


class WorkerError(RuntimeError):
    """Trials that could not be finished: their process died again and again, they failed, or the disk is full."""


class Lost(NamedTuple):
    """A trial that could not be finished: why, and all that it printed, its exception with it."""

    trial: Trial
    why: str
    printed: str


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(store: Store, trials: Sequence[Trial], workers: int, watch: Listener) -> None:
    """Run trials of a store, `workers` at a time.

    watch: called with a trial and "begin", "row" (after each row), "note ...", "died", "failed" or "done", from several
    threads. A WorkerError names the trials that could not be finished. When this is interrupted, the workers are ended.
    """
    children: dict[int, Child] = {}  # by the thread that waits for their answers
    stopped = threading.Event()
    lost: list[Lost] = []

    def train(trial: Trial) -> None:
        own, attempts, word, said, printed = threading.get_ident(), 0, "died", "", ""
        while word == "died" and attempts < ATTEMPTS and not stopped.is_set():
            child = children[own] = children.get(own) or Child(store)
            watch(trial, "begin")
            word, said, rows = child.train(trial, watch)
            # a trial that got further before it died may go on; one that dies at once would do so forever
            attempts = 1 if rows else attempts + 1
            printed = child.printed()
            if word == "died":
                said = f"a worker process died {attempts} times, {children.pop(own).end()}"
            watch(trial, word)
        if word == "full" or (word != "done" and not stopped.is_set()):
            lost.append(Lost(trial, said, printed))
            if word == "full" or len(lost) >= MOST_LOST:
                stopped.set()

    try:
        with ThreadPoolExecutor(max(1, min(workers, len(trials)))) as pool:
            running = [pool.submit(train, trial) for trial in trials]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
            finally:
                stopped.set()
                for child in [*children.values()]:
                    child.process.kill()
    finally:
        for child in children.values():
            child.end()
    for future in running:
        future.result()
    check(lost)


def check(lost: Sequence[Lost]) -> None:
    """A WorkerError if trials could not be finished."""
    if not lost:
        return
    reasons = "; ".join(f"{one.trial.arm} with seed {one.trial.seed}: {one.why}" for one in sorted(lost))
    # trials often fail alike, and one example is enough
    shown = {one.printed.strip(): one for one in sorted(lost, reverse=True) if one.printed.strip()}
    details = [f"\n\n{one.trial.arm}, seed {one.trial.seed}, printed:\n{text}" for text, one in reversed(shown.items())]
    raise WorkerError(
        f"{reasons}. Finished trials are kept, and the same command continues with the missing ones{''.join(details)}"
    )


def modules() -> str:
    """The PYTHONPATH under which another process finds what this one does."""
    # an empty entry means the current directory, which would be another one in the child
    return os.pathsep.join(entry or os.getcwd() for entry in sys.path)


def command(store: Store) -> list[str]:
    """How a worker is started."""
    data = [str(store.experiment.data)] if store.experiment.data else []
    return [sys.executable, "-P", "-m", "annealing.compare.trials", str(store.directory), *data]


class Child:
    """A worker process."""

    def __init__(self, store: Store) -> None:
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.process: Any = subprocess.Popen(
            command(store),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "PYTHONPATH": modules()},
            # Ctrl-C reaches the parent alone, which then ends its workers
            start_new_session=True,
        )
        self.before = 0

    def train(self, trial: Trial, watch: Listener) -> tuple[str, str, bool]:
        """Have a trial trained: "done", "failed", "full" or "died", what was said of it, and whether a row came."""
        rows = False
        self.before = os.fstat(self.errors.fileno()).st_size
        with suppress(OSError):
            print(json.dumps(trial), file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            word, _, said = line.strip().partition(" ")
            if word in ("done", "failed", "full"):
                return word, said, rows
            rows = rows or word == "row"
            watch(trial, line.strip())
        return "died", "", rows

    def printed(self) -> str:
        """What the last trial printed, or its end if that is long."""
        self.errors.seek(self.before)
        return self.errors.read()[-MOST_SHOWN:]

    def end(self) -> str:
        """End the process, and say how it ended and what it said last."""
        self.process.communicate()
        self.errors.seek(0)
        said = [line.strip() for line in self.errors if line.strip()]
        self.errors.close()
        return f"exit status {self.process.returncode}" + (f": {said[-1]}" if said else "")


def run_on_ray(store: Store, trials: Sequence[Trial], address: str, watch: Listener) -> None:
    """Run trials of a store on a cluster: each on as many processors as it has threads, and on one GPU for `cuda`.

    address: "auto", "HOST:PORT" or "ray://HOST:PORT". All nodes must see the directory of the store, and that of the
    data, under the same path. watch: as for `run`; "row" comes from the records. A WorkerError names the trials that
    could not be finished. When this is interrupted, what runs is cancelled.
    """
    ray = _connected(address)
    experiment = store.experiment
    task = ray.remote(
        num_cpus=experiment.threads,
        num_gpus=1 if experiment.device == "cuda" else 0,
        # a lost node is no fault of the trial, which continues from its last state elsewhere
        max_retries=RAY_RETRIES,
        retry_exceptions=[OSError],
    )(_train_on_ray)
    data = None if experiment.data is None else str(experiment.data.resolve())
    running = {task.remote(str(store.directory.resolve()), tuple(trial), data): trial for trial in trials}
    seen = dict.fromkeys(trials, 0)
    lost: list[Lost] = []
    try:
        while running:
            ready, _ = ray.wait([*running], timeout=RAY_SECONDS)
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


def _train_on_ray(directory: str, trial: tuple[str, int], data: str | None) -> str:
    """What a worker of the cluster does."""
    from .trials import attempt

    return attempt(load_store(directory), Trial(*trial), data)


def _answer(ray: Any, found: Any) -> tuple[str, str]:
    """How a trial ended: "done", "failed", "full" or "died", and what is said of it."""
    try:
        word, _, said = ray.get(found).partition(" ")
    except ray.exceptions.RayTaskError as error:
        return "failed", str(error).strip().splitlines()[-1]
    except ray.exceptions.RayError as error:
        return "died", f"its worker was lost {RAY_RETRIES + 1} times: {' '.join(str(error).split())}"
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
