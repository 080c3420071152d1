"""Exports from the page: notation, JSON, code, pictures, tables, and the page itself as a file."""

from __future__ import annotations

import ast
import base64
import csv
import io
import json
import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from .. import recipes
from ..errors import ScheduleError
from ..notation import NODES
from ..plan import Plan
from ..printing import time_json
from ..translation import translate
from .curves import curves
from .view import PageView, read_view, steps_per_epoch

PICTURES = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
SCRIPTS = ("uplot.min.js", "parts.js", "chart.js", "cards.js", "panels.js", "front.js")
STYLES = ("uplot.min.css", "style.css")
MOST_ROWS = 100_000  # of a table with every step; a longer one has the points of the curve instead


def exported(question: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A view, or one schedule of it, in the given form: text to copy, or a file."""
    form, view = str(question["form"]), read_view(question["view"])
    if not view.drawn:
        raise ScheduleError("there is no schedule to export: add one first")
    if form in PICTURES:
        return {"file": f"schedules.{form}", "type": PICTURES[form]}, _picture(view, form)
    if form == "csv":
        return {"file": "schedules.csv", "type": "text/csv"}, _table(view).encode()
    if form == "yaml":
        return {"text": comparison(view), "file": "comparison.yaml", "type": "application/yaml"}, b""
    one = view.shown[int(question.get("schedule", 0))]
    if one.written is None or one.schedule is None:
        raise ScheduleError("this schedule has an error, shown below its notation")
    if form == "notation":
        return {"text": str(one.written)}, b""
    if form == "json":
        return {"text": json.dumps(json.loads(one.written.to_json()), indent=2)}, b""
    if form == "python":
        return {"text": python(str(one.written), view.plan)}, b""
    # A framework counts updates, so it gets the schedule with the durations that the plan has resolved.
    ends = view.plan is None and one.schedule.duration is not None
    until = None if ends else view.plan.steps if view.plan else math.ceil(view.until)
    return {"text": f"{translate(one.schedule, to=form, until=until)}\n"}, b""


def python(notation: str, plan: Plan | None) -> str:
    """The schedule as a complete Python script."""
    known = {*recipes.named, *NODES, "shapes"} - {"Fraction"}
    names = sorted({node.id for node in ast.walk(ast.parse(notation)) if isinstance(node, ast.Name)} & known)
    planned = [] if plan is None else [f"plan = {plan}"]
    lines = ["from fractions import Fraction\n"] if "Fraction(" in notation else []
    lines += [f"from annealing import {', '.join([*(['Plan'] if plan else []), *names])}", "", *planned]
    resolved = notation if plan is None else f'plan.resolve({notation}, beyond="hold")'
    return "\n".join([*lines, f"schedule = {resolved}", ""])


def _picture(view: PageView, form: str) -> bytes:
    from ..plots import new_figure, plot

    axes = new_figure((8, 4 + 0.2 * len(view.drawn))).subplots()
    named = {view.shown[number].text: schedule for number, schedule in view.drawn.items()}
    plot(named, view.stop, axes, time=view.axis.unit, yscale=view.scale, plan=view.plan)
    # Draw from 0 so that the cycles are whole, then zoom.
    if view.start > 0:
        axes.set_xlim(*(float(view.axis.shown(time)) for time in (view.start, view.stop)))
    picture = io.BytesIO()
    axes.figure.savefig(picture, format=form, dpi=150)
    return picture.getvalue()


def _table(view: PageView) -> str:
    """Times and rates to the last digit, at every step if there are not too many."""
    drawn = view.drawn
    if view.stop - view.start <= MOST_ROWS:
        times: Any = np.arange(np.ceil(view.start), np.floor(view.stop) + 1)
        values = [schedule.beyond("hold")(times) for schedule in drawn.values()]
    else:
        found = curves(list(drawn.values()), view.start, view.stop)
        times, values = found.times, found.values
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    unit = view.axis.unit
    rows.writerow(["step", *([unit] if unit != "step" else []), *(view.shown[number].text for number in drawn)])
    shown = [view.axis.shown(times).tolist()] if unit != "step" else []
    columns = [*shown, *(row.tolist() for row in values)]
    rows.writerows([f"{time:.17g}", *map(repr, row)] for time, *row in zip(times.tolist(), *columns, strict=True))
    return text.getvalue()


def comparison(view: PageView) -> str:
    """The schedules as an experiment for `annealing compare`, which counts in epochs."""
    epoch = steps_per_epoch(view.plan)
    per_epoch = epoch or Fraction(1)
    counted = f"the plan has {epoch} updates per epoch" if epoch else "each step on the page is one epoch here"
    lines = ["# annealing compare comparison.yaml --out DIR", f"# Times are epochs; {counted}."]
    lines += ["task: digits", "seeds: 5", "schedules:"]
    for number, schedule in enumerate(view.drawn.values(), start=1):
        notation = str(schedule if per_epoch == 1 else schedule.stretched(1 / per_epoch))
        length = Fraction(view.until) if schedule.exact_duration is None else schedule.exact_duration
        epochs = f"{time_json(length / per_epoch)}ep"
        lines += [f"  schedule-{number}:", f"    schedule: {json.dumps(notation)}", f"    epochs: {json.dumps(epochs)}"]
    return "\n".join([*lines, "baseline: schedule-1", ""])


def front_file(name: str) -> str:
    return (files(__package__) / "web" / name).read_text(encoding="utf-8")


@cache
def script() -> str:
    """The front end as one JavaScript module that renders into an element, as notebooks need it."""
    # The license must travel with the code, also in an exported page.
    return "\n".join([f"/*!\n{front_file('UPLOT-LICENSE')}*/", *map(front_file, SCRIPTS)])


@cache
def stylesheet() -> str:
    return "\n".join(map(front_file, STYLES))


def static_page(view: Mapping[str, Any], answers: Mapping[str, tuple[Any, bytes]]) -> str:
    """A view as one HTML file that contains its values; it zooms and shows values without a server."""
    coded = {name: {"told": told, "numbers": base64.b64encode(raw).decode()} for name, (told, raw) in answers.items()}
    # Escape "<", so that a notation cannot close the script element that contains it.
    data = json.dumps({"view": dict(view), "answers": coded}).replace("<", "\\u003c")
    # Insert the data last, because a notation may contain the placeholder of the script.
    page = front_file("static.html").replace("/*STYLE*/", stylesheet()).replace("/*SCRIPT*/", script())
    return page.replace("/*DATA*/", data)
