"""Values against 50-digit arithmetic: exact at ends and restarts, elsewhere within 8 units in the last place."""

from __future__ import annotations

import math
import random
import sys
from fractions import Fraction

import jax
import numpy as np
import pytest
import reference
import torch
from catalogue import every

from annealing import Schedule, cosine, linear, step, warm_restarts

ULPS = 8
TRACED_ULPS = 16  # torch and JAX, which may reorder and fuse
NORMAL = sys.float_info.min


def times(schedule: Schedule, seed: int, until: float) -> list[float]:
    """Random times, times around every begin of a run, and times where a fall is nearly over."""
    draw = random.Random(seed)
    found = [draw.uniform(0, until) for _ in range(60)] + [float(draw.randrange(int(until) + 1)) for _ in range(20)]
    found += [math.exp(draw.uniform(-20, math.log(until))) for _ in range(20)]
    spans = schedule.runs(min(until, schedule.duration or until, 500))
    for span in draw.sample(spans, min(len(spans), 15)):
        inside = span.end - span.begin
        for t in (float(span.begin), float(span.end)):
            found += [t, math.nextafter(t, math.inf), max(math.nextafter(t, 0), 0.0)]
        found += [span.end - inside * 10.0**-k for k in range(1, 14)]
        found += [span.begin + inside * 10.0**-k for k in range(1, 14)]
    return [t for t in found if 0 <= t <= (schedule.duration or until)]


@pytest.mark.parametrize("name", every)
def test_values_in_numpy_and_torch(name: str) -> None:
    schedule = every[name]
    sample = times(schedule, seed=len(name), until=1.5 * (schedule.duration or 300))
    in_numpy, in_torch = schedule(np.array(sample)), schedule(torch.tensor(sample, dtype=torch.float64))
    for i, t in enumerate(sample):
        expected = reference.value(schedule, Fraction(t))
        if expected >= NORMAL:
            assert reference.ulps(schedule(t), expected) <= ULPS, t
            assert reference.ulps(in_numpy[i], expected) <= ULPS, t
            assert reference.ulps(in_torch[i].item(), expected) <= TRACED_ULPS, t


# A program for JAX takes a hundred times as long to compile as all the rest; test_laws compiles others of them.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.thorough] * (i % 4 != 2)) for i, name in enumerate(every)]
)
def test_values_in_jax(name: str) -> None:
    schedule = every[name]
    sample = times(schedule, seed=len(name), until=1.5 * (schedule.duration or 300))
    with jax.enable_x64(True):
        in_jax = np.asarray(jax.jit(schedule)(np.array(sample)))
    for found, t in zip(in_jax, sample, strict=True):
        expected = reference.value(schedule, Fraction(t))
        assert expected < NORMAL or reference.ulps(found, expected) <= TRACED_ULPS, t


@pytest.mark.parametrize("name", [name for name in every if name != "strict"][::4])
def test_a_long_array_has_the_values_of_short_ones(name: str) -> None:
    schedule = every[name]
    long = np.linspace(0, 1.2 * (schedule.duration or 300), 40_000)
    long[[0, 5, -1, 20_000]] = [0, math.nan, -7, schedule.duration or 11]
    short = np.concatenate([schedule(long[i : i + 1000]) for i in range(0, len(long), 1000)])
    assert schedule(long).tobytes() == short.tobytes()
    assert np.array_equal(schedule(long.reshape(4, -1)), short.reshape(4, -1), equal_nan=True)


@pytest.mark.parametrize("name", every)
def test_left_limits(name: str) -> None:
    schedule = every[name]
    sample = times(schedule, seed=len(name), until=1.5 * (schedule.duration or 300))[-60:]
    sample += [float(span.begin) for span in schedule.runs(min(schedule.duration or 500, 500))[:40]]
    for t, in_array in zip(sample, schedule.left(np.array(sample)), strict=True):
        assert reference.ulps(schedule.left(t), reference.value(schedule, Fraction(t), left=True)) <= ULPS, t
        assert in_array == schedule.left(t)


