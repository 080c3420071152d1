"""Logs as programs write them: every row, at its own update, with a tolerance that the true rate keeps."""

# ruff: noqa: E501 (lines of logs as they are)
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from faulty_logs import Plan
from logging_programs import PROGRAMS, updates_logged, write_log

from annealing import Schedule, constant, cosine, linear, multistep
from annealing.audit import audit, read, recover
from annealing.cli import main

SCHEDULE = linear(0, 0.05, 60) >> cosine(0.05, 0, 540)
TOTAL = 600


def rows(name: str, schedule: Schedule, per: int, every: int) -> list[tuple[int, float]]:
    program = PROGRAMS[name]
    return [(n, float(schedule(n + program.shift))) for n in updates_logged(program, TOTAL, per, every)]


@pytest.mark.parametrize(("per", "every"), [(83, 10), (100, 20), (97, 1)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_logs_of_programs_are_read_and_follow(name: str, per: int, every: int, tmp_path: Path) -> None:
    if PROGRAMS[name].form == "tensorboard":
        pytest.importorskip("tensorboard")
    program, told = PROGRAMS[name], rows(name, SCHEDULE, per, every)
    log = read(write_log(program, tmp_path / program.name, told, per, TOTAL))
    assert (log.format, log.unit) == (program.form, "epoch" if program.by_epoch else "update")
    assert len(log) == len(told)
    assert (np.abs(log.rates[:, 0] - [rate for _, rate in told]) <= log.half[:, 0] * (1 + 1e-9) + 1e-18).all()
    if log.length is None:
        off = log.clock - [n for n, _ in told]
        assert np.ptp(off) == 0  # some count from 0
        assert off[0] in (-1, 0)
    else:
        assert program.derived
        assert log.length.least <= per <= log.length.most
    verdict = audit(log, SCHEDULE)
    assert verdict.follows, str(verdict)
    assert verdict.source["rows"] == len(told)


DERIVED = [name for name, program in PROGRAMS.items() if program.derived]


@pytest.mark.parametrize("name", DERIVED)
def test_an_epoch_length_that_is_derived(name: str, tmp_path: Path) -> None:
    """The rates show it where they have digits enough; otherwise there is a verdict only if no length changes it."""
    program, per = PROGRAMS[name], 83
    file = write_log(program, tmp_path / program.name, rows(name, SCHEDULE, per, 10), per, TOTAL)
    log = read(file)
    assert any("does not say how many updates an epoch has" in one for one in log.repairs)
    wrong = audit(log, linear(0, 0.05, 60) >> cosine(0.05, 0, 2000))
    assert wrong.status == ("departs" if log.length is None else "no verdict")
    # Rates that change within the first epoch alone are told whatever its length is.
    early = linear(0, 0.05, 40) >> constant(0.05)
    log = read(write_log(program, tmp_path / program.name, rows(name, early, per, 10), per, TOTAL))
    assert log.length is not None
    assert (log.length.least, log.length.most) == (80, 89)
    assert audit(log, early).follows
    assert recover(log).exact
    # And rates that are too coarse to show it give no schedule that would be exact.
    coarse = linear(0.003, 0, TOTAL) if name == "mmcv's .log.json" else linear(3e-5, 0, TOTAL)
    log = read(write_log(program, tmp_path / program.name, rows(name, coarse, per, 10), per, TOTAL))
    assert log.length is None or not recover(log).exact


def test_rows_that_end_an_epoch_each_have_two_clocks(tmp_path: Path) -> None:
    """A row for each epoch, 64 of 64 iterations: its clock is the epoch, and the update where that is asked for."""
    program = PROGRAMS["YOLOX"]
    file = write_log(program, tmp_path / "log", rows("YOLOX", SCHEDULE, 64, 64), 64, TOTAL)
    assert (read(file).unit, read(file).clock.tolist()) == ("epoch", list(range(1, 10)))
    log = read(file, unit="update")
    assert log.clock.tolist() == [64 * n for n in range(1, 10)]
    assert audit(log, SCHEDULE).follows


@pytest.mark.parametrize("digits", [3, 4, 6, 9, 17])
@pytest.mark.parametrize(
    "schedule", [SCHEDULE, multistep(0.0123, [200, 400], 0.1), Plan("sum", warmup=30).schedule], ids=str
)
@pytest.mark.parametrize("name", ["CSV", "JSON lines", "a console", "W&B"])
def test_digits_are_found(name: str, schedule: Schedule, digits: int, tmp_path: Path) -> None:
    """Whatever number of digits a program chose: a clean log is never said to depart."""
    program = PROGRAMS[name]
    for updates in (TOTAL, 60, 20):
        told = [row for row in rows(name, schedule, 100, 5) if row[0] <= updates]
        log = read(write_log(program, tmp_path / program.name, told, 100, TOTAL, digits))
        assert audit(log, schedule).status != "departs", updates
        if updates == TOTAL:
            assert np.median(log.half[:, 0] / log.rates[:, 0]) < 10.0 ** (1 - min(digits, 6))


def test_a_log_with_a_clock_comes_before_one_without(tmp_path: Path) -> None:
    """DeepSpeed under Transformers' Trainer: both print the rate, and only DeepSpeed prints the step."""
    lines = [
        f"[Rank 0] step={n}, skipped=0, lr=[{rate!r}], mom=[(0.9, 0.95)]\n{{'loss': 1.5, 'learning_rate': {rate!r}, 'epoch': 0.5}}\n"
        for n, rate in rows("DeepSpeed", SCHEDULE, 100, 10)
    ]
    (tmp_path / "log").write_text("".join(lines))
    log = read(tmp_path / "log")
    assert (log.format, log.clock.tolist(), log.counted) == ("deepspeed", list(range(10, 601, 10)), False)


def test_means_tell_no_fault(tmp_path: Path) -> None:
    """ESPnet prints the mean over the last updates: at a corner it is no rate of the schedule."""
    line = (
        "[h:0/1] 2021-05-01 (trainer:721) INFO: {}epoch:train:{}-{}batch: loss=5.5, optim0_lr0={:.3e}, train_time=0.4\n"
    )
    corner = linear(0, 1e-3, 55) >> cosine(1e-3, 0, 545)

    def text(schedule: Schedule) -> str:
        begins = [(e, k, np.mean(schedule(60 * e + k + np.arange(10)))) for e in range(10) for k in range(0, 60, 10)]
        return "".join(line.format(e + 1, k + 1, k + 10, mean) for e, k, mean in begins)

    (tmp_path / "log").write_text(text(corner))
    log = read(tmp_path / "log")
    assert log.averaged
    verdict = audit(log, corner)
    assert (verdict.status, "is a mean" in verdict.doubt) == ("no verdict", True)
    assert audit(log, linear(0, 2e-3, 55) >> cosine(2e-3, 0, 545)).status == "departs"
    straight = linear(1e-3, 0, 600)
    (tmp_path / "log").write_text(text(straight))
    assert audit(read(tmp_path / "log"), straight).follows


def test_text_without_means_that_is_a_step_late_departs(tmp_path: Path) -> None:
    file = tmp_path / "train.log"
    rows = [f"iteration {n} learning_rate {SCHEDULE(max(n - 2, 0)):.10g}\n" for n in range(1, 200, 5)]
    file.write_text("".join(rows))
    verdict = audit(read(file), SCHEDULE)
    assert verdict.status == "departs"
    assert verdict.faults[0].name == "offset"


@pytest.mark.parametrize(
    ("name", "per", "every", "schedule", "unit"),
    [
        ("YOLOX", 64, 64, SCHEDULE, "update"),
        ("mmengine's scalars", 30, 1, cosine(0.1, 0, 20).stretched(30).held(30), "epoch"),
    ],
)
def test_the_other_clock_is_named(
    name: str, per: int, every: int, schedule: Schedule, unit: str, tmp_path: Path
) -> None:
    """A log with both clocks that departs by one and follows by the other says so, and the user decides."""
    file = write_log(PROGRAMS[name], tmp_path / "log", rows(name, schedule, per, every), per, TOTAL)
    meant = "cosine(0.1, 0, 20)" if unit == "epoch" else str(SCHEDULE)
    departs = CliRunner().invoke(main, ["audit", str(file), "--expect", meant])
    assert departs.exit_code == (1 if unit == "epoch" else 2)  # where the reader chose the epochs it may be wrong
    assert f"add --unit {unit}" in departs.output
    follows = CliRunner().invoke(main, ["audit", str(file), "--expect", meant, "--unit", unit])
    assert follows.exit_code == 0


def test_two_rows_recover_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,lr\n1,0.1\n2,0.1\n")
    result = CliRunner().invoke(main, ["audit", str(tmp_path / "log.csv")])
    assert result.exit_code == 2
    assert "fewer than 3 rows have a rate" in result.output


def test_an_object_of_lists_in_one_line(tmp_path: Path) -> None:
    clock = list(range(1, 31))
    (tmp_path / "log.json").write_text(json.dumps({"lr": [0.1 / n for n in clock], "step": clock}))
    log = read(tmp_path / "log.json")
    assert (log.clock.tolist(), log.rates[:, 0].tolist()) == (clock, [0.1 / n for n in clock])
