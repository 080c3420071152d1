"""A child process that trains one trial after another: `python -m annealing.compare.worker DIRECTORY [DATA]`.

It reads one trial per line from its standard input, and answers "row" after every row, "note ..." for a word to the
user, and last "done", "failed ..." (it would fail again) or "full ..." (nothing can be written). When the input ends,
since the parent is done or dead, it ends too, in the middle of a trial if need be.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from .. import ScheduleError
from .experiment import Trial
from .store import Store, load_store

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main(directory: str, data: str | None = None) -> None:
    """Train the trials that are asked for, into the store of a directory."""
    # a print of the user must not be taken for an answer
    answers, sys.stdout = sys.stdout, sys.stderr
    asked: queue.Queue[Trial] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            asked.put(Trial(*json.loads(line)))
        # the main thread may be deep in torch, where an exception would not reach it
        os._exit(0)

    def answer(text: str) -> None:
        print(" ".join(text.split()), file=answers, flush=True)

    threading.Thread(target=listen, daemon=True).start()
    store = load_store(directory)
    while True:
        trial = asked.get()
        said, _, trace = attempt(store, trial, data, answer).partition("\n")
        # the parent shows all that came by stderr, a user's prints and this
        print(trace, end="", file=sys.stderr, flush=True)
        answer(said)


def attempt(store: Store, trial: Trial, data: str | None, tell: Callable[[str], None] = lambda _: None) -> str:
    """Train a trial, and give the last answer, after which a user's exception is told whole.

    Another OSError than that of a full disk may pass, and is raised.
    """
    from .trials import run_trial

    try:
        run_trial(store, trial, Path(data) if data else None, tell)
    except OSError as error:
        if error.errno not in FULL:
            raise
        return f"full {error.strerror}: {error.filename or store.directory}"
    except ScheduleError as error:
        return f"failed {' '.join(str(error).split())}"
    except Exception as error:
        return f"failed {type(error).__name__}: {' '.join(str(error).split())}\n{traceback.format_exc()}"
    return "done"


if __name__ == "__main__":
    main(*sys.argv[1:])
