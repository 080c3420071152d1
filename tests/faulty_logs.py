"""Faulty logs for tests: a training loop in plain Python, with a fault in it, that writes its rates to a file.

The loop counts as a trainer does and asks the schedule for the rate at its own position, so what the audit names can be
held against what was done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from logging_programs import PROGRAMS, write_log

from annealing import Schedule, constant, cosine, linear, multistep, one_cycle, warm_restarts, warmup

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A schedule with a warm-up: what a trainer is configured with. `notation` says the same to the audit.

    kind: of the decay; "product" is a line times its warm-up, "sum" the rate of YOLO's biases. T: the updates in all.
    floor: the last rate of a cosine or a linear decay. given: a schedule of another kind.
    """

    kind: str = "cosine"
    peak: float = 0.1
    T: int = 1000
    warmup: int = 0
    floor: float = 0.0
    milestones: tuple[int, ...] = (300, 600, 800)
    given: Schedule | None = None

    @cached_property
    def schedule(self) -> Schedule:
        rest, W = self.T - self.warmup, self.warmup
        if self.given is not None:
            return self.given
        line = linear(self.peak, self.floor, self.T)
        if self.kind == "product":
            return warmup(line, W, place="times") if W else line
        if self.kind == "sum":
            return linear(10 * self.peak, 0, W) + linear(0, 1, W) * line
        decay = {
            "cosine": lambda: cosine(self.peak, self.floor, rest),
            "linear": lambda: linear(self.peak, self.floor, rest),
            "multistep": lambda: multistep(self.peak, [m - self.warmup for m in self.milestones]),
            "restarts": lambda: warm_restarts(self.peak, T_0=self.T // 10, T_mult=2),
            "one cycle": lambda: one_cycle(self.peak, rest),
        }[self.kind]()
        return linear(0, self.peak, W) >> decay if W else decay

    @property
    def notation(self) -> str:
        return str(self.schedule)

    def rate(self, step: float) -> float:
        """The rate at a position of the scheduler."""
        return float(self.schedule(step))


class Case(NamedTuple):
    """Rates that a loop wrote, and what was wrong with it: (name, parameters that must be found) of each fault."""

    plan: Plan
    clock: list[float]
    rates: list[float]
    truth: tuple[tuple[str, Parameters], ...]


def train(
    plan: Plan,
    updates: int,
    *,
    used: Plan | None = None,
    steps: int = 1,
    every: int = 1,
    begin: int = 0,
    resume: int | None = None,
    to: Callable[[int], int] = int,
    resumed: Plan | None = None,
    steps_after: int | None = None,
    skip: tuple[int, ...] = (),
    hand: Callable[[int, float], float] | None = None,
) -> list[float]:
    """The rates of a training loop.

    used: the plan that the scheduler was really built from. steps: how often it is stepped after each update, or, with
    `every`, after each so many. begin: the position it starts from. resume: the number of updates after which training
    is resumed, at the position `to` makes of the saved one, with the plan `resumed` and `steps_after` steps. skip:
    updates after which it is not stepped. hand: what is done to the rate of an update by hand.
    """
    used = used or plan
    position, rates = begin, []
    for n in range(updates):
        if n == resume:
            position, used = to(position), resumed or used
            steps = steps_after or steps
        rate = used.rate(position)
        rates.append(rate if hand is None else hand(n, rate))
        if (n + 1) % every == 0 and n + 1 not in skip:
            position += steps
    return rates


def singles(plan: Plan, t: int = 437, k: int = 4) -> Iterator[Case]:
    """One fault at a time. t: the updates before a resume. k: by how much a clock is wrong."""
    n, T, W = plan.T, plan.T, plan.warmup

    def case(name: str, rates: list[float], **parameters: Any) -> Case:
        return Case(plan, [float(i) for i in range(1, len(rates) + 1)], rates, ((name, parameters),))

    yield case("stepped-too-often", train(plan, n, steps=k), k=k)
    yield case("stepped-too-rarely", [plan.rate(i / k) for i in range(n)], k=k)
    if plan.kind != "multistep":  # a staircase shows neither
        yield case("stepped-per-epoch", train(plan, n, every=25), updates_per_epoch=25)
        yield case("held-for-an-epoch", train(plan, n, every=25, steps=25), updates_per_epoch=25)
    yield case("offset", train(plan, n, begin=57), by=57)
    yield case("restart-after-resume", train(plan, n, resume=t, to=lambda _: 0), at=t)
    yield case("double-step-after-resume", train(plan, n, resume=t, to=lambda p: 2 * p), at=t)
    yield case("stepped-too-often", train(plan, n, resume=t, steps_after=k), at=t, k=k)
    if plan.kind in ("cosine", "linear"):
        mended = [plan.rate(i / k if i < t else i) for i in range(n)]
        yield case("stepped-too-rarely", mended, k=k, until=t)
    yield case("wrong-peak", train(plan, n, used=replace(plan, peak=0.03, floor=plan.floor * 0.3)), peak=0.03)
    yield case("old-peak-after-resume", train(plan, n, hand=lambda i, r: 3 * r if i >= t else r), peak=0.3)
    yield case("constant", train(plan, n, hand=lambda i, r: 0.1), rate=0.1)
    stuck = {n // 2 - 1: 2.0, n // 4 - 1: 0.5}
    yield case(
        "isolated-outliers", train(plan, n, hand=lambda i, r: stuck.get(i, 1) * r + 0.01 * (i in stuck)), count=2
    )
    skip = (201, 202, 463, 671)
    yield case("skipped-scheduler-steps", train(plan, n, skip=skip), lag=4)
    habit = train(plan, n, begin=1)
    yield case("logged-one-early", habit, shift=0)
    if plan.kind in ("cosine", "linear"):
        shorter, longer = replace(plan, T=853), replace(plan, T=1417)
        yield case("schedule-shorter-than-the-run", train(plan, n, used=shorter), horizon=853)
        yield case("wrong-horizon", train(plan, n, used=longer), horizon=1417)
        yield case("rebound-after-the-end", [plan.rate(i if i < T else 2 * T - i) for i in range(3 * n // 2)], end=T)
    if plan.floor:
        yield case("floor-ignored", train(plan, n, used=replace(plan, floor=0.0)), floor=0)
    if plan.kind == "multistep":
        edited = (300, 690, 800)
        yield case("milestones-edited", train(plan, n, used=replace(plan, milestones=edited)), milestones=edited)
    if W:
        if plan.kind in ("cosine", "linear"):
            yield case("warm-up-missing", train(plan, n, used=replace(plan, warmup=0)))
            clipped = replace(plan, warmup=W // 2)
            yield case("warm-up-clipped", train(plan, n, used=clipped), length=W // 2)
        again = [plan.rate(i - t) if t <= i < t + W else plan.rate(i) for i in range(n)]
        yield case("warm-up-repeated", again, at=t)
        jump = train(plan, n, hand=lambda i, r: 0.5 * r if i < W else r)
        yield case("hand-over-jump", jump, at=W)
    else:
        if plan.kind in ("cosine", "linear"):
            yield case("warm-up-added", train(plan, n, used=replace(plan, warmup=60)), length=60, start=0)
        if plan.kind != "multistep":
            later = [0.01 + 0.0018 * i if i < 50 else plan.rate(i - 50) for i in range(n)]
            yield case("warm-up-added", later, length=50, start=0.01)
        timely = train(plan, n, hand=lambda i, r: r * (0.25 + 0.75 * i / 80) if i < 80 else r)
        yield case("warm-up-added", timely, length=80, start=0.025)
    trial, whole = train(replace(plan, peak=0.03), 100), train(plan, n)
    clock = [float(i) for i in (*range(1, 101), *range(1, n + 1))]
    yield Case(plan, clock, [*trial, *whole], (("several-runs-in-one-file", {"runs": 2}),))


def doubles(plan: Plan, t: int = 437) -> Iterator[Case]:
    """Two faults in one run."""
    n = plan.T
    small = replace(plan, peak=0.05, floor=plan.floor / 2)

    def case(rates: list[float], *truth: tuple[str, Parameters]) -> Case:
        return Case(plan, [float(i) for i in range(1, n + 1)], rates, truth)

    peak = ("wrong-peak", {"peak": 0.05})
    restart = ("restart-after-resume", {"at": t})
    yield case(train(plan, n, used=small, steps=4), peak, ("stepped-too-often", {"k": 4}))
    yield case([small.rate(i / 2) for i in range(n)], peak, ("stepped-too-rarely", {"k": 2}))
    yield case(train(plan, n, used=small, resume=t, to=lambda _: 0), peak, restart)
    yield case(train(plan, n, used=small, resume=t, to=lambda p: 2 * p), peak, ("double-step-after-resume", {"at": t}))
    yield case(train(plan, n, steps=2, resume=t, to=lambda _: 0), ("stepped-too-often", {"k": 2}), restart)
    faster = ("stepped-too-often", {"k": 2, "at": t})
    yield case(train(plan, n, resume=t, to=lambda _: 0, steps_after=2), restart, faster)
    yield case(train(plan, n, used=small, resume=t, steps_after=4), peak, ("stepped-too-often", {"k": 4, "at": t}))
    tripled = replace(plan, peak=0.3, floor=3 * plan.floor)
    old = ("old-peak-after-resume", {"peak": 0.3})
    yield case(train(plan, n, resume=t, to=lambda _: 0, resumed=tripled), restart, old)
    yield case(train(plan, n, steps=2, resume=t, resumed=tripled), ("stepped-too-often", {"k": 2}), old)
    skipped = ("skipped-scheduler-steps", {"lag": 3})
    yield case(train(plan, n, used=small, skip=(211, 452, 640)), peak, skipped)
    if plan.kind in ("cosine", "linear"):
        yield case(train(plan, n, used=replace(small, T=1417)), peak, ("wrong-horizon", {"horizon": 1417}))


def composed() -> Iterator[Case]:
    """Faults as frameworks and configurations make them: after the end, in sums and products, of any size."""

    def case(plan: Plan, rates: list[float], *truth: tuple[str, Parameters]) -> Case:
        return Case(plan, [float(i) for i in range(1, len(rates) + 1)], rates, truth)

    def again(plan: Plan, k: float, policy: str, n: int) -> list[float]:
        """The rates of a schedule stepped k times, which rises or begins again after its end."""
        beyond = plan.schedule.beyond(policy)
        return [float(beyond(k * i)) for i in range(n)]

    rebound = ("rebound-after-the-end", {"policy": "mirror"})
    for k in (2, 3, 4, 8):
        plan = Plan("cosine", 1e-4, 1000)
        yield case(plan, again(plan, k, "mirror", 1000), ("stepped-too-often", {"k": k}), rebound)
    for kind in ("cosine", "one cycle"):
        plan, short = Plan(kind, 1e-3), ("schedule-shorter-than-the-run", {"horizon": 250})
        yield case(plan, again(plan, 4, "repeat", 1000), short, ("rebound-after-the-end", {"policy": "repeat"}))
    for k in (65, 100, 391, 1563):
        for kind, marks in (("cosine", ()), ("linear", ()), ("multistep", (10 * k, 20 * k))):
            plan = Plan(kind, T=30 * k, milestones=marks)
            yield case(plan, train(plan, 90, steps=k), ("stepped-too-often", {"k": k}))
    for horizon in (31, 370, 3001, 120_000, 10_000_000):
        plan = Plan("cosine" if horizon % 2 else "linear", floor=0.001)
        name = "wrong-horizon" if horizon > plan.T else "schedule-shorter-than-the-run"
        yield case(plan, train(plan, plan.T, used=replace(plan, T=horizon)), (name, {"horizon": horizon}))
    for plan in (Plan("linear", 0.02, 811), Plan("cosine", 0.3, 400, floor=0.1)):
        yield case(plan, [plan.rate(plan.T - i) for i in range(plan.T)], ("reversed", {"total": plan.T}))
    plan = Plan("product", 0.01, 1000, 30, 1e-4)
    for length, name in ((120, "warm-up-stretched"), (10, "warm-up-clipped"), (0, "warm-up-missing")):
        given = {"length": length} if length else {}
        yield case(plan, train(plan, plan.T, used=replace(plan, warmup=length)), (name, given))
    yield case(plan, train(plan, plan.T, used=replace(plan, peak=0.03, floor=3e-4)), ("wrong-peak", {"peak": 0.03}))
    plan = Plan("sum", 0.01, 1000, 30, 1e-4)
    yield case(plan, train(plan, plan.T, steps=2), ("stepped-too-often", {"k": 2}))
    shorter = ("schedule-shorter-than-the-run", {"horizon": 500})
    yield case(plan, train(plan, plan.T, used=replace(plan, T=500)), shorter)
    for peak, T in ((1e-3, 500), (0.5, 313)):
        plan = Plan("linear", peak, T)
        yield case(plan, [peak * (1 - i / T) for i in range(2 * T)], ("goes-on-after-the-end", {}))
    plan = Plan("linear", 1e-5, 1500, 50)
    yield case(plan, train(plan, 600, skip=(1, 2, 9, 300)), ("skipped-scheduler-steps", {"lag": 4}))
    plan = Plan(given=linear(0, 1, 30) >> constant(1, 70) >> constant(0.1))
    yield case(plan, [plan.rate(i) if i < 150 else 1.0 for i in range(200)], ("constant", {"at": 150, "rate": 1}))
    plan = Plan("multistep", 0.04, 500, milestones=(390, 400))
    for edited, levels in (
        ((390, 400, 410), (4e-3, 4e-4, 4e-5)),
        ((210, 320), (4e-3, 0.04)),
        ((100, 390), (0.02, 4e-3)),
    ):
        used = [0.04, *levels]
        rates = [used[sum(i >= m for m in edited)] for i in range(plan.T)]
        yield case(plan, rates, ("milestones-edited", {"milestones": edited}))


def thinned(case: Case, every: int) -> Case:
    """The same run, of which only some updates are logged."""
    kept = [i for i in range(len(case.clock)) if case.clock[i] % every == 0]
    return case._replace(clock=[case.clock[i] for i in kept], rates=[case.rates[i] for i in kept])


def write(case: Case, path: Path, form: str, digits: int = 17) -> Path:
    """Write the rates as the log of one of the programs in `logging_programs`; returns the path of the file."""
    rows = [(int(c), r) for c, r in zip(case.clock, case.rates, strict=True)]
    return write_log(PROGRAMS[form], path, rows, per=100, total=case.plan.T, digits=digits)


def named(case: Case, faults: Any) -> bool:
    """Whether faults of a verdict are those of the case, with its parameters.

    On a staircase a time is known to the update that is logged next, and no better; an end always.
    """
    if len(faults) != len(case.truth):
        return False
    every = case.clock[1] - case.clock[0]
    gap = every - 1 if case.plan.kind == "multistep" else 0.0
    left = list(faults)
    for name, parameters in case.truth:
        found = next(
            (one for one in left if one.name == name and _agrees(one.parameters, parameters, gap, every)), None
        )
        if found is None:
            return False
        left.remove(found)
    return True


def visible(case: Case) -> bool:
    """Whether the rates that were logged differ from the intended ones at all."""
    return any(
        abs(case.plan.rate(c - 1) - r) > 1e-9 * case.plan.peak for c, r in zip(case.clock, case.rates, strict=True)
    )


def _agrees(found: dict[str, Any], wanted: dict[str, Any], gap: float, every: float) -> bool:
    def close(name: str, got: Any, value: Any) -> bool:
        if isinstance(value, str):
            return bool(got == value)
        slack = every if name == "until" else gap if name in ("at", "by", "milestones") else 1e-12
        return math.isclose(got, value, rel_tol=1e-6, abs_tol=slack)

    for name, value in wanted.items():
        if name == "horizon" and "first_run" in found:
            continue
        got: Any = found.get(name)
        several = isinstance(value, tuple)
        pairs = zip(got or (), value, strict=False) if several else [(got, value)]
        if got is None or (several and len(got) != len(value)) or not all(close(name, a, b) for a, b in pairs):
            return False
    return True
