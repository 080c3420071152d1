"""The explorer in Chromium: what it shows is what the core computes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from explorer_browser import chromium, opened, served, settled, values

import annealing
from annealing.audit import read, recover
from annealing.compare import read_experiment

FIRST = "linear(0, 0.1, 5) >> cosine(0.1, 0, 195)"
LOGS = Path(__file__).parents[1] / "examples" / "logs"
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


def test_a_mistake_is_marked_and_fixed_with_one_click(page: Any) -> None:
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


def test_a_gallery_recipe_is_scaled_to_the_page(page: Any) -> None:
    page.get_by_role("button", name="Gallery", exact=True).click()
    page.get_by_label("Search the gallery").fill("one cycle")
    page.get_by_role("button", name="one_cycle", exact=True).click()
    page.get_by_label("Notation of schedule C").wait_for()
    settled(page)
    text = page.get_by_label("Notation of schedule C").input_value()
    added = annealing.parse(text)
    assert text.startswith("one_cycle(0.1, ")
    assert added.duration == 200
    assert at(page, 60)[2] == added(60)


def test_an_address_restores_the_view(browser: Any, page: Any) -> None:
    page.get_by_label("axis").select_option("log")
    page.get_by_text("Training plan").click()
    page.get_by_label("or steps").fill("400")
    page.get_by_label("or steps").press("Enter")
    settled(page)
    page.get_by_label("time in").select_option("%")
    page.get_by_label("Show schedule B").click()
    shown = at(page, 12.5)
    page.wait_for_timeout(400)
    again = opened(browser, page.url)
    assert values(again) == shown == [annealing.parse(text)(50) for text in (FIRST, SECOND)]
    assert again.get_by_label("axis").input_value() == "log"
    assert again.get_by_label("time in").input_value() == "%"
    assert again.get_by_label("Show schedule B").get_attribute("aria-pressed") == "false"
    again.context.close()


def test_units_zoom_and_the_difference_of_two(page: Any) -> None:
    page.get_by_text("Training plan").click()
    for label, value in {"examples": "50,000", "batch": "128", "epochs": "2"}.items():
        page.get_by_label(label, exact=True).fill(value)
        page.get_by_label(label, exact=True).press("Enter")
    settled(page)
    page.get_by_label("time in").select_option("epoch")
    expected = [annealing.parse(text)(391 * 1.25) for text in (FIRST, SECOND)]
    assert at(page, 1.25) == pytest.approx(expected, rel=1e-12, abs=0)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_text("Difference", exact=True).click()
    page.get_by_label("First schedule").select_option("0")
    page.get_by_label("Second schedule").select_option("1")
    page.get_by_text("compared at").wait_for()
    assert page.locator(".ae-gap canvas").count() == 1
    expected_words = annealing.diff(annealing.parse(FIRST).beyond("hold"), annealing.parse(SECOND), 782).splitlines()
    assert page.get_by_label("How they differ").inner_text().splitlines() == expected_words


def test_lint_and_budget_are_those_of_the_library(page: Any) -> None:
    page.get_by_label("Notation of schedule A").fill("linear(0, 0.1, 5) >> cosine(0.2, 0, 95)")
    card = page.locator(".ae-card").first
    card.get_by_text("jump-at-hand-over at 5").wait_for()
    spent = annealing.budget(annealing.parse("linear(0, 0.1, 5) >> cosine(0.2, 0, 95)"))
    assert f"sum {spent.sum:.6g}, mean {spent.mean:.6g}" in card.locator(".ae-budget").inner_text()


def taken(page: Any, form: str) -> str:
    page.get_by_label("Format", exact=True).select_option(form)
    page.get_by_role("button", name="Get", exact=True).click()
    settled(page)
    text: str = page.get_by_label("Text to copy").input_value()
    return text


def test_what_is_exported_gives_the_same_schedule(page: Any, tmp_path: Path) -> None:
    page.get_by_text("Export", exact=True).click()
    assert annealing.parse(taken(page, "notation")) == annealing.parse(FIRST)
    assert annealing.from_json(taken(page, "json")) == annealing.parse(FIRST)
    names: dict[str, Any] = {}
    exec(taken(page, "python"), names)
    assert names["schedule"] == annealing.parse(FIRST)
    exec(taken(page, "torch"), names)
    rates = []
    for _ in range(200):
        rates.append(names["optimizer"].param_groups[0]["lr"])
        names["optimizer"].step()
        names["scheduler"].step()
    assert rates == pytest.approx([annealing.parse(FIRST)(step) for step in range(200)], rel=1e-9, abs=1e-15)
    with page.expect_download() as waiting:
        taken(page, "csv")
    rows = list(csv.reader(Path(waiting.value.path()).read_text().splitlines()))
    assert rows[0] == ["step", FIRST, SECOND]
    assert [float(row[1]) for row in rows[1:]] == [annealing.parse(FIRST)(step) for step in range(len(rows) - 1)]
    for form, begin in {"png": b"\x89PNG", "pdf": b"%PDF"}.items():
        with page.expect_download() as waiting:
            taken(page, form)
        assert Path(waiting.value.path()).read_bytes().startswith(begin)
    with page.expect_download() as waiting:
        text = taken(page, "yaml")
    waiting.value.save_as(tmp_path / "comparison.yaml")
    assert (tmp_path / "comparison.yaml").read_text() == text
    experiment = read_experiment(tmp_path / "comparison.yaml")
    first = experiment.arm("schedule-1").schedule
    assert (first, first.duration) == (annealing.parse(FIRST), experiment.arm("schedule-1").epochs)


def test_an_exported_page_opens_offline(browser: Any, page: Any, tmp_path: Path) -> None:
    expected = at(page, 0)
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as waiting:
        taken(page, "html")
    waiting.value.save_as(tmp_path / "schedules.html")
    kept = opened(browser, f"file://{tmp_path}/schedules.html", offline=True)
    assert values(kept) == expected
    assert kept.locator("canvas").count() == 1
    assert kept.mistakes == []
    kept.context.close()


def test_a_log_is_overlaid_with_its_verdict_and_the_rows_that_do_not_fit(page: Any) -> None:
    page.get_by_label("Notation of schedule A").fill("linear(0, 5e-4, 20) >> cosine(5e-4, 0, 180)")
    page.get_by_text("Training log").click()
    page.get_by_label("Choose a log").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no rates"}
    )
    page.locator(".ae-words .ae-failed").wait_for()
    page.get_by_label("Choose a log").set_input_files(LOGS / "restarted_on_resume.csv")
    page.get_by_text("the schedule started again at 120").wait_for()
    rows = page.get_by_role("region", name="Rows that do not fit").locator("tbody tr")
    assert rows.first.locator("td").all_inner_texts() == ["124", "0.0001", "0.00018952"]
    page.get_by_role("button", name="Add to page").click()
    page.get_by_label("Notation of schedule C").wait_for()
    settled(page)
    assert at(page, 124)[2] == pytest.approx(1e-4, rel=1e-12)


def test_a_page_with_only_a_log_shows_the_schedule_it_follows(browser: Any) -> None:
    with served(log=LOGS / "correct" / "trainer_state.json") as address:
        page = opened(browser, address, ready="[aria-label='Notation of schedule A']")
        expected = recover(read(LOGS / "correct" / "trainer_state.json")).schedule
        assert annealing.parse(page.get_by_label("Notation of schedule A").input_value()) == expected
        page.context.close()


def test_the_same_front_end_renders_as_a_widget(browser: Any) -> None:
    """Its module follows anywidget's contract; here a page takes the place of the notebook."""
    with served([FIRST]) as address:
        page = browser.new_page()
        page.goto(f"{address}style.css")
        page.evaluate(NOTEBOOK)
        page.wait_for_selector(".ae-readout tbody tr")
        assert values(page) == [annealing.parse(FIRST)(0)]
        page.close()


