"""Numbers as people read them, and the closing words: what the numbers carry and no more."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .statistics import WINDOW, Interval
from .table import Line, Table

RANGE = 5  # up to so many seeds, the bootstrap interval of a median is the range of the seeds


def points(interval: Interval | None, signed: bool = False) -> str:
    """An error or a difference of errors, with its interval.

    >>> points(Interval(-0.5, -1.0, 0.25), signed=True)
    '-0.50 [-1.00, +0.25]'
    """
    if interval is None:
        return ""
    sign = "+" if signed else ""
    ends = "" if interval.low is None else f" [{interval.low:{sign}.2f}, {interval.high:{sign}.2f}]"
    return f"{interval.middle:{sign}.2f}{ends}"


def times(interval: Interval, least: float) -> str:
    """A speed-up with its interval; one that was never reached is below `least`.

    >>> times(Interval(4.0, 0.0, 4.0), least=1)
    '4 [<1, 4]'
    """

    def number(value: float) -> str:
        return f"{value:.3g}" if value else f"<{least:.3g}"

    ends = (
        "" if interval.low is None or interval.high is None else f" [{number(interval.low)}, {number(interval.high)}]"
    )
    return number(interval.middle) + ends


def epochs(reached: float | None, most: float) -> str:
    """A number of epochs; one that was not reached is above `most`."""
    return f">{most:.4g}" if reached is None else f"{reached:.4g}"


def closing(table: Table) -> list[str]:
    """Paragraphs about a table."""
    parts = [_level(table), _long_step(table), _matched(table), _shortest(table), _diverged(table), *_caution(table)]
    return [part for part in parts if part]


def _level(table: Table) -> str:
    title = table.line(table.baseline).title
    return (
        f"The level is {table.level:.2f} %: the median over the seeds of {_quoted(title)}, each by its mean error in "
        f"the last {WINDOW} epochs. A schedule with runs reaches it at the end of a run, since that is the model it "
        f"recommends; step decay (a) at the end of its epochs, or (b), chosen in hindsight, at the first epoch whose "
        f"mean error over {WINDOW} epochs is at the level."
    )


def _long_step(table: Table) -> str:
    """The first part of the claim: against the long step schedule."""
    restarted = [line for line in table.lines if line.restarts]
    if not restarted or table.seeds < 2:
        return ""
    committed = [(line, line.speed_up, times(line.speed_up, table.budget / line.epochs)) for line in restarted]
    late = [(line, line.hindsight_speed_up) for line in restarted]
    hindsight = [(line, ratio, times(ratio, table.hindsight / line.epochs)) for line, ratio in late]
    words = "fewer epochs", "more epochs"
    return (
        f"Restarts against the long step schedule. (a) Against its {table.budget:.4g} epochs: "
        f"{_sorted(committed, 1, *words)}. (b) Against the {table.hindsight:.4g} epochs after which it could have "
        f"been stopped: {_sorted(hindsight, 1, *words)}."
    )


def _matched(table: Table) -> str:
    """The second part: against decay matched to the same number of epochs."""
    compared = [(line, line.less_cosine) for line in table.lines if line.restarts]
    matched = [(line, less, points(less, signed=True)) for line, less in compared if less is not None]
    if not matched or table.seeds < 2:
        return ""
    return f"Restarts against one cosine of the same length: {_sorted(matched, 0, 'higher error', 'lower error')}."


def _sorted(rows: Sequence[tuple[Line, Interval, str]], neutral: float, above: str, below: str) -> str:
    """Which intervals lie above a neutral value, which below, and which carry no verdict."""
    found: dict[str, list[str]] = {above: [], below: [], "no verdict": []}
    for line, interval, shown in rows:
        sure = interval.beside(neutral)
        name = "no verdict" if not sure else above if interval.middle > neutral else below
        found[name].append(f"{_quoted(line.title)} {shown}")
    return "; ".join(f"{name}: {', '.join(lines)}" for name, lines in found.items() if lines)


def _shortest(table: Table) -> str:
    """The cheapest way to the level with and without restarts."""
    ways = []
    for restarts, name in ((True, "with restarts"), (False, "without, for a length fixed in advance")):
        reached = [(line.reached, line.title) for line in table.lines if line.restarts == restarts and line.reached]
        if any(line.restarts == restarts for line in table.lines):
            first = min(reached, default=None)
            ways.append(f"{name}: {f'{first[0]:.4g} epochs ({first[1]})' if first else 'none'}")
    if len(ways) < 2:
        return ""
    return (
        f"The shortest way to the level, by medians, {'; '.join(ways)}. Both are the best of several, picked after the "
        "fact, and schedules of other lengths were not trained: this pair is no test."
    )


def _diverged(table: Table) -> str:
    cases = [f"{_quoted(line.title)} with seed {seed}" for line in table.lines for seed in line.diverged]
    return f"Diverged, and counted as an error of 100 % from there on: {', '.join(cases)}." if cases else ""


def _caution(table: Table) -> list[str]:
    share = table.level / 100
    deviation = 100 * math.sqrt(share * (1 - share) / table.test_images)
    images = (
        f"One test image is {100 / table.test_images:.2f} points, and the choice of {table.test_images} images alone "
        f"gives an error of {table.level:.2f} % a standard error of {deviation:.2f} points, which no number of seeds "
        "removes. The rates are the paper's and were tuned for no schedule. So this shows how a comparison is made; "
        "it is no evidence for or against restarts."
    )
    if table.seeds < 2:
        return ["One seed gives no interval: no difference here can be told from chance.", images]
    if table.seeds > RANGE:
        return [images]
    chance = 2**table.seeds // 2
    seeds = (
        f"With {table.seeds} seeds the bootstrap interval of a median is the range of the seeds. One that leaves out "
        f"zero says that all {table.seeds} agree on the sign, which chance brings about once in {chance} comparisons; "
        f"{sum(line.less_baseline is not None for line in table.lines)} schedules are compared here."
    )
    return [seeds, images]


def _quoted(title: str) -> str:
    return f"“{title}”"
