"""Presets are plain schedules: what they print, and their values under a plan, worked out by hand."""

from __future__ import annotations

import pytest

from annealing import Plan, ScheduleError, parse, preset
from annealing.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_schedule_that_reads_back_and_resolves(name: str) -> None:
    schedule = preset(name, peak=0.1)
    assert parse(str(schedule)) == schedule
    plan = Plan(examples=128_000, batch=128, epochs=20)  # 1,000 updates an epoch
    resolved = plan.resolve(schedule, beyond="hold")
    assert max(resolved(t) for t in range(20_001)) == 0.1
    assert resolved(20_000) == (0.1 if name == "unknown-end" else 0)


def test_the_values_of_pretraining() -> None:
    resolved = Plan(steps=10_000).resolve(preset("llm-pretrain", peak=3e-4))
    assert [resolved(t) for t in (0, 100, 200, 5100, 10_000)] == [0, 1.5e-4, 3e-4, 1.5e-4, 0]


def test_what_is_refused() -> None:
    with pytest.raises(ScheduleError, match="unknown name 'llm-pretain': did you mean llm-pretrain"):
        preset("llm-pretain", peak=1)
    with pytest.raises(ScheduleError, match="peak must be above 0, got 0"):
        preset("transfer", peak=0)
