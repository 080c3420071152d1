"""Every recipe against its formula, in 50 digits and written from its source, and against PyTorch where it has one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import pytest
import torch
from catalogue import every
from reference import number, ulps
from torch.optim import lr_scheduler

import annealing as an
from annealing import Schedule, ScheduleError, parse, recipes

m = mpmath.mpf
cos, exp, sqrt, log, tanh = mpmath.cospi, mpmath.exp, mpmath.sqrt, mpmath.log, mpmath.tanh
HIGH, LOW = number(0.1), number(0.001)  # the floats themselves


def mixed(weight: Any) -> Any:
    return LOW + (HIGH - LOW) * weight


FRACTAL = (0, 7, 3, 4, 1, 6, 2, 5)  # arXiv 2103.01338, from (0, 3, 1, 2) and 7 minus these

FORMULAS: dict[str, tuple[Schedule, Callable[[Any], Any], int]] = {
    "constant": (an.constant(0.1), lambda t: HIGH, 90),
    "linear": (an.linear(0.1, 0.001, 90), lambda t: mixed(1 - t / 90), 90),
    "cosine": (an.cosine(0.1, 0.001, 90), lambda t: mixed((1 + cos(t / 90)) / 2), 90),
    "polynomial": (an.polynomial(0.1, 0.001, 90, power=2, k=3), lambda t: mixed((1 - (t / 90) ** 3) ** 2), 90),
    "cosine_power": (an.cosine_power(0.1, 0.001, 90, exponent=2), lambda t: mixed(((1 + cos(t / 90)) / 2) ** 2), 90),
    "k_decay": (an.k_decay(0.1, 0.001, 90, k=2), lambda t: mixed((1 + cos((t / 90) ** 2)) / 2), 90),
    "half_cosine": (an.half_cosine(0.1, 0.001, 90), lambda t: mixed(1 + cos((1 + t / 90) / 2)), 90),
    "cosine_linear": (
        an.cosine_linear(0.1, 0.001, 90, T_linear=30),
        lambda t: mixed((1 + cos(t / 90)) / 2) if t < 60 else mixed((1 + cos(m(2) / 3)) / 2) * (90 - t) / 30,
        90,
    ),
    "cosine_constant": (
        an.cosine_constant(0.1, 0.001, 60, T_constant=30),
        lambda t: mixed((1 + cos(min(t / 60, 1))) / 2),
        90,
    ),
    "geometric": (an.geometric(0.1, 0.001, 90), lambda t: HIGH * (LOW / HIGH) ** (t / 90), 90),
    "harmonic": (an.harmonic(0.1, 0.001, 90), lambda t: 1 / (1 / HIGH + (1 / LOW - 1 / HIGH) * t / 90), 90),
    "rex": (an.rex(0.1, 0.001, 90), lambda t: mixed((1 - t / 90) / (m(1) / 2 + (1 - t / 90) / 2)), 90),
    "tanh_decay": (an.tanh_decay(0.1, 0.001, 90), lambda t: mixed((1 - tanh(-6 + 9 * t / 90)) / 2), 90),
    "exponential": (an.exponential(0.1, 0.5, timescale=10), lambda t: HIGH * m(2) ** (-t / 10), 90),
    "natural_exponential": (an.natural_exponential(0.1, k=0.1), lambda t: HIGH * exp(-t / 10), 90),
    "inverse_time": (an.inverse_time(0.1, k=0.1), lambda t: HIGH / (1 + t / 10), 900),
    "flat_anneal": (an.flat_anneal(0.1, 0.001, 80), lambda t: mixed((1 + cos(max(t - 60, 0) / 20)) / 2), 80),
    "inverse_sqrt": (an.inverse_sqrt(0.1, T_warmup=10), lambda t: HIGH * min(t / 10, sqrt(10 / t) if t else 0), 900),
    "noam": (
        an.noam(512, T_warmup=40),
        lambda t: 1 / sqrt(512) * min(1 / sqrt(t) if t else 0, t / m(40) ** m(1.5)),
        900,
    ),
    "rsqrt": (
        an.rsqrt(0.1, timescale=30, T_warmup=10, shift=5),
        lambda t: HIGH / sqrt(1 + m(5) / 30) * t / 10 if t < 10 else HIGH / sqrt(1 + (t + 5 - 10) / 30),
        900,
    ),
    "power_law": (
        an.power_law(0.1, exponent=0.5, T_warmup=10),
        lambda t: HIGH * (t / 10 if t < 10 else (t / 10) ** m(-0.5)),
        900,
    ),
    "wsd": (
        an.wsd(0.1, 0.001, T_warmup=10, T_stable=50, T_cooldown=30, curve="1-sqrt"),
        lambda t: HIGH * t / 10 if t < 10 else HIGH if t < 60 else mixed(1 - sqrt((t - 60) / 30)),
        90,
    ),
    "wsd, half-life": (
        an.wsd(0.1, T_warmup=10, T_stable=50, T_cooldown=30, T_half=5, start=0.001),
        lambda t: mixed(t / 10) if t < 10 else HIGH * m(2) ** (-max(t - 60, 0) / 5),
        90,
    ),
    "wsd_s": (
        an.wsd_s(0.1, 0.001, T_warmup=10, periods=[40, 40], T_cooldown=20),
        lambda t: HIGH * t / 10 if t < 10 else mixed(1 - max((t - 10) % 40 - 20, 0) / 20) if t < 90 else LOW,
        90,
    ),
    "infinite": (
        an.infinite(0.1, 0.001, T_warmup=10, T_cooldown=50),
        lambda t: HIGH * t / 10 if t < 10 else mixed((1 + cos(min((t - 10) / 50, 1))) / 2),
        900,
    ),
    "tri_stage": (
        an.tri_stage(0.1, T_warmup=10, T_stable=20, T_decay=60, init_scale=0.25, final_scale=0.0625),
        lambda t: HIGH * ((1 + 3 * t / 10) / 4 if t < 10 else 1 if t < 30 else m(16) ** (-(t - 30) / 60)),
        90,
    ),
    "knee": (
        an.knee(0.1, T_warmup=10, T_explore=20, T_max=90),
        lambda t: HIGH * (t / 10 if t < 10 else 1 if t < 30 else (90 - t) / 60),
        90,
    ),
    "power_scheduler": (  # 0.2 t^-1/2 is 0.1 at 4, and 0.02 at 100, where the cooldown begins
        an.power_scheduler(0.1, 2, T_warmup=1, T_max=120, T_cooldown=20, a=0.1, b=-0.5),
        lambda t: HIGH * min(t, 2 / sqrt(max(t, 1)), 1) if t < 100 else HIGH / 5 * (120 - t) / 20,
        120,
    ),
    "power_scheduler, below its limit": (  # at the end of the warm-up it is 0.4 / 5
        an.power_scheduler(0.1, 4, T_warmup=25, T_max=120, T_cooldown=20, a=0.1, b=-0.5),
        lambda t: HIGH * (4 * t / 125 if t < 25 else 4 / sqrt(t) if t < 100 else (120 - t) / 50),
        120,
    ),
    "hyperbolic": (
        an.hyperbolic(0.1, 0.001, 90, T_upper=200),
        lambda t: HIGH + (HIGH - LOW) * (sqrt((90 - t) * (310 - t)) - sqrt(m(90) * 310)) / 200,
        90,
    ),
    "exp_hyperbolic": (
        an.exp_hyperbolic(0.1, 0.001, 90, T_upper=200),
        lambda t: HIGH * (HIGH / LOW) ** ((sqrt((90 - t) * (310 - t)) - sqrt(m(90) * 310)) / 200),
        90,
    ),
    "chebyshev": (  # the roots of the polynomial of degree 8 between the curvatures 10 and 1000
        an.chebyshev(0.1, 0.001, steps=8, length=10),
        lambda t: 2 / (1 / LOW + 1 / HIGH - (1 / LOW - 1 / HIGH) * cos((2 * FRACTAL[int(t) // 10] + 1) / m(16))),
        79,
    ),
    "slanted_triangular": (  # p rises to 1 at the cut and falls to 0; eta_max * (1 + p * (ratio - 1)) / ratio
        an.slanted_triangular(0.1, 100, cut_frac=0.25, ratio=32),
        lambda t: HIGH * (1 + (t / 25 if t < 25 else (100 - t) / 75) * 31) / 32,
        100,
    ),
    "jagged_restarts": (
        an.jagged_restarts(an.linear(0.1, 0.001, 82), every=20, T_ramp=4),
        lambda t: mixed(1 - min(t, 82) / 82) * (1 if t < 20 else min((min(t, 82) % 20) / 4, 1)),
        150,  # after its end, which is in the middle of a ramp, too
    ),
    "warmup_restarts": (
        an.warmup_restarts(0.1, 0.001, T_0=20, T_warmup=5),
        lambda t: mixed((t % 20) / 5 if t % 20 < 5 else (1 + cos((t % 20 - 5) / 15)) / 2),
        100,
    ),
    "ramp": (an.ramp(0.1, 10, "log"), lambda t: HIGH * log(1 + t) / log(11), 10),
    "ramp, harmonic": (an.ramp(0.1, 10, "harmonic", start=0.001), lambda t: 1 / (1000 + (10 - 1000) * t / 10), 10),
    "ramp, 1-sqrt": (an.ramp(0.1, 10, "1-sqrt", start=0.001), lambda t: mixed(1 - sqrt(1 - t / 10)), 10),
    "ramp, quadratic": (an.ramp(0.1, 10, "quadratic"), lambda t: HIGH * (t / 10) ** 2, 10),
    "ramp, 1-square": (an.ramp(0.1, 10, "1-square"), lambda t: HIGH * (1 - (1 - t / 10) ** 2), 10),
    "ramp, cosine": (an.ramp(0.1, 10, "cosine"), lambda t: HIGH * (1 - cos(t / 10)) / 2, 10),
    "ramp, geometric": (
        an.ramp(0.1, 10, "geometric", start=0.001),
        lambda t: LOW * (HIGH / LOW) ** (t / 10),
        10,
    ),
    "warmup": (
        an.warmup(an.linear(0.1, 0, 90), 10, place="over"),
        lambda t: HIGH * 8 / 9 * t / 10 if t < 10 else HIGH * (1 - t / 90),
        90,
    ),
    "exponential_warmup": (an.exponential_warmup(20), lambda t: 1 - exp(-t / 20), 90),
    "untuned_warmup": (an.untuned_warmup(0.9), lambda t: min(t / 20, 1), 90),
    "untuned_warmup, exponential": (an.untuned_warmup(0.9, "exponential"), lambda t: 1 - exp(-t / 10), 90),
    "half_life": (an.half_life(0.1, T_half=5, length=20), lambda t: HIGH * m(2) ** (-min(t, 20) / 5), 30),
    "triangular": (an.triangular(0.001, 0.1, 10), lambda t: mixed(1 - abs(t % 20 - 10) / 10), 90),
}
ELSEWHERE = {  # recipes tested by other means: in this file against PyTorch, or in the files for the core
    *("one_cycle", "one_cycle_momentum", "triangular2", "exp_range", "cooldown", "branch_cooldown", "change_horizon"),
    *("warm_restarts", "runs", "step", "multistep"),
}


def test_no_recipe_is_forgotten() -> None:
    assert {name.split(",")[0] for name in FORMULAS} | ELSEWHERE == set(recipes.named)
    printed = " ".join(str(schedule) for schedule in every.values())
    assert [name for name in recipes.named if f"{name}(" not in printed] == []


@pytest.mark.parametrize("name", FORMULAS)
def test_a_recipe_is_its_formula(name: str) -> None:
    schedule, formula, until = FORMULAS[name]
    for i in range(401):
        t = Fraction(i * until, 400)
        wanted = formula(number(t))
        # The rounding of t / timescale and of e grows with the exponent, as the shape's docstring says.
        allowed = 8 + (float(log(HIGH / wanted)) if "exponential" in str(schedule) and 0 < wanted < HIGH else 0)
        assert schedule(t) == 0 if wanted == 0 else ulps(schedule(t), wanted) <= allowed, t


def peer(make: Callable[[Any], Any], steps: int, key: str = "lr") -> list[float]:
    """The values that a PyTorch scheduler writes, in float64, before each update."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0][key]))
        optimizer.step()
        scheduler.step()
    return found


