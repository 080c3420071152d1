"""The front end as one script, and a view as one HTML file that opens without a server."""

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
    """The front end as one JavaScript module that renders into an element, as notebooks need it."""
    # The license must travel with the code, also in an exported page.
    return "\n".join([f"/*!\n{front_file('UPLOT-LICENSE')}*/", *map(front_file, SCRIPTS)])


@cache
def stylesheet() -> str:
    return "\n".join(map(front_file, STYLES))


def static_page(view: Mapping[str, Any], answers: Mapping[str, tuple[Any, bytes]]) -> str:
    """A view as one HTML file that contains its values; it zooms and shows values without a server."""
    coded = {name: {"told": told, "numbers": base64.b64encode(raw).decode()} for name, (told, raw) in answers.items()}
    # Escape "<", so that a notation cannot close the script element that contains it.
    data = json.dumps({"view": dict(view), "answers": coded}).replace("<", "\\u003c")
    # Insert the data last, because a notation may contain the placeholder of the script.
    page = front_file("static.html").replace("/*STYLE*/", stylesheet()).replace("/*SCRIPT*/", script())
    return page.replace("/*DATA*/", data)
