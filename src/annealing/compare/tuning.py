"""Tuned arguments: every schedule gets the value that is best for it on held-out training data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import ScheduleError
from ..errors import whole
from .experiment import Experiment
from .files import write
from .store import CHOICE
from .tasks import held_out, read_task
from .validation import entries, number

FIRST_SEED = 1_000_000  # seeds of tuning trials, so that no final trial repeats one


@dataclass(frozen=True)
class Tuning:
    """An experiment in whose schedules an argument is open, such as `cosine(peak, 0, 63)`, and the values to try.

    name: of the argument. grid: at least two values. seeds: how many trials for each value. held_out: how many training
    images, or bytes, the values are judged on; a tenth unless given. values: the keys of the experiment.

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
    values: dict[str, Any]

    def trials(self) -> Experiment:
        """The comparison of the values, on held-out data."""
        schedules = {
            self._key(key, value): self._filled(key, value) for key in self.values["schedules"] for value in self.grid
        }
        task = held_out(read_task(self.values["task"]), self.held_out)
        changes = {"task": task.description(), "schedules": schedules, "snapshots": False}
        # a comparison needs a baseline, though here none matters
        changes |= {"baseline": self._key(self.values["baseline"], self.grid[0])}
        changes |= {"seeds": [FIRST_SEED + number for number in range(self.seeds)]}
        return Experiment(**{**self.values, **changes})

    def final(self, chosen: Mapping[str, float]) -> Experiment:
        """The comparison of the schedules, each with the value chosen for it, on all data."""
        schedules = {key: self._filled(key, chosen[key]) for key in self.values["schedules"]}
        return Experiment(**{**self.values, "schedules": schedules})

    def results(self, table: Any) -> dict[str, dict[float, float]]:
        """The result of every value for every schedule, by the table of `trials`."""
        return {
            key: {value: table.line(self._key(key, value)).error.middle for value in self.grid}
            for key in self.values["schedules"]
        }

    def choose(self, table: Any, directory: Path) -> dict[str, float]:
        """The best value for each schedule, the least of equal ones; it is noted in the directory."""
        results, sign = self.results(table), 1 if table.better == "low" else -1
        chosen = {
            key: min((sign * result, value) for value, result in found.items())[1] for key, found in results.items()
        }
        noted = {
            "argument": self.name,
            "chosen": chosen,
            "results": {key: [[*pair] for pair in found.items()] for key, found in results.items()},
        }
        write(directory / CHOICE, json.dumps(noted, indent=1, allow_nan=False) + "\n")
        return chosen

    def _key(self, key: str, value: float) -> str:
        return f"{key}-{value:g}".replace("e-0", "e-").replace("+", "")

    def _filled(self, key: str, value: float) -> Any:
        """A schedule with a value for its open argument."""
        given = self.values["schedules"][key]
        notation = given.get("schedule") if isinstance(given, Mapping) else given
        # the name of a keyword, as in f(peak=peak), is no place for the value
        text, places = re.subn(rf"\b{self.name}\b(?!\s*=)", f"{value!r}", notation if isinstance(notation, str) else "")
        if not places:
            raise ScheduleError(f"schedules.{key} must use {self.name}, which tune names, got {notation!r}")
        return {**given, "schedule": text} if isinstance(given, Mapping) else text


def read_tuning(tune: Any, values: Mapping[str, Any]) -> Tuning:
    """An experiment with the key `tune`: a mapping of one argument to its values, with `seeds` and `held_out`.

    A ScheduleError names what is wrong in it, and in the experiment with each of the values.
    """
    if not isinstance(tune, Mapping):
        raise ScheduleError(f"tune must be a mapping such as {{peak: [0.05, 0.1, 0.2]}}, got {tune!r}")
    names = [name for name in tune if name not in ("seeds", "held_out")]
    if len(names) != 1 or not isinstance(names[0], str) or not names[0].isidentifier():
        listed = ", ".join(map(str, names)) or "none"
        raise ScheduleError(f"tune must name one argument, besides seeds and held_out, got {listed}")
    name = names[0]
    given = entries(tune, "tune", [name, "seeds", "held_out"])
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
        dict(values),
    )
    # a mistake that only one value brings is told now, and not after hours of tuning
    tuning.trials()
    for value in grid:
        tuning.final(dict.fromkeys(values["schedules"], value))
    return tuning


def read_choice(directory: Path) -> dict[str, Any] | None:
    """What was tuned in the directory of a comparison, if anything."""
    try:
        found: dict[str, Any] = json.loads((directory / CHOICE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found
