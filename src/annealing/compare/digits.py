"""The digits as torch tensors, and the network that learns them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from .tasks import Digits

SIDE = 8


@lru_cache(maxsize=1)
def load(task: Digits) -> DigitsProblem:
    """Split the digits, and subtract the mean training image."""
    images, classes = load_digits(return_X_y=True)
    train, test, train_classes, test_classes = train_test_split(
        (images / 16).astype(np.float32).reshape(-1, SIDE, SIDE),
        classes.astype(np.int64),
        test_size=task.test_images,
        stratify=classes,
        random_state=task.split_seed,
    )
    mean = train.mean(axis=0)
    tested = torch.from_numpy(test - mean)[:, None]
    return DigitsProblem(task, train - mean, train_classes, tested, torch.from_numpy(test_classes))


@dataclass(frozen=True, eq=False)
class DigitsProblem:
    """The digits, ready for training."""

    task: Digits
    images: NDArray[np.float32]
    classes: NDArray[np.int64]
    test_images: torch.Tensor
    test_classes: torch.Tensor

    def model(self, seed: int) -> nn.Module:
        """The network with the initial weights of a seed; the global random state is left as it was."""
        first, second = self.task.channels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return nn.Sequential(
                *(nn.Conv2d(1, first, 3, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU()),
                *(nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(second), nn.ReLU()),
                *(nn.Flatten(), nn.Linear(second * (SIDE // 2) ** 2, 10)),
            )

    def batches(self, seed: int, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The shuffled and shifted training images of an epoch: a function of the seed and the epoch's number."""
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(len(self.images))
        images = torch.from_numpy(shifted(self.images[order], self.task.shift, random))[:, None]
        classes = torch.from_numpy(self.classes[order])
        size = self.task.batch
        for begin in range(0, size * self.task.updates_per_epoch, size):
            yield images[begin : begin + size], classes[begin : begin + size]

    def wrong(self, model: nn.Module) -> int:
        model.eval()
        with torch.no_grad():
            wrong = (model(self.test_images).argmax(1) != self.test_classes).sum()
        model.train()
        return int(wrong)


def shifted(images: NDArray[np.float32], most: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Each image moved by up to `most` pixels each way, zeros moving in."""
    padded = np.pad(images, ((0, 0), (most, most), (most, most)))
    offsets = random.integers(0, 2 * most + 1, size=(2, len(images), 1))
    rows, columns = offsets + np.arange(SIDE)
    moved: NDArray[np.float32] = padded[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved
