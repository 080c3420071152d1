"""The structure of the code: imports run one way, and `import annealing` loads only NumPy."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from types import FrameType

import annealing
from annealing import parse
from annealing.audit import audit, read

SOURCE = Path(annealing.__file__).parent
LAYERS = [
    ["errors", "exact", "printing", "frozen", "durations", "cycles", "calls"],
    ["shapes", "evaluate"],
    ["schedule"],
    ["recipes"],
    ["notation", "presets"],
    ["plan", "plan_stages"],
    ["linting"],
    ["sgdr", "testing", "sampling", "analysis", "convex_bound"],
    ["plots", "terminal", "torch", "jax", "keras", "options"],
    ["translation"],
    ["compare", "audit", "hosts"],
    ["explorer"],
    ["cli", "__main__"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
LATE = {("schedule", name) for name in ("recipes", "plots")} | {("torch", "audit")}  # when called
FRAMEWORKS = {
    "torch",
    "jax",
    "jaxlib",
    "keras",
    "matplotlib",
    "sklearn",
    "scipy",
    "rich",
    "click",
    "yaml",
    "pooch",
    "safetensors",
    "jinja2",
    "ray",
    "starlette",
    "uvicorn",
    "anyio",
    "anywidget",
}


def import_statements(tree: ast.Module) -> list[ast.ImportFrom]:
    """Those that are run: what only a type checker reads is left out."""
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    unread = {node for guard in guards for node in ast.walk(guard)}
    return [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node not in unread]


def imported(file: Path) -> set[tuple[str, bool]]:
    """The modules of the package that a file imports, and whether when it is loaded (not when a function runs)."""
    tree = ast.parse(file.read_text())
    found = set()
    for node in import_statements(tree):
        parts = list(file.relative_to(SOURCE).with_suffix("").parts)
        above = parts[: len(parts) - node.level] if node.level else (node.module or "").split(".")[1:]
        if node.level or (node.module or "").split(".")[0] == "annealing":
            module = [*above, *((node.module or "").split(".") if node.level else [])]
            names = [module[0]] if module and module[0] else [alias.name for alias in node.names]
            found |= {(name, node in tree.body) for name in names if name in LEVEL}
    return found


def test_imports_run_one_way() -> None:
    files = [file for file in SOURCE.rglob("*.py") if file.name != "__init__.py" or file.parent != SOURCE]
    assert len(files) > 15
    for file in files:
        own = file.relative_to(SOURCE).with_suffix("").parts[0]
        assert own in LEVEL, f"{own} has no place among the layers"
        for name, loaded in imported(file):
            assert name == own or LEVEL[name] <= LEVEL[own] or ((own, name) in LATE and not loaded), (
                f"{own} imports {name}"
            )


def test_importing_it_loads_only_numpy() -> None:
    code = (
        "import annealing, sys; annealing.cosine(1, 0, 5)(2); print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "numpy" in loaded
    assert not loaded & FRAMEWORKS


def test_a_host_is_imported_only_in_its_own_file() -> None:
    hosts = {file.stem for file in (SOURCE / "hosts").glob("*.py")} - {"__init__", "adapting"}
    assert hosts >= {"accelerate", "lightning", "mmengine", "skorch", "timm", "transformers"}
    for file in SOURCE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
        assert {name.partition(".")[0] for name in names} & hosts <= {file.stem}, file


def test_files_can_be_read_in_one_sitting() -> None:
    for file in SOURCE.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 400, file.name


FILES = sorted(SOURCE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text()) for file in FILES}
MATHEMATICS = {"cos", "cospi", "sin", "sinpi", "tan", "tanh", "exp", "exp2", "expm1"}  # what schedules are made of
NUMERICAL = {"backends", "step_lags"}  # the tables of libraries, and a Fourier transform


def modules_imported(file: Path) -> set[Path]:
    """The files of the package that a file imports, when it is loaded or later; schedule/ alone may import late."""
    found = set()
    for node in import_statements(TREES[file]):
        if not (node.level or (node.module or "").startswith("annealing")):
            continue
        if file.parent.name == "schedule" and node not in TREES[file].body:
            continue
        place = file.parents[node.level - 1] if node.level else SOURCE.parent
        place = place.joinpath(*(node.module or "").split("."))
        for name in [place / alias.name for alias in node.names]:
            found |= {path for path in (name.with_suffix(".py"), name / "__init__.py") if path in TREES}
        found |= {path for path in (place.with_suffix(".py"),) if path in TREES}
        if any(
            not {(place / a.name).with_suffix(".py"), place / a.name / "__init__.py"} & set(TREES) for a in node.names
        ):
            found |= {place / "__init__.py"} & set(TREES)
    return found - {file}


def test_no_module_name_occurs_twice() -> None:
    stems = Counter(file.stem for file in FILES if file.stem != "__init__")
    assert [stem for stem, count in stems.items() if count > 1] == []


def test_no_public_class_name_occurs_twice() -> None:
    nodes = itertools.chain.from_iterable(map(ast.walk, TREES.values()))
    names = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    assert [name for name, count in names.items() if count > 1] == []


def test_imports_make_no_circle() -> None:
    TopologicalSorter({file: modules_imported(file) for file in FILES}).prepare()  # raises an error that shows it


def test_formulas_of_schedules_are_only_in_shapes_and_recipes() -> None:
    for file in FILES:
        called = {ast.unparse(node.func).split(".")[-1] for node in ast.walk(TREES[file]) if isinstance(node, ast.Call)}
        allowed = file.parent.name in ("shapes", "recipes") or file.stem in NUMERICAL
        assert allowed or not called & MATHEMATICS, f"{file.name} calls {called & MATHEMATICS}"


def test_an_audit_with_a_fault_enters_few_modules() -> None:
    """Whoever follows one log from `read` to the verdict opens no more files of audit/ than these."""
    log, entered = Path(__file__).parents[1] / "examples" / "logs" / "restarted_on_resume.csv", set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            entered.add(Path(frame.f_code.co_filename))

    sys.setprofile(note)
    try:
        verdict = audit(read(log), parse("linear(0, 5e-4, 20) >> cosine(5e-4, 0, 180)"))
    finally:
        sys.setprofile(None)
    assert [fault.name for fault in verdict.faults] == ["restart-after-resume"]
    assert len({file for file in entered if file.is_relative_to(SOURCE / "audit")}) <= 18


# The lines that each part may have. A part that grows past its bound deletes first, or says in the commit why not.
BOUNDS = {
    "core": 8_241,  # everything beside the packages below
    "torch": 3_728,
    "hosts": 452,
    "compare": 5_463,
    "audit": 2_991,
    "audit/readers": 2_011,
    "audit/recovery": 2_626,
    "translation": 2_218,
    "explorer": 1_282,
}


def test_the_source_is_short_and_says_why() -> None:
    lines = dict.fromkeys(BOUNDS, 0)
    comments = 0
    for file in FILES:
        text = file.read_text().splitlines()
        folder = file.parent.relative_to(SOURCE).as_posix()
        part = folder if folder in BOUNDS else folder.split("/")[0]
        lines[part if part in BOUNDS else "core"] += len(text)
        comments += sum(line.lstrip().startswith("#") for line in text)
    over = {part: f"{lines[part]} lines of {bound}" for part, bound in BOUNDS.items() if lines[part] > bound}
    assert not over, f"delete before you add: {over}"
    assert 100 * comments >= sum(lines.values())
