"""Plans whose batch changes, against loops that count every update, and durations that are the rest of a plan."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from click.testing import CliRunner

from annealing import (
    Plan,
    Schedule,
    ScheduleError,
    constant,
    cosine,
    from_json,
    inverse_sqrt,
    knee,
    linear,
    parse,
    warmup,
    wsd,
)
from annealing.cli import main


def counted(sizes: Any, steps: int) -> list[int]:
    """The examples seen before update 0, 1, ..., by a loop; `sizes(n)` is how many update n takes."""
    seen = [0]
    for n in range(steps):
        seen.append(seen[-1] + sizes(n))
    return seen


def test_updates_and_examples_are_those_of_a_loop() -> None:
    plan = Plan(batch=[(0, 8), ("10%", 16), (150, 4)], replicas=[(0, 1), (30, 2)], steps=200)

    def size(n: int) -> int:
        return (8 if n < 20 else 16 if n < 150 else 4) * (1 if n < 30 else 2)

    seen = counted(size, 200)
    assert plan.examples_seen == seen[-1]
    assert [stage.start for stage in plan.stages] == [0, 20, 30, 150]
    for after in (0, 7, 19, 20, 29, 100, 149):
        for updates in (1, 13, 50):
            amount = seen[after + updates] - seen[after]
            assert plan.convert(f"{amount}ex", after=after) == updates
    assert plan.convert("12ex") == Fraction(3, 2)
    assert plan.convert("5%") == 10


def test_tokens_end_a_plan_at_the_first_update_that_reaches_them() -> None:
    for tokens in (10**5, 10**6, 123_457):
        plan = Plan(batch=[(0, 8), ("10%", 16), ("3e4tok", 32)], tokens=tokens, tokens_per_example=100)

        def tokens_after(steps: int) -> int:
            seen, n = 0, 0
            for n in range(steps):
                seen += 100 * (32 if seen >= 30_000 else 16 if n >= Fraction(steps, 10) else 8)
            return seen

        assert tokens_after(plan.steps - 1) < tokens <= tokens_after(plan.steps) == plan.tokens


def test_epochs_follow_the_current_batch_size() -> None:
    plan = Plan(examples=1000, batch=[(0, 10), ("2ep", 20)], epochs=10)
    assert (plan.steps, plan.epochs, plan.examples_seen) == (2 * 100 + 8 * 50, 10, 10_000)
    assert [plan.convert("1ep", after=n) for n in (0, 150, 200)] == [100, 75, 50]
    assert plan.resolve(linear(0, 1, "1ep") >> cosine(1, 0, "9ep")) == linear(0, 1, 100) >> cosine(1, 0, 500)
    wanted = wsd(1, 0, T_warmup=100, T_stable=450, T_cooldown=50)  # the cooldown lies in the second stage
    assert plan.resolve(wsd(1, 0, T_warmup="1ep", T_stable="8ep", T_cooldown="1ep")) == wanted
    assert plan.resolve(wsd(1, 0, T_warmup="1ep", T_stable="rest", T_cooldown="1ep")) == wanted
    assert "1ep from step 0 on = 100 steps" in plan.explain(linear(0, 1, "1ep") >> cosine(1, 0, "9ep"))


def test_a_clock_in_examples_is_exact() -> None:
    plan = Plan(batch=[(0, 8), (100, 16)], accumulation=[(0, 1), (150, 3)], steps=300)
    warm = plan.resolve(linear(0, 1, "1200ex") >> cosine(1, 0, "rest"))
    assert warm == linear(0, 1, 125) >> cosine(1, 0, 175)  # 800 examples in 100 updates, 400 in 25 more


def test_a_plan_with_one_stage_is_a_plan_without() -> None:
    staged, plain = Plan(batch=[(0, 8)], steps=10), Plan(batch=8, steps=10)
    assert staged.examples_seen == plain.examples_seen
    assert staged.convert("24ex") == plain.convert("24ex") == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": [(5, 8)], "steps": 10}, r"batch must start with \(0, ...\)"),
        ({"batch": [], "steps": 10}, r"batch must start with \(0, ...\)"),
        ({"batch": [(0, 8), ("10", 9)], "steps": 10}, "batch must be a number, or a duration"),
        ({"batch": [(0, 8), (5, 0)], "steps": 10}, "batch must be a whole number of at least 1, got 0"),
        ({"batch": [(0, 8), 16], "steps": 10}, r"or a list such as \[\(0, 8\), \(\"10%\", 16\)\], got 16 in it"),
        ({"batch": [(0, 8), (7, 9), (5, 3)], "steps": 10}, "the changes of batch must be in order of time"),
        ({"batch": [(0, 8), ("rest", 9)], "steps": 10}, "batch must not change after a rest"),
        ({"examples": 10, "batch": [(0, 8), (5, 16)], "drop_last": True, "steps": 9}, "batch must be at most the 10"),
        ({"batch": [(0, 8), (5, 16)], "epochs": 10}, "examples must be given to count them"),
    ],
)
def test_wrong_changes_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        Plan(**given)


CIFAR = Plan(examples=50_000, batch=128, epochs=200)  # 78,200 updates


@pytest.mark.parametrize(
    ("waiting", "wanted"),
    [
        (linear(0, 1, "5%") >> cosine(1, 0, "rest"), linear(0, 1, 3910) >> cosine(1, 0, 74_290)),
        (cosine(1, 0, "rest"), cosine(1, 0, 78_200)),
        (
            wsd(1, 0, T_warmup="5ep", T_stable="rest", T_cooldown="20%"),
            wsd(1, 0, T_warmup=1955, T_stable=60_605, T_cooldown=15_640),
        ),
        (
            linear(0, 1, 500) >> constant(1, "rest") >> linear(1, 0, "10ep"),
            linear(0, 1, 500) >> constant(1, 73_790) >> linear(1, 0, 3910),
        ),
        (warmup(cosine(1, 0, "rest"), "5%", place="before"), linear(0, 1, 3910) >> cosine(1, 0, 74_290)),
        (linear(0, 1, "100%") >> constant(1, "rest"), linear(0, 1, 78_200) >> constant(1, 0)),
    ],
    ids=str,
)
def test_the_rest_is_what_the_other_durations_leave(waiting: Schedule, wanted: Schedule) -> None:
    assert CIFAR.resolve(waiting) == wanted
    assert parse(str(waiting)) == waiting == from_json(waiting.to_json())


@pytest.mark.parametrize(
    ("waiting", "message"),
    [
        (linear(0, 1, "rest") >> constant(1, "rest"), '"rest" must be given once'),
        (knee(1, T_warmup="5%", T_explore="rest", T_max="100%"), '"rest" must be given once'),
        (linear(0, 1, "150%") >> constant(1, "rest"), 'nothing is left for "rest": the other parts last 117,300 of'),
        (inverse_sqrt(1, "rest"), 'a schedule with a "rest" must end'),
    ],
    ids=str,
)
def test_a_rest_that_says_nothing_is_refused(waiting: Schedule, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        CIFAR.resolve(waiting)
    assert message in str(caught.value)
    with pytest.raises(ScheduleError, match="resolve the schedule"):
        CIFAR.convert("rest")


def test_the_command_line_takes_changes() -> None:
    notation = 'linear(1, 1, "1%") >> cosine(1, 0, "rest")'
    arguments = ["show", notation, "--batch", "8,10%:16", "--steps", "200", "--json"]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    assert '"duration": 200' in shown.output
    refused = CliRunner().invoke(main, ["show", notation, "--batch", "8:9", "--steps", "200"])
    assert refused.exit_code == 2
    assert 'must be a number, or its changes such as "8,10%:16"' in refused.output
