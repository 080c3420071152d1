"""The sentence that answers the question, and what the numbers show and no more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..convex_bound import pairs_in_order
from .serialize import points, ratio, result, with_ends
from .statistics import CONFIDENCE, EASED, RANGE, SIGNIFICANT, WINDOW, Interval
from .table import Line, Table
from .tuning import dropped

UNTUNED = "No learning rate was tuned here: other peaks may give another order."


class Compared(NamedTuple):
    """One comparison in words: of what, the difference and how it is written, and the chance of it if nothing differs.

    A ratio of epochs has no such chance, and is judged by whether its interval leaves out 1.
    """

    name: str
    difference: Interval
    written: str
    chance: float | None


def error_title(table: Table) -> str:
    """What is compared."""
    if table.test_images is not None:
        return f"Error, % of {table.test_images:,} test images"
    name = table.metric.replace("_", " ").capitalize()
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
    title, name = _quoted(base.title), table.metric.replace("_", " ")
    extreme = "lowest" if table.better == "low" else "highest"
    if len(table.lines) == 1:
        error = f"{points(base.error)}{table.unit}"
        return f"{title} ends at {_article(name)} {name} of {error}; it was compared with nothing."
    if table.seeds == 1:
        return (
            f"One seed cannot tell a difference from chance: the {extreme} {name} is {points(best.error)}{table.unit}, "
            f"of {_quoted(best.title)}; the baseline {title} has {points(base.error)}{table.unit}."
        )
    compared = [line for line in table.ranked if line.key != table.baseline]
    better = [line for line in compared if line.verdict == "better"]
    worse = sum(line.verdict == "worse" for line in compared)
    tuned = f"tuned {table.tuned['argument']}, " if table.tuned else ""
    setting = f"With {tuned}{base.epochs:.4g} epochs and {table.seeds} seeds"
    rest = f"; {worse} of {len(compared)} {'is' if worse == 1 else 'are'} significantly worse" if worse else ""
    if better:
        listed = " and ".join(filter(None, [", ".join(map(_with_less, better[:-1])), _with_less(better[-1])]))
        verb = "is" if len(better) == 1 else "are"
        return f"{setting}, {listed} {verb} significantly better than the baseline {title}{rest}."
    first = compared[0]
    return (
        f"{setting}, no schedule is significantly better than the baseline {title}; the best of the others is "
        f"{_with_less(first, table)}{rest}."
    )


def _with_less(line: Line, table: Table | None = None) -> str:
    unit = " points" if table is not None and table.test_images is not None else ""
    return f"{_quoted(line.title)} (difference {points(line.less_baseline, signed=True)}{unit})"


def closing(table: Table) -> list[str]:
    """What the numbers show, in paragraphs."""
    parts = [_finished(table), _diverged(table)]
    if table.seeds > 1:
        parts += [_errors(table), _test(table), _level(table), *_earlier(table), _matched(table), _anytime(table)]
        parts += [*_run_ends(table), _together(table), _predicted(table)]
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


def _errors(table: Table) -> str:
    compared = [
        Compared(_quoted(line.title), line.less_baseline, points(line.less_baseline, True), line.baseline_p_value)
        for line in table.lines
        if line.less_baseline
    ]
    title = _quoted(table.line(table.baseline).title)
    return f"Difference from the baseline, {title}: {_listed(table, compared)}." if compared else ""


def _test(table: Table) -> str:
    compared = sum(line.less_baseline is not None for line in table.lines)
    if not compared:
        return ""
    corrected = f", corrected for the number of comparisons ({compared} with the baseline)," if compared > 1 else ""
    return (
        f"Differences are paired by seed. One is called significant if a paired t-test{corrected} gives "
        f"p < {SIGNIFICANT}."
    )


def _level(table: Table) -> str:
    title = table.line(table.baseline).title
    plain = any(line.kind in ("step decay", "constant") for line in table.lines)
    window = min(WINDOW, max(1, int(table.budget)))
    hindsight = (
        " A schedule without cycles reaches it (a) at the end of its epochs, or (b), in hindsight, at the first epoch "
        f"whose mean with the {window - 1} before it is at the level."
    )
    return (
        f"The level, {result(table.level)}{table.unit}, is the median over the seeds of the mean {_name(table)} of "
        f"{_quoted(title)} in its last {window} epochs. A schedule that comes down reaches it at the end of a cycle, "
        f"where its model is the one to keep.{hindsight if plain and window > 1 else ''}"
    )


def _cut(table: Table) -> str:
    """What is trained after the last completed cycle is paid for, and gives no model to keep."""
    cut = [
        f"{_quoted(line.title)} (cycle ends at {line.kept_at:.4g} of {line.epochs:.4g} epochs)"
        for line in table.lines
        if line.restarts and line.kept_at < line.epochs
    ]
    return (
        f"Trained past the end of the last completed cycle, which gives no model to keep: {', '.join(cut)}."
        if cut
        else ""
    )


def _earlier(table: Table) -> list[str]:
    """The first part of the paper's claim: fewer epochs than the baseline takes."""
    restarting = [line for line in table.lines if line.restarts and line.key != table.baseline]
    title = _quoted(table.line(table.baseline).title)
    if not restarting:
        return []

    def listed(name: str, most: float) -> str:
        compared = []
        for line in restarting:
            value, least = getattr(line, name), most / line.epochs
            written = with_ends(value, lambda found, least=least: ratio(found, least))  # type: ignore[misc]
            compared.append(Compared(_quoted(line.title), value, f"ratio {written}", None))
        return _listed(table, compared)

    parts = [f"(a) against its {table.budget:.4g} epochs, {listed('speed_up', table.budget)}"]
    if table.hindsight < table.budget:
        parts.append(
            f"(b) against the {table.hindsight:.4g} after which it could have been stopped, "
            f"{listed('hindsight_speed_up', table.hindsight)}"
        )
    paragraphs = [f"Epochs that restarts need to reach the level of {title}: {'; '.join(parts)}."]
    if restarting[0].eased_speed_up is not None:
        paragraphs.append(f"At a level {EASED} points higher: (a) {listed('eased_speed_up', table.budget)}.")
    return paragraphs


