"""How programs write the learning rates of a run: one row of a table for each, with the lines as the program has them.

The readers are tested against it, and the faulty and clean logs of the benchmark are written by it. Nothing here is
taken from the readers.
"""

# ruff: noqa: E501 (lines of logs as they are)
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Program(NamedTuple):
    """A program and its log.

    form: the name under which the audit knows the log. line: one row, with the fields n and i (the update, from 1 and
    from 0), e and f (the epoch, likewise), k and j (the iteration within the epoch), per (iterations in an epoch),
    epochs, total (updates in all), done (a share of the epoch in %), seen and of (examples), and rate. head, tail,
    between: what stands around and between the rows. every_epoch: lines after the rows of an epoch. shift: rate of
    the row of update n is schedule(n + shift). by_epoch: a row is an epoch's. first: the first iteration of an epoch
    is logged, and the last, not only every so many. derived: the log does not say how many iterations an epoch has.
    name: of the file. decimals: how many it prints, where rates may be too small for them.
    """

    form: str
    line: str
    head: str = ""
    tail: str = ""
    between: str = ""
    every_epoch: str = ""
    shift: int = -1
    by_epoch: bool = False
    first: bool = False
    derived: bool = False
    name: str = "log"
    decimals: int | None = None
    encoding: str = "utf-8"


NAMESPACE = "Namespace(batch_size=128, data_dir='~/.mxnet', lr=0.4, lr_decay=0.1, lr_decay_epoch='40,60', lr_mode='cosine', warmup_lr=0.0)\n"
YOLOX = "╒══════════════════╤════════════════════╕\n│ keys             │ values             │\n╞══════════════════╪════════════════════╡\n│ warmup_lr        │ 0                  │\n│ min_lr_ratio     │ 0.05               │\n│ basic_lr_per_img │ 0.00015625         │\n╘══════════════════╧════════════════════╛\n"
MEGATRON = " [2024-05-01 10:00:00] iteration {n:8d}/{total:8d} | consumed samples: {n:12d} | elapsed time per iteration (ms): 1234.5 | learning rate: {rate:.6E} | global batch size:   256 | lm loss: 9.1E+00 | loss scale: 1.0 | grad norm: 1.234 | number of skipped iterations:   0 | number of nan iterations:   0 |\n"

