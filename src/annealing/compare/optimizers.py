"""Optimizers as plain values: those of torch.optim, and SGD as the paper has it; torch is imported when one is made."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .. import ScheduleError
from .validation import Described, choice, number, plain_data, section

if TYPE_CHECKING:
    import torch

# all of torch.optim that a plain `step()` serves; LBFGS needs a closure, SparseAdam sparse gradients
NAMES = (
    *("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax"),
    *("Muon", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
)


@dataclass(frozen=True)
class Sgd(Described):
    """Stochastic gradient descent with momentum and weight decay.

    momentum: mu, from 0 to below 1. momentum_form: `torch` (v = mu v + g, x = x - lr v) or `paper` (v = mu v - lr g,
    x = x + v); they differ when the rate changes. nesterov: only in torch's form. weight_decay: of torch's kind, a part
    of the gradient. decay_form: `torch` (of every parameter) or `paper` (of the weights and of the scales of batch
    normalisation, and twice as strong, as its code adds the sum of squares without a half).

    Source of the paper's forms: Loshchilov and Hutter 2017, arXiv 1608.03983, equations 3 and 4, and its code.
    """

    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False
    momentum_form: str = "torch"
    decay_form: str = "torch"

    name: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        self._set(momentum=number(self.momentum, "momentum", below=1))
        self._set(weight_decay=number(self.weight_decay, "weight_decay"))
        choice(self.nesterov, "nesterov", [False, True])
        choice(self.momentum_form, "momentum_form", ["torch", "paper"])
        choice(self.decay_form, "decay_form", ["torch", "paper"])
        if self.nesterov and (self.momentum_form == "paper" or not self.momentum):
            raise ScheduleError("nesterov needs a momentum above 0 in the form of torch, got true")

    def check(self) -> None:
        """Its arguments are known to be good."""

    def make(self, model: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
        """The optimizer of a model, with a rate to begin with."""
        import torch

        parameters: list[dict[str, Any]] = [{"params": [*model.parameters()], "weight_decay": self.weight_decay}]
        if self.decay_form == "paper":
            named = [*model.named_parameters()]
            decayed = [value for name, value in named if not name.endswith("bias")]
            free = [value for name, value in named if name.endswith("bias")]
            parameters = [{"params": decayed, "weight_decay": 2 * self.weight_decay}]
            parameters += [{"params": free, "weight_decay": 0.0}]
        if self.momentum_form == "paper":
            from .networks import VelocitySgd

            return VelocitySgd(parameters, lr, self.momentum)
        options = _on_device(model, torch.optim.SGD)
        return torch.optim.SGD(parameters, lr=lr, momentum=self.momentum, nesterov=self.nesterov, **options)


@dataclass(frozen=True)
class TorchOptimizer(Described):
    """An optimizer of torch.optim by its name, with its arguments; the learning rate comes from the schedule.

    >>> read_optimizer({"name": "AdamW", "betas": [0.9, 0.95]}).arguments
    {'betas': [0.9, 0.95]}
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.name not in NAMES and not self._found():
            close = {name.lower(): name for name in NAMES}
            near = difflib.get_close_matches(str(self.name).lower(), [*close], 1)
            hint = f" (did you mean {close[near[0]]}?)" if near else ""
            raise ScheduleError(f"name must be sgd or an optimizer of torch.optim, got {self.name!r}{hint}")
        self._set(arguments=plain_data(self.arguments, self.name))
        if "lr" in self.arguments:
            raise ScheduleError(f"lr of {self.name} must be left out, since it comes from the schedules")

    def _found(self) -> bool:
        """Whether torch has an optimizer of this name that is not listed here; torch is imported to find out."""
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Z]\w*", self.name):
            return False
        import torch

        found = getattr(torch.optim, self.name, None)
        return isinstance(found, type) and found is not torch.optim.Optimizer

    def description(self) -> dict[str, Any]:
        return {"name": self.name, **self.arguments}

    def check(self) -> None:
        """A ScheduleError if torch refuses the arguments."""
        import torch

        self.make(torch.nn.Linear(2, 2, bias=False), 0.1)

    def make(self, model: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
        """The optimizer of a model, with a rate to begin with."""
        import torch

        # YAML has lists where torch wants pairs
        lists = {name: tuple(value) if isinstance(value, list) else value for name, value in self.arguments.items()}
        kind = getattr(torch.optim, self.name)
        # which of its forms is taken is left to whoever names one
        options = {} if {"foreach", "fused", "capturable"} & {*lists} else _on_device(model, kind)
        try:
            made: torch.optim.Optimizer = kind(model.parameters(), lr=lr, **lists, **options)
        except (TypeError, ValueError) as error:
            raise ScheduleError(f"optimizer {self.name} refuses its arguments: {error}") from None
        return made


Optimizer = Sgd | TorchOptimizer


def read_optimizer(value: Any) -> Optimizer:
    """Read an optimizer: itself, its name, or a mapping."""
    if isinstance(value, Optimizer):
        return value
    name = value.get("name") if isinstance(value, Mapping) else value
    if name == Sgd.name or not isinstance(name, str):
        found: Sgd = section(value, "optimizer", {"sgd": Sgd})
        return found
    arguments = {} if isinstance(value, str) else {key: part for key, part in value.items() if key != "name"}
    try:
        return TorchOptimizer(name, arguments)
    except ScheduleError as error:
        raise ScheduleError(f"optimizer.{error}") from None


def _on_device(model: torch.nn.Module, kind: type) -> dict[str, bool]:
    """The options with which an optimizer on a GPU reads nothing on the host."""
    if next(model.parameters()).device.type != "cuda":
        return {}
    # Adagrad takes `fused` as well, but on processors alone
    names = {"capturable", *(["fused"] if kind.__name__ in ("SGD", "Adam", "AdamW") else [])}
    return {name: True for name in names if name in inspect.signature(kind).parameters}
