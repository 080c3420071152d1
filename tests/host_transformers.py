"""A training run with the Trainer for the tests, in processes of `torchrun`; each writes a JSON file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from host_runs import SCHEDULE, Used
from transformers import Trainer, TrainerCallback, TrainingArguments

from annealing.hosts.transformers import ScheduleTrainerCallback, scheduled


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x: Any = None, labels: Any = None, **_: Any) -> dict[str, Any]:
        found = self.layer(x)
        return {"loss": (found - labels).square().mean(), "logits": found}


class Recorder(TrainerCallback):
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.used = Used(kwargs["optimizer"].optimizer)


def train(path: Path, schedule: Any, *callbacks: Any, resume: Any = None, base: Any = Trainer, **more: Any) -> Any:
    """A Trainer that has trained 4 epochs of 16 rows, with the rates that it used as `used`, and logged as `logged`."""
    options = {**schedule} if isinstance(schedule, dict) else {"lr": schedule}
    arguments = {"num_train_epochs": 4, "save_strategy": "no", "logging_steps": 1, "report_to": "none", **more}
    arguments = {"per_device_train_batch_size": 4, "use_cpu": True, "disable_tqdm": True, **arguments}
    recorder = Recorder()
    trainer = scheduled(base, **options)(
        model=Model(),
        args=TrainingArguments(output_dir=str(path), **arguments),
        train_dataset=[{"x": torch.ones(4), "labels": torch.zeros(1)} for _ in range(16)],
        callbacks=[*callbacks, recorder],
    )
    trainer.train(resume_from_checkpoint=resume)
    trainer.used = recorder.used.rates
    trainer.logged = [row["learning_rate"] for row in trainer.state.log_history if "learning_rate" in row]
    return trainer


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    callback = ScheduleTrainerCallback(on_departure="raise")
    trainer = train(folder, SCHEDULE, callback, per_device_train_batch_size=2, ddp_backend="gloo")
    found = {"processes": trainer.args.world_size, "used": trainer.used}
    (folder / f"{trainer.args.process_index}.json").write_text(json.dumps(found))
