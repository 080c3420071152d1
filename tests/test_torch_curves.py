"""The cycles of the drop-ins against their formulas in 50-digit arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import pytest
import torch
from reference import number
from torch_dropins_cases import momenta, near, optimizer, ours, rates, walk


def close(got: float, exact: Any, peak: float) -> bool:
    return near(got, exact) or abs(got - exact) <= 8 * 2**-53 * peak


def triangle(t: int, up: int, down: int) -> tuple[int, Any]:
    """The cycle, and its height from 0 to 1."""
    cycle, place = divmod(t, up + down)
    return cycle, number(Fraction(place, up) if place <= up else Fraction(up + down - place, down))


SCALES = {
    "triangular": lambda cycle, t: mpmath.mpf(1),
    "triangular2": lambda cycle, t: mpmath.mpf(2) ** -cycle,
    "exp_range": lambda cycle, t: number(0.98) ** t,
}


@pytest.mark.parametrize("mode", SCALES)
@pytest.mark.parametrize(("up", "down"), [(11, 5), (4, None), (7, 7)])
@pytest.mark.parametrize("betas", [False, True], ids=["momentum", "betas"])
def test_cyclical_rates(mode: str, up: int, down: int | None, betas: bool) -> None:
    o = torch.optim.Adam([torch.zeros(1)], lr=0.1) if betas else optimizer((0.1,))
    mine = ours.CyclicLR(o, 0.01, 0.2, up, down, mode=mode, gamma=0.98, base_momentum=0.8, max_momentum=0.95)
    for t in range(100):
        cycle, height = triangle(t, up, down or up)
        height *= SCALES[mode](cycle, t)
        momentum = o.param_groups[0]["betas"][0] if betas else momenta(mine)[0]
        assert close(rates(mine)[0], number(0.01) + (number(0.2) - number(0.01)) * height, 0.2), t
        assert close(momentum, number(0.95) - (number(0.95) - number(0.8)) * height, 0.95), t
        walk(mine, 1)


def annealed(strategy: str, start: float, end: float, share: Any) -> Any:
    weight = (1 + mpmath.cospi(share)) / 2 if strategy == "cos" else 1 - share
    return number(end) + (number(start) - number(end)) * weight


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True], ids=["two phases", "three phases"])
@pytest.mark.parametrize("betas", [False, True], ids=["momentum", "betas"])
@pytest.mark.parametrize(("total", "share"), [(100, Fraction(3, 10)), (25, Fraction(1, 4)), (60, Fraction(2, 5))])
def test_one_cycle(strategy: str, three_phase: bool, betas: bool, total: int, share: Fraction) -> None:
    o = torch.optim.Adam([torch.zeros(1)], lr=0.1) if betas else optimizer((0.1,))
    mine = ours.OneCycleLR(
        o, 0.3, total, pct_start=float(share), anneal_strategy=strategy, three_phase=three_phase
    )  # div_factor 25, final_div_factor 10^4, momenta 0.85 and 0.95
    first, last = 0.3 / 25, 0.3 / 25 / 1e4
    ends = [share * total - 1, 2 * share * total - 2, Fraction(total - 1)] if three_phase else None
    ends = ends or [share * total - 1, Fraction(total - 1)]
    values = [first, 0.3, first, last] if three_phase else [first, 0.3, last]
    other = [0.95, 0.85, 0.95, 0.95] if three_phase else [0.95, 0.85, 0.95]
    for t in range(total):
        phase = next(i for i, end in enumerate(ends) if t <= end)
        begin = ends[phase - 1] if phase else Fraction(0)
        done = number((t - begin) / (ends[phase] - begin))
        momentum = o.param_groups[0]["betas"][0] if betas else momenta(mine)[0]
        assert close(rates(mine)[0], annealed(strategy, values[phase], values[phase + 1], done), 0.3), t
        assert close(momentum, annealed(strategy, other[phase], other[phase + 1], done), 0.95), t
        if t < total - 1:
            walk(mine, 1)
    assert rates(mine) == [last]


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("steps", [1, 10, 37])
def test_averaging(strategy: str, steps: int) -> None:
    mine = ours.SWALR(optimizer((0.1,)), 0.02, anneal_epochs=steps, anneal_strategy=strategy)
    for t in range(60):
        assert close(rates(mine)[0], annealed(strategy, 0.1, 0.02, number(Fraction(min(t, steps), steps))), 0.1), t
        walk(mine, 1)


def test_each_group_has_its_own_momentum() -> None:
    mine = ours.OneCycleLR(optimizer(), 0.3, 11, pct_start=6 / 11, base_momentum=[0.8, 0.7], max_momentum=[0.9, 0.95])
    walk(mine, 5)
    assert (rates(mine), momenta(mine)) == ([0.3, 0.3], [0.8, 0.7])
    walk(mine, 5)
    assert momenta(mine) == [0.9, 0.95]
