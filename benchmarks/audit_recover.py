"""How often a schedule is recovered from the rates that it gave: random schedules of every family, and real logs.

    python benchmarks/audit_recover.py [--each 20] [--seed 0] [--only FAMILY] [--logs DIRECTORY]

Exact: every logged rate is within half a unit of its last digit of the recovered schedule. Same: it is also the
schedule that was meant, at every time up to the end of the log (not only at the logged ones, and within 1e-9 of the
peak), which digits and gaps do not always determine. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from audit_recover_logs import real_logs

from annealing import Schedule, parse, recipes
from annealing.audit import Log, Recovered, recover

FLAT = ("step", "multistep", "levels", "stairs")  # a skipped update cannot be told from a level one update longer
DIGITS = ("17", "6 digits", "6 decimals", "float32")


def peak(r: random.Random) -> float:
    return float(f"{r.choice([1, 1, 2, 3, 5, 2.5, 1.5, 6, 8])}e-{r.choice([1, 2, 3, 4, 5])}")


def floor(r: random.Random, top: float) -> float:
    return r.choice([0.0, 0.0, float(f"{top * r.choice([0.1, 0.01, 0.05]):.6g}")])


def warmed(r: random.Random, schedule: Schedule) -> Schedule:
    """With a warm-up before it, in two of three cases."""
    if r.random() < 0.33:
        return schedule
    top, length = schedule(0), r.choice([r.randint(5, 300), r.choice([10, 100, 500, 1000])])
    start = r.choice([0.0, 0.0, 0.0, top / 3, float(f"{top * 0.1:.6g}"), top / (length + 1)])
    return recipes.linear(start, top, length) >> schedule


def length(r: random.Random) -> int:
    return r.choice([r.randint(200, 20000), 100 * r.randint(3, 300)])


def constant(r: random.Random) -> Schedule:
    return warmed(r, recipes.constant(peak(r)))


def linear(r: random.Random) -> Schedule:
    top = peak(r)
    return warmed(r, recipes.linear(top, floor(r, top), length(r)))


def cosine(r: random.Random) -> Schedule:
    top = peak(r)
    return warmed(r, recipes.cosine(top, floor(r, top), length(r)))


def equal_restarts(r: random.Random) -> Schedule:
    top = peak(r)
    T = length(r) // r.randint(2, 5)
    return warmed(r, recipes.warm_restarts(top, floor(r, top), T_0=T, eta_max_factor=r.choice([1, 1, 0.5, 0.8])))


def growing_restarts(r: random.Random) -> Schedule:
    top = peak(r)
    return warmed(r, recipes.warm_restarts(top, floor(r, top), T_0=length(r) // 10 + 1, T_mult=r.choice([2, 2, 3])))


def step(r: random.Random) -> Schedule:
    return warmed(r, recipes.step(peak(r), length(r) // r.randint(2, 6), r.choice([0.1, 0.5, 0.2, 0.9, 0.3])))


def multistep(r: random.Random) -> Schedule:
    T = length(r)
    milestones = sorted(r.sample(range(T // 10, T), r.randint(1, 3)))
    return warmed(r, recipes.multistep(peak(r), milestones, r.choice([0.1, 0.5, 0.2])))


def levels(r: random.Random) -> Schedule:
    top, T = peak(r), length(r)
    times = sorted(r.sample(range(T // 10, T), 3))
    parts = [recipes.constant(top, times[0])]
    for i, share in enumerate((0.5, 0.4, 0.1)):
        last = i == 2
        parts.append(recipes.constant(float(f"{top * share:.6g}"), None if last else times[i + 1] - times[i]))
    return parts[0] >> parts[1] >> parts[2] >> parts[3]


def exponential(r: random.Random) -> Schedule:
    return warmed(r, recipes.exponential(peak(r), r.choice([0.999, 0.9995, 0.9999, 0.998])))


def geometric(r: random.Random) -> Schedule:
    top = peak(r)
    return warmed(r, recipes.geometric(top, float(f"{top * r.choice([0.1, 0.01]):.6g}"), length(r)))


def polynomial(r: random.Random) -> Schedule:
    top = peak(r)
    return warmed(r, recipes.polynomial(top, floor(r, top), length(r), r.choice([2, 0.9, 0.5, 3, 1.5, 1.2])))


def inverse_sqrt(r: random.Random) -> Schedule:
    return recipes.inverse_sqrt(peak(r), r.choice([100, 500, 1000, r.randint(50, 3000)]))


def one_cycle(r: random.Random) -> Schedule:
    share = r.choice([Fraction(3, 10), Fraction(1, 4), Fraction(1, 10)])
    return recipes.one_cycle(peak(r), 100 * r.randint(3, 200), pct_start=share)


def one_cycle_lines(r: random.Random) -> Schedule:
    T = 100 * r.randint(3, 200)
    return recipes.one_cycle(peak(r), T, curve="linear", three_phase=r.random() < 0.5)


def wsd(r: random.Random) -> Schedule:
    top, T = peak(r), length(r)
    curve = r.choice(["linear", "cosine", "1-sqrt", "geometric"])
    low = float(f"{top * 0.1:.6g}") if curve == "geometric" else floor(r, top)
    times = {"T_warmup": r.randint(10, 500), "T_stable": T, "T_cooldown": T // r.randint(3, 9)}
    return recipes.wsd(top, low, curve=curve, **times)


def cosine_constant(r: random.Random) -> Schedule:
    top, T = peak(r), length(r)
    return warmed(r, recipes.cosine_constant(top, float(f"{top * 0.1:.6g}"), T, T // 3))


def stairs(r: random.Random) -> Schedule:
    every = r.randint(20, 400)
    top = peak(r)
    return recipes.cosine(top, floor(r, top), every * r.randint(10, 60)).held(every)


def resumed(r: random.Random) -> Schedule:
    """Another peak from an update on."""
    first = cosine(r)
    T = int(first.duration or 1000)
    at = r.randint(T // 3, 2 * T // 3)
    top = peak(r)
    return first.until(at) >> recipes.cosine(top, 0, length(r))


def triangles(r: random.Random) -> Schedule:
    top, up = peak(r), r.randint(100, 2000)
    return recipes.triangular(float(f"{top * 0.1:.6g}"), top, up, r.choice([up, 2 * up]))


FAMILIES: dict[str, Callable[[random.Random], Schedule]] = {
    each.__name__: each
    for each in (
        constant,
        linear,
        cosine,
        equal_restarts,
        growing_restarts,
        step,
        multistep,
        levels,
        exponential,
        geometric,
        polynomial,
        inverse_sqrt,
        one_cycle,
        one_cycle_lines,
        wsd,
        cosine_constant,
        stairs,
        resumed,
        triangles,
    )
}


def printed(rates: np.ndarray, digits: str) -> tuple[np.ndarray, np.ndarray]:
    """Rates as a log holds them, and half a unit of the last digit."""
    if digits == "17":
        return rates, np.spacing(np.abs(rates)) / 2
    if digits == "float32":
        short = rates.astype(np.float32)
        return short.astype(float), np.spacing(np.abs(short)).astype(float) / 2
    if digits == "6 decimals":
        return np.round(rates, 6), np.full(len(rates), 5e-7)
    short = np.array([float(f"{rate:.5e}") for rate in rates])
    unit = 10.0 ** (np.floor(np.log10(np.where(short == 0, 1, np.abs(short)) * (1 + 1e-9))) - 5)
    return short, unit / 2


def logged(
    r: random.Random, schedule: Schedule, digits: str, skips: bool = True
) -> tuple[Log, np.ndarray, int, np.ndarray]:
    """A log of a schedule, the true time of each row, the shift and the lag.

    skips: whether updates may be skipped.
    """
    runs = schedule.runs(10**6)[: r.randint(3, 6)]
    whole = int(schedule.duration or max(1.3 * runs[-1].begin, 4000))
    end = int(whole * (1 if r.random() < 0.6 else r.uniform(0.35, 1)))
    every = max(r.choice([1, 5, 10, 20, 50]), end // 3000 + 1)
    while every > 1 and end // every < 60:
        every //= 2
    shift = r.choice([0, 0, -1, 1])
    clock = np.arange(every if every > 1 or shift < 0 else 0, end + 1, every).astype(float)
    lag = np.zeros(len(clock), int)
    if digits == "17" and r.random() < 0.25 and skips:
        for at in r.sample(range(1, len(clock)), min(3, len(clock) - 1)):
            lag[at:] += 1
    u = clock + shift - lag
    rates, half = printed(np.asarray(schedule(u)), digits)
    return Log("synthetic", clock, rates[:, None], half[:, None], np.zeros(len(clock), int), ("lr",)), u, shift, lag


def same_curve(schedule: Schedule, found: Recovered, log: Log, u: np.ndarray, shift: int, lag: np.ndarray) -> bool:
    """Whether both give the same at every time; a level may change at any time between the rows around the change."""
    assert found.schedule is not None
    grid = np.arange(u[0], u[-1] + 1)
    moved = found.shift - found.lag(log.clock)[0] - shift + lag[0]
    ours, meant = np.asarray(found.schedule(grid + moved)), np.asarray(schedule(grid))
    row = np.searchsorted(u, grid, "right") - 1
    rates = np.asarray(schedule(u))
    off = [np.abs(ours - other) for other in (meant, rates[row], rates[np.minimum(row + 1, len(u) - 1)])]
    return bool(np.min(off, axis=0).max() <= 1e-9 * meant.max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=10, help="schedules of each family and number of digits")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="a family")
    parser.add_argument("--digits", action="append", help="17, 6 digits, 6 decimals or float32")
    parser.add_argument("--show", action="store_true", help="print what is not the same")
    parser.add_argument("--logs", type=Path, help="a folder of real logs with an index.csv, instead")
    options = parser.parse_args()
    if options.logs:
        real_logs(options.logs)
        return
    kinds = options.digits or DIGITS
    print(f"{'exact % / same %':20}" + "".join(f"{digits:>16}" for digits in kinds) + f"{'median s':>12}{'longest':>9}")
    for name in options.only or FAMILIES:
        line, times = f"{name:20}", []
        for digits in kinds:
            exact = same = 0
            for number in range(options.each):
                r = random.Random(f"{options.seed} {name} {digits} {number}")
                schedule = FAMILIES[name](r)
                log, u, shift, lag = logged(r, schedule, digits, name not in FLAT)
                begin = time.process_time()
                found = recover(log)
                times.append(time.process_time() - begin)
                exact += found.exact
                good = found.schedule is not None and parse(str(found.schedule)) == found.schedule
                good = good and same_curve(schedule, found, log, u, shift, lag)
                same += good
                if options.show and not (found.exact and good):
                    every = log.clock[1] - log.clock[0]
                    print(f"  {digits}: {schedule} shift {shift}, rows {len(log)} every {every:g}, {times[-1]:.1f} s")
                    print(
                        f"    -> {found.schedule} shift {found.shift}, {found.lags[:3]} {found.residual:.1e}",
                        flush=True,
                    )
            line += f"{100 * exact / options.each:>9.0f} / {100 * same / options.each:<4.0f}"
        print(f"{line}{statistics.median(times):>12.2f}{max(times):>9.2f}", flush=True)


if __name__ == "__main__":
    main()
