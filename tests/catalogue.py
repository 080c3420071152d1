"""One list of all schedules: every law and every oracle is run over it."""

from __future__ import annotations

from fractions import Fraction

from annealing import (
    Beyond,
    Join,
    Product,
    Repeat,
    Run,
    Schedule,
    Shifted,
    Stretched,
    Sum,
    cosine,
    linear,
    maximum,
    minimum,
    multistep,
    runs,
    shapes,
    step,
    warm_restarts,
)

recipes: dict[str, Schedule] = {
    "linear up": linear(0, 0.1, 5),
    "linear down": linear(0.1, 0.001, 90),
    "cosine": cosine(0.1, 0, 200),
    "cosine with a floor": cosine(0.05, 1e-5, 1e6),
    "cosine of a tenth": cosine(eta_max=0.1, eta_min=0.0, T_max=0.1),
    "restarts, equal": warm_restarts(eta_max=0.05, T_0=10),
    "restarts, doubling": warm_restarts(eta_max=0.05, eta_min=1e-6, T_0=1, T_mult=2),
    "restarts, T_mult 3": warm_restarts(eta_max=0.1, T_0=1, T_mult=3),
    "restarts, T_mult 10": warm_restarts(eta_max=0.1, T_0=10, T_mult=10),
    "restarts, T_mult 1.5": warm_restarts(eta_max=0.1, eta_min=0.01, T_0=10, T_mult=1.5),
    "restarts, T_mult 1.1": warm_restarts(eta_max=0.1, T_0=10, T_mult=1.1),
    "restarts of a tenth": warm_restarts(eta_max=0.1, eta_min=1e-4, T_0=0.1),
    "restarts of a third": warm_restarts(eta_max=0.1, T_0=Fraction(10, 3)),
    "restarts, growing from a tenth": warm_restarts(eta_max=0.1, T_0=0.1, T_mult=Fraction(4, 3)),
    "restarts, falling peak": warm_restarts(eta_max=1, eta_min=0.1, T_0=10, T_mult=2, eta_max_factor=0.5),
    "restarts, both factors": warm_restarts(eta_max=1, eta_min=0.1, T_0=7, eta_max_factor=0.9, eta_min_factor=0.7),
    "restarts, slow decay": warm_restarts(eta_max=1, eta_min=0.1, T_0=2, eta_max_factor=0.999, eta_min_factor=0.9985),
    "restarts, three": warm_restarts(eta_max=0.05, eta_min=0.001, T_0=10, T_mult=2, runs=3),
    "restarts, many": warm_restarts(eta_max=0.05, eta_min=0.001, T_0=10, runs=1000),
    "restarts, rising peak": warm_restarts(eta_max=0.05, T_0=10, eta_max_factor=1.5, runs=4),
    "runs": runs([(10, 0.1, 0.01), (30, 0.05, 0.001), (2.5, 0.02, 0)]),
    "step": step(0.1, 30),
    "step, slow": step(0.1, 2.5, gamma=0.999),
    "multistep": multistep(0.1, [60, 120, 160], gamma=0.2),
    "no milestone": multistep(0.1, []),
}

trees: dict[str, Schedule] = {
    "run, flat with another end": Run(shapes.flat, 0.1, 0.01, 10),
    "run, rising cosine": Run(shapes.cosine, 1e-3, 0.1, 10),
    "warm-up, then restarts": linear(0, 0.05, 5) >> warm_restarts(eta_max=0.05, T_0=10, T_mult=2),
    "warm-up, then equal restarts": linear(0, 0.05, 5) >> warm_restarts(eta_max=0.05, T_0=10),
    "warm-up of a tenth, then equal restarts": linear(0, 0.05, 0.1) >> warm_restarts(eta_max=0.05, T_0=0.7),
    "warm-up in every cycle": Repeat(linear(0.001, 0.05, 2) >> cosine(0.05, 0.001, 8), growth=2, peak_factor=0.5),
    "warm-up in every equal cycle": Repeat(linear(0.001, 0.05, 2) >> cosine(0.05, 0.001, 8.5), peak_factor=0.9),
    "triangles": Repeat(linear(0.001, 0.1, 4) >> linear(0.1, 0.001, 6), peak_factor=0.5),
    "mirrored cosine": cosine(2, 0, 10).beyond("mirror"),
    "mirrored steps": (Run(shapes.flat, 0.1, 0.1, 3) >> Run(shapes.flat, 0.01, 0.02, 4)).beyond("mirror"),
    "repeated ramp": linear(0, 0.1, 7).beyond("repeat"),
    "strict": cosine(0.1, 0, 10).beyond("raise"),
    "scaled": 0.1 * warm_restarts(eta_max=1, T_0=10, T_mult=2, eta_max_factor=0.5),
    "sum": linear(0.1, 0.05, 20) + cosine(0.1, 0, 30) + 0.001,
    "product of a warm-up and restarts": linear(0.1, 1, 15) * warm_restarts(eta_max=0.1, eta_min=0.01, T_0=10),
    "sum, then a product": (linear(0.1, 0.2, 3) + 0.05) >> (0.5 * cosine(0.4, 0.1, 7)),
    "product in the middle": linear(0, 0.1, 2) >> (cosine(1, 0.5, 4) * linear(0.1, 0.05, 6)) >> cosine(0.1, 0, 5),
    "repeated sum": Repeat(linear(0, 0.1, 4) + cosine(0.1, 0.05, 6), growth=1.5),
    "steps with a floor": maximum(step(0.1, 3, gamma=0.5), 0.01),
    "clipped, then annealed": warm_restarts(eta_max=0.1, T_0=4).clip(0.02, 0.08).until(13) >> cosine(0.02, 0, 7),
    "warm-up as a cap": minimum(linear(0, 0.1, 6), cosine(0.1, 0.001, 20)),
    "steps, then a line": step(0.1, 3, gamma=0.5).until(7.5) >> linear(0.025, 0, 4),
    "cut cosine, repeated": cosine(0.1, 0, 10).until(4).beyond("mirror"),
    "cut, then earlier": linear(0, 0.1, 2)
    >> (cosine(0.1, 0, 10).until(4) >> linear(0.1, 0.05, 6)).shifted(-5)
    >> Repeat(cosine(0.1, 0, 10).until(4) >> linear(0.2, 0.05, 3), peak_factor=0.5).shifted(-5),
    "later": warm_restarts(eta_max=0.05, T_0=10).shifted(3),
    "earlier": (linear(0, 0.05, 5) >> warm_restarts(eta_max=0.05, T_0=10, T_mult=2)).shifted(-17),
    "earlier, equal": warm_restarts(eta_max=0.05, T_0=10).shifted(-1003.5),
    "earlier, repeated": Repeat(linear(0, 0.1, 4).shifted(-1)),
    "earlier, then another": cosine(0.1, 0.01, 10).shifted(-3) >> linear(0.01, 0, 5),
    "epochs to steps": (linear(0, 0.1, 5) >> cosine(0.1, 0, 195)).stretched(391),
    "epochs of a fraction": warm_restarts(eta_max=0.1, T_0=10).stretched(Fraction(50_000, 128)),
    "a tenth of an epoch": warm_restarts(eta_max=0.1, T_0=0.1).stretched(50),
    "constant runs in runs": Repeat(Repeat(cosine(0.1, 0.01, 3), times=2) >> linear(0.01, 0.05, 4), growth=2),
}

every: dict[str, Schedule] = recipes | trees

__all__ = ["Beyond", "Join", "Product", "Shifted", "Stretched", "Sum", "every", "recipes", "trees"]
