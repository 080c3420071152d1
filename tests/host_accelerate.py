"""A training run with Accelerate for the tests: in one process, and in two by `torchrun`, which write JSON files."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import DataLoaderConfiguration
from host_runs import SCHEDULE, Used

from annealing import parse
from annealing.hosts.accelerate import AccelerateScheduler
from annealing.torch import Scheduler

WAYS = ("ours", "ours prepared", "by hand", "prepared")  # "prepared": a plain Scheduler given to accelerator.prepare
SCHEDULE_HERE = parse(SCHEDULE).stretched(4)  # 64 updates


def reset() -> None:
    """Accelerate keeps its settings in classes that all Accelerators in a process share."""
    AcceleratorState._reset_state(False)  # the processes stay what they are
    GradientState._reset_state()


def train(
    way: str, accumulated: int, split: bool = False, stop: int | None = None, path: Path | None = None
) -> dict[str, Any]:
    """Four epochs of 16 batches; with `stop`, saved in `path` after that many updates."""
    reset()
    loading = DataLoaderConfiguration(split_batches=split)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulated, dataloader_config=loading)
    model = torch.nn.Linear(4, 1)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(64, 4)), batch_size=4)
    model, optimizer, data = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.05), data)
    used = Used(optimizer.optimizer)
    if way.startswith("ours"):
        scheduler: Any = AccelerateScheduler(accelerator, optimizer, lr=SCHEDULE_HERE)
    else:
        scheduler = Scheduler(optimizer, lr=SCHEDULE_HERE)
    if way.endswith("prepared"):
        prepared = accelerator.prepare(scheduler)
        assert (prepared is scheduler) == (way == "ours prepared")
        scheduler = prepared
    elif way == "by hand":
        accelerator.register_for_checkpointing(scheduler)
    if path is not None and path.exists():
        accelerator.load_state(str(path))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(4):
            for (batch,) in data:
                with accelerator.accumulate(model):
                    accelerator.backward(model(batch).square().mean())
                    optimizer.step()
                    if way == "by hand":
                        scheduler.step(updated=accelerator.sync_gradients and not optimizer.step_was_skipped)
                    else:
                        scheduler.step()
                    optimizer.zero_grad()
                if stop is not None and len(used.rates) == stop:
                    accelerator.save_state(str(path))
                    return {"rates": used.rates}
    found = [str(one.message) for one in said if "Accelerate steps" in str(one.message)]
    return {"rates": used.rates, "said": found, "processes": accelerator.num_processes}


if __name__ == "__main__":
    accumulated, split, folder = int(sys.argv[1]), sys.argv[2] == "split", Path(sys.argv[3])
    results = {way: train(way, accumulated, split) for way in WAYS}
    (folder / f"{PartialState().process_index}.json").write_text(json.dumps(results))
