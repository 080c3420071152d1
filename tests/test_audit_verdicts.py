"""What an audit says of logs as users have them: faults of every size, and what the rows cannot tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from annealing import (
    Schedule,
    constant,
    cosine,
    diff,
    exponential,
    inverse_sqrt,
    linear,
    multistep,
    one_cycle,
    parse,
    step,
    warm_restarts,
    warmup,
    wsd,
)
from annealing.audit import Log, Verdict, audit, read
from annealing.audit.faults import ADVICE, canonical_name
from annealing.cli import main

DATA = Path(__file__).parent / "data" / "audit"


def by_hand(rates: Any, clock: Any = None, half: float = 0.0, shift: int | None = -1, **more: Any) -> Log:
    rates = np.asarray(rates, np.float64)[:, None]
    clock = np.arange(1.0, len(rates) + 1) if clock is None else np.asarray(clock, np.float64)
    process = np.zeros(len(rates), np.int64)
    return Log("by hand", clock, rates, np.full(rates.shape, half), process, ("0",), shift=shift, **more)


def names(verdict: Verdict) -> list[str]:
    return [fault.name for fault in verdict.faults]


def n(count: int) -> Any:
    return np.arange(float(count))


@pytest.mark.parametrize(
    ("file", "expect", "fault", "parameters"),
    [
        ("deepspeed_skipped.log", "cosine(9.65e-6, 0, 740)", None, {}),
        ("megatron_f32.log", "linear(0, 4e-4, 10) >> cosine(4e-4, 4e-5, 290)", None, {}),
        ("console_jitter_same_step.log", "cosine(5e-5, 0, 100)", None, {}),
        (
            "early_lag_trainer_state.json",
            "linear(0, 1e-5, 500) >> linear(1e-5, 0, 14500)",
            "skipped-scheduler-steps",
            {"lag": 7},
        ),
        ("rises_again.csv", "linear(0, 1, 30) >> constant(1, 70) >> constant(0.1)", "constant", {"at": 150, "rate": 1}),
        ("milestones.csv", "multistep(0.04, [1020, 1080], 0.1)", "milestones-edited", {"milestones": [390, 400, 410]}),
        ("console_two_skipped.log", "cosine(5e-5, 0, 2000)", "skipped-scheduler-steps", {"lag": 2, "times": 2}),
        ("console_jitter_peak.log", "cosine(5e-5, 0, 2000)", "wrong-peak", {"peak": 2e-4}),
    ],
)
def test_logs_as_users_have_them(file: str, expect: str, fault: str | None, parameters: dict[str, Any]) -> None:
    verdict = audit(read(DATA / file), parse(expect))
    assert verdict.follows == (fault is None)
    if fault is not None:
        assert names(verdict) == [fault]
        assert parameters.items() <= verdict.faults[0].parameters.items()


def test_a_clock_that_repeats_a_value_is_one_run() -> None:
    log = read(DATA / "mmengine_epoch.json", columns={"epoch": "epoch", "rate": ["lr"]})
    assert audit(log, multistep(0.001, [5], 0.1)).follows
    clock = np.repeat(np.arange(1.0, 101), 4)  # each update logged once per micro-batch
    verdict = audit(by_hand(cosine(0.1, 0, 100)(clock - 1), clock), cosine(0.1, 0, 100))
    assert verdict.follows
    assert "runs" not in str(verdict)


@pytest.mark.parametrize("k", [7, 65, 391, 1563])
@pytest.mark.parametrize(
    "meant", [cosine(0.1, 0, 30), multistep(0.1, [10, 20]), linear(0, 0.1, 5) >> linear(0.1, 0, 25)], ids=str
)
def test_a_schedule_in_epochs_that_is_stepped_at_every_update(meant: Schedule, k: int) -> None:
    verdict = audit(by_hand(meant(n(2 * k))), meant.stretched(k))
    assert names(verdict) == ["stepped-too-often"]
    assert verdict.faults[0].parameters == {"k": k}


@pytest.mark.parametrize("factor", [0.01, 0.37, 3, 100, 12345])
@pytest.mark.parametrize("make", [lambda T: cosine(0.1, 0, T), lambda T: linear(0.1, 0.001, T)])
def test_a_horizon_of_any_size(make: Any, factor: float) -> None:
    horizon = round(3000 * factor)
    clock = np.arange(10.0, 2000, 10)
    verdict = audit(by_hand(make(horizon)(clock - 1), clock), make(3000))
    found = [one for faults in (verdict.faults, *verdict.alternatives) for one in faults]
    assert any(one.parameters.get("horizon") == horizon for one in found)


@pytest.mark.parametrize("k", [2, 3, 4, 8])
def test_stepped_too_often_and_up_again_after_the_end(k: int) -> None:
    """The cosines of PyTorch and Transformers rise again after their end; the warm-up is a scheduler of its own."""
    position = k * n(1000)
    rates = np.where(position < 100, 1e-4 * position / 100, 5e-5 * (1 + np.cos(np.pi * (position - 100) / 900)))
    verdict = audit(by_hand(rates), linear(0, 1e-4, 100) >> cosine(1e-4, 0, 900))
    assert names(verdict) == ["stepped-too-often", "rebound-after-the-end"]
    assert verdict.faults[0].parameters == {"k": k}
    assert verdict.faults[1].from_update == pytest.approx(1000 / k + 1)


@pytest.mark.parametrize("make", [lambda T: cosine(1e-3, 0, T), lambda T: one_cycle(1e-3, T)])
def test_a_quarter_of_the_horizon_and_again(make: Any) -> None:
    verdict = audit(by_hand(make(250).beyond("repeat")(n(1000))), make(1000))
    alike = [faults for faults in (verdict.faults, *verdict.alternatives) if "horizon" in faults[0].parameters]
    assert names(verdict)[1] == "rebound-after-the-end"
    assert alike[0][0].parameters["horizon"] == 250
    assert alike[0] in verdict.equivalent  # "stepped 4 times" is the same schedule


def test_a_line_that_goes_on_below_its_floor() -> None:
    verdict = audit(by_hand(1e-3 * (1 - n(1000) / 500)), linear(1e-3, 0, 500))
    assert names(verdict) == ["goes-on-after-the-end"]
    assert verdict.first is not None
    assert verdict.first.update == 502


def test_reversed() -> None:
    verdict = audit(by_hand(0.02 * n(811) / 811), linear(0.02, 0, 811))
    assert names(verdict) == ["reversed"]
    verdict = audit(by_hand(cosine(0.3, 0.1, 400)(400 - n(400))), cosine(0.3, 0.1, 400))
    assert names(verdict) == ["reversed"]


@pytest.mark.parametrize(
    ("length", "name"), [(120, "warm-up-stretched"), (10, "warm-up-clipped"), (0, "warm-up-missing")]
)
def test_a_warm_up_that_multiplies(length: int, name: str) -> None:
    decay = linear(0.01, 1e-4, 1000)
    used = warmup(decay, length, place="times") if length else decay
    verdict = audit(by_hand(used(n(1000))), warmup(decay, 30, place="times"))
    assert names(verdict) == [name]
    if length:
        assert verdict.faults[0].parameters["length"] == length


def test_faults_inside_a_sum() -> None:
    """As YOLO warms up its biases: a line that falls, plus one that rises times the decay."""
    falling, rising = linear(0.1, 0, 30), linear(0, 1, 30)
    meant, used = (falling + rising * linear(0.01, 1e-4, T) for T in (1000, 500))
    verdict = audit(by_hand(used(n(1000))), meant)
    found = [one for faults in (verdict.faults, *verdict.alternatives) for one in faults]
    assert not verdict.follows
    assert any(one.parameters.get("horizon") == 500 or one.parameters == {"k": 2} for one in found)


def test_a_verdict_carries_the_schedule_that_the_run_did_follow() -> None:
    meant = linear(0, 0.1, 50) >> cosine(0.1, 0, 950)
    verdict = audit(by_hand(meant(np.where(n(1000) < 437, n(1000), n(1000) - 437))), meant)
    assert verdict.followed == meant.until(437) >> meant
    assert parse(str(verdict.followed)) == verdict.followed
    assert verdict.followed is not None
    assert verdict.followed.fingerprint.startswith("an1:")
    assert "first difference: at 437" in diff(meant, verdict.followed, 1000)


def parameters(verdict: Verdict) -> dict[str, Any]:
    """The numbers of all its faults."""
    return {name: value for fault in verdict.faults for name, value in fault.parameters.items()}


@pytest.mark.parametrize("horizon", [853, 1100])
def test_a_hold_that_is_shorter_or_longer(horizon: int) -> None:
    meant, used = (wsd(0.1, 0, T_warmup=50, T_stable=T - 250, T_cooldown=200) for T in (1000, horizon))
    verdict = audit(by_hand(used(n(1100))), meant)
    assert names(verdict) == ["schedule-shorter-than-the-run" if horizon < 1000 else "wrong-horizon"]
    assert parameters(verdict)["horizon"] == horizon
    assert verdict.faults[-1].residual_after < 1e-12


def test_much_faster_in_a_hold() -> None:
    meant = wsd(0.1, 0, T_warmup=50, T_stable=750, T_cooldown=200)
    verdict = audit(by_hand(meant(np.where(n(1000) < 437, n(1000), 437 + 20 * (n(1000) - 437)))), meant)
    assert names(verdict) == ["stepped-too-often"]
    assert parameters(verdict)["k"] == 20


def test_two_numbers_of_one_schedule() -> None:
    meant = linear(0, 0.1, 50) >> cosine(0.1, 0.001, 950)
    longer = audit(by_hand((linear(0, 0.1, 100) >> cosine(0.1, 0.001, 1300))(n(1000))), meant)
    assert names(longer) == ["warm-up-stretched", "wrong-horizon"]
    assert {"length": 100, "horizon": 1400}.items() <= parameters(longer).items()
    lower = audit(by_hand((linear(0, 0.1, 50) >> cosine(0.1, 0, 1350))(n(1000))), meant)
    assert sorted(names(lower)) == ["floor-ignored", "wrong-horizon"]
    assert {"floor": 0, "horizon": 1400}.items() <= parameters(lower).items()


def test_backwards_and_twice_as_fast() -> None:
    meant = cosine(0.3, 0.1, 400)
    verdict = audit(by_hand(meant(np.maximum(400 - 2 * n(400), 0))), meant)
    assert sorted(names(verdict)) == ["reversed", "stepped-too-often"]


def test_a_warm_up_of_another_length_before_a_decay_without_an_end() -> None:
    """inverse_sqrt(0.1, 120) is inverse_sqrt(0.1, 50) stretched by 120 / 50."""
    verdict = audit(by_hand(inverse_sqrt(0.1, 120)(n(1000))), inverse_sqrt(0.1, 50))
    assert names(verdict) == ["warm-up-stretched"]
    assert parameters(verdict)["length"] == 120


def test_milestones_after_a_warm_up_and_of_a_constant() -> None:
    stairs = np.select([n(900) < 200, n(900) < 600], [0.1, 0.01], 0.001)
    rates = np.where(n(900) < 50, 0.1 * n(900) / 50, stairs)
    verdict = audit(by_hand(rates), linear(0, 0.1, 50) >> multistep(0.1, [250, 550]))
    assert names(verdict) == ["milestones-edited"]
    assert parameters(verdict)["milestones"] == [200, 600]
    verdict = audit(by_hand(stairs), constant(0.1))
    assert parameters(verdict)["milestones"] == [200, 600]


def test_the_peak_that_a_warm_up_multiplies() -> None:
    """No rate is 0.1, because the decay has begun when the warm-up ends, but 0.1 is what was configured."""
    meant = warmup(cosine(0.1, 0, 1000), 30, place="times")
    verdict = audit(by_hand(3 * meant(n(1000))), meant)
    assert names(verdict) == ["wrong-peak"]
    assert parameters(verdict) == {"peak": 0.3, "intended": 0.1}


def test_much_faster_after_a_resume_and_soon_at_the_end() -> None:
    meant = linear(0.1, 0, 1000)
    verdict = audit(by_hand(meant(np.where(n(1000) < 437, n(1000), 437 + 20 * (n(1000) - 437)))), meant)
    assert names(verdict) == ["stepped-too-often"]
    assert {"k": 20, "at": 437}.items() <= parameters(verdict).items()


def test_a_log_that_nothing_fits_is_answered_with_few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is counted in evaluations of schedules, since seconds depend on the machine."""
    calls = 0
    evaluate = Schedule.__call__

    def counted(self: Schedule, t: Any) -> Any:
        nonlocal calls
        calls += 1
        return evaluate(self, t)

    monkeypatch.setattr(Schedule, "__call__", counted)
    verdict = audit(by_hand(np.random.default_rng(0).random(2000)), warm_restarts(0.1, T_0=20))
    assert names(verdict) == ["unknown"]
    assert calls < 5000


