"""Logs from which a wrong schedule was once recovered, and variants of each kind; the right one is known by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from annealing import Schedule, constant, cosine, linear, parse
from annealing.audit import Log, read, recover

DATA = Path(__file__).parent / "data" / "audit"
KNOWN = {
    "optimizer_dump2.log": "cosine(0.001, 0, 1000)",
    "mmcv.log.json": "linear(0, 0.0001, 500) >> constant(0.0001)",
    "deepspeed_skipped.log": "cosine(9.65e-6, 0, 740)",
    "megatron_f32.log": "linear(0, 4e-4, 10) >> cosine(4e-4, 4e-5, 290)",
    "config_dict.log": "linear(0.001, 0, 1000)",
    "early_lag_trainer_state.json": "linear(0, 1e-05, 500) >> linear(1e-05, 0, 14500)",
    "yolo_bias_group.csv": "linear(0.1, 0, 3).shifted(Fraction(-384, 385))"
    " + linear(0, 1, 3).shifted(Fraction(-384, 385)) * linear(0.01, 0.0001, 100)",
    "yolo_nb6_30.csv": "linear(0, 1, Fraction(50, 3)).shifted(Fraction(-5, 6)) * linear(0.000769, 7.69e-06, 30)",
    "yolo_nb32.csv": "linear(0, 1, 3.125).shifted(-0.96875) * linear(0.002, 2e-5, 600)",
    "zero.csv": "constant(0)",
    "warmup_only.csv": "linear(0, 5e-07, 510)",
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_was_configured_is_recovered(name: str) -> None:
    found = recover(read(DATA / name))
    assert found.exact
    assert found.schedule == parse(KNOWN[name])


@pytest.mark.parametrize("name", ["unit_epoch_hides_rows.csv", "yolo_warmup_only.csv"])
def test_what_rows_cannot_tell_is_not_recovered(name: str) -> None:
    found = recover(read(DATA / name))
    assert found.schedule is None
    assert not found.exact


def test_the_lags_of_a_log_that_skips_from_its_first_row() -> None:
    found = recover(read(DATA / "early_lag_trainer_state.json"))
    assert [lag for _, lag in found.lags] == [3, 4, 5, 6, 7]
    assert found.lags[0][0] == 100


def test_updates_that_a_log_says_were_skipped_are_its_lags() -> None:
    log = read(DATA / "deepspeed_skipped.log")
    found = recover(log)
    assert found.lags[0] == (10.0, 6)
    np.testing.assert_allclose(found.rates(log.clock), log.rates[:, 0], rtol=1e-12)


def a_log(clock: np.ndarray, rates: np.ndarray, **more: object) -> Log:
    rates = np.asarray(rates, float)[:, None]
    return Log("test", clock, rates, np.spacing(np.abs(rates)) / 2, np.zeros(len(clock), np.int64), ("lr",), **more)  # type: ignore[arg-type]


def test_by_epochs_only_where_every_epoch_has_one_rate() -> None:
    clock = np.arange(1.0, 521)
    epochs = np.repeat(np.arange(1.0, 41), 13)
    found = recover(a_log(clock, 0.1 * 0.5 ** ((epochs - 1) // 10), epochs=epochs))
    assert (str(found.schedule), found.unit) == ("step(0.1, 10, 0.5)", "epoch")
    rates = 0.1 * 0.5 ** ((epochs - 1) // 10)
    rates[5::13] *= np.linspace(1, 2, 40)  # one row of each epoch
    assert not recover(a_log(clock, rates, epochs=epochs), unit="epoch").exact


def test_rows_with_other_rates_that_were_left_out_are_not_called_exact() -> None:
    clock = np.concatenate([np.arange(0.0, 300, 10), np.arange(0.0, 1000, 10)])
    schedule = linear(0.01, 0, 1000)
    again = np.asarray(schedule(clock))
    assert recover(a_log(clock, again)).exact
    again[:30] *= 10
    found = recover(a_log(clock, again))
    assert found.schedule == schedule
    assert not found.exact


@pytest.mark.parametrize(
    ("peak", "warm", "total", "decay", "first"),
    [(2e-5, 0, 5000, linear, 2), (3e-4, 120, 4000, cosine, 1), (5e-5, 866, 28866, cosine, 5)],
)
def test_updates_skipped_before_the_first_row(peak: float, warm: int, total: int, decay: object, first: int) -> None:
    schedule: Schedule = decay(peak, 0, total - warm)  # type: ignore[operator]
    schedule = linear(0, peak, warm) >> schedule if warm else schedule
    clock = np.arange(50.0, total * 0.8, 50)
    lag = first + (clock >= total / 3) + (clock >= total / 2)
    found = recover(a_log(clock, np.asarray(schedule(clock - lag)), settings={"max_steps": total}))
    assert found.schedule == schedule
    assert found.exact
    assert found.lags[0] == (50.0, first)


def test_numbers_that_a_log_states_come_before_rounder_ones() -> None:
    clock = np.arange(10.0, 3000, 10)
    rates = np.round(np.asarray(linear(1e-3, 0, 30017)(clock)), 6)  # a line to 0 near 30,000: 6 decimals do not tell
    half = np.full((len(clock), 1), 5e-7)
    log = Log("test", clock, rates[:, None], half, np.zeros(len(clock), np.int64), ("lr",))
    assert recover(log).schedule != linear(1e-3, 0, 30017)
    told = Log("test", *(getattr(log, name) for name in ("clock", "rates", "half", "process", "groups")))
    assert recover(told).schedule == recover(log).schedule
    stating = a_log(clock, rates, settings={"max_steps": 30017})
    assert recover(Log(**(vars(stating) | {"half": half}))).schedule == linear(1e-3, 0, 30017)


@pytest.mark.parametrize(
    ("batches", "epochs", "peak", "share", "bias"),
    [(385, 100, 0.01, 0.01, 0.1), (8, 200, 0.002, 0.01, 0.0), (38, 100, 0.01, 0.1, 0.1), (20, 50, 0.001, 0.01, 0.0)],
)
def test_the_warm_up_of_yolo_trainers(batches: int, epochs: int, peak: float, share: float, bias: float) -> None:
    warm = max(3 * batches, 100)
    rates = []
    for epoch in range(epochs):
        last = (epoch + 1) * batches - 1
        decay = peak * (1 - epoch / epochs) + peak * share * epoch / epochs
        x = min(last / warm, 1)
        rates.append(float(f"{bias + x * (decay - bias) if last <= warm else decay:.5g}"))
    half = 0.5 * 10.0 ** (np.floor(np.log10(rates)) - 4)
    clock = np.arange(1.0, epochs + 1)
    log = Log("test", clock, np.array(rates)[:, None], half[:, None], np.zeros(epochs, np.int64), ("lr",), "epoch")
    begin, length = Fraction(1 - batches, batches), Fraction(warm, batches)
    low = float(f"{peak * share:.12g}")
    meant = linear(0, 1, length).shifted(begin) * linear(peak, low, epochs)
    meant = linear(bias, 0, length).shifted(begin) + meant if bias else meant
    found = recover(log)
    assert (found.schedule, found.exact, found.shift) == (meant, True, -1)


@pytest.mark.parametrize("rows", [2, 20, 500])
def test_a_rate_of_zero_is_a_schedule(rows: int) -> None:
    found = recover(a_log(np.arange(1.0, rows + 1), np.zeros(rows)))
    assert (found.schedule, found.exact) == (constant(0), True)


def test_a_console_row_in_full_does_not_bind_the_others(tmp_path: Path) -> None:
    state = {"max_steps": 400, "log_history": []}
    for step in range(10, 401, 10):
        state["log_history"].append({"step": step, "learning_rate": float(cosine(0.001, 0, 400)(step))})  # type: ignore[attr-defined]
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps(state))
    found = recover(read(path))
    assert (found.schedule, found.exact) == (cosine(0.001, 0, 400), True)


@pytest.mark.parametrize("batches", [6, 34, 427, 1070])
@pytest.mark.parametrize("warm", [0, 5])
def test_a_whole_schedule_that_is_one_update_late_is_shifted(batches: int, warm: int) -> None:
    schedule: Schedule = cosine(0.03, 0.0003, 45)
    schedule = linear(0, 0.03, warm) >> schedule if warm else schedule
    clock = np.arange(1.0, 46 + warm)
    rates = np.array([float(schedule(Fraction(int(epoch) * batches - 1, batches))) for epoch in clock])
    found = recover(a_log(clock, rates, unit="epoch"))
    assert (found.schedule, found.shift) == (schedule.shifted(Fraction(1, batches)), 0)
    assert found.exact
