"""How fast long logs of each kind are read, and in how much memory beside the table itself.

    .venv/bin/python benchmarks/audit_readers.py [ROWS]

Each log is written to a temporary folder and read by a fresh process; the table takes about 50 bytes a row.
"""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from annealing.audit.readers.tensorboard import masked_checksum

READ = """
import resource, sys, time
from annealing.audit import read
pieces = []
read(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.process_time()
log = read(sys.argv[1], progress=lambda done, total: pieces.append(done))
seconds = time.process_time() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
columns = [log.clock, log.rates, log.half, log.process, *([] if log.epochs is None else [log.epochs])]
table = sum(column.nbytes for column in columns)
print(log.format, len(log), seconds, peak / 1024, table / 2**20, len(pieces))
"""
AUDIT = """
import resource, sys
from annealing.cli import main
sys.argv = ["annealing", "audit", sys.argv[1], "--expect", sys.argv[2]]
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"CPU s {used.ru_utime + used.ru_stime:.1f}, peak MiB {used.ru_maxrss / 1024:.0f} in all")
"""


def rates(count: int) -> Iterator[tuple[int, float]]:
    for number in range(1, count + 1):
        yield number, 5e-4 * (1 + math.cos(math.pi * number / (count + 1)))


def record(payload: bytes) -> bytes:
    """One TFRecord; readers check the first checksum alone."""
    header = struct.pack("<Q", len(payload))
    return header + struct.pack("<I", masked_checksum(header)) + payload + bytes(4)


def event(step: int, rate: float) -> bytes:
    varint = bytearray()
    while step > 127:
        varint.append(step & 127 | 128)
        step >>= 7
    varint.append(step)
    value = b"\x0a\x02lr\x15" + struct.pack("<f", rate)
    summary = b"\x0a" + bytes([len(value)]) + value
    return record(b"\x09" + bytes(8) + b"\x10" + bytes(varint) + b"\x2a" + bytes([len(summary)]) + summary)


def entry(n: int, rate: float) -> str:
    return json.dumps({"epoch": n / 1000, "grad_norm": 1.25, "learning_rate": rate, "loss": 2.5, "step": n})


KINDS: dict[str, tuple[str, Callable[[int, float], str], str]] = {
    "CSV": ("step,lr,loss\n", lambda n, rate: f"{n},{rate!r},2.5\n", ""),
    "JSON lines": ("", lambda n, rate: json.dumps({"lr": rate, "step": n, "loss": 2.5}) + "\n", ""),
    "trainer_state.json": (
        '{"log_history": [\n',
        lambda n, rate: entry(n, rate) + ",\n",
        '{"step": 0}], "max_steps": 9}',
    ),
    "detectron2's log": (
        "",
        lambda n, rate: (
            f"[11/18 14:20:37] d2.utils.events INFO:  eta: 1:00  iter: {n}  loss: 0.14  lr: {rate:.5g}  max\n"
        ),
        "",
    ),
    "two lines": ("", lambda n, rate: f"Epoch: {n}\nLearning rate: {rate:.6f}\n", ""),
    "Transformers' console": (
        "",
        lambda n, rate: (
            f" 0%| | {n}/99999999 [00:12<3:16, 1.01it/s]\r{{'loss': 3.5, 'learning_rate': {rate!r}, 'epoch': 0.1}}\n"
        ),
        "",
    ),
}


def write(folder: Path, name: str, count: int) -> Path:
    file = folder / f"{name.replace(' ', '_')}.{count}"
    if name == "TensorBoard":
        with file.open("wb") as out:
            out.write(record(b"\x09" + bytes(8) + b"\x1a\x0dbrain.Event:2"))
            out.writelines(event(n, rate) for n, rate in rates(count))
    else:
        begin, line, end = KINDS[name]
        with file.open("w") as text:
            text.write(begin)
            text.writelines(line(n, rate) for n, rate in rates(count))
            text.write(end)
    return file


def main(count: int) -> None:
    print("log                            rows    MiB    CPU s      rows/s  peak MiB  table MiB")
    with tempfile.TemporaryDirectory() as name:
        for kind in [*KINDS, "TensorBoard"]:
            file, small = (write(Path(name), kind, rows) for rows in (count, 10))
            command = [sys.executable, "-c", READ, str(file), str(small)]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            rows, (seconds, peak, table) = int(shown[1]), map(float, shown[2:5])
            assert rows == count, (kind, rows)
            size = file.stat().st_size / 2**20
            print(f"{kind:24} {rows:10,} {size:6.0f} {seconds:8.2f} {rows / seconds:11,.0f} {peak:9.0f} {table:10.0f}")
            if kind == "CSV":
                command = [sys.executable, "-c", AUDIT, str(file), f"cosine(0.001, 0, {count + 1})"]
                audited = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            file.unlink()
    print("annealing audit CSV --expect ...:", *audited.splitlines(), sep="\n  ")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
