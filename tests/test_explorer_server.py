"""The explorer's local page: who may ask, how much, and how it answers nonsense."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from explorer_browser import served
from hypothesis import given, settings
from hypothesis import strategies as st

import annealing
from annealing.compare import read_experiment
from annealing.explorer.answers import Page, draw, first_page
from annealing.explorer.controls import changed, controls
from annealing.explorer.exports import SCRIPTS, front_file
from annealing.explorer.gallery import gallery
from annealing.explorer.local_server import framed

FIELDS = ["schedules", "text", "hidden", "plan", "unit", "until", "start", "stop", "at", "difference", "view", "change"]
FIELDS += [
    "schedule",
    "end",
    "before",
    "after",
    "low",
    "high",
    "position",
    "scale",
    "whole",
    "against",
    "content",
    "form",
]
VIEW = {"schedules": [{"text": "linear(0, 0.1, 5) >> cosine(0.1, 0, 195)"}]}


def asked(address: str, question: Any, **headers: str) -> tuple[int, dict[str, Any], Any]:
    """The status, JSON and numbers of an answer."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    body = question if isinstance(question, bytes) else json.dumps(question).encode()
    connection.request("POST", "/ask", body, {"Content-Type": "application/json", **headers})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status != 200:
        return response.status, {}, None
    (length,) = struct.unpack_from("<I", content)
    return 200, json.loads(content[4 : 4 + length]), np.frombuffer(content[4 + length :], "<f8")


