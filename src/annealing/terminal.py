"""What is shown of a schedule (exact points of its curve), and the curve and its runs as text for a terminal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .errors import ScheduleError
from .schedule import Schedule
from .times import plain, positive

MOST_RUNS = 500  # more runs than this are shown as separate points
MOST_ROWS = 24
BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # the dots of a character
DIGITS = "123456789abcdefghijklmnopqrstuvwxyz"
COLOURS = ("cyan", "yellow", "magenta", "green", "red", "blue")
FIXED_WIDTH, FIXED_HEIGHT = 80, 15  # where no terminal says

Points = tuple[Any, Any]  # times and values


class Curve(NamedTuple):
    """The points of each run, of the restarts and of the snapshots; a line through those of a run never leaves it."""

    runs: list[Points]
    restarts: Points
    snapshots: Points
    joined: bool


def default_until(schedules: Sequence[Schedule]) -> int | float:
    """Until when schedules are shown if nobody says: the latest of their ends.

    The end of a schedule without one is that of its 4th run, and at least 5/4 of the begin of that run.

    >>> from annealing import cosine, warm_restarts
    >>> default_until([cosine(0.1, 0, 30)]), default_until([warm_restarts(1, T_0=10, T_mult=2)])
    (30, 150)
    """
    return max(map(_shown_end, schedules))


def _shown_end(schedule: Schedule) -> int | float:
    if schedule.duration is not None:
        return schedule.duration
    span = schedule.runs(math.ulp(0.0))[0]
    for _ in range(3):
        span = schedule.runs(math.nextafter(span.end, math.inf))[-1]
    return max(span.end, plain(Fraction(span.begin) * 5 / 4))


def _crowded(schedule: Schedule, until: int | float) -> bool:
    """Whether more than 500 runs begin before `until`; far more than those are never counted."""
    return any(len(schedule.runs(until / 2**i)) > MOST_RUNS for i in range(20, -1, -1))


def traced(schedule: Schedule, until: Any, points: int = 2000) -> Curve:
    """Exact points of a schedule: each run from its begin to the limit at its end, and the marks.

    until: above 0. points: about how many, over all runs; each run has at least two. With more than 500 runs until
    then, the runs are not told apart: `points` values at random times (always the same) stand for the curve, without
    marks. A ScheduleError names a schedule with values that are not finite.

    >>> from annealing import warm_restarts
    >>> curve = traced(warm_restarts(eta_max=0.05, T_0=10), until=20, points=0)
    >>> [values.tolist() for times, values in curve.runs]
    [[0.05, 0.0], [0.05, 0.0]]
    """
    until = plain(positive(until, "until"))
    with np.errstate(over="ignore", invalid="ignore"):
        curve = (_by_chance if _crowded(schedule, until) else _by_runs)(schedule, until, points)
    if not all(np.isfinite(values).all() for _, values in curve.runs):
        raise ScheduleError(f"only finite values can be drawn, but this schedule has others: {schedule}")
    return curve


def _by_chance(schedule: Schedule, until: int | float, points: int) -> Curve:
    times = np.sort(np.random.default_rng(0).uniform(0, until, points))
    return Curve([(times, schedule(times))], ((), ()), ((), ()), joined=False)


def _by_runs(schedule: Schedule, until: int | float, points: int) -> Curve:
    spans, runs = schedule.runs(until), []
    for span in spans:
        stop = min(span.end, until)
        times = np.linspace(span.begin, stop, 2 + int(points * (stop - span.begin) / until))
        values = schedule(times)
        if stop == span.end:
            values[-1] = span.last
        runs.append((times, values))
    if spans[-1].end < until:
        runs += _held(schedule, np.array([spans[-1].end, until], np.float64))
    first, last = {span.begin: span.first for span in spans}, {span.end: span.last for span in spans}
    restarts, snapshots = schedule.restarts(until), schedule.snapshots(until)
    return Curve(runs, (restarts, [first[t] for t in restarts]), (snapshots, [last[t] for t in snapshots]), joined=True)


def _held(schedule: Schedule, times: Any) -> list[Points]:
    """What comes after the end: the value held, or nothing where such times are refused."""
    try:
        return [(times, schedule(times))]
    except ScheduleError:
        return []


def record(schedule: Schedule, until: Any = None) -> dict[str, Any]:
    """What is shown of a schedule as plain numbers and text, for JSON; `until` as in `default_until`."""
    until = default_until([schedule]) if until is None else plain(positive(until, "until"))
    return {
        "notation": str(schedule),
        "fingerprint": schedule.fingerprint,
        "duration": schedule.duration,
        "until": until,
        "runs": [span._asdict() for span in schedule.runs(until)],
        "restarts": schedule.restarts(until),
        "snapshots": schedule.snapshots(until),
    }


def show(schedules: Sequence[Schedule], until: Any = None, width: int | None = None) -> None:
    """Print the curves of schedules over each other, and for each the table of its runs.

    until: the end of the time axis (default: `default_until`). width: in characters (default: the terminal's, and 80
    where the output is no terminal). Where the output cannot take braille, the curves are made of ASCII characters.
    """
    console = Console(highlight=False, markup=False)
    if width or not console.is_terminal:
        console.width = width or FIXED_WIDTH
    height = max(9, min(25, console.height // 2)) // 2 * 2 + 1 if console.is_terminal else FIXED_HEIGHT
    until = default_until(schedules) if until is None else plain(positive(until, "until"))
    curves = [traced(schedule, until, points=8 * console.width) for schedule in schedules]
    for line in chart(curves, until, console.width, height, braille=not console.options.ascii_only):
        console.print(line, soft_wrap=True)
    for number, (schedule, curve) in enumerate(zip(schedules, curves, strict=True)):
        console.print()
        key = f"{DIGITS[number % len(DIGITS)]}  " if len(schedules) > 1 else ""
        console.print(Text.assemble((key, COLOURS[number % len(COLOURS)]), (str(schedule), "bold")), soft_wrap=True)
        ends = "no end" if schedule.duration is None else f"ends at {_time(schedule.duration)}"
        console.print(f"{schedule.fingerprint}, {ends}", style="dim")
        if curve.joined:
            console.print(run_table(schedule, until))
        else:
            console.print(
                f"more than {MOST_RUNS:,} runs until {_time(until)}: no table of them, and points for a curve"
            )
    if any(len(marks[0]) for curve in curves for marks in (curve.restarts, curve.snapshots)):
        console.print("restart: it begins again there; snapshot: keep the model at its end", style="dim")


def chart(curves: Sequence[Curve], until: int | float, width: int, height: int, braille: bool = True) -> list[Text]:
    """Curves over each other as lines of text, with both axes; several curves carry their numbers."""
    values = [value for curve in curves for _, rates in curve.runs for value in (rates.min(), rates.max())]
    low, high = min(0.0, *values), max(0.0, *values)
    high = high if high > low else low + 1
    labels = {0: f"{high:.4g}", height // 2: f"{(high + low) / 2:.4g}", height - 1: f"{low:.4g}"}
    margin = max(map(len, labels.values()))
    columns = width - margin - 1
    across, down = (2, 4) if braille else (1, 1)
    dots, owner = np.zeros((height, columns), int), np.full((height, columns), -1)
    numbers = []
    for number, curve in enumerate(curves):
        for times, rates in curve.runs:
            x, y = times / until * (columns * across - 1), (high - rates) / (high - low) * (height * down - 1)
            x, y = _pixels(x, y, curve.joined)
            row, column = y // down, x // across
            np.bitwise_or.at(dots, (row, column), BRAILLE[y % down, x % across])
            owner[row, column] = number
            first = np.unique(column, return_index=True)[1]
            numbers += [(number, row[i], column[i]) for i in first if column[i] % 12 == 12 * number // len(curves)]
    symbols = np.where(owner < 0, " ", [[chr(0x2800 + cell) for cell in line] for line in dots])
    if not braille:
        symbols = np.array([*DIGITS, " "] if len(curves) > 1 else ["*", " "])[
            np.where(owner < 0, -1, owner % len(DIGITS))
        ]
    elif len(curves) > 1:
        for number, row, column in numbers:
            symbols[row, column], owner[row, column] = DIGITS[number % len(DIGITS)], number
    lines = []
    for row in range(height):
        axis = ("│┤" if braille else "|+")[row in labels]
        line = Text(f"{labels.get(row, ''):>{margin}}{axis}")
        for number, cells in itertools.groupby(range(columns), key=owner[row].__getitem__):
            line.append("".join(symbols[row, list(cells)]), COLOURS[number % len(COLOURS)] if number >= 0 else "")
        lines.append(line)
    middle, end = _time(until / 2), _time(until)
    times = f"{'0':<{(columns - len(middle)) // 2}}{middle}"
    lines.append(Text(" " * margin + ("└" + "─" * columns if braille else "+" + "-" * columns)))
    lines.append(Text(" " * (margin + 1) + f"{times:<{columns - len(end)}}{end}"))
    return lines


def _pixels(x: Any, y: Any, joined: bool) -> Points:
    """The pixels at points, and between them where they are joined."""
    if joined:
        along = np.insert(np.cumsum(np.ceil(np.maximum(abs(np.diff(x)), abs(np.diff(y))))), 0, 0)
        every = np.arange(along[-1] + 1)
        x, y = np.interp(every, along, x), np.interp(every, along, y)
    return np.rint(x).astype(int), np.rint(y).astype(int)


def run_table(schedule: Schedule, until: int | float) -> Table:
    """The runs that begin before `until`, one a row; the middle of a long table is left out."""
    restarts, snapshots = set(schedule.restarts(until)), set(schedule.snapshots(until))
    rows = []
    for number, span in enumerate(schedule.runs(until), start=1):
        times = map(_time, (span.begin, span.end, span.end - span.begin))
        rates = (f"{rate:.6g}" for rate in (span.first, span.last))
        marks = ["restart"] * (span.begin in restarts) + ["snapshot"] * (span.end in snapshots)
        rows.append([str(number), *times, *rates, ", ".join(marks)])
    if len(rows) > MOST_ROWS:
        left_out = len(rows) - MOST_ROWS
        rows[MOST_ROWS // 2 : -MOST_ROWS // 2] = [["...", *[""] * 5, f"{left_out} runs left out"]]
    table = Table("run", "begin", "end", "length", "rate at begin", "rate at end", "marks", box=None)
    for column in table.columns[:-1]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    return table


def _time(time: int | float) -> str:
    return str(time) if isinstance(time, int) else f"{time:.10g}"
