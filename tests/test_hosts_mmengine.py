"""MMEngine's Runner follows a schedule that is named in its config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from host_runs import SCHEDULE, Used, need, wanted

from annealing import ScheduleError, cosine, linear, parse, step

need("mmengine.runner")
from mmengine.hooks import Hook  # noqa: E402
from mmengine.model import BaseModel  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

from annealing.hosts.mmengine import ScheduleParam  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


class Model(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "loss") -> dict[str, Any]:
        return {"loss": self.layer(torch.stack(inputs)).square().mean()}


class Recorder(Hook):
    def __init__(self, name: str) -> None:
        self.name = name

    def before_train(self, runner: Any) -> None:
        self.used = Used(runner.optim_wrapper.optimizer, name=self.name)


def train(path: Path, scheduler: Any, accumulated: int = 1, **more: Any) -> list[float]:
    """The rates that the updates of four epochs of four batches used."""
    options = {
        "train_cfg": {"by_epoch": True, "max_epochs": 4},
        "default_scope": "mmengine",
        "log_level": "ERROR",
        **more,
    }
    recorder = Recorder(scheduler.get("param_name", "lr"))
    Runner(
        model=Model(),
        work_dir=str(path),
        train_dataloader={
            "dataset": [{"inputs": torch.ones(4)}] * 16,
            "batch_size": 4,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "collate_fn": {"type": "pseudo_collate"},
        },
        optim_wrapper={
            "type": "OptimWrapper",
            "optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9},
            "accumulative_counts": accumulated,
        },
        param_scheduler=scheduler,
        custom_hooks=[recorder],
        experiment_name=f"{path.name}{torch.rand(1).item()}",  # a Runner's name must be new in its process
        **options,
    ).train()
    return recorder.used.rates


NAMED = {"type": "ScheduleParam", "schedule": SCHEDULE, "by_epoch": False}


@pytest.mark.parametrize("accumulated", [1, 2, 4])
def test_every_update_has_its_rate(accumulated: int, tmp_path: Path) -> None:
    assert train(tmp_path, NAMED, accumulated) == wanted(parse(SCHEDULE), 16 // accumulated)


def test_the_config_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "hosts.md").read_text("utf-8")
    (line,) = (line for line in page.splitlines() if line.startswith("param_scheduler = "))
    found: dict[str, Any] = {}
    exec(line, found)
    assert train(tmp_path, found["param_scheduler"]) == wanted(linear(0, 0.1, 4) >> cosine(0.1, 0, 12), 16)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_resumed_run_continues_where_it_stopped_even_if_it_is_longer(accumulated: int, tmp_path: Path) -> None:
    train(tmp_path, NAMED, accumulated, train_cfg={"by_epoch": True, "max_epochs": 2})
    # MMEngine 0.10.7 cannot load its own checkpoints with the safe default of torch.load.
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        rates = train(tmp_path, NAMED, accumulated, resume=True)
    assert rates == wanted(parse(SCHEDULE), 8 // accumulated, 8 // accumulated)


def test_in_a_loop_by_iterations(tmp_path: Path) -> None:
    cfg = {"by_epoch": False, "max_iters": 16, "val_interval": 100}
    assert train(tmp_path, NAMED, train_cfg=cfg) == wanted(parse(SCHEDULE), 16)


def test_in_epochs(tmp_path: Path) -> None:
    schedule = linear(0, 0.1, 1) >> step(0.1, 1, gamma=0.5)
    given = {"type": "ScheduleParam", "schedule": str(schedule), "by_epoch": True}
    assert train(tmp_path, given) == [schedule(n // 4) for n in range(16)]


@pytest.mark.parametrize("accumulated", [1, 2])
def test_epochs_converted_to_updates(accumulated: int, tmp_path: Path) -> None:
    given = {"type": "ScheduleParam", "schedule": "cosine(0.1, 0, 4)", "by_epoch": True, "convert_to_iter_based": True}
    updates = 16 // accumulated
    assert train(tmp_path, given, accumulated) == wanted(cosine(0.1, 0, updates), updates)


def test_a_schedule_in_updates_that_is_stepped_per_epoch_warns(tmp_path: Path) -> None:
    with pytest.warns(RuntimeWarning, match=r"MMEngine steps once per epoch.*write by_epoch=False") as found:
        train(tmp_path, {"type": "ScheduleParam", "schedule": SCHEDULE})
    assert len([one for one in found if "MMEngine steps" in str(one.message)]) == 1


def test_momentum(tmp_path: Path) -> None:
    given = {"type": "ScheduleParam", "schedule": "linear(0.9, 0.5, 16)", "param_name": "momentum", "by_epoch": False}
    assert train(tmp_path, given) == wanted(linear(0.9, 0.5, 16), 16)


def test_its_state_is_text_and_another_schedule_is_refused() -> None:
    def made(schedule: Any) -> ScheduleParam:
        return ScheduleParam(torch.optim.SGD([torch.zeros(1)], lr=0.05), schedule)

    scheduler = made(SCHEDULE)
    for _ in range(5):
        scheduler.optimizer.step()
        scheduler.step()
    other = made(parse(SCHEDULE))
    other.load_state_dict(scheduler.state_dict())
    other.optimizer.step()
    other.step()
    assert other.optimizer.param_groups[0]["lr"] == parse(SCHEDULE)(6)
    with pytest.raises(ScheduleError, match="the state belongs to another schedule"):
        made("cosine(0.1, 0, 16)").load_state_dict(scheduler.state_dict())


def test_what_cannot_be_used_leaves_the_optimizer_as_it_was() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.05)
    with pytest.raises(ScheduleError, match="schedule must be a schedule or its notation, got 3"):
        ScheduleParam(optimizer, 3)  # type: ignore[arg-type]
    assert optimizer.param_groups[0]["lr"] == 0.05
    assert "initial_lr" not in optimizer.param_groups[0]
