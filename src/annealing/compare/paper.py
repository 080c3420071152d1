"""The paper's seven schedules, scaled to a budget, with the controls that the paper lacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .. import ScheduleError, cosine
from ..errors import whole
from ..sgdr import paper_schedules
from .entries import Arm, chosen
from .experiment import Experiment

BASELINE = "step-0.1"
PAPER_EPOCHS = 200
MOST_EPOCHS = 10_000


def sgdr(budget: int = 40, seeds: int = 5, only: Sequence[str] = (), task: Any = "digits") -> Experiment:
    """The comparison of Loshchilov and Hutter, with every length times budget / 200, and its missing controls.

    Names have the paper's lengths: "restarts (10, 2)" restarts first after 10 of 200 epochs, or 1/20 of the budget.
    budget: epochs, from 1 to 10,000. seeds: how many, the seeds are 0, 1, ... only: keys of arms to keep (all if
    empty); the baseline, step decay from 0.1, must be among them. task: as for `Experiment`.
    A ScheduleError names an argument that is none of these.

    >>> [arm.key for arm in sgdr(budget=40).arms if arm.paper is None]
    ['step-0.1-100', 'step-0.1-50', 'cosine-150', 'cosine-127', 'cosine-100', 'cosine-50']

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, section 4 and figure 1.
    """
    if whole(budget, "budget") > MOST_EPOCHS:
        raise ScheduleError(f"budget must be at most {MOST_EPOCHS} epochs, got {budget!r}")
    scale = Fraction(budget, PAPER_EPOCHS)
    arms = chosen([*_steps(scale), *_cosines(scale), *_restarts(scale)], only)
    if BASELINE not in [arm.key for arm in arms]:
        raise ScheduleError(f"only must name the baseline {BASELINE!r} as well, got {', '.join(only)}")
    return Experiment(task, arms, BASELINE, seeds=whole(seeds, "seeds"))


def _steps(scale: Fraction) -> list[Arm]:
    """The paper's two, and that from 0.1 compressed to a half and a quarter of the budget."""
    arms = []
    for name, epochs in (("step 0.1", 200), ("step 0.05", 200), ("step 0.1", 100), ("step 0.1", 50)):
        title = name + (f", {epochs}" if epochs < PAPER_EPOCHS else "")
        schedule = paper_schedules(epochs * scale)[name]
        paper = name if epochs == PAPER_EPOCHS else None
        arms.append(Arm(_key(title), title, schedule, epochs * scale, paper))
    return arms


def _cosines(scale: Fraction) -> list[Arm]:
    """A cosine over the budget, over a half and a quarter of it, and where restarts that double end their last cycle.

    The first is the paper's "restarts 200 x1", in which nothing restarts.
    """
    arms = []
    for epochs in (200, 150, 127, 100, 50):
        paper = "restarts 200 x1" if epochs == PAPER_EPOCHS else None
        schedule = paper_schedules(PAPER_EPOCHS * scale)[paper] if paper else cosine(0.05, 0, epochs * scale)
        arms.append(Arm(f"cosine-{epochs}", f"cosine {epochs}", schedule, epochs * scale, paper))
    return arms


def _restarts(scale: Fraction) -> list[Arm]:
    """The paper's other four."""
    schedules = paper_schedules(PAPER_EPOCHS * scale)
    arms = []
    for T_0, T_mult in ((50, 1), (100, 1), (1, 2), (10, 2)):
        paper, title = f"restarts {T_0} x{T_mult}", f"restarts ({T_0}, {T_mult})"
        arms.append(Arm(_key(title), title, schedules[paper], PAPER_EPOCHS * scale, paper))
    return arms


def _key(title: str) -> str:
    """The key of a schedule, which names the same lengths as its title: those of the paper, of 200 epochs.

    >>> _key("restarts (10, 2)"), _key("step 0.1, 50")
    ('restarts-10-2', 'step-0.1-50')
    """
    return re.sub(r"[^a-z0-9.]+", "-", title).strip("-")
