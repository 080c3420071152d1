"""`annealing audit`."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..calls import did_you_mean
from ..errors import ScheduleError
from ..options import InputError, annotation, plan_options, planned
from ..printing import percent
from . import Log, LogError, Recovered, Verdict, formats, read, recover
from . import audit as held_against
from .coverage import LEAST_ROWS, coverage, in_unit, is_followed, source, source_sentence
from .faults import course, landmarks, multiplied_until
from .log import evidence, group_number
from .verdict import listed

SHOWN = 10  # of the alternatives
STATUS = {"follows": 0, "departs": 1, "no verdict": 2}


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--expect",
    metavar="NOTATION",
    help="The intended schedule, in the unit of the log's clock; with the options of a plan, in updates.",
)
@click.option(
    "--expect-from",
    "configuration",
    metavar="FILE",
    help="Instead of --expect: the configuration of the run (.yaml, .json, .toml), as `annealing translate` reads it.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A value that --expect-from lacks; repeatable."
)
@click.option(
    "--format",
    "forms",
    metavar="NAME",
    multiple=True,
    help="The format of the log; `github` also prints an annotation for GitHub.  [default: found from the file]",
)
@click.option(
    "--columns", multiple=True, metavar="KIND=NAME", help="A column: update=NAME, epoch=NAME or rate=NAME; repeatable."
)
@click.option("--unit", type=click.Choice(["update", "epoch"]), help="The unit of the schedule, if the log has both.")
@click.option("--group", metavar="GROUP", default="0", help="The param group, by name or number.  [default: the first]")
@click.option("--strict", is_flag=True, help="Accept no trainer's habit that departs from the schedule.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--out", type=Path, metavar="FILE", help="Also draw a picture (.png or .svg).")
@plan_options
def audit(
    logs: tuple[Path, ...],
    expect: str | None,
    configuration: str | None,
    settings: tuple[str, ...],
    forms: tuple[str, ...],
    columns: tuple[str, ...],
    unit: str | None,
    group: str,
    strict: bool,
    as_json: bool,
    out: Path | None,
    **plan: Any,
) -> None:
    """Check the learning rates of a log against a schedule.

    Several LOGs are those of one resumed run, in order. Exit status: 0 the run follows the schedule, 1 it departs, 2
    there is no verdict. Without --expect, print the schedule that the log follows, if one is found.
    """
    if expect is None and any(value is not None for value in plan.values()):
        raise click.UsageError("the options of a plan need --expect: they say how many updates its durations are")
    intended = None if expect is None else planned([expect], plan, "--expect")[0][0]
    if configuration is not None:
        if expect is not None:
            raise click.UsageError("give --expect or --expect-from, not both")
        from ..translation.translate_command import configured

        intended = configured(configuration, settings, logs[0])
    if out is not None:
        from ..plots import picture_path

        picture_path(out)
    github = "github" in forms
    try:
        log = _read(logs, next((form for form in forms if form != "github"), None), _columns(columns))
        number = group_number(log, int(group) if group.isdecimal() and group not in log.groups else group)
        if intended is None:
            log = in_unit(log, unit) if unit == "update" else log
            recovered = recover(log, number, unit)
            told, status = _recovered(log, number, recovered)
        else:
            verdict = held_against(in_unit(log, unit), intended, group=number, strict=strict)
            if unit is None and not verdict.follows:
                verdict = replace(verdict, notes=(*verdict.notes, *_other_unit(log, verdict)))
            told, status = (json.loads(verdict.to_json()), _text(verdict)), STATUS[verdict.status]
    except (LogError, ScheduleError) as error:
        raise InputError(str(error)) from None
    except click.ClickException:
        raise
    except Exception as error:  # whatever happens, exit status 1 means that the run departs
        raise InputError(f"no verdict, since something unexpected happened: {error!r}") from error
    click.echo(json.dumps(told[0], allow_nan=False) if as_json else told[1])
    if github and status:
        kind = "error" if status == 1 else "warning"
        click.echo(annotation(kind, f"file={logs[0]},title=annealing audit", told[1]))
    if out is not None:
        _draw(log, number, recovered if intended is None else verdict, out)
    click.get_current_context().exit(status)


def _other_unit(log: Log, verdict: Verdict) -> list[str]:
    """The hint that the rates are the schedule's with the other clock of the log, if they are."""
    number, peak = log.groups.index(verdict.group), float(np.max(np.abs(verdict.evidence.logged)))
    for unit in {"update", "epoch"} - {log.unit}:
        with contextlib.suppress(ScheduleError):
            if is_followed(in_unit(log, unit), course(verdict.schedule), number, peak):
                return [
                    f"With {unit}s as the clock the rates are the schedule's: if it is in {unit}s, add --unit {unit}."
                ]
    return []


