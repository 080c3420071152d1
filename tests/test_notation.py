"""Text and JSON, both ways: what is printed reads back, and nothing else is accepted."""

from __future__ import annotations

import contextlib
import hashlib
import json
from fractions import Fraction

import pytest
from catalogue import every
from hypothesis import given, settings
from hypothesis import strategies as st

import annealing
from annealing import (
    Join,
    Plan,
    Repeat,
    Run,
    Schedule,
    ScheduleError,
    cosine,
    from_json,
    linear,
    parse,
    runs,
    shapes,
    step,
    warm_restarts,
)
from annealing.durations import UNITS

values = st.floats(-1e6, 1e6) | st.integers(-5, 5)
lengths = st.integers(1, 1000) | st.fractions(Fraction(1, 50), 100, max_denominator=60) | st.floats(1e-3, 1e6)
leaves = st.builds(Run, st.sampled_from([shapes.flat, shapes.linear, shapes.cosine]), values, values, lengths)
finite = st.recursive(
    leaves
    | st.builds(lambda a, b, T: cosine(max(a, b), min(a, b), T), values, values, lengths)
    | st.builds(
        lambda a, T, k: warm_restarts(abs(a), T_0=T, T_mult=k, runs=2), values, lengths, st.sampled_from([1, 2, 1.5])
    ),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a >> b, inner, inner),
        st.builds(lambda a, b: a + b, inner, inner | values),
        st.builds(lambda a, b: b * a, inner, inner | values),
        st.builds(lambda a, n, g: Repeat(a, n, g), inner, st.integers(1, 3), st.sampled_from([1, 2, 1.5])),
        st.builds(lambda a, by: a.shifted(by), inner, st.integers(0, 9)),
        st.builds(lambda a, by: a.stretched(by), inner, lengths.filter(lambda x: x < 1000)),
        st.builds(lambda a, policy: a.beyond(policy), inner, st.sampled_from(["hold", "raise"])),
        st.builds(lambda a, b: annealing.minimum(a, b), inner, inner | values),
        st.builds(lambda a: a.until(a.exact_duration / 2), inner),
    ),
    max_leaves=6,
)
amounts = st.integers(1, 90) | st.floats(1e-3, 90) | st.fractions(Fraction(1, 50), 90, max_denominator=60)
durations = st.builds(
    lambda x, unit, gap: f"{x}{gap}{unit}", amounts, st.sampled_from(UNITS), st.sampled_from(["", " "])
)
times = durations | st.integers(100, 1000)
waiting = st.recursive(
    st.builds(lambda a, b, T: cosine(max(a, b), min(a, b), T), values, values, durations)
    | st.builds(Run, st.sampled_from([shapes.flat, shapes.power(2)]), values, values, durations)
    | st.builds(lambda T, k: warm_restarts(1, T_0=T, T_mult=k, runs=2), durations, st.sampled_from([1, 1.5]))
    | st.builds(lambda a, b: runs([(a, 1, 0.5), (b, 0.1, -0.0)]), durations, times),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a >> b, inner, inner | leaves),
        st.builds(lambda a, b: b + a, inner, inner | values),
        st.builds(lambda a, b: a * b, inner, inner | values),
        st.builds(lambda a, n: Repeat(a, n, growth=2), inner, st.integers(1, 3)),
        st.builds(lambda a, by: a.shifted(by), inner, times),
        st.builds(lambda a, by: a.stretched(by), inner, lengths.filter(lambda x: x < 1000)),
        st.builds(lambda a, policy: a.beyond(policy), inner, st.sampled_from(["hold", "raise"])),
        st.builds(lambda a, b: annealing.maximum(a, b), inner, inner | values),
        st.builds(lambda a, T: annealing.warmup(a, T, place="before"), inner, times),
    ),
    max_leaves=5,
)
endless = st.builds(lambda a, policy: a.beyond(policy), finite, st.sampled_from(["repeat", "mirror"]))


