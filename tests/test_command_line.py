"""What every command does with input from a file, with a missing package, with Ctrl-C, and with a typo."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from annealing.cli import main
from annealing.options import annotation
from annealing.recipes import named

WITHOUT = """
import sys
for name in {names!r}:
    sys.modules[name] = None
from annealing.cli import main
main({words!r})
"""


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, words, input=given)


@pytest.fixture
def log(tmp_path: Path) -> str:
    rows = [f"{t},{0.1 * (1 - t / 100)!r}" for t in range(100)]
    (tmp_path / "log.csv").write_text("\n".join(["step,lr", *rows]))
    return str(tmp_path / "log.csv")


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("show cosine(1,0,9) --out x.png", "plot"),
        ("figure paper", "plot"),
        ("audit LOG --expect linear(0.1,0,100) --out x.png", "audit"),
        ("audit LOG", "audit"),
        ("compare --out x --budget 1 --seeds 2", "compare"),
        ("compare --list x", "compare"),
        ("compare --report x", "compare"),
        ("explore --no-browser", "explore"),
    ],
)
def test_a_missing_extra_is_one_line(words: str, extra: str, log: str, tmp_path: Path) -> None:
    names = ["matplotlib", "scipy", "sklearn", "torch", "yaml", "pooch", "safetensors", "jinja2", "ray"]
    names += ["starlette", "uvicorn", "anyio"]
    program = WITHOUT.format(names=names, words=[log if word == "LOG" else word for word in words.split()])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2, done.stderr
    assert last.startswith("Error: ")
    assert last.endswith(f"pip install 'annealing[{extra}]'")
    assert "Traceback" not in done.stderr


def test_a_module_missing_from_other_code_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'my_data'", name="my_data")

    monkeypatch.setattr("annealing.cli.planned", broken)
    assert isinstance(run("show", "constant(1)").exception, ModuleNotFoundError)


def test_an_interrupted_command_has_a_status_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("annealing.cli.planned", interrupted)
    result = run("lint", "constant(1)")
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")


def test_an_audit_that_cannot_write_its_picture_is_no_departure(log: str, tmp_path: Path) -> None:
    (tmp_path / "taken.png").mkdir()
    for name in ("taken.png", "absent/x.png"):
        result = run("audit", log, "--expect", "linear(0.1, 0, 100)", "--out", str(tmp_path / name))
        assert result.exit_code == 2
        assert name in result.stderr


def test_a_notation_from_a_file_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "schedule.txt").write_text("linear(1, 0, 10)\n")
    assert run("show", f"@{tmp_path}/schedule.txt", "--at", "5").stdout == "5\t0.5\n"
    assert run("show", "-", "--at", "5", given="linear(1, 0, 10)\n").stdout == "5\t0.5\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff\x00\xfe", "not a text file")],
)
def test_a_file_without_a_notation(content: bytes | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "schedule.txt"
    if content is not None:
        file.write_bytes(content)
    for command in ("show", "lint"):
        result = run(command, f"@{file}")
        assert result.exit_code == 2
        assert said in result.stderr
    assert run("show", f"@{tmp_path}").exit_code == run("show", "").exit_code == 2


def test_rates_at_times_have_every_digit() -> None:
    words = ("--at", "0.5", "--at", "100", "--at", "25")
    rows = [line.split("\t") for line in run("show", "cosine(0.1, 0, 100)", *words).stdout.splitlines()]
    assert [row[0] for row in rows] == ["0.5", "100", "25"]
    for time, rate in rows:
        assert float(rate) == pytest.approx(0.05 * (1 + math.cos(math.pi * float(time) / 100)), rel=1e-15, abs=1e-17)
    assert run("show", "cosine(0.1, 0, 100)", "--at", "nan").exit_code == 2


def test_a_curve_as_csv() -> None:
    lines = run("show", "linear(1, 0, 4)", "linear(0, 1, 2)", "--csv").stdout.splitlines()
    assert lines[0] == 'time,"linear(1, 0, 4)","linear(0, 1, 2)"'
    assert lines[1:] == ["0,1.0,0.0", "1,0.75,0.5", "2,0.5,1.0", "3,0.25,1.0", "4,0.0,1.0"]
    assert run("show", "linear(1, 0, 4)", "--csv", "--until", "1.5").stdout.splitlines()[1:] == ["0,1.0", "1,0.75"]
    assert run("show", "linear(1, 0, 1e9)", "--csv").exit_code == 2
    assert run("show", "linear(1, 0, 4)", "--csv", "--json").exit_code == 2


def test_a_scale_belongs_to_a_picture(tmp_path: Path) -> None:
    assert run("show", "linear(1, 0.1, 4)", "--yscale", "log").exit_code == 2
    drawn = []
    for scale in ("linear", "log"):
        out = tmp_path / f"{scale}.svg"
        assert run("show", "linear(1, 0.1, 4)", "--yscale", scale, "--out", str(out)).exit_code == 0
        drawn.append(out.read_bytes())
    assert drawn[0] != drawn[1]


def test_recipes_are_listed() -> None:
    lines = run("recipes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(named)
    assert "did you mean cosine?" in run("recipes", "cosin").stderr
    assert run("recipes", "cosin").exit_code == 2


@pytest.mark.parametrize("name", named)
def test_a_recipe_is_explained(name: str) -> None:
    result = run("recipes", name)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{name}(")
    assert "Source: " in result.stdout
    # Each but a few, whose examples have schedules in variables, comes with its curve.
    assert ("┤" in result.stdout) or name in ("branch_cooldown", "change_horizon", "cooldown", "rex", "warmup")


def test_findings_as_annotations() -> None:
    result = run("lint", "linear(0, 0.1, 5) >> cosine(0.2, 0, 95)", "--format", "github")
    assert result.exit_code == 1
    kinds = [line.split(" ")[0] for line in result.stdout.splitlines()]
    assert kinds == ["::notice", "::error"]
    assert all(line.count("::") == 2 for line in result.stdout.splitlines())
    assert annotation("error", "title=x", "50%\nof it") == "::error title=x::50%25%0Aof it"


def shell(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in bash, where `annealing` is this one."""
    program = f'annealing() {{ {shlex.quote(sys.executable)} -m annealing "$@"; }}; {command}'
    environment = {**os.environ, **variables}
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("recipes warm", ["warm_restarts", "warmup", "warmup_restarts"]),
        ("recipes cosine_l", ["cosine_linear"]),
        ("sho", ["show"]),
    ],
)
def test_names_are_completed_in_bash(words: str, offered: list[str]) -> None:
    # What bash's completion function runs: the words so far, and the number of the one that is completed.
    asked = {"COMP_WORDS": f"annealing {words}", "COMP_CWORD": str(len(words.split()))}
    program = [sys.executable, "-c", "from annealing.cli import main; main(prog_name='annealing')"]
    done = subprocess.run(
        program, capture_output=True, text=True, env={**os.environ, "_ANNEALING_COMPLETE": "bash_complete", **asked}
    )
    assert sorted(line.partition(",")[2] for line in done.stdout.splitlines()) == offered


