"""An experiment as a YAML file."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from .. import ScheduleError
from .experiment import Experiment
from .tasks import Function, read_task
from .tuning import Tuning, read_tuning
from .validation import entries


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
    try:
        # PyYAML itself silently keeps the last of two equal keys
        _no_key_twice(yaml.compose(text, yaml.SafeLoader), "")
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScheduleError(f"EXPERIMENT {path} is no YAML: {' '.join(str(error).split())}") from None
    except ScheduleError as error:
        raise ScheduleError(f"{path}: {error}") from None
    allowed = [*inspect.signature(Experiment).parameters, "tune"]
    try:
        if not isinstance(value, dict):
            raise ScheduleError(f"it must be a mapping with keys among {', '.join(allowed)}")
        values = entries({**value, **changes}, "experiment", allowed)
        for name in ("task", "schedules", "baseline"):
            if name not in values:
                raise ScheduleError(f"{name} must be given")
        tune = values.pop("tune", None)
        experiment = Experiment(**values) if tune is None else read_tuning(tune, values)
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
        seen = set()
        for key, value in node.value:
            here = f"{path}.{key.value}".lstrip(".")
            if key.value in seen:
                raise ScheduleError(f"{here} is given twice (line {key.start_mark.line + 1})")
            seen.add(key.value)
            _no_key_twice(value, here)
