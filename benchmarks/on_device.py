"""Schedules on the device: are they exact in compiled and captured code, and what do they cost a captured step?

    PYTHONPATH=src python3 benchmarks/on_device.py --out FILE

On a GPU: every entry of the catalogue of the tests in eager code, in a CUDA graph and compiled by inductor, against the
values of Python numbers; then a captured training step of WRN-16-4 (batch 128, bfloat16, channels_last) with a schedule
inside, against the same step with a constant tensor: rounds in turn, medians of paired ratios. With `--device cpu` a
small form of the same, without graphs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annealing import Schedule, linear, warm_restarts
from annealing.compare import Wrn
from annealing.evaluate.pieces import Pieces
from annealing.torch import on_device

ROOT = Path(__file__).resolve().parents[1]
WORKERS, CHUNK = 8, 8  # processes that compile at the same time, and schedules in one graph
ROUNDS, STEPS = 60, 25  # rounds of the timing, and steps of each arm in a round
LIMIT = 24  # ulps between a graph and Python numbers, which are themselves within 8 of the exact value


def catalogue() -> dict[str, Schedule]:
    sys.path.insert(0, str(ROOT / "tests"))
    from catalogue import every

    return {name: schedule for name, schedule in every.items() if name != "strict"}  # a graph cannot raise


def steps(schedule: Schedule) -> tuple[list[int], list[int]]:
    """Whole times, and those among them where the value must be that of a Python number: begins of cycles, the end."""
    end = schedule.duration
    until = min(end or 500, 500)
    lowered, begins = schedule.lowered, set[Any]()
    # Exact are the end and the begins of pieces that are not cut; a product is nowhere, since its parts are rounded.
    if isinstance(lowered, Pieces):
        written = itertools.takewhile(lambda piece: piece.begin <= until, itertools.islice(lowered.written_out(), 200))
        begins = {piece.begin for piece in written if piece.origin == piece.begin} | ({end} if end else set())
    exact = sorted({int(t) for t in begins if t == int(t) and t < 2**53})[:30]
    draw = np.random.default_rng(len(str(schedule)))
    drawn = draw.integers(0, int(1.5 * (end or 300)) + 2, 40).tolist()
    near = [t + d for t in exact for d in (-1, 1) if t + d >= 0]
    return sorted({0, 1, 2, *exact, *near, *drawn}), exact


class Check:
    """Values that were found, held against Python numbers."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.worst: dict[str, float] = {}
        self.wrong: list[str] = []
        self.done: dict[str, int] = {}

    def take(self, way: str, name: str, schedule: Schedule, found: list[float]) -> None:
        times, exact = steps(schedule)
        self.done[way] = self.done.get(way, 0) + 1
        for t, value in zip(times, found, strict=True):
            wanted = schedule(t)
            ulps = abs(value - wanted) / math.ulp(max(abs(wanted), sys.float_info.min))
            if ulps > (0 if t in exact else LIMIT):
                self.wrong.append(f"{way}: {name} at {t}: {value!r}, not {wanted!r}")
            self.worst[way] = max(self.worst.get(way, 0), ulps)

    def result(self) -> dict[str, Any]:
        return {"schedules": self.done, "worst_ulps": self.worst, "wrong": self.wrong}


def check_eager(check: Check, schedules: dict[str, Schedule]) -> None:
    for name, schedule in schedules.items():
        times = torch.tensor(steps(schedule)[0], device=check.device)
        check.take("eager", name, schedule, schedule(times).tolist())


def check_captured(check: Check, schedules: dict[str, Schedule]) -> None:
    """`rate.copy_(schedule(step))` as a CUDA graph, replayed at every time."""
    step = torch.zeros((), dtype=torch.int64, device=check.device)
    rate = torch.zeros((), dtype=torch.float64, device=check.device)
    for name, schedule in schedules.items():
        schedule(step)
        graph, found = torch.cuda.CUDAGraph(), list[float]()
        try:
            with torch.cuda.graph(graph):
                rate.copy_(schedule(step))
        except RuntimeError as error:
            check.wrong.append(f"captured: {name}: {error}")
            continue
        for t in steps(schedule)[0]:
            step.fill_(t)
            graph.replay()
            found.append(rate.item())
        check.take("captured", name, schedule, found)


