"""One list of all schedules: every law and every oracle is run over it."""

from __future__ import annotations

import ast
import inspect
import re
from fractions import Fraction
from typing import Any

import annealing
from annealing import *
from annealing import shapes

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
    "constant": constant(0.1),
    "constant, cut": constant(0.1, 2.5),
    "polynomial": polynomial(0.1, 1e-4, 90, power=2),
    "polynomial, k": polynomial(0.1, 0, 90, power=0.9, k=1.5),
    "cosine power": cosine_power(0.1, 0, 90, exponent=1.5),
    "k-decay of a cosine": k_decay(0.1, 1e-5, 90, k=2),
    "half cosine, recipe": half_cosine(0.1, 1e-5, 90),
    "cosine, then a line": cosine_linear(0.1, 0.01, 90, T_linear=20),
    "cosine, then constant": cosine_constant(0.1, 0.01, 70, T_constant=20),
    "geometric, recipe": geometric(1e-4, 0.1, 90),
    "harmonic, recipe": harmonic(0.1, 0.001, 90),
    "rex": rex(0.1, 0, 90),
    "rex of axolotl": rex(0.1, 0.001, 90, beta=0.1),
    "hyperbolic": hyperbolic(0.1, 1e-4, 90, T_upper=200),
    "exponentially hyperbolic": exp_hyperbolic(0.1, 1e-4, 90, T_upper=200),
    "tanh decay": tanh_decay(0.1, 0, 90),
    "exponential": exponential(0.1, 0.97),
    "exponential, slow": exponential(0.1, 0.5, timescale=391),
    "natural exponential": natural_exponential(0.1, k=0.02),
    "inverse time": inverse_time(0.1, k=0.3),
    "inverse time in stairs": inverse_time(0.1, k=0.3).until(20).held(2),
    "flat, then annealed": flat_anneal(0.1, 0, 90, pct_start=0.72),
    "inverse square root": inverse_sqrt(0.1, T_warmup=10),
    "noam": noam(512, T_warmup=40),
    "rsqrt": rsqrt(0.1, timescale=30, T_warmup=10, shift=5),
    "power law": power_law(0.1, exponent=0.51, T_warmup=10),
    "wsd": wsd(0.1, T_warmup=5, T_stable=60, T_cooldown=25),
    "wsd, 1-sqrt": wsd(0.1, 0.001, T_warmup=5, T_stable=60, T_cooldown=25, curve="1-sqrt"),
    "wsd, geometric": wsd(0.1, 0.001, T_warmup=0, T_stable=60, T_cooldown=25, curve="geometric"),
    "wsd, harmonic": wsd(0.1, 0.001, T_warmup=5, T_stable=60, T_cooldown=25, curve="harmonic", start=0.01),
    "wsd, half-life": wsd(0.1, T_warmup=5, T_stable=60, T_cooldown=25, T_half=10),
    "power scheduler": power_scheduler(0.1, 1, T_warmup=10, T_max=200, T_cooldown=50, a=1, b=-0.6),
    "power scheduler, below its limit": power_scheduler(1, 4, T_warmup=9, T_max=90, T_cooldown=30, a=0.1, b=-0.5),
    "wsd-s": wsd_s(0.1, 0.001, T_warmup=5, periods=[30, 40.5], T_cooldown=10, curve="cosine"),
    "infinite": infinite(0.1, 0.03, T_warmup=5, T_cooldown=40),
    "tri-stage": tri_stage(0.1, T_warmup=5, T_stable=20, T_decay=40),
    "knee": knee(0.1, T_warmup=5, T_explore=20, T_max=60),
    "one cycle": one_cycle(0.1, 100),
    "one cycle, three lines": one_cycle(0.1, 99, pct_start=Fraction(1, 3), curve="linear", three_phase=True),
    "momentum of one cycle": one_cycle_momentum(0.85, 0.95, 100),
    "momentum of one cycle, three phases": one_cycle_momentum(0.85, 0.95, 100, three_phase=True),
    "triangular": triangular(0.001, 0.1, 4, 6),
    "triangular2": triangular2(0.001, 0.1, 5),
    "exp_range": exp_range(0.001, 0.1, 5, gamma=0.97),
    "slanted triangular": slanted_triangular(0.1, 100),
    "chebyshev": chebyshev(0.1, 0.01, steps=16),
    "jagged restarts": jagged_restarts(cosine(0.1, 0.01, 100), every=20, T_ramp=4),
    "warm-up in restarts": warmup_restarts(0.1, 0.001, T_0=10, T_warmup=2, T_mult=2, eta_max_factor=0.5),
    "warm-up in three restarts": warmup_restarts(0.1, 0.001, T_0=10, T_warmup=2, runs=3),
    "ramp, quadratic": ramp(0.1, 10, "quadratic"),
    "ramp, 1-square": ramp(0.1, 10, "1-square", start=0.01),
    "ramp, 1-sqrt": ramp(0.1, 10, "1-sqrt"),
    "ramp, log": ramp(0.1, 10, "log"),
    "ramp, geometric": ramp(0.1, 10, "geometric", start=1e-4),
    "warm-up before": warmup(cosine(0.1, 0, 90), 10, place="before"),
    "warm-up over": warmup(cosine(0.1, 0, 90), 10, place="over", curve="cosine"),
    "warm-up squeezed": warmup(cosine(0.1, 0, 90), 10, place="squeezed"),
    "warm-up times": warmup(warm_restarts(0.1, T_0=10), 15, place="times", start=0.1),
    "exponential warm-up": exponential_warmup(20),
    "untuned warm-up": untuned_warmup(0.95),
    "untuned warm-up, exponential": untuned_warmup(0.9, "exponential") * cosine(0.1, 0, 90),
    "cooldown, 1-sqrt": cooldown(0.1, 0.001, 20, "1-sqrt"),
    "cooldown, geometric": cooldown(0.1, 0.001, 20, "geometric"),
    "cooldown, halving": cooldown(0.1, 0.01, 20, "halving"),
    "half-life": half_life(0.1, T_half=5, length=20),
    "branched cooldown": branch_cooldown(warm_restarts(eta_max=0.1, eta_min=0.01, T_0=10), 25, 10, "1-square"),
    "new horizon, restretched": change_horizon(linear(0, 0.1, 5) >> cosine(0.1, 0, 20), 15, 50, policy="restretch"),
    "new horizon, continuous": change_horizon(cosine(0.1, 0.01, 20), 15, 50, policy="continuous"),
    "new horizon, held": change_horizon(cosine(0.1, 0, 20), 15, 50, policy="hold", length=20),
    "new horizon, warmed up again": change_horizon(
        cosine(0.1, 0.001, 20), 20, 50, policy="rewarm", length=5, eta_max=0.05
    ),
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
    "power": Run(shapes.power(2), 0.1, 0, 90),
    "power of a half, rising": Run(shapes.power(0.5), 0, 0.1, 90),
    "power, high": Run(shapes.power(7.5), 0.1, 1e-6, 90),
    "power, backwards": Run(shapes.mirrored(shapes.power(0.5)), 0.1, 0, 20),
    "power, backwards and rising": Run(shapes.mirrored(shapes.power(3)), 0.001, 0.1, 20),
    "geometric": Run(shapes.geometric(0.01), 0.1, 0.001, 90),
    "geometric, gentle": Run(shapes.geometric(0.5), 0.1, 0, 90),
    "geometric, steep": Run(shapes.geometric(1e-6), 0.1, 0, 90),
    "geometric, rising": Run(shapes.geometric(1000), 1e-4, 0.1, 90),
    "geometric, rising from 0": Run(shapes.geometric(0.05), 0, 0.1, 90),
    "harmonic": Run(shapes.harmonic(2), 0.1, 0, 90),
    "harmonic, steep": Run(shapes.harmonic(0.001), 0.1, 1e-4, 90),
    "harmonic, rising": Run(shapes.harmonic(10), 0, 0.1, 90),
    "hyperbola": Run(shapes.hyperbolic(0.5), 0.1, 0, 90),
    "hyperbola, rising": Run(shapes.hyperbolic(0.9), 0, 0.1, 90),
    "logarithmic": Run(shapes.logarithmic(1000), 0, 0.1, 999),
    "logarithmic, falling": Run(shapes.logarithmic(50), 0.1, 0, 90),
    "tanh": Run(shapes.tanh(-6, 3), 0.1, 0, 90),
    "tanh, rising": Run(shapes.tanh(-3, 4), 0, 0.1, 90),
    "half cosine": Run(shapes.half_cosine, 0.1, 0, 90),
    "half cosine, rising": Run(shapes.half_cosine, 0, 0.1, 90),
    "mirrored half cosine": Run(shapes.mirrored(shapes.half_cosine), 0.1, 1e-5, 90),
    "mirror cosine": Run(shapes.mirror_cosine, 0.1, 0, 90),
    "cosine squared": Run(shapes.composed(shapes.power(2), shapes.cosine), 0.1, 0, 90),
    "k-decay": Run(shapes.composed(shapes.cosine, shapes.mirrored(shapes.power(1.5))), 0.1, 1e-5, 90),
    "k-decay of a power": Run(shapes.composed(shapes.power(2), shapes.mirrored(shapes.power(3))), 0.1, 0, 90),
    "tail, inverse square root": linear(0, 0.1, 100) >> Tail(shapes.inverse_power(0.5), 0.1, 0, 100),
    "tail, inverse": Tail(shapes.inverse_power(1), 0.1, 0.001, 2.5),
    "tail, rising": Tail(shapes.inverse_power(2), 0, 0.1, 30),
    "tail, exponential": Tail(shapes.exponential(0.95), 0.1, 0, 1),
    "tail, exponential to a floor": Tail(shapes.exponential(0.5), 0.1, 0.001, 7),
    "tail, exponential warm-up": Tail(shapes.exponential(0.9), 0, 0.1, 3) * cosine(1, 0, 200),
    "tails that mix": cosine(0.1, 0.05, 5) >> (Tail(shapes.exponential(0.9), 0.1, 0, 3) + linear(0, 0.1, 4)),
    "tail, cut and mirrored": Tail(shapes.inverse_power(0.5), 0.1, 0, 10).until(25).beyond("mirror"),
    "tail, cut and repeated": Repeat(Tail(shapes.exponential(0.8), 0.1, 0, 2).until(5), peak_factor=0.5),
    "tail, earlier": Tail(shapes.inverse_power(1.5), 0.1, 0, 10).shifted(-33),
    "held": (linear(0, 0.1, 5) >> cosine(0.1, 0.001, 25)).held(1),
    "held, uneven": cosine(0.1, 0, 10).held(3),
    "held, in steps": (linear(0, 0.1, 5) >> cosine(0.1, 0, 15)).held(1).stretched(Fraction(50_000, 128)),
    "held restarts": warm_restarts(eta_max=0.05, eta_min=0.001, T_0=2.5).held(1),
    "held restarts, later": warm_restarts(eta_max=0.05, eta_min=0.001, T_0=2.5).shifted(1.7).held(1),
    "held restarts, falling": warm_restarts(eta_max=0.05, eta_min=0.01, T_0=6, eta_max_factor=0.5).held(2),
    "held sum": (warm_restarts(eta_max=0.05, T_0=3) + linear(0.1, 0, 7)).held(1),
    "cut before it begins, then later": cosine(1, 0, 10).shifted(-3).shifted(5),
    "constant runs in runs": Repeat(Repeat(cosine(0.1, 0.01, 3), times=2) >> linear(0.01, 0.05, 4), growth=2),
}


def example(name: str) -> dict[str, Any]:
    """The arguments of the first call of a recipe in its own documentation."""
    lines = re.findall(r"^ *>>> (.*)", annealing.recipes.named[name].__doc__ or "", re.MULTILINE)
    calls = (node for line in lines for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Call))
    call = next(call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name)
    args = [ast.literal_eval(arg) for arg in call.args]
    words = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    return inspect.signature(annealing.recipes.named[name]).bind(*args, **words).arguments


# A recipe that has no row yet is in the list as its own documentation calls it.
written = re.findall(r"\w+(?=\()", " ".join(map(str, recipes.values())))
for name in set(annealing.recipes.named) - set(written):
    recipes[name] = annealing.recipes.named[name](**example(name))

every: dict[str, Schedule] = recipes | trees

__all__ = ["every", "example", "recipes", "trees"]
