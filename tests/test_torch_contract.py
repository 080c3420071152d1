"""The native Scheduler where hosts and PyTorch's composites expect one of PyTorch's schedulers."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch_dropins_cases import epoch_warnings

import annealing
from annealing import ScheduleError, constant, cosine, linear, step, warm_restarts
from annealing import torch as ours
from annealing.torch import Scheduler


def sgd(*rates: float, **more: Any) -> torch.optim.SGD:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate, **more} for rate in rates or (0.1,)]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def held(optimizer: torch.optim.Optimizer, name: str = "lr") -> list[float]:
    return [float(group[name]) for group in optimizer.param_groups]


def walk(scheduler: Any, steps: int) -> list[float]:
    found = [held(scheduler.optimizer)[0]]
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()
        found.append(held(scheduler.optimizer)[0])
    return found


# What a host does with PyTorch's schedulers


def test_a_host_sets_last_epoch_and_asks_for_the_rate() -> None:
    """Ignite's LRScheduler does so."""
    schedule = cosine(0.1, 0, 10)
    scheduler = Scheduler(sgd(), lr=schedule)
    for n in (0, 3, 7, 10, 2):
        scheduler.last_epoch = n
        assert scheduler.get_lr() == [schedule(n)]


@pytest.mark.parametrize("tensor", [False, True])
def test_get_lr_keeps_the_kind_and_the_scale(tensor: bool) -> None:
    optimizer = sgd(0.1, 0.2)
    if tensor:
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(group["lr"], dtype=torch.float64)
    scheduler = Scheduler(optimizer, lr=linear(1, 0, 10), scale="base")
    scheduler.last_epoch = 5
    assert [float(rate) for rate in scheduler.get_lr()] == [0.05, 0.1]
    assert all(isinstance(rate, torch.Tensor) == tensor for rate in scheduler.get_lr())


def test_a_host_writes_what_pytorch_s_schedulers_hold() -> None:
    """A container that resumes from one number sets last_epoch and _last_lr."""
    scheduler = Scheduler(sgd(), lr=linear(1, 0, 10))
    scheduler.last_epoch, scheduler._last_lr = 4, [0.6]
    assert scheduler.get_last_lr() == [0.6]
    scheduler.step()
    assert (scheduler.position, scheduler.get_last_lr(), held(scheduler.optimizer)) == (5, [0.5], [0.5])


def test_base_rates_can_be_set() -> None:
    scheduler = Scheduler(sgd(0.1, 0.2), lr=linear(1, 0, 10), scale="base")
    assert scheduler.base_lrs == [0.1, 0.2]
    scheduler.base_lrs = [0.3, 0.4]
    scheduler.step_to(5)
    assert held(scheduler.optimizer) == pytest.approx([0.15, 0.2])


