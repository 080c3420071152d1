"""Schedules read from other frameworks: live PyTorch schedulers, arguments and configuration files."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.optim import lr_scheduler as native

import annealing.torch
from annealing import ScheduleError, cosine, from_framework, linear, parse, warm_restarts, wsd
from annealing.cli import main

LIVE = {
    "ConstantLR": lambda o: native.ConstantLR(o, 0.5, 4),
    "LinearLR": lambda o: native.LinearLR(o, 0.1, 0.9, 12),
    "StepLR": lambda o: native.StepLR(o, 7, 0.3),
    "MultiStepLR": lambda o: native.MultiStepLR(o, [5, 9, 9, 20], 0.5),
    "ExponentialLR": lambda o: native.ExponentialLR(o, 0.93),
    "PolynomialLR": lambda o: native.PolynomialLR(o, 25, 2.0),
    "CosineAnnealingLR": lambda o: native.CosineAnnealingLR(o, 12, 0.01),
    "CosineAnnealingWarmRestarts": lambda o: native.CosineAnnealingWarmRestarts(o, 5, 2, 0.01),
    "OneCycleLR": lambda o: native.OneCycleLR(o, 0.4, 40, pct_start=0.25, div_factor=10.0, final_div_factor=100.0),
    "OneCycleLR, linear, three phases": lambda o: native.OneCycleLR(
        o, 0.4, 40, pct_start=0.25, anneal_strategy="linear", three_phase=True
    ),
    "CyclicLR": lambda o: native.CyclicLR(o, 0.01, 0.2, 4, 6, mode="triangular2"),
    "CyclicLR, exp_range": lambda o: native.CyclicLR(o, 0.01, 0.2, 4, mode="exp_range", gamma=0.97),
    "SequentialLR": lambda o: native.SequentialLR(
        o, [native.LinearLR(o, 0.1, 1.0, 8), native.CosineAnnealingLR(o, 20, 0.001)], [8]
    ),
    "SequentialLR of three": lambda o: native.SequentialLR(
        o, [native.LinearLR(o, 0.5, 1.0, 4), native.StepLR(o, 6, 0.5), native.ExponentialLR(o, 0.9)], [4, 20]
    ),
    "ChainedScheduler": lambda o: native.ChainedScheduler(
        [native.LinearLR(o, 0.1, 1.0, 8), native.ExponentialLR(o, 0.95)], optimizer=o
    ),
    "a drop-in": lambda o: annealing.torch.CosineAnnealingLR(o, 12, 0.01),
    "a Scheduler": lambda o: annealing.torch.Scheduler(o, lr=cosine(0.1, 0, 30)),
}


def sgd(lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", LIVE)
def test_a_live_scheduler_is_read(name: str) -> None:
    optimizer = sgd()
    scheduler = LIVE[name](optimizer)
    schedule = from_framework(scheduler)
    used = []
    for _ in range(39):
        used.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    assert np.allclose(used, schedule(np.arange(39)), rtol=1e-9, atol=1e-15)
    # The schedule is that from step 0 on, however far the scheduler has come.
    assert from_framework(scheduler) == schedule


def test_each_group_has_its_schedule() -> None:
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": lr} for lr in (0.1, 0.2)], lr=1.0)
    scheduler = native.StepLR(optimizer, 5, 0.5)
    assert [from_framework(scheduler, group=i)(7) for i in (0, 1)] == [0.05, 0.1]


def _get_cosine_schedule_with_warmup_lr_lambda(step: int, **keywords: Any) -> float:
    raise AssertionError("its keywords are read, and it is not called")


def test_the_functions_of_transformers_are_read_by_name() -> None:
    keywords = {"num_warmup_steps": 10, "num_training_steps": 100, "num_cycles": 0.5}
    scheduler = native.LambdaLR(sgd(), lambda step: 1.0)
    scheduler.lr_lambdas = [functools.partial(_get_cosine_schedule_with_warmup_lr_lambda, **keywords)]
    assert from_framework(scheduler) == linear(0, 0.1, 10) >> cosine(0.1, 0, 90).beyond("mirror")


def linear_warmup_stable_decay(step: int) -> float:
    return 1.0


@pytest.mark.parametrize("function", [_get_cosine_schedule_with_warmup_lr_lambda, linear_warmup_stable_decay])
def test_a_function_of_the_same_name_without_keywords_is_somebody_elses(function: Any) -> None:
    scheduler = native.LambdaLR(sgd(), lambda step: 1.0)
    scheduler.lr_lambdas = [function]
    with pytest.raises(ScheduleError, match=f"LambdaLR follows the function {function.__name__}.* cannot be read"):
        from_framework(scheduler)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (native.LambdaLR(sgd(), lambda step: 1.0), r"LambdaLR follows the function .*<lambda> \(line \d+ of .*"),
        (native.ReduceLROnPlateau(sgd()), "cannot be read"),
        (lambda step: 0.1, "an Optax schedule is one"),
        (object(), "an object of the class builtins.object cannot be read; schedulers of PyTorch"),
        ({"lr_shceduler_type": "cosine"}, "no schedule is recognized in the keys 'lr_shceduler_type': did you mean"),
        ({}, "no schedule is recognized in the keys none; configurations can be read of Transformers"),
        ({"lr_scheduler_type": "cosine", "learning_rate": 1e-4}, "the number of updates is not among the arguments"),
        ({"lr_scheduler_type": "cosin", "max_steps": 100}, "unknown schedule 'cosin': did you mean cosine?"),
        ({"lr_scheduler_type": "greedy", "max_steps": 100}, "'greedy' is not a schedule: it reacts to a metric"),
        ({"scheduler": {"type": "WarmupDecayLR", "params": {"total_num_steps": "auto"}}}, 'total_num_steps are "auto"'),
        ({"class_name": "CosineDecay", "config": {"decay_stepz": 5}}, "CosineDecay has no argument 'decay_stepz'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_was_seen(given: Any, message: str) -> None:
    with pytest.raises(ScheduleError, match=message.replace("?", r"\?") if "LambdaLR" not in message else message):
        from_framework(given)


@pytest.mark.parametrize(
    ("framework", "kind", "arguments", "message"),
    [
        ("torch", "CosineAnealingLR", {}, "unknown schedule 'CosineAnealingLR': did you mean CosineAnnealingLR"),
        ("torch", "StepLR", {"gamma": 0.1}, "StepLR needs step_size"),
        ("timm", None, {}, "name a schedule; it can read CosineLRScheduler"),
        ("transfomers", "cosine", {}, "'transfomers' is no framework .* did you mean transformers"),
        ("timm", "CosineLRScheduler", {"t_initial": 10, "noise_range_t": [1, 5]}, "adds random noise"),
        ("transformers", "linear", {"num_warmup_steps": "ten", "num_training_steps": 100}, "cannot be read|must be"),
        ("torch", "LinearLR", {"start_factor": 2.0}, "start_factor must be between 0 and 1, got 2.0"),
    ],
)
def test_wrong_arguments_are_refused(framework: str, kind: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        from_framework(framework, kind, **arguments)


AXOLOTL = """\
base_model: a/model
micro_batch_size: 2
learning_rate: 2e-4
lr_scheduler: cosine
cosine_min_lr_ratio: 0.1
warmup_ratio: 0.05
num_epochs: 3
"""
LLAMA_FACTORY = """\
model_name_or_path: a/model
stage: sft
learning_rate: 1.0e-4
lr_scheduler_type: cosine
warmup_ratio: 0.1
max_steps: 200
"""
TORCHTUNE = """\
optimizer:
  _component_: torch.optim.AdamW
  lr: 3e-4
