"""Jumps from one level or curve to another: rows tell only between which two times, and the plainest are chosen."""

from __future__ import annotations

import numpy as np

from ..intervals import roundest
from .model import Model


def hold(model: Model) -> None:
    """Take the times of jumps out of a fit: no row moves with them."""
    model.fixed |= {model.parts[i].start for i in _changes(model)}


def settle(model: Model) -> None:
    """Give jumps one after another equal distances where they allow it, else the roundest times, one by one."""
    changes = _changes(model)
    while changes:
        count = next((n for n in range(1, len(changes)) if changes[n] != changes[n - 1] + 1), len(changes))
        _settle(model, changes[:count])
        changes = changes[count:]


def _changes(model: Model) -> list[int]:
    """The parts whose start moves nothing but itself: no curve starts or ends with it."""
    moving = {slot for part in model.parts if not part.flat for slot in (part.begin, part.end)}
    starts = [part.start for part in model.parts]
    return [i for i, start in enumerate(starts) if i and start in model.gaps and start not in moving]


def _settle(model: Model, changes: list[int]) -> None:
    n, slots = model.numbers, [model.parts[i].start for i in changes]
    gaps = [model.gaps[slot] for slot in slots]
    times = even(gaps, n[model.parts[changes[0] - 1].start]) if len(slots) > 1 else None
    for slot, time in zip(slots, times or [_single(*gap) for gap in gaps], strict=True):
        n[slot] = time


def _single(low: float, high: float) -> float:
    time = roundest(float(np.nextafter(low, np.inf)), high)
    return high if time is None else float(time)


def even(gaps: list[tuple[float, float]], origin: float) -> list[float] | None:
    """Changes at equal distances from an origin on."""
    count = range(1, len(gaps) + 1)
    least = max((low - origin) / i for i, (low, _) in zip(count, gaps, strict=True))
    most = min((high - origin) / i for i, (_, high) in zip(count, gaps, strict=True))
    every = roundest(float(np.nextafter(least, np.inf)), most) if least < most else None
    return [origin + every * i for i in count] if isinstance(every, int) and every > 0 else None
