"""Data ready for training, on one device: batches that are functions of seed and step, and what a model gets wrong."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy, pad

from .data import Pictures, load
from .tasks import Images, Text, text_bytes

# images at once: more do not fit the caches of a processor, while a GPU has nothing to do with few
TESTED_AT_ONCE = {"cpu": 250, "cuda": 2_500}
WINDOWS_AT_ONCE = 32


@lru_cache(maxsize=1)
def problem(task: Images | Text, directory: Path | None, device: str) -> Any:
    """Load the data of a task: a Problem of images, prepared in the same way for the test, or Windows of a text."""
    if isinstance(task, Text):
        return Windows(task, text_bytes(task.name), device)
    train = load(task.name, task.parts, directory)
    test = load(task.name, [task.source.test], directory)
    first, last = slice(task.train_images), slice(task.test_images)
    if task.held_out is not None:
        test, last = train, slice(task.train_images, task.train_images + task.held_out)
    chosen = Pictures(train.images[first], train.classes[first]), Pictures(test.images[last], test.classes[last])
    return Problem(task, *chosen, device)


def batches(
    data: Problem | Windows, seed: int, epoch: int, size: int, begin: int = 0
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of an epoch from number `begin` on, a function of the arguments; what fills none is left out.

    seed, epoch: fix the order, and how each example is cut or mirrored. size: of a batch.
    """
    # all of an epoch is drawn at its beginning, also by a trial that resumes in its middle
    columns = data.plan(seed, epoch)
    for first in range(begin * size, data.task.examples - size + 1, size):
        yield data.batch(*(column[first : first + size] for column in columns))


class Problem:
    """Training and test images in memory as whole numbers, on one device.

    shape: channels and sides of an image. classes: how many there are. sha256: of all images and their classes.
    """

    def __init__(self, task: Images, train: Pictures, test: Pictures, device: str = "cpu") -> None:
        self.task, self.classes, channels = task, task.source.classes, task.source.channels
        self.shape = channels, task.size, task.size
        digest = hashlib.sha256()
        for values in (*train, *test):
            digest.update(values.tobytes())
        self.sha256 = digest.hexdigest()
        reduced = _reduced(train.images, task.size)
        self.scale = (16 if task.name == "digits" else 255) * (task.source.side // task.size) ** 2
        axes = 0 if task.normalise == "mean" else (0, 2, 3)
        mean = reduced.mean(axis=axes, dtype=np.float64, keepdims=True) / self.scale
        self.deviation = None
        if task.normalise == "mean-std":
            deviation = reduced.std(axis=axes, dtype=np.float64, keepdims=True) / self.scale
            self.deviation = torch.from_numpy(deviation.astype(np.float32)).to(device)
        self.mean = torch.from_numpy(mean.astype(np.float32)).to(device)
        self.images = torch.from_numpy(reduced).to(device)
        self.labels = torch.from_numpy(train.classes).to(device)
        self.test_images = torch.from_numpy(_reduced(test.images, task.size)).to(device)
        self.test_labels = torch.from_numpy(test.classes).to(device)
        self.device = self.images.device
        # oneDNN and cuDNN are faster so where there are colours; with one channel it changes nothing but the kernels
        self.memory_format = torch.contiguous_format if channels == 1 else torch.channels_last

    def plan(self, seed: int, epoch: int) -> tuple[torch.Tensor, ...]:
        """What an epoch takes, image after image: which one, row and column of its cut, and whether it is mirrored."""
        task, count = self.task, self.task.examples
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(count)
        places = random.integers(0, 2 * task.crop + 1, size=(2, count, 1))[..., 0]
        if count > task.train_images:
            order, mirrored = order % task.train_images, order >= task.train_images
        else:
            mirrored = random.integers(0, 2, size=count) > 0 if task.flip else np.zeros(count, bool)
        return tuple(torch.from_numpy(column).to(self.device) for column in (order, *places, mirrored))

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

    def measure(self, model: nn.Module) -> int:
        """How many test images a model gets wrong."""
        return self.wrong(self.logits(model))

    def wrong(self, scores: torch.Tensor) -> int:
        """How many test images have another class than the one with the greatest score."""
        return int((scores.argmax(1) != self.test_labels).sum())


def cut(images: torch.Tensor, wide: int, padding: str, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """From each image with `wide` pixels added on every side, the part of the old size that begins at (row, column)."""
    side = images.shape[-1]
    padded = pad(images, (wide, wide, wide, wide), "reflect" if padding == "reflect" else "constant")
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


class Windows:
    """A text in memory, on one device; the last bytes are held out. shape: how many bytes a model sees."""

    memory_format = torch.contiguous_format
    classes = 256

    def __init__(self, task: Text, content: bytes, device: str = "cpu") -> None:
        self.task, self.shape, self.sha256 = task, (task.context,), task.sha256
        values = torch.from_numpy(np.frombuffer(content, np.uint8).astype(np.int64)).to(device)
        self.train, self.test = values[: -task.test], values[-task.test :]
        if task.held_out is not None:
            self.train, self.test = self.train[: -task.held_out], self.train[-task.held_out :]
        self.device = self.train.device
        self._places = torch.arange(task.context + 1, device=self.device)

    def plan(self, seed: int, epoch: int) -> tuple[torch.Tensor, ...]:
        """Where the windows of an epoch begin: each epoch cuts the text at another place, and takes another order."""
        context = self.task.context
        random = np.random.default_rng([seed, epoch])
        # one byte less than a window is left free, so that each offset has as many windows
        first = random.integers(0, context)
        return (torch.from_numpy(first + context * random.permutation(self.task.examples)).to(self.device),)

    def batch(self, starts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The windows that begin at some places, and the byte after each of theirs; nothing is read on the host."""
        window = self.train[starts[:, None] + self._places]
        return window[:, :-1], window[:, 1:]

    def measure(self, model: nn.Module) -> float:
        """Bits per byte of the text that was held out; the model is left in the mode for training."""
        context = self.task.context
        count = (len(self.test) - 1) // context
        inputs = self.test[: count * context].view(count, context)
        targets = self.test[1 : count * context + 1].view(count, context)
        model.eval()
        with torch.no_grad():
            parts = zip(torch.split(inputs, WINDOWS_AT_ONCE), torch.split(targets, WINDOWS_AT_ONCE), strict=True)
            # sums, since the last part may be smaller than the others
            losses = [loss_of(model(x), y, "sum").item() for x, y in parts]
        model.train()
        return math.fsum(losses) / (count * context) / math.log(2)


def loss_of(scores: torch.Tensor, targets: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """The cross entropy of scores (examples, classes, ...); on a GPU the same bits each time."""
    if scores.is_cuda and scores.ndim > 2:
        # the kernel for more dimensions adds in any order there; on a processor older records keep their bits
        scores, targets = flat(scores, targets)
    return cross_entropy(scores, targets, reduction=reduction)


def flat(scores: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores (examples, classes, places) and targets (examples, places) with a row for each place."""
    return scores.transpose(1, -1).flatten(0, -2), targets.flatten()
