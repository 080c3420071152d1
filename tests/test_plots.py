"""Pictures, by the data of their artists: drawn points against closed forms, a peer, and numbers worked by hand."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from xml.etree import ElementTree

import mpmath
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection

import annealing
from annealing import Plan, ScheduleError, cosine, linear, multistep, parse, plots, step, warm_restarts
from annealing.sgdr import paper_schedules

DOUBLING = warm_restarts(eta_max=0.05, eta_min=0.001, T_0=10, T_mult=2)


@pytest.fixture
def without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "annealing.plots")
    monkeypatch.delattr(annealing, "plots")


def cosine_by_mpmath(high, low, since, length):
    return float(low + (mpmath.mpf(high) - low) / 2 * (1 + mpmath.cos(mpmath.pi * mpmath.mpf(since) / length)))


def curves(axes):
    return [line for line in axes.lines if line.get_gid() is None]


def marks(axes, gid):
    return [list(zip(*line.get_data(), strict=True)) for line in axes.lines if line.get_gid() == gid]


def jumps(axes):
    return [
        segment.tolist()
        for collection in axes.collections
        if isinstance(collection, LineCollection)
        for segment in collection.get_segments()
    ]


def joined(line):
    """The pairs of neighbouring points that a line connects."""
    points = np.column_stack(line.get_data())
    pairs = np.stack([points[:-1], points[1:]], axis=1)
    return pairs[np.isfinite(pairs).all(axis=(1, 2))]


def test_the_points_are_the_values_of_the_closed_form_and_the_limits_at_the_ends_of_cycles():
    (line,) = curves(plots.plot(DOUBLING, 70))
    pieces = np.split(np.column_stack(line.get_data()), np.flatnonzero(np.isnan(line.get_xdata())))
    pieces = [piece[~np.isnan(piece[:, 0])] for piece in pieces]
    assert len(pieces) == 3
    for piece, begin, length in zip(pieces, (0, 10, 30), (10, 20, 40), strict=True):
        assert (piece[0, 0], piece[-1, 0]) == (begin, begin + length)
        assert len(piece) > 200
        expected = [cosine_by_mpmath(0.05, 0.001, t - begin, length) for t in piece[:, 0]]
        np.testing.assert_allclose(piece[:, 1], expected, rtol=1e-14)
        assert (piece[0, 1], piece[-1, 1]) == (0.05, 0.001)


@pytest.mark.parametrize(
    ("schedule", "begins"),
    [(DOUBLING, [10, 30, 70, 150]), (multistep(0.1, [60, 120, 160], gamma=0.2), [60, 120, 160])],
)
def test_no_line_crosses_a_jump_and_both_of_its_sides_are_drawn(schedule, begins):
    axes = plots.plot(schedule, 200)
    (line,) = curves(axes)
    for before, after in joined(line):
        assert not any(before[0] < begin <= after[0] and after[1] == schedule(begin) for begin in begins)
    drawn = set(zip(*line.get_data(), strict=True))
    for begin in begins:
        assert {(begin, schedule.left(begin)), (begin, schedule(begin))} <= drawn
    assert jumps(axes) == [[[begin, schedule.left(begin)], [begin, schedule(begin)]] for begin in begins]


def test_cycles_that_meet_are_one_line():
    axes = plots.plot(linear(0, 0.1, 5) >> cosine(0.1, 0, 195))
    (line,) = curves(axes)
    assert np.isfinite(line.get_ydata()).all()
    assert jumps(axes) == []


def test_restarts_and_snapshots_are_marked_where_they_are():
    axes = plots.plot(linear(0, 0.05, 5) >> DOUBLING, 200)
    assert marks(axes, "restarts") == [[(15, 0.05), (35, 0.05), (75, 0.05), (155, 0.05)]]
    assert marks(axes, "snapshots") == [[(15, 0.001), (35, 0.001), (75, 0.001), (155, 0.001)]]
    restarts, snapshots = (next(line for line in axes.lines if line.get_gid() == g) for g in ("restarts", "snapshots"))
    assert restarts.get_markerfacecolor() != snapshots.get_markerfacecolor()


def test_a_snapshot_at_a_time_that_no_float_holds_is_drawn_at_the_end_of_its_cycle():
    axes = plots.plot(warm_restarts(1, T_0=Fraction(10, 3)), 7)
    assert marks(axes, "snapshots") == [[(10 / 3, 0.0), (20 / 3, 0.0)]]


def test_there_are_no_marks_without_marks():
    assert len(plots.plot(DOUBLING, 200, marks=False).lines) == 1
    assert len(plots.plot(warm_restarts(1, T_0=1), 200).lines) == 1, "more marks than anyone can tell apart"


def test_the_legend_names_the_schedules_and_the_marks():
    def legend(*args):
        return [text.get_text() for text in plots.plot(*args).get_legend().get_texts()]

    meaning = ["restart", "checkpoint: the model to keep"]
    assert legend(DOUBLING) == [str(DOUBLING), *meaning]
    assert legend([cosine(1, 0, 9), step(1, 3)]) == ["cosine(1, 0, 9)", "step(1, 3)"], "a decay has no mark"
    assert legend({"ours": step(1, 3)}) == ["ours"]


def test_several_schedules_differ_in_colour_line_and_marker():
    schedules = list(paper_schedules().values())[2:]
    lines = curves(plots.plot(schedules, 200))
    for what in ("get_color", "get_linestyle", "get_marker"):
        assert len({getattr(line, what)() for line in lines}) > 3, what
    axes = plots.plot(schedules[0], 200)
    plots.plot(schedules[1], 200, axes)
    one, other = curves(axes)
    assert one.get_color() != other.get_color()


def test_axes_are_named():
    axes = cosine(0.1, 0, 200).plot(time="epoch", rate="learning rate (per sample)")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "learning rate (per sample)")
    assert plots.plot(cosine(1, 0, 9)).get_xlabel() == "time"


@pytest.mark.parametrize(
    ("schedule", "until"),
    [
        (cosine(1, 0, 9), 9),
        (DOUBLING, 150),
        (step(1, 10), 40),
        (cosine(1, 0, 10).beyond("mirror"), 40),
        (multistep(0.1, [60, 120, 160]), 200),
    ],
)
def test_the_end_of_a_picture_need_not_be_given(schedule, until):
    (line,) = curves(plots.plot(schedule))
    assert line.get_xdata()[-1] == until


def test_after_its_end_a_schedule_is_held_or_not_drawn():
    held, refused = (curves(plots.plot(cosine(1, 0.5, 9).beyond(policy), 20))[0] for policy in ("hold", "raise"))
    assert (held.get_xdata()[-1], held.get_ydata()[-1]) == (20, 0.5)
    assert (refused.get_xdata()[-1], refused.get_ydata()[-1]) == (9, 0.5)


def test_many_cycles_become_a_bounded_number_of_exact_points():
    axes = plots.plot(warm_restarts(1, T_0=1, eta_max_factor=0.999), 1e6, points=300)
    (line,) = axes.lines
    times, values = line.get_data()
    assert len(times) == 300
    assert line.get_linestyle() == "None"
    run = np.floor(times)
    expected = [0.999**i * cosine_by_mpmath(1, 0, t - i, 1) for t, i in zip(times, run, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-300)


def test_what_cannot_be_drawn_is_an_error():
    with pytest.raises(ScheduleError, match="until must be above 0"):
        plots.plot(DOUBLING, 0)
    with pytest.raises(ScheduleError, match="only finite values can be drawn"):
        plots.plot(1e308 * cosine(100, 0, 10))
    for nothing in ([], {}, ["cosine(1, 0, 9)"]):
        with pytest.raises(ScheduleError, match="schedules must be"):
            plots.plot(nothing)


def torch_values(make):
    """The rates that a scheduler of PyTorch sets after steps 1 to 100, on an optimizer of its own."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(100):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def test_the_classic_panels_show_what_torch_does():
    schedulers = torch.optim.lr_scheduler
    peers = [
        lambda optimizer: schedulers.StepLR(optimizer, 10, 0.5),
        lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, 10, 1),
        lambda optimizer: schedulers.CosineAnnealingLR(optimizer, 10),
        lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, 10, 2),
    ]
    for axes, peer in zip(plots.classic().axes, peers, strict=True):
        curve, (dots,) = axes.lines[0], [line for line in axes.lines if line.get_gid() == "values"]
        assert dots.get_xdata().tolist() == list(range(1, 101))
        np.testing.assert_allclose(dots.get_ydata(), torch_values(peer), rtol=1e-12, atol=1e-14)
        assert curve.get_ydata()[0] == 2
        shown = parse(axes.get_title().partition("\n")[2])
        np.testing.assert_array_equal(shown(np.arange(1, 101)), dots.get_ydata())


