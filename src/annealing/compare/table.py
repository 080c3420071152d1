"""The table of a comparison, from its records: plain data, the same for people, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .entries import Arm
from .experiment import Experiment, Trial
from .serialize import csv_text, plain_value
from .statistics import (
    EASED,
    SIGNIFICANT,
    Array,
    ErrorCurve,
    Interval,
    corrected_columns,
    first_reached,
    median_interval,
    p_value,
    speed_up,
)
from .store import Row


@dataclass(frozen=True)
class Line:
    """The result of one schedule; errors in percent of the test images, differences in points, times in epochs.

    Where the task counts no images, errors and differences are in the unit of its metric. Differences are paired by
    seed; a `*_p_value` is that of a paired t-test, corrected for the number of comparisons in its column.

    kept_at: the end of its last completed cycle, or of its budget; `error` is that of the model there. verdict:
    "better" or "worse" than the baseline, or "no significant difference". less_baseline: the difference from the
    baseline. cosine, less_cosine: a cosine of the same length, and the difference from it. reached: the first model
    to keep that is at the baseline's level (infinity, in JSON null: never within `epochs`); speed_up: the
    baseline's budget over it (0: never). hindsight, hindsight_speed_up: the same where a schedule without cycles
    may stop at the first epoch whose mean with the four before it is at the level. eased, eased_speed_up: as
    reached and speed_up, for a level `EASED` points higher; None where no images are counted. anytime: of a
    schedule with restarts, the error of its latest model to keep, as a mean over log2 of the epochs from the end of
    its first cycle on; anytime_less_baseline: the difference from the same of the baseline. trained_as: the
    schedule whose training contains it. diverged: seeds. seeds: how many it is finished for; with fewer than the
    table, it is paired with others over these. bound: that of convex theory at the best peak, over the least of the
    schedules that are as long as the baseline; None for others.
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
    kind: str
    seeds: int
    verdict: str | None = None
    baseline_p_value: float | None = None
    cosine_p_value: float | None = None
    anytime_p_value: float | None = None
    bound: float | None = None


@dataclass(frozen=True)
class RunEnd:
    """A schedule with restarts at the end of one of its cycles, and others after as many epochs; units as in `Line`.

    error: that of the model there. less_baseline: the difference from the baseline at that epoch (None where it is not
    evaluated). step, cosine: the step decay, and the cosine, that was given just so many epochs, if there is one in
    another training; less_step, less_cosine: the difference from its last model. together: the error of the last
    `models` models at ends of cycles, with the mean of their softmax; less_single: the difference from the last alone.
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
    baseline_p_value: float | None = None
    step_p_value: float | None = None
    cosine_p_value: float | None = None
    single_p_value: float | None = None


@dataclass(frozen=True)
class Table:
    """Every schedule's line, and what they are held against.

    level: the baseline's, in percent. budget, hindsight: the epochs that the baseline takes, and those after which
    it may stop in hindsight. test_images: None where the task counts none. metric, better: what an "error" is, and
    whether it is better "low" or "high". tuned: what `tuning.json` says, if an argument was tuned. finished: the
    trials that the table rests on, of all `trials`. run_ends: of the schedules with restarts.
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
    metric: str = "error"
    better: str = "low"
    tuned: dict[str, Any] | None = None

    def line(self, key: str) -> Line:
        return next(line for line in self.lines if line.key == key)

    @property
    def ranked(self) -> list[Line]:
        """The lines, the best result first."""
        sign = 1 if self.better == "low" else -1
        return sorted(self.lines, key=lambda line: sign * line.error.middle)

    @property
    def unit(self) -> str:
        """What follows the number of an error."""
        return "" if self.test_images is None else " %"

    def verdict(self, difference: Interval | None, chance: float | None) -> str:
        """ "better" or "worse" where a difference is significant, else nothing."""
        if difference is None or chance is None or chance >= SIGNIFICANT or not difference.middle:
            return ""
        return "worse" if (difference.middle > 0) == (self.better == "low") else "better"

    def plain(self) -> dict[str, Any]:
        """The table as dictionaries, lists, text and numbers."""
        return dict(plain_value(self))

    def csv(self) -> str:
        """The lines as CSV: an interval takes three columns."""
        return csv_text(Line, self.lines)


def curves(experiment: Experiment, records: Mapping[Trial, Sequence[Row]]) -> dict[str, ErrorCurve]:
    """The curve of every schedule in images that are wrong; after divergence all of them are.

    Where no images are counted, an error after divergence is the worst of all records; a metric that is better high is
    negated, so that the less is the better here too.
    """
    sign, worst = _sign(experiment), float(experiment.test_images)
    if experiment.task.test_images is None:
        found = (sign * row.wrong for rows in records.values() for row in rows if not row.diverged)
        worst = max(found, default=sign * worst)
    return {arm.key: _curve(experiment, arm, records, worst) for arm in experiment.arms}


def scale(experiment: Experiment) -> float:
    """What turns the numbers of `curves` into those that are shown: percent where images are counted."""
    return _sign(experiment) if experiment.task.test_images is None else 100 / experiment.test_images


