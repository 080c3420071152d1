"""The console of Transformers' Trainer: rates without a step, between progress bars that have one."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .log_formats import Format
from .precision import Floats, cells_of, values_of
from .regex_reader import Finder, settings_of
from .rows import Rows
from .text_file import TextFile

OFF = 2  # steps that a bar may be late or early
MOST_EVERY = 100_000  # steps between rows
SUMMARY = re.compile(r"\{'train_runtime': [^{}\n]{1,1000}\}")
SUMMED = re.compile(r"'(train_runtime|train_steps_per_second|epoch)': '?([0-9.]{1,20})'?[,}]")


def read(source: TextFile, rows: Rows, form: Format) -> None:
    """Add the rows of one file. Each rate belongs to the last training bar before it, give or take a step or two."""
    finder = Finder(form)
    if "'learning_rate': '" in source.sample:  # version 5 prints rounded texts
        rows.form = rows.form._replace(style=None)
    bars, rates, epochs, place = list[tuple[str, str]](), list[str](), list[str](), list[int]()
    for piece in source.pieces():
        if summary := SUMMARY.search(piece):
            rows.settings |= {name: float(number) for name, number in SUMMED.findall(summary[0])}
        for match, _ in chain.from_iterable(finder.lines(piece)):
            if "rate" in match:
                rates.append(match["rate"])
                epochs.append(match.get("epoch", ""))
                place.append(len(bars))
            elif bars[-1:] != [(match["update"], match["total"])]:
                bars.append((match["update"], match["total"]))
    if not rates:
        return
    rows.settings |= settings_of(source.sample, form)
    shown = cells_of(epochs)
    half = 0.5 * 10.0 ** int(shown["last"].min(initial=0))
    steps, totals = (values_of([bar[side] for bar in bars]) for side in (0, 1))
    update = _updates(rows, _steps(steps, totals, np.array(place)), totals, shown["value"], half)
    for rate, step, epoch in zip(rates, update.tolist(), epochs, strict=True):
        rows.add({"learning_rate": rate}, {"update": step, "epoch": epoch})


def _steps(steps: Floats, totals: Floats, place: NDArray[np.intp]) -> Floats:
    """The step of the last training bar before each rate. place: how many bars are before it."""
    nearest, training = place[place > 0] - 1, list[float]()
    for total in np.unique(totals[nearest]):
        shown = steps[nearest[totals[nearest] == total]]
        # Bars of one training move on from rate to rate, which those of an evaluation do not.
        if np.unique(shown).size * 2 > shown.size:
            training.append(total)
    kept = np.flatnonzero(np.isin(totals, training))
    return np.append(np.nan, steps[kept])[np.searchsorted(kept, place)]


def _updates(rows: Rows, update: Floats, totals: Floats, epochs: Floats, half: float) -> Floats:
    """The update of each rate: by its bar or, where bars are missing or late, by the epoch printed with it."""
    known = np.isfinite(update)
    # The steps of the whole run are the most frequent total of a bar that is large enough.
    least = np.nanmax(update) if known.any() else epochs.size
    long, times = np.unique(totals[totals >= least], return_counts=True)
    if long.size:
        rows.settings["total_steps"] = int(long[np.argmax(times)])
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
    totals = [settings[key] for key in ("Total optimization steps", "total_steps", "max_steps") if key in settings]
    lengths = [settings[key] for key in ("Num Epochs", "num_train_epochs") if key in settings]
    last, over = float(np.nanmax(epochs, initial=0)), settings.get("epoch")
    if totals and isinstance(totals[0], int) and totals[0] > 0:
        if isinstance(over, float) and over >= last > 0:
            return totals[0] / (round(over) if abs(over - round(over)) <= 0.01 else over)
        if lengths and isinstance(lengths[0], int | float) and lengths[0] >= last - 0.01 > 0:
            return totals[0] / lengths[0]
        if last > 0.9 and abs(last - round(last)) <= 0.01:
            return totals[0] / round(last)  # the last row of a whole training is at a whole epoch
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
