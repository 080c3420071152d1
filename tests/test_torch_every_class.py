"""For every drop-in: copies, states that load both ways, warnings, several on one optimizer, groups added later."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch_dropins_cases import (
    CLASSES,
    SINCE_2_9,
    VERSION,
    classes,
    epoch_warnings,
    kinds,
    momenta,
    optimizer,
    ours,
    pytorch,
    rates,
    saved,
    walk,
)

pytestmark = epoch_warnings
STEPS = 40
WRONG_FOR_TENSORS = set() if SINCE_2_9 else {"SequentialLR"}  # it writes to the base rates there
WRONG_IN_PYTORCH = {"nested SequentialLR"}  # a sequence in a sequence skips a step there


def rounding(tensor: bool) -> float:
    """The rounding error of PyTorch's recursions over about ten steps with rates up to 0.3, in the rates' dtype."""
    return 300 * 0.3 * (2**-24 if tensor else 2**-53)


def seen(scheduler: Any, steps: int = STEPS) -> list[list[float]]:
    return [[*row, *momenta(scheduler)] for row in walk(scheduler, steps)]


@classes
@kinds
def test_the_curve_is_pytorch_s(name: str, tensor: bool) -> None:
    if name in WRONG_IN_PYTORCH or (tensor and name in WRONG_FOR_TENSORS):
        pytest.skip("PyTorch's is wrong, see test_torch_mended.py")
    mine, theirs = (CLASSES[name](library, optimizer(tensor=tensor)) for library in (ours, pytorch))
    for _ in range(120):
        assert rates(mine) == pytest.approx(rates(theirs), rel=0, abs=rounding(tensor))
        assert momenta(mine) == pytest.approx(momenta(theirs), rel=1e-15)
        assert [float(rate) for rate in mine.get_last_lr()] == rates(mine)
        # Where PyTorch's SWALR keeps a function, before 2.10, ours keeps its name.
        renamed = {"anneal_func", "_anneal_strategy"} if VERSION < (2, 10) else set[str]()
        assert mine.state_dict().keys() - renamed == theirs.state_dict().keys() - renamed
        walk(mine, 1)
        walk(theirs, 1)


@classes
@kinds
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
@pytest.mark.filterwarnings("ignore:Seems like")  # the copy of an optimizer has lost PyTorch's wrapper
def test_copies(name: str, tensor: bool, copied: Any) -> None:
    running = CLASSES[name](ours, optimizer(tensor=tensor))
    walk(running, 8)
    other = copied(running)
    assert other.optimizer is not running.optimizer
    assert other.state_dict().keys() == running.state_dict().keys()
    before = rates(running)
    walked = seen(other)
    assert rates(running) == before
    assert walked == seen(running)


@classes
@kinds
@pytest.mark.parametrize("n", [0, 7, 16])
def test_states_go_both_ways(name: str, tensor: bool, n: int) -> None:
    if name in WRONG_IN_PYTORCH or (tensor and name in WRONG_FOR_TENSORS):
        pytest.skip("PyTorch's is wrong, see test_torch_mended.py")
    for source, target in [(pytorch, ours), (ours, pytorch)]:
        running, moved = (CLASSES[name](library, optimizer(tensor=tensor)) for library in (source, target))
        walk(running, n)
        optimizer_state, state = saved(running)
        moved.optimizer.load_state_dict(optimizer_state)
        moved.load_state_dict(state)
        for expected, got in zip(seen(running), seen(moved), strict=True):
            assert got == pytest.approx(expected, rel=0, abs=rounding(tensor))


@classes
def test_same_warnings(name: str) -> None:
    """For a step before the optimizer's, and a deprecated epoch; all point here."""
    if name in WRONG_IN_PYTORCH:
        pytest.skip("PyTorch's is wrong, see test_torch_mended.py")
    found = []
    for library in (ours, pytorch):
        scheduler = CLASSES[name](library, optimizer())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler.step()
            scheduler.optimizer.step()
            scheduler.step()
            if hasattr(scheduler, "_get_closed_form_lr") and name != "SWALR":
                scheduler.step(3)
        composite = hasattr(scheduler, "_schedulers")  # whose parts' warnings point into the composite's own file
        # Before 2.9 PyTorch's own warnings point into PyTorch's file; ours point at the caller in every version.
        anywhere = composite or (library is pytorch and not SINCE_2_9)
        found.append([(str(one.message), one.category, __file__ if anywhere else one.filename) for one in caught])
    assert found[0] == found[1]


