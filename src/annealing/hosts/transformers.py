"""Transformers: a Trainer that follows a schedule, with the rates watched and a checkpoint at the end of each cycle."""

from __future__ import annotations

from typing import Any

from . import importing

with importing("transformers"):
    from transformers import Trainer, TrainerCallback

from ..errors import ScheduleError
from ..torch.scheduler import Scheduler
from .adapting import Reaction, Snapshot, reaction, scheduler_for, watch


def scheduled(trainer: type[Trainer], **schedules: Any) -> type[Trainer]:
    """A subclass of this Trainer that follows schedules: `scheduled(Trainer, lr=cosine(5e-5, 0, "100%"))(model, args)`.

    schedules: as for `annealing.torch.Scheduler` (also `policy` and `scale`), text included; durations such as "5%" are
    shares of the Trainer's number of updates. The TrainingArguments `learning_rate`, `lr_scheduler_type` and
    `warmup_steps` have no effect.
    """
    if not (isinstance(trainer, type) and issubclass(trainer, Trainer)):
        raise ScheduleError(f"trainer must be transformers.Trainer or a subclass of it, got {trainer!r}")

    class Scheduled(trainer):  # type: ignore[misc]
        lr_scheduler: Any

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            if self.lr_scheduler is None:
                chosen = self.optimizer if optimizer is None else optimizer
                self.lr_scheduler = scheduler_for(Scheduler, chosen, num_training_steps, schedules)
                # Without this flag a second `train()` would continue with the scheduler of the first.
                self._created_lr_scheduler = True
            return self.lr_scheduler

    Scheduled.__name__ = Scheduled.__qualname__ = f"Scheduled{trainer.__name__}"
    return Scheduled


class ScheduleTrainerCallback(TrainerCallback):  # type: ignore[misc]
    """Watches the rate of every update, and makes the Trainer save a checkpoint at the end of each cycle.

    on_departure: "warn" or "raise" at the first update with a wrong rate; None does not watch. snapshots: whether the
    Trainer saves checkpoints (by its own rules: `save_total_limit` may delete one later).
    """

    def __init__(self, on_departure: Reaction | None = "warn", snapshots: bool = False) -> None:
        self.on_departure, self.snapshots = reaction(on_departure), snapshots

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        scheduler = kwargs["lr_scheduler"]
        if not isinstance(scheduler, Scheduler):
            raise ScheduleError(
                f"ScheduleTrainerCallback needs a Trainer with an annealing.torch.Scheduler, see "
                f"annealing.hosts.transformers.scheduled; this one has {type(scheduler).__name__}"
            )
        self.watches, self.snapshot = watch(scheduler, self.on_departure), Snapshot(scheduler)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.snapshots and self.snapshot.due:
            control.should_save = True

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for each in self.watches:
            each.remove()
