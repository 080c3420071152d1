"""Files that appear whole or not at all, also after a loss of power, and are known by their hash."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

SCRATCH = ".annealing-"  # how the names of temporary files begin


def write(path: Path, content: str | bytes) -> str:
    """Write a file under a temporary name and rename it, so that it is never seen half-written; give its SHA-256."""
    data = content.encode() if isinstance(content, str) else content
    scratch = path.with_name(f"{SCRATCH}{os.getpid()}-{path.name}")
    try:
        with open(scratch, "wb") as file:
            file.write(data)
            file.flush()
            # a rename may reach the disk before the content does, which a loss of power would show
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError:
        with suppress(OSError):
            scratch.unlink()
        raise
    # the new name is in the directory, which has to reach the disk as well
    synced(path.parent)
    return sha256(data)


def synced(directory: Path) -> None:
    """Have the names in a directory reach the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sweep(directory: Path) -> None:
    """Remove what interrupted writes have left in a directory."""
    for path in directory.glob(f"{SCRATCH}*"):
        path.unlink(missing_ok=True)