PROGRAMS = {
    "Transformers' trainer_state.json": Program(
        "trainer_state",
        '    {{"epoch": {n}.5, "grad_norm": 1.5, "learning_rate": {rate!r}, "loss": 2.5, "step": {n}}}',
        '{{"best_metric": null, "global_step": {total},\n  "log_history": [\n',
        '\n  ],\n  "max_steps": {total}, "num_train_epochs": 3}}\n',
        between=",\n",
        shift=0,
    ),
    "LLaMA-Factory": Program(
        "llamafactory",
        '{{"current_steps": {n}, "total_steps": {total}, "loss": 2.5, "lr": {rate!r}, "epoch": 0.5, "percentage": 1.5, "elapsed_time": "0:00:09"}}\n',
        shift=0,
    ),
    "Transformers' console": Program(
        "transformers",
        " 10%|#         | {n}/{total} [00:12<3:16,  1.01it/s]\r{{'loss': 3.5, 'grad_norm': 0.5, 'learning_rate': {rate!r}, 'epoch': {share:.2f}}}\n",
        "  0%|          | 0/{total} [00:00<?, ?it/s]\r",
        "{{'train_runtime': 13190.0841, 'train_samples_per_second': 1.5, 'epoch': 3.0}}\n",
        shift=0,
    ),
    "Transformers' console without bars": Program(
        "transformers",
        "{{'loss': 3.5, 'grad_norm': 0.5, 'learning_rate': {rate!r}, 'epoch': {share:.2f}}}\n",
        "***** Running training *****\n  Num examples = 1,000\n  Num Epochs = {epochs}\n  Total optimization steps = {total:,}\n",
        "{{'train_runtime': 13190.0841, 'train_samples_per_second': 1.5, 'train_steps_per_second': 1.512, 'epoch': {end:.2f}}}\n",
        shift=0,
    ),
    "Lightning": Program(
        "lightning",
        "{f},{rate!r},{i},\n{f},,{i},0.5\n",
        "epoch,lr-AdamW,step,train_loss\n",
        shift=-1,
        name="metrics.csv",
    ),
    "Keras' CSVLogger": Program(
        "keras",
        "{i},0.5,{rate!r},1.5,0.5,1.6\n",
        "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\n",
        by_epoch=True,
    ),
    "Ultralytics": Program(
        "ultralytics",
        "{n},9.5,1.5,0.5,{rate:.6g},{rate:.6g},{rate:.6g}\n",
        "epoch,time,train/box_loss,metrics/mAP50(B),lr/pg0,lr/pg1,lr/pg2\n",
        by_epoch=True,
    ),
    "YOLOv5": Program(
        "yolov5",
        "{i:20d},{half:20.5g},{rate:20.5g},{rate:20.5g},{rate:20.5g}\n",
        "               epoch,      train/box_loss,               x/lr0,               x/lr1,               x/lr2\n",
        by_epoch=True,
    ),
    "mmengine's scalars": Program(
        "mmengine_json",
        '{{"lr": {rate!r}, "data_time": 0.1, "loss": 3.0, "time": 0.5, "epoch": {e}, "iter": {n}, "memory": 8164, "step": {n}}}\n',
    ),
    "mmengine": Program(
        "mmengine",
        "2024/10/10 17:09:41 - mmengine - INFO - Epoch(train)  [{e}][{k:3d}/{per}]  base_lr: {rate:.4e} lr: {rate:.4e}  eta: 2:40:15  time: 0.3  data_time: 0.1  memory: 8164  loss: 0.7\n",
        "    optim_wrapper=dict(optimizer=dict(lr=0.001, momentum=0.9, type='SGD'))\n",
        every_epoch="2024/10/10 17:12:55 - mmengine - INFO - Epoch(val)  [{e}][ 20/237]    eta: 0:00:29  time: 0.1378\n",
    ),
    "mmengine by iteration": Program(
        "mmengine",
        "2024/10/10 17:09:41 - mmengine - INFO - Iter(train) [{n:5d}/{total}]  base_lr: {rate:.4e} lr: {rate:.4e}  eta: 2:40:15  time: 0.3  loss: 0.7\n",
    ),
    "mmcv": Program(
        "mmengine",
        "2021-05-01 10:00:00,123 - mmdet - INFO - Epoch [{e}][{k}/{per}]\tlr: {rate:.3e}, eta: 2:01:35, time: 0.5, data_time: 0.1, memory: 3860, loss: 1.2\n",
        "lr_config = dict(\n    policy='CosineAnnealing', warmup='linear', warmup_iters=500, warmup_ratio=0.001)\noptimizer = dict(type='SGD', lr=0.02)\n",
    ),
    "mmcv's .log.json": Program(
        "mmcv_json",
        '{{"mode": "train", "epoch": {e}, "iter": {k}, "lr": {rounded!r}, "memory": 6504, "data_time": 0.2, "loss": 2.2, "time": 0.28}}\n',
        '{{"env_info": "sys.platform: linux", "seed": 0, "exp_name": "faster_rcnn.py"}}\n',
        every_epoch='{{"mode": "val", "epoch": {e}, "iter": 625, "lr": {rounded!r}, "bbox_mAP": 0.3}}\n',
        derived=True,
        decimals=5,
    ),
    "detectron2's metrics.json": Program(
        "detectron2_json",
        '{{"data_time": 0.0013, "eta_seconds": 0.0, "iteration": {i}, "lr": {rate!r}, "time": 0.5, "total_loss": 2.1}}\n',
    ),
    "detectron2": Program(
        "detectron2",
        "[11/18 14:20:37] d2.utils.events INFO:  eta: 21:48:59  iter: {i}  total_loss: 0.14  loss_cls: 0.1  time: 0.5  data_time: 0.1  lr: {rate:.5g}  max_mem: 11811M\n",
        "SOLVER:\n  BASE_LR: 0.02\n  MAX_ITER: 90000\n",
    ),
    "maskrcnn-benchmark": Program(
        "maskrcnn_benchmark",
        "2018-10-29 16:47:48,318 maskrcnn_benchmark.trainer INFO: eta: 1 day  iter: {n}  loss: 5.5 (5.5)  lr: {rate:.6f}  max mem: 8699\n",
        "  BASE_LR: 0.0025\n  WARMUP_ITERS: 500\n",
        decimals=6,
    ),
    "DETR": Program(
        "detr",
        '{{"train_lr": {rate!r}, "train_loss": 8.8, "test_loss": 3, "epoch": {i}, "n_parameters": 41302368}}\n',
        by_epoch=True,
    ),
    "fastreid": Program(
        "fastreid",
        "[05/01 12:00:00] fastreid.utils.events INFO:  eta: 0:10:00  epoch/iter: {f}/{i}  total_loss: 7.1  time: 0.5  lr: {rate:.2e}  max_mem: 3000M\n",
    ),
    "Caffe": Program(
        "caffe",
        "I0601 18:39:24.707 6142 solver.cpp:218] Iteration {i} (2.8 iter/s, 1.8s/100 iters), loss = 0.7\nI0601 18:39:24.707165  6142 sgd_solver.cpp:105] Iteration {i}, lr = {rate:.6g}\n",
        'base_lr: 0.01\nlr_policy: "step"\n',
    ),
    "torchvision": Program(
        "torchvision",
        "Epoch: [{f}]  [{j:4d}/{per}]  eta: 3:01:11  lr: {rate!r}  img/s: 3.8  loss: 7.1 (7.1)  acc1: 0.5 (0.5)  time: 2.1  data: 1.9  max mem: 9000\n",
    ),
    "timm": Program(
        "torchvision",
        "Train: {f} [{j:>4d}/{per} ({done:>3.0f}%)]  Loss: 6.94 (6.94)  Time: 2.0s, 63.9/s  (2.0s,   63.9/s)  LR: {rate:.3e}  Data: 1.0 (1.0)\n",
        first=True,
        every_epoch="Test: [  78/78]  Time: 0.2 (0.2)  Loss:  6.9 (6.9)  Acc@1: 0.5 (0.5)\n",
    ),
    "timm's summary.csv": Program(
        "csv",
        "{i},6.9,6.8,0.5,1.5,{rate!r}\n",
        "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n",
        by_epoch=True,
        name="summary.csv",
    ),
    "fairseq": Program(
        "fairseq",
        "2021-05-01 10:00:00 | INFO | train_inner | epoch {e:03d}: {k:6d} / {per} loss=9.5, ppl=700, wps=9000, ups=1.5, wpb=9000, bsz=32, num_updates={n}, lr={rate:.6g}, gnorm=2, train_wall=9, wall=100\n",
        shift=0,
    ),
    "Megatron-LM": Program(
        "megatron",
        MEGATRON,
        "  lr .............................................. 0.0003\n  min_lr .......................................... 3e-05\n",
        shift=0,
    ),
    "Megatron-LM on several nodes": Program("megatron", "[default3]:" + MEGATRON, shift=0),
    "tqdm": Program(
        "tqdm",
        "Steps:   1%|          | {n}/{total} [00:05<08:30,  1.94it/s, lr={rate:.6g}, step_loss=0.123]\r",
        shift=0,
    ),
    "nanoGPT": Program("nanogpt", "step {n}/{total} | loss 1.0 | norm 1.5 | lr {rate:.4e} | 1 ms\n"),
    "llm.c": Program(
        "text", "s:{i} trl:3.4534 lr:{rate:.6f} norm:1.23\n", every_epoch="s:{i} tel:3.5000\n", decimals=6
    ),
    "llm.c's console": Program(
        "nanogpt",
        "step {n:4d}/{total} | loss 11.009 (+nanz)| norm 15.3 (+nanz)| lr {rate:.2e} | 123.45 ms | 49.1% bf16 MFU | 140000 tok/s\n",
    ),
    "Marian": Program(
        "marian",
        "[2021-05-01 10:00:00] Ep. 1 : Up. {n} : Sen. 63,000 : Cost 9.9 * 100 : Time 3s : 45 words/s : gNorm 1.5 : L.r. {rate:.4e}\n",
    ),
    "Darknet": Program(
        "darknet", " {n}: 2.5, 2.7 avg loss, {rate:.6f} rate, 3.2 seconds, 64000 images, 4.0 hours left\n", decimals=6
    ),
    "DeepSpeed": Program(
        "deepspeed",
        "[2023-04-18 01:46:59,123] [INFO] [logging.py:96:log_dist] [Rank 0] step={n}, skipped=0, lr=[{rate!r}, {half!r}], mom=[(0.9, 0.95), (0.9, 0.95)]\n",
        shift=0,
    ),
    "MLflow": Program("mlflow", "1683213412345 {rate!r} {n}\n", name="learning_rate"),
    "W&B": Program(
        "wandb", "{i},1.5,{n},{rate!r}\n", '"_step","_timestamp","train/global_step","train/learning_rate"\n'
    ),
    "skorch": Program(
        "json",
        '{{"train_loss": 0.5, "event_lr": {rate!r}, "train_batch_size": 128}}',
        '[{{"batches": [',
        '], "epoch": {e}, "train_loss": 0.5}}]',
        between=", ",
        every_epoch='], "epoch": {e}, "train_loss": 0.5}}, {{"batches": [',
        name="history.json",
    ),
    "TensorBoard": Program("tensorboard", "", name="events.out.tfevents.0"),
    "CSV": Program("csv", "{n},{rate!r},2.5\n", "step,lr,loss\n"),
    "JSON lines": Program("json", '{{"step": {n}, "lr": {rate!r}, "loss": 0.5}}\n'),
    "a console": Program("nanogpt", "step {n} | loss 1.0000 | lr {text}\n"),
    "GluonCV": Program(
        "text",
        "INFO:root:Epoch[{f}] Batch [{j}]\tSpeed: 1201.5 samples/sec\taccuracy=0.5\tlr={rate:.6f}\n",
        NAMESPACE,
        every_epoch="INFO:root:[Epoch {f}] training: accuracy=0.5\nINFO:root:[Epoch {f}] speed: 1200 samples/sec\ttime cost: 9.5\n",
        derived=True,
        decimals=6,
    ),
    "GluonCV's detection": Program(
        "text",
        "[Epoch {f}][Batch {j}], LR: {rate:.2E}, Speed: 123.456 samples/sec, ObjLoss=1.5, BoxCenterLoss=0.5\n",
        NAMESPACE,
        every_epoch="[Epoch {f}] Training cost: 9.5, ObjLoss=1.5, BoxCenterLoss=0.5\n",
        derived=True,
    ),
    "GluonNLP": Program(
        "text",
        "INFO:root:[Epoch {e} Batch {k}/{per}] loss=0.5, lr={rate:.7f}, metrics:accuracy:0.7\n",
        NAMESPACE,
        decimals=7,
    ),
    "YOLOX": Program(
        "text",
        "2021-08-18 10:00:00 | INFO     | yolox.core.trainer:261 - epoch: {e}/{epochs}, iter: {k}/{per}, mem: 5231Mb, iter_time: 0.4s, data_time: 0.0s, total_loss: 10.0, lr: {rate:.3e}, size: 640, ETA: 5 days\n",
        YOLOX,
        encoding="gbk",
    ),
    "OpenCLIP": Program(
        "text",
        "2023-01-01,10:00:00 | INFO | Train Epoch: {f} [{seen:>7}/{of} ({done:.0f}%)] Data (t): 0.1 Batch (t): 0.5, 99/s, 9/s/gpu LR: {rate:5f} Logit Scale: 14.2 Contrastive_loss: 8.3 (8.3) Loss: 8.3 (8.3)\n",
        "2023-01-01,10:00:00 | INFO |   accum_freq: 1\n2023-01-01,10:00:00 | INFO |   batch_size: 16\n2023-01-01,10:00:00 | INFO |   lr: 0.0005\n2023-01-01,10:00:00 | INFO |   lr_cooldown_end: 0.0\n2023-01-01,10:00:00 | INFO |   world_size: 2\n",
        first=True,
        decimals=6,
    ),
    "BasicSR": Program(
        "text",
        "2021-05-01 10:00:00,123 INFO: [train..][epoch:{f:3d}, iter:{n:8,d}, lr:({rate:.3e},)] [eta: 1 day, 1:00:00, time (data): 0.3 (0.1)] l_pix: 1.5e-02\n",
    ),
    "SlowFast": Program(
        "text",
        '[10/01 12:00:00][INFO] slowfast.utils.logging:  99: json_stats: {{"_type": "train_iter", "dt": 0.5, "epoch": "{e}/{epochs}", "eta": "1:00:00", "gpu_mem": "5.5G", "iter": "{k}/{per}", "loss": 5.9, "lr": {rate:.5f}}}\n',
        decimals=5,
    ),
    "torchtune": Program("text", "Step {n} | loss:2.0 lr:{rate!r} tokens_per_second_per_gpu:100.5\n", shift=0),
    "PaddleClas": Program(
        "text",
        "[2021/08/01 10:00:00] ppcls INFO: [Train][Epoch {e}/{epochs}][Iter: {j}/{per}]lr: {rate:.8f}, top1: 0.5, CELoss: 7.0, loss: 7.0, batch_cost: 0.5s, ips: 100.0\n",
    ),
    "PaddleDetection": Program(
        "torchvision",
        "[05/01 12:00:10] ppdet.engine INFO: Epoch: [{f}] [{j:4d}/{per}] learning_rate: {rate:.6f} loss: 5.1 eta: 1 day, 1:00:00 batch_cost: 0.5 data_cost: 0.1 ips: 9.5 images/s\n",
        decimals=6,
    ),
    "PaddleOCR": Program(
        "text",
        "[2022/05/01 10:00:00] ppocr INFO: epoch: [{e}/{epochs}], global_step: {n}, lr: {rate:.6f}, acc: 0.5, loss: 5.5, eta: 1:00:00\n",
        decimals=6,
    ),
    "PaddleSeg": Program(
        "text",
        "2022-05-01 10:00:00 [INFO]\t[TRAIN] epoch: {e}, iter: {n}/{total}, loss: 1.5, lr: {rate:.6f}, batch_cost: 0.5, reader_cost: 0.1, ips: 7.1 samples/sec | ETA 01:00:00\n",
        decimals=6,
    ),
    "Keras' console": Program(
        "text",
        "Epoch {n}/{total}\n100/100 [==============================] - 1s 5ms/step - loss: 0.5 - accuracy: 0.8 - val_loss: 0.6 - lr: {keras}\n",
        by_epoch=True,
        decimals=4,
    ),
    "Keras 3's console": Program(
        "text",
        "Epoch {n}/{total}\n\x1b[1m100/100\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m1s\x1b[0m 5ms/step - accuracy: 0.8 - loss: 0.5 - val_loss: 0.6 - learning_rate: {keras}\n",
        by_epoch=True,
        decimals=4,
    ),
    "Keras' LearningRateScheduler": Program(
        "text",
        "Epoch {n}/{total}\n\nEpoch {n}: LearningRateScheduler setting learning rate to {rate!r}.\n100/100 [==============================] - 1s 5ms/step - loss: 0.5\n",
        by_epoch=True,
    ),
    "PyTorch's language model": Program(
        "text",
        "| epoch {e:3d} | {k:5d}/{per:5d} batches | lr {rate:02.2f} | ms/batch  5.12 | loss  6.10 | ppl   450.50\n",
        decimals=2,
    ),
}