@pytest.mark.parametrize("library", [pytorch, ours], ids=["PyTorch's", "ours"])
@epoch_warnings
class TestInASequence:
    def test_first(self, library: Any) -> None:
        o = sgd()
        parts = [Scheduler(o, lr=linear(0, 0.1, 3)), library.CosineAnnealingLR(o, 10)]
        walked = walk(library.SequentialLR(o, parts, [3]), 6)
        expected = [linear(0, 0.1, 3)(t) for t in range(3)] + [cosine(0.1, 0, 10)(t) for t in range(4)]
        assert walked == pytest.approx(expected, rel=1e-12)

    def test_second(self, library: Any) -> None:
        o = sgd()
        parts = [library.LinearLR(o, 0.25, total_iters=4), Scheduler(o, lr=cosine(0.2, 0, 8))]
        walked = walk(library.SequentialLR(o, parts, [4]), 12)
        expected = [0.025 + 0.075 * t / 4 for t in range(4)] + [cosine(0.2, 0, 8)(t) for t in range(9)]
        assert walked == pytest.approx(expected, rel=1e-12)

    def test_every_place(self, library: Any) -> None:
        o = sgd()
        parts = [Scheduler(o, lr=linear(0, 1, 3)), Scheduler(o, lr=constant(0.5)), Scheduler(o, lr=step(0.4, 2, 0.5))]
        walked = walk(library.SequentialLR(o, parts, [3, 5]), 9)
        assert walked == pytest.approx([0, 1 / 3, 2 / 3, 0.5, 0.5, 0.4, 0.4, 0.2, 0.2, 0.1])

    def test_scaled_by_the_base(self, library: Any) -> None:
        o = sgd(0.1, 0.2)
        parts = [Scheduler(o, lr=linear(0, 1, 3), scale="base"), library.CosineAnnealingLR(o, 10)]
        sequence = library.SequentialLR(o, parts, [3])
        walk(sequence, 1)
        assert held(o) == pytest.approx([0.1 / 3, 0.2 / 3])
        walk(sequence, 2)
        assert held(o) == pytest.approx([0.1, 0.2])

    def test_a_state_resumes_it(self, library: Any) -> None:
        def build() -> Any:
            o = sgd()
            parts = [library.LinearLR(o, 0.25, total_iters=4), Scheduler(o, lr=cosine(0.2, 0, 8))]
            return library.SequentialLR(o, parts, [4])

        whole = walk(build(), 12)
        for n in (2, 4, 7):
            running, resumed = build(), build()
            walk(running, n)
            resumed.optimizer.load_state_dict(running.optimizer.state_dict())
            resumed.load_state_dict(copy.deepcopy(running.state_dict()))
            assert walk(resumed, 12 - n) == pytest.approx(whole[n:], rel=1e-12)

    def test_in_a_chain_it_decides_and_later_ones_multiply(self, library: Any) -> None:
        o = sgd()
        chain = library.ChainedScheduler([Scheduler(o, lr=linear(1, 0, 10)), library.ConstantLR(o, 0.5, 2)])
        assert walk(chain, 3) == pytest.approx([0.5, 0.9, 0.8 * 2, 0.7])  # ConstantLR multiplies at 0 and at 2 alone
        assert chain.get_last_lr() == held(o)


# Groups


def test_one_rate_for_groups_that_differ_is_asked_for_or_warned_about() -> None:
    with pytest.warns(UserWarning, match=r'lr has one schedule.*1e-05 to 0.001.*"base".*"lr_scale".*list.*scale=None'):
        scheduler = Scheduler(sgd(1e-5, 1e-3), lr=cosine(1e-3, 0, 100))
    assert held(scheduler.optimizer) == [1e-3, 1e-3]
    with pytest.warns(UserWarning, match="have an lr_scale"):
        Scheduler(sgd(0.1, lr_scale=0.5), lr=0.1)
    o = sgd(0.1, 0.1)
    o.param_groups[0]["weight_decay"] = 0.01
    with pytest.warns(UserWarning, match="weight_decay has one schedule"):
        Scheduler(o, lr=0.1, weight_decay=linear(1e-2, 0, 10))
    for scale in (None, "base", "lr_scale"):
        Scheduler(sgd(1e-5, 1e-3), lr=cosine(1e-3, 0, 100), scale=scale)
    Scheduler(sgd(1e-5, 1e-3), lr=[cosine(1e-5, 0, 100), cosine(1e-3, 0, 100)])
    Scheduler(sgd(0.1, 0.1), lr=cosine(1e-3, 0, 100))


def test_a_group_added_later_keeps_its_rate_at_that_moment() -> None:
    """An unfrozen backbone joins with a tenth of the current rate."""
    scheduler = Scheduler(sgd(0.1), lr=cosine(1, 0, 100), scale="base")
    scheduler.step_to(50)
    scheduler.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.1 * held(scheduler.optimizer)[0]})
    for t in (51, 75, 90, 100):
        scheduler.step_to(t)
        rates = held(scheduler.optimizer)
        assert rates[1] == pytest.approx(rates[0] / 10, rel=1e-12)
    assert scheduler.state_dict()["bases"]["lr"] == pytest.approx([0.1, 0.01])