# What the rows cannot tell.

WARM = linear(0, 0.1, 100)
LONG = [WARM >> cosine(0.1, 0, 1900), WARM >> linear(0.1, 0, 1900)]
ENDLESS = WARM >> warm_restarts(0.1, T_0=300)


@pytest.mark.parametrize("schedule", LONG, ids=str)
def test_a_warm_up_alone_cannot_tell_what_comes_after_it(schedule: Schedule) -> None:
    clock = np.arange(9.0, 91, 9)
    verdict = audit(by_hand(schedule(clock - 1), clock), schedule)
    assert (verdict.status, verdict.faults) == ("no verdict", ())
    assert "a warm-up cannot tell what comes after it" in str(verdict)
    assert "The rows cover updates 9 to 90 of 2000 (4.1 %), 1 of 2 parts of the schedule;" in str(verdict)
    assert "updates 91 to 2000 were not seen." in str(verdict)


def test_a_warm_up_before_restarts_without_an_end_cannot_tell_them() -> None:
    clock = np.arange(9.0, 91, 9)
    assert audit(by_hand(ENDLESS(clock - 1), clock), ENDLESS).status == "no verdict"


@pytest.mark.parametrize(
    "schedule",
    [
        cosine(0.1, 0, 1000),
        linear(0.1, 0.01, 1000),
        multistep(0.1, [500, 800]),
        step(0.1, 400),
        warm_restarts(0.1, T_0=500),
        wsd(0.1, 0, T_warmup=50, T_stable=800, T_cooldown=150),
        one_cycle(0.1, 1000),
        *LONG,
    ],
    ids=str,
)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("digits", [3, 17])
def test_no_truncated_log_gives_a_verdict_that_its_rows_cannot_carry(
    schedule: Schedule, share: float, digits: int
) -> None:
    """Where a constant, a line, a cosine or another length gives the same printed rates, there is no verdict."""
    clock = np.arange(10.0, share * (schedule.duration or 1000) + 1, 10)
    if len(clock) < 2:
        return
    rates = np.array([float(f"{rate:.{digits - 1}e}") for rate in schedule(clock - 1)])
    half = 0.5 * 10 ** (np.floor(np.log10(np.maximum(rates, 1e-12))) - digits + 1)
    log = by_hand(rates, clock)
    log.half[:, 0] = half
    verdict = audit(log, schedule)
    assert verdict.status in ("follows", "no verdict")
    last = float(clock[-1]) - 1
    same = [
        other
        for other in (constant(rates[0]), schedule.until(last) >> constant(0.0))
        if np.all(np.abs(other(clock - 1) - rates) <= half)
    ]
    flat = [other for other in same if other == constant(rates[0])]
    if flat and share < 1:
        assert verdict.status == "no verdict"
    if verdict.status == "follows":
        assert "were not seen" in str(verdict) or "no end" in str(verdict)