def _matched(table: Table) -> str:
    """The second part of the claim: against a decay matched to the same number of epochs."""
    compared = [
        Compared(_quoted(line.title), line.less_cosine, points(line.less_cosine, True), line.cosine_p_value)
        for line in table.lines
        if line.restarts and line.less_cosine
    ]
    return f"Restarts against a cosine of the same length: {_listed(table, compared)}." if compared else ""


def _anytime(table: Table) -> str:
    """What a user has on average who may have to stop at any moment."""
    compared = [
        Compared(
            _quoted(line.title),
            line.anytime_less_baseline,
            points(line.anytime_less_baseline, True),
            line.anytime_p_value,
        )
        for line in table.lines
        if line.anytime_less_baseline
    ]
    if not compared:
        return ""
    return (
        "If training may be stopped at any moment after the first cycle, a schedule with restarts has the model from "
        "the end of its last cycle, and the baseline its latest. Difference from the baseline, averaged over the "
        f"logarithm of the epochs: {_listed(table, compared)}."
    )


def _run_ends(table: Table) -> list[str]:
    """What a user has who stops at the end of a cycle, against what they would have had otherwise."""
    others = {
        "the baseline at the same epoch": "baseline",
        "a step decay of the same length": "step",
        "a cosine of the same length": "cosine",
    }
    found = []
    for other, name in others.items():
        said = [
            table.verdict(getattr(end, f"less_{name}"), getattr(end, f"{name}_p_value"))
            for end in table.run_ends
            if getattr(end, f"less_{name}")
        ]
        if said:
            names = {
                "worse": "significantly worse at",
                "better": "significantly better at",
                "": "no significant difference at",
            }
            counts = [f"{words} {said.count(word)} of {len(said)}" for word, words in names.items() if said.count(word)]
            found.append(f"At the ends of cycles, against {other}: {', '.join(counts)}.")
    return found


def _together(table: Table) -> str:
    """The ensembles, at the end of each schedule's last cycle."""
    last = {end.key: end for end in table.run_ends}
    compared = [
        Compared(
            f"{end.models} of {_quoted(table.line(key).title)}",
            end.less_single,
            points(end.less_single, True),
            end.single_p_value,
        )
        for key, end in last.items()
        if end.less_single
    ]
    if not compared:
        return ""
    return f"The last models averaged, against the last alone, from the same training: {_listed(table, compared)}."


