"""The notebooks in examples/ run from a clean kernel, show what their text says, and are kept without outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SHOWN = {
    "audit": ["The run follows the schedule", "restart-after-resume", "stepped-too-often {'k': 2", "image/png"],
    "compare": ["What the numbers show\n", "image/png"],
    "quickstart": ["(0.0, 0.1, 0.099", "longer-than-the-plan", "(True, 'an1:2268da21f3258ab4')", "image/png"],
}


def said(output: Any) -> str:
    """What a cell prints, or the kinds in which its value is shown, and the value as text."""
    data = output.get("data", {})
    # What rich shows as HTML is not what was printed.
    return output.get("text") or f"{[*data]} {'' if 'text/html' in data else data.get('text/plain')}"


@pytest.mark.parametrize(
    "notebook",
    # One of them trains nine models.
    [pytest.param(one, marks=[pytest.mark.thorough] * (one.stem == "compare"), id=one.stem) for one in NOTEBOOKS],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq|jupyter_client|traitlets|tornado")
def test_a_notebook_runs(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel is another process, where the filters of the tests would make errors of the warnings of others.
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    made = nbformat.read(notebook, as_version=4)
    NotebookClient(made, timeout=120, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    printed = "\n".join(said(output) for cell in made.cells if cell.cell_type == "code" for output in cell.outputs)
    for shown in SHOWN[notebook.stem]:
        assert shown in printed, printed


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    for cell in nbformat.read(notebook, as_version=4).cells:
        assert cell.cell_type != "code" or (cell.outputs, cell.execution_count) == ([], None)


def test_there_are_three() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == sorted(SHOWN)
