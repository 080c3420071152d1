"""Schedules as frozen values: the nodes, their algebra, and what can be read off a schedule by itself."""

from .base import RunSpan, Schedule

__all__ = ["RunSpan", "Schedule"]
