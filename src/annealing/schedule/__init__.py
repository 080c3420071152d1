"""Schedules as frozen values: the nodes, their algebra, and what can be read off a schedule by itself."""

from .base import Schedule

__all__ = ["Schedule"]
