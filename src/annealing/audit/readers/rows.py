"""The rows of a log while it is being read, column by column, and the table made from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..log import Log, LogError
from .log_formats import Format
from .precision import Booleans, Cells, Floats, cells_of, ends_short, no_cells, tolerances, values_of
from .row_clock import PLACES, RowClock, begins_again, clock_of, in_epochs, in_turn, printed_before

BATCH = 10_000  # rows at once
MOST_GROUPS = 256
GENERAL = {"patterns", "csv", "json", "mmcv_json", "wandb"}  # whose updates may be counted in all or in an epoch
FEWEST = 3  # rates without any clock that make a series
MANY = 10  # rates that are a series whatever their lines look like


class Rows:
    """The rows read so far; rates are added as printed texts or as numbers, one column for each group."""

    def __init__(self, form: Format, path: str = "") -> None:
        self.form = form
        self.file = ""
        self.path = path  # of the first file
        self.process = -1
        self.begin = 0  # the first row of this process
        self.torn_rows: list[int] = []
        self.batch: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []  # rows that are not in columns yet
        self.rates: dict[str, list[Cells]] = {}
        self.told: dict[str, list[Floats]] = {}  # what rows say beside their rates
        self.processes: list[NDArray[np.int64]] = []
        self.count = 0
        self.settings: dict[str, Any] = {}
        self.repairs: list[str] = []
        self.left_out: dict[str, int] = {}  # how many rows, by the reason
        self.last_epoch = np.nan  # the last that a text says
        self.slack = 0  # by how many updates the clock of a row may be off
        self.torn = False  # the last number touches the end of a file without a line end

    def start(self, file: str = "") -> None:
        """The rows that follow are those of another file or process."""
        self._flush()
        self.file = file or self.file
        self.process += 1
        self.begin = self.count

    def end(self) -> None:
        """The file ends here; if inside a number, that has fewer digits than all others, and its row is left out."""
        self._flush()
        if self.torn and self.count > self.begin and any(ends_short(np.concatenate(c)) for c in self.rates.values()):
            self.torn_rows.append(self.count - 1)
            self.leave_out(1, "cut off inside a number")
        self.torn = False

    def add(self, rates: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        """Add a row: the rate of each group, and what the row says beside it, as printed texts or as numbers.

        A rate may also be a list or an object of the rates of several groups. told: any of `PLACES`, skipped, missed,
        own and shape.
        """
        self.batch.append((rates, told))
        if len(self.batch) == BATCH:
            self._flush()

    def _flush(self) -> None:
        batch, self.batch = self.batch, []
        rates = dict[str, list[Any]]()
        for name in dict.fromkeys(chain.from_iterable(row for row, _ in batch)):
            cells = [row.get(name) for row, _ in batch]
            rates |= _spread(name, cells) if any(isinstance(cell, dict | list) for cell in cells) else {name: cells}
        told = dict.fromkeys(chain.from_iterable(row for _, row in batch))
        self.add_columns(rates, {name: [row.get(name) for _, row in batch] for name in told}, len(batch))

    def add_columns(self, rates: Mapping[str, Sequence[Any]], told: Mapping[str, Sequence[Any]], count: int) -> None:
        """Add many rows at once: a column of cells for each name."""
        for name in rates:
            self.rates.setdefault(name, [no_cells(self.count)])
        if len(self.rates) > MOST_GROUPS:
            raise LogError(f"{self.file}: more than {MOST_GROUPS} columns look like rates; name them with columns=")
        for name, parts in self.rates.items():
            parts.append(cells_of(rates[name]) if name in rates else no_cells(count))
        for name in told:
            self.told.setdefault(name, [np.full(self.count, np.nan)])
        for name, said in self.told.items():
            said.append(values_of(told[name]) if name in told else np.full(count, np.nan))
        self.processes.append(np.full(count, self.process))
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
        rates = {name: np.concatenate(parts) for name, parts in self.rates.items()}
        told = {name: np.concatenate(said) for name, said in self.told.items()}
        told["process"] = np.concatenate(self.processes)
        if "missed" in told:
            told["skipped"] = np.cumsum(np.nan_to_num(told["missed"]))
        keep: Booleans = np.any([np.isfinite(column["value"]) for column in rates.values()], axis=0)
        self.leave_out(self.count - int(keep.sum()), "without a finite rate")
        keep[self.torn_rows] = False
        if not keep.any():
            raise LogError(f"{where}: no row has a finite rate; expected {expected}")
        self._leave_out_strays(keep, told)
        if not keep.any():
            raise LogError(f"{where}: no series of learning rates; expected {expected}")
        rates, told = _at(rates, keep), _at(told, keep)
        clock = self._clock(told, next(iter(rates.values()))["value"], unit, where)
        told |= {"clock": clock.values, "epoch": clock.epochs}
        told |= {} if clock.updates is None else {"updates": clock.updates}
        keep = np.isfinite(clock.values)
        self.leave_out(int(np.sum(~keep)), f"without {'an update number' if clock.unit == 'update' else 'an epoch'}")
        if not keep.any():
            raise LogError(f"{where}: no row has a finite rate; expected {expected}")
        rates, told = _at(rates, keep), _at(told, keep)
        if not self._is_series(told, clock.counted):
            raise LogError(f"{where}: no series of learning rates: {counted(int(keep.sum()), 'rate')} in the file")
        return self._log(rates, told, clock)

    def _leave_out_strays(self, keep: Booleans, told: Mapping[str, Floats]) -> None:
        """Leave out rates that are not rows of the log: in settings, a printed optimizer or a summary."""
        if "own" not in told:
            return
        own, shape = told["own"], told["shape"]
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

    def _is_series(self, told: Mapping[str, Floats], counted: bool) -> bool:
        """Whether rates are a log's: a README, a program or a configuration names a few as well."""
        count = len(told["clock"])
        if self.form.name not in ("text", "json") or count >= MANY:
            return True
        if counted:
            return count >= FEWEST and ("shape" not in told or len(np.unique(told["shape"])) == 1)
        times = len(np.unique(told["clock"]))
        # Below the numbers of other lines, each of a few rates has its own; each may be printed twice.
        return times > 1 and ("own" not in told or told["own"].max() > 0 or 2 * times >= count)

    def _clock(self, told: Mapping[str, Floats], rates: Floats, unit: str | None, where: str) -> RowClock:
        """The clock of the rows: what the log counts, or the unit that was asked for."""
        none = np.full(len(rates), np.nan)
        said = {name: told.get(name, none) for name in PLACES}
        if "own" in told:
            said["epoch"] = printed_before(said, self.last_epoch)
        counted_once = self.form.name in GENERAL and "update" in told and "iter" not in told
        if counted_once and begins_again(said["update"], said["epoch"]):
            said |= {"iter": said["update"], "update": none}
        asked = unit == "epoch" and np.isfinite(said["epoch"]).any()
        if asked or (unit is None and self.form.unit == "epoch" and "epoch" in told):
            return RowClock(in_epochs(said, rates), said["epoch"], "epoch")
        # OpenCLIP counts the examples of all processes; programs that state no world size count those of one.
        parts = [self.settings.get(name, 1) for name in ("batch_size", "world_size", "accum_freq")]
        known = "batch_size" in self.settings and all(type(part) is int and part > 0 for part in parts)
        clock = clock_of(said, rates, self.form, math.prod(parts) if known else None)
        if unit == "update" and clock.updates is not None:
            clock = clock._replace(values=clock.updates, unit="update", updates=None)
        if unit is not None and clock.unit != unit:
            raise LogError(f"{where}: unit must be {clock.unit!r}, since this log counts no other, got {unit!r}")
        for note in clock.notes:
            self.repair(note)
        return clock

    def _log(self, rates: Mapping[str, Cells], told: dict[str, Floats], clock: RowClock) -> Log:
        table, unsure = np.empty((3, len(told["clock"]), len(rates))), False
        for place, column in enumerate(rates.values()):
            half, most = tolerances(column, self.form.style, self.form.double)
            table[:, :, place] = column["value"], half, half if most is None else most
            unsure |= most is not None
        if not told["process"].any() and len(told["clock"]) > 2 and bool(np.all(np.diff(told["clock"]) < 0)):
            table, told = table[:, ::-1], _at(told, slice(None, None, -1))
            self.repair("the rows were in reverse order, and were turned around")
        times = in_turn(told["clock"], table[0]) if clock.unit == "update" and not clock.counted else 1
        count, rest = divmod(len(told["clock"]), times)
        if times > 1:
            # Each turn becomes columns of its own; the clock is that of the first.
            self.leave_out(rest, "at the end without the others of its update")
            self.repair(f"{times} logs take turns at every update: read as groups of one row")
            table, told = table[:, : count * times].reshape(3, count, -1), _at(told, slice(0, count * times, times))
        used = np.flatnonzero(np.isfinite(table[0]).any(axis=0))
        table = table[:, :, used]
        names = [name.strip() for name in rates]
        plain = [names[place % len(names)] for place in used]
        groups = tuple(
            f"{name} ({place // len(names) + 1})" if name in plain[:i] else name
            for i, (name, place) in enumerate(zip(plain, used.tolist(), strict=True))
        )
        for reason, lost in self.left_out.items():
            self.repair(f"{counted(lost, 'row')} {reason} {'was' if lost == 1 else 'were'} left out")
        return Log(
            format=self.form.name,
            clock=told["clock"],
            rates=table[0],
            half=table[1],
            process=told["process"].astype(np.int64),
            groups=groups,
            unit=clock.unit,
            epochs=told["epoch"] if np.isfinite(told["epoch"]).any() else None,
            shift=self.form.shift,
            slack=self.slack if clock.unit == "update" else 0,
            settings=self.settings,
            repairs=tuple(self.repairs),
            counted=clock.counted,
            averaged=self.form.style == "mean" or ("begin" in told and bool(np.isfinite(told["begin"]).any())),
            skipped=told.get("skipped"),
            left_out=tuple((lost, reason) for reason, lost in self.left_out.items()),
            file=self.path,
            length=clock.length,
            updates=told.get("updates"),
            most=table[2] if unsure else None,
        )


def _spread(name: str, cells: Iterable[Any]) -> dict[str, list[Any]]:
    """Split cells that hold the rates of several groups, as a list or an object, into columns."""
    split = [
        dict(enumerate(cell)) if isinstance(cell, list) else cell if isinstance(cell, dict) else {0: cell}
        for cell in cells
    ]
    parts = list(dict.fromkeys(part for cell in split for part in cell))[:MOST_GROUPS]
    return {f"{name}/{part}": [cell.get(part) for cell in split] for part in parts}


def _at(columns: Mapping[str, NDArray[Any]], which: Any) -> dict[str, NDArray[Any]]:
    return {name: column[which] for name, column in columns.items()}


def counted(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number:,} {thing}s"
