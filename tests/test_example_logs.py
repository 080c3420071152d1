"""The logs in examples/logs, whose faults are known; test_docs checks what pages show of their audits."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from annealing import parse
from annealing.audit import audit, read
from annealing.cli import main

ROOT = Path(__file__).parent.parent
LOGS = ROOT / "examples" / "logs"
INTENDED = parse("linear(0, 5e-4, 20) >> cosine(5e-4, 0, 180)")


@pytest.mark.parametrize(
    ("log", "faults"),
    [
        ("correct/trainer_state.json", []),
        ("wrong_horizon/trainer_state.json", ["schedule-shorter-than-the-run", "rebound-after-the-end"]),
        ("stepped_twice.csv", ["stepped-too-often", "rebound-after-the-end"]),
        ("restarted_on_resume.csv", ["restart-after-resume"]),
    ],
)
def test_the_fault_is_named(log: str, faults: list[str]) -> None:
    verdict = audit(read(LOGS / log), INTENDED)
    assert verdict.follows == (not faults)
    assert [fault.name for fault in verdict.faults] == faults


def test_the_right_log_gives_its_schedule_back() -> None:
    result = CliRunner().invoke(main, ["audit", str(LOGS / "correct" / "trainer_state.json")])
    assert result.exit_code == 0
    assert "linear(0, 0.0005, 20) >> cosine(0.0005, 0, 180)" in result.output
