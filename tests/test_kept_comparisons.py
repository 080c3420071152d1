"""The comparisons whose records are kept in experiments/: whole, and their tables are made from these records."""

from __future__ import annotations

import json
import operator
import os
import subprocess
import sys
from pathlib import Path

import pytest

from annealing.compare import Experiment, Text, Tuning
from annealing.compare.report import finished, plain
from annealing.compare.store import load_store
from annealing.compare.tuning import read_experiment

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
KEPT = sorted(manifest.parent for manifest in EXPERIMENTS.glob("*/manifest.json"))


@pytest.mark.parametrize("directory", KEPT, ids=lambda directory: directory.name)
def test_the_table_is_that_of_the_kept_records(directory: Path) -> None:
    store = load_store(directory)
    part = finished(store)
    assert part
    missing = 2 if directory.name == "cifar10-gpu" else 0  # the machine was lent for a quarter of an hour
    assert part.table.finished == part.table.trials - missing == len(store.experiment.trials()) - missing
    assert json.loads(json.dumps(plain(part.table))) == json.loads((directory / "results.json").read_text())
    if not missing:
        assert part.table.csv() == (directory / "results.csv").read_text()


@pytest.mark.parametrize("directory", KEPT, ids=lambda directory: directory.name)
def test_another_processor_computes_the_same_table(directory: Path) -> None:
    # NumPy without vector instructions above its baseline, and the BLAS kernels of 2004 on one thread
    code = """
import json, sys
from annealing.compare import Experiment, Text
from annealing.compare.report import finished, plain
from annealing.compare.store import load_store
print(json.dumps(plain(finished(load_store(sys.argv[1])).table)))
"""
    dispatched = subprocess.check_output(
        [sys.executable, "-c", "from numpy._core._multiarray_umath import __cpu_dispatch__ as names; print(*names)"],
        text=True,
    )
    other = {"NPY_DISABLE_CPU_FEATURES": dispatched.strip(), "OPENBLAS_CORETYPE": "Prescott", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", code, str(directory)]
    printed = subprocess.check_output(command, text=True, env={**os.environ, **other})
    assert json.loads(printed) == json.loads((directory / "results.json").read_text())


@pytest.mark.parametrize("directory", KEPT, ids=lambda directory: directory.name)
def test_the_records_are_of_the_experiment_beside_them(directory: Path) -> None:
    read, kept = read_experiment(directory.with_suffix(".yaml")), load_store(directory).experiment
    if isinstance(read, Tuning):
        tuned = load_store(directory / "tuning")
        assert tuned.experiment.fingerprint == read.trials().fingerprint
        assert not tuned.missing()
        choice = json.loads((directory / "tuning.json").read_text())
        # each schedule got the value with the best result on held-out images
        found = {key: min(results, key=operator.itemgetter(1))[0] for key, results in choice["results"].items()}
        assert choice["chosen"] == found
        assert read.results(finished(tuned).table) == {
            key: dict(map(tuple, results)) for key, results in choice["results"].items()
        }
        read = read.final(found)
    described = read.description()
    if isinstance(kept.task, Text):
        described["task"]["sha256"] = kept.task.sha256  # another version of Python has another text
    assert kept.fingerprint == Experiment(**described).fingerprint


def test_there_is_one() -> None:
    assert EXPERIMENTS / "cifar10-cpu" in KEPT
