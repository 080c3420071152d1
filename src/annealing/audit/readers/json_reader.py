"""Logs in JSON: one record a line, one list of records, or Hugging Face's trainer_state.json."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from typing import Any

from ..log import LogError
from .column_names import Roles, is_rate, roles
from .log_formats import TABLES, Format
from .rows import Rows, counted
from .text_file import PIECE, TextFile

LISTS = re.compile(r'\{\s*"[^"]*"\s*:\s*\[')
LARGEST = 128  # pieces of a JSON value, which is read as a whole
HISTORY = re.compile(r'"log_history"\s*:\s*\[')
STATED = ("max_steps", "logging_steps", "num_train_epochs", "global_step", "total_steps", "train_batch_size")
TRIED = ("learning_rate", "warmup_steps", "warmup_ratio", "lr_scheduler_type", "num_train_epochs")
RATES = (int, float, str, list, dict)
WHOLE = 1 << 30  # rates in a file that is JSON as a whole, which no text can have more of
Record = dict[str, Any]
KEYS = [  # that only the records of a format have
    ("llamafactory", {"current_steps", "total_steps"}),
    ("detr", {"train_lr"}),
    ("detectron2_json", {"iteration", "lr", "data_time"}),
    ("mmengine_json", {"lr", "step", "iter", "data_time"}),
    ("mmcv_json", {"mode", "epoch", "iter", "lr"}),
    *(("wandb", {key}) for key in ("_step", "_timestamp", "_runtime")),
]


def recognise(sample: str) -> tuple[Format | None, int]:
    """The format of a text that starts with JSON, if it does, and how many records with rates it has."""
    text, found, count = sample.lstrip(), None, 0
    if HISTORY.search(text) and text.startswith("{"):
        return TABLES["trainer_state"], WHOLE
    if not text.startswith(("{", "[")):
        return None, 0
    for line in text.split("\n"):
        record = _object(line) if line.lstrip().startswith("{") else None
        if record is not None and any(is_rate(key) and isinstance(record[key], RATES) for key in record):
            found, count = found or TABLES[_kind(record)], count + 1
    if count > 1 or (count and "\n" in text.rstrip()):
        return found, count
    if re.match(r"\[\s*(\{|\])", text) or LISTS.match(text):
        return TABLES["json"], WHOLE
    return found, count


def _kind(record: Mapping[str, Any]) -> str:
    return next((name for name, keys in KEYS if keys <= set(record)), "json")


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one JSON file."""
    text = source.sample().lstrip()
    first, _, rest = text.partition("\n")
    whole = HISTORY.search(text) or text.startswith("[")
    # A line of lists among others has the groups of one row; alone it has all rows.
    if whole or (LISTS.match(text) and (_object(first) is None or not rest.strip())):
        _document(source, rows, columns)
    else:
        _lines(source, rows, columns)


