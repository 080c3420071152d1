"""The command line: it translates options into library calls, and imports what a command needs when it runs."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import click

from . import Schedule, ScheduleError, __version__, from_json, parse


class Group(click.Group):
    """Commands whose ScheduleError is a usage error: one line, exit status 2; `compare` is loaded when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "compare"])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == "compare":
            from .compare.command import compare

            return compare
        return super().get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ScheduleError as error:
            raise click.UsageError(str(error)) from None


def plan_options(command: Any) -> Any:
    """The options that make the Plan of durations with units; a command gets them as keywords of the same names."""
    options = [
        click.option("--examples", type=int, help='In the data set, for durations in epochs ("10ep").'),
        click.option("--batch", type=int, help="Examples in a batch of one replica."),
        click.option("--accumulation", type=int, help="Batches for one update (1)."),
        click.option("--replicas", type=int, help="Processes that share the examples (1)."),
        click.option("--drop-last", is_flag=True, default=None, help="A batch that would be short is left out."),
        click.option("--sharding", help="What replicas do with a rest of the examples: pad, drop."),
        click.option("--leftover", help="What becomes of batches too few for an update: update, drop, carry."),
        click.option("--epochs", type=float, help="How long the training is; or --steps, or --tokens."),
        click.option("--steps", type=int, help="How long it is, in updates."),
        click.option("--tokens", type=float, help="How long it is, in tokens."),
        click.option("--tokens-per-example", type=float, help='For durations in tokens ("2e9tok").'),
    ]
    return functools.reduce(lambda made, option: option(made), reversed(options), command)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="annealing")
def main() -> None:
    """Learning-rate schedules as values: see them, compare them by training."""


@main.command()
@click.argument("notations", metavar="NOTATION...", nargs=-1, required=True)
@click.option("--until", type=float, metavar="TIME", help="By default the end, or that of the 4th run.")
@click.option("--out", type=Path, metavar="FILE", help="Write a picture (.png or .svg) and print no curve.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each schedule, and no curve.")
@click.option("--width", type=click.IntRange(min=40), help="In characters; by default the terminal's, else 80.")
@plan_options
def show(
    notations: tuple[str, ...], until: float | None, out: Path | None, as_json: bool, width: int | None, **plan: Any
) -> None:
    """Show the curves of schedules, and for each a table of its runs.

    NOTATION is a schedule as it is printed, such as "warm_restarts(0.1, T_0=10, T_mult=2)", or its JSON. One with
    durations such as "10ep" or "5%" needs the options of a plan, and is shown in updates.
    """
    schedules, _ = _planned(notations, plan)
    if out:
        plots = _plots()
        plots.picture_path(out)
        _save(plots.plot(schedules, until).figure, out)
    if as_json:
        from .terminal import record

        for schedule in schedules:
            click.echo(json.dumps(record(schedule, until)))
    elif not out:
        from . import terminal

        terminal.show(schedules, until, width)


@main.command()
@click.argument("name", type=click.Choice(["classic", "paper"]))
@click.option("--out", type=Path, metavar="FILE", help="A .png or .svg file; by default NAME.png.")
def figure(name: str, out: Path | None) -> None:
    """Draw a figure of the literature.

    classic: four schedules from rate 2 over 100 steps. paper: the seven schedules that the paper on warm restarts
    compares over 200 epochs.
    """
    plots = _plots()
    out = plots.picture_path(out or f"{name}.png")
    _save({"classic": plots.classic, "paper": plots.paper}[name](), out)


@main.command()
@click.argument("notations", metavar="NOTATION...", nargs=-1, required=True)
@click.option("--updates", type=click.IntRange(min=1), metavar="N", help="How many updates will be made.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each finding.")
@plan_options
def lint(notations: tuple[str, ...], updates: int | None, as_json: bool, **plan: Any) -> None:
    """Name what in schedules is often a mistake; exit status 1 if anything is found.

    NOTATION is a schedule as it is printed, or its JSON; its time is in updates. --updates is needed where it never
    ends, and holds the schedule against the plan; so do the options of a plan, which durations such as "10ep" need.
    """
    from .questions import lint

    schedules, steps = _planned(notations, plan)
    updates = updates or steps
    found = [(schedule, finding) for schedule in schedules for finding in lint(schedule, updates=updates)]
    for schedule, finding in found:
        if as_json:
            click.echo(json.dumps({"schedule": str(schedule), **finding._asdict()}))
        else:
            which = f"{schedule}: " if len(schedules) > 1 else ""
            click.echo(f"{which}{finding.name} at {finding.time}: {finding.message}; {finding.remedy}")
    if not found and not as_json:
        click.echo("nothing found")
    click.get_current_context().exit(1 if found else 0)


def _plots() -> Any:
    try:
        from . import plots
    except ModuleNotFoundError as error:
        raise click.ClickException(f"a picture needs {error.name}: pip install 'annealing[plot]'") from None
    return plots


def _schedule(name: str, text: str) -> Schedule:
    try:
        return from_json(text) if text.lstrip().startswith("{") else parse(text)
    except ScheduleError as error:
        raise ScheduleError(f"{name}: {error}") from None


def _planned(notations: tuple[str, ...], options: dict[str, Any]) -> tuple[list[Schedule], int | None]:
    """The schedules in updates, and how many there are in the plan if options make one; stderr tells conversions."""
    schedules = [_schedule(f"NOTATION {number}", text) for number, text in enumerate(notations, start=1)]
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        for number, schedule in enumerate(schedules, start=1):
            if schedule._pending:
                raise ScheduleError(
                    f"NOTATION {number} has durations with units, which need a plan: give --epochs, --steps or "
                    f"--tokens, with --examples and --batch (see --help); it is {schedule}"
                )
        return schedules, None
    from . import Plan

    plan = Plan(**given)
    click.echo("\n".join(dict.fromkeys(line for s in schedules for line in plan.explain(s).splitlines())), err=True)
    return [plan.resolve(schedule, beyond="hold") for schedule in schedules], plan.steps


def _save(figure: Any, out: Path) -> None:
    try:
        _plots().save(figure, out)
    except OSError as error:
        raise click.FileError(str(out), error.strerror or str(error)) from None
    click.echo(out, err=True)
