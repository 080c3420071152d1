"""The how-to pages: their programs, experiments and workflows run as they are written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from test_docs import ROOT, fenced

from annealing.cli import main
from annealing.compare import Tuning, read_experiment

HOWTO = ROOT / "docs" / "howto"


def run(*words: str) -> str:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_model_of_your_own_is_compared(folder: Path) -> None:
    page = HOWTO / "own-model.md"
    (folder / "own.py").write_text(fenced(page, "python")[0])
    (folder / "own.yaml").write_text(fenced(page, "yaml")[0])
    table = json.loads(run("compare", "own.yaml", "--out", "own", "--seeds", "2", "--workers", "1", "--json"))
    assert {line["key"]: line["epochs"] for line in table["lines"]} == {"cosine": 5, "linear": 5, "step": 5}
    assert all(line["error"]["middle"] < 0.1 for line in table["lines"])  # it starts at about 3


def test_a_peak_is_found(folder: Path) -> None:
    page = HOWTO / "peak.md"
    (folder / "train.py").write_text(fenced(page, "python")[0])
    found = json.loads(run("find", "train:parts", "--json"))
    assert found["diverged"]
    assert 1e-4 < found["valley"] < 1
    (folder / "experiment.yaml").write_text(fenced(page, "yaml")[0])
    assert isinstance(read_experiment(folder / "experiment.yaml"), Tuning)


@pytest.mark.thorough
def test_a_peak_is_swept(folder: Path) -> None:
    experiment = fenced(HOWTO / "peak.md", "yaml")[0].replace(" 10", " 2")  # epochs, and so the schedules
    (folder / "experiment.yaml").write_text(experiment)
    printed = run("compare", "experiment.yaml", "--out", "swept", "--tune-only")
    assert [line.split()[0] for line in printed.splitlines() if "*" in line] == ["linear", "cosine", "*"]


def test_the_workflow_runs(folder: Path) -> None:
    shutil.copy(ROOT / "examples" / "logs" / "correct" / "trainer_state.json", folder)
    (folder / "schedule.txt").write_text("linear(0, 5e-4, 20) >> cosine(5e-4, 0, 180)\n")
    steps = yaml.safe_load(fenced(HOWTO / "ci.md", "yaml")[0])["jobs"]["schedule"]["steps"]
    commands = [step["run"] for step in steps if step.get("run", "").startswith("annealing ")]
    assert len(commands) == 2
    for command in commands:
        run(*command.split()[1:])
