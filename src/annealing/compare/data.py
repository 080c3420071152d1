"""Image data sets from their official files: found or downloaded, checked, and read. No pickle is read."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import ScheduleError

CIFAR = "https://www.cs.toronto.edu/~kriz"
FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"


class File(NamedTuple):
    """An official file: what it is called, its MD5 or SHA-256, and its address."""

    name: str
    known: str
    url: str


@dataclass(frozen=True)
class Source:
    """Images of `classes` classes, of `channels` colours and side x side pixels.

    train, test: the files with the images, which for training have equal numbers of them. crop, flip: how a task
    prepares these images unless told otherwise. files: what is downloaded. folder: of the archive. refused: names in it
    of a format that is not read.
    """

    side: int
    channels: int
    classes: int
    train: tuple[str, ...]
    train_images: int
    test: str
    test_images: int
    crop: int
    flip: bool = False
    files: tuple[File, ...] = ()
    folder: str = ""
    refused: tuple[str, ...] = ()

    def images(self, part: str) -> int:
        """How many images are in a file."""
        return self.test_images if part == self.test else self.train_images // len(self.train)


def cifar(classes: int, known: str, train: tuple[str, ...], test: str, folder: str, refused: str) -> Source:
    """One of the two sources of CIFAR; known: the hash of the archive."""
    files = (File(f"cifar-{classes}-binary.tar.gz", known, CIFAR),)
    names = (f"cifar-{classes}-python.tar.gz", refused)
    return Source(
        32, 3, classes, train, 50_000, test, 10_000, crop=4, flip=True, files=files, folder=folder, refused=names
    )


FASHION_FILES = (
    File("train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d", FASHION),
    File("train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe", FASHION),
    File("t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79", FASHION),
    File("t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310", FASHION),
)
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
CIFAR10, CIFAR100 = "md5:c32a1d4ab5d03f1284b67883e8d87530", "md5:03b5dce01913d631647c71ecec9e9cb8"
SOURCES = {
    "digits": Source(8, 1, 10, ("train",), 1200, "test", 597, crop=1),
    "fashion-mnist": Source(28, 1, 10, ("train",), 60_000, "t10k", 10_000, crop=0, files=FASHION_FILES),
    "cifar10": cifar(10, CIFAR10, BATCHES, "test_batch", "cifar-10-batches-bin", "cifar-10-batches-py"),
    "cifar100": cifar(100, CIFAR100, ("train",), "test", "cifar-100-binary", "cifar-100-python"),
}
UNPACKED = {  # what is known of files beside the archive
    "data_batch_4": "sha256:014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5": "sha256:755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch": "sha256:8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}


class Pictures(NamedTuple):
    """Images (count, channels, side, side), and the class of each, counted from 0."""

    images: NDArray[np.uint8]
    classes: NDArray[np.int64]


def load(name: str, parts: Sequence[str], directory: Path | None) -> Pictures:
    """The images of some files of a source, one after another; a ScheduleError names a file that is missing or wrong.

    directory: where the official files are; None for the cache of this machine, into which they are downloaded once.
    """
    read = {"digits": _digits, "fashion-mnist": _idx}.get(name, _cifar)
    # the archive is unpacked once for all parts, and then given back
    found = [read(name, part, directory) for part in parts]
    _archive.cache_clear()
    return Pictures(*map(np.concatenate, zip(*found, strict=True)))


def _digits(name: str, part: str, directory: Path | None) -> Pictures:
    """A part of scikit-learn's digits, split so that the classes have equal shares; values are from 0 to 16."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, classes = load_digits(return_X_y=True)
    split = train_test_split(images, classes, test_size=SOURCES[name].test_images, stratify=classes, random_state=0)
    images, classes = split[0::2] if part == "train" else split[1::2]
    return Pictures(images.astype(np.uint8).reshape(-1, 1, 8, 8), classes.astype(np.int64))


