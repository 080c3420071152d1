"""The networks that are trained: as plain values, and built in torch, which is imported only then."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from .. import ScheduleError
from ..errors import whole
from .validation import choice, section

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Cnn:
    """Convolutions of 3 x 3 with batch normalisation and ReLU, all but the first of stride 2, and a linear layer.

    channels: of each convolution. head: what the linear layer sees, `flatten` all values or the `average` over places.
    """

    channels: tuple[int, ...] = (16, 32, 64)
    head: str = "average"

    name: ClassVar[str] = "cnn"

    def __post_init__(self) -> None:
        if not isinstance(self.channels, list | tuple) or not self.channels:
            raise ScheduleError(f"channels must be a list of whole numbers, got {self.channels!r}")
        object.__setattr__(self, "channels", tuple(whole(count, "channels", 1) for count in self.channels))
        choice(self.head, "head", ["average", "flatten"])

    def description(self) -> dict[str, Any]:
        return {"name": self.name, "channels": [*self.channels], "head": self.head}

    def build(self, seed: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        return seeded(seed, lambda: cnn(self.channels, self.head, shape, classes))


@dataclass(frozen=True)
class Wrn:
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

    def description(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}

    def build(self, seed: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        return seeded(seed, lambda: wrn(self.depth, self.width, self.shortcut, shape[0], classes))


@dataclass(frozen=True)
class ResNet9:
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
        object.__setattr__(self, "channels", tuple(whole(count, "channels") for count in self.channels))

    def description(self) -> dict[str, Any]:
        return {"name": self.name, "channels": [*self.channels]}

    def build(self, seed: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        return seeded(seed, lambda: resnet9(self.channels, shape[0], classes))


@dataclass(frozen=True)
class Gpt:
    """A small decoder-only transformer over bytes: learned places, layer norm before each part, GELU, no dropout.

    layers, width, heads: its size; each head has width / heads channels.

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

    def description(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}

    def build(self, seed: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        return seeded(seed, lambda: gpt(self.layers, self.width, self.heads, shape[0], classes))


Model = Cnn | Wrn | ResNet9 | Gpt
MODELS: dict[str, type] = {"cnn": Cnn, "wrn": Wrn, "resnet9": ResNet9, "gpt": Gpt}
LEAST_SIDE = 8  # of the images of a ResNet9, which halves it three times


def read_model(value: Any) -> Model:
    """Read a model: itself, its name, or a mapping."""
    model: Model = section(value, "model", MODELS)
    return model


def seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    """A network with the initial weights of a seed; the global random state is left as it was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def cnn(channels: Sequence[int], head: str, shape: tuple[int, ...], classes: int) -> nn.Module:
    """The small network: its first convolution keeps the side, each other halves it."""
    from torch import nn

    before, side = shape[0], shape[1]
    layers: list[nn.Module] = []
    for number, after in enumerate(channels):
        # the first convolution keeps the side, since small images have little to lose
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
    from torch import nn

    blocks = (depth - 4) // 6
    before = 16
    layers: list[nn.Module] = [_convolution(colours, before, 3)]
    for number, channels in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range(blocks):
            layers.append(_block(before, channels, 2 if number and not block else 1, shortcut))
            before = channels
    linear = nn.Linear(before, classes)
    nn.init.kaiming_normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(
        *layers, nn.BatchNorm2d(before), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear
    )


def _block(before: int, after: int, stride: int, shortcut: str) -> nn.Module:
    """Two convolutions, each after batch normalisation and ReLU.

    Where the shape changes, the shortcut is a convolution of 1 x 1 of the `input` or of the `activated` input; else it
    is the input.
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.BatchNorm2d(before)
            self.conv1 = _convolution(before, after, 3, stride)
            self.norm2 = nn.BatchNorm2d(after)
            self.conv2 = _convolution(after, after, 3)
            self.shortcut = None if before == after and stride == 1 else _convolution(before, after, 1, stride)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            active = torch.relu_(self.norm1(x))
            past = x if self.shortcut is None else self.shortcut(active if shortcut == "activated" else x)
            inner: torch.Tensor = self.conv2(torch.relu_(self.norm2(self.conv1(active))))
            return inner + past

    return Block()


def resnet9(channels: Sequence[int], colours: int, classes: int) -> nn.Module:
    """The fast network, with He's normal initial weights."""
    from torch import nn

    def layer(before: int, after: int, *smaller: nn.Module) -> list[nn.Module]:
        return [_convolution(before, after, 3), *smaller, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]

    class Residual(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            added: torch.Tensor = x + super().forward(x)  # type: ignore[no-untyped-call]
            return added

    first, *stages = channels
    layers = layer(colours, first)
    for number, (before, after) in enumerate(itertools.pairwise([first, *stages])):
        layers += layer(before, after, nn.MaxPool2d(2))
        if number != 1:
            layers.append(Residual(*layer(after, after), *layer(after, after)))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(stages[-1], classes))


def _convolution(before: int, after: int, side: int, stride: int = 1) -> nn.Conv2d:
    from torch import nn

    convolution = nn.Conv2d(before, after, side, stride, padding=side // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight)
    return convolution


def gpt(layers: int, width: int, heads: int, context: int, classes: int) -> nn.Module:
    """The transformer; it gives scores as (batch, classes, place), as cross entropy takes them."""
    from torch import nn

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bytes, self.places = nn.Embedding(classes, width), nn.Embedding(context, width)
            self.blocks = nn.Sequential(*(_attention_block(width, heads) for _ in range(layers)))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            inner = self.bytes(x) + self.places.weight[: x.shape[1]]
            scores: torch.Tensor = self.head(self.norm(self.blocks(inner)))
            return scores.transpose(1, 2)

    model = Transformer()
    for name, value in model.named_parameters():
        if value.ndim > 1:
            # what is added to the residual path twice in each layer is begun smaller, as in GPT-2
            nn.init.normal_(value, std=0.02 / (2 * layers) ** 0.5 if name.endswith("out.weight") else 0.02)
    return model


def _attention_block(width: int, heads: int) -> nn.Module:
    """Causal attention, then a layer of four times the width, each added to its input."""
    from torch import nn
    from torch.nn.functional import gelu, scaled_dot_product_attention

    class AttentionBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.inward = nn.Linear(width, 3 * width, bias=False)
            self.attention_out = nn.Linear(width, width, bias=False)
            self.up, self.mlp_out = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            batch, length, _ = x.shape
            q, k, v = self.inward(self.norm1(x)).view(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
            seen = scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
            x = x + self.attention_out(seen.reshape(batch, length, width))
            out: torch.Tensor = x + self.mlp_out(gelu(self.up(self.norm2(x))))
            return out

    return AttentionBlock()
