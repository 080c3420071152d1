"""Configurations of training programs: told apart by their keys, and turned into a form and its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..calls import did_you_mean
from ..errors import ScheduleError
from .forms import FORMS, Arguments
from .transformers_forms import trainer_arguments

Found = tuple[str, str, Arguments]
CAN_READ = (
    "configurations can be read of Transformers (lr_scheduler_type), LLaMA-Factory, axolotl and torchtune (YAML), "
    "DeepSpeed (scheduler), torchtitan (lr_scheduler), Megatron-LM (lr_decay_style), MMEngine (param_scheduler) "
    "and Keras (class_name)"
)
# Of a Trainer, and of what is built on it; other keys of such a file are about other things.
TRAINER_KEYS = (
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "warmup_ratio",
    "max_steps",
    "lr_scheduler_kwargs",
)


def recognized(given: Arguments, more: Arguments) -> Found:
    """The framework, the name and the arguments of a configuration, with `more` added to it or in its place."""
    for matches, read in KINDS:
        if matches({**given, **more}):
            return read(given, more)
    keys = ", ".join(map(repr, given)) or "none"
    hint = next((found for key in given if (found := did_you_mean(str(key), KEYS))), "")
    raise ScheduleError(f"no schedule is recognized in the keys {keys}{hint}; {CAN_READ}")


def _keras(given: Arguments, more: Arguments) -> Found:
    return "keras", given["class_name"], {**(given.get("config") or {}), **more}


def _deepspeed(given: Arguments, more: Arguments) -> Found:
    scheduler, optimizer = given["scheduler"], given.get("optimizer") or {}
    arguments = {**(scheduler.get("params") or {}), **more}
    unset = [key for key, value in arguments.items() if value == "auto"]
    if unset:
        raise ScheduleError(f'deepspeed: {", ".join(unset)} are "auto", which the Trainer fills in: give their values')
    if scheduler.get("type") == "WarmupCosineLR":
        arguments.setdefault("lr", (optimizer.get("params") or {}).get("lr"))
    return "deepspeed", scheduler.get("type", "none"), arguments


def _mmengine(given: Arguments, more: Arguments) -> Found:
    rate = ((given.get("optim_wrapper") or {}).get("optimizer") or {}).get("lr")
    arguments = {"lr": rate, **more}
    if arguments["lr"] is None:
        raise ScheduleError("mmengine: the learning rate is not in optim_wrapper.optimizer: give lr=...")
    listed = given["param_scheduler"]
    return (
        "mmengine",
        "param_scheduler",
        {**arguments, "param_scheduler": listed if isinstance(listed, list) else [listed]},
    )


def _torchtune(given: Arguments, more: Arguments) -> Found:
    scheduler = dict(given["lr_scheduler"])
    component = str(scheduler.pop("_component_")).rpartition(".")[2]
    if component != "get_cosine_schedule_with_warmup":
        raise ScheduleError(f"torchtune: _component_ must be get_cosine_schedule_with_warmup, got {component!r}")
    steps = more.pop("max_steps", None) or more.pop("num_training_steps", None)
    if steps is None:
        raise ScheduleError("torchtune: the number of updates depends on the data: give max_steps=...")
    rate = (given.get("optimizer") or {}).get("lr")
    return "transformers", "cosine", {"learning_rate": rate, "num_training_steps": steps, **scheduler, **more}


def _titan(given: Arguments, more: Arguments) -> Found:
    settings = dict(given["lr_scheduler"])
    total = settings.pop("total_steps", None) or (given.get("training") or {}).get("steps")
    rate = (given.get("optimizer") or {}).get("lr")
    found = {"lr": rate, "total_steps": total, **settings, **more}
    missing = [key for key in ("lr", "total_steps") if found[key] is None]
    if missing:
        raise ScheduleError(f"torchtitan: {', '.join(missing)} is not in the file: give {missing[0]}=...")
    return "torchtitan", "lr_scheduler", found


def _megatron(given: Arguments, more: Arguments) -> Found:
    plain = {str(key).lstrip("-").replace("-", "_"): value for key, value in {**given, **more}.items()}
    known = FORMS["megatron"]["arguments"].signature.parameters
    return "megatron", "arguments", {key: value for key, value in plain.items() if key in known and value is not None}


def _axolotl(given: Arguments, more: Arguments) -> Found:
    both = {**given, **more}
    both["lr_scheduler_type"] = both.get("lr_scheduler") or "cosine"
    kind, steps = trainer_arguments(_trainer(both))
    floor, until = both.get("cosine_min_lr_ratio"), both.get("cosine_constant_lr_ratio")
    if kind == "one_cycle":
        return "torch", "OneCycleLR", _one_cycle(steps, both.get("lr_scheduler_kwargs") or {})
    if kind == "rex":
        return "axolotl", "rex", steps
    if kind == "cosine" and both.get("lr_quadratic_warmup"):
        return "axolotl", "cosine_quadratic", steps
    if kind == "cosine" and floor and until:
        return "axolotl", "cosine_constant", {**steps, "min_lr_ratio": floor, "constant_lr_ratio": until}
    if kind == "cosine" and floor:
        return "transformers", "cosine_with_min_lr", {**steps, "min_lr_rate": floor}
    return "transformers", kind, steps


def _one_cycle(steps: Arguments, options: Arguments) -> Arguments:
    total = steps["num_training_steps"]
    share = {"pct_start": steps["num_warmup_steps"] / total, "anneal_strategy": "cos"}
    return {"max_lr": steps["learning_rate"], "total_steps": total, **share, **options}


def _trainer(given: Arguments) -> Arguments:
    return {key: given[key] for key in (*TRAINER_KEYS, "num_training_steps") if key in given}


def _transformers(given: Arguments, more: Arguments) -> Found:
    kind, arguments = trainer_arguments(_trainer({**given, **more}))
    return "transformers", kind, arguments


def _has(*keys: str) -> Callable[[Arguments], bool]:
    return lambda given: all(key in given for key in keys)


def _table(key: str, inner: str = "") -> Callable[[Arguments], bool]:
    return lambda given: isinstance(given.get(key), Mapping) and (not inner or inner in given[key])


KEYS = ("lr_scheduler_type", "lr_scheduler", "param_scheduler", "lr_decay_style", "scheduler", "class_name")
# The first that matches: files of LLaMA-Factory and axolotl have many keys of a Trainer as well.
KINDS: list[tuple[Callable[[Arguments], bool], Callable[[Arguments, Arguments], Found]]] = [
    (_has("class_name"), _keras),
    (_table("scheduler", "type"), _deepspeed),
    (_has("param_scheduler"), _mmengine),
    (_table("lr_scheduler", "_component_"), _torchtune),
    (_table("lr_scheduler"), _titan),
    (lambda given: any(str(key).lstrip("-").replace("-", "_") == "lr_decay_style" for key in given), _megatron),
    (lambda given: "base_model" in given or isinstance(given.get("lr_scheduler"), str), _axolotl),
    (lambda given: "lr_scheduler_type" in given or ("learning_rate" in given and "max_steps" in given), _transformers),
]
