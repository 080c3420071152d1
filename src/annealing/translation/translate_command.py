"""`annealing translate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import ScheduleError
from ..options import plan_options, planned
from ..schedule.base import Schedule
from .configurations import file_content
from .forms import FORMS
from .frameworks import FRAMEWORKS
from .matching import Translation
from .matching import translate as translated
from .reading import SUFFIXES, from_framework


@click.command()
@click.argument("words", metavar="[NOTATION | KIND] [NAME=VALUE]...", nargs=-1)
@click.option("--to", metavar="FRAMEWORK", help="The framework to write the schedule for.")
@click.option(
    "--from", "source", metavar="FRAMEWORK|FILE", help="Read the schedule of a framework or of a configuration."
)
@click.option("--until", type=int, metavar="N", help="How many updates count; by default up to the end.")
@click.option("--list", "listed", is_flag=True, help="List the frameworks, and the schedules that can be read.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plan_options
def translate(
    words: tuple[str, ...],
    to: str | None,
    source: str | None,
    until: int | None,
    listed: bool,
    as_json: bool,
    **plan: Any,
) -> None:
    """Write a schedule for another framework, or read one of its schedules.

    With --to: the code or configuration by which FRAMEWORK follows NOTATION, and whether it is exact. With --from: the
    notation of what FRAMEWORK follows with these arguments (KIND names its schedule), or of a FILE (.json, .yaml,
    .toml), where NAME=VALUE adds what the file lacks. With both, from one to the other. Exit status: 0 exact, 1 only
    near.
    """
    if listed:
        for name in FRAMEWORKS:
            click.echo(f"{name:<13} {', '.join(FORMS[name])}")
        return
    if source is None and (to is None or len(words) != 1):
        raise click.UsageError("give a NOTATION and --to FRAMEWORK, or --from FRAMEWORK or FILE, or --list")
    schedule = planned(words, plan)[0][0] if source is None else read_source(source, words)
    if to is None:
        click.echo(json.dumps({"schedule": str(schedule)}) if as_json else schedule)
        return
    found = translated(schedule, to, until)
    click.echo(json.dumps(record(found)) if as_json else found)
    click.get_current_context().exit(0 if found.exact else 1)


def read_source(source: str, words: tuple[str, ...]) -> Schedule:
    """The schedule of a framework or file with arguments as `name=value`, the first word perhaps its kind."""
    kind = words[0] if words and "=" not in words[0] else None
    arguments = {}
    for word in words[1 if kind else 0 :]:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ScheduleError(f"arguments must be NAME=VALUE, got {word!r}")
        arguments[name] = _value(value)
    place: Any = Path(source) if source.lower().endswith(SUFFIXES) or Path(source).is_file() else source
    return from_framework(place, kind, **arguments)


def _value(text: str) -> Any:
    """A number, a list or an object as JSON has them, else text; nothing is evaluated."""
    try:
        return json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except ValueError:
        return text


def record(found: Translation) -> dict[str, Any]:
    """A translation as JSON."""
    kept = ("framework", "name", "code", "updates", "largest_difference", "at", "exact", "arguments", "notes")
    return {"schedule": str(found.schedule), **{key: getattr(found, key) for key in kept}}


def configured(source: str, settings: tuple[str, ...], log: Path) -> Schedule:
    """The schedule of a configuration; a trainer_state.json among the logs knows how many updates were planned."""
    given = file_content(Path(source))
    told = file_content(log) if log.suffix == ".json" and log.is_file() else None
    steps = told.get("max_steps") if isinstance(told, dict) else None
    # What the configuration says counts, except for the -1 that stands for epochs.
    if steps and isinstance(given, dict) and (given.get("max_steps") or -1) < 0:
        settings = (f"max_steps={steps}", *settings)
    return read_source(source, settings)
