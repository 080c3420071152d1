"""One trial, trained to its end from wherever it is, by whatever engine; and the process that trains one after another.

`python -m annealing.compare.trials DIRECTORY [DATA]` reads one trial per line from its standard input, and answers
"row" after every row, "note ..." for a word to the user, and last "done", "failed ..." (it would fail again) or "full
..." (nothing can be written). When the input ends, since the parent is done or dead, it ends too, in the middle of a
trial if need be.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import ScheduleError
from .experiment import Experiment, Trial
from .files import Checkpoints, sha256, sweep, write
from .session import Clock, Session
from .store import DECISIVE, RESULT, STATES, Store, installed, load_store
from .tasks import Function, Images, imported

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def run_trial(
    store: Store, trial: Trial, data: Path | None = None, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Train one trial into its directory, from its last good state; not at all if it is finished.

    A function of the experiment, the trial and its directory: any process may run it at any time, and again; two at
    once wait for each other. data: the directory with the images. tell: called with "row" after every evaluation, and
    with "note ..." when something is worth a word.
    An OSError where nothing can be written; a ScheduleError where the data or the function are not what is needed.
    """
    directory = store.path(trial)
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "clock.jsonl", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fault = store.fault(trial)
        if fault is None:
            return
        clock = Clock(file, tell)
        if fault:
            clock.say(f"{fault}; trained again")
        clock.end(**_train(store, trial, data, clock))


def _train(store: Store, trial: Trial, data: Path | None, clock: Clock) -> dict[str, float]:
    """Train a trial, and give the speed that it measured, if it did."""
    import torch

    from .problem import problem
    from .training import kept_models, train

    experiment, task, directory = store.experiment, store.experiment.task, store.path(trial)
    # what an interrupted write left has a name of its own, and would stay forever
    for place in (directory, directory / "snapshots"):
        sweep(place)
    # a damaged trial is trained again, and its old seal must not fit by chance
    (directory / RESULT).unlink(missing_ok=True)
    torch.set_num_threads(experiment.threads)
    if experiment.device == "cuda":
        if not torch.cuda.is_available():
            raise ScheduleError("device of the experiment is cuda, but torch finds no such GPU on this machine")
        repeatable()
    if isinstance(task, Function):
        function, code = imported(task.name)
        made_of = {"code": code}
    else:
        loaded = problem(task, data, experiment.device)
        made_of = {"data": loaded.sha256}
    text = json.dumps(_identity(experiment, trial) | made_of, indent=1) + "\n"
    write(directory / "trial.json", text)
    # a state of other versions, data or code would give numbers of neither
    checkpoints = Checkpoints(directory / STATES, sha256(text.encode()))
    session = Session(experiment, trial, directory, checkpoints, clock)
    if isinstance(task, Function):
        function(session)
        if not session.over:
            raise ScheduleError(f"{task.name} returned after {session.step} of {session.updates} updates")
    else:
        train(experiment, session, loaded)
    if isinstance(task, Images):
        models = kept_models(experiment, trial, directory, session.snapshots, loaded)
    else:
        models = {"snapshots": [{"step": step, "sha256": known} for step, known in session.snapshots.items()]}
    store.record(trial, session.rows, models)
    checkpoints.clear()
    return session.speed


def repeatable() -> None:
    """Have a GPU give the same bits each time; torch warns of an operation that cannot."""
    import torch

    # without a workspace of its own, cuBLAS may add in any order
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    # the fused kernels of attention add in any order in their backward pass
    for fused in ("flash", "mem_efficient", "cudnn"):
        getattr(torch.backends.cuda, f"enable_{fused}_sdp", bool)(False)
    # to fill memory that is about to be written finds mistakes, and would take a tenth of the time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _identity(experiment: Experiment, trial: Trial) -> dict[str, Any]:
    """What the numbers of a trial depend on."""
    import torch

    arm = experiment.arm(trial.arm)
    gpu = {"gpu": torch.cuda.get_device_name()} if experiment.device == "cuda" else {}
    return {
        "experiment": experiment.fingerprint,
        "arm": trial.arm,
        "seed": trial.seed,
        "schedule": str(arm.schedule),
        "fingerprint": arm.schedule.fingerprint,
        "epochs": str(arm.epochs),
        "updates": experiment.updates(arm),
        "versions": {name: installed()[name] for name in DECISIVE},
        "processor": processor(),
        "threads": experiment.threads,
        "device": experiment.device,
        **gpu,
    }


def processor() -> str:
    """The type of processor, as bits depend on it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def attempt(store: Store, trial: Trial, data: str | None, tell: Callable[[str], None] = lambda _: None) -> str:
    """Train a trial, and give the last answer, after which a user's exception is told whole.

    Another OSError than that of a full disk may pass, and is raised.
    """
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
        said, _, trace = attempt(store, asked.get(), data, answer).partition("\n")
        # the parent shows all that came by stderr, a user's prints and this
        print(trace, end="", file=sys.stderr, flush=True)
        answer(said)


if __name__ == "__main__":
    main(*sys.argv[1:])
