"""The whole comparison, small: the command, worker processes that die, and going on after a stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from compare_cases import files

from annealing.cli import Group
from annealing.compare import WorkerError, compare, engine, sgdr, tabulated
from annealing.compare.compare_command import compare as command
from annealing.compare.store import open_store

ONLY = ["step-0.1", "restarts-10-2"]
SMALL = ["--budget", "2", "--seeds", "2", "--workers", "2", *(x for key in ONLY for x in ("--only", key))]
PROGRAM = [sys.executable, "-c", "from annealing.compare.compare_command import compare; compare()"]
group = Group("annealing", commands=[command])


def small(**changes):
    return sgdr(**{"budget": 2, "seeds": 2, "only": ONLY, **changes})


def rows(directory: Path, trial: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (directory / "trials" / trial / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("compare") / "out"
    result = CliRunner().invoke(group, ["compare", "--out", str(directory), *SMALL, "--json"])
    assert result.exit_code == 0, result.output
    return directory, json.loads(result.stdout)


def test_the_command_leaves_a_whole_report(undisturbed):
    directory, printed = undisturbed
    tables = {"results.csv", "results.json", "run-ends.csv", "cost.csv", "table.txt"}
    pictures = {"report.html", "rates.png", "errors.png"}
    assert {path.name for path in directory.iterdir()} == {"manifest.json", *tables, *pictures, "trials"}
    kept = {"trial.json", "metrics.jsonl", "result.json", "clock.jsonl", "snapshots"}
    for trial in (directory / "trials").iterdir():
        assert {path.name for path in trial.iterdir()} == kept
    assert json.loads((directory / "results.json").read_text()) == printed
    assert [line["key"] for line in printed["lines"]] == ONLY
    for name in ("rates.png", "errors.png"):
        assert (directory / name).read_bytes().startswith(b"\x89PNG")


def test_the_table_is_that_of_the_records(undisturbed):
    directory, printed = undisturbed
    last = [rows(directory, f"step-0.1-seed{seed}")[-1] for seed in (0, 1)]
    errors = [100 * row["error"] for row in last]
    assert [row["epoch"] for row in last] == [2, 2]
    assert printed["lines"][0]["error"]["middle"] == pytest.approx(sum(errors) / 2)
    assert printed["lines"][0]["error"]["low"] == pytest.approx(min(errors))
    # (10, 2) of 200 at a budget of 2: runs end at 0.1, 0.3, 0.7, 1.5 epochs
    ends = [row for row in rows(directory, "restarts-10-2-seed0") if row["epoch"] == 1.5]
    assert ends[0]["lr"] < 0.001
    assert printed["lines"][1]["kept_at"] == 1.5
    assert printed["lines"][1]["error"]["high"] >= 100 * ends[0]["error"] - 1e-9


def test_the_manifest_says_what_was_compared_and_names_no_place(undisturbed):
    directory, _ = undisturbed
    text = (directory / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["experiment"]["seeds"] == [0, 1]
    assert (
        manifest["experiment"]["schedules"]["restarts-10-2"]["schedule"]
        == "warm_restarts(eta_max=0.05, T_0=0.1, T_mult=2)"
    )
    assert manifest["versions"]["torch"]
    assert str(directory) not in text
    assert manifest["command"] == (
        "annealing compare --out DIR --budget 2 --seeds 2 --only step-0.1 --only restarts-10-2"
    )


def test_the_same_command_again_trains_nothing(undisturbed, monkeypatch):
    directory, printed = undisturbed
    before = files(directory)
    monkeypatch.setattr(engine, "Child", None)
    result = CliRunner().invoke(group, ["compare", "--out", str(directory), *SMALL])
    assert result.exit_code == 0, result.output
    # the sentence and the table of results, which the whole report begins with
    assert (directory / "table.txt").read_text().startswith(result.stdout.partition("* baseline")[0])
    assert result.stdout.splitlines()[0].startswith("With 2 epochs and 2 seeds, ")
    assert "restarts (10, 2)" in result.stdout
    assert len(result.output.splitlines()) <= 30
    assert files(directory) == before
    assert tabulated(directory).plain()["lines"] == [*printed["lines"]]
    assert files(directory) == before


def test_another_experiment_is_a_usage_error(undisturbed):
    fewer = [*SMALL[:3], "1", *SMALL[4:]]
    result = CliRunner().invoke(group, ["compare", "--out", str(undisturbed[0]), *fewer])
    assert result.exit_code == 2
    assert "holds another one: seeds [0, 1] there, [0] here" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--budget", "0"], "budget must be a whole number of at least 1, got 0"),
        (["--seeds", "-1"], "seeds must be a whole number of at least 1, got -1"),
        (["--workers", "0"], "workers must be a whole number of at least 1, got 0"),
        (["--only", "adam"], "only must name schedules among step-0.1"),
    ],
)
def test_bad_options_are_usage_errors(tmp_path, options, said):
    result = CliRunner().invoke(group, ["compare", "--out", str(tmp_path / "out"), *options])
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.thorough
def test_a_worker_that_is_killed_is_replaced(undisturbed, tmp_path, monkeypatch):
    children = []
    deaths = []

    class Watched(engine.Child):
        def __init__(self, store):
            super().__init__(store)
            children.append(self)

    def kill_once(trial, event):
        if event == "row" and not deaths:
            deaths.append(trial)
            for child in children:
                os.kill(child.process.pid, signal.SIGKILL)

    monkeypatch.setattr(engine, "Child", Watched)
    opened = open_store(tmp_path / "out", small())
    engine.run(opened, opened.missing(), 1, kill_once)
    assert len(children) == 2
    assert deaths
    assert files(opened.directory / "trials") == files(undisturbed[0] / "trials")


def test_a_worker_that_dies_again_and_again_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "command", lambda store: [sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(
        WorkerError, match=r"with seed 0: a worker process died 3 times, exit status 1: no such thing"
    ) as error:
        compare(tmp_path / "out", small(), workers=1)
    assert str(error.value).count("with seed") == 2  # the second trial is the last that is tried
    result = CliRunner().invoke(group, ["compare", "--out", str(tmp_path / "out"), *SMALL])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "a worker process died 3 times" in result.stderr
    assert not (tmp_path / "out" / "table.txt").exists()


def test_an_interruption_ends_the_workers(tmp_path, monkeypatch):
    children = []

    class Watched(engine.Child):
        def __init__(self, store):
            super().__init__(store)
            children.append(self)

    def interrupt(waited, **options):
        while not children:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "Child", Watched)
    monkeypatch.setattr(engine, "wait", interrupt)
    result = CliRunner().invoke(group, ["compare", "--out", str(tmp_path / "out"), *SMALL])
    assert result.exit_code == 130
    assert "the same command continues" in result.stderr
    assert all(child.process.poll() is not None for child in children)


def test_after_kill_nine_the_same_command_goes_on(undisturbed, tmp_path):
    out = tmp_path / "out"
    started = [*PROGRAM, "--out", str(out), *SMALL, "--workers", "1"]
    process = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    partial = out / "trials" / "step-0.1-seed1" / "metrics.jsonl"
    while process.poll() is None and not (partial.exists() and partial.stat().st_size):
        time.sleep(0.002)
    process.kill()
    process.communicate()
    time.sleep(0.5)  # the worker ends with its parent; if it went on, it would finish the other trials
    finished = {path: path.stat().st_mtime_ns for path in (out / "trials").glob("*/result.json")}
    assert 1 <= len(finished) <= 2
    assert not (out / "table.txt").exists()

    done = subprocess.run(started, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)  # no bars where stderr is no terminal
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert files(out) == files(undisturbed[0])
