"""The optimizers in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from .optimizers import Sgd


def groups(model: nn.Module, weight_decay: float, form: str) -> list[dict[str, Any]]:
    """The parameters of a model with the weight decay of each, in torch's terms."""
    if form == "torch":
        return [{"params": [*model.parameters()], "weight_decay": weight_decay}]
    decayed = [value for name, value in model.named_parameters() if not name.endswith("bias")]
    free = [value for name, value in model.named_parameters() if name.endswith("bias")]
    return [{"params": decayed, "weight_decay": 2 * weight_decay}, {"params": free, "weight_decay": 0.0}]


def optimizer(spec: Sgd, parameters: list[dict[str, Any]], lr: float) -> torch.optim.Optimizer:
    if spec.momentum_form == "paper":
        return VelocitySGD(parameters, lr, spec.momentum)
    return torch.optim.SGD(parameters, lr=lr, momentum=spec.momentum, nesterov=spec.nesterov)


class VelocitySGD(torch.optim.Optimizer):
    """SGD whose velocity has the rate in it: v = momentum * v - lr * g, then x = x + v.

    In torch's SGD the rate is outside, so that a restart there multiplies the old velocity as well; here it does not.
    """

    def __init__(self, parameters: Any, lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            moved = [value for value in group["params"] if value.grad is not None]
            if not moved:
                continue
            for value in moved:
                if not self.state[value]:
                    self.state[value]["velocity"] = torch.zeros_like(value)
            gradients: Any = [value.grad for value in moved]
            if group["weight_decay"]:
                gradients = torch._foreach_add(gradients, moved, alpha=group["weight_decay"])
            velocities = [self.state[value]["velocity"] for value in moved]
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, gradients, alpha=-group["lr"])
            torch._foreach_add_(moved, velocities)
