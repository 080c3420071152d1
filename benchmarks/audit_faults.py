"""How often the audit names the right fault: recall and precision over generated logs, single and double faults.

    .venv/bin/python benchmarks/audit_faults.py

Every fault that `tests/faulty_logs.py` makes, written to a real file and read back, in turn as one of five formats with
6 to 17 digits and every 1 to 10 updates; then clean logs of every program of `tests/logging_programs.py`, in which no
fault may be named, and the same cut short, of which nothing may be said that their rows cannot tell.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from annealing import parse
from annealing.audit import LogError, Verdict, audit, read

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from faulty_logs import Plan, composed, doubles, named, singles, thinned, visible, write
from logging_programs import PROGRAMS, fields, updates_logged, write_log

PLANS = [
    Plan("cosine"),
    Plan("cosine", warmup=50, floor=0.001),
    Plan("linear", warmup=100),
    Plan("multistep"),
    Plan("restarts"),
]
LOGS = [
    ("Transformers' trainer_state.json", 17, 1),
    ("CSV", 17, 10),
    ("JSON lines", 6, 1),
    ("a console", 7, 5),
    ("TensorBoard", 17, 1),
]
FREE = {"CSV", "JSON lines", "a console", "W&B", "MLflow", "torchtune"}  # people choose how many digits these have
CASES = {
    "single": lambda: [case for plan in PLANS for case in singles(plan)],
    "double": lambda: [case for plan in PLANS for case in doubles(plan)],
    "composed": lambda: list(composed()),
}


def faults(kind: str, folder: Path) -> None:
    missed = Counter[str]()
    asked = right = first = listed = 0
    begin = time.process_time()
    for number, case in enumerate(CASES[kind]()):
        form, digits, every = LOGS[number % len(LOGS)]
        logged = thinned(case, 1 if kind == "composed" else every)
        if not visible(logged):
            continue
        # The same clock for every format, so that a rate that is logged one update early is a fault in all of them.
        log = replace(read(write(logged, folder / "log", form, digits)), shift=-1)
        found = audit(log, parse(case.plan.notation))
        alike = [named(logged, faults) for faults in (found.faults, *found.equivalent)]
        hits = [*alike, *(named(logged, faults) for faults in found.alternatives)]
        asked, right, first, listed = (
            asked + 1,
            right + any(hits),
            first + any(alike),
            listed + 1 + len(found.alternatives),
        )
        if not any(alike):
            missed[" + ".join(name for name, _ in case.truth)] += 1
            what = [(one.name, one.parameters) for one in found.faults]
            print(case.plan.notation, form, digits, every, case.truth, what, file=sys.stderr, flush=True)
    print(
        f"| {kind} faults | {asked} | {100 * right / asked:.1f} % | {100 * first / asked:.1f} % | "
        f"{listed / asked:.1f} | {time.process_time() - begin:.0f} s |",
        flush=True,
    )
    for name, times in missed.items():
        print(f"not first {times} x {name}", file=sys.stderr)


def drawn(chance: random.Random, least: int) -> Plan:
    """A plan whose peak is at least so great a power of ten."""
    kind = chance.choice(["cosine", "linear", "multistep", "restarts"])
    T, peak = 10 * chance.randint(20, 400), float(f"{10 ** chance.uniform(least, max(0, least + 1)):.3g}")
    warmup = 0 if kind == "multistep" else chance.choice([0, T // 20, T // 7])
    marks = (3 * T // 10, 6 * T // 10, 8 * T // 10)
    floor = chance.choice([0.0, peak / 100]) if kind in ("cosine", "linear") else 0.0
    return Plan(kind, peak, T, warmup, floor, marks)


class Written(NamedTuple):
    """A clean log, as its program wrote it: the rates are those of its plan."""

    plan: Plan
    program: str
    digits: int
    rows: list[tuple[int, float]]

    def verdict(self, folder: Path, per: int) -> Verdict:
        program = PROGRAMS[self.program]
        file = write_log(program, folder / program.name, self.rows, per, self.plan.T, self.digits)
        return audit(read(file), parse(self.plan.notation))

    def prints(self, plan: Plan) -> list[str]:
        """What the program would have printed with another plan."""
        program = PROGRAMS[self.program]
        if program.form == "tensorboard":
            return [str(np.float32(plan.rate(n + program.shift))) for n, _ in self.rows]
        return [
            program.line.format(
                **fields(n, float(f"{plan.rate(n + program.shift):.{self.digits - 1}e}"), 1, 1, self.digits)
            )
            for n, _ in self.rows
        ]


def written(chance: random.Random, number: int, share: float = 1.0) -> tuple[Written, int]:
    """A clean log of a program, in turn, cut short after a share of its updates; and the updates in an epoch."""
    name = list(PROGRAMS)[number % len(PROGRAMS)]
    program, per = PROGRAMS[name], chance.randint(40, 150)
    plan = drawn(chance, 3 - program.decimals if program.decimals else -5)
    every = chance.choice([1, 2, 5, 10, 20])
    updates = max(4 * every, int(plan.T * share))
    logged = updates_logged(program, updates, per, every)
    rates = [(n, plan.rate(n + program.shift)) for n in logged]
    return Written(plan, name, chance.randint(3, 17) if name in FREE else 17, rates), per


def clean(folder: Path, count: int) -> None:
    chance, begin = random.Random(0), time.process_time()
    found = Counter[str]()
    for number in range(count):
        log, per = written(chance, number)
        verdict = log.verdict(folder, per)
        found[verdict.status] += 1
        if verdict.status == "departs":
            print(number, log[:3], per, verdict, file=sys.stderr, flush=True)
    what = f"{found['departs']} named a fault, {found['no verdict']} no verdict, {found['follows']} follow"
    print(f"| clean logs | {count} | {what} | | | {time.process_time() - begin:.0f} s |", flush=True)


def truncated(folder: Path, count: int) -> None:
    """Clean logs cut short: a verdict is too much where another plan prints the same rates."""
    chance, begin = random.Random(1), time.process_time()
    found, claimed = Counter[str](), 0
    for number in range(count):
        log, per = written(chance, number, chance.choice([0.01, 0.03, 0.1, 0.3, 0.7]))
        try:
            verdict, plan = log.verdict(folder, per), log.plan
        except LogError:  # a few rates that are no series
            found["no verdict"] += 1
            continue
        others = [
            replace(plan, T=round(plan.T * k), milestones=tuple(round(m * k) for m in plan.milestones))
            for k in (0.75, 1.3)
        ]
        others += [replace(plan, kind=kind) for kind in ("cosine", "linear", "multistep") if kind != plan.kind]
        found[verdict.status] += 1
        printed = log.prints(plan)
        if verdict.status == "departs" or (verdict.follows and any(printed == log.prints(other) for other in others)):
            claimed += verdict.follows
            print(number, log[:3], len(log.rows), per, verdict, file=sys.stderr, flush=True)
    what = f"{found['departs']} named a fault, {claimed} claimed too much, {found['follows']} follow"
    print(f"| truncated clean logs | {count} | {what} | | | {time.process_time() - begin:.0f} s |", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("kinds", nargs="*", default=[*CASES, "clean", "truncated"], help="of logs; by default all")
    asked.add_argument("--clean", type=int, default=5000, help="how many clean logs")
    asked.add_argument("--truncated", type=int, default=2000, help="how many that are cut short")
    chosen = asked.parse_args()
    print(
        "| logs | how many | right among the listed | right first | listed | time |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as name:
        for kind in chosen.kinds:
            if kind in CASES:
                faults(kind, Path(name))
            elif kind == "clean":
                clean(Path(name), chosen.clean)
            else:
                truncated(Path(name), chosen.truncated)


if __name__ == "__main__":
    main()
