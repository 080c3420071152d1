"""The sentence that answers the question, and what the numbers show and no more."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..convex_bound import pairs_in_order
from .serialize import points, ratio, result, with_ends
from .statistics import CONFIDENCE, EASED, RANGE, SIGNIFICANT, WINDOW, Interval
from .table import Line, Table
from .tuning import dropped

Difference = tuple[str, Interval | None, float | None]  # of what, from something else, and the p value


def error_title(table: Table) -> str:
    """What is compared."""
    if table.test_images is not None:
        return f"Error, % of {table.test_images:,} test images"
    name = table.name.capitalize()
    return name if table.metric == "error" else f"{name} ({table.better}er is better)"


def named(table: Table, line: Line) -> str:
    """The title of a schedule, with its number of seeds where that is not the table's."""
    return line.title if line.seeds == table.seeds else f"{line.title} ({_count(line.seeds, 'seed')})"


def of_seeds(table: Table) -> str:
    """What an estimate and its interval are."""
    if table.seeds == 1:
        return "one seed"
    interval = "range" if table.seeds <= RANGE else f"{CONFIDENCE:.0%} bootstrap interval"
    return f"median over {table.seeds} seeds [{interval}]"


def answer(table: Table) -> str:
    """One sentence that answers the question that a comparison asks."""
    best, base = table.ranked[0], table.line(table.baseline)
    title, error = _quoted(base.title), f"{points(base.error)}{table.unit}"
    if len(table.lines) == 1:
        article = "an" if table.name[0] in "aeiou" else "a"
        return f"{title} ends at {article} {table.name} of {error}; it was compared with nothing."
    if table.seeds == 1:
        extreme = "lowest" if table.better == "low" else "highest"
        return (
            f"One seed cannot tell a difference from chance: the {extreme} {table.name} is {points(best.error)}"
            f"{table.unit}, of {_quoted(best.title)}; the baseline {title} has {error}."
        )
    others = [line for line in table.ranked if line is not base]
    better = [_with_less(line) for line in others if line.verdict == "better"]
    worse = sum(line.verdict == "worse" for line in others)
    tuned = f"tuned {table.tuned['argument']}, " if table.tuned else ""
    setting = f"With {tuned}{base.epochs:.4g} epochs and {table.seeds} seeds"
    rest = f"; {worse} of {len(others)} {_are(worse)} significantly worse" if worse else ""
    if better:
        listed = " and ".join(filter(None, [", ".join(better[:-1]), better[-1]]))
        return f"{setting}, {listed} {_are(len(better))} significantly better than the baseline {title}{rest}."
    unit = "" if table.test_images is None else " points"
    return (
        f"{setting}, no schedule is significantly better than the baseline {title}; the best of the others is "
        f"{_with_less(others[0], unit)}{rest}."
    )


def _with_less(line: Line, unit: str = "") -> str:
    return f"{_quoted(line.title)} (difference {points(line.less_baseline, signed=True)}{unit})"


def closing(table: Table) -> list[str]:
    """What the numbers show, in paragraphs."""
    parts = [_finished(table), _diverged(table)]
    if table.seeds > 1:
        parts += [*_errors(table), _level(table), *_earlier(table), *_matched(table), *_run_ends(table)]
        parts += [_predicted(table)]
    return [part for part in [*parts, _cut(table), _seeds(table), _images(table), _tuned(table)] if part]


def _finished(table: Table) -> str:
    if table.finished == table.trials:
        return ""
    fewer = [f"{_quoted(line.title)} {line.seeds}" for line in table.lines if line.seeds < table.seeds]
    those = f"; some have fewer, and are compared over these: {', '.join(fewer)}" if fewer else ""
    return (
        f"Not finished: this covers {table.finished} of {table.trials} trials, for the "
        f"{_count(table.seeds, 'seed')} that the baseline has completed{those}."
    )


def _diverged(table: Table) -> str:
    cases = [f"{_quoted(line.title)} with seed {seed}" for line in table.lines for seed in line.diverged]
    counted = f"the worst {table.name} of all" if table.test_images is None else "an error of 100 %"
    return _paragraph(f"Diverged, and counted as {counted} from there on", ", ".join(cases))


def _errors(table: Table) -> list[str]:
    title = _quoted(table.line(table.baseline).title)
    less = [(_quoted(line.title), line.less_baseline, line.baseline_p_value) for line in table.lines]
    compared = sum(difference is not None for _, difference, _ in less)
    if not compared:
        return []
    corrected = f", corrected for the number of comparisons ({compared} with the baseline)," if compared > 1 else ""
    return [
        f"Difference from the baseline, {title}: {_significance(table, less)}.",
        f"Differences are paired by seed. One is called significant if a paired t-test{corrected} gives "
        f"p < {SIGNIFICANT}.",
    ]


