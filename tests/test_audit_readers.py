"""Readers: small logs of each format with numbers written by hand, and real logs against what is known of them."""

# ruff: noqa: E501 (lines of logs as they are)
from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from annealing.audit import Log, LogError, formats, read
from annealing.audit.readers import WORDS
from annealing.audit.readers.log_formats import TEXTS
from annealing.audit.readers.regex_reader import Finder

LOGS = Path(__file__).parents[2] / "shared" / "data" / "logs"
SAMPLES = {
    "trainer_state": """{
  "global_step": 30,
  "log_history": [
    {"epoch": 0.5, "learning_rate": 5.773672055427253e-07, "loss": 2.5, "step": 10},
    {"epoch": 0.5, "eval_loss": 1.5, "step": 10},
    {"epoch": 1.0, "learning_rate": 0.0, "loss": 2.0, "step": 20}
  ],
  "max_steps": 40,
  "logging_steps": 10
}
""",
    "llamafactory": """{"current_steps": 10, "total_steps": 20, "loss": 2.5, "reward": null, "lr": 5e-05, "epoch": 0.5}
{"current_steps": 20, "total_steps": 20, "loss": 2.5, "lr": 1.25e-05, "epoch": 1.0}
{"current_steps": 20, "total_steps": 20, "epoch": 1.0}
""",
    "transformers": """  "transformers_version": "4.46.1",
learning_rate=0.0002,
lr_scheduler_type=SchedulerType.LINEAR,
  0%|          | 0/7 [00:00<?, ?it/s]\r100%|####| 7/7 [00:01<00:00]
  0%|          | 0/100 [00:00<?, ?it/s]\r 10%|#         | 10/100 [00:12<3:16, 1.01it/s]\r{'loss': 3.5, 'learning_rate': 0.00018, 'epoch': 0.1}
 50%|##### | 1/2 [00:01<00:01]\r100%|####| 2/2 [00:01<00:00]
{'eval_loss': 2.5, 'epoch': 0.1}
 20%|##    | 20/100 [00:12<3:16, 1.01it/s]\r{'loss': 3.5, 'learning_rate': 0.00016, 'epoch': 0.2}
{'train_runtime': 13190.0841, 'epoch': 1.0}
""",
    "lightning": "lr-Adam,step,train_loss,epoch\r\n4.449460557856837e-06,49,,\r\n,49,0.03,0\r\n0.001,99,,\r\n",
    "keras": "epoch,accuracy,learning_rate,loss\r\r\n0,0.5,0.0010000000474974513,1.5\r\r\n1,0.6,9.999999747378752e-05,1\r\r\n",
    "ultralytics": "   epoch,   train/loss,   lr/pg0,   lr/pg1\n       1,   6.0724,   0.0973,   0.00033077\n       2,   5.1,   0.0947,   0.0006\n",
    "yolov5": "  epoch,  train/box_loss,  x/lr0,  x/lr2\n   0,  0.09,  0.0033315,  0.070016\n   1,  0.07,  0.0066,  0.04\n",
    "mmengine_json": """{"lr": 0.01, "data_time": 0.1, "loss": 3.0, "epoch": 1, "iter": 15, "memory": 8164, "step": 15}
{"acc/top1": 0.0, "data_time": 0.04, "step": 1}
{"lr": 0.009990133642141357, "data_time": 0.1, "epoch": 2, "iter": 30, "memory": 8164, "step": 30}
""",
    "mmcv_json": """{"env_info": "sys.platform: linux", "seed": 0}
{"mode": "train", "epoch": 1, "iter": 50, "lr": 0.00123, "memory": 6504, "data_time": 0.2, "loss": 2.2}
{"mode": "val", "epoch": 1, "iter": 625, "lr": 0.00123, "bbox_mAP": 0.3}
{"mode": "train", "epoch": 2, "iter": 100, "lr": 0.0012, "memory": 6504, "data_time": 0.2, "loss": 2.2}
""",
    "mmengine": """    optimizer=dict(lr=0.001, momentum=0.9, type='SGD'))
    max_epochs=45, type='EpochBasedTrainLoop')
2024/10/10 17:09:41 - mmengine - INFO - Epoch(train)  [1][ 20/597]  base_lr: 5.0000e-03 lr: 1.0000e-03  eta: 2:40:15
2024/10/10 17:12:55 - mmengine - INFO - Epoch(val)  [1][ 20/237]    eta: 0:00:29  time: 0.1378
2024/10/10 17:13:28 - mmengine - INFO - Epoch(train)  [2][ 40/597]  base_lr: 5.0000e-03 lr: 9.9990e-04  eta: 2:25:10
""",
    "detectron2_json": """{"data_time": 0.0013, "eta_seconds": 0.0, "iteration": 9, "lr": 0.000225025, "total_loss": 2.1}
{"data_time": 0.0013, "eta_seconds": 0.0, "iteration": 19, "lr": 0.00025, "total_loss": 2.1}
""",
    "detectron2": """  BASE_LR: 0.02
  STEPS: (60000, 80000)
[11/18 14:20:37] d2.utils.events INFO:  eta: 21:48:59  iter: 19  total_loss: 0.14  lr: 0.01019  max_mem: 11811M
[11/18 14:20:51] d2.utils.events INFO:  eta: 21:06:07  iter: 39  total_loss: 0.15  lr: 2.5373e-05  max_mem: 11811M
""",
    "maskrcnn_benchmark": """  WARMUP_ITERS: 500
2018-10-29 16:45:28,877 maskrcnn_benchmark.trainer INFO: eta: 1 day  iter: 0  loss: 5.1 (5.1)  lr: 0.000833  max mem: 8788
2018-10-29 16:47:48,318 maskrcnn_benchmark.trainer INFO: eta: 1 day  iter: 20  loss: 5.5 (5.5)  lr: 0.000900  max mem: 8699
""",
    "detr": '{"train_lr": 0.0001, "train_loss": 8.8, "test_loss": 3, "epoch": 0, "n_parameters": 41302368}\n'
    '{"train_lr": 9.999999999999984e-05, "train_loss": 8.8, "epoch": 1}\n',
    "fastreid": """  MAX_ITER: 18000
[05/01 12:00:00] fastreid.utils.events INFO:  eta: 0:10:00  epoch/iter: 0/199  total_loss: 7.1  lr: 1.07e-04  max_mem: 3000M
[05/01 12:00:00] fastreid.utils.events INFO:  eta: 0:10:00  epoch/iter: 1/399  total_loss: 7.1  lr: 2.00e-04  max_mem: 3000M
""",
    "caffe": """base_lr: 0.01
stepvalue: 32000
stepvalue: 48000
I0601 18:37:40.406949  6142 solver.cpp:218] Iteration 0 (2.8e+37 iter/s, 1.8s/100 iters), loss = 0.7
I0601 18:37:40.407037  6142 sgd_solver.cpp:105] Iteration 0, lr = 0.01
I0601 18:39:24.707165  6142 sgd_solver.cpp:105] Iteration 100, lr = 0.00123457
""",
    "torchvision": """                                     final_lr: 0.002
Epoch: [0]  [   0/5005]  eta: 3:01:11  lr: 0.1  img/s: 3.8  loss: 7.1 (7.1)
Epoch: [1]  [  10/5005]  eta: 1:01:11  lr: 0.05  img/s: 3.8  loss: 7.1 (7.1)
""",
    "fairseq": """2021 | INFO | train_inner | epoch 001: 50 / 100 loss=9.5, ppl=700, num_updates=50, lr=8e-05, gnorm=2
2021 | INFO | train_inner | epoch 001: 101 / 100 loss=9.5, ppl=700, num_updates=100, lr=0.000123457, gnorm=2
""",
    "megatron": """ iteration       10/  500000 | consumed samples: 2560 | learning rate: 1.500E-05 | global batch size:   256 |
 iteration       20/  500000 | consumed samples: 5120 | learning rate: 3.000E-05 | global batch size:   256 |
""",
    "nanogpt": """step    1/19560 | loss 11.00 (+nanz)| norm 15.3 (+nanz)| lr 8.3916e-07 | 1 ms
step    2/19560 | loss 11.00 (+nanz)| norm 15.3 (+nanz)| lr 1.6780e-06 | 1 ms
""",
    "marian": """[2021] Ep. 1 : Up. 1000 : Sen. 63,000 : Cost 9.9 * 100 : Time 3s : 45 words/s : L.r. 1.8750e-05
[2021] Ep. 1 : Up. 2000 : Sen. 63,000 : Cost 9.9 * 100 : Time 3s : 45 words/s : L.r. 3.7500e-05
""",
    "darknet": """ 1000: 2.534200, 2.700000 avg loss, 0.001000 rate, 3.2 seconds, 64000 images, 4.0 hours left
 2000: 2.534200, 2.700000 avg loss, 0.000100 rate, 3.2 seconds, 64000 images, 4.0 hours left
""",
    "tqdm": "Steps:   0%|          | 0/1000 [00:00<?, ?it/s]\rSteps:   1%|          | 10/1000 [00:05<08:30,  1.94it/s, lr=1e-5, step_loss=0.123]\rSteps:   2%|▏         | 20/1000 [00:10<08:30,  1.94it/s, lr=9.9e-6]\r",
    "deepspeed": """[2023-04-18 01:46:59] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=2, lr=[1.5e-05], mom=[(0.9, 0.95)]
[2023-04-18 01:47:59] [INFO] [logging.py:96:log_dist] [Rank 0] step=20, skipped=3, lr=[1.25e-05], mom=[(0.9, 0.95)]
""",
    "text": "lr: 0.1\nEpoch: 1/30\nTime Taken: 146.09s - LR: 9.98e-05\nEpoch: 2/30\nTime Taken: 30.36s - LR: 9.90e-05\n",
    "wandb": '"_step","_timestamp","train/global_step","train/learning_rate"\n0,1.5,10,0.00012\n1,2.5,,\n2,3.5,20,0.0001234\n',
    "csv": "step;lr;loss\n1;0,10;3,5\n2;0,05;3,5\n",
    "json": '[{"step": 1, "optim/LR (group 0)": 0.125, "x": {}}, {"step": 2, "optim/LR (group 0)": 0.0625}]',
}
SPACING = 2**-52
# What each sample holds: unit, clock, rates of the first group, half of the first group, shift, some of what is stated.
EXPECTED = {
    "trainer_state": ("update", [10, 20], [5.773672055427253e-07, 0], [2**-74, 0], None, {"max_steps": 40}),
    "llamafactory": ("update", [10, 20], [5e-05, 1.25e-05], [2**-68, 2**-70], None, {"total_steps": 20}),
    "transformers": (
        "update",
        [10, 20],
        [0.00018, 0.00016],
        [2**-66, 2**-66],
        None,
        {"total_steps": 100, "transformers_version": "4.46.1", "learning_rate": 0.0002},
    ),
    "lightning": ("update", [49, 99], [4.449460557856837e-06, 0.001], [2**-71, 2**-63], 0, {}),
    "keras": ("epoch", [0, 1], [0.0010000000474974513, 9.999999747378752e-05], [2**-34, 2**-38], 0, {}),
    "ultralytics": ("epoch", [1, 2], [0.0973, 0.0947], [5e-07, 5e-07], None, {}),
    "yolov5": ("epoch", [0, 1], [0.0033315, 0.0066], [5e-08, 5e-08], None, {}),
    "mmengine_json": ("update", [15, 30], [0.01, 0.009990133642141357], [2**-60, 2**-60], -1, {}),
    "mmcv_json": ("update", [50, 100], [0.00123, 0.0012], [5e-06, 5e-06], -1, {}),
    "mmengine": ("update", [20, 637], [0.001, 0.0009999], [5e-08, 5e-09], -1, {"max_epochs": 45}),
    "detectron2_json": ("update", [9, 19], [0.000225025, 0.00025], [2**-66, 2**-65], 0, {}),
    "detectron2": ("update", [19, 39], [0.01019, 2.5373e-05], [5e-07, 5e-10], 0, {"STEPS": [60000, 80000]}),
    "maskrcnn_benchmark": ("update", [0, 20], [0.000833, 0.0009], [5e-07, 5e-07], None, {"WARMUP_ITERS": 500}),
    "detr": ("epoch", [0, 1], [0.0001, 9.999999999999984e-05], [1e-16, 1e-16], None, {}),
    "fastreid": ("update", [199, 399], [1.07e-4, 2e-4], [5e-07, 5e-07], None, {"MAX_ITER": 18000}),
    "caffe": ("update", [0, 100], [0.01, 0.00123457], [5e-08, 5e-09], 0, {"stepvalue": [32000, 48000]}),
    "torchvision": ("update", [0, 5015], [0.1, 0.05], [5e-07, 5e-08], None, {"final_lr": 0.002}),
    "fairseq": ("update", [50, 100], [8e-05, 0.000123457], [5e-11, 5e-10], None, {}),
    "megatron": ("update", [10, 20], [1.5e-05, 3e-05], [5e-09, 5e-09], None, {}),
    "nanogpt": ("update", [1, 2], [8.3916e-07, 1.678e-06], [5e-12, 5e-11], None, {}),
    "marian": ("update", [1000, 2000], [1.875e-05, 3.75e-05], [5e-10, 5e-10], None, {}),
    "darknet": ("update", [1000, 2000], [0.001, 0.0001], [5e-07, 5e-07], None, {}),
    "tqdm": ("update", [10, 20], [1e-05, 9.9e-06], [5e-11, 5e-12], None, {}),
    "deepspeed": ("update", [10, 20], [1.5e-05, 1.25e-05], [2**-70, 2**-70], None, {}),
    "text": ("epoch", [1, 2], [9.98e-05, 9.9e-05], [5e-08, 5e-08], None, {}),
    "wandb": ("update", [10, 20], [0.00012, 0.0001234], [5e-08, 5e-08], None, {}),
    "csv": ("update", [1, 2], [0.1, 0.05], [0.005, 0.005], None, {}),
    "json": ("update", [1, 2], [0.125, 0.0625], [5e-07, 5e-08], None, {}),
}


