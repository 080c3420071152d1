"""The networks that are trained, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import ScheduleError
from ..errors import whole
from .validation import Described, choice

if TYPE_CHECKING:
    from torch import nn


class Network(Described):
    """A kind of network; a subclass has its sizes as fields, and a function of its name in `networks`."""

    def build(self, seed: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network in torch, with the initial weights of a seed; shape: of one input, without the batch."""
        from .networks import build

        return build(self, seed, shape, classes)


@dataclass(frozen=True)
class Cnn(Network):
    """Convolutions of 3 x 3 with batch normalisation and ReLU, all but the first of stride 2, and a linear layer.

    channels: of each convolution. head: what the linear layer sees, `flatten` all values or the `average` over places.
    """

    channels: tuple[int, ...] = (16, 32, 64)
    head: str = "average"

    name: ClassVar[str] = "cnn"

    def __post_init__(self) -> None:
        if not isinstance(self.channels, list | tuple) or not self.channels:
            raise ScheduleError(f"channels must be a list of whole numbers, got {self.channels!r}")
        self._set(channels=tuple(whole(count, "channels") for count in self.channels))
        choice(self.head, "head", ["average", "flatten"])


@dataclass(frozen=True)
class Wrn(Network):
    """A wide residual network WRN-depth-width: three groups of (depth - 4) / 6 blocks each, without dropout.

    depth: 6 n + 4. width: the groups have 16, 32 and 64 channels times this. shortcut: what a convolution of 1 x 1 on
    the shortcut sees, the `activated` input of its block (as the authors) or the `input` itself (as the code of SGDR).

    Source: Zagoruyko and Komodakis 2016, arXiv 1605.07146, with the initial weights of He et al. 2015.
    """

    depth: int
    width: int
    shortcut: str = "activated"

    name: ClassVar[str] = "wrn"

    def __post_init__(self) -> None:
        if whole(self.depth, "depth", 10) % 6 != 4:
            raise ScheduleError(f"depth must be 6 n + 4, such as 10, 16 or 28, got {self.depth!r}")
        whole(self.width, "width")
        choice(self.shortcut, "shortcut", ["activated", "input"])


@dataclass(frozen=True)
class ResNet9(Network):
    """Eight convolutions and a linear layer: a small network that trains fast on a GPU.

    channels: of the first convolution, and of three stages that each halve the side; the first and the last stage
    have a residual of two convolutions. The largest of 2 x 2 is taken before batch normalisation and ReLU, where it is
    cheaper than after them.

    Source: Page 2019, How to train your ResNet, parts 4 and 8, with fewer channels in the last stage.
    """

    channels: tuple[int, ...] = (64, 128, 256, 256)

    name: ClassVar[str] = "resnet9"

    def __post_init__(self) -> None:
        if not isinstance(self.channels, list | tuple) or len(self.channels) != 4:
            raise ScheduleError(f"channels must be a list of 4 whole numbers, got {self.channels!r}")
        self._set(channels=tuple(whole(count, "channels") for count in self.channels))


@dataclass(frozen=True)
class Gpt(Network):
    """A small decoder-only transformer over bytes: learned places, layer norm before each part, GELU, no dropout.

    layers, width, heads: its size; each head has width / heads channels. It gives scores as (batch, classes, place).

    Source: Radford et al. 2019 (GPT-2), with its initial weights.
    """

    layers: int = 3
    width: int = 96
    heads: int = 3

    name: ClassVar[str] = "gpt"

    def __post_init__(self) -> None:
        whole(self.layers, "layers")
        if whole(self.width, "width") % whole(self.heads, "heads"):
            raise ScheduleError(f"width must be a multiple of the {self.heads} heads, got {self.width!r}")


Model = Cnn | Wrn | ResNet9 | Gpt
MODELS: dict[str, type] = {model.name: model for model in (Cnn, Wrn, ResNet9, Gpt)}
LEAST_SIDE = 8  # of the images of a ResNet9, which halves it three times
