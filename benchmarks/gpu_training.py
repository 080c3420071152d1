"""Training on a GPU: how fast is the captured update, is it right, and does a stopped trial go on bit for bit?

    python benchmarks/gpu_training.py --data DIRECTORY-WITH-CIFAR-10 [--out FILE] [--train FILE ...]

Every trial is one of the comparison, with its evaluations and records. `--train` names the official files that are
there, if not all five are. `--device cpu` runs a small form of it without a GPU, on the embedded digits. Exit status 1
if a record differs.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from kills import apart

from annealing.compare import Experiment, Trial, training
from annealing.compare import session as session_module
from annealing.compare.problem import problem
from annealing.compare.session import Session
from annealing.compare.store import Store, open_store
from annealing.compare.training import DeviceUpdate
from annealing.compare.trials import run_trial

TRIAL = Trial("one", 0)
RESNET9 = {"model": {"name": "resnet9"}, "batch": 512}
WRN = {"model": {"name": "wrn", "depth": 16, "width": 4}, "batch": 128}
PEAKS = (0.0125, 0.035, 0.1, 0.28, 0.56)
GOALS = {"resnet9 bf16": 100_000, "wrn-16-4 bf16": 45_000}


class Bench:
    """Experiments on one machine; data: where the images are, None for the digits."""

    def __init__(self, place: Path, device: str, data: Path | None, files: list[str]) -> None:
        self.place, self.device, self.data = place, device, data
        self.task: Any = {"name": "cifar10", "train": files} if data else "digits"
        self.count = 0

    def made(self, epochs: float, peak: float = 0.05, **changes: Any) -> Experiment:
        schedules = {"one": f"linear(0, {peak}, 0.5) >> cosine({peak}, 0, {epochs - 0.5})"}
        values = {"task": self.task, "seeds": 1, "snapshots": False, "device": self.device, **changes}
        if self.data is None and "batch" in values:
            values["batch"] = 60
        return Experiment(schedules=schedules, baseline="one", epochs=epochs, **values)

    def trained(self, made: Experiment) -> tuple[Store, dict[str, Any]]:
        """Train a trial in a new directory; give its store and what its clock says at the end."""
        self.count += 1
        store = open_store(self.place / str(self.count), made)
        run_trial(store, TRIAL, self.data)
        clock = (store.path(TRIAL) / "clock.jsonl").read_text().splitlines()
        return store, json.loads(clock[-1])

    def speed(self, **changes: Any) -> dict[str, Any]:
        """Images a second: of the whole training, and in the graph alone."""
        made = self.made(**changes)
        _, end = self.trained(made)
        if "images_per_second" not in end:
            images = made.updates(made.arms[0]) * made.batch
            return {"images_per_second": round(images / end["seconds"]), "seconds": end["seconds"]}
        inside = 1 - end["outside_graph"]
        return {**end, "in_the_graph": round(end["images_per_second"] / inside) if inside > 0.01 else None}

    def stopped(self, **changes: Any) -> dict[str, Any]:
        """Stop a trial at its second saved state, go on, and name the records that are not those of a whole trial."""
        made = self.made(checkpoint_seconds=0, **changes)
        whole, _ = self.trained(made)
        again, _ = self.trained(made)
        self.count += 1
        store = open_store(self.place / str(self.count), made)
        saves, save = iter(range(1)), Session.save

        def saved(session: Session, objects: dict[str, Any]) -> None:
            save(session, objects)
            if next(saves, None) is None:
                raise KeyboardInterrupt

        Session.save, share = saved, session_module.LEAST_SHARE  # type: ignore[method-assign]
        session_module.LEAST_SHARE = 0  # save as often as is asked for, however long it takes
        try:
            run_trial(store, TRIAL, self.data)
        except KeyboardInterrupt:
            pass
        finally:
            Session.save, session_module.LEAST_SHARE = save, share  # type: ignore[method-assign]
        run_trial(store, TRIAL, self.data)
        clock = (store.path(TRIAL) / "clock.jsonl").read_text()
        differ = {"again": apart(again.path(TRIAL), whole.path(TRIAL))}
        differ["stopped"] = apart(store.path(TRIAL), whole.path(TRIAL))
        return {"records_that_differ": differ, "went_on": "continues after update" in clock}

    def ordinary(self, **changes: Any) -> dict[str, Any]:
        """The largest relative differences of loss and rate between the ordinary loop and the captured update."""
        made = self.made(**changes)
        with always(True):
            store, _ = self.trained(made)
        with always(False):
            other, end = self.trained(made)
        rows, others = store.rows(TRIAL) or [], other.rows(TRIAL) or []
        pairs = list(zip(rows, others, strict=True))
        return {
            "ordinary_images_per_second": round(made.updates(made.arms[0]) * made.batch / end["seconds"]),
            "loss": max(abs(one.loss / two.loss - 1) for one, two in pairs),
            "rate": max(abs(one.lr - two.lr) / max(two.lr, 1e-9) for one, two in pairs),
            "wrong": [[one.wrong, two.wrong] for one, two in pairs],
        }

    def peaks(self, epochs: float, **changes: Any) -> dict[str, Any]:
        """The error at the end for each of some peaks."""
        found = {}
        for peak in PEAKS:
            store, _ = self.trained(self.made(epochs, peak, **changes))
            last = (store.rows(TRIAL) or [])[-1]
            found[str(peak)] = None if last.diverged else last.wrong
        return found

    def kernels(self, **changes: Any) -> list[str]:
        """What one update spends its time on."""
        made = self.made(4, **changes)
        data = problem(made.task, self.data, self.device)
        model = training._model(made, 0, data)
        optimizer = made.optimizer.make(model, 0.01)

        class Fixed:
            schedule, seed, updates_per_epoch = made.arms[0].schedule, 0, made.updates_per_epoch

        update = DeviceUpdate(Fixed, data, model, optimizer, made.batch)
        update.load(0, 0)
        update.make()
        if self.device == "cuda":
            update.capture()
        with torch.profiler.profile(activities=[*torch.profiler.supported_activities()]) as profile:
            for _ in range(5):
                (update.replay or update.make)()
            if self.device == "cuda":
                torch.cuda.synchronize()
        total = {one.key: getattr(one, "device_time_total", 0) / 5 for one in profile.key_averages()}
        longest = sorted(total, key=total.get, reverse=True)[:24]
        return [f"{total[key]:8.1f} us  {key[:110]}" for key in longest]


@contextmanager
def always(wanted: bool) -> Iterator[None]:
    """Training without a word to the host, or the ordinary one, whatever the device."""
    before = training.on_device
    training.on_device = lambda *_: wanted
    try:
        yield
    finally:
        training.on_device = before


def parts(bench: Bench, small: bool) -> dict[str, Callable[[], Any]]:
    """What is measured, the most important first."""
    many, few = (2, 1) if small else (10, 2)
    text = {"task": "python-topics", "model": {"name": "gpt", "width": 96}, "batch": 16}
    bf16 = {"precision": "bf16"}
    return {
        "warm": lambda: bench.speed(epochs=few, **RESNET9, **bf16),
        "resnet9 bf16": lambda: bench.speed(epochs=2 * many, **RESNET9, **bf16),
        "resume, resnet9 bf16": lambda: bench.stopped(epochs=2 * few, **RESNET9, **bf16),
        "wrn-16-4 bf16": lambda: bench.speed(epochs=many, **WRN, **bf16),
        "peaks": lambda: bench.peaks(few + 5 * (not small), **RESNET9, **bf16),
        "kernels of resnet9 bf16": lambda: bench.kernels(**RESNET9, **bf16),
        "resume, wrn float32": lambda: bench.stopped(epochs=few, **WRN),
        "ordinary, resnet9 float32": lambda: bench.ordinary(epochs=few, **RESNET9),
        "wrn-16-4 float32": lambda: bench.speed(epochs=few, **WRN),
        "resnet9 float32": lambda: bench.speed(epochs=few, **RESNET9),
        "kernels of wrn-16-4 bf16": lambda: bench.kernels(**WRN, **bf16),
        "ordinary, wrn bf16": lambda: bench.ordinary(epochs=1, **WRN, **bf16),
        "text": lambda: bench.stopped(epochs=1.2, optimizer="AdamW", **text, **bf16),
        "text, ordinary": lambda: bench.ordinary(epochs=0.6, optimizer="AdamW", **text),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="directory with CIFAR-10")
    parser.add_argument("--train", nargs="+", default=[f"data_batch_{n}" for n in range(1, 6)], metavar="FILE")
    parser.add_argument("--out", type=Path, help="where the result is written as JSON")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=3600, help="begin no part later than this")
    given = parser.parse_args()
    began, small = time.perf_counter(), given.device == "cpu"
    name = torch.cuda.get_device_name() if given.device == "cuda" else "processor"
    result: dict[str, Any] = {"device": name, "torch": torch.__version__, "python": platform.python_version()}
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place), given.device, given.data, given.train)
        with always(True) if small else always_fitting():
            for part, measure in parts(bench, small).items():
                if time.perf_counter() - began > given.seconds:
                    continue
                try:
                    result[part] = measure()
                except Exception as error:  # the other parts are worth their time
                    traceback.print_exc()
                    result[part] = f"{type(error).__name__}: {error}"
                print(f"{time.perf_counter() - began:6.1f} s  {part}: {json.dumps(result[part], indent=1)}", flush=True)
                if given.out:
                    given.out.write_text(json.dumps(result, indent=1) + "\n")
    for part, goal in GOALS.items():
        print(f"{part}: {result.get(part)} (goal {goal:,} images a second)")
    checked = [found for part, found in result.items() if part.startswith(("resume", "text"))]
    wrong = [found for found in checked if isinstance(found, str) or any(found.get("records_that_differ", {}).values())]
    return 1 if wrong else 0


@contextmanager
def always_fitting() -> Iterator[None]:
    """Training as the comparison itself chooses it."""
    yield


if __name__ == "__main__":
    raise SystemExit(main())
