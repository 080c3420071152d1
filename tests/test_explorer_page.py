"""The explorer in Chromium: what it shows is what the core computes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from explorer_browser import chromium, opened, served, settled, values

import annealing

FIRST = "linear(0, 0.1, 5) >> cosine(0.1, 0, 195)"
SECOND = "warm_restarts(eta_max=0.05, T_0=10, T_mult=2)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with served([FIRST, SECOND]) as address:
        found = opened(browser, address)
        yield found
        assert found.mistakes == []
        found.context.close()


def at(page: Any, time: float) -> list[float]:
    page.get_by_label("Time of the values").fill(str(time))
    page.get_by_label("Time of the values").press("Enter")
    settled(page)
    return values(page)


def test_values_are_those_of_the_core(page: Any) -> None:
    for time in (0, 1, 5, 77, 77.25, 150, 4000):
        expected = [annealing.parse(text)(time) for text in (FIRST, SECOND)]
        assert at(page, time) == pytest.approx(expected, rel=1e-12, abs=0)


def test_a_typed_notation_is_drawn(page: Any) -> None:
    page.get_by_label("Notation of schedule A").fill("step(0.2, step_size=30, gamma=0.5)")
    settled(page)
    assert at(page, 61)[0] == annealing.step(0.2, 30, 0.5)(61)


def test_a_mistake_is_shown_at_its_place_and_mended_by_one_click(page: Any) -> None:
    field = page.get_by_label("Notation of schedule A")
    field.fill("linear(0, 0.1, 5) >> cosin(0.1, 0, 195)")
    error = page.locator(".ae-card").first.locator(".ae-error")
    error.get_by_text("did you mean cosine?").wait_for()
    shown, pointer = error.locator("pre").inner_text().splitlines()
    assert shown[pointer.index("^") :].startswith("cosin(")
    assert field.get_attribute("aria-invalid") == "true"
    error.get_by_role("button", name="Use cosine").click()
    settled(page)
    assert field.input_value() == FIRST
    assert at(page, 100)[0] == annealing.parse(FIRST)(100)


def test_dragging_an_argument_changes_the_notation_and_the_values(page: Any) -> None:
    slider = page.get_by_label("T_max of cosine, schedule A", exact=True)
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.55, 0.62, 0.7):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    page.mouse.up()
    settled(page)
    text = page.get_by_label("Notation of schedule A").input_value()
    assert text != FIRST
    assert text.startswith("linear(0, 0.1, 5) >> cosine(0.1, 0, ")
    assert at(page, 100)[0] == annealing.parse(text)(100)
