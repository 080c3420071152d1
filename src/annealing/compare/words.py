"""Numbers as people read them, and the closing words: what the numbers carry and no more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .statistics import WINDOW, Interval
from .table import Line, Table

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


def closing(table: Table) -> list[str]:
    """Paragraphs about a table."""
    parts = [_level(table), _diverged(table)]
    if table.seeds > 1:
        parts += [_errors(table), _long_step(table), _matched(table)]
    return [part for part in [*parts, _shortest(table), _seeds(table), _images(table)] if part]


def _level(table: Table) -> str:
    title = table.line(table.baseline).title
    return (
        f"The level, {table.level:.2f} %, is the median over the seeds of the mean error of {_quoted(title)} in its "
        f"last {WINDOW} epochs. Schedules with runs reach it at the end of a run, as the model there is the one to "
        f"keep; step decay (a) at the end of its epochs, or (b), in hindsight, at the first epoch whose mean error "
        f"with the {WINDOW - 1} before it is at the level."
    )


def _errors(table: Table) -> str:
    compared = [(line, line.less_baseline) for line in table.lines if line.less_baseline]
    shown = [(line, less, points(less, signed=True)) for line, less in compared]
    return f"Error less the baseline's: {_sorted(shown, 0, 'higher', 'lower')}." if shown else ""


def _long_step(table: Table) -> str:
    """The first part of the claim: against the long step schedule."""
    restarted = [line for line in table.lines if line.restarts]
    if not restarted:
        return ""
    committed = [(line, line.speed_up, _times(line.speed_up)) for line in restarted]
    hindsight = [(line, line.hindsight_speed_up, _times(line.hindsight_speed_up)) for line in restarted]
    words = "fewer epochs", "more epochs"
    return (
        f"Restarts against the long step schedule: (a) against its {table.budget:.4g} epochs, "
        f"{_sorted(committed, 1, *words)}; (b) against the {table.hindsight:.4g} after which it could have been "
        f"stopped, {_sorted(hindsight, 1, *words)}."
    )


def _times(speed_up: Interval) -> str:
    return f"ratio {_with_ends(speed_up, lambda value: f'{value:.2f}')}"


def _matched(table: Table) -> str:
    """The second part: against decay matched to the same number of epochs."""
    compared = [(line, line.less_cosine) for line in table.lines if line.restarts and line.less_cosine]
    shown = [(line, less, points(less, signed=True)) for line, less in compared]
    sorted_out = _sorted(shown, 0, "higher error", "lower error")
    return f"Restarts against one cosine of the same length: {sorted_out}." if shown else ""


def _sorted(rows: Sequence[tuple[Line, Interval, str]], neutral: float, above: str, below: str) -> str:
    """Which intervals lie above a neutral value, which below, and which carry no verdict."""
    found: dict[str, list[str]] = {above: [], below: []}
    unsure = 0
    for line, interval, shown in rows:
        if interval.beside(neutral):
            found[above if interval.middle > neutral else below].append(f"{_quoted(line.title)} {shown}")
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
    return f"Diverged, and counted as an error of 100 % from there on: {', '.join(cases)}." if cases else ""


def _seeds(table: Table) -> str:
    if table.seeds == 1:
        return "One seed gives no interval: no difference here can be told from chance."
    if table.seeds > RANGE:
        return ""
    compared = sum(line.less_baseline is not None for line in table.lines)
    return (
        f"With {table.seeds} seeds, the bootstrap interval of a median is the range of the seeds. A difference whose "
        f"interval leaves out zero has the same sign for all {table.seeds}, as chance alone brings about once in "
        f"{2 ** (table.seeds - 1)} comparisons; {compared} schedules are compared with the baseline here."
    )


def _images(table: Table) -> str:
    share = table.level / 100
    deviation = 100 * math.sqrt(share * (1 - share) / table.test_images)
    return (
        f"One test image is {100 / table.test_images:.2f} points, and the choice of {table.test_images} images alone "
        f"gives an error of {table.level:.2f} % a standard error of {deviation:.2f} points, which no number of seeds "
        "removes. The rates are the paper's, tuned for no schedule. This shows how such a comparison is made; it is no "
        "evidence for or against restarts."
    )


def _quoted(title: str) -> str:
    return f"“{title}”"
