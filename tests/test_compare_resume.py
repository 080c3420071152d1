"""Trials that are killed, damaged or out of disk, and continue: their records are those of an undisturbed run."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from compare_cases import files
from compare_children import Child, killed_at

from annealing.cli import main
from annealing.compare import Experiment, Trial
from annealing.compare.files import Checkpoints
from annealing.compare.store import Store, open_store
from annealing.compare.trials import run_trial

TRIAL = Trial("restarts", 3)


def small(**changes) -> Experiment:
    """40 updates with runs that end at 4, 12 and 28; the state is saved after each."""
    schedules = {"restarts": "warm_restarts(eta_max=0.05, T_0=0.2, T_mult=2)"}
    values = {"epochs": 2, "seeds": [3], "baseline": "restarts", "checkpoint_seconds": 0, **changes}
    return Experiment("digits", schedules, **values)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("undisturbed") / "out", small(checkpoint_seconds=3600))
    run_trial(opened, TRIAL)
    return files(opened.path(TRIAL))


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Checkpoints as often as asked for, however long they take."""
    monkeypatch.setattr("annealing.compare.session.LEAST_SHARE", 0)


@pytest.fixture
def opened(tmp_path):
    return open_store(tmp_path / "out", small())


def clock(store: Store, event: str) -> list[dict]:
    lines = (store.path(TRIAL) / "clock.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == event]


def test_the_record_of_an_undisturbed_trial(undisturbed):
    result = json.loads(undisturbed["result.json"])
    assert [model["step"] for model in result["snapshots"]] == [4, 12, 28, 40]
    assert [ensemble["steps"] for ensemble in result["ensembles"]] == [[4, 12], [4, 12, 28]]
    assert {name for name in undisturbed if name.startswith("snapshots")} == {
        f"snapshots/{step}.safetensors" for step in (4, 12, 28, 40)
    }
    identity = json.loads(undisturbed["trial.json"])
    assert identity["schedule"] == "warm_restarts(eta_max=0.05, T_0=0.2, T_mult=2)"
    assert (identity["seed"], identity["threads"]) == (3, 1)
    # "+cu130" is in torch.__version__ where the metadata of the same package may lack it.
    assert identity["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]


def test_the_error_of_a_kept_model_is_that_of_its_row(undisturbed):
    rows = {row["step"]: row for row in map(json.loads, undisturbed["metrics.jsonl"].splitlines())}
    for model in json.loads(undisturbed["result.json"])["snapshots"]:
        assert model["wrong"] == rows[model["step"]]["wrong"]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_kill_before_any_write_changes_nothing(opened, undisturbed, name):
    """One process after another gets one write further than the one before, from where that one stopped."""
    number = 1
    while killed_at(opened, TRIAL, name, number):
        number += 1
    assert number > 4
    assert files(opened.path(TRIAL)) == undisturbed


def test_kills_at_random_moments_change_nothing(opened, undisturbed):
    moments = random.Random(0)
    kills = 0
    while kills < 12:
        child = Child(opened, TRIAL)
        time.sleep(moments.uniform(0.05, 0.4))
        child.kill()
        if child.wait() == 0:
            break
        kills += 1
    run_trial(opened, TRIAL)
    assert kills > 1
    assert len(clock(opened, "begin")) > 2
    assert files(opened.path(TRIAL)) == undisturbed


def test_two_processes_at_once_train_it_once(opened, undisturbed):
    children = [Child(opened, TRIAL) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    assert len(clock(opened, "end")) == 1
    assert files(opened.path(TRIAL)) == undisturbed


def stopped_in_the_middle(store: Store) -> list[Path]:
    """Kill the trial where it has two states on disk, and give these, the latest first."""
    killed_at(store, TRIAL, "replace", 41)
    seals = (store.path(TRIAL) / "checkpoints").glob("[0-9]*.json")
    states = [seal.with_suffix(".pt") for seal in sorted(seals, key=lambda path: -int(path.stem))]
    assert len(states) >= 2
    return states


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [flip, truncate])
def test_a_damaged_state_is_named_and_the_one_before_is_used(opened, undisturbed, damage):
    latest, before = stopped_in_the_middle(opened)[:2]
    damage(latest)
    told: list[str] = []
    run_trial(opened, TRIAL, tell=told.append)
    assert told[0] == (
        f"note checkpoints/{latest.name} is damaged: its size or SHA-256 is not that of {latest.stem}.json"
    )
    assert told[1] == f"note continues after update {before.stem}"
    assert [note["text"] for note in clock(opened, "note")] == [text.removeprefix("note ") for text in told[:2]]
    assert files(opened.path(TRIAL)) == undisturbed


def test_without_a_good_state_it_begins_again(opened, undisturbed):
    for state in stopped_in_the_middle(opened):
        flip(state)
    run_trial(opened, TRIAL)
    assert "continues" not in str(clock(opened, "note")[-1])
    assert files(opened.path(TRIAL)) == undisturbed


def test_a_damaged_kept_model_is_made_again(opened, undisturbed):
    stopped_in_the_middle(opened)
    flip(opened.path(TRIAL) / "snapshots" / "4.safetensors")
    run_trial(opened, TRIAL)
    assert "snapshots/4.safetensors is missing or damaged" in clock(opened, "note")[0]["text"]
    assert files(opened.path(TRIAL)) == undisturbed


def test_a_state_of_other_versions_is_not_used(opened, undisturbed, monkeypatch):
    stopped_in_the_middle(opened)
    killed_at(opened, TRIAL, "replace", 2, processor="another")
    # its trial.json, of another processor, is there now; the states are of this one
    run_trial(opened, TRIAL)
    assert files(opened.path(TRIAL)) == undisturbed
    stopped = open_store(opened.directory.parent / "other", small())
    stopped_in_the_middle(stopped)
    monkeypatch.setattr("annealing.compare.trials.processor", lambda: "another")
    run_trial(stopped, TRIAL)
    assert "is of other versions, data, code or processor" in clock(stopped, "note")[0]["text"]


def test_a_damaged_record_of_a_finished_trial_is_made_again(opened, undisturbed):
    run_trial(opened, TRIAL)
    flip(opened.path(TRIAL) / "metrics.jsonl")
    run_trial(opened, TRIAL)
    assert "trials/restarts-seed3/metrics.jsonl" in clock(opened, "note")[-1]["text"]
    assert files(opened.path(TRIAL)) == undisturbed


def test_a_finished_trial_is_left_alone(opened):
    run_trial(opened, TRIAL)
    before = {path: path.stat().st_mtime_ns for path in opened.path(TRIAL).rglob("*")}
    run_trial(opened, TRIAL)
    assert {path: path.stat().st_mtime_ns for path in opened.path(TRIAL).rglob("*")} == before


def test_two_states_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", "a trial")
    for step in (1, 20, 300):
        checkpoints.save(step, {"step": step, "weights": torch.full((3,), float(step))})
    found = [state["step"] for state, fault in checkpoints.states() if not fault]
    assert found == [300, 20]
    assert len([*(tmp_path / "checkpoints").iterdir()]) == 4
    checkpoints.clear()
    assert not (tmp_path / "checkpoints").exists()


def test_a_full_disk_stops_everything_and_the_same_command_goes_on(tmp_path):
    (tmp_path / "small.yaml").write_text(
        "task: digits\nepochs: 1\nseeds: 2\nbaseline: cosine\nschedules: {cosine: 'cosine(0.05, 0, 1)'}\n"
    )
    command = ["compare", str(tmp_path / "small.yaml"), "--workers", "1", "--out"]
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))"  # a file may have 8 KiB, a model has 20
    program = f"import resource, sys; from annealing.cli import main; {limit}; main(sys.argv[1:])"
    code = [sys.executable, "-c", program, *command, str(tmp_path / "out")]
    full = subprocess.run(code, capture_output=True, text=True)
    assert full.returncode == 1
    assert "File too large" in full.stderr
    assert "the same command continues" in full.stderr
    assert "Traceback" not in full.stderr
    assert not [*(tmp_path / "out").rglob(".annealing-*")]
    # These need no limit, so they run here, where everything is loaded already.
    for out in ("out", "other"):
        assert CliRunner().invoke(main, [*command, str(tmp_path / out)]).exit_code == 0
    assert files(tmp_path / "out") == files(tmp_path / "other")
