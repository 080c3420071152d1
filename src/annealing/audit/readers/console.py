"""The console of Transformers' Trainer: rates without a step, between progress bars that have one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .numbers import Floats, bytes_of, values_of
from .rows import Rows
from .source import Source
from .text import stated
from .texts import TextFormat, combined


def read(source: Source, rows: Rows, form: TextFormat) -> None:
    """Add the rows of one file; each rate belongs to the last bar of the training before it, give or take one."""
    pattern, places = combined(form.patterns)
    if "'learning_rate': '" in source.sample():  # version 5 prints rounded texts
        rows.form = rows.form._replace(style=None)
    bars, dicts, texts = [], [], []
    count = 0
    for piece in source.pieces():
        found = [match for match in pattern.findall(piece) if not match[places["line"][0]]]
        if not found:
            continue
        columns = list(zip(*found, strict=True))
        number, total, rate, epoch = (bytes_of(columns[places[n][0]]) for n in ("update", "total", "rate", "epoch"))
        bar = np.flatnonzero(number != b"")
        new = np.ones(bar.size, bool)
        new[1:] = (number[bar][1:] != number[bar][:-1]) | (total[bar][1:] != total[bar][:-1])
        bar = bar[new]
        bars.append(np.stack([bar + count, values_of(number[bar]), values_of(total[bar])]))
        at = np.flatnonzero(rate != b"")
        dicts.append(np.stack([at + count, values_of(epoch[at])]))
        texts.append(rate[at])
        count += len(found)
    if not dicts:
        return
    order, steps, totals = np.concatenate(bars, axis=1)
    place, epochs = np.concatenate(dicts, axis=1)
    update = _steps(order, steps, totals, place)
    begin = 0
    for column in texts:
        if end := len(column):
            part = slice(begin, begin + end)
            rows.add({"learning_rate": column}, update[part], epochs[part])
            begin += end
    rows.uncounted = True  # the epochs have two decimals
    if np.isfinite(update).any():
        rows.repair(f"{source.path.name}: steps are read from progress bars, and may be one off")
    rows.stated |= stated(source.sample(), form) | _total(
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
