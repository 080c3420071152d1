"""Lines read many at once give the table that they give one by one, and numbers are those of Python, bit for bit."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_audit_fuzz import PIECES, event, record
from test_audit_readers import LOGS, SAMPLES

from annealing.audit import Log, LogError, read
from annealing.audit.readers import alike, tensorboard
from annealing.audit.readers.digits import Numbers, form_of
from annealing.audit.readers.precision import Cells
from annealing.audit.readers.text_formats import GROUP, TEXTS

INTEGERS = (
    st.integers(0, 10**18 - 1).map(str) | st.integers(0, 99).map(str) | st.from_regex("[0-9]{1,18}", fullmatch=True)
)
TAILS = st.from_regex("[0-9]{0,26}", fullmatch=True)
NUMBERS = st.one_of(
    st.floats(0, 1e30, allow_nan=False).map(repr),
    st.floats(1e-300, 1e-3).map(repr),
    st.tuples(INTEGERS, TAILS).map(".".join),
    st.builds("{}.{}e{}{}".format, INTEGERS, TAILS, st.sampled_from(["", "-", "+"]), st.integers(0, 330)),
    st.builds("-.{}E{}".format, st.from_regex("[0-9]{1,26}", fullmatch=True), st.integers(-20, 20)),
)
HALFWAY = "9007199254740993"  # between two floats, as 2**53 + 1 is


@settings(max_examples=300, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=30))
@example([HALFWAY, HALFWAY + ".0000000001", HALFWAY + "e3", "2.5e-324", "5e-324", "1e400", "0", "0.000", "00.10"])
@example(["0.1234567890123456789012345e0000000000000001", "18446744073709551615", "9" * 18 + "." + "9" * 26])
def test_numbers_are_those_of_python(texts: list[str]) -> None:
    for text in texts:
        data = np.frombuffer(f"x {text}\nx {text}\n".encode(), np.uint8)
        digit = np.concatenate([[False], (data >= 48) & (data <= 57), [False]])
        edges = np.flatnonzero(digit[1:] != digit[:-1])
        runs = len(edges) // 4
        names = iter(range(1000, 1009))
        marked = "".join(str(next(names)) if part.isdigit() else part for part in re.split("([0-9]+)", text) if part)
        form = form_of(marked, 1000)
        assert form is not None
        cells = Numbers(data, edges[::2], edges[1::2]).cells(form, np.array([0, runs]))
        value = float(text)
        assert cells.values.tolist() == [value if np.isfinite(value) else pytest.approx(np.nan, nan_ok=True)] * 2, text
        for name, one, two in zip(Cells._fields, cells, Cells.of(np.array([text] * 2, np.bytes_)), strict=True):
            assert np.array_equal(one, two, equal_nan=one.dtype.kind == "f"), (text, name)


def told(path: Path, form: str | None = None) -> Log | str:
    try:
        return read(path, format=form)
    except LogError as error:
        return str(error)


def check_both_ways(path: Path, monkeypatch: pytest.MonkeyPatch, form: str | None = None) -> Log | str:
    """The same log in both ways, in everything that it says."""
    monkeypatch.setattr(alike, "LEAST", 0)
    monkeypatch.setattr(tensorboard, "LEAST", 2)
    fast = told(path, form)
    monkeypatch.setattr(alike, "LEAST", 1 << 60)
    monkeypatch.setattr(tensorboard, "LEAST", 1 << 60)
    slow = told(path, form)
    if isinstance(fast, str) or isinstance(slow, str):
        assert fast == slow
        return fast
    for name in ("format", "groups", "unit", "shift", "settings", "repairs", "left_out", "counted"):
        assert getattr(fast, name) == getattr(slow, name), name
    for name in ("clock", "rates", "half", "process", "epochs"):
        one, two = getattr(fast, name), getattr(slow, name)
        assert (one is None) == (two is None), name
        assert one is None or np.array_equal(one, two, equal_nan=True), (name, one, two)
    return fast


DAMAGES: list[Callable[[str], str]] = [
    lambda line: line,
    lambda line: line[: len(line) // 2],
    lambda line: line + " and more",
    lambda line: line.replace("0.", "nan", 1),
    lambda line: line.replace("0.", ".", 1),
    lambda line: line.replace("0.", "x", 1),
    lambda line: line.replace("1", "", 1),
    lambda line: line.replace("1", "01", 1),
    lambda line: line.replace("0.0", "9" * 30 + ".", 1),
    lambda line: line.replace(",", ",,", 1),
    lambda line: line.replace(",", "", 1),
    lambda line: line.replace("e-0", "E-0000000", 1),
    lambda line: "#" + line,
    lambda line: '"' + line + '"',
    lambda line: '"' + line,
    lambda line: line + "\n",
    lambda line: line + "\r",
    lambda line: line.replace(" ", "   ", 1),
    lambda line: line.replace("0.", "0.\u0663", 1),
    lambda line: line.replace("null", "true", 1),
    lambda line: line.replace(":", ": -", 1),
    lambda line: line.upper(),
    lambda line: "step,lr,epoch,loss",
    lambda line: "",
    lambda line: "   ",
]
LINES: dict[str, tuple[str, Callable[[int, str], str]]] = {
    "csv": ("step,lr,epoch,loss", lambda n, rate: f"{n},{rate},{n // 3},0.25"),
    "several": ("lr/pg0;step;lr/pg1", lambda n, rate: f"{rate.replace('.', ',')};{n};0,{n}"),
    "quoted": ('"Step","run - train/lr","x"', lambda n, rate: f'"{n}","{rate}","a, b"'),
    "padded": ("  epoch,  lr/pg0,  lr/pg1", lambda n, rate: f"{n:7},{rate:>20},  0.{n}"),
    "json": ("", lambda n, rate: json.dumps({"lr_0": 0.5, "step": n, "when": "0:01", "none": None})),
    "rates in JSON": ("", lambda n, rate: f'{{"step": {n}, "lr": {rate}, "lr_{n % 2}": 1e-{n % 9}, "epoch": 0.{n}}}'),
    "one file of LLaMA-Factory": (
        "",
        lambda n, rate: f'{{"current_steps": {n}, "total_steps": {n % 7 * 100}, "lr": {rate}, "epoch": 1.5}}',
    ),
    "two lines": ("", lambda n, rate: f"Epoch: {n}\nLearning rate: {rate}"),
    "one line": ("", lambda n, rate: f"epoch {n // 5} step {n % 5}/5 lr: {rate}, {n} steps"),
    "PyTorch": ("", lambda n, rate: f"Epoch {n}: adjusting learning rate of group {n % 2} to {rate}."),
    "detectron2": ("", lambda n, rate: f"[11/18] d2.utils.events INFO: eta: {n}:01  iter: {n}  lr: {rate}  iter: 3"),
    "mmengine": ("", lambda n, rate: f"Epoch(train) [{1 + n // 4}][{n % 4}/4]  base_lr: 1e-2 lr: {rate}  eta: {n}"),
    "transformers": (
        "",
        lambda n, rate: (
            f" 0%| | {n}/900 [00:{n}<3:16, 1.01it/s]\r{{'loss': 3, 'learning_rate': {rate}, 'epoch': 0.{n}}}"
        ),
    ),
}
RATES: list[Callable[[float], str]] = [repr, "{:.4e}".format, "{:.6f}".format, "{:g}".format]
PROPERTY = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.parametrize("name", LINES)
@PROPERTY
@given(st.randoms(use_true_random=False))
def test_damaged_lines(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: random.Random) -> None:
    header, line = LINES[name]
    first, share, printed = source.choice([0, 90, 3000]), source.choice([0, 0.05, 0.2]), source.choice(RATES)
    lines = [header] * bool(header)
    for n in range(first, first + source.randint(1, 40)):
        damage = source.choice(DAMAGES) if source.random() < share else DAMAGES[0]
        lines.append(damage(line(n, printed(10 ** source.uniform(-9, 0)))))
    end = source.choice(["\n", "\n", "\r\n"])
    (tmp_path / "log").write_bytes((end.join(lines) + end * source.randint(0, 1)).encode())
    check_both_ways(tmp_path / "log", monkeypatch)


@PROPERTY
@given(st.data())
def test_damaged_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    text = SAMPLES[name].encode() * 2
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + data.draw(st.integers(0, 9)) :]
    (tmp_path / "log").write_bytes(text)
    check_both_ways(tmp_path / "log", monkeypatch)
    check_both_ways(tmp_path / "log", monkeypatch, name)


def scalar(tag: bytes, step: int, value: float) -> bytes:
    inner = b"\x0a" + bytes([len(tag)]) + tag + b"\x15" + struct.pack("<f", value)
    number = b""
    while step > 127:
        number, step = number + bytes([step & 127 | 128]), step >> 7
    number += bytes([step])
    summary = b"\x0a" + bytes([len(inner)]) + inner
    return record(
        b"\x09" + struct.pack("<d", 1e9 + value) + b"\x10" + number + b"\x2a" + bytes([len(summary)]) + summary
    )


TAGS = st.lists(st.sampled_from([b"lr", b"loss", b"lr/pg0", b"lr/pg1", b"train/acc"]), min_size=1, max_size=4)


@PROPERTY
@given(
    st.lists(st.tuples(TAGS, st.integers(1, 12), st.integers(0, 300)), min_size=1, max_size=6),
    st.none() | st.tuples(st.integers(0, 10_000), st.sampled_from(PIECES)),
)
def test_event_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parts: list[tuple[list[bytes], int, int]],
    damage: tuple[int, bytes] | None,
) -> None:
    """Stretches of other tags, steps that come again, a step that goes on in the next stretch, and damage."""
    data = event(1, 0.5)
    for tags, count, first in parts:
        for step in range(first, first + count):
            data += b"".join(scalar(tag, step, 0.5 / (step + 1)) for tag in tags)
    if damage:
        at = damage[0] % len(data)
        data = data[:at] + damage[1] + data[at + 3 :]
    (tmp_path / "log").write_bytes(data)
    check_both_ways(tmp_path / "log", monkeypatch)


@pytest.mark.skipif(not LOGS.exists(), reason="the real logs are not beside this checkout")
def test_real_logs_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    for file in sorted(LOGS.glob("[0-9]*")):
        assert isinstance(check_both_ways(file, monkeypatch), Log)


def test_a_header_that_comes_again_among_lines_that_are_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "lr/pg0,step\n" + "".join(f"0.{n},{n}\n" for n in range(1, 9))
    (tmp_path / "log").write_text(rows * 3)
    log = check_both_ways(tmp_path / "log", monkeypatch)
    assert isinstance(log, Log)
    assert log.process.tolist() == [0] * 8 + [1] * 8 + [2] * 8


def test_lines_are_really_read_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this every other test here could compare the careful way with itself."""
    monkeypatch.setattr(alike, "LEAST", 0)
    piece = alike.sorted_out("step 9 lr 0.5\nstep 10 lr 0.25\nstep 11 lr 1e-05\n")
    assert piece is not None
    assert [(kind.short, kind.lines.tolist()) for kind in piece.kinds] == [
        ("step 0 lr 0.0", [0, 1]),
        ("step 0 lr 0e-0", [2]),
    ]
    assert piece.kinds[0].marked == "step 1000 lr 1001.1002"
    assert alike.sorted_out("lr " + "9" * 19 + "\n") is None


def test_no_pattern_asks_for_a_digit_but_one() -> None:
    """Lines that are alike match alike, unless a pattern has a digit of its own; the one that has says so."""
    for form in TEXTS:
        for pattern in form.patterns:
            plain = re.sub(r"\\.|\[[^\]]*\]|\{[0-9,]*\}|" + GROUP + " ?0", "", pattern)
            assert not re.search("[0-9]", plain), plain
