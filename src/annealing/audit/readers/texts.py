"""The text formats that are known, a row each: what a line looks like, and what its numbers mean."""

from __future__ import annotations

import re
from typing import NamedTuple

from .kinds import Format

N = r"[0-9]{1,18}"
RATE = (
    r"(?P<rate>[-+]?(?:[0-9]{1,20}\.?[0-9]{0,35}|\.[0-9]{1,35})(?:[eE][-+]?[0-9]{1,4})?|[-+]?(?:nan|inf))(?!\w|\.[0-9])"
)
END, NEAR = r"(?!\w|\.[0-9])", r"[^\w\n]{0,4}"
GAP = r"[^\n]{0,2000}?"  # bounded, so that no line is searched for ever
PER = rf"(?:\s*/\s*(?P<per>{N}))?"


class TextFormat(NamedTuple):
    """A kind of text log.

    patterns: with the groups update, epoch, iter (within the epoch), per (iterations in an epoch), rate. A rate
        belongs to the update and epoch in the same match, else to the last that were seen.
    sign: what only this format has; by default a match of a pattern with a rate.
    first: the number of the first epoch, where epoch and iter are added up.
    stated: what of its own settings the run prints, by name.
    """

    form: Format
    patterns: tuple[str, ...]
    sign: str | None = None
    first: int | None = None
    stated: str | None = None