@pytest.mark.parametrize("columns", ["1", "40", "55"])
def test_a_narrow_terminal_loses_nothing(columns: str) -> None:
    shown = shell("annealing show 'linear(0, 0.1, 5) >> warm_restarts(0.123456, T_0=10, T_mult=2)'", COLUMNS=columns)
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= max(40, int(columns)) or "warm_restarts(" in shown.stdout
    assert "…" not in shown.stdout
    assert shown.stdout.count("0.123456") == 4  # three cycles, and the notation


def test_colors_are_only_for_terminals() -> None:
    for variables in ({}, {"NO_COLOR": "1"}):
        assert "\x1b" not in shell("annealing show 'cosine(1, 0, 9)'", **variables).stdout


@pytest.mark.parametrize("command", ["show 'cosine(1, 0, 100000)' --csv", "recipes", "lint 'cosine(1, 0, 100)'"])
def test_a_closed_pipe_is_not_an_error(command: str) -> None:
    # 1 would say of lint that it found an error, and of audit that the run departs.
    closed = shell(f"set -o pipefail; annealing {command} | true; exit ${{PIPESTATUS[0]}}")
    assert (closed.returncode in (0, 141), closed.stderr) == (True, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("show cosine", "cosine needs its arguments: cosine(eta_max, eta_min=0, T_max)"),
        ("show 5", "a schedule is expected here: constant(5) is one"),
        ("audti log.csv", "did you mean audit?"),
        ("show cosin(1,0,9)", "did you mean cosine?"),
        ("lint constant(1)", "this schedule never ends: give --updates N"),
        ("audit nofile.csv", "Error: nofile.csv: No such file or directory"),
        ("audit nofile.csv --format lightnin", "did you mean lightning?"),
        ("shwo", "did you mean show?"),
    ],
)
def test_a_typo_gives_a_one_line_error(words: str, said: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 2
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("Error: "))
    assert said in line


@pytest.mark.parametrize(
    ("code", "module", "extra"),
    [
        ("annealing.plot(annealing.cosine(1, 0, 9))", "matplotlib", "plot"),
        ("annealing.cosine(1, 0, 9).plot()", "matplotlib", "plot"),
        ("import annealing.torch", "torch", "torch"),
        ("annealing.explore(annealing.cosine(1, 0, 9))", "anywidget", "explore"),
    ],
)
def test_a_missing_extra_is_one_line_in_python_too(code: str, module: str, extra: str) -> None:
    program = f"import sys, annealing; sys.modules[{module!r}] = None; {code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert f"needs {module}: pip install 'annealing[{extra}]'" in last
