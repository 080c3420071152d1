"""What schedules were in the first release: their fingerprints, what they print and their JSON stay as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogue import every

from annealing import from_json, parse

FIRST = json.loads((Path(__file__).parent / "data" / "fingerprints.json").read_text())


@pytest.mark.parametrize("name", FIRST)
def test_nothing_has_changed(name: str) -> None:
    fingerprint, printed, tree = FIRST[name]
    read = [parse(printed), from_json(tree), *([every[name]] if name in every else [])]
    assert {schedule.fingerprint for schedule in read} == {fingerprint}
    assert {schedule.to_json() for schedule in read} == {tree}
    assert str(read[0]) == str(read[-1 if name in every else 0]) == printed
