"""The frameworks by name: how their code is written, and what follows a schedule exactly where they cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..calls import did_you_mean
from ..errors import ScheduleError
from .forms import Arguments

STEPPED = "scheduler.step() after each update"
FVCORE = "from fvcore.common.param_scheduler import {names}\n\nschedule = {made}"
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


def call(function: str, arguments: Mapping[str, Any], *first: str, prefix: str = "") -> str:
    """A call as it is written; a long one has a line for each argument, and schedules among them are calls as well."""
    parts = list(first)
    if schedules := arguments.get("schedulers", arguments.get("schedules")):
        parts.append(listed("[", [call(each["name"], each, *first, prefix=prefix) for each in schedules], "]"))
    own = without(arguments, "name", "schedulers", "schedules")
    parts += [f"{name}={value_text(value)}" for name, value in own.items()]
    return listed(f"{prefix}{function}(", parts, ")")


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


def without(arguments: Mapping[str, Any], *names: str) -> Arguments:
    return {name: value for name, value in arguments.items() if name not in names}


def script(module: str, use: str, optimizer: str = "SGD") -> str:
    """The template of a script that makes an optimizer of PyTorch and a scheduler for it; use: how it is run."""
    return (
        f"import torch\nfrom {module} import {{names}}\n\n"
        "parameters = [torch.nn.Parameter(torch.zeros(1))]  # your model's\n"
        f"optimizer = torch.optim.{optimizer}(parameters, lr={{lr}})  # or another optimizer\n"
        f"scheduler = {{made}}  # {use}"
    )


def around(template: str, *first: str, prefix: str = "", **more: Any) -> Callable[[str, Arguments], str]:
    """What writes code around a call: {made} is the call, {names} what to import for it, {lr} the optimizer's rate.

    first: the arguments before its own. more: those after them.
    """

    def written(name: str, arguments: Arguments) -> str:
        names = ", ".join(sorted({name, *(part["name"] for part in arguments.get("schedulers", ()))}))
        made = call(name, {**without(arguments, "lr"), **more}, *first, prefix=prefix)
        lr = arguments.get("lr", arguments.get("max_lr"))
        return template.format(made=made, names=names, lr=value_text(lr))

    return written


def _transformers(name: str, arguments: Arguments) -> str:
    special = without(arguments, "learning_rate", "num_warmup_steps", "num_training_steps")
    given = without(arguments, "learning_rate", *special)
    if special:
        given["scheduler_specific_kwargs"] = special
    template = script("transformers", STEPPED, "AdamW")
    given["lr"] = arguments["learning_rate"]
    return around(template, value_text(name), "optimizer")("get_scheduler", given)


def _mmengine(name: str, arguments: Arguments) -> str:
    rows = [call("dict", window) for window in arguments["param_scheduler"]]
    optimizer = call("dict", {"type": "SGD", "lr": arguments["lr"]}) + ")  # or another optimizer"
    return f"optim_wrapper = dict(optimizer={optimizer}\nparam_scheduler = {listed('[', rows, ']')}"


def _fvcore(name: str, arguments: Arguments) -> str:
    updates = arguments["num_updates"]
    # Only one of them is told how many updates there are; the others count in shares of the training.
    told = {"num_updates": updates} if name == "MultiStepParamScheduler" else {}
    template = f"{FVCORE}  # update n uses schedule((n - 1) / {updates})"
    return around(template)(name, {**without(arguments, "num_updates"), **told})


def _titan(name: str, arguments: Arguments) -> str:
    rows = ["[optimizer]", f"lr = {value_text(arguments['lr'])}", "", "[training]"]
    rows += [f"steps = {arguments['total_steps']}", "", "[lr_scheduler]"]
    own = without(arguments, "lr", "total_steps")
    return "\n".join([*rows, *(f"{key} = {value_text(value)}" for key, value in own.items())])


def _megatron(name: str, arguments: Arguments) -> str:
    return " \\\n".join(f"--{key.replace('_', '-')} {value}" for key, value in arguments.items())


def _deepspeed(name: str, arguments: Arguments) -> str:
    config: dict[str, Any] = {"scheduler": {"type": name, "params": without(arguments, "lr")}}
    if "lr" in arguments:
        config = {"optimizer": {"type": "AdamW", "params": {"lr": arguments["lr"]}}, **config}
    return json.dumps(config, indent=2)


TORCH = "annealing.torch.Scheduler(optimizer, lr=schedule)"
FLOAT32 = "computes in float32 (rates are rounded to about 1e-7 of the peak)"
LATE = (
    "Composer's Trainer asks before it counts the batch: in training every rate comes one update late, and the first "
    "is used twice."
)
KERAS = "import keras\n\nschedule = {made}  # keras.optimizers.SGD(schedule), or any other optimizer"
OPTAX = "import optax\n\nschedule = {made}  # optax.sgd(schedule), or any other optimizer"
PYTORCH = script("torch.optim.lr_scheduler", STEPPED)
TIMM = script("timm.scheduler", "scheduler.step_update(n) after update n")
COMPOSER = script("composer.optim", "Trainer(optimizers=optimizer, schedulers=scheduler)")
FRAMEWORKS = {
    "torch": Framework("PyTorch", around(PYTORCH, "optimizer"), "SequentialLR", shared="lr", native=TORCH),
    "optax": Framework(
        "Optax",
        around(OPTAX, prefix="optax."),
        "join_schedules",
        fractions=True,
        native="the schedule itself: optax.sgd(schedule)",
        note=f"Optax {FLOAT32} unless jax_enable_x64 is set.",
    ),
    "transformers": Framework(
        "Transformers", _transformers, native="annealing.hosts.transformers.scheduled(Trainer, lr=schedule)"
    ),
    "keras": Framework(
        "Keras", around(KERAS, prefix="keras.optimizers.schedules."), fractions=True, note=f"Keras {FLOAT32}."
    ),
    "timm": Framework(
        "timm", around(TIMM, "optimizer", t_in_epochs=False), fractions=True, native="annealing.hosts.timm"
    ),
    "mmengine": Framework("MMEngine", _mmengine, native="annealing.hosts.mmengine"),
    "composer": Framework("Composer", around(COMPOSER), native=TORCH, note=LATE),
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
