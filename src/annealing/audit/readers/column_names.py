"""Which columns or keys hold rates, updates and epochs, by the names that programs use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

RATE = re.compile(
    r"(?:^|.*[/._\s-])(?:train_|base_|min_|max_|current_|optimizer_)?(?:lrs?|learning[ _-]?rates?)"
    r"(?:[0-9]+|[-/._\s(\[].*)?",
    re.IGNORECASE | re.ASCII,
)
OTHER = re.compile(
    r"scale|mult|decay|ratio|schedul|factor|drop|warm|momentum|find|__MIN$|__MAX$|__step$|loss|^config/", re.IGNORECASE
)
# The run's own count of updates comes before the logger's, and a batch may be one of an epoch.
UPDATES = (
    "train/global_step trainer/global_step global_step current_steps num_updates num_update update updates step steps "
    "iteration iterations iter train_step train/step training_iteration time/total_timesteps "
    "total_timesteps timesteps _step batch"
)
PERS = "steps_per_epoch iters_per_epoch iterations_per_epoch batches_per_epoch num_batches"
EPOCHS = "epoch epochs train/epoch trainer/epoch"
SAID = re.compile(
    r"(?i:.*(?:lr|rate))[\s:=]+[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?\s*"
)  # "lr 0.1" is not a name but a line of text
LESSER = re.compile(r"(?:.*[/._\s-])?(?:base|min|max)_lr", re.IGNORECASE)


class Roles(NamedTuple):
    """The names of the columns that hold the rates, the update number, the epoch, and the updates in an epoch."""

    rates: tuple[str, ...]
    update: str | None = None
    epoch: str | None = None
    per: str | None = None


def is_rate(name: str) -> bool:
    own = name.rpartition(" - ")[2]  # W&B's charts write the name of the run before " - "
    if len(name) > 200 or OTHER.search(own) or SAID.fullmatch(name) or "=" in own:
        return False
    return RATE.fullmatch(name.strip()) is not None


def rate_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of rates. base_lr and the like count only where there is no rate proper."""
    found = [name for name in names if is_rate(name)]
    return tuple([name for name in found if not LESSER.fullmatch(name.strip())] or found)


def roles(names: Iterable[str]) -> Roles:
    """The role of each column, by its name."""
    names = list(names)
    plain = {name.strip().lower(): name for name in reversed(names)}

    def first(wanted: str) -> str | None:
        return next((plain[name] for name in wanted.split() if name in plain), None)

    return Roles(rate_names(names), first(UPDATES), first(EPOCHS), first(PERS))
