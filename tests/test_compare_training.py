"""One trial: its rates, its data and its records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from annealing import cosine, multistep, warm_restarts
from annealing.compare import Arm, Digits, Experiment, Trial, sgdr, training
from annealing.compare.digits import shifted
from annealing.compare.training import train


def one(arm: Arm, task: Digits | None = None) -> Experiment:
    return Experiment(task or Digits(), (arm,), (0,), arm.key)


STEP = Arm("step", "step", multistep(0.1, [Fraction(3, 4)], gamma=0.2), Fraction(3, 2))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def problem():
    return Digits().load()


@pytest.fixture
def used():
    """The rates of all updates, read from the optimizer when it steps."""
    rates: list[float] = []

    def before(optimizer, args, kwargs):
        rates.append(optimizer.param_groups[0]["lr"])

    handle = register_optimizer_step_pre_hook(before)
    yield rates
    handle.remove()


def test_update_n_uses_the_schedule_at_n_minus_1(used):
    list(train(one(STEP), Trial("step", 0)))
    # 20 updates an epoch: 0.1 for the first 15 of 30 updates, 0.02 for the others
    assert used == pytest.approx([0.1] * 15 + [0.02] * 15, rel=1e-15)


def test_T_cur_is_updated_every_batch(used):
    arm = Arm("restarts", "restarts", warm_restarts(0.05, T_0=Fraction(1, 5), T_mult=2), Fraction(3, 5))
    rows = list(train(one(arm), Trial("restarts", 0)))
    wanted = [0.05 * (1 + math.cos(math.pi * n / 4)) / 2 for n in range(4)]
    wanted += [0.05 * (1 + math.cos(math.pi * n / 8)) / 2 for n in range(8)]
    assert used == pytest.approx(wanted, rel=1e-14)
    assert [(row.updates, row.epoch, row.rate) for row in rows] == [(4, 0.2, used[3]), (12, 0.6, used[11])]


def test_the_same_seed_gives_the_same_rows():
    first, again = (list(train(one(STEP), Trial("step", 3))) for _ in range(2))
    assert first == again
    assert list(train(one(STEP), Trial("step", 4))) != first


def test_the_seed_decides_the_initial_weights_as_well(monkeypatch):
    same_data = training.batches
    monkeypatch.setattr(training, "batches", lambda problem, seed: same_data(problem, 0))
    first, other = (list(train(one(STEP), Trial("step", seed))) for seed in (0, 1))
    assert first != other


def test_the_global_random_state_is_neither_used_nor_changed():
    torch.manual_seed(1)
    first = list(train(one(STEP), Trial("step", 0)))
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == drawn
    assert list(train(one(STEP), Trial("step", 0))) == first


def test_all_schedules_begin_with_the_same_weights_and_data(problem):
    for a, b in zip(problem.model(5).parameters(), problem.model(5).parameters(), strict=True):
        assert torch.equal(a, b)
    epochs = [list(problem.batches(5, epoch)) for epoch in (0, 0, 1)]
    assert all(torch.equal(x, y) for a, b in zip(*epochs[:2], strict=True) for x, y in zip(a, b, strict=True))
    assert not torch.equal(epochs[0][0][0], epochs[2][0][0])


def test_evaluations_between_epochs_change_nothing():
    plain = Arm("plain", "plain", cosine(0.05, 0, 2), Fraction(2))
    part = Arm("part", "part", cosine(0.05, 0, 2), Fraction(13, 10))
    both = Experiment(Digits(), (plain, part), (0,), "plain")
    assert both.sources["part"] == "plain"
    alone, shared = list(train(one(plain), Trial("plain", 0))), list(train(both, Trial("plain", 0)))
    assert [row for row in shared if row.updates != 26] == alone
    # and what is read off the longer training is what the shorter one gives
    assert shared[:2] == list(train(one(part), Trial("part", 0)))


def test_an_epoch_holds_every_image_once(problem):
    unmoved = Digits(shift=0).load()
    images = np.concatenate([batch.numpy() for batch, _ in unmoved.batches(0, 0)])[:, 0]
    classes = np.concatenate([batch.numpy() for _, batch in unmoved.batches(0, 0)])
    assert images.shape == (1200, 8, 8)
    ordered, given = (np.sort(x.reshape(1200, 64).sum(axis=1)) for x in (images, unmoved.images))
    np.testing.assert_array_equal(ordered, given)
    assert np.bincount(classes).tolist() == np.bincount(unmoved.classes).tolist()
    assert not np.array_equal(classes, unmoved.classes)


def test_the_split_is_stratified_and_of_the_stated_size(problem):
    train_counts, test_counts = np.bincount(problem.classes), np.bincount(problem.test_classes.numpy())
    assert (train_counts.sum(), test_counts.sum()) == (1200, 597)
    assert np.abs(train_counts / 1200 - test_counts / 597).max() < 0.002
    assert problem.images.mean(axis=0) == pytest.approx(0, abs=1e-6)


def test_after_an_evaluation_the_model_is_trained_on(problem):
    model = problem.model(0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    problem.wrong(model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_shifts_move_every_image_by_at_most_one_pixel():
    image = np.zeros((500, 8, 8), np.float32)
    image[:, 3, 4] = 1
    moved = shifted(image, 1, np.random.default_rng(0))
    places = {tuple(int(i) for i in place) for place in np.argwhere(moved)[:, 1:]}
    assert places == {(row, column) for row in (2, 3, 4) for column in (3, 4, 5)}
    assert moved.sum() == 500
    corner = np.zeros((500, 8, 8), np.float32)
    corner[:, 0, 0] = 1
    assert 150 < shifted(corner, 1, np.random.default_rng(0)).sum() < 300  # 5 of 9 moves lose it


def test_a_loss_that_is_not_finite_ends_the_trial():
    arm = Arm("wild", "wild", cosine(1e30, 0, 2), Fraction(2))
    rows = list(train(one(arm), Trial("wild", 0)))
    assert rows[-1].loss is None
    assert rows[-1].wrong == 597
    assert rows[-1].updates < 20
    assert len(rows) == 1


def test_the_loss_of_an_epoch_is_the_mean_over_its_updates(monkeypatch):
    seen = []

    def spied(*args):
        loss = entropy(*args)
        seen.append(loss.item())
        return loss

    entropy = training.cross_entropy
    monkeypatch.setattr(training, "cross_entropy", spied)
    rows = list(train(one(STEP), Trial("step", 0)))
    assert [row.updates for row in rows] == [20, 30]
    assert rows[0].loss == pytest.approx(np.mean(seen[:20]), rel=1e-15)
    assert rows[1].loss == pytest.approx(np.mean(seen[20:]), rel=1e-15)


def test_it_learns():
    case = sgdr(budget=5, seeds=1)
    rows = list(train(case, Trial("cosine-200", 0)))
    assert rows[0].wrong > rows[-1].wrong
    assert rows[-1].wrong / 597 < 0.15


@dataclass(frozen=True)
class Counting:
    """A problem whose evaluation is counted by hand: it gives class 0 for every image."""

    given: Digits

    def __call__(self, images):
        return torch.tensor([1.0] + [0.0] * 9).repeat(len(images), 1)

    def eval(self):
        pass

    def train(self):
        pass


def test_wrong_counts_images_of_another_class(problem):
    assert problem.wrong(Counting(Digits())) == int((problem.test_classes != 0).sum())
    assert 0 < problem.wrong(Counting(Digits())) < 597
