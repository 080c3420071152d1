"""Logs in JSON: one record a line, one list of records, or Hugging Face's trainer_state.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from ..log import LogError
from .column_names import Roles, is_rate, roles
from .formats import TABLES, Format
from .rows import Rows, counted
from .text_file import PIECE, TextFile

HISTORY = re.compile(r'"log_history"\s*:\s*\[')
STATED = ("max_steps", "logging_steps", "num_train_epochs", "global_step", "total_steps", "train_batch_size")
TRIED = ("learning_rate", "warmup_steps", "warmup_ratio", "lr_scheduler_type", "num_train_epochs")
RATES = (int, float, str, list, dict)
WHOLE = 1 << 30  # rates in a file that is JSON as a whole, which no text can have more of
Record = dict[str, Any]


def recognise(sample: str) -> tuple[Format | None, int]:
    """The format of a text that begins with JSON, if it does, and how many records with rates it has."""
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
    if re.match(r"\[\s*(\{|\])", text) or re.match(r'\{\s*"[^"]*"\s*:\s*\[', text):
        return TABLES["json"], WHOLE
    return found, count


def _kind(record: Mapping[str, Any]) -> str:
    keys = set(record)
    if {"current_steps", "total_steps"} <= keys:
        return "llamafactory"
    if "train_lr" in keys:
        return "detr"
    if {"iteration", "lr", "data_time"} <= keys:
        return "detectron2_json"
    if {"lr", "step", "iter", "data_time"} <= keys:
        return "mmengine_json"
    return "wandb" if keys & {"_step", "_timestamp", "_runtime"} else "json"


def read(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """Add the rows of one JSON file."""
    text = source.sample().lstrip()
    if rows.form.name == "trainer_state" or HISTORY.search(text):
        outside = _listed(source, rows, columns, HISTORY)
        rows.settings |= {key: outside[key] for key in STATED if isinstance(outside.get(key), int | float)}
        if isinstance(tried := outside.get("trial_params"), dict):  # of a search over settings
            rows.settings |= {key: tried[key] for key in TRIED if isinstance(tried.get(key), int | float | str)}
    elif text.startswith("["):
        _listed(source, rows, columns, re.compile(r"\["))
    elif re.match(r'\{\s*"[^"]*"\s*:\s*\[', text) and _object(text.partition("\n")[0]) is None:
        _columns(source, rows, columns)
    else:
        _lines(source, rows, columns)


def _lines(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    broken = 0
    for piece in source.pieces():
        lines = [line for line in piece.split("\n") if line and not line.isspace()]
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
        rows.repair(
            f"{source.path.name}: {counted(broken, 'line')} that {'is' if broken == 1 else 'are'} no JSON left out"
        )


def _object(line: str) -> Record | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _listed(source: TextFile, rows: Rows, columns: Roles | None, opening: re.Pattern[str]) -> Record:
    """Add the records of the list that `opening` begins; what stands around the list comes back."""
    head, pieces = "", source.text()
    for text in pieces:
        head += text
        if found := opening.search(head):
            break
        if len(head) > 16 * PIECE:
            raise LogError(f"{source.path}: no list of records in its first {16 * PIECE:,} characters")
    else:
        raise LogError(f"{source.path}: no list of records; expected {rows.form.words}")
    rest = [head[found.end() :]]
    for batch in _elements(source, rows, pieces, rest):
        _add(rows, batch, columns)
    try:
        outside = json.loads(head[: found.end()] + "]" + rest[0])
    except (ValueError, RecursionError):
        outside = None
    if outside is None:
        rows.repair(f"{source.path.name}: the file ends before its JSON does, or is damaged around its list")
    return outside if isinstance(outside, dict) else {}


def _elements(source: TextFile, rows: Rows, pieces: Iterator[str], rest: list[str]) -> Iterator[list[Any]]:
    """The elements of a JSON list in batches; rest holds the text at its begin, and at the end what follows it."""
    decode, blank = json.JSONDecoder().raw_decode, re.compile(r"[\s,]*")
    text = rest[0]
    while True:
        batch, place = list[Any](), 0
        while True:
            place = blank.match(text, place).end()  # type: ignore[union-attr]
            if text.startswith("]", place):
                yield batch
                rest[0] = text[place + 1 :] + "".join(_few(pieces))
                return
            try:
                element, place = decode(text, place)
            except (ValueError, RecursionError):
                break
            batch.append(element)
        yield batch
        text = text[place:]
        if len(text) > PIECE:
            raise LogError(f"{source.path}: damaged JSON in the list of records: {text[:40]!r}")
        if (more := next(pieces, None)) is None:
            rest[0] = ""
            if text.strip():
                rows.repair(f"{source.path.name}: its last record is torn and left out")
            return
        text += more


def _few(pieces: Iterator[str]) -> Iterator[str]:
    """What follows the list, unless it is too long to be anything but damage."""
    for number, piece in enumerate(pieces):
        if number < 16:
            yield piece


def _columns(source: TextFile, rows: Rows, columns: Roles | None) -> None:
    """One object of lists, such as Keras' history."""
    text = ""
    for piece in source.text():
        text += piece
        if len(text) > 64 * PIECE:
            raise LogError(f"{source.path}: one JSON object of more than {64 * PIECE:,} characters")
    table = _object(text)
    if table is None:
        raise LogError(f"{source.path}: damaged JSON; expected {rows.form.words}")
    lists = {key: value for key, value in table.items() if isinstance(value, list)}
    count = max(map(len, lists.values()), default=0)
    _add(rows, [{key: v[i] for key, v in lists.items() if i < len(v)} for i in range(count)], columns)


def _add(rows: Rows, batch: list[Any], columns: Roles | None) -> None:
    records = batch if set(map(type, batch)) <= {dict} else [record for record in batch if isinstance(record, dict)]
    records = (
        [one for record in records for one in _inside(record)] if any("batches" in one for one in records) else records
    )
    # Records of an evaluation have the rate of the last update, and a clock of their own.
    records = [one for one in records if str(one.get("mode", "train")).startswith("train")]
    keys = dict.fromkeys(chain.from_iterable(records))
    found = columns or roles(keys)
    names = [name for name in found.rates if name in keys]
    if not names:
        return
    if len(names) == 1:
        records = [record for record in records if record.get(names[0]) is not None]
    else:
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
    rows.add(rates, {"update": column(found.update), "epoch": column(found.epoch)})


def _inside(record: Record) -> list[Record]:
    """The records of an epoch's batches where those have rates, as in skorch's history; else the record itself."""
    batches = [one for one in record.get("batches") or () if isinstance(one, dict)]
    if not any(is_rate(key) for one in batches for key in one):
        return [record]
    return [one | {"epoch": record.get("epoch"), "batch": number} for number, one in enumerate(batches, 1)]


def _spread(name: str, cells: Iterable[Any]) -> dict[str, list[Any]]:
    """Rates of several groups in one cell, as a list or an object, as one column each."""
    split = [
        dict(enumerate(cell)) if isinstance(cell, list) else cell if isinstance(cell, dict) else {0: cell}
        for cell in cells
    ]
    parts = list(dict.fromkeys(part for cell in split for part in cell))[:256]
    return {f"{name}/{part}": [cell.get(part) for cell in split] for part in parts}
