"""`annealing audit`: words, objects, exit statuses and pictures; and the watch on an optimizer."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from faulty_logs import Case, Plan, train, write

from annealing import ScheduleError, cosine, linear, warm_restarts
from annealing.audit import Log, audit
from annealing.cli import main
from annealing.torch import RateError, Watch

PLAN = Plan("cosine", T=200)


def log_file(folder: Path, rates: list[float]) -> str:
    clock = [float(n) for n in range(1, len(rates) + 1)]
    return str(write(Case(PLAN, clock, rates, ()), folder / "log.csv", "CSV"))


TWO_UNITS = 2 * np.spacing(0.1)  # a cosine of NumPy's against one of Python's


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["audit", *arguments])


def test_a_run_that_follows(tmp_path: Path) -> None:
    result = run(log_file(tmp_path, train(PLAN, 200)), "--expect", PLAN.notation)
    assert result.exit_code == 0
    assert "follows the schedule: 200 rates" in result.output


def test_a_run_that_departs(tmp_path: Path) -> None:
    file = log_file(tmp_path, train(PLAN, 200, steps=4))
    result = run(file, "--expect", PLAN.notation)
    assert result.exit_code == 1
    assert "departs from the schedule at update 2" in result.output
    assert "the scheduler was stepped 4 times per update, from update 1 (stepped-too-often)" in result.output
    assert "the schedule was built for 50 updates, intended 200" in result.output
    told = run(file, "--expect", PLAN.notation, "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["faults"][0]["parameters"] == {"k": 4}


def test_without_an_expectation_it_recovers(tmp_path: Path) -> None:
    result = run(log_file(tmp_path, train(PLAN, 200)), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["schedule"] == "cosine(0.1, 0, 200)"


def yolo_log(path: Path, bias: float, batches: int = 40, epochs: int = 100, late: int = 1, from_epoch: int = 0) -> str:
    """YOLOv5's own loop: the warm-up computes the rate of each batch; the scheduler counts from -1."""
    warm, lines, rate = max(3 * batches, 100), ["epoch,lr/pg0"], 0.0

    def decay(epoch: int) -> float:
        return 0.01 * ((1 - epoch / epochs) * (1 - 0.01) + 0.01)

    scheduled = decay(0)
    for epoch in range(epochs):
        rate = scheduled
        for ni in range(epoch * batches, (epoch + 1) * batches):
            if ni <= warm:
                rate = float(np.interp(ni, [0, warm], [bias, decay(epoch)]))
        lines.append(f"{epoch + 1},{rate:.5g}")
        scheduled = decay(epoch + 1 - (late if epoch >= from_epoch else 0))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("bias", [0.0, 0.1])
def test_the_schedule_that_is_printed_for_a_yolo_log_follows(bias: float, tmp_path: Path) -> None:
    """Its decay is one epoch late after the warm-up: a habit of these trainers, not a step that was skipped."""
    file = yolo_log(tmp_path / "results.csv", bias)
    printed = run(file)
    assert printed.exit_code == 0
    assert "skipped" not in printed.output
    answer = json.loads(run(file, "--json").stdout)
    back = run(file, "--expect", answer["schedule"], "--unit", answer["unit"])
    assert back.exit_code == 0, back.output
    assert "After the warm-up the decay is 1 epoch late, as in YOLO's trainers; --strict refuses that." in back.output
    assert run(file, "--expect", answer["schedule"], "--unit", answer["unit"], "--strict").exit_code == 1


def test_the_habit_of_yolo_trainers_is_granted_to_their_logs_alone(tmp_path: Path) -> None:
    file = Path(yolo_log(tmp_path / "results.csv", 0.0))
    file.write_text(file.read_text().replace("lr/pg0", "lr"))
    expect = "linear(0, 1, 3).shifted(Fraction(-39, 40)) * linear(0.01, 1e-4, 100)"
    assert run(str(file), "--expect", expect).exit_code == 1


@pytest.mark.parametrize(("late", "from_epoch"), [(2, 0), (1, 20)])
def test_a_yolo_log_that_is_late_in_another_way_departs(late: int, from_epoch: int, tmp_path: Path) -> None:
    file = yolo_log(tmp_path / "results.csv", 0.0, late=late, from_epoch=from_epoch)
    expect = "linear(0, 1, 3).shifted(Fraction(-39, 40)) * linear(0.01, 1e-4, 100)"
    assert run(file, "--expect", expect).exit_code == 1