def check_compiled(check: Check, schedules: dict[str, Schedule], backend: str) -> None:
    """Several schedules of a step tensor as one graph, called at every time."""
    from torch._dynamo.testing import CompileCounterWithBackend

    names = list(schedules)
    for first in range(0, len(names), CHUNK):
        chunk = names[first : first + CHUNK]
        torch._dynamo.reset()
        counter = CompileCounterWithBackend(backend)
        each = [schedules[name] for name in chunk]
        function = torch.compile(lambda t, each=each: [one(t) for one in each], fullgraph=True, backend=counter)
        for number, name in enumerate(chunk):
            times = [torch.tensor(t, device=check.device) for t in steps(each[number])[0]]
            check.take("compiled", name, each[number], [function(t)[number].item() for t in times])
        if counter.frame_count != 1:
            check.wrong.append(f"compiled: {counter.frame_count} graphs for {chunk}")


def check_part(device: str, number: int, parts: int) -> dict[str, Any]:
    entries = list(catalogue().items())
    schedules = dict(entries[number::parts])
    check = Check(device)
    check_eager(check, schedules)
    if device == "cuda":
        check_captured(check, schedules)
    check_compiled(check, schedules, "inductor" if device == "cuda" else "eager")
    return check.result()


def check_catalogue(device: str) -> dict[str, Any]:
    """All of it, in several processes, since compiling takes one processor each."""
    began, parts = time.perf_counter(), WORKERS if device == "cuda" else 1
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{i}.json" for i in range(parts)]
        command = [sys.executable, __file__, "--device", device, "--part"]
        running = [
            subprocess.Popen([*command, str(i), str(parts), "--out", str(file)], stdout=subprocess.DEVNULL)
            for i, file in enumerate(files)
        ]
        ended = [process.wait() for process in running]
        found = [json.loads(file.read_text()) for file in files if file.exists()]
    ways = found[0]["schedules"] if found else {}
    return {
        "schedules": {way: sum(one["schedules"].get(way, 0) for one in found) for way in ways},
        "worst_ulps": {way: max(one["worst_ulps"].get(way, 0) for one in found) for way in ways},
        "wrong": [line for one in found for line in one["wrong"]],
        "failed_processes": sum(map(bool, ended)),
        "seconds": round(time.perf_counter() - began, 1),
    }


SCHEDULE = linear(0, 0.1, 500) >> warm_restarts(0.1, 0.001, T_0=1000, T_mult=2)
ARMS = ("constant", "constant again", "captured", "captured, beside the forward pass", "compiled", "step() last")


