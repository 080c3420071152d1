"""Results as plain data, for JSON, as CSV, and numbers as people read them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from .statistics import Interval


def plain_value(value: Any) -> Any:
    """A result as dictionaries, lists, text and numbers; infinity is None, as JSON has no such number."""
    if isinstance(value, Interval):
        return {name: plain_value(end) for name, end in value._asdict().items()}
    if is_dataclass(value):
        return {name: plain_value(part) for name, part in vars(value).items()}
    if isinstance(value, list):
        return [plain_value(part) for part in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def csv_text(kind: Any, rows: Sequence[Any]) -> str:
    """Results of one kind as CSV: a field that holds an interval takes three columns, an empty field is None."""
    columns = {field.name: Interval._fields if "Interval" in str(field.type) else () for field in fields(kind)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"{name}_{end}" if end else name for name, ends in columns.items() for end in ends or [""]])
    for row in rows:
        cells: list[Any] = []
        for name, ends in columns.items():
            value = plain_value(getattr(row, name))
            if ends:
                cells += [(value or {}).get(end) for end in ends]
            else:
                cells.append(" ".join(map(str, value)) if isinstance(value, list) else value)
        writer.writerow(cells)
    return text.getvalue()


def points(interval: Interval | None, signed: bool = False) -> str:
    """An error or a difference of errors, with its interval.

    >>> points(Interval(-0.5, -1.0, 0.25), signed=True)
    '-0.50 [-1.00, +0.25]'
    """
    if interval is None:
        return ""
    sign, digits = "+" if signed else "", decimals(*(abs(end) for end in interval if end is not None))
    return with_ends(interval, lambda value: f"{value:{sign}.{digits}f}")


def decimals(*values: float) -> int:
    """How many decimals show the largest of some numbers with two digits; at least two.

    >>> decimals(12.5, 0.001), decimals(0.0012, 0.0011)
    (2, 4)
    """
    most = max(map(abs, values))
    # 0.0995 is written as 0.10, and needs no third decimal
    return max(2, 1 - math.floor(math.log10(1.005 * most))) if 0 < most < math.inf else 2


def result(value: float) -> str:
    """A single result."""
    return f"{value:.{decimals(value)}f}"


def epochs(reached: Interval, most: float) -> str:
    """A number of epochs with its interval; one that was not reached is above `most`.

    >>> epochs(Interval(30.0, 14.0, math.inf), most=40)
    '30 [14, >40]'
    """
    return with_ends(reached, lambda value: f">{most:.4g}" if math.isinf(value) else f"{value:.4g}")


def ratio(value: float, least: float) -> str:
    """A speed-up; that of a schedule which never reached the level is below `least`."""
    return f"{value:.2f}" if value else f"<{least:.2f}"


def with_ends(interval: Interval, number: Callable[[float], str]) -> str:
    if interval.low is None or interval.high is None:
        return number(interval.middle)
    return f"{number(interval.middle)} [{number(interval.low)}, {number(interval.high)}]"