def _sign(experiment: Experiment) -> float:
    return 1.0 if experiment.task.better == "low" else -1.0


def shown(experiment: Experiment, wrong: float) -> float:
    """The error of a row as it is shown."""
    return scale(experiment) * _sign(experiment) * wrong


def tabulate(
    experiment: Experiment,
    records: Mapping[Trial, Sequence[Row]],
    models: Mapping[Trial, Mapping[str, Any]] | None = None,
    trials: int | None = None,
    fewer: Mapping[str, Experiment] | None = None,
) -> Table:
    """The table of an experiment from the rows of all its trials.

    models: what the results of trials say of their models (see `store`). trials: how many there will be, if this is a
    part of an experiment that is not finished. fewer: schedules that are finished for some of the seeds, each with the
    experiment of these seeds.
    """
    parts = [(experiment, [*experiment.arms]), *((part, [part.arm(key)]) for key, part in (fewer or {}).items())]
    found = [_results(part, arms, records, models or {}) for part, arms in parts]
    trailing = curves(experiment, records)[experiment.baseline].whole_epochs().trailing()
    final = trailing.errors[:, -1]
    covered = len({trial for part, _ in parts for trial in part.trials()})
    table = Table(
        baseline=experiment.baseline,
        level=scale(experiment) * float(np.median(final)),
        budget=float(experiment.arm(experiment.baseline).epochs),
        hindsight=first_reached(trailing, final).middle,
        seeds=len(experiment.seeds),
        test_images=experiment.task.test_images,
        finished=covered,
        trials=trials or covered,
        # corrected for all comparisons of the table together
        lines=corrected_columns([line for lines, _ in found for line in lines], "baseline", "cosine", "anytime"),
        run_ends=corrected_columns([end for _, ends in found for end in ends], "baseline", "step", "cosine", "single"),
        metric=experiment.task.metric,
        better=experiment.task.better,
    )
    return replace(table, lines=[_judged(table, line) for line in table.lines])


def _results(
    experiment: Experiment,
    arms: Sequence[Arm],
    records: Mapping[Trial, Sequence[Row]],
    models: Mapping[Trial, Mapping[str, Any]],
) -> tuple[list[Line], list[RunEnd]]:
    """Some schedules of an experiment, and the ends of their cycles; p values are not corrected yet."""
    unit = scale(experiment)
    drawn = curves(experiment, records)
    trailing = drawn[experiment.baseline].whole_epochs().trailing()
    final = trailing.errors[:, -1]
    # the baseline is at its own level at its end by definition, whatever its last epoch happened to be
    budget = ErrorCurve(drawn[experiment.baseline].times[-1:], trailing.errors[:, -1:])
    recommended = {arm.key: _recommended(experiment, arm, drawn[arm.key]) for arm in experiment.arms}
    # a level within the noise of the baseline is reached late by luck alone; an easier one shows that
    eased = None if experiment.task.test_images is None else final + EASED / unit
    latest = recommended if experiment.kept(experiment.arm(experiment.baseline)) else drawn

    def line(arm: Arm) -> Line:
        own = recommended[arm.key]
        committed = budget if arm.key == experiment.baseline else own
        stopped = own if experiment.kept(arm) else drawn[arm.key].whole_epochs().trailing()
        kept_at = float(own.times[-1])
        cosine = _control(experiment, recommended, "cosine", kept_at)
        cosine = None if arm.key == cosine or arm.kind == "cosine" else cosine
        anytime = _anytime(own, latest[experiment.baseline], arm, unit)

        def less(other: str | None) -> tuple[Interval | None, float | None]:
            there = None if other in (None, arm.key) else recommended[other or ""].errors[:, -1]
            return _difference(experiment, own.errors[:, -1], there)

        less_baseline, less_cosine = less(experiment.baseline), less(cosine)
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
            less_baseline=less_baseline[0],
            cosine=cosine,
            less_cosine=less_cosine[0],
            reached=first_reached(committed, final),
            speed_up=speed_up(budget, committed, final),
            hindsight=first_reached(stopped, final),
            hindsight_speed_up=speed_up(trailing, stopped, final),
            eased=None if eased is None else first_reached(committed, eased),
            eased_speed_up=None if eased is None else speed_up(budget, committed, eased),
            anytime=anytime[0],
            anytime_less_baseline=anytime[1],
            diverged=_diverged(experiment, arm, records),
            kind=arm.kind,
            seeds=len(experiment.seeds),
            baseline_p_value=less_baseline[1],
            cosine_p_value=less_cosine[1],
            anytime_p_value=anytime[2],
        )

    restarting = [arm for arm in arms if len(experiment.kept(arm)) > 1]
    ends = [end for arm in restarting for end in _run_ends(experiment, arm, drawn, recommended, models)]
    return list(map(line, arms)), ends


def _difference(experiment: Experiment, here: Array, there: Array | None) -> tuple[Interval | None, float | None]:
    """How far errors are from others, paired by seed, and the chance of that where nothing differs."""
    if there is None:
        return None, None
    less = scale(experiment) * (here - there)
    return median_interval(less), p_value(less, 0.0 if experiment.task.test_images is None else scale(experiment))


