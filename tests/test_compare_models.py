"""Networks and optimizers against the papers' numbers and hand computation."""

from __future__ import annotations

import math

import pytest
import torch

from annealing import ScheduleError
from annealing.compare import Cnn, Sgd, Wrn


def count(model: torch.nn.Module) -> int:
    return sum(value.numel() for value in model.parameters())


@pytest.mark.parametrize(("depth", "width", "millions"), [(28, 10, 36.5), (16, 4, 2.7), (10, 1, 0.078)])
def test_wide_residual_networks_have_the_papers_numbers_of_parameters(depth, width, millions):
    with torch.device("meta"):
        model = Wrn(depth, width).build(0, (3, 32, 32), 10)
    assert count(model) / 1e6 == pytest.approx(millions, rel=0.02)  # the papers give two or three digits
    convolutions = [part for part in model.modules() if isinstance(part, torch.nn.Conv2d)]
    shortcuts = [part for part in convolutions if part.kernel_size == (1, 1)]
    assert len(convolutions) - len(shortcuts) == depth - 3
    assert len(shortcuts) == (3 if width > 1 else 2)


def test_wrn_10_1_counted_by_hand():
    def block(a: int, b: int) -> int:
        return 2 * a + 9 * a * b + 2 * b + 9 * b * b + (a * b if a != b else 0)

    wanted = 27 * 16 + block(16, 16) + block(16, 32) + block(32, 64) + 2 * 64 + 64 * 10 + 10
    assert count(Wrn(10, 1).build(0, (3, 16, 16), 10)) == wanted == 77_850


def test_the_small_network():
    model = Cnn().build(0, (3, 32, 32), 10)
    assert count(model) == 27 * 16 + 9 * 16 * 32 + 9 * 32 * 64 + 2 * (16 + 32 + 64) + 64 * 10 + 10
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_the_initial_weights_are_hes():
    model = Wrn(16, 4).build(0, (3, 32, 32), 10)
    weight = next(part for part in model.modules() if getattr(part, "out_channels", 0) == 256).weight
    deviation = math.sqrt(2 / weight[0].numel())
    assert weight.std().item() == pytest.approx(deviation, rel=0.01)


def updates(form: str, rates: list[float]) -> list[float]:
    value = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    module = torch.nn.Module()
    module.weight = value
    optimizer = Sgd(momentum=0.5, weight_decay=0.0, momentum_form=form).make(module, 1.0)
    seen = []
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        value.grad = torch.ones_like(value)
        optimizer.step()
        seen.append(value.item())
    return seen


def test_the_rate_is_inside_the_papers_velocity_and_outside_torchs():
    # g = 1, mu = 0.5. torch: v = 1, 1.5, 1.75; x = 1 - 0.1, - 0.1 * 1.5, - 0 * 1.75
    assert updates("torch", [0.1, 0.1, 0.0]) == pytest.approx([0.9, 0.75, 0.75], rel=1e-15)
    # the paper: v = -0.1, -0.15, -0.075 (half of what was before, though the rate is 0)
    assert updates("paper", [0.1, 0.1, 0.0]) == pytest.approx([0.9, 0.75, 0.675], rel=1e-15)


def test_the_papers_decay_is_twice_as_strong_and_spares_biases():
    model = Wrn(10, 1).build(0, (3, 16, 16), 10)
    decayed, free = Sgd(weight_decay=5e-4, decay_form="paper").make(model, 0.1).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (1e-3, 0)
    assert sum(value.numel() for value in free["params"]) == 10 + 16 + 16 + 16 + 32 + 32 + 64 + 64
    (everything,) = Sgd(weight_decay=5e-4).make(model, 0.1).param_groups
    assert everything["weight_decay"] == 5e-4
    assert sum(value.numel() for value in everything["params"]) == count(model)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Wrn(11, 1), "depth must be 6 n \\+ 4, such as 10, 16 or 28, got 11"),
        (lambda: Sgd(momentum=1), "momentum must be a number of at least 0 and below 1, got 1"),
        (lambda: Sgd(nesterov=True, momentum_form="paper"), "nesterov needs a momentum above 0 in the form of torch"),
        (lambda: Cnn(channels=()), "channels must be a list of whole numbers"),
    ],
)
def test_bad_values_are_named(make, said):
    with pytest.raises(ScheduleError, match=said):
        make()
