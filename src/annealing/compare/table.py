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
    corrected,
    first_reached,
    median_interval,
    p_value,
    speed_up,
)
from .store import Row


@dataclass(frozen=True, kw_only=True)
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
    paper: str | None = None
    trained_as: str
    restarts: bool
    epochs: float
    kept_at: float
    error: Interval
    less_baseline: Interval | None = None
    cosine: str | None = None
    less_cosine: Interval | None = None
    reached: Interval
    speed_up: Interval
    hindsight: Interval
    hindsight_speed_up: Interval
    eased: Interval | None = None
    eased_speed_up: Interval | None = None
    anytime: Interval | None = None
    anytime_less_baseline: Interval | None = None
    diverged: list[int]
    kind: str
    seeds: int
    verdict: str | None = None
    baseline_p_value: float | None = None
    cosine_p_value: float | None = None
    anytime_p_value: float | None = None
    bound: float | None = None


@dataclass(frozen=True, kw_only=True)
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
    less_baseline: Interval | None = None
    step: str | None = None
    less_step: Interval | None = None
    cosine: str | None = None
    less_cosine: Interval | None = None
    models: int | None = None
    together: Interval | None = None
    less_single: Interval | None = None
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
    def name(self) -> str:
        """What an "error" is called in prose."""
        return self.metric.replace("_", " ")

    @property
    def sign(self) -> int:
        """What makes the less the better of every metric."""
        return 1 if self.better == "low" else -1

    @property
    def ranked(self) -> list[Line]:
        """The lines, the best result first."""
        return sorted(self.lines, key=lambda line: self.sign * line.error.middle)

    @property
    def unit(self) -> str:
        """What follows the number of an error."""
        return "" if self.test_images is None else " %"

    def verdict(self, difference: Interval | None, chance: float | None) -> str:
        """ "better" or "worse" where a difference is significant, else nothing."""
        if difference is None or chance is None or chance >= SIGNIFICANT or not difference.middle:
            return ""
        return "worse" if self.sign * difference.middle > 0 else "better"

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
    drawn = {}
    for arm in experiment.arms:
        source = experiment.sources[arm.key]
        marks = [mark for mark in experiment.marks(source) if mark <= experiment.updates(arm)]
        errors = []
        for rows in (records[Trial(source, seed)] for seed in finished_seeds(experiment, arm, records)):
            wrong = {row.step: sign * row.wrong for row in rows if not row.diverged}
            errors.append([wrong.get(mark, worst) for mark in marks])
        drawn[arm.key] = ErrorCurve(np.array(marks) / experiment.updates_per_epoch, np.array(errors, float))
    return drawn


def finished_seeds(experiment: Experiment, arm: Arm, records: Mapping[Trial, Sequence[Row]]) -> tuple[int, ...]:
    """The seeds for which a schedule is finished."""
    return tuple(seed for seed in experiment.seeds if Trial(experiment.sources[arm.key], seed) in records)


