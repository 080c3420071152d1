"""Where every trial of an experiment stands, and what each schedule cost; nothing is written."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .experiment import Experiment, Trial
from .statistics import Interval, median_interval
from .store import ROWS, Row, Store, from_lines
from .table import shown

STATES = ("done", "diverged", "running", "waiting")
CLOCK = "clock.jsonl"


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
    found = []
    for trial in store.experiment.trials():
        arm, fault = store.experiment.arm(trial.arm), store.fault(trial)
        rows = store.rows(trial) or _so_far(store.path(trial) / ROWS)
        last = rows[-1] if rows else None
        if fault is None:
            state = "diverged" if last and last.diverged else "done"
        else:
            state = "running" if _locked(store.path(trial) / CLOCK) else "waiting"
        epoch, error = (last.epoch, shown(store.experiment, last.wrong)) if last else (None, None)
        found.append(State(arm.key, arm.title, trial.seed, state, epoch, float(arm.epochs), error, fault or ""))
    return found


def summary(found: Sequence[State]) -> str:
    """How many trials are in each state, such as "3 trials: 2 done, 1 running"."""
    counts = Counter(state.state for state in found)
    return f"{len(found)} trials: {', '.join(f'{counts[name]} {name}' for name in STATES if counts[name])}"


def _so_far(path: Path) -> list[Row]:
    """The rows of a trial that is not finished."""
    try:
        # a process that is killed while it writes leaves a line without its end
        return from_lines(path.read_text().rpartition("\n")[0])
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


@dataclass(frozen=True)
class Cost:
    """The training of one schedule with one seed.

    seconds: of wall time up to its last evaluation, with evaluations and what interruptions lost; over the seeds, None
    where a clock is missing. It depends on the machine and what else it did. trained_as: whose training contains it.
    """

    key: str
    epochs: float
    updates: int
    seconds: Interval | None
    trained_as: str


def costs(store: Store, experiment: Experiment) -> list[Cost]:
    """The cost of every schedule of an experiment, whose trials are in a store."""
    found = []
    for arm in experiment.arms:
        source, updates = experiment.sources[arm.key], experiment.updates(arm)
        clocks = [store.path(Trial(source, seed)) / CLOCK for seed in experiment.seeds]
        times = [seconds(clock.read_text(), updates) for clock in clocks if clock.exists()]
        known = [time for time in times if time is not None]
        found.append(Cost(arm.key, float(arm.epochs), updates, median_interval(known) if known else None, source))
    return found


def seconds(clock: str, update: int) -> float | None:
    """The wall time that a trial took up to its evaluation after an update, by the lines of its clock.

    >>> clock = (
    ...     '{"event": "begin"}\\n{"event": "row", "step": 10, "seconds": 4}\\n'  # then it was killed
    ...     '{"event": "begin"}\\n{"event": "row", "step": 20, "seconds": 5}\\n'
    ... )
    >>> seconds(clock, 10), seconds(clock, 20), seconds(clock, 30)
    (4.0, 9.0, None)
    """
    before = now = 0.0
    found = None
    for line in clock.splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # torn by a kill
            continue
        if event["event"] == "begin":
            before, now = before + now, 0
        now = event.get("seconds", now)
        if event["event"] == "row" and event["step"] == update:
            found = before + now
    return found
