"""The learning rates that a run really used, held against the schedule that was meant."""

from .log import Log, LogError
from .readers import formats, read

__all__ = ["Log", "LogError", "formats", "read"]