def test_curves_arrive_as_exact_float64() -> None:
    with served() as address:
        status, told, numbers = asked(address, {"kind": "draw", "view": VIEW | {"at": 77}})
    times, values = numbers.reshape(-1, told["points"])
    schedule = annealing.parse(VIEW["schedules"][0]["text"])
    assert status == 200
    assert np.array_equal(values, schedule(times))
    assert float(told["at"]["values"][0]) == schedule(77)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": "evil.example:80"}, 400),
        ({"Host": "127.0.0.1.evil.example"}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_others_are_refused(headers: dict[str, str], status: int) -> None:
    with served() as address:
        assert asked(address, {"kind": "draw", "view": VIEW}, **headers)[0] == status
        assert asked(address, {"kind": "draw", "view": VIEW}, Origin=address.rstrip("/"))[0] == 200


def test_it_listens_only_on_this_machine() -> None:
    with served() as address:
        port = urlsplit(address).port
        others = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for other in others - {"127.0.0.1", "127.0.1.1"}:
            with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
                socket.create_connection((other, port), timeout=2)


def test_a_question_has_a_maximum_size_and_nonsense_gets_an_answer() -> None:
    with served() as address:
        assert asked(address, b"x" * (25 * 2**20))[0] == 413
        assert asked(address, b"{")[0] == 400
        assert asked(address, b"[" * 100_000)[0] == 400
        for question in ([], 1, None, {"kind": "eval"}, {"kind": "draw"}, {"kind": "draw", "view": {"schedules": 3}}):
            status, told, _ = asked(address, question)
            assert status == 200
            assert told["error"]
        many = {"schedules": [{"text": "cosine(1, 0, 9)"}] * 25}
        assert "at most 24" in asked(address, {"kind": "draw", "view": many})[1]["error"]


def test_the_command_prints_its_address_and_stops_with_control_c() -> None:
    command = [sys.executable, "-m", "annealing", "explore", "cosine(0.1, 0, 9)", "--port", "0", "--no-browser"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout
        assert child.stderr
        line = child.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line
        assert asked(found[0], {"kind": "first"})[1]["view"]["schedules"] == [{"text": "cosine(0.1, 0, 9)"}]
        taken = [*command[:-3], "--port", found[1], "--no-browser"]
        second = subprocess.run(taken, capture_output=True, text=True)
        assert second.returncode == 2
        assert f"port {found[1]} cannot be used" in second.stderr
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0
        assert child.stdout.read() == "Stopped.\n"
        assert child.stderr.read() == ""


def test_an_answer_that_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annealing.explorer.local_server.SECONDS", 0.2)
    monkeypatch.setattr("annealing.explorer.answers.Page.answer", lambda page, question: time.sleep(1) or ({}, b""))
    with served() as address:
        begun = time.monotonic()
        assert "stopped after" in asked(address, {"kind": "first"})[1]["error"]
        assert time.monotonic() - begun < 0.9


def test_a_widget_answers_as_the_page_does() -> None:
    widget = annealing.explore(annealing.cosine(0.1, 0, 9), plan=annealing.Plan(steps=20))
    sent: list[Any] = []
    widget.send = lambda content, buffers: sent.append((content, buffers))
    first = widget.page.answer({"kind": "first"})[0]["view"]
    assert (first["schedules"], first["plan"]["steps"]) == ([{"text": "cosine(0.1, 0, 9)"}], 20)
    widget._asked(widget, {"kind": "draw", "number": 7, "view": first | {"unit": "%", "at": 25}}, [])
    ((content, (numbers,)),) = sent
    assert content["number"] == 7
    assert content["told"]["at"]["step"] == 5
    assert len(numbers) == 16 * content["told"]["points"]
    assert "render" in widget._esm


def test_the_front_end_has_no_formula_of_a_schedule() -> None:
    own = [file for file in SCRIPTS if not file.startswith("uplot")]
    used = set(re.findall(r"Math\.(\w+)", "".join(map(front_file, own))))
    assert len(own) == 5
    assert used <= {"max", "min", "abs", "round", "floor", "PI"}


def test_every_recipe_of_the_gallery_fits_into_a_page() -> None:
    view = {"schedules": [{"text": "linear(0, 3e-4, 500) >> cosine(3e-4, 0, 9500)"}]}
    for entry in gallery():
        told, _ = Page().answer({"kind": "add", "view": view, "name": entry.name})
        made = annealing.parse(told["text"])
        assert draw({"view": {"schedules": [{"text": str(made)}]}})[0]["schedules"][0]["row"] == 0
        # A schedule whose times are all arguments fills the page that it is added to.
        if entry.family == "decays" and annealing.parse(entry.text).duration and "runs" not in told["text"]:
            assert made.duration == pytest.approx(10_000, rel=0.01), told


def test_a_control_is_moved_by_python() -> None:
    text = "0.5 * linear(0, 0.1, '5%') >> warm_restarts(eta_max=0.1, T_0=10)"
    found = {f"{one.function}.{one.name}": one for one in controls(text)}
    assert {"linear.end", "linear.length", ".factor", "warm_restarts.T_0", "warm_restarts.T_mult"} <= set(found)
    change = found["linear.length"]._asdict()
    assert changed(text, change | {"position": 0.25}) == text.replace("'5%'", '"25%"')
    assert changed(text, change | {"typed": "2ep"}) == text.replace("'5%'", "'2ep'")
    assert changed(text, found["warm_restarts.T_mult"]._asdict() | {"position": 1 / 3}).endswith("T_0=10, T_mult=2)")
    for one in found.values():
        if one.kind not in ("text", "flag"):
            back = changed(text, one._asdict() | {"position": one.position})
            assert annealing.parse(back) == annealing.parse(text), one


def test_a_notation_cannot_break_out_of_an_exported_page() -> None:
    hostile = ["</script><script>alert(1)</script>", "/*SCRIPT*/", "<!--<script>"]
    view = {"schedules": [{"text": text} for text in ["cosine(0.1, 0, 9)", *hostile]]}
    told, content = Page().answer({"kind": "export", "form": "html", "view": view})
    page = content.decode()
    assert told["type"] == "text/html"
    assert page.count("<script") == page.count("</script>") == 2
    kept = re.search(r'id="annealing-data">(.*?)</script>', page, re.S)
    assert kept
    assert json.loads(kept[1])["view"] == view


def test_the_plan_converts_a_log_in_epochs_to_steps(tmp_path: Path) -> None:
    rows = [f"{epoch},{0.1 * (1 - epoch / 10)!r}" for epoch in range(10)]
    (tmp_path / "log.csv").write_text("\n".join(["epoch,lr", *rows]))
    page = first_page([], log=tmp_path / "log.csv")
    view = {"schedules": [{"text": "linear(0.1, 0, 500)"}], "plan": {"examples": 100, "batch": 2, "epochs": 10}}
    for against in (0, None):
        told, numbers = page.answer({"kind": "log", "view": view, "against": against})
        times, logged, _ = np.frombuffer(numbers, "<f8").reshape(3, -1)
        assert told["questioned"] == []
        assert logged == pytest.approx(annealing.linear(0.1, 0, 500)(times), rel=1e-12)
    assert annealing.parse(told["schedule"])(250) == pytest.approx(0.05)
    without = page.answer({"kind": "log", "view": view | {"plan": {}}, "against": 0})[0]
    assert without["sentences"][0].startswith("The log counts epochs")


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["draw", "png", "%"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from(["draw", "details", "add", "log", "export", "first"]),
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING),
)
@settings(max_examples=300, deadline=None)
def test_every_question_gets_an_answer(kind: str, fields: dict[str, Any]) -> None:
    asked_for = {"view": VIEW | fields, "change": fields, "form": "csv", "name": "cosine"} | fields | {"kind": kind}
    told, numbers = Page().answer(asked_for)
    (length,) = struct.unpack_from("<I", framed(told, numbers))
    assert json.loads(framed(told, numbers)[4 : 4 + length])
    assert (length + 4) % 8 == 0


def test_exports_follow_the_plan_and_its_unit(tmp_path: Path) -> None:
    plan = {"examples": 1000, "batch": 50, "epochs": 4}
    view = {"schedules": [{"text": "linear(0, 0.1, '1ep') >> cosine(0.1, 0, 'rest')"}], "plan": plan, "unit": "epoch"}
    expected = annealing.parse("linear(0, 0.1, 20) >> cosine(0.1, 0, 60)")
    rows = taken_along("csv", view).decode().splitlines()
    assert rows[0].startswith("step,epoch,")
    assert [float(row.split(",")[-1]) for row in rows[1:]] == [expected(step) for step in range(81)]
    assert taken_along("svg", view).startswith(b"<?xml")
    (tmp_path / "comparison.yaml").write_bytes(taken_along("yaml", view))
    arm = read_experiment(tmp_path / "comparison.yaml").arm("schedule-1")
    assert (arm.epochs, arm.schedule(0.5)) == (4, pytest.approx(expected(10), rel=1e-12))
    names: dict[str, Any] = {}
    exec(taken_along("python", view).decode(), names)
    assert names["schedule"] == expected


def taken_along(form: str, view: dict[str, Any]) -> bytes:
    told, content = Page().answer({"kind": "export", "form": form, "view": view})
    return content or told["text"].encode()
