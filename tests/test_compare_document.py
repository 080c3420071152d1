"""Experiments as YAML files: what they mean, and one clear error for what they cannot mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from annealing import ScheduleError, parse
from annealing.cli import main
from annealing.compare import Experiment, Tuning, read_experiment

GOOD = {
    "task": "{name: cifar10, size: 16}",
    "model": "{name: wrn, depth: 10, width: 1}",
    "optimizer": "{name: sgd, momentum: 0.9}",
    "epochs": "63",
    "schedules": "{step: 'multistep(0.1, [19, 38], 0.2)', cosine: {schedule: 'cosine(0.1, 0, 31)', epochs: 31}}",
    "baseline": "step",
}


def written(tmp_path: Path, **changes: str | None) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in {**GOOD, **changes}.items() if value is not None))
    return path


def test_a_file_and_a_call_make_the_same_experiment(tmp_path):
    called = Experiment(
        task={"name": "cifar10", "size": 16},
        model={"name": "wrn", "depth": 10, "width": 1},
        epochs=63,
        schedules={
            "step": "multistep(0.1, [19, 38], 0.2)",
            "cosine": {"schedule": "cosine(0.1, 0, 31)", "epochs": 31},
        },
        baseline="step",
    )
    read = read_experiment(written(tmp_path))
    assert read == called == Experiment(**read.description())
    assert read.fingerprint == called.fingerprint
    assert (read.updates_per_epoch, read.seeds) == (390, (0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[1] / "experiments").glob("*.yaml")), ids=lambda p: p.name
)
def test_the_experiments_at_hand_can_be_read(path):
    experiment = read_experiment(path)
    if isinstance(experiment, Tuning):
        experiment = experiment.final(dict.fromkeys(experiment.values["schedules"], experiment.grid[0]))
    ends = {end for arm in experiment.arms for end in experiment.kept(arm)}
    single = {experiment.updates(arm) for arm in experiment.arms if "cosine" in arm.key}
    assert single <= ends


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimiser": "sgd"}, r"experiment.optimiser is no key \(did you mean optimizer\?\); the keys are task, "),
        ({"optimizer": "{name: sgd, momentun: 1}"}, r"optimizer.momentun is no key \(did you mean momentum\?\)"),
        ({"optimizer": "{name: sgd, weight_decay: 5e-4}"}, "weight_decay must be .*which YAML reads as text"),
        (
            {"optimizer": "adam"},
            r"optimizer.name must be sgd or an optimizer of torch.optim, got 'adam' \(did you mean Adam\?\)",
        ),
        (
            {"optimizer": "{name: AdamW, lr: 0.1}"},
            "optimizer.lr of AdamW must be left out, since it comes from the sched",
        ),
        ({"optimizer": "Optimizer"}, "must be sgd or an optimizer of torch.optim, got 'Optimizer'"),
        (
            {"schedules": "{step: {schedule: 'constant(0.1)', momentum: 'linear(0, -1, 63)'}}"},
            "momentum must be at least 0",
        ),
        ({"model": "{name: wrn, depth: 10}"}, "model.width must be given"),
        ({"model": "{name: wrn, depth: 12, width: 1}"}, r"model.depth must be 6 n \+ 4"),
        (
            {"task": "imagenet"},
            "task must be one of digits, fashion-mnist, cifar10, cifar100, python-topics, or package.module:",
        ),
        ({"task": "own:train"}, "task.updates_per_epoch must be given"),
        ({"task": "{name: cifar10, size: 15}"}, "task.size must be one of 4, 8, 16, 32, got 15"),
        (
            {"task": "{name: cifar10, train: [data_batch_9]}"},
            "task.train must be one of data_batch_1, .*'data_batch_9'",
        ),
        ({"batch": "60000"}, "batch must be at most the 50000 images of an epoch, got 60000"),
        ({"epochs": "0"}, "epochs must be above 0"),
        ({"epochs": None}, "epochs must be given, or schedules.step.epochs"),
        ({"seeds": "0"}, "seeds must be a whole number of at least 1, got 0"),
        ({"baseline": "cosin"}, "baseline must be one of step, cosine, got 'cosin'"),
        ({"baseline": None}, "baseline must be given"),
        ({"threads": "none"}, "threads must be a whole number of at least 1, got 'none'"),
        ({"schedules": "{step: 'multistep(0.1'}"}, "schedules.step: "),
        ({"schedules": "{step: 'open(1)'}"}, "schedules.step: "),
        ({"schedules": "{step: 'cosine(0.1, 0, 64)'}"}, "ends at 64, but is trained for 63 epochs.*by .until.63."),
        ({"schedules": "{step: 'cosine(0.1, 0, 60)'}"}, "ends at 60, but is trained for 63 epochs.*by >>"),
        ({"schedules": "{step: 'linear(0.1, -0.1, 63)'}"}, "schedules.step: rates must be at least 0"),
        ({"schedules": "[]"}, "schedules must be a mapping of at least one name to a schedule"),
        ({"schedules": "{step: {epochs: 3}}"}, "schedules.step.schedule must be given"),
        ({"schedules": "{step: }"}, "schedules.step.schedule must be given"),
        ({"epochs": "rest"}, "epochs must be a number or a text such as \"3/2\", got 'rest'"),
        ({"? [a]": "1"}, "is no YAML"),
        ({"schedules": "{a: 'cosine(1, 0, 63)', a: 'cosine(2, 0, 63)'}"}, r"schedules.a is given twice \(line 5\)"),
        ({"task": "[unclosed"}, "is no YAML"),
        ({"task": "&a {name: digits, of: *a}"}, "contains itself by an alias"),
        ({"seeds": "[" * 2000 + "]" * 2000}, "is nested too deeply"),
        ({"task": "!!python/object/apply:os.system ['true']"}, "is no YAML"),
    ],
)
def test_one_error_names_the_key_and_what_is_allowed(tmp_path, changes, said):
    path = written(tmp_path, **changes)
    with pytest.raises(ScheduleError, match=said) as error:
        read_experiment(path)
    assert str(path) in str(error.value)
    result = CliRunner().invoke(main, ["compare", str(path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_an_optimizer_of_torch_with_its_arguments_and_schedules_of_other_values(tmp_path):
    schedules = (
        "{step: 'multistep(0.1, [19, 38], 0.2)', "
        "decayed: {schedule: 'cosine(0.1, 0, 63)', weight_decay: 'linear(0.1, 0, 63)', momentum: 'constant(0.9)'}, "
        "plain: 'cosine(0.1, 0, 63)'}"
    )
    read = read_experiment(written(tmp_path, optimizer="{name: AdamW, betas: [0.9, 0.95]}", schedules=schedules))
    assert read.description()["optimizer"] == {"name": "AdamW", "betas": [0.9, 0.95]}
    assert Experiment(**read.description()) == read
    assert Experiment(**read.description()).fingerprint == read.fingerprint
    # the same rates with another weight decay are another training
    assert read.sources == {"step": "step", "decayed": "decayed", "plain": "plain"}
    changed = read.description()
    changed["schedules"]["decayed"]["weight_decay"] = "linear(0.1, 0.01, 63)"
    assert Experiment(**changed).fingerprint != read.fingerprint


def test_units_in_a_schedule_are_of_its_own_training(tmp_path):
    schedules = (
        '{step: \'multistep(0.1, ["50%", "390st"], 0.2)\', '
        'warm: {schedule: \'linear(0, 0.1, "5%") >> cosine(0.1, 0, "95%")\', epochs: 20}, '
        'images: {schedule: \'linear(0, 0.1, "49920ex") >> cosine(0.1, 0, "19ep")\', epochs: 7800st}}'
    )
    read = read_experiment(written(tmp_path, schedules=schedules.replace('"50%", "390st"', '"390st", "50%"')))
    arms = {arm.key: (arm.schedule, arm.epochs) for arm in read.arms}
    # an epoch is 390 updates of 128 images
    assert arms == {
        "step": (parse("multistep(0.1, [1, 31.5], 0.2)"), 63),
        "warm": (parse("linear(0, 0.1, 1) >> cosine(0.1, 0, 19)"), 20),
        "images": (parse("linear(0, 0.1, 1) >> cosine(0.1, 0, 19)"), 20),
    }
    assert Experiment(**read.description()) == read


@pytest.mark.parametrize(
    ("written_as", "wanted"),
    [
        ('linear(0, 0.1, "5%") >> cosine(0.1, 0, "rest")', "linear(0, 0.1, 1) >> cosine(0.1, 0, 19)"),
        ('constant(0.1, "rest") >> linear(0.1, 0, "20%")', "constant(0.1, 16) >> linear(0.1, 0, 4)"),
        ('linear(0, 0.1, "2ep") >> warm_restarts(0.1, T_0="rest", runs=1)', "linear(0, 0.1, 2) >> cosine(0.1, 0, 18)"),
    ],
)
def test_the_rest_of_training(tmp_path, written_as, wanted):
    made = Experiment("digits", {"c": written_as}, "c", epochs=20)
    assert made.rates(made.arms[0]) == Experiment("digits", {"c": wanted}, "c", epochs=20).rates(made.arms[0])
    assert made.arms[0].schedule.duration == 20


@pytest.mark.parametrize(
    ("written_as", "said"),
    [
        (
            'linear(0, 0.1, "30ep") >> cosine(0.1, 0, "rest")',
            'nothing is left for "rest": the others last 30 of 20 epochs',
        ),
        ('linear(0, 0.1, "rest") >> cosine(0.1, 0, "rest")', '"rest" must be given once'),
        ('linear(0, 0.1, "rest") >> constant(0.1)', 'a schedule with a "rest" must end'),
    ],
)
def test_a_rest_that_cannot_be(written_as, said):
    with pytest.raises(ScheduleError, match=said):
        Experiment("digits", {"c": written_as}, "c", epochs=20)


def test_tokens_need_to_be_known(tmp_path):
    task = "{name: own:train, updates_per_epoch: 10, tokens_per_update: 4096}"
    values = {"task": task, "model": None, "optimizer": None, "epochs": "409600tok"}
    values["schedules"] = "{step: 'linear(0, 0.1, \"40960tok\") >> constant(0.1)'}"
    read = read_experiment(written(tmp_path, **values))
    assert (str(read.arms[0].schedule), read.arms[0].epochs) == ("linear(0, 0.1, 1) >> constant(0.1)", 10)
    unknown = values | {"task": "{name: own:train, updates_per_epoch: 10}", "epochs": "10"}
    with pytest.raises(ScheduleError, match=r"schedules.step: 40960tok needs task.tokens_per_update"):
        read_experiment(written(tmp_path, **unknown))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ScheduleError, match=r"none\.yaml cannot be read: No such file or directory"):
        read_experiment(tmp_path / "none.yaml")