def _idx(name: str, part: str, directory: Path | None) -> Pictures:
    """A part in the IDX format: 4 bytes, 4 for each dimension (3 of the images, 1 of the classes), then the values."""
    side = SOURCES[name].side
    files = [file for file in SOURCES[name].files if file.name.startswith(part)]
    images, classes = (np.frombuffer(gzip.decompress(official(name, file, directory)), np.uint8) for file in files)
    return Pictures(images[16:].reshape(-1, 1, side, side), classes[8:].astype(np.int64))


def _cifar(name: str, part: str, directory: Path | None) -> Pictures:
    """A part of CIFAR's binary version: records of the class (the last of the label bytes) and 3 planes of 32 x 32."""
    source = SOURCES[name]
    path, content = _binary(name, part, directory)
    labels, images, archive = 2 if name == "cifar100" else 1, source.images(part), source.files[0]
    size = images * (labels + 3072)
    if len(content) != size:
        raise _wrong(path, f"must have {size:,} bytes ({images:,} images), it has {len(content):,}", archive)
    records = np.frombuffer(content, np.uint8).reshape(images, labels + 3072)
    classes = records[:, labels - 1].astype(np.int64)
    if classes.max() >= source.classes:
        raise _wrong(path, f"holds a class of {classes.max()}, the classes are 0 to {source.classes - 1}", archive)
    return Pictures(records[:, labels:].reshape(-1, 3, 32, 32), classes)


def _binary(name: str, part: str, directory: Path | None) -> tuple[str, bytes]:
    """The content of a file of CIFAR: as a file, else out of the archive."""
    source, archive = SOURCES[name], SOURCES[name].files[0]
    if directory is not None:
        for path in (directory / source.folder / f"{part}.bin", directory / f"{part}.bin"):
            if path.is_file():
                content, known = path.read_bytes(), UNPACKED.get(part)
                if known and _digest(content, known) != known:
                    raise _wrong(str(path), f"must have the hash {known}", archive)
                return str(path), content
        refused = next((old for old in source.refused if (directory / old).exists()), None)
        if refused and not (directory / archive.name).exists():
            said = "is the Python version, a pickle, which could run code and is not read"
            raise _wrong(str(directory / refused), said, archive)
    return f"{archive.name}: {part}.bin", _archive(name, directory)[f"{source.folder}/{part}.bin"]


@lru_cache(maxsize=1)
def _archive(name: str, directory: Path | None) -> dict[str, bytes]:
    """The files in the archive of a source."""
    content = official(name, SOURCES[name].files[0], directory)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive)
        return {path: file.read() for path, file in files if file}


def official(name: str, file: File, directory: Path | None) -> bytes:
    """The content of an official file with the right hash."""
    path = cached(name, file) if directory is None else directory / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        instead = " (or the .bin files in it)" if SOURCES[name].folder else ""
        raise _wrong(f"{path}{instead}", f"cannot be read: {error.strerror}", file) from None
    if (found := _digest(content, file.known)) != file.known:
        raise _wrong(str(path), f"has another hash, {found}", file)
    return content


def cached(name: str, file: File) -> Path:
    """The file in the cache of this machine, downloaded if it is not there; its hash is checked by pooch."""
    import pooch

    folder = Path(pooch.os_cache("annealing")) / name
    try:
        return Path(pooch.retrieve(f"{file.url}/{file.name}", file.known, fname=file.name, path=folder))
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError is a wrong hash
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _wrong(file.name, f"could not be downloaded to {folder}: {first}", file) from None


def _digest(content: bytes, known: str) -> str:
    kind = known.partition(":")[0]
    return f"{kind}:{hashlib.new(kind, content, usedforsecurity=False).hexdigest()}"


def _wrong(path: str, what: str, file: File) -> ScheduleError:
    return ScheduleError(
        f"{path} {what}. Get {file.name} ({file.known}) from {file.url}/{file.name}, and name its directory by --data "
        "or the key `data`"
    )
