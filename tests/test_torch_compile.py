"""Schedules of a step tensor inside graphs: torch.compile, export, make_fx, fake tensors, functional transforms."""

from __future__ import annotations

import copy
import gc
import math
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import reference
import torch
from catalogue import every
from torch._dynamo.testing import CompileCounterWithBackend
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from annealing import Repeat, Schedule, cosine, linear, one_cycle, step, warm_restarts

GRAPHS = 16  # each takes three seconds to compile
NAMES = list(every)
# All schedules go into a graph as the same operation; what differs is how their tables are packed.
CHUNKS = [pytest.param(NAMES[i::GRAPHS], marks=[pytest.mark.thorough] * (i > 3)) for i in range(GRAPHS)]
KINDS = ["cosine", "warm-up, then restarts", "restarts, falling peak", "warm-up times", "multistep", "held", "strict"]


def fresh(name: str) -> Schedule:
    """A schedule that was never called, so that the tested code builds its tables."""
    return copy.copy(every[name])


@pytest.fixture(autouse=True)
def _no_graphs_of_other_tests() -> None:
    torch._dynamo.reset()


def compiled(function: Callable[..., Any], backend: str = "eager") -> tuple[Callable[..., Any], Any]:
    counter = CompileCounterWithBackend(backend)
    return torch.compile(function, fullgraph=True, backend=counter), counter


def bits(tensor: torch.Tensor) -> list[int]:
    return tensor.view(torch.int64).tolist()


@pytest.mark.parametrize("names", CHUNKS, ids=lambda names: names[0])
def test_one_graph_for_every_entry_of_the_catalogue(names: list[str]) -> None:
    schedules = [fresh(name) for name in names]
    function, counter = compiled(lambda t: [schedule(t) for schedule in schedules])
    draw = random.Random(names[0])
    for t in [0, 1, 2, 10, 121, 2**24 + 1, *(draw.randrange(1000) for _ in range(10))]:
        for name, schedule, found in zip(names, schedules, function(torch.tensor(t)), strict=True):
            assert found.dtype == torch.float64
            if schedule.duration is None or t <= schedule.duration or name != "strict":
                assert bits(found) == bits(schedule(torch.tensor(t))), (name, t)
            else:
                assert math.isnan(found), "a graph cannot raise"
    assert counter.frame_count == 1


def test_a_schedule_that_the_garbage_collector_no_longer_lists() -> None:
    schedule = cosine(1, 0, 10)
    gc.freeze()  # as servers and training loops do, so that it does not look at what stays
    before = gc.get_freeze_count()
    assert compiled(lambda t: schedule(t))[0](torch.tensor(5)).item() == 0.5
    assert gc.get_freeze_count() >= before


@pytest.mark.parametrize("name", KINDS)
def test_a_thousand_steps_with_one_compilation(name: str) -> None:
    schedule, step = fresh(name), torch.tensor(-1)
    function, counter = compiled(lambda: schedule(step.add_(1)))
    found = [function().item() for _ in range(1000)]
    wanted = schedule(torch.arange(1000)) if name != "strict" else schedule(torch.arange(11))
    assert found[: len(wanted)] == wanted.tolist()
    assert counter.frame_count == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_restarts_are_exact_where_the_rate_is_narrow_and_the_step_is_beyond_it(dtype: torch.dtype) -> None:
    schedule = warm_restarts(0.1, 0.001, T_0=3**16)  # its restarts are no float32
    rate, at = torch.zeros((), dtype=dtype), torch.zeros((), dtype=torch.int64)
    function, counter = compiled(lambda: rate.copy_(schedule(at)), backend="aot_eager")
    for t in [k * 3**16 + d for k in (1, 2, 5, 1000, 10**7) for d in (-1, 0, 1)]:
        at.fill_(t)
        assert function().item() == torch.tensor(schedule(t), dtype=torch.float64).to(dtype).item()
    assert counter.frame_count == 1


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # in PyTorch's own modules
def test_inductor_computes_within_16_ulps_and_exact_restarts() -> None:
    schedules = [fresh(name) for name in ("cosine", "warm-up, then restarts", "restarts, falling peak", "power")]
    function = torch.compile(lambda t: torch.stack([schedule(t) for schedule in schedules]), fullgraph=True)
    times = torch.arange(400)
    found = function(times).numpy()
    for values, schedule in zip(found, schedules, strict=True):
        ends = [0, *(t for t in schedule.restarts(400) if isinstance(t, int))]
        assert values[ends].tolist() == [schedule(t) for t in ends]
        for t in range(400):
            assert reference.ulps(values[t], reference.value(schedule, Fraction(t))) <= 16, (schedule, t)