@settings(max_examples=150, deadline=None)
@given(finite | endless)
def test_what_is_printed_reads_back(schedule: Schedule) -> None:
    text = parse(str(schedule))
    assert text == schedule
    assert str(text) == str(schedule)
    assert from_json(schedule.to_json()) == schedule
    assert from_json(json.loads(schedule.to_json())).to_json() == schedule.to_json()
    assert text(0) == schedule(0)


@settings(max_examples=60, deadline=None)
@given(waiting)
def test_schedules_that_need_a_plan_read_back(schedule: Schedule) -> None:
    text = parse(str(schedule))
    assert text == schedule
    assert str(text) == str(schedule)
    tree = from_json(schedule.to_json())
    assert tree == schedule == parse(str(tree))
    assert tree.to_json() == schedule.to_json()
    plan = Plan(examples=10**6, batch=100, steps=10**6, tokens_per_example=0.01)
    with contextlib.suppress(ScheduleError):  # what becomes longer than 2^53, say
        assert plan.resolve(text, beyond="hold") == plan.resolve(tree, beyond="hold")


@pytest.mark.parametrize(
    "text",
    [
        "linear(0, 0.1, 5) >> cosine(0.1, 0, 195)",
        "linear(0, 0.1, '5%') >> cosine(0.1, 0, '95%')",
        "Repeat(Run(shapes.power(2), 0, 0.1, '1/3ep') + 1, growth=2).shifted('-5%').held('1ep').until('10ep')",
        "warm_restarts(eta_max=0.05, T_0=10, T_mult=2)",
        "0.1 * warm_restarts(eta_max=1, T_0=10, T_mult=2, eta_max_factor=0.5)",
        "(linear(0, 1, 5) + 0.5) * cosine(1, 0, 10)",
        "(linear(0, 1, 5) >> cosine(1, 0, 10)) * 2 + step(0.1, 30)",
        "Run(shapes.cosine, 0.1, 0, Fraction(1, 3)).stretched(391).beyond('mirror')",
        "Repeat(linear(0, 1, 5) >> cosine(1, 0, 5), growth=1.5, peak_factor=0.5)",
        "Repeat(linear(0, 1, 5), times=1)",
        "runs([(10, 0.1, 0.01), (30, 0.05, 0)])",
        "multistep(0.1, [60, 120, 160], gamma=0.2)",
        "-0.5 * cosine(1, -1, 1e+20).shifted(-3)",
        "(linear(0, 1, 5) >> cosine(1, 0, 10)).shifted(3)",
        "linear(0, 1, 5) >> (linear(1, 2, 5) >> linear(2, 3, 5))",
        "maximum(minimum(linear(0, 1, 5) >> cosine(1, 0, 9), 0.5), 0.1) * 2",
        "step(0.1, 30).until(75) >> linear(0.001, 0, 25)",
    ],
)
def test_notation_is_what_is_printed(text: str) -> None:
    if "1e+20" in text:
        with pytest.raises(ScheduleError, match=r"at most 2\^53"):
            parse(text)
        return
    assert str(parse(text)) == text.replace("'", '"') if "mirror" in text else str(parse(text)) == text


def test_python_reads_it_too() -> None:
    names = {name: getattr(annealing, name) for name in annealing.__all__} | {"Fraction": Fraction}
    for schedule in every.values():
        assert eval(str(schedule), names) == schedule  # what printing shows is Python


