"""The commands show and figure: what they print, write and refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import annealing
from annealing import cosine, from_json, linear, parse, warm_restarts
from annealing.cli import main
from annealing.terminal import BRAILLE, chart, traced

DOUBLING = "warm_restarts(eta_max=0.05, T_0=10, T_mult=2)"


def run(*args, charset="utf-8"):
    return CliRunner(charset=charset).invoke(main, args)


def dots(lines, margin):
    """The dots of the braille characters in lines, as a grid."""
    cells = [[ord(symbol) - 0x2800 if symbol > "\u2800" else 0 for symbol in line.plain[margin:]] for line in lines]
    return np.block([[(BRAILLE & cell > 0).astype(int) for cell in line] for line in cells])


def test_the_dots_of_a_curve_are_its_values():
    schedule = cosine(1, 0, 10)
    *lines, _axis, _times = chart([traced(schedule, 10)], 10, width=44, height=9)
    grid = dots(lines, 44 - 40)
    rows, columns = grid.shape
    assert (rows, columns) == (36, 80)
    for column in range(columns):
        value = schedule(10 * column / (columns - 1))
        lit = np.flatnonzero(grid[:, column])
        assert abs(lit - (1 - value) * (rows - 1)).min() <= 0.51
        assert len(lit) <= 3


def test_a_jump_is_a_gap():
    *lines, _axis, _times = chart([traced(warm_restarts(1, T_0=10), 20)], 20, width=44, height=9)
    grid = dots(lines, 44 - 40)
    assert grid.sum(axis=0).max() <= 4
    assert grid[0, :3].any()
    assert grid[-1, 36:40].any()
    assert grid[0, 40:43].any()


def test_several_curves_carry_their_numbers():
    curves = [traced(schedule, 10) for schedule in (linear(0, 1, 10), linear(1, 0.5, 10))]
    first, *_, last, _axis, _times = [line.plain for line in chart(curves, 10, width=60, height=9)]
    assert "2" in first
    assert "1" in last
    assert "2" not in last
    plain = [line.plain for line in chart(curves, 10, width=60, height=9, braille=False)]
    assert set("".join(plain)) <= set("012.5|+- 1")
    assert set("".join(line.plain for line in chart(curves[:1], 10, width=60, height=9, braille=False))) <= set(
        "*01.5|+- "
    )


def test_show_prints_the_curve_and_the_cycles():
    result = run("show", DOUBLING, "--until", "70")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(" 0.05┤⠙⢦")
    assert any("\u2800" < symbol <= "\u28ff" for symbol in lines[7])
    assert lines[16].split() == ["0", "35", "70"]
    assert lines[18:20] == [DOUBLING, f"{parse(DOUBLING).fingerprint}, no end"]
    assert [line.split() for line in lines[21:24]] == [
        ["1", "0", "10", "10", "0.05", "0", "snapshot"],
        ["2", "10", "30", "20", "0.05", "0", "restart,", "snapshot"],
        ["3", "30", "70", "40", "0.05", "0", "restart,", "snapshot"],
    ]
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("width", [40, 200])
def test_no_line_is_wider_than_asked(width):
    result = run("show", DOUBLING, "step(0.1, 30)", "--width", str(width))
    curve = result.stdout.splitlines()[:17]
    assert {len(line) for line in curve[:15]} == {width}
    assert max(map(len, result.stdout.splitlines())) <= max(width, len(f"1  {DOUBLING}"))
    assert "1  warm_restarts" in result.stdout
    assert "2  step(0.1, 30)" in result.stdout


def test_an_output_that_takes_only_ascii_gets_ascii():
    result = run("show", DOUBLING, "step(0.1, 30)", "--until", "1000", charset="ascii")
    assert result.exit_code == 0, result.output
    assert result.stdout.isascii()
    assert "222" in result.stdout


def test_the_middle_of_a_long_table_is_left_out():
    lines = run("show", "warm_restarts(1, T_0=1)", "--until", "100").stdout.splitlines()
    table = [line.split() for line in lines[21:-1]]
    assert [row[0] for row in table] == [*map(str, range(1, 13)), "...", *map(str, range(89, 101))]
    assert table[12] == ["...", "76", "cycles", "left", "out"]


@pytest.mark.parametrize(
    ("notation", "until"),
    [
        ("constant(0.1)", 100),
        ("linear(0, 1, 10) >> constant(1)", 12.5),
        ("exponential(0.1, 0.97)", 53),  # 0.97^53 = 0.199
        ("exponential(0.1, 0.5, timescale=391)", 910),  # 391 * log2(5) = 907.9
        ("inverse_sqrt(0.1, 100)", 2500),  # sqrt(100 / 2500) = 0.2
        ("noam(512, 4000)", 100_000),
        ("inverse_time(0.1, 0.001)", 4000),
        ("exponential_warmup(20)", 33),  # 20 * log(5) = 32.2
        ("linear(0, 1, 0)", 1),
    ],
)
def test_a_schedule_without_an_end_is_shown_where_it_changes(notation, until):
    assert json.loads(run("show", notation, "--json").stdout)["until"] == until
    shown = run("show", notation).stdout
    assert "e-1" not in shown, "a rate that it comes to at 2^53"


def test_more_runs_than_can_be_seen_are_no_table():
    result = run("show", "warm_restarts(1, T_0=1)", "--until", "1e5")
    assert "more than 500 cycles before 100000: no table" in result.stdout


def test_json_is_one_object_for_each_schedule():
    result = run("show", DOUBLING, "linear(0, 1, 5)", "--json", "--until", "35")
    one, other = map(json.loads, result.stdout.splitlines())
    assert one == {
        "notation": DOUBLING,
        "fingerprint": parse(DOUBLING).fingerprint,
        "duration": None,
        "until": 35,
        "runs": [
            {"begin": 0, "end": 10, "first": 0.05, "last": 0.0},
            {"begin": 10, "end": 30, "first": 0.05, "last": 0.0},
            {"begin": 30, "end": 70, "first": 0.05, "last": 0.0},
        ],
        "restarts": [10, 30],
        "snapshots": [10, 30],
    }
    assert (other["duration"], other["snapshots"]) == (5, [5])


def test_a_schedule_may_be_given_as_json():
    text = parse(DOUBLING).to_json()
    record = json.loads(run("show", text, "--json").stdout)
    assert record["fingerprint"] == from_json(text).fingerprint
    assert record["until"] == 150


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((DOUBLING, "cosine(0.1, 0"), "Error: NOTATION 2: '(' was never closed"),
        (("cosine(0.1, 1, 10)",), "Error: NOTATION 1: eta_min must be at most eta_max = 0.1, got 1"),
        (('{"no": 1}',), "Error: NOTATION 1: "),
        ((DOUBLING, "--until", "-5"), "Error: until must be above 0 and at most 2^53, got -5.0"),
        ((DOUBLING, "--until", "nan"), "Error: until must be finite, got nan"),
        ((DOUBLING, "--out", "curve.gif"), "Error: a picture must end in .png, .svg or .pdf, got 'curve.gif'"),
        ((DOUBLING, "--out", "no/curve.png"), "Error: a picture needs a directory that exists, got 'no/curve.png'"),
        (("1e308 * cosine(100, 0, 10)",), "Error: only finite values can be drawn"),
    ],
)
def test_bad_input_is_one_line_that_names_it(args, message):
    result = run("show", *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("args", [(), (DOUBLING, "--until", "soon"), (DOUBLING, "--width", "10"), (DOUBLING, "--no")])
def test_bad_options_are_usage_errors(args):
    result = run("show", *args)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_pictures_are_written_instead_of_the_curve(tmp_path):
    result = run("show", DOUBLING, "--out", str(tmp_path / "curve.svg"))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{tmp_path / 'curve.svg'}\n")
    assert "<svg" in (tmp_path / "curve.svg").read_text()
    result = run("show", DOUBLING, "--json", "--out", str(tmp_path / "curve.png"))
    assert json.loads(result.stdout)["notation"] == DOUBLING
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_figures_are_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("figure", "classic").exit_code == 0
    assert run("figure", "paper", "--out", "seven.svg").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classic.png", "seven.svg"]
    assert run("figure", "paper", "--out", "seven.gif").exit_code == 2
    assert run("figure", "other").exit_code == 2
    (tmp_path / "taken.png").mkdir()
    result = run("figure", "paper", "--out", "taken.png")
    assert result.exit_code == 1
    assert "taken.png" in result.stderr


def test_a_picture_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "annealing.plots", raising=False)
    monkeypatch.delattr(annealing, "plots", raising=False)
    result = run("show", DOUBLING, "--out", "curve.png")
    assert result.exit_code == 2
    assert result.stderr == "Error: a picture needs matplotlib: pip install 'annealing[plot]'\n"


@pytest.mark.parametrize("args", [["--help"], ["show", "--help"], ["show", DOUBLING]])
def test_nothing_slow_is_imported(args):
    code = (
        "import sys; from annealing.cli import main\n"
        f"main({args!r}, standalone_mode=False)\n"
        "print(sorted(sys.modules.keys() & {'matplotlib', 'torch', 'jax', 'rich.progress'}), 'rich' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    assert done.stdout.splitlines()[-1] == f"[] {args == ['show', DOUBLING]}"
