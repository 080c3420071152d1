"""Tasks: what is trained on which data, as plain values; a training function of the user's is found by its name."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import platform
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from .. import ScheduleError
from ..errors import whole
from .data import SOURCES, Source, load
from .files import sha256
from .validation import Described, choice, plain_data, section

FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
TEXTS = ("python-topics",)
OF_SOURCE: Any = None  # a field that is the source's own unless given


@dataclass(frozen=True)
class Images(Described):
    """Classification of images: `digits` (scikit-learn's, embedded), `fashion-mnist`, `cifar10` or `cifar100`.

    train: how many training images, the first ones, or a list of the official files (`data_batch_4`); all unless given.
    test: how many test images, the first ones. size: the side to which images are reduced, by exact means of blocks.
    flip: half of the images are mirrored. crop: pixels of padding on each side, before a random cut of the old size.
    padding: `zero` (after normalisation) or `reflect`. normalise: less the `mean` of each pixel over the training
    images, or channel by channel less the mean and over the deviation, `mean-std`.
    epoch_images: how many images an epoch is, the training images, or twice as many, each and its mirror image as in
    the paper (with `flip`). held_out: how many of the training images, the last ones, are tested on instead, to tune.
    """

    name: str
    train: int | tuple[str, ...] | None = None
    test: int = OF_SOURCE
    size: int = OF_SOURCE
    flip: bool = OF_SOURCE
    crop: int = OF_SOURCE
    padding: str = "zero"
    normalise: str = "mean"
    epoch_images: int = OF_SOURCE
    held_out: int | None = None

    metric: ClassVar[str] = "error"
    better: ClassVar[str] = "low"
    tokens: ClassVar[None] = None
    _later: ClassVar[tuple[str, ...]] = ("held_out",)

    def __post_init__(self) -> None:
        source = self.source
        own = {"size": source.side, "test": source.test_images, "flip": source.flip, "crop": source.crop}
        self._set(**{name: value for name, value in own.items() if getattr(self, name) is None})
        if self.train is not None and not isinstance(self.train, int):
            if not isinstance(self.train, list | tuple) or not self.train or len({*self.train}) < len(self.train):
                raise ScheduleError(f"train must be a number or a list of different files, got {self.train!r}")
            self._set(train=tuple(choice(file, "train", source.train) for file in self.train))
        elif self.train is not None and whole(self.train, "train") > source.train_images:
            raise ScheduleError(f"train must be at most {source.train_images}, got {self.train!r}")
        if whole(self.test, "test") > source.test_images:
            raise ScheduleError(f"test must be at most {source.test_images}, got {self.test!r}")
        choice(self.size, "size", [side for side in range(4, source.side + 1) if source.side % side == 0])
        choice(self.flip, "flip", [False, True])
        if whole(self.crop, "crop", 0) >= self.size:
            raise ScheduleError(f"crop must be below the side of {self.size} pixels, got {self.crop!r}")
        choice(self.padding, "padding", ["zero", "reflect"])
        choice(self.normalise, "normalise", ["mean", "mean-std"])
        if self.held_out is not None and whole(self.held_out, "held_out") >= self._all_images:
            raise ScheduleError(f"held_out must be below the {self._all_images} training images, got {self.held_out!r}")
        if self.epoch_images is None:
            self._set(epoch_images=self.train_images)
        doubled = [2 * self.train_images] if self.flip else []
        choice(self.epoch_images, "epoch_images", [self.train_images, *doubled])

    @property
    def examples(self) -> int:
        """The images of an epoch."""
        return self.epoch_images

    @property
    def source(self) -> Source:
        return SOURCES[self.name]

    @property
    def parts(self) -> tuple[str, ...]:
        """The files that hold the training images."""
        if isinstance(self.train, tuple):
            return self.train
        return self.source.train[: math.ceil(self._all_images / self.source.images(self.source.train[0]))]

    @property
    def train_images(self) -> int:
        return self._all_images - (self.held_out or 0)

    @property
    def _all_images(self) -> int:
        if isinstance(self.train, tuple):
            return sum(map(self.source.images, self.train))
        return self.source.train_images if self.train is None else self.train

    @property
    def test_images(self) -> int:
        return self.test if self.held_out is None else self.held_out


@dataclass(frozen=True)
class Text(Described):
    """Prediction of the next byte of `python-topics`, the help topics that ship with Python: about 460,000 bytes.

    context: how many bytes a prediction sees at most. test: how many bytes are held out, the last ones; the result is
    the bits per byte that they take. sha256, size: of the text and its bytes, which depend on the version of Python;
    those of this machine unless given. held_out: how many of the bytes before these are tested on instead, to tune.
    """

    name: str = "python-topics"
    context: int = 128
    test: int = 40_000
    sha256: str = ""
    size: int = 0
    held_out: int | None = None

    metric: ClassVar[str] = "bits_per_byte"
    better: ClassVar[str] = "low"
    test_images: ClassVar[None] = None
    _later: ClassVar[tuple[str, ...]] = ("held_out",)

    def __post_init__(self) -> None:
        choice(self.name, "name", TEXTS)
        whole(self.context, "context", 2)
        if not isinstance(self.sha256, str):
            raise ScheduleError(f"sha256 must be text, got {self.sha256!r}")
        whole(self.test, "test", self.context + 1)
        whole(self.size, "size", 0)
        if not (self.sha256 and self.size):  # a kept comparison has both, so that its tables do not need the text
            content = text_bytes(self.name)
            if self.sha256 not in ("", sha256(content)):
                raise ScheduleError(f"size must be given with the sha256 of another text, got {self.sha256!r}")
            self._set(sha256=sha256(content), size=len(content))
        if self.held_out is not None:
            whole(self.held_out, "held_out", self.context + 1)
        if self.examples < 1:
            raise ScheduleError(f"test must leave a window of {self.context} bytes to train on, got {self.test!r}")

    @property
    def examples(self) -> int:
        """The windows of an epoch."""
        return (self.size - self.test - (self.held_out or 0)) // self.context - 1

    @property
    def tokens(self) -> int:
        """The tokens of an example."""
        return self.context


@cache
def text_bytes(name: str) -> bytes:
    """The content of a text."""
    from pydoc_data.topics import topics

    return "".join(topics[key] for key in sorted(topics)).encode()


@dataclass(frozen=True)
class Function(Described):
    """A training function of the user's, `package.module:function`; it takes a `Session`.

    updates_per_epoch: how many updates it makes in an epoch. test_images: what its errors are shares of, where it
    counts images. parameters: plain data for the function, a part of what is compared. metric: the name of what it
    reports, such as `loss_per_byte`; better: whether that is better `low` or `high`. tokens_per_update: so that
    schedules may count tokens. tuning: whether it should test on data held out of training, which `trial.tuning` says.
    """

    name: str
    updates_per_epoch: int
    test_images: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict, hash=False)
    metric: str = "error"
    better: str = "low"
    tokens_per_update: int | None = None
    tuning: bool = False

    _later: ClassVar[tuple[str, ...]] = ("metric", "better", "tokens_per_update", "tuning")

    def __post_init__(self) -> None:
        if not FUNCTION.fullmatch(self.name):
            raise ScheduleError(f"name must be package.module:function, got {self.name!r}")
        whole(self.updates_per_epoch, "updates_per_epoch")
        if self.test_images is not None:
            whole(self.test_images, "test_images")
        self._set(parameters=plain_data(self.parameters, "parameters"))
        if not isinstance(self.metric, str) or not self.metric.isidentifier() or self.metric in ("wrong", "loss"):
            raise ScheduleError(
                f"metric must be a name such as accuracy, other than wrong and loss, got {self.metric!r}"
            )
        choice(self.better, "better", ["low", "high"])
        if self.test_images is not None and (self.metric, self.better) != ("error", "low"):
            raise ScheduleError("test_images belongs to the metric error, which is better low: leave out one of them")
        if self.tokens_per_update is not None:
            whole(self.tokens_per_update, "tokens_per_update")


Task = Images | Text | Function


def read_task(value: Any) -> Task:
    """A task from its name, a mapping or itself."""
    if isinstance(value, Task):
        return value
    name = value.get("name") if isinstance(value, dict) else value
    kinds: dict[str, type] = {**dict.fromkeys(SOURCES, Images), **dict.fromkeys(TEXTS, Text)}
    if isinstance(name, str) and ":" in name:
        if isinstance(value, str):
            raise ScheduleError(
                f"task.updates_per_epoch must be given: task: {{name: {value!r}, updates_per_epoch: NUMBER}}"
            )
        kinds = {name: Function}
    elif isinstance(name, str) and name not in kinds:
        allowed = f"{', '.join(kinds)}, or package.module:function"
        raise ScheduleError(f"task must be one of {allowed}, got {name!r}")
    task: Task = section(value, "task", kinds)
    return task


def held_out(task: Task, count: int | None) -> Task:
    """The task without its test data: what it is tested on is held out of the training data, a tenth unless given."""
    if isinstance(task, Function):
        return replace(task, tuning=True)
    if isinstance(task, Text):
        return replace(task, held_out=count or task.test)
    count = count or max(1, task.train_images // 10)
    left = task.train_images - count
    return replace(task, held_out=count, epoch_images=left * (task.examples // task.train_images))


def prepare(task: Task, directory: Path | None) -> None:
    """A ScheduleError if the data or the code of a task are not there; data are downloaded if no directory is named."""
    if isinstance(task, Function):
        findable(task.name)
    elif isinstance(task, Text):
        if (found := sha256(text_bytes(task.name))) != task.sha256:
            version = platform.python_version()
            raise ScheduleError(f"task.sha256: {task.name} of Python {version} is another text, with SHA-256 {found}")
    else:
        for parts in (task.parts, [task.source.test]):
            load(task.name, parts, directory)


def findable(name: str) -> None:
    """A ScheduleError if the module of a user's function is not there; it is not imported.

    Modules are also looked for in the current directory.
    """
    module = name.partition(":")[0]
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    with suppress(ImportError):
        if importlib.util.find_spec(module):
            return
    raise ScheduleError(f"task.name must be package.module:function, got {name!r}: no module {module} is found")


def imported(name: str) -> tuple[Callable[[Any], None], str]:
    """A user's function, and the SHA-256 of the file that it comes from."""
    findable(name)
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ScheduleError(f"task.name must be package.module:function, got {name!r}: {error}") from None
    if not callable(found):
        raise ScheduleError(f"task.name must name a function, got {name!r}, a {type(found).__name__}")
    path = getattr(sys.modules[found.__module__], "__file__", None)
    return found, sha256(Path(path).read_bytes()) if path else ""
