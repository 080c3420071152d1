"""What each schedule cost: epochs and updates, and wall time from the clocks of its trials."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

from .experiment import Experiment, Trial
from .statistics import Interval, median_interval
from .store import Store


@dataclass(frozen=True)
class Cost:
    """The training of one schedule with one seed.

    seconds: of wall time up to its last evaluation, with evaluations and what interruptions lost; over the seeds, None
    where a clock is missing. It depends on the machine and what else it did. trained_as: whose training contains it.
    """

    key: str
    epochs: float
    updates: int
    seconds: Interval | None
    trained_as: str


def costs(store: Store, experiment: Experiment) -> list[Cost]:
    """The cost of every schedule of an experiment, whose trials are in a store."""
    found = []
    for arm in experiment.arms:
        source = experiment.sources[arm.key]
        times = []
        for seed in experiment.seeds:
            with suppress(OSError):
                text = (store.path(Trial(source, seed)) / "clock.jsonl").read_text()
                times.append(seconds(text, experiment.updates(arm)))
        whole = [time for time in times if time is not None]
        over = median_interval(whole) if whole else None
        found.append(Cost(arm.key, float(arm.epochs), experiment.updates(arm), over, source))
    return found


def seconds(clock: str, update: int) -> float | None:
    """The wall time that a trial took up to its evaluation after an update, by the lines of its clock.

    >>> clock = (
    ...     '{"event": "begin"}\\n{"event": "row", "step": 10, "seconds": 4}\\n'  # then it was killed
    ...     '{"event": "begin"}\\n{"event": "row", "step": 20, "seconds": 5}\\n'
    ... )
    >>> seconds(clock, 10), seconds(clock, 20), seconds(clock, 30)
    (4.0, 9.0, None)
    """
    before = now = 0.0
    found = None
    for line in clock.splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # torn by a kill
            continue
        if event["event"] == "begin":
            before, now = before + now, 0
        now = event.get("seconds", now)
        if event["event"] == "row" and event["step"] == update:
            found = before + now
    return found
