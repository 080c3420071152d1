"""Keras 3: a schedule as a `LearningRateSchedule`, on the backends torch, JAX and TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    import keras
    from keras import ops
    from keras.optimizers.schedules import LearningRateSchedule
except ImportError as error:
    raise ImportError(
        "annealing.keras needs Keras 3: pip install 'annealing[keras]' and one of its backends"
    ) from error

from .errors import ScheduleError, whole
from .exact import exact
from .notation import from_json, parse
from .schedule.base import Schedule

MOST_STEPS = 10_000_000  # of a table: 40 MB


@keras.saving.register_keras_serializable(package="annealing", name="ScheduleForKeras")
class ScheduleForKeras(LearningRateSchedule):  # type: ignore[misc]
    """A schedule for an optimizer: `keras.optimizers.SGD(ScheduleForKeras(schedule))`; it is saved with the model.

    schedule: in updates; its notation or JSON is read too. gradient_accumulation_steps: that of the optimizer, since
    Keras counts batches: update n, from 1, uses schedule(n - 1). steps: TensorFlow computes no schedule, so there the
    rates of the updates up to this one are a table, after which the last is held; by default, up to the end of the
    schedule.

    >>> from annealing import cosine, linear
    >>> rates = ScheduleForKeras(linear(0, 0.1, 5) >> cosine(0.1, 0, 95))  # doctest: +SKIP
    >>> optimizer = keras.optimizers.SGD(rates)  # doctest: +SKIP
    """

    def __init__(
        self, schedule: Schedule | str, gradient_accumulation_steps: int | None = None, steps: int | None = None
    ) -> None:
        super().__init__()
        text = isinstance(schedule, str) and schedule.lstrip().startswith("{")
        self.schedule = from_json(schedule) if text else parse(schedule)  # type: ignore[arg-type]
        if self.schedule.pending:
            raise ScheduleError(f"schedule has durations that wait for a plan: use plan.resolve first: {self.schedule}")
        self.gradient_accumulation_steps = whole(gradient_accumulation_steps or 1, "gradient_accumulation_steps")
        self.steps = None if steps is None else whole(steps, "steps")
        self._table = self._rates() if keras.backend.backend() == "tensorflow" else None

    def __call__(self, step: Any) -> Any:
        """The rate of the batch after `step` batches."""
        update = ops.convert_to_tensor(step)
        if self.gradient_accumulation_steps > 1:
            update = update // self.gradient_accumulation_steps
        if self._table is None:
            return ops.cast(self.schedule(update), keras.config.floatx())
        return ops.take(self._table, ops.clip(ops.cast(update, "int32"), 0, len(self._table) - 1))

    def get_config(self) -> dict[str, Any]:
        options = {"gradient_accumulation_steps": self.gradient_accumulation_steps, "steps": self.steps}
        return {"schedule": self.schedule.to_json(), **options}

    def _rates(self) -> Any:
        end = self.schedule.exact_duration if self.steps is None else exact(self.steps, "steps")
        if end is None or end >= MOST_STEPS:
            most = f"at most {MOST_STEPS:,}, since TensorFlow needs a table of the rates"
            raise ScheduleError(f"steps must be given, {most}, for the schedule {self.schedule}")
        return self.schedule(np.arange(int(end) + 2)).astype(keras.config.floatx())
