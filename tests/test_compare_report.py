"""The page, the tables beside it, and the list of trials, of finished and of unfinished comparisons made by hand."""

from __future__ import annotations

import csv
import fcntl
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from compare_cases import experiment, half, records, restarts, short, single, step

from annealing.cli import Group
from annealing.compare import Trial, standing, tabulated
from annealing.compare.compare_command import compare as command
from annealing.compare.store import Row, Store, open_store, to_line

group = Group("annealing", commands=[command])
CLOCK = [
    {"event": "begin", "time": "2026-01-01T00:00:00+00:00", "host": "here", "pid": 1},
    {"event": "row", "step": 8, "seconds": 40.0},
    {"event": "begin", "time": "2026-01-01T00:01:00+00:00", "host": "here", "pid": 2},
    {"event": "row", "step": 16, "seconds": 35.0},
]


VOID = {"meta", "br", "use", "path", "line", "circle", "rect"}


class Page(HTMLParser):
    """What a page asks a browser to get or run, and how it nests."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def kept(directory: Path, trials=None, *arms) -> Store:
    """A store in which some trials are finished, all unless given."""
    opened = open_store(directory, experiment(*arms), "annealing compare EXPERIMENT.yaml --out DIR")
    for trial in opened.experiment.trials() if trials is None else trials:
        ends = [{"steps": [4, 12], "wrong": 11}] if trial.arm == "restarts" else []
        opened.record(trial, records[trial], {"ensembles": ends})
        clock = "".join(json.dumps(line) + "\n" for line in CLOCK)
        (opened.path(trial) / "clock.jsonl").write_text(clock)
    return opened


def begun(store: Store, trial: Trial, rows: int) -> Path:
    """A trial that was stopped after some rows, in the middle of the next."""
    store.path(trial).mkdir(parents=True)
    lines = [to_line(row, 100) for row in records[trial][: rows + 1]]
    (store.path(trial) / "metrics.jsonl").write_text("".join(lines)[:-9])
    clock = store.path(trial) / "clock.jsonl"
    clock.write_text(json.dumps(CLOCK[0]) + "\n")
    return clock


def table(path: Path) -> list[dict[str, str]]:
    return [*csv.DictReader(path.read_text().splitlines())]


def run(*options: str):
    return CliRunner().invoke(group, ["compare", *options])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    directory = tmp_path_factory.mktemp("report") / "out"
    kept(directory)
    assert tabulated(directory)
    return directory


def test_the_page_needs_nothing_else(finished):
    text = (finished / "report.html").read_text("utf-8")
    page = Page()
    page.feed(text)
    assert not page.open
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(page.tags)
    assert page.tags.count("svg") >= 3
    assert all(link.startswith("#") for link in page.links)
    assert "@import" not in text
    assert all(place.startswith("#") for place in re.findall(r"url\(([^)]*)\)", text))


def test_the_page_tells_what_was_compared_and_how(finished):
    text = html.unescape((finished / "report.html").read_text("utf-8"))
    for arm in (step, short, single, half, restarts):
        assert f"<code>{arm.schedule}</code>" in text
        assert arm.schedule.fingerprint in text
    assert "<pre>annealing compare EXPERIMENT.yaml --out DIR</pre>" in text
    manifest = json.loads((finished / "manifest.json").read_text())
    for version in manifest["versions"].values():
        assert f"<dd>{version}</dd>" in text
    results = json.loads((finished / "results.json").read_text())
    for said in results["words"]:
        assert f"<li>{said}</li>" in text
    assert "12 trials: 12 done" in text
    assert ">2 [>2, >2]" in text  # half a cosine is never at the level
    assert str(finished) not in text


def test_titles_are_text_and_no_html(tmp_path):
    named = replace(single, title="<b>one</b> & only")
    kept(tmp_path / "out", [], step, named)
    tabulated(tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "<b>one" not in text
    assert "&lt;b&gt;one&lt;/b&gt; &amp; only" in text


def test_the_same_records_give_the_same_report(tmp_path):
    kept(tmp_path / "out", None, step, single)
    written = []
    for _ in range(2):
        assert run("--report", str(tmp_path / "out")).exit_code == 0
        written.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()})
    assert written[0] == written[1]


def test_the_cost_is_the_time_with_what_was_lost(finished):
    rows = {row["key"]: row for row in table(finished / "cost.csv")}
    # 40 s up to update 8, killed, and 35 s more up to update 16
    assert rows["step"]["seconds_middle"] == "75.0"
    assert (rows["short"]["seconds_middle"], rows["short"]["updates"]) == ("40.0", "8")
    assert rows["half"]["trained_as"] == "restarts"
    assert rows["single"]["seconds_middle"] == ""  # its clock has no row at its end
    assert "1 min 15 s" in (finished / "report.html").read_text("utf-8")


def test_ends_of_runs_are_in_a_file_of_their_own(finished):
    rows = table(finished / "run-ends.csv")
    assert [(row["key"], row["epoch"], row["models"]) for row in rows] == [
        ("restarts", "2.0", ""),
        ("restarts", "6.0", "2"),
    ]
    assert rows[1]["together_middle"] == "11.0"


def test_the_list_of_a_finished_comparison(finished):
    listed = run("--list", str(finished))
    assert listed.exit_code == 0, listed.output
    assert listed.stdout.startswith("12 trials: 12 done\n")
    assert "step, seed 1 done 8 of 8 11" in " ".join(listed.stdout.split())
    states = json.loads(run("--list", str(finished), "--json").stdout)
    said = {"arm": "step", "title": "step decay", "seed": 0, "state": "done", "epoch": 8.0, "epochs": 8.0}
    assert states[0] == said | {"error": 10.0, "fault": ""}


def test_a_running_comparison(tmp_path):
    done = [Trial(arm, seed) for arm in ("step", "single") for seed in (0, 1)]
    opened = kept(tmp_path / "out", [*done, Trial("restarts", 0)])
    running = begun(opened, Trial("restarts", 1), rows=3)
    begun(opened, Trial("step", 2), rows=2)
    lost = [*records[Trial("short", 0)][:2], Row(5, 2.5, 0.1, None, 100)]
    opened.record(Trial("short", 0), lost)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with open(running, "a") as file:  # as the process that trains it does
        fcntl.flock(file, fcntl.LOCK_EX)
        states = {(state.arm, state.seed): state for state in standing(tmp_path / "out")}
    assert states["restarts", 1].state == "running"
    assert (states["restarts", 1].epoch, states["restarts", 1].error) == (3, 60)
    assert (states["step", 2].state, states["step", 2].epoch) == ("waiting", 2)
    assert (states["single", 2].state, states["single", 2].epoch, states["single", 2].error) == ("waiting", None, None)
    assert (states["short", 0].state, states["short", 0].error) == ("diverged", 100)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before

    part = json.loads(run("--report", str(tmp_path / "out"), "--json").stdout)
    assert (part["finished"], part["trials"], part["seeds"]) == (6, 12, 2)
    # a schedule that is not finished for all of the baseline's seeds is held against it over its own
    seeds = {"step": 2, "single": 2, "short": 1, "half": 1, "restarts": 1}
    assert {line["key"]: line["seeds"] for line in part["lines"]} == seeds
    lines = {line["key"]: line for line in part["lines"]}
    assert lines["restarts"]["less_baseline"] == {"middle": 12 - 10, "low": None, "high": None}
    assert lines["restarts"]["verdict"] is None
    assert part["words"][0] == (
        "Not finished: this covers 6 of 12 trials, for the 2 seeds that the baseline has completed; some have fewer, "
        "and are compared over these: “short step” 1, “half a cosine” 1, “restarts” 1."
    )
    text = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "not finished" in text
    assert "restarts (1 seed)" in text
    assert "12 trials: 5 done, 1 diverged, 6 waiting" in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"manifest.json", "report.html", "trials"}


def test_a_comparison_that_has_only_begun(tmp_path):
    kept(tmp_path / "out", [])
    told = run("--report", str(tmp_path / "out"))
    assert told.exit_code == 0
    assert "No seed of the baseline is finished yet" in told.stderr
    printed = json.loads(run("--report", str(tmp_path / "out"), "--json").stdout)
    assert printed == {"finished": 0, "trials": 12, "lines": []}
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Learning rates" in page
    assert "12 trials: 12 waiting" in page


def test_a_damaged_record_is_named_in_the_list(tmp_path):
    opened = kept(tmp_path / "out")
    path = opened.path(Trial("step", 0)) / "metrics.jsonl"
    path.write_text(path.read_text().replace("60", "61", 1))
    listed = " ".join(run("--list", str(tmp_path / "out")).stdout.split())
    assert "12 trials: 11 done, 1 waiting" in listed
    assert "trials/step-seed0/metrics.jsonl has not the SHA-256 of result.json" in listed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give one of --out DIR, --list DIR, --report DIR"),
        (["--list", "a", "--report", "a"], "give one of --out DIR, --list DIR, --report DIR"),
        (["--list", "a", "--seeds", "2"], "--seeds belongs to training with --out DIR"),
        (["--list", "a"], "no comparison is kept in a"),
        (["--report", "a"], "no comparison is kept in a"),
        (["--out", "a", "--ray", "auto", "--workers", "2"], "--workers belongs to this machine"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    result = run(*options)
    assert result.exit_code == 2
    assert said in result.stderr
