"""Clocks of logs: iterations of several epochs, skipped updates, progress bars, and logs that take turns."""

# ruff: noqa: E501 (lines of logs as they are)
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from annealing.audit import LogError, read


def rate(n: float) -> float:
    """A warm-up of 30 updates and a line down to 0 at 100, by hand."""
    return 0.01 * n / 30 if n < 30 else 0.01 * (100 - n) / 70


# The lines of several epochs of 20 updates, one in every 5 updates, and what their clock is.
EPOCHS = {
    "GluonNLP": lambda e, i, n: (
        f"INFO:root:[Epoch {e + 1} Batch {i}/20] loss=0.5, lr={rate(n):.7f}, metrics:accuracy:0.7"
    ),
    "GPT of GluonNLP": lambda e, i, n: f"Epoch: {e}, Batch: {i}/20, lr={rate(n):.7f}, loss={0.5}",
    "language model of PyTorch's examples": lambda e, i, n: (
        f"| epoch {e + 1:3d} | {i:5d}/{20:5d} batches | lr {rate(n):02.7f} | ms/batch  5.12 | loss 6.1 | ppl 450.5"
    ),
    "YOLOX": lambda e, i, n: (
        f"2021 | INFO | epoch: {e + 1}/5, iter: {i}/20, gpu mem: 1Mb, total_loss: 8.9, lr: {rate(n):.3e}, size: 640"
    ),
    "SlowFast": lambda e, i, n: (
        f'[INFO] logging.py: 99: json_stats: {{"_type": "train_iter", "epoch": "{e + 1}/5", "eta": "0:01", "iter": "{i}/20", "loss": 2.5, "lr": {rate(n)}}}'
    ),
    "PaddleClas": lambda e, i, n: (
        f"[2021] ppcls INFO: [Train][Epoch {e + 1}/5][Iter: {i}/20]lr: {rate(n):.8f}, top1: 0.5"
    ),
    "mmcv's text": lambda e, i, n: f"2021 - mmdet - INFO - Epoch [{e + 1}][{i}/20]\tlr: {rate(n):.3e}, eta: 1 day",
    "OpenCLIP": lambda e, i, n: (
        f"2023 | INFO | Train Epoch: {e} [{i * 64:>4}/1280 ({5 * i}%)] Data (t): 0.1 Batch (t): 0.5, 99/s LR: {rate(n):.6f} Logit Scale: 14.2"
    ),
}


# The same where the log does not say how many updates an epoch has.
UNSAID = {
    "mmcv's JSON": lambda e, i, n: (
        f'{{"mode": "train", "epoch": {e + 1}, "iter": {i}, "lr": {rate(n)}, "memory": 6504, "data_time": 0.2}}'
    ),
    "SlowFast on AVA": lambda e, i, n: (
        f'[INFO] json_stats: {{"_type": "train_iter", "cur_epoch": "{e + 1}", "cur_iter": "{i}", "eta": "0:01", "lr": {rate(n)}}}'
    ),
    "WeNet": lambda e, i, n: f"2021 DEBUG TRAIN Batch {e}/{i} loss 50.3 loss_att 60.1 lr {rate(n):.8f} rank 0",
    "icefall": lambda e, i, n: (
        f"2022 INFO Epoch {e + 1}, batch {i}, loss[loss=0.5], batch size: 30, lr: {rate(n):.2e}, grad"
    ),
    "ESPnet": lambda e, i, n: (
        f"[host:0/1] 2021 (trainer:721) INFO: {e + 1}epoch:train:{i - 4}-{i}batch: iter_time=0.1, loss=5.5, optim0_lr0={rate(n - 2):.3e}, train_time=0.4"
    ),
}


@pytest.mark.parametrize("name", [*EPOCHS, *UNSAID])
def test_iterations_within_an_epoch_are_added_up(name: str, tmp_path: Path) -> None:
    line, file = (EPOCHS | UNSAID)[name], tmp_path / "log"
    first = [1] if name == "OpenCLIP" else []
    told = [(e, i) for e in range(5) for i in [*first, 5, 10, 15, 20]]
    file.write_text("".join(line(e, i, 20 * e + i) + "\n" for e, i in told))
    log = read(file)
    late = 2 if name == "ESPnet" else 0  # a mean of five updates is the rate of the middle one
    assert (log.unit, log.clock.tolist()) == ("update", [20 * e + i - late for e, i in told])
    assert np.abs(log.rates[:, 0] - [rate(n) for n in log.clock.tolist()]).max() < (5e-5 if name == "icefall" else 5e-6)
    assert (name in UNSAID) == any(
        "does not say how many updates an epoch has: taken as 20" in one for one in log.repairs
    )


