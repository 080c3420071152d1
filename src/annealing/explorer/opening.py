"""What a page opens with: notations, a plan and a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ScheduleError
from ..plan import Plan
from ..recipes import cosine, linear
from .answers import Page
from .time_axis import AMOUNTS, CHOICES, COUNTS

START = str(linear(0, 0.1, 20) >> cosine(0.1, 0, 180))  # what a page shows that is opened with nothing


def first_page(notations: Sequence[str], plan: Any = None, log: Any = None) -> Page:
    """The page of some notations; a log is read now, so that a file that cannot be read is an error at once."""
    read = None
    if log is not None:
        from ..audit import read as read_log

        read = read_log(log)
    # A log alone opens an empty page, to which the schedule that it follows is added.
    if not notations and read is None:
        notations = [START]
    return Page({"schedules": [{"text": text} for text in notations], "plan": _plan(plan)}, read)


def _plan(plan: Any) -> dict[str, Any]:
    """A plan by the names of its arguments, as the page's form holds it."""
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
