"""Images from their official files: found or downloaded, checked, and read. No pickle is read."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import ScheduleError
from .sources import FOLDERS, SOURCES, File, ImageFile


class Pictures(NamedTuple):
    """Images (count, channels, side, side), and the class of each, counted from 0."""

    images: NDArray[np.uint8]
    classes: NDArray[np.int64]


def load(name: str, parts: Sequence[ImageFile], directory: Path | None) -> Pictures:
    """The images of some files of a source, one after another; a ScheduleError names a file that is missing or wrong.

    directory: where the official files are; None for the cache of this machine, into which they are downloaded once.
    """
    read = {"digits": _digits, "fashion-mnist": _idx}.get(name, _cifar)
    # the archive is unpacked once for all parts, and then given back
    found = [read(name, part, directory) for part in parts]
    _unpacked.cache_clear()
    return Pictures(np.concatenate([part.images for part in found]), np.concatenate([part.classes for part in found]))


def _digits(name: str, part: ImageFile, directory: Path | None) -> Pictures:
    """A part of scikit-learn's digits, split so that the classes have equal shares; values are from 0 to 16."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, classes = load_digits(return_X_y=True)
    split = train_test_split(images, classes, test_size=SOURCES[name].test_images, stratify=classes, random_state=0)
    chosen = 0 if part.name == "train" else 1
    return Pictures(split[chosen].astype(np.uint8).reshape(-1, 1, 8, 8), split[2 + chosen].astype(np.int64))


def _idx(name: str, part: ImageFile, directory: Path | None) -> Pictures:
    """A part in the IDX format: 4 bytes for the type (8 is a byte) and the dimensions, each size, then the values."""
    side = SOURCES[name].side
    shapes = {"images-idx3": (part.images, side, side), "labels-idx1": (part.images,)}
    values = []
    for kind, shape in shapes.items():
        file = next(file for file in SOURCES[name].files if file.name.startswith(f"{part.name}-{kind}"))
        content = official(name, file, directory)
        try:
            plain = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise _wrong(file.name, f"is no gzip file: {error}", file) from None
        header = np.array([0x800 + len(shape), *shape], ">u4").tobytes()
        if not plain.startswith(header) or len(plain) != len(header) + np.prod(shape):
            raise _wrong(file.name, f"holds no array of {' x '.join(map(str, shape))} bytes", file)
        values.append(np.frombuffer(plain, np.uint8, offset=len(header)).reshape(shape))
    return Pictures(values[0][:, None], values[1].astype(np.int64))


def _cifar(name: str, part: ImageFile, directory: Path | None) -> Pictures:
    """A part of CIFAR's binary version: records of the class (the last of the label bytes) and 3 planes of 32 x 32."""
    source = SOURCES[name]
    path, content = _binary(name, part, directory)
    labels = 2 if name == "cifar100" else 1
    size = part.images * (labels + 3072)
    archive = source.files[0]
    if len(content) != size:
        raise _wrong(path, f"must have {size:,} bytes ({part.images:,} images), it has {len(content):,}", archive)
    records = np.frombuffer(content, np.uint8).reshape(part.images, labels + 3072)
    classes = records[:, labels - 1].astype(np.int64)
    if classes.max() >= source.classes:
        raise _wrong(path, f"holds a class of {classes.max()}, the classes are 0 to {source.classes - 1}", archive)
    return Pictures(records[:, labels:].reshape(-1, 3, 32, 32), classes)


def _binary(name: str, part: ImageFile, directory: Path | None) -> tuple[str, bytes]:
    """The content of a file of CIFAR: as a file, else out of the archive."""
    source, file = SOURCES[name], SOURCES[name].files[0]
    if directory is not None:
        for path in (directory / FOLDERS[name] / f"{part.name}.bin", directory / f"{part.name}.bin"):
            if path.is_file():
                content = path.read_bytes()
                if part.known and _digest(content, part.known) != part.known:
                    raise _wrong(str(path), f"must have the hash {part.known}", file)
                return str(path), content
        refused = next((old for old in source.refused if (directory / old).exists()), None)
        if refused and not (directory / file.name).exists():
            said = "is the Python version, a pickle, which could run code and is not read"
            raise _wrong(str(directory / refused), said, file)
    return f"{file.name}: {part.name}.bin", _unpacked(name, directory)[part.name]


@lru_cache(maxsize=1)
def _unpacked(name: str, directory: Path | None) -> dict[str, bytes]:
    """The files with images in the archive of a source."""
    source = SOURCES[name]
    content = official(name, source.files[0], directory, "the .bin files")
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for part in (*source.train, *source.test):
            member = archive.extractfile(f"{FOLDERS[name]}/{part.name}.bin")
            assert member
            found[part.name] = member.read()
    return found


def official(name: str, file: File, directory: Path | None, instead: str = "") -> bytes:
    """The content of an official file with the right hash.

    instead: a file that would do as well, for the message.
    """
    path = cached(name, file) if directory is None else directory / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        or_this = f" (or {instead} in it)" if instead else ""
        raise _wrong(f"{path}{or_this}", f"cannot be read: {error.strerror}", file) from None
    if _digest(content, file.known) != file.known:
        raise _wrong(str(path), f"has another hash, {_digest(content, file.known)}", file)
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