def test_skipped_steps_are_said_of_the_schedule_that_is_printed(tmp_path: Path) -> None:
    rates = [float(cosine(0.1, 0, 200)(n - (n >= 90) - (n >= 140))) for n in range(200)]
    assert "with 2 skipped scheduler steps:" in run(log_file(tmp_path, rates)).output


def test_pictures(tmp_path: Path) -> None:
    out = tmp_path / "audit.png"
    rates = train(PLAN, 200, resume=80, to=lambda _: 0)
    result = run(log_file(tmp_path, rates), "--expect", PLAN.notation, "--out", str(out))
    assert result.exit_code == 1
    assert out.read_bytes().startswith(b"\x89PNG")


def test_what_a_picture_shows() -> None:
    from annealing.audit.picture import draw

    rates = np.array(train(PLAN, 200, resume=80, to=lambda _: 0))
    log = Log(
        "by hand", np.arange(1.0, 201), rates[:, None], np.zeros((200, 1)), np.zeros(200, np.int64), ("0",), shift=-1
    )
    log = replace(log, file="folder/run.csv")
    above, below = draw(audit(log, cosine(0.1, 0, 200))).axes
    drawn = {line.get_gid(): line.get_xydata() for line in (*above.lines, *below.lines)}
    np.testing.assert_allclose(drawn["logged"], np.stack([np.arange(1.0, 201), rates], axis=1))
    assert np.all(drawn["difference"][:80, 1] == pytest.approx(0, abs=TWO_UNITS))
    assert drawn["difference"][80, 1] == pytest.approx(0.1 - 0.05 * (1 + np.cos(np.pi * 0.4)))
    assert drawn["fault"][0][0] == 81
    assert (above.get_ylabel(), below.get_xlabel()) == ("learning rate", "update")
    assert "run.csv\nThe run departs from the schedule at update 81" in above.get_title(loc="left")
    intended, (dots,) = above.lines[0], [line for line in above.lines if line.get_gid() == "logged"]
    assert intended.get_linewidth() > dots.get_markersize()  # it shows on both sides of the dots
    (alone,) = draw(audit(replace(log, rates=np.array(train(PLAN, 200))[:, None]), cosine(0.1, 0, 200))).axes
    assert "The run follows the schedule" in alone.get_title(loc="left")


def test_a_picture_of_what_was_recovered() -> None:
    from annealing.audit import Recovered
    from annealing.audit.picture import draw_recovered

    rates = np.array(train(PLAN, 200, skip=(120,)))
    clock = np.arange(1.0, 201)
    log = Log("by hand", clock, rates[:, None], np.zeros((200, 1)), np.zeros(200, np.int64), ("0",))
    found = Recovered(cosine(0.1, 0, 200), -1, ((121.0, 1),), "update", 0.0, True)
    (above,) = draw_recovered(log, 0, found).axes  # it is exact, so that there is no difference to show
    drawn = {line.get_gid(): line.get_xydata() for line in above.lines}
    assert drawn["fault"][0][0] == 121
    unknown = Recovered(None, 0, (), "update", np.inf, False)
    (above,) = draw_recovered(log, 0, unknown).axes
    assert "no schedule was found" in above.get_title(loc="left")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{log}", "--expect", "cosine(1"], "--expect"),
        (["{log}", "--expect", "constant(0.1)", "--group", "3"], "group must be one of 0"),
        (
            ["{log}", "--expect", "constant(0.1)", "--format", "tape"],
            "unknown format 'tape'; known are trainer_state, ",
        ),
        (["{log}", "--expect", "constant(0.1)", "--columns", "lr"], "--columns must be"),
        (["{log}", "--out", "picture.doc"], "must end in .png, .svg or .pdf"),
        (["{log}", "--expect", "constant(0.1)", "--out", "picture.doc"], "must end in .png, .svg or .pdf"),
        (["nowhere.csv", "--expect", "constant(0.1)"], "nowhere.csv"),
        (["{empty}", "--expect", "constant(0.1)"], "empty.csv"),
        ([], "LOG"),
    ],
)
def test_no_verdict_is_exit_status_2_and_one_error(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    names = {"log": log_file(tmp_path, train(PLAN, 20)), "empty": str(tmp_path / "empty.csv")}
    result = run(*(argument.format(**names) for argument in arguments))
    assert result.exit_code == 2
    assert said in result.output
    assert result.output.count("Error:") == 1
    assert "Traceback" not in result.output


def optimizer_of(groups: int = 1, lr: Any = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [torch.zeros(1)], "lr": lr} for _ in range(groups)])


