"""Pictures of schedules, drawn with matplotlib."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from .calls import checked
from .errors import ScheduleError, missing, whole
from .exact import plain, positive
from .plan import Plan
from .recipes import cosine, step, warm_restarts
from .sampling import Curve, default_until, traced
from .schedule.base import Schedule
from .sgdr import paper_schedules

try:
    from matplotlib import style
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.scale import get_scale_names
except ModuleNotFoundError as error:
    raise missing("a picture", error, "plot") from None

SUFFIXES = (".png", ".svg", ".pdf")
MOST_MARKS = 100
AXES = {"epoch": "1ep", "example": "1ex", "token": "1tok", "%": "1%"}  # what one unit of a plan's axis is
COLOURS = style.library["tableau-colorblind10"]["axes.prop_cycle"].by_key()["color"]
LINES: list[Any] = ["-", "--", "-.", ":", (0, (7, 2)), (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2))]
MARKERS = "os^DvPX"
MARKS = (("restarts", "restart", "0.3"), ("snapshots", "checkpoint: the model to keep", "white"))


@checked
def plot(
    schedules: Schedule | Sequence[Schedule] | Mapping[str, Schedule],
    until: Any = None,
    ax: Any = None,
    *,
    time: str = "time",
    rate: str = "learning rate",
    marks: bool = True,
    legend: bool = True,
    points: int = 2000,
    yscale: str = "linear",
    title: str = "",
    plan: Plan | None = None,
) -> Any:
    """Draw the exact curves of one schedule or several into one matplotlib Axes, and return it.

    A jump is a dotted line between the limit from the left and the value, both of which are drawn. Where a schedule
    restarts, its restarts are marked at their value and its checkpoints at the limit from the left (more than 100 of
    a kind are not marked). Several schedules differ in colour, line style and marker.

    schedules: one, a list (labelled by what they print), or a dict of names and schedules. until: the end of the time
    axis, in the schedules' own unit (default: the latest end; for a schedule without an end, that of its 4th cycle).
    ax: Axes to draw into (default: those of a new pyplot figure, so that `plt.show()` shows it). time, rate: the
    labels of the axes, with their units. yscale: "linear" or "log". title: above the picture. plan: resolves
    durations with units; then `time` may be "epoch", "example", "token" or "%" for an axis in that unit. points: about
    how many points each curve has; more than 500 cycles are drawn as separate points.

    >>> axes = plot({"long": cosine(0.1, 0, 200), "restarts": warm_restarts(0.05, T_0=10, T_mult=2)})
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['long', 'restarts', 'restart', 'checkpoint: the model to keep']
    >>> from annealing import Plan, linear
    >>> plan = Plan(examples=50_000, batch=128, epochs=200)
    >>> plot(linear(0, 0.1, "5%") >> cosine(0.1, 0, "95%"), plan=plan, time="epoch").get_xlabel()
    'epoch'
    """
    named = _named(schedules)
    whole(points, "points")
    if yscale not in get_scale_names():
        raise ScheduleError(f"yscale must be one of {', '.join(get_scale_names())}, got {yscale!r}")
    if ax is not None and not isinstance(ax, Axes):
        raise ScheduleError(f"ax must be a matplotlib Axes, got {ax!r}")
    if plan is not None and not isinstance(plan, Plan):
        raise ScheduleError(f"plan must be an annealing.Plan, got {plan!r}")
    unit = 1.0
    if plan is not None:
        named = {name: plan.resolve(schedule, beyond="hold") for name, schedule in named.items()}
        unit = float(plan.convert(AXES[time])) if time in AXES else 1.0
    until = default_until(list(named.values())) if until is None else plain(positive(until, "until"))
    alone = ax is None
    if alone:
        # Here, since it takes a second to load, and what draws into files does not need it.
        import matplotlib.pyplot as plt

        ax = plt.figure(figsize=(7.5, 3.5 + 0.2 * len(named)), layout="constrained").subplots()
    before = len(ax.get_legend_handles_labels()[0])
    for i, (name, schedule) in enumerate(named.items(), start=before):
        marker = MARKERS[i % len(MARKERS)] if marks else ""
        curve = traced(schedule, until, points).in_unit(unit)
        _draw(ax, curve, name, marker, COLOURS[i % len(COLOURS)], LINES[i % len(LINES)])
    ax.set(xlabel=time, ylabel=rate, yscale=yscale)
    if title:
        (ax.figure.suptitle if alone else ax.set_title)(title)  # above the legend, where the figure is ours
    ax.margins(x=0.02)
    if legend:
        _legend(ax)
    return ax


def _named(schedules: Any) -> dict[str, Schedule]:
    if isinstance(schedules, Schedule):
        schedules = [schedules]
    listed = schedules if isinstance(schedules, Iterable) else ()
    named = listed if isinstance(listed, Mapping) else {str(schedule): schedule for schedule in listed}
    if not named or not all(isinstance(schedule, Schedule) for schedule in named.values()):
        raise ScheduleError(f"schedules must be a schedule, a list or a dict of schedules, got {schedules!r}")
    return {str(name): schedule for name, schedule in named.items()}


def _draw(ax: Any, curve: Curve, name: str, marker: str, color: str, line_style: Any) -> None:
    if not curve.joined:
        ax.plot(*curve.runs[0], ".", markersize=2, color=color, label=name)
        return
    line, jumps = [curve.runs[0]], []
    for (_, before), (at, after) in pairwise(curve.runs):
        if before[-1] != after[0]:
            jumps.append([(at[0], before[-1]), (at[0], after[0])])
            # NaN lifts the pen: a sloping line across the jump would show rates that no update uses.
            line.append(([np.nan], [np.nan]))
        line.append((at, after))
    times, values = (np.concatenate(column) for column in zip(*line, strict=True))
    marked = [  # a decay without restarts has one checkpoint, its end, which needs no mark
        (gid, points, face)
        for gid, points, face in (("restarts", curve.restarts, color), ("snapshots", curve.snapshots, "white"))
        if marker and len(curve.restarts[0]) and 0 < len(points[0]) <= MOST_MARKS
    ]
    # An empty `markevery` puts the marker into the legend and none on the curve, where only the marks belong.
    in_legend = {"marker": marker, "markersize": 5, "markevery": []} if marked else {}
    ax.plot(times, values, linestyle=line_style, color=color, linewidth=1.6, label=fill(name, 100), **in_legend)
    ax.add_collection(LineCollection(jumps, colors=color, linestyles=":", linewidths=0.9))
    for gid, points, face in marked:
        ax.plot(*points, marker, gid=gid, color=color, markerfacecolor=face, markersize=5, zorder=3)


def _mark_keys() -> list[Line2D]:
    common: dict[str, Any] = {"linestyle": "", "color": "0.3", "marker": "o"}
    return [Line2D([], [], markerfacecolor=face, label=label, **common) for _, label, face in MARKS]


def _legend(ax: Any) -> None:
    """The names above the Axes, and what the marks mean where there are any."""
    drawn = {line.get_gid() for line in ax.lines}
    keys = [key for key, (gid, _, _) in zip(_mark_keys(), MARKS, strict=True) if gid in drawn]
    handles = [*ax.get_legend_handles_labels()[0], *keys]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize="small")


def classic() -> Any:
    """The four panels of the classic demonstration, from rate 2 for 100 steps: a matplotlib Figure.

    Step decay, cosine annealing that rises again, and warm restarts of equal and of doubling cycles: the exact curves,
    and the values after steps 1 to 100 as dots.
    """
    panels = {
        "step decay": step(2, 10, gamma=0.5),
        "warm restarts, equal cycles": warm_restarts(2, T_0=10),
        "cosine annealing": cosine(2, 0, 10).beyond("mirror"),
        "warm restarts, doubling cycles": warm_restarts(2, T_0=10, T_mult=2),
    }
    figure, steps = new_figure((9, 6)), np.arange(1, 101)
    for ax, (name, schedule) in zip(figure.subplots(2, 2, sharex=True, sharey=True).flat, panels.items(), strict=True):
        _panel(ax, f"{name}\n{schedule}", schedule, 101, time="step")
        (dots,) = ax.plot(steps, schedule(steps), ".", markersize=3, color="black", gid="values", zorder=4)
        dots.set_label("its value after steps 1 to 100")
    curve = Line2D([], [], color=COLOURS[0], label="the schedule")
    figure.legend(handles=[curve, dots, *_mark_keys()], loc="outside lower center", ncols=4, frameon=False)
    return figure


def paper(together: bool = False) -> Any:
    """The seven learning-rate curves of the paper on warm restarts, over its 200 epochs: a matplotlib Figure.

    together: in one Axes, as the paper shows them, instead of one below the other.
    """
    named = paper_schedules()
    if together:
        ax = new_figure((7.5, 5.5)).subplots()
        return plot(named, 200, ax, time="epoch").figure
    figure = new_figure((7.5, 10))
    axes = figure.subplots(len(named), sharex=True, sharey=True)
    for ax, (name, schedule) in zip(axes, named.items(), strict=True):
        _panel(ax, f"{name}:  {schedule}", schedule, 200, time="epoch", rate="")
        levels = {span.first: span.begin for span in reversed(schedule.runs(200)) if span.first == span.last}
        for value, begin in levels.items():
            ax.annotate(f"{value:.4g}", (begin, value), (4, 3), textcoords="offset points", fontsize="small")
    axes[0].set(xticks=range(0, 201, 10), yticks=[0, 0.05, 0.1], ylim=(-0.012, 0.125))
    axes[0].xaxis.set_major_formatter(lambda epoch, _: f"{epoch:g}" if epoch % 50 == 0 else "")
    figure.supylabel("learning rate")
    figure.legend(handles=_mark_keys(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _panel(ax: Any, title: str, schedule: Schedule, until: int, **options: Any) -> None:
    plot(schedule, until, ax, legend=False, **options)
    ax.set_title(title, fontsize="medium")
    ax.label_outer()


def svg(schedule: Schedule) -> str:
    """The picture of one schedule as the text of an SVG file."""
    text = io.StringIO()
    plot(schedule, ax=new_figure((7.5, 3.7)).subplots()).figure.savefig(text, format="svg")
    return text.getvalue()


def save(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a Figure as PNG, SVG or PDF, by the suffix of the path; the file is written whole or not at all.

    path: ends in .png, .svg or .pdf, in a directory that exists; else a ScheduleError says which is wrong.
    """
    path = picture_path(path)
    # Beside the target, since a file can be replaced at once only within one file system.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        figure.savefig(unfinished, format=path.suffix[1:].lower(), dpi=150)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def picture_path(path: str | os.PathLike[str]) -> Path:
    """The path of a picture that can be saved."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ScheduleError(f"a picture must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise ScheduleError(f"a picture needs a directory that exists, got {str(path)!r}")
    return path


def new_figure(inches: tuple[float, float]) -> Any:
    """A Figure of its own, which no window shows and nobody has to close."""
    return Figure(figsize=inches, layout="constrained")