def test_none_leaves_a_group_alone() -> None:
    """Two kinds of optimizer in one: some groups have momentum, others betas."""
    o = sgd(0.1, 0.2)
    del o.param_groups[1]["momentum"]
    scheduler = Scheduler(o, lr=[None, linear(1, 0, 10)], momentum=[linear(0.85, 0.97, 4), None])
    scheduler.step()
    assert held(o) == [0.1, 0.9]
    assert scheduler.get_last_lr() == scheduler.get_lr() == [0.1, 0.9]
    assert (o.param_groups[0]["momentum"], "momentum" in o.param_groups[1]) == (pytest.approx(0.88), False)
    again = Scheduler(sgd(0.1, 0.2), lr=[None, linear(1, 0, 10)], momentum=[linear(0.85, 0.97, 4), None])
    again.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    assert held(again.optimizer) == [0.1, 0.9]
    with pytest.raises(ScheduleError, match="momentum must have one schedule for each"):
        Scheduler(sgd(0.1, 0.2), momentum=[None, None])
    with pytest.raises(ScheduleError, match="state belongs to other schedules"):
        Scheduler(sgd(0.1, 0.2), lr=[linear(1, 0, 10), None], momentum=[linear(0.85, 0.97, 4), None]).load_state_dict(
            scheduler.state_dict()
        )


# States


