"""The learning-rate range test: known answers, and a training that is not disturbed."""

from __future__ import annotations

import copy
import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from annealing import ScheduleError
from annealing.cli import main
from annealing.torch import RangeTest, find
from annealing.torch.range_test import _longest_fall


class Bowl(torch.nn.Module):
    """sum(curvature * x^2) / 2: gradient descent diverges exactly above the rate 2 / curvature."""

    def __init__(self, *start: float) -> None:
        super().__init__()
        self.x = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))


def bowl_loss(model: Any, curvature: float) -> torch.Tensor:
    return (curvature * model.x.square()).sum() / 2


def bowl_test(curvature: float = 4.0, **options: Any) -> RangeTest:
    model = Bowl(1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return find(model, optimizer, itertools.repeat(curvature), bowl_loss, **options)


class Noisy(torch.nn.Module):
    """Everything that a step can change: weights, batch statistics, dropout, a hidden buffer, random states."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
        )
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.calls = 0.0

    def get_extra_state(self) -> float:
        return self.calls

    def set_extra_state(self, state: float) -> None:
        self.calls = state

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.seen = self.seen + 1  # another tensor than before
        return self.layers(x + 0.01 * random.random() * np.random.rand())  # noqa: NPY002


def noisy_loss(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return (model(batch) - batch.sum(1, keepdim=True)).square().mean()


def bits(value: Any) -> Any:
    """A copy that compares every bit, including NaN and the sign of zero."""
    if isinstance(value, torch.Tensor):
        return (id(value), value.dtype, value.detach().cpu().contiguous().view(-1).view(torch.uint8).tolist())
    if isinstance(value, dict):
        return {key if not isinstance(key, torch.Tensor) else id(key): bits(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [bits(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else copy.deepcopy(value)


def everything(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[Any]:
    state = [optimizer.param_groups, dict(optimizer.state)]
    state += [dict(model.named_parameters()), dict(model.named_buffers()), getattr(model, "calls", 0)]
    state += [[one.grad for one in model.parameters()], [module.training for module in model.modules()]]
    generators: list[Any] = [random.getstate(), np.random.get_state(), torch.get_rng_state().tolist()]  # noqa: NPY002
    if torch.cuda.is_available():
        generators += [one.tolist() for one in torch.cuda.get_rng_state_all()]
    return [bits(part) for part in [*state, *generators]]


def trained(kind: Any, steps: int, **options: Any) -> tuple[Noisy, torch.optim.Optimizer, list[torch.Tensor]]:
    torch.manual_seed(0)
    random.seed(0), np.random.seed(0)  # noqa: NPY002
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Noisy().to(device)
    groups = [{"params": model.layers[0].parameters(), "lr": 1e-3}, {"params": model.layers[1:].parameters()}]
    optimizer = kind(groups, lr=1e-2, **options)
    batches = list(torch.randn(60, 16, 4, device=device))
    for batch in batches[:steps]:
        optimizer.zero_grad()
        noisy_loss(model, batch).backward()
        optimizer.step()
    return model, optimizer, batches


OPTIMIZERS = {
    "SGD": (torch.optim.SGD, {"momentum": 0.9}),
    "AdamW": (torch.optim.AdamW, {}),
    "AdamW with a tensor rate": (torch.optim.AdamW, {"lr": torch.tensor(1e-2), "foreach": False, "capturable": False}),
}


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_everything_is_restored_bit_for_bit(name: str, steps: int) -> None:
    kind, options = OPTIMIZERS[name]
    options = {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in options.items()}
    lr = options.pop("lr", 1e-2)
    model, optimizer, batches = trained(kind, steps, **options)
    optimizer.param_groups[1]["lr"] = lr
    model.layers[1].eval()
    before = everything(model, optimizer)
    result = find(model, optimizer, batches, noisy_loss, steps=50, start=1e-5, end=1)
    assert len(result.losses) > 10
    assert everything(model, optimizer) == before


class Master(torch.optim.Optimizer):
    """Gradient descent on a float32 copy of each parameter, which load_state_dict would round to bfloat16."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for one in group["params"]:
                master = self.state[one].setdefault("master", one.detach().float())
                master.sub_(group["lr"] * one.grad.float())
                one.data.copy_(master)


def test_states_in_another_dtype_than_the_parameter_are_restored_bit_for_bit() -> None:
    model = Bowl(1.0).bfloat16()
    optimizer = Master(model.parameters(), 1 / 3)
    bowl_loss(model, 1.0).backward()
    optimizer.step()
    master = optimizer.state[model.x]["master"]
    assert master.bfloat16().float() != master
    before = everything(model, optimizer)
    find(model, optimizer, itertools.repeat(1.0), bowl_loss)
    assert everything(model, optimizer) == before


def test_the_training_after_it_is_the_same() -> None:
    def losses(test_first: bool) -> list[float]:
        model, optimizer, batches = trained(torch.optim.AdamW, 2)
        if test_first:
            find(model, optimizer, batches, noisy_loss, steps=40)
        found = []
        for batch in batches:
            optimizer.zero_grad()
            loss = noisy_loss(model, batch)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    without = losses(False)
    assert losses(True) == without


def test_modes_that_the_loss_changes_are_restored() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.1))
    model[1].eval()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    find(model, optimizer, itertools.repeat(torch.ones(2)), lambda model, x: model.train()(x).square().sum())
    assert [module.training for module in model.modules()] == [True, True, False]
    assert not hasattr(optimizer, "_opt_called")


