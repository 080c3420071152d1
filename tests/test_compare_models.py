"""Networks and optimizers against the papers' numbers and hand computation."""

from __future__ import annotations

import math

import pytest
import torch
from compare_cases import trained
from torch.optim.optimizer import register_optimizer_step_pre_hook

from annealing import ScheduleError
from annealing.compare import Cnn, Experiment, Sgd, TorchOptimizer, Trial, Wrn, compare
from annealing.compare.optimizers import NAMES
from annealing.compare.session import Session


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


def test_every_optimizer_of_torch_that_a_plain_step_serves_is_known():
    found = {name for name in dir(torch.optim) if isinstance(getattr(torch.optim, name), type)}
    assert {*NAMES} == found - {"Optimizer", "LBFGS", "SparseAdam"}
    for name in NAMES:
        TorchOptimizer(name).check()


def test_arguments_that_torch_refuses_are_named_before_anything_is_trained(tmp_path):
    made = Experiment("digits", {"c": "cosine(0.1, 0, 1)"}, "c", epochs=1, optimizer={"name": "AdamW", "beta": [0, 1]})
    with pytest.raises(ScheduleError, match=r"optimizer AdamW refuses its arguments: .*beta"):
        compare(tmp_path / "out", made)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_weight_decay_and_momentum_follow_their_schedules(tmp_path, name):
    arguments = {"AdamW": {"weight_decay": 0.5}, "SGD": {"weight_decay": 0.5, "momentum": 0.3}}[name]
    arm = {"schedule": "cosine(0.01, 0, 1)", "weight_decay": "linear(0.2, 0, 1)", "momentum": "linear(0.85, 0.95, 1)"}
    made = Experiment("digits", {"c": arm}, "c", epochs=1, seeds=1, optimizer={"name": name, **arguments})
    seen = []

    def before(optimizer, args, kwargs):
        group = optimizer.param_groups[0]
        seen.append((group["lr"], group["weight_decay"], group["betas"][0] if name == "AdamW" else group["momentum"]))

    handle = register_optimizer_step_pre_hook(before)
    trained(made, Trial("c", 0), tmp_path)
    handle.remove()
    # 20 updates an epoch
    wanted = [(0.01 * (1 + math.cos(math.pi * n / 20)) / 2, 0.2 * (1 - n / 20), 0.85 + 0.1 * n / 20) for n in range(20)]
    assert seen == [pytest.approx(row, rel=1e-12) for row in wanted]


def test_one_scheduler_serves_two_optimizers_and_leaves_groups_without_decay_alone(tmp_path):
    made = Experiment(
        {"name": "on.paper:train", "updates_per_epoch": 2},
        {"c": {"schedule": "linear(0.1, 0, 1)", "weight_decay": "constant(0.3)"}},
        "c",
        epochs=1,
    )
    session = Session(made, Trial("c", 0), tmp_path, None, None)
    weights = [torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(3)]
    groups = [{"params": weights[1:2], "weight_decay": 0.1}, {"params": weights[2:], "weight_decay": 0.0}]
    muon, adam = torch.optim.Muon(weights[:1], lr=1.0, weight_decay=0.1), torch.optim.AdamW(groups, lr=1.0)
    scheduler = session.scheduler(muon, adam)
    both = [*muon.param_groups, *adam.param_groups]
    assert [(group["lr"], group["weight_decay"]) for group in both] == [(0.1, 0.3), (0.1, 0.3), (0.1, 0)]
    scheduler.step()
    assert session.step == 1
    assert [group["lr"] for group in both] == [0.05] * 3