def _predicted(table: Table) -> str:
    """How well theory had foreseen the order."""
    known = [(line.bound, line.error.middle) for line in table.lines if line.bound is not None]
    if len(known) < 3:
        return ""
    sign = 1 if table.better == "low" else -1
    right, pairs = pairs_in_order([bound for bound, _ in known], [sign * error for _, error in known])
    return (
        f"The bound of convex theory, which needs no training, has the order of {right} of {pairs} pairs right, of the "
        f"{len(known)} schedules that are as long as the baseline."
        if pairs
        else ""
    )


def _listed(table: Table, compared: Sequence[Compared]) -> str:
    """Which comparisons are significant and which are not."""
    ratios = all(one.chance is None for one in compared)
    groups: dict[str, list[str]] = {"more epochs": [], "fewer epochs": []} if ratios else {"worse": [], "better": []}
    unsure = 0
    for one in compared:
        said = table.verdict(one.difference, one.chance)
        if ratios and one.difference.beside(1):
            said = "fewer epochs" if one.difference.middle > 1 else "more epochs"
        if said:
            groups[said].append(f"{one.name} {one.written}")
        else:
            unsure += 1
    adverb = "" if ratios else "significantly "
    sure = [f"{adverb}{name}: {', '.join(names)}" for name, names in groups.items() if names]
    nothing = "no clear difference" if ratios else "no significant difference"
    number = f" {unsure}" if unsure > 1 else ""
    others = (
        f" for the other{number}"
        if sure
        else f" for any of the{number}"
        if number
        else f": {compared[0].name} {compared[0].written}"
    )
    return "; ".join([*sure, *([f"{nothing}{others}"] if unsure else [])])


def _diverged(table: Table) -> str:
    cases = [f"{_quoted(line.title)} with seed {seed}" for line in table.lines for seed in line.diverged]
    counted = f"the worst {_name(table)} of all" if table.test_images is None else "an error of 100 %"
    return f"Diverged, and counted as {counted} from there on: {', '.join(cases)}." if cases else ""


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
    less = [
        (difference, chance)
        for line in table.lines
        for difference, chance in (
            (line.less_baseline, line.baseline_p_value),
            (line.less_cosine, line.cosine_p_value),
        )
        if line.restarts and difference
    ]
    clear = [
        difference
        for difference, chance in less
        if table.verdict(difference, chance) and abs(difference.middle) >= 2 * deviation
    ]
    if not less:
        return said
    if not clear:
        return (
            f"{said} No difference of a schedule with restarts is significant and twice as large as that: this is no "
            "evidence for or against restarts on other images."
        )
    return (
        f"{said} Of {len(less)} differences of schedules with restarts, {len(clear)} "
        f"{'is' if len(clear) == 1 else 'are'} significant and at least twice as large as that."
    )


def _tuned(table: Table) -> str:
    """What was tuned, with the result of every value, and whether the grid was wide enough."""
    if not table.tuned:
        return UNTUNED
    name, chosen = table.tuned["argument"], table.tuned["chosen"]
    found, edges, less = [], [], dropped(table.tuned)
    for line in (line for line in table.lines if line.key in chosen):
        results = table.tuned["results"][line.key]
        tried = [f"{result(measured)}{table.unit} at {value:g}" for value, measured in results]
        tried += [
            f"{value:g} dropped after {epochs:g} epoch{'' if epochs == 1 else 's'}"
            for value, epochs in less[line.key].items()
        ]
        found.append(f"{chosen[line.key]:g} for {_quoted(line.title)} ({', '.join(tried)})")
        values = [*(value for value, _ in results), *less[line.key]]
        if chosen[line.key] in (min(values), max(values)):
            edges.append(_quoted(line.title))
    edge = f" At the edge of the grid, so that a wider one may be better: {', '.join(edges)}." if edges else ""
    return f"{name} was tuned for each schedule on data held out of training: {'; '.join(found)}.{edge}"


def _name(table: Table) -> str:
    return table.metric.replace("_", " ")


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _quoted(title: str) -> str:
    return f"“{title}”"
