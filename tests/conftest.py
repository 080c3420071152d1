"""What all tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def no_old_programs() -> Iterator[None]:
    """Programs that JAX has compiled for one file are of no use to the next, and hold gigabytes."""
    yield
    jax.clear_caches()
    gc.collect()
