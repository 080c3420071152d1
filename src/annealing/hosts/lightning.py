"""Lightning: schedules per update, the rates watched, and a checkpoint at the end of each cycle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import importing

with importing("lightning"):
    try:
        from lightning.pytorch import Callback, LightningModule, Trainer
        from lightning.pytorch.cli import LightningCLI
    except ImportError:  # the older package name, which may be the only one installed
        from pytorch_lightning import Callback, LightningModule, Trainer
        from pytorch_lightning.cli import LightningCLI

from ..errors import ScheduleError
from ..torch.scheduler import Scheduler
from .adapting import Reaction, Snapshot, reaction, scheduler_for, watch


def configured(module: LightningModule, optimizer: Any, **schedules: Any) -> dict[str, Any]:
    """The return value for `configure_optimizers`: this optimizer with a Scheduler that is stepped once per update.

    Lightning steps per epoch by default, and does not report when a GradScaler skips an update; the Scheduler detects
    that itself. schedules: as for `annealing.torch.Scheduler`, text included; durations such as "5%" are shares of
    `trainer.estimated_stepping_batches`.
    """
    scheduler = scheduler_for(LightningScheduler, optimizer, module.trainer.estimated_stepping_batches, schedules)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step", "frequency": 1}}


class LightningScheduler(Scheduler):
    """A Scheduler that advances only if the optimizer has made an update since, whoever calls `step()`."""

    _made = False

    def __init__(self, optimizer: Any, **schedules: Any) -> None:
        super().__init__(optimizer, **schedules)
        optimizer.register_step_post_hook(self._note)

    def _note(self, optimizer: Any, *_: Any) -> None:
        # A GradScaler calls a fused optimizer even to skip an update; it sets found_inf to 1, and the weights stay.
        found_inf = getattr(optimizer, "found_inf", None)
        self._made = found_inf is None or not found_inf.item()

    def step(self, epoch: float | None = None, *, updated: bool = True) -> None:
        made, self._made = self._made, False
        super().step(epoch, updated=updated and made)


class ScheduleCallback(Callback):  # type: ignore[misc]
    """Watches the rate of every update, and keeps the model from the end of each cycle.

    on_departure: "warn" or "raise" at the first update with a wrong rate; None does not watch. snapshots: a directory
    for the checkpoints `cycle-<updates>.ckpt`; None saves none. A Scheduler that Lightning steps per epoch (its
    default) is neither watched nor saved.
    """

    def __init__(self, on_departure: Reaction | None = "warn", snapshots: str | Path | None = None) -> None:
        self.on_departure, self.directory = reaction(on_departure), snapshots

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # By now the states are loaded and the schedulers know their positions; in `setup` they do not.
        configs = [one for one in trainer.lr_scheduler_configs if isinstance(one.scheduler, Scheduler)]
        if not configs:
            raise ScheduleError(
                "ScheduleCallback needs an annealing.torch.Scheduler from configure_optimizers, got none"
            )
        by_hand = not pl_module.automatic_optimization  # then the module steps, and Lightning ignores the interval
        per_update = [one.scheduler for one in configs if by_hand or one.interval == "step"]
        self.watches = [each for scheduler in per_update for each in watch(scheduler, self.on_departure)]
        self.snapshots = [Snapshot(scheduler) for scheduler in per_update]

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.directory is None:
            return
        for snapshot in self.snapshots:
            if snapshot.due:
                trainer.save_checkpoint(Path(self.directory) / f"cycle-{snapshot.scheduler.position}.ckpt")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for each in self.watches:
            each.remove()


class ScheduleCLI(LightningCLI):  # type: ignore[misc]
    """A LightningCLI whose `--lr_scheduler annealing.torch.Scheduler` is stepped once per update."""

    @staticmethod
    def configure_optimizers(lightning_module: LightningModule, optimizer: Any, lr_scheduler: Any = None) -> Any:
        if isinstance(lr_scheduler, Scheduler):
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": lr_scheduler, "interval": "step"}}
        return LightningCLI.configure_optimizers(lightning_module, optimizer, lr_scheduler)