def test_the_generator_of_a_loader_is_restored() -> None:
    loader = torch.utils.data.DataLoader(
        torch.arange(50.0, dtype=torch.float64), shuffle=True, generator=torch.Generator().manual_seed(5)
    )
    before = loader.generator.get_state()
    model = Bowl(1.0)
    find(
        model, torch.optim.SGD(model.parameters(), 0.1), loader, lambda m, b: (m.x - b / 100).square().mean(), steps=20
    )
    assert torch.equal(loader.generator.get_state(), before)


@pytest.mark.parametrize("ramp", ["exponential", "linear"])
@pytest.mark.parametrize("curvature", [0.5, 4.0, 100.0])
def test_a_quadratic_diverges_above_2_over_its_curvature(curvature: float, ramp: str) -> None:
    result = bowl_test(curvature, ramp=ramp, start=1e-3 / curvature, end=3 / curvature, smoothing=0)
    rises = result.losses[1:] > result.losses[:-1]
    assert result.diverged
    assert rises.any()
    assert (rises == (result.rates[:-1] > 2 / curvature))[result.losses[:-1] > 1e-300].all()
    # By hand: x is multiplied by 1 - rate * curvature at each update.
    x = np.cumprod([1.0, *(1 - result.rates[:-1] * curvature)])
    assert result.losses == pytest.approx(curvature * x**2 / 2, rel=1e-9)
    assert all(rate is not None and rate < 2 / curvature for rate in result.suggestions.values())


def test_ramps_are_a_geometric_and_an_arithmetic_progression() -> None:
    options = {"start": 1e-4, "end": 1e-2, "steps": 21}
    assert bowl_test(**options).rates == pytest.approx(np.geomspace(1e-4, 1e-2, 21), rel=1e-12)
    assert bowl_test(ramp="linear", **options).rates == pytest.approx(np.linspace(1e-4, 1e-2, 21), rel=1e-12)


def test_the_smoothed_loss_is_the_bias_corrected_mean() -> None:
    result = bowl_test(smoothing=0.8, end=0.1, steps=30)
    weights = [0.8 ** np.arange(n, -1, -1) for n in range(30)]
    expected = [float(w @ result.losses[: len(w)] / w.sum()) for w in weights]
    assert result.smoothed == pytest.approx(expected, rel=1e-12)


def test_suggestions_of_a_known_curve() -> None:
    rates = np.geomspace(1e-4, 1, 41)
    curve = (
        2 - np.tanh(3 * np.log10(rates / 1e-2)) + 100 * np.maximum(rates - 0.3, 0)
    )  # steepest at 0.01 by its formula
    result = RangeTest(rates, curve, curve, True, "exponential")
    lowest = rates[rates <= 0.3].max()
    assert result.steepest == pytest.approx(1e-2)
    assert result.minimum == pytest.approx(lowest / 10)
    assert result.valley == pytest.approx(np.sqrt(1e-4 * lowest), rel=0.3)
    rising = RangeTest(rates, rates, rates, True, "exponential")
    assert set(rising.suggestions.values()) == {None}
    assert "steepest none" in str(rising)