@pytest.mark.parametrize("other", ["StepLR", "ExponentialLR", "CosineAnnealingLR"])
@classes
def test_beside_another_on_one_optimizer(name: str, other: str) -> None:
    """In either order each finds the other's rates, and so steps as PyTorch's does."""
    if name in WRONG_IN_PYTORCH:
        pytest.skip("PyTorch's is wrong, see test_torch_mended.py")
    for names in ((name, other), (other, name)):
        if names[1] == "CyclicLR":
            continue  # PyTorch's does not use the base_lr that it is given, see test_torch_mended.py
        walked = list[Any]()
        for library in (ours, pytorch):
            o = optimizer()
            schedulers = [CLASSES[one](library, o) for one in names]
            walked.append([])
            for _ in range(STEPS):
                o.step()
                for scheduler in schedulers:
                    scheduler.step()
                    walked[-1].append(rates(scheduler))
        assert walked[0] == [pytest.approx(row, rel=1e-14, abs=1e-16) for row in walked[1]], names


AS_FROM_THE_BEGINNING = {"ConstantLR", "LinearLR", "CosineAnnealingWarmRestarts", "LambdaLR"}
SAME_AS_THE_OTHERS = {"CyclicLR", "OneCycleLR"}
ON_FROM_ITS_OWN = {"StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR"}


@pytest.mark.parametrize("name", sorted(AS_FROM_THE_BEGINNING | SAME_AS_THE_OTHERS | ON_FROM_ITS_OWN))
@kinds
def test_a_group_added_later(name: str, tensor: bool) -> None:
    mine = CLASSES[name](ours, optimizer((0.1, 0.1), tensor=tensor))
    walk(mine, 3)
    later = {"params": [torch.ones(1)], "lr": torch.tensor(0.2) if tensor else 0.2, "momentum": 0.9}
    mine.optimizer.add_param_group(dict(later))
    walked = walk(mine, STEPS)
    exact = 1e-6 if tensor else 1e-13
    if name in AS_FROM_THE_BEGINNING:
        assert [row[2] for row in walked] == pytest.approx([2 * row[0] for row in walked], rel=exact)
    elif name in SAME_AS_THE_OTHERS:
        assert [row[2] for row in walked] == [row[0] for row in walked]
        assert len(set(momenta(mine))) == 1
    else:
        theirs = CLASSES[name](pytorch, optimizer((0.1, 0.1), tensor=tensor))
        walk(theirs, 3)
        if tensor:
            later["lr"] = torch.tensor(0.2)
        theirs.optimizer.add_param_group(later)
        expected = walk(theirs, STEPS)
        assert walked == [pytest.approx(row, rel=0, abs=rounding(tensor)) for row in expected]


def test_a_group_added_later_to_the_others() -> None:
    averaging = CLASSES["SWALR"](ours, optimizer((0.1, 0.1)))
    walk(averaging, 3)
    averaging.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.1})
    assert all(row[2] == row[0] for row in walk(averaging, STEPS))
    factors = CLASSES["MultiplicativeLR"](ours, optimizer((0.1, 0.1)))
    walk(factors, 3)
    factors.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.2})
    first = walk(factors, 1)[0]
    assert first[2] == pytest.approx(0.2 * 0.97)
    plateau = ours.ReduceLROnPlateau(optimizer(), factor=0.5, patience=0)
    plateau.step(1.0)
    plateau.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.2})
    plateau.step(2.0)
    assert rates(plateau) == [0.05, 0.025, 0.1]