# For each curve its values at epochs 0, 59, 60, 199: a number, or (time since the last restart, length of the run).
PAPER = {
    "step 0.1": (0.1, 0.1, 0.02, 0.0008),
    "step 0.05": (0.05, 0.05, 0.01, 0.0004),
    "restarts 50 x1": ((0, 50), (9, 50), (10, 50), (49, 50)),
    "restarts 100 x1": ((0, 100), (59, 100), (60, 100), (99, 100)),
    "restarts 200 x1": ((0, 200), (59, 200), (60, 200), (199, 200)),
    "restarts 1 x2": ((0, 1), (28, 32), (29, 32), (72, 128)),
    "restarts 10 x2": ((0, 10), (29, 40), (30, 40), (49, 160)),
}
RESTARTS = [[], [], [50, 100, 150], [100], [], [1, 3, 7, 15, 31, 63, 127], [10, 30, 70, 150]]


@pytest.mark.parametrize("budget", [200, 50])
def test_the_seven_curves_of_the_paper_have_its_values(budget):
    schedules = paper_schedules(budget)
    assert list(schedules) == list(PAPER)
    for name, values in PAPER.items():
        for epoch, value in zip((0, 59, 60, 199), values, strict=True):
            expected = cosine_by_mpmath(0.05, 0, *value) if isinstance(value, tuple) else value
            assert schedules[name](Fraction(epoch * budget, 200)) == pytest.approx(expected, rel=1e-13), (name, epoch)


