"""The classic demonstration runs with PyTorch's classes and with the drop-ins, and shows the same curves."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[1] / "examples" / "classic.py"
IMPORT = "from annealing.torch import"
PYTORCH = "from torch.optim.lr_scheduler import"


def example(line: str = IMPORT) -> ModuleType:
    """The example, with the beginning of its one import line of schedulers replaced."""
    text = SOURCE.read_text()
    assert text.count("\n" + IMPORT) == 1
    module = ModuleType("classic")
    exec(compile(text.replace("\n" + IMPORT, "\n" + line), str(SOURCE), "exec"), module.__dict__)
    return module


def test_curves_are_those_of_pytorch() -> None:
    """Every curve is bit-equal: each scheduler finds rates that another one wrote, so each steps as PyTorch's does."""
    ours, pytorch = example(), example(PYTORCH)
    assert ours.StepLR is not pytorch.StepLR
    assert ours.rates() == pytorch.rates()


@pytest.mark.parametrize("line", [IMPORT, PYTORCH])
def test_curves_have_the_known_values(line: str) -> None:
    curves = example(line).rates()
    assert list(curves) == ["cosine", "restarts", "restarts x2", "step"]
    assert all(len(curve) == 100 for curve in curves.values())
    assert [i + 1 for i, rate in enumerate(curves["restarts x2"]) if rate == 2] == [10, 30, 70]
    assert [i + 1 for i, rate in enumerate(curves["restarts"]) if rate == 2] == list(range(10, 101, 10))
    assert curves["cosine"][9] == 0
    assert curves["cosine"][19] == pytest.approx(2, rel=1e-14)
    assert curves["step"][0] == curves["restarts x2"][-1]
    assert round(curves["step"][0], 4) == 1.3827
    assert curves["step"][99] == curves["step"][0] / 2**10


def test_each_scheduler_alone_is_exact() -> None:
    """What was meant: built on optimizers of their own, the drop-ins give the values of the schedules."""
    import torch

    import annealing
    from annealing import torch as drop_ins

    meant = {
        drop_ins.StepLR: ((10, 0.5), annealing.step(2, 10, 0.5)),
        drop_ins.CosineAnnealingLR: ((10,), annealing.cosine(2, 0, 10).beyond("mirror")),
        drop_ins.CosineAnnealingWarmRestarts: ((10, 2), annealing.warm_restarts(2, T_0=10, T_mult=2)),
    }
    for make, (arguments, schedule) in meant.items():
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=2)
        scheduler = make(optimizer, *arguments)
        for t in range(100):
            assert optimizer.param_groups[0]["lr"] == schedule(t)
            optimizer.step()
            scheduler.step()


def test_picture(tmp_path: Path) -> None:
    classic = example()
    curves = classic.rates()
    panels = classic.figure(curves).axes
    drawn = [list(panel.lines[0].get_ydata()) for panel in panels]
    assert drawn == [curves[name] for name in ("step", "restarts", "cosine", "restarts x2")]
    classic.main(["--out", str(tmp_path / "classic.png")])
    assert (tmp_path / "classic.png").read_bytes().startswith(b"\x89PNG")
