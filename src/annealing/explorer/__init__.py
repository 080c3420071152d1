"""The explorer: a local page, and a notebook widget, that show exactly the values you will train with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ScheduleError, missing
from ..notation import parse
from ..schedule.base import Schedule


def explore(schedules: Schedule | str | Sequence[Schedule | str] = (), plan: Any = None, log: Any = None) -> Any:
    """The explorer as a notebook widget: change schedules, compare them, and export them.

    schedules: one or several, or their notation. plan: an `annealing.Plan`, or a dict of its arguments. log: the path
    of a run's log to overlay. Needs the extra `explore`; outside a notebook use `annealing explore`.
    """
    try:
        from .widget import Explorer
    except ModuleNotFoundError as error:
        raise missing("annealing.explore", error, "explore") from None
    given = [schedules] if isinstance(schedules, Schedule | str) else list(schedules)
    if not all(isinstance(one, Schedule | str) for one in given):
        raise ScheduleError(f"schedules must be schedules or their notation, got {schedules!r}")
    return Explorer([str(parse(one)) for one in given], plan, log)


__all__ = ["explore"]
