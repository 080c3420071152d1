"""The bytes of a text ready for training: windows that are functions of seed and step, and bits per byte."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from .device_training import loss_of
from .tasks import Text, text_bytes

TESTED_AT_ONCE = 32  # windows


@lru_cache(maxsize=1)
def windows(task: Text, device: str) -> Windows:
    """Load the text of a task."""
    return Windows(task, text_bytes(task.name), device)


class Windows:
    """A text in memory, on one device; the last bytes are held out."""

    memory_format = torch.contiguous_format

    def __init__(self, task: Text, content: bytes, device: str = "cpu") -> None:
        self.task = task
        self.sha256 = task.sha256
        values = torch.from_numpy(np.frombuffer(content, np.uint8).astype(np.int64)).to(device)
        self.train, self.test = values[: -task.test], values[-task.test :]
        if task.held_out is not None:
            self.train, self.test = self.train[: -task.held_out], self.train[-task.held_out :]
        self.device = self.train.device
        self._places = torch.arange(task.context + 1, device=self.device)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many bytes a model sees."""
        return (self.task.context,)

    @property
    def classes(self) -> int:
        return 256

    def batches(self, seed: int, epoch: int, size: int, begin: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of an epoch from number `begin` on, a function of the arguments.

        A batch is windows of the text, and the byte that follows each byte of them. An epoch cuts the text at another
        place each time, and takes its windows in another order.
        """
        (starts,) = self.plan(seed, epoch)
        for number in range(begin, self.task.examples // size):
            yield self.batch(starts[number * size : (number + 1) * size])

    def plan(self, seed: int, epoch: int) -> tuple[torch.Tensor, ...]:
        """Where the windows of an epoch begin, one after another."""
        context = self.task.context
        random = np.random.default_rng([seed, epoch])
        # one byte less than a window is left free, so that each offset has as many windows
        first = random.integers(0, context)
        return (torch.from_numpy(first + context * random.permutation(self.task.examples)).to(self.device),)

    def batch(self, starts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The windows that begin at some places, and the byte after each of theirs; nothing is read on the host."""
        cut = self.train[starts[:, None] + self._places]
        return cut[:, :-1], cut[:, 1:]

    def measure(self, model: nn.Module) -> float:
        """Bits per byte of the text that was held out; the model is left in the mode for training."""
        context = self.task.context
        count = (len(self.test) - 1) // context
        inputs = self.test[: count * context].view(count, context)
        targets = self.test[1 : count * context + 1].view(count, context)
        model.eval()
        with torch.no_grad():
            parts = zip(torch.split(inputs, TESTED_AT_ONCE), torch.split(targets, TESTED_AT_ONCE), strict=True)
            # sums, since the last part may be smaller than the others
            losses = [loss_of(model(x), y, "sum").item() for x, y in parts]
        model.train()
        return math.fsum(losses) / (count * context) / math.log(2)
