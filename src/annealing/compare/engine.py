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
from pathlib import Path

from .experiment import Trial

ATTEMPTS = 3  # how often a trial is begun before it is given up
MOST_LOST = 2  # when so many are given up, no other is begun
Watch = Callable[[Trial, str], None]


class WorkerError(RuntimeError):
    """Trials whose worker process died again and again."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(directory: Path, trials: Sequence[Trial], workers: int, watch: Watch) -> None:
    """Run trials of the store in a directory, `workers` at a time.

    watch: called with a trial and "begin", "row" (after each row), "died" or "done", from several threads.
    A WorkerError names the trials that could not be finished. When this is interrupted, the workers are ended.
    """
    waiting: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    for trial in trials:
        waiting.put(trial)
    children: set[Child] = set()
    stopped = threading.Event()
    lost: list[str] = []

    def serve() -> None:
        child: Child | None = None
        while not stopped.is_set():
            try:
                trial = waiting.get_nowait()
            except queue.Empty:
                break
            for _ in range(ATTEMPTS):
                if child is None:
                    child = Child(directory)
                    children.add(child)
                if stopped.is_set():
                    break
                watch(trial, "begin")
                if child.train(trial, watch):
                    watch(trial, "done")
                    break
                reason = child.end()
                child = None
                watch(trial, "died")
            else:
                lost.append(f"{trial.arm} with seed {trial.seed} ({reason})")
                if len(lost) >= MOST_LOST:
                    stopped.set()
        if child is not None:
            child.end()

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
    if lost:
        raise WorkerError(
            f"a worker process died {ATTEMPTS} times at {' and at '.join(sorted(lost))}; "
            "what is done is kept, and the same command goes on with what is missing"
        )


def command(directory: Path) -> list[str]:
    """How a worker is started."""
    return [sys.executable, "-P", "-m", "annealing.compare.worker", str(directory)]


class Child:
    """A worker process."""

    def __init__(self, directory: Path) -> None:
        modules = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            command(directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "PYTHONPATH": modules},
            start_new_session=True,
        )

    def train(self, trial: Trial, watch: Watch) -> bool:
        """Have a trial trained; False if the process died."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            print(json.dumps(trial), file=self.process.stdin, flush=True)
        except OSError:
            return False
        for line in self.process.stdout:
            if line == "done\n":
                return True
            watch(trial, "row")
        return False

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
