"""The schedules of MMEngine, fvcore and Composer: windows, shares of the training, and times with units."""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Any

from .. import recipes, shapes
from ..errors import ScheduleError
from ..schedule.base import Schedule
from ..schedule.nodes import Join
from .forms import Arguments, find_form, form, listed_parts, one_after_another, piece
from .pytorch_forms import by_exponential, line, one_cycle
from .schedule_outline import OutlinePart, ScheduleOutline

FOREVER = 10**9  # the end of a window that has none
WINDOW = "begin=0, end=1000000000"
SETTINGS = "by_epoch convert_to_iter_based last_step verbose param_name"
MOST_PARTS = 64
# MMEngine's LinearLR multiplies the rate that it finds: from 0 it would never rise.
SMALLEST_FACTOR = 1e-16


def _steps(a: Any) -> Any:
    return a.end - a.begin - 1  # the last step of a window is the one before its end


def _floor(a: Any) -> float:
    if a.eta_min is not None and a.eta_min_ratio is not None:
        raise ScheduleError("only one of eta_min and eta_min_ratio may be given")
    return float((a.eta_min or 0.0) if a.eta_min_ratio is None else a.base * a.eta_min_ratio)


def _periods(a: Any) -> Schedule:
    if len(a.periods) != len(a.restart_weights):
        raise ScheduleError(f"periods and restart_weights must have one length, got {a.periods}, {a.restart_weights}")
    rows, low = zip(a.periods, a.restart_weights, strict=True), _floor(a)
    return Join(tuple(piece(shapes.cosine, a.base * weight, low, length) for length, weight in rows))


def _as_torch(a: Any) -> Any:
    a.max_lr, a.total_steps = a.eta_max, a.total_steps or a.end - a.begin
    return a


def _windows(a: Any) -> Schedule:
    """Schedulers with windows: each goes on from the rate that the one before it leaves, and most multiply that."""
    value, free = a.lr, Fraction(0)
    parts, begins = [recipes.constant(value)], list[Fraction]()
    for given in sorted(a.param_scheduler, key=lambda each: each.get("begin", 0)):
        begin, end = (Fraction(str(given.get(name, default))) for name, default in (("begin", 0), ("end", FOREVER)))
        if begin < free:
            raise ScheduleError(f"windows that overlap by more than one step multiply, and cannot be read: {given}")
        settings = {key: each for key, each in given.items() if key != "type"}
        curve = find_form("mmengine", given.get("type", "?")).schedule({"lr": value, "base": a.lr, **settings})
        # Its last step is the one before its end, on which the next may start; from then on the rate is left as it is.
        value, free = curve(end - 1 - begin), end - 1
        parts.append(curve if end >= FOREVER else one_after_another([curve, recipes.constant(value)], [free - begin]))
        begins.append(begin)
    return one_after_another(parts, begins)


def _written_windows(o: ScheduleOutline) -> list[Arguments]:
    found, value = [], o.peak
    for part in o.parts[:MOST_PARTS]:
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
    if power := getattr(part.shape, "exponent", None):
        return {"type": "PolyLR", "power": power, "eta_min": part.end, **shared}
    factors = {"start_factor": max(part.start / value, SMALLEST_FACTOR), "end_factor": part.end / value}
    return {"type": "LinearLR", **factors, **shared}


def _composite(a: Any) -> Schedule:
    lengths = [Fraction(repr(float(share))) * a.num_updates for share in a.lengths]
    starts = [_snapped(sum(lengths[:count], Fraction(0)), a.num_updates) for count in range(1, len(lengths))]
    parts = []
    rows = zip(a.schedulers, lengths, [Fraction(0), *starts], a.interval_scaling, strict=True)
    for given, length, start, scaling in rows:
        # A fixed one counts from the start of training, and is seen through its window.
        rescaled = scaling == "rescaled"
        (part,) = listed_parts("fvcore", [given], {"num_updates": length if rescaled else a.num_updates})
        parts.append(part if rescaled else part.shifted(-start))
    return one_after_another(parts, starts)


def _covers(o: ScheduleOutline) -> bool:
    return o.length >= o.updates  # beyond 1, its share of the training, fvcore extrapolates or fails


def _snapped(start: Fraction, updates: Any) -> Fraction:
    """A start is reached a millionth of the training early, which makes up for the rounding of the shares."""
    near = Fraction(round(start))
    return near if abs(start - near) < Fraction(updates) / 10**6 else start