def test_a_last_part_that_rises_is_told_from_others_too() -> None:
    schedule = cosine(0.1, 0, 100) >> linear(0, 0.1, 100)
    assert audit(by_hand(schedule(n(130))), schedule).follows


def test_rows_that_were_only_counted_never_give_status_1() -> None:
    verdict = audit(by_hand(cosine(0.2, 0, 100)(n(100)), counted=True), cosine(0.1, 0, 100))
    assert verdict.status == "no verdict"
    assert "only counted" in str(verdict)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["audit", *arguments])


def written(folder: Path, rates: Any) -> str:
    file = folder / "log.csv"
    file.write_text("step,lr\n" + "".join(f"{i + 1},{rate!r}\n" for i, rate in enumerate(np.asarray(rates).tolist())))
    return str(file)


@pytest.mark.parametrize("expect", [[], ["--expect", "cosine(0.1, 0, 100)"]])
def test_every_answer_begins_with_what_was_read(expect: list[str], tmp_path: Path) -> None:
    file = written(tmp_path, cosine(0.1, 0, 100)(n(100)))
    text = run(file, *expect).output
    assert text.startswith(
        f"Read as csv from {file}: 100 rows, updates 1 to 100, 17 digits.\nThe rows cover updates 1 to 100"
    )
    told = json.loads(run(file, *expect, "--json").stdout)
    assert told["source"]["rows"] == 100
    assert told["source"]["clock"] == {"unit": "update", "first": 1.0, "last": 100.0, "counted": False}
    assert told["coverage"]["duration"] == 100