lr_scheduler:
  _component_: torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup
  num_warmup_steps: 100
"""
TITAN = """\
[optimizer]
lr = 3e-4
[lr_scheduler]
warmup_steps = 2
decay_ratio = 0.8
min_lr_factor = 0.1
[training]
steps = 10
"""
FILES: dict[str, tuple[str, str, dict[str, Any], Any]] = {
    "axolotl": (
        "a.yaml",
        AXOLOTL,
        {"max_steps": 1000},
        linear(0, 2e-4, 50) >> cosine(2e-4, 2e-5, 950).beyond("mirror"),
    ),
    "LLaMA-Factory": ("l.yml", LLAMA_FACTORY, {}, linear(0, 1e-4, 20) >> cosine(1e-4, 0, 180).beyond("mirror")),
    "torchtune": (
        "t.yaml",
        TORCHTUNE,
        {"max_steps": 1000},
        linear(0, 3e-4, 100) >> cosine(3e-4, 0, 900).beyond("mirror"),
    ),
    "DeepSpeed": (
        "ds.json",
        json.dumps(
            {
                "train_batch_size": 8,
                "scheduler": {
                    "type": "WarmupDecayLR",
                    "params": {
                        "warmup_max_lr": 1e-3,
                        "warmup_num_steps": 10,
                        "total_num_steps": 100,
                        "warmup_type": "linear",
                    },
                },
            }
        ),
        {},
        # One update late: the engine's first step() makes the iteration 0.
        (linear(0, 1e-3, 10) >> linear(1e-3, 0, 90)).shifted(1),
    ),
    "MMEngine": (
        "mm.json",
        json.dumps(
            {
                "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.01}},
                "param_scheduler": [
                    {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 501},
                    {
                        "type": "MultiStepLR",
                        "begin": 0,
                        "end": 12,
                        "milestones": [8, 11],
                        "gamma": 0.1,
                        "by_epoch": True,
                    },
                ][:1],
            }
        ),
        {},
        linear(1e-5, 0.01, 500),
    ),
    "Transformers": (
        "args.json",
        json.dumps({"learning_rate": 5e-5, "lr_scheduler_type": "linear", "warmup_steps": 0.07, "seed": 1}),
        {"max_steps": 100},
        # 100 * 0.07 is a little above 7 in floats, and the Trainer rounds up.
        linear(0, 5e-5, 8) >> linear(5e-5, 0, 92),
    ),
    "a trainer_state.json": (
        "trainer_state.json",
        json.dumps({"global_step": 10, "max_steps": 100, "log_history": [], "epoch": 1.0}),
        {"learning_rate": 1e-4, "lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": 4}},
        warm_restarts(1e-4, 0, T_0=25, runs=4),
    ),
    "Megatron-LM": (
        "megatron.yaml",
        "lr: 3e-4\nmin-lr: 3e-5\nlr-decay-style: WSD\nlr-decay-iters: 100\nlr-wsd-decay-iters: 20\nlr-wsd-decay-style: "
        "minus_sqrt\nlr-warmup-iters: 10\nnum-layers: 12\n",
        {},
        wsd(3e-4, 3e-5, T_warmup=10, T_stable=70, T_cooldown=20, curve="1-sqrt"),
    ),
    "Keras": (
        "keras.json",
        json.dumps(
            {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 90, "name": "x"}}
        ),
        {},
        cosine(0.1, 0, 90),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_file_is_read(name: str, tmp_path: Path) -> None:
    file, text, more, wanted = FILES[name]
    (tmp_path / file).write_text(text)
    read = from_framework(tmp_path / file, **more)
    steps = np.arange(120.0)
    assert np.allclose(read(steps), wanted(steps), rtol=1e-12, atol=1e-18)
    words = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in more.items()]
    told = CliRunner().invoke(main, ["translate", "--from", str(tmp_path / file), *words])
    assert told.exit_code == 0
    assert parse(told.stdout) == read


def test_torchtitans_warm_up_is_a_step_ahead(tmp_path: Path) -> None:
    (tmp_path / "titan.toml").write_text(TITAN)
    rates = from_framework(tmp_path / "titan.toml")(np.arange(10.0))
    # (t + 1) / 2, then the peak again, and 1 - k / 8 of 90 % of it: worked out by hand from lr_scheduler.py.
    factors = [0.5, 1, 1] + [0.1 + 0.9 * (1 - k / 8) for k in range(1, 8)]
    assert np.allclose(rates, [3e-4 * factor for factor in factors], rtol=1e-12)


def test_axolotls_own_curves() -> None:
    shared = {"base_model": "m", "learning_rate": 1.0, "warmup_steps": 10, "max_steps": 110}
    rex = from_framework({**shared, "lr_scheduler": "rex"})
    # z / (0.1 + 0.9 z) half way down; and its step 0 is no part of the warm-up.
    assert np.allclose([rex(60), rex(5), rex(0)], [0.5 / 0.55, 0.5, 0.1 / 0.19])
    quadratic = from_framework({**shared, "lr_scheduler": "cosine", "lr_quadratic_warmup": True})
    assert quadratic(5) == 0.25
    constant = from_framework(
        {**shared, "lr_scheduler": "cosine", "cosine_min_lr_ratio": 0.1, "cosine_constant_lr_ratio": 0.5}
    )
    assert np.allclose([constant(10), constant(32.5), constant(55), constant(100)], [1, 0.55, 0.1, 0.1])
    one = from_framework({**shared, "lr_scheduler": "one_cycle"})
    assert np.isclose(one(9), 1.0)


def command(*words: str) -> tuple[int, str]:
    told = CliRunner().invoke(main, ["translate", *words])
    return told.exit_code, told.output


def test_the_command_writes_and_reads() -> None:
    status, text = command("linear(0, 0.1, 10) >> cosine(0.1, 0.01, 90)", "--to", "keras")
    assert status == 0
    assert "decay_steps=90" in text
    status, text = command(
        "--from", "transformers", "cosine_with_restarts", "num_warmup_steps=10", "num_training_steps=100"
    )
    assert (status, text) == (0, "linear(0, 1, 10) >> warm_restarts(1, 0, T_0=90, runs=1)\n")
    status, text = command("rex(1, 0, 100)", "--to", "torch", "--json")
    assert status == 1  # only near
    assert json.loads(text)["at"] == 59
    status, text = command("--from", "torch", "StepLR", "lr=0.1", "step_size=30", "--to", "timm", "--until", "90")
    assert status == 0
    assert "decay_t=30" in text
    status, text = command("--list")
    assert status == 0
    assert "CosineAnnealingWarmRestarts" in text
    status, text = command("linear(0, 0.1, '5%') >> cosine(0.1, 0, '95%')", "--to", "timm", "--steps", "200")
    assert status == 0
    assert "warmup_t=10" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a NOTATION and --to FRAMEWORK"),
        (["cosine(1, 0, 10)"], "give a NOTATION and --to FRAMEWORK"),
        (["cosine(1, 0, 10)", "--to", "pytorhc"], "did you mean pytorch"),
        (["--from", "no.yaml"], "no.yaml cannot be read: No such file"),
        (["--from", "torch", "StepLR", "lr=0.1", "step_size"], "arguments must be NAME=VALUE, got 'step_size'"),
        (["--from", "torch", "StepLR", "lr=0.1"], "StepLR needs step_size"),
    ],
)
def test_wrong_commands_are_usage_errors(words: list[str], message: str) -> None:
    status, text = command(*words)
    assert status == 2
    assert message in " ".join(text.split())


def test_nothing_a_file_holds_is_evaluated(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text("lr_scheduler_type: !!python/object/apply:os.system ['true']\nmax_steps: 10\n")
    with pytest.raises(ScheduleError, match="cannot be read"):
        from_framework(tmp_path / "evil.yaml")


def test_a_log_is_audited_against_the_configuration_of_its_run(tmp_path: Path) -> None:
    schedule = linear(0, 1e-4, 20) >> cosine(1e-4, 0, 180)
    rows = [{"step": n, "epoch": n / 50, "learning_rate": schedule(n - 1), "loss": 1.0} for n in range(10, 201, 10)]
    log = {"global_step": 200, "max_steps": 200, "epoch": 4.0, "log_history": rows}
    (tmp_path / "trainer_state.json").write_text(json.dumps(log))
    # The number of updates comes from the log where the configuration counts epochs.
    epochs = LLAMA_FACTORY.replace("max_steps: 200", "max_steps: -1")
    for file, text in (("right.yaml", LLAMA_FACTORY), ("epochs.yaml", epochs)):
        (tmp_path / file).write_text(text)
        words = ["audit", str(tmp_path / "trainer_state.json"), "--expect-from", str(tmp_path / file)]
        told = CliRunner().invoke(main, words)
        assert told.exit_code == 0, told.output
        assert CliRunner().invoke(main, [*words, "--set", "warmup_ratio=0.2"]).exit_code == 1
        both = CliRunner().invoke(main, [*words, "--expect", str(schedule)])
        assert both.exit_code == 2


def test_a_file_that_contains_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "self.yaml").write_text("scheduler: &a {type: *a}\n")
    with pytest.raises(ScheduleError, match=r"self\.yaml .* contains itself by an alias"):
        from_framework(tmp_path / "self.yaml")
