"""Lines that training programs print, and names that they give to rates, each with what is to be read from it."""

# ruff: noqa: E501 (lines of logs as they are)
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from annealing.audit import LogError, read
from annealing.audit.readers.log_formats import roles

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
        "deepspeed",
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
}


@pytest.mark.parametrize("name", LINES)
def test_lines(name: str, tmp_path: Path) -> None:
    text, form, clock, rate = LINES[name]
    file = tmp_path / "log"
    # twice, since one rate is no series, and later the second time
    later = re.sub(rf"\b{clock}\b", str(clock + 1), text)
    file.write_text(f"some words\n{text}\n{later}\n")
    log = read(file)
    assert (log.format, log.clock[0], log.rates[:, 0].tolist()) == (form, clock, [rate] * 2)


OTHERS = {
    "BasicSR": (
        "2021 INFO: [train..][epoch:  {e}, iter:   {n:,}, lr:(2.{n}e-04,)] [eta: 1 day, time (data): 0.3] l_pix: 1.5e-02\n",
        [5000, 6000, 7000],
        lambda n: float(f"2.{n}e-4"),
    ),
    "llm.c": ("s:{n} trl:3.4534 lr:0.000{n} norm:1.23\ns:{n} tel:3.5\n", [123, 124, 125], lambda n: n / 1e6),
    "PaddleOCR": (
        "[2022] ppocr INFO: epoch: [1/500], global_step: {n}, lr: 0.000{n}, loss: 5.5\n",
        [120, 130, 140],
        lambda n: n / 1e6,
    ),
    "PaddleSeg": (
        "[TRAIN] epoch: {e}, iter: {n}/80000, loss: 1.5, lr: 0.009{n}, batch_cost: 0.5, ips: 7.1 samples/sec | ETA 01:00\n",
        [120, 130, 140],
        lambda n: float(f"0.009{n}"),
    ),
    "icefall": (
        "2022 INFO [train.py:815] Epoch 1, batch {n}, loss[loss=0.5], batch size: 30, lr: 4.{n}e-02, grad_scale: 8\n",
        [120, 130, 140],
        lambda n: float(f"4.{n}e-2"),
    ),
    "Kaldi": (
        "Iter: {n}/309   Jobs: 4   Epoch: 0.02/4.0 (0.5% complete)   lr: 0.004{n}\n",
        [120, 130, 140],
        lambda n: float(f"0.004{n}"),
    ),
    "TensorFlow's object detection": (
        "INFO:tensorflow:Step {n} per-step time 0.608s\nINFO:tensorflow:{{'Loss/total_loss': 1.2,\n 'learning_rate': 0.014{n}}}\n",
        [120, 130, 140],
        lambda n: float(f"0.014{n}"),
    ),
    "Composer": (
        "[batch={n}/1000]:\n\t Train time/epoch: 0\n\t Train loss/train/total: 5.1\n\t Train lr-DecoupledAdamW/group0: 0.0001{n}\n",
        [120, 130, 140],
        lambda n: float(f"0.0001{n}"),
    ),
    "Stable-Baselines3": (
        "| time/                   |             |\n|    total_timesteps      | {n}        |\n| train/                  |             |\n"
        "|    learning_rate        | 0.0003{n}   |\n|    n_updates            | 10          |\n",
        [120, 130, 140],
        lambda n: float(f"0.0003{n}"),
    ),
    "a tensor": ("step {n} lr: tensor(0.0{n})\n", [120, 130, 140], lambda n: float(f"0.0{n}")),
    "NumPy 2": ("step {n} lr=np.float64(0.0{n})\n", [120, 130, 140], lambda n: float(f"0.0{n}")),
    "NumPy's array": ("step {n} lr [0.0{n} 0.5]\n", [120, 130, 140], lambda n: float(f"0.0{n}")),
    "Ignite": ("Epoch[1/10], Iter[{n}/1000] Loss: 0.5 LR: 0.0{n}\n", [120, 130, 140], lambda n: float(f"0.0{n}")),
    "PaddleNLP": (
        "[INFO] - loss: 0.6, learning_rate: 3.{n}e-05, global_step: {n}, interval_runtime: 1.5\n",
        [120, 130, 140],
        lambda n: float(f"3.{n}e-5"),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_lines(name: str, tmp_path: Path) -> None:
    line, clock, expected = OTHERS[name]
    (tmp_path / "log").write_text("".join(line.format(n=n, e=k) for k, n in enumerate(clock)))
    log = read(tmp_path / "log")
    assert (log.unit, log.clock.tolist()) == ("update", clock)
    np.testing.assert_allclose(log.rates[:, 0], [expected(n) for n in clock], rtol=1e-12)


def test_mlflow(tmp_path: Path) -> None:
    """Its file is named like its metric, and holds time, value and step."""
    for name in ("lr", "learning_rate", "loss"):
        (tmp_path / name).write_text("".join(f"168321341234{n} {0.1 / n} {n}00\n" for n in (1, 2, 3)))
    for name in ("lr", "learning_rate"):
        log = read(tmp_path / name)
        assert (log.format, log.clock.tolist(), log.rates[2, 0]) == ("mlflow", [100, 200, 300], 0.1 / 3)
    with pytest.raises(LogError, match="no learning rate"):
        read(tmp_path / "loss")
    assert len(read(tmp_path / "loss", format="mlflow")) == 3


NO_LOGS = {
    "README.md": """# A model

We train with SGD, learning rate 0.1, momentum 0.9, and batch size 256, for 90 epochs. The learning
rate is divided by 10 at epoch 30 and again at epoch 60; with learning rate 0.01 it does not converge.

| model | lr | top-1 |
| --- | --- | --- |
| small | 0.1 | 70.1 |

    python train.py --lr 0.1 --epochs 90
    python train.py --lr 0.05 --epochs 180
    python train.py --lr 0.025 --epochs 180
""",
    "config.yaml": "model: resnet50\noptimizer:\n  name: sgd\n  lr: 0.1\nscheduler:\n  step: 30\n  warmup_lr: 1e-6\nepochs: 90\n",
    "config.json": '{\n  "lr": 0.1,\n  "epochs": 90,\n  "optimizer": {"lr": 0.2}\n}\n',
    "one_line.json": '{"lr": 0.1, "epochs": 90, "step": 30}\n',
    "config.py": "optimizer = dict(type='SGD', lr=0.02, momentum=0.9)\nlr_config = dict(policy='step', step=[8, 11])\n",
    "prose.txt": "At epoch 30 we used learning rate 0.01 and later, by epoch 60, a learning rate of 0.001.\n",
    "prose2.txt": "We started at epoch 30 with learning rate 0.01.\nThen, since epoch 60, learning rate 0.001 was used.\n",
    "optimizer.txt": "AdamW (\nParameter Group 0\n    lr: 0.001\n\nParameter Group 1\n    lr: 0.001\n\nParameter Group 2\n    lr: 0.01\n)\n",
    "program.py": "def train(epoch=1, lr=0.1):\n    ...\n\n\ntrain(epoch=30)\nset_lr(0.1)\nset(lr=0.2)\nset(lr=0.3)\n",
    "arguments.txt": "Namespace(batch_size=128, lr=0.1, lr_mode='step', lr_backbone=1e-05, momentum=0.9)\n",
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_what_has_no_series_of_rates(name: str, tmp_path: Path) -> None:
    """A text that names a rate or two is no log, and is refused rather than audited."""
    (tmp_path / name).write_text(NO_LOGS[name])
    with pytest.raises(LogError, match=r"no learning rate|no series"):
        read(tmp_path / name)


FIRST = [
    "Namespace(batch_size=128, lr=0.1, lr_mode='step', momentum=0.9)",
    "Namespace(lr=0.0001, lr_backbone=1e-05, lr_drop=200, epochs=300)",
    "configs: {'optimizer': {'type': 'AdamW', 'learning_rate': 6e-05, 'weight_decay': 0.01}}",
    '{"lr": 0.1, "epochs": 90, "optimizer": "sgd"}',
    "Adam (\nParameter Group 0\n    lr: 0.0006000000000000001\n    weight_decay: 0\n)",
    "SGD (\n" + "".join(f"Parameter Group {n}\n    lr: 0.0{n}1\n    nesterov: False\n\n" for n in range(12)) + ")",
    "Initial learning rate: 0.5",
    "step,loss,lr\n",
]


@pytest.mark.parametrize("first", FIRST)
def test_settings_before_a_log_are_not_the_log(first: str, tmp_path: Path) -> None:
    """The format with the most rates wins, and only rates that stand as the others do are rows."""
    rows = "".join(f"Iter: {n}; LR: {1e-3 * (1 - n / 1001):.3e}; loss: 0.5\n" for n in range(50, 1001, 50))
    (tmp_path / "log").write_text(rows)
    plain = read(tmp_path / "log")
    (tmp_path / "log").write_text(f"{first}\n{rows}")
    log = read(tmp_path / "log")
    assert (log.format, log.groups) == ("text", ("lr",))
    assert (log.clock.tolist(), log.rates.tolist(), log.half.tolist()) == (
        plain.clock.tolist(),
        plain.rates.tolist(),
        plain.half.tolist(),
    )


def test_other_encodings(tmp_path: Path) -> None:
    """A console of a Chinese Windows, with boxes and names in GBK, is text: only control bytes say otherwise."""
    text = (
        "╒"
        + "═" * 400
        + "╕\n│ 训练开始 │\n"
        + "".join(f"轮次 epoch: {n}/30, lr: {1e-3 - n * 1e-5:.3e}\n" for n in range(1, 31))
    )
    for encoding in ("gbk", "gb18030", "utf-8", "utf-16"):
        (tmp_path / "log").write_bytes(text.encode(encoding))
        log = read(tmp_path / "log")
        assert log.clock.tolist() == list(range(1, 31)), encoding
    (tmp_path / "log").write_bytes("学習率 epoch: 1 lr: 0.5\n学習率 epoch: 2 lr: 0.25\n".encode("shift_jis"))
    assert read(tmp_path / "log").rates[:, 0].tolist() == [0.5, 0.25]


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
    assert roles(["_step", "lr", "trainer/global_step", "epoch"])[1:3] == ("trainer/global_step", "epoch")
    assert roles(["Step", "run - lr"])[1:] == ("Step", None, None)
    assert roles(["loss", "lr", "training_iteration", "config/lr"]) == (("lr",), "training_iteration", None, None)
    assert roles(["iter", "step", "lr", "base_lr"]) == (("lr",), "step", None, None)


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


def test_words_that_change_between_rates_do_not_matter(tmp_path: Path) -> None:
    text = "".join(f"Epoch {n} eta {'1 day, ' * (n == 1)}2:00 lr {0.1 / n}\n" for n in range(1, 13))
    (tmp_path / "log").write_text(text)
    assert len(read(tmp_path / "log")) == 12


# What people's own scripts print, a line for each epoch from 1 (or for each update), and the names of its groups.
SCRIPTS = {
    "a table set apart by blanks": ("epoch   lr       loss\n", "{n}  {rate:.6f}  0.5\n", "csv", "epoch", ["lr"]),
    "a table in Markdown": (
        "# Log\n\n| epoch | lr | loss |\n|---|---|---|\n",
        "| {n} | {rate:.6f} | 0.5 |\n",
        "csv",
        "epoch",
        ["lr"],
    ),
    "a dict of Python": ("", "{{'train_lr': {rate}, 'epoch': {n}, 'loss': 0.5}}\n", "text", "epoch", ["lr"]),
    "a list": ("", "Epoch {n} lrs: [{rate:.6f}, 0.5]\n", "text", "epoch", ["lr/0", "lr/1"]),
    "current_lr": ("", "Epoch {n} current_lr: {rate:.6f} min_lr: 0.001 lr_decay: 0.1\n", "text", "epoch", ["lr"]),
    "a GAN": ("", "Epoch {n} lr_G: {rate:.6f} lr_D: 0.5\n", "text", "epoch", ["lr_G", "lr_D"]),
    "an encoder": ("", "Epoch {n} encoder_lr: {rate:.6f} head_lr: 0.5\n", "text", "epoch", ["encoder_lr", "head_lr"]),
    "logfmt": ("", 'time="2024-01-01T10:00:00Z" msg="train" step={n} lr={rate:.6f}\n', "text", "update", ["lr"]),
    "no word": ("", "[{n:03d}/200] train_loss: 0.5 lr: {rate:.6f}\n", "text", "update", ["lr"]),
    "nested JSON": ("", '{{"epoch": {n}, "train": {{"lr": {rate}}}}}\n', "text", "epoch", ["lr"]),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_lines_of_peoples_own_scripts(name: str, tmp_path: Path) -> None:
    head, line, form, unit, groups = SCRIPTS[name]
    (tmp_path / "log").write_text(head + "".join(line.format(n=n, rate=0.1 / n) for n in range(1, 20)))
    log = read(tmp_path / "log")
    assert (log.format, log.unit, list(log.groups), log.counted) == (form, unit, groups, False)
    assert log.clock.tolist() == list(range(1, 20))
    np.testing.assert_allclose(log.rates[:, 0], 0.1 / np.arange(1, 20), atol=6e-7)


def test_one_column_of_rates(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("learning rate\n0.5\n0.25\n0.125\n")
    log = read(tmp_path / "log")
    assert (log.format, log.counted, log.rates[:, 0].tolist()) == ("csv", True, [0.5, 0.25, 0.125])