def written(folder: Path, text: str | bytes, name: str = "log") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def same(one: Log, two: Log) -> bool:
    columns = ("clock", "rates", "half", "process")
    return one.groups == two.groups and all(
        np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True) for name in columns
    )


def near_halves(log: Log, half: list[float]) -> bool:
    """Whether tolerances are these, with or without half a float32 spacing for programs that round to float32."""
    single = np.spacing(np.abs(log.rates[:, 0]).astype(np.float32)).astype(np.float64) / 2
    found = log.half[:, 0]
    return bool(np.all(np.isclose(found, half, rtol=1e-13) | np.isclose(found, half + single, rtol=1e-13)))


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLES) == set(EXPECTED) == set(formats()) - {"tensorboard", "mlflow"}
    assert all(len(words) > 10 for words in formats().values())


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str, tmp_path: Path) -> None:
    file = written(tmp_path, SAMPLES[name])
    log = read(file)
    unit, clock, rates, half, shift, stated = EXPECTED[name]
    assert (log.format, log.unit, log.shift) == (name, unit, shift)
    assert log.clock.tolist() == clock
    assert log.rates[:, 0].tolist() == rates
    assert near_halves(log, half)
    assert log.settings.items() >= stated.items()
    assert log.process.tolist() == [0, 0]
    assert same(read(file, format=name), log)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_in_other_clothes(name: str, tmp_path: Path) -> None:
    """Other encodings and line ends hold the same log, and so does a folder with this one file."""
    text = SAMPLES[name]
    log = read(written(tmp_path / ".", text))
    assert same(read(tmp_path), log)
    for number, (encoding, mark) in enumerate(
        [("utf-8-sig", ""), ("utf-16", ""), ("utf-16-le", ""), ("utf-16-be", "")]
    ):
        assert same(read(written(tmp_path, (mark + text).encode(encoding), f"{number}")), log), encoding
    plain = text.replace("\r\r\n", "\n").replace("\r\n", "\n")
    for end in ("\r\n", "\r", "\r\r\n", "\n\n"):
        assert same(read(written(tmp_path, plain.replace("\n", end))), log), repr(end)
    if text.lstrip()[0] not in "{[":  # before JSON nothing may stand
        assert same(read(written(tmp_path, "# été\n".encode("latin-1") + text.encode())), log)


