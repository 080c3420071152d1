"""Tuned arguments: what is trained on held-out data, what is chosen, and the comparison that follows."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner
from compare_cases import experiment, files, records, single, step

from annealing import ScheduleError, parse
from annealing.cli import main
from annealing.compare import Experiment, Images, Text, Trial, compare, read_experiment
from annealing.compare.conclusions import closing
from annealing.compare.problem import Windows, problem
from annealing.compare.store import load_store
from annealing.compare.table import tabulate
from annealing.compare.tasks import held_out, text_bytes
from annealing.compare.tuning import FIRST_SEED, read_tuning

BOWL = """
def train(trial):
    import torch
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = trial.scheduler(optimizer)
    peak = trial.schedule(0)
    for update in trial.steps():
        scheduler.step()
        if trial.due:
            # best at 0.1 for a constant rate, at 0.2 for another; the test differs from what is held out
            best = 0.1 if trial.schedule(0) == trial.schedule(1) else 0.2
            trial.report(error=abs(peak - best) + (0.0 if trial.tuning else 5.0) + 0.001 * (trial.seed % 10))
"""
FILE = """
task: {name: bowl:train, updates_per_epoch: 2}
schedules:
  flat: constant(peak)
  line: {schedule: "linear(peak, 0, 2)", title: a line}
