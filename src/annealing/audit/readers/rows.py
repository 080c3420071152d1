"""The rows of a log while it is being read, column by column, and the table made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..log import Log, LogError
from .log_formats import Format
from .precision import Booleans, Cells, Floats, Printed, Texts, bytes_of, values_of
from .row_clock import Habits, RowClock, Said, begins_again, clock_of, in_epochs, in_turn, printed_before

MOST_GROUPS = 256
GENERAL = {
    "text",
    "patterns",
    "tqdm",
    "csv",
    "json",
    "mmcv_json",
    "wandb",
}  # whose updates may be counted in all or in an epoch
PLAIN = {int, float, type(None)}
FEWEST = 3  # rates without any clock that make a series
MANY = 10  # rates that are a series whatever their lines look like
Column = Sequence[Any] | Floats | Texts


class Rows:
    """The rows read so far; rates are added as printed texts or as numbers, one column for each group."""

    def __init__(self, form: Format, path: str = "") -> None:
        self.form = form
        self.file = ""
        self.path = path  # of the first file
        self.starts: list[int] = []
        self.torn_rows: list[int] = []
        self.rates: dict[str, Printed] = {}
        self.told: dict[str, list[Floats]] = {}  # what rows say beside their rates, by the names of `Said` and others
        self.count = 0
        self.settings: dict[str, Any] = {}
        self.repairs: list[str] = []
        self.left_out: dict[str, int] = {}  # how many rows, by the reason
        self.unit: str | None = form.unit
        self.first: int | None = None
        self.restarts = False  # whether iterations begin again in every epoch; `first` is the first epoch's number
        self.epochs_last = False  # whether rows without an update are counted even where epochs are known
        self.last_epoch = np.nan  # the last that a text says
        self.slack = 0  # by how many updates the clock of a row may be off
        self.torn = False  # the last number touches the end of a file without a line end

    def start(self, file: str = "") -> None:
        """The rows that follow are those of another file or process."""
        self.file = file or self.file
        self.starts.append(self.count)

    def end(self) -> None:
        """The file ends here; if inside a number, that has fewer digits than all others, and its row is left out."""
        if self.torn and self.count > self.starts[-1] and any(rate.ends_short() for rate in self.rates.values()):
            self.torn_rows.append(self.count - 1)
            self.leave_out(1, "cut off inside a number")
        self.torn = False

    def add(self, rates: Mapping[str, Column], told: Mapping[str, Column | None]) -> None:
        """Add rows: each column printed texts, or numbers (None where a row has none).

        told: what the rows say beside their rates: columns named as in `Said`, and skipped, own and shape.
        """
        count = max(len(column) for column in rates.values())
        for name in rates:
            if name not in self.rates:
                if len(self.rates) == MOST_GROUPS:
                    raise LogError(
                        f"{self.file}: more than {MOST_GROUPS} columns look like rates; name them with columns="
                    )
                self.rates[name] = Printed(self.form.style, self.form.double)
                self.rates[name].missing(self.count)
        for name, printed in self.rates.items():
            column = rates.get(name)
            if column is None:
                printed.missing(count)
            elif (texts := _texts(column)) is not None:
                printed.add(Cells.of(texts))
            else:
                printed.numbers(floats(column))
        for name, given in told.items():
            if given is not None:
                parts = self.told.setdefault(name, [])
                parts += [np.full(lost, np.nan)] if (lost := self.count - sum(map(len, parts))) else []
                parts.append(floats(given))
        self.count += count

    def repair(self, sentence: str) -> None:
        if sentence not in self.repairs and len(self.repairs) < 50:
            self.repairs.append(sentence)

    def note(self, sentence: str) -> None:
        """A repair of the file that is being read."""
        self.repair(f"{self.file}: {sentence}")

    def leave_out(self, rows: int, reason: str) -> None:
        if rows:
            self.left_out[reason] = self.left_out.get(reason, 0) + rows

    def log(self, where: str, expected: str, unit: str | None = None) -> Log:
        """The table, without rows that lack a finite rate or a clock; `repairs` says what was left out."""
        if not self.count:
            raise LogError(f"{where}: no learning rate found; expected {expected}")
        names, finite = list(self.rates), self._finite()
        keep: Booleans = np.any(finite, axis=1)
        self.leave_out(self.count - int(keep.sum()), "without a finite rate")
        keep[self.torn_rows] = False
        if not keep.any():
            raise LogError(f"{where}: no row has a finite rate; expected {expected}")
        self._leave_out_strays(keep)
        if not keep.any():
            raise LogError(f"{where}: no series of learning rates; expected {expected}")
        clock = self._clock(keep, unit, where)
        thing = "an update number" if clock.unit == "update" else "an epoch"
        self.leave_out(int(np.sum(keep & ~np.isfinite(clock.values))), f"without {thing}")
        keep &= np.isfinite(clock.values)
        if not keep.any():
            raise LogError(f"{where}: no row has a finite rate; expected {expected}")
        if not self._is_series(keep, clock):
            raise LogError(f"{where}: no series of learning rates: {counted(int(keep.sum()), 'rate')} in the file")
        return self._log(names, keep, clock, self._table(names, keep))

    def _finite(self) -> Booleans:
        """Which rows have a rate, in each group."""
        return np.column_stack(
            [np.concatenate([np.isfinite(part.values) for part in rate.parts]) for rate in self.rates.values()]
        )

    def _leave_out_strays(self, keep: Booleans) -> None:
        """Leave out rates that are not rows of the log: in settings, a printed optimizer or a summary."""
        own, shape = self._told("own"), self._told("shape")
        if own is None or shape is None:
            return
        level = next(level for level in (2, 1, 0) if float(np.mean(own[keep] >= level)) >= 0.5)
        stray = keep & (own < level)
        self.leave_out(int(stray.sum()), "on a line without the step or epoch that other rates have")
        keep &= ~stray
        # Lines of a log are alike but for their numbers, those of prose are not. Many rates that each have a step
        # are a log, even if a word between them changes.
        if level == 0 or keep.sum() < MANY:
            _, which, times = np.unique(shape[keep], return_inverse=True, return_counts=True)
            single = np.flatnonzero(keep)[times[which] == 1]
            if len(single) < max(keep.sum(), MANY):
                self.leave_out(len(single), "unlike all others")
                keep[single] = False

    def _is_series(self, keep: Booleans, clock: RowClock) -> bool:
        """Whether rates are a log's: a README, a program or a configuration names a few as well."""
        count, own, shape = int(keep.sum()), self._told("own"), self._told("shape")
        if self.form.name not in ("text", "json") or (count >= MANY):
            return True
        if clock.counted:
            return count >= FEWEST and (shape is None or len(np.unique(shape[keep])) == 1)
        times = len(np.unique(clock.values[keep]))
        # Below the numbers of other lines, each of a few rates has its own; each may be printed twice.
        return times > 1 and (own is None or own[keep].max() > 0 or 2 * times >= count)

    def _told(self, name: str) -> Floats | None:
        parts = self.told.get(name)
        if parts is None:
            return None
        column = np.concatenate(parts)
        return np.concatenate([column, np.full(self.count - len(column), np.nan)])

    def _clock(self, keep: Booleans, unit: str | None, where: str) -> RowClock:
        """The clock of the rows: what the log counts, or the unit that was asked for."""
        none = np.full(self.count, np.nan)
        told = {name: self._told(name) for name in Said.__annotations__}
        said = Said(**{name: none if column is None else column for name, column in told.items()})
        if self._told("own") is not None:
            said = Said(**(vars(said) | {"epoch": printed_before(said, keep, self.last_epoch)}))
        only = self.form.name in GENERAL and told["update"] is not None and told["iter"] is None
        if only and begins_again(said.update[keep], said.epoch[keep]):
            said = Said(**(vars(said) | {"iter": said.update, "update": none}))
        rates = np.concatenate([part.values for part in next(iter(self.rates.values())).parts])
        if (unit or self.unit) == "epoch" and told["epoch"] is not None:
            return RowClock(in_epochs(said, rates, keep), said.epoch, "epoch")
        habits = Habits(self.first, self.restarts, self.epochs_last, self._examples())
        clock = clock_of(said, rates, keep, habits)
        if unit == "update" and clock.updates is not None:
            clock = replace(clock, values=clock.updates, unit="update", updates=None)
        if unit is not None and clock.unit != unit:
            raise LogError(f"{where}: unit must be {clock.unit!r}, since this log counts no other, got {unit!r}")
        for note in clock.notes:
            self.repair(note)
        return clock

    def _examples(self) -> int | None:
        """The examples in an update, where the log states them."""
        # OpenCLIP counts the examples of all processes; programs that state no world size count those of one.
        parts = [self.settings.get(name, 1) for name in ("batch_size", "world_size", "accum_freq")]
        known = "batch_size" in self.settings and all(type(part) is int and part > 0 for part in parts)
        return int(np.prod(parts)) if known else None

    def _table(self, names: list[str], keep: Booleans) -> list[Floats]:
        """The rates of every group and their tolerances, NaN where a row has none; and those of digits in doubt."""
        table, unsure = [np.empty((self.count, len(names))) for _ in range(2)], False
        for place, name in enumerate(names):
            column = self.rates.pop(name)
            found = column.column(keep)
            if column.unsure and not unsure:
                table, unsure = [*table, table[1].copy()], True
            for part, values in zip(table, found, strict=False):
                part[:, place] = values
        # Numbers beyond float64 are infinite by now, and no rate is.
        none = ~np.isfinite(table[0])
        for part in table:
            part[none] = np.nan
        return table

    def _log(self, names: list[str], keep: Booleans, clock: RowClock, table: list[Floats]) -> Log:
        process = np.zeros(self.count, np.int64)
        for begin in self.starts[1:]:
            process[begin:] += 1
        kept = np.flatnonzero(keep)
        if process[-1] == 0 and len(kept) > 2 and bool(np.all(np.diff(clock.values[kept]) < 0)):
            kept = kept[::-1]
            self.repair("the rows were in reverse order, and were turned around")
        times = in_turn(clock.values[kept], table[0][kept]) if clock.unit == "update" and not clock.counted else 1
        if times > 1:
            # Each turn becomes columns of its own; the clock is that of the first.
            self.leave_out(len(kept) % times, "at the end without the others of its update")
            kept = kept[: len(kept) // times * times]
            self.repair(f"{times} logs take turns at every update: read as groups of one row")
        table = [part[kept].reshape(len(kept) // times, -1) for part in table]
        used = np.flatnonzero(np.isfinite(table[0]).any(axis=0))
        plain = [names[place % len(names)].strip() for place in used]
        turns = [place // len(names) + 1 for place in used]
        groups = [
            f"{name} ({turn})" if name in plain[:i] else name
            for i, (name, turn) in enumerate(zip(plain, turns, strict=True))
        ]
        kept, skipped, missed = kept[::times], self._told("skipped"), self._told("missed")
        if missed is not None:
            skipped = np.cumsum(np.nan_to_num(missed))
        for reason, lost in self.left_out.items():
            self.repair(f"{counted(lost, 'row')} {reason} {'was' if lost == 1 else 'were'} left out")
        return Log(
            format=self.form.name,
            clock=clock.values[kept],
            rates=table[0][:, used],
            half=table[1][:, used],
            process=process[kept],
            groups=tuple(groups),
            unit=clock.unit,
            epochs=clock.epochs[kept] if np.isfinite(clock.epochs[kept]).any() else None,
            shift=self.form.shift,
            slack=self.slack if clock.unit == "update" else 0,
            settings=self.settings,
            repairs=tuple(self.repairs),
            counted=clock.counted,
            averaged=self.form.style == "mean" or self._told("begin") is not None,
            skipped=skipped[kept] if skipped is not None else None,
            left_out=tuple((lost, reason) for reason, lost in self.left_out.items()),
            file=self.path,
            length=clock.length,
            updates=None if clock.updates is None else clock.updates[kept],
            most=table[2][:, used] if len(table) > 2 else None,
        )


def floats(column: Column) -> Floats:
    """Numbers, or texts of numbers, as float64; NaN for anything else."""
    if (texts := _texts(column)) is not None:
        return values_of(texts)
    try:
        if isinstance(column, np.ndarray) or set(map(type, column)) <= PLAIN:
            array = np.array(column, np.float64)
            array[np.isinf(array)] = np.nan
            return array
    except OverflowError:
        pass
    return np.array([_number(cell) for cell in column], np.float64)


def _texts(column: Column) -> Texts | None:
    """A column as texts, if any of it is text."""
    if isinstance(column, np.ndarray):
        return column.astype(np.bytes_) if column.dtype.kind == "S" else None
    kinds = set(map(type, column))
    if str not in kinds:
        return None
    return bytes_of(column if kinds == {str} else ["" if cell is None else str(cell) for cell in column])


def _number(cell: Any) -> float:
    try:
        return float(cell) if type(cell) in (int, float) else np.nan
    except OverflowError:
        return np.nan


def counted(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number:,} {thing}s"
