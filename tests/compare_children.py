"""Children that run trials, and may be killed: forks of a process that has torch, but no threads as JAX would bring.

As a program it reads orders from its input, a line each: one to begin a trial is answered with a process number, one
to wait for a process with its exit code.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from functools import cache
from typing import Any


class Child:
    """A running trial, which saves its state as often as it is asked for.

    name, number: it dies before its call `number` of this function of `os`. processor: what it takes its own for.
    """

    def __init__(self, store: Any, trial: Any, name: str = "", number: int = 0, processor: str = "") -> None:
        self.pid = _asked({"run": pickle.dumps((store, trial, name, number, processor)).hex()})

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)  # it is waited for later, so that its number is not another's

    def wait(self) -> int:
        """Its exit code; below 0 a signal."""
        return _asked({"wait": self.pid})


def killed_at(*arguments: Any, **options: Any) -> bool:
    """Run a trial in a child that dies at a call; False if it ends."""
    code = Child(*arguments, **options).wait()
    assert code in (0, -signal.SIGKILL)
    return code != 0


@cache
def _server() -> subprocess.Popen[str]:
    command = [sys.executable, __file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def _asked(order: dict[str, Any]) -> int:
    server = _server()
    assert server.stdin
    assert server.stdout
    server.stdin.write(json.dumps(order) + "\n")
    return int(server.stdout.readline())


def _run(store: Any, trial: Any, name: str, number: int, processor: str) -> None:
    from annealing.compare import session, trials

    session.LEAST_SHARE = 0
    if processor:
        trials.processor = lambda: processor
    if name:
        calls, real = iter(range(1, number)), getattr(os, name)

        def counted(*args: Any, **options: Any) -> Any:
            if next(calls, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        setattr(os, name, counted)
    trials.run_trial(store, trial)


def _serve() -> None:
    import torch

    import annealing.compare.trials  # noqa: F401

    torch.set_num_threads(1)
    os.fsync = lambda descriptor: None  # a killed process loses nothing that it has written; only a power cut does
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        elif not (answer := os.fork()):
            os.dup2(2, 1)
            _run(*pickle.loads(bytes.fromhex(order["run"])))
            os._exit(0)
        print(answer, flush=True)


if __name__ == "__main__":
    _serve()
