"""Transformers' Trainer follows a schedule update by update, also resumed and with another horizon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from host_runs import SCHEDULE, need, wanted

from annealing import ScheduleError, cosine, linear, parse, warm_restarts
from annealing.torch import RateError

need("transformers", "accelerate")
from host_transformers import Model, Recorder, train  # noqa: E402
from transformers import Trainer, TrainerCallback, TrainingArguments  # noqa: E402

from annealing.hosts.transformers import ScheduleTrainerCallback, scheduled  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("accumulated", [1, 2])
def test_every_update_has_its_rate_and_logs_it(accumulated: int, tmp_path: Path) -> None:
    callback = ScheduleTrainerCallback(on_departure="raise")
    trainer = train(tmp_path, SCHEDULE, callback, gradient_accumulation_steps=accumulated)
    assert trainer.used == wanted(parse(SCHEDULE), 16 // accumulated)
    assert trainer.logged == trainer.used
    assert callback.watches[0].done == 16 // accumulated


def test_two_processes_use_every_rate(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    script = str(Path(__file__).with_name("host_transformers.py"))
    subprocess.run([*command, script, str(tmp_path)], check=True, capture_output=True)
    for process in (0, 1):
        found = json.loads((tmp_path / f"{process}.json").read_text())
        assert found == {"processes": 2, "used": wanted(parse(SCHEDULE), 16)}


def test_shares_refer_to_the_updates_of_the_trainer(tmp_path: Path) -> None:
    trainer = train(tmp_path, 'linear(0, 0.1, "25%") >> cosine(0.1, 0, "75%")', max_steps=12)
    assert trainer.used == wanted(linear(0, 0.1, 3) >> cosine(0.1, 0, 9), 12)


def test_weight_decay_and_momentum_can_follow_too(tmp_path: Path) -> None:
    trainer = train(tmp_path, {"lr": SCHEDULE, "weight_decay": linear(0.1, 0, 16), "betas": linear(0.9, 0.8, 16)})
    group = trainer.optimizer.param_groups[0]
    assert trainer.used == wanted(parse(SCHEDULE), 16)
    assert (group["weight_decay"], group["betas"][0]) == (0, 0.8)


def test_a_subclass_keeps_what_it_overrides(tmp_path: Path) -> None:
    class Doubled(Trainer):
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            self.asked = True
            return super().compute_loss(*args, **kwargs)

    trainer = train(tmp_path, SCHEDULE, base=Doubled)
    assert trainer.asked
    assert type(trainer).__name__ == "ScheduledDoubled"
    assert trainer.used == wanted(parse(SCHEDULE), 16)


def test_a_resumed_run_continues_where_it_stopped(tmp_path: Path) -> None:
    train(tmp_path, SCHEDULE, save_strategy="steps", save_steps=5)
    callback = ScheduleTrainerCallback(on_departure="raise")
    trainer = train(tmp_path, SCHEDULE, callback, resume=str(tmp_path / "checkpoint-5"))
    assert trainer.used == wanted(parse(SCHEDULE), 11, 5)
    assert callback.watches[0].done == 16


def test_a_changed_horizon_is_refused_unless_a_policy_is_named(tmp_path: Path) -> None:
    schedule = cosine(0.1, 0, "100%")
    train(tmp_path, schedule, save_strategy="steps", save_steps=5, max_steps=10)
    saved = str(tmp_path / "checkpoint-5")
    with pytest.raises(ScheduleError, match="to continue, name a policy"):
        train(tmp_path, schedule, resume=saved, max_steps=20)
    new = train(tmp_path, {"lr": schedule, "policy": "new"}, resume=saved, max_steps=20)
    assert new.used == wanted(cosine(0.1, 0, 20), 15, 5)
    restretched = train(tmp_path, {"lr": schedule, "policy": "restretch"}, resume=saved, max_steps=20)
    # What was left of the cosine, 5 updates, now takes 15: three times as long.
    assert restretched.used == pytest.approx([cosine(0.1, 0, 10)(5 + n / 3) for n in range(15)], rel=1e-15)


def test_a_second_training_starts_from_0(tmp_path: Path) -> None:
    trainer = train(tmp_path, SCHEDULE)
    trainer.train()
    (recorder,) = (one for one in trainer.callback_handler.callbacks if isinstance(one, Recorder))
    assert recorder.used.rates == wanted(parse(SCHEDULE), 16)


def test_a_checkpoint_is_saved_at_the_end_of_each_cycle(tmp_path: Path) -> None:
    callback = ScheduleTrainerCallback(snapshots=True)
    train(tmp_path, warm_restarts(0.1, T_0=2, T_mult=2), callback, save_strategy="steps", save_steps=1000)
    assert {path.name for path in tmp_path.glob("checkpoint-*")} >= {f"checkpoint-{n}" for n in (2, 6, 14)}
    assert not (tmp_path / "checkpoint-4").exists()


def test_the_watch_sees_a_foreign_rate(tmp_path: Path) -> None:
    class Meddler(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 5:
                kwargs["optimizer"].param_groups[0]["lr"] = 0.03

    with pytest.raises(RateError, match=r"update 6 uses the rate 0\.03"):
        train(tmp_path, SCHEDULE, ScheduleTrainerCallback(on_departure="raise"), Meddler())


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match=r"trainer must be transformers\.Trainer or a subclass of it, got 3"):
        scheduled(3, lr=SCHEDULE)  # type: ignore[arg-type]
    plain = TrainingArguments(output_dir=str(tmp_path), report_to="none", use_cpu=True, max_steps=1, disable_tqdm=True)
    with pytest.raises(ScheduleError, match="this one has LambdaLR"):
        Trainer(model=Model(), args=plain, train_dataset=[{}], callbacks=[ScheduleTrainerCallback()]).train()
