"""Named schedules: functions of a few lines over the nodes, each with its formula and its source."""

from .classic import cosine, linear, multistep, runs, step, warm_restarts
from .cooldowns import cooldown, half_life
from .horizon import branch_cooldown, change_horizon
from .listed import named

__all__ = [
    "branch_cooldown",
    "change_horizon",
    "cooldown",
    "cosine",
    "half_life",
    "linear",
    "multistep",
    "named",
    "runs",
    "step",
    "warm_restarts",
]
