"""skorch's nets follow a schedule, trained once, in parts, and cloned."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from host_runs import SCHEDULE, Used, need, wanted

from annealing import cosine, parse
from annealing.torch import Scheduler

need("skorch")
from skorch import NeuralNetRegressor  # noqa: E402
from skorch.callbacks import Callback, LRScheduler  # noqa: E402

from annealing.hosts.skorch import ScheduleLR  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


class Recorder(Callback):
    def on_train_begin(self, net: Any, **_: Any) -> None:
        self.used_ = Used(net.optimizer_)


def net(*callbacks: Any, epochs: int = 4) -> NeuralNetRegressor:
    options = {"batch_size": 4, "train_split": None, "verbose": 0, "optimizer": torch.optim.SGD, "lr": 0.05}
    return NeuralNetRegressor(torch.nn.Linear, module__in_features=4, module__out_features=1, max_epochs=epochs,
                              callbacks=[*callbacks, Recorder()], **options)  # fmt: skip


X, Y = np.ones((16, 4), np.float32), np.zeros((16, 1), np.float32)


def used(trained: NeuralNetRegressor) -> list[float]:
    (recorder,) = (one for _, one in trained.callbacks_ if isinstance(one, Recorder))
    return recorder.used_.rates


@pytest.mark.parametrize(
    "callback",
    [
        ScheduleLR(lr=parse(SCHEDULE)),
        LRScheduler(policy=Scheduler, step_every="batch", lr=parse(SCHEDULE)),
    ],
)
def test_every_batch_has_its_rate(callback: LRScheduler) -> None:
    trained = net(callback).fit(X, Y)
    assert used(trained) == wanted(parse(SCHEDULE), 16)
    assert [row["event_lr"] for epoch in trained.history for row in epoch["batches"]] == used(trained)


def test_a_net_that_is_trained_further_continues() -> None:
    trained = net(ScheduleLR(lr=parse(SCHEDULE)), epochs=2).fit(X, Y)
    trained.partial_fit(X, Y)
    assert used(trained) == wanted(parse(SCHEDULE), 8, 8)


def test_a_net_whose_files_are_loaded_continues(tmp_path: Path) -> None:
    files = {f"f_{name}": str(tmp_path / name) for name in ("params", "optimizer", "history")}
    net(ScheduleLR(lr=parse(SCHEDULE)), epochs=2).fit(X, Y).save_params(**files)
    resumed = net(ScheduleLR(lr=SCHEDULE), epochs=2).initialize()
    resumed.load_params(**files)
    assert used(resumed.partial_fit(X, Y)) == wanted(parse(SCHEDULE), 8, 8)


def test_schedules_can_be_searched() -> None:
    from sklearn.model_selection import GridSearchCV

    searched = {"callbacks__ScheduleLR__lr": [SCHEDULE, "cosine(0.001, 0, 16)"]}
    search = GridSearchCV(net(ScheduleLR(lr=SCHEDULE)), searched, cv=2, scoring="neg_mean_squared_error")
    search.fit(X, Y)
    assert used(search.best_estimator_) == wanted(parse(search.best_params_["callbacks__ScheduleLR__lr"]), 16)


def test_a_clone_starts_from_0() -> None:
    from sklearn.base import clone

    trained = net(ScheduleLR(lr=parse(SCHEDULE))).fit(X, Y)
    assert used(clone(trained).fit(X, Y)) == wanted(parse(SCHEDULE), 16)


def test_stepped_per_epoch_it_warns_once_with_the_remedy() -> None:
    with pytest.warns(RuntimeWarning, match=r'skorch steps once per epoch.*step_every="batch"') as found:
        net(LRScheduler(policy=Scheduler, lr=parse(SCHEDULE))).fit(X, Y)  # skorch's default
    assert len([one for one in found if "skorch steps" in str(one.message)]) == 1


def test_a_schedule_in_epochs_may_be_stepped_per_epoch() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        trained = net(ScheduleLR(step_every="epoch", lr=cosine(0.1, 0, 4))).fit(X, Y)
    assert used(trained) == [cosine(0.1, 0, 4)(n // 4) for n in range(16)]
