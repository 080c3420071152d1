"""A recipe is added in at most four files: its family, its formula in test_recipes.py, and a line in each docs page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import annealing

ROOT = Path(__file__).parents[1]
FRESH = '''

@recipe
def fresh(eta_max: float, eta_min: Floor = 0.0, T_max: Time = REQUIRED) -> Schedule:
    """A new decay: eta_min + (eta_max - eta_min) * (1 - u), where u = t / T_max.

    >>> fresh(1, 0.5, 10)(5)
    0.75

    Source: this test.
    """
    return Run(shapes.linear, eta_max, ordered(eta_max, eta_min), lasting(T_max, "T_max"))
'''
USE = """
from catalogue import every
from test_recipe_arguments import CASES, test_a_bad_value_is_named
from annealing import Plan, fresh, parse, recipes
from annealing.recipes.registry import TIMES
import annealing
assert "fresh" in annealing.__all__ and "fresh" in recipes.__all__
assert str(every["fresh"]) == "fresh(eta_max=1, eta_min=0.5, T_max=10)"
assert parse("fresh(1, '50%', 10)") == every["fresh"]
assert Plan(steps=100).resolve(fresh(eta_max=1, T_max="100%"))(25) == 0.75
tried = [case.values for case in CASES if case.values[0] == "fresh"]
assert len(tried) > 15
for case in tried:
    test_a_bad_value_is_named(*case)
"""


def files(directory: Path) -> dict[Path, bytes]:
    found = [path for path in directory.rglob("*") if path.suffix in (".py", ".md")]
    return {path.relative_to(directory): path.read_bytes() for path in found}


def test_a_new_recipe_touches_four_files(tmp_path: Path) -> None:
    shutil.copytree(Path(annealing.__file__).parent, tmp_path / "src" / "annealing")
    (tmp_path / "docs").mkdir()
    for name in ("recipes.md", "recipes.zh.md", "recipe_tables.py"):
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs")
    before = files(tmp_path)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(tmp_path / "src"), str(ROOT / "tests")])
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment)

    family, chinese = tmp_path / "src" / "annealing" / "recipes" / "decays.py", tmp_path / "docs" / "recipes.zh.md"
    family.write_text(family.read_text() + FRESH)
    tables = str(tmp_path / "docs" / "recipe_tables.py")
    assert run(tables).stderr == "recipes.zh.md needs a line for fresh\n"
    chinese.write_text(chinese.read_text("utf-8").replace("TRANSLATE: A new decay:", "一种新的衰减："), "utf-8")
    assert run(tables).returncode == 0
    assert run("-c", USE).stderr == ""
    after = files(tmp_path)
    changed = {path.name for path in after if after[path] != before.get(path)}
    assert changed == {"decays.py", "recipes.md", "recipes.zh.md"}  # test_recipes.py asks for its formula besides
    assert "| `fresh(eta_max, eta_min, T_max)` | A new decay:" in (tmp_path / "docs" / "recipes.md").read_text()
