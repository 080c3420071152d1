"""Draw the pictures of the explorer that the docs show: `python docs/explore_picture.py`, with Chromium installed."""

from __future__ import annotations

import io
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCHEDULES = ["linear(0, 5e-4, 20) >> cosine(5e-4, 0, 180)", "warm_restarts(eta_max=5e-4, T_0=25, T_mult=2)"]
LOG = ROOT / "examples" / "logs" / "restarted_on_resume.csv"


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from explorer_browser import chromium, opened, served
    from PIL import Image

    with served(SCHEDULES, log=LOG) as address, chromium() as browser:
        page = opened(browser, address, 1280, 760)
        page.get_by_text("the schedule started again at 120").wait_for()
        page.evaluate("document.querySelectorAll('.ae-panel').forEach((one) => (one.open = false))")
        picture = Image.open(io.BytesIO(page.screenshot()))
    # A palette makes the file a third as large, and the page has few colours.
    picture.convert("RGB").quantize(128).save(ROOT / "docs" / "images" / "explore.png", optimize=True)


if __name__ == "__main__":
    main()