# PyTorch multiplies its way from step to step (PolynomialLR, ExponentialLR), or adds up a cycle (CyclicLR).
CLOSE = 1e-12


def test_polynomial_and_exponential_are_pytorchs() -> None:
    theirs = peer(lambda o: lr_scheduler.PolynomialLR(o, total_iters=50, power=2.5), 60)
    assert [an.polynomial(0.1, 0, 50, power=2.5)(n) for n in range(60)] == pytest.approx(theirs, rel=CLOSE, abs=1e-15)
    theirs = peer(lambda o: lr_scheduler.ExponentialLR(o, gamma=0.95), 100)
    assert [an.exponential(0.1, 0.95)(n) for n in range(100)] == pytest.approx(theirs, rel=CLOSE)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(("N", "pct_start"), [(101, Fraction(3, 10)), (58, Fraction(2, 5))])
def test_one_cycle_is_pytorchs(strategy: str, three_phase: bool, N: int, pct_start: Fraction) -> None:
    curve = {"cos": "cosine", "linear": "linear"}[strategy]

    options = {"total_steps": N, "pct_start": float(pct_start), "anneal_strategy": strategy, "three_phase": three_phase}

    def theirs(key: str) -> list[float]:
        return peer(lambda o: lr_scheduler.OneCycleLR(o, 0.1, **options), N - 1, key)

    share = (pct_start * N - 1) / (N - 1)
    ours = an.one_cycle(0.1, N - 1, pct_start=share, curve=curve, three_phase=three_phase)
    assert [ours(n) for n in range(N - 1)] == pytest.approx(theirs("lr"), rel=CLOSE)
    momentum = an.one_cycle_momentum(0.85, 0.95, N - 1, pct_start=share, curve=curve, three_phase=three_phase)
    assert [momentum(n) for n in range(N - 1)] == pytest.approx(theirs("momentum"), rel=CLOSE)


