"""The records of one experiment in one directory: what is finished, what is missing, and whose directory it is.

    manifest.json               format, fingerprint, command, versions, and the experiment with the keys of a file
    trials/ARM-seedN/           one trial: an arm that is found in no longer one, and a seed
        trial.json              what its numbers depend on: schedule and fingerprint, seed, versions, processor,
                                threads, SHA-256 of the data (or of the file with the user's function)
        metrics.jsonl           a row for every evaluation: step, epoch, lr, loss, wrong, error (see `Row`)
        result.json             the seal: a trial without it, or with one that does not fit, is not finished. Names
                                experiment, arm, seed and schedule; `sha256` of metrics.jsonl, `rows`, `diverged`;
                                `snapshots`, a list of {step, sha256, wrong, error}; `ensembles`, a list of {steps,
                                wrong, error}: one for the end of every cycle but the first, of the last models there
        snapshots/STEP.safetensors   the model after update STEP, at the ends of cycles and of training; the last end
                                of a cycle (without cycles, the end) gives the model to keep
        clock.jsonl             wall time: begin (time, host, pid), row (step, seconds since begin), note (text), end
                                (seconds; on a GPU images_per_second, and outside_graph, the share of the time
                                outside the captured graph); several begins where it was interrupted. The only record
                                that differs between two runs of an experiment
        checkpoints/            only until it is finished
    tuning/                     where an argument is tuned: a comparison of its values, with records of its own
    rungs/N/                    where halving drops values: the comparison of shorter trainings, number N
    tuning.json                 what was chosen: `argument`, `chosen` by schedule, `results` of every value trained to
                                the end; with halving, `epochs`, `results` and `dropped` values of each shorter one

While a trial runs, metrics.jsonl grows, and its last line may be torn.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .. import ScheduleError, __version__
from .experiment import Experiment, Trial
from .files import SCRATCH, sha256, sweep, write

FORMAT = "annealing.compare/2"
MANIFEST = "manifest.json"
ROWS = "metrics.jsonl"
RESULT = "result.json"
STATES = "checkpoints"
TUNING, CHOICE = "tuning", "tuning.json"  # a comparison of values to choose from, and what was chosen
RUNGS = "rungs"  # the shorter trainings before it
FIELDS = {"fingerprint", "versions", "experiment"}
# other versions of these may give other numbers; scipy and matplotlib make tables and pictures, which can be made again
DECISIVE = ("annealing", "torch", "numpy", "scikit-learn", "safetensors")


class Row(NamedTuple):
    """An evaluation: after `step` updates, which are `epoch` epochs.

    lr: the learning rate of the last update, as the optimizer held it. loss: the mean over the updates since the epoch
    began; None where it was no longer finite, and with that the trial ends. wrong: test images of a wrong class, all of
    them after divergence (the error itself for a task that counts no images).
    """

    step: int
    epoch: float
    lr: float
    loss: float | None
    wrong: float

    @property
    def diverged(self) -> bool:
        return self.loss is None


def to_line(row: Row, images: int) -> str:
    """A row as a line of JSON, with the error as a share of the test images."""
    return json.dumps({**row._asdict(), "error": row.wrong / images}, allow_nan=False) + "\n"


def from_lines(text: str) -> list[Row]:
    """The rows of a text of such lines; a ValueError, KeyError or TypeError if it is no such text."""
    rows = [json.loads(line) for line in text.splitlines()]
    return [Row(*(row[name] for name in Row._fields)) for row in rows]


def complete(rows: Sequence[Row], marks: Sequence[int]) -> bool:
    """Whether rows are those of a whole trial: one at every mark, or up to where it diverged."""
    steps = [row.step for row in rows]
    if rows and rows[-1].diverged:
        before = [mark for mark in marks if mark < steps[-1]]
        return steps[:-1] == before
    return steps == [*marks]


@dataclass(frozen=True)
class Store:
    """A directory with the records of an experiment."""

    directory: Path
    experiment: Experiment

    def path(self, trial: Trial) -> Path:
        """The directory of a trial."""
        return self.directory / "trials" / f"{trial.arm}-seed{trial.seed}"

    def rows(self, trial: Trial) -> list[Row] | None:
        """The rows of a finished trial of this experiment, else None."""
        return self._read(trial)[0]

    def fault(self, trial: Trial) -> str | None:
        """None if a trial is finished, "" if it is not, else what is wrong with its records."""
        rows, fault = self._read(trial)
        return None if rows is not None else fault

    def result(self, trial: Trial) -> dict[str, Any]:
        """The result of a finished trial, with what it says of its models."""
        found: dict[str, Any] = json.loads((self.path(trial) / RESULT).read_text())
        return found

    def missing(self) -> list[Trial]:
        """The trials that are not finished, the longest first."""
        return [trial for trial in self.experiment.trials() if self.rows(trial) is None]

    def record(self, trial: Trial, rows: Sequence[Row], models: Mapping[str, Any] | None = None) -> None:
        """Write the rows of a whole trial and what is known of its models, and with that it is finished."""
        if not complete(rows, self.experiment.marks(trial.arm)):
            raise ScheduleError(f"{trial.arm} with seed {trial.seed} has no row for some update that calls for one")
        self.path(trial).mkdir(parents=True, exist_ok=True)
        text = "".join(to_line(row, self.experiment.test_images) for row in rows)
        # the seal comes last: without it the rows do not count
        write(self.path(trial) / ROWS, text)
        result = {**self._seal(trial, rows, text), **(models or {})}
        write(self.path(trial) / RESULT, json.dumps(result, indent=1, allow_nan=False) + "\n")

    def tidy(self) -> None:
        """Remove what is of no use any more: interrupted writes, and states that a kill left in finished trials."""
        sweep(self.directory)
        for trial in self.experiment.trials():
            if (self.path(trial) / STATES).exists() and self.rows(trial) is not None:
                shutil.rmtree(self.path(trial) / STATES, ignore_errors=True)

    def _read(self, trial: Trial) -> tuple[list[Row] | None, str]:
        name = f"trials/{self.path(trial).name}"
        if not (self.path(trial) / RESULT).exists():
            return None, ""
        try:
            text = (self.path(trial) / ROWS).read_text()
            seal = json.loads((self.path(trial) / RESULT).read_text())
            rows = from_lines(text)
            sealed = self._seal(trial, rows, text).items() <= seal.items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None, f"{name}/{ROWS} or {RESULT} is damaged or missing"
        if not sealed or not complete(rows, self.experiment.marks(trial.arm)):
            return None, f"{name}/{ROWS} has not the SHA-256 of {RESULT}, or belongs to another trial"
        return rows, ""

    def _seal(self, trial: Trial, rows: Sequence[Row], text: str) -> dict[str, Any]:
        belongs = {"experiment": self.experiment.fingerprint, "arm": trial.arm, "seed": trial.seed}
        belongs["schedule"] = self.experiment.arm(trial.arm).schedule.fingerprint
        diverged = rows[-1].diverged if rows else False
        return {**belongs, "rows": len(rows), "diverged": diverged, "sha256": sha256(text.encode())}


def open_store(out: str | Path, experiment: Experiment, command: str | None = None) -> Store:
    """Make a directory the store of an experiment, or continue with one that is, or that has fewer seeds.

    A ScheduleError names a directory that holds something else, or whose missing trials would be trained with other
    versions of the libraries than the finished ones.
    """
    store, versions = Store(Path(out), experiment), installed()
    manifest = {"format": FORMAT, "fingerprint": experiment.fingerprint, "command": command, "versions": versions}
    manifest["experiment"] = experiment.description()
    try:
        known = _manifest(out)
        (store.directory / "trials").mkdir(parents=True, exist_ok=True)
        if known is not None:
            _check(out, store, known, manifest)
        # more seeds, or other titles, are written down; the finished trials stay what they are
        if known is None or known["experiment"] != manifest["experiment"]:
            write(store.directory / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    except OSError as error:
        raise ScheduleError(f"out must be a directory that can be written, got {out}: {error.strerror}") from None
    return store


def free_for_comparison(out: str | Path) -> None:
    """A ScheduleError if a directory holds something else than a comparison."""
    _manifest(out)


def load_store(directory: str | Path) -> Store:
    """The store that a directory is, by its own manifest."""
    known = _manifest(directory)
    if known is None:
        tuned = f"; its tuning is in {Path(directory) / TUNING}" if (Path(directory) / TUNING).exists() else ""
        raise ScheduleError(f"no comparison is kept in {directory}{tuned}")
    store = Store(Path(directory), Experiment(**known["experiment"]))
    if store.experiment.fingerprint != known["fingerprint"]:
        raise ScheduleError(f"the manifest of {directory} does not fit its fingerprint")
    return store


@cache
def installed() -> dict[str, str]:
    """The versions of what decides the numbers."""
    versions = {"annealing": __version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "scikit-learn", "safetensors", "scipy", "matplotlib"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            message = f"compare needs {name}, which is not installed: pip install 'annealing[compare]'"
            raise ScheduleError(message) from None
    return versions


def _manifest(out: str | Path) -> dict[str, Any] | None:
    """The manifest of a directory, None if there is nothing in it."""
    path = Path(out) / MANIFEST
    if not path.exists():
        names = {file.name for file in Path(out).iterdir()} if Path(out).is_dir() else set()
        foreign = [name for name in names - {"trials", TUNING, RUNGS, CHOICE} if not name.startswith(SCRATCH)]
        if foreign or any(Path(out).glob("trials/*")):
            held = min(foreign, default="trials")
            raise ScheduleError(f"out must be a new or empty directory or a comparison, but {out} holds {held!r}")
        return None
    with suppress(ValueError):
        known = json.loads(path.read_text())
        if isinstance(known, dict) and known.get("format") == FORMAT and known.keys() >= FIELDS:
            return known
    raise ScheduleError(
        f"out must be a new directory or a comparison, but {out}/{MANIFEST} is not that of a comparison"
    )


def _check(out: str | Path, store: Store, there: dict[str, Any], here: dict[str, Any]) -> None:
    """A ScheduleError if a directory, by its manifest, cannot continue with the experiment of another manifest."""
    fewer = {*there["experiment"]["seeds"]} <= {*here["experiment"]["seeds"]}
    if there["fingerprint"] != here["fingerprint"] or not fewer:
        apart = _apart(there["experiment"], here["experiment"])
        raise ScheduleError(
            f"out must be a new directory or hold this experiment, but {out} holds another one: {apart}"
        )
    missing, then, now = store.missing(), there["versions"], here["versions"]
    changed = [f"{name} {then.get(name)} (now {now[name]})" for name in DECISIVE if then.get(name) != now[name]]
    # a table must not mix trials of different versions; one that is whole or empty does not
    if changed and missing and len(missing) < len(store.experiment.trials()):
        raise ScheduleError(
            f"the finished trials in {out} were trained with {', '.join(changed)}: finish them with those versions, "
            "or choose another out"
        )


def _apart(there: dict[str, Any], here: dict[str, Any]) -> str:
    """The first difference between two experiments, in words."""
    for name in here:
        if name not in ("schedules", "checkpoint_seconds") and there.get(name) != here[name]:
            return f"{name} {there.get(name)} there, {here[name]} here"
    then, now = (
        {key: f"{arm['schedule']} for {arm['epochs']} epochs" for key, arm in described["schedules"].items()}
        for described in (there, here)
    )
    key = next((key for key in then | now if then.get(key) != now.get(key)), "")
    return f"{key} is {then.get(key, 'absent')} there, {now.get(key, 'absent')} here"
