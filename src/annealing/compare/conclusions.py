"""Numbers as people read them, and the closing words: what the numbers carry and no more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .statistics import EASED, WINDOW, Interval
from .table import Line, Table

RATES = "Rates are as the experiment names them: none was tuned here, and others may give another order."
RANGE = 5  # up to so many seeds, the bootstrap interval of a median is the range of the seeds


def points(interval: Interval | None, signed: bool = False) -> str:
    """An error or a difference of errors, with its interval.

    >>> points(Interval(-0.5, -1.0, 0.25), signed=True)
    '-0.50 [-1.00, +0.25]'
    """
    sign = "+" if signed else ""
    return "" if interval is None else _with_ends(interval, lambda value: f"{value:{sign}.2f}")


def epochs(reached: Interval, most: float) -> str:
    """A number of epochs with its interval; one that was not reached is above `most`.

    >>> epochs(Interval(30.0, 14.0, math.inf), most=40)
    '30 [14, >40]'
    """
    return _with_ends(reached, lambda value: f">{most:.4g}" if math.isinf(value) else f"{value:.4g}")


def ratio(value: float, least: float) -> str:
    """A speed-up; that of a schedule which never reached the level is below `least`."""
    return f"{value:.2f}" if value else f"<{least:.2f}"


def _with_ends(interval: Interval, number: Callable[[float], str]) -> str:
    if interval.low is None or interval.high is None:
        return number(interval.middle)
    return f"{number(interval.middle)} [{number(interval.low)}, {number(interval.high)}]"


def error_title(table: Table) -> str:
    """What an error is."""
    return "Error" if table.test_images is None else f"Error, % of {table.test_images} test images"


def closing(table: Table) -> list[str]:
    """Paragraphs about a table."""
    parts = [_finished(table), _level(table), _diverged(table)]
    if table.seeds > 1:
        parts += [_errors(table), _long_step(table), _eased(table), _matched(table), _anytime(table)]
        parts += [*_run_ends(table), _together(table)]
    return [part for part in [*parts, _cut(table), _shortest(table), _seeds(table), _images(table), RATES] if part]


def _finished(table: Table) -> str:
    if table.finished == table.trials:
        return ""
    return (
        f"Not finished: these numbers rest on {table.finished} of {table.trials} trials, with the {table.seeds} seeds "
        "for which the baseline and every schedule shown here are finished."
    )


def _level(table: Table) -> str:
    title = table.line(table.baseline).title
    return (
        f"The level, {table.level:.2f}{table.unit}, is the median over the seeds of the mean error of {_quoted(title)} "
        f"in its last {WINDOW} epochs. Schedules with runs reach it at the end of a run, as the model there is the one "
        f"to keep; step decay (a) at the end of its epochs, or (b), in hindsight, at the first epoch whose mean error "
        f"with the {WINDOW - 1} before it is at the level."
    )


def _cut(table: Table) -> str:
    """What is trained after the last whole run is paid for, and gives no model to keep."""
    cut = [f"{_quoted(line.title)} at {line.kept_at:.4g} of {line.epochs:.4g}" for line in table.lines if _unused(line)]
    return (
        f"Trained past the end of their last whole run, which leaves no model to keep: {', '.join(cut)}." if cut else ""
    )


def _unused(line: Line) -> bool:
    return line.restarts and line.kept_at < line.epochs


def _errors(table: Table) -> str:
    compared = [(line, line.less_baseline) for line in table.lines if line.less_baseline]
    shown = [(_quoted(line.title), less, points(less, signed=True)) for line, less in compared]
    return f"Error less the baseline's: {_sorted(shown, 0, 'higher', 'lower')}." if shown else ""


def _long_step(table: Table) -> str:
    """The first part of the claim: against the long step schedule."""
    restarted = [line for line in table.lines if line.restarts]
    if not restarted:
        return ""
    committed = [
        (_quoted(line.title), line.speed_up, _times(line.speed_up, table.budget / line.epochs)) for line in restarted
    ]
    hindsight = [
        (_quoted(line.title), line.hindsight_speed_up, _times(line.hindsight_speed_up, table.hindsight / line.epochs))
        for line in restarted
    ]
    words = "fewer epochs", "more epochs"
    return (
        f"Restarts against the long step schedule: (a) against its {table.budget:.4g} epochs, "
        f"{_sorted(committed, 1, *words)}; (b) against the {table.hindsight:.4g} after which it could have been "
        f"stopped, {_sorted(hindsight, 1, *words)}."
    )


def _eased(table: Table) -> str:
    """The same for a level that is not as hard."""
    eased = [(line, line.eased_speed_up) for line in table.lines if line.restarts]
    ratios = [
        (_quoted(line.title), found, _times(found, table.budget / line.epochs))
        for line, found in eased
        if found is not None
    ]
    if not ratios:
        return ""
    return f"The same at a level {EASED} points higher: (a) {_sorted(ratios, 1, 'fewer epochs', 'more epochs')}."


def _times(speed_up: Interval, least: float) -> str:
    return f"ratio {_with_ends(speed_up, lambda value: ratio(value, least))}"


def _matched(table: Table) -> str:
    """The second part: against decay matched to the same number of epochs."""
    compared = [(line, line.less_cosine) for line in table.lines if line.restarts and line.less_cosine]
    shown = [(_quoted(line.title), less, points(less, signed=True)) for line, less in compared]
    sorted_out = _sorted(shown, 0, "higher error", "lower error")
    return f"Restarts against one cosine of the same length: {sorted_out}." if shown else ""


def _anytime(table: Table) -> str:
    """What a user has on average who may have to stop at any moment."""
    compared = [(line, line.anytime_less_baseline) for line in table.lines if line.anytime_less_baseline]
    shown = [(_quoted(line.title), less, points(less, signed=True)) for line, less in compared]
    if not shown:
        return ""
    return (
        "Stopped at any moment after its first run, a schedule with restarts has the model of its last run, the "
        "baseline its last; the error less the baseline's, as a mean over the logarithm of the epochs: "
        f"{_sorted(shown, 0, 'higher', 'lower')}."
    )


def _run_ends(table: Table) -> list[str]:
    """What a user has who stops at the end of a run, against what they would have had otherwise."""
    others = {
        "the baseline's at the same epoch": [end.less_baseline for end in table.run_ends],
        "that of a step schedule of just that length": [end.less_step for end in table.run_ends],
        "that of one cosine of just that length": [end.less_cosine for end in table.run_ends],
    }
    return [
        f"At ends of runs, the error less {other}: {_counted([less for less in found if less])}."
        for other, found in others.items()
        if any(found)
    ]


def _counted(intervals: Sequence[Interval]) -> str:
    """How many intervals lie above zero, how many below, and on how many there is no verdict."""
    beside = [interval.middle > 0 for interval in intervals if interval.beside(0)]
    counts = {"higher at": sum(beside), "lower at": len(beside) - sum(beside)}
    counts["no verdict on"] = len(intervals) - len(beside)
    return ", ".join(f"{name} {count} of {len(intervals)}" for name, count in counts.items() if count)


def _together(table: Table) -> str:
    """The ensembles, at the end of each schedule's last run."""
    last = {end.key: end for end in table.run_ends}
    shown = [
        (f"{end.models} of {_quoted(table.line(key).title)}", end.less_single, points(end.less_single, signed=True))
        for key, end in last.items()
        if end.less_single
    ]
    sorted_out = _sorted(shown, 0, "higher error", "lower error")
    return f"The last models together, against the last alone, with the same training: {sorted_out}." if shown else ""


