"""Random trees of nodes against the definitions of the nodes: what lowering makes of them has the same values."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from annealing import Beyond, Repeat, Run, Schedule, ScheduleError, maximum, minimum, shapes

values = st.sampled_from([0.0, 0.001, 0.1, 0.25, 1.0, 3.0])
lengths = st.sampled_from([1, 2, 5, 10, 0.1, 2.5, Fraction(1, 3)])
leaves = st.builds(Run, st.sampled_from([shapes.flat, shapes.linear, shapes.cosine]), values, values, lengths)
growths = st.sampled_from([1, 2, 1.5])
shares = st.sampled_from([Fraction(1, 3), Fraction(1, 2), 1])
factors = st.sampled_from([1.0, 0.5, 0.9])
repeated_runs = st.builds(
    Repeat, leaves | st.builds(lambda a, b: a >> b, leaves, leaves), st.integers(1, 70), growths, factors, factors
)


def wider(inner: st.SearchStrategy[Schedule]) -> st.SearchStrategy[Schedule]:
    return st.one_of(
        st.builds(lambda a, b: a >> b, inner, inner),
        st.builds(lambda a, b: a + b, inner, inner | values),
        st.builds(lambda a, b: b * a, inner, inner | values),
        st.builds(lambda a, b: minimum(a, b), inner, inner | values),
        st.builds(lambda a, b: maximum(b, a), inner, inner | values),
        st.builds(
            lambda a, share: a.until(a.exact_duration * share),
            inner,
            st.sampled_from([Fraction(1, 3), Fraction(1, 2), 1]),
        ),
        st.builds(Repeat, inner, st.integers(1, 4), growths),
        st.builds(lambda a, by: a.shifted(by), inner, st.sampled_from([-1, -0.05, 0.5, 4])),
        st.builds(lambda a, by: a.stretched(by), inner, st.sampled_from([3, 0.1, Fraction(2, 3)])),
    )


short = st.recursive(leaves | repeated_runs.filter(lambda s: s.times < 20), wider, max_leaves=5)
endless = st.builds(
    Repeat, leaves | st.builds(lambda a, b: a >> b, leaves, leaves), st.none(), growths, factors, factors
)
trees = st.one_of(
    short, endless, st.builds(lambda a, b: a >> b, short, endless), st.builds(lambda a, b: a * b, short, endless)
)


def made(strategy: st.SearchStrategy[Schedule]) -> st.SearchStrategy[Schedule]:
    """What can be made: moving a short schedule to before its end is refused."""

    @st.composite
    def draw(pick: st.DrawFn) -> Schedule:
        try:
            return pick(strategy)
        except ScheduleError:
            return shapes_of_nothing

    return draw()


shapes_of_nothing = Run(shapes.flat, 1, 1, 1)


@settings(max_examples=250, deadline=None)
@given(made(trees), st.sampled_from(["hold", "repeat", "mirror"]), st.data())
def test_values_follow_from_the_definitions(schedule: Schedule, policy: str, data: st.DataObject) -> None:
    whole = Beyond(schedule, policy)
    until = 3 * float(schedule.duration or 100)
    times = [float(span.begin) for span in whole.runs(until)[:200]]
    picked = data.draw(st.lists(st.sampled_from(times) | st.floats(0, until), min_size=4, max_size=8))
    scale = max(1.0, max(abs(span.first) for span in whole.runs(until)))
    in_array = whole(np.array(picked))
    for t, got in zip(picked, in_array, strict=True):
        expected = float(reference.value(whole, Fraction(t)))
        assert math.isclose(whole(t), expected, rel_tol=2e-15, abs_tol=4e-16 * scale)
        assert math.isclose(got, expected, rel_tol=2e-15, abs_tol=4e-16 * scale)
        expected = float(reference.value(whole, Fraction(t), left=True))
        assert math.isclose(whole.left(t), expected, rel_tol=2e-15, abs_tol=4e-16 * scale)
