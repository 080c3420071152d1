"""A user's own training function: the example of the docs, its resumption, and what can go wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from compare_cases import files

from annealing import ScheduleError
from annealing.cli import main
from annealing.compare import Experiment, Trial, compare
from annealing.compare.store import open_store
from annealing.compare.trials import run_trial

PAGE = Path(__file__).parents[1] / "docs" / "compare.md"
TASK = {"name": "loops:train", "updates_per_epoch": 2, "test_images": 50}
LOOPS = """
import torch
from pathlib import Path

def train(trial):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = trial.scheduler(optimizer)
    trial.restore(model=model)
    for epoch in trial.epochs():
        for _ in range(2):
            used.append((trial.step, optimizer.param_groups[0]["lr"]))
            optimizer.step()
            scheduler.step()
        if len(used) == stop:
            raise RuntimeError("stopped by hand")
        trial.report(error=0.5, loss=1.0 / (1 + epoch))
        trial.checkpoint(model=model)

def lazy(trial):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    trial.scheduler(optimizer)
    for update in trial.steps():
        pass

def early(trial):
    pass

def lost(trial):
    scheduler = trial.scheduler(torch.optim.SGD([torch.zeros(1)], lr=1.0))
    for update in trial.steps():
        scheduler.step()
        if trial.due:
            trial.report(error=float("nan") if trial.step > 2 else 0.1)

used, stop = [], None
"""


def made(name: str = "train") -> Experiment:
    task = {**TASK, "name": f"loops:{name}"}
    schedules = {"cosine": "cosine(0.1, 0, 3)"}
    return Experiment(task, schedules, "cosine", epochs=3, seeds=1, checkpoint_seconds=0)


@pytest.fixture
def loops(tmp_path, monkeypatch):
    (tmp_path / "loops.py").write_text(LOOPS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("annealing.compare.session.LEAST_SHARE", 0)
    monkeypatch.delitem(__import__("sys").modules, "loops", raising=False)
    import loops

    return loops


def test_the_example_of_the_docs_runs(tmp_path, monkeypatch):
    blocks = dict(re.findall(r"as `(own\.\w+)`.*?```\w+\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL | re.I))
    assert blocks.keys() == {"own.py", "own.yaml"}
    for name, text in blocks.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["compare", "own.yaml", "--out", "own", "--json"])
    assert result.exit_code == 0, result.output
    table = json.loads(result.stdout)
    assert [line["key"] for line in table["lines"]] == ["step", "restarts"]
    assert table["lines"][1]["kept_at"] == 7
    assert table["lines"][1]["error"]["middle"] < 50  # percent of the target's norm, which is about 1.8
    rows = [
        json.loads(line) for line in (tmp_path / "own/trials/restarts-seed1/metrics.jsonl").read_text().splitlines()
    ]
    assert [row["step"] for row in rows] == [10, 20, 30, 40, 50, 60, 70]
    assert {path.stem for path in (tmp_path / "own/trials/restarts-seed1/snapshots").iterdir()} == {"10", "30", "70"}


def test_an_error_in_the_function_is_told_and_what_was_saved_is_used(loops, tmp_path):
    loops.stop = 4
    opened = open_store(tmp_path / "out", made())
    with pytest.raises(RuntimeError, match="stopped by hand"):
        run_trial(opened, Trial("cosine", 0))
    loops.stop = None
    loops.used.clear()
    run_trial(opened, Trial("cosine", 0))
    assert [step for step, _ in loops.used] == [2, 3, 4, 5]
    # the update 3 of 6 uses cosine(0.1, 0, 6) at 2: 0.1 * (1 + cos(pi / 3)) / 2 = 0.075
    assert loops.used[0][1] == pytest.approx(0.075)
    again = open_store(tmp_path / "again", made())
    run_trial(again, Trial("cosine", 0))
    assert files(again.directory / "trials").keys() == files(opened.directory / "trials").keys()
    assert opened.rows(Trial("cosine", 0)) == again.rows(Trial("cosine", 0))
    assert [row.wrong for row in again.rows(Trial("cosine", 0))] == [25, 25, 25]


def test_a_change_of_the_code_begins_again(loops, tmp_path):
    loops.stop = 4
    opened = open_store(tmp_path / "out", made())
    with pytest.raises(RuntimeError):
        run_trial(opened, Trial("cosine", 0))
    Path("loops.py").write_text(LOOPS + "\n# another\n")
    loops.stop = None
    loops.used.clear()
    told: list[str] = []
    run_trial(opened, Trial("cosine", 0), tell=told.append)
    assert "is of other versions, data, code or processor" in told[0]
    assert loops.used[0][0] == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lazy", "the scheduler made no step after update 0"),
        ("early", "loops:early returned after 0 of 6 updates"),
        ("nothing", "task.name must be package.module:function, got 'loops:nothing'"),
    ],
)
def test_a_function_that_does_not_train_is_named(loops, tmp_path, name, said):
    with pytest.raises(ScheduleError, match=said):
        run_trial(open_store(tmp_path / "out", made(name)), Trial("cosine", 0))


def test_an_error_that_is_no_number_ends_the_trial(loops, tmp_path):
    opened = open_store(tmp_path / "out", made("lost"))
    run_trial(opened, Trial("cosine", 0))
    rows = opened.rows(Trial("cosine", 0))
    assert [(row.step, row.wrong, row.diverged) for row in rows] == [(2, 5, False), (4, 50, True)]


BROKEN = """
def train(trial):
    print("the shapes are", (2, 3), (3, 2))
    measure(trial)

