"""The clock of rows: update numbers from what a log says, such as an epoch and an iteration within it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..log import EpochLength
from .log_formats import Format
from .precision import Floats

# What rows may say of their place in the run. update: the number of updates so far. iter: the iteration, in all or
# within its epoch. per: iterations in an epoch. epoch: the epoch's number. samples, of: examples seen in this epoch,
# and examples in an epoch. begin: the first iteration of those that the row is the mean of. place, total: any other
# numbers as in 3/100.
PLACES = ("update", "iter", "per", "epoch", "samples", "of", "begin", "place", "total")
Said = Mapping[str, Floats]  # a column for each of them, NaN where a row does not say it
AGREEING = 0.75  # of the epochs whose rates show a length that must show the same one


class RowClock(NamedTuple):
    """The clock of each row, its epoch, its unit, whether rows were only counted, and what is worth saying about it.

    length: the updates in an epoch, where neither the log nor its rates tell them for certain. updates: the update of
    each row where epochs were taken though a log has both.
    """

    values: Floats
    epochs: Floats
    unit: str = "update"
    notes: tuple[str, ...] = ()
    counted: bool = False
    length: EpochLength | None = None
    updates: Floats | None = None


def clock_of(said: Said, rates: Floats, form: Format, batch: int | None) -> RowClock:
    """The clock of rows: updates where there are any, else epochs, else the number of the row.

    rates: of one group. batch: the examples in an update, by the settings.
    """
    update, iters, epoch = said["update"], said["iter"], said["epoch"]
    has = {name for name, column in said.items() if np.isfinite(column).any()}
    if "update" in has and ("iter" not in has or np.isfinite(update).mean() >= 0.5):
        return RowClock(update, epoch)
    # "Batch 3/100" is WeNet's epoch and batch if the second number changes, and begins again with the first.
    changes = {"iter", "per"} <= has and "epoch" not in has and len(np.unique(said["per"])) > 2
    if changes and begins_again(said["per"], iters):
        return _within_epochs({**said, "epoch": iters, "iter": said["per"]}, rates, form, per=None)
    if "iter" in has:
        if "epoch" in has and (form.first is not None or begins_again(iters, epoch)):
            return _within_epochs(said, rates, form, said["per"] if "per" in has else None)
        return RowClock(np.where(np.isnan(iters), update, iters - _half_window(said)), epoch)
    if {"samples", "epoch"} <= has:
        return _by_samples(said, rates, form, batch)
    # Epochs of two decimals, as Transformers prints them, tell less than the number of the row.
    if "epoch" in has and form.name != "transformers":
        return RowClock(epoch, epoch, "epoch")
    place, total = said["place"], said["total"]
    # Unlike dates, numbers that are a count rise towards one total.
    if "place" in has and (np.diff(place) > 0).all() and np.ptp(total) == 0 and place[-1] <= total[0]:
        note = "numbers as in 3/100 are taken as its clock: no word says what they count"
        return RowClock(place, epoch, notes=(note,))
    note = "the log has no update numbers: its rows are counted, from 1"
    return RowClock(np.arange(1.0, len(rates) + 1), epoch, notes=(note,), counted=True)


def in_epochs(said: Said, rates: Floats) -> Floats:
    """The clock in epochs: their numbers, with the part of the epoch that is done where rates change within it."""
    with np.errstate(all="ignore"):
        done = said["iter"] / said["per"]
    inside = np.isfinite(done + said["epoch"])
    if not inside.any() or _one_rate_each(said["epoch"][inside], rates[inside]):
        return said["epoch"]
    return said["epoch"] + done


def begins_again(updates: Floats, epochs: Floats) -> bool:
    """Whether update numbers start again when the epoch changes."""
    both = np.isfinite(updates) & np.isfinite(epochs)
    rises = np.diff(epochs[both]) > 0
    # Half of them, since a log may lose lines, and several runs may stand in one file.
    return bool(rises.any() and np.mean(np.diff(updates[both])[rises] <= 0) >= 0.5)


def printed_before(said: Said, last: float) -> Floats:
    """The epoch of each rate, where a rate is printed before the line that begins its epoch.

    Then the first rate has no epoch above it, every other one stands below the epoch before its own, and an epoch
    without a rate comes last.
    """
    epoch = said["epoch"]
    if np.isfinite(said["iter"]).any() or np.isfinite(said["update"]).any() or len(epoch) < 3:
        return epoch
    if np.isnan(epoch[0]) and (np.diff(epoch[1:]) == 1).all() and last == epoch[-1] + 1:
        return np.append(epoch[1:], last)
    return epoch


def _within_epochs(said: Said, rates: Floats, form: Format, per: Floats | None) -> RowClock:
    """Update numbers from iterations within an epoch, if the length of an epoch is known or can be derived."""
    iters, epochs = said["iter"], said["epoch"]
    told = np.isfinite(iters) & np.isfinite(epochs)
    one_row = np.unique(iters[told]).size == 1 < np.unique(epochs[told]).size
    one_rate = per is None and _one_rate_each(epochs[told], rates[told])
    untold, note, length = "the log does not say how many updates an epoch has", "", None
    if one_rate and not one_row:
        note = f"{untold}, and each epoch has one rate: epochs are used"
    if per is None:
        length = _possible_lengths(iters[told])
        shown = _length_by_rates(iters[told], epochs[told], rates[told], length)
        length = length._replace(taken=shown or length.taken)
        if not (one_row or one_rate):
            why = "as its rates show" if shown else "so that rows are evenly spaced"
            note = f"{untold}: taken as {length.taken:,}, {why}"
        per = np.full(len(rates), float(length.taken))
        if shown or length.least == length.most:
            length = None
    notes = (note,) if note else ()
    clock = _since_first(epochs, form) * per + iters - _half_window(said)
    if one_row or one_rate:
        return RowClock(epochs, epochs, "epoch", notes, length=length, updates=clock)
    return RowClock(clock, epochs, notes=notes, length=length)


def _possible_lengths(iters: Floats) -> EpochLength:
    """How many updates an epoch may have: from the last that was logged to one before the next that would be."""
    # The distance is a common divisor, since a row may be missing and the first of an epoch may be an extra one.
    seen = np.unique(iters).astype(np.int64)
    every = max(1, int(np.gcd.reduce(np.diff(seen)) if len(seen) > 1 else seen[0]))
    least = int(seen[-1]) + int(seen[0] % every != 0 or seen[0] == 0)  # counts such as 49, 99 and 0, 50 are from 0
    return EpochLength(int(seen[-1] - seen[0]) + every, least, least + every - 1)


def _length_by_rates(iters: Floats, epochs: Floats, rates: Floats, length: EpochLength) -> int | None:
    """The updates in an epoch with which rates go on smoothly from one epoch to the next, if they show one number."""
    steps, rises = np.diff(iters), np.diff(rates)
    last = np.flatnonzero(np.diff(epochs) == 1)
    last = last[(last > 0) & (last + 2 < len(epochs))]
    last = last[(steps[last - 1] > 0) & (steps[last + 1] > 0)]
    # The mean of the slopes on both sides is that in between for any parabola, and cosines are nearly that.
    slope = (rises[last - 1] / steps[last - 1] + rises[last + 1] / steps[last + 1]) / 2
    with np.errstate(all="ignore"):
        found = rises[last] / slope - steps[last]
    # Corners and rounded rates give slopes that differ, and lengths that are no whole numbers.
    found = found[(found > length.least - 1) & (found < length.most + 1)]
    found = found[np.abs(found - np.rint(found)) < 0.1]
    whole, times = np.unique(np.rint(found), return_counts=True)
    most = int(times.max(initial=0))
    return int(whole[np.argmax(times)]) if most > 1 and most >= AGREEING * last.size else None


def _by_samples(said: Said, rates: Floats, form: Format, batch: int | None) -> RowClock:
    """Updates from examples seen, where settings or rows show how many one update takes; else parts of epochs."""
    samples, of, epochs = said["samples"], said["of"], said["epoch"]
    told = np.isfinite(samples) & np.isfinite(of) & np.isfinite(epochs)
    if _one_rate_each(epochs[told], rates[told]):
        return RowClock(epochs, epochs, "epoch")
    since = _since_first(epochs, form)
    seen = np.unique(samples[told & (samples > 0)]).astype(np.int64)
    common, gaps = int(np.gcd.reduce(seen)) if seen.size else 0, np.diff(seen)
    if batch and common and common % batch == 0:
        why = "as the log's settings say"
    # The first line of an epoch is that of its first update, and later ones are many updates apart: then the
    # greatest common divisor is one update. Otherwise it may be any number of them.
    elif gaps.size and seen[0] == common and gaps.min() > common:
        batch, why = common, "which all counts of examples are multiples of"
    else:
        note = "the log counts examples and does not say how many an update takes: its clock is in epochs"
        return RowClock(since + samples / of, epochs, "epoch", (note,))
    note = f"an update is taken as {batch:,} examples, {why}"
    return RowClock(since * np.floor(of / batch) + samples / batch, epochs, notes=(note,))


def _since_first(epochs: Floats, form: Format) -> Floats:
    """The epochs before each, whose numbers begin with the format's, else with 0 or 1."""
    return epochs - (int(np.nanmin(epochs) > 0) if form.first is None else form.first)


