"""The logs in examples/logs, written by real training runs: one is right, and each of the others has a common fault.

    python examples/make_logs.py    # needs: pip install torch transformers accelerate lightning

The intended schedule is the same in all of them: linear(0, 5e-4, 20) >> cosine(5e-4, 0, 180), 200 updates.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from transformers import Trainer, TrainingArguments, get_cosine_schedule_with_warmup

LOGS = Path(__file__).parent / "logs"
UPDATES, WARMUP, PEAK = 200, 20, 5e-4


class Regression(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(4, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.line(x) - labels).square().mean()}


def examples(count: int) -> list[dict[str, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    return [{"x": x, "labels": x.sum(0, keepdim=True)} for x in torch.randn(count, 4, generator=draw)]


def trainer(folder: str, horizon: int = UPDATES, stop: int = UPDATES) -> Trainer:
    """Transformers' Trainer with a schedule of `horizon` updates, which makes `stop` of them."""
    model = Regression()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK)
    schedule = get_cosine_schedule_with_warmup(optimizer, WARMUP, horizon)
    arguments = TrainingArguments(
        output_dir=folder, max_steps=stop, per_device_train_batch_size=4, logging_steps=5, save_steps=100,
        report_to="none", use_cpu=True, disable_tqdm=True, seed=0,
    )  # fmt: skip
    return Trainer(model, arguments, train_dataset=examples(400), optimizers=(optimizer, schedule))


def keep_state(folder: str, name: str, step: int = UPDATES) -> None:
    """Keep what the audit reads: the rates and losses that the Trainer logged, and how many updates it planned."""
    state = json.loads((Path(folder) / f"checkpoint-{step}" / "trainer_state.json").read_text())
    kept = {key: state[key] for key in ("global_step", "max_steps", "logging_steps", "log_history")}
    target = LOGS / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(kept, indent=1) + "\n")


def correct() -> None:
    with tempfile.TemporaryDirectory() as folder:
        trainer(folder).train()
        keep_state(folder, "correct/trainer_state.json")


def wrong_horizon() -> None:
    """The schedule was built for 120 updates, and the training makes 200."""
    with tempfile.TemporaryDirectory() as folder:
        trainer(folder, horizon=120).train()
        keep_state(folder, "wrong_horizon/trainer_state.json")


class Module(lightning.LightningModule):
    """Steps its scheduler `times` times per update: twice is what a second process, or a second call, does."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.model, self.times = Regression(), times
        self.automatic_optimization = False

    def training_step(self, batch: dict[str, torch.Tensor], index: int) -> None:
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        optimizer.zero_grad()
        self.manual_backward(self.model(**batch)["loss"])
        optimizer.step()
        for _ in range(self.times):
            schedule.step()

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.AdamW(self.parameters(), lr=PEAK)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": get_cosine_schedule_with_warmup(optimizer, WARMUP, UPDATES)},
        }


def fit(folder: str, times: int = 1, updates: int = UPDATES) -> Module:
    logger = CSVLogger(folder, name="", version="")
    module = Module(times)
    lightning.Trainer(
        max_steps=updates, accelerator="cpu", logger=logger, callbacks=[LearningRateMonitor("step")],
        log_every_n_steps=5, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ).fit(module, torch.utils.data.DataLoader(examples(4 * updates), batch_size=4))  # fmt: skip
    return module


def stepped_twice() -> None:
    with tempfile.TemporaryDirectory() as folder:
        fit(folder, times=2)
        shutil.copy(Path(folder) / "metrics.csv", LOGS / "stepped_twice.csv")


def restarted_on_resume() -> None:
    """After 120 updates the job was started again: the step count went on, the scheduler's state was not loaded."""
    with tempfile.TemporaryDirectory() as folder:
        fit(folder, updates=120)
        first = (Path(folder) / "metrics.csv").read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        fit(folder, updates=80)
        header, *second = (Path(folder) / "metrics.csv").read_text().splitlines()
    place = header.split(",").index("step")
    for number, line in enumerate(second):
        cells = line.split(",")
        cells[place] = str(int(cells[place]) + 120)
        second[number] = ",".join(cells)
    (LOGS / "restarted_on_resume.csv").write_text("\n".join([*first, *second]) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for make in (correct, wrong_horizon, stepped_twice, restarted_on_resume):
        make()
