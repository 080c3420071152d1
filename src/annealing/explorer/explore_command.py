"""`annealing explore`."""

from __future__ import annotations

import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ..options import notation, plan_options


@click.command()
@click.argument("notations", metavar="[NOTATION]...", nargs=-1)
@click.option(
    "--log", type=click.Path(path_type=Path), metavar="LOG", help="Overlay the learning rates of a run's log."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 picks a free port.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@plan_options
def explore(notations: tuple[str, ...], log: Path | None, port: int, no_browser: bool, **plan: Any) -> None:
    """Open a local page that shows schedules: change them, compare them, and export them.

    NOTATION is a schedule as it is printed, or its JSON; @FILE reads it from a file, and - from standard input. Only
    this machine can open the page, it needs no internet, and Ctrl-C stops it.
    """
    from ..audit.log import LogError
    from .answers import first_page
    from .local_server import bound_socket, serve

    schedules = [str(notation(f"NOTATION {number}", text)) for number, text in enumerate(notations, start=1)]
    try:
        page = first_page(schedules, plan, log)
    except LogError as error:
        raise click.UsageError(str(error)) from None
    listening = bound_socket(port)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    click.echo(f"The explorer is at {address}; Ctrl-C stops it.")
    if not no_browser:
        webbrowser.open(address)
    with suppress(KeyboardInterrupt):
        serve(page, listening)
    click.echo("Stopped.")