def _half_window(said: Said) -> Floats:
    """How far the middle of the iterations that a row is the mean of lies before the last."""
    return np.where(np.isfinite(said["begin"]), (said["iter"] - said["begin"]) / 2, 0.0)


def _one_rate_each(epochs: Floats, rates: Floats) -> bool:
    """Whether all rows of an epoch have one rate."""
    order = np.argsort(epochs, kind="stable")
    same = np.diff(epochs[order]) == 0
    return bool(np.all(np.diff(rates[order])[same] == 0))


def in_turn(clock: Floats, rates: Floats) -> int:
    """How many series take turns at every update, as those of several optimizers do; 1 if there is only one."""
    if len(clock) < 4:
        return 1
    begins = np.flatnonzero(np.diff(clock, prepend=clock[0] - 1))
    lengths = np.diff(begins, append=len(clock))
    count = int(lengths[0])
    if not 2 <= count <= 8 or len(begins) < 3 or (lengths[:-1] != count).any() or lengths[-1] > count:
        return 1
    rows = rates[: (len(begins) - 1) * count].reshape(len(begins) - 1, count, -1)
    if np.isnan(rows).any():
        return count if (np.isnan(rows) == np.isnan(rows[:1])).all() else 1
    # The same rate again at the same update is one optimizer that was logged at every micro-batch, and rates that
    # move on steadily are one curve whose clock is coarse. Several curves jump at every turn.
    each, every = (np.sum(np.abs(np.diff(part, axis=0))) for part in (rows, rows.reshape(len(rows) * count, -1)))
    return count if each < every / 2 else 1
