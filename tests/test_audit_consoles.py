"""Lines that training programs print, and names that they give to rates, each with what is to be read from it."""

# ruff: noqa: E501 (lines of logs as they are)
from __future__ import annotations

from pathlib import Path

import pytest

from annealing.audit import read
from annealing.audit.readers.column_names import roles

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
    "Accelerate's examples": (
        "Steps:   1%|▏         | 10/1000 [00:05<08:30,  1.94it/s, lr=9.9e-6, step_loss=0.123]",
        "tqdm",
        10,
        9.9e-6,
    ),
    "Lightning's bar": (
        "Epoch 0:  10%|█         | 10/100 [00:10<01:30,  1.0it/s, v_num=0, train_loss=2.5, lr=0.001]",
        "tqdm",
        10,
        1e-3,
    ),
    "NeMo's bar": (
        "Epoch 0:   0%|          | 10/100000 [00:10<10:00, 1.0it/s, v_num=abc, global_step=9.000, lr=1e-6]",
        "tqdm",
        10,
        1e-6,
    ),
    "NeMo 2": (
        "Training epoch 0, iteration 7/99 | lr: 0.0003 | global_batch_size: 32 | global_step: 7 | loss: 11.03",
        "text",
        7,
        3e-4,
    ),
    "Megatron with six decimals": (
        " [2024-05-01 10:00:00] iteration      100/  500000 | consumed samples:        25600 | elapsed time per iteration (ms): 1234.5 | learning rate: 1.000000E-04 | global batch size:   256 | number of skipped iterations:   0 |",
        "megatron",
        100,
        1e-4,
    ),
    "PaddleDetection": (
        "[05/01 12:00:10] ppdet.engine INFO: Epoch: [1] [  20/3665] learning_rate: 0.000400 loss: 5.1 eta: 1 day",
        "torchvision",
        3685,
        4e-4,
    ),
    "OLMo": (
        "2024-01-01 10:00:01.000\trank=0\tINFO\t[step=10/100000,epoch=0]\n    optim/learning_rate_group0=2.0E-06",
        "text",
        10,
        2e-6,
    ),
    "torchtune": ("Step 2 | loss:1.4 lr:1.9e-05 tokens_per_second_per_gpu:100.5", "text", 2, 1.9e-5),
    "torchtitan": (
        "[titan] 2024-09-01 10:00:00,000 - root - INFO - \x1b[31mstep: 10  \x1b[32mloss: 12.2\x1b[39m lr: 3.0e-06",
        "text",
        10,
        3e-6,
    ),
    "verl": ("step:2 - global_seqlen/min:100.0 - actor/lr:9e-07 - timing_s/step:10.5", "text", 2, 9e-7),
    "a percentage is no step": ("Step 5%, epoch 3, lr 0.5", "text", 3, 0.5),
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
            "config/lr",
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
    assert roles(["loss", "lr", "training_iteration", "config/lr"]) == (("lr",), "training_iteration", None)
    assert roles(["iter", "step", "lr", "base_lr"]) == (("lr",), "step", None)


TABLES = {
    "Ray Tune": (
        "loss,lr,training_iteration,config/lr\n2,0.1,1,0.1\n2,0.05,2,0.1\n",
        "csv",
        [1, 2],
        ["lr"],
        [0.1, 0.05],
    ),
    "timm's summary": (
        "epoch,train_loss,eval_loss,eval_top1,lr\n0,6.9,6.8,0.5,1e-06\n1,6.7,6.5,1.5,5.005e-05\n",
        "csv",
        [0, 1],
        ["lr"],
        [1e-6, 5.005e-5],
    ),
    "Lightning with two groups and a momentum": (
        "epoch,lr-AdamW/pg1,lr-AdamW/pg2,lr-AdamW/pg1-momentum,step,loss\n,1e-05,1e-04,0.9,0,\n0,,,,0,2.5\n,2e-05,2e-04,0.9,49,\n",
        "lightning",
        [0, 49],
        ["lr-AdamW/pg1", "lr-AdamW/pg2"],
        [1e-5, 2e-5],
    ),
    "a chart of W&B, exported": (
        '"train/global_step","a - train/learning_rate","a - train/learning_rate__MIN","a - train/learning_rate__MAX"\n'
        '"10","0.00005","0.00005","0.00005"\n"20","0.000049","0.000049","0.000049"\n',
        "wandb",
        [10, 20],
        ["a - train/learning_rate"],
        [5e-5, 4.9e-5],
    ),
    "W&B's scan_history": (
        '{"_step": 0, "train/learning_rate": 5e-05, "train/epoch": 0.01, "train/global_step": 10, "train/loss": 2}\n'
        '{"_step": 1, "eval/loss": 2.0, "train/global_step": 10}\n'
        '{"_step": 2, "train/learning_rate": 4.9e-05, "train/epoch": 0.02, "train/global_step": 20, "train/loss": NaN}\n',
        "wandb",
        [10, 20],
        ["train/learning_rate"],
        [5e-5, 4.9e-5],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name: str, tmp_path: Path) -> None:
    text, form, clock, groups, rates = TABLES[name]
    file = tmp_path / "log"
    file.write_text(text)
    log = read(file)
    assert (log.format, log.clock.tolist(), list(log.groups)) == (form, clock, groups)
    assert log.rates[:, 0].tolist() == rates
    assert not log.repairs
