"""The learning rates that a run really used, held against the schedule that was meant."""

from .log import Log

__all__ = ["Log"]
