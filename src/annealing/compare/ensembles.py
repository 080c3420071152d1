"""The models that a trial kept: how many images each gets wrong, and the last of them together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from .experiment import Experiment, Trial
from .files import sha256
from .problem import Problem


def kept_models(
    experiment: Experiment, trial: Trial, directory: Path, snapshots: dict[int, str], problem: Problem
) -> dict[str, Any]:
    """What the record of a trial says of its kept models.

    snapshots: the SHA-256 of each. An ensemble predicts the mean of the softmax of the models at the ends of the last
    runs, up to `ensemble` of them; one for the end of every run but the first.
    """
    assert experiment.model
    model = experiment.model.build(trial.seed, problem.shape, problem.task.source.classes)
    model = model.to(device=problem.images.device, memory_format=problem.memory_format)  # type: ignore[call-overload]
    predictions = {}
    for step, known in snapshots.items():
        data = (directory / "snapshots" / f"{step}.safetensors").read_bytes()
        if sha256(data) != known:
            raise OSError(f"snapshots/{step}.safetensors was damaged while the trial was trained")
        model.load_state_dict(load(data))
        predictions[step] = torch.softmax(problem.logits(model), 1)
    ends = [step for step in experiment.kept(experiment.arm(trial.arm)) if step in predictions]
    ensembles = []
    for count in range(2, len(ends) + 1):
        steps = ends[max(0, count - experiment.ensemble) : count]
        mean = torch.stack([predictions[step] for step in steps]).mean(0)
        ensembles.append({"steps": steps, **_wrong(problem, mean)})
    return {
        "snapshots": [
            {"step": step, "sha256": known, **_wrong(problem, predictions[step])} for step, known in snapshots.items()
        ],
        "ensembles": ensembles,
    }


def _wrong(problem: Problem, scores: torch.Tensor) -> dict[str, Any]:
    wrong = problem.wrong(scores)
    return {"wrong": wrong, "error": wrong / problem.task.test_images}