def _draw(log: Log, number: int, found: Recovered | Verdict, out: Path) -> None:
    from ..plots import save
    from .picture import draw, draw_recovered

    try:
        save(draw_recovered(log, number, found) if isinstance(found, Recovered) else draw(found), out)
    except OSError as error:
        # Not click.FileError: its exit status 1 means that the run departs.
        raise InputError(f"{out} cannot be written: {error.strerror or error}") from None
    click.echo(out, err=True)


def _columns(given: tuple[str, ...]) -> dict[str, Any] | None:
    named: dict[str, list[str]] = {}
    for text in given:
        kind, equals, name = text.partition("=")
        if not equals or kind not in ("update", "epoch", "rate") or not name:
            raise click.UsageError(f"--columns must be update=NAME, epoch=NAME or rate=NAME, got {text!r}")
        named.setdefault(kind, []).append(name)
    return {kind: names if kind == "rate" else names[-1] for kind, names in named.items()} or None


def _read(logs: tuple[Path, ...], form: str | None, columns: dict[str, Any] | None) -> Log:
    """The log, with a bar on a terminal while it is read."""
    from rich.console import Console
    from rich.progress import Progress

    if form is not None and form not in formats():
        hint = did_you_mean(form, formats()) or f"; known are {', '.join(formats())}, github"
        raise click.UsageError(f"--format: unknown format {form!r}{hint}")
    with Progress(console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal) as bars:
        bar = bars.add_task("reading", total=None)

        def progress(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total)

        return read(logs, form, columns, progress=progress)


def _text(verdict: Verdict) -> str:
    lines = [*verdict.read_and_covered(), verdict.headline()]
    if not verdict.follows and verdict.faults:
        lines.append("")
        for fault in verdict.faults:
            left = f"{percent(fault.residual_before)} of the peak before, {percent(fault.residual_after)} after"
            lines.append(f"  {fault.phrase()}\n      largest difference: {left}\n      {fault.advice}")
        if verdict.equivalent:
            lines += ["", "The same schedule:", *(f"  {listed(faults)}" for faults in verdict.equivalent)]
        if verdict.others:
            lines += ["", "Explains every row as well:", *(f"  {listed(faults)}" for faults in verdict.others[:SHOWN])]
        if verdict.followed is not None:
            lines += ["", f"Followed: {verdict.followed}"]
    return "\n".join([*lines, *(["", *verdict.notes] if verdict.notes else [])])


def _recovered(log: Log, number: int, found: Recovered) -> tuple[tuple[dict[str, Any], str], int]:
    """What a log follows, as an object and in words, and the exit status."""
    schedule, unit = found.schedule, found.unit
    rows = evidence(log, number, float(np.nanmax(np.abs(log.rates[:, number]))))
    read_as = source(log, rows, number)
    few = len(np.unique(rows.t)) < LEAST_ROWS
    too_few = [f"fewer than {LEAST_ROWS} rows have a rate, which many schedules give"] if few else []
    notes = list(dict.fromkeys([*log.repairs, *found.notes, *too_few]))
    lines, covered = [source_sentence(read_as)], None
    if schedule is not None and unit == log.unit:
        marks = landmarks(schedule, float(np.nanmax(log.clock)))
        covered = coverage(schedule, rows.later(found.shift), marks)
        lines.append(covered.sentence(unit, found.shift))
    record = {
        "format": log.format,
        "points": len(log),
        "source": read_as,
        "coverage": covered and covered.record(),
        "schedule": None if schedule is None else str(schedule),
        "group": log.groups[number],
        "unit": unit,
        "shift": found.shift,
        "lag": found.lags[-1][1] if found.lags else 0,
        "lags": [list(lag) for lag in found.lags],
        "residual": None if schedule is None else found.residual,
        "follows": found.exact,
        "faults": [],
        "alternatives": [str(other.schedule) for other in found.alternatives],
        "undetermined": list(found.undetermined),
        "notes": notes,
    }
    if schedule is None:
        lines += ["", "No schedule was found that these rates follow."]
    else:
        shift = f" {'+' if found.shift > 0 else '-'} {abs(found.shift)}" if found.shift else ""
        exact = "" if found.exact else ": not exact"
        clock = f"rate at {unit} c = schedule(c{shift})"
        lines += ["", str(schedule), "", f"{clock}; largest difference: {percent(found.residual)} of the peak{exact}"]
        if found.lags and not (unit == "epoch" and multiplied_until(schedule)):
            skipped = found.lags[-1][1]
            lines.append(f"with {skipped} skipped scheduler step{'s' * (skipped > 1)}:")
        lines += [f"from {unit} {begin:g} on {lag} step{'s' * (lag > 1)} behind" for begin, lag in found.lags]
        lines += found.undetermined
    # Where the clock is not known, a schedule that is near the rows may be any number of others; so it is of two rows.
    unclear = schedule is None or few or (log.length_matters and not found.exact)
    return (record, "\n".join([*lines, *notes])), 2 if unclear else 0 if found.exact else 1