def without_initial_rates(optimizer: torch.optim.Optimizer) -> Any:
    """An optimizer's state after a sharded checkpoint, which keeps only the keys of a fresh optimizer."""
    state = optimizer.state_dict()
    groups = [{k: v for k, v in group.items() if not k.startswith("initial_")} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


def test_a_state_holds_the_bases() -> None:
    saved = Scheduler(sgd(0.1, 0.4), lr=cosine(1, 0, 100), scale="base")
    saved.step_to(50)
    optimizer = sgd(0.1, 0.4)
    optimizer.load_state_dict(without_initial_rates(saved.optimizer))
    resumed = Scheduler(optimizer, lr=cosine(1, 0, 100), scale="base")
    resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    assert held(optimizer) == held(saved.optimizer) == pytest.approx([0.05, 0.2])
    saved.step()
    resumed.step()
    assert held(optimizer) == held(saved.optimizer)


def test_an_optimizer_s_state_without_bases_loaded_last() -> None:
    saved = Scheduler(sgd(0.1), lr=cosine(1, 0, 100), scale="base")
    saved.step_to(50)
    resumed = Scheduler(sgd(0.1), lr=cosine(1, 0, 100), scale="base")
    resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    resumed.optimizer.load_state_dict(without_initial_rates(saved.optimizer))
    saved.step()
    resumed.step()
    assert held(resumed.optimizer) == held(saved.optimizer)


def test_a_state_of_an_earlier_release_has_no_bases() -> None:
    saved = Scheduler(sgd(0.1), lr=cosine(1, 0, 100), scale="base")
    saved.step_to(50)
    state = saved.state_dict()
    del state["bases"]
    resumed = Scheduler(sgd(0.1), lr=cosine(1, 0, 100), scale="base")
    resumed.load_state_dict(state)
    assert held(resumed.optimizer) == held(saved.optimizer)


@pytest.mark.parametrize(
    ("updates", "position", "expected"), [(500, 40, 20), (2000, 40, 80), (300, 10, 3), (700, 1, 1)]
)
def test_the_epoch_is_kept(updates: int, position: int, expected: int) -> None:
    """10 epochs of 100 updates, resumed as 10 epochs of another length."""
    saved = Scheduler(sgd(), lr=linear(0, 1, 5) >> cosine(1, 0, 995), momentum=0.9)
    saved.step_to(position)
    new = linear(0, 1, updates / 200) >> cosine(1, 0, updates - updates / 200)
    resumed = Scheduler(sgd(), lr=new, momentum=0.9, policy="keep-epoch")
    resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    assert (resumed.position, held(resumed.optimizer)) == (expected, [new(expected)])
    assert type(resumed.position) is int


def test_the_epoch_is_kept_only_where_it_is_known() -> None:
    saved = Scheduler(sgd(), lr=annealing.inverse_sqrt(1, 10))
    with pytest.raises(ScheduleError, match="needs schedules that end"):
        Scheduler(sgd(), lr=cosine(1, 0, 10)).load_state_dict(saved.state_dict(), policy="keep-epoch")
    saved = Scheduler(sgd(), lr=cosine(1, 0, 10), momentum=linear(0, 0.9, 10))
    resumed = Scheduler(sgd(), lr=cosine(1, 0, 20), momentum=linear(0, 0.9, 30))
    with pytest.raises(ScheduleError, match="one ratio of new to saved lengths, got 2, 3"):
        resumed.load_state_dict(saved.state_dict(), policy="keep-epoch")


def test_schedules_and_states_load_as_torch_loads() -> None:
    schedules = [
        cosine(0.1, 0, 16),
        linear(0, 1, 2.5) >> warm_restarts(1, T_0=3, T_mult=2),
        2 * step(1, 30).clip(0.1, 1),
    ]
    state = Scheduler(sgd(0.1, 0.2), lr=[None, schedules[1]]).state_dict()
    file = io.BytesIO()
    torch.save({"schedules": schedules, "state": state}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    assert loaded == {"schedules": schedules, "state": state}
    assert loaded["schedules"][1](3) == schedules[1](3)


# What can be given


def test_notation_as_text() -> None:
    scheduler = Scheduler(sgd(), "linear(0, 0.1, 5) >> cosine(0.1, 0, 16)", momentum="linear(0.9, 0.8, 5)")
    assert scheduler.schedules == {"lr": linear(0, 0.1, 5) >> cosine(0.1, 0, 16), "momentum": linear(0.9, 0.8, 5)}
    assert Scheduler(sgd(0.1, 0.1), ["cosine(0.1, 0, 16)", None]).schedules["lr"] == [cosine(0.1, 0, 16), None]
    with pytest.raises(ScheduleError, match=r"momentum: .*cosin"):
        Scheduler(sgd(), momentum="cosin(0.1, 0, 16)")


# Snapshots


def test_a_snapshot_is_due_by_any_clock() -> None:
    """In samples, 128 per update: the cycles end within updates 391, 782 and 1172."""
    scheduler = Scheduler(sgd(), lr=warm_restarts(0.1, T_0=50_000))
    due = []
    for n in range(1, 1201):
        scheduler.step_to(n * 128)
        due += [n] * scheduler.snapshot_due
    assert due == [391, 782, 1172]


def test_no_snapshot_is_due_for_cycles_passed_before_a_scheduler_was_placed() -> None:
    scheduler = Scheduler(sgd(), lr=warm_restarts(0.1, T_0=10))
    scheduler.step_to(15)
    assert not scheduler.snapshot_due
    scheduler.step_to(25)
    assert scheduler.snapshot_due


def test_the_callback_fires_once_however_often_a_loop_asks() -> None:
    fired: list[float] = []
    scheduler = Scheduler(
        sgd(), lr=warm_restarts(0.1, T_0=3, T_mult=2), snapshots=lambda scheduler: fired.append(scheduler.position)
    )
    for batch in range(1, 4 * 22 + 1):
        scheduler.step(updated=batch % 4 == 0)
        scheduler.write()
    assert fired == [3, 9, 21]
    resumed = Scheduler(sgd(), lr=warm_restarts(0.1, T_0=3, T_mult=2), snapshots=fired.append)
    resumed.load_state_dict(scheduler.state_dict())
    resumed.step_to(5)
    assert fired == [3, 9, 21]
    with pytest.raises(ScheduleError, match="snapshots must be a function"):
        Scheduler(sgd(), lr=0.1, snapshots=3)