def _lines(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    broken = 0
    for piece in source.pieces():
        lines = [line for line in piece.split("\n") if line and not line.isspace()]
        # One call for all lines is several times as fast as one for each.
        try:
            batch = json.loads(f"[{','.join(lines)}]")
            if len(batch) != len(lines):
                raise ValueError
        except (ValueError, RecursionError):
            found = [_object(line) for line in lines]
            broken += sum(record is None for record in found)
            batch = [record for record in found if record is not None]
        _add(rows, batch, columns)
    if broken:
        rows.note(f"{counted(broken, 'line')} of something else than JSON {'was' if broken == 1 else 'were'} left out")


def _object(line: str) -> Record | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _document(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """A file that is one JSON value: a list of records, an object with such a list, or an object of lists."""
    pieces = list(islice(source.text(), LARGEST + 1))
    if len(pieces) > LARGEST:
        raise LogError(f"{source.path}: one JSON value of more than {LARGEST} MiB; write one record a line")
    text = "".join(pieces)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _torn(source, rows, text)
    if isinstance(found, dict) and isinstance(found.get("log_history"), list):
        rows.settings |= {key: found[key] for key in STATED if isinstance(found.get(key), int | float)}
        if isinstance(tried := found.get("trial_params"), dict):  # of a search over settings
            rows.settings |= {key: tried[key] for key in TRIED if isinstance(tried.get(key), int | float | str)}
        found = found["log_history"]
    elif isinstance(found, dict):
        lists = {key: value for key, value in found.items() if isinstance(value, list)}
        count = max(map(len, lists.values()), default=0)
        found = [{key: v[i] for key, v in lists.items() if i < len(v)} for i in range(count)]
    _add(rows, found, columns)


def _torn(source: TextFile, rows: Rows, text: str) -> list[Any]:
    """The records of a list up to its end or to the damage in it."""
    opening = HISTORY.search(text) or re.match(r"\s*\[", text)
    if opening is None:
        raise LogError(f"{source.path}: damaged JSON; expected {rows.form.words}")
    decode, blank, records = json.JSONDecoder().raw_decode, re.compile(r"[\s,]*"), list[Any]()
    place = opening.end()
    with contextlib.suppress(ValueError, RecursionError):
        while True:
            place = blank.match(text, place).end()  # type: ignore[union-attr]
            record, place = decode(text, place)
            records.append(record)
    if text.startswith("]", place):
        rows.note("the JSON is cut off or damaged around its list of records")
    elif len(text) - place > PIECE:
        raise LogError(f"{source.path}: damaged JSON in the list of records: {text[place : place + 40]!r}")
    else:
        rows.note("its last record is cut off and was left out")
    return records


def _add(rows: Rows, batch: list[Any], columns: Roles | None) -> None:
    records = batch if set(map(type, batch)) <= {dict} else [record for record in batch if isinstance(record, dict)]
    if any("batches" in one for one in records):
        records = [one for record in records for one in _inside(record)]
    # Records of an evaluation have the rate of the last update, and a clock of their own.
    if len(training := [one for one in records if str(one.get("mode", "train")).startswith("train")]) < len(records):
        rows.leave_out(len(records) - len(training), "of an evaluation")
        records = training
    keys = dict.fromkeys(chain.from_iterable(records))
    found = columns or roles(keys)
    names = [name for name in found.rates if name in keys]
    if not names:
        return
    records = [record for record in records if any(record.get(name) is not None for name in names)]
    if not records:
        return
    rates: dict[str, list[Any]] = {}
    for name in names:
        cells = [record.get(name) for record in records]
        if not {dict, list}.isdisjoint(map(type, cells)):
            rates |= _spread(name, cells)
        else:
            rates[name] = cells

    def column(name: str | None) -> list[Any] | None:
        return None if name is None else [record.get(name) for record in records]

    if rows.form.name == "llamafactory" and (totals := [n for n in column("total_steps") or () if type(n) is int]):
        rows.settings["total_steps"] = totals[-1]
    rows.add(rates, {name: column(getattr(found, name)) for name in ("update", "epoch", "per")})


def _inside(record: Record) -> list[Record]:
    """The records of an epoch's batches where those have rates, as in skorch's history; else the record itself."""
    batches = [one for one in record.get("batches") or () if isinstance(one, dict)]
    if not any(is_rate(key) for one in batches for key in one):
        return [record]
    return [one | {"epoch": record.get("epoch"), "batch": number} for number, one in enumerate(batches, 1)]


def _spread(name: str, cells: Iterable[Any]) -> dict[str, list[Any]]:
    """Split cells that hold the rates of several groups, as a list or an object, into columns."""
    split = [
        dict(enumerate(cell)) if isinstance(cell, list) else cell if isinstance(cell, dict) else {0: cell}
        for cell in cells
    ]
    parts = list(dict.fromkeys(part for cell in split for part in cell))[:256]
    return {f"{name}/{part}": [cell.get(part) for cell in split] for part in parts}
