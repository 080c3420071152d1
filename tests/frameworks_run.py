"""The learning rates that installed frameworks really use, when the code that a translation prints is run."""

from __future__ import annotations

import json
import math
import sys
import tomllib
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

NEEDED = {
    "torch": "torch",
    "optax": "optax",
    "transformers": "transformers",
    "keras": "keras",
    "timm": "timm",
    "mmengine": "mmengine",
    "composer": "composer",
    "fvcore": "fvcore",
    "torchtitan": "torchtitan",
    "megatron": "torch",  # computed here, from the formulas in its source
    "deepspeed": "torch",
}


def rates(found: Any, updates: int) -> list[float]:
    """The rates of the first updates, from the framework itself."""
    return globals()[f"_{found.framework}"](found, updates)  # type: ignore[no-any-return]


def executed(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    return namespace


def stepped(optimizer: Any, step: Any, updates: int) -> list[float]:
    """The rate that the optimizer holds at each update."""
    found = []
    for n in range(1, updates + 1):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        step(n)
    return found


def _torch(found: Any, updates: int) -> list[float]:
    made = executed(found.code)
    return stepped(made["optimizer"], lambda n: made["scheduler"].step(), updates)


_transformers = _torch


def _timm(found: Any, updates: int) -> list[float]:
    made = executed(found.code)
    return stepped(made["optimizer"], made["scheduler"].step_update, updates)


def _optax(found: Any, updates: int) -> list[float]:
    import jax
    import numpy as np

    with jax.enable_x64(True):
        schedule = executed(found.code)["schedule"]
        return np.asarray(jax.vmap(schedule)(jax.numpy.arange(updates))).astype(float).tolist()  # type: ignore[no-any-return]


def _keras(found: Any, updates: int) -> list[float]:
    schedule = executed(found.code)["schedule"]
    return [float(schedule(step)) for step in range(updates)]


def _fvcore(found: Any, updates: int) -> list[float]:
    schedule = executed(found.code)["schedule"]
    return [schedule(step / found.arguments["num_updates"]) for step in range(updates)]


def _mmengine(found: Any, updates: int) -> list[float]:
    import torch
    from mmengine.registry import PARAM_SCHEDULERS

    import_module("mmengine.optim")  # registers them

    made = executed(found.code)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=made["optim_wrapper"]["optimizer"]["lr"])
    schedulers = [PARAM_SCHEDULERS.build(row, default_args={"optimizer": optimizer}) for row in made["param_scheduler"]]
    return stepped(optimizer, lambda n: [scheduler.step() for scheduler in schedulers], updates)


def _composer(found: Any, updates: int) -> list[float]:
    # The client of a service, which Composer imports, is of no use to a test.
    sys.modules.setdefault("mcli", ModuleType("mcli"))
    from composer.core import Time, Timestamp

    made = executed(found.code)
    base = made["optimizer"].param_groups[0]["lr"]
    state = SimpleNamespace(max_duration=Time.from_timestring(f"{updates}ba"), dataloader_len=updates)
    values = []
    for step in range(updates):
        state.timestamp = Timestamp(batch=step)
        values.append(base * made["scheduler"](state))
    return values


def _torchtitan(found: Any, updates: int) -> list[float]:
    import torch
    from torchtitan.components.optimizer.lr_scheduler import LRSchedulersContainer

    config = tomllib.loads(found.code)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config["optimizer"]["lr"])
    steps = config["training"]["steps"]
    scheduler = LRSchedulersContainer.Config(**config["lr_scheduler"]).build(
        optimizers=[optimizer], training_steps=steps
    )
    return stepped(optimizer, lambda n: scheduler.step() if n < steps else None, updates)


def _megatron(found: Any, updates: int) -> list[float]:
    words = found.code.replace("\\", "").split()
    given = {key[2:].replace("-", "_"): value for key, value in zip(words[::2], words[1::2], strict=True)}
    return [megatron_rate(given, step) for step in range(updates)]


def megatron_rate(given: dict[str, Any], step: int) -> float:
    """The rate of Megatron-LM (megatron/core/optimizer_param_scheduler.py, OptimizerParamScheduler.get_lr)."""
    top, low = float(given["lr"]), float(given.get("min_lr", 0))
    warmup, decay = int(given.get("lr_warmup_iters", 0)), int(given["lr_decay_iters"])
    first, style = float(given.get("lr_warmup_init", 0)), given["lr_decay_style"]
    if warmup and step <= warmup:
        return first + (top - first) * step / warmup
    if style == "constant":
        return top
    if step > decay:
        return low
    if style == "inverse-square-root":
        return max(low, top * math.sqrt(max(warmup, 1)) / math.sqrt(max(step, 1)))
    done = (step - warmup) / (decay - warmup)
    if style == "WSD":
        length = int(given["lr_wsd_decay_iters"])
        done = max(0.0, (step - decay + length) / length)
        style = given["lr_wsd_decay_style"]
    factors = {
        "linear": 1 - done,
        "cosine": (1 + math.cos(math.pi * done)) / 2,
        "exponential": 2 * 0.5**done - 1,
        "minus_sqrt": 1 - math.sqrt(done),
    }
    return low + (top - low) * factors[style]


def _deepspeed(found: Any, updates: int) -> list[float]:
    config = json.loads(found.code)
    kind, given = config["scheduler"]["type"], config["scheduler"]["params"]
    base = config.get("optimizer", {}).get("params", {}).get("lr", 0.0)
    # The engine calls step() after each update, and the first call makes the iteration 0: all is one update late.
    return [deepspeed_rate(kind, given, base, update - 2) for update in range(1, updates + 1)]


def deepspeed_rate(kind: str, given: dict[str, Any], base: float, last: int) -> float:
    """The rate of DeepSpeed (deepspeed/runtime/lr_schedules.py) where `last` is its last_batch_iteration."""
    if kind == "OneCycle":
        up, down = given["cycle_first_step_size"], given["cycle_second_step_size"]
        low, high, now = given["cycle_min_lr"], given["cycle_max_lr"], last + 1
        place = now % (up + down) if last < up + down else 0
        return low + (high - low) * (place / up if place <= up else (up + down - place) / down)
    steps, log = max(2, given["warmup_num_steps"]), given["warmup_type"] == "log"
    warm = (math.log(last + 1) / math.log(steps) if log else last / steps) if last >= 0 else 0.0
    if kind == "WarmupCosineLR":
        if last < 0:
            return 0.0
        if last < steps:
            return base * (given["warmup_min_ratio"] + warm * (1 - given["warmup_min_ratio"]))
        done = min(1.0, (last - steps + 1) / max(1, given["total_num_steps"] - steps))
        return base * (given["cos_min_ratio"] + (1 - given["cos_min_ratio"]) * (1 + math.cos(math.pi * done)) / 2)
    low, top = given["warmup_min_lr"], given["warmup_max_lr"]
    if last < 0:
        return float(low)
    if last < steps:
        return low + (top - low) * warm
    if kind == "WarmupLR":
        return float(top)
    total = given["total_num_steps"]
    return low + (top - low) * max(0.0, (total - last) / max(1, total - steps))
