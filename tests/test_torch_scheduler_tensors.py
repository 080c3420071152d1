"""The native Scheduler with hyperparameters that are tensors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch_dropins_cases import Reads, through_a_file

from annealing import cosine, linear, warm_restarts
from annealing import torch as ours


def Scheduler(*args: Any, **given: Any) -> ours.Scheduler:
    """One schedule that is intended for all of the different groups that most of these tests have."""
    return ours.Scheduler(*args, **{"scale": None, **given})


SCHEDULE = warm_restarts(0.1, T_0=7)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])


def optimizer(*lrs: torch.Tensor | float, **more: Any) -> torch.optim.SGD:
    return torch.optim.SGD([{"params": [torch.zeros(1)], "lr": lr} for lr in lrs], **more)


def held(scheduler: Scheduler, name: str = "lr") -> list[Any]:
    return [group[name] for group in scheduler.optimizer.param_groups]


def rounded(values: list[float], dtype: torch.dtype) -> list[float]:
    return torch.tensor(values, dtype=torch.float64).to(dtype).tolist()


@dtypes
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("scale", [None, "base"])
def test_tensors_are_filled_in_place_with_the_value_rounded_once(dtype: torch.dtype, groups: int, scale: Any) -> None:
    lrs = [torch.tensor(i / 4, dtype=dtype) for i in range(1, groups + 1)]
    scheduler = Scheduler(optimizer(*lrs), lr=SCHEDULE, scale=scale)
    tensors = held(scheduler)
    for t in range(30):
        factors = [1.0] * groups if scale is None else [i / 4 for i in range(1, groups + 1)]
        assert [rate.item() for rate in held(scheduler)] == rounded([SCHEDULE(t) * factor for factor in factors], dtype)
        scheduler.step()
    assert all(a is b for a, b in zip(tensors, held(scheduler), strict=True))
    assert {(rate.dtype, rate.shape) for rate in tensors} == {(dtype, torch.Size([]))}
    if groups == 1:
        assert held(scheduler)[0] is lrs[0]


def test_a_tensor_shared_by_groups_becomes_one_for_each() -> None:
    shared = torch.tensor(0.1)
    o = torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(3)], lr=shared)
    scheduler = Scheduler(o, lr=[linear(1, 0, 4), linear(2, 0, 4), 3])
    scheduler.step()
    assert [rate.item() for rate in held(scheduler)] == [0.75, 1.5, 3.0]


def test_shapes_and_kinds_are_kept() -> None:
    lrs = [torch.tensor([0.1]), torch.tensor(0.1), 0.1, torch.tensor(0.1, dtype=torch.float64), 0.1]
    scheduler = Scheduler(optimizer(*lrs), lr=[linear(i, 0, 4) for i in range(1, 6)])
    scheduler.step()
    rates = held(scheduler)
    assert [float(rate) for rate in rates] == [0.75, 1.5, 2.25, 3.0, 3.75]
    assert [getattr(rate, "shape", None) for rate in rates] == [(1,), (), None, (), None]
    assert [getattr(rate, "dtype", float) for rate in rates] == [torch.float32] * 2 + [float, torch.float64, float]
    assert rates[3] is lrs[3]  # alone of its kind
    copies = scheduler.get_last_lr()
    assert [type(one) for one in copies] == [type(rate) for rate in rates]
    assert copies == rates
    copies[0].fill_(9)
    assert rates[0].item() == 0.75


def test_rates_that_need_gradients_are_filled_too() -> None:
    lrs = [torch.tensor(0.1, requires_grad=True) for _ in range(2)]
    scheduler = Scheduler(optimizer(*lrs), lr=linear(1, 0, 4))
    scheduler.step()
    assert [rate.item() for rate in lrs] == [0.75, 0.75]
    assert held(scheduler)[0] is lrs[0]


def test_tensors_among_the_betas() -> None:
    shared = torch.tensor(0.9)
    groups = [{"params": [torch.zeros(1)]} for _ in range(2)]
    o = torch.optim.Adam(
        groups, lr=torch.tensor(0.1), betas=(shared, torch.tensor(0.99)), foreach=False, capturable=True
    )
    scheduler = Scheduler(o, betas=[linear(0.5, 0.75, 2), linear(0.25, 0.5, 2)])
    scheduler.step()
    assert [first.item() for first, _ in held(scheduler, "betas")] == [0.625, 0.375]
    assert all(second.item() == torch.tensor(0.99).item() for _, second in held(scheduler, "betas"))


@pytest.mark.parametrize("lr", [SCHEDULE, [SCHEDULE, 0.5 * SCHEDULE]])
@pytest.mark.parametrize("scale", [None, "base"])
def test_no_step_reads_a_tensor(lr: Any, scale: Any) -> None:
    scheduler = Scheduler(optimizer(torch.tensor(0.1), torch.tensor(0.2)), lr=lr, scale=scale)
    scheduler.step()
    with Reads() as reads:
        for _ in range(5):
            scheduler.step()
        scheduler.get_last_lr()
    assert reads.count == 0
    with Reads() as reads:
        held(scheduler)[0].item()
    assert reads.count == 1


# The optimizer's state


def two(scale: float = 1) -> torch.optim.SGD:
    return optimizer(torch.tensor(0.1 * scale), torch.tensor(0.2 * scale))


def test_a_loaded_optimizer_s_tensors_are_taken_over_at_the_next_step() -> None:
    saved = Scheduler(two(), lr=linear(1, 0, 10), scale="base", last_epoch=4)
    state = through_a_file(saved.optimizer.state_dict())
    scheduler = Scheduler(two(), lr=linear(1, 0, 10), scale="base")
    scheduler.optimizer.load_state_dict(state)
    assert [rate.item() for rate in held(scheduler)] == rounded([0.05, 0.1], torch.float32)
    for position in (1, 2):
        scheduler.step()
        factor = 1 - position / 10
        assert [rate.item() for rate in held(scheduler)] == pytest.approx([0.1 * factor, 0.2 * factor], rel=1e-7)
    assert [rate.item() for rate in held(saved)] == rounded([0.05, 0.1], torch.float32)
    assert [group["lr"].item() for group in state["param_groups"]] == rounded([0.05, 0.1], torch.float32)


def test_tensors_in_place_of_numbers_and_numbers_in_place_of_tensors() -> None:
    scheduler = Scheduler(optimizer(0.1, 0.2), lr=linear(1, 0, 4))
    for lrs in ((torch.tensor(0.1), 0.2), (0.1, 0.2), (torch.tensor(0.1), torch.tensor(0.2))):
        for group, lr in zip(scheduler.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr
        scheduler.write()
        assert held(scheduler) == [1, 1]
        assert [type(rate) for rate in held(scheduler)] == [type(lr) for lr in lrs]


def test_groups_added_later() -> None:
    scheduler = Scheduler(two(), lr=linear(1, 0, 4))
    scheduler.optimizer.add_param_group({"params": [torch.zeros(1)], "lr": torch.tensor(0.3)})
    scheduler.step()
    assert [rate.item() for rate in held(scheduler)] == [0.75] * 3


def test_of_two_schedulers_the_last_to_write_sets_the_rate() -> None:
    o = two()
    one, other = Scheduler(o, lr=0.5), Scheduler(o, lr=0.25)
    for scheduler, rate in ((one, 0.5), (other, 0.25), (one, 0.5)):
        scheduler.step()
        assert [group["lr"].item() for group in o.param_groups] == [rate, rate]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_have_their_own_tensors(copied: Any) -> None:
    scheduler = Scheduler(two(), lr=cosine(1, 0, 4))
    other = copied(scheduler)
    other.step_to(4)
    assert [rate.item() for rate in held(other) + held(scheduler)] == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adam", "RMSprop", "NAdam"])
@pytest.mark.parametrize("mode", [{"foreach": False}, {"fused": True}])
def test_optimizers_train_with_them_as_with_numbers(name: str, mode: dict[str, bool]) -> None:
    if mode == {"fused": True} and name in ("RMSprop", "NAdam"):
        pytest.skip("has no fused form")

    def trained(tensor: bool) -> list[float]:
        torch.manual_seed(0)
        parameters, x = [torch.nn.Parameter(torch.randn(4, dtype=torch.float64)) for _ in range(3)], torch.randn(9, 4)
        groups = [
            {"params": [one], "lr": torch.tensor(0.1, dtype=torch.float64) if tensor else 0.1} for one in parameters
        ]
        o = getattr(torch.optim, name)(groups, **mode)
        scheduler = Scheduler(o, lr=[SCHEDULE, 0.5 * SCHEDULE, 0.25 * SCHEDULE])
        for _ in range(10):
            o.zero_grad()
            (x.double() @ torch.stack(parameters).T).square().mean().backward()
            o.step()
            scheduler.step()
        return [value for one in parameters for value in one.tolist()]

    assert trained(tensor=True) == pytest.approx(trained(tensor=False), rel=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile imports what is deprecated
def test_a_compiled_loop_does_not_recompile() -> None:
    from torch._dynamo.testing import CompileCounter

    torch.compiler.reset()
    counter = CompileCounter()
    parameter = torch.nn.Parameter(torch.ones(2))
    o = torch.optim.SGD([{"params": [parameter], "lr": torch.tensor(0.1)}])
    parameter.grad = torch.ones(2)
    scheduler = Scheduler(o, lr=SCHEDULE)

    @torch.compile(backend=counter)
    def update() -> None:
        o.step()
        scheduler.step()

    for _ in range(3):
        update()
    compiled = counter.frame_count
    for _ in range(10):
        update()
    assert counter.frame_count == compiled > 0
    assert parameter.tolist() == pytest.approx([1 - sum(SCHEDULE(t) for t in range(13))] * 2)
    torch.compiler.reset()
