"""The update that a GPU captures, made here without a graph: it trains as the ordinary loop does, and resumes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from compare_cases import files, trained

from annealing import ScheduleError
from annealing.compare import Experiment, ResNet9, Trial, training
from annealing.compare.networks import VelocitySgd
from annealing.compare.problem import batches
from annealing.compare.problem import problem as loaded
from annealing.compare.session import Clock, Session
from annealing.compare.store import open_store
from annealing.compare.training import DeviceUpdate, fits
from annealing.compare.trials import run_trial
from annealing.torch.device import HostReads

TRIAL = Trial("restarts", 3)


def digits(**changes) -> Experiment:
    """Cycles that end at updates 4, 12, 28 and 40 of 50, with 20 updates in an epoch: some in the middle of one."""
    schedules = {"restarts": "linear(0.01, 0.05, 0.1) >> warm_restarts(eta_max=0.05, T_0=0.2, T_mult=2)"}
    values = {"epochs": 2.5, "seeds": [3], "baseline": "restarts", "checkpoint_seconds": 0, **changes}
    return Experiment("digits", schedules, **values)


def topics() -> Experiment:
    model = {"name": "gpt", "layers": 1, "width": 16, "heads": 2}
    task = {"name": "python-topics", "context": 32, "test": 2_000}
    return Experiment(task, {"restarts": "linear(0, 0.003, 0.01) >> constant(0.003)"}, "restarts", 0.05, [3], model)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def on_device(monkeypatch):
    monkeypatch.setattr(training, "on_device", lambda *_: True)
    monkeypatch.setattr("annealing.compare.session.LEAST_SHARE", 0)


@pytest.fixture
def opened_session(tmp_path):
    """A session of an experiment that is not trained, and its data."""

    def opened(made):
        data = loaded(made.task, None, made.device)
        with open(tmp_path / "clock.jsonl", "w") as file:
            return Session(made, Trial("restarts", 0), tmp_path, None, Clock(file, print)), data

    return opened


@pytest.mark.parametrize(
    "made",
    [
        digits(),
        digits(model="resnet9", epochs=0.3),
        digits(optimizer="AdamW", epochs=0.5),
        digits(precision="bf16", epochs=0.5),
        topics(),
    ],
    ids=["digits", "resnet9", "AdamW", "bf16", "text"],
)
def test_it_trains_as_the_ordinary_loop_does(made, tmp_path, monkeypatch):
    ordinary = trained(made, TRIAL, tmp_path)
    monkeypatch.setattr(training, "on_device", lambda *_: True)
    found = trained(made, TRIAL, tmp_path)
    assert [row.step for row in found] == [row.step for row in ordinary]
    # the rate is a float32 there, which moves the weights a little, and a few of the predictions with them
    np.testing.assert_allclose([row.lr for row in found], [row.lr for row in ordinary], rtol=1e-7)
    np.testing.assert_allclose([row.loss for row in found], [row.loss for row in ordinary], rtol=1e-3)
    np.testing.assert_allclose([row.wrong for row in found], [row.wrong for row in ordinary], rtol=0.02, atol=3)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_trial_that_is_stopped_goes_on_bit_for_bit(stop, on_device, tmp_path, monkeypatch):
    whole = open_store(tmp_path / "whole", digits())
    run_trial(whole, TRIAL)
    opened = open_store(tmp_path / "stopped", digits())
    saves, save = iter(range(1, stop)), Session.save

    def saved(self, objects):
        save(self, objects)
        if next(saves, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Session, "save", saved)
        with pytest.raises(KeyboardInterrupt):
            run_trial(opened, TRIAL)
    run_trial(opened, TRIAL)
    assert "continues after update" in (opened.path(TRIAL) / "clock.jsonl").read_text()
    assert files(opened.path(TRIAL)) == files(whole.path(TRIAL))


def test_a_loss_that_is_not_finite_ends_it_at_the_same_update(tmp_path, monkeypatch):
    made = Experiment("digits", {"restarts": "linear(0.1, 1e30, 1)"}, "restarts", epochs=1, seeds=[3])
    ordinary = trained(made, TRIAL, tmp_path)
    monkeypatch.setattr(training, "on_device", lambda *_: True)
    found = trained(made, TRIAL, tmp_path)
    assert found[-1].diverged
    assert found[-1].step == ordinary[-1].step < 20
    assert found[-1].lr == pytest.approx(ordinary[-1].lr, rel=1e-7)


def test_the_clock_tells_the_speed_and_nothing_else_does(on_device, tmp_path):
    opened = open_store(tmp_path / "out", digits(epochs=1))
    run_trial(opened, TRIAL)
    end = json.loads((opened.path(TRIAL) / "clock.jsonl").read_text().splitlines()[-1])
    assert end.keys() == {"event", "seconds", "images_per_second", "outside_graph"}
    assert end["images_per_second"] > 0
    assert end["outside_graph"] == 1  # there is no graph here
    assert "images_per_second" not in "".join(str(content) for content in files(opened.path(TRIAL)).values())


def test_batches_are_those_of_the_plan():
    problem = loaded(digits().task, None, "cpu")
    columns = problem.plan(3, 1)
    batch = [problem.batch(*(column[60:120] for column in columns)) for _ in range(2)]
    images, classes = next(batches(problem, 3, 1, 60, begin=1))
    assert torch.equal(batch[0][0], images)
    assert torch.equal(batch[1][1], classes)


@pytest.mark.parametrize(
    "made",
    [digits(model="resnet9", epochs=0.3), digits(model={"name": "wrn", "depth": 10, "width": 1}), topics()],
    ids=["resnet9", "wrn", "text"],
)
def test_an_update_reads_nothing_on_the_host(made, opened_session):
    """What a capture would refuse, or silently freeze: a value that is read, a shape that depends on data."""
    session, problem = opened_session(made)
    model = training._model(made, 0, problem)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    update = DeviceUpdate(session, problem, model, optimizer, made.batch)
    update.load(0, 0)
    update.make()
    with HostReads() as reads:
        update.make()
    assert reads.count == 0
    assert update.number.item() == int(update.rates.position) == 2
    with HostReads() as reads:
        problem.measure(model)
    assert reads.count > 0


def test_what_reads_on_the_host_keeps_the_ordinary_loop():
    """On a processor the fused forms read nothing, as on a GPU, and the others read the tensor with the rate."""
    parameters = [torch.nn.Parameter(torch.ones(2, 2))]

    class Others:
        def __init__(self, **named: float) -> None:
            self.others = lambda: named

    fused = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True)
    assert fits(fused, Others())
    assert not fits(fused, Others(weight_decay=0.1))
    assert not fits(torch.optim.SGD(parameters, lr=0.1), Others())
    assert not fits(torch.optim.Muon(parameters, lr=0.1), Others())
    assert not fits(VelocitySgd([{"params": parameters}], 0.1, 0.9), Others())


def test_resnet9_has_nine_layers_and_a_least_size():
    model = ResNet9().build(0, (3, 32, 32), 10)
    convolutions = [one for one in model.modules() if isinstance(one, torch.nn.Conv2d)]
    assert [one.out_channels for one in convolutions] == [64, 128, 128, 128, 256, 256, 256, 256]
    # 9 c_in c_out for each convolution, 2 c for each normalisation, 256 * 10 + 10 for the last layer
    wanted = sum(9 * one.in_channels * one.out_channels + 2 * one.out_channels for one in convolutions) + 2_570
    assert sum(value.numel() for value in model.parameters()) == wanted
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    with pytest.raises(ScheduleError, match="size must be at least 8 for the model resnet9, got 4"):
        Experiment({"name": "digits", "size": 4}, {"one": "constant(0.1)"}, "one", 1, model="resnet9")
    with pytest.raises(ScheduleError, match="channels must be a list of 4 whole numbers"):
        ResNet9((1, 2))


def test_precision_is_a_part_of_what_is_compared():
    assert "precision" not in digits().description()
    assert digits(precision="bf16").description()["precision"] == "bf16"
    assert digits(precision="bf16").fingerprint != digits().fingerprint
    with pytest.raises(ScheduleError, match="precision must be one of float32, bf16, got 'fp16'"):
        digits(precision="fp16")
