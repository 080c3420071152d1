"""What the other param groups of a log have to do with the one that is looked at."""

from __future__ import annotations

import numpy as np

from .evidence import Array
from .log import Log
from .tolerances import DOUBLE, SINGLE


def beside(log: Log, group: int) -> str:
    """A sentence on the groups beside one: the same rates, a multiple of them, or others; "" if there are none.

    >>> rates = np.array([[0.1, 0.1, 0.01, 0.5], [0.2, 0.2, 0.02, 0.4], [0.3, 0.3, 0.03, 0.3]])
    >>> log = Log("csv", np.arange(3.0), rates, np.spacing(rates) / 2, np.zeros(3, int), ("a", "b", "c", "d"))
    >>> beside(log, 0)
    'Of the other param groups, b has the same rates, c has 0.1 times these, d has others.'
    """
    others = [i for i in range(len(log.groups)) if i != group]
    said = [f"{log.groups[i]} has {_relation(log, group, i)}" for i in others]
    return f"Of the other param groups, {', '.join(said)}." if said else ""


def _relation(log: Log, group: int, other: int) -> str:
    both = np.isfinite(log.rates[:, group]) & np.isfinite(log.rates[:, other])
    if not both.any():
        return "no rates in the same rows"
    these, those = log.rates[both, group], log.rates[both, other]
    half, their = log.half[both, group], log.half[both, other]
    place = int(np.argmax(np.abs(these)))
    if not these[place]:
        return "the same rates" if not those.any() else "others"
    ratio = float(f"{those[place] / these[place]:.6g}")
    allowed = np.abs(ratio) * half + their + _rounding(these, those) * np.max(np.abs(those))
    if not np.all(np.abs(those - ratio * these) <= allowed * (1 + 1e-6)):
        return "others"
    return "the same rates" if ratio == 1 else f"{ratio:g} times these"


def _rounding(these: Array, those: Array) -> float:
    single = all(np.all(rates == rates.astype(np.float32)) for rates in (these, those))
    return SINGLE if single else DOUBLE
