"""What recipes make of lengths of 0, of floors given as a share of the peak, and of wrong arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import annealing as an
from annealing import Plan, Schedule, ScheduleError, cosine, from_json, linear, parse, recipes

DOWN = cosine(1, 0, 100)

# The recipe with a length of 0, and what is left: schedules that are equal as values.
LEFT: list[tuple[Callable[[], Schedule], Callable[[], Schedule]]] = [
    (lambda: an.wsd(1, 0, T_warmup=0, T_stable=70, T_cooldown=30), lambda: an.constant(1, 70) >> linear(1, 0, 30)),
    (lambda: an.wsd(1, 0, T_warmup=10, T_stable=0, T_cooldown=30), lambda: linear(0, 1, 10) >> linear(1, 0, 30)),
    (lambda: an.wsd(1, 0, T_warmup=0, T_stable=100, T_cooldown=0), lambda: an.constant(1, 100) >> linear(1, 0, 0)),
    (lambda: an.wsd_s(1, T_warmup=0, periods=[5], T_cooldown=2), lambda: an.constant(1, 3) >> linear(1, 0, 2)),
    (lambda: an.infinite(1, 0.1, T_warmup=0, T_cooldown=0), lambda: an.constant(0.1)),
    (lambda: an.tri_stage(1, T_warmup=0, T_stable=0, T_decay=9), lambda: an.geometric(1, 0.01, 9)),
    (lambda: an.knee(1, T_warmup=0, T_explore=0, T_max=10), lambda: linear(1, 0, 10)),
    (lambda: an.rsqrt(1, timescale=100, T_warmup=0), lambda: an.Tail(an.shapes.inverse_power(0.5), 1, 0, 100)),
    (lambda: an.inverse_sqrt(1, 0), lambda: an.Tail(an.shapes.inverse_power(0.5), 1, 0, 10_000)),
    (lambda: an.inverse_sqrt(1, 0, timescale=7), lambda: an.Tail(an.shapes.inverse_power(0.5), 1, 0, 7)),
    (lambda: an.one_cycle(1, 100, pct_start=0), lambda: cosine(1, 1 / 25 / 1e4, 100)),
    (lambda: an.one_cycle(1, 100, pct_start=0, three_phase=True), lambda: cosine(0.04, 1 / 25 / 1e4, 100)),
    (lambda: an.flat_anneal(1, 0, 100, pct_start=0), lambda: DOWN),
    (lambda: an.slanted_triangular(32, 100, cut_frac=0), lambda: linear(32, 1, 100)),
    (lambda: an.triangular(0, 1, 0, 10), lambda: an.Repeat(linear(1, 0, 10))),
    (lambda: an.cosine_linear(1, 0, 100, T_linear=0), lambda: DOWN),
    (lambda: an.cosine_constant(1, 0, 100, T_constant=0), lambda: DOWN >> linear(0, 0, 0)),
    (lambda: an.warmup_restarts(1, T_0=10, T_warmup=0), lambda: an.warm_restarts(1, T_0=10)),
    (lambda: an.runs([(0, 5, 1), (100, 1, 0)]), lambda: DOWN),
    (lambda: an.multistep(1, [0, 30], 0.5), lambda: an.multistep(0.5, [30], 0.5)),
    (lambda: an.multistep(1, [30, 30], 0.5), lambda: an.multistep(1, [30], 0.25)),
    (lambda: an.branch_cooldown(DOWN, at=0, length=10), lambda: linear(1, 0, 10)),
    (lambda: an.ramp(1, 0, "log") >> DOWN, lambda: DOWN),
    *[(lambda place=place: an.warmup(DOWN, 0, place=place), lambda: DOWN) for place in ("before", "over", "times")],
    *[(lambda place=place: an.warmup(DOWN, 0, place=place), lambda: DOWN) for place in ("instead", "squeezed")],
]


@pytest.mark.parametrize(("recipe", "left"), LEFT, ids=range(len(LEFT)))
def test_a_length_of_0_leaves_its_part_out(recipe: Any, left: Any) -> None:
    schedule, wanted = recipe(), left()
    assert schedule.duration == wanted.duration
    for t in (0, 1, 9.5, 10, 30, 99, 100, 1000):
        assert schedule(t) == pytest.approx(wanted(t), rel=1e-14)
    assert parse(str(schedule)) == schedule == from_json(schedule.to_json())


def test_a_share_of_0_of_a_plan_is_left_out() -> None:
    plan = Plan(steps=100)
    waiting = linear(0, 1, "0%") >> cosine(1, 0, "100%")
    assert plan.resolve(waiting) == DOWN
    assert plan.resolve(an.warmup(cosine(1, 0, "100%"), "0st", place="over")) == DOWN
    assert plan.resolve(an.wsd(1, 0, T_warmup="0st", T_stable="70%", T_cooldown="30%"))(0) == 1


def test_powers_without_a_warm_up_are_refused_where_they_need_one() -> None:
    for text in ("power_law(1, 0.5, 0)", "noam(512, 0)", "warm_restarts(1, T_0=0)", "step(1, 0)"):
        with pytest.raises(ScheduleError, match="must be above 0"):
            parse(text)


WITH_A_FLOOR = [name for name, call in recipes.named.items() if "eta_min" in call.__annotations__]


@pytest.mark.parametrize("name", WITH_A_FLOOR)
def test_a_floor_may_be_a_share_of_the_peak(name: str) -> None:
    from test_recipe_arguments import ARGUMENTS

    given = {argument: good for argument, (good, _) in ARGUMENTS[name].items()}
    assert recipes.named[name](**given | {"eta_min": "1%"}) == recipes.named[name](**given | {"eta_min": 0.001})


def test_other_ends_may_be_shares_too() -> None:
    assert cosine(0.1, "10%", 200) == cosine(0.1, 0.01, 200)
    assert cosine(3e-4, "12.5%", 200)(200) == 3.75e-05
    assert an.infinite(0.1, "30%", T_warmup=1, T_cooldown=1)(9) == 0.03
    assert an.wsd(0.1, "10%", T_warmup=5, T_stable=5, T_cooldown=5, start="1%")(0) == 0.001
    assert an.cooldown(0.1, "10%", 5) == an.cooldown(0.1, 0.01, 5)
    assert an.ramp(0.1, 5, start="10%") == linear("10%", 0.1, 5) == linear(0.01, 0.1, 5)
    assert an.runs([(10, 0.1, "10%")]) == an.runs([(10, 0.1, 0.01)])
    assert an.constant(0.1).branch_cooldown(5, 5, end="10%")(10) == 0.01
    waiting = cosine(0.1, "10%", "100%")
    assert parse(str(waiting)) == waiting == from_json(waiting.to_json())
    assert Plan(steps=50).resolve(waiting) == cosine(0.1, 0.01, 50)


def test_the_floor_may_be_left_out() -> None:
    assert cosine(eta_max=0.1, T_max=200) == cosine(0.1, 0, 200)
    assert an.polynomial(0.1, T_max=200, power=2) == an.polynomial(0.1, 0, 200, 2)
    assert cosine(0.1, T_max="5ep").fingerprint == cosine(0.1, 0, "5ep").fingerprint
    with pytest.raises(ScheduleError, match=r"cosine needs T_max; signature: cosine\(eta_max, eta_min=0, T_max\)"):
        cosine(0.1, 0)


def test_a_warm_up_instead_of_the_first_part_leads_to_the_peak() -> None:
    """As timm without warmup_prefix: up to lr at W, then the cosine as if it had started at 0."""
    assert an.warmup(DOWN, 20, place="instead", start=0.1) == linear(0.1, 1, 20) >> DOWN.shifted(-20)


def test_wrong_arguments_in_python_give_the_same_messages() -> None:
    with pytest.raises(ScheduleError, match="wsd takes at most 2 arguments by position, got 5"):
        an.wsd(0.1, 0, 5, 75, 20)  # type: ignore[call-arg]
    with pytest.raises(ScheduleError, match="did you mean T_max"):
        cosine(0.1, 0, T_mxa=200)  # type: ignore[call-arg]
    with pytest.raises(ScheduleError, match="Run needs length"):
        an.Run(an.shapes.cosine, 1, 0)  # type: ignore[call-arg]
    with pytest.raises(ScheduleError, match="cosine has no argument 'length'"):
        cosine("5%", 0, length="3ep")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wsd(0.1, 0, 5, 75, 20)", "wsd takes at most 2 arguments by position, got 5; T_warmup, T_stable, T_cooldown,"),
        ("warmup(cosine(1, 0, 9), '5%', 'over')", "warmup takes at most 2 arguments by position, got 3; place, curve"),
        ("cosine(0.1, 0, T_mxa=200)", "cosine has no argument 'T_mxa': did you mean T_max? signature: cosine(eta_max,"),
        ("linear(0, 1)", "linear needs length; signature: linear(start, end, length)"),
        ("linear(0, 1, 5, end=3)", "linear got end twice, by position and by name"),
        ("Run(shapes.cosine, 1)", "Run needs end, length; signature: Run(shape, start, end, length)"),
        ("cosin(0.1, 0, 5)", "unknown recipe or node 'cosin': did you mean cosine?"),
        ("warm_restart(0.1, T_0=5)", "did you mean warm_restarts?"),
        ("Run(shapes.cosin, 1, 0, 5)", "unknown shape 'cosin': did you mean cosine?"),
        ("cosine(0.1, '10', 5)", "eta_min must be a number, or a share of the peak such as \"10%\", got '10'"),
        ("cosine(0.1, '5ep', 5)", "eta_min must be a number, or a share of the peak such as \"10%\", got '5ep'"),
        ("cosine(0.1, '150%', 5)", "eta_min must be at most eta_max = 0.1, got 0.15"),
        ("cosine(0.1, 0, 5).held(evry=2)", ".held has no argument 'evry': did you mean every?"),
    ],
)
def test_wrong_arguments_are_found_from_the_signature(text: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    assert message in str(caught.value)
