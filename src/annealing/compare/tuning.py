"""Tuned arguments: every schedule gets the value that is best for it on held-out training data."""

from __future__ import annotations

import inspect
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from .. import ScheduleError
from ..errors import whole
from ..printing import time_json
from .entries import Arm
from .experiment import Experiment
from .files import write
from .store import CHOICE, RUNGS, TUNING
from .tasks import Function, held_out, read_task
from .validation import choice, entries, number

FIRST_SEED = 1_000_000  # seeds of tuning trials, so that no final trial repeats one


@dataclass(frozen=True)
class Tuning:
    """An experiment in whose schedules an argument is open, such as `cosine(peak, 0, 63)`, and the values to try.

    name: of the argument. grid: at least two values. seeds: how many trials for each value. held_out: how many training
    images, or bytes, the values are judged on; a tenth unless given. halving: whether shorter trainings drop the worse
    half of the values, again and again, until two are left. values: the keys of the experiment.

    >>> tuning = read_tuning(
    ...     {"peak": [0.05, 0.1]},
    ...     {"task": "digits", "schedules": {"c": "cosine(peak, 0, 9)"}, "baseline": "c", "epochs": 9},
    ... )
    >>> [arm.key for arm in tuning.trials().arms], str(tuning.final({"c": 0.1}).arms[0].schedule)
    (['c-0.05', 'c-0.1'], 'cosine(0.1, 0, 9)')
    """

    name: str
    grid: tuple[float, ...]
    seeds: int
    held_out: int | None
    halving: bool
    values: dict[str, Any]

    def search(self, directory: Path, train: Callable[[Path, Experiment], Any]) -> Experiment:
        """Have the values trained, note which is best for each schedule, and return the comparison with these.

        train: trains what is missing of an experiment in a directory, and gives its table.
        """
        left, rungs = self._all(), []
        for rung, share in enumerate(self.shares(), 1):
            made = self.trials(left, share)
            results = self.results(train(directory / RUNGS / f"{rung}", made), left)
            left = {key: self._best(found, -(-len(found) // 2)) for key, found in results.items()}
            epochs = {key: made.arm(self._key(key, values[0])).epochs for key, values in left.items()}
            rungs.append(
                {
                    "epochs": {key: time_json(length) for key, length in epochs.items()},
                    "results": {key: [*found.items()] for key, found in results.items()},
                    "dropped": {key: [value for value in results[key] if value not in left[key]] for key in left},
                }
            )
        results = self.results(train(directory / TUNING, self.trials(left)), left)
        chosen = {key: self._best(found, 1)[0] for key, found in results.items()}
        noted = {
            "argument": self.name,
            "chosen": chosen,
            "results": {key: [*found.items()] for key, found in results.items()},
            **({"halving": rungs} if rungs else {}),
        }
        write(directory / CHOICE, json.dumps(noted, indent=1, allow_nan=False) + "\n")
        return self.final(chosen)

    def shares(self) -> list[float]:
        """How long the shorter trainings are, each a quarter of the next, as shares of the whole.

        >>> values = {"task": "digits", "schedules": {"c": "cosine(peak, 0, 9)"}, "baseline": "c", "epochs": 9}
        >>> read_tuning({"peak": [0.1, 0.2, 0.3, 0.4, 0.5], "halving": True}, values).shares()
        [0.0625, 0.25]
        """
        # of n values half are left, rounded up, so that the last ones are two
        count = math.ceil(math.log2(len(self.grid))) - 1 if self.halving else 0
        return [4.0**-number for number in range(count, 0, -1)]

    def trials(self, left: Mapping[str, Sequence[float]] | None = None, share: float = 1.0) -> Experiment:
        """The comparison of the values, or of those left for each schedule, on held-out data; share: of the training.

        A shorter training has the whole schedule, shrunk: cut short, a high peak would look worse than it is, since
        what it gains comes when the rate falls.
        """
        left = left or self._all()
        baseline = self.values["baseline"]
        changes = {
            "task": held_out(read_task(self.values["task"]), self.held_out).description(),
            "schedules": {self._key(key, value): self._filled(key, value) for key in left for value in left[key]},
            "snapshots": False,
            # a comparison needs a baseline, though here none matters
            "baseline": self._key(baseline, left[baseline][0]),
            "seeds": [FIRST_SEED + number for number in range(self.seeds)],
        }
        made = Experiment(**{**self.values, **changes})
        if share == 1:
            return made
        return replace(made, schedules=tuple(_shrunk(arm, share) for arm in made.arms))

    def final(self, chosen: Mapping[str, float]) -> Experiment:
        """The comparison of the schedules, each with the value chosen for it, on all data."""
        schedules = {key: self._filled(key, chosen[key]) for key in self.values["schedules"]}
        return Experiment(**{**self.values, "schedules": schedules})

    def results(self, table: Any, left: Mapping[str, Sequence[float]] | None = None) -> dict[str, dict[float, float]]:
        """The result of every value for every schedule, by the table of `trials`."""
        return {
            key: {value: table.line(self._key(key, value)).error.middle for value in values}
            for key, values in (left or self._all()).items()
        }

    def _all(self) -> dict[str, Sequence[float]]:
        return dict.fromkeys(self.values["schedules"], self.grid)

    def _best(self, results: Mapping[float, float], count: int) -> list[float]:
        """The values with the best results, in the order of the grid; of equal ones the least."""
        sign = 1 if read_task(self.values["task"]).better == "low" else -1
        return sorted(sorted(results, key=lambda value: (sign * results[value], value))[:count])

    def _key(self, key: str, value: float) -> str:
        told = f"{value:g}".replace("e-0", "e-").replace("+", "")
        return f"{key}-{told}"

    def _filled(self, key: str, value: float) -> Any:
        """A schedule with a value for its open argument."""
        given = self.values["schedules"][key]
        notation = given.get("schedule") if isinstance(given, Mapping) else given
        # the name of a keyword, as in f(peak=peak), is no place for the value
        text, places = re.subn(rf"\b{self.name}\b(?!\s*=)", f"{value!r}", notation if isinstance(notation, str) else "")
        if not places:
            raise ScheduleError(f"schedules.{key} must use {self.name}, which tune names, got {notation!r}")
        return {**given, "schedule": text} if isinstance(given, Mapping) else text


def _shrunk(arm: Arm, share: float) -> Arm:
    """A schedule in a shorter training, of whole epochs: functions that loop over epochs know no others."""
    epochs = min(arm.epochs, Fraction(max(1, round(arm.epochs * Fraction(share)))))
    factor = epochs / arm.epochs
    others: dict[str, Any] = {name: schedule.stretched(factor) for name, schedule in arm.others.items()}
    return replace(arm, schedule=arm.schedule.stretched(factor), epochs=epochs, **others)


def read_tuning(tune: Any, values: Mapping[str, Any]) -> Tuning:
    """An experiment with the key `tune`: a mapping of one argument to its values, with `seeds`, `held_out`, `halving`.

    A ScheduleError names what is wrong in it, and in the experiment with each of the values.
    """
    if not isinstance(tune, Mapping):
        raise ScheduleError(f"tune must be a mapping such as {{peak: [0.05, 0.1, 0.2]}}, got {tune!r}")
    names = [name for name in tune if name not in ("seeds", "held_out", "halving")]
    if len(names) != 1 or not isinstance(names[0], str) or not names[0].isidentifier():
        listed = ", ".join(map(str, names)) or "none"
        raise ScheduleError(f"tune must name one argument, besides seeds, held_out and halving, got {listed}")
    name = names[0]
    given = entries(tune, "tune", [name, "seeds", "held_out", "halving"])
    if not isinstance(given[name], list | tuple) or len({*map(str, given[name])}) < 2:
        raise ScheduleError(f"tune.{name} must be a list of at least two values, got {given[name]!r}")
    grid = tuple(sorted(number(value, f"tune.{name}") for value in given[name]))
    if not isinstance(values.get("schedules"), Mapping):
        raise ScheduleError("schedules must be a mapping of names to notations, where an argument is tuned")
    share = given.get("held_out")
    tuning = Tuning(
        name,
        grid,
        whole(given.get("seeds", 1), "tune.seeds"),
        None if share is None else whole(share, "tune.held_out"),
        choice(given.get("halving", False), "tune.halving", [True, False]),
        dict(values),
    )
    # a mistake that only one value brings is told now, and not after hours of tuning; by the keys of the file first
    for value in grid:
        tuning.final(dict.fromkeys(values["schedules"], value))
    tuning.trials()
    return tuning


def read_choice(directory: Path) -> dict[str, Any] | None:
    """What was tuned in the directory of a comparison, if anything."""
    try:
        found: dict[str, Any] = json.loads((directory / CHOICE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found


def dropped(choice: Mapping[str, Any]) -> dict[str, dict[float, float]]:
    """The values of an argument that halving dropped for each schedule, and after how many epochs."""
    rungs = choice.get("halving", [])
    return {
        key: {value: float(Fraction(rung["epochs"][key])) for rung in rungs for value in rung["dropped"][key]}
        for key in choice["chosen"]
    }


def read_experiment(path: str | Path, **changes: Any) -> Experiment | Tuning:
    """Read an experiment from a YAML file whose keys are the arguments of `Experiment`, and perhaps `tune`.

    changes: values for keys, instead of those of the file. A ScheduleError names the file, the path of the key, its
    value and what is allowed.
    """
    import yaml

    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise ScheduleError(f"EXPERIMENT {path} cannot be read: {reason}") from None
    allowed = [*inspect.signature(Experiment).parameters, "tune"]
    try:
        # PyYAML itself silently keeps the last of two equal keys
        _no_key_twice(yaml.compose(text, yaml.SafeLoader), "")
        value = yaml.safe_load(text)
        if not isinstance(value, dict):
            raise ScheduleError(f"it must be a mapping with keys among {', '.join(allowed)}")
        values = entries({**value, **changes}, "experiment", allowed)
        for name in ("task", "schedules", "baseline"):
            if name not in values:
                raise ScheduleError(f"{name} must be given")
        tune = values.pop("tune", None)
        experiment = Experiment(**values) if tune is None else read_tuning(tune, values)
    except yaml.YAMLError as error:
        raise ScheduleError(f"EXPERIMENT {path} is no YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ScheduleError(f"EXPERIMENT {path} is nested too deeply, or contains itself by an alias") from None
    except ScheduleError as error:
        raise ScheduleError(f"{path}: {error}") from None
    beside = str(Path(path).resolve().parent)
    # a training function is looked for beside its experiment first, here and in the workers, which get this path
    if isinstance(read_task(values["task"]), Function) and beside not in sys.path:
        sys.path.insert(0, beside)
    return experiment


def _no_key_twice(node: Any, path: str) -> None:
    """A ScheduleError if a mapping has a key twice: YAML readers silently take the last."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        seen = []
        for key, value in node.value:
            here = f"{path}.{key.value}".lstrip(".")
            if key.value in seen:
                raise ScheduleError(f"{here} is given twice (line {key.start_mark.line + 1})")
            seen.append(key.value)
            _no_key_twice(value, here)
