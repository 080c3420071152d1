"""How fast schedules are, beside bare NumPy, PyTorch and (where installed) Optax, timm and lrsched, in one run.

    .venv/bin/python benchmarks/speed.py

Every ratio is the median over rounds in which the two are timed one after the other, in processor time, which other
processes on the machine hardly change. Needs nothing but the test environment; peers that are not installed are left
out (`pip install optax lrsched && pip install --no-deps timm`).
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import statistics
import subprocess
import sys
import time
import timeit
import warnings
from collections.abc import Callable

import numpy as np
import torch

from annealing import Join, Run, cosine, shapes, step, warm_restarts

ROUNDS = 15
POINTS = 1_000_000
T = 90.0

Work = Callable[[], object]


def microseconds(work: Work, at_least: float = 0.02) -> float:
    """The time of one call, from as many calls as take `at_least` seconds."""
    timer = timeit.Timer(work, timer=time.process_time)
    number = 1
    while (seconds := timer.timeit(number)) < at_least:
        number *= 2
    return seconds / number * 1e6


def ratio(one: Work, two: Work, rounds: int = ROUNDS) -> float:
    """How long `one` takes in units of `two`."""
    return statistics.median(microseconds(one) / microseconds(two) for _ in range(rounds))


def median(work: Work) -> float:
    return statistics.median(microseconds(work) for _ in range(ROUNDS))


def numbers() -> list[tuple[str, str]]:
    rows = []
    for name, schedule in {
        "cosine": cosine(0.1, 0, 2 * 10**9),
        "warm_restarts": warm_restarts(0.1, T_0=10),
        "warm_restarts, T_mult 2": warm_restarts(0.1, T_0=10, T_mult=2),
        "step": step(0.1, 30),
    }.items():
        times = [median(lambda t=t, s=schedule: s(t)) for t in (10, 10**9)]
        rows.append((f"`{name}` at t = 10, and at 10^9", f"{times[0]:.1f} us, {times[1]:.1f} us"))
    for parts in (10, 1000, 10_000):
        schedule = Join(tuple(Run(shapes.cosine, 0.1, 0, 1) for _ in range(parts)))
        rows.append((f"a Join of {parts:,} parts", f"{median(lambda s=schedule, t=parts // 2: s(t)):.1f} us"))
    return rows


def arrays() -> list[tuple[str, str]]:
    t = np.arange(POINTS, dtype=np.float64)
    length = float(POINTS)

    def bare() -> object:
        return 0.05 * (1 + np.cos(np.pi * t / length))

    kinds = Join(tuple(Run(shape, 0.1, 0, POINTS / 2) for shape in (shapes.cosine, shapes.linear)))
    many = Join(tuple(Run(shapes.cosine, 0.1, 0, POINTS / 1000) for _ in range(1000)))
    found = {
        "one cosine": cosine(0.1, 0, POINTS),
        "warm restarts, equal": warm_restarts(0.1, T_0=1000),
        "warm restarts, T_mult 2": warm_restarts(0.1, T_0=10, T_mult=2),
        "a Join of two kinds of shape": kinds,
        "a Join of 1,000 cosines": many,
    }
    return [
        (f"10^6 points, {name}", f"{ratio(lambda s=schedule: s(t), bare):.1f} x the bare expression")
        for name, schedule in found.items()
    ]


def peers() -> list[tuple[str, str]]:
    steps = 10_000
    schedule = cosine(0.1, 0, steps)
    times = np.arange(steps, dtype=np.float64)

    def stepped() -> object:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            scheduler.step()
        return scheduler

    def ours() -> object:
        return schedule(times)

    others: dict[str, Work] = {"stepping PyTorch's CosineAnnealingLR": stepped}
    with contextlib.suppress(ImportError):
        import jax
        import optax

        curve, counts = jax.jit(jax.vmap(optax.cosine_decay_schedule(0.1, steps))), np.arange(steps)
        others["Optax, jit and vmap"] = lambda: curve(counts).block_until_ready()
        plain = optax.cosine_decay_schedule(0.1, steps)
        others["Optax, called one by one"] = lambda: [plain(n) for n in range(100)] * (steps // 100)
    with contextlib.suppress(ImportError):
        from timm.scheduler import CosineLRScheduler

        timm = CosineLRScheduler(torch.optim.SGD([torch.zeros(1)], lr=0.1), t_initial=steps)
        others["timm, _get_lr one by one"] = lambda: [timm._get_lr(n) for n in range(steps)]
    with contextlib.suppress(ImportError):
        import lrsched

        their = lrsched.cosine(base_lr=0.1, min_lr=0.0, total_steps=steps)
        others["lrsched, one by one"] = lambda: [their(n) for n in range(steps)]
    rows = []
    for name, work in others.items():
        parts = 100 if "Optax, called" in name else 1  # a hundredth of the steps is timed
        rows.append((f"10^4 steps: {name}", f"{parts * ratio(work, ours, rounds=5):.0f} x the time of `schedule(t)`"))
    return rows


def imports() -> list[tuple[str, str]]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds(code: str) -> float:
        timed = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
        command = [sys.executable, "-c", timed]
        return float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)

    for code in ("import numpy", "import annealing"):
        seconds(code)
    found = [(seconds("import numpy"), seconds("import annealing")) for _ in range(4 * ROUNDS)]
    return [("`import annealing`", f"{statistics.median(b / a for a, b in found):.2f} x `import numpy`")]


def processor() -> str:
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo") as lines:
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor()


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"{processor()}, Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}\n")
    print("| what | median |\n| --- | --- |")
    for part in (numbers, arrays, peers, imports):
        with contextlib.redirect_stderr(io.StringIO()):
            rows = part()
        for name, value in rows:
            print(f"| {name} | {value} |", flush=True)


if __name__ == "__main__":
    main()
