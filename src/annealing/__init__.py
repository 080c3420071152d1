"""Learning-rate schedules as values: write one once, see it, run it in any framework, compare it by training."""

from . import shapes
from .errors import ScheduleError
from .nodes import Beyond, Join, Product, Repeat, Run, Shifted, Stretched, Sum
from .notation import from_json, parse
from .recipes import cosine, linear, multistep, runs, step, warm_restarts
from .schedule import RunSpan, Schedule

__version__ = "0.1.0"
__all__ = [
    "Beyond",
    "Join",
    "Product",
    "Repeat",
    "Run",
    "RunSpan",
    "Schedule",
    "ScheduleError",
    "Shifted",
    "Stretched",
    "Sum",
    "cosine",
    "from_json",
    "linear",
    "multistep",
    "parse",
    "runs",
    "shapes",
    "step",
    "warm_restarts",
]
