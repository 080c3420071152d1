"""Adapters for training frameworks whose own loop steps the schedule; docs/hosts.md shows how to use each.

Each host has its file, and is imported there alone: `annealing.hosts.lightning`, `.transformers`, `.accelerate`,
`.timm`, `.mmengine`. A host without a file needs no adapter.
"""

from __future__ import annotations

from ..errors import ScheduleError


class MissingHostError(ScheduleError, ImportError):
    """A framework that is not installed; an ImportError too, because an import is where it shows."""


def missing(host: str, package: str) -> MissingHostError:
    """The error of the adapter of a host that cannot be imported."""
    return MissingHostError(f"annealing.hosts.{host} needs {package}, which is not installed: pip install {package}")
