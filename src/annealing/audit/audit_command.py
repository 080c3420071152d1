"""`annealing audit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..options import plan_options, planned
from . import Log, LogError, Recovered, Verdict, formats, read, recover
from . import audit as held_against

SHOWN = 10  # of the alternatives


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--expect",
    metavar="NOTATION",
    help="The schedule that was meant, in the unit of the log's clock; with the options of a plan, in updates.",
)
@click.option("--format", "form", metavar="NAME", help="The format of the log.  [default: found from what it holds]")
@click.option(
    "--columns", multiple=True, metavar="KIND=NAME", help="A column: update=NAME, epoch=NAME or rate=NAME; repeatable."
)
@click.option("--group", metavar="GROUP", default="0", help="The param group, by name or number.  [default: the first]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--out", type=Path, metavar="FILE", help="Also draw a picture (.png or .svg).")
@plan_options
def audit(
    logs: tuple[Path, ...],
    expect: str | None,
    form: str | None,
    columns: tuple[str, ...],
    group: str,
    as_json: bool,
    out: Path | None,
    **plan: Any,
) -> None:
    """Hold the learning rates that a run logged against the schedule that was meant.

    Several LOGs are those of one resumed run, in order. Exit status: 0 the run follows the schedule, 1 it departs, 2
    there is no verdict. Without --expect, print the schedule that the log follows, if one is found.
    """
    if expect is None and any(value is not None for value in plan.values()):
        raise click.UsageError("the options of a plan need --expect: they say how many updates its durations are")
    intended = None if expect is None else planned([expect], plan, "--expect")[0][0]
    if out is not None:
        from ..plots import picture_path

        picture_path(out)
    try:
        log = _read(logs, form, _columns(columns))
        number = _number(log, group)
        found = recover(log, number) if intended is None else held_against(log, intended, group=number)
    except LogError as error:
        raise click.UsageError(str(error)) from None
    if isinstance(found, Recovered):
        status = _recovered(log, number, found, as_json)
    else:
        click.echo(found.to_json() if as_json else _text(found))
        status = 0 if found.follows else 1
    if out is not None:
        _draw(log, number, found, out)
    click.get_current_context().exit(status)


def _draw(log: Log, number: int, found: Recovered | Verdict, out: Path) -> None:
    from ..plots import save
    from .picture import draw, draw_recovered

    try:
        save(draw_recovered(log, number, found) if isinstance(found, Recovered) else draw(found), out)
    except OSError as error:
        raise click.FileError(str(out), error.strerror or str(error)) from None
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
        raise click.UsageError(f"--format must be one of {', '.join(formats())}; got {form!r}")
    with Progress(console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal) as bars:
        bar = bars.add_task("reading", total=None)

        def progress(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total)

        return read(logs, form, columns, progress=progress)


def _number(log: Log, group: str) -> int:
    from .evidence import group_number

    return group_number(log, int(group) if group.isdecimal() and group not in log.groups else group)


def _text(verdict: Verdict) -> str:
    from .messages import phrase, sentences

    first, *others = sentences(verdict)
    if verdict.follows:
        return "\n".join([first, *others])
    lines = [first, ""]
    lines += [
        f"  {phrase(fault)}\n      largest difference {fault.residual_before:.3g} of the peak before, "
        f"{fault.residual_after:.3g} after\n      {fault.advice}"
        for fault in verdict.faults
    ]
    if verdict.alternatives:
        lines += ["", "Explains every row as well:"]
        lines += [f"  {', and '.join(map(phrase, faults))}" for faults in verdict.alternatives[:SHOWN]]
    return "\n".join([*lines, *(["", *verdict.notes] if verdict.notes else [])])


def _recovered(log: Log, number: int, found: Recovered, as_json: bool) -> int:
    """Print the schedule that a log follows, in the words or the object of a verdict; the exit status."""
    if as_json:
        known = found.schedule is not None
        told = {
            "format": log.format,
            "points": len(log),
            "schedule": str(found.schedule) if known else None,
            "group": log.groups[number],
            "unit": found.unit,
            "shift": found.shift,
            "lag": found.lags[-1][1] if found.lags else 0,
            "lags": [list(lag) for lag in found.lags],
            "residual": found.residual if known else None,
            "follows": found.exact,
            "faults": [],
            "alternatives": [str(other.schedule) for other in found.alternatives],
            "undetermined": list(found.undetermined),
            "notes": list(found.notes),
        }
        click.echo(json.dumps(told, allow_nan=False))
    elif found.schedule is None:
        click.echo("No schedule was found that these rates follow.")
    else:
        click.echo(f"{found.schedule}\n")
        click.echo(f"rate at clock c ({found.unit}) = schedule(c{found.shift:+d}), largest difference ", nl=False)
        click.echo(f"{found.residual:.3g} of the peak{'' if found.exact else ': not exact'}")
        for begin, lag in found.lags:
            click.echo(f"from clock {begin:g} on {lag} step{'s' * (lag > 1)} behind")
        for sentence in (*found.undetermined, *found.notes):
            click.echo(sentence)
    return 2 if found.schedule is None else 0 if found.exact else 1