@pytest.mark.parametrize("name", SAMPLES)
def test_two_processes(name: str, tmp_path: Path) -> None:
    files = [written(tmp_path, SAMPLES[name], part) for part in ("b", "a")]
    log = read(files)
    assert log.process.tolist() == [0, 0, 1, 1]
    assert log.clock.tolist() == EXPECTED[name][1] * 2


# What the readers rightly see otherwise than index.csv.
BIAS = {"max_lr": "the greatest rate is that of the bias group, which index.csv leaves out"}
OTHERWISE = {
    "047": dict.fromkeys(("n_points", "last_step", "last_lr"), "the file has 269 rates, index.csv counts one more"),
    "052": BIAS,
    "058": BIAS,
}
INDEX = list(csv.DictReader((LOGS / "index.csv").read_text().splitlines())) if LOGS.exists() else []


@pytest.mark.skipif(not LOGS.exists(), reason="the real logs are not beside this checkout")
@pytest.mark.parametrize("row", INDEX, ids=lambda row: row["file"])
def test_real_logs(row: dict[str, str]) -> None:
    log = read(LOGS / row["file"])
    found = {
        "n_points": len(log),
        "first_step": log.clock[0],
        "last_step": log.clock[-1],
        "max_lr": np.nanmax(log.rates),
        "last_lr": log.rates[-1, 0],
    }
    for name, value in found.items():
        right = math.isclose(value, float(row[name]), rel_tol=5e-10)  # index.csv has ten digits
        assert right != (name in OTHERWISE.get(row["id"], {})), (name, value, row[name])
    assert np.isfinite(log.half).all()
    assert (log.half <= 0.01 * np.nanmax(log.rates)).all()
    known = {"mmengine_log": "mmengine", "deit_mae_detr_log": "detr", "csv_epoch_lr": "csv"}
    if row["format"] in {*formats(), *known}:
        assert log.format == known.get(row["format"], row["format"])