YAML = "BASE_LR|MAX_ITER|WARMUP_ITERS|WARMUP_FACTOR|WARMUP_METHOD|LR_SCHEDULER_NAME|STEPS|GAMMA"
PYTHON = "learning_rate|lr_scheduler_type|max_steps|num_train_epochs|warmup_ratio|warmup_steps|logging_steps"
TEXTS = (
    TextFormat(
        Format("transformers", "the console of Transformers' Trainer: {'learning_rate': ...} between its bars", "full"),
        (
            rf"(?P<update>{N})/(?P<total>{N}) \[",
            rf"\{{[^{{}}\n]{{0,2000}}?'learning_rate': '?{RATE}'?[,}}]"
            r"(?:[^{}\n]{0,2000}?'epoch': '?(?P<epoch>[0-9.eE+-]{1,30}))?",
        ),
        stated=rf"\b({PYTHON}|transformers_version)\"?(?:=|: )([^,\s]+),?$",
    ),
    TextFormat(
        Format(
            "mmengine", "mmengine's and mmcv's text log: Epoch(train) [1][20/597] lr: 1.0000e-03", "digits", shift=-1
        ),
        (rf"Epoch(?:\(train\))?\s*\[(?P<epoch>{N})\]\[\s*(?P<iter>{N})/(?P<per>{N})\]{GAP}\blr: {RATE}",),
        first=1,
        stated=r"(max_epochs|max_iters|val_interval)=([0-9]+)",
    ),
    TextFormat(
        Format("mmengine", "mmengine's and mmcv's text log: Iter(train) [20/40000] lr: 1.0000e-03", "digits", shift=-1),
        (rf"Iter(?:\(train\))?\s*\[\s*(?P<update>{N})/(?P<total>{N})\]{GAP}\blr: {RATE}",),
        stated=r"(max_epochs|max_iters|val_interval)=([0-9]+)",
    ),
    TextFormat(
        Format("maskrcnn_benchmark", "maskrcnn-benchmark's log: iter: 20 ... lr: 0.000900", "digits"),
        (rf"\biter: (?P<update>{N}) {GAP}\blr: {RATE}",),
        sign=rf"maskrcnn_benchmark\.trainer INFO: {GAP}\blr: ",
        stated=rf"({YAML}):\s*(.+)$",
    ),
    TextFormat(
        Format("detectron2", "detectron2's log: iter: 19 ... lr: 2.5373e-05", 5, shift=0),
        (rf"\biter: (?P<update>{N}) {GAP}\blr: {RATE}",),
        sign=rf"d2\.utils\.events{GAP}\biter: {GAP}\blr: ",
        stated=rf"({YAML}):\s*(.+)$",
    ),
    TextFormat(
        Format("fastreid", "fastreid's log: epoch/iter: 0/199 ... lr: 1.07e-04", "digits"),
        (rf"\bepoch/iter: (?P<epoch>{N})/(?P<update>{N}) {GAP}\blr: {RATE}",),
        stated=rf"({YAML}):\s*(.+)$",
    ),
    TextFormat(
        Format("caffe", "Caffe's log: Iteration 100, lr = 0.001", 6, shift=0),
        (rf"\bIteration (?P<update>{N}), lr = {RATE}",),
        stated=r"(base_lr|max_iter|lr_policy|gamma|power|stepsize|stepvalue|iter_size): \"?([^\"\s]+)\"?$",
    ),
    TextFormat(
        Format("torchvision", "torchvision's, DETR's, SwAV's and timm's consoles: Epoch: [0] [10/5005] ... lr: 0.1"),
        (
            rf"\b(?:Epoch|Train): ?\[?(?P<epoch>{N})(?:/[0-9]+)?\]?(?: - Iter:)?:?\s*\[\s*(?P<iter>{N})/\s*(?P<per>{N})"
            rf"{GAP}\b(?:lr|LR|learning_rate)[: ]\s*{RATE}",
            rf"\bEpoch\[(?P<epoch>{N})\] - Iter: \[(?P<iter>{N})/(?P<per>{N})\]{GAP}\bLR {RATE}",
        ),
        first=0,
        stated=r"(epochs|lr|final_lr|decay_epochs|warmup_epochs): (.+)$",
    ),
    TextFormat(
        Format("fairseq", "fairseq's log: num_updates=50, lr=8e-05", 6),
        (rf"\bnum_updates\W{{1,5}}(?P<update>{N})\b{GAP}\blr\W{{1,5}}{RATE}",),
    ),
    TextFormat(
        Format("megatron", "Megatron-LM's log: iteration 100/ 500000 | ... | learning rate: 1.500E-05 |", "digits"),
        (rf"\biteration\s+(?P<update>{N})/\s*(?P<total>{N}) \|{GAP}\blearning rate: {RATE}",),
    ),
    TextFormat(
        Format("nanogpt", "nanoGPT's and llm.c's logs: step 10/19560 | ... | lr 8.57e-06"),
        (rf"\b(?:step|iter)\s+(?P<update>{N})(?:/(?P<total>{N}))?\s*[|:]{GAP}\blr[ :=]{{1,3}}{RATE}",),
    ),
    TextFormat(
        Format("marian", "Marian's log: Up. 1000 : ... : L.r. 1.8750e-05", "digits"),
        (rf"\bUp\. (?P<update>{N}) {GAP}\bL\.r\. {RATE}",),
    ),
    TextFormat(
        Format("darknet", "Darknet's log: 1000: 2.5, 2.7 avg loss, 0.001000 rate", "digits"),
        (rf"^[ ]*(?P<update>{N}): {GAP} (?P<rate>[0-9]+\.[0-9]+) rate, ",),
    ),
    TextFormat(
        Format(
            "text", "any text with a rate, and an update or epoch, each with its word: Epoch: 3, Learning rate: 0.023"
        ),
        (
            rf"(?i:\b(?:global[_ ]?step|step|iter|iteration|update|num_updates)s?)\b{NEAR}(?P<iter>{N}){PER}{END}",
            rf"(?i:\bepoch)\b{NEAR}(?P<epoch>{N}){END}",
            rf"(?i:\b(?:lr|learning[ _-]?rate))(?:/\w{{1,20}}|\(\w{{1,30}}\))?(?: is| to| set to| of group 0 to)?"
            rf"[^\w\n]{{1,4}}?{RATE}",
        ),
    ),
)


def combined(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, list[int]]]:
    """The patterns as one, which also finds line ends if they are several, and where each name's groups stand."""
    parts = [*patterns, r"(?P<line>\n)"] if len(patterns) > 1 else patterns
    joined = "|".join(f"(?:{_numbered(part, number)})" for number, part in enumerate(parts))
    pattern = re.compile(joined, re.MULTILINE)
    places: dict[str, list[int]] = {}
    for name, place in pattern.groupindex.items():
        places.setdefault(name.rpartition("__")[0], []).append(place - 1)
    return pattern, places


def _numbered(pattern: str, number: int) -> str:
    """A pattern with its groups renamed, so that several can stand in one."""
    named = re.sub(r"\(\?P<([A-Za-z_]\w*)>", lambda found: f"(?P<{found[1]}__{number}>", pattern)
    return re.sub(r"\(\?P=([A-Za-z_]\w*)\)", lambda found: f"(?P={found[1]}__{number})", named)