def fields(n: int, rate: float, per: int, total: int, digits: int = 17) -> dict[str, object]:
    """What the lines of a program may say in the row of update n."""
    i = n - 1
    f, j = divmod(i, per)
    keras = f"{rate:.4f}" if abs(rate) > 1e-3 else f"{rate:.4e}"
    counts = {"n": n, "i": i, "e": f + 1, "f": f, "k": j + 1, "j": j, "per": per, "total": total}
    examples = {
        "seen": 32 * (j + 1),
        "of": 32 * per,
        "done": 100 * j / per,
        "share": n / per,
        "epochs": -(-total // per),
    }
    rates = {
        "rate": rate,
        "half": rate / 2,
        "rounded": round(rate, 5),
        "keras": keras,
        "text": f"{rate:.{digits - 1}e}",
    }
    return {**counts, **examples, **rates}


def updates_logged(program: Program, updates: int, per: int, every: int) -> list[int]:
    """The updates of a run whose rates a program writes."""
    every = 1 if program.by_epoch or program.name == "history.json" else every
    if program.first:
        return [n for n in range(1, updates + 1) if (n - 1) % per % every == 0 or n % per == 0]
    inside = "{k" in program.line or "{j" in program.line
    return [n for n in range(1, updates + 1) if ((n - 1) % per + 1 if inside else n) % every == 0]


def logged(program: Program, rows: Iterable[tuple[int, float]], per: int, total: int, digits: int = 17) -> str:
    """The log of a run of so many updates, with a row for each of some updates and their rates, of so many digits.

    per: updates in an epoch.
    """
    sizes = {"total": total, "epochs": -(-total // per), "end": total / per}
    text, before = [program.head.format(**sizes)], dict[str, object]()
    for n, rate in rows:
        said = fields(n, float(f"{rate:.{digits - 1}e}"), per, total, digits)
        if before:
            changed = program.every_epoch and said["f"] != before["f"]
            text.append(program.every_epoch.format(**before) if changed else program.between)
        text.append(program.line.format(**said))
        before = said
    return "".join([*text, program.tail.format(**(before | sizes))])


def write_log(
    program: Program, file: Path, rows: Iterable[tuple[int, float]], per: int, total: int, digits: int = 17
) -> Path:
    """Write the log of a run."""
    if program.form == "tensorboard":
        write_events(file, rows)
    else:
        file.write_bytes(logged(program, rows, per, total, digits).encode(program.encoding))
    return file


def write_events(file: Path, rows: Iterable[tuple[int, float]]) -> None:
    """Write an event file with TensorBoard's own code."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    with file.open("wb") as out:
        writer = RecordWriter(out)
        writer.write(Event(file_version="brain.Event:2").SerializeToString())
        for n, rate in rows:
            value = Summary.Value(tag="train/lr", simple_value=rate)
            writer.write(Event(step=n, summary=Summary(value=[value])).SerializeToString())
