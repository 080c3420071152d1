"""The one record of a trial that differs when it is trained again: wall time, hosts, retries and faults."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO


class Clock:
    """Lines of JSON, each with an `event`: begin (time, host), row (step, seconds since begin), note (text), end."""

    def __init__(self, file: TextIO, tell: Callable[[str], None]) -> None:
        self.file = file
        self.tell = tell
        self.began = time.perf_counter()
        self._add("begin", time=datetime.now(UTC).isoformat(timespec="seconds"), host=platform.node(), pid=os.getpid())

    def row(self, step: int) -> None:
        self._add("row", step=step, seconds=self._seconds())
        self.tell("row")

    def say(self, text: str) -> None:
        """Note something, and tell it."""
        self._add("note", text=text)
        self.tell(f"note {text}")

    def end(self, **speed: float) -> None:
        """Note the end, and what a GPU did: images a second, and the share of the time spent outside its graph."""
        self._add("end", seconds=self._seconds(), **speed)

    def _seconds(self) -> float:
        return round(time.perf_counter() - self.began, 3)

    def _add(self, event: str, **values: Any) -> None:
        self.file.write(json.dumps({"event": event, **values}) + "\n")
        self.file.flush()


@contextmanager
def locked(path: Path) -> Iterator[TextIO]:
    """Open a file for appending, and wait until no other process has it open in this way."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
