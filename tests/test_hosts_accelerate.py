"""Accelerate follows a schedule update by update: one and two processes, accumulated and split batches, resumed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from host_runs import need, wanted

from annealing import ScheduleError, cosine
from annealing.torch import Scheduler

need("accelerate")
from accelerate import Accelerator  # noqa: E402
from host_accelerate import SCHEDULE_HERE, WAYS, reset, train  # noqa: E402

from annealing.hosts.accelerate import AccelerateScheduler  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def in_two_processes(accumulated: int, split: str, path: Path) -> list[dict[str, Any]]:
    """What each of two processes found, for each way."""
    script = str(Path(__file__).with_name("host_accelerate.py"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", script]
    subprocess.run([*command, str(accumulated), split, str(path)], check=True, capture_output=True)
    return [json.loads((path / f"{process}.json").read_text()) for process in (0, 1)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("accumulated", [1, 4])
def test_one_process_has_every_rate(way: str, accumulated: int) -> None:
    found = train(way, accumulated)
    assert found["rates"] == wanted(SCHEDULE_HERE, 64 // accumulated)
    assert found["said"] == []


@pytest.mark.parametrize(("accumulated", "split", "updates"), [(1, "whole", 32), (4, "whole", 8), (1, "split", 64)])
def test_two_processes_have_every_rate(accumulated: int, split: str, updates: int, tmp_path: Path) -> None:
    for results in in_two_processes(accumulated, split, tmp_path):
        for way in ("ours", "ours prepared", "by hand"):
            assert results[way] == {"rates": wanted(SCHEDULE_HERE, updates), "said": [], "processes": 2}
        prepared = results["prepared"]
        if split == "split":
            assert prepared == results["ours"]
        else:  # Accelerate steps once per process, and the Scheduler says so once
            assert prepared["rates"] == [SCHEDULE_HERE(2 * n) for n in range(updates)]
            assert len(prepared["said"]) == 1
            assert "once per process, 2 times per update" in prepared["said"][0]


@pytest.mark.parametrize("way", ["ours", "ours prepared", "by hand"])
def test_a_saved_state_continues_where_it_stopped(way: str, tmp_path: Path) -> None:
    first = train(way, 2, stop=11, path=tmp_path / "state")
    second = train(way, 2, path=tmp_path / "state")
    assert first["rates"] == wanted(SCHEDULE_HERE, 11)
    assert second["rates"] == wanted(SCHEDULE_HERE, 32, 11)


def test_a_skipped_update_does_not_count() -> None:
    """A GradScaler of float16 skips updates whose gradients are not finite."""
    reset()
    accelerator = Accelerator(cpu=True)
    optimizer = accelerator.prepare(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05))
    scheduler = AccelerateScheduler(accelerator, optimizer, lr=cosine(0.1, 0, 10))
    for skipped in (False, True, False):
        optimizer._is_overflow = skipped  # what `optimizer.step()` notes under a scaler
        scheduler.step()
    assert scheduler.position == 2


def test_an_optimizer_that_is_not_prepared_is_refused() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.05)
    with pytest.raises(ScheduleError, match=r"the one that accelerator\.prepare returns.*got SGD"):
        AccelerateScheduler(Accelerator(cpu=True), optimizer, lr=cosine(0.1, 0, 10))
    assert optimizer.param_groups[0]["lr"] == 0.05
    assert "initial_lr" not in optimizer.param_groups[0]


def test_it_is_a_scheduler() -> None:
    assert issubclass(AccelerateScheduler, Scheduler)
    assert not hasattr(AccelerateScheduler, "total_steps")  # Accelerate would take it for a OneCycleLR, and clamp it
