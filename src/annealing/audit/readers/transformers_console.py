"""The console of Transformers' Trainer: rates without a step, between progress bars that have one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .formats import TextFormat
from .precision import Floats
from .regex_reader import Finder, stated
from .rows import Rows, floats
from .text_file import TextFile


def read(source: TextFile, rows: Rows, form: TextFormat) -> None:
    """Add the rows of one file; each rate belongs to the last bar of the training before it, or nearly."""
    finder = Finder(form)
    if "'learning_rate': '" in source.sample():  # version 5 prints rounded texts
        rows.form = rows.form._replace(style=None)
    bars, dicts, columns = [], [], []
    count = 0
    for piece in source.pieces():
        if (found := finder.find(piece)) is None:
            continue
        number, total, rate, epoch = (found.columns[name] for name in ("update", "total", "rate", "epoch"))
        bar, at = np.flatnonzero(number[0]), np.flatnonzero(rate[0])
        step, steps = floats(number[1][bar]), floats(total[1][bar])
        new = np.ones(bar.size, bool)
        new[1:] = (step[1:] != step[:-1]) | (steps[1:] != steps[:-1])
        bars.append(np.stack([bar[new] + count, step[new], steps[new]]))
        dicts.append(np.stack([at + count, floats(epoch[1][at])]))
        columns.append(rate[1][at])
        count += len(found.line)
    if not dicts:
        return
    order, steps, totals = np.concatenate(bars, axis=1)
    place, epochs = np.concatenate(dicts, axis=1)
    update = _steps(order, steps, totals, place)
    begin = 0
    for column, (places, _) in zip(columns, dicts, strict=True):
        if end := len(places):
            part = slice(begin, begin + end)
            rows.add({"learning_rate": column}, update[part], epochs[part])
            begin += end
    rows.uncounted = True  # the epochs have two decimals
    if np.isfinite(update).any():
        rows.repair(f"{source.path.name}: steps are read from progress bars, and may be one or two off")
        rows.slack = 2
    rows.settings |= stated(source.sample(), form) | _total(
        totals, int(np.nanmax(update)) if np.isfinite(update).any() else place.size
    )


def _steps(order: Floats, steps: Floats, totals: Floats, place: Floats) -> Floats:
    """The step of the last bar of the training before each place."""
    last = np.searchsorted(order, place) - 1
    nearest = last[last >= 0]
    training = [total for total in np.unique(totals[nearest]) if _is_training(steps[nearest[totals[nearest] == total]])]
    kept = np.flatnonzero(np.isin(totals, training))
    if not kept.size:
        return np.full(place.size, np.nan)
    before = np.searchsorted(order[kept], place) - 1
    return np.where(before >= 0, steps[kept[np.maximum(before, 0)]], np.nan)


def _is_training(steps: Floats) -> bool:
    """Whether the bars with one total that stood right before rates moved on from rate to rate."""
    return bool(np.unique(steps).size * 2 > steps.size)


def _total(totals: Floats, count: int) -> dict[str, Any]:
    """The steps of the whole training: the total of most bars that is not too small for it."""
    kept, times = np.unique(totals[totals >= count], return_counts=True)
    return {"total_steps": int(kept[np.argmax(times)])} if kept.size else {}