def _level(table: Table) -> str:
    plain = any(line.kind in ("step decay", "constant") for line in table.lines)
    window = min(WINDOW, max(1, int(table.budget)))
    hindsight = (
        " A schedule without cycles reaches it (a) at the end of its epochs, or (b), in hindsight, at the first epoch "
        f"whose mean with the {window - 1} before it is at the level."
    )
    return (
        f"The level, {result(table.level)}{table.unit}, is the median over the seeds of the mean {table.name} of "
        f"{_quoted(table.line(table.baseline).title)} in its last {window} epochs. A schedule that comes down reaches "
        f"it at the end of a cycle, where its model is the one to keep.{hindsight if plain and window > 1 else ''}"
    )


def _earlier(table: Table) -> list[str]:
    """The first part of the paper's claim: fewer epochs than the baseline takes."""
    restarting = [line for line in table.lines if line.restarts and line.key != table.baseline]
    if not restarting:
        return []

    def ratios(name: str, budget: float) -> str:
        """A ratio has no p value: it is judged by whether its interval leaves out 1."""
        found = []
        for line in restarting:
            value, least = getattr(line, name), budget / line.epochs
            written = with_ends(value, lambda end, least=least: ratio(end, least))  # type: ignore[misc]
            said = ("fewer epochs" if value.middle > 1 else "more epochs") if value.beside(1) else ""
            found.append((said, f"{_quoted(line.title)} ratio {written}"))
        return _grouped(found, ["more epochs", "fewer epochs"], "no clear difference")

    ways = f"(a) against its {table.budget:.4g} epochs, {ratios('speed_up', table.budget)}"
    if table.hindsight < table.budget:
        ways += f"; (b) against the {table.hindsight:.4g} after which it could have been stopped, "
        ways += ratios("hindsight_speed_up", table.hindsight)
    title = _quoted(table.line(table.baseline).title)
    paragraphs = [f"Epochs that restarts need to reach the level of {title}: {ways}."]
    if table.test_images is not None:
        paragraphs.append(f"At a level {EASED} points higher: (a) {ratios('eased_speed_up', table.budget)}.")
    return paragraphs


def _matched(table: Table) -> list[str]:
    """The second part of the claim: against a decay matched to the same number of epochs, and at any moment."""
    cosine = [(_quoted(line.title), line.less_cosine, line.cosine_p_value) for line in table.lines if line.restarts]
    anytime = [(_quoted(line.title), line.anytime_less_baseline, line.anytime_p_value) for line in table.lines]
    return [
        _paragraph("Restarts against a cosine of the same length", _significance(table, cosine)),
        _paragraph(
            "If training may be stopped at any moment after the first cycle, a schedule with restarts has the model "
            "from the end of its last cycle, and the baseline its latest. Difference from the baseline, averaged over "
            "the logarithm of the epochs",
            _significance(table, anytime),
        ),
    ]


def _run_ends(table: Table) -> list[str]:
    """What a user has who stops at the end of a cycle, against what they would have had otherwise."""
    others = {
        "the baseline at the same epoch": [(end.less_baseline, end.baseline_p_value) for end in table.run_ends],
        "a step decay of the same length": [(end.less_step, end.step_p_value) for end in table.run_ends],
        "a cosine of the same length": [(end.less_cosine, end.cosine_p_value) for end in table.run_ends],
    }
    names = {"worse": "significantly worse", "better": "significantly better", "": "no significant difference"}
    found = []
    for other, differences in others.items():
        said = [table.verdict(*difference) for difference in differences if difference[0]]
        counts = [f"{name} at {said.count(word)} of {len(said)}" for word, name in names.items() if word in said]
        found.append(_paragraph(f"At the ends of cycles, against {other}", ", ".join(counts)))
    # the ensembles, at the end of each schedule's last cycle
    together = [
        (f"{end.models} of {_quoted(table.line(key).title)}", end.less_single, end.single_p_value)
        for key, end in {end.key: end for end in table.run_ends}.items()
    ]
    subject = "The last models averaged, against the last alone, from the same training"
    return [*found, _paragraph(subject, _significance(table, together))]


def _predicted(table: Table) -> str:
    """How well theory had foreseen the order."""
    known = [(line.bound, table.sign * line.error.middle) for line in table.lines if line.bound is not None]
    right, pairs = pairs_in_order([bound for bound, _ in known], [error for _, error in known])
    if len(known) < 3 or not pairs:
        return ""
    return (
        f"The bound of convex theory, which needs no training, has the order of {right} of {pairs} pairs right, of the "
        f"{len(known)} schedules that are as long as the baseline."
    )


