"""One trial, trained to its end from wherever it is: what every engine calls."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import ScheduleError
from .experiment import Experiment, Trial
from .files import sha256, sweep, write
from .session import Clock, Session, locked
from .store import DECISIVE, STATES, Store, installed
from .tasks import Function, Images, Text, code, imported


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
    with locked(directory / "clock.jsonl") as file:
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

    from .checkpoints import Checkpoints

    experiment, directory = store.experiment, store.path(trial)
    # what an interrupted write left has a name of its own, and would stay forever
    for place in (directory, directory / "snapshots"):
        sweep(place)
    # a damaged trial is trained again, and its old seal must not fit by chance
    (directory / "result.json").unlink(missing_ok=True)
    torch.set_num_threads(experiment.threads)
    if experiment.device == "cuda":
        if not torch.cuda.is_available():
            raise ScheduleError("device of the experiment is cuda, but torch finds no such GPU on this machine")
        repeatable()
    problem = _problem(experiment, data)
    if isinstance(experiment.task, Function):
        function = imported(experiment.task.name)
        made_of = {"code": code(function)}
    else:
        made_of = {"data": problem.sha256}
    text = json.dumps(_identity(experiment, trial) | made_of, indent=1) + "\n"
    write(directory / "trial.json", text)
    # a state of other versions, data or code would give numbers of neither
    checkpoints = Checkpoints(directory / STATES, sha256(text.encode()))
    session = Session(experiment, trial, directory, checkpoints, clock)
    if problem is None:
        function(session)
        if not session.over:
            raise ScheduleError(f"{experiment.task.name} returned after {session.step} of {session.updates} updates")
    else:
        from .training import kept_models, train

        train(experiment, session, problem)
    if isinstance(experiment.task, Images):
        models = kept_models(experiment, trial, directory, session.snapshots, problem)
    else:
        models = {"snapshots": [{"step": step, "sha256": known} for step, known in session.snapshots.items()]}
    store.record(trial, session.rows, models)
    checkpoints.clear()
    return session.speed


def _problem(experiment: Experiment, data: Path | None) -> Any:
    """The data of a built-in task, ready for training."""
    if isinstance(experiment.task, Function):
        return None
    if isinstance(experiment.task, Text):
        from .language import windows

        return windows(experiment.task, experiment.device)
    from .problem import problem

    return problem(experiment.task, data, experiment.device)


def processor() -> str:
    """The type of processor, as bits depend on it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


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
