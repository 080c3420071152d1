"""Lightning's Trainer, Fabric and command line follow a schedule update by update."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from host_runs import SCHEDULE, Used, need, wanted

from annealing import ScheduleError, cosine, parse, warm_restarts
from annealing.torch import RateError, Scheduler

need("lightning.pytorch")
import lightning.pytorch as pl  # noqa: E402
from lightning.pytorch.cli import LightningCLI  # noqa: E402

from annealing.hosts.lightning import ScheduleCallback, ScheduleCLI, configured  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


class Model(pl.LightningModule):
    """Four batches an epoch. `how` makes what configure_optimizers returns from the module and its optimizer."""

    def __init__(self, how: Any = None) -> None:
        super().__init__()
        self.layer, self.how = torch.nn.Linear(4, 1), how

    def training_step(self, batch: Any, _: int) -> Any:
        return self.layer(batch[0]).square().mean()

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(16, 4)), batch_size=4)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
        self.used, self.optimizer = Used(optimizer), optimizer
        return self.how(self, optimizer)


def trainer(path: Path, **more: Any) -> pl.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return pl.Trainer(**{"default_root_dir": path, "enable_checkpointing": False, **quiet, **more})


def by_hand(module: Any, optimizer: Any) -> Any:
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": Scheduler(optimizer, lr=parse(SCHEDULE)), "interval": "step"},
    }


def with_help(module: Any, optimizer: Any) -> Any:
    return configured(module, optimizer, lr=SCHEDULE)


@pytest.mark.parametrize("how", [by_hand, with_help])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_every_update_has_its_rate(how: Any, accumulated: int, tmp_path: Path) -> None:
    model = Model(how)
    callback = ScheduleCallback(on_departure="raise")
    trainer(tmp_path, max_epochs=4, accumulate_grad_batches=accumulated, callbacks=[callback]).fit(model)
    assert model.used.rates == wanted(parse(SCHEDULE), 16 // accumulated)
    assert callback.watches[0].follows


def test_shares_refer_to_the_updates_of_the_trainer(tmp_path: Path) -> None:
    model = Model(lambda module, o: configured(module, o, lr='linear(0, 0.1, "25%") >> cosine(0.1, 0, "75%")'))
    trainer(tmp_path, max_epochs=4, accumulate_grad_batches=2).fit(model)
    assert model.used.rates == wanted(parse("linear(0, 0.1, 2) >> cosine(0.1, 0, 6)"), 8)


def test_a_resumed_run_continues_where_it_stopped(tmp_path: Path) -> None:
    trainer(tmp_path, max_epochs=2, enable_checkpointing=True).fit(Model(with_help))
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    model = Model(with_help)
    callback = ScheduleCallback(on_departure="raise")
    trainer(tmp_path, max_epochs=4, callbacks=[callback]).fit(model, ckpt_path=checkpoint)
    assert model.used.rates == wanted(parse(SCHEDULE), 8, 8)
    assert callback.watches[0].done == 16


def test_a_changed_horizon_is_refused_unless_a_policy_is_named(tmp_path: Path) -> None:
    def longer(**more: Any) -> Model:
        return Model(lambda module, o: configured(module, o, lr=cosine(0.1, 0, 32), **more))

    half = Model(lambda module, o: configured(module, o, lr=cosine(0.1, 0, 16)))
    trainer(tmp_path, max_epochs=2, enable_checkpointing=True).fit(half)
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    with pytest.raises(ScheduleError, match="to continue, name a policy"):
        trainer(tmp_path, max_epochs=4).fit(longer(), ckpt_path=checkpoint)
    model = longer(policy="new")
    trainer(tmp_path, max_epochs=4).fit(model, ckpt_path=checkpoint)
    assert model.used.rates == wanted(cosine(0.1, 0, 32), 8, 8)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_model_from_the_end_of_each_cycle_is_kept_once(
    accumulated: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(lambda module, o: configured(module, o, lr=warm_restarts(0.1, T_0=2, T_mult=2)))
    callback = ScheduleCallback(snapshots=tmp_path / "kept")
    made = trainer(tmp_path, max_epochs=4 * accumulated, accumulate_grad_batches=accumulated, callbacks=[callback])
    save, saved = made.save_checkpoint, []
    monkeypatch.setattr(made, "save_checkpoint", lambda path: (saved.append(path.name), save(path)))
    made.fit(model)
    assert saved == ["cycle-2.ckpt", "cycle-6.ckpt", "cycle-14.ckpt"]
    for path in (tmp_path / "kept").iterdir():
        assert path.name == f"cycle-{torch.load(path, weights_only=True)['global_step']}.ckpt"


@pytest.mark.parametrize("fused", [False, True])
def test_an_update_that_a_grad_scaler_skips_does_not_count(fused: bool, tmp_path: Path) -> None:
    from lightning.pytorch.plugins import MixedPrecision

    class Overflowing(Model):
        def training_step(self, batch: Any, index: int) -> Any:
            loss = super().training_step(batch, index)
            return loss * float("inf") if self.trainer.fit_loop.total_batch_idx in (2, 3, 9) else loss

        def configure_optimizers(self) -> Any:
            self.optimizer = torch.optim.SGD(self.parameters(), lr=0.05, fused=fused)
            return configured(self, self.optimizer, lr=SCHEDULE)

        def on_train_batch_end(self, *_: Any) -> None:
            rates.append(self.optimizer.param_groups[0]["lr"])  # of the next update

    rates: list[float] = []
    scaling = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=8.0))
    trainer(tmp_path, max_epochs=4, plugins=[scaling]).fit(Overflowing())
    made = [n for n in range(16) if n not in (2, 3, 9)]
    assert rates == [parse(SCHEDULE)(sum(m <= n for m in made)) for n in range(16)]


def test_a_module_that_steps_by_hand_is_watched_and_kept(tmp_path: Path) -> None:
    class ByHand(Model):
        automatic_optimization = False

        def training_step(self, batch: Any, index: int) -> None:
            self.manual_backward(super().training_step(batch, index))
            self.optimizers().step()
            self.lr_schedulers().step()

    def how(_: Any, optimizer: Any) -> Any:
        return {"optimizer": optimizer, "lr_scheduler": Scheduler(optimizer, lr=warm_restarts(0.1, T_0=8))}

    model = ByHand(how)
    callback = ScheduleCallback(on_departure="raise", snapshots=tmp_path / "kept")
    trainer(tmp_path, max_epochs=4, callbacks=[callback]).fit(model)
    assert model.used.rates == wanted(warm_restarts(0.1, T_0=8), 16)
    assert callback.watches[0].done == 16
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["cycle-16.ckpt", "cycle-8.ckpt"]


def test_stepped_per_epoch_it_warns_once_with_the_remedy(tmp_path: Path) -> None:
    model = Model(lambda _, o: ([o], [Scheduler(o, lr=parse(SCHEDULE))]))  # Lightning's default
    with pytest.warns(RuntimeWarning, match="Lightning steps once per epoch") as found:
        trainer(tmp_path, max_epochs=4).fit(model)
    ours = [one for one in found if "steps once per epoch" in str(one.message)]
    assert len(ours) == 1
    assert '"interval": "step"' in str(ours[0].message)


def test_a_schedule_in_epochs_may_be_stepped_per_epoch(tmp_path: Path) -> None:
    model = Model(lambda _, o: ([o], [Scheduler(o, lr=cosine(0.1, 0, 4))]))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        trainer(tmp_path, max_epochs=4).fit(model)
    assert model.used.rates == [cosine(0.1, 0, 4)(n // 4) for n in range(16)]


def test_a_frequency_counts_batches_and_gives_a_warning(tmp_path: Path) -> None:
    def every_second(_: Any, optimizer: Any) -> Any:
        config = {"scheduler": Scheduler(optimizer, lr=parse(SCHEDULE)), "interval": "step", "frequency": 2}
        return {"optimizer": optimizer, "lr_scheduler": config}

    with pytest.warns(RuntimeWarning, match="once every 2 batches"):
        trainer(tmp_path, max_epochs=4).fit(Model(every_second))


def test_the_watch_sees_a_foreign_rate(tmp_path: Path) -> None:
    class Meddler(pl.Callback):
        def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 5:
                trainer.optimizers[0].param_groups[0]["lr"] = 0.03

    watched = trainer(tmp_path, max_epochs=4, callbacks=[ScheduleCallback(on_departure="raise"), Meddler()])
    with pytest.raises(RateError, match=r"update 6 uses the rate 0\.03"):
        watched.fit(Model(with_help))


@pytest.mark.parametrize(
    ("scale", "second"),
    [("base", 0.5), ("lr_scale", 0.25), (None, 1.0)],
)
def test_the_watch_knows_how_groups_are_scaled(scale: Any, second: float, tmp_path: Path) -> None:
    class Groups(Model):
        def configure_optimizers(self) -> Any:
            groups = [
                {"params": [self.layer.weight], "lr": 1.0},
                {"params": [self.layer.bias], "lr": 0.5, "lr_scale": 0.25},
            ]
            optimizer = torch.optim.SGD(groups, lr=1.0)
            self.used = Used(optimizer, group=1)
            return configured(self, optimizer, lr=SCHEDULE, scale=scale)

    model = Groups()
    trainer(tmp_path, max_epochs=4, callbacks=[ScheduleCallback(on_departure="raise")]).fit(model)
    assert model.used.rates == [rate * second for rate in wanted(parse(SCHEDULE), 16)]


def test_a_schedule_for_each_group_is_watched(tmp_path: Path) -> None:
    class Groups(Model):
        def configure_optimizers(self) -> Any:
            groups = [{"params": [self.layer.weight]}, {"params": [self.layer.bias]}]
            return configured(self, torch.optim.SGD(groups, lr=1.0), lr=[SCHEDULE, "cosine(0.5, 0, 16)"])

        def on_train_batch_start(self, *_: Any) -> None:
            if self.trainer.global_step == 9:
                self.trainer.optimizers[0].param_groups[1]["lr"] = 0.07

    watched = trainer(tmp_path, max_epochs=4, callbacks=[ScheduleCallback(on_departure="raise")])
    with pytest.raises(RateError, match=r"update 10 uses the rate 0\.07 in param group 1"):
        watched.fit(Groups())


def test_the_callback_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match=r"needs an annealing\.torch\.Scheduler"):
        trainer(tmp_path, max_epochs=1, callbacks=[ScheduleCallback()]).fit(Model(lambda _, o: o))
    with pytest.raises(ScheduleError, match="on_departure must be None, 'warn' or 'raise', got 'stop'"):
        ScheduleCallback(on_departure="stop")  # type: ignore[arg-type]


def test_the_rate_monitor_logs_the_schedule(tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path)
    model = Model(with_help)
    trainer(tmp_path, max_epochs=4, logger=logger, log_every_n_steps=1, callbacks=[LearningRateMonitor()]).fit(model)
    logged = Path(logger.log_dir, "metrics.csv").read_text().split()[1:]
    assert [float(row.split(",")[0]) for row in logged] == wanted(parse(SCHEDULE), 16)


def test_the_older_name_of_the_package_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    older = pytest.importorskip("pytorch_lightning")
    for name in [one for one in sys.modules if one.split(".")[0] == "lightning" or one == "annealing.hosts.lightning"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightning", None)
    assert issubclass(importlib.import_module("annealing.hosts.lightning").ScheduleCallback, older.Callback)


class Untouched(Model):
    """For the command line, which adds optimizer and scheduler by itself."""

    configure_optimizers = pl.LightningModule.configure_optimizers


def command_line(path: Path, *scheduler: str, cli: Any = ScheduleCLI) -> list[float]:
    class Recorded(Untouched):
        def on_train_start(self) -> None:
            self.used = Used(self.trainer.optimizers[0])

    words = ["fit", "--optimizer", "SGD", "--optimizer.lr", "0.05", "--trainer.max_epochs", "4", *scheduler]
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    defaults = {"default_root_dir": str(path), "enable_checkpointing": False, **quiet}
    made = cli(Recorded, trainer_defaults=defaults, save_config_callback=None, args=words)
    return made.model.used.rates  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["annealing.torch.Scheduler", "Scheduler"])
def test_the_command_line_takes_a_schedule_as_text(name: str, tmp_path: Path) -> None:
    words = ["--lr_scheduler", name, "--lr_scheduler.lr", SCHEDULE]
    assert command_line(tmp_path, *words) == wanted(parse(SCHEDULE), 16)


def test_a_config_file_takes_a_schedule_as_text(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "lr_scheduler:\n  class_path: annealing.torch.Scheduler\n  init_args:\n"
        f"    lr: {SCHEDULE}\n    policy: restretch\n"
    )
    assert command_line(tmp_path, "--config", str(config)) == wanted(parse(SCHEDULE), 16)


def test_lightnings_own_command_line_steps_per_epoch_and_warns(tmp_path: Path) -> None:
    words = ["--lr_scheduler", "annealing.torch.Scheduler", "--lr_scheduler.lr", SCHEDULE]
    with pytest.warns(RuntimeWarning, match="Lightning steps once per epoch"):
        command_line(tmp_path, *words, cli=LightningCLI)


def test_short_names_of_pytorchs_schedulers_are_ambiguous_and_the_error_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command_line(tmp_path, "--lr_scheduler", "ExponentialLR", "--lr_scheduler.gamma", "0.5")
    said = capsys.readouterr().err
    assert "torch.optim.lr_scheduler.ExponentialLR, annealing.torch.ExponentialLR" in said


def test_the_command_line_keeps_pytorchs_schedulers(tmp_path: Path) -> None:
    words = ["--lr_scheduler", "torch.optim.lr_scheduler.ExponentialLR", "--lr_scheduler.gamma", "0.5"]
    assert command_line(tmp_path, *words) == [0.05 * 0.5 ** (n // 4) for n in range(16)]


def test_fabric_follows_and_resumes(tmp_path: Path) -> None:
    from lightning.fabric import Fabric

    def train(updates: int, load: bool) -> list[float]:
        fabric = Fabric(accelerator="cpu", devices=1)
        model = torch.nn.Linear(4, 1)
        model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=0.05))
        scheduler, used = Scheduler(optimizer, lr=parse(SCHEDULE)), Used(optimizer.optimizer)
        state = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
        if load:
            fabric.load(tmp_path / "state.ckpt", state)
        for _ in range(updates):
            fabric.backward(model(torch.ones(2, 4)).square().mean())
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
        fabric.save(tmp_path / "state.ckpt", state)
        return used.rates

    assert train(6, False) == wanted(parse(SCHEDULE), 6)
    assert train(10, True) == wanted(parse(SCHEDULE), 10, 6)
