"""The figures: rates and errors over epochs, one panel for every schedule, and results over epochs spent."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping
from itertools import cycle, pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..sampling import traced
from . import serialize
from .entries import Arm
from .experiment import Experiment
from .statistics import ErrorCurve
from .table import Table, recommended, scale

# Okabe and Ito's palette; the styles tell the families apart without colour
STYLES: dict[str, dict[str, Any]] = {
    "step decay": {"color": "#0072B2", "linestyle": "-"},
    "constant": {"color": "#666666", "linestyle": (0, (1, 1))},
    "one decay": {"color": "#009E73", "linestyle": (0, (5, 1.2))},
    "restarts": {"color": "#D55E00", "linestyle": (0, (7, 1, 1.2, 1))},
}
WIDTH = 1.6
HOVER = "value of "  # how the name of a point begins that is shown as its value
BESIDE = 0.022  # how far points after as many epochs are drawn apart, as a share of the axis
KEPT: dict[str, Any] = {"marker": "o", "color": "black", "linestyle": "", "label": "model to keep"}
LEVEL: dict[str, Any] = {"color": "black", "linewidth": 1, "linestyle": (0, (1, 1.5))}


def rates(experiment: Experiment) -> Figure:
    """The learning rates over epochs, from the schedules themselves, broken where they jump."""
    figure, panels, empty = _grid(experiment, "learning rate")
    for arm, panel in panels.items():
        panel.plot(*points(arm), linewidth=WIDTH, **_style(arm))
        times, values = traced(arm.schedule, arm.epochs).snapshots
        ends = (times, values) if times else ([float(arm.epochs)], [arm.schedule.left(arm.epochs)])
        panel.plot(*ends, "o", clip_on=False, **_dot(arm))
    families = {family(arm) for arm in experiment.arms}
    handles = [Line2D([], [], linewidth=WIDTH, label=name, **STYLES[name]) for name in STYLES if name in families]
    _legend(experiment, figure, empty, [*handles, Line2D([], [], **KEPT)])
    return figure


def points(arm: Arm) -> tuple[Any, Any]:
    """Times and rates to draw; at the end of a cycle the limit from the left, and a gap where it jumps."""
    runs = traced(arm.schedule, arm.epochs).runs
    parts = [runs[0]]
    for (_, before), after in pairwise(runs):
        if before[-1] != after[1][0]:
            parts.append(([np.nan], [np.nan]))
        parts.append(after)
    times, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return times, values


def errors(experiment: Experiment, drawn: Mapping[str, ErrorCurve], table: Table) -> Figure:
    """The errors over epochs: median and range over the seeds, the recommended models, and the level."""
    figure, panels, empty = _grid(experiment, _quantity(table))
    percent = scale(experiment)
    reference = drawn[table.baseline]
    grey: dict[str, Any] = {"color": "#777777", "linewidth": 0.9}
    for arm, panel in panels.items():
        curve = drawn[arm.key]
        style = _style(arm)
        panel.axhline(table.level, **LEVEL)
        if arm.key != table.baseline:
            panel.plot(reference.times, percent * np.median(reference.errors, axis=0), **grey)
        low, high = percent * curve.errors.min(axis=0), percent * curve.errors.max(axis=0)
        panel.fill_between(curve.times, low, high, color=style["color"], alpha=0.22, linewidth=0)
        panel.plot(curve.times, percent * np.median(curve.errors, axis=0), linewidth=WIDTH, **style)
        kept = recommended(experiment, arm, curve)
        medians = percent * np.median(kept.errors, axis=0)
        panel.plot(kept.times, medians, "o", clip_on=False, zorder=3, **_dot(arm))
        _logarithmic(panel, "y", table)
    final = f"its final {_quantity(table, short=True)}, {serialize.result(table.level)}{table.unit}"
    handles = [
        Line2D([], [], color="black", linewidth=WIDTH, label="median of the seeds"),
        Patch(color="black", alpha=0.22, linewidth=0, label="range of the seeds"),
        Line2D([], [], **KEPT),
        Line2D([], [], label=f"baseline: {table.line(table.baseline).title}", **grey),
        Line2D([], [], label=final, **LEVEL),
    ]
    _legend(experiment, figure, empty, handles)
    return figure


def budgets(experiment: Experiment, table: Table) -> Figure:
    """The result of every model that a schedule recommends over the epochs that it took; ends of cycles are joined.

    Ends of cycles long before the shortest of the other schedules ends are left out, as they would squeeze the rest.
    """
    # a cycle of one epoch ends at an error so high that all others would lie on one line
    shortest = min(line.kept_at for line in table.lines if not line.restarts or line.key == table.baseline)
    drawn = [end for end in table.run_ends if end.epoch >= shortest / 2]
    moments = {line.kept_at for line in table.lines} | {end.epoch for end in drawn}
    if len(moments) == 1:
        return _ranking(experiment, table)
    # points after as many epochs are drawn side by side, so that none hides another
    beside = (max(moments) / min(moments)) ** BESIDE
    figure, panel = _panel(4.6, "epochs of training", _quantity(table))
    panel.set_axisbelow(True)
    panel.axhline(table.level, **LEVEL)
    handles = []
    seen: Counter[float] = Counter()
    for arm, marker in zip(experiment.arms, _markers(experiment), strict=True):
        line = table.line(arm.key)
        place = seen[line.kept_at]
        seen[line.kept_at] += 1
        aside = beside ** ((place + 1) // 2 * (-1 if place % 2 else 1))
        ends = [(end.epoch, end.error) for end in drawn if end.key == arm.key]
        found = [(aside * time, error) for time, error in ends or [(line.kept_at, line.error)]]
        style = _style(arm)
        for time, error in found:
            if error.low is not None and error.high is not None:
                panel.plot([time, time], [error.low, error.high], color=style["color"], linewidth=1.1, alpha=0.6)
        if len(found) > 1:
            times, middles = [time for time, _ in found], [error.middle for _, error in found]
            panel.plot(times, middles, linewidth=WIDTH, alpha=0.8, **style)
        dots: dict[str, Any] = {"color": style["color"], "marker": marker, "markersize": 7, "linestyle": ""}
        for time, error in found:
            said = f"{HOVER}{arm.title}, {time / aside:.4g} epochs: {serialize.points(error)}"
            panel.plot([time], [error.middle], markeredgecolor="white", zorder=3, gid=said, **dots)
        handles.append(Line2D([], [], label=arm.title, **{**dots, "linestyle": style["linestyle"] if ends else ""}))
    _logarithmic(panel, "x", table)
    _logarithmic(panel, "y", table)
    level = Line2D([], [], label="the level", **LEVEL)
    figure.legend(handles=[*handles, level], loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _ranking(experiment: Experiment, table: Table) -> Figure:
    """The results one below the other, the best first: where all take the same epochs, there is no other axis."""
    figure, panel = _panel(0.9 + 0.38 * len(table.lines), _quantity(table))
    ranked = table.ranked[::-1]
    for place, line in enumerate(ranked):
        color = _style(experiment.arm(line.key))["color"]
        if line.error.low is not None and line.error.high is not None:
            panel.plot([line.error.low, line.error.high], [place, place], color=color, linewidth=2, alpha=0.6)
        said = f"{HOVER}{line.title}: {serialize.points(line.error)}"
        panel.plot([line.error.middle], [place], "o", color=color, markeredgecolor="white", markersize=8, gid=said)
    panel.set_yticks(range(len(ranked)), [line.title for line in ranked])
    panel.set_ylim(-0.6, len(ranked) - 0.4)
    return figure


def sensitivity(experiment: Experiment, table: Table) -> Figure:
    """The result on held-out data over the value that was tuned, a line for each schedule."""
    assert table.tuned
    figure, panel = _panel(3.6, table.tuned["argument"], f"{_quantity(table, short=True)} on held-out data")
    for arm, marker in zip(experiment.arms, _markers(experiment), strict=True):
        values, results = zip(*table.tuned["results"][arm.key], strict=True)
        panel.plot(values, results, marker=marker, label=arm.title, linewidth=WIDTH, **_style(arm))
    if min(value for found in table.tuned["results"].values() for value, _ in found) > 0:
        panel.set_xscale("log")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _panel(height: float, x: str, y: str = "") -> tuple[Figure, Axes]:
    """A figure of one panel, with what its axes show."""
    figure = Figure(figsize=(8.2, height), layout="constrained")
    panel = figure.subplots()
    panel.set(xlabel=x, ylabel=y)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color="0.92", linewidth=0.6)
    return figure, panel


def _markers(experiment: Experiment) -> list[str]:
    """A mark for each schedule; those of one family differ in shape."""
    numbers = {name: cycle("osD^vPX*<>") for name in STYLES}
    return [next(numbers[family(arm)]) for arm in experiment.arms]


def _quantity(table: Table, short: bool = False) -> str:
    return table.name if short or table.test_images is None else "test error, %"


def family(arm: Arm) -> str:
    """Which schedules are drawn alike: those with restarts, step decays, constant ones, and every other decay."""
    return arm.kind if arm.kind in STYLES else "one decay"


def png(figure: Figure) -> bytes:
    """The picture as a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    figure.set_layout_engine("none")  # its places are found, which takes longer than drawing
    return content.getvalue()