# A model as anywidget gives it to a front end: messages, each with buffers that are parts of a larger one.
NOTEBOOK = """async () => {
    const { default: front } = await import("/front.js");
    let heard;
    const model = {
        on: (event, listener) => (heard = listener),
        send: async (question) => {
            const headers = { "Content-Type": "application/json" };
            const answer = await fetch("/ask", { method: "POST", headers, body: JSON.stringify(question) });
            const bytes = await answer.arrayBuffer();
            const length = new DataView(bytes).getUint32(0, true);
            const told = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
            heard({ number: question.number, told }, [new DataView(bytes, 4 + length)]);
        },
    };
    document.body.replaceChildren();
    front.render({ model, el: document.body });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(browser: Any, scheme: str) -> None:
    """axe-core finds no violation with everything open and a mistake shown, on a screen and on a phone."""
    with served([FIRST, SECOND, "cosin(1, 0, 9)"], log=LOGS / "restarted_on_resume.csv") as address:
        page = opened(browser, address, width=360 if scheme == "dark" else 1280, color_scheme=scheme, bypass_csp=True)
        page.get_by_role("button", name="Gallery", exact=True).click()
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        page.get_by_text("Rows that do not fit").wait_for()
        found = Axe().run(page)
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.context.close()


def test_it_can_be_used_with_only_a_keyboard(page: Any) -> None:
    page.get_by_label("T_max of cosine, schedule A", exact=True).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        settled(page)
    text = page.get_by_label("Notation of schedule A").input_value()
    assert annealing.parse(text).duration > 200
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "T_max of cosine, schedule A"
    page.get_by_role("button", name="Gallery", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_label("Search the gallery").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.innerText") == "Gallery"
    page.get_by_label("Remove schedule B").focus()
    page.keyboard.press("Enter")
    settled(page)
    assert len(values(page)) == 1


@pytest.mark.thorough
def test_a_thousand_notations_of_nonsense_leave_the_page_alive(page: Any) -> None:
    random = Random(0)
    pieces = [
        *annealing.recipes.named,
        *"(),+-*/é#{",
        "Run",
        "Repeat",
        "Tail",
        "shapes.cosine",
        ">>",
        "__import__('os')",
    ]
    pieces += ["0.1", "1e309", "-3", "10", "'5%'", "eta_max=", "T_0=", ".held(2)", ".beyond('raise')", "\\"]
    field = page.get_by_label("Notation of schedule A")
    for number in range(1000):
        text = FIRST
        if number % 2:
            text = "".join(random.choices(pieces, k=random.randint(1, 12)))
        else:
            for _ in range(random.randint(1, 3)):
                place = random.randrange(len(text))
                text = text[:place] + random.choice(pieces) + text[place + random.randint(0, 3) :]
        field.fill(text)
        settled(page)
        shown = page.locator(".ae-readout output").first.inner_text()
        try:
            expected = annealing.parse(text)
            agreed = shown == ("–" if expected.pending else repr(float(expected(0))))
        except ValueError:
            agreed = shown == "–" and page.locator(".ae-card").first.locator(".ae-error p").count() == 1
        assert agreed, (text, shown)
    field.fill(FIRST)
    settled(page)
    assert at(page, 77)[0] == annealing.parse(FIRST)(77)
