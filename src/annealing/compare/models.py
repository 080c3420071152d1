"""The networks that are trained, as plain values; torch is imported when one is built."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from .. import ScheduleError
from ..errors import whole
from .validation import choice, section

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Cnn:
    """Convolutions of 3 x 3 with batch normalisation and ReLU, all but the first of stride 2, and a linear layer.

    channels: of each convolution. head: what the linear layer sees, `flatten` all values or the `average` over places.
    """

    channels: tuple[int, ...] = (16, 32, 64)
    head: str = "average"

    name: ClassVar[str] = "cnn"

    def __post_init__(self) -> None:
        if not isinstance(self.channels, list | tuple) or not self.channels:
            raise ScheduleError(f"channels must be a list of whole numbers, got {self.channels!r}")
        object.__setattr__(self, "channels", tuple(whole(count, "channels", 1) for count in self.channels))
        choice(self.head, "head", ["average", "flatten"])

    def description(self) -> dict[str, Any]:
        return {"name": self.name, "channels": [*self.channels], "head": self.head}

    def build(self, seed: int, shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
        from .networks import cnn, seeded

        return seeded(seed, lambda: cnn(self.channels, self.head, shape, classes))


@dataclass(frozen=True)
class Wrn:
    """A wide residual network WRN-depth-width: three groups of (depth - 4) / 6 blocks each, without dropout.

    depth: 6 n + 4. width: the groups have 16, 32 and 64 channels times this. shortcut: what a convolution of 1 x 1 on
    the shortcut sees, the `activated` input of its block (as the authors) or the `input` itself (as the code of SGDR).

    Source: Zagoruyko and Komodakis 2016, arXiv 1605.07146, with the initial weights of He et al. 2015.
    """

    depth: int
    width: int
    shortcut: str = "activated"

    name: ClassVar[str] = "wrn"

    def __post_init__(self) -> None:
        if whole(self.depth, "depth", 10) % 6 != 4:
            raise ScheduleError(f"depth must be 6 n + 4, such as 10, 16 or 28, got {self.depth!r}")
        whole(self.width, "width")
        choice(self.shortcut, "shortcut", ["activated", "input"])

    def description(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}

    def build(self, seed: int, shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
        from .networks import seeded, wrn

        return seeded(seed, lambda: wrn(self.depth, self.width, self.shortcut, shape[0], classes))


Model = Cnn | Wrn
MODELS: dict[str, type] = {"cnn": Cnn, "wrn": Wrn}


def read_model(value: Any) -> Model:
    """A model from its name, a mapping or itself."""
    model: Model = section(value, "model", MODELS)
    return model
