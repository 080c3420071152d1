"""DDP and FSDP2 with distributed checkpoints: every process uses every rate, before and after a checkpoint."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from host_runs import SCHEDULE, wanted

from annealing import parse

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes found; they are started once for all tests."""
    path = tmp_path_factory.mktemp("distributed")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    script = str(Path(__file__).with_name("host_distributed.py"))
    subprocess.run([*command, script, str(path)], check=True, capture_output=True)
    return [json.loads((path / f"{process}.json").read_text()) for process in (0, 1)]


def test_ddp_with_and_without_accumulation(processes: list[dict[str, Any]]) -> None:
    for found in processes:
        assert found["ddp"] == [wanted(parse(SCHEDULE), 16), wanted(parse(SCHEDULE), 4)]


@pytest.mark.parametrize("name", ["fsdp", "fsdp tensor"])
def test_fsdp_continues_after_a_distributed_checkpoint(name: str, processes: list[dict[str, Any]]) -> None:
    for found in processes:
        assert found[name] == [wanted(parse(SCHEDULE), 6), wanted(parse(SCHEDULE), 10, 6)]
