"""The classic demonstration: four learning-rate schedules, built on one optimizer and run one after the other.

It runs with PyTorch's own classes too, and shows the same curves: change the import line below to

    from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts, StepLR

Three panels look as their names say. The fourth does not: StepLR multiplies whatever rate it finds, so its curve
begins at 1.3827, where the restarts before it stopped, and not at 2.
"""

from __future__ import annotations

import argparse

import torch
from matplotlib.figure import Figure

from annealing.torch import CosineAnnealingLR, CosineAnnealingWarmRestarts, StepLR

STEPS = 100
TITLES = {
    "step": "StepLR(10, gamma=0.5)",
    "restarts": "CosineAnnealingWarmRestarts(10, T_mult=1)",
    "cosine": "CosineAnnealingLR(10)",
    "restarts x2": "CosineAnnealingWarmRestarts(10, T_mult=2)",
}


def rates() -> dict[str, list[float]]:
    """The optimizer's rate after each of 100 steps of each scheduler, in the order in which they are run."""
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=2, momentum=0.9, weight_decay=1e-4)
    step = StepLR(optimizer, 10, gamma=0.5)
    cosine = CosineAnnealingLR(optimizer, 10)
    restarts = CosineAnnealingWarmRestarts(optimizer, 10, T_mult=1)
    restarts_x2 = CosineAnnealingWarmRestarts(optimizer, 10, T_mult=2)

    curves: dict[str, list[float]] = {}
    for name, scheduler in {"cosine": cosine, "restarts": restarts, "restarts x2": restarts_x2, "step": step}.items():
        curves[name] = []
        for _ in range(STEPS):
            optimizer.step()
            scheduler.step()
            curves[name].append(optimizer.param_groups[0]["lr"])
    return curves


def figure(curves: dict[str, list[float]]) -> Figure:
    """Four panels: step and restarts above, cosine and growing restarts below."""
    picture = Figure(figsize=(9, 5.6), layout="constrained")
    panels = picture.subplots(2, 2, sharex=True, sharey=True)
    for panel, (name, title) in zip(panels.flat, TITLES.items(), strict=True):
        panel.plot(range(1, STEPS + 1), curves[name], color="tab:blue", marker=".", markersize=4, linewidth=1)
        panel.set_title(title, fontsize=10)
        panel.grid(alpha=0.3)
    panels[0, 0].axhline(2, color="tab:gray", linestyle=":")
    panels[0, 0].text(100, 1.96, "the 2 that was meant", color="tab:gray", ha="right", va="top")
    first, last = curves["step"][0], curves["restarts x2"][-1]
    style = {"color": "tab:red", "fontsize": 9, "arrowprops": {"arrowstyle": "->", "color": "tab:red"}}
    panels[0, 0].annotate(f"begins at {first:.4f}", (1, first), (12, 1.6), **style)
    panels[1, 1].annotate(f"ends at {last:.4f}", (100, last), (100, 0.9), ha="right", **style)
    picture.supxlabel("step of the scheduler", fontsize=10)
    picture.supylabel("learning rate", fontsize=10)
    return picture


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw the classic demonstration.")
    parser.add_argument("--out", default="classic.png", help="the picture to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    figure(rates()).savefig(options.out, dpi=150)


if __name__ == "__main__":
    main()
