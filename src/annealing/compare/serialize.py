"""Results as plain data, for JSON, and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
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
    columns: dict[str, tuple[str, ...]] = {}
    for field in fields(kind):
        columns[field.name] = Interval._fields if "Interval" in str(field.type) else ()
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
