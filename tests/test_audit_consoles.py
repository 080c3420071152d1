"""Lines that training programs print, and names that they give to rates, each with what is to be read from it."""

# ruff: noqa: E501 (lines of logs as they are)
from __future__ import annotations

from pathlib import Path

import pytest

from annealing.audit import read
from annealing.audit.readers.names import roles

LINES = {
    "mmcv, by epoch": (
        "2021-05-01 12:00:00,000 - mmdet - INFO - Epoch [2][50/7330]\tlr: 1.978e-03, eta: 1 day",
        "mmengine",
        7380,
        1.978e-3,
    ),
    "mmcv, by iteration": (
        "2021-05-01 12:00:00,000 - mmseg - INFO - Iter [50/80000]\tlr: 9.994e-03, eta: 5:20:32",
        "mmengine",
        50,
        9.994e-3,
    ),
    "detectron2 in colours": (
        "\x1b[32m[05/01 12:00:00 d2.utils.events]: \x1b[0m eta: 0:10:00  iter: 19  total_loss: 0.9  lr: 4.9953e-06  max_mem: 3000M",
        "detectron2",
        19,
        4.9953e-6,
    ),
    "fastreid": (
        "[05/01 12:00:00] fastreid.utils.events INFO:  eta: 0:10:00  epoch/iter: 0/199  total_loss: 7.1  lr: 1.07e-04  max_mem: 3000M",
        "fastreid",
        199,
        1.07e-4,
    ),
    "timm": (
        "Train: 1 [  50/1251 (  4%)]  Loss: 6.952 (6.95)  Time: 0.5s  LR: 1.000e-05  Data: 0.01",
        "torchvision",
        1301,
        1e-5,
    ),
    "Swin": (
        "[2021-04-01 12:00:00 swin] (main.py 200): INFO Train: [1/300][10/1251]\teta 0:10:00 lr 0.000012\ttime 0.5",
        "torchvision",
        1261,
        1.2e-5,
    ),
    "DINO": (
        "Epoch: [1/100]  [ 10/391]  eta: 0:02:00  loss: 10.9 (10.9)  lr: 0.000002 (0.000001)  wd: 0.04",
        "torchvision",
        401,
        2e-6,
    ),
    "PaddleClas": (
        "[2021/09/01] ppcls INFO: [Train][Epoch 1/100][Iter: 20/1251]lr(LinearWarmup): 0.00100000, top1: 0.5",
        "text",
        20,
        1e-3,
    ),
    "YOLOX": (
        "2021 | INFO | epoch: 1/300, iter: 10/1849, iter_time: 0.5s, total_loss: 18.9, lr: 1.215e-07, size: 640",
        "text",
        10,
        1.215e-7,
    ),
    "OpenNMT": (
        "[2021 INFO] Step 50/200000; acc: 5.1; ppl: 9000; xent: 9.1; lr: 0.00001; 5000/5000 tok/s;",
        "text",
        50,
        1e-5,
    ),
    "fairseq in JSON": (
        '2021 | INFO | train_inner | {"epoch": 1, "update": 0.05, "num_updates": "200", "lr": "2.5e-05", "gnorm": "2"}',
        "fairseq",
        200,
        2.5e-5,
    ),
    "fairseq at the end of an epoch": (
        "2021 | INFO | train | epoch 001 | loss 9 | num_updates 500 | lr 6e-05 | gnorm 1.2 | train_wall 100",
        "fairseq",
        500,
        6e-5,
    ),
    "DeepSpeed": (
        "[2023] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=0, lr=[1.5e-05, 1e-05], mom=[(0.9, 0.95)]",
        "text",
        10,
        1.5e-5,
    ),
    "tf.estimator": ("INFO:tensorflow:learning_rate = 0.001, loss = 2.3, step = 100 (0.5 sec)", "text", 100, 1e-3),
    "PyTorch, verbose": ("Epoch 12: adjusting learning rate of group 0 to 1.0000e-04.", "text", 12, 1e-4),
    "nnU-Net": (
        "2023-01-01 10:00:00: Epoch 12\n2023-01-01 10:00:01: Current learning rate: 0.00989",
        "text",
        12,
        0.00989,
    ),
    "Keras": (
        "Epoch 3/20\n100/100 [====] - 5s 50ms/step - loss: 0.5 - accuracy: 0.9 - lr: 1.0000e-04",
        "text",
        3,
        1e-4,
    ),
    "Transformers 5": ("{'loss': '2.5', 'learning_rate': '4.5e-05', 'epoch': '0.1'}", "transformers", 1, 4.5e-5),
}


@pytest.mark.parametrize("name", LINES)
def test_lines(name: str, tmp_path: Path) -> None:
    text, form, clock, rate = LINES[name]
    file = tmp_path / "log"
    file.write_text(f"some words\n{text}\n")
    log = read(file)
    assert (log.format, log.clock.tolist(), log.rates.tolist()) == (form, [clock], [[rate]])


@pytest.mark.parametrize(
    "name",
    [
        *("lr", "LR", " lr ", "learning_rate", "Learning rate", "learning-rate", "train/learning_rate", "train_lr"),
        *("lr-Adam", "lr-Adam/pg1", "lr-DecoupledAdamW/group0", "lr/AdamW/0", "lr/pg0", "x/lr0", "optim/LR (group 0)"),
        *("lr_0", "lr0", "lr_backbone", "encoder_lr", "charts/learning_rate", "loss-scale-run - train/lr", "base_lr"),
    ],
)
def test_names_of_rates(name: str) -> None:
    assert roles(["loss", name, "step"]).rates == (name,)


@pytest.mark.parametrize(
    "name",
    [
        *("lr_scale", "lr-Adam-momentum", "lr-Adam-weight_decay", "lr_mult", "lr_scheduler", "run - train/lr__MIN"),
        *(
            "lr_decay",
            "min_lr_ratio",
            "clr",
            "color",
            "learning",
            "rate",
            "warmup_lr_steps",
            "url",
            "lrf",
            "train/loss",
        ),
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert roles(["loss", name, "step"]).rates == ()


def test_clocks() -> None:
    """The run's own count of updates before the logger's."""
    assert roles(["_step", "lr", "trainer/global_step", "epoch"])[1:] == ("trainer/global_step", "epoch")
    assert roles(["Step", "run - lr"])[1:] == ("Step", None)
    assert roles(["iter", "step", "lr", "base_lr"]) == (("lr",), "step", None)
