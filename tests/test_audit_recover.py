"""Schedules recovered from rates alone: from handmade rates whose parameters are known, and from real logs."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest

from annealing import (
    Schedule,
    ScheduleError,
    constant,
    cosine,
    exponential,
    linear,
    multistep,
    one_cycle,
    parse,
    step,
    warm_restarts,
)
from annealing.audit import Log, recover
from annealing.audit.recovery.fitting import Exhausted, limited, spend

LOGS = Path(__file__).parents[2] / "shared" / "data" / "logs"
real = pytest.mark.skipif(not LOGS.is_dir(), reason="the folder of real logs is not here")


def a_log(clock: np.ndarray, rates: np.ndarray, half: np.ndarray | None = None, unit: str = "update") -> Log:
    rates = np.asarray(rates, float)
    half = np.spacing(np.abs(rates)) / 2 if half is None else half
    clock = np.asarray(clock, float)
    return Log("test", clock, rates[:, None], half[:, None], np.zeros(len(clock), np.int64), ("lr",), unit)


def fifty_digits(clock: np.ndarray, warm: int, length: int, peak: str) -> np.ndarray:
    """A line up and half a cosine wave down, in 50 digits."""
    with mpmath.workdps(50):
        top = mpmath.mpf(peak)
        down = [top * (1 + mpmath.cos(mpmath.pi * (t - warm) / length)) / 2 for t in map(int, clock)]
        return np.array([float(top * int(t) / warm if t < warm else v) for t, v in zip(clock, down, strict=True)])


@pytest.mark.parametrize("stop", [8660, 3000])
def test_a_warm_up_and_a_cosine_whole_or_cut(stop: int) -> None:
    clock = np.arange(10, stop + 1, 10)
    found = recover(a_log(clock, fifty_digits(clock, 866, 7794, "5e-05")))
    assert str(found.schedule) == "linear(0, 5e-05, 866) >> cosine(5e-05, 0, 7794)"
    assert found.exact
    assert found.shift == 0
    assert found.residual < 1e-12


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_the_shift_is_found(shift: int) -> None:
    clock = np.arange(1, 301)
    rates = 0.002 + 0.098 * (1 + np.cos(np.pi * (clock + shift) / 400)) / 2
    found = recover(a_log(clock, rates))
    assert (found.schedule, found.shift, found.exact) == (cosine(0.1, 0.002, 400), shift, True)


def test_a_lag_that_grows() -> None:
    clock = np.arange(10.0, 11901, 10)
    lag = (clock >= 4010).astype(int) + (clock >= 8870)
    found = recover(a_log(clock, 5e-05 * (1 + np.cos(np.pi * (clock - lag) / 11900))))
    assert found.schedule == cosine(1e-4, 0, 11900)
    assert found.lags == ((4010.0, 1), (8870.0, 2))
    assert found.lag(np.array([4000, 4010, 9000])).tolist() == [0, 1, 2]


def test_lags_where_the_curve_to_come_is_not_known_yet() -> None:
    meant = cosine(0.0025, 0, 4600).until(2024) >> cosine(1e-05, 0, 11418)
    clock = np.arange(10.0, 13000, 10)
    lag = (clock >= 2120).astype(int) + (clock >= 8030) + (clock >= 9060)  # the first 9 rows after the jump
    found = recover(a_log(clock, meant(clock - lag)))
    assert (found.schedule, found.lags) == (meant, ((2120.0, 1), (8030.0, 2), (9060.0, 3)))


@pytest.mark.parametrize(
    ("intended", "every"), [(exponential(0.06, 0.999), 20), (one_cycle(0.8, 20000, pct_start=0.1), 50)], ids=str
)
def test_a_lag_soon_after_the_start(intended: Schedule, every: int) -> None:
    clock = np.arange(float(every), 130 * every, every)
    lag = (clock > 9 * every).astype(int) + (clock > 54 * every)
    found = recover(a_log(clock, intended(clock - 1 - lag)))
    assert (found.schedule, found.shift) == (intended, -1)
    assert found.lags == ((10.0 * every, 1), (55.0 * every, 2))


def test_a_warm_up_that_is_not_over_ends_at_round_numbers() -> None:
    clock = np.arange(10.0, 700, 10)
    found = recover(a_log(clock, *rounded(np.asarray(linear(0, 3e-4, 866)(clock)), 6)))
    assert (found.schedule, found.exact) == (linear(0, 3e-4, 866), True)


MADE: list[tuple[str, Schedule]] = [
    ("linear", linear(0.02, 0, 3000)),
    ("third", linear(0.0025 / 3, 0.0025, 500) >> constant(0.0025)),
    ("restarts", warm_restarts(0.05, 0, T_0=410, T_mult=2, eta_max_factor=0.5)),
    ("exponential", parse("exponential(0.1, 0.999)")),
    ("inverse", parse("inverse_sqrt(0.001, T_warmup=400)")),
    ("wsd", parse("wsd(0.001, 0, T_warmup=100, T_stable=2000, T_cooldown=400, curve='1-sqrt')")),
    ("stairs", cosine(0.1, 0, 3000).held(100)),
    ("power", parse("polynomial(0.01, 0, 2500, power=2)")),
    ("warm power", parse("linear(0, 0.3, 500) >> polynomial(0.3, 0.015, 896, 3)")),
    ("one cycle", parse("one_cycle(0.3, 2500)")),
    ("triangles", parse("triangular(0.01, 0.1, 300)")),
    ("three phases", parse("one_cycle(0.05, 3000, curve='linear', three_phase=True)")),
    ("lines", linear(0, 0.4, 490) >> linear(0.4, 0.02, 1470) >> linear(0.02, 0, 392)),
    ("mirror", linear(0, 0.1, 50) >> cosine(0.1, 0.001, 700).beyond("mirror")),
    ("resumed", (linear(0, 0.001, 100) >> cosine(0.001, 0, 4000)).until(1000) >> cosine(0.0004, 0, 2000)),
    ("levels", constant(0.1, 500) >> constant(0.2, 800) >> constant(0.05)),
]


@pytest.mark.parametrize(("name", "schedule"), MADE, ids=[name for name, _ in MADE])
def test_the_same_schedule_comes_back(name: str, schedule: Schedule) -> None:
    clock = np.arange(0, 2601, 5)
    found = recover(a_log(clock, schedule(clock)))
    assert found.exact
    assert parse(str(found.schedule)) == found.schedule
    every = np.arange(0, 2600) - found.shift  # between the rows too
    difference = np.abs(found.schedule(np.arange(0, 2600)) - schedule(every))  # type: ignore[misc]
    assert difference.max() <= 1e-11 * schedule(clock).max()


BENDS = [
    "cosine(0.1, 0.05, 100) >> linear(0.05, 0, 100)",
    "cosine(0.1, 0.05, 100) >> constant(0.05, 50) >> linear(0.05, 0, 100)",
    "linear(0, 0.1, 50) >> cosine(0.1, 0.05, 100) >> linear(0.05, 0, 103)",
    "linear(0.1, 0.05, 100) >> cosine(0.05, 0, 100)",
    "ramp(0.1, 100, 'quadratic') >> cosine(0.1, 0, 400)",
    "ramp(0.1, 100, 'quadratic') >> linear(0.1, 0, 400)",
]


@pytest.mark.parametrize("every", [1, 3, 5])
@pytest.mark.parametrize("notation", BENDS)
def test_curves_that_meet_without_a_jump(notation: str, every: int) -> None:
    meant = parse(notation)
    clock = np.arange(0, 0.9 * float(meant.duration or 0), every)
    found = recover(a_log(clock, meant(clock)))
    assert (found.schedule, found.exact) == (meant, True)


def test_few_digits_give_plain_numbers_and_say_what_is_open() -> None:
    clock = np.arange(0, 501, 20)
    rates = np.round(0.0025 * np.minimum(1, 1 / 3 + 2 / 3 * clock / 500), 6)
    found = recover(a_log(clock, rates, np.full(len(clock), 5e-7)))
    assert found.exact
    assert found.pieces[0][4] == 0.0025
    short = recover(a_log(clock[:4], np.round(0.1 * np.cos(np.pi * clock[:4] / 40000) ** 2, 4), np.full(4, 5e-5)))
    assert short.undetermined


def rounded(rates: np.ndarray, digits: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates as a console prints them, and half a unit of the last digit."""
    printed = np.array([float(f"{rate:.{digits - 1}e}") for rate in rates])
    return printed, 0.5 * 10.0 ** (np.floor(np.log10(np.maximum(printed, 1e-30))) - digits + 1)


