"""The table of a comparison, from its records: plain data, the same for people, JSON and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .arms import Arm
from .experiment import Experiment, Trial
from .records import Row
from .statistics import Curve, Interval, first_reached, median_interval, speed_up


@dataclass(frozen=True)
class Line:
    """What one arm did; errors in percent of the test images, differences in percentage points, times in epochs.

    kept_at: the end of its last whole run, or of its budget: that model's `error` is shown. less_baseline, less_cosine:
    that error less the baseline's, and less that of one `cosine` of the same length, paired by seed. reached: the
    first recommended model at the baseline's level (infinity, in JSON null: never within `epochs`); speed_up: the
    baseline's budget over it (0: never). hindsight, hindsight_speed_up: the same where step decay may stop at the
    first epoch whose mean with the four before it is at the level. trained_as: the arm whose training contains it.
    diverged: seeds.
    """

    key: str
    title: str
    schedule: str
    fingerprint: str
    paper: str | None
    trained_as: str
    restarts: bool
    epochs: float
    kept_at: float
    error: Interval
    less_baseline: Interval | None
    cosine: str | None
    less_cosine: Interval | None
    reached: Interval
    speed_up: Interval
    hindsight: Interval
    hindsight_speed_up: Interval
    diverged: list[int]


@dataclass(frozen=True)
class Table:
    """Every arm's line, and what they are held against.

    level: in percent. budget, hindsight: the epochs that the baseline takes, and those after which it may stop in
    hindsight.
    """

    baseline: str
    level: float
    budget: float
    hindsight: float
    seeds: int
    test_images: int
    lines: list[Line]

    def line(self, key: str) -> Line:
        return next(line for line in self.lines if line.key == key)

    def plain(self) -> dict[str, Any]:
        """The table as dictionaries, lists, text and numbers."""
        lines = [{name: _plain(value) for name, value in vars(line).items()} for line in self.lines]
        return {**asdict(self), "lines": lines}

    def csv(self) -> str:
        """The table as CSV: an interval takes three columns."""
        rows = []
        for line in self.lines:
            row: dict[str, Any] = {}
            for name, value in vars(line).items():
                if isinstance(value, Interval) or name.startswith("less_"):
                    row |= {f"{name}_{part}": _finite(getattr(value, part, None)) for part in Interval._fields}
                else:
                    row[name] = " ".join(map(str, value)) if isinstance(value, list) else value
            rows.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def curves(experiment: Experiment, records: Mapping[Trial, Sequence[Row]]) -> dict[str, Curve]:
    """The curve of every arm in images that are wrong; after divergence all of them are."""
    return {arm.key: _curve(experiment, arm, records) for arm in experiment.arms}


def tabulate(experiment: Experiment, records: Mapping[Trial, Sequence[Row]]) -> Table:
    """The table of an experiment from the rows of all its trials."""
    images = experiment.test_images
    drawn = curves(experiment, records)
    trailing = drawn[experiment.baseline].whole_epochs().trailing()
    final = trailing.errors[:, -1]
    budget = Curve(drawn[experiment.baseline].times[-1:], trailing.errors[:, -1:])
    recommended = {arm.key: _recommended(experiment, arm, drawn[arm.key]) for arm in experiment.arms}
    cosines = {float(recommended[arm.key].times[-1]): arm.key for arm in experiment.arms if _single(experiment, arm)}

    def less(arm: Arm, other: str) -> Interval | None:
        difference = recommended[arm.key].errors[:, -1] - recommended[other].errors[:, -1]
        return None if other == arm.key else median_interval(100 * difference / images)

    def line(arm: Arm) -> Line:
        own = recommended[arm.key]
        committed = budget if arm.key == experiment.baseline else own
        stopped = own if experiment.kept(arm) else drawn[arm.key].whole_epochs().trailing()
        kept_at = float(own.times[-1])
        cosine = cosines.get(kept_at)
        return Line(
            key=arm.key,
            title=arm.title,
            schedule=str(arm.schedule),
            fingerprint=arm.schedule.fingerprint,
            paper=arm.paper,
            trained_as=experiment.sources[arm.key],
            restarts=len(own.times) > 1,
            epochs=float(arm.epochs),
            kept_at=kept_at,
            error=median_interval(100 * own.errors[:, -1] / images),
            less_baseline=less(arm, experiment.baseline),
            cosine=None if cosine == arm.key else cosine,
            less_cosine=less(arm, cosine or arm.key),
            reached=first_reached(committed, final),
            speed_up=speed_up(budget, committed, final),
            hindsight=first_reached(stopped, final),
            hindsight_speed_up=speed_up(trailing, stopped, final),
            diverged=_diverged(experiment, arm, records),
        )

    return Table(
        baseline=experiment.baseline,
        level=100 * float(np.median(final)) / images,
        budget=float(budget.times[-1]),
        hindsight=first_reached(trailing, final).middle,
        seeds=len(experiment.seeds),
        test_images=images,
        lines=[line(arm) for arm in experiment.arms],
    )


def _curve(experiment: Experiment, arm: Arm, records: Mapping[Trial, Sequence[Row]]) -> Curve:
    source = experiment.sources[arm.key]
    marks = [mark for mark in experiment.marks(source) if mark <= experiment.updates(arm)]
    errors = []
    for seed in experiment.seeds:
        wrong = {row.step: row.wrong for row in records[Trial(source, seed)]}
        errors.append([wrong.get(mark, experiment.test_images) for mark in marks])
    return Curve(np.array(marks) / experiment.updates_per_epoch, np.array(errors, float))


def _recommended(experiment: Experiment, arm: Arm, curve: Curve) -> Curve:
    kept = experiment.kept(arm) or (experiment.updates(arm),)
    return curve.at(np.array(kept) / experiment.updates_per_epoch)


def _single(experiment: Experiment, arm: Arm) -> bool:
    """Whether it is one run that comes down to the end of its epochs."""
    return experiment.kept(arm) == (experiment.updates(arm),)


def _diverged(experiment: Experiment, arm: Arm, records: Mapping[Trial, Sequence[Row]]) -> list[int]:
    last = {seed: records[Trial(experiment.sources[arm.key], seed)][-1] for seed in experiment.seeds}
    return [seed for seed, row in last.items() if row.diverged and row.step <= experiment.updates(arm)]


def _plain(value: Any) -> Any:
    return {name: _finite(end) for name, end in value._asdict().items()} if isinstance(value, Interval) else value


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value
