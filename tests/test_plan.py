"""Plans against loops over PyTorch's own loaders, and durations with units against the same schedules in numbers."""

from __future__ import annotations

import ast
import copy
import inspect
import itertools
import json
import pickle
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest
from catalogue import every
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, DistributedSampler

import annealing
from annealing import (
    Plan,
    Repeat,
    Run,
    Schedule,
    ScheduleError,
    Tail,
    budget,
    chebyshev,
    cosine,
    diff,
    exp_range,
    from_json,
    inverse_sqrt,
    jumps,
    linear,
    lint,
    maximum,
    minimum,
    multistep,
    parse,
    recipes,
    runs,
    shapes,
    step,
    testing,
    triangular2,
    warm_restarts,
    warmup,
    wsd,
)
from annealing.cli import main
from annealing.recipes.registry import TIMES

CIFAR = Plan(examples=50_000, batch=128, epochs=200)
WAITING = linear(0, 0.1, "5%") >> cosine(0.1, 0, "95%")


def batches(plan: Plan) -> list[int]:
    """Of one epoch, the examples in the batches of all replicas together, as PyTorch's loaders give them."""
    data: Any = range(plan.examples or 0)
    sizes = []
    for rank in range(plan.replicas):
        sampler = DistributedSampler(data, plan.replicas, rank, shuffle=False, drop_last=plan.sharding == "drop")
        loader = DataLoader(data, plan.batch, sampler=sampler, drop_last=plan.drop_last)
        sizes.append([len(batch) for batch in loader])
    return [sum(parts) for parts in zip(*sizes, strict=True)]


def trained(plan: Plan) -> Iterator[tuple[int, int]]:
    """The epoch of each update, from 0, and the examples that it is made of, in a loop without end."""
    sizes, waiting, count = batches(plan), 0, 0
    for epoch in itertools.count():
        if plan.leftover != "carry":
            waiting, count = 0, 0
        for i, size in enumerate(sizes, start=1):
            waiting, count = waiting + size, count + 1
            if count == plan.accumulation or (plan.leftover == "update" and i == len(sizes)):
                yield epoch, waiting
                waiting, count = 0, 0


sizes = st.fixed_dictionaries(
    {
        "examples": st.integers(1, 60),
        "batch": st.integers(1, 12),
        "accumulation": st.integers(1, 5),
        "replicas": st.integers(1, 4),
        "drop_last": st.booleans(),
        "sharding": st.sampled_from(["pad", "drop"]),
        "leftover": st.sampled_from(["update", "drop", "carry"]),
    }
)


def made(**options: Any) -> Plan:
    try:
        return Plan(**options)
    except ScheduleError:
        assume(False)
        raise


@settings(max_examples=150, deadline=None)
@given(sizes, st.integers(1, 4))
def test_epochs_are_those_of_pytorch(options: dict[str, Any], epochs: int) -> None:
    plan = made(**options, epochs=epochs)
    updates = list(itertools.takewhile(lambda update: update[0] < epochs, trained(plan)))
    assert plan.steps == len(updates)
    assert plan.examples_seen == sum(seen for _, seen in updates)
    if plan.leftover != "carry":
        assert plan.epochs == epochs
        assert plan.steps_per_epoch * epochs == plan.steps
        assert plan.examples_per_epoch == sum(seen for epoch, seen in updates if epoch == 0)
    else:
        assert plan.steps_per_epoch == Fraction(len(batches(plan)), plan.accumulation)
        assert plan.examples_per_epoch == sum(batches(plan))
    assert plan.convert(f"{plan.examples_per_epoch}ex") == plan.convert("1ep") == plan.steps_per_epoch


