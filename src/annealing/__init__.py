"""Learning-rate schedules as values: write one once, see it, run it in any framework, compare it by training."""

# NumPy before all else: imported by a module further down it takes a tenth longer, as measured on Python 3.11.
import numpy as _numpy  # noqa: F401, I001
import sys as _sys
from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING, Any

from . import schedule as _schedule
from . import shapes as shapes
from .cycles import Cycle as Cycle
from .errors import ScheduleError as ScheduleError
from .recipes import *
from .recipes import named as _recipes
from .schedule import *

if TYPE_CHECKING:
    from .analysis import budget as budget
    from .analysis import diff as diff
    from .analysis import jumps as jumps
    from .analysis import lint as lint
    from .convex_bound import bound as bound
    from .explorer import explore as explore
    from .notation import from_json as from_json
    from .notation import parse as parse
    from .plan import Plan as Plan
    from .plots import plot as plot
    from .presets import preset as preset
    from .translation import from_framework as from_framework
    from .translation import translate as translate

RunSpan = Cycle  # its name in version 0.1

__version__ = "0.2.0"

# What is loaded when it is first used, so that importing annealing costs little more than importing NumPy.
LATE = {
    "notation": ("from_json", "parse"),
    "plan": ("Plan",),
    "plots": ("plot",),
    "presets": ("preset",),
    "convex_bound": ("bound",),
    "explorer": ("explore",),
    "translation": ("from_framework", "translate"),
    "analysis": ("budget", "diff", "jumps", "lint"),
}

# A type checker cannot compute this list: it takes the names from the imports above.
if not TYPE_CHECKING:
    __all__ = sorted(
        [*_recipes, *_schedule.__all__, "Cycle", "RunSpan", "ScheduleError", "shapes"]
        + [name for names in LATE.values() for name in names]
    )


class _Paper(_ModuleType):
    """`annealing.paper` of version 0.1, which is `annealing.sgdr` now; loaded when something is taken from it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of every module
            raise AttributeError(name)
        return getattr(_import_module(".sgdr", __package__), name)


paper = _sys.modules[f"{__name__}.paper"] = _Paper(f"{__name__}.paper")


def __getattr__(name: str) -> Any:
    for module, names in LATE.items():
        if name in names:
            value = globals()[name] = getattr(_import_module(f".{module}", __name__), name)
            return value
    # Python's own machinery asks for names such as __path__, and pays nothing for a suggestion.
    hint = "" if name.startswith("_") else _import_module(".calls", __name__).did_you_mean(name, globals()["__all__"])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    names: list[str] = globals()["__all__"]
    return sorted({*globals(), *names})
