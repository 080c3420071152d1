"""Which images there are: sizes, official files with their hashes, and where to get them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CIFAR = "https://www.cs.toronto.edu/~kriz"
FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"


@dataclass(frozen=True)
class File:
    """An official file: what it is called, its MD5 or SHA-256, and its address."""

    name: str
    known: str
    url: str


@dataclass(frozen=True)
class ImageFile:
    """A file with images, as the archive has it: its name, how many images, and its hash where that is known."""

    name: str
    images: int
    known: str | None = None


@dataclass(frozen=True)
class Source:
    """Images of `classes` classes, of `channels` colours and side x side pixels.

    train, test: the files with the images, in order. files: what is downloaded. refused: names of files in a format
    that is not read. defaults: how a task prepares these images unless told otherwise.
    """

    side: int
    channels: int
    classes: int
    train: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]
    files: tuple[File, ...] = ()
    refused: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)

    @property
    def train_images(self) -> int:
        return sum(part.images for part in self.train)

    @property
    def test_images(self) -> int:
        return sum(part.images for part in self.test)


SOURCES = {
    "digits": Source(
        8, 1, 10, (ImageFile("train", 1200),), (ImageFile("test", 597),), defaults={"flip": False, "crop": 1}
    ),
    "fashion-mnist": Source(
        28,
        1,
        10,
        (ImageFile("train", 60_000),),
        (ImageFile("t10k", 10_000),),
        (
            File("train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d", FASHION),
            File("train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe", FASHION),
            File("t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79", FASHION),
            File("t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310", FASHION),
        ),
        defaults={"flip": False, "crop": 0},
    ),
    "cifar10": Source(
        32,
        3,
        10,
        (
            ImageFile("data_batch_1", 10_000),
            ImageFile("data_batch_2", 10_000),
            ImageFile("data_batch_3", 10_000),
            ImageFile(
                "data_batch_4", 10_000, "sha256:014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
            ),
            ImageFile(
                "data_batch_5", 10_000, "sha256:755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
            ),
        ),
        (ImageFile("test_batch", 10_000, "sha256:8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),),
        (File("cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530", CIFAR),),
        ("cifar-10-python.tar.gz", "cifar-10-batches-py"),
        {"flip": True, "crop": 4},
    ),
    "cifar100": Source(
        32,
        3,
        100,
        (ImageFile("train", 50_000),),
        (ImageFile("test", 10_000),),
        (File("cifar-100-binary.tar.gz", "md5:03b5dce01913d631647c71ecec9e9cb8", CIFAR),),
        ("cifar-100-python.tar.gz", "cifar-100-python"),
        {"flip": True, "crop": 4},
    ),
}
FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}