def test_three_phases_end_where_they_should() -> None:
    schedule = an.one_cycle(1, 100, pct_start=0.3, curve="linear", three_phase=True, div_factor=10, final_div_factor=10)
    found = [schedule(t) for t in (0, 15, 30, 45, 60, 80, 100)]
    assert found == pytest.approx([0.1, 0.55, 1, 0.55, 0.1, 0.055, 0.01], rel=1e-15)
    momentum = an.one_cycle_momentum(0.85, 0.95, 100, pct_start=0.3, three_phase=True)
    assert [momentum(t) for t in (0, 30, 60, 80, 100)] == [0.95, 0.85, 0.95, 0.95, 0.95]


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_cycles_are_pytorchs(mode: str) -> None:
    ours = {
        "triangular": an.triangular(0.01, 0.1, 7, 5),
        "triangular2": an.triangular2(0.01, 0.1, 7, 5),
        "exp_range": an.exp_range(0.01, 0.1, 7, 5, gamma=0.98),
    }[mode]
    options = {"step_size_up": 7, "step_size_down": 5, "mode": mode, "gamma": 0.98, "cycle_momentum": False}
    theirs = peer(lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, **options), 100)
    assert [ours(n) for n in range(100)] == pytest.approx(theirs, rel=CLOSE)


