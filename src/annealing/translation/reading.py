"""From another framework's scheduler, arguments or configuration file to a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..calls import did_you_mean
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .configurations import CAN_READ, file_content, recognized, trainer_arguments
from .forms import FORMS, Arguments, find_form
from .frameworks import ALIASES, FRAMEWORKS
from .live_objects import read_live

RATES = {"lr", "learning_rate"}  # of the optimizer, where a scheduler multiplies it
SUFFIXES = (".json", ".yaml", ".yml", ".toml")
ALONE = {"megatron": "arguments", "torchtitan": "lr_scheduler", "mmengine": "param_scheduler"}


def from_framework(given: Any, kind: str | None = None, /, *, group: int = 0, **arguments: Any) -> Schedule:
    """The schedule that another framework follows: of a live scheduler, a configuration, its file, or arguments.

    given: a scheduler of PyTorch, Keras, timm or Transformers, or its TrainingArguments; a configuration as a
    dictionary or the path of its file (.json, .yaml, .toml), where `arguments` add what it lacks or replace it; or the
    name of a framework, with the name of its schedule as `kind` and its arguments by name. Without the rate of the
    optimizer, `lr` or `learning_rate`, that is the factor of it. group: the param group of a live scheduler. A
    ScheduleError says what was seen, and what can be read.

    >>> from_framework("transformers", "cosine", learning_rate=0.1, num_warmup_steps=10, num_training_steps=100)
    linear(0, 0.1, 10) >> cosine(0.1, 0, 90).beyond("mirror")
    >>> from_framework({"lr_scheduler_type": "linear", "learning_rate": 0.1, "warmup_steps": 5, "max_steps": 20})
    linear(0, 0.1, 5) >> linear(0.1, 0, 15)
    """
    if isinstance(given, Schedule):
        return given
    if isinstance(given, Path) or (isinstance(given, str) and given.lower().endswith(SUFFIXES)):
        given = file_content(Path(given))
    if isinstance(given, str):
        return _named(given, kind, arguments)
    if isinstance(given, list | tuple):
        given = {"param_scheduler": list(given)}
    if isinstance(given, Mapping):
        framework, name, found = recognized(dict(given), arguments)
        return find_form(framework, name).schedule(found)
    return read_live(given, group)


def _named(framework: str, kind: str | None, arguments: Arguments) -> Schedule:
    name = ALIASES.get(framework.lower(), framework.lower())
    if name not in FORMS:
        hint = did_you_mean(framework, [*FRAMEWORKS, *ALIASES]) or f"; {CAN_READ}"
        raise ScheduleError(f"{framework!r} is no framework that is known here, and no file{hint}")
    if kind is None and name == "transformers":
        kind, arguments = trainer_arguments(arguments)
    kind = kind or ALONE.get(name)
    if kind is None:
        raise ScheduleError(f"{name}: name a schedule; it can read {', '.join(FORMS[name])}")
    form = find_form(name, kind)
    return form.schedule({**dict.fromkeys(RATES & form.signature.parameters.keys(), 1.0), **arguments})
