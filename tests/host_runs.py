"""Shared by the tests of hosts: the rates that updates used, and those of a schedule."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import pytest
import torch

SCHEDULE = "linear(0, 0.1, 3) >> cosine(0.1, 0.001, 13)"  # 16 updates: four epochs of four


class Used:
    """The rate of each update, read by a hook of the optimizer, whoever wrote it.

    The hook runs after the update and before any scheduler: some hosts run the whole batch, and with it the user's
    code, inside `optimizer.step(closure)`, so that before the update the rate may still change.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, group: int = 0, name: str = "lr") -> None:
        self.rates: list[float] = []
        optimizer.register_step_post_hook(lambda o, *_: self.rates.append(float(o.param_groups[group][name])))


def wanted(schedule: Any, updates: int, start: int = 0) -> list[float]:
    """Update n, from 1, uses schedule(n - 1)."""
    return [schedule(n) for n in range(start, start + updates)]


def need(*modules: str) -> None:
    """Import the modules of a host, or skip the tests of a file where it is not installed.

    What hosts warn of when they are imported (their own use of what is deprecated) is not for these tests.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules:
            pytest.importorskip(module)


def torchvision_operators() -> torch.library.Library | None:
    """Two operators of torchvision, for a torchvision whose compiled half does not fit a torch built for the CPU.

    Lightning, timm, fastai and Composer import torchvision, which fails without them; the tests call nothing of it.
    """
    if find_spec("torchvision") is None:
        return None
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


OPERATORS = torchvision_operators()  # kept: a library that is collected takes its operators with it
