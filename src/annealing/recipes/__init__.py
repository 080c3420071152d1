"""Named schedules: functions of a few lines over the nodes, each with its formula and its source."""

from .classic import cosine, linear, multistep, runs, step, warm_restarts
from .listed import named

__all__ = ["cosine", "linear", "multistep", "named", "runs", "step", "warm_restarts"]
