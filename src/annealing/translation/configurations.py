"""Configurations of training programs: read from files, told apart by their keys, made the arguments of a form."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..calls import did_you_mean
from ..errors import ScheduleError
from .forms import FORMS, Arguments

Found = tuple[str, str, Arguments]
KEYS = ("lr_scheduler_type", "lr_scheduler", "param_scheduler", "lr_decay_style", "scheduler", "class_name")
CAN_READ = (
    "configurations can be read of Transformers (lr_scheduler_type), LLaMA-Factory, axolotl and torchtune (YAML), "
    "DeepSpeed (scheduler), torchtitan (lr_scheduler), Megatron-LM (lr_decay_style), MMEngine (param_scheduler) "
    "and Keras (class_name)"
)


def recognized(given: Arguments, more: Arguments) -> Found:
    """The framework, the name and the arguments of a configuration, with `more` added to it or in its place."""
    both = {**given, **more}
    scheduler, lr_scheduler = both.get("scheduler"), both.get("lr_scheduler")
    if "class_name" in both:
        return "keras", given["class_name"], {**(given.get("config") or {}), **more}
    if isinstance(scheduler, Mapping) and "type" in scheduler:
        return _deepspeed(given, more)
    if "param_scheduler" in both:
        return _mmengine(given, more)
    if isinstance(lr_scheduler, Mapping):
        return (_torchtune if "_component_" in lr_scheduler else _titan)(given, more)
    options = {str(key).lstrip("-").replace("-", "_"): value for key, value in both.items()}
    if "lr_decay_style" in options:
        known = FORMS["megatron"]["arguments"].signature.parameters
        set_ones = {key: value for key, value in options.items() if key in known and value is not None}
        return "megatron", "arguments", set_ones
    # Files of LLaMA-Factory and axolotl have many keys of a Trainer as well.
    if "base_model" in both or isinstance(lr_scheduler, str):
        return _axolotl(both)
    if "lr_scheduler_type" in both or ("learning_rate" in both and "max_steps" in both):
        return "transformers", *trainer_arguments(both)
    keys = ", ".join(map(repr, given)) or "none"
    hint = next((found for key in given if (found := did_you_mean(str(key), KEYS))), "")
    raise ScheduleError(f"no schedule is recognized in the keys {keys}{hint}; {CAN_READ}")


def trainer_arguments(given: Arguments) -> tuple[str, Arguments]:
    """The name and the arguments of `get_scheduler` that a Trainer makes of its TrainingArguments."""
    steps = given.get("num_training_steps") or given.get("max_steps") or 0
    if steps <= 0:
        raise ScheduleError("transformers: the number of updates is not among the arguments: give max_steps=...")
    warmup = given.get("warmup_steps") or 0
    # Below 1 it is a share of the updates. The product is rounded and then up, as in the Trainer: 7 % of 100 makes 8.
    share = warmup if 0 < warmup < 1 else 0 if warmup else given.get("warmup_ratio") or 0
    kind = given.get("lr_scheduler_type") or "linear"
    shared = {"learning_rate": given.get("learning_rate", 5e-5), "num_training_steps": steps}
    shared["num_warmup_steps"] = math.ceil(steps * share) if share else int(warmup)
    return str(getattr(kind, "value", kind)), {**shared, **(given.get("lr_scheduler_kwargs") or {})}


def _rate(optimizer: Any, inner: str = "") -> Any:
    """The learning rate in the settings of an optimizer, if they have one."""
    settings = (optimizer or {}).get(inner) if inner else optimizer
    return (settings or {}).get("lr")


def _deepspeed(given: Arguments, more: Arguments) -> Found:
    scheduler = given["scheduler"]
    arguments = {**(scheduler.get("params") or {}), **more}
    unset = [key for key, value in arguments.items() if value == "auto"]
    if unset:
        raise ScheduleError(f'deepspeed: {", ".join(unset)} are "auto", which the Trainer fills in: give their values')
    if scheduler.get("type") == "WarmupCosineLR":
        arguments.setdefault("lr", _rate(given.get("optimizer"), "params"))
    return "deepspeed", scheduler.get("type", "none"), arguments


def _mmengine(given: Arguments, more: Arguments) -> Found:
    arguments = {"lr": _rate(given.get("optim_wrapper"), "optimizer"), **more}
    if arguments["lr"] is None:
        raise ScheduleError("mmengine: the learning rate is not in optim_wrapper.optimizer: give lr=...")
    listed = given["param_scheduler"]
    arguments["param_scheduler"] = listed if isinstance(listed, list) else [listed]
    return "mmengine", "param_scheduler", arguments


def _torchtune(given: Arguments, more: Arguments) -> Found:
    scheduler = dict(given["lr_scheduler"])
    component = str(scheduler.pop("_component_")).rpartition(".")[2]
    if component != "get_cosine_schedule_with_warmup":
        raise ScheduleError(f"torchtune: _component_ must be get_cosine_schedule_with_warmup, got {component!r}")
    steps = more.pop("max_steps", None) or more.pop("num_training_steps", None)
    if steps is None:
        raise ScheduleError("torchtune: the number of updates depends on the data: give max_steps=...")
    shared = {"learning_rate": _rate(given.get("optimizer")), "num_training_steps": steps}
    return "transformers", "cosine", {**shared, **scheduler, **more}


def _titan(given: Arguments, more: Arguments) -> Found:
    settings = dict(given["lr_scheduler"])
    total = settings.pop("total_steps", None) or (given.get("training") or {}).get("steps")
    found = {"lr": _rate(given.get("optimizer")), "total_steps": total, **settings, **more}
    missing = [key for key in ("lr", "total_steps") if found[key] is None]
    if missing:
        raise ScheduleError(f"torchtitan: {', '.join(missing)} is not in the file: give {missing[0]}=...")
    return "torchtitan", "lr_scheduler", found


def _axolotl(given: Arguments) -> Found:
    kind, steps = trainer_arguments({**given, "lr_scheduler_type": given.get("lr_scheduler") or "cosine"})
    floor, until = given.get("cosine_min_lr_ratio"), given.get("cosine_constant_lr_ratio")
    if kind == "one_cycle":
        total = steps["num_training_steps"]
        share = {"pct_start": steps["num_warmup_steps"] / total, "anneal_strategy": "cos"}
        options = given.get("lr_scheduler_kwargs") or {}
        return "torch", "OneCycleLR", {"max_lr": steps["learning_rate"], "total_steps": total, **share, **options}
    if kind == "rex":
        return "axolotl", "rex", steps
    if kind == "cosine" and given.get("lr_quadratic_warmup"):
        return "axolotl", "cosine_quadratic", steps
    if kind == "cosine" and floor and until:
        return "axolotl", "cosine_constant", {**steps, "min_lr_ratio": floor, "constant_lr_ratio": until}
    if kind == "cosine" and floor:
        return "transformers", "cosine_with_min_lr", {**steps, "min_lr_rate": floor}
    return "transformers", kind, steps


def file_content(path: Path) -> Any:
    """A configuration file; a ScheduleError where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        if path.suffix == ".toml":
            import tomllib

            return tomllib.loads(text)
        return _yaml(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScheduleError(f"{path} cannot be read: {reason}") from None
    except RecursionError:
        raise ScheduleError(f"{path} is nested too deeply, or contains itself by an alias") from None


def _yaml(text: str) -> Any:
    import yaml

    try:
        return _with_numbers(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _with_numbers(value: Any) -> Any:
    """The same with numbers that YAML reads as text: 1e-4 has no point, and is none to it."""
    if isinstance(value, dict):
        return {key: _with_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [*map(_with_numbers, value)]
    return float(value) if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9.]+e[+-]?[0-9]+", value, re.I) else value
