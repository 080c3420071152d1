"""Learning-rate schedules as values: write one once, see it, run it in any framework, compare it by training."""

from typing import TYPE_CHECKING, Any

from . import shapes
from .errors import ScheduleError
from .nodes import Join, Repeat, Run, Tail
from .notation import from_json, parse
from .operations import Maximum, Minimum, Product, Sum, maximum, minimum
from .questions import budget, diff, jumps, lint
from .recipes import (
    branch_cooldown,
    change_horizon,
    cooldown,
    cosine,
    half_life,
    linear,
    multistep,
    runs,
    step,
    warm_restarts,
)
from .schedule import RunSpan, Schedule
from .wrappers import Beyond, Held, Shifted, Stretched, Until

if TYPE_CHECKING:
    from .plots import plot

__version__ = "0.1.0"
__all__ = [
    "Beyond",
    "Held",
    "Join",
    "Maximum",
    "Minimum",
    "Product",
    "Repeat",
    "Run",
    "RunSpan",
    "Schedule",
    "ScheduleError",
    "Shifted",
    "Stretched",
    "Sum",
    "Tail",
    "Until",
    "branch_cooldown",
    "budget",
    "change_horizon",
    "cooldown",
    "cosine",
    "diff",
    "from_json",
    "half_life",
    "jumps",
    "linear",
    "lint",
    "maximum",
    "minimum",
    "multistep",
    "parse",
    "plot",
    "runs",
    "shapes",
    "step",
    "warm_restarts",
]


def __getattr__(name: str) -> Any:
    if name == "plot":  # matplotlib is loaded when something is drawn
        from .plots import plot

        return plot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
