"""Recovering a schedule from a log alone: its family and its parameters, exactly where the digits allow it."""

from .from_log import Recovered, recover

__all__ = ["Recovered", "recover"]