def test_the_lengths_of_the_paper_are_scaled_exactly():
    assert paper_schedules(63)["step 0.1"] == multistep(0.1, [18.9, 37.8, 50.4], gamma=0.2)
    assert paper_schedules(25)["restarts 10 x2"].restarts(until=18.75) == [1.25, 3.75, 8.75]
    with pytest.raises(ScheduleError, match="budget must be above 0"):
        paper_schedules(0)


def test_the_figure_of_the_paper_draws_its_seven_curves_with_their_marks():
    panels = plots.paper().axes
    for axes, (name, values), restarts in zip(panels, PAPER.items(), RESTARTS, strict=True):
        assert axes.get_title().startswith(f"{name}:")
        (line,) = curves(axes)
        assert (line.get_xdata()[0], line.get_xdata()[-1]) == (0, 200)
        assert line.get_ydata()[0] == (0.05 if isinstance(values[0], tuple) else values[0])
        at = [0, *restarts] if isinstance(values[0], tuple) else [0, 60, 120, 160]
        assert [x[0][0] for x in jumps(axes)] == at[1:]
        assert [[t for t, _ in points] for points in marks(axes, "restarts")] == ([restarts] if restarts else [])
        ends = [*restarts, 200] if name.endswith("0 x1") and restarts else restarts  # one cosine has no marks
        assert [[t for t, _ in points] for points in marks(axes, "snapshots")] == ([ends] if ends else [])
    assert [text.get_text() for text in panels[0].texts] == ["0.0008", "0.004", "0.02", "0.1"]


def test_saving_is_all_or_nothing(tmp_path, monkeypatch):
    figure = plots.plot(DOUBLING).figure
    plots.save(figure, tmp_path / "curve.png")
    plots.save(figure, tmp_path / "curve.SVG")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(tmp_path / "curve.SVG").getroot().tag.endswith("svg")

    def fail(path, **options):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="no space left"):
        plots.save(figure, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.SVG", "curve.png"]


def test_a_picture_needs_a_known_suffix_and_a_directory(tmp_path):
    for path, message in (
        ("curve.gif", r"\.png, \.svg or \.pdf"),
        ("curve", r"\.png, \.svg or \.pdf"),
        ("no/curve.png", "directory"),
    ):
        with pytest.raises(ScheduleError, match=message):
            plots.save(plots.plot(DOUBLING).figure, tmp_path / path)


def test_a_notebook_shows_a_curve():
    assert ElementTree.fromstring(DOUBLING._repr_svg_()).tag.endswith("svg")


def test_a_notebook_shows_text_without_matplotlib(without_matplotlib):
    assert DOUBLING._repr_svg_() is None


def test_drawing_leaves_matplotlib_as_it_was():
    code = (
        "import sys, matplotlib\n"
        "def settings(): return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = settings()\n"
        "from annealing import cosine, plots\n"
        "cosine(1, 0, 9)._repr_svg_(); plots.paper()\n"
        "print(settings() == before, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_a_picture_is_the_current_figure_of_pyplot_so_that_show_and_savefig_find_it(tmp_path):
    import matplotlib.pyplot as plt

    axes = cosine(0.1, 0, 200).plot(title="one cosine")
    assert plt.gcf() is axes.figure
    assert axes.figure.get_suptitle() == "one cosine"
    plt.savefig(tmp_path / "picture.pdf")
    assert (tmp_path / "picture.pdf").read_bytes().startswith(b"%PDF")


def test_the_axis_of_a_plan_is_in_its_unit_and_the_values_are_those_of_its_updates():
    plan = Plan(examples=50_000, batch=128, epochs=200)  # 391 updates an epoch
    schedule = linear(0, 0.1, "5%") >> cosine(0.1, 0, "95%")
    (line,) = curves(plots.plot(schedule, plan=plan, time="epoch"))
    epochs, values = line.get_data()
    assert (epochs[0], epochs[-1]) == (0, 200)
    np.testing.assert_allclose(values, plan.resolve(schedule)(epochs * 391), rtol=1e-12, atol=1e-17)


def test_a_logarithmic_axis():
    assert step(0.1, 30).plot(until=100, yscale="log").get_yscale() == "log"


def test_the_paper_s_seven_in_one_picture():
    (axes,) = plots.paper(together=True).axes
    assert [line.get_label() for line in curves(axes)] == list(paper_schedules())
