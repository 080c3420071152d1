"""The networks in torch, with their initial weights, and the optimizer of the SGDR paper."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn
from torch.nn.functional import gelu, scaled_dot_product_attention


def build(model: Any, seed: int, shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network that a model describes, with the initial weights of a seed; the global random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = {"cnn": cnn, "wrn": wrn, "resnet9": resnet9, "gpt": gpt}[model.name](model, shape, classes)
        return network


def cnn(model: Any, shape: tuple[int, ...], classes: int) -> nn.Module:
    before, side = shape[0], shape[1]
    layers: list[nn.Module] = []
    for number, after in enumerate(model.channels):
        # the first convolution keeps the side, since small images have little to lose
        stride = 2 if number else 1
        side = -(-side // stride)
        layers += [nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        before = after
    if model.head == "average":
        layers.append(nn.AdaptiveAvgPool2d(1))
        side = 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * side**2, classes))


def convolution(before: int, after: int, side: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias, with He's normal initial weights."""
    made = nn.Conv2d(before, after, side, stride, padding=side // 2, bias=False)
    nn.init.kaiming_normal_(made.weight)
    return made


def wrn(model: Any, shape: tuple[int, ...], classes: int) -> nn.Module:
    before = 16
    layers: list[nn.Module] = [convolution(shape[0], before, 3)]
    for number, channels in enumerate((16 * model.width, 32 * model.width, 64 * model.width)):
        for block in range((model.depth - 4) // 6):
            layers.append(WideBlock(before, channels, 2 if number and not block else 1, model.shortcut))
            before = channels
    linear = nn.Linear(before, classes)
    nn.init.kaiming_normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    layers += [nn.BatchNorm2d(before), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear]
    return nn.Sequential(*layers)


class WideBlock(nn.Module):
    """Two convolutions, each after batch normalisation and ReLU.

    Where the shape changes, the shortcut is a convolution of 1 x 1 of the `input` or of the `activated` input; else it
    is the input.
    """

    def __init__(self, before: int, after: int, stride: int, sees: str) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = convolution(before, after, 3, stride)
        self.norm2 = nn.BatchNorm2d(after)
        self.conv2 = convolution(after, after, 3)
        self.shortcut = None if before == after and stride == 1 else convolution(before, after, 1, stride)
        self.sees = sees

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = torch.relu_(self.norm1(x))
        past = x if self.shortcut is None else self.shortcut(active if self.sees == "activated" else x)
        inner: torch.Tensor = self.conv2(torch.relu_(self.norm2(self.conv1(active))))
        return inner + past


def resnet9(model: Any, shape: tuple[int, ...], classes: int) -> nn.Module:
    layers = _layer(shape[0], model.channels[0])
    for number, (before, after) in enumerate(itertools.pairwise(model.channels)):
        layers += _layer(before, after, nn.MaxPool2d(2))
        if number != 1:
            layers.append(Residual(*_layer(after, after), *_layer(after, after)))
    linear = nn.Linear(model.channels[-1], classes)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)


def _layer(before: int, after: int, *smaller: nn.Module) -> list[nn.Module]:
    return [convolution(before, after, 3), *smaller, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


class Residual(nn.Sequential):
    """What its parts make of an input, added to it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = x + super().forward(x)  # type: ignore[no-untyped-call]
        return added


def gpt(model: Any, shape: tuple[int, ...], classes: int) -> nn.Module:
    network = Transformer(model, shape[0], classes)
    for name, value in network.named_parameters():
        if value.ndim > 1:
            # what is added to the residual path twice in each layer is begun smaller, as in GPT-2
            nn.init.normal_(value, std=0.02 / (2 * model.layers) ** 0.5 if name.endswith("out.weight") else 0.02)
    return network


class Transformer(nn.Module):
    """Scores (batch, classes, place), as cross entropy takes them, for inputs (batch, place)."""

    def __init__(self, model: Any, context: int, classes: int) -> None:
        super().__init__()
        self.bytes, self.places = nn.Embedding(classes, model.width), nn.Embedding(context, model.width)
        self.blocks = nn.Sequential(*(AttentionBlock(model.width, model.heads) for _ in range(model.layers)))
        self.norm, self.head = nn.LayerNorm(model.width), nn.Linear(model.width, classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bytes(x) + self.places.weight[: x.shape[1]]
        scores: torch.Tensor = self.head(self.norm(self.blocks(inner)))
        return scores.transpose(1, 2)


class AttentionBlock(nn.Module):
    """Causal attention, then a layer of four times the width, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inward = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.up, self.mlp_out = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        q, k, v = self.inward(self.norm1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
        x = x + self.attention_out(seen.reshape(batch, length, -1))
        out: torch.Tensor = x + self.mlp_out(gelu(self.up(self.norm2(x))))
        return out


class VelocitySgd(torch.optim.Optimizer):
    """SGD whose velocity has the rate in it: v = momentum * v - lr * g, then x = x + v.

    In torch's SGD the rate is outside, so that a restart there multiplies the old velocity as well; here it does not.
    """

    def __init__(self, parameters: list[dict[str, Any]], lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            values = group["params"]
            for value in values:
                if not self.state[value]:
                    self.state[value]["velocity"] = torch.zeros_like(value)
            gradients: Any = [value.grad for value in values]
            if group["weight_decay"]:
                gradients = torch._foreach_add(gradients, values, alpha=group["weight_decay"])
            velocities = [self.state[value]["velocity"] for value in values]
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, gradients, alpha=-group["lr"])
            torch._foreach_add_(values, velocities)
