"""The page's questions and their answers: a JSON object plus an array of float64.

The local page and the notebook widget share them; JavaScript only draws what comes back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..analysis import budget, diff, lint
from ..audit import read
from ..audit.log import Log, LogError
from ..errors import ScheduleError
from ..plan import Plan
from ..recipes import cosine, linear
from ..schedule.base import Schedule
from ..translation import FRAMEWORKS
from .controls import changed, controls
from .curves import DrawnCurves, curves
from .exports import exported, static_page
from .gallery import fitted, gallery
from .log_rows import laid_over, read_posted
from .view import AMOUNTS, CHOICES, COUNTS, Array, PageView, Shown, one_line, read_view

START = str(linear(0, 0.1, 20) >> cosine(0.1, 0, 180))  # shown if no schedule and no log was given
MOST_UPDATES = 3_000_000  # for which the budget is summed, in about a second
Answer = tuple[dict[str, Any], bytes]


@dataclass
class Page:
    """Answers the questions of one page. first: the view that it opens with. log: the log to overlay, if any."""

    first: dict[str, Any] = field(default_factory=dict)
    log: Log | None = None

    def answer(self, question: Any) -> Answer:
        """The answer to a question, or one sentence about why there is none."""
        kinds = {"first": self._first, "draw": draw, "details": details, "gallery": pictures, "add": add}
        kinds |= {"export": taken, "log": self._log}
        try:
            if not isinstance(question, Mapping) or question.get("kind") not in kinds:
                raise ScheduleError(f"kind must be one of {', '.join(kinds)}")
            return kinds[question["kind"]](question)
        except (ScheduleError, LogError) as error:
            return {"error": str(error)}, b""
        except ModuleNotFoundError as error:
            return {"error": f"this needs {error.name}: pip install 'annealing[explore]'"}, b""
        # Our page never sends such a question; whoever does gets an error, and the server keeps running.
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            return {"error": f"this question cannot be answered: {error!r}"}, b""

    def _first(self, _question: Mapping[str, Any]) -> Answer:
        frameworks = [(name, framework.title) for name, framework in FRAMEWORKS.items()]
        return {"view": self.first, "log": self.log is not None, "frameworks": frameworks}, b""

    def _log(self, question: Mapping[str, Any]) -> Answer:
        if "content" in question:
            self.log = read_posted(str(question.get("name", "log")), question["content"])
        if self.log is None:
            raise ScheduleError("there is no log: choose a file, or use --log on the command line")
        return laid_over(self.log, question)


def first_page(notations: Sequence[str], plan: Any = None, log: Any = None) -> Page:
    """The page for some notations; a log is read now, so that an unreadable file fails at once."""
    # With only a log the page starts empty, and the schedule that the log follows is added.
    texts = notations or ([START] if log is None else [])
    opened = None if log is None else read(log)
    return Page({"schedules": [{"text": text} for text in texts], "plan": _plan(plan)}, opened)


def _plan(plan: Any) -> dict[str, Any]:
    """A plan as a dict of its arguments, for the page's form."""
    if isinstance(plan, Mapping):
        return {name: value for name, value in plan.items() if value is not None}
    if plan is None:
        return {}
    if not isinstance(plan, Plan):
        raise ScheduleError(f"plan must be a Plan or a dict of its arguments, got {plan!r}")
    known = (*COUNTS[:-1], *CHOICES, "tokens_per_example")
    given = {name: getattr(plan, name) for name in known if getattr(plan, name) is not None}
    unit, length = plan.asked
    assert unit in (*COUNTS, *AMOUNTS)
    return given | {unit: length if isinstance(length, int) else float(length)}


def draw(question: Mapping[str, Any]) -> Answer:
    """The curves of a view, after moving a control if the question has a change."""
    given = question["view"]
    texts = [one_line(str(row["text"])) for row in given["schedules"]]
    if change := question.get("change"):
        texts[change["schedule"]] = changed(texts[change["schedule"]], change)
    view = read_view(given, texts)
    found = curves(list(view.drawn.values()), view.start, view.stop)
    places = {number: row for row, number in enumerate(view.drawn)}
    arrays = [view.axis.shown(found.times), *found.values]
    both = view.difference
    if both is not None and all(number in places for number in both):
        arrays.append(found.values[places[both[0]]] - found.values[places[both[1]]])
    else:
        both = None
    limits = [float(view.axis.shown(time)) for time in (0.0, view.until, view.start, view.stop)]
    # One answer for everything that a drag changes: a second request would double the delay.
    answer = {
        "texts": texts,
        "schedules": [_described(one, view, places.get(i), found) for i, one in enumerate(view.shown)],
        "axis": {"unit": view.axis.unit, "units": view.units, "begin": limits[0], "end": limits[1]},
        "start": limits[2],
        "stop": limits[3],
        "plan": {"error": view.plan_error, "words": view.plan.explain() if view.plan else ""},
        "points": len(found.times),
        "at": _values_at(view),
        "difference": both,
    }
    return answer, np.concatenate(arrays).astype("<f8").tobytes()