def test_the_longest_fall_is_that_of_all_subsequences() -> None:
    draws = np.random.default_rng(0)
    for _ in range(50):
        values = draws.integers(0, 8, 9).astype(float)
        lengths = [
            len(places)
            for count in range(1, 10)
            for places in itertools.combinations(range(9), count)
            if all(values[a] > values[b] for a, b in itertools.pairwise(places))
        ]
        start, end = _longest_fall(values)
        inside = [
            len(places)
            for count in range(1, 10)
            for places in itertools.combinations(range(start, end + 1), count)
            if all(values[a] > values[b] for a, b in itertools.pairwise(places))
        ]
        assert max(inside) == max(lengths)


def test_accumulation_is_a_larger_batch() -> None:
    torch.manual_seed(0)
    rows = torch.randn(80, 4, dtype=torch.float64)
    found = []
    for size, accumulation in ((8, 1), (2, 4)):
        torch.manual_seed(1)
        model = torch.nn.Linear(4, 1).double()
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        loss = lambda model, batch: (model(batch) - 1).square().mean()  # noqa: E731
        batches = list(rows.split(size))
        found.append(find(model, optimizer, batches, loss, steps=10, start=1e-3, accumulation=accumulation))
    assert found[1].losses == pytest.approx(found[0].losses, rel=1e-12)
    assert found[1].suggestions == found[0].suggestions


def test_groups_keep_the_ratios_of_their_rates() -> None:
    model, optimizer, batches = trained(torch.optim.SGD, 0)
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append([group["lr"] for group in optimizer.param_groups]))
    result = find(model, optimizer, batches, noisy_loss, steps=20, end=1e-2)
    assert [rates[1] for rates in seen] == result.rates.tolist()
    assert [rates[0] for rates in seen] == pytest.approx(result.rates / 10)


def test_it_stops_where_the_loss_has_grown_enough() -> None:
    result = bowl_test(smoothing=0, diverge=10, end=100)
    assert result.diverged
    assert len(result.losses) < 100
    assert result.losses[-1] > 10 * result.losses.min()
    assert (result.losses[:-1] <= 10 * np.minimum.accumulate(result.losses[:-1])).all()
    assert not bowl_test(end=0.1).diverged


def test_a_loss_below_0_diverges_when_it_rises_by_its_size() -> None:
    model = Bowl(0.0)
    found = find(
        model,
        torch.optim.SGD(model.parameters(), 0.1),
        itertools.chain([-1.0] * 20, itertools.repeat(5.0)),
        lambda model, value: value + 0 * model.x.sum(),
        smoothing=0,
    )
    assert found.losses.tolist() == [-1.0] * 20 + [5.0]


def test_a_loss_that_is_not_finite_ends_the_range_test() -> None:
    values = itertools.chain([1.0] * 8, [float("nan")], [1.0] * 100)
    result = find(
        model := Bowl(1.0),
        torch.optim.SGD(model.parameters(), 0.1),
        values,
        lambda model, value: value * model.x.sum(),
    )
    assert result.diverged
    assert len(result.losses) == 8


