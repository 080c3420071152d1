"""Curves that have a name in every framework, and the arguments that give them: the right ones, and common mistakes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import frameworks_run
import numpy as np

from annealing import cosine, inverse_sqrt, linear, multistep, one_cycle, polynomial, step, warm_restarts, wsd
from annealing.translation import FRAMEWORKS

WARM = linear(0, 1, 10) >> cosine(1, 0.1, 90)
CURVES: dict[str, Any] = {
    "warm-up over 10, cosine to 0.1 at 100": (WARM, 100),
    "warm restarts, T_0 = 10, T_mult = 2, floor 0.1": (warm_restarts(1, 0.1, T_0=10, T_mult=2), 310),
    "four equal cycles of 25": (warm_restarts(1, 0, T_0=25), 100),
    "cycles of 10, 15, 22.5, ...": (warm_restarts(1, 0, T_0=10, T_mult=1.5), 100),
    "cycles whose peaks are halved, floor 0.1": (warm_restarts(1, 0.1, T_0=10, T_mult=2, eta_max_factor=0.5), 70),
    "one cycle, 100 steps, peak at 29": (one_cycle(1, 99, pct_start=29 / 99), 100),
    "one cycle of lines in three phases": (
        one_cycle(1, 99, pct_start=29 / 99, curve="linear", three_phase=True),
        100,
    ),
    "drops to a tenth at 30 and 60": (multistep(1, [30, 60]), 100),
    "half every 30 steps": (step(1, 30, 0.5), 100),
    "polynomial of power 2 to 0.1 at 100": (polynomial(1, 0.1, 100, power=2), 100),
    "inverse square root, warm-up over 10": (inverse_sqrt(1, T_warmup=10), 400),
    "warm-up 10, stable 70, 1-sqrt cooldown 20": (wsd(1, T_warmup=10, T_stable=70, T_cooldown=20, curve="1-sqrt"), 100),
}


class Row(NamedTuple):
    """Arguments of a framework for a curve, and the largest difference that they make."""

    curve: int  # by its place among CURVES
    framework: str
    name: str
    arguments: dict[str, Any]
    difference: float
    remark: str = ""

    @property
    def title(self) -> str:
        return list(CURVES)[self.curve]

    def measured(self) -> float:
        """The largest difference of the rates that the installed framework uses."""
        schedule, updates = CURVES[self.title]
        code = FRAMEWORKS[self.framework].write(self.name, self.arguments)
        run = SimpleNamespace(framework=self.framework, code=code, arguments=self.arguments)
        return float(np.abs(np.array(frameworks_run.rates(run, updates)) - schedule(np.arange(updates))).max())


HF = {"learning_rate": 1.0, "num_warmup_steps": 10, "num_training_steps": 100}
COSINE = {"name": "CosineAnnealingLR", "T_max": 90, "eta_min": 0.1}
DEEPSPEED = {
    "lr": 1.0,
    "total_num_steps": 100,
    "warmup_num_steps": 10,
    "warmup_min_ratio": 0.0,
    "warmup_type": "linear",
}
CYCLES = [
    {"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "decay_steps": 10 * 2**i, "end_value": 0.1}
    for i in range(5)
]


def window(kind: str, begin: int, end: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more, "begin": begin, "end": end, "by_epoch": False}


def windows(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"lr": 1.0, "param_scheduler": list(rows)}


def optax_cosine(decay_steps: int) -> dict[str, Any]:
    return {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 10, "decay_steps": decay_steps, "end_value": 0.1}


def keras_cosine(decay_steps: int) -> dict[str, Any]:
    return {
        "initial_learning_rate": 0.0,
        "decay_steps": decay_steps,
        "alpha": 0.1,
        "warmup_target": 1.0,
        "warmup_steps": 10,
    }


def timm_cosine(**more: Any) -> dict[str, Any]:
    return {"lr": 1.0, "lr_min": 0.1, "warmup_t": 10, "warmup_lr_init": 0.0, **more}


def one_cycle_of_optax(steps: int, share: float) -> dict[str, Any]:
    return {"transition_steps": steps, "peak_value": 1.0, "pct_start": share}


FACTOR = {"end_factor": 1.0, "start_factor": 1e-10}
ROWS = [
    Row(0, "transformers", "cosine_with_min_lr", {**HF, "min_lr_rate": 0.1}, 0),
    Row(0, "optax", "warmup_cosine_decay_schedule", optax_cosine(100), 0, "decay_steps counts the warm-up"),
    Row(0, "optax", "warmup_cosine_decay_schedule", optax_cosine(90), 0.0961, "mistake: decay_steps without it"),
    Row(0, "keras", "CosineDecay", keras_cosine(90), 0, "decay_steps without the warm-up"),
    Row(0, "keras", "CosineDecay", keras_cosine(100), 0.0860, "mistake: decay_steps with it"),
    Row(0, "timm", "CosineLRScheduler", timm_cosine(t_initial=90, warmup_prefix=True), 0),
    Row(0, "timm", "CosineLRScheduler", timm_cosine(t_initial=100), 0.0860, "the default, warmup_prefix=False"),
    Row(
        0,
        "torch",
        "SequentialLR",
        {"lr": 1.0, "schedulers": [{"name": "LinearLR", **FACTOR, "total_iters": 10}, COSINE], "milestones": [10]},
        1e-10,
        "LinearLR refuses a factor of 0",
    ),
    Row(
        0,
        "mmengine",
        "param_scheduler",
        windows(window("LinearLR", 0, 11, **FACTOR), window("CosineAnnealingLR", 10, 101, T_max=90, eta_min=0.1)),
        1e-10,
        "the line ends a step before its end",
    ),
    Row(
        0,
        "mmengine",
        "param_scheduler",
        windows(window("LinearLR", 0, 10, **FACTOR), window("CosineAnnealingLR", 10, 101, T_max=90, eta_min=0.1)),
        0.1,
        "mistake: end=10",
    ),
    Row(
        0,
        "megatron",
        "arguments",
        {"lr": 1.0, "min_lr": 0.1, "lr_warmup_iters": 10, "lr_decay_iters": 100, "lr_decay_style": "cosine"},
        0,
        "lr_decay_iters counts the warm-up",
    ),
    Row(
        0,
        "composer",
        "CosineAnnealingWithWarmupScheduler",
        {"lr": 1.0, "t_warmup": "10ba", "t_max": "100ba", "alpha_f": 0.1},
        0,
        "on its own clock; the Trainer is one update late",
    ),
    Row(
        0,
        "fvcore",
        "CompositeParamScheduler",
        {
            "schedulers": [
                {"name": "LinearParamScheduler", "start_value": 0.0, "end_value": 1.0},
                {"name": "CosineParamScheduler", "start_value": 1.0, "end_value": 0.1},
            ],
            "lengths": [0.1, 0.9],
            "interval_scaling": ["rescaled", "rescaled"],
            "num_updates": 100,
        },
        0,
    ),
    Row(
        0,
        "torchtitan",
        "lr_scheduler",
        {"lr": 1.0, "total_steps": 100, "warmup_steps": 10, "decay_type": "cosine", "min_lr_factor": 0.1},
        0.1,
        "(t + 1) / W: the peak at 9 and again at 10",
    ),
    Row(
        0,
        "transformers",
        "cosine_warmup_with_min_lr",
        {**HF, "min_lr_rate": 0.1},
        0.1,
        "(t + 1) / W, and t + 1 in the cosine",
    ),
    Row(
        0,
        "transformers",
        "warmup_stable_decay",
        {
            "learning_rate": 1.0,
            "num_warmup_steps": 10,
            "num_stable_steps": 0,
            "num_decay_steps": 90,
            "min_lr_ratio": 0.1,
        },
        0.1,
        "its warm-up starts at the floor",
    ),
    Row(
        0,
        "deepspeed",
        "WarmupCosineLR",
        {**DEEPSPEED, "cos_min_ratio": 0.1},
        0.1,
        "one update late, and the peak is skipped",
    ),
    Row(1, "torch", "CosineAnnealingWarmRestarts", {"lr": 1.0, "T_0": 10, "T_mult": 2, "eta_min": 0.1}, 0),
    Row(
        1,
        "timm",
        "CosineLRScheduler",
        {"lr": 1.0, "t_initial": 10, "lr_min": 0.1, "cycle_mul": 2.0, "cycle_limit": 10},
        0,
        "cycle_limit is 1 by default",
    ),
    Row(1, "optax", "sgdr_schedule", {"cosine_kwargs": CYCLES}, 0),
    Row(
        1,
        "keras",
        "CosineDecayRestarts",
        {"initial_learning_rate": 1.0, "first_decay_steps": 10, "t_mul": 2.0, "m_mul": 1.0, "alpha": 0.1},
        0,
        "t_mul is 2 by default",
    ),
    Row(
        1,
        "mmengine",
        "param_scheduler",
        windows(
            {
                "type": "CosineRestartLR",
                "periods": [10, 20, 40, 80, 160],
                "restart_weights": [1, 1, 1, 1, 1],
                "eta_min": 0.1,
                "by_epoch": False,
            }
        ),
        0,
    ),
    Row(
        1,
        "composer",
        "CosineAnnealingWarmRestartsScheduler",
        {"lr": 1.0, "t_0": "10ba", "t_mult": 2.0, "alpha_f": 0.1},
        0,
    ),
    Row(2, "torch", "CosineAnnealingWarmRestarts", {"lr": 1.0, "T_0": 25}, 0),
    Row(
        2,
        "transformers",
        "cosine_with_restarts",
        {**HF, "num_warmup_steps": 0, "num_cycles": 4},
        0,
        "num_cycles counts restarts",
    ),
    Row(
        2,
        "transformers",
        "cosine",
        {**HF, "num_warmup_steps": 0, "num_cycles": 4},
        0.980,
        "mistake: here num_cycles counts whole waves",
    ),
    Row(3, "timm", "CosineLRScheduler", {"lr": 1.0, "t_initial": 10, "cycle_mul": 1.5, "cycle_limit": 9}, 0),
    Row(3, "keras", "CosineDecayRestarts", {"initial_learning_rate": 1.0, "first_decay_steps": 10, "t_mul": 1.5}, 0),
    Row(
        4,
        "timm",
        "CosineLRScheduler",
        {"lr": 1.0, "t_initial": 10, "lr_min": 0.1, "cycle_mul": 2.0, "cycle_decay": 0.5, "cycle_limit": 3},
        0,
        "peaks 1, 0.5, 0.25",
    ),
    Row(
        4,
        "keras",
        "CosineDecayRestarts",
        {"initial_learning_rate": 1.0, "first_decay_steps": 10, "t_mul": 2.0, "m_mul": 0.5, "alpha": 0.1},
        0.075,
        "m_mul scales the way from floor to peak: 1, 0.55, 0.325",
    ),
    Row(
        5,
        "torch",
        "OneCycleLR",
        {"max_lr": 1.0, "total_steps": 100, "pct_start": 0.3},
        0,
        "it counts the first step too",
    ),
    Row(5, "optax", "cosine_onecycle_schedule", one_cycle_of_optax(99, 0.3), 0, "transition_steps is one less"),
    Row(5, "optax", "cosine_onecycle_schedule", one_cycle_of_optax(100, 0.3), 0.0296, "mistake: 100"),
    Row(
        6,
        "torch",
        "OneCycleLR",
        {"max_lr": 1.0, "total_steps": 100, "pct_start": 0.3, "anneal_strategy": "linear", "three_phase": True},
        0,
    ),
    Row(
        6,
        "optax",
        "linear_onecycle_schedule",
        {**one_cycle_of_optax(99, 0.3), "pct_final": 0.59},
        0,
        "pct_final is 0.59",
    ),
    Row(
        6,
        "optax",
        "linear_onecycle_schedule",
        {**one_cycle_of_optax(99, 0.3), "pct_final": 0.6},
        0.032,
        "mistake: 0.6",
    ),
    Row(7, "torch", "MultiStepLR", {"lr": 1.0, "milestones": [30, 60]}, 0),
    Row(7, "optax", "piecewise_constant_schedule", {"init_value": 1.0, "boundaries_and_scales": {30: 0.1, 60: 0.1}}, 0),
    Row(
        7, "mmengine", "param_scheduler", windows({"type": "MultiStepLR", "milestones": [30, 60], "by_epoch": False}), 0
    ),
    Row(
        7,
        "fvcore",
        "MultiStepParamScheduler",
        {"values": [1.0, 0.1, 0.01], "num_updates": 100, "milestones": [30, 60]},
        0,
    ),
    Row(7, "timm", "MultiStepLRScheduler", {"lr": 1.0, "decay_t": [31, 61], "decay_rate": 0.1}, 0, "one more"),
    Row(7, "timm", "MultiStepLRScheduler", {"lr": 1.0, "decay_t": [30, 60], "decay_rate": 0.1}, 0.9, "mistake: 30, 60"),
    Row(7, "keras", "PiecewiseConstantDecay", {"boundaries": [29, 59], "values": [1.0, 0.1, 0.01]}, 0, "one less"),
    Row(
        7,
        "keras",
        "PiecewiseConstantDecay",
        {"boundaries": [30, 60], "values": [1.0, 0.1, 0.01]},
        0.9,
        "mistake: 30, 60",
    ),
    Row(8, "torch", "StepLR", {"lr": 1.0, "step_size": 30, "gamma": 0.5}, 0),
    Row(
        8,
        "optax",
        "exponential_decay",
        {"init_value": 1.0, "transition_steps": 30, "decay_rate": 0.5, "staircase": True},
        0,
    ),
    Row(
        8,
        "keras",
        "ExponentialDecay",
        {"initial_learning_rate": 1.0, "decay_steps": 30, "decay_rate": 0.5, "staircase": True},
        0,
    ),
    Row(
        8,
        "optax",
        "exponential_decay",
        {"init_value": 1.0, "transition_steps": 30, "decay_rate": 0.5, "transition_begin": 30, "staircase": True},
        0.5,
        "mistake: transition_begin=30 drops first at 60",
    ),
    Row(
        9,
        "optax",
        "polynomial_schedule",
        {"init_value": 1.0, "end_value": 0.1, "power": 2.0, "transition_steps": 100},
        0,
    ),
    Row(9, "timm", "PolyLRScheduler", {"lr": 1.0, "t_initial": 100, "power": 2.0, "lr_min": 0.1}, 0),
    Row(9, "transformers", "polynomial", {**HF, "num_warmup_steps": 0, "lr_end": 0.1, "power": 2.0}, 0),
    Row(
        9,
        "keras",
        "PolynomialDecay",
        {"initial_learning_rate": 1.0, "decay_steps": 100, "end_learning_rate": 0.1, "power": 2.0},
        0,
    ),
    Row(
        9,
        "mmengine",
        "param_scheduler",
        windows(window("PolyLR", 0, 101, power=2.0, eta_min=0.1)),
        0,
        "end is one more",
    ),
    Row(
        9,
        "mmengine",
        "param_scheduler",
        windows(window("PolyLR", 0, 100, power=2.0, eta_min=0.1)),
        0.00452,
        "mistake: end=100",
    ),
    Row(9, "torch", "PolynomialLR", {"lr": 1.0, "total_iters": 100, "power": 2.0}, 0.0999, "it has no floor"),
    Row(10, "transformers", "inverse_sqrt", {"learning_rate": 1.0, "num_warmup_steps": 10}, 0),
    Row(
        10,
        "megatron",
        "arguments",
        {"lr": 1.0, "lr_warmup_iters": 10, "lr_decay_iters": 400, "lr_decay_style": "inverse-square-root"},
        0,
    ),
    Row(
        11,
        "transformers",
        "warmup_stable_decay",
        {
            "learning_rate": 1.0,
            "num_warmup_steps": 10,
            "num_stable_steps": 70,
            "num_decay_steps": 20,
            "decay_type": "1-sqrt",
        },
        0,
    ),
    Row(
        11,
        "transformers",
        "warmup_stable_decay",
        {"learning_rate": 1.0, "num_warmup_steps": 10, "num_stable_steps": 70, "num_decay_steps": 20},
        0.354,
        "the default decay, a cosine",
    ),
    Row(
        11,
        "megatron",
        "arguments",
        {
            "lr": 1.0,
            "lr_warmup_iters": 10,
            "lr_decay_iters": 100,
            "lr_decay_style": "WSD",
            "lr_wsd_decay_iters": 20,
            "lr_wsd_decay_style": "minus_sqrt",
        },
        0,
    ),
    Row(
        11,
        "torchtitan",
        "lr_scheduler",
        {"lr": 1.0, "total_steps": 100, "warmup_steps": 10, "decay_ratio": 0.2, "decay_type": "sqrt"},
        0.1,
        "(t + 1) / W",
    ),
]
