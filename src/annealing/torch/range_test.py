"""The learning-rate range test on your own model, which is left as it was."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sized
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from ..calls import did_you_mean
from ..errors import ScheduleError, finite, whole
from ..recipes import geometric, linear
from .writer import put

RAMPS = {"exponential": geometric, "linear": linear}
FEWEST = 5  # steps: with fewer, no slope means anything
MOST_SKIPPED = 40  # updates in a row; after so many halvings any loss scale fits float16
Loss = Callable[[Any, Any], Tensor]
Undo = tuple[Callable[[Any], Any], Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What `find` measured: the loss before each update, and the learning rates that it suggests.

    rates: those of the parameter group with the largest rate. losses, smoothed: one for each rate. diverged: whether
    the test stopped before its last rate. steepest: the rate where the smoothed loss falls fastest. valley: the middle
    of the longest fall. minimum: a tenth of the rate with the lowest loss. A suggestion is None if the loss never fell.
    """

    rates: Floats
    losses: Floats
    smoothed: Floats
    diverged: bool
    ramp: str

    @property
    def steepest(self) -> float | None:
        # The first smoothed losses average very few values: their slope is noise.
        first = len(self.rates) // 10
        slopes = np.gradient(self.smoothed, np.log(self.rates))[first:]
        lowest = int(np.argmin(slopes))
        return float(self.rates[first + lowest]) if slopes[lowest] < 0 else None

    @property
    def valley(self) -> float | None:
        start, end = _longest_fall(self.smoothed)
        return float(self.rates[(start + end) // 2]) if end > start else None

    @property
    def minimum(self) -> float | None:
        lowest = int(np.argmin(self.smoothed))
        return float(self.rates[lowest]) / 10 if lowest else None

    @property
    def suggestions(self) -> dict[str, float | None]:
        return {"steepest": self.steepest, "valley": self.valley, "minimum": self.minimum}

    def __str__(self) -> str:
        ended = "the loss diverged" if self.diverged else "no divergence"
        values = (f"{name} {'none' if rate is None else f'{rate:.3g}'}" for name, rate in self.suggestions.items())
        return f"{', '.join(values)}; {ended} by rate {self.rates[-1]:.3g} ({len(self.rates)} updates)"

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over the rates with the suggestions marked, and return the matplotlib Axes."""
        from ..plots import COLOURS, LINES

        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.figure(figsize=(7.5, 3.7), layout="constrained").subplots()
        ax.plot(self.rates, self.losses, color="0.75", label="loss")
        ax.plot(self.rates, self.smoothed, color=COLOURS[0], label="smoothed loss")
        for index, (name, rate) in enumerate(self.suggestions.items(), 1):
            if rate is not None:
                ax.axvline(rate, color=COLOURS[index], ls=LINES[index], label=f"{name}: {rate:.3g}")
        # The last raw losses may be 1,000 times the rest, and would flatten the part that matters.
        low, high = self.smoothed.min(), self.smoothed.max()
        if high > low:
            ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        ax.set_xscale("log" if self.ramp == "exponential" else "linear")
        ax.set(xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax


def find(
    model: Module,
    optimizer: Optimizer,
    batches: Iterable[Any],
    loss: Loss,
    *,
    start: float = 1e-7,
    end: float = 10,
    steps: int = 100,
    ramp: str = "exponential",
    accumulation: int = 1,
    scaler: Any = None,
    smoothing: float = 0.9,
    diverge: float = 4,
) -> RangeTest:
    """The learning-rate range test: train while the rate rises from `start` to `end`, and suggest a learning rate.

    Afterwards parameters, buffers, gradients, optimizer, scaler and the random states of Python, NumPy and torch are
    bit for bit what they were, even after an error. The model keeps its mode (train or eval). Parameter groups keep the
    ratios of their rates; the largest follows the ramp.

    batches: at least steps * accumulation; an iterator is consumed. loss: loss(model, batch) returns a scalar tensor,
    inside autocast if you train with it. ramp: "exponential" or "linear". accumulation: batches per update, their
    losses averaged. scaler: the GradScaler of mixed precision; an update that it skips is tried again. smoothing: the
    weight of the past in the exponential mean, 0 for none. diverge: stop when the smoothed loss is this many times its
    lowest value.

    >>> model = torch.nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> result = find(model, optimizer, [torch.ones(4, 1)] * 100, lambda model, x: model(x).square().mean())
    >>> result.diverged, sorted(result.suggestions)
    (True, ['minimum', 'steepest', 'valley'])
    """
    _check(model, optimizer, batches, loss, scaler)
    start, end, smoothing, diverge = (
        finite(value, f"find: {name}")
        for name, value in (("start", start), ("end", end), ("smoothing", smoothing), ("diverge", diverge))
    )
    if not 0 < start < end:
        raise ScheduleError(f"find: start and end must be rates with 0 < start < end, got {start} and {end}")
    if not 0 <= smoothing < 1:
        raise ScheduleError(f"find: smoothing must be at least 0 and below 1, got {smoothing}")
    if diverge <= 1:
        raise ScheduleError(f"find: diverge must be above 1, got {diverge}")
    steps, accumulation = whole(steps, "find: steps", FEWEST), whole(accumulation, "find: accumulation")
    if ramp not in RAMPS:
        raise ScheduleError(
            f"find: ramp must be one of {', '.join(RAMPS)}, got {ramp!r}{did_you_mean(str(ramp), RAMPS)}"
        )
    if isinstance(batches, Sized) and len(batches) < steps * accumulation:
        raise _too_few(len(batches), steps, accumulation)
    rates = [RAMPS[ramp](start, end, steps - 1)(step) for step in range(steps)]
    training = _Training(model, optimizer, loss, scaler, accumulation)
    undo = _saved_everything(model, optimizer, scaler, batches)
    try:
        losses, means, diverged = _measured(training, iter(batches), rates, smoothing, diverge)
    finally:
        for restore, before in undo:
            restore(before)
    if len(losses) < FEWEST:
        raise ScheduleError(
            f"find: the loss diverged after {len(losses)} of {steps} updates, at rate {rates[len(losses) - 1]:.3g}: "
            f"use a smaller start than {start:g}"
        )
    return RangeTest(np.array(rates[: len(losses)]), np.array(losses), np.array(means), diverged, ramp)


def _measured(
    training: _Training, supply: Iterator[Any], rates: list[float], smoothing: float, diverge: float
) -> tuple[list[float], list[float], bool]:
    """The losses, the smoothed losses, and whether the loss diverged before the last rate."""
    losses, means, lowest, mean = list[float](), list[float](), math.inf, 0.0
    for step, rate in enumerate(rates):
        chunk = list(islice(supply, training.accumulation))
        if len(chunk) < training.accumulation:
            raise _too_few(step * training.accumulation + len(chunk), len(rates), training.accumulation)
        value = training.update(chunk, rate)
        if not math.isfinite(value):
            if not losses:
                raise ScheduleError(f"find: the loss was {value} before the first update")
            return losses, means, True
        mean = smoothing * mean + (1 - smoothing) * value
        losses.append(value)
        # The mean starts at 0, a bias that the division removes (as in Adam), so the first losses count in full.
        means.append(mean / (1 - smoothing ** (step + 1)))
        lowest = min(lowest, means[-1])
        # A multiple of a negative loss is smaller, not larger, so measure the rise in units of its size.
        if means[-1] > lowest + (diverge - 1) * abs(lowest):
            return losses, means, True
    return losses, means, False


class _Training:
    """The user's training step at a given rate."""

    def __init__(self, model: Module, optimizer: Optimizer, loss: Loss, scaler: Any, accumulation: int) -> None:
        self.model, self.optimizer, self.loss, self.scaler = model, optimizer, loss, scaler
        self.accumulation = accumulation
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        largest = max(rates)
        self.ratios = [rate / largest if largest else 1.0 for rate in rates]

    def update(self, chunk: list[Any], rate: float) -> float:
        """Make an update with this rate, and return the mean loss before it; if that is not finite, make no update."""
        put(self.optimizer.param_groups, [ratio * rate for ratio in self.ratios])
        for _ in range(MOST_SKIPPED):
            value = self._backward(chunk)
            if not math.isfinite(value) or self._step():
                return value
        return math.nan  # the gradients overflow at every scale

    def _backward(self, chunk: list[Any]) -> float:
        self.optimizer.zero_grad()
        total = 0.0
        for batch in chunk:
            loss = self.loss(self.model, batch)
            if not isinstance(loss, Tensor) or loss.dim() or not loss.requires_grad:
                got = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
                raise ScheduleError(f"find: loss(model, batch) must return a scalar tensor with a gradient, got {got}")
            total += float(loss.detach()) / self.accumulation
            if not math.isfinite(total):
                break
            part = loss / self.accumulation
            (part if self.scaler is None else self.scaler.scale(part)).backward()
        return total

    def _step(self) -> bool:
        if self.scaler is None:
            self.optimizer.step()
            return True
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        # GradScaler does not report a skipped update, but it lowers its scale then and only then.
        return bool(self.scaler.get_scale() >= scale)


def _check(model: Any, optimizer: Any, batches: Any, loss: Any, scaler: Any) -> None:
    for name, value, wanted in (("model", model, Module), ("optimizer", optimizer, Optimizer)):
        if not isinstance(value, wanted):
            raise ScheduleError(f"find: {name} must be a torch {wanted.__name__}, got a {type(value).__name__}")
    if not isinstance(batches, Iterable):
        raise ScheduleError(f"find: batches must be an iterable of batches, got a {type(batches).__name__}")
    if not callable(loss):
        raise ScheduleError(f"find: loss must be a function of model and batch, got a {type(loss).__name__}")
    if scaler is not None and not all(hasattr(scaler, name) for name in ("scale", "step", "update", "get_scale")):
        raise ScheduleError(f"find: scaler must be a GradScaler or None, got a {type(scaler).__name__}")
    own = set(model.parameters())
    if not any(parameter in own for group in optimizer.param_groups for parameter in group["params"]):
        raise ScheduleError("find: optimizer has no parameter of the model: build it from model.parameters()")
    for group in optimizer.param_groups:
        if not (math.isfinite(rate := float(group.get("lr", math.nan))) and rate >= 0):
            raise ScheduleError(f"find: each parameter group needs a finite lr of at least 0, got {group.get('lr')!r}")
    if any(torch.nn.parameter.is_lazy(one) for one in [*own, *model.buffers()]):
        raise ScheduleError("find: model has lazy parameters: call it once on a batch first")


def _too_few(found: int, steps: int, accumulation: int) -> ScheduleError:
    return ScheduleError(
        f"find: batches must be at least {steps * accumulation} (steps={steps} times accumulation={accumulation}), got "
        f"{found}: use fewer steps, or repeat the batches with itertools.cycle"
    )


def _saved_everything(model: Module, optimizer: Optimizer, scaler: Any, batches: Any) -> list[Undo]:
    """How to restore everything that a training step may change: functions, and what to call them with."""
    kept: dict[int, Undo] = {}
    # load_state_dict would cast states to the parameter's dtype and omit some buffers; this keeps every bit.
    _keep([optimizer.param_groups, optimizer.state, None if scaler is None else vars(scaler)], kept)
    for module in model.modules():
        _keep([module._parameters, module._buffers], kept)
    undo: list[Undo] = [(partial(_refill, vars(optimizer)), dict(vars(optimizer)))]
    for module in model.modules():
        undo.append((partial(setattr, module, "training"), module.training))
        if type(module).get_extra_state is not Module.get_extra_state:
            undo.append((module.set_extra_state, deepcopy(module.get_extra_state())))
    for one in {*model.parameters(), *(one for group in optimizer.param_groups for one in group["params"])}:
        _keep([one.grad], kept)
        undo.append((partial(setattr, one, "grad"), one.grad))
    return [*kept.values(), *undo, *_random_states(batches)]


def _keep(parts: Iterable[Any], kept: dict[int, Undo]) -> None:
    """Keep the contents of every tensor, dict and list among these objects, and of those inside them."""
    for part in parts:
        if id(part) in kept:  # a parameter occurs in its module and its group, a tied one in two modules
            continue
        if isinstance(part, Tensor):
            kept[id(part)] = partial(_refill, part), part.detach().clone()
        elif isinstance(part, dict):
            kept[id(part)] = partial(_refill, part), {key: _own(value) for key, value in part.items()}
            _keep(part.values(), kept)
        elif isinstance(part, list):
            kept[id(part)] = partial(_refill, part), [_own(value) for value in part]
            _keep(part, kept)


def _own(value: Any) -> Any:
    return value if isinstance(value, Tensor | dict | list) else deepcopy(value)


def _refill(value: Any, contents: Any) -> None:
    """Restore an object in place, because others may hold it, or a graph its address."""
    if isinstance(value, Tensor):
        with torch.no_grad():
            value.copy_(contents)
    elif isinstance(value, dict):
        value.clear()
        value.update(contents)
    else:
        value[:] = contents


def _random_states(batches: Any) -> list[Undo]:
    # Much data-loading code still draws from NumPy's global generator.
    numpy = np.random.set_state, np.random.get_state()  # noqa: NPY002
    states: list[Undo] = [
        (random.setstate, random.getstate()),
        numpy,
        (torch.set_rng_state, torch.get_rng_state()),
    ]
    if torch.cuda.is_available():
        states.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    generator = getattr(batches, "generator", None)  # a DataLoader's own
    if isinstance(generator, torch.Generator):
        states.append((generator.set_state, generator.get_state()))
    return states


def _longest_fall(values: Floats) -> tuple[int, int]:
    """The first and last index of the longest decreasing subsequence."""
    length, first = np.ones(len(values), int), np.arange(len(values))
    for place in range(1, len(values)):
        above = np.flatnonzero(values[:place] > values[place])
        if len(above):
            before = above[np.argmax(length[above])]
            length[place], first[place] = length[before] + 1, first[before]
    end = int(np.argmax(length))
    return int(first[end]), end
