"""What this package needs of PyTorch that not every supported version has."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch

from ..frozen import Value


def _all(kind: Any) -> list[type]:
    return [kind, *(found for below in kind.__subclasses__() for found in _all(below))]


def allow_schedules() -> None:
    """Let `torch.load`, whose default since 2.6 takes what is registered only, load schedules."""
    add: Any = getattr(torch.serialization, "add_safe_globals", None)  # since 2.4
    if add is not None:
        add([*_all(Value), Fraction])
