"""What a release is made of: both archives pass twine's check, and each extra alone is enough for what it is for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a new environment for each extra, with packages from the index

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = (ROOT / "src/annealing/__init__.py").read_text().partition('__version__ = "')[2].partition('"')[0]
DEVELOPERS = {"dev", "docs", "test"}  # extras for people who have the repository
LOG = ROOT / "examples" / "logs" / "correct" / "trainer_state.json"
SCHEDULE = "linear(0, 5e-4, 20) >> cosine(5e-4, 0, 180)"
ANNEALING = "import sys; from annealing.cli import main; main(sys.argv[1:])"
USES = {  # what must work with an extra and nothing else: a program, and its arguments
    "": (ANNEALING, f"show '{SCHEDULE}'"),
    "audit": (ANNEALING, f"audit {LOG} --out audit.png"),
    "compare": (ANNEALING, "compare --out out --budget 4 --seeds 2 --only step-0.1 --only step-0.1-50"),
    "explore": ("import annealing.explorer", ""),
    "jax": ("import jax; from annealing import cosine; assert jax.jit(cosine(1, 0, 10))(5) == 0.5", ""),
    "keras": ("from importlib.util import find_spec; assert find_spec('keras') and find_spec('annealing.keras')", ""),
    "plot": (ANNEALING, f"show '{SCHEDULE}' --out curve.pdf"),
    "ray": ("import ray, annealing.compare.engine", ""),
    "translate": (ANNEALING, f"translate '{SCHEDULE}' --to timm"),
    "torch": ("import torch, annealing.torch as t; t.StepLR(torch.optim.SGD([torch.ones(1)], lr=0.1), 30).step()", ""),
}


def run(*command: str | Path, cwd: Path) -> str:
    # The tests' own path would hide what the environment lacks.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The source distribution, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return sorted(folder.iterdir())


def environment(folder: Path, *packages: str) -> Path:
    run(sys.executable, "-m", "venv", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *packages, cwd=folder)
    return python


def test_archives_pass_the_check_of_the_index(archives: list[Path], tmp_path: Path) -> None:
    assert [archive.name.partition("-")[0] for archive in archives] == ["annealing", "annealing"]
    python = environment(tmp_path, "twine")
    assert run(python, "-m", "twine", "check", "--strict", *archives, cwd=tmp_path).count("PASSED") == 2


def test_every_extra_has_a_use() -> None:
    assert set(USES) == set(PROJECT["optional-dependencies"]) - DEVELOPERS | {""}


@pytest.mark.parametrize("extra", [extra for extra in USES if extra in {"", *PROJECT["optional-dependencies"]}])
def test_an_extra_alone_is_enough(extra: str, archives: list[Path], tmp_path: Path) -> None:
    (wheel,) = (archive for archive in archives if archive.suffix == ".whl")
    python = environment(tmp_path, f"{wheel}[{extra}]" if extra else str(wheel))
    program, words = USES[extra]
    run(python, "-W", "error", "-c", program, *shlex.split(words), cwd=tmp_path)


def test_the_source_distribution_alone_installs(archives: list[Path], tmp_path: Path) -> None:
    (source,) = (archive for archive in archives if archive.suffix == ".gz")
    python = environment(tmp_path, str(source))
    assert run(python, "-m", "annealing", "--version", cwd=tmp_path).strip().endswith(VERSION)