def recommended(experiment: Experiment, arm: Arm, curve: ErrorCurve) -> ErrorCurve:
    """The curve of a schedule at the models to keep: those at the ends of its cycles, else the last."""
    kept = experiment.kept(arm) or (experiment.updates(arm),)
    return curve.at(np.array(kept) / experiment.updates_per_epoch)


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
) -> Table:
    """The table of an experiment from the rows of its trials; a schedule may lack some of the baseline's seeds.

    models: what the results of trials say of their models (see `store`). trials: how many there will be, if this is a
    part of an experiment that is not finished.
    """
    own = {arm.key: finished_seeds(experiment, arm, records) for arm in experiment.arms}
    parts = {}
    for seeds in {*own.values()}:
        # with the others that are finished for these seeds, so that each difference is paired
        arms = tuple(arm for arm in experiment.arms if {*seeds} <= {*own[arm.key]})
        parts[seeds] = _Results(replace(experiment, schedules=arms, seeds=seeds), records, models or {})
    whole = parts[experiment.seeds]
    covered = {trial for part in parts.values() for trial in part.experiment.trials()}
    ordered = sorted(experiment.arms, key=lambda arm: own[arm.key] != experiment.seeds)
    lines = [parts[own[arm.key]].line(arm) for arm in ordered]
    run_ends = [end for arm in ordered for end in parts[own[arm.key]].run_ends(arm)]
    table = Table(
        baseline=experiment.baseline,
        level=whole.unit * float(np.median(whole.final)),
        budget=float(experiment.arm(experiment.baseline).epochs),
        hindsight=first_reached(whole.trailing, whole.final).middle,
        seeds=len(experiment.seeds),
        test_images=experiment.task.test_images,
        finished=len(covered),
        trials=trials or len(covered),
        # corrected for all comparisons of the table together
        lines=_corrected(lines, "baseline", "cosine", "anytime"),
        run_ends=_corrected(run_ends, "baseline", "step", "cosine", "single"),
        metric=experiment.task.metric,
        better=experiment.task.better,
    )
    return replace(table, lines=[_judged(table, line) for line in table.lines])


def _judged(table: Table, line: Line) -> Line:
    if line.baseline_p_value is None:
        return line
    said = table.verdict(line.less_baseline, line.baseline_p_value)
    return replace(line, verdict=said or "no significant difference")


def _corrected(rows: list[Any], *names: str) -> list[Any]:
    """Rows whose p values, in the field NAME_p_value, are corrected for how many there are in each such column."""
    for name in (f"{name}_p_value" for name in names):
        values = corrected([getattr(row, name) for row in rows])
        rows = [replace(row, **{name: value}) for row, value in zip(rows, values, strict=True)]
    return rows