def test_exit_statuses(tmp_path: Path) -> None:
    right = written(tmp_path, cosine(0.1, 0, 100)(n(100)))
    assert run(right, "--expect", "cosine(0.1, 0, 100)").exit_code == 0
    assert run(right, "--expect", "cosine(0.2, 0, 100)").exit_code == 1
    assert run(written(tmp_path, [0.1]), "--expect", "cosine(0.1, 0, 100)").exit_code == 2


def test_whatever_happens_status_1_means_that_the_run_departs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from annealing.audit import audit_command

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(audit_command, "held_against", broken)
    result = run(written(tmp_path, cosine(0.1, 0, 100)(n(100))), "--expect", "cosine(0.1, 0, 100)")
    assert result.exit_code == 2
    assert "ZeroDivisionError('a bug')" in result.output


def test_annotations_for_github(tmp_path: Path) -> None:
    file = written(tmp_path, cosine(0.1, 0, 100)(n(100)))
    wrong = run(file, "--expect", "cosine(0.2, 0, 100)", "--format", "github")
    assert wrong.exit_code == 1
    (line,) = [line for line in wrong.output.splitlines() if line.startswith("::")]
    assert line.startswith(f"::error file={file},title=annealing audit::Read as csv")
    assert "%0A" in line
    assert "::" not in run(file, "--expect", "cosine(0.1, 0, 100)", "--format", "github").output


