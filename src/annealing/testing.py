"""The contract suite: what holds for every schedule, so that it can be checked for yours.

`check_schedule(schedule)` checks all laws; `LAWS` names them one by one, for a parametrized test. Laws about torch and
JAX are checked where these are installed.
"""

from __future__ import annotations

import copy
import importlib.util
import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from .cycles import Cycle
from .errors import ScheduleError
from .notation import from_json, parse
from .schedule.base import Schedule
from .schedule.nodes import Join

MOST_SPANS = 40
FLOAT64_ULPS = 16  # between two libraries, each within 8 (NumPy) or 16 of the exact value
FLOAT32_OF_PEAK = 4e-7
CLOSE = 1e-8  # of the peak
BARELY = 10**40  # a part of a cycle this small changes nothing, even under a root, which is steep at its end
WRONG_TIMES: tuple[Any, ...] = (True, 1j, None, "1", [1], math.nan, np.array([True]), np.array([1j]))


def check_schedule(schedule: Schedule) -> None:
    """Check every law for one schedule; an AssertionError says which one is broken, and where.

    >>> from annealing import cosine
    >>> check_schedule(cosine(0.1, 0, 200))
    """
    for name, law in LAWS.items():
        try:
            law(schedule)
        except AssertionError as broken:
            raise AssertionError(f"{name}: {broken} (for {schedule})") from None


def spans(schedule: Schedule) -> list[Cycle]:
    """The first cycles of a schedule, at most `MOST_SPANS`; one that never ends is cut."""
    until: float = 1
    while schedule.duration is None and len(schedule.runs(until)) < 8 and until < 2**40:
        until *= 2
    runs = schedule.runs(None if schedule.duration is not None else until)[:MOST_SPANS]
    return [run if run.end < math.inf else run._replace(end=2 * run.begin + 2) for run in runs]


def sample(schedule: Schedule) -> list[float]:
    """Times within its first cycles: their starts, the floats beside these, and some in between."""
    found = {0.0}
    for span in spans(schedule):
        begin, end = float(span.begin), float(span.end)
        found |= {begin, end, math.nextafter(end, 0), math.nextafter(end, math.inf)}
        found |= {begin + (end - begin) * share for share in (1e-9, 0.1, 1 / 3, 0.5, 0.77, 1 - 1e-9)}
    limit = schedule.duration
    return sorted(t for t in found if limit is None or t <= limit)


def peak(schedule: Schedule) -> float:
    return float(max(abs(value) for t in sample(schedule) for value in (schedule(t), schedule.left(t))))


def _near(got: Any, wanted: Any, what: str, times: Any, allowed: Any) -> None:
    wrong = np.abs(np.asarray(got, np.float64) - np.asarray(wanted)) > allowed
    assert not wrong.any(), f"{what} at t = {np.asarray(times)[wrong][:3].tolist()}"


def arrays_are_numbers(schedule: Schedule) -> None:
    """A NumPy array of times gives float64 values, those of the numbers one by one, in its own form."""
    times = sample(schedule)
    wanted = np.array([schedule(t) for t in times])
    got = schedule(np.array(times))
    assert got.dtype == np.float64, f"dtype {got.dtype}"
    _near(got, wanted, "an array differs from numbers", times, FLOAT64_ULPS * np.spacing(np.abs(wanted)))
    whole = np.arange(12, dtype=np.int32).reshape(3, 4)
    if schedule.duration is None or schedule.duration >= 12:
        assert schedule(whole).shape == (3, 4), "the shape of the times is not kept"
    assert (type(schedule(0)), type(schedule(np.int64(0)))) == (float, np.float64), "the type of one value"


def torch_gives_the_same(schedule: Schedule) -> None:
    """A torch tensor gives float64 for whole or float64 times, and the tensor's own type for others."""
    if not importlib.util.find_spec("torch"):
        return
    import torch

    times = sample(schedule)
    wanted = schedule(np.array(times))
    got = schedule(torch.tensor(times, dtype=torch.float64))
    assert got.dtype == torch.float64, f"dtype {got.dtype}"
    _near(got.numpy(), wanted, "torch differs from NumPy", times, FLOAT64_ULPS * np.spacing(np.abs(wanted)))
    assert schedule(torch.tensor([0])).dtype == torch.float64, "whole times must give float64"
    assert schedule(torch.tensor([0.0], dtype=torch.bfloat16)).dtype == torch.bfloat16, "the type is not kept"