@settings(max_examples=100, deadline=None)
@given(sizes, st.integers(1, 40), st.integers(1, 9))
def test_steps_and_tokens_are_those_of_pytorch(options: dict[str, Any], steps: int, tokens_each: int) -> None:
    plan = made(**options, steps=steps, tokens_per_example=tokens_each)
    updates = list(itertools.islice(trained(plan), steps))
    seen = sum(examples for _, examples in updates)
    assert (plan.examples_seen, plan.tokens) == (seen, seen * tokens_each)
    for tokens in (plan.tokens, Fraction(plan.tokens) - Fraction(1, 3)):  # reached by the last of these updates
        assert Plan(**options, tokens=tokens, tokens_per_example=tokens_each).steps == steps
    assert Plan(**options, tokens=plan.tokens + 1, tokens_per_example=tokens_each).steps == steps + 1


@settings(max_examples=150, deadline=None)
@given(sizes)
def test_plans_that_make_no_update_are_refused(options: dict[str, Any]) -> None:
    """One epoch is refused exactly where a loop makes no update, or none of as many batches as were asked for."""
    try:
        plan = Plan(**options, epochs=10**6)
    except ScheduleError:
        loose = Plan(examples=1, batch=1, steps=1)  # a holder of the numbers for the loaders
        for name, value in options.items():
            object.__setattr__(loose, name, value)
        assert not (found := len(batches(loose))) or (found < options["accumulation"] and loose.leftover != "carry")
    else:
        assert next(trained(plan))


