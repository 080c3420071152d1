"""The table of a comparison, from its records: plain data, the same for people, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .entries import Arm
from .experiment import Experiment, Trial
from .records import Row
from .serialize import csv_text, plain_value
from .statistics import EASED, Array, ErrorCurve, Interval, first_reached, median_interval, speed_up


@dataclass(frozen=True)
class Line:
    """What one arm did; errors in percent of the test images, differences in percentage points, times in epochs.

    Where the task counts no images, errors and differences are in its own unit.

    kept_at: the end of its last whole run, or of its budget: that model's `error` is shown. less_baseline, less_cosine:
    that error less the baseline's, and less that of one `cosine` of the same length, paired by seed. reached: the
    first recommended model at the baseline's level (infinity, in JSON null: never within `epochs`); speed_up: the
    baseline's budget over it (0: never). hindsight, hindsight_speed_up: the same where step decay may stop at the
    first epoch whose mean with the four before it is at the level. eased, eased_speed_up: as reached and speed_up, for
    a level `EASED` points higher; None where no images are counted. anytime: of a schedule with restarts, the error of
    its latest recommended model, as a mean over log2 of the epochs from the end of its first run on;
    anytime_less_baseline: less the same of the baseline, whose latest model is its last one. trained_as: the arm whose
    training contains it. diverged: seeds.
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
    eased: Interval | None
    eased_speed_up: Interval | None
    anytime: Interval | None
    anytime_less_baseline: Interval | None
    diverged: list[int]


@dataclass(frozen=True)
class RunEnd:
    """A schedule with restarts at the end of one of its runs, and others after as many epochs; units as in `Line`.

    error: that of the model there. less_baseline: less the baseline's at that epoch (None where it is not evaluated).
    step, cosine: the step schedule, and the single run, that was given just so many epochs, if one was, and is not
    found in the same training; less_step, less_cosine: less the error of its last model. together: the error of the
    last `models` models at ends of runs, with the mean of their softmax; less_single: that less `error`. All
    differences are paired by seed.
    """

    key: str
    epoch: float
    error: Interval
    less_baseline: Interval | None
    step: str | None
    less_step: Interval | None
    cosine: str | None
    less_cosine: Interval | None
    models: int | None
    together: Interval | None
    less_single: Interval | None


@dataclass(frozen=True)
class Table:
    """Every arm's line, and what they are held against.

    level: in percent. budget, hindsight: the epochs that the baseline takes, and those after which it may stop in
    hindsight. test_images: None where the task counts none. finished: the trials that it rests on, of all `trials`.
    run_ends: of the schedules with restarts.
    """

    baseline: str
    level: float
    budget: float
    hindsight: float
    seeds: int
    test_images: int | None
    finished: int
    trials: int
    lines: list[Line]
    run_ends: list[RunEnd]

    def line(self, key: str) -> Line:
        return next(line for line in self.lines if line.key == key)

    @property
    def unit(self) -> str:
        """What follows the number of an error."""
        return "" if self.test_images is None else " %"

    def plain(self) -> dict[str, Any]:
        """The table as dictionaries, lists, text and numbers."""
        return {name: plain_value(value) for name, value in vars(self).items()}

    def csv(self) -> str:
        """The lines as CSV: an interval takes three columns."""
        return csv_text(Line, self.lines)


def curves(experiment: Experiment, records: Mapping[Trial, Sequence[Row]]) -> dict[str, ErrorCurve]:
    """The curve of every arm in images that are wrong; after divergence all of them are.

    Where no images are counted, an error after divergence is the worst of all records.
    """
    worst = float(experiment.test_images)
    if experiment.task.test_images is None:
        worst = max((row.wrong for rows in records.values() for row in rows if not row.diverged), default=worst)
    return {arm.key: _curve(experiment, arm, records, worst) for arm in experiment.arms}


def scale(experiment: Experiment) -> float:
    """What turns counted images into percent; 1 where none are counted."""
    return 1.0 if experiment.task.test_images is None else 100 / experiment.test_images


def tabulate(
    experiment: Experiment,
    records: Mapping[Trial, Sequence[Row]],
    models: Mapping[Trial, Mapping[str, Any]] | None = None,
    trials: int | None = None,
) -> Table:
    """The table of an experiment from the rows of all its trials.

    models: what the results of trials say of their models (see `store`). trials: how many there will be, if this is a
    part of an experiment that is not finished.
    """
    unit = scale(experiment)
    drawn = curves(experiment, records)
    trailing = drawn[experiment.baseline].whole_epochs().trailing()
    final = trailing.errors[:, -1]
    budget = ErrorCurve(drawn[experiment.baseline].times[-1:], trailing.errors[:, -1:])
    recommended = {arm.key: _recommended(experiment, arm, drawn[arm.key]) for arm in experiment.arms}
    cosines = _cosines(experiment, recommended)
    eased = None if experiment.task.test_images is None else final + EASED / unit
    latest = recommended if experiment.kept(experiment.arm(experiment.baseline)) else drawn

    def less(arm: Arm, other: str) -> Interval | None:
        difference = recommended[arm.key].errors[:, -1] - recommended[other].errors[:, -1]
        return None if other == arm.key else median_interval(unit * difference)

    def line(arm: Arm) -> Line:
        own = recommended[arm.key]
        committed = budget if arm.key == experiment.baseline else own
        stopped = own if experiment.kept(arm) else drawn[arm.key].whole_epochs().trailing()
        kept_at = float(own.times[-1])
        cosine = cosines.get(kept_at)
        anytime = _anytime(own, latest[experiment.baseline], arm, unit)
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
            error=median_interval(unit * own.errors[:, -1]),
            less_baseline=less(arm, experiment.baseline),
            cosine=None if cosine == arm.key else cosine,
            less_cosine=less(arm, cosine or arm.key),
            reached=first_reached(committed, final),
            speed_up=speed_up(budget, committed, final),
            hindsight=first_reached(stopped, final),
            hindsight_speed_up=speed_up(trailing, stopped, final),
            eased=None if eased is None else first_reached(committed, eased),
            eased_speed_up=None if eased is None else speed_up(budget, committed, eased),
            anytime=anytime[0],
            anytime_less_baseline=anytime[1],
            diverged=_diverged(experiment, arm, records),
        )

    return Table(
        baseline=experiment.baseline,
        level=unit * float(np.median(final)),
        budget=float(budget.times[-1]),
        hindsight=first_reached(trailing, final).middle,
        seeds=len(experiment.seeds),
        test_images=experiment.task.test_images,
        finished=len(experiment.trials()),
        trials=len(experiment.trials()) if trials is None else trials,
        lines=[line(arm) for arm in experiment.arms],
        run_ends=[
            end
            for arm in experiment.arms
            if len(experiment.kept(arm)) > 1
            for end in _run_ends(experiment, arm, drawn, recommended, models or {})
        ],
    )


