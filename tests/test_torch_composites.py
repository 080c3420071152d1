"""The drop-ins as parts of PyTorch's composites and of their own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as pytorch
from torch_dropins_cases import (
    NAMES,
    SEQUENCES,
    each,
    kinds,
    near,
    optimizer,
    rates,
    reference,
    rounding_of_pytorch,
    saved,
    since_2_9,
    since_2_13,
    walk,
)

from annealing import torch as ours


def test_a_sequence_as_a_part() -> None:
    def inner(o: torch.optim.Optimizer) -> Any:
        return ours.SequentialLR(o, [ours.ConstantLR(o, 0.1, 2), ours.ExponentialLR(o, 0.9)], [2])

    o = optimizer((0.1,))
    first = ours.SequentialLR(o, [inner(o), ours.CosineAnnealingLR(o, 10)], [4])
    walked = [rates(first), *walk(first, 3)]
    assert [rate for (rate,) in walked] == pytest.approx([0.01, 0.01, 0.1, 0.09], rel=1e-15)
    o = optimizer((0.1,))
    second = ours.SequentialLR(o, [ours.ConstantLR(o, 0.5, 9), inner(o)], [2])
    walked = [rates(second), *walk(second, 5)]
    assert [rate for (rate,) in walked] == pytest.approx([0.05, 0.05, 0.01, 0.01, 0.1, 0.09], rel=1e-15)


@since_2_9
@kinds
@pytest.mark.parametrize("parts", SEQUENCES)
@pytest.mark.parametrize("milestone", [pytest.param(0, marks=since_2_13), 5])
def test_in_a_sequence(parts: Any, milestone: int, tensor: bool) -> None:
    pair = []
    for library in (ours, pytorch):
        o = optimizer(tensor=tensor)
        pair.append(pytorch.SequentialLR(o, parts(library, o), [milestone]))
    rounding = rounding_of_pytorch(tensor)
    for _ in range(40):
        assert rates(pair[0]) == pytest.approx(rates(pair[1]), rel=0, abs=rounding)
        assert [float(rate) for rate in pair[0].get_last_lr()] == rates(pair[0])
        for sequence in pair:
            walk(sequence, 1)


@since_2_9
@pytest.mark.parametrize("first", [pytorch.LinearLR, ours.CosineAnnealingLR])
def test_a_later_part_is_exact(first: Any) -> None:
    o = optimizer((0.1,), tensor=True)
    parts = [first(o, 1), ours.CosineAnnealingLR(o, 1000)]
    sequence = pytorch.SequentialLR(o, parts, [5])
    walk(sequence, 4)
    for t, (rate,) in enumerate(walk(sequence, 1001)):
        exact = reference("CosineAnnealingLR", {"T_max": 1000}, parts[1].base_lrs[0].item(), t)
        assert near(rate, exact, ulps=0.5001, digits=24)


@since_2_9
@kinds
def test_in_a_nested_sequence(tensor: bool) -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer(tensor=tensor)
        inner = pytorch.SequentialLR(o, SEQUENCES[3](library, o), [5])
        walked.append(walk(pytorch.SequentialLR(o, [inner, library.StepLR(o, 2)], [9]), 20))
    assert walked[0] == [pytest.approx(row, rel=0, abs=rounding_of_pytorch(tensor)) for row in walked[1]]


@since_2_9
def test_a_sequence_resumed_by_state() -> None:
    def build(tensor: bool) -> Any:
        o = optimizer(tensor=tensor)
        return pytorch.SequentialLR(o, SEQUENCES[1](ours, o), [5])

    for tensor in (False, True):
        for n in (0, 3, 5, 8):
            running, resumed = build(tensor), build(tensor)
            walk(running, n)
            optimizer_state, state = saved(running)
            resumed.optimizer.load_state_dict(optimizer_state)
            resumed.load_state_dict(state)
            assert walk(resumed, 20) == walk(running, 20)


def test_in_a_chain() -> None:
    walked = []
    for library in (ours, pytorch):
        o = optimizer()
        chain = pytorch.ChainedScheduler([pytorch.LinearLR(o, 0.5), *each(library, o, NAMES[:2])])
        walked.append(walk(chain, 40))
    assert walked[0] == walked[1]
