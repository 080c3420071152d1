"""The learning rates that a run really used, held against the schedule that was meant."""

from .log import Log
from .verdict import Departure, Named, Verdict, audit

__all__ = ["Departure", "Log", "Named", "Verdict", "audit"]
