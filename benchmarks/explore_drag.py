"""How long a drag of one argument takes to redraw the explorer: 10 curves of 2,000 points, in a headless Chromium.

    python benchmarks/explore_drag.py

Prints the time from the event of a slider to the frame after the answer was drawn, and how much of it Python needs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from explorer_browser import chromium, opened, served

from annealing.explorer.answers import draw

SCHEDULES = [
    *(f"linear(0, 0.1, {5 + i}) >> cosine(0.1, 0, {195 + 10 * i})" for i in range(4)),
    "warm_restarts(eta_max=0.1, T_0=10, T_mult=2)",
    "step(0.1, step_size=30, gamma=0.5)",
    "one_cycle(0.1, 200)",
    "wsd(0.1, T_warmup=20, T_stable=140, T_cooldown=40, curve='1-sqrt')",
    "inverse_sqrt(0.1, T_warmup=20)",
    "triangular(0, 0.1, 20)",
]
# Without the wait for the next frame a drag would be measured up to an answer that nobody sees.
DRAG = """async () => {
    const slider = document.querySelectorAll(".ae-card input[type=range]")[5];
    const times = [];
    for (let i = 0; i < 60; i += 1) {
        const begin = performance.now();
        slider.value = 0.4 + 0.002 * i;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise((settle) => {
            const busy = () => document.documentElement.hasAttribute("data-busy");
            const look = () => (busy() ? setTimeout(look, 0) : requestAnimationFrame(() => setTimeout(settle, 0)));
            setTimeout(look, 0);
        });
        times.push(performance.now() - begin);
    }
    return times;
}"""


def main() -> None:
    with served(SCHEDULES) as address, chromium() as browser:
        page = opened(browser, address)
        page.wait_for_timeout(1000)
        page.evaluate(DRAG)
        drags = sorted(page.evaluate(DRAG))
    alone = []
    for length in range(100):
        view = {"schedules": [{"text": f"linear(0, 0.1, 5) >> cosine(0.1, 0, {300 + length})"}]}
        view["schedules"] += [{"text": text} for text in SCHEDULES[1:]]
        begin = time.perf_counter()
        draw({"view": view})
        alone.append(1000 * (time.perf_counter() - begin))
    print(f"drag to redraw: median {median(drags):.0f} ms, 95 % within {drags[56]:.0f} ms, fastest {drags[0]:.0f} ms")
    print(f"of which Python: median {median(alone):.1f} ms, fastest {min(alone):.1f} ms")


if __name__ == "__main__":
    main()