def _sorted(rows: Sequence[tuple[str, Interval, str]], neutral: float, above: str, below: str) -> str:
    """Which intervals lie above a neutral value, which below, and which carry no verdict."""
    found: dict[str, list[str]] = {above: [], below: []}
    unsure = 0
    for name, interval, shown in rows:
        if interval.beside(neutral):
            found[above if interval.middle > neutral else below].append(f"{name} {shown}")
        else:
            unsure += 1
    sure = [f"{name}: {', '.join(lines)}" for name, lines in found.items() if lines]
    others = f"the other {unsure}" if sure else f"any of the {unsure}"
    return "; ".join([*sure, *([f"no verdict on {others}"] if unsure else [])])


def _shortest(table: Table) -> str:
    """The cheapest way to the level with and without restarts."""
    ways = []
    for restarts, name in ((True, "with restarts"), (False, "with a decay over a fixed number of epochs")):
        lines = [line for line in table.lines if line.restarts == restarts]
        if not lines:
            return ""
        first = min(lines, key=lambda line: line.reached.middle)
        reached = math.isfinite(first.reached.middle)
        ways.append(f"{name}, {f'{first.reached.middle:.4g} ({_quoted(first.title)})' if reached else 'none'}")
    return (
        f"Fewest epochs to the level, by the medians: {'; '.join(ways)}. Each is the best of several, picked after the "
        "fact, and other lengths were not trained: this pair is no test."
    )


def _diverged(table: Table) -> str:
    cases = [f"{_quoted(line.title)} with seed {seed}" for line in table.lines for seed in line.diverged]
    counted = "the worst error of all" if table.test_images is None else "an error of 100 %"
    return f"Diverged, and counted as {counted} from there on: {', '.join(cases)}." if cases else ""


def _seeds(table: Table) -> str:
    if table.seeds == 1:
        return "One seed gives no interval: no difference here can be told from chance."
    if table.seeds > RANGE:
        return ""
    compared = sum(line.less_baseline is not None for line in table.lines)
    if not compared:
        return ""
    return (
        f"With {table.seeds} seeds, the bootstrap interval of a median is the range of the seeds. A difference whose "
        f"interval leaves out zero has the same sign for all {table.seeds}, as chance alone brings about once in "
        f"{2 ** (table.seeds - 1)} comparisons; {compared} schedules are compared with the baseline here."
    )


def _images(table: Table) -> str:
    """What the number of test images allows."""
    if table.test_images is None:
        return ""
    share = table.level / 100
    deviation = 100 * math.sqrt(share * (1 - share) / table.test_images)
    said = (
        f"One test image is {100 / table.test_images:.2f} points, and the choice of {table.test_images} images alone "
        f"gives an error of {table.level:.2f} % a standard error of {deviation:.2f} points, which no number of seeds "
        "removes."
    )
    less = [less for line in table.lines if line.restarts for less in (line.less_baseline, line.less_cosine) if less]
    clear = [found for found in less if found.beside(0) and abs(found.middle) >= 2 * deviation]
    if not less:
        return said
    if not clear:
        return (
            f"{said} No difference of a schedule with restarts leaves out zero and is twice as large as that: it is no "
            "evidence for or against restarts on other images."
        )
    return (
        f"{said} Of {len(less)} differences of schedules with restarts, {len(clear)} leave out zero and are at least "
        "twice as large as that."
    )


def _quoted(title: str) -> str:
    return f"“{title}”"
