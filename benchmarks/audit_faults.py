"""How often the audit names the right fault: recall and precision over generated logs, single and double faults.

    .venv/bin/python benchmarks/audit_faults.py

Every fault that `tests/faulty_logs.py` makes, in five schedules, written to a real file and read back, in turn as
one of four formats with 5 to 17 digits and every 1 to 10 updates; then clean logs, in which no fault may be named.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path

from annealing import parse
from annealing.audit import Verdict, audit, read

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from faulty_logs import Case, Plan, doubles, named, singles, thinned, train, visible, write

PLANS = [
    Plan("cosine"),
    Plan("cosine", warmup=50, floor=0.001),
    Plan("linear", warmup=100),
    Plan("multistep"),
    Plan("restarts"),
]
LOGS = [("trainer_state", 17, 1), ("csv", 17, 10), ("jsonl", 6, 1), ("console", 7, 5)]
CLEAN = 1000
TRUNCATED = 200


def verdict(case: Case, folder: Path, form: str, digits: int) -> Verdict:
    log = replace(read(write(case, folder / "log", form, digits)), shift=-1)
    return audit(log, parse(case.plan.notation))


def faults(kind: str, folder: Path, variants: int) -> None:
    number, missed = count(), Counter[str]()
    asked = right = first = listed = 0
    begin = time.process_time()
    for plan in PLANS:
        for case in singles(plan) if kind == "single" else doubles(plan):
            for _ in range(variants):
                form, digits, every = LOGS[next(number) % len(LOGS)]
                logged = thinned(case, every)
                if not visible(logged):
                    continue
                found = verdict(logged, folder, form, digits)
                hits = [named(logged, faults) for faults in (found.faults, *found.alternatives)]
                asked, right, first, listed = asked + 1, right + any(hits), first + hits[0], listed + len(hits)
                if not any(hits):
                    missed[" + ".join(name for name, _ in case.truth)] += 1
                    if "-v" in sys.argv:
                        what = [(one.name, one.parameters) for one in found.faults]
                        print(plan.notation, form, digits, every, case.truth, what, flush=True)
    print(
        f"| {kind} faults | {asked} | {100 * right / asked:.1f} % | {100 * first / asked:.1f} % | "
        f"{listed / asked:.1f} | {time.process_time() - begin:.0f} s |",
        flush=True,
    )
    for name, times in missed.items():
        print(f"missed {times} x {name}", file=sys.stderr)


def drawn(chance: random.Random) -> Plan:
    kind = chance.choice(["cosine", "linear", "multistep", "restarts"])
    T, peak = 10 * chance.randint(20, 400), float(f"{10 ** chance.uniform(-5, 0):.3g}")
    warmup = 0 if kind == "multistep" else chance.choice([0, T // 20, T // 7])
    marks = (3 * T // 10, 6 * T // 10, 8 * T // 10)
    floor = chance.choice([0.0, peak / 100]) if kind in ("cosine", "linear") else 0.0
    return Plan(kind, peak, T, warmup, floor, marks)


def clean(folder: Path) -> None:
    chance, wrong = random.Random(0), 0
    begin = time.process_time()
    for number in range(CLEAN):
        form, digits, every = LOGS[number % len(LOGS)]
        plan = drawn(chance)
        case = Case(plan, [float(n) for n in range(1, plan.T + 1)], train(plan, plan.T), ())
        wrong += not verdict(thinned(case, every), folder, form, digits).follows
    print(f"| clean logs | {CLEAN} | {wrong} named a fault | | | {time.process_time() - begin:.0f} s |")


def truncated(folder: Path) -> None:
    """Clean logs cut short: a verdict is too much where another plan prints the same rates."""
    chance, faulty, claimed, told = random.Random(1), 0, 0, 0
    begin = time.process_time()
    for number in range(TRUNCATED):
        form, digits, every = LOGS[number % len(LOGS)]
        plan = drawn(chance)
        updates = max(4 * every, int(plan.T * chance.choice([0.01, 0.03, 0.1, 0.3, 0.7])))
        case = thinned(Case(plan, [float(n) for n in range(1, updates + 1)], train(plan, updates), ()), every)
        found = verdict(case, folder, form, digits)
        others = [
            replace(plan, T=round(plan.T * k), milestones=tuple(round(m * k) for m in plan.milestones))
            for k in (0.75, 1.3)
        ]
        others += [replace(plan, kind=kind) for kind in ("cosine", "linear", "multistep") if kind != plan.kind]
        printed = [f"{rate:.{digits - 1}e}" for rate in case.rates]
        alike = any(printed == [f"{one.rate(c - 1):.{digits - 1}e}" for c in case.clock] for one in others)
        faulty += found.status == "departs"
        told += found.follows
        claimed += found.follows and alike
    what = f"{faulty} named a fault, {claimed} claimed too much, {told} follow"
    print(f"| truncated clean logs | {TRUNCATED} | {what} | | | {time.process_time() - begin:.0f} s |")


def main() -> None:
    print(
        "| logs | how many | right among the listed | right first | listed | time |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as name:
        if "double" not in sys.argv:
            faults("single", Path(name), variants=1)
        if "single" not in sys.argv:
            faults("double", Path(name), variants=1)
            clean(Path(name))
            truncated(Path(name))


if __name__ == "__main__":
    main()
