"""From another framework's scheduler, its arguments or a configuration to a schedule."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..calls import did_you_mean
from ..errors import ScheduleError
from ..schedule.base import Schedule
from .configurations import CAN_READ, file_content, recognized, trainer_arguments
from .forms import FORMS, Arguments, find_form, one_after_another, read_schedule
from .frameworks import ALIASES, FRAMEWORKS, without

RATES = {"lr", "learning_rate"}  # of the optimizer, where a scheduler multiplies it
SUFFIXES = (".json", ".yaml", ".yml", ".toml")
ALONE = {"megatron": "arguments", "torchtitan": "lr_scheduler", "mmengine": "param_scheduler"}
LAMBDAS = {  # the functions that Transformers gives to LambdaLR, and the forms that they are
    "_get_constant_lambda": "constant",
    "_get_constant_schedule_with_warmup_lr_lambda": "constant_with_warmup",
    "_get_linear_schedule_with_warmup_lr_lambda": "linear",
    "_get_cosine_schedule_with_warmup_lr_lambda": "cosine",
    "_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda": "cosine_with_restarts",
    "_get_polynomial_decay_schedule_with_warmup_lr_lambda": "polynomial",
    "_get_inverse_sqrt_schedule_lr_lambda": "inverse_sqrt",
    "_get_cosine_with_min_lr_schedule_with_warmup_lr_rate_lambda": "cosine_warmup_with_min_lr",
    "_get_wsd_scheduler_lambda": "warmup_stable_decay",
}


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
        return read_schedule(*recognized(dict(given), arguments))
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


def read_live(given: Any, group: int) -> Schedule:
    """The schedule of an object of PyTorch, Keras, timm or Transformers; a ScheduleError says what it is else."""
    root, name = type(given).__module__.partition(".")[0], type(given).__name__
    if hasattr(given, "lr_scheduler_type") and hasattr(given, "learning_rate"):
        return read_schedule("transformers", *trainer_arguments(vars(given)))
    if hasattr(given, "get_config") and name in FORMS["keras"]:
        return read_schedule("keras", name, given.get_config())
    if root == "timm":
        return read_schedule("timm", name, _attributes("timm", name, given, {"lr": given.base_values[group]}))
    if hasattr(given, "base_lrs") or hasattr(given, "_schedulers"):
        return _torch(given, group)
    if callable(given):
        raise ScheduleError(
            f"{name} is a function, whose arguments cannot be read (an Optax schedule is one): give its name and "
            f"arguments, as in from_framework('optax', 'cosine_decay_schedule', init_value=0.1, decay_steps=100)"
        )
    raise ScheduleError(
        f"an object of the class {type(given).__module__}.{name} cannot be read; schedulers of PyTorch, Keras and "
        "timm and Transformers' TrainingArguments can, and configurations as dictionaries"
    )


def _attributes(framework: str, name: str, given: Any, known: Arguments) -> Arguments:
    """The arguments of a form, each the attribute of the same name."""
    names = find_form(framework, name).signature.parameters
    return {
        key: known[key] if key in known else getattr(given, key) for key in names if hasattr(given, key) or key in known
    }


def _torch(given: Any, group: int) -> Schedule:
    if schedules := getattr(given, "schedules", None):  # annealing.torch.Scheduler
        found = schedules.get("lr")
        found = found[group] if isinstance(found, list) else found
        if isinstance(found, Schedule):
            return found
    names = [kind.__name__ for kind in type(given).__mro__]
    name = next((name for name in names if name in FORMS["torch"]), names[0])
    if name == "SequentialLR":
        return one_after_another([_torch(part, group) for part in given._schedulers], given._milestones)
    if name == "ChainedScheduler":
        found = [(type(part).__name__, without(_torch_arguments(part, group), "lr")) for part in given._schedulers]
        parts = [{"name": kind, **arguments} for kind, arguments in found]
        return read_schedule("torch", name, {"lr": given._schedulers[0].base_lrs[group], "schedulers": parts})
    if name == "LambdaLR":
        return _lambda(given, group)
    return read_schedule("torch", name, _torch_arguments(given, group))


def _torch_arguments(given: Any, group: int) -> Arguments:
    name, settings = type(given).__name__, given.optimizer.param_groups[group]
    known: Arguments = {"lr": _number(given.base_lrs[group])}
    if name == "OneCycleLR":
        # pct_start is not kept, but the phases are.
        phases = given._schedule_phases
        known |= {"pct_start": (phases[0]["end_step"] + 1) / given.total_steps, "three_phase": len(phases) == 3}
        known |= {"anneal_strategy": getattr(given, "_anneal_func_type", "cos"), "max_lr": settings["max_lr"]}
        known["div_factor"] = settings["max_lr"] / settings["initial_lr"]
        known["final_div_factor"] = settings["initial_lr"] / settings["min_lr"]
    if name == "CyclicLR":
        up = given.total_size * given.step_ratio
        known |= {"base_lr": given.base_lrs[group], "max_lr": given.max_lrs[group], "step_size_up": up}
        known |= {"step_size_down": given.total_size - up, "scale_fn": given._scale_fn_custom}
    return _attributes("torch", name, given, known)


def _number(value: Any) -> Any:
    """A rate that may be a tensor."""
    return value.item() if hasattr(value, "item") else value


def _lambda(given: Any, group: int) -> Schedule:
    function, lr = given.lr_lambdas[group], _number(given.base_lrs[group])
    # Without keywords that are bound, a function of one of these names is somebody else's, except for one.
    bound = isinstance(function, functools.partial)
    name = getattr(function.func if bound else function, "__name__", "")
    keywords = dict(function.keywords) if bound else {}
    if bound and name == "linear_warmup_stable_decay":
        return _titan(lr, keywords)
    if (kind := LAMBDAS.get(name)) and (bound or kind == "constant"):
        keywords.pop("lr_init", None)
        # One function serves two names: the one with a floor has it among its keywords.
        kind = "cosine_with_min_lr" if kind == "cosine" and "min_lr_rate" in keywords else kind
        return read_schedule("transformers", kind, {"learning_rate": lr, **keywords})
    code = getattr(function, "__code__", None)
    place = f" (line {code.co_firstlineno} of {code.co_filename})" if code else ""
    raise ScheduleError(
        f"LambdaLR follows the function {getattr(function, '__qualname__', function)!s}{place}, which cannot be read; "
        "write its schedule down, or find it from a log of its rates with `annealing audit LOG`"
    )


def _titan(lr: float, keywords: Arguments) -> Schedule:
    warmup, decay = keywords["warmup_steps"], keywords["decay_steps"]
    total = warmup + keywords["stable_steps"] + decay - 1  # the stable stage holds one step more
    given = {"lr": lr, "warmup_steps": warmup, "total_steps": total, "decay_ratio": decay / total}
    rest = {"decay_type": keywords["lr_decay_type"], "min_lr_factor": keywords["min_lr_factor"]}
    return read_schedule("torchtitan", "lr_scheduler", {**given, **rest})
