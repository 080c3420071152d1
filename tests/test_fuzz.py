"""Random and mutated notations and JSON: each ends in a schedule or in a ScheduleError, soon and in little memory."""

from __future__ import annotations

import inspect
import json
import random
import re
import resource
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from catalogue import every

from annealing import Plan, Schedule, ScheduleError, from_json, parse, recipes, shapes
from annealing.notation import METHODS, NODES
from annealing.recipes.registry import TIMES

SECONDS = 10  # for one case; the slowest takes well below 1
MEGABYTES = 64
NUMBERS = [
    *("0", "1", "-1", "2", "0.1", "1e-9", "3.5", "10", "100", "1e6", "2**3", "1e15", "9007199254740992", "1e300"),
    *(
        "1e-300",
        "5e-324",
        "1e999",
        "-0.0",
        "0.99999999",
        "1.0000001",
        "Fraction(1, 3)",
        "Fraction(1, 0)",
        "99999999999",
    ),
    *("None", "True", "nan", "'x'", "[]", "[1, 2]", "()", "shapes.linear", "1j", "'10ep'", "'5%'", "1_000", "0x10"),
]
UNITS = ["'10ep'", "'1/3 ep'", "'500st'", "'5%'", "'95%'", "'2e9tok'", "'1e4ex'", "'0.1ep'", "'-5%'"]
WRONG_UNITS = ["'10epp'", "'1e999999999ep'", "'1/0ep'", "'ep'", "'9' * 9", "'٣ep'", "'1e99tok'", "'-0st'"]
PLAN = Plan(examples=50_000, batch=128, steps=10_000, tokens_per_example=4096)
PLAIN = ["0", "0.1", "1", "2", "3.5", "10", "100", "0.5", "0.01"]
TOKEN = re.compile(r"'[^']*'|[A-Za-z_.]+|[0-9][0-9.e+-]*|\S")
WAITING = [
    parse("linear(0, 0.1, '5%') >> cosine(0.1, 0, '95%')"),
    parse("wsd(0.1, T_warmup='1ep', T_stable='50%', T_cooldown='2e9tok', curve='1-sqrt') * 2 + 0.1"),
    parse("multistep(0.1, ['30%', '60%', 9000]).shifted('-5%').held('1ep')"),
    parse("runs([('1ep', 0.1, 0), (40, 0.2, 0)]).until('60st').beyond('mirror')"),
    parse("warmup(Repeat(Run(shapes.power(2), 0, 1, '1e4ex'), growth=2), '5%', place='over').clip(0, 1)"),
]
TEXTS = [str(schedule) for schedule in [*every.values(), *WAITING]]
TREES = [json.loads(schedule.to_json()) for schedule in [*every.values(), *WAITING * 5]]
SYMBOLS = [
    *">>+*()[],=.-'",
    ">>",
    "**",
    "lambda:",
    ":=",
    "\n",
    "#",
    "é",
    "∞",
    "\0",
    "*x",
    "shapes.",
    "for",
    "__import__",
]


def argument(draw: random.Random, name: str, depth: int) -> str:
    """Something that an argument of this name might be, or now and then anything."""
    if draw.random() < 0.1:
        return draw.choice(NUMBERS)
    if name in ("part", "schedule", "parts") or draw.random() < 0.03:
        return grown(draw, depth + 1)
    if name in TIMES and draw.random() < 0.2:
        return draw.choice(UNITS if draw.random() < 0.9 else WRONG_UNITS)
    if name in ("shape", "outer", "inner"):
        return draw.choice([f"shapes.{shape}" for shape in shapes.named] + ["shapes.power(2)", "shapes.geometric(0.1)"])
    return draw.choice(PLAIN)


def grown(draw: random.Random, depth: int = 0) -> str:
    """A text by the grammar, whose arguments often fit."""
    kind = draw.randrange(8 if depth < 4 else 3)
    if kind < 4:
        names = {**recipes.named, **NODES}
        name = draw.choice([*names, "linear", "cosine"])
        parameters = list(inspect.signature(names[name]).parameters.values())
        kept = [p for p in parameters if p.default is p.empty or draw.random() < 0.3]
        words = [f"{p.name}=" if p.kind == p.KEYWORD_ONLY else "" for p in kept]
        return f"{name}({', '.join(w + argument(draw, p.name, depth) for w, p in zip(words, kept, strict=True))})"
    if kind == 4:
        value = draw.choice([*PLAIN, draw.choice(NUMBERS), draw.choice(UNITS), "'repeat'", "'mirror'"])
        return f"{grown(draw, depth + 1)}.{draw.choice(METHODS)}({value})"
    if kind == 5:
        return f"{draw.choice(PLAIN)} * {grown(draw, depth + 1)}"
    return f"({grown(draw, depth + 1)} {draw.choice(['>>', '+', '*'])} {grown(draw, depth + 1)})"


