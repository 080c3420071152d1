"""Every argument of every recipe with bad values: the message begins with its name and echoes the value."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
from catalogue import example

import annealing as an
from annealing import ScheduleError, recipes

NO_NUMBER: list[Any] = [math.nan, math.inf, -math.inf, "x", True, [1]]
VALUE = [*NO_NUMBER, None]
ABOVE_0 = [*VALUE, 0, -1]
TIME_OR_NONE = [*NO_NUMBER, 0, -1, 2**60]  # a length, for which None has a meaning
TIME = [*TIME_OR_NONE, None]
TIME_OR_0 = [bad for bad in TIME if bad != 0]
SHARE = [*VALUE, -1, 1.5]
RATE = [*VALUE, -1, 2]
COUNT = [*NO_NUMBER, 0, -1, 1.5]
CURVE = ["x", None, 1, ["linear"], an.shapes.exponential(0.5)]
WAVE = [*CURVE, an.shapes.linear, "geometric"]
SCHEDULE = ["x", None, 0.1, an.shapes.linear]
DOWN = an.linear(1, 0.5, 10)

RANGE = {"eta_max": (0.1, VALUE), "eta_min": (0.01, [*VALUE, 0.2])}
DECAY = RANGE | {"T_max": (10, TIME_OR_0)}
WARM = {"T_warmup": (5, TIME_OR_0), "start": (0.01, [*VALUE, 0.2])}
COOL = {"T_cooldown": (5, TIME_OR_0), "curve": ("geometric", CURVE)}
BETWEEN = {"start": (0.1, ABOVE_0), "end": (0.01, ABOVE_0), "length": (10, TIME_OR_0)}
FACTORS = {"eta_max_factor": (0.5, RATE), "eta_min_factor": (0.5, RATE), "runs": (None, COUNT)}
CYCLE = RANGE | {"T_0": (10, TIME), "T_mult": (2, [*TIME, 0.5])} | FACTORS
TRIANGLE = RANGE | {"step_size_up": (5, TIME_OR_0), "step_size_down": (4, [*NO_NUMBER, -1, 2**60])}
WAVES = {"T_max": (10, TIME), "pct_start": (0.3, SHARE), "curve": ("linear", WAVE), "three_phase": (False, [1, "x"])}
HYPERBOLA = {"T_max": (10, TIME), "T_upper": (20, [*TIME, 9])}

ARGUMENTS: dict[str, dict[str, tuple[Any, list[Any]]]] = {
    "linear": {"start": (0, VALUE), "end": (0.1, VALUE), "length": (10, TIME_OR_0)},
    "cosine": DECAY,
    "warm_restarts": CYCLE,
    "runs": {"listed": ([(10, 0.1, 0)], ["x", None, [], 1])},
    "step": {"eta_max": (0.1, VALUE), "step_size": (10, TIME), "gamma": (0.1, RATE)},
    "multistep": {
        "eta_max": (0.1, VALUE),
        "milestones": ([5, 9], ["x", None, [9, 5], [-1]]),
        "gamma": (0.1, RATE),
    },
    "constant": {"eta": (0.1, VALUE), "length": (None, [*NO_NUMBER, -1, 2**60])},
    "polynomial": DECAY | {"power": (2, [*ABOVE_0, 101]), "k": (2, [*ABOVE_0, 101])},
    "cosine_power": DECAY | {"exponent": (2, ABOVE_0)},
    "k_decay": DECAY | {"k": (2, ABOVE_0)},
    "half_cosine": DECAY,
    "cosine_linear": DECAY | {"T_linear": (5, [*TIME_OR_0, 10])},
    "cosine_constant": DECAY | {"T_constant": (5, TIME_OR_0)},
    "geometric": BETWEEN,
    "harmonic": BETWEEN,
    "rex": DECAY | {"beta": (0.5, ABOVE_0)},
    "tanh_decay": DECAY | {"lower": (-6, [*VALUE, 3, 101, -101]), "upper": (3, [*VALUE, 101])},
    "exponential": {"eta_max": (0.1, VALUE), "gamma": (0.5, [*ABOVE_0, 1]), "timescale": (10, TIME)},
    "natural_exponential": {"eta_max": (0.1, VALUE), "k": (0.1, [*ABOVE_0, 1e-20])},
    "inverse_time": {"eta_max": (0.1, VALUE), "k": (0.1, [*ABOVE_0, 1e-20])},
    "flat_anneal": DECAY | {"pct_start": (0.7, SHARE)},
    "hyperbolic": RANGE | HYPERBOLA,
    "exp_hyperbolic": {"eta_max": (0.1, ABOVE_0), "eta_min": (0.01, [*ABOVE_0, 0.2, 1e-320])} | HYPERBOLA,
    "cooldown": BETWEEN | {"curve": ("geometric", CURVE)},
    "half_life": {"start": (0.1, VALUE), "T_half": (5, TIME), "length": (20, [*TIME_OR_0, 4501])},
    "inverse_sqrt": {"eta_max": (0.1, VALUE), "T_warmup": (5, TIME_OR_0), "timescale": (9, TIME_OR_NONE)},
    "noam": {"d_model": (512, ABOVE_0), "T_warmup": (5, TIME), "factor": (1, VALUE)},
    "rsqrt": {
        "eta_max": (0.1, VALUE),
        "timescale": (10, TIME),
        "T_warmup": (5, TIME_OR_0),
        "shift": (2, TIME_OR_0),
    },
    "power_law": {"eta_max": (0.1, VALUE), "exponent": (0.5, ABOVE_0), "T_warmup": (5, TIME)},
    "power_scheduler": {
        **dict.fromkeys(("eta_max", "batch", "a"), (0.1, ABOVE_0)),
        "b": (-0.5, [*VALUE, 0, 1, -101]),
        "T_warmup": (5, TIME_OR_0),
        "T_max": (20, [*TIME, 9]),
        "eta_min": (0.001, [*ABOVE_0, 0.2]),
    }
    | COOL,
    "wsd": RANGE | {"T_stable": (5, TIME_OR_0), "T_half": (None, TIME_OR_NONE)} | WARM | COOL,
    "wsd_s": RANGE | {"periods": ([20, 30], ["x", None, []])} | WARM | COOL,
    "infinite": {"eta_max": (0.1, VALUE), "eta_const": (0.01, [*ABOVE_0, 0.2])} | WARM | COOL,
    "tri_stage": {
        "eta_max": (0.1, VALUE),
        "T_warmup": (5, TIME_OR_0),
        "T_stable": (5, TIME_OR_0),
        "T_decay": (5, TIME_OR_0),
        "init_scale": (0.1, [*VALUE, -1]),
        "final_scale": (0.1, [*ABOVE_0, 2, 1e-301]),
    },
    "knee": {"eta_max": (0.1, VALUE), "T_explore": (5, TIME_OR_0), "T_max": (20, [*TIME_OR_0, 9])} | WARM,
    "one_cycle": {"eta_max": (0.1, VALUE), "div_factor": (25, ABOVE_0), "final_div_factor": (100, ABOVE_0)} | WAVES,
    "one_cycle_momentum": {"momentum_min": (0.8, [*VALUE, 1]), "momentum_max": (0.9, VALUE)} | WAVES,
    "triangular": TRIANGLE,
    "triangular2": TRIANGLE,
    "exp_range": TRIANGLE | {"gamma": (0.9, [*ABOVE_0, 1])},
    "slanted_triangular": {
        "eta_max": (0.1, VALUE),
        "T_max": (10, TIME),
        "cut_frac": (0.1, SHARE),
        "ratio": (32, [*ABOVE_0, 0.9]),
    },
    "chebyshev": {
        "eta_max": (0.1, ABOVE_0),
        "eta_min": (0.01, [*ABOVE_0, 0.2]),
        "steps": (4, [*COUNT, None, 3, 8192]),
        "length": (2, TIME),
    },
    "jagged_restarts": {
        "schedule": (DOWN, SCHEDULE),
        "every": (5, TIME),
        "T_ramp": (2, [*TIME_OR_0, 5]),
        "start": (0.1, RATE),
    },
    "warmup_restarts": CYCLE | {"T_warmup": (2, [*TIME_OR_0, 10])},
    "ramp": BETWEEN | {"curve": ("geometric", CURVE)},
    "warmup": {
        "schedule": (DOWN, SCHEDULE),
        "length": (5, [*TIME_OR_0, 10]),
        "place": ("over", ["x", None, 1, ["over"]]),
        "curve": ("geometric", CURVE),
        "start": (0.1, ABOVE_0),
    },
    "exponential_warmup": {"timescale": (10, TIME)},
    "untuned_warmup": {"beta2": (0.9, [*VALUE, -1, 1]), "curve": ("linear", WAVE)},
    "branch_cooldown": {
        "schedule": (DOWN, SCHEDULE),
        "at": (5, [*TIME_OR_0, 11]),
        "length": (5, TIME_OR_0),
        "curve": ("geometric", CURVE),
        "end": (0.1, ABOVE_0),
    },
    "change_horizon": {
        "schedule": (DOWN, [*SCHEDULE, an.constant(1)]),
        "at": (5, [*TIME, 11]),
        "T_new": (30, TIME),
        "policy": ("rewarm", ["x", None, 1, ["hold"]]),
        "length": (5, [*TIME, 25]),
        "curve": ("geometric", [bad for bad in CURVE if bad is not None]),
        "eta_max": (1, [*VALUE, 0.1]),
    },
}
BY_KIND = {"Time": TIME_OR_0, "float": VALUE, "Floor": VALUE}  # of a recipe that has no row: what its example gives
for name in set(recipes.named) - set(ARGUMENTS):
    kinds = inspect.get_annotations(inspect.unwrap(recipes.named[name]))
    ARGUMENTS[name] = {argument: (good, BY_KIND.get(kinds[argument], [])) for argument, good in example(name).items()}
CASES = [
    pytest.param(name, argument, bad, id=f"{name}-{argument}-{bad!r}")
    for name, arguments in ARGUMENTS.items()
    for argument, (_, values) in arguments.items()
    for bad in values
]


def test_no_argument_is_forgotten() -> None:
    wanted = {name: set(inspect.signature(recipe).parameters) for name, recipe in recipes.named.items()}
    assert {name: set(arguments) for name, arguments in ARGUMENTS.items()} == wanted


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_good_values_are_good(name: str) -> None:
    recipes.named[name](**{argument: good for argument, (good, _) in ARGUMENTS[name].items()})


@pytest.mark.parametrize(("name", "argument", "bad"), CASES)
def test_a_bad_value_is_named(name: str, argument: str, bad: Any) -> None:
    given = {other: good for other, (good, _) in ARGUMENTS[name].items()}
    with pytest.raises(ScheduleError) as caught:
        recipes.named[name](**(given | {argument: bad}))
    message, _, call = str(caught.value).partition("; in ")
    assert message.startswith(f"{argument} "), message
    assert f"got {bad!r}" in message or bad is None, message
    assert f"; in {name}(" in f"; in {call}", call


@pytest.mark.parametrize("bad", [*NO_NUMBER, -1])
def test_a_bad_value_in_a_list_is_named(bad: Any) -> None:
    for call in (
        lambda: an.runs([(10, 0.1, 0), bad]),
        lambda: an.runs([(10, 0.1, 0), (bad, 0.1, 0)]),
        lambda: an.multistep(0.1, [bad]),
        lambda: an.wsd_s(0.1, T_warmup=1, periods=[10, bad], T_cooldown=5),
    ):
        with pytest.raises(ScheduleError, match=r"^(T_1 of )?(listed|milestones|periods) must .*, got .*; in "):
            call()
