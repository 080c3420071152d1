"""What programs write: the names of their columns, and for each format how it is recognised and prints rates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

N = r"[0-9]{1,18}"
FLOAT = r"[-+]?(?:[0-9]{1,55}+(?:\.[0-9]{0,35}+)?|\.[0-9]{1,35}+)(?:[eE][-+]?[0-9]{1,4}+)?|[-+]?(?:nan|inf)"
END, NEAR = r"(?!\w|\.[0-9])", r"[^\w\n]{0,9}"
RATE = rf"(?P<rate>{FLOAT}){END}"
LR = f"lr: {RATE}"
PER = rf"(?:[ \t]*/[ \t]*(?P<per>{N}))?"
M = rf"[0-9]{{1,3}}(?:,[0-9]{{3}})+|{N}"  # as in 5,000
MORE = rf"(?P<more>(?:,? ?(?:{FLOAT})){{1,255}}+,? ?[\])])?"  # the rest of a list of rates
WRAPPED = r"(?:(?:[a-z]{2}\.)?(?:[Tt]ensor|float|float32|float64|array)\(\[?)?"  # as in tensor(0.1000)


def then(begin: str, found: str, letters: str) -> str:
    """A pattern of two parts in one line, with anything but the first part between them.

    letters: every letter that the parts can start with.
    """
    # Possessive repeats that stop only at those letters never go back, so hostile lines take linear time.
    told = re.sub(r"\(\?P<\w+>", "(?:", rf"\b(?:{begin}|{found})")
    between = rf"[^\n{letters}]*+(?:(?!{told})[{letters}][^\n{letters}]*+)*+"
    return rf"\b{begin}{between}\b{found}"


class Format(NamedTuple):
    """A kind of log.

    style: how rates are printed, as in `tolerances`; -5 is round(rate, 5).
    shift: rate at clock c is schedule(c + shift), where the format decides it.
    double: whether rates are known to be float64 when they are printed; others may have been float32.
    patterns: of a text log, each within a line; with the groups update, epoch, iter (within the epoch), per (iterations
        in an epoch), samples and of (the same in examples), place and total (of anything), begin (the first iteration
        that a row is the mean of), skipped (updates so far; missed: since the last row), rate, and more (other rates in
        the same brackets). A rate belongs to the update and epoch in the same line, else to the last that were seen.
    sign: what only this format has; by default a match of a pattern with a rate.
    first: the number of the first epoch, where epoch and iter are added up.
    settings: what of its own settings the run prints, by name.
    named: whether the file's name has to be that of a rate, since the content does not say what it is.
    """

    name: str
    words: str
    patterns: tuple[str, ...] = ()
    style: str | int | None = None
    unit: str | None = None
    shift: int | None = None
    double: bool = False
    sign: str | None = None
    first: int | None = None
    settings: str | None = None
    named: bool = False


RATE_NAME = re.compile(
    r"(?:^|.*[/._\s-])(?:train_|base_|min_|max_|current_|optimizer_)?(?:lrs?|learning[ _-]?rates?)"
    r"(?:[0-9]+|[-/._\s(\[].*)?",
    re.IGNORECASE | re.ASCII,
)
OTHER = re.compile(
    r"scale|mult|decay|ratio|schedul|factor|drop|warm|momentum|find|__MIN$|__MAX$|__step$|loss|^config/", re.IGNORECASE
)
# The run's own count of updates comes before the logger's, and a batch may be one of an epoch.
UPDATES = (
    "train/global_step trainer/global_step global_step current_steps num_updates num_update update updates step steps "
    "iteration iterations iter train_step train/step training_iteration time/total_timesteps "
    "total_timesteps timesteps _step batch"
)
PERS = "steps_per_epoch iters_per_epoch iterations_per_epoch batches_per_epoch num_batches"
EPOCHS = "epoch epochs train/epoch trainer/epoch"
SAID = re.compile(
    r"(?i:.*(?:lr|rate))[\s:=]+[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?\s*"
)  # "lr 0.1" is not a name but a line of text
LESSER = re.compile(r"(?:.*[/._\s-])?(?:base|min|max)_lr", re.IGNORECASE)


class Roles(NamedTuple):
    """The names of the columns that hold the rates, the update number, the epoch, and the updates in an epoch."""

    rates: tuple[str, ...]
    update: str | None = None
    epoch: str | None = None
    per: str | None = None


def is_rate(name: str) -> bool:
    own = name.rpartition(" - ")[2]  # W&B's charts write the name of the run before " - "
    if len(name) > 200 or OTHER.search(own) or SAID.fullmatch(name) or "=" in own:
        return False
    return RATE_NAME.fullmatch(name.strip()) is not None


def rate_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of rates. base_lr and the like count only where there is no rate proper."""
    found = [name for name in names if is_rate(name)]
    return tuple([name for name in found if not LESSER.fullmatch(name.strip())] or found)