def jax_gives_the_same(schedule: Schedule) -> None:
    """A traced JAX array gives the same, in float64, and in JAX's default float32 with the cycle exact."""
    if not importlib.util.find_spec("jax"):
        return
    import jax

    times = sample(schedule)
    wanted = schedule(np.array(times))
    with jax.enable_x64(True):
        got = jax.jit(schedule)(np.array(times))
        assert got.dtype == np.float64, f"dtype {got.dtype}"
        _near(got, wanted, "JAX differs from NumPy", times, FLOAT64_ULPS * np.spacing(np.abs(wanted)))
    if schedule.program.fits_float32:
        counts = np.array(sorted({int(t) for t in times}), np.int32)
        halves = np.array(times, np.float32)
        allowed = FLOAT32_OF_PEAK * peak(schedule)
        _near(jax.jit(schedule)(counts), schedule(counts), "float32 differs at whole times", counts, allowed)
        if schedule.duration is None or halves.max() <= schedule.duration:
            _near(jax.jit(schedule)(halves), schedule(halves), "float32 differs", halves, allowed)


def runs_are_half_open(schedule: Schedule) -> None:
    """The value at a start belongs to the cycle that starts, the left limit there to the cycle that ends."""
    allowed = CLOSE * peak(schedule)
    for span in spans(schedule):
        near = Fraction(span.end - span.begin) / BARELY
        after, before = schedule(span.begin + near), schedule(span.end - near)
        assert abs(schedule(span.begin) - after) <= allowed, f"a jump just after the begin {span.begin}"
        if isinstance(span.end, int):  # a float may stand for an end a little earlier
            assert abs(schedule.left(span.end) - before) <= allowed, f"a jump just before the end {span.end}"


def it_reads_back(schedule: Schedule) -> None:
    """Printing, JSON, copying and pickling give an equal value with the same hash, fingerprint and text."""
    again = [parse(str(schedule)), from_json(schedule.to_json()), copy.deepcopy(schedule)]
    for other in [*again, pickle.loads(pickle.dumps(schedule))]:
        assert other == schedule, f"reads back as {other}"
        assert hash(other) == hash(schedule), "another hash"
        assert other.fingerprint == schedule.fingerprint, "another fingerprint"
    assert str(again[0]) == str(schedule), f"prints as {again[0]} when read back"


def the_algebra_holds(schedule: Schedule) -> None:
    """Moved, stretched, scaled and joined schedules have the values that follow from the schedule's own."""
    for t in sample(schedule):
        assert (schedule + 0)(t) == (0 + schedule)(t) == (1 * schedule)(t) == schedule(t), f"neutral numbers at {t}"
        assert (0.5 * schedule)(t) == 0.5 * schedule(t), f"a scaled schedule at {t}"
        assert schedule.shifted(1)(Fraction(t) + 1) == schedule(t), f"a shifted schedule at {t}"
        assert schedule.stretched(2)(2 * t) == schedule(t), f"a stretched schedule at {t}"
    one = schedule if schedule.duration is not None else None
    if one is not None:
        assert (one >> one) >> one == one >> (one >> one) == Join((one, one, one)), "joining is associative"
        assert (one >> one)(one.exact_duration) == one(0), "the second part begins where the first ends"
    assert schedule.shifted(0) == schedule.stretched(1) == schedule, "empty wrappers are gone"


def outside_it_is_finite(schedule: Schedule) -> None:
    """Before 0 it is the first value; far away it is finite, or refused if that was asked for."""
    assert schedule(-1) == schedule(-1e300) == schedule(0), "the value before 0"
    for t in (10**6, 2.0**53, 1e300):
        try:
            assert math.isfinite(schedule(t)), f"the value at {t}"
        except ScheduleError:
            assert t > (schedule.duration or math.inf), f"t = {t} is refused"


def wrong_times_are_refused(schedule: Schedule) -> None:
    """What is no time is refused with a ScheduleError."""
    for t in WRONG_TIMES:
        try:
            schedule(t)
        except ScheduleError:
            continue
        raise AssertionError(f"t = {t!r} is accepted")


def it_is_frozen(schedule: Schedule) -> None:
    """Neither assignment nor evaluation changes it."""
    try:
        schedule.part = None
    except AttributeError:
        pass
    else:
        raise AssertionError("an attribute can be set")
    t = sample(schedule)[-1]
    assert [schedule(t), schedule(0), schedule(t)] == [schedule(t), schedule(0), schedule(t)], "evaluation changes it"


_NUMBERS = (arrays_are_numbers, torch_gives_the_same, jax_gives_the_same, outside_it_is_finite, wrong_times_are_refused)
_VALUES = (runs_are_half_open, it_reads_back, the_algebra_holds, it_is_frozen)
LAWS: dict[str, Callable[[Schedule], None]] = {law.__name__: law for law in (*_NUMBERS, *_VALUES)}