def measure(trial):
    raise KeyError("val_loss")
"""
BROKEN_YAML = """
task: {name: broken:train, updates_per_epoch: 2}
epochs: 3
seeds: 1
schedules: {cosine: "cosine(0.1, 0, 3)", line: "linear(0.1, 0, 3)"}
baseline: cosine
"""


def test_an_exception_is_shown_whole_with_what_was_printed_and_the_module_is_found_beside_the_yaml(tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    (place / "broken.py").write_text(BROKEN)
    (place / "broken.yaml").write_text(BROKEN_YAML)
    program = [sys.executable, "-c", "from annealing.cli import main; main()"]
    command = [*program, "compare", str(place / "broken.yaml"), "--out", "out", "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: cosine with seed 0: KeyError: 'val_loss'; line with seed 0: KeyError")
    assert "the shapes are (2, 3) (3, 2)" in done.stderr
    assert 'broken.py", line 7, in measure' in done.stderr
    assert done.stderr.rstrip().endswith("KeyError: 'val_loss'")
    assert done.stderr.count("Traceback") == 1  # both trials failed alike


def test_a_metric_has_a_name_and_is_asked_for(loops, tmp_path):
    task = {**TASK, "test_images": None, "metric": "val_loss"}
    opened = open_store(
        tmp_path / "out", Experiment(task, {"cosine": "cosine(0.1, 0, 3)"}, "cosine", epochs=3, seeds=1)
    )
    with pytest.raises(ScheduleError, match="report needs val_loss, got error"):
        run_trial(opened, Trial("cosine", 0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "loss"}, "metric must be a name such as accuracy, other than wrong and loss, got 'loss'"),
        ({"metric": "top 1"}, "metric must be a name such as accuracy"),
        ({"better": "more"}, "better must be one of low, high, got 'more'"),
        ({"metric": "accuracy", "better": "high", "test_images": 10}, "test_images belongs to the metric error"),
        ({"tokens_per_update": 0}, "tokens_per_update must be a whole number of at least 1"),
    ],
)
def test_bad_metrics(change, said):
    with pytest.raises(ScheduleError, match=said):
        Experiment({**TASK, "test_images": None, **change}, {"c": "cosine(0.1, 0, 3)"}, "c", epochs=3)


def test_a_named_metric_does_not_change_the_fingerprint_of_older_records():
    plain = Experiment({**TASK}, {"c": "cosine(0.1, 0, 3)"}, "c", epochs=3)
    assert plain.description()["task"] == {**TASK, "parameters": {}}
    named = Experiment({**TASK, "test_images": None, "metric": "val_loss"}, {"c": "cosine(0.1, 0, 3)"}, "c", epochs=3)
    assert named.fingerprint != plain.fingerprint
    assert Experiment(**named.description()) == named


def test_a_module_that_is_not_there_is_named_before_anything_is_written(tmp_path):
    experiment = Experiment({**TASK, "name": "nowhere.at_all:train"}, {"c": "cosine(0.1, 0, 3)"}, "c", epochs=3)
    with pytest.raises(ScheduleError, match=r"got 'nowhere.at_all:train': no module nowhere.at_all is found"):
        compare(tmp_path / "out", experiment)
    assert os.listdir(tmp_path) == []