def test_a_rate_that_is_printed_before_its_epoch(tmp_path: Path) -> None:
    """A script that prints the rate and then trains: the first rate is that of the first epoch."""
    epoch = "Epoch: [{}][{}/391]\tTime 0.1 (0.1)\tLoss 2.1 (2.1)\tPrec@1 19.5 (19.5)\n"
    text = "".join(
        f"current lr {0.1 * (1 - e / 9):.5e}\n" + "".join(epoch.format(e, i) for i in (0, 390)) for e in range(9)
    )
    (tmp_path / "log").write_text(text)
    log = read(tmp_path / "log")
    assert (log.unit, log.clock.tolist()) == ("epoch", list(range(9)))
    after = "".join(f"Epoch {e}/9\nlr {0.1 * (1 - e / 9):.5e}\n" for e in range(1, 10))
    (tmp_path / "log").write_text(after)
    assert read(tmp_path / "log").clock.tolist() == list(range(1, 10))


def test_skipped_iterations_of_megatron_are_added_up(tmp_path: Path) -> None:
    line = " iteration {:8d}/ 300 | consumed samples: 336 | learning rate: {:.6E} | number of skipped iterations: {:3d} | number of nan iterations:   0 |\n"
    (tmp_path / "log").write_text("".join(line.format(n, 0.1 / n, k) for n, k in ((10, 2), (20, 0), (30, 1))))
    log = read(tmp_path / "log")
    assert log.skipped is not None
    assert (log.format, log.skipped.tolist()) == ("megatron", [2, 2, 3])


def test_batches_that_count_from_0(tmp_path: Path) -> None:
    """MXNet's count from 0, so a row at 4 is of the fifth batch, and the last at 19 of the twentieth."""
    for line in (
        "Epoch[{}] Batch [{}]\tSpeed: 1200.0 samples/sec\taccuracy=0.01\tlr={}",
        "[Epoch {}][Batch {}], LR: {}, Speed: 9 samples/sec",
    ):
        told = [(e, i) for e in range(5) for i in (4, 9, 14, 19)]
        (tmp_path / "log").write_text("".join(line.format(e, i, f"{rate(20 * e + i):.3E}") + "\n" for e, i in told))
        assert read(tmp_path / "log").clock.tolist() == [20 * e + i for e, i in told]


def test_examples_seen_where_no_update_is_known(tmp_path: Path) -> None:
    """Ten rows an epoch, each ten per cent further: how many updates that is nobody can tell, so epochs are the clock."""
    line = "Train Epoch: {} [ {}/409600 ({}%)]\tLoss: 0.5 lr: {}\n"
    told = [(e, k) for e in (1, 2) for k in range(10)]
    (tmp_path / "log").write_text(
        "".join(line.format(e, 40960 * k, 10 * k, 0.1 - 0.01 * e - 0.001 * k) for e, k in told)
    )
    log = read(tmp_path / "log")
    assert log.unit == "epoch"
    np.testing.assert_allclose(log.clock, [e - 1 + k / 10 for e, k in told], atol=1e-12)


