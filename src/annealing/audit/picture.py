"""Pictures: the intended (or recovered) rates, the logged ones, and the difference where there is one."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill, shorten
from typing import Any

import numpy as np

from ..plots import COLOURS, new_figure
from .faults import course
from .log import Array, Log
from .recovery import Recovered
from .verdict import Verdict, listed

MOST = 4000  # points drawn
WIDTH, MOST_LETTERS = 105, 400  # of each sentence in a title
INTENDED, LOGGED, EXPLAINED = COLOURS[0], COLOURS[1], "0.25"


def draw(verdict: Verdict) -> Any:
    """The matplotlib Figure of a verdict, over the clock of its log.

    Above, the intended rates as a line under the logged ones as dots, and a dashed line for what the named fault makes
    of the intended ones. Below, where the run departs, logged minus intended. Dotted lines stand where a fault begins
    to act. The title is the verdict and the name of the file.
    """
    rows = verdict.evidence[_some(len(verdict.evidence))]
    lines = {"intended": course(verdict.schedule)(rows)}
    if verdict.faults and verdict.faults[-1].name != "unknown":
        lines["intended, with the fault"] = verdict.course(rows)
    likely = [f"Likely: {listed(verdict.faults)}."] if verdict.faults else []
    words = [verdict.headline(), *likely, f"Intended: {verdict.schedule}"]
    title = _title(verdict.source["file"], words)
    unit = verdict.source["clock"]["unit"]
    first = verdict.first
    begins = [] if first is None else [max(fault.from_update, first.update) for fault in verdict.faults]
    return _figure(rows.t + 1, rows.logged, lines, begins, (unit, title), first is not None)


def draw_recovered(log: Log, group: int, found: Recovered) -> Any:
    """The matplotlib Figure of what was recovered from a log, over its clock; the logged rates alone if nothing was.

    Above, the schedule's rates as a line under the logged ones as dots; below, unless it is exact, the difference.
    Dotted lines stand where the schedule falls behind.
    """
    known = np.flatnonzero(np.isfinite(log.rates[:, group]))
    known = known[_some(len(known))]
    column = log.clock if found.unit == log.unit or log.epochs is None else log.epochs
    clock, logged = column[known], log.rates[known, group]
    if found.schedule is None:
        title = _title(log.file, ["no schedule was found"])
        return _figure(clock, logged, {}, [], (found.unit, title), False)
    lags = [begin for begin, _ in found.lags]
    title = _title(log.file, [str(found.schedule)])
    return _figure(clock, logged, {"recovered": found.rates(clock)}, lags, (found.unit, title), not found.exact)


def _figure(
    time: Array, logged: Array, lines: dict[str, Array], marked: list[float], words: tuple[str, str], differ: bool
) -> Any:
    """Logged rates as dots over lines, of which the first is what they are held against.

    words: time's unit, title. differ: whether a panel shows the difference.
    """
    figure = new_figure((9, 6))
    ratios = [2, 1] if differ and lines else [1]
    panels = figure.subplots(len(ratios), squeeze=False, sharex=True, height_ratios=ratios)[:, 0]
    above = panels[0]
    # The line is wider than the dots, so that it shows on both sides of them.
    styles = (
        {"color": INTENDED, "linewidth": 6, "alpha": 0.45},
        {"color": EXPLAINED, "linewidth": 1, "linestyle": "--", "zorder": 3},  # over the dots, which would hide it
    )
    for (name, rates), style in zip(lines.items(), styles, strict=False):
        above.plot(*_line(time, rates), label=name, **style)
    above.plot(time, logged, ".", color=LOGGED, markersize=3.5, label="logged", gid="logged")
    above.set_ylabel("learning rate")
    if len(panels) > 1:
        name, rates = next(iter(lines.items()))
        panels[1].plot(time, logged - rates, ".", color=LOGGED, markersize=3.5, gid="difference")
        panels[1].axhline(0, color=INTENDED, linewidth=1)
        panels[1].set_ylabel(f"logged − {name}")
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


def _title(file: str, said: list[str]) -> str:
    """The name of the file and what is said of it, wrapped at words."""
    name = [Path(file).name] if file else []
    return "\n".join([*name, *(fill(shorten(text, MOST_LETTERS), WIDTH) for text in said)])


def _line(update: Array, rates: Array) -> tuple[Array, Array]:
    """A line that does not go back where the log does."""
    back = np.flatnonzero(np.diff(update) <= 0) + 1
    return np.insert(update, back, np.nan), np.insert(rates, back, np.nan)


def _some(count: int) -> Any:
    return np.unique(np.linspace(0, count - 1, min(count, MOST)).astype(np.int64))