@pytest.mark.parametrize(("warm", "length", "peak", "shift"), [(866, 7794, 5e-5, 0), (500, 14586, 3e-4, -1)])
def test_six_digits_of_a_warm_up_and_a_cosine(warm: int, length: int, peak: float, shift: int) -> None:
    clock = np.arange(10, warm + length, 10)
    exact = fifty_digits(clock + shift, warm, length, repr(peak))
    found = recover(a_log(clock, *rounded(exact, 6)))
    assert (found.schedule, found.shift) == (linear(0, peak, warm) >> cosine(peak, 0, length), shift)
    assert found.exact


def test_six_decimals_of_restarts_that_grow() -> None:
    clock = np.arange(0, 9000, 20)
    rates = []
    for t in clock:
        begin, run = 0, 754
        while t >= begin + run:
            begin, run = begin + run, 2 * run
        rates.append(0.01 + 0.19 * (1 + np.cos(np.pi * (t - begin) / run)) / 2)
    found = recover(a_log(clock, np.round(rates, 6), np.full(len(clock), 5e-7)))
    assert found.schedule == warm_restarts(0.2, 0.01, T_0=754, T_mult=2)
    assert found.exact


@pytest.mark.parametrize(("first", "length"), [("0.01", 8986), ("0.0005", 3046)])
def test_a_geometric_decay_that_is_cut_has_a_whole_length(first: str, length: int) -> None:
    clock = np.arange(0, int(0.7 * length), 5)
    with mpmath.workdps(30):
        rates = np.array([float(mpmath.mpf(first) * mpmath.mpf("0.1") ** (mpmath.mpf(int(t)) / length)) for t in clock])
    found = recover(a_log(clock, *rounded(rates, 6)))
    assert str(found.schedule) == str(parse(f"geometric({first}, {float(first) / 10}, {length})"))


