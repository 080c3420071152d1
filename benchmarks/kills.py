"""Kill a comparison many times at random moments, and hold its records against those of an undisturbed one.

    python benchmarks/kills.py [KILLS]    (100 unless given)

Each time the whole command is killed, or one of its workers; then the same command goes on. Exit status 1 if a record
differs.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXPERIMENT = """
task: digits
epochs: {epochs}
seeds: 2
schedules:
  step: multistep(0.1, [2, 3], gamma=0.2)
  restarts: warm_restarts(eta_max=0.05, T_0=0.5, T_mult=2)
baseline: step
checkpoint_seconds: 0
"""


def records(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name != "clock.jsonl"]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def workers(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def main(kills: int) -> int:
    moments = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "experiment.yaml"
        file.write_text(EXPERIMENT.format(epochs=kills // 2 + 4))

        def start(out: str) -> subprocess.Popen[bytes]:
            program = [sys.executable, "-c", "from annealing.cli import main; main()", "compare", str(file)]
            return subprocess.Popen([*program, "--out", str(Path(place) / out)], stdout=subprocess.DEVNULL)

        assert start("undisturbed").wait() == 0
        killed = finished = 0
        while killed < kills:
            process = start("killed")
            time.sleep(moments.uniform(2.0, 6.0))  # torch takes about two seconds to import
            if process.poll() is None:
                victims = workers(process.pid)
                if victims and moments.random() < 0.3:
                    os.kill(moments.choice(victims), signal.SIGKILL)
                    killed += 1
                    time.sleep(moments.uniform(0.0, 3.0))
                process.kill()
                killed += 1
            else:
                finished += 1
            process.wait()
            if finished:
                break
        assert start("killed").wait() == 0
        one, other = (records(Path(place) / name) for name in ("undisturbed", "killed"))
        apart = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
        print(f"{killed} kills, {len(one)} records, {len(apart)} differ: {', '.join(apart) or 'none'}")
        return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
