"""The rows of a log while it is read, column by column, and the table that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..log import Log, LogError
from .formats import Format
from .precision import Booleans, Cells, Floats, Printed, Texts, bytes_of, values_of

MOST_GROUPS = 256
GENERAL = {"text", "patterns", "tqdm", "csv", "json"}  # whose updates may be counted in all or in an epoch
PLAIN = {int, float, type(None)}
Column = Sequence[Any] | Floats | Texts


class Rows:
    """The rows read so far; rates are added as printed texts or as numbers, one column for each group."""

    def __init__(self, form: Format) -> None:
        self.form = form
        self.updates: list[Floats] = []
        self.epochs: list[Floats] = []
        self.pers: list[Floats] = []
        self.file = ""
        self.path = ""  # of the first file
        self.starts: list[int] = []
        self.torn_rows: list[int] = []
        self.rates: dict[str, Printed] = {}
        self.count = 0
        self.settings: dict[str, Any] = {}
        self.repairs: list[str] = []
        self.left_out: list[tuple[int, str]] = []
        self.counted = False
        self.unit: str | None = form.unit
        self.first: int | None = None
        self.inner = False  # whether updates begin again in every epoch; `first` is the first epoch's number
        self.uncounted = False  # whether rows without an update are counted even where epochs are known
        self.slack = 0  # by how many updates they may be off
        self.torn = False  # the last number touches the end of a file without a line end

    def start(self, file: str = "") -> None:
        """From here on the rows are those of another file or process."""
        self.file = file or self.file
        self.starts.append(self.count)

    def end(self) -> None:
        """A file ends here, perhaps inside its last number, which then has fewer digits than all before."""
        if self.torn and self.count > self.starts[-1] and any(rate.ends_short() for rate in self.rates.values()):
            self.torn_rows.append(self.count - 1)
            self.left_out.append((1, "whose number the end of the file cuts"))
            self.repair(f"{self.file}: its last row left out: the file ends inside a number")
        self.torn = False

    def add(
        self,
        rates: Mapping[str, Column],
        updates: Column | None,
        epochs: Column | None,
        pers: Column | None = None,
    ) -> None:
        """Add rows: each column printed texts, or numbers (None where a row has none).

        pers: updates in an epoch, where the log says so.
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
        for kept, given in ((self.updates, updates), (self.epochs, epochs), (self.pers, pers)):
            kept.append(np.full(count, np.nan) if given is None else floats(given))
        self.count += count

    def repair(self, sentence: str) -> None:
        if sentence not in self.repairs and len(self.repairs) < 50:
            self.repairs.append(sentence)

    def leave_out(self, rows: int, reason: str, file: str = "") -> None:
        self.left_out.append((rows, reason))
        self.repair(f"{file}{': ' if file else ''}{counted(rows, 'row')} {reason} left out")

    def log(self, where: str, expected: str) -> Log:
        """The table; rows without a finite rate or without a clock are left out, which the repairs say."""
        if not self.count:
            raise LogError(f"{where}: no learning rate found; expected {expected}")
        names = list(self.rates)
        updates, epochs, pers = (np.concatenate(column) for column in (self.updates, self.epochs, self.pers))
        finite = np.column_stack(
            [np.concatenate([np.isfinite(part.values) for part in self.rates[name].parts]) for name in names]
        )
        keep: Booleans = np.any(finite, axis=1)
        if lost := self.count - int(np.sum(keep)):
            self.leave_out(lost, "without a finite rate")
        keep[self.torn_rows] = False
        clock, unit = self._clock(updates, epochs, pers, keep)
        if lost := int(np.sum(keep & ~np.isfinite(clock))):
            thing = "an update number" if unit == "update" else "an epoch"
            self.leave_out(lost, f"without {thing}")
        keep &= np.isfinite(clock)
        if not keep.any():
            raise LogError(f"{where}: no row has a finite rate; expected {expected}")
        values, half = self._table(names, keep)
        process = np.zeros(self.count, np.int64)
        for begin in self.starts[1:]:
            process[begin:] += 1
        groups: Booleans = np.any(finite & keep[:, None], axis=0)
        kept: Any = slice(None) if keep.all() else keep
        if process[-1] == 0 and int(keep.sum()) > 2 and bool(np.all(np.diff(clock[kept]) < 0)):
            kept = np.flatnonzero(keep)[::-1]
            self.repair("the rows stand latest first, and were turned round")
        if not groups.all():
            values, half = values[:, groups], half[:, groups]
        return Log(
            format=self.form.name,
            clock=clock[kept],
            rates=values[kept],
            half=half[kept],
            process=process[kept],
            groups=tuple(name.strip() for name, used in zip(names, groups, strict=True) if used),
            unit="epoch" if unit == "epoch" else "update",
            epochs=epochs[kept] if (np.isfinite(epochs) & keep).any() else None,
            shift=self.form.shift,
            slack=self.slack if unit == "update" else 0,
            settings=self.settings,
            repairs=tuple(self.repairs),
            counted=self.counted,
            averaged=self.form.style == "mean",
            left_out=tuple(self.left_out),
            file=self.path,
        )

    def _table(self, names: list[str], keep: Booleans) -> tuple[Floats, Floats]:
        """The rates of every group and their tolerances, NaN where a row has none."""
        values, half = np.empty((self.count, len(names))), np.empty((self.count, len(names)))
        for place, name in enumerate(names):
            values[:, place], half[:, place] = self.rates.pop(name).column(keep)
        none = ~np.isfinite(values)
        values[none], half[none] = np.nan, np.nan
        return values, half

    def _clock(self, updates: Floats, epochs: Floats, pers: Floats, keep: Booleans) -> tuple[Floats, str]:
        """What the log counts: updates where any row has one, else epochs, else the rows."""
        counts, said = (bool((np.isfinite(column) & keep).any()) for column in (updates, epochs))
        general = self.form.name in GENERAL
        if counts and said and (self.inner or (general and _begins_again(updates[keep], epochs[keep]))):
            if np.unique(updates[keep]).size == 1 < np.unique(epochs[keep]).size:
                return epochs, "epoch"
            if (np.isfinite(pers) & keep).any():
                first = self.first if self.first is not None else int(np.nanmin(epochs[keep]) > 0)
                return (epochs - first) * pers + updates, "update"
            self.repair(
                "its updates begin again in every epoch, and it does not say how many there are: epochs are used"
            )
            return epochs, "epoch"
        if counts and self.unit != "epoch":
            return updates, "update"
        if said and not self.uncounted:
            return epochs, "epoch"
        self.counted = True
        self.repair("the log says no update number: its rows are counted, from 1")
        clock = np.full(self.count, np.nan)
        clock[keep] = np.arange(1, int(keep.sum()) + 1)
        return clock, "update"


def _begins_again(updates: Floats, epochs: Floats) -> bool:
    """Whether the updates do not rise where the epoch does."""
    both = np.isfinite(updates) & np.isfinite(epochs)
    rises = np.diff(epochs[both]) > 0
    return bool(rises.any() and np.mean(np.diff(updates[both])[rises] <= 0) >= 0.5)


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
