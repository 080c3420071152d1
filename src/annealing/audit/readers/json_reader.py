"""Logs in JSON: one record a line, one list of records, or Hugging Face's trainer_state.json."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from itertools import chain, islice
from typing import Any

from ..log import LogError
from .log_formats import FORMATS, Format, Roles, is_rate, roles
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


def recognise(sample: str) -> dict[Format, int]:
    """The format of a text that starts as JSON, with how many records with rates it has."""
    text = sample.lstrip()
    if HISTORY.search(text) and text.startswith("{"):
        return {FORMATS["trainer_state"]: WHOLE}
    records = [_value(line) for line in text.split("\n") if line.lstrip().startswith("{")]
    rated = [record for record in records if isinstance(record, dict) and _has_rates(record)]
    several = len(rated) > 1 or (rated and "\n" in text.rstrip())
    if not several and (re.match(r"\[\s*(\{|\])", text) or LISTS.match(text)):
        return {FORMATS["json"]: WHOLE}
    return {FORMATS[_kind(rated[0])]: len(rated)} if rated else {}


def _has_rates(record: Record) -> bool:
    return any(is_rate(key) and isinstance(record[key], RATES) for key in record)


def _kind(record: Mapping[str, Any]) -> str:
    return next((name for name, keys in KEYS if keys <= set(record)), "json")


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one JSON file."""
    text = source.sample.lstrip()
    first, _, rest = text.partition("\n")
    whole = HISTORY.search(text) or text.startswith("[")
    # A line of lists among others has the groups of one row; alone it has all rows.
    if whole or (LISTS.match(text) and (not isinstance(_value(first), dict) or not rest.strip())):
        return _add(rows, _document(source, rows), columns)
    broken = 0
    for piece in source.pieces():
        records = [_value(line) for line in piece.split("\n") if line and not line.isspace()]
        broken += records.count(None)
        _add(rows, records, columns)
    if broken:
        rows.note(f"{counted(broken, 'line')} of something else than JSON {'was' if broken == 1 else 'were'} left out")
    return None


def _value(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _document(source: TextFile, rows: Rows) -> Any:
    """The records of a file that is one JSON value: a list of them, an object with such a list, or one of lists."""
    pieces = list(islice(source.text(), LARGEST + 1))
    if len(pieces) > LARGEST:
        raise LogError(f"{source.path}: one JSON value of more than {LARGEST} MiB; write one record a line")
    text = "".join(pieces)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _torn(source, rows, text)
    if not isinstance(found, dict):
        return found
    if isinstance(history := found.get("log_history"), list):
        rows.settings |= {key: found[key] for key in STATED if isinstance(found.get(key), int | float)}
        if isinstance(tried := found.get("trial_params"), dict):  # of a search over settings
            rows.settings |= {key: tried[key] for key in TRIED if isinstance(tried.get(key), int | float | str)}
        return history
    lists = {key: value for key, value in found.items() if isinstance(value, list)}
    count = max(map(len, lists.values()), default=0)
    return [{key: values[i] for key, values in lists.items() if i < len(values)} for i in range(count)]


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


def _add(rows: Rows, batch: Any, columns: Roles | None) -> None:
    records = [one for record in batch if isinstance(record, dict) for one in _inside(record)]
    # Records of an evaluation have the rate of the last update, and a clock of their own.
    training = [record for record in records if str(record.get("mode", "train")).startswith("train")]
    rows.leave_out(len(records) - len(training), "of an evaluation")
    keys = dict.fromkeys(chain.from_iterable(training))
    found = columns or roles(keys)
    told = {kind: name for kind, name in found._asdict().items() if isinstance(name, str)}
    for record in training:
        rates = {name: record.get(name) for name in found.rates if name in keys}
        if any(rate is not None for rate in rates.values()):
            rows.add(rates, {kind: record.get(name) for kind, name in told.items()})
            if rows.form.name == "llamafactory" and type(record.get("total_steps")) is int:
                rows.settings["total_steps"] = record["total_steps"]


def _inside(record: Record) -> list[Record]:
    """The records of an epoch's batches where those have rates, as in skorch's history; else the record itself."""
    listed = record.get("batches")
    batches = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not any(is_rate(key) for one in batches for key in one):
        return [record]
    return [one | {"epoch": record.get("epoch"), "batch": number} for number, one in enumerate(batches, 1)]
