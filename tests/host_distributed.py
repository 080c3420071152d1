"""Training runs with DDP and FSDP2 for the tests, in processes of `torchrun`; each writes a JSON file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from host_runs import SCHEDULE, Used
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from annealing import parse
from annealing.torch import Scheduler, Watch


def ddp(accumulated: int) -> list[float]:
    """16 batches in every process."""
    model = DistributedDataParallel(torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scheduler, used = Scheduler(optimizer, lr=parse(SCHEDULE)), Used(optimizer)
    for batch in range(1, 17):
        updated = batch % accumulated == 0
        model.require_backward_grad_sync = updated
        model(torch.ones(2, 4)).square().mean().backward()
        if updated:
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step(updated=updated)
    return used.rates


class Sharded:
    """A sharded model with its optimizer and Scheduler, saved and loaded as one torch.distributed checkpoint."""

    def __init__(self, tensor_rate: bool) -> None:
        self.model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1))
        fully_shard(self.model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
        rate = torch.tensor(0.05, dtype=torch.float64) if tensor_rate else 0.05
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=rate, foreach=False)
        self.scheduler = Scheduler(self.optimizer, lr=parse(SCHEDULE))
        # Raises if it takes for an update the empty step at rate 0 by which get_state_dict sets an optimizer up.
        self.watch = Watch(self.optimizer, self.scheduler, on_departure="raise")

    def train(self, updates: int) -> list[float]:
        used = Used(self.optimizer)
        for _ in range(updates):
            self.model(torch.ones(2, 4)).square().mean().backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.scheduler.step()
        return used.rates

    def _state(self) -> dict[str, Any]:
        model, optimizer = get_state_dict(self.model, self.optimizer)
        return {"model": model, "optimizer": optimizer, "scheduler": self.scheduler}

    def save(self, path: str) -> None:
        dcp.save(self._state(), checkpoint_id=path)

    def load(self, path: str) -> None:
        state = self._state()
        dcp.load(state, checkpoint_id=path)  # loads the scheduler too, which has state_dict and load_state_dict
        set_state_dict(self.model, self.optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])


def fsdp(tensor_rate: bool, path: str) -> list[list[float]]:
    first, second = Sharded(tensor_rate), Sharded(tensor_rate)
    before = first.train(6)
    first.save(path)
    second.load(path)
    after = second.train(10)
    assert (first.watch.done, second.watch.done) == (6, 16)
    return [before, after]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    dist.init_process_group("gloo")
    found = {
        "ddp": [ddp(1), ddp(4)],
        "fsdp": fsdp(False, str(folder / "floats")),
        "fsdp tensor": fsdp(True, str(folder / "tensors")),
    }
    (folder / f"{dist.get_rank()}.json").write_text(json.dumps(found))
    dist.destroy_process_group()