baseline: flat
epochs: 2
seeds: 2
tune: {peak: [0.05, 0.1, 0.2, 0.4], seeds: 2}
"""


@pytest.fixture(scope="module")
def bowl(tmp_path_factory):
    place = tmp_path_factory.mktemp("bowl")
    (place / "bowl.py").write_text(BOWL)
    (place / "bowl.yaml").write_text(FILE)
    out = place / "out"
    result = CliRunner().invoke(
        main, ["compare", str(place / "bowl.yaml"), "--out", str(out), "--json", "--workers", "1"]
    )
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def test_each_schedule_gets_its_best_value_on_held_out_data(bowl):
    out, table = bowl
    assert table["tuned"]["chosen"] == {"flat": 0.1, "line": 0.2}
    results = {key: dict(map(tuple, found)) for key, found in table["tuned"]["results"].items()}
    # seeds 0 and 1 of the tuning add 0 and 0.001
    assert results["flat"] == pytest.approx({0.05: 0.0505, 0.1: 0.0005, 0.2: 0.1005, 0.4: 0.3005})
    assert results["line"] == pytest.approx({0.05: 0.1505, 0.1: 0.1005, 0.2: 0.0005, 0.4: 0.2005})
    assert {line["key"]: line["schedule"] for line in table["lines"]} == {
        "flat": "constant(0.1)",
        "line": "linear(0.2, 0, 2)",
    }
    assert [line["error"]["middle"] for line in table["lines"]] == pytest.approx([5.0005, 5.0005])
    assert table["answer"].startswith("With tuned peak, 2 epochs and 2 seeds, no schedule is significantly better")
    assert "0.1 for “flat” (0.051 at 0.05, 0.00050 at 0.1, 0.10 at 0.2, 0.30 at 0.4)" in table["words"][-1]
    assert "edge" not in table["words"][-1]
    assert {*load_store(out / "tuning").experiment.seeds} == {FIRST_SEED, FIRST_SEED + 1}
    assert "Results over peak" in (out / "report.html").read_text()


def test_the_same_command_again_trains_nothing(bowl):
    out, _ = bowl
    before = files(out)
    clocks = {path: path.read_text() for path in out.rglob("clock.jsonl")}
    assert len(clocks) == 16 + 4
    compare(out, read_experiment(out.parent / "bowl.yaml"), workers=1)
    assert files(out) == before
    assert {path: path.read_text() for path in out.rglob("clock.jsonl")} == clocks


def test_the_best_value_at_the_edge_of_the_grid_is_told():
    tuned = {"argument": "peak", "chosen": {"step": 0.2}, "results": {"step": [[0.1, 12.0], [0.2, 11.0]]}}
    table = replace(tabulate(experiment(step, single), records), tuned=tuned)
    assert closing(table)[-1] == (
        "peak was tuned for each schedule on data held out of training: 0.2 for “step decay” (12.00 % at 0.1, 11.00 % "
        "at 0.2). At the edge of the grid, so that a wider one may be better: “step decay”."
    )


def test_held_out_images_are_the_last_of_the_training_images():
    task, whole = held_out(Images("digits", crop=0), 100), Images("digits", crop=0)
    part, all_of_it = problem(task, None, "cpu"), None
    assert (task.train_images, task.test_images, task.examples) == (1100, 100, 1100)
    images, tested = part.images.numpy(), part.test_images.numpy()
    all_of_it = problem(whole, None, "cpu")
    np.testing.assert_array_equal(np.concatenate([images, tested]), all_of_it.images.numpy())
    doubled = held_out(Images("cifar10", train=1000, epoch_images=2000), None)
    assert (doubled.train_images, doubled.held_out, doubled.epoch_images) == (900, 100, 1800)
    assert "held_out" not in whole.description()


def test_held_out_bytes_come_before_those_of_the_test():
    task = held_out(Text(test=5000), 3000)
    windows, content = Windows(task, text_bytes("python-topics")), text_bytes("python-topics")
    assert bytes(windows.test.tolist()) == content[-8000:-5000]
    assert len(windows.train) == len(content) - 8000


@pytest.mark.thorough
def test_a_built_in_task_is_tuned(tmp_path):
    values = {"task": "digits", "schedules": {"c": "cosine(peak, 0, 1)"}, "baseline": "c", "epochs": 1, "seeds": 1}
    tuning = read_tuning({"peak": [1e-6, 0.1], "held_out": 200}, values)
    assert tuning.trials().task.test_images == 200
    assert tuning.trials().trials() == [Trial("c-1e-6", FIRST_SEED), Trial("c-0.1", FIRST_SEED)]
    table = compare(tmp_path / "out", tuning, workers=1)
    assert table.tuned["chosen"] == {"c": 0.1}
    assert table.test_images == 597


HALVED = (
    FILE.replace("[0.05, 0.1, 0.2, 0.4], seeds: 2", "[0.0125, 0.05, 0.1, 0.2, 0.4], halving: true")
    .replace('2"}', '16"}')
    .replace("epochs: 2", "epochs: 16")
    .replace("(peak, 0, 2)", "(peak, 0, 16)")
)


@pytest.mark.thorough
def test_halving_drops_the_worse_values_in_shorter_trainings(tmp_path):
    (tmp_path / "bowl.py").write_text(BOWL)
    (tmp_path / "bowl.yaml").write_text(HALVED)
    command = ["compare", str(tmp_path / "bowl.yaml"), "--out", str(tmp_path / "out"), "--workers", "1"]
    printed = CliRunner().invoke(main, [*command, "--tune-only"])
    assert printed.exit_code == 0, printed.output
    assert "flat dropped 0.05 0 * dropped dropped" in " ".join(printed.stdout.split())
    choice = json.loads((tmp_path / "out" / "tuning.json").read_text())
    # a sixteenth and a quarter of 16 epochs: five values, then three, and two to the end
    first, second = choice["halving"]
    assert (first["epochs"], second["epochs"]) == ({"flat": 1, "line": 1}, {"flat": 4, "line": 4})
    # the constant rate is best at 0.1: of the distances 0.0875, 0.05, 0, 0.1 and 0.3 the two largest go, then 0.0875
    assert (first["dropped"]["flat"], second["dropped"]["flat"]) == ([0.2, 0.4], [0.0125])
    assert first["dropped"]["line"] == [0.0125, 0.4]
    assert [value for value, _ in choice["results"]["flat"]] == [0.05, 0.1]
    assert choice["chosen"] == {"flat": 0.1, "line": 0.2}
    shorter = load_store(tmp_path / "out" / "rungs" / "1").experiment
    assert shorter.arm("line-0.1").schedule == parse("linear(0.1, 0, 16)").stretched(Fraction(1, 16))
    assert not (tmp_path / "out" / "manifest.json").exists()
    before = files(tmp_path / "out")
    whole = CliRunner().invoke(main, [*command, "--json"])
    assert whole.exit_code == 0, whole.output
    # the comparison continues from the tuning, and trains none of it again
    assert before.items() <= files(tmp_path / "out").items()
    words = json.loads(whole.stdout)["words"][-1]
    assert "0.1 for “flat” (0.050 at 0.05, 0.00 at 0.1, 0.2 dropped after 1 epoch, 0.4 dropped" in words
    assert "edge" not in words


def test_tune_only_needs_something_to_tune(tmp_path):
    (tmp_path / "plain.yaml").write_text('{task: digits, schedules: {c: "cosine(0.1, 0, 1)"}, baseline: c, epochs: 1}')
    told = CliRunner().invoke(main, ["compare", str(tmp_path / "plain.yaml"), "--out", str(tmp_path), "--tune-only"])
    assert told.exit_code == 2
    assert "--tune-only needs the key `tune`" in told.output


@pytest.mark.parametrize(
    ("tune", "schedules", "said"),
    [
        ({"peak": [0.1]}, None, r"tune.peak must be a list of at least two values, got \[0.1\]"),
        ({"peak": [0.1, 0.1]}, None, "tune.peak must be a list of at least two values"),
        ({"peak": 0.1}, None, "tune.peak must be a list of at least two values, got 0.1"),
        ({"peak": [0.1, "x"]}, None, "tune.peak must be a number of at least 0, got 'x'"),
        ({"height": [0.1, 0.2]}, None, r"schedules.c must use height, which tune names, got 'cosine\(peak, 0, 1\)'"),
        ({"peak": [0.1, 0.2], "floor": [0, 1]}, None, "tune must name one argument, .*, got peak, floor"),
        ({}, None, "tune must name one argument, .*, got none"),
        ([], None, "tune must be a mapping such as"),
        ({"peak": [0.1, 0.2], "halving": "yes"}, None, "tune.halving must be one of True, False, got 'yes'"),
        ({"peak": [0.1, 0.2], "seeds": 0}, None, "tune.seeds must be a whole number of at least 1"),
        ({"peak": [0.1, 0.2], "held_out": 2000}, None, "held_out must be below the 1200 training images, got 2000"),
        ({"peak": [0.1, 0.2]}, {"c": "cosine(0.1, 0, 1)"}, "schedules.c must use peak"),
        ({"peak": [0.1, 0.2]}, {"c": "cosine(peak, -1, 1)"}, "rates must be at least 0"),
    ],
)
def test_bad_tuning(tune, schedules, said):
    values = {"task": "digits", "schedules": schedules or {"c": "cosine(peak, 0, 1)"}, "baseline": "c", "epochs": 1}
    with pytest.raises(ScheduleError, match=said):
        read_tuning(tune, values)


def test_a_keyword_of_the_same_name_is_kept():
    values = {"task": "digits", "schedules": {"c": "cosine(eta_max=eta_max, eta_min=0, T_max=1)"}}
    tuning = read_tuning({"eta_max": [0.1, 0.2]}, {**values, "baseline": "c", "epochs": 1})
    assert (
        tuning.final({"c": 0.2}).arms[0].schedule
        == Experiment("digits", {"c": "cosine(0.2, 0, 1)"}, "c", epochs=1).arms[0].schedule
    )


def test_a_directory_with_something_else_is_refused_before_anything_is_tuned(tmp_path):
    values = {"task": "digits", "schedules": {"c": "cosine(peak, 0, 1)"}, "baseline": "c", "epochs": 1}
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ScheduleError, match=r"holds 'thesis\.tex'"):
        compare(tmp_path, read_tuning({"peak": [0.1, 0.2]}, values))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
