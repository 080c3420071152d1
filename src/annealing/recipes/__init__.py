"""Named schedules: functions of a few lines over the nodes, each with its formula and its source."""

from typing import TYPE_CHECKING

from .classic import *
from .decays import *
from .cooldowns import *
from .stages import *
from .cyclic import *
from .warmups import *
from .horizon import *
from .registry import named as named

# A type checker cannot compute this list: it takes the names from the imports above.
if not TYPE_CHECKING:
    __all__ = [*named, "named"]
