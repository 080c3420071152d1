"""Translations to frameworks: the printed code is run, and its rates are those that were promised."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import frameworks_run
import host_runs  # noqa: F401  (what timm and Composer need of torchvision)
import numpy as np
import pytest

from annealing import (
    ScheduleError,
    constant,
    cosine,
    cosine_power,
    exponential,
    from_framework,
    inverse_sqrt,
    inverse_time,
    k_decay,
    linear,
    multistep,
    one_cycle,
    parse,
    polynomial,
    rex,
    step,
    tanh_decay,
    translate,
    triangular,
    triangular2,
    warm_restarts,
    warmup,
    wsd,
)
from annealing.translation import FRAMEWORKS

IN_CI = ("torch", "optax", "megatron", "deepspeed")  # the others run in environments of their own
FLOAT32 = ("keras",)

SCHEDULES = {
    "constant": constant(0.1),
    "cosine": cosine(1, 0.1, 100),
    "warm-up and cosine": linear(0, 0.5, 10) >> cosine(0.5, 0.05, 90),
    "warm-up and line": linear(0, 0.1, 10) >> linear(0.1, 0, 90),
    "warm-up and constant": linear(0.01, 0.1, 5) >> constant(0.1),
    "open_clip's cosine": warmup(cosine(1, 0, 100), 10, place="instead"),
    "restarts": warm_restarts(1, 0.1, T_0=10, T_mult=2),
    "equal restarts": 0.1 * warm_restarts(1, 0, T_0=25, runs=4),
    "falling restarts": warm_restarts(1, 0, T_0=10, T_mult=1.5, eta_max_factor=0.5),
    "falling restarts with a floor": warm_restarts(1, 0.1, T_0=10, T_mult=2, eta_max_factor=0.5),
    "warm-up and restarts": linear(0, 0.2, 5) >> warm_restarts(0.2, 0, T_0=20, runs=3),
    "steps": step(0.1, 30),
    "milestones": multistep(0.1, [30, 45, 80], 0.2),
    "polynomial": polynomial(1, 0, 100, power=2),
    "polynomial with a floor": polynomial(1, 0.1, 100, power=2),
    "one cycle": one_cycle(0.3, 99, pct_start=29 / 99),
    "triangles": triangular(0.1, 1, 10),
    "falling triangles": triangular2(0.1, 1, 10),
    "exponential": exponential(0.1, 0.99),
    "inverse time": inverse_time(0.1, 0.05),
    "inverse square root": inverse_sqrt(0.01, T_warmup=10),
    "trapezoid": wsd(1, 0, T_warmup=10, T_stable=70, T_cooldown=20),
    "trapezoid with a floor": wsd(1, 0.1, T_warmup=10, T_stable=70, T_cooldown=20, curve="1-sqrt"),
    "power of a cosine": cosine_power(1, 0, 100, exponent=2),
    "k-decay": k_decay(1, 0, 100, k=2),
    "tanh": tanh_decay(1, 0, 100),
    "REX": rex(1, 0, 100),
    "a sum": cosine(0.1, 0, 100) + 0.01,
    "fractional times": linear(0, 1, 2.5) >> cosine(1, 0, 47.5),
}
# Which frameworks can express each; the others give the nearest that was found.
EXACT = {
    "constant": "torch optax transformers keras timm mmengine composer fvcore torchtitan megatron deepspeed",
    "cosine": "torch optax transformers keras timm mmengine composer fvcore torchtitan megatron",
    "warm-up and cosine": "torch optax transformers keras timm mmengine composer fvcore megatron",
    "warm-up and line": "torch optax transformers timm mmengine composer fvcore megatron deepspeed",
    "warm-up and constant": "torch optax transformers keras timm mmengine composer fvcore megatron",
    "open_clip's cosine": "timm",
    "restarts": "torch optax keras timm mmengine composer fvcore",
    "equal restarts": "torch optax transformers keras timm mmengine composer fvcore",
    "falling restarts": "optax keras timm fvcore",
    "falling restarts with a floor": "optax timm mmengine fvcore",
    "warm-up and restarts": "torch optax transformers timm mmengine fvcore",
    "steps": "torch optax keras timm mmengine composer fvcore",
    "milestones": "torch optax keras timm mmengine composer fvcore",
    "polynomial": "torch optax transformers keras timm mmengine composer fvcore",
    "polynomial with a floor": "optax transformers keras timm mmengine composer",
    "one cycle": "torch optax fvcore",
    "triangles": "torch optax fvcore",
    "falling triangles": "torch optax fvcore",
    "exponential": "torch optax keras composer fvcore",
    "inverse time": "keras",
    "inverse square root": "transformers megatron",
    "trapezoid": "torch optax transformers mmengine fvcore megatron",
    "trapezoid with a floor": "megatron",
    "power of a cosine": "optax",
    "k-decay": "timm",
    "tanh": "",
    "REX": "",
    "a sum": "torch optax transformers keras timm mmengine composer fvcore torchtitan megatron",
    "fractional times": "optax keras timm fvcore",
}
CASES = [
    pytest.param(name, framework, marks=[] if framework in IN_CI else [pytest.mark.slow], id=f"{name} in {framework}")
    for name in SCHEDULES
    for framework in FRAMEWORKS
]


@pytest.mark.filterwarnings("default")  # of the frameworks
@pytest.mark.parametrize(("name", "framework"), CASES)
def test_the_printed_code_follows_the_promised_rates(name: str, framework: str) -> None:
    if importlib.util.find_spec(frameworks_run.NEEDED[framework]) is None:
        pytest.skip(f"{framework} is not installed")
    found = translate(SCHEDULES[name], framework)
    used = np.array(frameworks_run.rates(found, found.updates))
    steps = np.arange(found.updates, dtype=np.float64)
    scale = np.abs(SCHEDULES[name](steps)).max()
    # Frameworks that step from rate to rate round at each step; those in float32 at 24 bits.
    allowed = (2e-6 if framework in FLOAT32 else 1e-12) * scale
    assert np.abs(used - found.follows(steps)).max() <= allowed
    away = np.abs(used - SCHEDULES[name](steps)).max()
    assert math.isclose(away, found.largest_difference, abs_tol=allowed)
    if found.exact:
        assert away <= allowed


@pytest.mark.parametrize("name", SCHEDULES)
def test_which_frameworks_can_express_a_schedule(name: str) -> None:
    exact = [framework for framework in FRAMEWORKS if translate(SCHEDULES[name], framework).exact]
    assert sorted(exact) == sorted(EXACT[name].split())


def test_the_first_lines_say_whether_it_is_the_same() -> None:
    assert str(translate(cosine(0.1, 0, 100), "timm")).startswith("# the same rates for 100 updates\nimport torch\n")
    near = translate(rex(0.1, 0, 100), "torch")
    assert not near.exact
    assert near.name == "LinearLR"
    # z / (1/2 + z/2) is furthest from z at z = sqrt(2) - 1, by 3 - 2 sqrt(2).
    assert math.isclose(near.largest_difference, 0.1 * (3 - 2 * math.sqrt(2)), rel_tol=1e-4)
    assert near.at == 59
    head = "# NOT the same: largest difference 0.0172 (17 % of the peak) at step 59\n# Exact there: annealing.torch"
    assert str(near).startswith(head)


def test_what_a_framework_does_after_the_end_is_said() -> None:
    found = translate(cosine(1, 0, 100), "torch")
    assert found.exact
    assert "After update 100" in " ".join(found.notes)
    assert translate(cosine(1, 0, 100), "timm").notes == ()


def test_a_notation_and_other_names_of_frameworks_are_taken() -> None:
    found = translate("cosine(0.1, 0, 100)", "PyTorch")
    assert found.framework == "torch"
    assert found.arguments == {"lr": 0.1, "T_max": 100, "eta_min": 0.0}


@pytest.mark.parametrize(
    ("schedule", "to", "message"),
    [
        (cosine(1, 0, 100), "keras3", "unknown framework 'keras3': did you mean keras?"),
        (cosine(1, 0, 100), "cntk", "known are torch, optax"),
        (linear(0, 1, "5%") >> cosine(1, 0, "95%"), "torch", "use plan.resolve"),
    ],
)
def test_what_cannot_be_translated_is_refused(schedule: Any, to: str, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        translate(schedule, to)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_arguments_read_back_give_what_the_translation_follows(name: str, framework: str) -> None:
    found = translate(SCHEDULES[name], framework)
    assert from_framework(framework, found.name, **found.arguments) == found.follows


def test_a_long_schedule_is_compared_within_a_second() -> None:
    found = translate(parse("linear(0, 1, 10_000) >> cosine(1, 0.1, 9_990_000)"), "transformers")
    assert found.exact
    assert found.updates == 10_000_000


def test_what_is_read_prints_as_the_recipe_that_a_person_would_write():
    read = from_framework
    keras = read("keras", "CosineDecay", initial_learning_rate=0.1, decay_steps=1000, alpha=0.1)
    assert str(keras) == "cosine(0.1, 0.01, 1000)"
    assert str(read("timm", "CosineLRScheduler", lr=0.1, t_initial=90, lr_min=1e-5)) == "cosine(0.1, 1e-05, 90)"
    power = read("keras", "PolynomialDecay", initial_learning_rate=0.1, decay_steps=10, end_learning_rate=0, power=2)
    assert str(power) == "polynomial(0.1, 0, 10, 2)"
