"""What all tests share."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator

import pytest

# Loading torch, JAX and the tests makes millions of objects that stay. Looking through them again and again for garbage
# took a third of the time of collection, and half of that of small tests.
gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()
    gc.collect()
    gc.freeze()


collect_ignore_glob = ["host_*.py"]  # they import hosts, which need not be installed


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power, so none has to wait until a disk has stored what was written."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def no_open_figures() -> Iterator[None]:
    """pyplot keeps every figure until it is closed, and warns of many."""
    yield
    if plt := sys.modules.get("matplotlib.pyplot"):
        plt.close("all")


@pytest.fixture(autouse=True, scope="module")
def no_old_programs() -> Iterator[None]:
    """Programs that JAX has compiled for one file are of no use to the next, and hold gigabytes."""
    yield
    if jax := sys.modules.get("jax"):
        jax.clear_caches()
        gc.collect()
