"""Images ready for training: batches that are functions of seed and step, and the count of errors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from .data import Pictures, load
from .tasks import Images

# images at once: more do not fit the caches of a processor, while a GPU has nothing to do with few
TESTED_AT_ONCE = {"cpu": 250, "cuda": 2_500}


@lru_cache(maxsize=1)
def problem(task: Images, directory: Path | None, device: str) -> Problem:
    """Load the images of a task; the test images are prepared as the training images are."""
    train = load(task.name, task.parts, directory)
    test = load(task.name, task.source.test, directory)
    first, last = slice(task.train_images), slice(task.test_images)
    if task.held_out is not None:
        test, last = train, slice(task.train_images, task.train_images + task.held_out)
    chosen = Pictures(train.images[first], train.classes[first]), Pictures(test.images[last], test.classes[last])
    return Problem(task, *chosen, device)


class Problem:
    """Training and test images in memory as whole numbers, on one device."""

    def __init__(self, task: Images, train: Pictures, test: Pictures, device: str = "cpu") -> None:
        self.task = task
        self.sha256 = _sha256(train, test)
        reduced = _reduced(train.images, task.side)
        self.scale = (16 if task.name == "digits" else 255) * (task.source.side // task.side) ** 2
        axes = 0 if task.normalise == "mean" else (0, 2, 3)
        mean = reduced.mean(axis=axes, dtype=np.float64, keepdims=True) / self.scale
        self.deviation = None
        if task.normalise == "mean-std":
            deviation = reduced.std(axis=axes, dtype=np.float64, keepdims=True) / self.scale
            self.deviation = torch.from_numpy(deviation.astype(np.float32)).to(device)
        self.mean = torch.from_numpy(mean.astype(np.float32)).to(device)
        self.images = torch.from_numpy(reduced).to(device)
        self.labels = torch.from_numpy(train.classes).to(device)
        self.test_images = torch.from_numpy(_reduced(test.images, task.side)).to(device)
        self.test_labels = torch.from_numpy(test.classes).to(device)
        # oneDNN and cuDNN are faster so where there are colours; with one channel it changes nothing but the kernels
        self.memory_format = torch.contiguous_format if task.source.channels == 1 else torch.channels_last

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels and sides of an image."""
        return self.task.source.channels, self.task.side, self.task.side

    def batches(self, seed: int, epoch: int, size: int, begin: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of an epoch from number `begin` on, a function of the arguments; images that fill none are left.

        seed, epoch: fix the order, the mirrored images and the cuts. size: of a batch.
        """
        columns = self.plan(seed, epoch)
        for first in range(begin * size, self.task.examples - size + 1, size):
            yield self.batch(*(column[first : first + size] for column in columns))

    def plan(self, seed: int, epoch: int) -> tuple[torch.Tensor, ...]:
        """What an epoch takes, image after image: which one, the row and the column of its cut, whether it is mirrored.

        All of an epoch is drawn at its beginning, also by a trial that resumes in its middle.
        """
        task, count = self.task, self.task.examples
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(count)
        places = random.integers(0, 2 * (task.crop or 0) + 1, size=(2, count, 1))[..., 0]
        if count > task.train_images:
            order, mirrored = order % task.train_images, order >= task.train_images
        else:
            mirrored = random.integers(0, 2, size=count) > 0 if task.flip else np.zeros(count, bool)
        columns = (order, places[0], places[1], mirrored)
        return tuple(torch.from_numpy(column).to(self.device) for column in columns)

    def batch(
        self, images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, flips: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Some images of a plan as the network sees them, and their classes; nothing is read on the host."""
        task = self.task
        batch = self.normal(self.images[images])
        if task.flip:
            batch = torch.where(flips[:, None, None, None], batch.flip(-1), batch)
        if task.crop:
            batch = cut(batch, task.crop, task.padding, rows, columns)
        return batch.contiguous(memory_format=self.memory_format), self.labels[images]

    def normal(self, images: torch.Tensor) -> torch.Tensor:
        """Images as the network sees them."""
        scaled = images.float().div_(self.scale).sub_(self.mean)
        return scaled if self.deviation is None else scaled.div_(self.deviation)

    def logits(self, model: nn.Module) -> torch.Tensor:
        """What a model says of every test image; it is left in the mode for training."""
        model.eval()
        with torch.no_grad():
            parts = [
                model(self.normal(images).contiguous(memory_format=self.memory_format))
                for images in torch.split(self.test_images, TESTED_AT_ONCE[self.device.type])
            ]
        model.train()
        return torch.cat(parts)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.task.source.classes

    @property
    def device(self) -> torch.device:
        return self.images.device

    def measure(self, model: nn.Module) -> int:
        """How many test images a model gets wrong."""
        return self.wrong(self.logits(model))

    def wrong(self, scores: torch.Tensor) -> int:
        """How many test images have another class than the one with the greatest score."""
        return int((scores.argmax(1) != self.test_labels).sum())


def cut(images: torch.Tensor, pad: int, padding: str, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """From each image with `pad` pixels added on every side, the part of the old size that begins at (row, column)."""
    side = images.shape[-1]
    mode = "reflect" if padding == "reflect" else "constant"
    padded = functional.pad(images, (pad, pad, pad, pad), mode)
    windows = padded.unfold(2, side, 1).unfold(3, side, 1)
    return windows[torch.arange(len(images), device=images.device), :, rows, columns]


def _reduced(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8] | NDArray[np.int16]:
    """Images whose values are the sums over blocks, so that nothing is rounded."""
    count, channels, before, _ = images.shape
    if side == before:
        return images
    block = before // side
    blocks = images.reshape(count, channels, side, block, side, block)
    sums: NDArray[np.int16] = blocks.sum(axis=(3, 5), dtype=np.int16)
    return sums


def _sha256(*parts: Pictures) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.images.tobytes())
        digest.update(part.classes.tobytes())
    return digest.hexdigest()