def mutated(draw: random.Random, text: str) -> str:
    """A text with a number or a few tokens changed."""
    tokens = TOKEN.findall(text)
    numbers = [i for i, token in enumerate(tokens) if token[0].isdigit()]
    if numbers and draw.random() < 0.5:
        tokens[draw.choice(numbers)] = draw.choice(draw.choice([NUMBERS, UNITS, WRONG_UNITS]))
        return "".join(tokens)
    for _ in range(draw.randrange(1, 4)):
        i = draw.randrange(len(tokens))
        other = TOKEN.findall(draw.choice(TEXTS))
        new: list[str] = draw.choice(
            [[], [tokens[i]] * 2, [draw.choice(NUMBERS)], [draw.choice(SYMBOLS)], other, [f"({tokens[i]}"], other[:3]]
        )
        tokens[i : i + draw.randrange(2)] = new
        tokens = tokens or ["1"]
    return draw.choice(["", " "]).join(tokens)


def changed(draw: random.Random, tree: Any) -> Any:
    """A tree with one place changed."""
    if draw.random() < 0.25 or not isinstance(tree, dict | list) or not tree:
        extreme = [
            0,
            -1,
            1e308,
            2**60,
            10**400,
            1e-320,
            None,
            True,
            "",
            "1/3",
            "1/0",
            "5%",
            "1e4ep",
            [],
            {},
            float("nan"),
        ]
        return draw.choice([*extreme, draw.choice(TREES), [tree], {"join": [tree]}, {"part": tree}])
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key = draw.choice(keys)
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if draw.random() < 0.1:
        del copy[key]
    elif draw.random() < 0.1 and isinstance(copy, dict):
        copy[draw.choice(["part", "end", "times", "repeat", "sum", "tail", "held", "x"])] = copy.pop(key)
    else:
        copy[key] = changed(draw, tree[key])
    return copy


def cases(seed: int, count: int) -> Iterator[tuple[str, str]]:
    draw = random.Random(seed)
    for i in range(count):
        if i % 3 == 0:
            yield "text", mutated(draw, draw.choice(TEXTS))
        elif i % 3 == 1:
            yield "text", grown(draw)
        else:
            tree = draw.choice(TREES)
            for _ in range(draw.randrange(1, 3)):
                tree = changed(draw, tree)
            yield "json", json.dumps(tree)


def outcome(kind: str, text: str) -> str:
    """What becomes of a case: whatever reads must also have values, or say why not, and read back as itself.

    What waits for a plan reads back as itself, too, and so does what the plan makes of it, or it says why not.
    """
    try:
        schedule: Schedule = parse(text) if kind == "text" else from_json(text)
        if waits := schedule.pending:
            assert parse(str(schedule)) == from_json(schedule.to_json()) == schedule
            schedule = PLAN.resolve(schedule, beyond="hold")
        for t in (0, 0.5, 7, 1e6, 2**53):
            schedule(t)
    except ScheduleError:
        return "refused"
    assert parse(str(schedule)) == from_json(schedule.to_json()) == schedule
    return "resolved" if waits else "read"


def too_slow(number: int, frame: FrameType | None) -> None:
    raise AssertionError(f"not over after {SECONDS} s")


def run(seed: int, count: int) -> dict[str, int]:
    before, found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, {"read": 0, "resolved": 0, "refused": 0}
    previous = signal.signal(signal.SIGALRM, too_slow)
    try:
        for kind, text in cases(seed, count):
            signal.alarm(SECONDS)
            try:
                found[outcome(kind, text)] += 1
            except BaseException as error:
                raise AssertionError(f"{type(error).__name__}: {error}, for the {kind} {text}") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    grown_by = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_by <= MEGABYTES, f"{grown_by:.0f} MB more"
    return found | {"megabytes": round(grown_by)}


@pytest.mark.parametrize("seed", range(3))
def test_a_few_thousand(seed: int) -> None:
    found = run(seed, 1000)
    assert found["read"] > 50
    assert found["resolved"] > 20
    assert found["refused"] > 300


@pytest.mark.slow
def test_a_hundred_thousand() -> None:
    print(run(seed=12345, count=100_000))
