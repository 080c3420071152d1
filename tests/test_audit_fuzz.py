"""Mutated logs of every format: each ends in a Log that is whole, or in a LogError, and soon."""

from __future__ import annotations

import gzip
import random
import re
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_audit_readers import LOGS, SAMPLES

from annealing.audit import LogError, formats, read
from annealing.audit.readers.log_formats import TEXTS
from annealing.audit.readers.regex_reader import combined
from annealing.audit.readers.tensorboard import masked_checksum

SECONDS = 20  # for one case on a busy machine; the slowest takes well below 1
PIECES = [
    *(b"nan", b"inf", b"-inf", b"NaN", b"null", b"1e999", b"-1e-999", b"9" * 400, b"0x1p3", b"1_0", b"\xff\xfe", b"\0"),
    *(b"\n", b"\r", b'"', b"'", b"{", b"}", b"[", b"]", b",", b";", b"\t", b" ", b"lr", b"step", b"epoch", b"\xe9"),
    *(
        b"1e400",
        b"-5",
        b"true",
        b'{"lr": 1}',
        b"lr: 0.1",
        b"\xef\xbb\xbf",
        "٣".encode(),
        b"e" * 50,
        b"[" * 3000,
        b"[" * 50,
    ),
]


def record(payload: bytes) -> bytes:
    header = struct.pack("<Q", len(payload))
    return header + struct.pack("<I", masked_checksum(header)) + payload + bytes(4)


def event(step: int, rate: float) -> bytes:
    value = b"\x0a\x02lr\x15" + struct.pack("<f", rate)
    summary = b"\x0a" + bytes([len(value)]) + value
    return record(b"\x09" + bytes(8) + b"\x10" + bytes([step]) + b"\x2a" + bytes([len(summary)]) + summary)


SEEDS = {name: text.encode() for name, text in SAMPLES.items()}
SEEDS["gzip"] = gzip.compress(SEEDS["csv"])
SEEDS["tensorboard"] = b"".join(event(step, 0.1 / step) for step in range(1, 9))


def seeds() -> dict[str, bytes]:
    """The samples, and parts of real logs where they are there."""
    real = {}
    for file in sorted(LOGS.glob("[0-9]*")):
        lines = file.read_bytes()[:60_000].splitlines(keepends=True)
        real[file.name] = b"".join(lines[:10] + lines[-20:])
    return SEEDS | real


def mutated(data: bytes, source: random.Random) -> bytes:
    for _ in range(source.randint(1, 6)):
        i, j = sorted(source.randrange(len(data) + 1) for _ in range(2))
        j = min(j, i + source.choice([1, 3, 10, 100, 10_000]))
        match source.randrange(6):
            case 0:
                data = data[:i] + data[j:]
            case 1:
                data = data[:j] + data[i:j] + data[j:]
            case 2:
                data = data[:i] + source.choice(PIECES) + data[i:]
            case 3:
                data = data[:i] + source.choice(PIECES) + data[j:]
            case 4:
                data = data[:i] + bytes(source.randrange(256) for _ in range(j - i)) + data[j:]
            case _:
                data = data[:j]
    return data


def check(file: Path, form: str | None) -> None:
    begin = time.monotonic()
    try:
        log = read(file, format=form)
    except LogError:
        return
    finally:
        assert time.monotonic() - begin < SECONDS
    count, groups = log.rates.shape
    assert len(log) == count > 0
    assert len(log.groups) == groups > 0
    assert log.half.shape == log.rates.shape
    assert log.process.shape == (count,)
    assert log.epochs is None or log.epochs.shape == (count,)
    assert np.isfinite(log.clock).all()
    assert np.isfinite(log.rates).any(axis=1).all()
    assert not np.isinf(log.rates).any()
    assert (np.isnan(log.half) == np.isnan(log.rates)).all()
    assert not (log.half < 0).any()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(seeds())), st.randoms(use_true_random=False), st.sampled_from([None, *formats()]))
def test_mutated_logs(tmp_path: Path, name: str, source: random.Random, form: str | None) -> None:
    file = tmp_path / "log"
    file.write_bytes(mutated(seeds()[name], source))
    check(file, None)
    check(file, form)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([None, *formats()]))
def test_any_bytes(tmp_path: Path, data: bytes, form: str | None) -> None:
    (tmp_path / "log").write_bytes(data)
    check(tmp_path / "log", form)


NEAR = ["d2.utils.events ", "maskrcnn_benchmark.trainer INFO: ", "12/34 [", "lr= x", "lr: x ", " ", "1", "[", "{", "1."]


@pytest.mark.parametrize("form", range(len(TEXTS)))
def test_near_matches_are_searched_once(form: int) -> None:
    """One long line of what almost matches takes no more time than a few plain searches of it."""
    pattern = combined(TEXTS[form].patterns)
    lines = [
        *SAMPLES.get(TEXTS[form].name, "1683213412341 0.05 100").splitlines(),
        "Iter(train) [20/40000] lr: 1.0000e-03",
    ]
    line = max(lines, key=lambda line: len(pattern.findall(line)))
    match = pattern.search(line)
    assert match
    parts = [match[0][:cut] for cut in range(1, len(match[0]), 1 + len(match[0]) // 12)]
    for part in [*parts, *(part + "x " for part in parts), *NEAR]:
        text = part * (1 + 40_000 // len(part))
        signs = [pattern, *([re.compile(TEXTS[form].sign or "")] * bool(TEXTS[form].sign))]
        plain, took = (min(_seconds(search, text) for _ in range(2)) for search in ([WORD] * 2, signs))
        assert took < 60 * plain + 0.01, (part, took, plain)  # measured: up to 10; a search from every begin: 200


WORD = re.compile(r"\w+")


def _seconds(patterns: list[re.Pattern[str]], text: str) -> float:
    begin = time.process_time()
    for pattern in patterns:
        pattern.findall(text)
    return time.process_time() - begin


@pytest.mark.slow
def test_many_mutated_logs(tmp_path: Path) -> None:
    """Ten thousand; a failure names the number that seeds it."""
    everything = seeds()
    names, known = sorted(everything), [None, None, *formats()]
    file = tmp_path / "log"
    for number in range(10_000):
        source = random.Random(number)
        file.write_bytes(mutated(everything[source.choice(names)], source))
        try:
            check(file, source.choice(known))
        except Exception as error:
            raise AssertionError(f"case {number}") from error
