"""Every law of the contract suite over every schedule of the catalogue."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue import every

from annealing import Schedule, testing

# Compiling JAX programs takes most of the time; `test_accuracy` compiles those of other schedules.
COMPILED = "jax_gives_the_same"
CASES = [
    pytest.param(name, law, marks=pytest.mark.thorough if law == COMPILED and number % 8 else ())
    for number, name in enumerate(every)
    for law in testing.LAWS
]


@pytest.mark.parametrize(("name", "law"), CASES)
def test_law(name: str, law: str) -> None:
    testing.LAWS[law](every[name])


@pytest.mark.parametrize("law", testing.LAWS)
def test_a_broken_schedule_is_found(law: str) -> None:
    """Each law must be able to fail: a schedule that breaks it is caught."""
    broken = {
        "arrays_are_numbers": {"values": lambda time: time.key * 0.0},
        "torch_gives_the_same": {"values": lambda time: time.key * float(time.xp is np)},
        "jax_gives_the_same": {"values": lambda time: time.key * float(time.xp is np)},
        "runs_are_half_open": {"left": lambda t: 7.0},
        "outside_it_is_finite": {"at": lambda t: float("inf")},
        "wrong_times_are_refused": {"at": lambda t: 0.1},
    }
    schedule = every["warm-up, then restarts"].shifted(0)
    if law in broken:
        for name, function in broken[law].items():
            setattr(schedule.program, name, function)
    elif law == "it_reads_back":
        object.__setattr__(schedule, "_label", "cosine(0.1, 0, 5)")
    elif law == "the_algebra_holds":
        schedule.program.at = lambda t: float(t)  # type: ignore[method-assign]
    else:
        schedule = Unfrozen()
    with pytest.raises(AssertionError):
        testing.LAWS[law](schedule)


class Unfrozen(Schedule):
    """A schedule that takes any attribute."""

    __setattr__ = object.__setattr__

    def __post_init__(self) -> None:
        """It can be made, which a Schedule as such cannot."""