def test_conversions_by_hand() -> None:
    assert (CIFAR.steps_per_epoch, CIFAR.steps, CIFAR.epochs, CIFAR.examples_seen) == (391, 78_200, 200, 10_000_000)
    assert [CIFAR.convert(time) for time in ("10ep", "500st", "5%", "0.5ep", "1/3 ep", "5e4ex")] == [
        3910,
        500,
        3910,
        Fraction(391, 2),
        Fraction(391, 3),
        391,
    ]
    assert CIFAR.convert("0.1%") == Fraction("78.2")  # exact: a float would be 78.2 and a little
    llm = Plan(batch=8, accumulation=4, replicas=512, tokens=2e12, tokens_per_example=4096)
    each = 8 * 4 * 512 * 4096
    assert llm.steps == -(-2 * 10**12 // each) == 29_803
    assert llm.convert("2e9tok") == Fraction(2 * 10**9, each)
    assert llm.convert("1e6ex") == Fraction(10**6, 8 * 4 * 512)
    assert llm.tokens == 29_803 * each
    assert Plan(steps=1000).convert("5%") == 50
    assert Plan(examples=1000, batch=64, accumulation=3, leftover="carry", epochs=1).convert("1ep") == Fraction(16, 3)


def test_times_between_two_updates_are_rounded_up_and_reported() -> None:
    plan = Plan(examples=1000, batch=64, accumulation=3, replicas=2, epochs=2.5)
    assert (plan.steps_per_epoch, plan.steps, plan.epochs) == (3, 8, Fraction(8, 3))
    assert plan.explain().splitlines() == [
        "1,000 examples over 2 replicas in batches of 64: 8 batches an epoch, of 1,000 examples",
        "3 batches a step; 2 make the last step",
        "2.5 epochs = 8 steps of 3 an epoch, rounded to 8/3 (about 2.66667) epochs",
    ]


def test_every_conversion_is_reported() -> None:
    assert CIFAR.explain(WAITING.shifted("1/3ep") + linear(1, 0, "5%")).splitlines() == [
        "50,000 examples in batches of 128: 391 batches an epoch, of 50,000 examples",
        "200 epochs = 78,200 steps of 391 an epoch",
        "5% = 3,910 steps",
        "95% = 74,290 steps",
        "1/3ep = 391/3 (about 130.333) steps, not a whole number, and not rounded",
        "the schedule ends 391/3 (about 130.333) steps after the plan",
    ]
    assert CIFAR.explain(WAITING).endswith("the schedule ends with the plan")
    assert CIFAR.explain(step(0.1, "60ep")).endswith("60ep = 23,460 steps\nthe schedule never ends")
    assert CIFAR.explain(cosine(1, 0, "2ep").stretched(3)).endswith("75,854 steps before the plan")
    assert Plan(steps=10).explain() == "10 steps"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"batch": 4}, "one of epochs, steps and tokens must be given, got none"),
    ({"batch": 4, "steps": 3, "epochs": 2}, "one of epochs, steps and tokens must be given, got epochs, steps"),
    ({"batch": 4, "epochs": 2}, "examples must be given"),
    ({"examples": 4, "epochs": 2}, "batch must be given"),
    ({"batch": 4, "tokens": 1e9}, "tokens_per_example must be given"),
    ({"examples": 100, "batch": 128, "drop_last": True, "epochs": 1}, "batch must be at most the 100 examples .*128"),
    ({"examples": 3, "batch": 1, "replicas": 4, "sharding": "drop", "epochs": 1}, "leaves none of 3 examples"),
    ({"examples": 100, "batch": 32, "accumulation": 5, "epochs": 9}, "accumulation must be at most the 4 batches"),
    ({"examples": 100, "batch": 32, "accumulation": 5, "leftover": "carry", "epochs": 1}, "from 1 to 2.53 updates"),
    ({"examples": 0, "batch": 1, "steps": 1}, "examples must be a whole number of at least 1, got 0"),
    ({"batch": 2.5, "steps": 1}, "batch must be a whole number"),
    ({"batch": 2, "steps": 0}, "steps must be a whole number of at least 1, got 0"),
    ({"batch": 2, "steps": 2**53 + 1}, "2.53 updates"),
    ({"examples": 5, "batch": 2, "epochs": -1}, "epochs must be above 0"),
    ({"batch": 2, "steps": 1, "replicas": 0}, "replicas must be"),
    ({"batch": 2, "steps": 1, "accumulation": None}, "accumulation must be a whole number"),
    ({"batch": 2, "steps": 1, "drop_last": 1}, "drop_last must be True or False, got 1"),
    ({"batch": 2, "steps": 1, "sharding": "cut"}, "sharding must be one of pad, drop, got 'cut'"),
    ({"batch": 2, "steps": 1, "leftover": "keep"}, "leftover must be one of update, drop, carry, got 'keep'"),
    ({"batch": 2, "steps": 1, "tokens_per_example": 0}, "tokens_per_example must be above 0"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_impossible_plans_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        Plan(**options)


def test_a_plan_is_a_value() -> None:
    assert repr(CIFAR) == "Plan(examples=50000, batch=128, steps=78200)"
    odd = Plan(examples=9, batch=2, replicas=2, sharding="drop", drop_last=True, epochs=2, tokens_per_example=0.1)
    for plan in (CIFAR, odd):
        assert eval(repr(plan), {"Plan": Plan, "Fraction": Fraction}) == plan == pickle.loads(pickle.dumps(plan))
    assert len({CIFAR, eval(repr(CIFAR)), odd}) == 2
    assert Plan(examples=50_000, batch=128, epochs=201) != CIFAR
    with pytest.raises(AttributeError):
        CIFAR.steps = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("5epp", "duration must be a number, or a duration such as"),
        (5, "duration must be a number, or a duration such as .*got 5"),
        ("1e99999ep", "must be a number, or"),
        ("1e999ep", "must be a number, or"),
        ("1/0ep", "must be a number, or"),
        ("-1ep", "must not be below 0"),
        ("5tok", "tokens_per_example must be given"),
    ],
)
def test_other_durations_are_refused(time: Any, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        CIFAR.convert(time)


# The recipes: every time of every recipe in the catalogue, as a number and with a unit

NAMES = {name: getattr(annealing, name) for name in annealing.__all__} | {"Fraction": Fraction}
NO_TIMES = {"T_mult", "beta2", "cut_frac", "k", "pct_start"}  # exact numbers, but ratios or rates
LONG = Plan(examples=1000, batch=10, tokens_per_example=7, steps=10**9)  # 100 updates an epoch
MORE = [
    chebyshev(1, 0.1, 8, 10),
    inverse_sqrt(1, 10, timescale=30),
    triangular2(0, 1, 10, 20),
    exp_range(0, 1, 10, 20, gamma=0.9),
]  # times that the catalogue leaves out
PER_STEP = {"st": 1, "ep": Fraction(1, 100), "%": Fraction(1, 10**7), "ex": 10, "tok": 70}


def calls() -> list[tuple[str, dict[str, Any]]]:
    """Every call of a recipe with its arguments by name, in what the schedules of the catalogue and more print."""
    found = {}
    for schedule in [*every.values(), *MORE]:
        for node in ast.walk(ast.parse(str(schedule), mode="eval")):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in recipes.named:
                positional = [eval(ast.unparse(arg), NAMES) for arg in node.args]
                words = {str(word.arg): eval(ast.unparse(word.value), NAMES) for word in node.keywords}
                bound = inspect.signature(recipes.named[node.func.id]).bind(*positional, **words)
                found[ast.unparse(node)] = (node.func.id, bound.arguments)
    return list(found.values())


def in_units(value: Any, units: Iterator[str]) -> Any:
    """A time, or those of a list, with units."""
    if isinstance(value, list):
        return [(in_units(x[0], units), *x[1:]) if isinstance(x, tuple) else in_units(x, units) for x in value]
    unit = next(units)
    return f"{Fraction(str(value)) * PER_STEP[unit]}{unit}"


def call(name: str, arguments: dict[str, Any]) -> Schedule:
    bound = inspect.signature(recipes.named[name]).bind(**arguments)
    return recipes.named[name](*bound.args, **bound.kwargs)


CALLS = calls()


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[name for name, _ in CALLS])
def test_every_recipe_takes_durations_with_units(name: str, arguments: dict[str, Any]) -> None:
    in_numbers = call(name, arguments)
    times = [key for key, value in arguments.items() if key in TIMES and value is not None and value != []]
    for chosen in [[time] for time in times] + [times] * (len(times) > 1):
        units = itertools.cycle(PER_STEP)
        waiting = call(name, arguments | {key: in_units(arguments[key], units) for key in chosen})
        assert waiting.pending
        assert parse(str(waiting)) == waiting == from_json(waiting.to_json())
        resolved = LONG.resolve(waiting, beyond="hold")
        assert resolved == in_numbers
        assert resolved(7) == in_numbers(7)


