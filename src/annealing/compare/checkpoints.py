"""The state of a trial on disk, so that it continues after a kill; the last two states are kept, each with its hash."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from .files import sha256, sweep, write

KEPT = 2


class Checkpoints:
    """States in a directory: STEP.pt is what torch.save makes, STEP.json its size, its SHA-256 and what it belongs to.

    A state without the second file was never finished, and does not count.
    belongs: a text without which a state is of no use, such as the hash of all that decides the numbers.
    """

    def __init__(self, directory: Path, belongs: str) -> None:
        self.directory = directory
        self.belongs = belongs

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state; the one before it is kept. An OSError leaves the others as they were."""
        self.directory.mkdir(exist_ok=True)
        content = io.BytesIO()
        torch.save(state, content)
        data = content.getvalue()
        # the seal is written after what it seals, so that a state without it was never finished
        known = {"belongs": self.belongs, "size": len(data), "sha256": write(self.directory / f"{step}.pt", data)}
        write(self.directory / f"{step}.json", json.dumps(known) + "\n")
        self._keep(self._steps()[:KEPT])

    def states(self) -> Iterator[tuple[dict[str, Any], str]]:
        """The states that can be read, the latest first, each with ""; in place of others {} and what is wrong."""
        for step in self._steps():
            try:
                data = (self.directory / f"{step}.pt").read_bytes()
                known = json.loads((self.directory / f"{step}.json").read_text())
                whole = known["size"] == len(data) and known["sha256"] == sha256(data)
                belongs = known["belongs"] == self.belongs
            except (OSError, ValueError, KeyError, TypeError):
                whole = belongs = False
            if not whole:
                yield {}, f"{self.directory.name}/{step}.pt is damaged: its size or SHA-256 is not that of {step}.json"
            elif not belongs:
                yield {}, f"{self.directory.name}/{step}.pt is of other versions, data, code or processor"
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
        """Remove all states but some; the seal before what it seals."""
        sweep(self.directory)
        for pattern in ("[0-9]*.json", "[0-9]*.pt"):
            for path in self.directory.glob(pattern):
                if int(path.stem) not in steps:
                    path.unlink(missing_ok=True)