def test_the_unit_of_the_schedule(tmp_path: Path) -> None:
    file = tmp_path / "log.json"
    history = [{"step": i, "epoch": i / 50, "learning_rate": cosine(0.1, 0, 10)(i / 50)} for i in range(10, 501, 10)]
    file.write_text(json.dumps({"global_step": 500, "log_history": history}))
    assert run(str(file), "--expect", "cosine(0.1, 0, 10)", "--unit", "epoch").exit_code == 0
    assert run(str(file), "--expect", "cosine(0.1, 0, 500)", "--unit", "update").exit_code == 0


def test_names_of_older_verdicts_are_read() -> None:
    old = ["clock x k", "clock / k", "epoch for step", "step for epoch", "held for an epoch", "warm-up repeated"]
    new = ["stepped-too-often", "stepped-too-rarely", "stepped-per-epoch", "stepped-per-update", "held-for-an-epoch"]
    assert [canonical_name(name) for name in old] == [*new, "warm-up-repeated"]
    assert all(canonical_name(name) == name for name in ADVICE)
    for name in ADVICE:
        assert (
            canonical_name(name.replace("-", " ").replace("warm up", "warm-up").replace("hand over", "hand-over"))
            == name
        )


def test_an_exponential_decay_has_no_end() -> None:
    assert "the schedule has no end" in str(audit(by_hand(exponential(0.1, 0.99)(n(100))), exponential(0.1, 0.99)))