def test_no_time_of_a_recipe_is_missing() -> None:
    seen = {(name, key) for name, arguments in CALLS for key in arguments}
    for name, recipe in recipes.named.items():
        for key, parameter in inspect.signature(recipe).parameters.items():
            if {"Fraction", "Time"} & set(re.findall(r"\w+", str(parameter.annotation))):
                assert key in TIMES or key in NO_TIMES, f"{name}: is {key} a time?"
            if key in TIMES:
                assert (name, key) in seen, f"there is no {name} with {key}"


NODES: dict[str, tuple[Schedule, Schedule]] = {
    "Run": (Run(shapes.cosine, 1, 0, "2ep"), Run(shapes.cosine, 1, 0, 782)),
    "Tail": (Tail(shapes.exponential(0.5), 1, 0, "2ep"), Tail(shapes.exponential(0.5), 1, 0, 782)),
    "Repeat": (
        Repeat(linear(0, 1, "1ep") >> cosine(1, 0, 9), growth=1.5, peak_factor=0.5),
        Repeat(linear(0, 1, 391) >> cosine(1, 0, 9), growth=1.5, peak_factor=0.5),
    ),
    "shifted": (WAITING.shifted("-5%"), CIFAR.resolve(WAITING).shifted(-3910)),
    "shifted later": (cosine(1, 0, 9).shifted("1ep"), cosine(1, 0, 9).shifted(391)),
    "stretched": (linear(0, 1, "1ep").stretched(2), linear(0, 1, 391).stretched(2)),
    "held": (cosine(1, 0, 3910).held("1ep"), cosine(1, 0, 3910).held(391)),
    "until": (step(0.1, 3).until("10ep"), step(0.1, 3).until(3910)),
    "beyond": (cosine(1, 0, "1ep").beyond("mirror"), cosine(1, 0, 391).beyond("mirror")),
    "raise, then hold": (cosine(1, 0, "1ep").beyond("raise").beyond("hold"), cosine(1, 0, 391)),
    "clip": (cosine(1, 0, "1ep").clip(0.1, 0.5), cosine(1, 0, 391).clip(0.1, 0.5)),
    "extremes": (minimum(maximum(linear(0, 1, "1ep"), 0.1), 2), minimum(maximum(linear(0, 1, 391), 0.1), 2)),
    "sum, product": (2 * (linear(0, 1, "1ep") + 1), 2 * (linear(0, 1, 391) + 1)),
    "join": (WAITING, linear(0, 0.1, 3910) >> cosine(0.1, 0, 74_290)),
    "plain numbers": (linear(0, 0.1, 500) >> cosine(0.1, 0, "1ep"), linear(0, 0.1, 500) >> cosine(0.1, 0, 391)),
    "branch_cooldown": (WAITING.branch_cooldown("50%", "1ep"), CIFAR.resolve(WAITING).branch_cooldown(39_100, 391)),
    "warmup": (warmup(WAITING, "1ep", place="over"), warmup(CIFAR.resolve(WAITING), 391, place="over")),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes_and_methods_take_them_too(name: str) -> None:
    waiting, in_numbers = NODES[name]
    assert waiting.pending
    resolved = CIFAR.resolve(waiting, beyond="hold")
    assert resolved == in_numbers
    assert resolved(7) == in_numbers(7)


@pytest.mark.parametrize("name", NODES)
def test_a_schedule_that_needs_a_plan_is_a_value(name: str) -> None:
    waiting = NODES[name][0]
    text = from_json(waiting.to_json())
    assert parse(str(waiting)) == waiting == text == parse(str(text)) == from_json(json.loads(waiting.to_json()))
    assert str(parse(str(waiting))) == str(waiting)
    for same in (pickle.loads(pickle.dumps(waiting)), copy.copy(waiting), copy.deepcopy(waiting)):
        assert (same, str(same), hash(same)) == (waiting, str(waiting), hash(waiting))
        assert CIFAR.resolve(same, beyond="hold") == CIFAR.resolve(waiting, beyond="hold")
    assert waiting.fingerprint == text.fingerprint != NODES[name][1].fingerprint
    assert (waiting >> linear(0, 1, 5) if not waiting.endless else waiting).pending


def test_equality_of_schedules_that_need_a_plan_is_that_of_calls() -> None:
    a, b = linear(0, 1, "5%"), cosine(1, 0, "10ep")
    assert b == cosine(eta_max=1.0, eta_min=-0.0, T_max="10.0 ep") == cosine(Fraction(1), 0, "1e1ep")
    assert b != cosine(1, 0, "3910st")  # they are equal under one plan alone
    assert (a >> b) >> a == a >> (b >> a)
    assert (a + b) + 1 == a + (b + 1)
    assert warm_restarts(1, T_0="1ep") == warm_restarts(1, 0.0, T_0="1ep", T_mult=1, runs=None)
    assert wsd(1, T_warmup="1ep", T_stable=5, T_cooldown=5, curve="cosine") != wsd(
        1, T_warmup="1ep", T_stable=5, T_cooldown=5, curve=shapes.cosine
    )
    assert len({a, linear(0.0, 1.0, "5.0%"), b}) == 2


QUESTIONS: list[Callable[[Schedule], Any]] = [
    lambda s: s(0),
    lambda s: s.left(0),
    lambda s: s.duration,
    lambda s: s.runs(),
    lambda s: s.runs(until=5),
    lambda s: s.restarts(until=5),
    lambda s: s.snapshots(until=5),
    lambda s: s.plot(),
    lambda s: s.plot(until=5),
    lambda s: lint(s, updates=5),
    lambda s: jumps(s, until=5),
    lambda s: budget(s, until=5),
    lambda s: diff(s, cosine(1, 0, 5)),
    testing.check_schedule,
]


@pytest.mark.parametrize("question", range(len(QUESTIONS)))
def test_an_error_says_to_resolve_a_schedule_whose_times_are_needed(question: int) -> None:
    for waiting in (WAITING, WAITING.held("1ep"), minimum(WAITING, 0.05), cosine(1, 0, "5%") * 2):
        with pytest.raises(ScheduleError, match=r"plan\.resolve\(schedule\)"):
            QUESTIONS[question](waiting)
    assert WAITING._repr_svg_() is None


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: cosine(0.1, 0, "10epp"), 'T_max must be a number, or a duration such as "10ep"'),
    (lambda: cosine(0.1, 0, "ep"), "T_max must be a number, or"),
    (lambda: cosine(0.1, 0, "-10ep"), "T_max must not be below 0, got '-10ep'"),
    (lambda: warm_restarts(0.1, T_0="0%"), "T_0 must be above 0 .*got 0"),
    (lambda: cosine(0.1, 0.2, "10ep"), "eta_min must be at most eta_max = 0.1, got 0.2; in cosine"),
    (lambda: cosine("10ep", 0, "10ep"), "eta_max must be a real number, got '10ep'"),  # type: ignore[arg-type]
    (lambda: cosine(0.1, 0, "10ep", T_mult=2), "cosine has no argument 'T_mult'"),  # type: ignore[call-arg]
    (lambda: cosine(0.1, "10ep"), "cosine needs T_max"),  # type: ignore[call-arg]
    (lambda: runs([("1ep", "5%", 0)]), "eta_max_0 of listed must be a real number, got '5%'"),  # type: ignore[list-item]
    (lambda: multistep(0.1, ["30%", "130%"]), "milestones must be at most 100%"),
    (lambda: wsd(0.1, T_warmup="1ep", T_stable=5, T_cooldown=5, curve="cubic"), "curve must be one of linear"),
    (lambda: warm_restarts(0.1, T_0="1ep", T_mult=0.5), "T_mult must be at least 1, got 0.5"),
    (lambda: warm_restarts(0.1, T_0=5, T_mult="1ep"), "T_mult must be a number"),
    (lambda: Run(shapes.linear, 0, float("nan"), "1ep"), "end must be finite"),
    (lambda: Run(shapes.linear, 0, 1, "1 eph"), "length must be a number"),
    (lambda: WAITING.stretched("2ep"), "by must be a number"),
    (lambda: WAITING.stretched(0), "by must be above 0"),
    (lambda: WAITING.until("101%"), "time must be at most 100%"),
    (lambda: WAITING.shifted("101%"), "by must be at most 100%"),
    (lambda: WAITING.beyond("back"), "policy must be one of"),
    (lambda: Repeat(WAITING, times=0), "times must be a whole number"),
    (lambda: inverse_sqrt(0.1, "1ep") >> WAITING, "only the last part of a Join may go on forever"),
    (lambda: (inverse_sqrt(0.1, "1ep") + 1) >> WAITING, "only the last part of a Join may go on forever"),
    (lambda: Repeat(inverse_sqrt(0.1, "1ep")), "the part of a Repeat must end"),
    (lambda: linear(0, 1, "20st").until("30st"), "time must be at most the duration 20"),
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_no_plan_can_fix_is_refused_at_once(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        make()


def test_what_some_plan_can_fix_is_refused_with_the_plan() -> None:
    waiting = linear(0, 1, "10ep").until("5%")
    assert Plan(examples=100, batch=1, steps=20_000).resolve(waiting, beyond="hold") == linear(0, 1, 1000).until(1000)
    with pytest.raises(ScheduleError, match=r"time must be at most the duration 10, .*it comes from .*until\('5%'\)"):
        Plan(examples=100, batch=100, steps=20_000).resolve(waiting)
    with pytest.raises(ScheduleError, match="examples must be given"):
        Plan(steps=20_000).resolve(waiting)
    with pytest.raises(ScheduleError, match=r"milestones must be at least 0 and not decrease.*it comes from multistep"):
        CIFAR.resolve(multistep(0.1, ["60ep", "50%", "30ep"]))


def test_a_run_longer_than_its_schedule_is_refused() -> None:
    plan = Plan(steps=100)
    for fits in (cosine(1, 0, 100), cosine(1, 0, 99), cosine(1, 0, "99.5%"), cosine(1, 0, 500), step(1, 5)):
        assert plan.resolve(fits)(5) > 0  # 99: the last update, at time 99, uses the final value
    short = linear(0, 1, "10%") >> cosine(1, 0, 88)
    with pytest.raises(ScheduleError, match=r"makes 100 updates, but the schedule ends after 98: .*beyond=\"hold\""):
        plan.resolve(short)
    with pytest.raises(ScheduleError, match="ends after 98"):
        plan.resolve(short.beyond("raise"))
    assert plan.resolve(short.beyond("repeat"))(108) == 1
    assert plan.resolve(short, beyond="hold")(99) == 0
    assert plan.resolve(short, beyond="repeat")(108) == 1
    assert plan.resolve(short.beyond("raise"), beyond="hold")(99) == 0
    with pytest.raises(ScheduleError, match="beyond must be one of hold, repeat, mirror, got 'raise'"):
        plan.resolve(short, beyond="raise")
    with pytest.raises(ScheduleError, match="schedule must be a schedule, got 'cosine'"):
        plan.resolve("cosine")  # type: ignore[arg-type]
    found = lint(plan.resolve(cosine(1, 0, "2e2st")), updates=plan.steps)
    assert [finding.name for finding in found] == ["never-reaches-floor", "longer-than-the-plan"]


def run(*args: str) -> Any:
    return CliRunner().invoke(main, args, catch_exceptions=False)


UNITS = 'linear(0, 0.1, "5%") >> cosine(0.1, 0, "95%")'


def test_the_command_line_takes_a_plan() -> None:
    plan = ["--examples", "1000", "--batch", "64", "--epochs", "10"]
    shown = run("show", UNITS, "--json", *plan)
    assert json.loads(shown.stdout)["notation"] == "linear(0, 0.1, 8) >> cosine(0.1, 0, 152)"
    assert "5% = 8 steps" in shown.stderr
    found = run("lint", UNITS, *plan)
    assert (found.exit_code, found.stdout.split()[0]) == (0, "zero-first-update")
    found = run("lint", 'cosine(0.1, 0, "5ep")', "--json", *plan)
    assert [json.loads(line)["name"] for line in found.stdout.splitlines()] == ["shorter-than-the-plan"]
    every_option = ["--accumulation", "2", "--replicas", "2", "--drop-last", "--sharding", "drop", "--leftover", "drop"]
    shown = run("show", 'cosine(0.1, 0, "7tok")', "--json", *plan, *every_option, "--tokens-per-example", "7")
    assert "7tok = 0.00390625 steps" in shown.stderr  # 1 / 256: 7 batches of a replica, 3 updates of 256 examples
    assert json.loads(shown.stdout)["notation"] == "cosine(0.1, 0, 0.00390625)"
    assert json.loads(run("show", UNITS, "--json", "--steps", "100").stdout)["duration"] == 100


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((UNITS,), "Error: NOTATION 1 has durations with units, which need a plan: give --epochs, --steps or --tokens"),
        ((UNITS, "--batch", "4"), "Error: one of epochs, steps and tokens must be given"),
        (('cosine(1, 0, "1ep")', "--steps", "4"), "Error: this plan has no epochs: examples must be given"),
        ((UNITS, "--steps", "4", "--leftover", "keep"), "Error: leftover must be one of update, drop, carry"),
    ],
)
@pytest.mark.parametrize("command", ["show", "lint"])
def test_a_plan_that_is_missing_or_wrong_is_one_error(command: str, args: tuple[str, ...], message: str) -> None:
    result = run(command, *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(message)