def _judged(table: Table, line: Line) -> Line:
    if line.baseline_p_value is None:
        return line
    said = table.verdict(line.less_baseline, line.baseline_p_value)
    return replace(line, verdict=said or "no significant difference")


def _anytime(
    own: ErrorCurve, baseline: ErrorCurve, arm: Arm, unit: float
) -> tuple[Interval | None, Interval | None, float | None]:
    """The anytime error of a schedule with several models to keep, the difference from the baseline, its p value."""
    if len(own.times) < 2:
        return None, None, None
    end = float(arm.epochs)
    mean = median_interval(unit * own.anytime(float(own.times[0]), end))
    begin, end = max(float(own.times[0]), float(baseline.times[0])), min(end, float(baseline.times[-1]))
    if own is baseline or begin >= end:
        return mean, None, None
    less = unit * (own.anytime(begin, end) - baseline.anytime(begin, end))
    return mean, median_interval(less), p_value(less)


def _run_ends(
    experiment: Experiment,
    arm: Arm,
    drawn: Mapping[str, ErrorCurve],
    recommended: Mapping[str, ErrorCurve],
    models: Mapping[Trial, Mapping[str, Any]],
) -> Iterator[RunEnd]:
    """What stands beside a schedule at the ends of its cycles."""
    unit, baseline, own = scale(experiment), drawn[experiment.baseline], recommended[arm.key]
    for column, (epoch, update) in enumerate(zip(own.times.tolist(), experiment.kept(arm), strict=True)):
        here = own.errors[:, column]
        then = baseline.at([epoch]).errors[:, 0] if epoch in baseline.times and arm.key != experiment.baseline else None
        controls = {kind: _control(experiment, recommended, kind, epoch) for kind in ("step decay", "cosine")}
        for kind, key in controls.items():
            if key and experiment.sources[key] == experiment.sources[arm.key]:
                controls[kind] = None  # the same training has no difference
        last = [None if key is None else recommended[key].errors[:, -1] for key in controls.values()]
        found = [_together(models.get(Trial(experiment.sources[arm.key], seed)), update) for seed in experiment.seeds]
        together = np.array([wrong for _, wrong in found], float) if all(count for count, _ in found) else None
        less = [_difference(experiment, here, there) for there in (then, *last)]
        single = (None, None) if together is None else _difference(experiment, together, here)
        yield RunEnd(
            key=arm.key,
            epoch=epoch,
            error=median_interval(unit * here),
            less_baseline=less[0][0],
            step=controls["step decay"],
            less_step=less[1][0],
            cosine=controls["cosine"],
            less_cosine=less[2][0],
            models=None if together is None else found[0][0],
            together=None if together is None else median_interval(unit * together),
            less_single=single[0],
            baseline_p_value=less[0][1],
            step_p_value=less[1][1],
            cosine_p_value=less[2][1],
            single_p_value=single[1],
        )


def _together(result: Mapping[str, Any] | None, update: int) -> tuple[int, float]:
    """How many models predict together after an update, and how many images they get wrong; 0 if none do."""
    for ensemble in (result or {}).get("ensembles", []):
        if ensemble["steps"][-1] == update:
            return len(ensemble["steps"]), ensemble["wrong"]
    return 0, 0


def _control(experiment: Experiment, recommended: Mapping[str, ErrorCurve], kind: str, epochs: float) -> str | None:
    """The schedule of a kind that is trained for so many epochs: the baseline if it is one, else the first listed."""
    found = [arm.key for arm in experiment.arms if arm.kind == kind and float(recommended[arm.key].times[-1]) == epochs]
    return experiment.baseline if experiment.baseline in found else next(iter(found), None)


def _curve(experiment: Experiment, arm: Arm, records: Mapping[Trial, Sequence[Row]], worst: float) -> ErrorCurve:
    source = experiment.sources[arm.key]
    marks = [mark for mark in experiment.marks(source) if mark <= experiment.updates(arm)]
    errors = []
    for seed in experiment.seeds:
        rows = records[Trial(source, seed)]
        wrong = {row.step: _sign(experiment) * row.wrong for row in rows if not row.diverged}
        errors.append([wrong.get(mark, worst) for mark in marks])
    return ErrorCurve(np.array(marks) / experiment.updates_per_epoch, np.array(errors, float))


def _recommended(experiment: Experiment, arm: Arm, curve: ErrorCurve) -> ErrorCurve:
    kept = experiment.kept(arm) or (experiment.updates(arm),)
    return curve.at(np.array(kept) / experiment.updates_per_epoch)


def _diverged(experiment: Experiment, arm: Arm, records: Mapping[Trial, Sequence[Row]]) -> list[int]:
    last = {seed: records[Trial(experiment.sources[arm.key], seed)][-1] for seed in experiment.seeds}
    return [seed for seed, row in last.items() if row.diverged and row.step <= experiment.updates(arm)]
