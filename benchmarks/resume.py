"""After how many of 200 resume points another learning rate follows: PyTorch's classes beside the drop-ins.

    .venv/bin/python benchmarks/resume.py

Each class is resumed in the six ways of tests/test_torch_resuming.py; a cell is `PyTorch's / ours`, the number of
points at which the rates or momenta, then or in the next 3 steps, are not those of the undisturbed run.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from test_torch_resuming import AHEAD, POINTS, WAYS, resumed, seen
from torch_dropins_cases import CLASSES, momenta, optimizer, ours, pytorch, rates, saved, walk


def wrong(library: Any, name: str) -> Counter[tuple[str, str]]:
    running = CLASSES[name](library, optimizer())
    states, whole = [saved(running)], [rates(running) + momenta(running)]
    for _ in range(POINTS + AHEAD):
        walk(running, 1)
        states.append(saved(running))
        whole.append(rates(running) + momenta(running))
    groups, found = len(whole[0]) // 2, Counter[tuple[str, str]]()
    for n in range(1, POINTS + 1):
        ahead = [rate for row in whole[n + 1 : n + 1 + AHEAD] for rate in row[:groups]]
        expected = [*whole[n], *ahead, *whole[n + AHEAD][groups:]]
        for way in WAYS:
            try:
                got = next(seen(one) for *here, one in resumed(library, name, states, n, False, (way,)))
                found[way] += any(abs(a - b) > 1e-9 * abs(b) for a, b in zip(got, expected, strict=True))
            except (KeyError, TypeError, ValueError, NotImplementedError):
                found[way] += 1
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    print("| class |", " | ".join(f"{order}, {means}" for order, means in WAYS), "|")
    print("| --- |", " | ".join("---:" for _ in WAYS), "|")
    for name in CLASSES:
        theirs, mine = wrong(pytorch, name), wrong(ours, name)
        print(f"| {name} |", " | ".join(f"{theirs[way]} / {mine[way]}" for way in WAYS), "|", flush=True)


if __name__ == "__main__":
    main()
