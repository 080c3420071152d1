"""The language-model task: its data, its model, its measure, and a whole trial."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from compare_cases import files

from annealing import ScheduleError
from annealing.compare import Experiment, Gpt, Text, Trial, compare, read_experiment
from annealing.compare.problem import Windows, batches, flat
from annealing.compare.report import finished
from annealing.compare.store import load_store, open_store
from annealing.compare.tasks import text_bytes
from annealing.compare.trials import run_trial

SMALL = {"layers": 1, "width": 8, "heads": 2}


def made(**changes) -> Experiment:
    task = {"name": "python-topics", "context": 16, "test": 65}
    schedules = {"line": 'linear(0, 0.01, "10%") >> linear(0.01, 0, "90%")'}
    model = {"name": "gpt", **SMALL}
    values = {"epochs": "20st", "seeds": 1, "batch": 4, "evaluate_every": 1, "checkpoint_seconds": 0, **changes}
    return Experiment(task, schedules, "line", model=model, **values)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Counted(Windows):
    """Windows of a text whose bytes are 0, 1, 2 and so on, so that each says where it is."""

    def __init__(self) -> None:
        super().__init__(Text(context=16, test=100), bytes(range(256)))
        self.task = type("Task", (), {"context": 16, "examples": 156 // 16 - 1})


def test_batches_are_windows_of_the_training_text_and_what_follows():
    windows = Counted()
    inputs, targets = next(batches(windows, 3, 0, 8))
    assert inputs.shape == targets.shape == (8, 16)
    assert torch.equal(inputs + 1, targets)
    starts = sorted(inputs[:, 0].tolist())
    assert [start - starts[0] for start in starts] == [16 * n for n in range(8)]
    assert starts[0] < 16
    assert targets.max() < 156
    assert not torch.equal(inputs, next(batches(windows, 3, 1, 8))[0])
    assert torch.equal(inputs, next(batches(windows, 3, 0, 8))[0])


def test_an_epoch_begins_at_any_batch():
    windows = Windows(Text(), text_bytes("python-topics"))
    whole, rest = list(batches(windows, 0, 1, 500)), list(batches(windows, 0, 1, 500, begin=2))
    assert len(whole) == len(rest) + 2
    assert all(
        torch.equal(a, b) for one, other in zip(whole[2:], rest, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_every_byte_of_a_window_is_inside_the_training_text():
    task = Text(context=100, test=1000)
    windows = Windows(task, text_bytes("python-topics"))
    assert len(windows.train) + len(windows.test) == len(text_bytes("python-topics"))
    seen = [inputs for epoch in range(30) for inputs, _ in batches(windows, 0, epoch, task.examples)]
    assert {tuple(batch.shape) for batch in seen} == {(task.examples, 100)}


def test_the_measure_is_bits_per_byte():
    class Uniform(torch.nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 256, x.shape[1])

    class Frequencies(torch.nn.Module):
        def forward(self, x):
            return logs[None, :, None].expand(len(x), 256, x.shape[1])

    windows = Windows(Text(context=16, test=16 * 40 + 1), text_bytes("python-topics"))
    assert windows.measure(Uniform()) == pytest.approx(8, rel=1e-6)
    targets = windows.test[1:].numpy()
    counts = np.bincount(targets, minlength=256)
    logs = torch.from_numpy(np.log(np.maximum(counts, 1e-30) / counts.sum())).float()
    shares = counts[counts > 0] / counts.sum()
    assert windows.measure(Frequencies()) == pytest.approx(-(shares * np.log2(shares)).sum(), rel=1e-5)


def test_the_transformer_sees_only_what_came_before_and_begins_without_an_opinion():
    model = Gpt(**SMALL).build(0, (16,), 256)
    inputs = torch.arange(32).reshape(2, 16)
    scores = model(inputs)
    assert scores.shape == (2, 256, 16)
    changed = inputs.clone()
    changed[:, 9] = 200
    assert torch.equal(model(changed)[:, :, :9], scores[:, :, :9])
    assert not torch.equal(model(changed)[:, :, 9:], scores[:, :, 9:])
    assert torch.nn.functional.cross_entropy(scores, inputs).item() == pytest.approx(math.log(256), abs=0.01)


def test_the_number_of_parameters_by_hand():
    w, layers, context = 96, 3, 128
    block = 3 * w * w + w * w + 8 * w * w + 4 * w  # attention, the wide layer, two norms
    wanted = 256 * w + context * w + layers * block + 2 * w + 256 * w
    assert sum(value.numel() for value in Gpt().build(0, (context,), 256).parameters()) == wanted == 394_560


def test_a_trial_learns_repeats_and_goes_on_after_a_stop(tmp_path, monkeypatch):
    monkeypatch.setattr("annealing.compare.session.LEAST_SHARE", 0)
    trial = Trial("line", 0)
    whole = open_store(tmp_path / "whole", made())
    run_trial(whole, trial)
    assert 2 < whole.rows(trial)[-1].wrong < 8
    stopped = open_store(tmp_path / "stopped", made())
    calls = iter(range(12))
    step = torch.optim.AdamW.step

    def stop(self, *arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return step(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.AdamW, "step", stop)
        with pytest.raises(KeyboardInterrupt):
            run_trial(stopped, trial)
    run_trial(stopped, trial)
    assert files(stopped.path(trial)) == files(whole.path(trial))


def test_the_report_is_in_bits_per_byte(tmp_path):
    table = compare(tmp_path / "out", made(), workers=1)
    assert (table.metric, table.better, table.test_images) == ("bits_per_byte", "low", None)
    text = (tmp_path / "out" / "table.txt").read_text()
    assert "Bits per byte (lower is better)" in text
    assert "image" not in text
    assert "restart" not in text
    assert "step decay" not in text


def test_the_experiment_at_hand():
    experiment = read_experiment(Path(__file__).parents[1] / "experiments" / "language-cpu.yaml")
    assert [arm.kind for arm in experiment.arms] == ["decay", "cosine", "decay", "restarts", "constant"]
    assert {experiment.updates(arm) for arm in experiment.arms} == {3 * experiment.updates_per_epoch}
    assert all(max(experiment.rates(arm)) <= 0.003 for arm in experiment.arms)
    assert Experiment(**experiment.description()) == experiment


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "cnn"}, "model of the task python-topics must not be cnn"),
        ({"model": {"name": "gpt", "width": 10, "heads": 3}}, "model.width must be a multiple of the 3 heads, got 10"),
        ({"task": {"name": "python-topics", "test": 10}}, "task.test must be a whole number of at least 129, got 10"),
        ({"task": {"name": "python-topics", "test": 10**7}}, "test must leave a window of 128 bytes to train on"),
        ({"task": "digits", "model": "gpt"}, "model of the task digits must not be gpt"),
        ({"batch": 10**6}, "batch must be at most the .* windows of an epoch"),
    ],
)
def test_bad_values(changes, said):
    with pytest.raises(ScheduleError, match=said):
        Experiment(
            **{"task": "python-topics", "schedules": {"c": "constant(0.1)"}, "baseline": "c", "epochs": 1, **changes}
        )


def test_another_text_than_the_recorded_one_is_refused_before_training(tmp_path):
    task = {"name": "python-topics", "sha256": "00" * 32, "size": 466_117}
    experiment = Experiment(task, {"c": "constant(0.1)"}, "c", epochs=1)
    with pytest.raises(ScheduleError, match=r"task.sha256: python-topics of Python 3.* is another text, with SHA-256"):
        compare(tmp_path / "out", experiment)


def test_the_tables_of_a_kept_comparison_do_not_need_the_text(monkeypatch):
    """Another version of Python has other help topics."""
    monkeypatch.setattr("annealing.compare.tasks.text_bytes", lambda name: b"another text")
    kept = load_store(Path(__file__).parent.parent / "experiments" / "language-cpu")
    assert finished(kept).experiment.updates_per_epoch == 208


def test_the_loss_has_a_row_for_each_place_where_bits_must_repeat_on_a_gpu():
    scores, targets = torch.randn(3, 7, 5, dtype=torch.float64), torch.randint(0, 7, (3, 5))
    rows, classes = flat(scores, targets)
    assert rows.shape == (15, 7)
    mean = torch.stack([-scores[n, :, t].log_softmax(0)[targets[n, t]] for n in range(3) for t in range(5)]).mean()
    assert torch.nn.functional.cross_entropy(rows, classes).item() == pytest.approx(mean.item(), rel=1e-12)