def test_equality_is_that_of_canonical_trees() -> None:
    a, b, c = linear(0, 1, 5), cosine(1, 0, 10), step(1, 3)
    assert (a >> b) >> c == a >> (b >> c) == Join((a, b, c))
    assert a + b + 1 == a + (b + 1)
    assert (2 * a) * b == 2 * (a * b)
    assert cosine(1, 0, 10) == cosine(1.0, 0.0, Fraction(10)) == Run(shapes.cosine, 1, -0.0, 10.0)
    assert a.shifted(0) == a == a.stretched(1) == a.beyond("hold") == Repeat(a, times=1)
    assert a.shifted(2).shifted(3) == a.shifted(5)
    assert a.shifted(-2).shifted(3) != a.shifted(1)
    assert a.stretched(2).stretched(Fraction(1, 2)) == a
    assert c.beyond("mirror") == c
    assert runs([(5, 1, 0)]) == cosine(1, 0, 5)
    assert len({a, linear(0.0, 1.0, 5.0), b}) == 2
    assert a != b
    assert a != "linear(0, 1, 5)"


def test_a_fingerprint_is_of_the_canonical_json() -> None:
    schedule = linear(0, 0.1, 5) >> cosine(0.1, 0, 0.1)
    text = (
        '{"join":[{"run":{"end":0.1,"length":5,"shape":"linear","start":0.0}},'
        '{"run":{"end":0.0,"length":0.1,"shape":"cosine","start":0.1}}]}'
    )
    assert schedule.to_json() == text
    assert schedule.fingerprint == "an1:" + hashlib.sha256(text.encode()).hexdigest()[:16]


WRONG = {
    "": "expected|invalid syntax",
    "1": "a schedule is expected",
    "cosine(0.1, 0, 195": "never closed",
    "cosin(0.1, 0, 195)": "unknown recipe or node 'cosin': did you mean cosine",
    "cosine": "unknown name 'cosine'|cosine",
    "cosine(0.1, 0)": "cosine needs T_max; signature: cosine",
    "cosine(0.1, 0, T_max=5, T_max=6)": "repeated",
    "cosine(0.1, 0, 195, 3)": "cosine takes at most 3 arguments by position, got 4",
    "cosine(0.1, 0, -1)": "T_max must be at least 0 .*got -1",
    "cosine(0.1, 0, 1e400)": "T_max must be finite",
    "cosine(0.1, 0.2, 5)": "eta_min must be at most eta_max",
    "cosine(True, 0, 5)": "eta_max must be a real number, got True",
    "cosine('a', 0, 5)": "eta_max must be a real number|eta_min must be|real number",
    "linear(0, 1, 5) % 1": "only the operators",
    "linear(0, 1, 5) >> 1": ">> needs schedules",
    "1 + 2": r"\+ needs a schedule",
    "__import__('os').system('true')": "may stand|unknown",
    "linear(0, 1, 5).__class__": "may stand",
    "linear(0, 1, 5).to_json()": "may stand",
    "(lambda: 1)()": "may stand",
    "linear(*[0, 1, 5])": r"\* and \*\* may not",
    "[linear(0, 1, 5)]": "a schedule is expected",
    "Run('cosine', 0, 1, 5)": "shape must be one of",
    "Run(shapes.cosin, 0, 1, 5)": "unknown shape 'cosin': did you mean cosine",
    "Fraction(1, 0)": "Fraction",
    "linear(0, 1, 5).beyond('back')": "policy must be one of 'hold'",
    "linear(0, 1, 5) if 1 else 2": "may stand",
    "linear(0, 1, 5); 2": "invalid syntax",
    "linear(0, 1, '5epp')": 'length must be a number, or a duration such as "10ep"',
    "linear(0, 1, '1e999999999ep')": "length must be a number, or a duration",
    "linear('5ep', 1, '5ep')": "start must be a number, or a share of the peak .*got '5ep'",
    "linear(0, 1, 5).stretched('5ep')": "by must be a number",
    "'5ep'": "a schedule is expected",
    "'5ep' * 2": "needs a schedule beside it",
    "linear(0, 1, 5\x00)": "notation|null|invalid",
    "(" * 500: "notation|nested|never closed",
    "linear(0, 1, " + "9" * 5000 + ")": "notation|digits|integer",
    "x" * 200_000: "at most 100,000 characters",
    ">> linear(0, 1, 5)": "invalid syntax",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:30].encode("unicode_escape").decode())
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError, match=WRONG[text]):
        parse(text)


