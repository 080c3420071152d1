"""Pictures: what was meant (or recovered), what was used, and the difference, with the fault marked."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from ..plots import COLOURS, new_figure
from .evidence import Array
from .log import Log
from .messages import phrase
from .recovery import Recovered
from .row_faults import course
from .verdict import Named, Verdict

MOST = 4000  # points drawn
MEANT, USED, EXPLAINED = COLOURS[0], COLOURS[1], "0.25"


def draw(verdict: Verdict) -> Any:
    """The matplotlib Figure of a verdict, over the updates of its log.

    Above, the intended rates as a line and the used ones as dots, and a dashed line for what the named fault makes of
    the intended ones. Below, used less meant. Dotted lines stand where a fault begins to act.
    """
    rows = verdict.evidence[_some(len(verdict.evidence))]
    lines = {"meant": course(verdict.schedule)(rows.rows)}
    if not verdict.follows and verdict.faults[-1].name != "unknown":
        lines["meant, with the fault"] = verdict.course(rows.rows)
    return _figure(rows.rows.t + 1, rows.logged, lines, _begins(verdict), ("update", _title(verdict)))


def draw_recovered(log: Log, group: int, found: Recovered) -> Any:
    """The matplotlib Figure of what was recovered from a log, over its clock; the used rates alone if nothing was.

    Above, the schedule's rates as a line and the used ones as dots; below, the difference. Dotted lines stand where
    the schedule falls behind.
    """
    known = np.flatnonzero(np.isfinite(log.rates[:, group]))
    known = known[_some(len(known))]
    column = log.clock if found.unit == log.unit or log.epochs is None else log.epochs
    clock, used = column[known], log.rates[known, group]
    if found.schedule is None:
        return _figure(clock, used, {}, [], (found.unit, "no schedule was found"))
    lags = [begin for begin, _ in found.lags]
    return _figure(clock, used, {"recovered": found.rates(clock)}, lags, (found.unit, fill(str(found.schedule), 100)))


def _figure(time: Array, used: Array, lines: dict[str, Array], marked: list[float], words: tuple[str, str]) -> Any:
    """Used rates as dots beside lines, of which the first is what they are held against. words: time's unit, title."""
    figure = new_figure((9, 6))
    panels = figure.subplots(2 if lines else 1, squeeze=False, sharex=True, height_ratios=[2, 1][: 1 + bool(lines)])[
        :, 0
    ]
    above = panels[0]
    styles = ({"color": MEANT, "linewidth": 1.8}, {"color": EXPLAINED, "linewidth": 1, "linestyle": "--"})
    for (name, rates), style in zip(lines.items(), styles, strict=False):
        above.plot(*_line(time, rates), label=name, **style)
    above.plot(time, used, ".", color=USED, markersize=3.5, label="used", gid="used")
    above.set_ylabel("learning rate")
    for name, rates in [*lines.items()][:1]:
        panels[1].plot(time, used - rates, ".", color=USED, markersize=3.5, gid="difference")
        panels[1].axhline(0, color=MEANT, linewidth=1)
        panels[1].set_ylabel(f"used − {name}")
    for axes in panels:
        for begin in dict.fromkeys(marked):
            axes.axvline(begin, color=EXPLAINED, linestyle=":", linewidth=1.2, gid="fault")
        axes.margins(x=0.02)
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
    panels[-1].set_xlabel(words[0])
    figure.align_ylabels()
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    above.set_title(words[1], loc="left", fontsize="medium")
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
