"""Schedules as frozen values: the nodes, their algebra, and what can be read off a schedule by itself."""

from .base import Schedule
from .nodes import Join, Repeat, Run, Tail
from .operations import Maximum, Minimum, Product, Quotient, Sum, maximum, minimum
from .transforms import Beyond, Held, Shifted, Stretched, Until

__all__ = ["Join", "Maximum", "Minimum", "Product", "Quotient", "Repeat", "Run", "Schedule", "Sum", "Tail"]
__all__ += ["Beyond", "Held", "Shifted", "Stretched", "Until", "maximum", "minimum"]
