"""What counts as a finished trial, and whose directory it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from compare_cases import experiment, records, rows, step

from annealing import ScheduleError
from annealing.compare import Trial, sgdr, store
from annealing.compare.store import Row, complete, from_lines, load_store, open_store, to_line

TRIAL = Trial("single", 1)
FILES = ["metrics.jsonl", "result.json"]


@pytest.fixture
def opened(tmp_path):
    opened = open_store(tmp_path / "out", experiment())
    opened.record(TRIAL, records[TRIAL])
    return opened


def test_rows_survive_the_way_through_text():
    written = [Row(3, 1.5, 0.1 + 0.2, 1 / 3, 7), Row(4, 2.0, 5e-324, None, 100)]
    text = "".join(to_line(row, 100) for row in written)
    assert from_lines(text) == written
    assert json.loads(text.splitlines()[0])["error"] == 0.07


def test_a_recorded_trial_is_finished(opened):
    assert opened.rows(TRIAL) == records[TRIAL]
    assert TRIAL not in opened.missing()
    assert len(opened.missing()) == 11
    assert [path.name for path in (opened.directory / "trials").iterdir()] == ["single-seed1"]
    assert sorted(path.name for path in opened.path(TRIAL).iterdir()) == FILES


def test_states_that_a_kill_left_are_removed_once_the_trial_is_finished(opened):
    other = next(trial for trial in opened.missing() if trial.arm == "step")
    for trial in (TRIAL, other):
        (opened.path(trial) / "checkpoints").mkdir(parents=True)
        (opened.path(trial) / "checkpoints" / "540.pt").write_bytes(b"state")
    opened.tidy()
    assert sorted(path.name for path in opened.path(TRIAL).iterdir()) == FILES
    assert (opened.path(other) / "checkpoints" / "540.pt").read_bytes() == b"state"


def test_recording_twice_gives_the_same_bytes(opened, tmp_path):
    again = open_store(tmp_path / "again", experiment())
    again.record(TRIAL, records[TRIAL])
    for name in FILES:
        assert (again.path(TRIAL) / name).read_bytes() == (opened.path(TRIAL) / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_a_truncated_file_is_not_finished(opened, name, keep):
    path = opened.path(TRIAL) / name
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    assert opened.rows(TRIAL) is None
    assert "trials/single-seed1/metrics.jsonl" in opened.fault(TRIAL)


def test_a_changed_number_is_not_finished(opened):
    path = opened.path(TRIAL) / "metrics.jsonl"
    path.write_text(path.read_text().replace('"wrong": 11', '"wrong": 10'))
    assert opened.rows(TRIAL) is None
    assert "metrics.jsonl has not the SHA-256 of result.json" in opened.fault(TRIAL)


def test_a_seal_of_another_trial_is_not_taken(opened):
    other = Trial("single", 2)
    shutil.copytree(opened.path(TRIAL), opened.path(other))
    assert opened.rows(other) is None


def test_too_few_rows_are_not_finished(opened):
    with pytest.raises(ScheduleError, match="single with seed 1 has no row for some update"):
        opened.record(TRIAL, records[TRIAL][:-1])


def test_a_diverged_trial_is_finished(opened):
    lost = [*rows([50, 30]), Row(5, 2.5, 0.05, None, 100)]
    opened.record(TRIAL, lost)
    assert opened.rows(TRIAL) == lost
    assert json.loads((opened.path(TRIAL) / "result.json").read_text())["diverged"] is True


def test_complete_rows_lie_at_the_marks():
    assert complete(rows([5, 5]), [2, 4])
    assert not complete(rows([5]), [2, 4])
    assert not complete([], [2, 4])
    assert not complete([Row(3, 1.5, 0.1, None, 100)], [2, 4])  # the row at 2 is missing
    assert complete([*rows([5]), Row(3, 1.5, 0.1, None, 100)], [2, 4])


def test_more_seeds_go_on_in_the_same_directory(opened):
    more = open_store(opened.directory, experiment(seeds=[0, 1, 2, 7]))
    assert more.rows(TRIAL) == records[TRIAL]
    assert Trial("single", 7) in more.missing()
    assert load_store(opened.directory).experiment.seeds == (0, 1, 2, 7)


def test_opening_again_goes_on(opened):
    again = open_store(opened.directory, experiment())
    assert again.rows(TRIAL) == records[TRIAL]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (experiment(seeds=[0, 1]), r"seeds \[0, 1, 2\] there, \[0, 1\] here"),
        (experiment(step), r"short is multistep\(0.1, \[2, 3\], gamma=0.2\) for 4 epochs there, absent here"),
        (
            experiment(*(replace(arm, epochs=arm.epochs + (arm == step)) for arm in experiment().arms)),
            r"step is multistep\(0.1, \[4, 6\], gamma=0.2\) for 8 epochs there, .* for 9 epochs here",
        ),
    ],
)
def test_another_experiment_is_refused(opened, other, said):
    with pytest.raises(
        ScheduleError, match=f"out must be a new directory or hold this experiment, but .* another one: {said}"
    ):
        open_store(opened.directory, other)


def test_foreign_files_are_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("words")
    with pytest.raises(ScheduleError, match=r"but .* holds 'thesis.txt'"):
        open_store(tmp_path, experiment())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_trials_without_a_manifest_are_refused(opened):
    (opened.directory / "manifest.json").unlink()
    with pytest.raises(ScheduleError, match="holds 'trials'"):
        open_store(opened.directory, experiment())


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": "something else"}', '{"format": "annealing.compare/2"}']
)
def test_a_foreign_manifest_is_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ScheduleError, match="is not that of a comparison"):
        open_store(tmp_path, experiment())


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ScheduleError, match=r"out must be a directory that can be written, got .*: Not a directory"):
        open_store(tmp_path / "out", experiment())


def test_what_a_killed_start_left_behind_is_no_foreign_file(tmp_path):
    (tmp_path / ".annealing-17-manifest.json").write_text("{")
    (tmp_path / "trials").mkdir()
    assert open_store(tmp_path, experiment()).missing()


def test_trials_of_other_versions_are_not_mixed(opened, monkeypatch):
    installed = store.installed()
    monkeypatch.setattr(store, "installed", lambda: {**installed, "torch": "99.0"})
    with pytest.raises(ScheduleError, match=rf"torch {installed['torch'].replace('+', '.')} \(now 99.0\)"):
        open_store(opened.directory, experiment())
    for trial in opened.missing():
        opened.record(trial, records[trial])
    assert open_store(opened.directory, experiment()).missing() == []  # nothing is left to train


def test_a_manifest_makes_the_experiment_again(tmp_path):
    made = sgdr(budget=7, seeds=2)
    open_store(tmp_path / "out", made, "annealing compare")
    read = load_store(tmp_path / "out").experiment
    assert read == made
    assert read.fingerprint == made.fingerprint
    assert [str(arm.schedule) for arm in read.arms] == [str(arm.schedule) for arm in made.arms]
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text()


def test_a_manifest_with_another_schedule_is_refused(tmp_path):
    open_store(tmp_path / "out", sgdr(budget=7, seeds=2))
    path = tmp_path / "out" / "manifest.json"
    path.write_text(path.read_text().replace("cosine(0.05, 0, 3.5)", "cosine(0.06, 0, 3.5)"))
    with pytest.raises(
        ScheduleError, match=r"schedules.cosine-100: this schedule has another fingerprint than recorded"
    ):
        load_store(tmp_path / "out")
