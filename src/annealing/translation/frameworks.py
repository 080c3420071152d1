"""The frameworks by name: how their code is written, and what follows a schedule exactly where they cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..calls import did_you_mean
from ..errors import ScheduleError
from .forms import FORMS, Arguments

PARAMETERS = "parameters = [torch.nn.Parameter(torch.zeros(1))]  # your model's"
WIDTH = 100  # a call that is longer is written in several lines


class Framework(NamedTuple):
    """How a framework's code is written.

    joined: the form that runs others one after another, if it has one. fractions: whether times may lie between two
    steps. shared: an argument that all of them have in common. native: what follows any schedule there exactly.
    """

    title: str
    write: Callable[[str, Arguments], str]
    joined: str | None = None
    fractions: bool = False
    shared: str | None = None
    native: str | None = None
    note: str | None = None


def framework_named(name: str) -> str:
    """The name under which a framework is known here; a ScheduleError names the nearest one."""
    found = ALIASES.get(str(name).lower(), str(name).lower())
    if found not in FRAMEWORKS:
        known = [*FRAMEWORKS, *ALIASES]
        hint = did_you_mean(str(name), known) or f"; known are {', '.join(FRAMEWORKS)}"
        raise ScheduleError(f"unknown framework {name!r}{hint}")
    return found


def call(function: str, arguments: Mapping[str, Any], *first: str) -> str:
    """A call as it is written; a long one has a line for each argument."""
    parts = [*first, *(f"{name}={value_text(value)}" for name, value in arguments.items())]
    return listed(function + "(", parts, ")")


def listed(start: str, parts: Sequence[str], end: str) -> str:
    """Parts between brackets, in one line or in a line each."""
    line = start + ", ".join(parts) + end
    if len(line) <= WIDTH and "\n" not in line:
        return line
    return "\n".join([start, *(f"    {part},".replace("\n", "\n    ") for part in parts), end])


def value_text(value: Any) -> str:
    """A value in Python; numbers keep every digit."""
    if isinstance(value, Mapping):
        return listed("{", [f"{value_text(key)}: {value_text(each)}" for key, each in value.items()], "}")
    if isinstance(value, list):
        return listed("[", [*map(value_text, value)], "]")
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _torch(name: str, arguments: Arguments) -> str:
    lr = arguments.get("lr", arguments.get("max_lr"))
    if name == "SequentialLR":
        parts = arguments["schedulers"]
        names = [name, *(part["name"] for part in parts)]
        calls = listed("[", [_torch_call(part["name"], part) for part in parts], "]")
        made = call(name, {"milestones": arguments["milestones"]}, "optimizer", calls)
    else:
        names, made = [name], _torch_call(name, arguments)
    imported = ", ".join(sorted(set(names)))
    optimizer = f"optimizer = torch.optim.SGD(parameters, lr={value_text(lr)})  # or another optimizer"
    lines = ["import torch", f"from torch.optim.lr_scheduler import {imported}", "", PARAMETERS, optimizer]
    return "\n".join([*lines, f"scheduler = {made}  # scheduler.step() after each update"])


def _torch_call(name: str, arguments: Mapping[str, Any]) -> str:
    return call(name, {key: value for key, value in arguments.items() if key not in ("lr", "name")}, "optimizer")


def _optax(name: str, arguments: Arguments) -> str:
    if name == "join_schedules":
        calls = listed("[", [_optax_call(part["name"], part) for part in arguments["schedules"]], "]")
        made = call("optax.join_schedules", {"boundaries": arguments["boundaries"]}, calls)
    else:
        made = _optax_call(name, arguments)
    return f"import optax\n\nschedule = {made}  # optax.sgd(schedule), or any other optimizer"


def _optax_call(name: str, arguments: Mapping[str, Any]) -> str:
    return call(f"optax.{name}", {key: value for key, value in arguments.items() if key != "name"})


def _keras(name: str, arguments: Arguments) -> str:
    made = call(f"keras.optimizers.schedules.{name}", arguments)
    return f"import keras\n\nschedule = {made}  # keras.optimizers.SGD(schedule), or any other optimizer"


def _timm(name: str, arguments: Arguments) -> str:
    given = {key: value for key, value in arguments.items() if key != "lr"}
    made = call(name, {**given, "t_in_epochs": False}, "optimizer")
    optimizer = f"optimizer = torch.optim.SGD(parameters, lr={value_text(arguments['lr'])})  # or another optimizer"
    lines = ["import torch", f"from timm.scheduler import {name}", "", PARAMETERS, optimizer]
    return "\n".join([*lines, f"scheduler = {made}  # scheduler.step_update(n) after update n"])


def _transformers(name: str, arguments: Arguments) -> str:
    own = {"learning_rate", "num_warmup_steps", "num_training_steps"}
    special = {key: value for key, value in arguments.items() if key not in own}
    given = {key: value for key, value in arguments.items() if key in own - {"learning_rate"}}
    if special:
        given["scheduler_specific_kwargs"] = special
    rate = value_text(arguments["learning_rate"])
    optimizer = f"optimizer = torch.optim.AdamW(parameters, lr={rate})  # or another optimizer"
    made = call("get_scheduler", given, value_text(name), "optimizer")
    lines = ["import torch", "from transformers import get_scheduler", "", PARAMETERS, optimizer]
    return "\n".join([*lines, f"scheduler = {made}  # scheduler.step() after each update"])


def _mmengine(name: str, arguments: Arguments) -> str:
    rows = [call("dict", window) for window in arguments["param_scheduler"]]
    optimizer = call("dict", {"type": "SGD", "lr": arguments["lr"]}) + ")  # or another optimizer"
    return f"optim_wrapper = dict(optimizer={optimizer}\nparam_scheduler = {listed('[', rows, ']')}"


def _fvcore(name: str, arguments: Arguments) -> str:
    given = dict(arguments)
    updates = given.pop("num_updates")
    if name == "MultiStepParamScheduler":
        given["num_updates"] = updates
    parts = given.pop("schedulers", [])
    names = sorted({name, *(part["name"] for part in parts)})
    calls = [call(part["name"], {key: value for key, value in part.items() if key != "name"}) for part in parts]
    made = call(name, given, *([listed("[", calls, "]")] if parts else []))
    imported = f"from fvcore.common.param_scheduler import {', '.join(names)}"
    return f"{imported}\n\nschedule = {made}  # update n uses schedule((n - 1) / {updates})"


def _composer(name: str, arguments: Arguments) -> str:
    given = {key: value for key, value in arguments.items() if key != "lr"}
    optimizer = f"optimizer = torch.optim.SGD(parameters, lr={value_text(arguments['lr'])})  # or another optimizer"
    lines = ["import torch", f"from composer.optim import {name}", "", PARAMETERS, optimizer]
    return "\n".join(
        [*lines, f"scheduler = {call(name, given)}  # Trainer(optimizers=optimizer, schedulers=scheduler)"]
    )


def _titan(name: str, arguments: Arguments) -> str:
    own = {key: value for key, value in arguments.items() if key not in ("lr", "total_steps")}
    rows = ["[optimizer]", f"lr = {value_text(arguments['lr'])}", "", "[training]"]
    rows += [f"steps = {arguments['total_steps']}", "", "[lr_scheduler]"]
    return "\n".join([*rows, *(f"{key} = {value_text(value)}" for key, value in own.items())])


def _megatron(name: str, arguments: Arguments) -> str:
    return " \\\n".join(f"--{key.replace('_', '-')} {value}" for key, value in arguments.items())


def _deepspeed(name: str, arguments: Arguments) -> str:
    own = {key: value for key, value in arguments.items() if key != "lr"}
    config: dict[str, Any] = {"scheduler": {"type": name, "params": own}}
    if "lr" in arguments:
        config = {"optimizer": {"type": "AdamW", "params": {"lr": arguments["lr"]}}, **config}
    return json.dumps(config, indent=2)


TORCH = "annealing.torch.Scheduler(optimizer, lr=schedule)"
FLOAT32 = "computes in float32 (rates are rounded to about 1e-7 of the peak)"
LATE = (
    "Composer's Trainer asks before it counts the batch: in training every rate comes one update late, and the first "
    "is used twice."
)
FRAMEWORKS = {
    "torch": Framework("PyTorch", _torch, "SequentialLR", shared="lr", native=TORCH),
    "optax": Framework(
        "Optax",
        _optax,
        "join_schedules",
        fractions=True,
        native="the schedule itself: optax.sgd(schedule)",
        note=f"Optax {FLOAT32} unless jax_enable_x64 is set.",
    ),
    "transformers": Framework(
        "Transformers", _transformers, native="annealing.hosts.transformers.scheduled(Trainer, lr=schedule)"
    ),
    "keras": Framework("Keras", _keras, fractions=True, note=f"Keras {FLOAT32}."),
    "timm": Framework("timm", _timm, fractions=True, native="annealing.hosts.timm"),
    "mmengine": Framework("MMEngine", _mmengine, native="annealing.hosts.mmengine"),
    "composer": Framework("Composer", _composer, native=TORCH, note=LATE),
    "fvcore": Framework("fvcore", _fvcore, fractions=True, native="lambda where: schedule(where * updates)"),
    "torchtitan": Framework("torchtitan", _titan, native=TORCH),
    "megatron": Framework("Megatron-LM", _megatron),
    "deepspeed": Framework("DeepSpeed", _deepspeed, native=TORCH),
}
ALIASES = {
    "pytorch": "torch",
    "jax": "optax",
    "flax": "optax",
    "hf": "transformers",
    "huggingface": "transformers",
    "tensorflow": "keras",
    "megatron-lm": "megatron",
    "mmcv": "mmengine",
    "titan": "torchtitan",
    "mosaicml": "composer",
}


def listing() -> dict[str, list[str]]:
    """The schedules of each framework that can be read, by name."""
    return {name: sorted(FORMS[name]) for name in FRAMEWORKS}