def test_an_update_that_the_scaler_skips_is_repeated() -> None:
    def run(scaler: Any) -> RangeTest:
        model = Bowl(1.0).float()
        return find(
            model, torch.optim.SGD(model.parameters(), 0.1), itertools.repeat(4.0), bowl_loss, end=0.1, scaler=scaler
        )

    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**128 - 2.0**104)  # the largest float32: the first is skipped
    fresh = copy.deepcopy(vars(scaler))
    result = run(scaler)
    assert result.losses == pytest.approx(run(None).losses, rel=1e-6)
    assert vars(scaler) == fresh
    assert run(torch.amp.GradScaler("cpu", enabled=False)).losses.tolist() == run(None).losses.tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_float16_on_a_gpu_is_restored_bit_for_bit() -> None:
    model, optimizer, batches = trained(torch.optim.AdamW, 3, fused=True)
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**40)  # too large for float16: the first updates are skipped

    def loss(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cuda", torch.float16):
            return noisy_loss(model, batch)

    before, scaling = everything(model, optimizer), copy.deepcopy(vars(scaler))
    result = find(model, optimizer, batches, loss, steps=20, start=1e-5, end=1e-2, scaler=scaler, accumulation=2)
    assert len(result.losses) == 20
    assert everything(model, optimizer) == before
    assert vars(scaler) == scaling


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": 3}, "model must be a torch Module, got a int"),
    "no optimizer": ({"optimizer": "SGD"}, "optimizer must be a torch Optimizer, got a str"),
    "another model's optimizer": (
        {"optimizer": torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)},
        "no parameter of the model",
    ),
    "no batches": ({"batches": 5}, "batches must be an iterable"),
    "too few in a list": ({"batches": [1.0] * 99}, r"at least 100 .* got 99: .* itertools.cycle"),
    "too few in an iterator": ({"batches": iter([1.0] * 7)}, r"at least 100 .* got 7"),
    "too few to accumulate": ({"batches": [1.0] * 100, "accumulation": 2}, r"at least 200 .* got 100"),
    "no loss": ({"loss": None}, "loss must be a function"),
    "a loss that is a number": ({"loss": lambda model, batch: 1.0}, "scalar tensor with a gradient, got 1.0"),
    "a loss without a mean": ({"loss": lambda model, batch: model.x}, r"a tensor of shape \(1,\)"),
    "never finite": (
        {"loss": lambda model, batch: model.x.sum() * float("inf")},
        "the loss was inf before the first update",
    ),
    "at once too large": ({"start": 100, "end": 1000, "smoothing": 0}, "use a smaller start than 100"),
    "start of 0": ({"start": 0}, "0 < start < end, got 0"),
    "falling": ({"start": 1, "end": 0.1}, "0 < start < end"),
    "NaN": ({"end": float("nan")}, "find: end must be finite"),
    "few steps": ({"steps": 4}, "find: steps must be a whole number of at least 5"),
    "no accumulation": ({"accumulation": 0}, "find: accumulation must be a whole number of at least 1"),
    "unknown ramp": ({"ramp": "exponental"}, "did you mean exponential"),
    "smoothing of 1": ({"smoothing": 1}, "below 1"),
    "diverge of 1": ({"diverge": 1}, "above 1"),
    "no scaler": ({"scaler": True}, "GradScaler or None, got a bool"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_error_says_what_is_wrong_and_changes_nothing(name: str) -> None:
    given, message = WRONG[name]
    model = Bowl(1.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    before = everything(model, optimizer)
    arguments: dict[str, Any] = {"model": model, "optimizer": optimizer, "batches": [1.0] * 100, "loss": bowl_loss}
    with pytest.raises(ScheduleError, match=message):
        find(**{**arguments, **given})
    assert everything(model, optimizer) == before


def test_an_error_in_user_code_changes_nothing() -> None:
    model, optimizer, batches = trained(torch.optim.AdamW, 1)
    before = everything(model, optimizer)
    with pytest.raises(RuntimeError):
        find(model, optimizer, [*batches[:20], torch.ones(3, 3)], noisy_loss, steps=21, end=1e-4, diverge=1e9)
    assert everything(model, optimizer) == before


def test_the_picture_marks_the_suggestions() -> None:
    from annealing.plots import new_figure

    result = bowl_test(start=1e-3)
    axes = result.plot(new_figure((6, 3)).subplots())
    labels = [text.get_text().partition(":")[0] for text in axes.get_legend().get_texts()]
    assert labels == ["loss", "smoothed loss", "steepest", "valley", "minimum"]
    marked = [line.get_xdata()[0] for line in axes.get_lines()[2:]]
    assert marked == list(result.suggestions.values())
    assert axes.get_xscale() == "log"
    assert bowl_test(ramp="linear").plot(new_figure((6, 3)).subplots()).get_xscale() == "linear"


MODULE = """
import itertools, torch
def parts():
    model = torch.nn.Linear(2, 1)
    loss = lambda model, x: (model(x) - 1).square().mean()
    return model, torch.optim.SGD(model.parameters(), 0.1), itertools.repeat(torch.ones(4, 2)), loss
def three():
    return parts()[:3]
number = 3
"""


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "model_for_find.py").write_text(MODULE)
    run = lambda *words: CliRunner().invoke(main, ["find", *words])  # noqa: E731
    result = run("model_for_find:parts", "--out", "range.png", "--steps", "50")
    assert result.exit_code == 0, result.output
    assert "steepest" in result.output
    assert (tmp_path / "range.png").stat().st_size
    found = json.loads(run("model_for_find:parts", "--json").output)
    assert {"steepest", "valley", "minimum", "diverged", "rates", "losses", "smoothed"} == set(found)
    for wrong, message in (
        ("model_for_find:three", "got 3 values"),
        ("model_for_find:number", "has no function 'number'"),
        ("model_for_find:nothing", "nothing"),
        ("no_such_module:parts", "no_such_module"),
        ("", "MODULE:FUNCTION must name both"),
    ):
        result = run(wrong)
        assert result.exit_code == 2
        assert message in result.output