class _Results:
    """The results of an experiment, or of the part that is finished for some seeds; p values are not corrected yet."""

    def __init__(
        self,
        experiment: Experiment,
        records: Mapping[Trial, Sequence[Row]],
        models: Mapping[Trial, Mapping[str, Any]],
    ) -> None:
        self.experiment, self.records, self.models = experiment, records, models
        self.unit = scale(experiment)
        self.drawn = curves(experiment, records)
        self.kept = {arm.key: recommended(experiment, arm, self.drawn[arm.key]) for arm in experiment.arms}
        self.trailing = self.drawn[experiment.baseline].whole_epochs().trailing()
        self.final = self.trailing.errors[:, -1]

    def line(self, arm: Arm) -> Line:
        """The result of one schedule."""
        experiment, own = self.experiment, self.kept[arm.key]
        # the baseline is at its own level at its end by definition, whatever its last epoch happened to be
        budget = ErrorCurve(self.drawn[experiment.baseline].times[-1:], self.trailing.errors[:, -1:])
        committed = budget if arm.key == experiment.baseline else own
        stopped = own if experiment.kept(arm) else self.drawn[arm.key].whole_epochs().trailing()
        # a level within the noise of the baseline is reached late by luck alone; an easier one shows that
        eased = None if experiment.task.test_images is None else self.final + EASED / self.unit
        kept_at = float(own.times[-1])
        cosine = None if arm.kind == "cosine" else self._control(arm, "cosine", kept_at)
        baseline = None if arm.key == experiment.baseline else experiment.baseline
        last = {seed: self.records[Trial(experiment.sources[arm.key], seed)][-1] for seed in experiment.seeds}
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
            error=median_interval(self.unit * own.errors[:, -1]),
            cosine=cosine,
            reached=first_reached(committed, self.final),
            speed_up=speed_up(budget, committed, self.final),
            hindsight=first_reached(stopped, self.final),
            hindsight_speed_up=speed_up(self.trailing, stopped, self.final),
            eased=None if eased is None else first_reached(committed, eased),
            eased_speed_up=None if eased is None else speed_up(budget, committed, eased),
            diverged=[seed for seed, row in last.items() if row.diverged and row.step <= experiment.updates(arm)],
            kind=arm.kind,
            seeds=len(experiment.seeds),
            **self._less("baseline", own.errors[:, -1], self._last(baseline)),
            **self._less("cosine", own.errors[:, -1], self._last(cosine)),
            **self._anytime(arm),
        )

    def run_ends(self, arm: Arm) -> Iterator[RunEnd]:
        """What stands beside a schedule at the ends of its cycles; nothing for one without restarts."""
        experiment, own, baseline = self.experiment, self.kept[arm.key], self.drawn[self.experiment.baseline]
        updates = experiment.kept(arm) if len(own.times) > 1 else ()
        for column, (epoch, update) in enumerate(zip(own.times.tolist(), updates, strict=False)):
            here = own.errors[:, column]
            evaluated = epoch in baseline.times and arm.key != experiment.baseline
            then = baseline.at([epoch]).errors[:, 0] if evaluated else None
            step, cosine = self._control(arm, "step decay", epoch), self._control(arm, "cosine", epoch)
            models, together = self._together(arm, update)
            yield RunEnd(
                key=arm.key,
                epoch=epoch,
                error=median_interval(self.unit * here),
                step=step,
                cosine=cosine,
                models=models,
                together=None if together is None else median_interval(self.unit * together),
                **self._less("baseline", here, then),
                **self._less("step", here, self._last(step)),
                **self._less("cosine", here, self._last(cosine)),
                **self._less("single", together, here),
            )

    def _less(self, name: str, here: Array | None, there: Array | None) -> dict[str, Any]:
        """How far errors are from others, paired by seed, and the chance of that where nothing differs."""
        if here is None or there is None:
            return {}
        less = self.unit * (here - there)
        grid = 0.0 if self.experiment.task.test_images is None else self.unit
        return {f"less_{name}": median_interval(less), f"{name}_p_value": p_value(less, grid)}

    def _last(self, key: str | None) -> Array | None:
        """The errors of the last model to keep of a schedule, if it is one."""
        return None if key is None else self.kept[key].errors[:, -1]

    def _control(self, arm: Arm, kind: str, epochs: float) -> str | None:
        """The schedule of a kind that is trained for so many epochs: the baseline if it is one, else the first."""
        experiment = self.experiment
        found = [
            one.key for one in experiment.arms if one.kind == kind and float(self.kept[one.key].times[-1]) == epochs
        ]
        key = experiment.baseline if experiment.baseline in found else next(iter(found), None)
        # the same training has no difference
        return None if key and experiment.sources[key] == experiment.sources[arm.key] else key

    def _together(self, arm: Arm, update: int) -> tuple[int | None, Array | None]:
        """The size of the ensemble at an update, and its error for each seed; None if a seed has no ensemble there."""
        experiment, found = self.experiment, []
        for seed in experiment.seeds:
            result = self.models.get(Trial(experiment.sources[arm.key], seed), {})
            found += [one for one in result.get("ensembles", []) if one["steps"][-1] == update][:1]
        if len(found) < len(experiment.seeds):
            return None, None
        return len(found[0]["steps"]), np.array([one["wrong"] for one in found], float)

    def _anytime(self, arm: Arm) -> dict[str, Any]:
        """The anytime error of a schedule with several models to keep, and the difference from the baseline."""
        key, own, end = self.experiment.baseline, self.kept[arm.key], float(arm.epochs)
        if len(own.times) < 2:
            return {}
        baseline = (self.kept if self.experiment.kept(self.experiment.arm(key)) else self.drawn)[key]
        mean = median_interval(self.unit * own.anytime(float(own.times[0]), end))
        begin, end = max(float(own.times[0]), float(baseline.times[0])), min(end, float(baseline.times[-1]))
        if own is baseline or begin >= end:
            return {"anytime": mean}
        less = self.unit * (own.anytime(begin, end) - baseline.anytime(begin, end))
        return {"anytime": mean, "anytime_less_baseline": median_interval(less), "anytime_p_value": p_value(less)}
