"""Presets: a good first schedule for each common situation, with its evidence."""

from __future__ import annotations

from collections.abc import Callable

from .calls import checked, did_you_mean
from .errors import ScheduleError
from .recipes import constant, cosine, linear
from .recipes.arguments import above_0
from .schedule.base import Schedule

PRESETS: dict[str, Callable[[float], Schedule]] = {
    # Bergsma et al. 2025, arXiv 2502.15938: with tuned peaks, linear to zero beats cosine to 10 % at every size tried
    "llm-pretrain": lambda peak: linear(0, peak, "2%") >> linear(peak, 0, "rest"),
    # Devlin et al. 2019, arXiv 1810.04805, and Liu et al. 2019, arXiv 1907.11692: their choice; no tuned comparison
    "fine-tune": lambda peak: linear(0, peak, "6%") >> linear(peak, 0, "rest"),
    # He et al. 2019, arXiv 1812.01187: 5 epochs of warm-up, then cosine to zero
    "vision-from-scratch": lambda peak: linear(0, peak, "5ep") >> cosine(peak, 0, "rest"),
    # Dosovitskiy et al. 2021, arXiv 2010.11929, appendix B.1.1: fine-tuned with a cosine to zero
    "transfer": lambda peak: linear(0, peak, "500st") >> cosine(peak, 0, "rest"),
    # Defazio et al. 2023, arXiv 2310.07831: the best of the common schedules over ten problems
    "fixed-budget": lambda peak: linear(peak, 0, "100%"),
    # Hägele et al. 2024, arXiv 2405.18392: end it by .branch_cooldown(at, length, curve="1-sqrt"), 20 % of the steps
    "unknown-end": lambda peak: linear(0, peak, 1000) >> constant(peak),
}


@checked
def preset(name: str, peak: float) -> Schedule:
    """The schedule to start with in a common situation; a Plan turns its shares and epochs into updates.

    name: "llm-pretrain", "fine-tune", "vision-from-scratch", "transfer", "fixed-budget" or "unknown-end" (1,000 updates
    of warm-up, then a constant rate until you end it with `.branch_cooldown`). peak: the highest rate, above 0; tune
    it, because it matters more than the schedule. A ScheduleError names an unknown preset.

    >>> from annealing import Plan
    >>> preset("llm-pretrain", peak=3e-4)
    linear(0, 0.0003, '2%') >> linear(0.0003, 0, 'rest')
    >>> Plan(steps=10_000).resolve(preset("llm-pretrain", peak=3e-4))
    linear(0, 0.0003, 200) >> linear(0.0003, 0, 9800)

    Source: docs/which-schedule.md has the evidence for each.
    """
    if not isinstance(name, str) or name not in PRESETS:
        hint = did_you_mean(str(name), PRESETS)
        raise ScheduleError(f"preset: unknown name {name!r}{hint} (known: {', '.join(PRESETS)})")
    return PRESETS[name](above_0(peak, "peak"))
