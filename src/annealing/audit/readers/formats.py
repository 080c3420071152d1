"""The formats that are known: how each prints its rates, and which update a rate belongs to."""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """A kind of log.

    style: how rates are printed, as in `Printed`.
    shift: rate at clock c is schedule(c + shift), where the format decides it.
    """

    name: str
    words: str
    style: str | int | None = None
    unit: str | None = None
    shift: int | None = None


TABLES = {
    form.name: form
    for form in (
        Format("trainer_state", "Hugging Face Trainer's trainer_state.json", "full"),
        Format("llamafactory", "LLaMA-Factory's trainer_log.jsonl", "full"),
        Format("tensorboard", "TensorBoard event files", "single"),
        Format("lightning", "Lightning's metrics.csv", "full", None, 0),
        Format("keras", "Keras' CSVLogger", None, "epoch", 0),
        Format("ultralytics", "Ultralytics' results.csv", 5, "epoch"),
        Format("yolov5", "YOLOv5's results.csv", 5, "epoch"),
        Format("mmengine_json", "mmengine's scalars (vis_data/*.json)", "full", None, -1),
        Format("detectron2_json", "detectron2's metrics.json", "full", None, 0),
        Format("detr", "log.txt of DETR, DeiT and MAE", "mean", "epoch"),
        Format("wandb", "a Weights & Biases history as CSV or JSON lines", None),
        Format("csv", "any CSV with a header, its columns named or found by their names", None),
        Format("json", "any JSON lines, or one JSON list, of records", None),
    )
}
