"""The curve of a schedule and its cycles as text for a terminal."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .exact import plain, positive
from .sampling import MOST_RUNS, Curve, Points, default_until, traced
from .schedule.base import Schedule

MOST_ROWS = 24
BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # the dots of a character
DIGITS = "123456789abcdefghijklmnopqrstuvwxyz"
COLOURS = ("cyan", "yellow", "magenta", "green", "red", "blue")
FIXED_WIDTH, FIXED_HEIGHT = 80, 15  # where no terminal says
LEAST_WIDTH, NARROW = 40, 64  # below the first lines wrap; below the second the table of cycles has fewer columns
HEADINGS = ("cycle", "start", "end", "length", "rate at start", "rate at end", "marks")
NARROW_HEADINGS = ("", "start", "end", None, "from", "to", "marks")


def record(schedule: Schedule, until: Any = None) -> dict[str, Any]:
    """What is shown of a schedule as plain numbers and text, for JSON; `until` as in `default_until`."""
    until = default_until([schedule]) if until is None else plain(positive(until, "until"))
    return {
        "notation": str(schedule),
        "fingerprint": schedule.fingerprint,
        "duration": schedule.duration,
        "until": until,
        # JSON knows no infinity.
        "runs": [run._asdict() | {"end": run.end if run.end < math.inf else None} for run in schedule.runs(until)],
        "restarts": schedule.restarts(until),
        "snapshots": schedule.snapshots(until),
    }


def show(schedules: Sequence[Schedule], until: Any = None, width: int | None = None) -> None:
    """Print the curves of schedules over each other, and for each the table of its cycles.

    until: the end of the time axis (default: `default_until`). width: in characters (default: the terminal's, and 80
    where the output is no terminal). Where the output cannot take braille, the curves are made of ASCII characters.
    """
    console = Console(highlight=False, markup=False)
    # Where the output is no terminal, rich takes COLUMNS if it is set, else a width that depends on where it runs.
    if width or not (console.is_terminal or "COLUMNS" in os.environ):
        console.width = width or FIXED_WIDTH
    console.width = max(console.width, LEAST_WIDTH)
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
            console.print(run_table(schedule, until, console.width))
        else:
            console.print(
                f"more than {MOST_RUNS:,} cycles before {_time(until)}: no table of them, and points for a curve"
            )
    if any(len(marks[0]) for curve in curves for marks in (curve.restarts, curve.snapshots)):
        console.print("restart: it starts again; snapshot: keep the model from the end of the cycle", style="dim")


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


def run_table(schedule: Schedule, until: int | float, width: int = FIXED_WIDTH) -> Table:
    """The cycles that start before `until`, one a row; the middle of a long table is left out."""
    headings = HEADINGS if width >= NARROW else NARROW_HEADINGS
    restarts, snapshots = set(schedule.restarts(until)), set(schedule.snapshots(until))
    rows = []
    for number, span in enumerate(schedule.runs(until), start=1):
        times = map(_time, (span.begin, span.end, span.end - span.begin))
        # A cycle without an end has no rate there; its `last` is the value at 2^53, which would only mislead.
        rates = (f"{span.first:.6g}", f"{span.last:.6g}" if span.end < math.inf else "")
        marks = ["restart"] * (span.begin in restarts) + ["snapshot"] * (span.end in snapshots)
        rows.append([str(number), *times, *rates, ", ".join(marks)])
    if len(rows) > MOST_ROWS:
        left_out = len(rows) - MOST_ROWS
        rows[MOST_ROWS // 2 : -MOST_ROWS // 2] = [["...", *[""] * 5, f"{left_out:,} cycles left out"]]
    table = Table(*(heading for heading in headings if heading is not None), box=None)
    for column in table.columns[:-1]:
        column.justify, column.no_wrap = "right", True
    for row in rows:
        table.add_row(*(cell for cell, heading in zip(row, headings, strict=True) if heading is not None))
    return table


def _time(time: int | float) -> str:
    if time == math.inf:
        return "no end"
    return str(time) if isinstance(time, int) else f"{time:.10g}"