def test_deepspeed(tmp_path: Path) -> None:
    """Skipped updates and all groups are kept; two engines that take turns are groups of their own."""
    line = "[Rank 0] step={}, skipped={}, lr=[{}], mom=[(0.9, 0.95)]\n"
    (tmp_path / "one").write_text("".join(line.format(n, n // 20, f"{0.1 / n}, {0.01 / n}") for n in (10, 20, 30)))
    log = read(tmp_path / "one")
    assert log.groups == ("lr/0", "lr/1")
    assert log.rates.tolist() == [[0.1 / n, 0.01 / n] for n in (10, 20, 30)]
    assert log.skipped is not None
    assert log.skipped.tolist() == [0, 1, 1]
    (tmp_path / "two").write_text("".join(line.format(n, 0, f"{a / n}") for n in (10, 20, 30, 40) for a in (0.1, 0.5)))
    log = read(tmp_path / "two")
    assert (log.groups, log.clock.tolist()) == (("lr", "lr (2)"), [10, 20, 30, 40])
    assert log.rates.tolist() == [[0.1 / n, 0.5 / n] for n in (10, 20, 30, 40)]
    assert "take turns" in log.repairs[0]


def test_every_group_of_a_long_list_is_read(tmp_path: Path) -> None:
    rates = [[0.1234567 / (n * k) for k in range(1, 13)] for n in (10, 20, 30)]
    line = "[Rank 0] step={}, skipped=0, lr={}, mom=[(0.9, 0.95)]\n"
    (tmp_path / "log").write_text("".join(line.format(10 * n, row) for n, row in enumerate(rates, 1)))
    log = read(tmp_path / "log")
    assert log.groups == tuple(f"lr/{k}" for k in range(12))
    assert log.rates.tolist() == rates


def test_one_optimizer_at_every_micro_batch_is_one_group(tmp_path: Path) -> None:
    """Lightning's monitor under accumulation logs each step four times, with one rate."""
    (tmp_path / "log").write_text("lr-SGD,step\n" + "".join(f"{0.1 / n},{n}\n" for n in (1, 2, 3) for _ in range(4)))
    log = read(tmp_path / "log")
    assert (log.groups, log.clock.tolist()) == (("lr-SGD",), [1] * 4 + [2] * 4 + [3] * 4)


def test_two_names_in_one_line_are_two_groups(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"step {n} lr: {0.1 / n} learningRate: {0.5 / n}\n" for n in (1, 2, 4)))
    log = read(tmp_path / "log")
    assert (log.groups, log.rates.tolist()) == (("lr", "learningRate"), [[0.1 / n, 0.5 / n] for n in (1, 2, 4)])


def test_skorch(tmp_path: Path) -> None:
    """Its history has a list of batches in each epoch, with a rate in each, or a rate in each epoch."""
    batches = [[{"train_loss": 1, "event_lr": 0.1 / (3 * e + k)} for k in (1, 2, 3)] for e in range(4)]
    (tmp_path / "b").write_text(json.dumps([{"batches": rows, "epoch": e + 1} for e, rows in enumerate(batches)]))
    log = read(tmp_path / "b")
    assert (log.unit, log.clock.tolist()) == ("update", list(range(1, 13)))
    assert log.rates[:, 0].tolist() == [0.1 / n for n in range(1, 13)]
    (tmp_path / "e").write_text(
        json.dumps([{"batches": [{"train_loss": 1}] * 3, "epoch": e, "event_lr": 0.1 / e} for e in (1, 2, 3)])
    )
    log = read(tmp_path / "e")
    assert (log.unit, log.clock.tolist(), log.rates[2, 0]) == ("epoch", [1, 2, 3], 0.1 / 3)
    # In other logs "batches" is a number.
    lines = [json.dumps({"step": n, "batches": 100, "lr": 0.1 / n}) + "\n" for n in (1, 2, 3)]
    (tmp_path / "n").write_text("".join(lines))
    assert read(tmp_path / "n").clock.tolist() == [1, 2, 3]


def hugging_face(n: int, every: int, per: float, bars: list[int] | None = None, total: int = 0) -> str:
    """The Trainer's console, with or without bars."""
    text = ""
    for k in range(1, n + 1):
        if bars:
            text += f"\r {k}%|#| {bars[k - 1]}/{total} [00:10<10:00,  1.2it/s]"
        text += f"\n{{'loss': 1.0, 'learning_rate': {1e-4 * (1 - k * every / (n * every))}, 'epoch': {k * every / per:.2f}}}\n"
    return text


def test_a_trainer_without_bars(tmp_path: Path) -> None:
    """Its own epoch times the updates of an epoch, where the run says how many there are; else rows are counted."""
    head = (
        "***** Running training *****\n  Num examples = 16,000\n  Num Epochs = 4\n  Total optimization steps = 2,000\n"
    )
    (tmp_path / "log").write_text(head + hugging_face(200, 10, 500))
    log = read(tmp_path / "log")
    assert (log.clock.tolist(), log.counted, log.slack) == ([10 * k for k in range(1, 201)], False, 0)
    assert log.settings["Total optimization steps"] == 2000
    (tmp_path / "log").write_text(hugging_face(200, 10, 500))
    log = read(tmp_path / "log")
    assert (log.clock.tolist(), log.counted) == (list(range(1, 201)), True)
    assert log.epochs is not None
    end = "{'train_runtime': 98.7654, 'train_samples_per_second': 162.0, 'train_steps_per_second': 20.25, 'train_loss': 1.0, 'epoch': 4.0}\n"
    (tmp_path / "log").write_text(hugging_face(200, 10, 500) + end)  # 98.7654 s x 20.25 steps are 2,000.0
    log = read(tmp_path / "log")
    assert (log.clock.tolist(), log.counted) == ([10 * k for k in range(1, 201)], False)
    lines = (head + hugging_face(200, 10, 500)).splitlines(keepends=True)
    (tmp_path / "log").write_text(
        "".join(line for i, line in enumerate(lines) if i < 20 or i % 7)
    )  # some lines are lost
    log = read(tmp_path / "log")
    true = np.rint(2000 * (1 - log.rates[:, 0] / 1e-4))
    assert (np.abs(log.clock - true) <= log.slack).all()
    assert log.slack <= 3


def test_a_trainer_faster_than_its_bars(tmp_path: Path) -> None:
    """Only every fourth bar is drawn in time."""
    bars = [10 * (k - k % 4) for k in range(1, 201)]
    (tmp_path / "log").write_text(hugging_face(200, 10, 500, bars, 2000))
    log = read(tmp_path / "log")
    assert log.clock.tolist() == [10 * k for k in range(1, 201)]
    assert not log.counted


def test_the_unit_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("step,epoch,lr\n" + "".join(f"{n},{(n - 1) // 5},{0.1 / n}\n" for n in range(1, 21)))
    assert read(tmp_path / "log").unit == "update"
    log = read(tmp_path / "log", unit="epoch")
    assert (log.unit, log.clock.tolist()) == ("epoch", [(n - 1) // 5 for n in range(1, 21)])
    (tmp_path / "log").write_text(
        "".join(f"epoch: {e}, iter: {i}/20, lr: {0.1 / (20 * e + i)}\n" for e in (1, 2) for i in (5, 10))
    )
    np.testing.assert_allclose(read(tmp_path / "log", unit="epoch").clock, [1.25, 1.5, 2.25, 2.5])
    (tmp_path / "log").write_text("step,lr\n1,0.1\n2,0.2\n")
    with pytest.raises(LogError, match=r"unit must be 'update', since this log counts no other, got 'epoch'"):
        read(tmp_path / "log", unit="epoch")
    with pytest.raises(LogError, match="unit must be 'update' or 'epoch', got 'steps'"):
        read(tmp_path / "log", unit="steps")


def test_groups_whose_rates_stand_in_rows_of_their_own(tmp_path: Path) -> None:
    rows = [{"step": n, name: rate / n} for n in (1, 2, 4, 8) for name, rate in (("lr_g", 0.1), ("lr_d", 0.5))]
    (tmp_path / "log").write_text("".join(json.dumps(row) + "\n" for row in rows))
    log = read(tmp_path / "log")
    assert (log.groups, log.clock.tolist()) == (("lr_g", "lr_d"), [1, 2, 4, 8])
    assert log.rates.tolist() == [[0.1 / n, 0.5 / n] for n in (1, 2, 4, 8)]


def test_a_table_that_says_how_many_updates_an_epoch_has(tmp_path: Path) -> None:
    rows = [{"epoch": e, "iter": i, "num_batches": 700, "lr": 0.1 / (e * i)} for e in (1, 2, 3) for i in (100, 600)]
    (tmp_path / "json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "csv").write_text(
        "epoch,iter,num_batches,lr\n" + "".join("{epoch},{iter},{num_batches},{lr}\n".format(**row) for row in rows)
    )
    for name in ("json", "csv"):
        assert read(tmp_path / name).clock.tolist() == [100, 600, 800, 1300, 1500, 2000], name


def test_a_summary_of_the_epoch_is_no_row(tmp_path: Path) -> None:
    """It has the rate of some update, but does not say which."""
    step, summary = "Epoch {} step {}/100 lr {}\n", "Epoch {} done, loss 0.5, lr {}\n"
    text = ""
    for e in (1, 2, 3):
        text += "".join(step.format(e, i, 0.1 / (100 * e + i)) for i in range(0, 100, 20))
        text += summary.format(e, 0.1 / (100 * e + 100))
    (tmp_path / "log").write_text(text)
    log = read(tmp_path / "log")
    assert log.clock.tolist() == list(range(0, 300, 20))
    assert log.left_out == ((3, "on a line without the step or epoch that other rates have"),)


def test_the_last_batch_of_an_epoch_is_not_one_of_the_next(tmp_path: Path) -> None:
    """The rate is printed at the start of an epoch, when the batches above are those of the epoch before."""
    text = "".join(
        f"Epoch {e}\nLearning rate: {0.1 / e:.6f}\nBatch 50/100 loss 0.5\nBatch {90 + e}/100 loss 0.4\n"
        for e in range(1, 7)
    )
    (tmp_path / "log").write_text(text)
    log = read(tmp_path / "log")
    assert (log.unit, log.clock.tolist()) == ("epoch", [1, 2, 3, 4, 5, 6])
