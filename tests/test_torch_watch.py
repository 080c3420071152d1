"""A Watch on optimizers as hosts wrap, resume and step them."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch

from annealing import ScheduleError, cosine, linear
from annealing.torch import RateError, Scheduler, Watch


def trained(lr: Any = 0.1, kind: Any = torch.optim.SGD, groups: int = 1, **more: Any) -> torch.optim.Optimizer:
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(groups)]
    for parameter in parameters:
        parameter.grad = torch.ones(2)
    found: torch.optim.Optimizer = kind([{"params": [one]} for one in parameters], lr=lr, **more)
    return found


class Prepared(torch.optim.Optimizer):
    """A wrapper like Accelerate's: an Optimizer without a state, which holds the real one."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:  # type: ignore[override]
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.optimizer.step(closure)


def test_a_prepared_optimizer_is_unwrapped() -> None:
    optimizer = Prepared(Prepared(trained()))
    watch = Watch(optimizer, linear(0.1, 0, 10), on_departure="raise")
    optimizer.step()
    with pytest.raises(RateError, match=r"update 2 uses the rate 0\.1"):
        optimizer.step()
    assert watch.done == 2
    with pytest.raises(ScheduleError, match=r"must be a torch\.optim\.Optimizer, got int"):
        Watch(3, linear(0.1, 0, 10))  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [None, "base"])
def test_the_position_is_the_scheduler_s_at_the_first_update(scale: str | None) -> None:
    """A host builds both, and loads their states afterwards."""
    optimizer = trained(groups=2)
    optimizer.param_groups[1]["lr"] = 0.2
    scheduler = Scheduler(optimizer, lr=cosine(1, 0, 100), scale=scale)
    watch = Watch(optimizer, scheduler, on_departure="raise")
    state = {**scheduler.state_dict(), "position": 40, "before": 39}
    scheduler.load_state_dict(state)
    for _ in range(60):
        optimizer.step()
        scheduler.step()
    assert (watch.done, watch.follows) == (100, True)
    assert watch.verdict(1).follows
    optimizer.param_groups[1]["lr"] = 0.3
    with pytest.raises(RateError, match=r"update 101 .* in param group 1"):
        optimizer.step()


def test_the_position_of_pytorch_s_schedulers_and_of_states() -> None:
    for known in (lambda scheduler: scheduler, lambda scheduler: scheduler.state_dict()):
        optimizer = trained()
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
        for _ in range(7):
            optimizer.step()
            scheduler.step()
        watch = Watch(optimizer, cosine(0.1, 0, 100), done=known(scheduler), on_departure="raise")
        optimizer.step()
        assert watch.done == 8
    with pytest.raises(ScheduleError, match="done must be a number of updates, a scheduler or a state"):
        Watch(optimizer, cosine(0.1, 0, 100), done="8", attach=False).check()


def test_a_step_that_initializes_an_optimizer_is_not_an_update() -> None:
    """Sharded checkpoints initialize states by a step at rate 0 with zero gradients."""
    schedule = linear(0, 0.1, 4)
    optimizer = trained(lr=0.1, kind=torch.optim.AdamW)
    scheduler = Scheduler(optimizer, lr=schedule)
    watch = Watch(optimizer, schedule, on_departure="raise")
    (group,), gradient = optimizer.param_groups, torch.ones(2)
    lr, group["lr"] = group["lr"], 0.0
    group["params"][0].grad = torch.zeros(2)
    optimizer.step()
    group["lr"], group["params"][0].grad = lr, gradient
    for _ in range(6):  # the first of which is an update at rate 0
        optimizer.step()
        scheduler.step()
    assert watch.done == 6


def test_a_state_loaded_by_the_checkpointer() -> None:
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    watch = Watch(optimizer, cosine(0.1, 0, 10), on_departure="raise")
    with warnings.catch_warnings(action="ignore"):
        states = get_state_dict(model, optimizer)
        set_state_dict(model, optimizer, model_state_dict=states[0], optim_state_dict=copy.deepcopy(states[1]))
    assert (watch.done, watch.follows, optimizer.param_groups[0]["lr"]) == (0, True, 0.1)


def test_a_skipped_fused_step_is_not_an_update() -> None:
    optimizer = trained(kind=torch.optim.AdamW, fused=True)
    watch = Watch(optimizer, linear(0.1, 0.1, 10), on_departure="raise")
    for skipped in (0.0, 1.0, 0.0, 1.0, 1.0):
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(1.0), torch.tensor(skipped)  # type: ignore[attr-defined]
        optimizer.step()
    assert watch.done == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_step_is_checked() -> None:
    optimizer = trained(lr=torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=cosine(0.1, 0, 10))
    watch = Watch(optimizer, scheduler, on_departure="raise")
    step = torch.compile(optimizer.step, backend="eager")
    for _ in range(5):
        step()
        scheduler.step()
    assert (watch.done, watch.follows) == (5, True)


def test_a_scheduler_that_is_never_stepped() -> None:
    """After one wrong rate no fault is named, and later no step interval."""
    optimizer = trained()
    Watch(optimizer, linear(0.1, 0, 200))
    said: list[str] = []
    for _ in range(200):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            optimizer.step()
        said += [str(warning.message) for warning in caught]
    assert said[0] == "update 2 uses the rate 0.1 in param group 0, but the schedule linear(0.1, 0, 200) says 0.0995"
    assert said[1:] == [
        "the rate of param group 0 has not changed in 18 updates: the scheduler has not been stepped. "
        "Check that it belongs to this optimizer and is stepped once per update."
    ]
