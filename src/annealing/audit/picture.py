"""A verdict as a picture: what was meant, what was used, and the difference, with the fault marked."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from ..plots import COLOURS, new_figure
from .evidence import Array, intended
from .verdict import Named, Verdict
from .words import phrase

MOST = 4000  # points drawn
MEANT, USED, EXPLAINED = COLOURS[0], COLOURS[1], "0.25"


def draw(verdict: Verdict) -> Any:
    """The matplotlib Figure of a verdict, over the updates of its log.

    Above, the intended rates as a line and the used ones as dots, and a dashed line for what the named fault makes of
    the intended ones. Below, used less meant. Dotted lines stand where a fault begins to act.
    """
    rows = verdict.evidence[_some(len(verdict.evidence))]
    update = rows.rows.t + 1
    meant = intended(verdict.schedule)(rows.rows)
    figure = new_figure((9, 6))
    above, below = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    above.plot(*_line(update, meant), color=MEANT, linewidth=1.8, label="meant")
    above.plot(update, rows.used, ".", color=USED, markersize=3.5, label="used", gid="used")
    if not verdict.follows and verdict.faults[-1].name != "unknown":
        explained = verdict.explained(rows.rows)
        above.plot(*_line(update, explained), "--", color=EXPLAINED, linewidth=1, label="meant, with the fault")
    below.plot(update, rows.used - meant, ".", color=USED, markersize=3.5, gid="difference")
    below.axhline(0, color=MEANT, linewidth=1)
    for time in dict.fromkeys(_begins(verdict)):
        for axes in (above, below):
            axes.axvline(time, color=EXPLAINED, linestyle=":", linewidth=1.2, gid="fault")
    above.set_ylabel("learning rate")
    below.set(xlabel="update", ylabel="used − meant")
    for axes in (above, below):
        axes.margins(x=0.02)
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
    figure.align_ylabels()
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    above.set_title(_title(verdict), loc="left", fontsize="medium")
    return figure


def _title(verdict: Verdict) -> str:
    said = "follows" if verdict.follows else ", and\n".join(_short(fault) for fault in verdict.faults)
    return f"{fill(str(verdict.schedule), 100)}\n{said}"


def _short(fault: Named) -> str:
    text = phrase(fault)
    return text if len(text) <= 110 else f"{fault.name} from update {fault.from_update:g}"


def _begins(verdict: Verdict) -> list[float]:
    if verdict.first is None:
        return []
    return [max(fault.from_update, verdict.first.update) for fault in verdict.faults]


def _line(update: Array, rates: Array) -> tuple[Array, Array]:
    """A line that does not go back where the log does."""
    back = np.flatnonzero(np.diff(update) <= 0) + 1
    return np.insert(update, back, np.nan), np.insert(rates, back, np.nan)


def _some(count: int) -> Any:
    return np.unique(np.linspace(0, count - 1, min(count, MOST)).astype(np.int64))