def _anytime(own: ErrorCurve, baseline: ErrorCurve, arm: Arm, unit: float) -> tuple[Interval | None, Interval | None]:
    """The anytime error of a schedule with several recommended models, and that less the baseline's."""
    if len(own.times) < 2:
        return None, None
    end = float(arm.epochs)
    mean = median_interval(unit * own.anytime(float(own.times[0]), end))
    begin, end = max(float(own.times[0]), float(baseline.times[0])), min(end, float(baseline.times[-1]))
    if own is baseline or begin >= end:
        return mean, None
    return mean, median_interval(unit * (own.anytime(begin, end) - baseline.anytime(begin, end)))


def _run_ends(
    experiment: Experiment,
    arm: Arm,
    drawn: Mapping[str, ErrorCurve],
    recommended: Mapping[str, ErrorCurve],
    models: Mapping[Trial, Mapping[str, Any]],
) -> Iterator[RunEnd]:
    """What stands beside an arm at the ends of its runs."""
    unit, baseline = scale(experiment), drawn[experiment.baseline]
    first = sorted(experiment.arms, key=lambda other: other.key != experiment.baseline)
    steps = {float(recommended[other.key].times[-1]): other.key for other in first[::-1] if not experiment.kept(other)}
    cosines = _cosines(experiment, recommended)
    own = recommended[arm.key]
    for column, (epoch, update) in enumerate(zip(own.times.tolist(), experiment.kept(arm), strict=True)):
        here = own.errors[:, column]

        def less(there: Array | None, here: Array = here) -> Interval | None:
            return None if there is None else median_interval(unit * (here - there))

        def last(key: str | None) -> Array | None:
            return None if key is None else recommended[key].errors[:, -1]

        step, cosine = steps.get(epoch), cosines.get(epoch)
        if cosine and experiment.sources[cosine] == experiment.sources[arm.key]:
            cosine = None
        found = [_together(models.get(Trial(experiment.sources[arm.key], seed)), update) for seed in experiment.seeds]
        together = np.array([wrong for _, wrong in found], float) if all(count for count, _ in found) else None
        yield RunEnd(
            key=arm.key,
            epoch=epoch,
            error=median_interval(unit * here),
            less_baseline=less(baseline.at([epoch]).errors[:, 0] if epoch in baseline.times else None),
            step=step,
            less_step=less(last(step)),
            cosine=cosine,
            less_cosine=less(last(cosine)),
            models=None if together is None else found[0][0],
            together=None if together is None else median_interval(unit * together),
            less_single=None if together is None else median_interval(unit * (together - here)),
        )


def _together(result: Mapping[str, Any] | None, update: int) -> tuple[int, float]:
    """How many models predict together after an update, and how many images they get wrong; 0 if none do."""
    for ensemble in (result or {}).get("ensembles", []):
        if ensemble["steps"][-1] == update:
            return len(ensemble["steps"]), ensemble["wrong"]
    return 0, 0


def _cosines(experiment: Experiment, recommended: Mapping[str, ErrorCurve]) -> dict[float, str]:
    """The arms of one run, by how long it is."""
    return {float(recommended[arm.key].times[-1]): arm.key for arm in experiment.arms if _single(experiment, arm)}


def _curve(experiment: Experiment, arm: Arm, records: Mapping[Trial, Sequence[Row]], worst: float) -> ErrorCurve:
    source = experiment.sources[arm.key]
    marks = [mark for mark in experiment.marks(source) if mark <= experiment.updates(arm)]
    errors = []
    for seed in experiment.seeds:
        wrong = {row.step: row.wrong for row in records[Trial(source, seed)] if not row.diverged}
        errors.append([wrong.get(mark, worst) for mark in marks])
    return ErrorCurve(np.array(marks) / experiment.updates_per_epoch, np.array(errors, float))


def _recommended(experiment: Experiment, arm: Arm, curve: ErrorCurve) -> ErrorCurve:
    kept = experiment.kept(arm) or (experiment.updates(arm),)
    return curve.at(np.array(kept) / experiment.updates_per_epoch)


def _single(experiment: Experiment, arm: Arm) -> bool:
    """Whether it is one run that comes down to the end of its epochs."""
    return experiment.kept(arm) == (experiment.updates(arm),)


def _diverged(experiment: Experiment, arm: Arm, records: Mapping[Trial, Sequence[Row]]) -> list[int]:
    last = {seed: records[Trial(experiment.sources[arm.key], seed)][-1] for seed in experiment.seeds}
    return [seed for seed, row in last.items() if row.diverged and row.step <= experiment.updates(arm)]
