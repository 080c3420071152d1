"""Event files: everything that TensorBoard's own loader finds, and what its accumulator drops."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from annealing.audit import LogError, read

pytest.importorskip("tensorboard")
LOGS = Path(__file__).parents[2] / "shared" / "data" / "logs"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # tensorboard's own


def loaded(file: Path) -> list[tuple[int, str, float]]:
    """The scalars of a file by tensorboard's loader, old style and new."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    found = []
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value:
            if value.HasField("tensor") and value.metadata.plugin_data.plugin_name == "scalars":
                found.append((event.step, value.tag, float(tensor_util.make_ndarray(value.tensor))))
    return found


def events(folder: Path) -> list[Path]:
    return sorted(folder.glob("*tfevents*"))


def write(folder: Path, steps: range, *, new_style: bool = False, purge: int | None = None) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder, purge_step=purge) as writer:
        for step in steps:
            writer.add_scalar("loss", 1 / (step + 1), step, new_style=new_style)
            writer.add_scalar("lr/group 0", 0.1 / (step + 1), step, new_style=new_style)
            writer.add_scalar("lr/group 1", 0.2 / (step + 1), step, new_style=new_style)
            if step % 50 == 0:
                writer.add_histogram("lr_histogram", np.arange(10.0), step)
                writer.add_text("words", "lr 0.5", step)


@pytest.mark.parametrize("new_style", [False, True])
def test_the_same_as_tensorboard(new_style: bool, tmp_path: Path) -> None:
    write(tmp_path, range(300), new_style=new_style)
    (file,) = events(tmp_path)
    log = read(file)
    assert (log.format, log.unit, log.groups) == ("tensorboard", "update", ("lr/group 0", "lr/group 1"))
    for number, tag in enumerate(log.groups):
        expected = [(step, value) for step, name, value in loaded(file) if name == tag]
        assert list(zip(log.clock.tolist(), log.rates[:, number].tolist(), strict=True)) == expected
        assert len(expected) == 300
    true = 0.1 / (log.clock + 1)
    assert (np.abs(log.rates[:, 0] - true) <= log.half[:, 0]).all()  # float32, rounded once
    assert (log.half[:, 0] <= true * 2**-23).all()


def test_a_resumed_run_keeps_what_it_overlapped(tmp_path: Path) -> None:
    """100 steps, then a resume from 60 that purges: tensorboard's accumulator shows 90 of the 130 events."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, range(100))
    first = events(tmp_path)[0].rename(tmp_path / "events.out.tfevents.1")
    write(tmp_path, range(60, 90), purge=60)
    log = read(tmp_path)
    assert log.clock.tolist() == [*range(100), *range(60, 90)]
    assert log.process.tolist() == [0] * 100 + [1] * 30
    assert first in events(tmp_path)
    accumulator = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    accumulator.Reload()
    assert len(accumulator.Scalars("lr/group 0")) == 90


def test_a_tag_that_comes_again_at_the_same_step_begins_a_new_row(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        for tag, value, step in [("lr/a", 0.5, 1), ("lr/b", 0.25, 1), ("lr/a", 0.125, 1), ("lr/b", 0.0625, 2)]:
            writer.add_scalar(tag, value, step)
        for value in np.arange(40.0):
            writer.add_scalar("lr/a", value, 3)
    log = read(tmp_path)
    assert log.clock.tolist() == [1, 1, 2] + [3] * 40
    expected = [[0.5, 0.25], [0.125, np.nan], [np.nan, 0.0625], *([value, np.nan] for value in range(40))]
    assert np.array_equal(log.rates, expected, equal_nan=True)


def test_named_tags(tmp_path: Path) -> None:
    write(tmp_path, range(3))
    log = read(tmp_path, columns={"rate": "loss"})
    assert (log.groups, log.rates[:, 0].tolist()) == (("loss",), [1, 0.5, float(np.float32(1 / 3))])
    with pytest.raises(LogError, match="expected columns or tags gamma"):
        read(tmp_path, columns={"rate": "gamma"})


def test_damage(tmp_path: Path) -> None:
    """A torn end loses the torn record; a damaged length ends the file; both are said, and the rest is read."""
    write(tmp_path, range(1, 41))
    (file,) = events(tmp_path)
    data, whole = file.read_bytes(), read(file)
    for size in (len(data) - 1, len(data) - 20, len(data) // 2, len(data) // 2 + 5):
        file.write_bytes(data[:size])
        log = read(file)
        assert 15 < len(log) <= 40
        assert log.clock.tolist() == whole.clock[: len(log)].tolist()
        assert "cut off" in log.repairs[0]
    place = data.index(struct.pack("<f", 0.1 / 21))  # the rate of step 20
    record = data.rindex(b"\x09", 0, place) - 12  # its length
    file.write_bytes(data[:record] + b"\xff" + data[record + 1 :])
    log = read(file)
    assert log.clock.tolist() == list(range(1, 20))
    assert f"damaged at byte {record:,}" in log.repairs[0]


@pytest.mark.skipif(not LOGS.exists(), reason="the real logs are not beside this checkout")
def test_real_files_as_tensorboard_reads_them() -> None:
    files = sorted(LOGS.glob("*.tfevents"))
    assert len(files) == 3
    for file in files:
        log = read(file)
        found = loaded(file)
        for number, tag in enumerate(log.groups):
            expected = [(step, value) for step, name, value in found if name == tag]
            assert list(zip(log.clock.tolist(), log.rates[:, number].tolist(), strict=True)) == expected
        assert {name for _, name, _ in found if name.rpartition("/")[0] == "lr" or name == "lr"} == set(log.groups)
