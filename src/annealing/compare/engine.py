"""Trials in parallel on this machine: child processes, started again when they die."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import NamedTuple

from .experiment import Trial
from .store import Store

ATTEMPTS = 3  # how often a trial is begun, without an evaluation in between, before it is given up
MOST_LOST = 2  # when so many are given up, no other is begun
MOST_SHOWN = 20_000  # characters of what a failed trial printed, the last ones
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
    waiting: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    for trial in trials:
        waiting.put(trial)
    children: set[Child] = set()
    stopped = threading.Event()
    lost: list[Lost] = []

    def serve() -> None:
        child: Child | None = None
        while not stopped.is_set():
            try:
                trial = waiting.get_nowait()
            except queue.Empty:
                break
            attempts, word, said, printed = 0, "died", "", ""
            while attempts < ATTEMPTS and not stopped.is_set():
                if child is None:
                    child = Child(store)
                    children.add(child)
                watch(trial, "begin")
                word, said, rows = child.train(trial, watch)
                # a trial that got further before it died may go on; one that dies at once would do so forever
                attempts = 1 if rows else attempts + 1
                printed = child.printed()
                if word == "died":
                    said = f"a worker process died {attempts} times, {child.end()}"
                    child = None
                watch(trial, word)
                if word != "died":
                    break
            if word == "full" or (word != "done" and not stopped.is_set()):
                lost.append(Lost(trial, said, printed))
                if word == "full" or len(lost) >= MOST_LOST:
                    stopped.set()
        if child is not None:
            child.end()

    # a thread for each process, which does nothing but wait for its answers
    with ThreadPoolExecutor(max(1, min(workers, len(trials)))) as pool:
        serving = [pool.submit(serve) for _ in range(min(workers, len(trials)))]
        try:
            wait(serving)
        finally:
            stopped.set()
            for child in [*children]:
                child.kill()
    for future in serving:
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
    return [sys.executable, "-P", "-m", "annealing.compare.worker", str(store.directory), *data]


class Child:
    """A worker process."""

    def __init__(self, store: Store) -> None:
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
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
        assert self.process.stdin
        assert self.process.stdout
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

    def kill(self) -> None:
        self.process.kill()

    def end(self) -> str:
        """End the process, and say how it ended and what it said last."""
        assert self.process.stdin
        assert self.process.stdout
        with suppress(OSError):
            self.process.stdin.close()
        status = self.process.wait()
        self.process.stdout.close()
        self.errors.seek(0)
        said = [line.strip() for line in self.errors if line.strip()]
        self.errors.close()
        return f"exit status {status}" + (f": {said[-1]}" if said else "")
