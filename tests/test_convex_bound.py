"""The bound of convex theory: against its formula in 50 digits, closed forms worked out by hand, and real descents."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from mpmath import mp, mpf

from annealing import Schedule, ScheduleError, bound, constant, cosine, inverse_sqrt, linear, step, warm_restarts, wsd
from annealing.cli import main
from annealing.convex_bound import pairs_in_order

SCHEDULES = {
    "linear": (linear(0.3, 0, 40), 40),
    "cosine": (cosine(0.3, 0, 37), 37),
    "cosine with a floor": (cosine(2.0, 0.1, 30), 45),
    "warm-up from 0": (linear(0, 1, 5) >> cosine(1, 0, 30), 35),
    "warm restarts": (warm_restarts(0.5, T_0=5, T_mult=2), 40),
    "wsd": (wsd(1, 0, T_warmup=3, T_stable=20, T_cooldown=12), 35),
    "0 at the end": (cosine(1, 0, 20), 40),
    "step": (step(1e-3, 10), 33),
    "one step": (constant(0.7), 1),
}


def formula(schedule: Schedule, steps: int, distance: float, gradient: Schedule) -> tuple[mpf, mpf]:
    """The two parts of the bound, summed as they are written, in 50 digits."""
    eta = [mpf(schedule(t)) for t in range(steps)]
    eta = eta[: max(t for t in range(steps) if eta[t] > 0) + 1]
    spent = [(rate * mpf(gradient(t))) ** 2 for t, rate in enumerate(eta)]
    noisy = sum(spent) / sum(eta)
    for k in range(len(eta) - 1):
        noisy += eta[k] / sum(eta[k + 1 :]) * sum(spent[k:]) / sum(eta[k:])
    return mpf(distance) ** 2 / (2 * sum(eta)), noisy / 2


@pytest.mark.parametrize("gradient", [constant(1), constant(2.5), linear(3, 1, 40)], ids=["1", "2.5", "falling"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_it_is_the_formula(name: str, gradient: Schedule) -> None:
    schedule, steps = SCHEDULES[name]
    with mp.workdps(50):
        far, noisy = formula(schedule, steps, 1.5, gradient)
        factor = mp.sqrt(far / noisy)
        wanted = [far + noisy, factor * max(mpf(schedule(t)) for t in range(steps)), 2 * mp.sqrt(far * noisy)]
        found = bound(schedule, steps, distance=1.5, gradient=gradient)
        for got, right in zip(found, wanted, strict=True):
            assert abs(got - right) <= 1e-13 * right


def harmonic(n: int) -> float:
    return math.fsum(1 / k for k in range(1, n + 1))


@pytest.mark.parametrize("T", [1, 2, 10, 1000, 100_000])
def test_closed_forms(T: int) -> None:
    # By hand: the double sum of a constant rate is that of 1 / k, and with eta_t = T + 1 - t every inner sum is one of
    # whole numbers or of squares. Beside D G / sqrt(T) the first has a logarithm, and the second tends to 2.
    D, G, H = 3.0, 0.5, harmonic(T - 1)
    flat = bound(constant(7), steps=T, distance=D, gradient=G)
    assert flat.best == pytest.approx(D * G * math.sqrt((1 + H) / T), rel=1e-11)
    assert flat.peak == pytest.approx(D / G / math.sqrt(T * (1 + H)), rel=1e-11)
    line = bound(linear(1, 0, T), distance=D, gradient=G)
    assert line.best == pytest.approx(D * G * math.sqrt(2 * (2 * T - 1 + 2 * H) / (T * (T + 1))), rel=1e-11)
    assert T < 1000 or line.best == pytest.approx(2 * D * G / math.sqrt(T), rel=0.01)


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_other_peak_has_a_lower_bound(name: str) -> None:
    schedule, steps = SCHEDULES[name]
    found = bound(schedule, steps)
    peak = max(schedule(t) for t in range(steps))
    assert bound(schedule * (found.peak / peak), steps).value == pytest.approx(found.best, rel=1e-12)
    for factor in (0.5, 0.98, 1.02, 2):
        assert bound(schedule * (factor * found.peak / peak), steps).value > found.best


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_descent_ends_above_it(name: str) -> None:
    # Subgradient descent on |x| in 20 dimensions, whose subgradients have norm 1, started at distance 1.
    schedule, steps = SCHEDULES[name]
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=20)
        x /= np.linalg.norm(x)
        for t in range(steps):
            loss = float(np.linalg.norm(x))
            if schedule(t) > 0:  # the first rate may be 0, and alone has no bound
                assert loss <= bound(schedule, t + 1).value * (1 + 1e-12)
            x = x - schedule(t) * (x / loss if loss else x)


def test_the_bound_of_wsd_drops_in_its_cooldown() -> None:
    # As in the figures of Schaipp et al.: with 20 % cooldown WSD comes close to a cosine, and only in its cooldown.
    flat = wsd(1, 0, T_warmup=0, T_stable=320, T_cooldown=80)
    ends = [bound(schedule, 400) for schedule in (flat, cosine(1, 0, 400), constant(1))]
    assert ends[1].best < ends[0].best < 0.8 * ends[2].best
    scaled = flat * ends[0].peak
    before, after = bound(scaled, 320).value, bound(scaled, 400).value
    drop, slope = before - after, bound(scaled, 240).value - before
    assert drop > 2.5 * slope > 0  # over 80 steps each


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bound(constant(1)), "steps must be given, since this schedule never ends"),
        (lambda: bound(linear(1, -1, 10)), r"rates must be at least 0 for a bound, but .* down to -0.8"),
        (lambda: bound(constant(0), 10), "a bound needs a rate above 0, but constant"),
        (lambda: bound(constant(1), 0), "steps must be a whole number of at least 1, got 0"),
        (lambda: bound(constant(1), 10**8), "steps must be at most 10,000,000"),
        (lambda: bound("cosine"), "schedule must be a schedule, got 'cosine'"),  # type: ignore[arg-type]
        (lambda: bound(constant(1), 10, distance="x"), "distance must be a real number"),  # type: ignore[arg-type]
        (lambda: bound(constant(1), 10, gradients=1), "bound has no argument 'gradients': did you mean gradient?"),  # type: ignore[call-arg]
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ScheduleError, match=message):
        call()


def test_pairs_in_order() -> None:
    assert pairs_in_order([1, 2, 3], [10, 20, 30]) == (3, 3)
    assert pairs_in_order([1, 2, 3], [10, 30, 20]) == (2, 3)
    assert pairs_in_order([1, 1, 3], [10, 20, 20]) == (1, 1)  # equal ones say nothing
    assert pairs_in_order([3, 1], [1, 2]) == (0, 1)


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["rank", *words])
    return result.exit_code, result.stdout, result.stderr


def test_the_command() -> None:
    status, output, _ = run("constant(1)", "cosine(2, 0, 1000)", "linear(1, 0, 1000)", "--steps", "1000")
    assert status == 0
    assert output.startswith("after 1,000 updates, ")
    order = [line.split(maxsplit=3) for line in output.splitlines()[3:]]
    assert [row[3] for row in order] == ["linear(1, 0, 1000)", "cosine(2, 0, 1000)", "constant(1)"]
    assert order[0][:2] == ["0.0634", "1.00"]
    status, output, _ = run("cosine(2, 0, 10)", "linear(1, 0, 20)", "--json")
    rows = [json.loads(line) for line in output.splitlines()]
    assert [(row["schedule"], row["steps"]) for row in rows] == [("linear(1, 0, 20)", 20), ("cosine(2, 0, 10)", 20)]
    assert rows[0]["bound"] == bound(linear(1, 0, 20)).best
    assert run("linear(0, 1, '5%') >> linear(1, 0, 'rest')", "--steps", "50")[0] == 0
    status, _, error = run("constant(1)", str(inverse_sqrt(1, 10)))
    assert (status, "this schedule never ends: give --steps N" in error) == (2, True)
