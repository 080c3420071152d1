"""Adapters for training frameworks whose own loop steps the schedule; docs/hosts.md shows how to use each.

Each host has its own file, the only one that imports it: `annealing.hosts.lightning`, `.transformers`, `.accelerate`,
`.timm`, `.skorch`, `.mmengine`. A host without a file needs no adapter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ScheduleError


class MissingHostError(ScheduleError, ImportError):
    """A framework is not installed; also an ImportError, because it is raised on import."""


@contextmanager
def importing(host: str) -> Iterator[None]:
    """Say what to install if the import of a host fails."""
    try:
        yield
    except ImportError as error:
        message = f"annealing.hosts.{host} needs {host}, which is not installed: pip install {host}"
        raise MissingHostError(message) from error
