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
from pathlib import Path

from .. import ScheduleError
from .experiment import Trial
from .store import load_store

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main(directory: str, data: str | None = None) -> None:
    """Train the trials that are asked for, into the store of a directory."""
    answers, sys.stdout = sys.stdout, sys.stderr
    asked: queue.Queue[Trial] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            asked.put(Trial(*json.loads(line)))
        os._exit(0)

    def answer(text: str) -> None:
        print(" ".join(text.split()), file=answers, flush=True)

    threading.Thread(target=listen, daemon=True).start()
    from .trials import run_trial

    store = load_store(directory)
    while True:
        trial = asked.get()
        try:
            run_trial(store, trial, Path(data) if data else None, answer)
        except OSError as error:
            if error.errno not in FULL:
                raise
            answer(f"full {error.strerror}: {error.filename or directory}")
        except Exception as error:
            traceback.print_exc()
            answer(
                f"failed {type(error).__name__}: {error}" if not isinstance(error, ScheduleError) else f"failed {error}"
            )
        else:
            answer("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