class Training:
    """A training step of WRN-16-4 on random data, captured as one CUDA graph where there is a GPU."""

    def __init__(self, arm: str, device: str) -> None:
        self.arm, self.device, cuda = arm, device, device == "cuda"
        torch.manual_seed(0)
        dtype = torch.bfloat16 if cuda else torch.float32
        kwargs = {"device": device, "dtype": dtype, "memory_format": torch.channels_last}
        self.model = Wrn(*((16, 4) if cuda else (10, 1))).build(0, (3, 32, 32), 10).to(**kwargs)
        batch = 128 if cuda else 8
        self.x = torch.randn(batch, 3, 32, 32).to(**kwargs)
        self.y = torch.randint(10, (batch,), device=device)
        rate = torch.tensor(0.1, device=device)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True
        )
        inside = not arm.startswith("constant")
        self.rates = on_device(self.optimizer, lr=SCHEDULE, compile=arm == "compiled") if inside else None
        self.side = torch.cuda.Stream() if arm == "captured, beside the forward pass" else None
        self.again: Callable[[], None] = self.step
        if cuda:
            self._capture()

    def step(self) -> None:
        main = torch.cuda.current_stream() if self.side else None
        if self.side:
            self.side.wait_stream(main)
            with torch.cuda.stream(self.side):
                self.rates.update()
        elif self.rates and self.arm != "step() last":
            self.rates.update()
        loss = torch.nn.functional.cross_entropy(self.model(self.x).float(), self.y)
        loss.backward()
        if self.side:
            main.wait_stream(self.side)
        self.optimizer.step()
        if self.arm == "step() last":
            self.rates.step()
        self.optimizer.zero_grad(set_to_none=False)

    def _capture(self) -> None:
        warming = torch.cuda.Stream()
        warming.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(warming):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(warming)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.step()
        if self.rates:
            self.rates.position.zero_()
        self.again = self.graph.replay

    def milliseconds(self, count: int) -> float:
        """Of one step, over `count` of them."""
        if self.device == "cpu":
            began = time.perf_counter()
            for _ in range(count):
                self.again()
            return (time.perf_counter() - began) * 1000 / count
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(count):
            self.again()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / count

    def right(self) -> bool:
        """Whether the rate is that of the position, and the position counts the steps."""
        if self.rates is None:
            return True
        position = int(self.rates.position)
        at = position if self.arm == "step() last" else position - 1
        wanted = torch.tensor(SCHEDULE(at), dtype=torch.float32).item()
        return self.optimizer.param_groups[0]["lr"].item() == wanted


def time_training(device: str) -> dict[str, Any]:
    torch.backends.cudnn.benchmark = True
    began = time.perf_counter()
    arms, failed = dict[str, Training](), dict[str, str]()
    for arm in ARMS if device == "cuda" else ("constant", "step() last"):
        try:
            arms[arm] = Training(arm, device)
        except Exception as error:  # the other arms are worth their time on a machine that is lent
            failed[arm] = f"{type(error).__name__}: {error}"
    rounds, count = (ROUNDS, STEPS) if device == "cuda" else (4, 3)
    found: dict[str, list[float]] = {arm: [] for arm in arms}
    for training in arms.values():
        training.milliseconds(count)
    names = list(arms)
    for number in range(rounds):
        shift = number % len(names)  # so that no arm is always first
        for arm in names[shift:] + names[:shift]:
            found[arm].append(arms[arm].milliseconds(count))
    made = (rounds + 1) * count
    result: dict[str, Any] = dict(failed)
    for arm, training in arms.items():
        ratios = [mine / constant for mine, constant in zip(found[arm], found["constant"], strict=True)]
        quarters = statistics.quantiles(ratios, n=4)
        result[arm] = {
            "milliseconds": round(statistics.median(found[arm]), 4),
            "steps_per_second": round(1000 / statistics.median(found[arm]), 1),
            "slower_percent": round((statistics.median(ratios) - 1) * 100, 3),
            "slower_percent_quartiles": [round((q - 1) * 100, 3) for q in (quarters[0], quarters[2])],
            "rate_is_right": training.right(),
            "position_is_right": training.rates is None or int(training.rates.position) == made,
        }
    return {
        "arms": result,
        "rounds": rounds,
        "steps_in_a_round": count,
        "seconds": round(time.perf_counter() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where the result is written as JSON")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--part", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        given.out.write_text(json.dumps(check_part(given.device, *given.part)))
        return
    result = {
        "device": torch.cuda.get_device_name() if given.device == "cuda" else "CPU",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "training": time_training(given.device),
    }
    if given.out:  # the timing is kept whatever comes after
        given.out.write_text(json.dumps(result, indent=1))
    result["catalogue"] = check_catalogue(given.device)
    text = json.dumps(result, indent=1)
    if given.out:
        given.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
