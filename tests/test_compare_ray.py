"""The engine for Ray clusters, on two nodes of this machine: a worker that is killed, and the records."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from compare_cases import files

from annealing import ScheduleError
from annealing.compare import Experiment, WorkerError, engine
from annealing.compare.store import open_store
from annealing.compare.trials import run_trial

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings and open sockets


def small(**changes) -> Experiment:
    schedules = {"restarts": "warm_restarts(eta_max=0.05, T_0=1, T_mult=2)", "cosine": "cosine(0.05, 0, 15)"}
    return Experiment("digits", schedules, "cosine", epochs=15, seeds=2, checkpoint_seconds=0, **changes)


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    memory = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **memory})
    made.add_node(num_cpus=1, **memory)  # on the main thread: it installs signal handlers
    yield made
    made.shutdown()


def begins(directory: Path) -> list[dict]:
    path = directory / "clock.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in map(json.loads, lines) if line["event"] == "begin"]


def test_a_worker_that_is_killed_in_mid_trial_is_replaced_and_the_records_are_the_same(cluster, tmp_path):
    local = open_store(tmp_path / "local", small())
    for trial in local.missing():
        run_trial(local, trial)
    opened = open_store(tmp_path / "cluster", small())
    victim = opened.path(opened.missing()[0])
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            rows = victim / "metrics.jsonl"
            if rows.exists() and rows.stat().st_size and begins(victim):
                killed.append(begins(victim)[0]["pid"])
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.005)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    told: list[tuple[str, int, str]] = []
    engine.run_on_ray(opened, opened.missing(), cluster.address, lambda trial, event: told.append((*trial, event)))
    assert killed
    assert len(begins(victim)) == 2
    assert begins(victim)[1]["pid"] != killed[0]
    assert files(opened.directory / "trials") == files(local.directory / "trials")
    assert [event for *_, event in told].count("done") == 4
    assert [event for *_, event in told].count("row") == sum(
        len(small().marks(trial.arm)) for trial in small().trials()
    )
    assert not ray.is_initialized()


def test_a_function_that_fails_is_named(cluster, tmp_path, monkeypatch):
    (tmp_path / "failing.py").write_text("def train(trial):\n    raise ArithmeticError('no such number')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    task = {"name": "failing:train", "updates_per_epoch": 10}
    made = Experiment(task, {"cosine": "cosine(0.1, 0, 2)"}, "cosine", epochs=2, seeds=1)
    opened = open_store(tmp_path / "out", made)
    with pytest.raises(WorkerError, match="cosine with seed 0: ArithmeticError: no such number"):
        engine.run_on_ray(opened, opened.missing(), cluster.address, lambda trial, event: None)


def test_a_trial_on_cuda_asks_for_a_gpu(cluster, tmp_path, monkeypatch):
    opened = open_store(tmp_path / "out", small(device="cuda"))
    looks: list[float] = []
    real = ray.wait

    class EnoughError(Exception):
        pass

    def watched(*args, **options):
        looks.append(ray.available_resources()["CPU"])
        if len(looks) > 8:  # nothing here has a GPU, so that nothing begins
            raise EnoughError
        return real(*args, **options)

    monkeypatch.setattr(ray, "wait", watched)
    with pytest.raises(EnoughError):
        engine.run_on_ray(opened, opened.missing()[:1], cluster.address, lambda trial, event: None)
    assert set(looks) == {2}
    assert not [*opened.directory.glob("trials/*/clock.jsonl")]


def test_an_address_without_a_cluster_is_an_error(tmp_path):
    opened = open_store(tmp_path / "out", small())
    with pytest.raises(ScheduleError, match="ray must be the address of a running cluster, got 'nowhere'"):
        engine.run_on_ray(opened, opened.missing(), "nowhere", lambda trial, event: None)
