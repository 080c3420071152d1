"""The code of docs/hosts.md runs in the real hosts, and every update uses the rate of the schedule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from host_runs import need, wanted
from torch.optim.optimizer import register_optimizer_step_post_hook

from annealing import cosine, linear

PAGE = Path(__file__).parents[1] / "docs" / "hosts.md"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall(PAGE.read_text("utf-8")))
NEEDED = {
    "Lightning": ["lightning.pytorch"],
    "Fabric": ["lightning.fabric"],
    "Transformers": ["transformers", "accelerate"],
    "Accelerate": ["accelerate"],
    "DDP and FSDP2": [],
    "timm": ["timm.scheduler"],
    "Ignite": ["ignite.engine"],
    "skorch": ["skorch"],
}
WANTED = {
    "Lightning": wanted(linear(0, 0.1, 2) >> cosine(0.1, 0, 18), 20),
    "Transformers": wanted(linear(0, 5e-5, 2) >> cosine(5e-5, 0, 18), 20),
    "Accelerate": wanted(cosine(0.1, 0, 10), 10),
}


class Model(torch.nn.Linear):
    """For hosts that pass a batch, and for the Trainer, which passes names and wants a loss."""

    def __init__(self) -> None:
        super().__init__(4, 1)

    def forward(self, x: Any = None, **_: Any) -> Any:
        found = super().forward(x)
        return {"loss": found.square().mean()} if self.named else found

    named = False


def names(host: str) -> dict[str, Any]:
    """What the page assumes in its examples, and what makes the hosts quiet."""
    model = Model()
    model.named = host == "Transformers"
    row = torch.ones(4)
    quiet: dict[str, Any] = {}
    if host == "Lightning":
        quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False, "accelerator": "cpu"}
    elif host == "Transformers":
        quiet = {"report_to": "none", "use_cpu": True, "disable_tqdm": True}
    mesh = {}
    if host == "DDP and FSDP2":
        mesh = {"mesh": torch.distributed.device_mesh.init_device_mesh("cpu", (1,))}
    return {
        "model": model,
        "dataset": [{"x": row} if model.named else row] * 80,
        "quiet": quiet,
        "cpu": {"cpu": True},
        "mesh": mesh,
        "x": np.ones((80, 4), np.float32),
        "y": np.zeros((80, 1), np.float32),
    }


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A process group of one process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    yield lambda: dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("host", NEEDED)
def test_the_code_of_a_host_uses_every_rate(host: str, alone: Any) -> None:
    need(*NEEDED[host])
    if host == "DDP and FSDP2":
        alone()
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", SECTIONS[host], re.MULTILINE | re.DOTALL))
    found = names(host)
    rates: list[float] = []
    hook = register_optimizer_step_post_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    try:
        exec(compile(code, f"{PAGE.name}: {host}", "exec"), found)
    finally:
        hook.remove()
    assert rates == WANTED.get(host, wanted(cosine(0.1, 0, 20), 20))


def test_the_table_names_every_section() -> None:
    table = SECTIONS and re.findall(r"^\| \[(.+?)\]\(#(.+?)\)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [name for name, _ in table] == [name.replace(" and ", ", ") for name in SECTIONS]
    assert [anchor for _, anchor in table] == [name.lower().replace(" ", "-") for name in SECTIONS]
