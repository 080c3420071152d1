"""The records of one experiment in one directory: what is finished, what is missing, and whose directory it is."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import ScheduleError, __version__
from .experiment import Experiment, Trial, read
from .records import SCRATCH, Row, complete, from_lines, to_line, write

FORMAT = "annealing.compare/1"
MANIFEST = "manifest.json"
FIELDS = {"fingerprint", "versions", "experiment"}
DECISIVE = ("annealing", "torch", "numpy", "scikit-learn")  # other versions of these may give other numbers


class Store:
    """A directory with the records of an experiment.

    manifest.json says what the experiment is; trials/ARM-seedN.jsonl holds the rows of a trial, and the .json beside it
    is the seal without which they do not count: what they belong to, and their SHA-256. times.jsonl, the seconds that
    trials took, is the only record that differs between two runs of the same experiment.
    """

    def __init__(self, directory: Path, experiment: Experiment) -> None:
        self.directory = directory
        self.experiment = experiment

    def path(self, trial: Trial, suffix: str) -> Path:
        return self.directory / "trials" / f"{trial.arm}-seed{trial.seed}{suffix}"

    def rows(self, trial: Trial) -> list[Row] | None:
        """The rows of a finished trial of this experiment, else None."""
        try:
            text = self.path(trial, ".jsonl").read_text()
            seal = json.loads(self.path(trial, ".json").read_text())
            rows = from_lines(text)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = complete(rows, self.experiment.marks(trial.arm))
        return rows if whole and seal == self._seal(trial, rows, text) else None

    def missing(self) -> list[Trial]:
        """The trials that are not finished, the longest first."""
        return [trial for trial in self.experiment.trials() if self.rows(trial) is None]

    def record(self, trial: Trial, rows: Iterable[Row], seen: Callable[[], None] = lambda: None) -> None:
        """Write the rows of a trial as they come, and at the end its files; `seen` is called after every row."""
        images = self.experiment.task.test_images
        partial = self.path(trial, ".partial.jsonl")
        kept = []
        with open(partial, "w") as file:
            for row in rows:
                kept.append(row)
                file.write(to_line(row, images))
                file.flush()
                seen()
        text = "".join(to_line(row, images) for row in kept)
        write(self.path(trial, ".jsonl"), text)
        write(self.path(trial, ".json"), json.dumps(self._seal(trial, kept, text), indent=1) + "\n")
        partial.unlink(missing_ok=True)

    def clock(self, trial: Trial, seconds: float) -> None:
        """Note how long a trial took."""
        with open(self.directory / "times.jsonl", "a") as file:
            file.write(json.dumps({**trial._asdict(), "seconds": round(seconds, 3)}) + "\n")

    def _seal(self, trial: Trial, rows: list[Row], text: str) -> dict[str, Any]:
        belongs = {"experiment": self.experiment.fingerprint, "arm": trial.arm, "seed": trial.seed}
        belongs["schedule"] = self.experiment.arm(trial.arm).schedule.fingerprint
        diverged = rows[-1].diverged if rows else False
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return {**belongs, "rows": len(rows), "diverged": diverged, "sha256": sha256}


def open_store(out: str | Path, experiment: Experiment, command: str | None = None) -> Store:
    """Make a directory the store of an experiment, or go on with one that is.

    A ScheduleError names a directory that holds something else, or whose missing trials would be trained with other
    versions of the libraries than the finished ones.
    """
    directory = Path(out)
    store = Store(directory, experiment)
    versions = installed()
    try:
        known = _manifest(directory, out)
        if known is None:
            (directory / "trials").mkdir(parents=True, exist_ok=True)
            manifest: dict[str, Any] = {"format": FORMAT, "fingerprint": experiment.fingerprint, "command": command}
            manifest |= {"versions": versions, "experiment": experiment.description()}
            write(directory / MANIFEST, json.dumps(manifest, indent=1) + "\n")
            return store
        (directory / "trials").mkdir(exist_ok=True)
    except OSError as error:
        raise ScheduleError(f"out must be a directory that can be written, got {out}: {error.strerror}") from None
    if known["fingerprint"] != experiment.fingerprint:
        there, here = known["experiment"], experiment.description()
        raise ScheduleError(
            f"out must be a new directory or hold this experiment, but {out} holds {_apart(there, here)}"
        )
    _same_versions(out, store, known["versions"], versions)
    return store


def load_store(directory: str | Path) -> Store:
    """The store that a directory is, by its own manifest."""
    known = _manifest(Path(directory), directory)
    if known is None:
        raise ScheduleError(f"no comparison is kept in {directory}")
    store = Store(Path(directory), read(known["experiment"]))
    if store.experiment.fingerprint != known["fingerprint"]:
        raise ScheduleError(f"the manifest of {directory} does not fit its fingerprint")
    return store


def installed() -> dict[str, str]:
    """The versions of what decides the numbers."""
    versions = {"annealing": __version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "scikit-learn", "scipy", "matplotlib"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            message = f"compare needs {name}, which is not installed: pip install 'annealing[compare]'"
            raise ScheduleError(message) from None
    return versions


def _manifest(directory: Path, out: str | Path) -> dict[str, Any] | None:
    """The manifest of a directory, None if there is nothing in it."""
    if not (directory / MANIFEST).exists():
        names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
        foreign = [name for name in names if not name.startswith(SCRATCH) and name != "trials"]
        if foreign or ((directory / "trials").exists() and any((directory / "trials").iterdir())):
            held = min(foreign, default="trials")
            raise ScheduleError(f"out must be a new or empty directory or a comparison, but {out} holds {held!r}")
        return None
    with suppress(ValueError):
        known = json.loads((directory / MANIFEST).read_text())
        if isinstance(known, dict) and known.get("format") == FORMAT and known.keys() >= FIELDS:
            return known
    raise ScheduleError(
        f"out must be a new directory or a comparison, but {out}/{MANIFEST} is not that of a comparison"
    )


def _apart(there: dict[str, Any], here: dict[str, Any]) -> str:
    """Words for the first thing in which two experiments differ."""
    for name in ("seeds", "task", "baseline"):
        if there[name] != here[name]:
            return f"another one: {name} {there[name]} there, {here[name]} here"
    then, now = (
        {arm["key"]: f"{arm['schedule']} for {arm['epochs']} epochs" for arm in x["arms"]} for x in (there, here)
    )
    key = next((key for key in then | now if then.get(key) != now.get(key)), "")
    return f"another one: {key} is {then.get(key, 'absent')} there, {now.get(key, 'absent')} here"


def _same_versions(out: str | Path, store: Store, then: dict[str, str], now: dict[str, str]) -> None:
    missing = store.missing()
    changed = [f"{name} {then.get(name)} (now {now[name]})" for name in DECISIVE if then.get(name) != now[name]]
    if changed and missing and len(missing) < len(store.experiment.trials()):
        raise ScheduleError(
            f"the finished trials in {out} were trained with {', '.join(changed)}: finish them with those versions, "
            "or choose another out"
        )
