"""The console of Transformers' Trainer: rates without a step, between progress bars that have one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .log_formats import TextFormat
from .precision import Cells, Floats
from .regex_reader import Finder, settings_of
from .rows import Rows, floats
from .text_file import TextFile

OFF = 2  # steps that a bar may be late or early
MOST_EVERY = 100_000  # steps between rows
SUMMARY = re.compile(r"\{'train_runtime': [^{}\n]{1,1000}\}")
SUMMED = re.compile(r"'(train_runtime|train_steps_per_second|epoch)': '?([0-9.]{1,20})'?[,}]")


def read(source: TextFile, rows: Rows, form: TextFormat) -> None:
    """Add the rows of one file. Each rate belongs to the last training bar before it, give or take a step or two."""
    finder = Finder(form)
    if "'learning_rate': '" in source.sample():  # version 5 prints rounded texts
        rows.form = rows.form._replace(style=None)
    bars, dicts, columns, decimals = [], [], [], 0
    count = 0
    for piece in source.pieces():
        if summary := SUMMARY.search(piece):
            rows.settings |= {name: float(number) for name, number in SUMMED.findall(summary[0])}
        if (found := finder.find(piece)) is None:
            continue
        number, total, rate, epoch = (found.columns[name] for name in ("update", "total", "rate", "epoch"))
        bar, at = np.flatnonzero(number[0]), np.flatnonzero(rate[0])
        step, steps = floats(number[1][bar]), floats(total[1][bar])
        new = np.ones(bar.size, bool)
        new[1:] = (step[1:] != step[:-1]) | (steps[1:] != steps[:-1])
        bars.append(np.stack([bar[new] + count, step[new], steps[new]]))
        cells = Cells.of(epoch[1][at])
        decimals = max(decimals, int(-cells.last[np.isfinite(cells.values)].min(initial=0)))
        dicts.append(np.stack([at + count, cells.values]))
        columns.append(rate[1][at])
        count += len(found.line)
    if not dicts:
        return
    order, steps, totals = np.concatenate(bars, axis=1)
    place, epochs = np.concatenate(dicts, axis=1)
    rows.settings |= settings_of(source.sample(), form)
    update = _updates(rows, _steps(order, steps, totals, place), totals, epochs, 0.5 * 10.0**-decimals)
    begin = 0
    for column in columns:
        if end := len(column):
            part = slice(begin, begin + end)
            rows.add({"learning_rate": column}, {"update": update[part], "epoch": epochs[part]})
            begin += end
    rows.epochs_last = True  # epochs of two decimals tell less than the number of the row


def _updates(rows: Rows, update: Floats, totals: Floats, epochs: Floats, half: float) -> Floats:
    """The update of each rate: by its bar or, where bars are missing or late, by the epoch printed with it."""
    known = np.isfinite(update)
    rows.settings |= _total(totals, int(np.nanmax(update)) if known.any() else epochs.size)
    shown = known & (epochs > 0)
    # Bars are drawn at most every tenth of a second; where rates come faster, epochs times a constant disagree.
    per = float(np.median(update[shown] / epochs[shown])) if shown.any() else np.nan
    right = known & ((np.abs(update - epochs * per) <= half * per + OFF) | ~np.isfinite(epochs * per))
    if known.any() and right.mean() > 0.9:
        rows.note("steps are read from progress bars, and may be off by one or two")
        rows.slack = OFF
        return update
    per = _updates_in_an_epoch(rows.settings, update, epochs)
    if not np.isfinite(per) or not np.isfinite(epochs).all():
        return np.full(epochs.size, np.nan)
    # The last epoch, by which `per` may have been found, is rounded too; and an epoch that ends with an incomplete
    # accumulation is up to one update longer than its whole updates.
    if every := _every((epochs - half) * per * (1 - half / max(1, epochs.max())), (epochs + half) * (per + 1)):
        rows.note(f"steps are its printed epochs times {per:g} updates an epoch, with a row every {every:,} updates")
        return every * np.arange(1.0, epochs.size + 1)
    rows.note(f"steps are its printed epochs times {per:g} updates an epoch")
    rows.slack = int(np.ceil(half * per))
    return np.rint(epochs * per)


def _updates_in_an_epoch(settings: dict[str, Any], update: Floats, epochs: Floats) -> float:
    """Updates per epoch, from what the run prints about itself or else from its last rows; NaN if neither tells."""
    total = next(
        (settings[key] for key in ("Total optimization steps", "total_steps", "max_steps") if key in settings), None
    )
    length = next((settings[key] for key in ("Num Epochs", "num_train_epochs") if key in settings), None)
    last, over = float(np.nanmax(epochs, initial=0)), settings.get("epoch")
    if isinstance(total, int) and total > 0 and isinstance(over, float) and over >= last > 0:
        return total / (round(over) if abs(over - round(over)) <= 0.01 else over)
    if isinstance(total, int) and total > 0 and isinstance(length, int | float) and length >= last - 0.01 > 0:
        return total / length
    if isinstance(total, int) and total > 0 and last > 0.9 and abs(last - round(last)) <= 0.01:
        return total / round(last)  # the last row of a whole training is at a whole epoch
    if "train_runtime" in settings and last > 0:
        # Steps per second have three decimals, and after the last row there may be fewer steps than between two.
        speed = settings.get("train_steps_per_second", 0.0)
        found = settings["train_runtime"] * speed / epochs.size
        off = 0.0005 / speed * found if speed else np.inf
        every = np.floor(found + off)
        if off < 0.25 and 1 <= every <= MOST_EVERY and found - every <= every / epochs.size + off:
            return float(every * epochs.size / last)
    late = np.isfinite(update) & (epochs > 0.5 * last) & (epochs > 0)
    return float(np.max(update[late] / epochs[late])) if late.any() else np.nan


def _every(least: Floats, most: Floats) -> int:
    """The steps between rows where every row is so many after the one before, and only one number fits."""
    number = np.arange(1.0, least.size + 1)
    first, last = int(np.ceil(np.max(least / number) - 1e-9)), int(np.floor(np.min(most / number) + 1e-9))
    return first if 1 <= first == last <= MOST_EVERY else 0


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
    """Whether bars of one total move on from rate to rate, which those of an evaluation do not."""
    return bool(np.unique(steps).size * 2 > steps.size)


def _total(totals: Floats, count: int) -> dict[str, Any]:
    """The steps of the whole run: the most frequent total of a bar that is large enough."""
    kept, times = np.unique(totals[totals >= count], return_counts=True)
    return {"total_steps": int(kept[np.argmax(times)])} if kept.size else {}
