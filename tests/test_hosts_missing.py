"""If a host is missing, its adapter says what to install, and everything else works."""

from __future__ import annotations

import importlib
import sys

import pytest

from annealing import ScheduleError, hosts

ADAPTERS = {
    "accelerate": "accelerate",
    "lightning": "lightning",
    "mmengine": "mmengine",
    "skorch": "skorch",
    "timm": "timm",
    "transformers": "transformers",
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_missing_host_is_one_line_that_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for loaded in [
        module for module in sys.modules if module.split(".")[0] == name or module == f"annealing.hosts.{name}"
    ]:
        monkeypatch.delitem(sys.modules, loaded)
    for package in (name, "pytorch_lightning"):  # the older name of lightning
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    line = rf"^annealing\.hosts\.{name} needs {ADAPTERS[name]}, which is not installed: pip install {ADAPTERS[name]}$"
    with pytest.raises(ScheduleError, match=line) as found:
        importlib.import_module(f"annealing.hosts.{name}")
    assert isinstance(found.value, hosts.MissingHostError)
    assert isinstance(found.value, ImportError)