def _cut(table: Table) -> str:
    """What is trained after the last completed cycle is paid for, and gives no model to keep."""
    cut = [
        f"{_quoted(line.title)} (cycle ends at {line.kept_at:.4g} of {line.epochs:.4g} epochs)"
        for line in table.lines
        if line.restarts and line.kept_at < line.epochs
    ]
    subject = "Trained past the end of the last completed cycle, which gives no model to keep"
    return _paragraph(subject, ", ".join(cut))


def _seeds(table: Table) -> str:
    if table.seeds == 1:
        return "One seed gives no interval: no difference here can be told from chance."
    if table.seeds > RANGE:
        return ""
    holds = 1 - 2.0 ** (1 - table.seeds)
    return (
        f"With {table.seeds} seeds, the bootstrap interval of a median is the range of the seeds. Such a range "
        f"contains the true median with a probability of {100 * holds:.3g} %, not {100 * CONFIDENCE:.0f} %."
    )


def _images(table: Table) -> str:
    """What the number of test images allows."""
    if table.test_images is None:
        return ""
    share = table.level / 100
    deviation = 100 * math.sqrt(share * (1 - share) / table.test_images)
    said = (
        f"One test image is {100 / table.test_images:.2f} points. The choice of these {table.test_images:,} test "
        f"images gives an error of {table.level:.2f} % a standard error of {deviation:.2f} points; more seeds will not "
        "reduce this."
    )
    less = [(line.less_baseline, line.baseline_p_value) for line in table.lines if line.restarts]
    less += [(line.less_cosine, line.cosine_p_value) for line in table.lines if line.restarts]
    known = [(difference, chance) for difference, chance in less if difference]
    clear = sum(bool(table.verdict(*one)) and abs(one[0].middle) >= 2 * deviation for one in known)
    if not known:
        return said
    if not clear:
        return (
            f"{said} No difference of a schedule with restarts is significant and twice as large as that: this is no "
            "evidence for or against restarts on other images."
        )
    return (
        f"{said} Of {len(known)} differences of schedules with restarts, {clear} {_are(clear)} significant and at "
        "least twice as large as that."
    )


def _tuned(table: Table) -> str:
    """What was tuned, with the result of every value, and whether the grid was wide enough."""
    if not table.tuned:
        return "No learning rate was tuned here: other peaks may give another order."
    name, chosen = table.tuned["argument"], table.tuned["chosen"]
    found, edges, less = [], [], dropped(table.tuned)
    for line in (line for line in table.lines if line.key in chosen):
        results = table.tuned["results"][line.key]
        tried = [f"{result(measured)}{table.unit} at {value:g}" for value, measured in results]
        for value, epochs in less[line.key].items():
            tried.append(f"{value:g} dropped after {epochs:g} epoch{'' if epochs == 1 else 's'}")
        found.append(f"{chosen[line.key]:g} for {_quoted(line.title)} ({', '.join(tried)})")
        values = [*(value for value, _ in results), *less[line.key]]
        if chosen[line.key] in (min(values), max(values)):
            edges.append(_quoted(line.title))
    edge = f" At the edge of the grid, so that a wider one may be better: {', '.join(edges)}." if edges else ""
    return f"{name} was tuned for each schedule on data held out of training: {'; '.join(found)}.{edge}"


def _significance(table: Table, differences: Iterable[Difference]) -> str:
    """Which of the differences that are known are significant and which are not."""
    found, tested = [], False
    for name, difference, chance in differences:
        if difference:
            said = table.verdict(difference, chance)
            found.append((said and f"significantly {said}", f"{name} {points(difference, signed=True)}"))
            tested |= chance is not None
    # a schedule that is finished for one seed has a difference, and no test of it
    nothing = "no significant difference" if tested else "no clear difference"
    return _grouped(found, ["significantly worse", "significantly better"], nothing)


def _grouped(found: Sequence[tuple[str, str]], groups: Sequence[str], nothing: str) -> str:
    """What belongs to each group; the others, whose group is an empty text, are counted."""
    members = {group: [text for said, text in found if said == group] for group in groups}
    parts = [f"{group}: {', '.join(texts)}" for group, texts in members.items() if texts]
    unsure = [text for said, text in found if not said]
    number = f" {len(unsure)}" if len(unsure) > 1 else ""
    if unsure and parts:
        parts.append(f"{nothing} for the other{number}")
    elif unsure:
        parts.append(f"{nothing} for any of the{number}" if number else f"{nothing}: {unsure[0]}")
    return "; ".join(parts)


def _paragraph(subject: str, said: str) -> str:
    return f"{subject}: {said}." if said else ""


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _quoted(title: str) -> str:
    return f"“{title}”"
