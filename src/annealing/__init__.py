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
    constant,
    cooldown,
    cosine,
    cosine_constant,
    cosine_linear,
    cosine_power,
    exp_range,
    exponential,
    exponential_warmup,
    flat_anneal,
    geometric,
    half_cosine,
    half_life,
    harmonic,
    infinite,
    inverse_sqrt,
    inverse_time,
    jagged_restarts,
    k_decay,
    knee,
    linear,
    multistep,
    natural_exponential,
    noam,
    one_cycle,
    one_cycle_momentum,
    polynomial,
    power_law,
    ramp,
    rex,
    rsqrt,
    runs,
    slanted_triangular,
    step,
    tanh_decay,
    tri_stage,
    triangular,
    triangular2,
    untuned_warmup,
    warm_restarts,
    warmup,
    warmup_restarts,
    wsd,
    wsd_s,
)
from .schedule import RunSpan, Schedule
from .wrappers import Beyond, Held, Shifted, Stretched, Until

if TYPE_CHECKING:
    from .plan import Plan
    from .plots import plot

__version__ = "0.1.0"
__all__ = [
    "Beyond",
    "Held",
    "Join",
    "Maximum",
    "Minimum",
    "Plan",
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
    "constant",
    "cooldown",
    "cosine",
    "cosine_constant",
    "cosine_linear",
    "cosine_power",
    "diff",
    "exp_range",
    "exponential",
    "exponential_warmup",
    "flat_anneal",
    "from_json",
    "geometric",
    "half_cosine",
    "half_life",
    "harmonic",
    "infinite",
    "inverse_sqrt",
    "inverse_time",
    "jagged_restarts",
    "jumps",
    "k_decay",
    "knee",
    "linear",
    "lint",
    "maximum",
    "minimum",
    "multistep",
    "natural_exponential",
    "noam",
    "one_cycle",
    "one_cycle_momentum",
    "parse",
    "plot",
    "polynomial",
    "power_law",
    "ramp",
    "rex",
    "rsqrt",
    "runs",
    "shapes",
    "slanted_triangular",
    "step",
    "tanh_decay",
    "tri_stage",
    "triangular",
    "triangular2",
    "untuned_warmup",
    "warm_restarts",
    "warmup",
    "warmup_restarts",
    "wsd",
    "wsd_s",
]


def __getattr__(name: str) -> Any:
    if name == "plot":  # matplotlib is loaded when something is drawn
        from .plots import plot

        return plot
    if name == "Plan":
        from .plan import Plan

        return Plan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
