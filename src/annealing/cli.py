"""The command line: it translates options into library calls, and imports what a command needs when it runs."""

from __future__ import annotations

import csv
import inspect
import json
import math
import os
import sys
from importlib import import_module
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Any, cast

import click

from . import ScheduleError, __version__
from .calls import did_you_mean, shown
from .errors import missing
from .exact import positive
from .options import InputError, annotation, plan_options, planned
from .recipes import named
from .schedule.base import Schedule

# The package in which each module `NAME_command` is.
LATE = {"audit": "audit", "compare": "compare", "explore": "explorer", "translate": "translation"}
MOST_ROWS_OF_CSV = 1_000_000
EXTRAS = {"anyio", "jinja2", "matplotlib", "pooch", "ray", "safetensors", "scipy", "sklearn", "starlette", "torch"}
EXTRAS |= {"uvicorn", "yaml"}


class Group(click.Group):
    """Commands whose ScheduleError is one line with exit status 2; some are loaded when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *LATE])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in LATE:
            module = import_module(f".{LATE[name]}.{name}_command", __package__)
            return cast(click.Command, getattr(module, name))
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)  # Click would propose only those that are loaded
        if args[0] not in known:
            ctx.fail(f"No such command {args[0]!r}{did_you_mean(args[0], known) or '.'}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ScheduleError as error:
            raise InputError(str(error)) from None
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            # Any other module is missing from somebody's own code, and that is shown whole.
            if package not in EXTRAS:
                raise
            command = ctx.invoked_subcommand or ""
            own = command in LATE and package != "ray"
            extra = command if own else package if package in ("ray", "torch") else "plot"
            what = "a picture" if package == "matplotlib" else command
            raise InputError(str(missing(what, error, extra))) from None
        except KeyboardInterrupt:
            # Click's own status would be 1, which has a meaning in audit and lint.
            click.echo("Interrupted.", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            # So is its status where a reader such as `head` has closed the pipe. Nothing more can be written, not even
            # by Python at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(141)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="annealing")
def main() -> None:
    """Learning-rate schedules as values: see them, check them, compare them by training, audit logs."""


@main.command()
@click.argument("notations", metavar="NOTATION...", nargs=-1, required=True)
@click.option("--until", type=float, metavar="TIME", help="By default the end, or where most of it is over.")
@click.option("--out", type=Path, metavar="FILE", help="Write a picture (.png, .svg or .pdf) and print no curve.")
@click.option("--yscale", type=click.Choice(["linear", "log"]), help="The axis of learning rates in a picture.")
@click.option("--at", type=float, multiple=True, metavar="TIME", help="Print the rate at a time; repeatable.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table of times and rates: every whole time, or --at.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each schedule, and no curve.")
@click.option("--width", type=click.IntRange(min=40), help="In characters; by default the terminal's, else 80.")
@plan_options
def show(
    notations: tuple[str, ...],
    until: float | None,
    out: Path | None,
    yscale: str | None,
    at: tuple[float, ...],
    as_csv: bool,
    as_json: bool,
    width: int | None,
    **plan: Any,
) -> None:
    """Show the curves of schedules, and a table of their cycles.

    NOTATION is a schedule as it is printed, such as "warm_restarts(0.1, T_0=10, T_mult=2)", or its JSON; @FILE reads
    it from a file, and - from standard input. One with durations such as "10ep" or "5%" needs the options of a plan,
    and is shown in updates.
    """
    if yscale and not out:
        raise click.UsageError("--yscale belongs to a picture: give --out FILE")
    if as_json and (as_csv or at):
        raise click.UsageError("give --json or a table (--csv, --at), not both")
    schedules, _ = planned(notations, plan)
    if out:
        from . import plots

        plots.picture_path(out)
        axes = plots.new_figure((7.5, 3.5 + 0.2 * len(schedules))).subplots()
        _save(plots.plot(schedules, until, axes, yscale=yscale or "linear").figure, out)
    if as_csv or at:
        _table(schedules, until, at, "," if as_csv else "\t")
    elif as_json:
        from .terminal import record

        for schedule in schedules:
            click.echo(json.dumps(record(schedule, until)))
    elif not out:
        from . import terminal

        terminal.show(schedules, until, width)


def _table(schedules: list[Schedule], until: float | None, at: tuple[float, ...], separator: str) -> None:
    """Print times and the rates at them, with every digit."""
    from .sampling import default_until

    times: Any = at
    if not at:
        last = default_until(schedules) if until is None else positive(until, "until")
        if last >= MOST_ROWS_OF_CSV:
            raise ScheduleError(f"a table has at most {MOST_ROWS_OF_CSV:,} rows; give --until or --at")
        times = range(int(last) + 1)
    rows = csv.writer(sys.stdout, delimiter=separator, lineterminator="\n")
    table = [[time, *(float(schedule(time)) for schedule in schedules)] for time in times]
    if separator == ",":
        rows.writerow(["time", *schedules])
    rows.writerows([f"{time:.17g}", *map(repr, rates)] for time, *rates in table)


def _wrapped(text: str, indent: int = 0) -> str:
    """Text in lines that fit the terminal; as it is where the output is none."""
    if not sys.stdout.isatty():
        return text
    width = max(40, get_terminal_size().columns)
    flowing = text if indent else " ".join(text.split())  # what is indented is one line, and may be aligned
    return fill(flowing, width, subsequent_indent=" " * (indent if indent < width / 2 else 4), break_on_hyphens=False)


def _complete(_ctx: Any, _parameter: Any, start: str) -> list[str]:
    return [name for name in named if name.startswith(start)]


@main.command()
@click.argument("name", required=False, shell_complete=_complete)
def recipes(name: str | None) -> None:
    """List the recipes, or explain one."""
    if name is None:
        width = max(map(len, named)) + 2
        for key, make in named.items():
            click.echo(_wrapped(f"{key:<{width}}{(inspect.getdoc(make) or '').splitlines()[0]}", width))
        return
    if name not in named:
        raise ScheduleError(f"unknown recipe {name!r}{did_you_mean(name, named) or '; `annealing recipes` lists them'}")
    page = inspect.getdoc(named[name]) or ""
    click.echo(_wrapped(shown(name, inspect.signature(named[name])), 4))
    for paragraph in page.split("\n\n"):
        code = paragraph.startswith((">>>", "- "))
        click.echo("\n" + (paragraph if code else _wrapped(paragraph)))
    from .explorer.gallery import example

    if schedule := example(name, page):
        from . import terminal

        click.echo()
        terminal.show([schedule])


@main.command()
@click.argument("name", type=click.Choice(["classic", "paper"]))
@click.option("--out", type=Path, metavar="FILE", help="A .png, .svg or .pdf file; by default NAME.png.")
@click.option("--together", is_flag=True, help="paper: all seven in one Axes, as the paper shows them.")
def figure(name: str, out: Path | None, together: bool) -> None:
    """Draw a figure of the literature.

    classic: four schedules from rate 2 over 100 steps. paper: the seven schedules that the paper on warm restarts
    compares over 200 epochs.
    """
    from . import plots

    out = plots.picture_path(out or f"{name}.png")
    _save(plots.paper(together) if name == "paper" else plots.classic(), out)


@main.command()
@click.argument("notations", metavar="NOTATION...", nargs=-1)
@click.option("--updates", type=click.IntRange(min=1), metavar="N", help="How many updates will be made.")
@click.option("--ignore", multiple=True, metavar="RULE", help="A rule to leave out; may be given several times.")
@click.option("--explain", metavar="RULE", help="Say what a rule finds and why it matters, and check nothing.")
@click.option("--format", "form", type=click.Choice(["text", "github"]), help="github: annotations for its Actions.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each finding.")
@plan_options
def lint(
    notations: tuple[str, ...],
    updates: int | None,
    ignore: tuple[str, ...],
    explain: str | None,
    form: str | None,
    as_json: bool,
    **plan: Any,
) -> None:
    """Check schedules for common mistakes.

    NOTATION is a schedule as it is printed, or its JSON; @FILE reads it from a file, and - from standard input. Its
    time is in updates. --updates is needed where it never ends, and compares the schedule with the training; so do the
    options of a plan, which durations such as "10ep" need. Exit status: 1 if an error is found; warnings and notes do
    not change it.
    """
    from .analysis import known_rule, lint

    if explain is not None:
        click.echo(f"{explain}: {known_rule(explain)}")
        return
    if not notations:
        raise click.UsageError("Missing argument 'NOTATION...'.")
    schedules, steps = planned(notations, plan)
    updates = updates or steps
    if updates is None and (endless := [schedule for schedule in schedules if schedule.duration is None]):
        raise click.UsageError(f"this schedule never ends: give --updates N; it is {endless[0]}")
    found = [(schedule, finding) for schedule in schedules for finding in lint(schedule, None, updates, ignore)]
    for schedule, finding in found:
        if as_json:
            click.echo(json.dumps({"schedule": str(schedule), **finding._asdict()}))
        else:
            which = f"{schedule}: " if len(schedules) > 1 else ""
            place = f"{finding.name} at {finding.time} ({finding.severity})"
            line = f"{which}{place}: {finding.message}; {finding.remedy}"
            kind = "notice" if finding.severity == "note" else finding.severity
            click.echo(annotation(kind, "title=annealing lint", line) if form == "github" else line)
    if not found and not as_json:
        click.echo("nothing found")
    click.get_current_context().exit(1 if any(finding.severity == "error" for _, finding in found) else 0)


@main.command()
@click.argument("notations", metavar="NOTATION...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each schedule.")
@plan_options
def rank(notations: tuple[str, ...], as_json: bool, **plan: Any) -> None:
    """Order schedules by a bound of convex theory, before training.

    Each schedule has its best peak. The bound is on the loss at the last update (see annealing.bound), with gradients
    and a distance to the minimum of 1, so that only the ratios mean something. All schedules are compared after the
    same number of updates: those of the plan (--steps N), or up to the end of the longest one.
    """
    from .convex_bound import bound

    schedules, steps = planned(notations, plan)
    if steps is None:
        ends = [schedule.duration for schedule in schedules]
        if None in ends:
            endless = next(schedule for schedule in schedules if schedule.duration is None)
            raise ScheduleError(f"this schedule never ends: give --steps N; it is {endless}")
        steps = max(math.ceil(end) for end in ends if end is not None)
    found = sorted(((bound(schedule, steps), schedule) for schedule in schedules), key=lambda pair: pair[0].best)
    least = found[0][0].best
    if as_json:
        for one, schedule in found:
            row = {"schedule": str(schedule), "steps": steps, "bound": one.best, "peak": one.peak}
            click.echo(json.dumps({**row, "bound_as_given": one.value}))
        return
    click.echo(f"after {steps:,} updates, each schedule at its best peak:\n\n  bound  ratio  best peak  schedule")
    for one, schedule in found:
        click.echo(f"{one.best:7.4f}  {one.best / least:5.2f}  {one.peak:9.4g}  {schedule}")


@main.command()
@click.argument("function", metavar="MODULE:FUNCTION")
@click.option("--start", type=float, default=1e-7, show_default=True, help="The first learning rate.")
@click.option("--end", type=float, default=10.0, show_default=True, help="The last learning rate.")
@click.option("--steps", type=int, default=100, show_default=True, help="Number of updates.")
@click.option("--ramp", default="exponential", show_default=True, help="exponential or linear.")
@click.option("--accumulation", type=int, default=1, show_default=True, help="Batches for an update.")
@click.option("--out", type=Path, metavar="FILE", help="Write a picture (.png, .svg or .pdf).")
@click.option("--json", "as_json", is_flag=True, help="Print the suggestions, rates and losses as JSON.")
def find(function: str, out: Path | None, as_json: bool, **options: Any) -> None:
    """Suggest learning rates by a range test on your model.

    The learning rate rises while the model trains, and the loss shows where it is too low or too high. FUNCTION takes
    no arguments and returns model, optimizer, batches and loss; MODULE is also looked for in the current directory.
    """
    if out:
        from . import plots

        plots.picture_path(out)
    from .torch import range_test

    parts = _function(function)()
    if not isinstance(parts, tuple | list) or len(parts) != 4:
        got = f"{len(parts)} values" if isinstance(parts, tuple | list) else f"{parts!r}"
        raise click.UsageError(f"{function} must return model, optimizer, batches and loss, got {got}")
    result = range_test.find(*parts, **options)
    if as_json:
        numbers = {name: getattr(result, name).tolist() for name in ("rates", "losses", "smoothed")}
        click.echo(json.dumps({**result.suggestions, "diverged": result.diverged, **numbers}))
    else:
        click.echo(result)
    if out:
        _save(result.plot(plots.new_figure((7.5, 3.7)).subplots()).figure, out)


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    # A console script does not look in the current directory, where the user's module is.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if not module or not function:
        raise click.UsageError(f"MODULE:FUNCTION must name both, such as train:parts, got {name!r}")
    try:
        loaded = import_module(module)
    except ImportError as error:
        raise click.UsageError(f"MODULE:FUNCTION must name a function, got {name!r}: {error}") from None
    found = getattr(loaded, function, None)
    if not callable(found):
        hint = did_you_mean(function, [key for key, value in vars(loaded).items() if callable(value)])
        raise click.UsageError(f"MODULE:FUNCTION must name a function: {module} has no function {function!r}{hint}")
    return found


def _save(figure: Any, out: Path) -> None:
    from . import plots

    try:
        plots.save(figure, out)
    except OSError as error:
        raise click.FileError(str(out), error.strerror or str(error)) from None
    click.echo(out, err=True)
