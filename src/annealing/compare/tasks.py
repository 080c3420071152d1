"""Tasks: what is trained and on which data. Their parameters are plain values; torch is imported when one is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from .. import ScheduleError

if TYPE_CHECKING:
    import torch


class Problem(Protocol):
    """A loaded task. `batches` depends on its arguments alone, `model` on the seed alone."""

    def model(self, seed: int) -> torch.nn.Module: ...

    def batches(self, seed: int, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of an epoch, counted from 0."""

    def wrong(self, model: torch.nn.Module) -> int:
        """How many test images the model gets wrong."""


class Task(Protocol):
    """The parameters of a task: a frozen dataclass."""

    @property
    def name(self) -> str: ...
    @property
    def updates_per_epoch(self) -> int: ...
    @property
    def test_images(self) -> int: ...
    @property
    def momentum(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...

    def description(self) -> dict[str, Any]: ...
    def load(self) -> Problem: ...


@dataclass(frozen=True)
class Digits:
    """scikit-learn's 1,797 digits of 8 x 8 pixels, 1,200 to train on and 597 to test on, and a small network.

    batch: images an update, a divisor of 1,200. channels: of its two convolutions, the second of stride 2. shift: in
    every epoch each training image is moved by up to so many pixels either way. momentum, weight_decay: of torch's SGD.
    split_seed: fixes the stratified split, the same for all trials.
    """

    batch: int = 60
    channels: tuple[int, int] = (8, 32)
    shift: int = 1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    split_seed: int = 0

    name: ClassVar[str] = "digits"
    train_images: ClassVar[int] = 1200
    test_images: ClassVar[int] = 597

    def __post_init__(self) -> None:
        if self.batch < 1 or self.train_images % self.batch:
            raise ScheduleError(f"batch must be a divisor of {self.train_images}, got {self.batch!r}")

    @property
    def updates_per_epoch(self) -> int:
        return self.train_images // self.batch

    def description(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self), "channels": [*self.channels]}

    def load(self) -> Problem:
        from .digits import load

        return load(self)


def from_description(description: dict[str, Any]) -> Task:
    """The task that a manifest describes."""
    values = dict(description)
    name = values.pop("name", None)
    if name != Digits.name:
        raise ScheduleError(f"task must be {Digits.name!r}, got {name!r}")
    return Digits(**{**values, "channels": tuple(values["channels"])})
