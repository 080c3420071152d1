"""Wrong calls of public functions: a ScheduleError says what was wrong, with the signature, never a bare TypeError."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import annealing as an
from annealing import Plan, ScheduleError, cosine, plots, shapes
from annealing.schedule.base import Schedule

S = cosine(0.1, 0, 100)
PLAN = Plan(steps=10)
METHODS = [name for name, value in vars(Schedule).items() if callable(value) and not name.startswith("_")]
CALLED: dict[str, Callable[..., Any]] = {
    **{name: getattr(an, name) for name in ("budget", "diff", "from_json", "jumps", "lint", "parse", "plot", "preset")},
    **{name: getattr(an, name) for name in ("Run", "Tail", "Join", "Repeat", "Sum", "Product", "Quotient", "Minimum")},
    **{name: getattr(an, name) for name in ("Shifted", "Stretched", "Held", "Beyond", "Until", "minimum", "Plan")},
    **{f"Schedule.{name}": getattr(S, name) for name in METHODS if name != "plot"},
    **{f"Plan.{name}": getattr(PLAN, name) for name in ("convert", "explain", "resolve")},
    **shapes.families,
}


@pytest.mark.parametrize("name", CALLED)
def test_an_unknown_argument_is_named_with_the_signature(name: str) -> None:
    with pytest.raises(ScheduleError, match=rf"^{name} has no argument 'zzz'.* signature: {name}\("):
        CALLED[name](zzz=1)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "missing": (lambda: S.held(), r"Schedule.held needs every; signature: Schedule.held\(every\)"),  # type: ignore[call-arg]
    "two missing": (lambda: S.clip(), "Schedule.clip needs least, most; "),  # type: ignore[call-arg]
    "nearest name": (lambda: S.held(evry=3), "no argument 'evry': did you mean every?"),  # type: ignore[call-arg]
    "too many": (lambda: S.shifted(1, 2), "Schedule.shifted takes at most 1 argument by position, got 2; "),  # type: ignore[call-arg]
    "by name alone": (lambda: Plan(1000, 32), "Plan takes its arguments by name, got 2 by position; "),  # type: ignore[call-arg, misc]
    "twice": (lambda: an.preset("transfer", 1, name="x"), "preset got name twice"),  # type: ignore[call-arg, misc]
    "Sum of None": (lambda: an.Sum(None), "parts must be schedules and numbers, .*got None"),  # type: ignore[arg-type]
    "Sum of a schedule": (lambda: an.Sum(S), "parts must be schedules and numbers"),  # type: ignore[arg-type]
    "an abstract one": (lambda: Schedule(), "a Schedule is made by a recipe or a node"),
    "an unknown preset": (lambda: an.preset(5, 1), "preset: unknown name 5 "),  # type: ignore[arg-type]
    "a preset that cannot be hashed": (lambda: an.preset([1], 1), r"preset: unknown name \[1\]"),  # type: ignore[arg-type]
    ">> a number": (lambda: S >> 1, ">> needs a schedule on both sides.*got 1$"),
    "None >>": (lambda: None >> S, ">> needs a schedule on both sides.*got None"),
    "a power": (lambda: S**2, r"schedules have no \*\*, .*got cosine\(0.1, 0, 100\) and 2"),
    "a power of it": (lambda: 2**S, r"schedules have no \*\*"),
    "an order": (lambda: S < 1, "schedules have no <"),
    "an array +": (lambda: np.array([1.0, 2.0]) + S, "a number beside a schedule must be a real number, got array"),
    "a text": (lambda: "a" + S, "a number beside a schedule must be a real number, got 'a'"),
    "diff of None": (lambda: an.diff(None, None), "one must be a schedule, got None"),  # type: ignore[arg-type]
    "ignore": (lambda: an.lint(S, ignore=None), "ignore must be a list of rules, got None"),  # type: ignore[arg-type]
    "explain": (lambda: PLAN.explain(5), "schedule must be a schedule, got 5"),  # type: ignore[arg-type]
    "an array of milestones": (lambda: an.multistep(1, np.arange(3)), "milestones must be a list of times"),  # type: ignore[arg-type]
    "a shape of text": (lambda: shapes.cosine("a", 0.5), "done must be a number or an array, got 'a'"),
    "a shape of None": (lambda: shapes.cosine(0.5, None), "left must be a number or an array, got None"),
    "plot None": (lambda: plots.plot(None), "schedules must be a schedule, a list or a dict"),  # type: ignore[arg-type]
    "plot axes": (lambda: S.plot(ax=3), "ax must be a matplotlib Axes, got 3"),
    "plot scale": (lambda: S.plot(yscale="lg"), "yscale must be one of .*, got 'lg'"),
    "plot points": (lambda: S.plot(points=-1), "points must be a whole number of at least 1, got -1"),
    "plot plan": (lambda: S.plot(plan=5), "plan must be an annealing.Plan, got 5"),
    "plot option": (lambda: S.plot(untl=5), "plot has no argument 'untl': did you mean until"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_says_what_is_wrong(name: str) -> None:
    call, message = WRONG[name]
    with pytest.raises(ScheduleError, match=message):
        call()


def test_a_single_rule_can_be_ignored() -> None:
    assert an.lint(an.linear(0, 1, 5), ignore="zero-first-update")[0].name == "warm-up-as-long-as-the-run"


def test_numpy_numbers_work_on_either_side() -> None:
    assert np.float64(2) * S == 2 * S
    assert np.int64(1) - S == 1 - S


def test_an_error_inside_a_function_stays_as_it_is() -> None:
    def broken() -> Any:
        yield S
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        an.plot(broken())


def test_a_name_that_does_not_exist_has_a_suggestion() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'cosin': did you mean cosine\?"):
        an.cosin  # noqa: B018


def test_the_module_of_the_paper_is_importable_under_its_old_name() -> None:
    code = (
        "import annealing.paper as p; from annealing.paper import paper_schedules as f\nprint(f is p.paper_schedules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "True\n"
