"""A child process that trains one trial after another: `python -m annealing.compare.worker DIRECTORY`.

It reads one trial per line from its standard input, and answers "row" after every row and "done" after the trial.
When the input ends, since the parent is done or dead, it ends too, in the middle of a trial if need be.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading

from .experiment import Trial
from .store import load_store


def main(directory: str) -> None:
    """Train the trials that are asked for, into the store of a directory."""
    answers, sys.stdout = sys.stdout, sys.stderr
    asked: queue.Queue[Trial] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            asked.put(Trial(*json.loads(line)))
        os._exit(0)

    def answer(word: str) -> None:
        print(word, file=answers, flush=True)

    threading.Thread(target=listen, daemon=True).start()
    import torch

    from .training import train

    torch.set_num_threads(1)
    store = load_store(directory)
    while True:
        trial = asked.get()
        store.record(trial, train(store.experiment, trial), lambda: answer("row"))
        answer("done")


if __name__ == "__main__":
    main(sys.argv[1])