class Steered(torch.nn.Module):
    """A module that calls a schedule in its forward pass."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return self.schedule(t)


FIVE = torch.tensor(5)


def recorded(mode: str) -> Callable[[Schedule], Any]:
    return lambda schedule: make_fx(lambda t: schedule(t), tracing_mode=mode)(FIVE)


def exported(strict: bool) -> Callable[[Schedule], Any]:
    return lambda schedule: torch.export.export(Steered(schedule), (FIVE,), strict=strict).module()


def in_inference_mode(schedule: Schedule) -> Any:
    with torch.inference_mode():
        schedule(FIVE)
    return schedule


def with_fake_tensors(schedule: Schedule) -> Any:
    with FakeTensorMode():
        assert schedule(torch.tensor(5)).dtype == torch.float64
        assert schedule(torch.arange(5)).shape == (5,)
    return schedule


def on_meta(schedule: Schedule) -> Any:
    assert schedule(torch.tensor(5, device="meta")).device.type == "meta"
    return schedule


def differentiated(schedule: Schedule) -> Any:
    torch.func.grad(lambda t: schedule(t))(torch.tensor(5.0, dtype=torch.float64))
    return schedule


WAYS: dict[str, Callable[[Schedule], Any]] = {
    "make_fx": recorded("real"),
    "make_fx, fake": recorded("fake"),
    "make_fx, symbolic": recorded("symbolic"),
    "export": exported(strict=False),
    "export, strict": exported(strict=True),
    "inference mode": in_inference_mode,
    "fake tensors": with_fake_tensors,
    "meta device": on_meta,
    "functionalize": lambda schedule: torch.func.functionalize(lambda t: schedule(t)),
    "grad": differentiated,
    "vmap": lambda schedule: lambda t: torch.func.vmap(lambda one: schedule(one))(t.reshape(1)).reshape(()),
    "compile": lambda schedule: torch.compile(Steered(schedule), fullgraph=True, backend="aot_eager"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_values_in_a_graph_and_the_schedule_is_as_before(name: str, way: str) -> None:
    if way == "vmap" and name == "strict":
        pytest.skip("what raises on a value cannot be batched: vmap says so")
    schedule, untouched = fresh(name), every[name]
    found = WAYS[way](schedule)
    for t in (0, 3, 7, 10):
        assert found(torch.tensor(t)).item() == untouched(torch.tensor(t)).item()
    # None of the tables that were made on the way may be met again.
    times = torch.arange(10)
    values = schedule(times)
    assert type(values) is torch.Tensor
    assert bits(values) == bits(untouched(times))
    t = torch.tensor(5.5, dtype=torch.float64, requires_grad=True)
    schedule(t).backward()
    assert t.grad is not None


def test_a_period_that_is_too_fine_is_refused_in_a_graph_only() -> None:
    schedule = warm_restarts(0.1, T_0=Fraction(100_000_007, 99_999_989))
    assert schedule(torch.tensor(5)).item() == schedule(5)
    with pytest.raises(Exception, match="the period 100000007/99999989 of this schedule is too fine"):
        compiled(lambda t: schedule(t))[0](FIVE)
    with pytest.raises(Exception, match="too fine"):
        recorded("real")(schedule)


def test_a_schedule_made_inside_is_refused() -> None:
    with pytest.raises(Exception, match="must be made before the function that calls it is compiled"):
        compiled(lambda t: cosine(0.1, 0, 10)(t))[0](FIVE)


def test_another_schedule_is_another_graph_and_an_equal_call_is_not() -> None:
    schedules = [cosine(0.1, 0, 10), linear(0.1, 0, 10)]
    function, counter = compiled(lambda t, which: schedules[which](t))
    assert [function(torch.tensor(t), which).item() for t in (2, 3) for which in (0, 1)] == [
        schedules[which](t) for t in (2, 3) for which in (0, 1)
    ]
    assert counter.frame_count == 2


class Host(TorchDispatchMode):
    """Counts what a CUDA graph cannot capture: host reads, and tensors made from host memory."""

    FORBIDDEN = ("_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal", "lift_fresh", "masked_select")

    def __init__(self) -> None:
        super().__init__()
        self.found = list[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in self.FORBIDDEN:
            self.found.append(func.overloadpacket.__name__)
        # A condition would be looked for on the host.
        if "index" in func.overloadpacket.__name__:
            assert all(i is None or (i.dtype == torch.int64 and i.dim() == 1) for i in args[1])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", every)
def test_a_step_tensor_is_never_read_on_the_host(name: str) -> None:
    if name == "strict":
        pytest.skip("outside of a graph it looks whether the time is over")
    schedule, at, rate = every[name], torch.tensor(3), torch.zeros(())
    schedule(at)
    with Host() as host:
        rate.copy_(schedule(at))
    assert host.found == []
    assert rate.item() == pytest.approx(schedule(3), rel=1e-6)


def test_the_host_is_watched() -> None:
    table, at = torch.arange(5.0), torch.tensor(3)
    with Host() as host:
        table[at]
        torch.tensor(2)
    assert set(host.found) == {"_local_scalar_dense", "lift_fresh"} or "item" in host.found


def test_copies_of_a_cycle_far_beyond_the_table() -> None:
    schedule = Repeat(one_cycle(0.1, 10), peak_factor=0.9995)
    function, _ = compiled(lambda t: schedule(t), backend="aot_eager")
    times = np.array([0, 3, 10, 10_240, 10_243, 20_007])
    assert function(torch.from_numpy(times)).numpy() == pytest.approx(schedule(times), rel=1e-13)
    assert step(0.1, 30)(torch.tensor([29, 30])).tolist() == [0.1, step(0.1, 30)(30)]


@pytest.mark.parametrize("name", ["held restarts", "triangular", "repeated sum"])
def test_a_table_searched_in_a_graph_is_its_own_tensor(name: str) -> None:
    """Inductor's search on a GPU ignores where a view starts: 24 schedules of the catalogue came out wrong."""
    schedule = fresh(name)
    compiled(lambda t: schedule(t))[0](FIVE)
    ((_, _, *searched),) = schedule.program.packed.values()
    assert len(searched) >= 2
    assert all(one._base is None and one.storage_offset() == 0 for one in searched)
