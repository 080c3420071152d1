"""The front end as one text, and a view as one HTML file that opens without a server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

SCRIPTS = ("uplot.min.js", "parts.js", "chart.js", "cards.js", "front.js")
STYLES = ("uplot.min.css", "style.css")


def front_file(name: str) -> str:
    return (files(__package__) / "web" / name).read_text(encoding="utf-8")


@cache
def script() -> str:
    """The front end, a module that renders into an element: one text, as a notebook takes it."""
    # The licence goes where the code goes, also into a page that leaves this machine.
    return "\n".join([f"/*!\n{front_file('UPLOT-LICENSE')}*/", *map(front_file, SCRIPTS)])


@cache
def stylesheet() -> str:
    return "\n".join(map(front_file, STYLES))


def static_page(view: Mapping[str, Any], answers: Mapping[str, tuple[Any, bytes]]) -> str:
    """A view as one HTML file, with its values in it; it zooms and shows values, and asks nobody."""
    coded = {name: {"told": told, "numbers": base64.b64encode(raw).decode()} for name, (told, raw) in answers.items()}
    # A notation must not be able to end the script that holds it.
    data = json.dumps({"view": dict(view), "answers": coded}).replace("<", "\\u003c")
    # The data last: a notation may hold what stands for the script.
    page = front_file("static.html").replace("/*STYLE*/", stylesheet()).replace("/*SCRIPT*/", script())
    return page.replace("/*DATA*/", data)
