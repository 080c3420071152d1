"""The table "The same curve everywhere": each row is run in its framework."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import frameworks_run
import host_runs  # noqa: F401  (what timm and Composer need of torchvision)
import numpy as np
import pytest
import same_curves

from annealing import from_framework

ROOT = Path(__file__).parents[1]

IN_CI = ("torch", "optax", "megatron", "deepspeed")
ROWS = [
    pytest.param(row, marks=[] if row.framework in IN_CI else [pytest.mark.slow], id=f"{i} {row.framework} {row.name}")
    for i, row in enumerate(same_curves.ROWS)
]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("row", ROWS)
def test_the_installed_framework_is_as_far_away_as_the_table_says(row: same_curves.Row) -> None:
    if importlib.util.find_spec(frameworks_run.NEEDED[row.framework]) is None:
        pytest.skip(f"{row.framework} is not installed")
    rounding = 1e-6 if row.framework == "keras" else 1e-12  # Keras computes in float32
    assert np.isclose(row.measured(), row.difference, rtol=2e-3, atol=rounding)


@pytest.mark.parametrize("row", same_curves.ROWS, ids=str)
def test_what_is_read_is_as_far_away_as_the_table_says(row: same_curves.Row) -> None:
    schedule, updates = same_curves.CURVES[row.title]
    steps = np.arange(updates)
    read = from_framework(row.framework, row.name, **row.arguments)
    assert np.isclose(np.abs(read(steps) - schedule(steps)).max(), row.difference, rtol=2e-3, atol=1e-12)


def test_the_page_shows_what_was_measured() -> None:
    kept = json.loads((ROOT / "benchmarks" / "records" / "same_curves.json").read_text())
    page = (ROOT / "docs" / "translate.md").read_text()
    assert len(kept) == len(same_curves.ROWS)
    for row in same_curves.ROWS:
        found = [value for key, value in kept.items() if key.startswith(f"{row.title} | {row.framework} | {row.name}(")]
        assert any(np.isclose(value["difference"], row.difference, rtol=2e-3, atol=1e-6) for value in found)
    for key in kept:
        assert key.rpartition(" | ")[2] in page
