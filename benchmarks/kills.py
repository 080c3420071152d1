"""Kill a comparison many times at random moments, and hold its records against those of an undisturbed one.

    python benchmarks/kills.py [KILLS]    (100 unless given)

Each time the whole command is killed, or first one of its workers; then the same command goes on. Where it comes to its
end, another begins in a new directory, until there were so many kills. Exit status 1 if a record differs, or if no
trial was ever interrupted.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

EXPERIMENT = """
task: digits
epochs: 12
seeds: 2
schedules:
  step: multistep(0.1, [4, 8], gamma=0.2)
  restarts: warm_restarts(eta_max=0.05, T_0=2, T_mult=2)
baseline: step
checkpoint_seconds: 0
"""
WALL_TIME = {"clock.jsonl", "cost.csv", "report.html"}


def records(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name not in WALL_TIME]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def apart(one: Path, other: Path) -> list[str]:
    """The records that differ."""
    first, second = records(one), records(other)
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def resumed(directory: Path) -> int:
    """How often a trial was begun again."""
    begins = [path.read_text().count('"event": "begin"') for path in directory.glob("trials/*/clock.jsonl")]
    return sum(begins) - len(begins)


def workers(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def killed_worker(parent: int, moments: random.Random) -> bool:
    """Kill a worker of a running command, if it has one."""
    with suppress(OSError, IndexError):
        os.kill(moments.choice(workers(parent)), signal.SIGKILL)
        return True
    return False


def main(kills: int) -> int:
    moments = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "experiment.yaml"
        file.write_text(EXPERIMENT)

        def start(out: Path) -> subprocess.Popen[bytes]:
            program = [sys.executable, "-c", "from annealing.cli import main; main()", "compare", str(file)]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            return subprocess.Popen([*program, "--out", str(out)], **quiet)

        undisturbed = Path(place) / "undisturbed"
        began = time.perf_counter()
        assert start(undisturbed).wait() == 0
        whole = time.perf_counter() - began
        outs = [Path(place) / "killed-0"]
        killed = 0
        while killed < kills:
            process = start(outs[-1])
            time.sleep(moments.uniform(0.2 * whole, 0.6 * whole))  # the beginning is the import of torch
            if process.poll() is None and moments.random() < 0.3 and killed_worker(process.pid, moments):
                killed += 1
                time.sleep(moments.uniform(0.0, 0.2 * whole))
            if process.poll() is None:
                process.kill()
                killed += 1
            if process.wait() == 0:
                outs.append(Path(place) / f"killed-{len(outs)}")
        assert start(outs[-1]).wait() == 0
        again = sum(map(resumed, outs))
        found = [f"{out.name}/{name}" for out in outs for name in apart(undisturbed, out)]
        print(
            f"{killed} kills over {len(outs)} comparisons of {len(records(undisturbed))} records, {again} times a "
            f"trial went on; records that differ: {', '.join(found) or 'none'}"
        )
        return 1 if found or not again or killed < kills else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