@pytest.mark.parametrize("T_mult", [1, 2, 3, 10, 1.5, 1.1])
@pytest.mark.parametrize("T_0", [1, 10, 0.1, 7.3])
@pytest.mark.parametrize("eta_min", [0.0, 1e-5])
def test_restarts_up_to_10_to_the_12(T_mult: float, T_0: float, eta_min: float) -> None:
    schedule = warm_restarts(eta_max=0.05, eta_min=eta_min, T_0=T_0, T_mult=T_mult)
    length, growth, begin, begins = Fraction(str(T_0)), Fraction(str(T_mult)), Fraction(0), []
    for i in range(400):
        begins.append(begin)
        begin += length * growth**i
        if begin > 10**12:
            break
    if T_mult == 1:
        begins += [length * i for i in (10**3 - 1, 10**6, 10**9 + 7, int(10**12 / length))]
    sample = []
    for begin in begins[1:]:
        nearest = float(begin)
        sample += [nearest, math.nextafter(nearest, 0), math.nextafter(nearest, math.inf)]
        assert schedule(begin) == 0.05  # an exact fraction is a time as well
        if begin.denominator.bit_length() <= 250:  # beyond that a boundary is kept to 256 bits
            assert schedule.left(begin) == eta_min
    draw = random.Random(str(T_0))
    sample += [math.exp(draw.uniform(0, math.log(1e12))) for _ in range(60)]
    for t, in_array in zip(sample, schedule(np.array(sample)), strict=True):
        exactly = [b for b in begins if b == Fraction(t)]
        if exactly:
            assert schedule(t) == in_array == 0.05
        else:
            expected = reference.value(schedule, Fraction(t))
            assert expected < NORMAL or reference.ulps(schedule(t), expected) <= ULPS, t
            assert expected < NORMAL or reference.ulps(in_array, expected) <= ULPS, t


def test_the_restart_that_torch_misses() -> None:
    schedule = warm_restarts(eta_max=0.1, T_0=1, T_mult=3)
    assert schedule(121) == 0.1
    assert schedule(np.array([120.0, 121.0]))[1] == 0.1


def test_ends_are_the_numbers_given() -> None:
    for eta_max, eta_min in ((0.1, 0.001), (1.0, 1 / 3), (0.3, 0.1), (2e-4, 6e-5)):
        for schedule in (cosine(eta_max, eta_min, 7), linear(eta_max, eta_min, 7)):
            assert [schedule(0), schedule(7), schedule.left(7), schedule(8)] == [eta_max, *[eta_min] * 3]
            assert schedule(np.array([0, 7, 8])).tolist() == [eta_max, eta_min, eta_min]
        values = cosine(eta_max, eta_min, 997)(np.arange(998))
        assert values.max() == eta_max
        assert values.min() == eta_min


def test_copies_with_factors_are_rounded_once() -> None:
    schedule = step(0.1, 30, gamma=0.3)
    restarts = warm_restarts(eta_max=0.05, T_0=10, eta_max_factor=0.7)
    for i in range(200):
        assert schedule(30 * i) == float(Fraction(0.1) * Fraction(0.3) ** i)
        assert restarts(10 * i) == float(Fraction(0.05) * Fraction(0.7) ** i)


def test_a_peak_that_grows_for_long_is_rounded_once() -> None:
    schedule = warm_restarts(eta_max=0.05, T_0=10, eta_max_factor=1.5, runs=1000)
    for i in (10, 256, 437, 438, 700, 999):
        assert schedule(10 * i) == float(Fraction(0.05) * Fraction(3, 2) ** i)


def test_before_the_start_and_long_after_the_end() -> None:
    for name, schedule in every.items():
        assert schedule(-5) == schedule(0), name
        if name == "strict":
            continue
        for t in (2**53, 1e300, math.inf):
            assert math.isfinite(schedule(t)), name
            assert schedule(np.array([t]))[0] == pytest.approx(schedule(t), rel=ULPS * sys.float_info.epsilon), name
