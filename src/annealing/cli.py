"""The command line: it translates options into library calls, and imports what a command needs when it runs."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import click

from . import ScheduleError, __version__
from .options import plan_options, planned

LATE = ("audit", "compare")  # each a package with a module `NAME_command`


class Group(click.Group):
    """Commands whose ScheduleError is a usage error: one line, exit status 2; some are loaded when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *LATE])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in LATE:
            module = import_module(f".{name}.{name}_command", __package__)
            return cast(click.Command, getattr(module, name))
        return super().get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ScheduleError as error:
            raise click.UsageError(str(error)) from None


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="annealing")
def main() -> None:
    """Learning-rate schedules as values: see them, compare them by training."""


@main.command()
@click.argument("notations", metavar="NOTATION...", nargs=-1, required=True)
@click.option("--until", type=float, metavar="TIME", help="By default the end, or where most of it is over.")
@click.option("--out", type=Path, metavar="FILE", help="Write a picture (.png, .svg or .pdf) and print no curve.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each schedule, and no curve.")
@click.option("--width", type=click.IntRange(min=40), help="In characters; by default the terminal's, else 80.")
@plan_options
def show(
    notations: tuple[str, ...], until: float | None, out: Path | None, as_json: bool, width: int | None, **plan: Any
) -> None:
    """Show the curves of schedules, and for each a table of its cycles.

    NOTATION is a schedule as it is printed, such as "warm_restarts(0.1, T_0=10, T_mult=2)", or its JSON. One with
    durations such as "10ep" or "5%" needs the options of a plan, and is shown in updates.
    """
    schedules, _ = planned(notations, plan)
    if out:
        plots = _plots()
        plots.picture_path(out)
        _save(plots.plot(schedules, until, plots.new_figure((7.5, 3.5 + 0.2 * len(schedules))).subplots()).figure, out)
    if as_json:
        from .terminal import record

        for schedule in schedules:
            click.echo(json.dumps(record(schedule, until)))
    elif not out:
        from . import terminal

        terminal.show(schedules, until, width)


@main.command()
@click.argument("name", type=click.Choice(["classic", "paper"]))
@click.option("--out", type=Path, metavar="FILE", help="A .png, .svg or .pdf file; by default NAME.png.")
@click.option("--together", is_flag=True, help="paper: all seven in one Axes, as the paper shows them.")
def figure(name: str, out: Path | None, together: bool) -> None:
    """Draw a figure of the literature.

    classic: four schedules from rate 2 over 100 steps. paper: the seven schedules that the paper on warm restarts
    compares over 200 epochs.
    """
    plots = _plots()
    out = plots.picture_path(out or f"{name}.png")
    _save(plots.paper(together) if name == "paper" else plots.classic(), out)


@main.command()
@click.argument("notations", metavar="NOTATION...", nargs=-1)
@click.option("--updates", type=click.IntRange(min=1), metavar="N", help="How many updates will be made.")
@click.option("--ignore", multiple=True, metavar="RULE", help="A rule to leave out; may be given several times.")
@click.option("--explain", metavar="RULE", help="Say what a rule finds and why it matters, and check nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each finding.")
@plan_options
def lint(
    notations: tuple[str, ...],
    updates: int | None,
    ignore: tuple[str, ...],
    explain: str | None,
    as_json: bool,
    **plan: Any,
) -> None:
    """Check schedules for common mistakes; exit status 1 if there is an error among the findings.

    NOTATION is a schedule as it is printed, or its JSON; its time is in updates. --updates is needed where it never
    ends, and compares the schedule with the plan; so do the options of a plan, which durations such as "10ep" need.
    Warnings and notes do not change the exit status.
    """
    from .analysis import known_rule, lint

    if explain is not None:
        click.echo(f"{explain}: {known_rule(explain)}")
        return
    if not notations:
        raise click.UsageError("Missing argument 'NOTATION...'.")
    schedules, steps = planned(notations, plan)
    updates = updates or steps
    found = [(schedule, finding) for schedule in schedules for finding in lint(schedule, None, updates, ignore)]
    for schedule, finding in found:
        if as_json:
            click.echo(json.dumps({"schedule": str(schedule), **finding._asdict()}))
        else:
            which = f"{schedule}: " if len(schedules) > 1 else ""
            place = f"{finding.name} at {finding.time} ({finding.severity})"
            click.echo(f"{which}{place}: {finding.message}; {finding.remedy}")
    if not found and not as_json:
        click.echo("nothing found")
    click.get_current_context().exit(1 if any(finding.severity == "error" for _, finding in found) else 0)


def _plots() -> Any:
    try:
        from . import plots
    except ModuleNotFoundError as error:
        raise click.ClickException(f"a picture needs {error.name}: pip install 'annealing[plot]'") from None
    return plots


def _save(figure: Any, out: Path) -> None:
    try:
        _plots().save(figure, out)
    except OSError as error:
        raise click.FileError(str(out), error.strerror or str(error)) from None
    click.echo(out, err=True)
