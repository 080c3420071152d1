"""What commands share: a schedule read from an argument, and the options that make a plan for its durations."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import click

from .errors import ScheduleError
from .notation import from_json, parse
from .plan import Plan
from .schedule.base import Schedule


class InputError(click.ClickException):
    """What is wrong with a schedule, a file or the installation: one line, and an exit status that is no answer."""

    exit_code = 2


class Changes(click.ParamType[Any]):
    """A count, or its changes: "8", or "8,10%:16,2e9tok:32"."""

    name = "N"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        first, *later = str(value).split(",")
        try:
            rows = [(when.strip(), int(count)) for when, _, count in (row.rpartition(":") for row in later)]
            changes = [(0, int(first)), *((int(when) if when.isdigit() else when, count) for when, count in rows)]
        except ValueError:
            self.fail(f'must be a number, or its changes such as "8,10%:16", got {value!r}')
        return changes if later else int(first)


CHANGES = Changes()


def plan_options(command: Any) -> Any:
    """The options that make the Plan of durations with units; a command gets them as keywords of the same names."""
    options = [
        click.option("--examples", type=int, help='In the data set, for durations in epochs ("10ep").'),
        click.option("--batch", type=CHANGES, help='Examples in a batch of one replica ("8,10%:16": 16 from 10% on).'),
        click.option("--accumulation", type=CHANGES, help="Batches for one update (1)."),
        click.option("--replicas", type=CHANGES, help="Processes that share the examples (1)."),
        click.option("--drop-last", is_flag=True, default=None, help="A batch that would be short is left out."),
        click.option("--sharding", help="What replicas do with a rest of the examples: pad, drop."),
        click.option("--leftover", help="What becomes of batches too few for an update: update, drop, carry."),
        click.option("--epochs", type=float, help="How long the training is; or --steps, or --tokens."),
        click.option("--steps", type=int, help="How long it is, in updates."),
        click.option("--tokens", type=float, help="How long it is, in tokens."),
        click.option("--tokens-per-example", type=float, help='For durations in tokens ("2e9tok").'),
    ]
    return functools.reduce(lambda made, option: option(made), reversed(options), command)


def planned(
    notations: Sequence[str], options: dict[str, Any], name: str = "NOTATION"
) -> tuple[list[Schedule], int | None]:
    """The schedules in updates, and how many there are in the plan if options make one; stderr tells conversions.

    name: what the argument is called, for errors; several are numbered.
    """
    names = [name] if name.startswith("--") else [f"{name} {number}" for number in range(1, len(notations) + 1)]
    schedules = [notation(name, text) for name, text in zip(names, notations, strict=True)]
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        for name, schedule in zip(names, schedules, strict=True):
            if schedule.pending:
                raise ScheduleError(
                    f"{name} has durations with units, which need a plan: give --epochs, --steps or "
                    f"--tokens, with --examples and --batch (see --help); it is {schedule}"
                )
        return schedules, None
    plan = Plan(**given)
    click.echo("\n".join(dict.fromkeys(line for s in schedules for line in plan.explain(s).splitlines())), err=True)
    return [plan.resolve(schedule, beyond="hold") for schedule in schedules], plan.steps


def annotation(kind: str, properties: str, text: str) -> str:
    """One line by which GitHub Actions shows an error, a warning or a notice."""
    # The format's own escapes; a line break would end the annotation.
    said = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind} {properties}::{said}"


def notation(name: str, text: str) -> Schedule:
    """The schedule of an argument, which is called `name` in errors."""
    if text == "-" or text.startswith("@"):
        try:
            with click.open_file(text if text == "-" else text[1:], encoding="utf-8") as file:
                text = file.read().strip()
        except (OSError, ValueError) as error:  # a ValueError where it is not UTF-8
            reason = getattr(error, "strerror", None) or "not a text file in UTF-8"
            raise ScheduleError(f"{name}: {text!r} cannot be read: {reason}") from None
    if not text.strip():
        raise ScheduleError(f'{name} is empty; a schedule is expected, such as "cosine(0.1, 0, 100)"')
    try:
        return from_json(text) if text.lstrip().startswith("{") else parse(text)
    except ScheduleError as error:
        raise ScheduleError(f"{name}: {error}") from None
