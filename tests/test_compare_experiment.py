"""What the embedded comparison trains, against the paper's numbers written out."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest
from compare_cases import experiment, restarts, single, step

from annealing import ScheduleError, cosine, warm_restarts
from annealing.compare import Arm, Experiment, Trial, sgdr


def test_the_papers_seven_schedules_at_the_papers_length():
    # section 4.1: 0.1 or 0.05, times 0.2 at 60, 120, 160; and (T_0, T_mult) with eta_max 0.05
    arms = {arm.paper: arm for arm in sgdr(budget=200).arms if arm.paper}
    for peak in (0.1, 0.05):
        schedule = arms[f"step {peak}"].schedule
        times = [0, 59.99, 60, 119.99, 120, 159.99, 160, 199]
        factors = [1, 1, 0.2, 0.2, 0.04, 0.04, 0.008, 0.008]
        assert [schedule(t) for t in times] == pytest.approx([peak * factor for factor in factors], rel=1e-14)
    restarted = {(50, 1): [50, 100, 150], (100, 1): [100], (200, 1): [], (1, 2): [1, 3, 7, 15, 31, 63, 127]}
    restarted[10, 2] = [10, 30, 70, 150]
    for (T_0, T_mult), times in restarted.items():
        arm = arms.pop(f"restarts {T_0} x{T_mult}")
        assert arm.schedule.restarts(until=199) == times
        assert arm.schedule(0) == 0.05
        assert arm.epochs == 200
    assert [*arms] == ["step 0.1", "step 0.05"]


def test_every_length_is_scaled_exactly():
    arms = {arm.key: arm for arm in sgdr(budget=7).arms}
    assert arms["restarts-1-2"].schedule == warm_restarts(0.05, T_0=Fraction(7, 200), T_mult=2)
    assert arms["cosine-127"].epochs == Fraction(127 * 7, 200)
    runs = arms["step-0.1-50"].schedule.runs(until=Fraction(7, 4))
    assert [run.end for run in runs][:3] == pytest.approx([0.525, 1.05, 1.4], rel=1e-15)


def test_the_papers_200_1_is_one_cosine_over_the_budget():
    made = sgdr(budget=40)
    arm = made.arm("cosine-200")
    assert arm.paper == "restarts 200 x1"
    assert made.kept(arm) == (800,)
    assert made.rates(arm) == made.rates(Arm("single", "", cosine(0.05, 0, 40), Fraction(40)))
    assert len(made.rates(arm)) == 40 * 20


def test_no_curve_is_trained_twice():
    made = sgdr(budget=40, seeds=5)
    shared = {key: source for key, source in made.sources.items() if key != source}
    assert shared == {"cosine-100": "restarts-100-1", "cosine-50": "restarts-50-1"}
    assert len(made.trials()) == 11 * 5
    assert {len(made.rates(made.arm(trial.arm))) for trial in made.trials()[:35]} == {800}  # the longest first


def test_a_shared_curve_has_the_rates_of_both():
    made = sgdr(budget=40)
    for key, source in made.sources.items():
        own = made.rates(made.arm(key))
        assert made.rates(made.arm(source))[: len(own)] == own


def test_evaluations_are_at_epochs_and_at_the_ends_of_runs():
    made = sgdr(budget=40)
    # 0.2 epochs are 4 updates: runs end at 4 * (1, 3, 7, 15, 31, 63, 127)
    assert made.kept(made.arm("restarts-1-2")) == (4, 12, 28, 60, 124, 252, 508)
    assert set(made.marks("restarts-1-2")) == {*range(20, 801, 20), 4, 12, 28, 124, 252, 508}
    assert made.kept(made.arm("step-0.1")) == ()
    assert made.marks("cosine-127")[-2:] == (500, 508)


def test_the_end_of_an_arm_that_another_contains_is_evaluated_there():
    half = Arm("half", "half", cosine(0.05, 0, Fraction(3, 2)), Fraction(3, 2))
    whole = Arm("whole", "whole", warm_restarts(0.05, T_0=Fraction(3, 2)), Fraction(8))
    made = experiment(step, half, whole)
    assert made.sources["half"] == "whole"
    assert 3 in made.marks("whole")
    assert Trial("half", 0) not in made.trials()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"budget": 0}, "budget must be a whole number of at least 1, got 0"),
        ({"budget": 1.5}, "budget must be a whole number of at least 1, got 1.5"),
        ({"budget": 10**9}, "budget must be at most 10000 epochs, got 1000000000"),
        ({"seeds": 0}, "seeds must be a whole number of at least 1, got 0"),
        ({"only": ["adam"]}, "only must name schedules among step-0.1, step-0.05, .*, got 'adam'"),
        ({"only": ["cosine-200"]}, "only must name the baseline 'step-0.1' as well, got cosine-200"),
    ],
)
def test_bad_arguments(arguments, said):
    with pytest.raises(ScheduleError, match=said):
        sgdr(**arguments)


def test_bad_experiments():
    with pytest.raises(ScheduleError, match="keys of schedules must differ, got step, step"):
        experiment(step, step)
    with pytest.raises(ScheduleError, match=r"seeds must be different whole numbers, at least one, got \[1, 1\]"):
        experiment(seeds=[1, 1])
    with pytest.raises(ScheduleError, match="baseline must be one of step, got 'adam'"):
        Experiment("digits", (step,), "adam")
    with pytest.raises(ScheduleError, match=r"key must be .*, got '\.\./step'"):
        Arm("../step", "", step.schedule, Fraction(1))
    with pytest.raises(ScheduleError, match="epochs of the arm 'step' must be above 0, got 0"):
        Arm("step", "", step.schedule, Fraction(0))


def test_titles_and_seeds_take_no_part_in_the_fingerprint():
    renamed = Arm(single.key, "another title", single.schedule, single.epochs)
    assert experiment(step, renamed).fingerprint == experiment(step, single).fingerprint
    assert experiment(step, restarts).fingerprint != experiment(step, single).fingerprint
    # a directory may be extended by seeds, so these take no part either
    assert experiment(step, seeds=[0]).fingerprint == experiment(step, seeds=[1]).fingerprint


def test_the_parent_process_needs_no_framework():
    code = (
        "import sys, annealing.compare, annealing.compare.compare_command, annealing.compare.trials\n"
        "late = ('torch', 'sklearn', 'scipy', 'matplotlib', 'rich', 'yaml', 'pooch', 'safetensors')\n"
        "print([name for name in late if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