def svg(figure: Figure) -> str:
    """The picture as an SVG element, with its text as text; the same picture gives the same bytes."""
    content = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "annealing", "font.family": "sans-serif"}):
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    text = content.getvalue()
    # what matplotlib knows as the name of a point is shown when a pointer is over it
    return re.sub(f'<g id="{HOVER}([^"]*)">', r"<g><title>\1</title>", text[text.index("<svg") :])


def _grid(experiment: Experiment, quantity: str) -> tuple[Figure, dict[Arm, Axes], Axes | None]:
    """A row of panels for each family, with common axes; and a place that is left empty, if there is one."""
    families = [[arm for arm in experiment.arms if family(arm) == name] for name in STYLES]
    rows = [*filter(None, families)]
    columns = max(3, *map(len, rows))
    figure = Figure(figsize=(0.6 + 2.35 * columns, 0.6 + 2.1 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, sharex=True, sharey=True, squeeze=False)
    panels = {}
    empty: list[Axes] = []
    for row, line in zip(rows, axes, strict=True):
        for arm, panel in zip(row, line, strict=False):
            panel.set_title(arm.title, fontsize=10)
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(labelbottom=True)
            panel.grid(color="0.9", linewidth=0.6)
            panel.set_axisbelow(True)
            panels[arm] = panel
        for panel in line[len(row) :]:
            panel.set_axis_off()
            empty.append(panel)
    longest = max(float(arm.epochs) for arm in experiment.arms)
    axes[0, 0].set_xlim(0, longest)
    # the lowest panel of each column has the label: one of the whole figure would be printed over a legend outside
    for column in axes.T:
        [*_, lowest] = [panel for panel in column if panel.axison] or column
        lowest.set_xlabel("epoch", fontsize=10)
    figure.supylabel(quantity, fontsize=11)
    return figure, panels, empty[0] if empty else None


def _style(arm: Arm) -> dict[str, Any]:
    return STYLES[family(arm)]


def _dot(arm: Arm) -> dict[str, Any]:
    return {"color": _style(arm)["color"], "markeredgecolor": "white", "markersize": 6.5}


def _legend(experiment: Experiment, figure: Figure, empty: Axes | None, handles: list[Any]) -> None:
    if empty is None:
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=10)
        return
    title = "restarts (T_0, T_mult)" if any(arm.paper for arm in experiment.arms) else None
    empty.legend(handles=handles, title=title, loc="center", frameon=False, fontsize=9).set_in_layout(False)


def _logarithmic(panel: Axes, name: str, table: Table) -> None:
    """Make an axis, "x" or "y", logarithmic with plain numbers; not for results that are better high or below 0."""
    if name == "y" and (
        table.better == "high" or min(line.error.low or line.error.middle for line in table.lines) <= 0
    ):
        return
    panel.set(**{f"{name}scale": "log"})
    axis: Axis = getattr(panel, f"{name}axis")
    axis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
