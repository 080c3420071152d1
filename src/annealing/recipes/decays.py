"""Decays over a length, and decays that never end."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .. import shapes
from ..calls import REQUIRED
from ..errors import ScheduleError, finite
from ..exact import END_OF_TIME, Floor, Time, lasting, plain, positive
from ..schedule.base import Schedule
from ..schedule.nodes import Repeat, Run, Tail
from ..shapes import Shape
from .arguments import above_0, power_shape, ratio, share
from .registry import ordered, recipe

E_INVERSE = math.exp(-1)


@recipe
def constant(eta: float, length: Time | None = None) -> Schedule:
    """One value, for a length or (None) forever.

    >>> constant(0.1)(10**9), constant(0.1, 5).duration
    (0.1, 5)

    Source: the constant schedule of every framework.
    """
    value = finite(eta, "eta")
    return Repeat(Run(shapes.flat, value, value, 1)) if length is None else Run(shapes.flat, value, value, length)


@recipe
def polynomial(
    eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, power: float = REQUIRED, k: float = 1
) -> Schedule:
    """Polynomial decay: eta_min + (eta_max - eta_min) * (1 - u^k)^power, where u = t / T_max.

    eta_min <= eta_max. T_max: at least 0. power, k: above 0, at most 100. PyTorch's PolynomialLR has no floor.

    >>> polynomial(1, 0, 100, power=2)(50), polynomial(1, 0, 100, power=2, k=2)(50)
    (0.25, 0.5625)

    Source: torch.optim.lr_scheduler.PolynomialLR; k: Zhang and Li 2020, arXiv 2004.05909 (timm's k_decay).
    """
    eta_min = ordered(eta_max, eta_min)
    shape = shapes.composed(power_shape(power, "power"), shapes.mirrored(power_shape(k, "k")))
    return Run(shape, eta_max, eta_min, lasting(T_max, "T_max"))


@recipe
def cosine_power(eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, exponent: float = REQUIRED) -> Schedule:
    """Cosine annealing to a power: eta_min + (eta_max - eta_min) * ((1 + cos(pi u)) / 2)^exponent, u = t / T_max.

    eta_min <= eta_max. T_max: at least 0. exponent: above 0.

    >>> cosine_power(1, 0, 100, exponent=2)(50)
    0.25

    Source: optax.cosine_decay_schedule (exponent).
    """
    eta_min = ordered(eta_max, eta_min)
    return Run(shapes.composed(shapes.power(exponent), shapes.cosine), eta_max, eta_min, lasting(T_max, "T_max"))


@recipe
def k_decay(eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, k: float = REQUIRED) -> Schedule:
    """Cosine annealing with k-decay: eta_min + (eta_max - eta_min) / 2 * (1 + cos(pi u^k)), where u = t / T_max.

    eta_min <= eta_max. T_max: at least 0. k: above 0, at most 100.

    >>> round(k_decay(1, 0, 100, k=2)(50), 6), k_decay(1, 0, 100, k=1)(50)
    (0.853553, 0.5)

    Source: Zhang and Li 2020, arXiv 2004.05909; timm's CosineLRScheduler (k_decay).
    """
    eta_min = ordered(eta_max, eta_min)
    shape = shapes.composed(shapes.cosine, shapes.mirrored(power_shape(k, "k")))
    return Run(shape, eta_max, eta_min, lasting(T_max, "T_max"))


@recipe
def half_cosine(eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED) -> Schedule:
    """The second half of a cosine: eta_min + (eta_max - eta_min) * (1 + cos(pi (1 + u) / 2)), where u = t / T_max.

    eta_min <= eta_max. T_max: at least 0.

    >>> [round(half_cosine(1, 0, 90)(t), 6) for t in (0, 30, 90)]
    [1.0, 0.5, 0.0]

    Source: OLMo-core, HalfCosWithWarmup.
    """
    eta_min = ordered(eta_max, eta_min)
    return Run(shapes.half_cosine, eta_max, eta_min, lasting(T_max, "T_max"))


@recipe
def cosine_linear(eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, T_linear: Time = REQUIRED) -> Schedule:
    """Cosine annealing towards eta_min at T_max, but from T_max - T_linear on a line to 0 at T_max.

    eta_min <= eta_max. T_linear: at least 0 (no line), below T_max.

    >>> [round(cosine_linear(1, 0, 100, T_linear=50)(t), 6) for t in (0, 25, 50, 75, 100)]
    [1.0, 0.853553, 0.5, 0.25, 0.0]

    Source: OLMo-core, CosWithWarmupAndLinearDecay.
    """
    eta_min = ordered(eta_max, eta_min)
    T, cut = positive(T_max, "T_max"), lasting(T_linear, "T_linear")
    if cut >= T:
        raise ScheduleError(f"T_linear must be below T_max = {T_max!r}, got {T_linear!r}")
    curve = Run(shapes.cosine, eta_max, eta_min, T)
    if cut == 0:
        return curve
    return curve.until(T - cut) >> Run(shapes.linear, curve(T - cut), 0.0, cut)


@recipe
def cosine_constant(
    eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, T_constant: Time = REQUIRED
) -> Schedule:
    """Cosine annealing over T_max, then eta_min for T_constant more.

    eta_min <= eta_max. T_max, T_constant: at least 0.

    >>> schedule = cosine_constant(1, 0.1, T_max=80, T_constant=20)
    >>> schedule(40), schedule(80), schedule(99), schedule.duration
    (0.55, 0.1, 0.1, 100)

    Source: Gupta et al. 2023, arXiv 2308.04014; axolotl's cosine with a constant tail.
    """
    eta_min = ordered(eta_max, eta_min)
    cosine = Run(shapes.cosine, eta_max, eta_min, lasting(T_max, "T_max"))
    return cosine >> Run(shapes.flat, eta_min, eta_min, lasting(T_constant, "T_constant"))


@recipe
def geometric(start: Floor, end: Floor, length: Time) -> Schedule:
    """Exponential decay (or growth) between two values: start * (end / start)^(t / length).

    start, end: above 0. length: at least 0. Without an end: `exponential`.

    >>> [round(geometric(1, 0.01, 100)(t), 12) for t in (0, 50, 100)]
    [1.0, 0.1, 0.01]

    Source: the learning-rate range test (Smith 2017, arXiv 1506.01186, on a logarithmic axis).
    """
    return _between(shapes.geometric, start, end, length)


@recipe
def harmonic(start: Floor, end: Floor, length: Time) -> Schedule:
    """Inverse time decay between two values: 1 / eta is a line from 1 / start to 1 / end.

    start, end: above 0. length: at least 0. Without an end: `inverse_time`.

    >>> round(harmonic(1, 0.25, 90)(30), 12)
    0.5

    Source: levanter's "inv" decay, 1 / ((1 / m - 1) u + 1).
    """
    return _between(shapes.harmonic, start, end, length)


@recipe
def rex(eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, beta: float = 0.5) -> Schedule:
    """Reflected exponential decay: eta_min + (eta_max - eta_min) * z / (beta + (1 - beta) z), where z = 1 - t / T_max.

    eta_min <= eta_max. T_max: at least 0. beta: above 0; the paper's is 1/2, axolotl's 0.1.

    >>> [round(rex(1, 0, 100, beta)(50), 6) for beta in (0.5, 0.1)]
    [0.666667, 0.909091]

    Source: Chen, Wolfe and Kyrillidis 2021, arXiv 2107.04197.
    """
    eta_min = ordered(eta_max, eta_min)
    return Run(shapes.harmonic(1 / above_0(beta, "beta")), eta_max, eta_min, lasting(T_max, "T_max"))


@recipe
def tanh_decay(
    eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, lower: float = -6.0, upper: float = 3.0
) -> Schedule:
    """Hyperbolic-tangent decay: eta_min + (eta_max - eta_min) / 2 * (1 - tanh(lower + (upper - lower) * t / T_max)).

    eta_min <= eta_max. T_max: at least 0. lower < upper: it starts a little below eta_max and ends above eta_min.

    >>> [round(tanh_decay(1, 0, 90)(t), 6) for t in (0, 60, 90)]
    [0.999994, 0.5, 0.002473]

    Source: Hsueh, Li and Wu 2019, arXiv 1806.01593; timm's TanhLRScheduler.
    """
    eta_min = ordered(eta_max, eta_min)
    shape = shapes.tanh(lower, upper)
    # (1 - tanh x) / 2 = 1 / (1 + e^2x): the ends are rounded once.
    start, end = (eta_min + (eta_max - eta_min) / (1 + math.exp(2 * x)) for x in (lower, upper))
    return Run(shape, start, end, lasting(T_max, "T_max"))


@recipe
def hyperbolic(eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, T_upper: Time = REQUIRED) -> Schedule:
    """HyperbolicLR: eta_max + (eta_max - eta_min) * (h(t) - h(0)), where h(t) = sqrt((T - t) * (2 U - T - t)) / U.

    eta_min <= eta_max: where U = T it ends at eta_min, else above. T_max: T, above 0. T_upper: U, at least T_max, the
    same for all lengths that should start alike (upper_bound in its code).

    >>> [round(hyperbolic(1, 0, 100, T_upper=250)(t), 6) for t in (0, 50, 100)]
    [1.0, 0.72915, 0.2]

    Source: Kim 2024, arXiv 2407.15200.
    """
    eta_min = ordered(eta_max, eta_min)
    shape, height = _hyperbola(T_max, T_upper)
    return Run(shape, eta_max, eta_max - (eta_max - eta_min) * height, T_max)


@recipe
def exp_hyperbolic(eta_max: float, eta_min: Floor, T_max: Time, T_upper: Time) -> Schedule:
    """ExpHyperbolicLR: eta_max * (eta_max / eta_min)^(h(t) - h(0)), with the h of `hyperbolic`.

    eta_max, eta_min: above 0, eta_min <= eta_max. T_max, T_upper: as in `hyperbolic`.

    >>> [round(exp_hyperbolic(1, 0.01, 100, T_upper=250)(t), 6) for t in (0, 50, 100)]
    [1.0, 0.287277, 0.025119]

    Source: Kim 2024, arXiv 2407.15200.
    """
    last = ratio(eta_max=eta_max, eta_min=eta_min)
    eta_min = ordered(eta_max, eta_min)
    shape, height = _hyperbola(T_max, T_upper)
    last **= height
    return Run(shapes.composed(shapes.geometric(last), shape), eta_max, eta_max * last, T_max)


@recipe
def exponential(eta_max: float, gamma: float, timescale: Time = 1) -> Schedule:
    """Exponential decay without an end: eta_max * gamma^(t / timescale).

    gamma: above 0, below 1. timescale: above 0. Its staircase is `step(eta_max, step_size=timescale, gamma=gamma)`;
    between two values it is `geometric`.

    >>> [exponential(1, 0.5, timescale=10)(t) for t in (0, 10, 30)]
    [1.0, 0.5, 0.125]

    Source: torch.optim.lr_scheduler.ExponentialLR; optax.exponential_decay.
    """
    return Tail(shapes.exponential(gamma), finite(eta_max, "eta_max"), 0.0, positive(timescale, "timescale"))


@recipe
def natural_exponential(eta_max: float, k: float | Fraction) -> Schedule:
    """Natural exponential decay without an end: eta_max * e^(-k t).

    k: above 0.

    >>> round(natural_exponential(1, k=0.1)(10), 9)
    0.367879441

    Source: paddle.optimizer.lr.NaturalExpDecay; MindSpore's NaturalExpDecayLR.
    """
    return Tail(shapes.exponential(E_INVERSE), finite(eta_max, "eta_max"), 0.0, _timescale(k))


@recipe
def inverse_time(eta_max: float, k: float | Fraction) -> Schedule:
    """Inverse time decay without an end: eta_max / (1 + k t).

    k: above 0. Its staircase up to a time is `.until(time).held(every)`; between two values it is `harmonic`.

    >>> [inverse_time(1, k=0.1)(t) for t in (0, 10, 30)]
    [1.0, 0.5, 0.25]

    Source: keras.optimizers.schedules.InverseTimeDecay; Robbins and Monro 1951.
    """
    return Tail(shapes.inverse_power(1), finite(eta_max, "eta_max"), 0.0, _timescale(k))


@recipe
def flat_anneal(
    eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED, pct_start: float | Fraction = 0.75
) -> Schedule:
    """eta_max for a share of T_max, then cosine annealing to eta_min.

    eta_min <= eta_max. T_max: at least 0. pct_start: the share that is flat, from 0 to 1.

    >>> [flat_anneal(1, 0, 100)(t) for t in (0, 75, 87.5, 100)]
    [1.0, 1.0, 0.5, 0.0]

    Source: fastai's fit_flat_cos.
    """
    eta_min = ordered(eta_max, eta_min)
    T, flat = lasting(T_max, "T_max"), share(pct_start, "pct_start")
    return Run(shapes.flat, eta_max, eta_max, flat * T) >> Run(shapes.cosine, eta_max, eta_min, (1 - flat) * T)


def _between(family: Callable[[float], Shape], start: Any, end: Any, length: Time) -> Schedule:
    """A progression from one value to another, both above 0."""
    return Run(family(ratio(start=start, end=end)), start, end, length)


def _timescale(k: float | Fraction) -> Fraction:
    if (timescale := 1 / positive(k, "k")) > END_OF_TIME:
        raise ScheduleError(f"k must be at least 2^-53, got {k!r}")
    return timescale


def _hyperbola(T_max: Time, T_upper: Time) -> tuple[Shape, float]:
    """Its shape, and h(0)."""
    T, bound = positive(T_max, "T_max"), positive(T_upper, "T_upper")
    if bound < T:
        raise ScheduleError(f"T_upper must be at least T_max = {plain(T)}, got {T_upper!r}")
    return shapes.hyperbolic(float(T / (2 * bound - T))), math.sqrt(T / bound * (2 - T / bound))