def roles(names: Iterable[str]) -> Roles:
    """The role of each column, by its name."""
    names = list(names)
    plain = {name.strip().lower(): name for name in reversed(names)}

    def first(wanted: str) -> str | None:
        return next((plain[name] for name in wanted.split() if name in plain), None)

    return Roles(rate_names(names), first(UPDATES), first(EPOCHS), first(PERS))


TABLES = (
    Format("trainer_state", "Hugging Face Trainer's trainer_state.json", style="full"),
    Format("llamafactory", "LLaMA-Factory's trainer_log.jsonl", style="full"),
    Format("tensorboard", "TensorBoard event files", style="single"),
    Format("lightning", "Lightning's metrics.csv", style="full", shift=0),
    Format("keras", "Keras' CSVLogger", unit="epoch", shift=0),
    Format("ultralytics", "Ultralytics' results.csv", style=5, unit="epoch", double=True),
    Format("yolov5", "YOLOv5's results.csv", style=5, unit="epoch", double=True),
    Format("mmengine_json", "mmengine's scalars (vis_data/*.json)", style="full", shift=-1),
    Format("mmcv_json", "mmcv's .log.json", style=-5, shift=-1),
    Format("detectron2_json", "detectron2's metrics.json", style="full", shift=0),
    Format("detr", "log.txt of DETR, DeiT and MAE", style="mean", unit="epoch"),
    Format("wandb", "a Weights & Biases history as CSV or JSON lines"),
    Format("csv", "any CSV with a header, its columns named or found by their names"),
    Format("json", "any JSON lines, or one JSON list, of records"),
)
YAML = "BASE_LR|MAX_ITER|WARMUP_ITERS|WARMUP_FACTOR|WARMUP_METHOD|LR_SCHEDULER_NAME|STEPS|GAMMA"
PYTHON = "learning_rate|lr_scheduler_type|max_steps|num_train_epochs|warmup_ratio|warmup_steps|logging_steps"
TRAINER = "Num Epochs|Total optimization steps|Num examples|Gradient Accumulation steps"
OWN = (
    "max_steps|num_train_epochs|lr_scheduler_type|warmup_steps|warmup_ratio|warmup_epochs|total_steps|max_iters?|"
    "max_epochs?|train_steps|num_epochs|epochs|batch_size|world_size|accum_freq"
)
SETTINGS = rf"({YAML}):[ \t]*(.+)$"
TEXTS = (
    # Before Transformers' console, which it may stand in: its lines have the step, and the others may not.
    Format(
        "deepspeed",
        "DeepSpeed's log: step=10, skipped=2, lr=[9.6e-06], mom=[(0.9, 0.95)]",
        (then(rf"step=(?P<update>{N}), skipped=(?P<skipped>{N})", rf"lr=\[?{RATE}{MORE}", "sl"),),
        style="full",
    ),
    Format(
        "transformers",
        "the console of Transformers' Trainer: {'learning_rate': ...} between its bars",
        (
            rf"(?P<update>{N})/(?P<total>{N}) \[",
            rf"\{{[^{{}}\n]{{0,2000}}?'learning_rate': '?{RATE}'?[,}}]"
            r"(?:[^{}\n]{0,2000}?'epoch': '?(?P<epoch>[0-9.eE+-]{1,30}))?",
        ),
        style="full",
        settings=rf"\b({PYTHON}|{TRAINER}|transformers_version)\"?(?:=|: | = )([^,\s]+(?:,[0-9]{{3}})*),?$",
    ),
    Format(
        "mmengine",
        "mmengine's and mmcv's text log: Epoch(train) [1][20/597] or Iter(train) [20/40000], lr: 1.0000e-03",
        (
            then(rf"Epoch(?:\(train\))?[ \t]*\[(?P<epoch>{N})\]\[[ \t]*(?P<iter>{N})/(?P<per>{N})\]", LR, "El"),
            then(rf"Iter(?:\(train\))?[ \t]*\[[ \t]*(?P<update>{N})/(?P<total>{N})\]", LR, "Il"),
        ),
        style="digits",
        shift=-1,
        double=True,
        first=1,
        settings=r"(max_epochs|max_iters|val_interval)=([0-9]+)",
    ),
    Format(
        "maskrcnn_benchmark",
        "maskrcnn-benchmark's log: iter: 20 ... lr: 0.000900",
        (then(rf"iter: (?P<update>{N}) ", LR, "il"),),
        style="digits",
        double=True,
        sign=then(r"maskrcnn_benchmark\.trainer INFO: ", "lr: ", "ml"),
        settings=SETTINGS,
    ),
    Format(
        "detectron2",
        "detectron2's log: iter: 19 ... lr: 2.5373e-05",
        (then(rf"iter: (?P<update>{N}) ", LR, "il"),),
        style=5,
        shift=0,
        double=True,
        sign=then(r"d2\.utils\.events", then("iter: ", "lr: ", "il"), "di"),
        settings=SETTINGS,
    ),
    Format(
        "fastreid",
        "fastreid's log: epoch/iter: 0/199 ... lr: 1.07e-04",
        (then(rf"epoch/iter: (?P<epoch>{N})/(?P<update>{N}) ", LR, "el"),),
        style="digits",
        double=True,
        settings=SETTINGS,
    ),
    Format(
        "caffe",
        "Caffe's log: Iteration 100, lr = 0.001",
        (rf"\bIteration (?P<update>{N}), lr = {RATE}",),
        style=6,
        shift=0,
        settings=r"(base_lr|max_iter|lr_policy|gamma|power|stepsize|stepvalue|iter_size): \"?([^\"\s]+)\"?$",
    ),
    Format(
        "torchvision",
        "torchvision's, DETR's, SwAV's and timm's consoles: Epoch: [0] [10/5005] ... lr: 0.1",
        (
            then(
                rf"(?<!Train )(?:Epoch|Train): ?\[?(?P<epoch>{N})(?:/[0-9]+)?\]?(?: - Iter:)?:?[ \t]*"
                rf"\[[ \t]*(?P<iter>{N})/[ \t]*(?P<per>{N})",
                rf"(?:lr|LR|learning_rate)[: ][ \t]*{RATE}",
                "ETlL",
            ),
            then(rf"Epoch\[(?P<epoch>{N})\] - Iter: \[(?P<iter>{N})/(?P<per>{N})\]", f"LR {RATE}", "EL"),
        ),
        first=0,
        settings=r"(epochs|lr|final_lr|decay_epochs|warmup_epochs): (.+)$",
    ),
    Format(
        "fairseq",
        "fairseq's log: num_updates=50, lr=8e-05",
        (
            then(
                rf"(?:train_)?num_updates[^\w\n]{{1,5}}(?P<update>{N})\b", rf"(?:train_)?lr[^\w\n]{{1,5}}{RATE}", "tnl"
            ),
        ),
        style=6,
    ),
    Format(
        "megatron",
        "Megatron-LM's log: iteration 100/ 500000 | ... | learning rate: 1.500E-05 |",
        (
            then(
                rf"iteration[ \t]+(?P<update>{N})/[ \t]*(?P<total>{N}) \|",
                rf"learning rate: {RATE}(?:[^\n]*?skipped iterations:[ ]*(?P<missed>{N}))?",
                "il",
            ),
        ),
        style="digits",
    ),
    Format(
        "tqdm",
        "a progress bar that shows the rate: 10/1000 [00:05<08:30, 1.94it/s, lr=1e-5]",
        (
            then(
                rf"(?:Epoch:? (?P<epoch>{N})[^\n|]{{0,40}}\|[^\n|]{{0,200}}\| )?(?P<iter>{N})/(?P<per>{N}) \[[0-9:]+<",
                f"(?:lr|LR|learning_rate)[=:] ?{RATE}",
                "E0-9lL",
            ),
        ),
    ),
    Format(
        "nanogpt",
        "nanoGPT's and llm.c's logs: step 10/19560 | ... | lr 8.57e-06",
        (then(rf"(?:step|iter)[ \t]+(?P<update>{N})(?:/(?P<total>{N}))?[ \t]*[|:]", rf"lr[ :=]{{1,3}}{RATE}", "sil"),),
    ),
    Format(
        "marian",
        "Marian's log: Up. 1000 : ... : L.r. 1.8750e-05",
        (then(rf"Up\. (?P<update>{N}) ", rf"L\.r\. {RATE}", "UL"),),
        style="digits",
    ),
    Format(
        "darknet",
        "Darknet's log: 1000: 2.5, 2.7 avg loss, 0.001000 rate",
        (rf"^[ ]*(?P<update>{N}): [^\n]*? (?P<rate>[0-9]{{1,20}}+\.[0-9]{{1,35}}+) rate, ",),
        style="digits",
    ),
    Format(
        "mlflow",
        "MLflow's file of one metric: time, value and step in each line; its name is that of a rate",
        (rf"^[0-9]{{13}} {RATE} (?P<update>{N})$",),
        named=True,
    ),
    Format(
        "text",
        "any text with a rate, and an update or epoch, each with its word: Epoch: 3, Learning rate: 0.023",
        (
            # A printed optimizer is settings, not a row of a log.
            r"Parameter Group [0-9]+\n(?:    \w+: [^\n]*\n)*",
            rf"(?i:\b(?:global[_ ]?step|num_updates))\b{NEAR}(?P<update>{M}){END}(?!%)",
            rf"\b(?:total_timesteps|n_updates)\b[ \t|]{{1,40}}(?P<update>{N}){END}",
            rf"(?i:\b(?:cur_|current_)?(?:step|iter|itr|iteration|update|batch)(?:s|es)?)\b{NEAR}(?:{N}-)?(?P<iter>{M})"
            rf"{PER}{END}(?!%)",
            rf"\b(?P<iter>{N})[ \t]*/[ \t]*(?P<per>{N}) batches\b",
            rf"(?i:\b(?:cur_|current_)?epoch)\b{NEAR}(?P<epoch>{M}){END}",
            rf"\[[ \t]*(?P<samples>{N})/[ \t]*(?P<of>{N}) \([ \t]*[0-9.]{{1,6}}%\)\]",
            rf"\b(?P<epoch>{N})epoch:train:(?P<begin>{N})-(?P<iter>{N})batch\b",
            rf"^s:(?P<update>{N}) ",
            rf"\b(?P<place>{N})/(?P<total>{N})\b",
            r"(?<!-)(?P<key>(?i:\b(?:[a-z]\w{0,15}_)?(?:lrs?|learning[ _-]?rates?)"
            r"(?:[0-9]{1,3}|_[a-z]{1,15}[0-9]{0,3})?))"
            r"(?:[-/][A-Za-z_]\w{0,30}){0,3}(?:\(\w{1,30}\))?"
            rf"(?: is| to| set to| of group 0 to)?(?:[^\w\n]{{1,4}}?|[ \t]{{1,40}}\|[ \t]{{1,9}}){WRAPPED}{RATE}{MORE}",
        ),
        settings=rf"\b({OWN})\"?(?:=|: )([^,\s)]+)",
    ),
)
FORMATS = {form.name: form for form in (*TABLES, *TEXTS)}
