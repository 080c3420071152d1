"""The paper's seven schedules, scaled to a budget, with the controls that the paper lacks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .. import ScheduleError, cosine, multistep, warm_restarts
from ..errors import whole
from .experiment import Arm, Experiment, chosen
from .tasks import Digits, Task

BASELINE = "step-0.1"
PAPER_EPOCHS = 200
MOST_EPOCHS = 10_000


def sgdr(budget: int = 40, seeds: int = 5, only: Sequence[str] = (), task: Task | None = None) -> Experiment:
    """The comparison of Loshchilov and Hutter with every length times budget / 200, and its missing controls.

    budget: epochs, from 1 to 10,000. seeds: how many, the seeds are 0, 1, ... only: keys of arms to keep (all if
    empty); the baseline, step decay from 0.1, must be among them. task: Digits() unless given.
    A ScheduleError names an argument that is none of these.

    >>> [str(arm.schedule) for arm in sgdr(budget=40).arms if arm.paper][2:4]
    ['cosine(0.05, 0, 40)', 'warm_restarts(0.05, T_0=10)']

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, section 4 and figure 1.
    """
    if whole(budget, "budget") > MOST_EPOCHS:
        raise ScheduleError(f"budget must be at most {MOST_EPOCHS} epochs, got {budget!r}")
    arms = chosen(arms_for(budget), only)
    if BASELINE not in [arm.key for arm in arms]:
        raise ScheduleError(f"only must name the baseline {BASELINE!r} as well, got {', '.join(only)}")
    return Experiment(task or Digits(), arms, tuple(range(whole(seeds, "seeds"))), BASELINE)


def arms_for(budget: int) -> list[Arm]:
    """The paper's schedules and the controls.

    A single cosine of each length at which a schedule with restarts ends its last run stands for decay matched to the
    same number of epochs; the one of the whole budget is the paper's (T_0, T_mult) = (200, 1).
    """

    def scaled(epochs: int) -> Fraction:
        return Fraction(epochs * budget, PAPER_EPOCHS)

    def stepped(peak: float, epochs: int, paper: str | None = None) -> Arm:
        milestones = [scaled(epochs) * Fraction(share, PAPER_EPOCHS) for share in (60, 120, 160)]
        key = f"step-{peak}" if epochs == PAPER_EPOCHS else f"step-{peak}-{epochs}"
        title = f"step {peak}, {shown(scaled(epochs))} epochs"
        return Arm(key, title, multistep(peak, milestones, gamma=0.2), scaled(epochs), paper)

    def single(epochs: int, paper: str | None = None) -> Arm:
        title = f"cosine, {shown(scaled(epochs))} epochs"
        return Arm(f"cosine-{epochs}", title, cosine(0.05, 0, scaled(epochs)), scaled(epochs), paper)

    def restarted(T_0: int, T_mult: int) -> Arm:
        schedule = warm_restarts(0.05, T_0=scaled(T_0), **({"T_mult": T_mult} if T_mult > 1 else {}))
        title = f"restarts ({shown(scaled(T_0))}, {T_mult})"
        paper = f"T_0={T_0}, T_mult={T_mult}"
        return Arm(f"restarts-{T_0}-{T_mult}", title, schedule, scaled(PAPER_EPOCHS), paper)

    steps = [
        stepped(0.1, 200, "default, 0.1"),
        stepped(0.05, 200, "default, 0.05"),
        stepped(0.1, 100),
        stepped(0.1, 50),
    ]
    singles = [single(200, "T_0=200, T_mult=1"), *(single(epochs) for epochs in (150, 127, 100, 50))]
    return [*steps, *singles, *(restarted(*run) for run in ((50, 1), (100, 1), (1, 2), (10, 2)))]


def shown(epochs: Fraction) -> str:
    """A number of epochs for people."""
    return f"{float(epochs):.4g}"
