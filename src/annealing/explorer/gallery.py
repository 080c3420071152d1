"""The gallery: every recipe with an example notation and a small curve."""

from __future__ import annotations

import ast
import doctest
import inspect
from contextlib import suppress
from functools import cache
from typing import NamedTuple

import numpy as np

from ..calls import shown
from ..errors import ScheduleError
from ..notation import parse
from ..recipes import named
from ..sampling import default_until
from ..schedule.base import Schedule
from .controls import changed, controls
from .curves import curves
from .view import Array

POINTS = 60
RATES = ("eta", "start", "end")  # the names of arguments that are rates start like this
# For recipes whose own examples contain variables.
EXAMPLES = {
    "rex": "rex(1, 0, 100)",
    "cooldown": "cooldown(1, 0.1, 20)",
    "warmup": "warmup(cosine(1, 0, 100), 20, place='over')",
    "branch_cooldown": "branch_cooldown(constant(1), at=80, length=20)",
    "change_horizon": "change_horizon(linear(1, 0, 10), at=5, T_new=20, policy='restretch')",
}


class Entry(NamedTuple):
    name: str
    family: str
    sentence: str
    signature: str
    text: str
    curve: Array


@cache
def gallery() -> tuple[Entry, ...]:
    """All recipes, in the order of their families."""
    entries = []
    for name, make in named.items():
        page = inspect.getdoc(make) or ""
        schedule = example(name, page)
        assert schedule is not None, name
        times = np.linspace(0, float(default_until([schedule])), POINTS)
        curve = schedule(times)
        curve[-1] = schedule.left(float(times[-1]))  # a restart at the right edge would draw a spike
        family, signature = make.__module__.rpartition(".")[2], shown(name, inspect.signature(make))
        entries.append(Entry(name, family, page.splitlines()[0], signature, str(schedule), curve))
    return tuple(entries)


def example(name: str, page: str) -> Schedule | None:
    """The first call of a recipe in its own examples that has only plain arguments."""
    if name in EXAMPLES:
        return parse(EXAMPLES[name])
    for one in doctest.DocTestParser().get_examples(page):
        for node in ast.walk(ast.parse(one.source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                # Calls with variables or with durations that need a plan cannot be drawn.
                with suppress(ScheduleError):
                    if not (schedule := parse(ast.unparse(node))).pending:
                        return schedule
    return None


def fitted(name: str, until: float, peak: float) -> str:
    """The example of a recipe with its times and rates scaled to those on the page."""
    texts = {entry.name: entry.text for entry in gallery()}
    if name not in texts:
        raise ScheduleError(f"unknown recipe {name!r}")
    schedule = parse(text := texts[name])
    last = float(default_until([schedule]))
    highest = float(np.nanmax(curves([schedule], 0.0, last, POINTS).values[0]))
    factors = {"time": until / last, "rate": peak / highest if highest > 0 else 1.0}
    made = text
    # From the last to the first, so that the positions of those before stay valid.
    for control in reversed(controls(text)):
        scaled = control.kind == "time" or control.name.startswith(RATES)
        if control.given and scaled and control.kind in factors:
            value = ast.literal_eval(control.text) * factors[control.kind]
            short = f"{round(value) if control.whole and value >= 1 else float(f'{value:.3g}')}"
            made = changed(made, control._asdict() | {"typed": short})
    # An argument may have a rule of its own, such as being a power of 2.
    try:
        return str(parse(made))
    except ScheduleError:
        return text