def _described(one: Shown, view: PageView, row: int | None, found: DrawnCurves) -> dict[str, Any]:
    if one.error is not None:
        return {"text": one.text, "error": _error(one)}
    assert one.schedule is not None
    marks = found.marks[row] if row is not None else ([], [])
    shown = [[[float(view.axis.shown(time)), value] for time, value in of_kind] for of_kind in marks]
    described = {"text": one.text, "row": row, "joined": row is None or found.joined[row]}
    peak = float(np.nanmax(np.abs(found.values[row]))) if row is not None else 1.0
    return described | {
        "restarts": shown[0],
        "checkpoints": shown[1],
        "controls": [control._asdict() for control in controls(one.text, peak or 1.0)],
        "duration": one.schedule.duration,
    }


def _error(one: Shown) -> dict[str, Any]:
    """An error with the excerpt that it points at, and a corrected notation if it suggests one."""
    message, _, excerpt = str(one.error).partition("\n")
    proposed = re.search(r"did you mean ([\w.-]+)\?", message)
    wrong = re.search(r"(?:unknown [\w ]+|no argument) '([^']+)'", message)
    fix = None
    if one.error and proposed and wrong and (at := one.text.find(wrong[1], one.error.place or 0)) >= 0:
        fix = {"name": proposed[1], "text": one.text[:at] + proposed[1] + one.text[at + len(wrong[1]) :]}
    return {"message": message, "excerpt": excerpt, "fix": fix}


def _values_at(view: PageView) -> dict[str, Any] | None:
    """The values at one time, to the last digit."""
    if view.at is None:
        return None
    step = int(view.at) if view.at.is_integer() else view.at
    values: list[str | None] = []
    for one in view.shown:
        try:
            values.append(None if one.schedule is None else repr(float(one.schedule(step))))
        except ScheduleError:  # it refuses times after its end
            values.append("none")
    return {"step": step, "time": float(view.axis.shown(step)), "values": values}


def details(question: Mapping[str, Any]) -> Answer:
    """What would slow down dragging: findings, budgets, and how two schedules differ."""
    view = read_view(question["view"])
    rows = [None if one.schedule is None else _facts(one.schedule, view) for one in view.shown]
    words = ""
    if view.difference is not None:
        one, two = (view.shown[number].schedule for number in view.difference)
        words = diff(one, two, view.until) if one is not None and two is not None else ""
    return {"schedules": rows, "difference": words}, b""


def _facts(schedule: Schedule, view: PageView) -> dict[str, Any]:
    planned = view.plan.steps if view.plan else None
    try:
        found = [finding._asdict() for finding in lint(schedule, None if planned else view.until, planned)]
    except ScheduleError as error:
        found = [{"name": "", "time": 0, "message": str(error), "remedy": "", "severity": "note"}]
    until = planned or (view.until if schedule.duration is None else schedule.duration)
    words = ""
    if 0 < until <= MOST_UPDATES:
        spent = budget(schedule.beyond("hold"), until)
        share = f"{100 * spent.share_near_peak:.3g}\N{NO-BREAK SPACE}% of them near the peak"
        words = f"Over {math.ceil(until):,} updates: sum {spent.sum:.6g}, mean {spent.mean:.6g}, {share}."
    return {"findings": found, "budget": words, "fingerprint": schedule.fingerprint}


def taken(question: Mapping[str, Any]) -> Answer:
    """A file or text to export; a page that opens offline contains its answers."""
    if question["form"] != "html":
        return exported(question)
    answers = {"draw": draw(question), "details": details(question)}
    return {"file": "schedules.html", "type": "text/html"}, static_page(question["view"], answers).encode()


def pictures(_question: Mapping[str, Any]) -> Answer:
    """The gallery of recipes."""
    entries = gallery()
    rows: list[Array] = [entry.curve for entry in entries]
    told = [{key: value for key, value in entry._asdict().items() if key != "curve"} for entry in entries]
    return {"recipes": told, "points": len(rows[0])}, np.concatenate(rows).astype("<f8").tobytes()


def add(question: Mapping[str, Any]) -> Answer:
    """A recipe from the gallery as notation, scaled to what the page shows."""
    view = read_view(question["view"])
    shown = list(view.drawn.values())
    peaks = [float(np.nanmax(row)) for row in curves(shown, 0.0, view.until, 200).values]
    highest = max(peaks, default=0.0)
    return {"text": fitted(str(question["name"]), view.until, highest if highest > 0 else 0.1)}, b""
