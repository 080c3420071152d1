"""The networks in torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn


def seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    """A network with the initial weights of a seed; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def cnn(channels: Sequence[int], head: str, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The small network: its first convolution keeps the side, each other halves it."""
    before, side = shape[0], shape[1]
    layers: list[nn.Module] = []
    for number, after in enumerate(channels):
        stride = 2 if number else 1
        side = -(-side // stride)
        layers += [nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        before = after
    if head == "average":
        layers.append(nn.AdaptiveAvgPool2d(1))
        side = 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * side**2, classes))


def wrn(depth: int, width: int, shortcut: str, colours: int, classes: int) -> nn.Module:
    """The wide residual network, with He's normal initial weights."""
    blocks = (depth - 4) // 6
    before = 16
    layers: list[nn.Module] = [_convolution(colours, before, 3)]
    for number, channels in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range(blocks):
            layers.append(Block(before, channels, stride=2 if number and not block else 1, shortcut=shortcut))
            before = channels
    linear = nn.Linear(before, classes)
    nn.init.kaiming_normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(
        *layers, nn.BatchNorm2d(before), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear
    )


class Block(nn.Module):
    """Two convolutions, each after batch normalisation and ReLU.

    Where the shape changes, the shortcut is a convolution of 1 x 1 of the `input` or of the `activated` input; else it
    is the input.
    """

    def __init__(self, before: int, after: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = _convolution(before, after, 3, stride)
        self.norm2 = nn.BatchNorm2d(after)
        self.conv2 = _convolution(after, after, 3)
        self.activated = shortcut == "activated"
        self.shortcut = None if before == after and stride == 1 else _convolution(before, after, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = torch.relu_(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active if self.activated else x)
        inner: torch.Tensor = self.conv2(torch.relu_(self.norm2(self.conv1(active))))
        return inner + shortcut


def _convolution(before: int, after: int, side: int, stride: int = 1) -> nn.Conv2d:
    convolution = nn.Conv2d(before, after, side, stride, padding=side // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight)
    return convolution
