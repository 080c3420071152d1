"""What real logs give, held against what their index says: `python benchmarks/audit_recover.py --logs FOLDER`.

An index agrees with a schedule where every number that it states (peak, floor, warm-up, length, milestones, lag) is one
of those of the schedule, of its pieces, or of its lags.
"""

from __future__ import annotations

import csv
import re
import time
from pathlib import Path

from annealing.audit import Recovered, read, recover

NUMBER = r"(\d+(?:\.\d+)?(?:e-?\d+)?)"
VALUES = (
    rf"\bP={NUMBER}",
    rf"\bF={NUMBER}",
    rf"floor {NUMBER}",
    rf"constant {NUMBER}",
    rf"then {NUMBER}",
    rf"x{NUMBER}",
)
RISES = rf"warm-up {NUMBER} -> {NUMBER}"
TIMES = (
    rf"\bT={NUMBER}",
    rf"warmup {NUMBER}",
    rf"over {NUMBER}",
    rf"{NUMBER}-epoch",
    rf"warm-up {NUMBER}(?! ->|\d|\.)",
)
MILESTONES = r"(?<!truncated )(?<!stopped )(?<!stop )(?<!restarts )\bat (?:epochs )?((?:\d+, )*\d+)"
LAGS = rf"\blag (?:0 -> )?{NUMBER}"


def stated(guess: str) -> list[float]:
    """The numbers that an index states of a schedule."""
    found = [number for pattern in (*VALUES, *TIMES, LAGS) for number in re.findall(pattern, guess)]
    found += [number for pair in re.findall(RISES, guess) for number in pair]
    found += [number for times in re.findall(MILESTONES, guess) for number in times.split(", ")]
    return [float(number) for number in found if float(number)]


def numbers(found: Recovered) -> list[float]:
    """The numbers of a recovered schedule: those of its text, the begins and ends of its pieces, its lags."""
    text = re.sub(r"Fraction\((-?\d+), (\d+)\)", lambda two: repr(int(two[1]) / int(two[2])), str(found.schedule))
    written = [float(number) for number in re.findall(NUMBER, text)]
    times = [time for _, begin, end, *_ in found.pieces for time in (begin, end)]
    times += [float(time) for run in found.schedule.runs(10**5)[:20] for time in (run.begin, run.end)]
    values = [value for *_, first, last in found.pieces for value in (first, last)]
    return [*written, *values, *times, *(time - found.shift for time in times), *(lag for _, lag in found.lags)]


def verdict(found: Recovered, guess: str) -> str:
    """Whether a recovered schedule has the numbers that an index states."""
    if found.schedule is None:
        return "unknown"
    ours, theirs = numbers(found), stated(guess)
    off = [number for number in theirs if not any(abs(number - one) <= 1e-6 * number for one in ours)]
    if not theirs:
        return "no numbers"
    return "agrees" if not off else "differs: " + ", ".join(f"{number:g}" for number in off)


def real_logs(folder: Path) -> None:
    """A row of a table for each log of a folder, and how many agree."""
    count: dict[str, int] = {}
    print("| log | recovered | shift, lag, residual | the index says | |\n| --- | --- | --- | --- | --- |")
    for row in csv.DictReader((folder / "index.csv").read_text().splitlines()):
        log = read(folder / row["file"])
        begin = time.process_time()
        found = recover(log)
        seconds = time.process_time() - begin
        lag = f", lag up to {found.lags[-1][1]}" if found.lags else ""
        steps = f", steps off by up to {found.jitter}" if found.jitter else ""
        judged = verdict(found, row["guess"])
        count[judged.split(":")[0]] = count.get(judged.split(":")[0], 0) + 1
        print(
            f"| {row['id']} {row['format']}, {len(log)} rows, {seconds:.1f} s | `{found.schedule}` | per {found.unit}, "
            f"shift {found.shift}{lag}{steps}, residual {found.residual:.1e}, "
            f"{'exact' if found.exact else 'not exact'} | {row['guess']} | {judged} |",
            flush=True,
        )
    print("\n" + ", ".join(f"{word}: {number}" for word, number in count.items()))
