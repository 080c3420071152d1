"""Schedules in Keras 3, on the backend of KERAS_BACKEND: `make frameworks` runs them on torch, JAX and TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annealing import ScheduleError, constant, cosine, linear, parse, warm_restarts

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
keras = pytest.importorskip("keras")

from annealing.keras import ScheduleForKeras  # noqa: E402

SCHEDULE = linear(0.01, 0.1, 3) >> cosine(0.1, 0.01, 7)
BACKEND = keras.backend.backend()


class Used(keras.callbacks.Callback):  # type: ignore[misc]
    """The size of the change that each batch makes to a weight whose gradient is 1."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[float] = []

    def weight(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.trainable_variables[0]).ravel()[0])

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.before = self.weight()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.sizes.append(self.before - self.weight())


def model(optimizer: Any, jit: bool | str = "auto") -> Any:
    """A model whose loss is its one weight, so that its gradient is 1."""
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    made.compile(optimizer, loss=lambda wanted, given: keras.ops.mean(given), jit_compile=jit)
    return made


def used(trained: Any, batches: int) -> list[float]:
    ones, seen = np.ones((batches, 1), np.float32), Used()
    trained.fit(ones, ones, batch_size=1, shuffle=False, verbose=0, callbacks=[seen])
    return seen.sizes


@pytest.mark.parametrize("jit", [False, True] if BACKEND != "torch" else [False])
def test_a_model_is_trained_with_the_rates(jit: bool) -> None:
    sizes = used(model(keras.optimizers.SGD(ScheduleForKeras(SCHEDULE)), jit), 14)
    assert np.allclose(sizes, SCHEDULE(np.arange(14)), rtol=2e-4, atol=1e-7)  # differences of float32 weights


def test_batches_of_one_update_share_its_rate() -> None:
    rates = ScheduleForKeras(SCHEDULE, gradient_accumulation_steps=3)
    sizes = used(model(keras.optimizers.SGD(rates, gradient_accumulation_steps=3)), 24)
    updates = [size for size in sizes if abs(size) > 1e-9]
    assert np.allclose(updates, SCHEDULE(np.arange(8)), rtol=2e-4, atol=1e-7)
    # Without the argument Keras's clock, which counts batches, would have used other rates.
    assert not np.allclose(updates, SCHEDULE(np.arange(0, 24, 3)), rtol=1e-2)


def test_it_is_saved_and_loaded_with_its_model(tmp_path: Path) -> None:
    first = model(keras.optimizers.SGD(ScheduleForKeras(SCHEDULE)))
    used(first, 4)
    first.save(tmp_path / "model.keras")
    loss = {"<lambda>": lambda wanted, given: keras.ops.mean(given)}
    again = keras.saving.load_model(tmp_path / "model.keras", custom_objects=loss, compile=True, safe_mode=False)
    assert again.optimizer._learning_rate.schedule == SCHEDULE
    assert int(again.optimizer.iterations) == 4
    rates = [float(again.optimizer._learning_rate(step)) for step in range(12)]
    assert np.allclose(rates, SCHEDULE(np.arange(12)), rtol=1e-6)


def test_its_config_is_its_json() -> None:
    rates = ScheduleForKeras("warm_restarts(0.1, T_0=10)", 2, steps=100)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(rates))
    assert again.schedule == warm_restarts(0.1, T_0=10) == parse("warm_restarts(0.1, T_0=10)")
    assert (again.gradient_accumulation_steps, again.steps) == (2, 100)


def test_a_bare_schedule_is_refused_before_the_first_update() -> None:
    trained = model(keras.optimizers.SGD(learning_rate=SCHEDULE))
    with pytest.raises(ScheduleError, match="ScheduleForKeras"):
        used(trained, 1)


def test_what_has_no_table_is_refused() -> None:
    if BACKEND == "tensorflow":
        with pytest.raises(ScheduleError, match="steps must be given"):
            ScheduleForKeras(constant(0.1))
    assert float(ScheduleForKeras(constant(0.1), steps=10)(50)) == pytest.approx(0.1)
    with pytest.raises(ScheduleError, match=r"use plan\.resolve first"):
        ScheduleForKeras(cosine(0.1, 0, "100%"))
    with pytest.raises(ScheduleError, match="gradient_accumulation_steps"):
        ScheduleForKeras(SCHEDULE, gradient_accumulation_steps=-2)