def test_deepspeeds_logarithmic_warm_up() -> None:
    """WarmupLR: min(1, log(step + 1) / log(warmup_num_steps)), at its peak at step 99 of 100 already."""
    ours = an.ramp(0.1, 99, "log")
    theirs = [min(1, log(step + 1) / log(100)) * HIGH for step in range(120)]
    assert all(abs(number(ours(step)) - wanted) <= 1e-16 * wanted * 8 for step, wanted in enumerate(theirs))


def test_jagged_restarts_end_with_their_schedule() -> None:
    assert an.jagged_restarts(an.cosine(0.1, 0.01, 50), every=20, T_ramp=4).duration == 50
    assert an.jagged_restarts(an.cosine(0.1, 0.01, 60), every=20, T_ramp=4)(60) == 0.01  # no restart at the end
    assert an.jagged_restarts(an.step(0.1, 30), every=20, T_ramp=4).duration is None


def test_a_schedule_may_be_an_argument() -> None:
    schedule = an.warmup(0.5 * an.cosine(0.1, 0, 90), 10, place="before")
    assert str(schedule) == "warmup(0.5 * cosine(0.1, 0, 90), 10, place='before')"
    assert parse(str(schedule)) == schedule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("polynomial(0.1, 0.2, 90, power=2)", "eta_min must be at most eta_max = 0.1, got 0.2"),
        ("polynomial(0.1, 0, -1, power=2)", "T_max must be at least 0"),
        ("polynomial(0.1, 0, 90, power=0)", "power must be above 0"),
        ("cosine_linear(0.1, 0, 90, 90)", "T_linear must be below T_max = 90, got 90"),
        ("geometric(0.1, 0, 90)", "end must be above 0, got 0"),
        ("rex(0.1, 0, 90, beta=0)", "beta must be above 0, got 0"),
        ("tanh_decay(0.1, 0, 90, lower=3, upper=3)", "lower must be below upper"),
        ("exponential(0.1, 1)", "gamma must be below 1"),
        ("exponential(0.1, 0)", "gamma must be above 0"),
        ("natural_exponential(0.1, 0)", "k must be above 0"),
        ("flat_anneal(0.1, 0, 90, 2)", "pct_start must be from 0 to 1, got 2"),
        ("inverse_sqrt(0.1, -1)", "T_warmup must be at least 0"),
        ("noam(0, 10)", "d_model must be above 0, got 0"),
        ("rsqrt(0.1, 10, 10, -1)", "shift must be at least 0, and with timescale at most 2^53, got -1"),
        ("power_law(0.1, -0.5, 10)", "exponent must be above 0"),
        ("wsd(0.1, T_warmup=-1, T_stable=5, T_cooldown=5)", "T_warmup must be at least 0, got -1"),
        ("wsd(0.1, T_warmup=1, T_stable=5, T_cooldown=-1)", "T_cooldown must be at least 0"),
        ("wsd(0.1, T_warmup=1, T_stable=5, T_cooldown=5, curve='exponential')", "curve must be one of linear, cosine"),
        ("wsd_s(0.1, T_warmup=1, periods=[5], T_cooldown=5)", "periods must be above T_cooldown = 5, got 5"),
        ("wsd_s(0.1, T_warmup=1, periods=[], T_cooldown=5)", "periods must be a list of lengths"),
        ("infinite(0.1, 0.2, T_warmup=1, T_cooldown=5)", "eta_const must be at most eta_max = 0.1, got 0.2"),
        ("tri_stage(0.1, T_warmup=1, T_stable=1, T_decay=1, final_scale=0)", "final_scale must be above 1e-300"),
        ("knee(0.1, T_warmup=10, T_explore=20, T_max=29)", "T_max must be at least T_warmup + T_explore = 30, got 29"),
        ("one_cycle(0.1, 100, pct_start=0.5, three_phase=1)", "three_phase must be True or False, got 1"),
        ("one_cycle(0.1, 100, pct_start=2)", "pct_start must be from 0 to 1, got 2"),
        ("one_cycle(0.1, 100, curve='cos')", "curve must be one of cosine, linear, got 'cos'"),
        ("one_cycle(0.1, 100, div_factor=0)", "div_factor must be above 0, got 0"),
        ("one_cycle_momentum(0.95, 0.85, 100)", "momentum_min must be at most momentum_max = 0.85, got 0.95"),
        ("triangular(0.1, 0.01, 5)", "eta_min must be at most eta_max = 0.01, got 0.1"),
        ("triangular(0.01, 0.1, 0)", "step_size_up must be above 0"),
        ("exp_range(0.01, 0.1, 5, gamma=1.5)", "gamma must be above 0 and at most 1"),
        ("slanted_triangular(0.1, 90, cut_frac=2)", "cut_frac must be from 0 to 1, got 2"),
        ("slanted_triangular(0.1, 90, ratio=0.5)", "ratio must be at least 1, got 0.5"),
        ("jagged_restarts(0.1, 5, 2)", "schedule must be a schedule, got 0.1"),
        ("jagged_restarts(cosine(1, 0, 5), 5, 5)", "T_ramp must be below every = 5, got 5"),
        ("warmup_restarts(0.1, T_0=10, T_warmup=10)", "T_warmup must be below T_0 = 10, got 10"),
        ("warmup_restarts(0.1, T_0=10, T_warmup=1, T_mult=0.5)", "T_mult must be at least 1, got 0.5"),
        ("ramp(0.1, 1e13, 'log')", 'length must be from 1e-12 to 1e12 for curve "log", got 1'),
        ("ramp(0.1, 1, 'geometric')", 'start must be above 0 for curve "geometric", got 0'),
        ("ramp(0.1, 1, 'exp')", "curve must be one of linear, quadratic"),
        (
            "warmup(cosine(1, 0, 5), 2, place='prefix')",
            "place must be one of before, over, instead, squeezed, times, got 'pre",
        ),
        (
            "warmup(cosine(1, 0, 5), 5, place='squeezed')",
            "length must be below the schedule's, 5, for place 'squeezed'",
        ),
        ("warmup(cosine(1, 0, 5), 6, place='over')", "length must be below the schedule's, 5, for place 'over', got 6"),
        ("warmup(cosine(1, 0, 5), 5.5, place='times')", "the schedule's, 5, for place 'times', got 5.5"),
        ("warmup(step(1, 5), 5, place='squeezed')", "schedule must end for place 'squeezed', got step(1, 5)"),
        ("wsd(1, T_warmup=1, T_stable=5, T_cooldown=5, T_half=2, curve='cosine')", "curve has no meaning with T_half"),
        ("wsd(1, 0.1, T_warmup=1, T_stable=5, T_cooldown=5, T_half=2)", "eta_min has no meaning with T_half = 2, got"),
        ("chebyshev(1, 0.1, steps=6)", "steps must be a power of 2, at most 4096, got 6"),
        ("hyperbolic(1, 0.1, 100, 99)", "T_upper must be at least T_max = 100, got 99"),
        ("untuned_warmup(1)", "beta2 must be from 0 and below 1, got 1"),
        ("untuned_warmup(0.9, 'radam')", "curve must be one of linear, exponential, got 'radam'"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    assert message in str(caught.value)


ROW = re.compile(r"^\| `((\w+)\(.*?\))` \| (.*) \| (.*) \|$", re.MULTILINE)
SYMBOLS = re.compile(r"\w*_\w+|\d+(?:\.\d+)?|[*/^=+]|\b(?:cos|sin|sqrt|tanh|floor|min|pi)\b|`.*?`")


def rows(page: str) -> dict[str, tuple[str, str, str]]:
    """By name: the call, what it is, and the source, as a page of the docs has them."""
    text = (Path(__file__).parents[1] / "docs" / page).read_text("utf-8").replace("\\*", "*")
    return {name: (call, what, source) for call, name, what, source in ROW.findall(text)}


def test_every_recipe_says_where_it_is_from() -> None:
    listed = rows("recipes.md")
    assert set(listed) == set(recipes.named)
    for name, recipe in recipes.named.items():
        page = inspect.getdoc(recipe) or ""
        assert ">>> " in page, name
        first, source = (" ".join(part.split()) for part in (page.partition("\n\n")[0], page.partition("Source: ")[2]))
        call = f"{name}({', '.join(inspect.signature(recipe).parameters)})"
        assert listed[name] == (call, first, source.removesuffix(".")), name


def test_the_chinese_page_has_the_same_formulas() -> None:
    english, chinese = rows("recipes.md"), rows("recipes.zh.md")
    assert list(chinese) == list(english)
    for name, (call, what, source) in english.items():
        assert (chinese[name][0], chinese[name][2]) == (call, source)
        assert sorted(SYMBOLS.findall(chinese[name][1])) == sorted(SYMBOLS.findall(what)), name
