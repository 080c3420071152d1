"""Files that appear whole or not at all, also after a loss of power, with their hash: records, and states of trials."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Checkpoints:
    """States in a directory: STEP.pt is what torch.save makes, STEP.json its size, its SHA-256 and what it belongs to.

    The last two are kept, so that a trial continues after a kill. A state without the second file was never finished,
    and does not count. belongs: a text without which a state is of no use, such as the hash of all that decides the
    numbers.
    """

    directory: Path
    belongs: str

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state; the one before it is kept. An OSError leaves the others as they were."""
        import torch

        self.directory.mkdir(exist_ok=True)
        content = io.BytesIO()
        torch.save(state, content)
        data = content.getvalue()
        # the seal is written after what it seals, so that a state without it was never finished
        known = {"belongs": self.belongs, "size": len(data), "sha256": write(self.directory / f"{step}.pt", data)}
        write(self.directory / f"{step}.json", json.dumps(known) + "\n")
        self._keep(self._steps()[:2])

    def states(self) -> Iterator[tuple[dict[str, Any], str]]:
        """The states that can be read, the latest first, each with ""; in place of others {} and what is wrong."""
        import torch

        for step in self._steps():
            name = f"{self.directory.name}/{step}.pt"
            try:
                data = (self.directory / f"{step}.pt").read_bytes()
                known = json.loads((self.directory / f"{step}.json").read_text())
                whole = known["size"] == len(data) and known["sha256"] == sha256(data)
            except (OSError, ValueError, KeyError, TypeError):
                whole = False
            if not whole:
                yield {}, f"{name} is damaged: its size or SHA-256 is not that of {step}.json"
            elif known.get("belongs") != self.belongs:
                yield {}, f"{name} is of other versions, data, code or processor"
            else:
                # from the bytes that were checked, not from the file, which may change in between
                yield torch.load(io.BytesIO(data), weights_only=True), ""

    def clear(self) -> None:
        """Remove all states."""
        self._keep([])
        with suppress(FileNotFoundError):
            self.directory.rmdir()

    def _steps(self) -> list[int]:
        return sorted((int(path.stem) for path in self.directory.glob("[0-9]*.json")), reverse=True)

    def _keep(self, steps: list[int]) -> None:
        """Remove all states but some."""
        sweep(self.directory)
        # in their order, in which the seal comes before what it seals
        for path in sorted(self.directory.glob("[0-9]*")):
            if int(path.stem) not in steps:
                path.unlink(missing_ok=True)
