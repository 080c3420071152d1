"""Hyperparameters as tensors that a compiled or captured training step updates."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch_dropins_cases import Reads

from annealing import Schedule, ScheduleError, constant, cosine, linear, one_cycle_momentum, warm_restarts
from annealing.torch import OnDevice, Scheduler, on_device

RATE = linear(0, 0.1, 5) >> warm_restarts(0.1, 0.001, T_0=4, T_mult=2)
SGD, AdamW, Muon = torch.optim.SGD, torch.optim.AdamW, torch.optim.Muon
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD, for loop": lambda groups: SGD(groups, 0.1, momentum=0.9, foreach=False),
    "SGD, foreach": lambda groups: SGD(groups, 0.1, momentum=0.9, foreach=True),
    "SGD, fused": lambda groups: SGD(groups, 0.1, momentum=0.9, fused=True),
    "AdamW": AdamW,
    "AdamW, for loop": lambda groups: AdamW(groups, foreach=False),
    "AdamW, fused": lambda groups: AdamW(groups, fused=True),
    "Muon": Muon,
}
TYPICAL = ("SGD, foreach", "AdamW, fused", "Muon")  # each takes four seconds to compile


@pytest.fixture(autouse=True)
def _no_graphs_of_other_tests() -> None:
    torch._dynamo.reset()


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4, bias=False), torch.nn.ReLU(), torch.nn.Linear(4, 2, bias=False))


def optimizer(kind: str = "SGD, foreach", model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
    parameters = (model or network()).parameters()
    return OPTIMIZERS[kind]([{"params": [parameter]} for parameter in parameters])


def held(steered: torch.optim.Optimizer, name: str = "lr") -> list[float]:
    return [float(group[name]) for group in steered.param_groups]


def narrow(value: float) -> float:
    return torch.tensor(value, dtype=torch.float32).item()


def trained(kind: str, way: str, steps: int = 20) -> tuple[list[list[float]], list[torch.Tensor], int]:
    """The rates that each update used, the parameters at the end, and how many graphs the step took."""
    torch._dynamo.reset()
    model, x = network(), torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    steered = optimizer(kind, model)
    if way in ("update", "step"):
        rates = on_device(steered, lr=RATE)
    else:
        for group in steered.param_groups:
            group["lr"] = torch.tensor(0.1)

    def step() -> None:
        if way == "update":
            rates.update()
        model(x).square().mean().backward()
        steered.step()
        if way == "step":
            rates.step()
        steered.zero_grad()

    counter = CompileCounterWithBackend("eager")
    compiled, used = torch.compile(step, backend=counter), []
    for n in range(steps):
        if way == "by hand":
            for group in steered.param_groups:
                group["lr"].fill_(RATE(n))
        before = held(steered)
        compiled()
        used.append(held(steered) if way == "update" else before)
    return used, list(model.parameters()), counter.frame_count


@pytest.mark.filterwarnings("ignore:.*deprecated")  # in PyTorch's own modules
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.thorough] * (kind not in TYPICAL)) for kind in OPTIMIZERS]
)
def test_a_whole_step_takes_no_more_graphs_than_with_a_constant_tensor(kind: str) -> None:
    _, wanted, graphs = trained(kind, "by hand")
    used, found, with_schedule = trained(kind, "update")
    assert with_schedule == graphs
    assert used == [[narrow(RATE(n))] * 2 for n in range(20)]
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    used, found, at_the_end = trained(kind, "step")
    assert at_the_end <= graphs + 1
    assert used == [[narrow(RATE(n))] * 2 for n in range(20)]
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_one_graph_for_a_thousand_updates_with_every_kind_of_argument() -> None:
    steered = optimizer("Muon")
    rates = on_device(
        steered,
        lr=[RATE, 0.5 * RATE],
        weight_decay=linear(0.1, 0, 700),
        momentum=one_cycle_momentum(0.85, 0.95, 1000),
        scale={"weight_decay": "base"},
    )
    counter = CompileCounterWithBackend("aot_eager")
    update = torch.compile(rates.update, fullgraph=True, backend=counter)
    decay = narrow(0.1)  # Muon's own
    for n in range(1000):
        update()
        assert held(steered) == [narrow(RATE(n)), narrow(0.5 * RATE(n))]
        assert held(steered, "weight_decay") == pytest.approx([linear(0.1, 0, 700)(n) * decay] * 2, rel=1e-6)
        assert held(steered, "momentum") == [narrow(one_cycle_momentum(0.85, 0.95, 1000)(n))] * 2
    assert counter.frame_count == 1
    assert int(rates.position) == 1000


def test_betas_follow_and_keep_their_places() -> None:
    steered = optimizer("AdamW")
    rates = on_device(steered, lr=RATE, betas=(linear(0.8, 0.9, 10), 0.99))
    rates.step()
    first, second = steered.param_groups[0]["betas"]
    assert (first.item(), second) == (narrow(linear(0.8, 0.9, 10)(1)), 0.99)


@pytest.mark.parametrize(
    ("kind", "name"), [("SGD, foreach", "momentum"), ("SGD, fused", "weight_decay"), ("AdamW, fused", "betas")]
)
def test_a_number_that_the_optimizer_reads_on_the_host_is_refused(kind: str, name: str) -> None:
    steered = optimizer(kind)
    before = [dict(group) for group in steered.param_groups]
    with pytest.raises(ScheduleError, match=rf"reads {name}.* on the host.*annealing.torch.Scheduler"):
        on_device(steered, **{name: linear(0.1, 0.2, 10)})
    assert steered.param_groups == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a schedule must be given"),
        ({"rate": RATE}, "'rate' is not a hyperparameter"),
        ({"lr": linear(0.1, -0.1, 10)}, "lr must be a finite number of at least 0"),
        ({"lr": [RATE]}, "one schedule for each of the 2 parameter groups"),
        ({"lr": RATE, "position": -1}, "position must be a whole number of at least 0, got -1"),
        ({"lr": RATE, "position": 1.5}, "position must be a whole number"),
        ({"lr": RATE, "policy": "old"}, "policy must be None or one of"),
        ({"lr": RATE, "scale": "bass"}, "scale must be"),
    ],
)
def test_bad_arguments_leave_the_optimizer_as_it_was(arguments: dict[str, Any], message: str) -> None:
    steered = optimizer()
    before = [dict(group) for group in steered.param_groups]
    with pytest.raises(ScheduleError, match=message):
        on_device(steered, **arguments)
    assert steered.param_groups == before


def test_objects_that_are_not_optimizers_and_tensors_that_cannot_be_used() -> None:
    with pytest.raises(ScheduleError, match=r"must be a torch\.optim\.Optimizer, got list"):
        on_device([], lr=RATE)  # type: ignore[arg-type]
    with pytest.raises(
        ScheduleError, match="AdamW does not accept a tensor as lr here: lr as a Tensor is not supported"
    ):
        on_device(AdamW(network().parameters(), foreach=True), lr=RATE)


def test_groups_have_their_own_tensors_and_a_fitting_tensor_is_kept() -> None:
    shared = torch.tensor(0.1, dtype=torch.float64)
    steered = SGD([{"params": [torch.zeros(2, 2)]} for _ in range(3)], lr=shared)
    on_device(steered, lr=[constant(0.1), constant(0.2), constant(0.3)])
    tensors = [group["lr"] for group in steered.param_groups]
    assert len({tensor.data_ptr() for tensor in tensors}) == 3
    assert {tensor.dtype for tensor in tensors} == {torch.float64}
    assert held(steered) == [0.1, 0.2, 0.3]


def test_scales_are_those_of_a_scheduler() -> None:
    def two() -> torch.optim.SGD:
        return SGD([{"params": [torch.zeros(2, 2)], "lr": lr, "lr_scale": lr} for lr in (0.5, 0.25)])

    for scale in ("base", "lr_scale"):
        ours, its = two(), two()
        rates, scheduler = on_device(ours, lr=RATE, scale=scale), Scheduler(its, lr=RATE, scale=scale)
        for _ in range(12):
            rates.step()
            scheduler.step()
            assert held(ours) == [narrow(value) for value in held(its)]
        assert [group.get("initial_lr") for group in ours.param_groups] == [
            group.get("initial_lr") for group in its.param_groups
        ]


def test_a_group_without_a_schedule_is_left_alone() -> None:
    steered = optimizer("Muon")
    rates = on_device(steered, lr=[None, RATE])
    rates.step()
    assert [type(group["lr"]) for group in steered.param_groups] == [float, torch.Tensor]
    assert held(steered) == [1e-3, narrow(RATE(1))]


def test_one_schedule_over_rates_that_differ_is_reported() -> None:
    steered = SGD([{"params": [torch.zeros(2, 2)], "lr": lr} for lr in (0.5, 0.25)])
    with pytest.warns(UserWarning, match="scale"):
        on_device(steered, RATE)


def through_a_file(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)


def test_either_kind_of_scheduler_continues_a_state() -> None:
    rates = on_device(optimizer(), lr=RATE)
    for _ in range(7):
        rates.update()
    state = through_a_file(rates.state_dict())
    scheduler = Scheduler(optimizer(), lr=RATE)
    scheduler.load_state_dict(state)
    assert (scheduler.position, scheduler.get_last_lr()[0]) == (7, RATE(7))
    scheduler.step()
    again = on_device(optimizer(), lr=RATE)
    tensor = again.optimizer.param_groups[0]["lr"]
    again.load_state_dict(through_a_file(scheduler.state_dict()))
    assert int(again.position) == 8
    assert held(again.optimizer) == [narrow(RATE(8))] * 2
    assert again.optimizer.param_groups[0]["lr"] is tensor  # so that a captured graph goes on


def test_other_schedules_need_a_policy_and_fractions_are_refused() -> None:
    rates = on_device(optimizer(), lr=cosine(0.1, 0, 10))
    rates.step()
    other = on_device(optimizer(), lr=cosine(0.1, 0, 20))
    with pytest.raises(ScheduleError, match="name a policy"):
        other.load_state_dict(rates.state_dict())
    other.load_state_dict(rates.state_dict(), policy="saved")
    assert held(other.optimizer) == [narrow(cosine(0.1, 0, 10)(1))] * 2
    scheduler = Scheduler(optimizer(), lr=cosine(0.1, 0, 20))
    scheduler.step_to(2.5)
    with pytest.raises(ScheduleError, match=r"position must be a whole number of updates on the device, got 2\.5"):
        on_device(optimizer(), lr=cosine(0.1, 0, 20)).load_state_dict(scheduler.state_dict())


def test_an_optimizer_that_loads_a_state_is_followed() -> None:
    rates = on_device(optimizer("AdamW"), lr=RATE)
    for _ in range(3):
        rates.step()
    tensor = rates.optimizer.param_groups[0]["lr"]
    rates.optimizer.load_state_dict(through_a_file(on_device(optimizer("AdamW"), lr=RATE).optimizer.state_dict()))
    assert rates.optimizer.param_groups[0]["lr"] is tensor
    assert held(rates.optimizer) == [narrow(RATE(3))] * 2
    rates.step()
    assert held(rates.optimizer) == [narrow(RATE(4))] * 2


def test_the_optimizer_does_not_keep_it_alive() -> None:
    rates = on_device(optimizer(), lr=RATE)
    steered, alive = rates.optimizer, weakref.ref(rates)
    del rates
    gc.collect()
    assert alive() is None
    steered.load_state_dict(steered.state_dict())


def test_an_added_group_is_not_forgotten() -> None:
    rates = on_device(optimizer(), lr=RATE)
    rates.step()
    rates.optimizer.add_param_group({"params": [torch.zeros(2, 2)]})
    with pytest.raises(ScheduleError, match="call on_device again, with position="):
        rates.step()
    again = on_device(rates.optimizer, lr=RATE, position=int(rates.position))
    assert held(again.optimizer) == [narrow(RATE(1))] * 3


def test_updates_that_were_skipped_do_not_count() -> None:
    rates = on_device(optimizer(), lr=RATE)
    for found_inf in (0, 1, 1, 0):
        rates.step(updated=torch.tensor(found_inf) == 0)
    assert int(rates.position) == 2
    rates.step(updated=False)
    assert held(rates.optimizer) == [narrow(RATE(2))] * 2


def test_snapshots_are_due_where_cycles_end() -> None:
    schedule = warm_restarts(0.1, T_0=3, T_mult=2)
    rates, due = on_device(optimizer(), lr=schedule), []
    for n in range(1, 23):
        rates.update()
        if rates.snapshot_due:
            due.append(n)
    assert due == schedule.snapshots(22) == [3, 9, 21]


def test_an_update_reads_nothing_on_the_host() -> None:
    rates = on_device(optimizer(), lr=[RATE, 0.5 * RATE], scale="base")
    with Reads() as reads:
        rates.update()
        rates.step()
    assert reads.count == 0


def test_it_prints_as_it_was_called() -> None:
    rates = on_device(optimizer(), lr=cosine(0.1, 0, 10), position=3)
    assert repr(rates) == "OnDevice(lr=cosine(0.1, 0, 10), position=3)"
    assert isinstance(rates, OnDevice)


def test_a_compiled_update_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    compile, graphs = torch.compile, CompileCounterWithBackend("eager")
    monkeypatch.setattr(torch, "compile", lambda function, **more: compile(function, backend=graphs, **more))
    rates = on_device(optimizer(), lr=RATE, compile=True)
    for n in range(1, 12):
        (rates.update if n % 2 else rates.step)()
    rates.write()
    assert (int(rates.position), held(rates.optimizer)) == (11, [narrow(RATE(11))] * 2)
    assert graphs.frame_count == 1


def test_schedules_are_values_that_one_tensor_each_follows() -> None:
    equal: list[Schedule] = [cosine(0.1, 0, 10), cosine(0.1, 0, 10)]
    rates = on_device(optimizer(), lr=equal)
    rates.step()
    assert held(rates.optimizer) == [narrow(equal[0](1))] * 2
