"""The table and the closing words, from records made by hand (see compare_cases)."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from compare_cases import PAPER, experiment, half, records, restarts, rows, short, single, step
from scipy.stats import bootstrap, t

from annealing import bound, constant, cosine, linear, multistep
from annealing.compare import Arm, Experiment, Function, Trial, conclusions
from annealing.compare.figures import budgets, family, points
from annealing.compare.figures import errors as errors_figure
from annealing.compare.figures import rates as rates_figure
from annealing.compare.report import finished, plain, text
from annealing.compare.serialize import csv_text
from annealing.compare.serialize import points as written
from annealing.compare.statistics import Interval
from annealing.compare.store import Row, open_store
from annealing.compare.table import RunEnd, curves, tabulate
from annealing.compare.text import brief


@pytest.fixture(scope="module")
def table():
    return tabulate(experiment(), records)


def test_the_level_is_the_median_of_the_mean_of_five_epochs(table):
    # the last five of seed s are 20 + s and four times 10 + s: mean 12 + s, median over the seeds 13
    assert table.level == 13


def test_the_recommended_model_is_that_of_the_last_whole_run(table):
    kept = {line.key: (line.kept_at, line.error) for line in table.lines}
    assert kept["restarts"] == (6, (13, 12, 14))  # runs end at 2, 6, 14: the 1 % of epoch 8 is no recommendation
    assert kept["single"] == (6, (11, 9, 13))
    assert kept["half"] == (2, (31, 30, 32))
    assert kept["step"] == (8, (11, 10, 12))


def test_a_curve_that_is_the_beginning_of_another_is_taken_from_it(table):
    assert {line.key: line.trained_as for line in table.lines if line.trained_as != line.key} == {"half": "restarts"}


def test_differences_are_paired_by_seed(table):
    line = table.line("single")
    assert line.less_baseline == (0, -1, 1)
    line = table.line("restarts")
    assert line.less_baseline == (2, 2, 2)
    assert (line.cosine, line.less_cosine) == ("single", (2, 1, 3))
    assert table.line("single").cosine is None
    assert table.line("step").less_baseline is None


def test_epochs_to_the_level(table):
    reached = {line.key: (line.reached.middle, line.hindsight.middle) for line in table.lines}
    # in hindsight: step's mean over epochs 4 to 8 is the first at 13; short has four epochs alone, mean 30.75
    assert reached == {
        "step": (8, 8),
        "short": (4, math.inf),
        "single": (6, 6),
        "half": (math.inf, math.inf),
        "restarts": (6, 6),
    }
    assert table.line("short").speed_up.middle == 2
    assert table.line("half").speed_up == (0, 0, 0)
    assert table.line("restarts").speed_up.middle == pytest.approx(8 / 6)


def test_a_level_a_quarter_of_a_point_higher():
    # the level is 13 images of 1,000 (12 to 14 by seeds), eased 15.5 (14.5 to 16.5); restarts end at 14
    task = Function("on.paper:train", updates_per_epoch=2, test_images=1000)
    later = {Trial("restarts", seed): rows([50, 30, 60, 40, 20, 14, 50, 1]) for seed in range(3)}
    made = Experiment(task, (step, restarts), "step", seeds=[0, 1, 2])
    table = tabulate(made, {trial: later.get(trial, records[trial]) for trial in made.trials()})
    line = table.line("restarts")
    assert (line.reached.middle, line.speed_up.middle) == (math.inf, 0)
    assert (line.eased, line.eased_speed_up) == ((6, 6, 6), pytest.approx((8 / 6, 8 / 6, 8 / 6)))
    closing = " ".join(conclusions.closing(table))
    assert "At a level 0.25 points higher: (a) fewer epochs: “restarts” ratio 1.33 [1.33, 1.33]." in closing


def test_a_ratio_that_was_not_reached_is_below_its_least():
    never = {Trial("restarts", seed): rows([50, 30, 60, 40, 20, 20, 50, 1]) for seed in range(3)}
    table = tabulate(experiment(step, restarts), {**records, **never})
    assert table.line("restarts").speed_up == (0, 0, 0)
    assert "more epochs: “restarts” ratio <1.00 [<1.00, <1.00]" in " ".join(conclusions.closing(table))


def test_the_error_at_any_moment_is_that_of_the_latest_model(table):
    line = table.line("restarts")
    # from the first end of a run, at 2, to 8: seed s is at 30 + s until 6, then at 12 + s
    held = (30 * math.log2(3) + 12 * math.log2(4 / 3)) / 2
    assert line.anytime == pytest.approx((1 + held, held, 2 + held))
    # the baseline is at 40 from 2 to 3, at 30 to 4, at 20 + s to 5, and at 10 + s to 8
    other = [40 * math.log2(3 / 2) + 30 * math.log2(4 / 3) + (20 + s) * math.log2(5 / 4) for s in range(3)]
    other = [(before + (10 + s) * math.log2(8 / 5)) / 2 for s, before in enumerate(other)]
    less = sorted(held + s - there for s, there in enumerate(other))
    assert line.anytime_less_baseline == pytest.approx((less[1], less[0], less[2]))
    assert table.line("single").anytime is None
    # mean 2.23 and standard deviation 0.5 give t = 7.73 with 2 degrees of freedom
    assert line.anytime_p_value == pytest.approx(2 * t.sf(7.73, 2), rel=0.01)
    assert "significantly worse: “restarts” +2.23 [+1.73, +2.73]" in " ".join(conclusions.closing(table))


def test_what_is_trained_past_the_last_run_is_said(table):
    said = " ".join(conclusions.closing(table))
    assert "which gives no model to keep: “restarts” (cycle ends at 6 of 8 epochs)." in said


def test_the_baseline_is_at_its_level_at_its_end_whatever_its_last_epoch():
    late = {Trial("step", seed): rows([60, 40, 30, 20, 10, 10, 10, 20]) for seed in range(3)}
    table = tabulate(experiment(), {**records, **late})
    assert table.level == 14
    line = table.line("step")
    assert line.error == (20, 20, 20)
    assert (line.reached, line.speed_up) == ((8, 8, 8), (1, 1, 1))
    assert table.line("single").reached.middle == 6


def test_after_divergence_all_images_are_wrong():
    lost = [*rows([50, 30]), Row(7, 3.5, 0.05, None, 100)]
    table = tabulate(experiment(), {**records, Trial("restarts", 1): lost})
    line = table.line("restarts")
    assert line.diverged == [1]
    assert line.error == (14, 12, 100)
    assert table.line("half").diverged == []  # it was over before
    assert "“restarts” with seed 1" in " ".join(conclusions.closing(table))


def test_at_ends_of_runs_stand_the_baseline_and_what_was_given_just_that_long():
    compressed = Arm("compressed", "compressed step", multistep(0.1, [3, 5], gamma=0.2), Fraction(6))
    case = experiment(step, compressed, single, half, restarts)
    more = {Trial("compressed", seed): rows([60, 40, 30, 20, 15, 11]) for seed in range(3)}
    models = {Trial("restarts", s): {"ensembles": [{"steps": [4, 12], "wrong": 10 + 2 * s}]} for s in range(3)}
    table = tabulate(case, {**records, **more}, models)
    first, last = table.run_ends
    # at epoch 2 restarts are at 30 + s, the baseline at 40; half a cosine is the same training
    assert (first.epoch, first.error, first.less_baseline) == (2, (31, 30, 32), (-9, -10, -8))
    assert (first.step, first.cosine, first.models, first.less_single) == (None, None, None, None)
    # at epoch 6 they are at 12 + s, the baseline at 10 + s, the step schedule of 6 epochs at 11, the cosine at 9 + 2 s
    assert (last.epoch, last.less_baseline) == (6, (2, 2, 2))
    assert (last.step, last.less_step) == ("compressed", (2, 1, 3))
    assert (last.cosine, last.less_cosine) == ("single", (2, 1, 3))
    assert (last.models, last.together, last.less_single) == (2, (12, 10, 14), (-1, -2, 0))
    closing = " ".join(conclusions.closing(table))
    # +2 for each seed is t = 8.5 of 2 degrees of freedom, with the variance of whole images; 1 to 3 is t = 3.2
    assert last.baseline_p_value == pytest.approx(2 * t.sf(2 / math.sqrt(1 / 18), 2), rel=0.01)
    assert last.step_p_value == pytest.approx(2 * t.sf(2 / math.sqrt((1 + 1 / 6) / 3), 2), rel=0.01)
    better, worse = "significantly better at 1 of 2", "significantly worse at 1 of 2"
    assert f"against the baseline at the same epoch: {worse}, {better}." in closing
    assert "against a step decay of the same length: no significant difference at 1 of 1." in closing
    assert "from the same training: no significant difference: 2 of “restarts” -1.00 [-2.00, +0.00]." in closing
    written = [*csv.DictReader(io.StringIO(csv_text(RunEnd, table.run_ends)))]
    assert [row["less_step_high"] for row in written] == ["", "3.0"]


def test_an_ensemble_that_a_seed_lacks_is_not_shown():
    models = {Trial("restarts", seed): {"ensembles": [{"steps": [4, 12], "wrong": 9}]} for seed in range(2)}
    assert tabulate(experiment(), records, models).run_ends[1].together is None


def test_intervals_of_differences_are_scipys_over_the_seeds():
    random = np.random.default_rng(5)
    last = {key: random.integers(5, 30, 8) for key in ("step", "single")}
    made = {
        Trial(key, seed): rows([60] * (7 if key == "step" else 5) + [int(last[key][seed])])
        for key in last
        for seed in range(8)
    }
    table = tabulate(experiment(step, single, seeds=range(8)), made)
    direct = bootstrap(
        (last["single"] - last["step"],), np.median, n_resamples=9999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    less = table.line("single").less_baseline
    assert less == pytest.approx((np.median(last["single"] - last["step"]), direct.low, direct.high))


def test_errors_of_a_task_that_counts_no_images_keep_their_unit():
    task = Function("on.paper:train", updates_per_epoch=2)
    made = Experiment(task, (step, single), "step", seeds=[0, 1, 2])
    norms = {trial: [row._replace(wrong=row.wrong / 10) for row in found] for trial, found in records.items()}
    norms[Trial("single", 2)] = [*norms[Trial("single", 2)][:2], Row(5, 2.5, 0.05, None, 1)]
    table = tabulate(made, norms)
    assert table.level == pytest.approx(1.3)
    assert table.line("single").error == pytest.approx((1.1, 0.9, 6.0))  # the worst of all errors is 60 / 10
    shown = text(table)
    assert "%" not in shown.replace("75 %, not 95 %", "")
    assert "image" not in shown
    assert "counted as the worst error of all" in " ".join(conclusions.closing(table))


def test_words_follow_from_the_number_of_images(table):
    # 2 standard errors of 13 % of 100 images are 6.7 points, of 10,000 images 0.7; restarts are 2 above both others
    few, many = (" ".join(conclusions.closing(replace(table, test_images=images))) for images in (100, 10_000))
    assert "gives an error of 13.00 % a standard error of 3.36 points" in few
    assert "this is no evidence for or against restarts on other images" in few
    assert "a standard error of 0.34 points" in many
    # that from the cosine, 1 to 3, is not significant
    assert "Of 2 differences of schedules with restarts, 1 is significant and at least twice as large as that" in many
    alone = tabulate(experiment(step, single), records)
    assert "restarts" not in " ".join(conclusions.closing(alone)[1:])


def test_a_part_of_an_experiment_says_so():
    part = tabulate(experiment(step, single), records, trials=12)
    assert conclusions.closing(part)[0].startswith(
        "Not finished: this covers 6 of 12 trials, for the 3 seeds that the baseline"
    )
    assert not any("Not finished" in said for said in conclusions.closing(tabulate(experiment(step, single), records)))


def test_a_schedule_with_fewer_seeds_is_paired_over_these():
    two = experiment(step, short, seeds=[0, 2])
    # of seeds 0, 1 and 2 the baseline ends at 10, 11 and 12, and the short one, 2 above it, was not trained with seed 1
    here = {trial: found for trial, found in records.items() if trial != Trial("short", 1)}
    table = tabulate(experiment(step, short, single), here, trials=9)
    assert (table.finished, table.trials, table.seeds) == (8, 9, 3)
    line = table.line("short")
    assert (line.seeds, line.error.middle, line.less_baseline.middle) == (2, 13, 2)
    assert (
        table.line("single").less_baseline == tabulate(experiment(step, single), records).line("single").less_baseline
    )
    # corrected for both comparisons: 2 and 2 percent with the variance of rounding, and -1, 0 and 1
    alone = tabulate(two, here).line("short").baseline_p_value
    assert line.baseline_p_value == pytest.approx(2 * alone)
    assert "short step (2 seeds)" in text(table)
    assert "compared over these: “short step” 2" in conclusions.closing(table)[0]


def test_no_interval_from_one_seed():
    alone = tabulate(experiment(seeds=[0]), records)
    assert alone.line("single").error == (9, None, None)
    closing = " ".join(conclusions.closing(alone))
    assert "One seed gives no interval" in closing
    assert "verdict" not in closing
    assert "9.00" in text(alone)


def test_json_and_csv_hold_the_same_numbers(table):
    read = json.loads(json.dumps(plain(table), allow_nan=False))
    assert read["level"] == 13
    assert read["words"] == conclusions.closing(table)
    lines = {line["key"]: line for line in read["lines"]}
    assert lines["restarts"]["error"] == {"middle": 13, "low": 12, "high": 14}
    assert lines["half"]["reached"]["middle"] is None
    written = {row["key"]: row for row in csv.DictReader(io.StringIO(table.csv()))}
    assert [written["restarts"][f"error_{end}"] for end in ("middle", "low", "high")] == ["13.0", "12.0", "14.0"]
    assert written["half"]["reached_middle"] == ""
    assert written["step"]["less_baseline_low"] == ""


def test_the_text_shows_censoring_and_fits_a_terminal(table):
    shown = text(table)
    half = [line for line in shown.splitlines() if line.startswith(" half a cosine")][1]
    assert half.split() == ["half", "a", "cosine", *[">2", "[>2,", ">2]", "<4.00"] * 2]
    assert max(map(len, shown.splitlines())) <= 80


def test_only_significant_differences_are_called_worse(table):
    errors, test, _, earlier, _, matched = conclusions.closing(table)[:6]
    # half is 20 above the baseline and short and restarts 2 for every seed; single is -1, 0, 1
    assert errors.startswith(
        "Difference from the baseline, “step decay”: significantly worse: “short step” +2.00 [+2.00"
    )
    assert "“half a cosine” +20.00" in errors
    assert "better" not in errors
    assert errors.endswith("; no significant difference for the other.")
    assert "“one cosine”" not in errors
    assert "corrected for the number of comparisons (4 with the baseline), gives p < 0.05" in test
    # 1 to 3 points are t = 3.2 with 2 degrees of freedom, p = 0.085
    assert (
        matched
        == "Restarts against a cosine of the same length: no significant difference: “restarts” +2.00 [+1.00, +3.00]."
    )
    # at epoch 6 every seed of restarts is where that of the baseline ends, so every resample reaches its level there
    assert earlier == (
        "Epochs that restarts need to reach the level of “step decay”: (a) against its 8 epochs, fewer epochs: "
        "“restarts” ratio 1.33 [1.33, 1.33]."
    )


def test_the_p_values_are_corrected_for_the_number_of_comparisons(table):
    same, half = (2 * t.sf(mean / math.sqrt(1 / 18), 2) for mean in (2, 20))
    lines = {line.key: line.baseline_p_value for line in table.lines}
    # Holm: the least of four times 4, the next times 3; the two that are equal both get the larger product
    assert lines["half"] == pytest.approx(4 * half, rel=0.01)
    assert lines["short"] == lines["restarts"] == pytest.approx(3 * same, rel=0.01)
    assert lines["single"] == 1
    assert [line.verdict for line in table.lines] == [None, *["worse"] * 1, "no significant difference", *["worse"] * 2]


def test_the_answer_is_one_sentence(table):
    assert conclusions.answer(table) == (
        "With 8 epochs and 3 seeds, no schedule is significantly better than the baseline “step decay”; the best of "
        "the others is “one cosine” (difference +0.00 [-1.00, +1.00] points); 3 of 4 are significantly worse."
    )
    better = {Trial("single", seed): rows([50, 40, 30, 20, 14, seed]) for seed in range(3)}
    assert conclusions.answer(tabulate(experiment(step, single), {**records, **better})) == (
        "With 8 epochs and 3 seeds, “one cosine” (difference -10.00 [-10.00, -10.00]) is significantly better than the "
        "baseline “step decay”."
    )
    one = conclusions.answer(tabulate(experiment(step, single, seeds=[0]), records))
    assert one == (
        "One seed cannot tell a difference from chance: the lowest error is 9.00 %, of “one cosine”; the baseline "
        "“step decay” has 10.00 %."
    )
    assert conclusions.answer(tabulate(experiment(step), records)) == (
        "“step decay” ends at an error of 11.00 [10.00, 12.00] %; it was compared with nothing."
    )


def test_the_table_is_sorted_by_result(table):
    assert [line.key for line in table.ranked] == ["step", "single", "short", "restarts", "half"]
    shown = [
        line for line in brief(table).splitlines() if line.startswith((" step", " one", " short", " rest", " half"))
    ]
    assert [line.split("  ")[0] for line in shown] == [
        " step decay *",
        " one cosine",
        " short step",
        " restarts",
        " half a cosine",
    ]


def test_a_control_is_found_by_what_it_is():
    cases = {
        "constant": ("constant(0.1)", "constant", 30),
        "cosine": ("cosine(0.1, 0, 8)", "cosine", 20),
        "one-cycle": ("one_cycle(0.1, 8)", "decay", 19),
        "line": ("linear(0.1, 0, 8)", "decay", 21),
    }
    made = Experiment(PAPER, {key: text for key, (text, _, _) in cases.items()}, "constant", epochs=8, seeds=[0, 1, 2])
    found = {
        Trial(key, seed): rows([60, 50, 45, 40, 40, 40, 40, last + seed])
        for key, (_, _, last) in cases.items()
        for seed in range(3)
    }
    table = tabulate(made, found)
    assert {line.key: line.kind for line in table.lines} == {key: kind for key, (_, kind, _) in cases.items()}
    controls = {line.key: (line.cosine, line.less_cosine and line.less_cosine.middle) for line in table.lines}
    assert controls == {
        "constant": ("cosine", 10),
        "cosine": (None, None),
        "one-cycle": ("cosine", -1),
        "line": ("cosine", 1),
    }
    said = " ".join(conclusions.closing(table))
    assert "step decay" not in said
    assert "restarts" not in said


def test_a_constant_rate_is_no_step_decay_of_the_same_length():
    flat = Arm("flat", "flat", constant(0.1), Fraction(6))
    table = tabulate(
        experiment(step, flat, restarts),
        {**records, **{Trial("flat", s): rows([50, 40, 30, 20, 14, 9]) for s in range(3)}},
    )
    assert [end.step for end in table.run_ends] == [None, None]


def test_a_metric_that_is_better_high():
    task = Function("on.paper:train", updates_per_epoch=2, metric="accuracy", better="high")
    made = Experiment(task, (step, single), "step", seeds=[0, 1, 2])
    last = {"step": [0.50, 0.51, 0.52], "single": [0.60, 0.61, 0.63]}
    found = {
        Trial(key, seed): [
            Row(2 * n, n, 0.1, 0.5, value if n == (8 if key == "step" else 6) else 0.1 * n / 8)
            for n in range(1, 9 if key == "step" else 7)
        ]
        for key, values in last.items()
        for seed, value in enumerate(values)
    }
    table = tabulate(made, found)
    assert [line.key for line in table.ranked] == ["single", "step"]
    assert table.line("single").error == pytest.approx((0.61, 0.60, 0.63))
    assert table.line("single").less_baseline == pytest.approx((0.10, 0.10, 0.11))
    assert table.line("single").verdict == "better"
    assert "“one cosine” (difference +0.10 [+0.10, +0.11]) is significantly better" in conclusions.answer(table)
    assert "Accuracy (higher is better)" in text(table)


def test_rates_are_drawn_with_gaps_where_they_jump():
    times, values = points(restarts)
    gaps = np.flatnonzero(np.isnan(values))
    assert times[gaps - 1].tolist() == times[gaps + 1].tolist() == [2, 6]
    assert values[gaps - 1].tolist() == [0, 0]
    assert values[gaps + 1].tolist() == [0.05, 0.05]
    assert (times[0], values[0], times[-1]) == (0, 0.05, 8)
    assert values[-1] == pytest.approx(0.05 * (1 + math.cos(math.pi * 2 / 8)) / 2, rel=1e-15)


def test_a_rate_without_a_jump_is_one_line():
    warm = Arm("warm", "warm-up", linear(0, 0.1, 2) >> linear(0.1, 0, 2), Fraction(4))
    assert not np.isnan(points(warm)[1]).any()
    assert not np.isnan(points(single)[1]).any()
    assert np.isnan(points(step)[1]).sum() == 2  # the tail after the last drop has no gaps


def test_the_rate_is_drawn_up_to_a_run_end_that_is_no_float():
    fifth = Arm("fifth", "fifths", restarts.schedule.stretched(Fraction(1, 10)), Fraction(8, 10))
    times, values = points(fifth)
    gaps = np.flatnonzero(np.isnan(values))
    assert times[gaps - 1].tolist() == pytest.approx([0.2, 0.6])
    assert values[gaps - 1].tolist() == [0, 0]


def test_a_panel_of_errors_shows_medians_range_level_and_recommended_models(table):
    case = experiment()
    panels = {panel.get_title(): panel for panel in errors_figure(case, curves(case, records), table).axes}
    panel = panels["restarts"]
    level, reference, median, recommended = panel.get_lines()
    assert set(level.get_ydata()) == {13}
    assert reference.get_ydata().tolist() == [60, 40, 30, 21, 11, 11, 11, 11]
    assert median.get_ydata().tolist() == [50, 31, 60, 40, 20, 13, 50, 1]
    assert (recommended.get_xdata().tolist(), recommended.get_ydata().tolist()) == ([2, 6], [31, 13])
    band = panel.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} >= {(2, 30), (2, 32), (6, 12), (6, 14)}


def test_results_after_the_same_epochs_are_drawn_one_below_the_other():
    full = Arm("full", "full cosine", cosine(0.1, 0, 8), Fraction(8))
    found = {Trial("full", seed): rows([50, 40, 30, 20, 14, 12, 9, 7 + seed]) for seed in range(3)}
    case = experiment(step, full)
    table = tabulate(case, {**records, **found})
    (panel,) = budgets(case, table).axes
    assert [label.get_text() for label in panel.get_yticklabels()] == ["step decay", "full cosine"]
    drawn = [[*map(float, line.get_xdata())] for line in panel.get_lines()]
    assert drawn == [[10, 12], [11], [7, 9], [8]]
    assert len(budgets(experiment(), tabulate(experiment(), records)).axes[0].get_lines()) > 4


def test_families_differ_in_style_and_colour():
    case = experiment()
    assert [family(arm) for arm in (step, short, single, restarts)] == [
        *["step decay"] * 2,
        "one decay",
        "restarts",
    ]
    panels = {panel.get_title(): panel for panel in rates_figure(case).axes}
    lines = [panels[arm.title].get_lines()[0] for arm in (step, single, restarts)]
    assert len({line.get_color() for line in lines}) == 3
    assert len({str(line._dash_pattern) for line in lines}) == 3


def test_small_results_have_the_decimals_that_they_need():
    assert written(Interval(0.0012, 0.00114, 0.0013)) == "0.0012 [0.0011, 0.0013]"
    assert written(Interval(-0.0996, -0.02, 0.0), signed=True) == "-0.10 [-0.02, +0.00]"
    assert written(Interval(0.004, None, None), signed=True) == "+0.0040"
    assert written(Interval(12.345, 0.001, 99.0)) == "12.35 [0.00, 99.00]"  # 12.345 is a little more than that


def test_the_report_says_how_much_of_the_order_theory_had_foreseen(tmp_path):
    fast, slow = (Arm(key, key, linear(peak, 0, 8), Fraction(8)) for key, peak in (("fast", 0.2), ("slow", 0.1)))
    flat = Arm("flat", "flat", constant(0.1), Fraction(8))
    opened = open_store(tmp_path / "out", experiment(step, fast, flat, single))
    made = {"step": 12, "fast": 10, "flat": 14, "single": 9}
    for trial in opened.experiment.trials():
        length = 6 if trial.arm == "single" else 8
        opened.record(trial, rows([50] * (length - 1) + [made[trial.arm] + trial.seed]))
    table = finished(opened).table
    # by hand from `annealing.bound` of 16 updates each; one of another length has none
    bounds = {line.key: line.bound for line in table.lines}
    best = {arm.key: bound(arm.schedule.stretched(2), 16).best for arm in (step, fast, flat)}
    assert bounds == {key: pytest.approx(best[key] / min(best.values()), rel=5e-3) for key in best} | {"single": None}
    assert bound(slow.schedule.stretched(2), 16).best == pytest.approx(best["fast"])  # the peak is the best one anyway
    right = sum((best[one] < best[other]) == (made[one] < made[other]) for one, other in combinations(best, 2))
    assert f"has the order of {right} of 3 pairs right, of the 3 schedules" in " ".join(conclusions.closing(table))