def test_an_error_points_at_the_place() -> None:
    with pytest.raises(ScheduleError) as caught:
        parse("linear(0, 0.1, 5) >> cosin(0.1, 0, 195)")
    message, shown, caret = str(caught.value).split("\n")
    assert message.startswith("unknown recipe")
    assert shown[caret.index("^") :].startswith("cosin(")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{}",
        '{"run": {}}',
        '{"run": {"shape": "cosine", "start": 1, "end": 0, "length": -1}}',
        '{"run": {"shape": "cosine", "start": NaN, "end": 0, "length": 1}}',
        '{"run": {"shape": "cosine", "start": 1, "end": 0, "length": "1/0"}}',
        '{"run": {"shape": "cosine", "start": 1, "end": 0, "length": 1, "more": 2}}',
        '{"run": {"shape": ["cosine"], "start": 1, "end": 0, "length": 1}}',
        '{"run": {"shape": "cosine", "start": 1, "end": 0, "length": "1e999999999"}}',
        '{"run": {"shape": "cosine", "start": 1, "end": 0, "length": "5epp"}}',
        '{"recipe": {"name": "cosine", "arguments": []}}',
        '{"recipe": {"name": "cosin", "arguments": {}}}',
        '{"recipe": {"name": ["cosine"], "arguments": {}}}',
        '{"recipe": {"name": "cosine", "arguments": {"eta_max": 1, "eta_min": 0}}}',
        '{"recipe": {"name": "cosine", "arguments": {"eta_max": 1, "eta_min": 0, "T_max": "5ep", "T": 1}}}',
        '{"recipe": {"name": "cosine", "arguments": {"eta_max": 1, "eta_min": 0, "T_max": "1/0"}}}',
        '{"recipe": {"name": "cosine", "arguments": {"eta_max": 1, "eta_min": 0, "T_max": {"shape": "cosine"}}}}',
        '{"recipe": {"name": "multistep", "arguments": {"eta_max": 1, "milestones": ' + "[" * 200 + "]" * 200 + "}}}",
        '{"join": []}',
        '{"join": [1]}',
        '{"sum": [1, 2]}',
        '{"walk": []}',
        "[" * 100_000,
        '{"join": [' * 200 + "1" + "]}" * 200,
    ],
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        from_json(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_text_gives_a_schedule_or_the_declared_error(data: st.DataObject) -> None:
    text = list(str(data.draw(st.sampled_from(list(every.values())))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 3))] = data.draw(
            st.text("0123456789.,()[]+*>-e_=aT ", max_size=3)
        )
        if not text:
            break
    with contextlib.suppress(ScheduleError):
        assert isinstance(parse("".join(text)), Schedule)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "run",
                        "join",
                        "sum",
                        "part",
                        "shape",
                        "repeat",
                        "beyond",
                        "policy",
                        "times",
                        "recipe",
                        "name",
                        "arguments",
                    ]
                ),
                x,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_gives_a_schedule_or_the_declared_error(tree: object) -> None:
    with pytest.raises(ScheduleError):
        from_json(json.dumps(tree).replace("NaN", "1").replace("-Infinity", "2").replace("Infinity", "3"))


def test_a_quotient_of_whole_numbers_is_an_exact_time() -> None:
    schedule = parse("linear(0, 1, 50/3).shifted(-5/6) * linear(0.01, 1e-4, 30)")
    assert schedule == linear(0, 1, Fraction(50, 3)).shifted(Fraction(-5, 6)) * linear(0.01, 1e-4, 30)
    assert parse(str(schedule)) == schedule
    with pytest.raises(ScheduleError, match="/ needs a schedule beside it"):
        parse("linear(0, 1, 50/0)")
