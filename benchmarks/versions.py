"""The core and PyTorch tests on one version of Python, PyTorch and NumPy after another, as a table in Markdown.

    python benchmarks/versions.py [--write] [--environments FOLDER] [PYTHON/TORCH/NUMPY ...]

An environment is made with the interpreter `pythonPYTHON` where FOLDER, `.venv-versions` unless given, has none for
these versions; `-` for TORCH leaves PyTorch and its tests out. --write puts the table into docs/versions.md. The exit
status is 1 if a test failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "versions.md"
BEGIN, END = "<!-- the table of benchmarks/versions.py -->\n", "<!-- its end -->\n"
INDEX = "https://download.pytorch.org/whl/cpu"  # the wheels of PyPI bring several GB of CUDA packages
VERSIONS = [
    *("3.11/2.4.1/2.4.6", "3.11/2.8.0/2.4.6", "3.11/2.11.0/2.4.6", "3.11/2.13.0/2.4.6", "3.11/2.14.1/2.4.6"),
    *("3.11/-/1.26.4", "3.12/-/2.4.6", "3.13/-/2.4.6"),
]
TOOLS = ["click", "rich", "pytest>=8", "hypothesis>=6.100", "mpmath>=1.3", "matplotlib>=3.8"]
# JAX, which tests of the core import, needs a newer NumPy than this package: these files need neither JAX nor PyTorch.
ALONE = ["algebra", "recipe_ends", "presets", "plan_stages"]
CORE = ["schedule", "notation"]
# Without torch.compile, every point of resuming and random sequences: these take minutes on every version.
TORCH = [
    *("dropins", "scheduler", "contract", "edges", "composites", "states", "watch", "errors", "curves", "every_class"),
    *("foreign", "mended", "scheduler_resume", "scheduler_tensors"),
]


def environment(folder: Path, python: str, torch: str, numpy: str) -> Path:
    """The interpreter with these versions; it is set up where it is not there."""
    found = folder / f"{python}-{torch}-{numpy}" / "bin" / "python"
    if not found.exists():
        subprocess.run([f"python{python}", "-m", "venv", found.parent.parent], check=True)
        install = [found, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        if torch != "-":
            subprocess.run([*install, f"torch=={torch}", f"numpy=={numpy}", "--index-url", INDEX], check=True)
        subprocess.run([*install, f"numpy=={numpy}", *TOOLS, *(["jax>=0.8"] if torch != "-" else [])], check=True)
    return found


def tested(python: Path, torch: bool) -> tuple[dict[str, int], str]:
    """How many tests passed, were skipped and failed, and what pytest printed."""
    names = [*CORE, *(f"torch_{name}" for name in TORCH)] if torch else ALONE
    files = [f"tests/test_{name}.py" for name in names]
    # One thread: PyTorch's own would only wait for each other in tests this small.
    settings = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "-m", "not slow and not thorough"]
    run = subprocess.run([*command, "-rf", *files], cwd=ROOT, env=settings, capture_output=True, text=True)
    last = run.stdout.strip().splitlines()[-1] if run.stdout.strip() else run.stderr.strip()
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|skipped|failed|errors?)\b", last)}
    if run.returncode not in (0, 1) and not counts:
        counts = {"errors": 1}  # nothing was collected, which must not look as if nothing had failed
    return counts, run.stdout + run.stderr


def versions(python: Path, torch: bool) -> list[str]:
    """What is really in the environment."""
    asked = ["platform.python_version()", "torch.__version__" if torch else "'-'", "numpy.__version__"]
    modules = "platform, numpy" + (", torch" if torch else "")
    program = f"import {modules}; print({', '.join(asked)})"
    return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.split()


def table(rows: list[list[str]]) -> str:
    head = [["Python", "PyTorch", "NumPy", "passed", "skipped", "failed", "s"], ["---"] * 3 + ["---:"] * 4]
    return "".join(f"| {' | '.join(row)} |\n" for row in [*head, *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="PYTHON/TORCH/NUMPY")
    parser.add_argument("--environments", type=Path, default=ROOT / ".venv-versions", metavar="FOLDER")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows, failed = [], 0
    for one in given.versions or VERSIONS:
        python, torch, numpy = one.split("/")
        interpreter, start = environment(given.environments, python, torch, numpy), time.monotonic()
        counts, output = tested(interpreter, torch != "-")
        bad = sum(counts.get(word, 0) for word in ("failed", "error", "errors"))
        failed += bad
        seconds = f"{time.monotonic() - start:.0f}"
        numbers = [f"{counts.get('passed', 0):,}", str(counts.get("skipped", 0)), str(bad), seconds]
        rows.append([*versions(interpreter, torch != "-"), *numbers])
        print(table(rows) if not bad else output + table(rows), flush=True)
    if given.write:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + table(rows) + "\n" + END + rest.split(END)[1])
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
