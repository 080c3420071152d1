"""Parts that together are a recipe: warm restarts, steps, a cooldown after a stable rate, an inverse square root."""

from __future__ import annotations

from ...schedule import Schedule
from .model import Model


def named(model: Model) -> Schedule | None:
    """The recipe that a model is, or None."""
    return None
