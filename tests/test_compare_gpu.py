"""Trials on a GPU: without one the word of it, with one the same bits each time."""

from __future__ import annotations

import pytest
import torch
from compare_cases import trained

from annealing import ScheduleError
from annealing.compare import Experiment, Trial

GPU = torch.cuda.is_available()


def on_gpu() -> Experiment:
    schedules = {"restarts": "warm_restarts(0.05, T_0=1, T_mult=2)"}
    return Experiment("digits", schedules, "restarts", epochs=3, seeds=1, device="cuda")


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_a_missing_gpu_is_said(tmp_path):
    with pytest.raises(ScheduleError, match="device of the experiment is cuda, but torch finds no such GPU"):
        trained(on_gpu(), Trial("restarts", 0), tmp_path)


@pytest.mark.skipif(not GPU, reason="there is no GPU")
def test_the_same_trial_gives_the_same_bits(tmp_path):
    first, again = (trained(on_gpu(), Trial("restarts", 0), tmp_path) for _ in range(2))
    assert first == again
    assert torch.are_deterministic_algorithms_enabled()
    assert first[-1].wrong < first[0].wrong
