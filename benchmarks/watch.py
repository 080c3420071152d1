"""What `annealing.torch.Watch` costs an update, beyond one call of its schedule, by param groups.

.venv/bin/python benchmarks/watch.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from annealing import cosine, warm_restarts
from annealing.torch import Watch

UPDATES, ROUNDS = 2000, 15
SCHEDULES = {"cosine": cosine(0.1, 0, UPDATES), "restarts": warm_restarts(0.1, T_0=10, T_mult=2)}


def microseconds(work: Callable[[int], object]) -> float:
    """The time of one call with the numbers of all updates: the median over the rounds."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for n in range(UPDATES):
            work(n)
        times.append((time.perf_counter() - begin) / UPDATES)
    return 1e6 * statistics.median(times)


def main() -> None:
    print("| schedule | groups | a call, µs | a check, µs | beyond the call, µs a group |")
    print("| --- | --- | --- | --- | --- |")
    for name, schedule in SCHEDULES.items():
        for count in (1, 10, 100):
            optimizer = torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(count)], lr=0.1)
            watch = Watch(optimizer, schedule, attach=False)
            rates = [schedule(n) for n in range(UPDATES)]

            def write(n: int, optimizer: torch.optim.Optimizer = optimizer, rates: list[float] = rates) -> None:
                rate = rates[n]
                for group in optimizer.param_groups:
                    group["lr"] = rate

            def check(n: int, watch: Watch = watch) -> None:
                write(n)
                watch.done = n
                watch.check()

            call, checked = microseconds(schedule), microseconds(check) - microseconds(write)
            assert watch.follows
            print(f"| {name} | {count} | {call:.2f} | {checked:.2f} | {(checked - call) / count:.2f} |", flush=True)


if __name__ == "__main__":
    main()
