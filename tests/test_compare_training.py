"""One trial: its rates, its data and its records."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from compare_cases import trained
from torch.optim.optimizer import register_optimizer_step_pre_hook

from annealing import cosine, multistep, warm_restarts
from annealing.compare import Arm, Experiment, Images, Trial, sgdr, training
from annealing.compare.problem import batches, cut
from annealing.compare.problem import problem as loaded


def one(arm: Arm) -> Experiment:
    return Experiment("digits", (arm,), arm.key, seeds=1)


STEP = Arm("step", "step", multistep(0.1, [Fraction(3, 4)], gamma=0.2), Fraction(3, 2))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def problem():
    return loaded(Images("digits"), None, "cpu")


@pytest.fixture
def used():
    """The rates of all updates, read from the optimizer when it steps."""
    rates: list[float] = []

    def before(optimizer, args, kwargs):
        rates.append(optimizer.param_groups[0]["lr"])

    handle = register_optimizer_step_pre_hook(before)
    yield rates
    handle.remove()


def test_update_n_uses_the_schedule_at_n_minus_1(used, tmp_path):
    trained(one(STEP), Trial("step", 0), tmp_path)
    # 20 updates an epoch: 0.1 for the first 15 of 30 updates, 0.02 for the others
    assert used == pytest.approx([0.1] * 15 + [0.02] * 15, rel=1e-15)


def test_T_cur_is_updated_every_batch(used, tmp_path):
    arm = Arm("restarts", "restarts", warm_restarts(0.05, T_0=Fraction(1, 5), T_mult=2), Fraction(3, 5))
    rows = trained(one(arm), Trial("restarts", 0), tmp_path)
    wanted = [0.05 * (1 + math.cos(math.pi * n / 4)) / 2 for n in range(4)]
    wanted += [0.05 * (1 + math.cos(math.pi * n / 8)) / 2 for n in range(8)]
    assert used == pytest.approx(wanted, rel=1e-14)
    assert [(row.step, row.epoch, row.lr) for row in rows] == [(4, 0.2, used[3]), (12, 0.6, used[11])]


def test_the_same_seed_gives_the_same_rows(tmp_path):
    first, again = (trained(one(STEP), Trial("step", 3), tmp_path) for _ in range(2))
    assert first == again
    assert trained(one(STEP), Trial("step", 4), tmp_path) != first


def test_the_seed_decides_the_initial_weights_as_well(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "batches", lambda data, seed, *others: batches(data, 0, *others))
    first, other = (trained(one(STEP), Trial("step", seed), tmp_path) for seed in (0, 1))
    assert first != other


def test_the_global_random_state_is_neither_used_nor_changed(tmp_path):
    torch.manual_seed(1)
    first = trained(one(STEP), Trial("step", 0), tmp_path)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == drawn
    assert trained(one(STEP), Trial("step", 0), tmp_path) == first


def test_all_schedules_begin_with_the_same_weights_and_data(problem):
    build = one(STEP).model.build
    for a, b in zip(build(5, (1, 8, 8), 10).parameters(), build(5, (1, 8, 8), 10).parameters(), strict=True):
        assert torch.equal(a, b)
    epochs = [list(batches(problem, 5, epoch, 60)) for epoch in (0, 0, 1)]
    assert all(torch.equal(x, y) for a, b in zip(*epochs[:2], strict=True) for x, y in zip(a, b, strict=True))
    assert not torch.equal(epochs[0][0][0], epochs[2][0][0])


def test_evaluations_between_epochs_change_nothing(tmp_path):
    plain = Arm("plain", "plain", cosine(0.05, 0, 2), Fraction(2))
    part = Arm("part", "part", cosine(0.05, 0, 2).until(1.3), Fraction(13, 10))
    both = Experiment("digits", (plain, part), "plain", seeds=1)
    assert both.sources["part"] == "plain"
    alone, shared = trained(one(plain), Trial("plain", 0), tmp_path), trained(both, Trial("plain", 0), tmp_path)
    assert [row for row in shared if row.step != 26] == alone
    # and what is read off the longer training is what the shorter one gives
    assert shared[:2] == trained(one(part), Trial("part", 0), tmp_path)


def test_an_epoch_holds_every_image_once():
    unmoved = loaded(Images("digits", crop=0), None, "cpu")
    images = np.concatenate([batch.numpy() for batch, _ in batches(unmoved, 0, 0, 60)])[:, 0]
    classes = np.concatenate([batch.numpy() for _, batch in batches(unmoved, 0, 0, 60)])
    assert images.shape == (1200, 8, 8)
    given = unmoved.normal(unmoved.images).numpy()
    ordered, given = (np.sort(x.reshape(1200, 64).sum(axis=1)) for x in (images, given))
    np.testing.assert_array_equal(ordered, given)
    assert np.bincount(classes).tolist() == np.bincount(unmoved.labels.numpy()).tolist()
    assert not np.array_equal(classes, unmoved.labels.numpy())


def test_an_epoch_begins_at_any_batch(problem):
    whole, rest = list(batches(problem, 3, 7, 50)), list(batches(problem, 3, 7, 50, begin=20))
    assert len(whole) == 24
    for one_batch, other in zip(whole[20:], rest, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one_batch, other, strict=True))


def test_images_that_fill_no_batch_are_left_out(problem):
    assert [len(images) for images, _ in batches(problem, 0, 0, 500)] == [500, 500]


def test_the_split_is_stratified_and_of_the_stated_size(problem):
    train_counts, test_counts = np.bincount(problem.labels.numpy()), np.bincount(problem.test_labels.numpy())
    assert (train_counts.sum(), test_counts.sum()) == (1200, 597)
    assert np.abs(train_counts / 1200 - test_counts / 597).max() < 0.002
    assert problem.normal(problem.images).mean(axis=0).numpy() == pytest.approx(0, abs=1e-6)


def test_after_an_evaluation_the_model_is_trained_on(problem):
    model = one(STEP).model.build(0, problem.shape, 10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    problem.logits(model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_wrong_counts_images_of_another_class(problem):
    scores = torch.zeros(597, 10)
    scores[:, 3] = 1
    assert problem.wrong(scores) == int((problem.test_labels != 3).sum())


def test_cuts_move_every_image_by_at_most_the_padding():
    image = torch.zeros(9, 1, 8, 8)
    image[:, 0, 3, 4] = 1
    rows, columns = (torch.arange(9) // 3, torch.arange(9) % 3)
    moved = cut(image, 1, "zero", rows, columns)
    # a cut that begins at the padded image's (0, 0) moves everything down and to the right
    assert [tuple(place) for place in moved.nonzero()[:, 2:].tolist()] == [
        (4 - r, 5 - c) for r in range(3) for c in range(3)
    ]


def test_cuts_bring_in_zeros_or_a_reflection():
    image = torch.arange(1.0, 17).reshape(1, 1, 4, 4)
    corner = torch.tensor([0])
    assert cut(image, 1, "zero", corner, corner)[0, 0].tolist() == [[0] * 4, [0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11]]
    reflected = np.pad(image[0, 0].numpy(), 1, mode="reflect")[:4, :4]
    assert cut(image, 1, "reflect", corner, corner)[0, 0].tolist() == reflected.tolist()


def test_a_loss_that_is_not_finite_ends_the_trial(tmp_path):
    arm = Arm("wild", "wild", cosine(1e30, 0, 2), Fraction(2))
    rows = trained(one(arm), Trial("wild", 0), tmp_path)
    assert rows[-1].loss is None
    assert rows[-1].wrong == 597
    assert rows[-1].step < 20
    assert len(rows) == 1


def test_the_loss_of_an_epoch_is_the_mean_over_its_updates(monkeypatch, tmp_path):
    seen = []

    def spied(*args):
        loss = entropy(*args)
        seen.append(loss.item())
        return loss

    entropy = training.loss_of
    monkeypatch.setattr(training, "loss_of", spied)
    rows = trained(one(STEP), Trial("step", 0), tmp_path)
    assert [row.step for row in rows] == [20, 30]
    assert rows[0].loss == pytest.approx(np.mean(seen[:20]), rel=1e-15)
    assert rows[1].loss == pytest.approx(np.mean(seen[20:]), rel=1e-15)


def test_it_learns(tmp_path):
    case = sgdr(budget=5, seeds=1)
    rows = trained(case, Trial("cosine-200", 0), tmp_path)
    assert rows[0].wrong > rows[-1].wrong
    assert rows[-1].wrong / 597 < 0.15
