"""Where every trial of an experiment stands, finished, running or not; nothing is written."""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .records import Row, from_lines
from .store import ROWS, Store
from .table import scale

STATES = ("done", "diverged", "running", "waiting")


@dataclass(frozen=True)
class State:
    """One trial: `state` is done, diverged (over as well), running, or waiting (not begun, or interrupted).

    epoch, error: of its last evaluation (None before it), in percent if the task counts images. fault: what is wrong
    with its records, if anything; then it is trained again.
    """

    arm: str
    title: str
    seed: int
    state: str
    epoch: float | None
    epochs: float
    error: float | None
    fault: str


def states(store: Store) -> list[State]:
    """The state of every trial, in the order in which they are trained."""
    experiment, found = store.experiment, []
    for trial in experiment.trials():
        fault = store.fault(trial)
        rows = store.rows(trial) or _so_far(store.path(trial) / ROWS)
        last = rows[-1] if rows else None
        if fault is None:
            state = "diverged" if last and last.diverged else "done"
        else:
            state = "running" if _locked(store.path(trial) / "clock.jsonl") else "waiting"
        arm = experiment.arm(trial.arm)
        found.append(
            State(
                arm=trial.arm,
                title=arm.title,
                seed=trial.seed,
                state=state,
                epoch=last.epoch if last else None,
                epochs=float(arm.epochs),
                error=scale(experiment) * last.wrong if last else None,
                fault=fault or "",
            )
        )
    return found


def summary(found: Sequence[State]) -> str:
    """How many trials are in each state.

    >>> summary([State("a", "a", seed, "done", 2.0, 2.0, 5.0, "") for seed in range(3)])
    '3 trials: 3 done'
    """
    counts = Counter(state.state for state in found)
    return f"{len(found)} trials: {', '.join(f'{counts[name]} {name}' for name in STATES if counts[name])}"


def _so_far(path: Path) -> list[Row]:
    """The rows of a trial that is not finished; the last line may be torn."""
    try:
        whole = path.read_text().rpartition("\n")[0]
        return from_lines(whole)
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _locked(path: Path) -> bool:
    """Whether a process trains the trial of a clock: it holds the lock of the file."""
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