def _multistep(a: Any) -> Schedule:
    milestones = a.milestones
    if milestones is None:
        width = -(-a.num_updates // len(a.values))
        milestones = [width * count for count in range(1, len(a.values))]
    return one_after_another(map(recipes.constant, a.values), milestones[: len(a.values) - 1])


def _shares(o: ScheduleOutline) -> Any:
    total = o.parts[-1].stop
    parts = [_share(part) for part in o.parts[:MOST_PARTS]]
    if len(parts) == 1:
        return []
    lengths = [float(part.length / total) for part in o.parts[:MOST_PARTS]]
    given = {"schedulers": parts, "lengths": lengths, "interval_scaling": ["rescaled"] * len(parts)}
    return {**given, "num_updates": o.number(total)}


def _share(part: OutlinePart) -> Arguments:
    name = "CosineParamScheduler" if part.shape == shapes.cosine else "LinearParamScheduler"
    power = getattr(part.shape, "exponent", None)
    if power and part.end == 0:
        return {"name": "PolynomialDecayParamScheduler", "base_value": part.start, "power": power}
    return {"name": name, "start_value": part.start, "end_value": part.end}


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


def _truncated(a: Any) -> Schedule:
    if float(a.t_mult) != int(a.t_mult):
        raise ScheduleError(f"t_mult must be a whole number, since Composer truncates lengths, got {a.t_mult!r}")
    return recipes.warm_restarts(a.lr, a.lr * a.alpha_f, T_0=batches(a.t_0), T_mult=a.t_mult)


def _times(o: ScheduleOutline) -> Arguments:
    if not o.warmup:
        raise LookupError
    return {"lr": o.top, "t_warmup": f"{o.warmup}ba", "t_max": f"{max(o.total, o.updates)}ba", "alpha_f": o.ratio}


mmengine = functools.partial(form, "mmengine", ignored=SETTINGS)
mmengine(
    f"ConstantLR(lr, base, factor=0.3333333333333333, {WINDOW})",
    lambda a: recipes.constant(a.lr * a.factor, _steps(a)) >> recipes.constant(a.lr),
)
mmengine(
    f"LinearLR(lr, base, start_factor=0.3333333333333333, end_factor=1.0, {WINDOW})",
    lambda a: line(a.lr, a.start_factor, a.end_factor, _steps(a)),
)
mmengine(
    f"CosineAnnealingLR(lr, base, T_max=None, eta_min=None, eta_min_ratio=None, {WINDOW})",
    lambda a: piece(shapes.cosine, a.lr, _floor(a), a.T_max or a.end - a.begin).beyond("mirror"),
)
mmengine(
    f"CosineRestartLR(lr, base, periods, restart_weights=(1,), eta_min=None, eta_min_ratio=None, {WINDOW})", _periods
)
mmengine(
    f"PolyLR(lr, base, eta_min=0.0, power=1.0, {WINDOW})",
    lambda a: piece(shapes.power(a.power), a.lr, a.eta_min, _steps(a)),
)
mmengine(f"StepLR(lr, base, step_size, gamma=0.1, {WINDOW})", lambda a: recipes.step(a.lr, a.step_size, a.gamma))
mmengine(
    f"MultiStepLR(lr, base, milestones, gamma=0.1, {WINDOW})",
    lambda a: recipes.multistep(a.lr, sorted(a.milestones), a.gamma),
)
mmengine(f"ExponentialLR(lr, base, gamma, {WINDOW})", lambda a: by_exponential(a.lr, a.gamma))
mmengine("param_scheduler(lr, param_scheduler)", _windows, _written_windows)
fvcore = functools.partial(form, "fvcore")
fvcore(
    "ConstantParamScheduler(value, num_updates)", lambda a: recipes.constant(a.value), "value=start num_updates=updates"
)
fvcore(
    "CosineParamScheduler(start_value, end_value, num_updates)",
    lambda a: piece(shapes.cosine, a.start_value, a.end_value, a.num_updates),
    lambda o: _covers(o) and {"start_value": o.start, "end_value": o.end, "num_updates": o.length},
)
fvcore(
    "LinearParamScheduler(start_value, end_value, num_updates)",
    lambda a: recipes.linear(a.start_value, a.end_value, a.num_updates),
    lambda o: _covers(o) and {"start_value": o.start, "end_value": o.end, "num_updates": o.length},
)
fvcore(
    "ExponentialParamScheduler(start_value, decay, num_updates)",
    lambda a: recipes.geometric(a.start_value, a.start_value * a.decay, a.num_updates),
    lambda o: _covers(o) and {"start_value": o.start, "decay": o.fall, "num_updates": o.length},
)
fvcore(
    "PolynomialDecayParamScheduler(base_value, power, num_updates)",
    lambda a: recipes.polynomial(a.base_value, 0.0, a.num_updates, a.power),
    lambda o: _covers(o) and {"base_value": o.start, "power": o.power, "num_updates": o.length},
)
fvcore(
    "MultiStepParamScheduler(values, num_updates, milestones=None)",
    _multistep,
    "values=stairs.values num_updates=updates milestones=stairs.times",
)
fvcore("CompositeParamScheduler(schedulers, lengths, interval_scaling, num_updates)", _composite, _shares)
composer = functools.partial(form, "composer")
composer("ConstantScheduler(lr, alpha=1.0)", lambda a: recipes.constant(a.lr * a.alpha), "lr=start", "t_max")
composer(
    "LinearScheduler(lr, t_max, alpha_i=1.0, alpha_f=0.0)",
    lambda a: recipes.linear(a.lr * a.alpha_i, a.lr * a.alpha_f, batches(a.t_max)),
    lambda o: {"lr": o.peak, "t_max": f"{o.length}ba", "alpha_i": o.start / o.peak, "alpha_f": o.end / o.peak},
)
composer(
    "CosineAnnealingScheduler(lr, t_max, alpha_f=0.0)",
    lambda a: recipes.cosine(a.lr, a.lr * a.alpha_f, batches(a.t_max)),
    lambda o: {"lr": o.start, "t_max": f"{o.length}ba", "alpha_f": o.fall},
)
composer(
    "CosineAnnealingWarmRestartsScheduler(lr, t_0, t_mult=1.0, alpha_f=0.0)",
    _truncated,
    lambda o: {"lr": o.start, "t_0": f"{o.length}ba", "t_mult": float(o.growth), "alpha_f": o.fall},
)
composer(
    "PolynomialScheduler(lr, power, t_max, alpha_f=0.0)",
    lambda a: recipes.polynomial(a.lr, a.lr * a.alpha_f, batches(a.t_max), a.power),
    lambda o: {"lr": o.start, "power": o.power, "t_max": f"{o.length}ba", "alpha_f": o.fall},
)
composer(
    "ExponentialScheduler(lr, gamma, decay_period)",
    lambda a: recipes.exponential(a.lr, a.gamma, batches(a.decay_period)),
    lambda o: {"lr": o.start, "gamma": o.fall, "decay_period": f"{o.length}ba"},
)
composer(
    "StepScheduler(lr, step_size, gamma=0.1)",
    lambda a: recipes.step(a.lr, batches(a.step_size), a.gamma),
    lambda o: o.stairs and {"lr": o.top, "step_size": f"{o.stairs.times[0]}ba", "gamma": o.stairs.factor},
)
composer(
    "MultiStepScheduler(lr, milestones, gamma=0.1)",
    lambda a: recipes.multistep(a.lr, sorted(map(batches, a.milestones)), a.gamma),
    lambda o: o.stairs and {"lr": o.top, "milestones": [f"{t}ba" for t in o.stairs.times], "gamma": o.stairs.factor},
)
composer(
    "LinearWithWarmupScheduler(lr, t_warmup, t_max, alpha_i=1.0, alpha_f=0.0)",
    lambda a: _warmed(a, recipes.linear(a.lr * a.alpha_i, a.lr * a.alpha_f, _left(a))),
    _times,
)
composer(
    "CosineAnnealingWithWarmupScheduler(lr, t_warmup, t_max, alpha_f=0.0)",
    lambda a: _warmed(a, recipes.cosine(a.lr, a.lr * a.alpha_f, _left(a))),
    _times,
)
composer(
    "PolynomialWithWarmupScheduler(lr, t_warmup, power=2.0, t_max='1ba', alpha_f=0.0)",
    lambda a: _warmed(a, recipes.polynomial(a.lr, a.lr * a.alpha_f, _left(a), a.power)),
    lambda o: {**_times(o), "power": o.power},
)
mmengine(
    f"OneCycleLR(lr, base, eta_max, total_steps=None, pct_start=0.3, anneal_strategy='cos', div_factor=25.0, "
    f"final_div_factor=1e4, three_phase=False, epochs=None, steps_per_epoch=None, max_lr=0.0, {WINDOW})",
    lambda a: one_cycle(_as_torch(a)),
)
