"""A comparison small enough to work out by hand, and its records."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from annealing import cosine, multistep, warm_restarts
from annealing.compare import Arm, Experiment, Function, Trial
from annealing.compare.store import Row, open_store
from annealing.compare.trials import run_trial

PAPER = Function("on.paper:train", updates_per_epoch=2, test_images=100)  # so that an image is a percent
step = Arm("step", "step decay", multistep(0.1, [4, 6], gamma=0.2), Fraction(8))
short = Arm("short", "short step", multistep(0.1, [2, 3], gamma=0.2), Fraction(4))
single = Arm("single", "one cosine", cosine(0.05, 0, 6), Fraction(6))
half = Arm("half", "half a cosine", cosine(0.05, 0, 2), Fraction(2))
restarts = Arm("restarts", "restarts", warm_restarts(0.05, T_0=2, T_mult=2), Fraction(8))


def experiment(*arms: Arm, seeds: Sequence[int] = (0, 1, 2)) -> Experiment:
    return Experiment(PAPER, arms or (step, short, single, half, restarts), "step", seeds=[*seeds])


def rows(wrong: Sequence[int], marks: Sequence[int] | None = None, rate: float = 0.1) -> list[Row]:
    """A row after every epoch, or at the marks."""
    marks = marks or range(2, 2 * len(wrong) + 1, 2)
    return [Row(mark, mark / 2, rate, 0.5, count) for mark, count in zip(marks, wrong, strict=True)]


records = {
    **{
        Trial("step", seed): rows([60, 40, 30, 20 + seed, 10 + seed, 10 + seed, 10 + seed, 10 + seed])
        for seed in range(3)
    },
    **{Trial("short", seed): rows([60, 30, 20, 12 + seed]) for seed in range(3)},
    **{Trial("single", seed): rows([50, 40, 30, 20, 14, 9 + 2 * seed]) for seed in range(3)},
    **{Trial("restarts", seed): rows([50, 30 + seed, 60, 40, 20, 12 + seed, 50, 1]) for seed in range(3)},
}


def trained(made: Experiment, trial: Trial, directory: Path) -> list[Row]:
    """The rows of one trial, trained in a new directory."""
    opened = open_store(directory / f"{len([*directory.iterdir()])}", made)
    run_trial(opened, trial)
    found = opened.rows(trial)
    assert found
    return found


WALL_TIME = {"clock.jsonl", "cost.csv", "report.html"}


def files(directory: Path) -> dict[str, bytes]:
    """All that is written, but what tells the wall time."""
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name not in WALL_TIME]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}
