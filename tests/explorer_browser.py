"""The explorer in a real browser: a page that is served, and the system's Chromium that looks at it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from annealing.explorer.answers import first_page
from annealing.explorer.local_server import application, bound_socket

READY = ".ae-readout tbody tr"  # what a page has once it has drawn
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextmanager
def served(notations: Sequence[str] = (), plan: Any = None, log: Any = None) -> Iterator[str]:
    """The address of a page that is served while the block runs."""
    listening = bound_socket(0)
    port = listening.getsockname()[1]
    app = application(first_page(notations, plan, log), port)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's Chromium, headless; skips if there is none, unless one is required."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        if os.environ.get("ANNEALING_DEMANDS_CHROMIUM"):
            pytest.fail("no Chromium is installed")
        pytest.skip("no Chromium is installed: the page is not tested in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # The sandbox of Chromium does not work for root, as whom containers run.
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Any, address: str, width: int = 1280, height: int = 800, ready: str = READY, **options: Any) -> Any:
    """A page of the explorer that has drawn its first view; its errors are kept in `page.mistakes`."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.mistakes = []
    page.on("pageerror", lambda error: page.mistakes.append(str(error)))
    page.on("request", lambda request: page.mistakes.append(request.url) if elsewhere(request.url) else None)
    page.set_default_timeout(15_000)
    page.goto(address)
    page.wait_for_selector(ready)
    return page


def elsewhere(address: str) -> bool:
    return not address.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:", "file:"))


def values(page: Any) -> list[float]:
    """The learning rates that the table of the page shows."""
    return [float(text) for text in page.locator(".ae-readout output").all_inner_texts()]


def settled(page: Any) -> None:
    """Wait until the page has the answers to everything that was done."""
    page.wait_for_timeout(30)
    page.wait_for_selector("html:not([data-busy])")
