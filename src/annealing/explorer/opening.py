"""The first view of a page: notations, a plan and a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ScheduleError
from ..plan import Plan
from ..recipes import cosine, linear
from .answers import Page
from .time_axis import AMOUNTS, CHOICES, COUNTS

START = str(linear(0, 0.1, 20) >> cosine(0.1, 0, 180))  # shown if no schedule and no log was given


def first_page(notations: Sequence[str], plan: Any = None, log: Any = None) -> Page:
    """The page for some notations; a log is read now, so that an unreadable file fails at once."""
    read = None
    if log is not None:
        from ..audit import read as read_log

        read = read_log(log)
    # With only a log the page starts empty, and the schedule that the log follows is added.
    if not notations and read is None:
        notations = [START]
    return Page({"schedules": [{"text": text} for text in notations], "plan": _plan(plan)}, read)


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
