"""The explorer as a widget: the same front end, which talks to Python through the notebook's connection."""

from __future__ import annotations

from typing import Any

import anywidget

from .answers import Page, first_page
from .exports import script, stylesheet


class Explorer(anywidget.AnyWidget):
    """Shows schedules in a notebook; `notations` are those that it shows at present."""

    _esm = script()
    _css = stylesheet()

    def __init__(self, notations: list[str], plan: Any = None, log: Any = None) -> None:
        super().__init__()
        self.page: Page = first_page(notations, plan, log)
        self.notations = list(notations)
        self.on_msg(self._asked)

    def _asked(self, _widget: Any, question: Any, _buffers: Any) -> None:
        # Binary buffers next to the JSON, because a list of numbers would be printed and parsed.
        told, numbers = self.page.answer(question)
        self.notations = told.get("texts", self.notations)
        self.send({"number": question.get("number"), "told": told}, buffers=[numbers])
