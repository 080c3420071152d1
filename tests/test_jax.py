"""Schedules in JAX and Optax: derivatives, traces, exact restarts, and schedules as trees of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import annealing.jax
from annealing import (
    Repeat,
    Run,
    ScheduleError,
    constant,
    cosine,
    inverse_sqrt,
    linear,
    maximum,
    polynomial,
    shapes,
    step,
    triangular2,
    warm_restarts,
    wsd,
)

SCHEDULE = linear(0, 0.1, 3) >> cosine(0.1, 0.01, 7)


def derivative(schedule: Any, t: float) -> float:
    return float(jax.grad(schedule)(jnp.float32(t)))


@pytest.mark.parametrize(
    ("schedule", "slopes"),
    [
        (linear(0, 1, 10) >> linear(1, 0, 20), {0: 0.1, 5: 0.1, 10: -0.05, 29: -0.05, 30: 0, 35: 0}),
        (Repeat(linear(0, 1, 10)), {0: 0.1, 5: 0.1, 10: 0.1, 20: 0.1, 1000: 0.1}),
        (Repeat(linear(0, 1, 10), growth=2), {0: 0.1, 10: 0.05, 30: 0.025, 70: 0.0125}),
        (warm_restarts(1, 0, T_0=10), {0: 0, 5: -np.pi / 20, 10: 0, 15: -np.pi / 20}),
        (inverse_sqrt(1, T_warmup=10), {0: 0.1, 10: -0.05, 40: -0.00625}),
        (polynomial(1, 0, 10, power=2), {0: -0.2, 5: -0.1, 10: 0}),
        (polynomial(1, 0, 10, power=0.5), {0: -0.05, 10: 0, 11: 0}),
        (step(1, 10), {0: 0, 5: 0, 10: 0}),
    ],
)
def test_the_derivative_where_a_piece_begins_is_that_on_its_right(schedule: Any, slopes: dict[float, float]) -> None:
    found = [derivative(schedule, t) for t in slopes]
    assert np.allclose(found, list(slopes.values()), rtol=1e-6, atol=1e-9), found


# Begins of cycles by whole numbers: a sum of T_0 * T_mult^i; with 1.5 only those that are whole are looked at.
@pytest.mark.parametrize(
    ("T_0", "T_mult", "begins"),
    [
        (10, 1, [10 * i for i in (1, 2, 10**6, 2**31 // 10)]),
        (3, 1, [3 * i for i in (1, 1000, 2**31 // 3)]),
        (10, 2, [10 * (2**i - 1) for i in range(1, 28)]),
        (10, 3, [10 * (3**i - 1) // 2 for i in range(1, 18)]),
        (10, 10, [10 * (10**i - 1) // 9 for i in range(1, 9)]),
        (64, 1.5, [128 * (3**i - 2**i) // 2**i for i in range(1, 7)]),
    ],
)
def test_restarts_are_exact_up_to_the_last_count_of_32_bits(T_0: int, T_mult: float, begins: list[int]) -> None:
    schedule = warm_restarts(0.1, 0, T_0=T_0, T_mult=T_mult)
    counts = jnp.array([begin for begin in begins if begin <= 2**31 - 1], jnp.int32)
    assert len(counts) >= 3
    assert np.asarray(jax.jit(schedule)(counts)).tolist() == [np.float32(0.1)] * len(counts)
    before = np.asarray(jax.jit(schedule)(counts - 1))
    assert (before < 0.09).all()
    assert np.allclose(before, schedule(np.asarray(counts) - 1), atol=4e-8)


@pytest.mark.parametrize("x64", [False, True])
def test_an_optax_optimizer_uses_the_rates_and_traces_once(x64: bool) -> None:
    traces = 0

    def traced(count: Any) -> Any:
        nonlocal traces
        traces += 1
        return SCHEDULE(count)

    with jax.enable_x64(x64):
        optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=traced)
        params = jnp.zeros(2)
        state = optimizer.init(params)
        before = traces

        @jax.jit
        def update(params: Any, state: Any) -> Any:
            updates, state = optimizer.update(jnp.ones(2), state)
            return optax.apply_updates(params, updates), state

        used = []
        for _ in range(1000):
            params, state = update(params, state)
            used.append(float(state.hyperparams["learning_rate"]))
    assert traces - before == 1
    assert np.allclose(used[:12], SCHEDULE(np.arange(12)), rtol=1e-6)


def rates_of(optimizer: Any, updates: int, micro: int = 1) -> list[float]:
    """The size of each update of plain SGD with a gradient of 1, which is its rate."""
    params, sizes, update = jnp.zeros(()), [], jax.jit(optimizer.update)
    state = optimizer.init(params)
    for _ in range(updates * micro):
        change, state = update(jnp.ones(()), state, params)
        sizes.append(-float(change))
    return sizes


def test_it_works_inside_other_transformations() -> None:
    want = SCHEDULE(np.arange(8)).tolist()
    several = optax.MultiSteps(optax.sgd(SCHEDULE), every_k_schedule=3)
    sizes = rates_of(several, 8, micro=3)
    assert np.allclose(sizes[2::3], want, rtol=1e-6)  # the clock of MultiSteps counts updates, not micro-batches
    assert not any(sizes[0::3])
    labelled = optax.multi_transform({"a": optax.sgd(SCHEDULE), "b": optax.set_to_zero()}, lambda params: "a")
    assert np.allclose(rates_of(labelled, 8), want, rtol=1e-6)
    rates, table = SCHEDULE.shifted(-1), jnp.asarray([*want[1:], 0.0])
    free, listed = (optax.contrib.schedule_free(optax.sgd(r), r) for r in (rates, lambda count: table[count]))
    assert np.allclose(rates_of(free, 7), rates_of(listed, 7), rtol=1e-5)


@pytest.mark.parametrize("run", [jax.vmap, lambda f: lambda t: jax.lax.map(f, t), jax.jit])
def test_it_is_mapped_and_scanned(run: Callable[[Any], Any]) -> None:
    assert np.allclose(run(SCHEDULE)(jnp.arange(12)), SCHEDULE(np.arange(12)), rtol=1e-6)
    _, scanned = jax.lax.scan(lambda count, _: (count + 1, SCHEDULE(count)), 0, None, length=12)
    assert np.allclose(scanned, SCHEDULE(np.arange(12)), rtol=1e-6)


@pytest.mark.thorough
def test_it_is_sharded() -> None:
    mesh = jax.make_mesh((1,), ("data",))
    spec = jax.sharding.PartitionSpec("data")
    sharded = jax.shard_map(SCHEDULE, mesh=mesh, in_specs=spec, out_specs=spec)
    counts = jax.device_put(jnp.arange(12), jax.sharding.NamedSharding(mesh, spec))
    assert np.allclose(sharded(counts), SCHEDULE(np.arange(12)), rtol=1e-6)


TREES = {
    "join": SCHEDULE,
    "restarts": warm_restarts(1, 0.1, T_0=3, T_mult=2, eta_max_factor=0.5, eta_min_factor=0.25),
    "equal restarts": linear(0, 1, 2) >> warm_restarts(1, 0, T_0=4, eta_max_factor=0.8),
    "a limited number": warm_restarts(1, 0.1, T_0=4, runs=3, eta_max_factor=1.5),
    "fractional": warm_restarts(1, 0, T_0=2.5).shifted(1.5),
    "staircase": step(1, 5, 0.5),
    "epochs": warm_restarts(1, 0.1, T_0=1, T_mult=2).stretched(6),
    "tail": inverse_sqrt(0.1, T_warmup=4),
    "trapezoid": wsd(1, 0.1, T_warmup=3, T_stable=10, T_cooldown=10, curve="1-sqrt"),
    "operations": maximum(triangular2(0.1, 1, 5), 0.3) * 2 + cosine(1, 0, 20) / 4,
    "held and cut": cosine(1, 0, 20).held(4).until(14) >> constant(0.2),
    "mirrored": cosine(1, 0, 6).beyond("mirror"),
    "repeated": linear(0, 1, 6).beyond("repeat"),
    "earlier": cosine(1, 0, 20).shifted(-7),
}


FEW = ("restarts",)  # the others are compiled by `make test-all`


def thorough(names: Any) -> list[Any]:
    return [pytest.param(name, marks=[] if name in FEW else pytest.mark.thorough) for name in names]


@pytest.mark.parametrize("name", thorough(TREES))
def test_traced_values_give_the_same_rates(name: str) -> None:
    schedule, times = TREES[name], np.linspace(0, 30, 121)
    flat, structure = jax.tree.flatten(schedule)
    rates = jax.jit(lambda leaves, t: jax.tree.unflatten(structure, leaves)(t))
    assert np.allclose(rates(flat, jnp.arange(31)), schedule(np.arange(31)), rtol=1e-6, atol=1e-6)
    assert np.allclose(rates(flat, jnp.asarray(times)), schedule(times), rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("name", thorough(["join", "restarts", "equal restarts", "trapezoid", "tail", "mirrored"]))
def test_gradients_of_values_are_differences_of_rates(name: str) -> None:
    schedule, times = TREES[name], np.array([0.5, 3.25, 4.0, 8.75, 13.0])
    with jax.enable_x64(True):
        gradient = jax.grad(lambda tree: tree(jnp.asarray(times)).sum())(jax.tree.map(float, schedule))
        found = [float(leaf) for leaf in jax.tree.leaves(gradient)]
    flat, structure = jax.tree.flatten(schedule)
    for i, slope in enumerate(found):
        # Differences of ordinary schedules, whose tables have nothing to do with JAX; a factor may not go above 1.
        lower = [*flat[:i], flat[i] - 1e-6, *flat[i + 1 :]]
        below = annealing.jax.concrete(jax.tree.unflatten(structure, lower))
        assert np.isclose(slope, (schedule(times) - below(times)).sum() / 1e-6, rtol=1e-4, atol=1e-4), (i, slope)


def test_peaks_are_mapped_over_and_traced() -> None:
    unit = cosine(1, 0, 100)
    peaks = jnp.array([0.1, 0.2, 0.4])
    mapped = jax.vmap(lambda peak: annealing.jax.times(peak, unit)(50))(peaks)
    assert np.allclose(mapped, peaks / 2)
    by_leaf = jax.vmap(lambda tree: tree(50))(jax.tree.map(lambda value: value * peaks, unit))
    assert np.allclose(by_leaf, peaks / 2)
    assert (jnp.float32(0.5) * unit)(50) == 0.25
    with pytest.raises(ScheduleError, match=r"annealing\.jax\.times"):
        jax.jit(lambda peak: peak * unit(0) + (peak * unit)(0))(0.5)


def test_unflattening_checks_nothing_and_drops_the_label() -> None:
    schedule = cosine(0.1, 0, 100)
    again = jax.tree.map(lambda value: value, schedule)
    assert again == schedule
    assert str(again) == "Run(shapes.cosine, 0.1, 0, 100)"
    assert jax.tree.leaves(warm_restarts(1, 0, T_0=10)) == [1.0, 0.0, 1.0, 1.0]
    odd = jax.tree.map(lambda value: jnp.nan, schedule)
    assert np.isnan(odd(3))
    assert annealing.jax.concrete(jax.tree.map(jnp.float32, schedule)) == Run(
        shapes.cosine, float(np.float32(0.1)), 0, 100
    )