def test_a_watch_is_silent_while_all_is_right() -> None:
    optimizer = optimizer_of(2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    watch = Watch(optimizer, cosine(0.1, 0, 50), on_departure="raise")
    for _ in range(50):
        optimizer.step()
        scheduler.step()
    assert (watch.follows, watch.done, watch.verdict().follows) == (True, 50, True)


def test_a_watch_names_the_fault_at_the_first_wrong_update() -> None:
    optimizer = optimizer_of()
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, 100)
    Watch(optimizer, linear(0.1, 0.001, 100), on_departure="raise")
    for _ in range(30):
        optimizer.step()
        scheduler.step()
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer_of(), 1.0, 0.01, 100)  # resumed without its state
    optimizer.param_groups[0]["lr"] = 0.1
    with pytest.raises(RateError, match=r"update 31 uses the rate 0.1 in param group 0, .* says 0.0703"):
        optimizer.step()


def test_a_watch_says_what_is_likely() -> None:
    optimizer, schedule = optimizer_of(), cosine(0.1, 0, 100)
    watch = Watch(optimizer, schedule, attach=False)
    for n in range(4):
        optimizer.param_groups[0]["lr"] = schedule(4 * n)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            watch.check()
        assert len(caught) == (n == 1)
    assert not watch.follows
    faults = (watch.verdict().faults, *watch.verdict().alternatives)
    assert any(
        fault.name == "stepped-too-often" and fault.parameters == {"k": 4} for named in faults for fault in named
    )


def test_a_watch_warns_once_and_can_be_removed() -> None:
    optimizer = optimizer_of()
    watch = Watch(optimizer, cosine(0.2, 0, 100))
    with pytest.warns(RuntimeWarning, match="update 1 uses the rate 0.1"):
        optimizer.step()
    optimizer.step()
    watch.remove()
    optimizer.step()
    assert watch.done == 2


def test_groups_with_a_scale_of_their_own() -> None:
    optimizer, schedule = optimizer_of(2), warm_restarts(0.1, T_0=5)
    watch = Watch(optimizer, schedule, scale=[1, 0.5], on_departure="raise")
    optimizer.param_groups[1]["lr"] = 0.05
    optimizer.step()
    optimizer.param_groups[0]["lr"] = schedule(1)
    optimizer.param_groups[1]["lr"] = schedule(1)
    with pytest.raises(RateError, match="param group 1"):
        optimizer.step()
    assert watch.done == 2
    with pytest.raises(ScheduleError, match="scale must have one number for each of 2"):
        Watch(optimizer, schedule, scale=[1])
    with pytest.raises(ScheduleError, match="on_departure"):
        Watch(optimizer, schedule, on_departure="shout")  # type: ignore[arg-type]


def test_the_fault_of_a_later_group_is_named() -> None:
    optimizer, schedule = optimizer_of(2), cosine(0.1, 0, 100)
    watch = Watch(optimizer, schedule, scale=[1, 0.5], attach=False)

    def check(n: int) -> None:
        optimizer.param_groups[0]["lr"] = schedule(n)
        optimizer.param_groups[1]["lr"] = 0.5 * schedule(4 * n)
        watch.check()

    check(0)
    with pytest.warns(RuntimeWarning, match=r"update 2 uses .* in param group 1, .* says 0.0499877$"):
        check(1)

    def check_all() -> None:
        for n in range(2, 60):
            check(n)

    with pytest.warns(RuntimeWarning, match=r"param group 1 are wrong from update 2 on: .*stepped 4 times per update"):
        check_all()
    assert watch.verdict().follows
    (fault,) = watch.verdict(1).faults
    assert (fault.name, fault.parameters) == ("stepped-too-often", {"k": 4})


def test_rates_in_tensors_are_read_with_their_precision() -> None:
    optimizer, schedule = optimizer_of(lr=torch.tensor(0.1)), cosine(0.1, 0, 20)
    Watch(optimizer, schedule, on_departure="raise")
    for n in range(20):
        optimizer.param_groups[0]["lr"].fill_(schedule(n))
        optimizer.step()
    optimizer.param_groups[0]["lr"].fill_(1e-6)
    with pytest.raises(RateError, match="update 21"):
        optimizer.step()


def test_a_watch_remembers_a_long_run_in_bounded_memory() -> None:
    optimizer = optimizer_of()
    watch = Watch(optimizer, linear(0.1, 0.1, 10), attach=False)
    for _ in range(20_000):
        watch.check()
    assert len(watch._kept.spread) <= 4096 + 128
    assert len(watch.verdict().evidence) > 1000