@pytest.mark.skipif(not LOGS.exists(), reason="the real logs are not beside this checkout")
def test_shifts() -> None:
    """Rate at clock c is schedule(c + shift), computed by hand from what the projects state."""

    def off(name: str, schedule: Callable[[int], float]) -> float:
        log = read(LOGS / name)
        assert log.shift is not None
        clock = log.clock.astype(int) + log.shift
        return float(np.max(np.abs(log.rates[:, 0] - [schedule(c) for c in clock.tolist()]) / log.half[:, 0]))

    warm = off("079_detectron2_log_nyu-0.020.txt", lambda n: 0.02 * min(1, 0.5 + 0.5 * n / 1000))
    assert warm <= 1 + 1e-9  # half a digit was reached in decimals
    cosine = off(
        "069_mmengine_scalars_privacy-50ep.json",
        lambda n: 0.005 * (1 + math.cos(math.pi * min(n // 15, 49) / 50)),
    )
    assert cosine < 100  # mmengine steps from rate to rate, which costs some roundings
    milestones = (32_000, 48_000, 60_000)
    assert off("094_caffe_log_mnasnet.log", lambda n: 0.01 * 0.1 ** sum(n >= m for m in milestones)) < 1e-3


@pytest.mark.skipif(not LOGS.exists(), reason="the real logs are not beside this checkout")
def test_twins() -> None:
    """The same run in two formats: equal within the digits of both."""
    for one, two in [
        ("009_hf_trainer_state_mistral-translator.json", "023_llamafactory_trainer_log_mistral-translator.jsonl"),
        ("011_hf_trainer_state_ccks-e25.json", "026_hf_stdout_ccks-e25.log"),
        ("054_ultralytics_results_yolov9c-1.csv", "060_tfevents_yolov9c-1.tfevents"),
    ]:
        a, b = read(LOGS / one), read(LOGS / two)
        assert a.clock.tolist() == b.clock.tolist()
        assert (np.abs(a.rates - b.rates) <= a.half + b.half).all()


def test_named_columns(tmp_path: Path) -> None:
    file = written(tmp_path, "when,alpha,beta,lr\n3,0.5,0.25,9\n4,0.25,0.125,9\n")
    log = read(file, columns={"update": "when", "rate": ["alpha", "beta"]})
    assert log.groups == ("alpha", "beta")
    assert log.rates.tolist() == [[0.5, 0.25], [0.25, 0.125]]
    assert log.clock.tolist() == [3, 4]
    lines = written(tmp_path, "".join(json.dumps({"n": n, "eta": 1 / n, "e": n / 2}) + "\n" for n in (1, 3)), "lines")
    log = read(lines, columns={"update": "n", "rate": "eta", "epoch": "e"})
    assert log.epochs is not None
    assert (log.rates[1, 0], log.half[1, 0], log.epochs.tolist()) == (1 / 3, 2**-55, [0.5, 1.5])
    for wrong in ({"update": "n"}, {"rate": []}, {"rate": "eta", "x": "y"}, {"rate": 3}):
        with pytest.raises(LogError, match="columns must"):
            read(file, columns=wrong)  # type: ignore[arg-type]
    with pytest.raises(LogError, match=r"no column 'gamma'; there are 'when', 'alpha'"):
        read(file, columns={"rate": "gamma"})
    with pytest.raises(LogError, match="expected columns or tags gamma"):
        read(lines, columns={"rate": "gamma"})


def test_patterns(tmp_path: Path) -> None:
    """A rate belongs to the update in its line, before or behind it, else to the last one above."""
    file = written(tmp_path, "eta=0.50 t=10\nt=20 eta=0.40\nt=30\n...\neta=0.30\nt=40\n", "eta")
    log = read(file, patterns=[r"\bt=(?P<update>\d+)", r"eta=(?P<rate>[\d.]+)"])
    assert (log.clock.tolist(), log.rates[:, 0].tolist()) == ([10, 20, 30], [0.5, 0.4, 0.3])
    assert near_halves(log, [0.005] * 3)
    log = read(written(tmp_path, "Step 7: a 0.5 b 0.25\n"), patterns=r"a (?P<rate_a>\S+) b (?P<rate_b>\S+)")
    assert (log.groups, log.rates.tolist(), log.clock.tolist()) == (("a", "b"), [[0.5, 0.25]], [7])
    log = read(file, patterns=[r"(?i)\bT=(?P<update>(\d)\d*)", r"(?x) eta = (?P<rate>[\d.]+)  # the rate"])
    assert (log.clock.tolist(), log.rates[:, 0].tolist()) == ([10, 20, 30], [0.5, 0.4, 0.3])
    log = read(file, patterns=[r"\bt=(?P<update>\d)\d", r"eta=(?P<rate>0\.(?P<rate_twice>\d)0)(?!(?P=rate_twice))"])
    assert (log.clock.tolist(), log.rates.tolist()) == ([1, 2, 3], [[0.5, 5], [0.4, 4], [0.3, 3]])
    for wrong in ("(", "(?P<lr>x)", "x", r"(?P<rate>(\d)\2)", r"(?P<rate>\d)(?(1)x|y)", r"(?P<rate>\d)(?(rate)x|y)", 3):
        with pytest.raises(LogError, match="patterns"):
            read(file, patterns=[wrong])  # type: ignore[list-item]


def test_lines_that_are_too_long_for_a_users_patterns(tmp_path: Path) -> None:
    file = written(tmp_path, "t=1 eta=0.5\n" + "t=2 eta=0.5 " * 1000 + "\nt=3 eta=0.25\n")
    log = read(file, patterns=[r"\bt=(?P<update>\d+)", r"eta=(?P<rate>[\d.]+)"])
    assert log.clock.tolist() == [1, 3]
    assert "4,096 characters" in log.repairs[0]


def test_compressed_logs(tmp_path: Path) -> None:
    """As their text; of a torn one what is there is read, which is said."""
    text = "step,lr\n" + "".join(f"{n},{math.sin(n)!r}\n" for n in range(1, 5000))
    whole, packed = read(written(tmp_path, text)), gzip.compress(text.encode())
    seen: list[tuple[int, int]] = []
    log = read(written(tmp_path, packed, "log.gz"), progress=lambda done, total: seen.append((done, total)))
    assert same(log, whole)
    assert seen[-1] == (len(packed), len(packed))
    log = read(written(tmp_path, packed[: len(packed) // 2], "torn.gz"))
    assert 1000 < len(log) < 4000
    assert log.clock.tolist() == whole.clock[: len(log)].tolist()
    assert any("cut off or damaged" in repair for repair in log.repairs)


def test_iterations_that_begin_again_in_every_epoch(tmp_path: Path) -> None:
    log = read(written(tmp_path, "".join(f"Epoch {e} step {i}/40 lr 0.{e}{i}\n" for e in (1, 2) for i in (10, 20))))
    assert (log.unit, log.clock.tolist()) == ("update", [10, 20, 50, 60])
    bar = "Epoch {}:  10%|#  | {}/40 [00:10<01:30, 1.0it/s, v_num=0, lr=0.{}]\r"
    log = read(written(tmp_path, "".join(bar.format(e, i, i) for e in (0, 1) for i in (10, 20))))
    assert (log.format, log.unit, log.clock.tolist()) == ("tqdm", "update", [10, 20, 50, 60])
    log = read(written(tmp_path, "".join(f"Epoch {e} step {i} lr 0.{e}{i}\n" for e in (1, 2) for i in (10, 20))))
    assert (log.unit, log.clock.tolist()) == ("update", [10, 20, 30, 40])
    assert log.repairs == (
        "the log does not say how many updates an epoch has: taken as 20, so that rows are evenly spaced",
    )
    log = read(written(tmp_path, "".join(f"Epoch {e} step {i} lr 0.{e}\n" for e in (1, 2) for i in (10, 20))))
    assert (log.unit, log.clock.tolist()) == ("epoch", [1, 1, 2, 2])
    assert "each epoch has one rate" in log.repairs[0]


def test_repairs(tmp_path: Path) -> None:
    """What is dropped is said, and the rest is read."""
    for text, clock, words in [
        ("step,lr\n1,0.5\n2,nan\n3,inf\n4,x\n5,0.25\n", [1, 5], "3 rows without a finite rate"),
        ("step,lr\n1,0.5\n,0.5\n3,0.25\n", [1, 3], "1 row without an update number"),
        ("step,loss,lr\n1,2,0.5\n2,2\n3,2,0.2\n", [1, 3], "1 row with too few cells"),
        ("step,lr\n1,0.512345\n2,0.412345\n3,0.31", [1, 2], "inside a number"),
        ("step,lr\n1,0.5\nstep,lr\n2,0.25\n", [1, 2], "another process"),
        ('{"step": 1, "lr": 0.5}\n{"step": 2, "lr": NaN}\n{"step": 3, "lr": 0.25}\n', [1, 3], "without a finite rate"),
        (
            '{"step": 1, "lr": 0.5}\n{"step": 2, "lr": 0.5}\n{"step": 3, "l',
            [1, 2],
            "1 line of something else than JSON was",
        ),
        (
            '{"step": 1, "lr": 0.5}\n{"a": [1\n2]}\n{"step": 2, "lr": 0.5}\n',
            [1, 2],
            "2 lines of something else than JSON were",
        ),
        (SAMPLES["trainer_state"][:230], [10], "cut off"),
        ("lr: 0.5\n" + "x" * 3_000_000 + " lr: 0.1\nlr: 0.25\nlr: 0.2\n", [1, 2, 3], "a line longer than"),
        ("step 1 lr 0.50\0\0\0\0\nstep 2 lr 0.25\n" + "\0" * 9, [1, 2], "zero bytes"),
    ]:
        log = read(written(tmp_path, text))
        assert log.clock.tolist() == clock, text[:60]
        assert any(words in repair for repair in log.repairs), (log.repairs, words)
    assert read(written(tmp_path, "step,lr\n1,0.5\nstep,lr\n2,0.25\n")).process.tolist() == [0, 1]
    killed = written(tmp_path, "step,lr\n1,0.512345\n2,0.412345\n3,0.31", "killed")
    log = read([killed, written(tmp_path, "step,lr\n3,0.312345\n4,0.2", "resumed")])
    assert (log.clock.tolist(), log.process.tolist()) == ([1, 2, 3], [0, 0, 1])
    assert log.repairs == ("2 rows cut off inside a number were left out",)


def test_the_log_says_where_its_rows_come_from(tmp_path: Path) -> None:
    """The file, what was left out and why, whether rows were only counted, whether rates are means over an epoch."""
    file = written(tmp_path, "step,loss,lr\n1,2,0.5\n2,2\n3,2,nan\n,2,0.3\n5,2,0.2\n")
    log = read(file)
    assert log.left_out == ((1, "with too few cells"), (1, "without a finite rate"), (1, "without an update number"))
    assert (log.file, log.counted, log.averaged, log.skipped) == (str(file), False, False, None)
    log = read([written(tmp_path, "lr: 0.5\nlr: 0.25\n", "first"), written(tmp_path, "lr: 0.5\nlr: 0.25\n", "second")])
    assert (log.file, log.counted, log.clock.tolist()) == (str(tmp_path / "first"), True, [1, 2, 3, 4])
    assert read(written(tmp_path, SAMPLES["detr"])).averaged
    log = read(written(tmp_path, SAMPLES["trainer_state"]))
    assert log.settings == log.stated == {"global_step": 30, "max_steps": 40, "logging_steps": 10}


def test_what_no_log_is(tmp_path: Path) -> None:
    for text, words in [
        (b"", "empty"),
        (b"\0\1\2\3" * 100, "not text"),
        (bytes(range(256)) * 9, "not text"),
        (b"\x1f\x8b\x08\x00" + bytes(range(200)), "compressed"),
        (b"hello\n", "no learning rate found"),
        (b"step,lr\n", "no learning rate found"),
        (b"step,lr\n1,nan\n", "no row has a finite rate"),
        (b'{"log_history": []}', "no learning rate found"),
        (b'[{"lr": 1}, {]' + b"x" * 3_000_000, "damaged JSON"),
        (b"[" * 100_000, "no learning rate|damaged"),
        (b'step,lr\n1,"' + b"1\n" * 200_000, "damaged CSV"),
    ]:
        with pytest.raises(LogError, match=words) as caught:
            read(written(tmp_path, text, "some.log"))
        assert "some.log" in str(caught.value)
    with pytest.raises(LogError, match="No such file"):
        read(tmp_path / "none")
    with pytest.raises(LogError, match="format must be one of"):
        read(written(tmp_path, "x"), format="yaml")
    with pytest.raises(LogError, match="not a TensorBoard event file"):
        read(written(tmp_path, SAMPLES["csv"]), format="tensorboard")
    with pytest.raises(LogError, match="at least one"):
        read([])
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogError, match="a directory without"):
        read(tmp_path / "empty")
    with pytest.raises(LogError, match="its format is"):
        read([written(tmp_path, SAMPLES["csv"], "a"), written(tmp_path, SAMPLES["text"], "b")])


def test_unsorted_and_repeated_rows_are_kept_as_they_are(tmp_path: Path) -> None:
    log = read(written(tmp_path, "step,lr\n5,0.5\n5,0.4\n1,0.3\n"))
    assert (log.clock.tolist(), log.rates[:, 0].tolist()) == ([5, 5, 1], [0.5, 0.4, 0.3])


def test_versions_of_a_lightning_run_in_order(tmp_path: Path) -> None:
    for version in (0, 2, 10):
        folder = tmp_path / f"version_{version}"
        folder.mkdir()
        written(folder, f"step,lr-SGD\n{version},0.5\n", "metrics.csv")
    log = read(tmp_path)
    assert (log.clock.tolist(), log.process.tolist()) == ([0, 2, 10], [0, 1, 2])


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    files = [written(tmp_path, SAMPLES["caffe"], name) for name in "ab"]
    read(files, progress=lambda done, total: seen.append((done, total)))
    size = len(SAMPLES["caffe"])
    assert seen == [(size, 2 * size), (2 * size, 2 * size)]


def test_groups_that_come_later(tmp_path: Path) -> None:
    rows = [{"step": n, "lr/a": 0.5} | ({"lr/b": 0.25} if n > 30_000 else {}) for n in range(40_000)]
    log = read(written(tmp_path, "".join(json.dumps(row) + "\n" for row in rows)))
    assert log.groups == ("lr/a", "lr/b")
    assert np.isnan(log.rates[:, 1]).sum() == 30_001
    assert np.isnan(log.half[:, 1]).sum() == 30_001
    log = read(written(tmp_path, '{"step": 1, "lr": [0.5, 0.25]}\n{"step": 2, "lr": {"x": 0.125}}\n'))
    assert log.groups == ("lr/0", "lr/1", "lr/x")
    assert np.array_equal(log.rates, [[0.5, 0.25, np.nan], [np.nan, np.nan, 0.125]], equal_nan=True)


def test_the_page_has_every_format() -> None:
    page = (Path(__file__).parents[1] / "docs" / "audit-formats.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    assert [cells[1].strip().strip("`") for cells in rows] != []
    assert {cells[1].strip().strip("`") for cells in rows} == set(formats())
    for cells in rows:
        name, said = cells[1].strip().strip("`"), cells[-2].strip()
        shift = EXPECTED[name][4] if name in EXPECTED else None
        assert said.startswith({0: "schedule(c)", -1: "schedule(c - 1)", None: ("differs", "not told")}[shift]), name


def test_rows_that_stand_latest_first_are_turned_round(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("step,lr\n30,0.1\n20,0.2\n10,0.3\n")
    log = read(file)
    assert log.clock.tolist() == [10, 20, 30]
    assert log.rates[:, 0].tolist() == [0.3, 0.2, 0.1]
    assert "the rows were in reverse order, and were turned around" in log.repairs
    file.write_text("step,lr\n30,0.1\n20,0.2\n20,0.2\n10,0.3\n")
    assert read(file).clock.tolist() == [30, 20, 20, 10]


@pytest.mark.parametrize("name", SAMPLES)
def test_no_pattern_finds_more_rates_than_there_are_words_for_one(name: str) -> None:
    """Recognition stops early once no pattern can find more: that is right as long as this is."""
    text = SAMPLES[name].lower()
    for row in TEXTS:
        assert row.named or Finder(row).count(SAMPLES[name]) <= sum(map(text.count, WORDS)), row.words


def test_a_clear_table_is_recognised_without_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "log.csv"
    file.write_text("step,lr\n" + "".join(f"{n},{1 / n}\n" for n in range(1, 50)))
    monkeypatch.setattr("annealing.audit.readers.Finder", None)
    assert read(file).format == "csv"
