"""The schedules of timm, MMEngine and Composer: cycles with warm-ups, windows, and times in batches."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .. import recipes, shapes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from ..schedule.nodes import Join, Repeat, Run
from .forms import MOST_LISTED, Arguments, form, one_after_another, piece, read_schedule
from .pytorch_forms import SMALLEST_FACTOR, by_exponential, line, one_cycle
from .schedule_outline import OutlinePart, ScheduleOutline, share

MOST_CYCLES = 1000  # of timm that are listed one by one
# The unit of timm's clock is the caller's: epochs or updates.
TIMM_SETTINGS = "t_in_epochs initialize noise_pct noise_std noise_seed noise_type"
CYCLES = "lr_min=0.0, cycle_mul=1.0, cycle_decay=1.0, cycle_limit=1, warmup_t=0, warmup_lr_init=0.0"
STAIRS = "decay_rate=1.0, warmup_t=0, warmup_lr_init=0.0, warmup_prefix=True, noise_range_t=None"
FOREVER = 10**9  # the end of a window that has none
WINDOW = "begin=0, end=1000000000"
MMENGINE_SETTINGS = "by_epoch convert_to_iter_based last_step verbose param_name"


def _cycles(a: Any, make: Callable[[float, Any], Schedule]) -> Schedule:
    """Cycles that grow and whose peaks fall, after a warm-up; `make` is one of them, from a peak and a length."""
    first = make(a.lr, a.t_initial)
    reached = isinstance(first, Run) and first.end == a.lr_min
    if a.cycle_limit == 1:
        core = first
    elif a.cycle_decay == 1 or (reached and a.lr * a.cycle_decay ** (a.cycle_limit - 1) >= a.lr_min):
        core = Repeat(first, a.cycle_limit, a.cycle_mul, a.cycle_decay)
    elif a.cycle_limit <= MOST_CYCLES:
        # Where a peak falls below lr_min the curve turns over, which no Repeat does: the cycles are listed.
        counts = range(a.cycle_limit)
        core = Join(tuple(make(a.lr * a.cycle_decay**i, a.t_initial * a.cycle_mul**i) for i in counts))
    else:
        most = f"cycle_limit must be at most {MOST_CYCLES:,} with this cycle_decay"
        raise ScheduleError(f"{most}, got {a.cycle_limit!r}")
    # After the last cycle it is lr_min, also where the curve does not come so far.
    return _after_warmup(a, core if reached else core >> recipes.constant(a.lr_min))


def _after_warmup(a: Any, core: Schedule) -> Schedule:
    if a.noise_range_t is not None:
        raise ScheduleError(f"noise_range_t adds random noise, which is no schedule: got {a.noise_range_t!r}")
    if not a.warmup_t:
        # The first update is made before the scheduler is asked, with the optimizer's rate; tanh alone starts below it.
        return recipes.constant(a.lr, 1) >> core.shifted(-1) if hasattr(a, "lb") else core
    # Without warmup_prefix the schedule has gone on meanwhile, and tanh alone warms up to the value that it has then.
    rest = core if a.warmup_prefix else core.shifted(-a.warmup_t)
    top = rest(0) if hasattr(a, "lb") and not a.warmup_prefix else a.lr
    return recipes.linear(a.warmup_lr_init, top, a.warmup_t) >> rest


def _curved(a: Any, curve: shapes.Shape) -> Schedule:
    shape = shapes.composed(curve, shapes.mirrored(shapes.power(a.k_decay)))
    return _cycles(a, lambda peak, length: piece(shape, peak, a.lr_min, length))


def _warm(o: ScheduleOutline) -> Arguments:
    return {"warmup_t": o.warmup, "warmup_lr_init": o.start} if o.warmup else {}


def _staged(o: ScheduleOutline) -> Arguments:
    prefix = {"warmup_prefix": True} if o.warmup else {}
    return {"lr": o.top, "t_initial": o.decay, "lr_min": o.floor, **_warm(o), **prefix}


def _proposed_cosines(o: ScheduleOutline) -> list[Arguments]:
    shared, peak = _staged(o), share(o.rest[1].start, o.top) if len(o.rest) > 1 else 1.0
    found = [shared, {**shared, "cycle_mul": float(o.growth), "cycle_decay": peak, "cycle_limit": len(o.cycles)}]
    if k := getattr(getattr(getattr(o.decaying.shape, "inner", None), "shape", None), "exponent", None):
        found.append({**shared, "k_decay": k})
    # open_clip's way: the cosine counts from 0, and the warm-up stands in its place.
    return [*found, {**shared, "lr": o.end, "t_initial": o.total, "warmup_prefix": False}] if o.warmup else found


def _proposed_tanh(o: ScheduleOutline) -> Arguments:
    shape = o.decaying.shape
    # The curve does not reach its ends: lr and lr_min are those of the line through both.
    first, last = (recipes.tanh_decay(1, 0, 1, shape.lower, shape.upper)(t) for t in (0, 1))
    width = (o.top - o.floor) / (first - last)
    low = o.top - width * first
    return {**_staged(o), "lr": low + width, "lr_min": low, "lb": shape.lower, "ub": shape.upper}


timm = functools.partial(form, "timm", ignored=TIMM_SETTINGS)
timm(
    f"CosineLRScheduler(lr, t_initial, {CYCLES}, warmup_prefix=False, noise_range_t=None, k_decay=1.0)",
    _proposed_cosines,
)(lambda a: _curved(a, shapes.cosine))
timm(
    f"PolyLRScheduler(lr, t_initial, power=0.5, {CYCLES}, warmup_prefix=False, noise_range_t=None, k_decay=1.0)",
    lambda o: {**_staged(o), "power": o.power},
)(lambda a: _curved(a, shapes.power(a.power)))
timm(
    f"TanhLRScheduler(lr, t_initial, lb=-7.0, ub=3.0, {CYCLES}, warmup_prefix=False, noise_range_t=None)",
    _proposed_tanh,
)(lambda a: _cycles(a, lambda peak, length: recipes.tanh_decay(peak, a.lr_min, length, a.lb, a.ub)))
timm(
    f"StepLRScheduler(lr, decay_t, {STAIRS})",
    lambda o: o.stairs and {"lr": o.top, "decay_t": o.stairs.length, "decay_rate": o.stairs.factor, **_warm(o)},
)(lambda a: _after_warmup(a, recipes.step(a.lr, a.decay_t, a.decay_rate)))
# A milestone is compared with t + 1, so that every drop comes one step before it.
timm(
    f"MultiStepLRScheduler(lr, decay_t, {STAIRS})",
    lambda o: (
        o.stairs
        and {"lr": o.top, "decay_t": [t + 1 for t in o.stairs.times], "decay_rate": o.stairs.factor, **_warm(o)}
    ),
)(lambda a: _after_warmup(a, recipes.multistep(a.lr, [max(0, time - 1) for time in a.decay_t], a.decay_rate)))


def _steps(a: Any) -> Any:
    return a.end - a.begin - 1  # the last step of a window is the one before its end


def _floor(a: Any) -> float:
    if a.eta_min is not None and a.eta_min_ratio is not None:
        raise ScheduleError("only one of eta_min and eta_min_ratio may be given")
    return float((a.eta_min or 0.0) if a.eta_min_ratio is None else a.base * a.eta_min_ratio)


def _written_windows(o: ScheduleOutline) -> list[Arguments]:
    found, value = [], o.peak
    for part in o.parts[:MOST_LISTED]:
        if not (part.flat and part.start == value):
            found.append(_window(o, part, value))
            value = part.end
    windows: list[Arguments] = [{"lr": o.peak, "param_scheduler": found}]
    if o.stairs:
        stairs = {"milestones": o.stairs.times, "gamma": o.stairs.factor, "by_epoch": False}
        windows.insert(0, {"lr": o.top, "param_scheduler": [{"type": "MultiStepLR", **stairs}]})
    if len(o.cycles) > 1:
        periods = {"periods": [o.number(part.length) for part in o.cycles], "eta_min": o.floor}
        begin = {"restart_weights": [part.start / o.peak for part in o.cycles], "begin": o.warmup, "by_epoch": False}
        warm = found[: 1 if o.warmup else 0]
        windows.append({"lr": o.peak, "param_scheduler": [*warm, {"type": "CosineRestartLR", **periods, **begin}]})
    return windows


def _window(o: ScheduleOutline, part: OutlinePart, value: float) -> Arguments:
    begin, stop = o.number(part.begin), o.number(part.stop)
    shared = {"begin": begin, "end": stop + 1, "by_epoch": False}
    if part.shape == shapes.cosine:
        return {"type": "CosineAnnealingLR", "T_max": stop - begin, "eta_min": part.end, **shared}
    if part.power:
        return {"type": "PolyLR", "power": part.power, "eta_min": part.end, **shared}
    # LinearLR multiplies the rate that it finds: from 0 it would never rise.
    factors = {"start_factor": max(part.start / value, SMALLEST_FACTOR), "end_factor": part.end / value}
    return {"type": "LinearLR", **factors, **shared}


mmengine = functools.partial(form, "mmengine", ignored=MMENGINE_SETTINGS)
mmengine(f"ConstantLR(lr, base, factor=0.3333333333333333, {WINDOW})")(
    lambda a: recipes.constant(a.lr * a.factor, _steps(a)) >> recipes.constant(a.lr)
)
mmengine(f"LinearLR(lr, base, start_factor=0.3333333333333333, end_factor=1.0, {WINDOW})")(lambda a: line(a, _steps(a)))
mmengine(f"CosineAnnealingLR(lr, base, T_max=None, eta_min=None, eta_min_ratio=None, {WINDOW})")(
    lambda a: piece(shapes.cosine, a.lr, _floor(a), a.T_max or a.end - a.begin).beyond("mirror")
)


@mmengine(f"CosineRestartLR(lr, base, periods, restart_weights=(1,), eta_min=None, eta_min_ratio=None, {WINDOW})")
def _periods(a: Any) -> Schedule:
    if len(a.periods) != len(a.restart_weights):
        raise ScheduleError(f"periods and restart_weights must have one length, got {a.periods}, {a.restart_weights}")
    rows, low = zip(a.periods, a.restart_weights, strict=True), _floor(a)
    return Join(tuple(piece(shapes.cosine, a.base * weight, low, length) for length, weight in rows))


mmengine(f"PolyLR(lr, base, eta_min=0.0, power=1.0, {WINDOW})")(
    lambda a: piece(shapes.power(a.power), a.lr, a.eta_min, _steps(a))
)
mmengine(f"StepLR(lr, base, step_size, gamma=0.1, {WINDOW})")(lambda a: recipes.step(a.lr, a.step_size, a.gamma))
mmengine(f"MultiStepLR(lr, base, milestones, gamma=0.1, {WINDOW})")(
    lambda a: recipes.multistep(a.lr, sorted(a.milestones), a.gamma)
)
mmengine(f"ExponentialLR(lr, base, gamma, {WINDOW})")(by_exponential)


@mmengine("param_scheduler(lr, param_scheduler)", _written_windows)
def _windows(a: Any) -> Schedule:
    """Schedulers with windows: each goes on from the rate that the one before it leaves, and most multiply that."""
    value, free = a.lr, Fraction(0)
    parts, begins = [recipes.constant(value)], list[Fraction]()
    for given in sorted(a.param_scheduler, key=lambda each: each.get("begin", 0)):
        begin, end = (Fraction(str(given.get(name, default))) for name, default in (("begin", 0), ("end", FOREVER)))
        if begin < free:
            raise ScheduleError(f"windows that overlap by more than one step multiply, and cannot be read: {given}")
        settings = {key: each for key, each in given.items() if key != "type"}
        curve = read_schedule("mmengine", given.get("type", "?"), {"lr": value, "base": a.lr, **settings})
        # Its last step is the one before its end, on which the next may start; from then on the rate is left as it is.
        value, free = curve(end - 1 - begin), end - 1
        parts.append(curve if end >= FOREVER else one_after_another([curve, recipes.constant(value)], [free - begin]))
        begins.append(begin)
    return one_after_another(parts, begins)


@mmengine(
    f"OneCycleLR(lr, base, eta_max, total_steps=None, pct_start=0.3, anneal_strategy='cos', div_factor=25.0, "
    f"final_div_factor=1e4, three_phase=False, epochs=None, steps_per_epoch=None, max_lr=0.0, {WINDOW})"
)
def _torch_cycle(a: Any) -> Schedule:
    a.max_lr, a.total_steps = a.eta_max, a.total_steps or a.end - a.begin
    return one_cycle(a)


def batches(time: Any) -> Fraction:
    """A time of Composer in batches: "100ba", or a number."""
    if isinstance(time, str):
        if not (found := re.fullmatch(r"([0-9.e+]+)\s*(ba|it)", time.strip())):
            raise ScheduleError(f'times must be in batches, such as "100ba", got {time!r}')
        time = float(found[1])
    return Fraction(repr(float(time)))


def _warmed(a: Any, down: Schedule) -> Schedule:
    return recipes.linear(0, down(0), batches(a.t_warmup)) >> down


def _left(a: Any) -> Fraction:
    return batches(a.t_max) - batches(a.t_warmup)


def _times(o: ScheduleOutline) -> Any:
    total = f"{max(o.total, o.updates)}ba"
    return o.warmup and {"lr": o.top, "t_warmup": f"{o.warmup}ba", "t_max": total, "alpha_f": o.ratio}


composer = functools.partial(form, "composer")
composer("ConstantScheduler(lr: start, alpha=1.0)", ignored="t_max")(lambda a: recipes.constant(a.lr * a.alpha))
composer(
    "LinearScheduler(lr, t_max, alpha_i=1.0, alpha_f=0.0)",
    lambda o: {"lr": o.peak, "t_max": f"{o.length}ba", "alpha_i": o.start / o.peak, "alpha_f": o.end / o.peak},
)(lambda a: recipes.linear(a.lr * a.alpha_i, a.lr * a.alpha_f, batches(a.t_max)))
composer(
    "CosineAnnealingScheduler(lr, t_max, alpha_f=0.0)",
    lambda o: {"lr": o.start, "t_max": f"{o.length}ba", "alpha_f": o.fall},
)(lambda a: recipes.cosine(a.lr, a.lr * a.alpha_f, batches(a.t_max)))


@composer(
    "CosineAnnealingWarmRestartsScheduler(lr, t_0, t_mult=1.0, alpha_f=0.0)",
    lambda o: {"lr": o.start, "t_0": f"{o.length}ba", "t_mult": float(o.growth), "alpha_f": o.fall},
)
def _truncated(a: Any) -> Schedule:
    if float(a.t_mult) != int(a.t_mult):
        raise ScheduleError(f"t_mult must be a whole number, since Composer truncates lengths, got {a.t_mult!r}")
    return recipes.warm_restarts(a.lr, a.lr * a.alpha_f, T_0=batches(a.t_0), T_mult=a.t_mult)


composer(
    "PolynomialScheduler(lr, power, t_max, alpha_f=0.0)",
    lambda o: {"lr": o.start, "power": o.power, "t_max": f"{o.length}ba", "alpha_f": o.fall},
)(lambda a: recipes.polynomial(a.lr, a.lr * a.alpha_f, batches(a.t_max), a.power))
composer(
    "ExponentialScheduler(lr, gamma, decay_period)",
    lambda o: {"lr": o.start, "gamma": o.fall, "decay_period": f"{o.length}ba"},
)(lambda a: recipes.exponential(a.lr, a.gamma, batches(a.decay_period)))
composer(
    "StepScheduler(lr, step_size, gamma=0.1)",
    lambda o: o.stairs and {"lr": o.top, "step_size": f"{o.stairs.length}ba", "gamma": o.stairs.factor},
)(lambda a: recipes.step(a.lr, batches(a.step_size), a.gamma))
composer(
    "MultiStepScheduler(lr, milestones, gamma=0.1)",
    lambda o: o.stairs and {"lr": o.top, "milestones": [f"{t}ba" for t in o.stairs.times], "gamma": o.stairs.factor},
)(lambda a: recipes.multistep(a.lr, sorted(map(batches, a.milestones)), a.gamma))
composer("LinearWithWarmupScheduler(lr, t_warmup, t_max, alpha_i=1.0, alpha_f=0.0)", _times)(
    lambda a: _warmed(a, recipes.linear(a.lr * a.alpha_i, a.lr * a.alpha_f, _left(a)))
)
composer("CosineAnnealingWithWarmupScheduler(lr, t_warmup, t_max, alpha_f=0.0)", _times)(
    lambda a: _warmed(a, recipes.cosine(a.lr, a.lr * a.alpha_f, _left(a)))
)
composer(
    "PolynomialWithWarmupScheduler(lr, t_warmup, power=2.0, t_max='1ba', alpha_f=0.0)",
    lambda o: _times(o) and {**_times(o), "power": o.power},
)(lambda a: _warmed(a, recipes.polynomial(a.lr, a.lr * a.alpha_f, _left(a), a.power)))