def test_steps_of_which_digits_hide_the_factor() -> None:
    clock = np.arange(0, 9000, 10)
    rates = np.round(0.015 * 0.9 ** (clock // 1320), 6)  # 0.009842, 0.008857, ...
    assert recover(a_log(clock, rates, np.full(len(clock), 5e-7))).schedule == step(0.015, 1320, 0.9)


def test_levels_once_an_epoch_are_steps() -> None:
    clock = np.arange(0, 20 * 1684, 40)
    rates = 0.001 * 0.5 ** (clock // 1684)
    assert recover(a_log(clock, *rounded(rates, 6))).schedule == step(0.001, 1684, 0.5)


def test_triangles_with_skipped_steps() -> None:
    clock = np.arange(0, 6550, 50)
    lag = (clock >= 2200).astype(int) + (clock >= 3300) + (clock >= 4650)
    x = (clock - lag) % 2175
    rates = 6e-5 + 5.4e-4 * np.where(x < 725, x / 725, 1 - (x - 725) / 1450)
    found = recover(a_log(clock, rates))
    assert found.schedule == parse("triangular(6e-05, 0.0006, 725, 1450)")
    assert found.lags == ((2200.0, 1), (3300.0, 2), (4650.0, 3))


def test_steps_of_a_progress_bar_that_are_off_by_one() -> None:
    true = np.arange(3, 900, 3)
    rates = np.where(true < 50, 2e-4 * true / 50, 2e-4 * (950 - true) / 900)
    written = true + (np.arange(len(true)) % 7 == 3) - (np.arange(len(true)) % 11 == 5)
    found = recover(a_log(written, rates))
    assert found.schedule == linear(0, 2e-4, 50) >> linear(2e-4, 0, 900)
    assert (found.exact, found.jitter) == (True, 1)
    assert any("off" in note for note in found.notes)


def test_a_clock_that_goes_back_is_said() -> None:
    clock = np.concatenate([np.arange(0, 300, 10), np.arange(0, 1000, 10)])
    rates = np.where(np.arange(130) < 30, 0.1, 0.01) * (1 - clock / 1000)
    found = recover(a_log(clock, rates))
    assert found.schedule == linear(0.01, 0, 1000)
    assert "several runs" in found.notes[0]
    assert "30 of them with other rates" in found.notes[0]


def test_the_work_of_a_search_is_counted_and_bounded() -> None:
    with limited(10):
        with limited(4):
            spend(3)
        spend(6)
        with pytest.raises(Exhausted):
            spend(2)
    spend(1e6)  # without a limit


def test_without_scipy_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ScheduleError, match=r"SciPy.*annealing\[audit\]"):
        recover(a_log(np.arange(9), np.ones(9)))


@pytest.mark.parametrize(
    ("milestones", "every"), [([32000, 48000, 60000], 100), ([60, 120, 160], 1)], ids=["updates", "epochs"]
)
def test_levels_with_the_roundest_milestones(milestones: list[int], every: int) -> None:
    clock = np.arange(0, milestones[-1] + 20 * every, every)
    rates = 0.1 * 0.2 ** np.searchsorted(milestones, clock, "right")
    assert recover(a_log(clock, rates)).schedule == multistep(0.1, milestones, 0.2)


def test_equal_steps_seen_through_gaps_after_a_warm_up() -> None:
    clock = np.arange(0, 3000, 7)
    rates = np.where(clock < 300, 0.1 * clock / 300, 0.1 * 0.3 ** ((clock - 300) // 400))
    assert recover(a_log(clock, rates)).schedule == linear(0, 0.1, 300) >> step(0.1, 400, 0.3)


def test_equal_steps_are_a_step_schedule() -> None:
    clock = np.arange(0, 130)
    assert recover(a_log(clock, 0.1 * 0.5 ** (clock // 30))).schedule == step(0.1, 30, 0.5)


def test_nothing_fits_is_an_answer() -> None:
    rates = np.random.default_rng(0).random(40)
    found = recover(a_log(np.arange(40), rates))
    assert found.schedule is None
    assert not found.exact
    assert found.residual > 0.1


def test_rates_that_come_to_0_on_no_curve_and_stay_there_give_no_schedule() -> None:
    clock = np.arange(100)
    rates = np.round(np.maximum(0.1 * (1 - np.sqrt(clock / 60)), 0), 12)  # the digits are said to be full
    found = recover(a_log(clock, rates))
    assert (found.schedule, found.exact) == (None, False)


@pytest.mark.parametrize("sign", [(-1, 1), (1, -1)], ids=["steps below 0", "rates below 0"])
def test_steps_or_rates_below_0_give_no_schedule(sign: tuple[int, int]) -> None:
    row = np.arange(100)
    clock, rates = np.sort(sign[0] * row), sign[1] * (0.1 - 0.001 * row)
    found = recover(a_log(clock, rates[::-1] if sign[0] < 0 else rates))
    assert (found.schedule, found.exact) == (None, False)


def test_one_odd_row_is_named() -> None:
    clock = np.arange(0, 1000, 10)
    rates = 0.05 * (1 + np.cos(np.pi * clock / 1000))
    rates[60] *= 3
    found = recover(a_log(clock, rates))
    assert found.schedule == cosine(0.1, 0, 1000)
    assert found.outliers == (600.0,)


@pytest.mark.parametrize(("group", "unit"), [(1, None), (-1, None), (0, "epoch"), (0, "hour")])
def test_a_group_or_unit_that_is_not_there(group: int, unit: str | None) -> None:
    with pytest.raises(ScheduleError, match=r"group must be|unit must be"):
        recover(a_log(np.arange(9), np.ones(9)), group, unit)


@real
def test_real_updates_with_skipped_steps() -> None:
    state = json.loads((LOGS / "011_hf_trainer_state_ccks-e25.json").read_text())
    rows = [(row["step"], row["learning_rate"]) for row in state["log_history"] if "learning_rate" in row]
    found = recover(a_log(*np.array(rows, float).T))
    assert found.schedule == cosine(1e-4, 0, 11900)
    assert found.residual < 1e-12
    assert [lag for _, lag in found.lags] == [1, 2, 3, 4]


@real
def test_a_real_warm_up_that_leads_to_the_decay_under_it() -> None:
    with (LOGS / "054_ultralytics_results_yolov9c-1.csv").open(newline="") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row][1:]
    rates = np.array([float(row[-1]) for row in rows])
    half = 0.5 * 10.0 ** (np.floor(np.log10(rates)) - 4)  # five digits
    found = recover(a_log(np.array([float(row[0]) for row in rows]), rates, half, "epoch"))
    assert found.exact
    assert found.lags == ((5.0, 1),)
    assert "linear(0.001, 1e-05, 100)" in str(found.schedule)  # lr0 0.001, lrf 0.01, 100 epochs
