"""Learning-rate schedules as values: write one once, see it, run it in any framework, compare it by training."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import shapes
from .cycles import Cycle
from .errors import ScheduleError
from .recipes import (
    branch_cooldown,
    change_horizon,
    chebyshev,
    constant,
    cooldown,
    cosine,
    cosine_constant,
    cosine_linear,
    cosine_power,
    exp_hyperbolic,
    exp_range,
    exponential,
    exponential_warmup,
    flat_anneal,
    geometric,
    half_cosine,
    half_life,
    harmonic,
    hyperbolic,
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
    power_scheduler,
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
from .schedule.base import Schedule
from .schedule.nodes import Join, Repeat, Run, Tail
from .schedule.operations import Maximum, Minimum, Product, Quotient, Sum, maximum, minimum
from .schedule.transforms import Beyond, Held, Shifted, Stretched, Until

if TYPE_CHECKING:
    from .analysis import budget, diff, jumps, lint
    from .notation import from_json, parse
    from .plan import Plan
    from .plots import plot

RunSpan = Cycle  # its name in version 0.1

__version__ = "0.1.0"
__all__ = [
    "Beyond",
    "Cycle",
    "Held",
    "Join",
    "Maximum",
    "Minimum",
    "Plan",
    "Product",
    "Quotient",
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
    "chebyshev",
    "constant",
    "cooldown",
    "cosine",
    "cosine_constant",
    "cosine_linear",
    "cosine_power",
    "diff",
    "exp_hyperbolic",
    "exp_range",
    "exponential",
    "exponential_warmup",
    "flat_anneal",
    "from_json",
    "geometric",
    "half_cosine",
    "half_life",
    "harmonic",
    "hyperbolic",
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
    "power_scheduler",
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


LATE = {  # what is loaded when it is first used, so that importing annealing costs little more than importing NumPy
    "notation": ("from_json", "parse"),
    "plan": ("Plan",),
    "plots": ("plot",),
    "analysis": ("budget", "diff", "jumps", "lint"),
}


def __getattr__(name: str) -> Any:
    for module, names in LATE.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
