"""The learning rates that a run really used, compared with the intended schedule."""

from .explain import audit
from .log import Log, LogError
from .readers import formats, read
from .recovery import Recovered, recover
from .verdict import Departure, Named, Verdict

__all__ = ["Departure", "Log", "LogError", "Named", "Recovered", "Verdict", "audit", "formats", "read", "recover"]
