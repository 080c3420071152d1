"""The user's training functions: found by name, from the current directory as well."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import ScheduleError
from .files import sha256

if TYPE_CHECKING:
    from .session import Session


def imported(name: str) -> Callable[[Session], None]:
    """A user's function; modules are also looked for in the current directory."""
    module, _, function = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ScheduleError(f"task.name must be package.module:function, got {name!r}: {error}") from None
    if not callable(found):
        raise ScheduleError(f"task.name must name a function, got {name!r}, a {type(found).__name__}")
    made: Callable[[Session], None] = found
    return made


def findable(name: str) -> None:
    """A ScheduleError if the module of a user's function is not there; it is not imported."""
    module = name.partition(":")[0]
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    with suppress(ImportError):
        if importlib.util.find_spec(module):
            return
    raise ScheduleError(f"task.name must be package.module:function, got {name!r}: no module {module} is found")


def code(function: Any) -> str:
    """The SHA-256 of the file that a function comes from."""
    path = getattr(sys.modules[function.__module__], "__file__", None)
    return sha256(Path(path).read_bytes()) if path else ""
